from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from na64mu.detector import load_detector
from na64mu.events.reader import read_batch
from na64mu.simulation.contamination import decay_plans, decay_weights, hadron_plans
from na64mu.simulation.decays import (
    CHANNELS,
    KAON_MASS,
    KAON_TO_MUON,
    KAON_TO_PION,
    PION_MASS,
    PION_TO_MUON,
    decay,
    decay_length,
    two_body,
)
from na64mu.simulation.particles import STATE, new_state
from na64mu.simulation.produce import produce
from na64mu.simulation.setup import build_setup
from na64mu.simulation.transport import MUON_MASS
from na64mu.typing import Record

DETECTOR = load_detector("na64mu-2022")


def products(channel: int, n: int, p: float = 160.0) -> tuple[np.ndarray, np.ndarray]:
    """Four-momenta (E, px, py, pz) of muon and photons, for hadrons of momentum p along a slanted direction."""
    rng, photons, out = np.random.default_rng(channel + 1), np.zeros(2, STATE), []
    gammas = []
    for _ in range(n):
        state = new_state(1.0, 2.0, 0.02, -0.01, p)
        count = decay(channel, state, photons, rng)
        out.append(vector(state, MUON_MASS))
        gammas.append(sum((vector(photons[k], 0.0) for k in range(count)), np.zeros(4)))
    return np.array(out), np.array(gammas)


def vector(state: Record, mass: float) -> np.ndarray:
    tx, ty, p = state.tx, state.ty, state.p
    pz = p / math.sqrt(1.0 + tx * tx + ty * ty)
    return np.array([math.hypot(p, mass), pz * tx, pz * ty, pz])


def mass2(v: np.ndarray) -> np.ndarray:
    return v[:, 0] ** 2 - np.sum(v[:, 1:] ** 2, axis=1)


@pytest.mark.parametrize("channel", list(CHANNELS))
def test_the_neutrino_is_massless(channel: int) -> None:
    muon, gammas = products(channel, 500)
    parent = vector(new_state(0.0, 0.0, 0.02, -0.01, 160.0), PION_MASS if channel == PION_TO_MUON else KAON_MASS)
    neutrino = parent - muon - gammas
    assert np.all(neutrino[:, 0] > 0.0)
    assert np.abs(mass2(neutrino)).max() < 1e-6 * 160.0
    if channel == KAON_TO_PION:
        np.testing.assert_allclose(mass2(gammas), 0.1349768**2, rtol=1e-4)


def test_two_body_momenta() -> None:
    assert two_body(KAON_MASS, MUON_MASS, 0.0) == pytest.approx(0.2355, abs=1e-4)  # PDG: 236 MeV/c
    assert two_body(PION_MASS, MUON_MASS, 0.0) == pytest.approx(0.02979, abs=1e-5)  # PDG: 30 MeV/c


def test_muons_of_pions_and_kaons() -> None:
    pion = products(PION_TO_MUON, 20_000)[0][:, 0]
    assert pion.min() > 91.65  # at 160 GeV: never below 91.7 GeV
    assert pion.min() == pytest.approx(91.7, abs=0.1)
    kaon = np.sort(products(KAON_TO_MUON, 20_000)[0][:, 0])
    assert kaon[0] == pytest.approx(7.3, abs=0.1)
    assert kaon[-1] == pytest.approx(160.0, abs=0.1)
    # flat between: Kolmogorov distance at 1e-3 significance
    assert np.max(np.abs(np.arange(len(kaon)) / len(kaon) - (kaon - kaon[0]) / (kaon[-1] - kaon[0]))) < 1.95 / math.sqrt(len(kaon))


def test_dalitz_plot_of_kaon_to_pion() -> None:
    # with neither form-factor slope nor muon mass the neutrino takes what the pion does not; here the known means in the rest frame:
    # the muon is always above its mass, the pi0 below its kinematic limit of 0.2653 GeV
    muon, gammas = products(KAON_TO_PION, 4000, p=1e-6)
    limit = (KAON_MASS**2 + 0.1349768**2 - MUON_MASS**2) / (2.0 * KAON_MASS)
    assert muon[:, 0].min() > MUON_MASS
    assert gammas[:, 0].max() < limit + 1e-6
    # V - A puts the pion at high energy: phase space alone gives a mean of (limit + mass) / 2 or less
    assert gammas[:, 0].mean() > 0.5 * (limit + 0.1349768)


def test_weights_and_places() -> None:
    assert decay_length(True, 160.0) == pytest.approx(1203e3, rel=2e-3)
    setup = build_setup(DETECTOR, 1)
    start = float(setup.line.z_in[0])
    weights = decay_weights(DETECTOR, start, kaons_only=False)
    length = -start / decay_length(True, DETECTOR.beam.momentum_mean)
    assert weights[KAON_TO_MUON] == pytest.approx(5e-5 * 0.024 * 0.6356 * (1.0 - math.exp(-length)), rel=1e-6)
    plans, weight = decay_plans(DETECTOR, setup, 4000, np.random.default_rng(1), kaons_only=True)
    assert weight == pytest.approx(weights[KAON_TO_MUON] + weights[KAON_TO_PION])
    assert set(plans["channel"]) == {KAON_TO_MUON, KAON_TO_PION}
    assert start <= plans["z"].min()
    assert plans["z"].max() <= 0.0
    assert plans["z"].mean() == pytest.approx(0.5 * start, rel=0.05)
    assert hadron_plans(DETECTOR, 3)[1] == 5e-5


def test_species_must_add_up() -> None:
    with pytest.raises(ValidationError, match=r"they add up to 1\.5, not to 1"):
        type(DETECTOR.beam).model_validate(DETECTOR.beam.model_dump() | {"hadron_species": (0.5, 0.5, 0.5)})


def test_samples(tmp_path: Path) -> None:
    row = produce(tmp_path / "k.root", DETECTOR, "kaon", 3000, 1, 4)
    scalars = read_batch(tmp_path / "k.root").scalars
    assert np.all(scalars["mc_process"] == 5)
    assert np.all(scalars["mc_vertex_z"] < 0.0)
    assert np.all(scalars["mc_p_in"] > 130.0)  # the kaon's
    assert row["n_written"] < row["n_mot"]  # kicked out of S0*S1, most of them in MS1
    assert row["sum_weights"] / row["n_mot"] == pytest.approx(decay_plans_weight(), rel=1e-9)
    # a muon that fires S4 and S_mu is soft
    physics = scalars["trigger"] & 2 > 0
    assert 0 < physics.sum() < 0.1 * len(physics)
    produce(tmp_path / "h.root", DETECTOR, "hadron", 1500, 1, 5)
    batch = read_batch(tmp_path / "h.root")
    assert np.all(batch.scalars["mc_process"] == 7)
    # 1.56 interaction lengths of ECAL: exp(-1.56) = 0.21 fly on; the stack of this description has 1.54
    length = build_setup(DETECTOR, 1).ecal.interaction_length
    through = np.mean(batch.scalars["mc_p_out"] > 100.0)
    assert through == pytest.approx(math.exp(-DETECTOR.ecal.length / length), abs=4.0 * math.sqrt(0.2 * 0.8 / len(batch)))


def decay_plans_weight() -> float:
    return decay_plans(DETECTOR, build_setup(DETECTOR, 1), 1, np.random.default_rng(1), kaons_only=True)[1]
