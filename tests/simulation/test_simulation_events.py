from __future__ import annotations

import numpy as np
import pytest

from na64mu.detector import load_detector
from na64mu.simulation import events as module
from na64mu.simulation.contamination import decay_plans
from na64mu.simulation.events import PHYSICS, simulate_events
from na64mu.simulation.muon_in_calorimeter import BEAM, DECAY, HARD_LOSS, ZPRIME
from na64mu.simulation.plans import no_plans
from na64mu.simulation.setup import build_setup
from na64mu.simulation.signal import hard_loss_plans, zprime_plans
from na64mu.simulation.truth import FACTS, Truth

DETECTOR = load_detector("na64mu-2022")
SETUP = build_setup(DETECTOR, 2)


def sent(mode: int, n: int, prescale: int, seed: int = 3) -> tuple[int, Truth]:
    rng = np.random.default_rng(seed)
    plans = no_plans(n)
    if mode == HARD_LOSS:
        plans, _ = hard_loss_plans(DETECTOR, SETUP, 20.0, n, rng)
    elif mode == ZPRIME:
        plans, _ = zprime_plans(DETECTOR, 0.1, 1e-4, n, rng)
    elif mode == DECAY:
        plans, _ = decay_plans(DETECTOR, SETUP, n, rng, kaons_only=True)
    return simulate_events(SETUP, DETECTOR, n, mode, plans, prescale, rng)


@pytest.mark.parametrize(("mode", "n", "least"), [(BEAM, 30_000, 1), (HARD_LOSS, 4000, 40), (ZPRIME, 2000, 40), (DECAY, 4000, 3)])
def test_the_mode_for_physics_triggers_loses_and_changes_nothing(mode: int, n: int, least: int) -> None:
    on_target, everything = sent(mode, n, 1)
    again, triggered = sent(mode, n, 0)
    physics = everything.facts["trigger"].astype(int) & PHYSICS > 0
    assert again == on_target
    assert len(triggered.facts) == np.count_nonzero(physics) >= least
    for name in FACTS.names:
        np.testing.assert_array_equal(triggered.facts[name], everything.facts[name][physics])
    for name in ("counters", "veto", "ecal", "vhcal", "hcal"):
        np.testing.assert_array_equal(getattr(triggered, name), getattr(everything, name)[physics])
    assert np.array_equal(np.diff(triggered.hit_offsets), np.diff(everything.hit_offsets)[physics])


def test_room_for_hits_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    on_target, wide = sent(HARD_LOSS, 60, 1)
    monkeypatch.setattr(module, "HITS_PER_EVENT", 0)
    again, narrow = sent(HARD_LOSS, 60, 1)
    assert again == on_target
    assert wide.hit_offsets[-1] > module.MOST_HITS
    np.testing.assert_array_equal(wide.hits, narrow.hits)
    np.testing.assert_array_equal(wide.hit_offsets, narrow.hit_offsets)


def test_an_event_does_not_depend_on_those_before_it() -> None:
    # the same key, the first 200 of 400 events: nothing changes
    rng = np.random.default_rng(3)
    _, few = simulate_events(SETUP, DETECTOR, 200, BEAM, no_plans(200), 1, rng)
    _, many = sent(BEAM, 400, 1)
    n = len(few.facts)
    for name in FACTS.names:
        np.testing.assert_array_equal(few.facts[name], many.facts[name][:n])
    np.testing.assert_array_equal(few.ecal, many.ecal[:n])
    assert many.facts["index"][n] >= 200
