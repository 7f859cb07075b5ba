from __future__ import annotations

import math

import numpy as np
import pytest
from numba import njit

from na64mu.detector import load_detector
from na64mu.simulation.geometry import ECAL, HCAL, VHCAL
from na64mu.simulation.hadrons import follow_hadron, nuclear_shower
from na64mu.simulation.particles import new_state
from na64mu.simulation.setup import build_setup, new_scratch
from na64mu.simulation.stream import Stream

DETECTOR = load_detector("na64mu-2022")
SETUP, SCRATCH = build_setup(DETECTOR, 1), new_scratch(DETECTOR)


@njit
def _clear(scratch):
    scratch.n.hits = 0
    scratch.counters[:] = 0.0
    scratch.ecal[:] = 0.0
    scratch.vhcal[:] = 0.0
    scratch.hcal[:] = 0.0


@njit
def _pions(setup, scratch, step, state, ecal, vhcal, hcal, rng):
    for i in range(len(hcal)):
        _clear(scratch)
        follow_hadron(setup, scratch, step, state, setup.line.z_in[step], -1.0, rng)
        ecal[i] = scratch.ecal.sum()
        vhcal[i] = scratch.vhcal.sum()
        hcal[i] = scratch.hcal


@njit
def _punch(setup, scratch, step, state, fired, rng):
    for i in range(len(fired)):
        _clear(scratch)
        follow_hadron(setup, scratch, step, state, setup.line.z_in[step], -1.0, rng)
        fired[i] = scratch.counters[4] > 0.4


@njit
def _interactions(setup, scratch, step, state, z, energy, sums, rng):
    for i in range(len(sums)):
        _clear(scratch)
        nuclear_shower(setup, scratch, step, state, z, energy, False, rng)
        sums[i, 0], sums[i, 1], sums[i, 2] = scratch.ecal.sum(), scratch.vhcal.sum(), scratch.hcal.sum()


def first(kind: int) -> int:
    return int(np.flatnonzero(SETUP.line.kind == kind)[0])


def pions(energy: float, n: int, kind: int = HCAL, x: float = 97.0) -> tuple[np.ndarray, np.ndarray]:
    vhcal, hcal = np.zeros(n), np.zeros((n, 2, 6, 3))
    _pions(SETUP, SCRATCH, first(kind), new_state(x=x, p=energy), np.zeros(n), vhcal, hcal, Stream(1))
    return vhcal, hcal


@pytest.mark.parametrize("energy", [20.0, 80.0])
def test_pions_in_the_hcal(energy: float) -> None:
    hcal = pions(energy, 3000)[1]
    total = hcal.sum(axis=(1, 2, 3))
    assert total.mean() == pytest.approx(energy, rel=0.03)
    # published resolution; ionisation between the interactions is not smeared with it
    assert total.std() / total.mean() == pytest.approx(math.hypot(0.65 / math.sqrt(energy), 0.06), rel=0.12)
    # Geant4 11.4, FTFP_BERT, 40 and 80 GeV: 71.8 +- 1.2 and 73.5 +- 1.0 % in the central cell
    assert (hcal[:, 0, 3, 1] / total).mean() == pytest.approx(0.725, abs=0.035)
    # a few per cent leave for the second module
    assert 0.005 < (hcal[:, 1].sum(axis=(1, 2)) / total).mean() < 0.06


def test_few_pions_cross_a_module_unharmed() -> None:
    hcal = pions(100.0, 20_000)[1]
    n = np.count_nonzero(hcal[:, 0].sum(axis=(1, 2)) < 5.0)  # a muon leaves 2.3 GeV
    lengths = 1632.0 / SETUP.hcal.interaction_length
    assert n == pytest.approx(20_000 * math.exp(-lengths), abs=4.0 * math.sqrt(20_000 * math.exp(-lengths)) + 20)


def test_vhcal_holds_most_of_a_shower_and_the_hole_nothing() -> None:
    vhcal, hcal = pions(40.0, 1500, VHCAL, 155.0)
    assert 25.0 < vhcal.mean() < 41.0
    vhcal, hcal = pions(40.0, 300, VHCAL, 0.0)
    assert np.median(vhcal) == 0.0
    assert hcal.sum(axis=(1, 2, 3)).mean() > 30.0


def test_ecal_sees_less_of_hadrons_than_of_electrons() -> None:
    sums = np.zeros((800, 3))
    _interactions(SETUP, SCRATCH, first(ECAL), new_state(p=160.0), 50.0, 40.0, sums, Stream(2))
    assert sums[:, 0].max() < 50.0
    assert 3.0 < sums[:, 0].mean() < 30.0
    # what leaves the ECAL is seen by VHCAL and HCAL; nothing is made
    assert 20.0 < sums.sum(axis=1).mean() < 41.0


def test_punch_through_of_four_modules() -> None:
    # thesis of E. Depero, appendix F: 7.5e-4 of pions of 100 GeV have something behind four modules, 28 interaction lengths: muons from decays
    h, front = DETECTOR.hcal, tuple(7970.0 + 1640.0 * i for i in range(4))
    wide = {"x": ((-582.0, 582.0),), "y": (-288.0, 288.0), "z": front[-1] + h.length + 58.0}
    counters = tuple(c.model_copy(update=wide) if c.name == "S_mu" else c for c in DETECTOR.counters)
    changed = DETECTOR.model_copy(update={"hcal": h.model_copy(update={"front": front}), "counters": counters})
    setup, scratch, n = build_setup(changed, 1), new_scratch(changed), 20_000
    step = int(np.flatnonzero(setup.line.kind == HCAL)[0])
    fired = np.zeros(n)
    _punch(setup, scratch, step, new_state(x=97.0, p=100.0), fired, Stream(3))
    assert 2e-4 < fired.mean() < 3e-3
