"""Biased and unbiased runs of one muon beam agree within statistics, region by region."""

from __future__ import annotations

import numpy as np
import pytest

from na64mu.detector import load_detector
from na64mu.physics.energy_loss import NUCLEAR
from na64mu.simulation.events import simulate_events
from na64mu.simulation.muon_in_calorimeter import BEAM, HARD_LOSS
from na64mu.simulation.plans import no_plans
from na64mu.simulation.setup import build_setup
from na64mu.simulation.signal import hard_loss_plans
from na64mu.simulation.truth import Truth

DETECTOR = load_detector("na64mu-2022")
LOSS = 25.0  # GeV, above the 20 GeV of the biased samples


def regions(truth: Truth) -> dict[str, np.ndarray]:
    """Masks of the regions of the plane that a hard loss in the ECAL fills, from true momentum and visible energy."""
    p_out, transfer, vertex, process = (truth.facts[name] for name in ("p_out", "transfer", "vertex_z", "process"))
    energy = sum(cells.reshape(len(p_out), -1).sum(axis=1) for cells in (truth.ecal, truth.vhcal, truth.hcal))
    hard = (transfer > LOSS) & (vertex > 0.0) & (vertex < DETECTOR.ecal.length)
    missing = p_out + energy < 130.0
    return {
        "B: p_out below 80, energy seen": hard & (p_out < 80.0) & ~missing,
        "band: p_out 80 to 135": hard & (p_out >= 80.0),
        "D: energy missing": hard & missing & (process == 3),
        "nuclear": hard & (process == 3),
        "physics trigger": hard & (truth.facts["trigger"] > 1),
    }


def counted(mode: int, n: int, seed: int, only: int | None = None) -> tuple[dict[str, float], int, float]:
    setup, rng = build_setup(DETECTOR, 2), np.random.default_rng(seed)
    totals: dict[str, float] = {}
    n_mot, weight = 0, 1.0
    for _ in range(0, n, 20_000):
        size = min(20_000, n)
        plans = no_plans(size)
        if mode == HARD_LOSS:
            plans, weight = hard_loss_plans(DETECTOR, setup, 20.0, size, rng, only)
        more, truth = simulate_events(setup, DETECTOR, size, mode, plans, 1, rng)
        n_mot += more
        for name, mask in regions(truth).items():
            totals[name] = totals.get(name, 0.0) + float(mask.sum())
    return totals, n_mot, weight


@pytest.fixture(scope="module")
def unbiased() -> tuple[dict[str, float], int, float]:
    return counted(BEAM, 20_000, 31)


@pytest.mark.parametrize("only", [None, NUCLEAR])
def test_biased_agrees(unbiased: tuple[dict[str, float], int, float], only: int | None) -> None:
    counts, n_mot, _ = unbiased
    biased, b_mot, weight = counted(HARD_LOSS, 4000, 32, only)
    for name, count in counts.items():
        if only == NUCLEAR and not name.startswith(("D", "nuclear")):
            continue
        expected = biased[name] * weight / b_mot * n_mot
        error = np.hypot(np.sqrt(max(count, expected)), np.sqrt(biased[name]) * weight / b_mot * n_mot)
        assert abs(count - expected) <= 3.5 * error, f"{name}: {count} unbiased, {expected:.1f} from the biased run"
    assert counts["band: p_out 80 to 135"] > 15
    assert biased["nuclear"] > 50
