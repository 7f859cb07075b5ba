"""Truth of a batch of written events: hits, deposits and the true kinematics."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from na64mu.typing import FloatArray, IntArray

__all__ = (
    "FACTS", "F_INDEX", "F_MASS", "F_PROCESS", "F_PSI", "F_PX", "F_P_IN", "F_P_OUT", "F_TRANSFER", "F_TRIGGER", "F_VERTEX",
    "F_XFRAC", "F_X_S4", "PileUp", "Truth", "no_pile_up",
)  # fmt: skip

#: Columns of Truth.facts: those of the raw tree's mc_*, the event's index in the batch, true x at S4 [mm], largest transfer [GeV].
# fmt: off
FACTS = (
    "trigger", "process", "weight", "p_in", "p_out", "px", "py", "pz", "x", "y", "z",
    "vertex_z", "mass", "xfrac", "psi", "index", "x_s4", "transfer",
)
# fmt: on

#: Their places, for the kernels.
F_TRIGGER, F_PROCESS, F_P_IN, F_P_OUT, F_PX, F_VERTEX, F_MASS, F_XFRAC, F_PSI, F_INDEX, F_X_S4, F_TRANSFER = (
    FACTS.index(name)
    for name in ("trigger", "process", "p_in", "p_out", "px", "vertex_z", "mass", "xfrac", "psi", "index", "x_s4", "transfer")
)


class Truth(NamedTuple):
    """Written events of one batch.

    Attributes
    ----------
    facts : FloatArray
        Columns of FACTS, shape (n_events, len(FACTS)).
    hits : FloatArray
        Rows (surface, x, y, tx, ty) of every charged particle at a tracker, shape (n_hits, 5).
    hit_offsets : IntArray
        Hits of event i are hit_offsets[i]:hit_offsets[i + 1], shape (n_events + 1,).
    counters : FloatArray
        Energy in the trigger counters with their resolution [MeV], shape (n_events, 5).
    veto : FloatArray
        Energy in the VETO panels [MeV], shape (n_events, n_panels).
    ecal, vhcal, hcal : FloatArray
        Visible energy in the cells [GeV], shape (n_events, n_sections, n_x, n_y).
    """

    facts: FloatArray
    hits: FloatArray
    hit_offsets: IntArray
    counters: FloatArray
    veto: FloatArray
    ecal: FloatArray
    vhcal: FloatArray
    hcal: FloatArray


class PileUp(NamedTuple):
    """Further beam particles in the recorded window of the written events.

    Attributes
    ----------
    offsets : IntArray
        Particles of event i are offsets[i]:offsets[i + 1], shape (n_events + 1,).
    times : FloatArray
        When they come, relative to the particle of the trigger [ns], shape (n_particles,).
    truth : Truth
        Hits and deposits of the particles, one entry per particle.
    """

    offsets: IntArray
    times: FloatArray
    truth: Truth


def no_pile_up(truth: Truth) -> PileUp:
    """Return a pile-up without particles.

    Parameters
    ----------
    truth : Truth
        The events, for shapes.

    Returns
    -------
    PileUp
        Pile-up without particles.
    """
    empty = (truth.facts, truth.hits, truth.counters, truth.veto, truth.ecal, truth.vhcal, truth.hcal)
    facts, hits, *deposits = (np.zeros((0, *array.shape[1:])) for array in empty)
    nothing = Truth(facts, hits, np.zeros(1, dtype=np.int64), *deposits)
    return PileUp(np.zeros(len(truth.hit_offsets), dtype=np.int64), np.zeros(0), nothing)
