"""Truth of a batch of written events: hits, deposits and the true kinematics."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from na64mu.compiled.records import record_kind
from na64mu.typing import FloatArray, IntArray, RecordArray

__all__ = ("FACTS", "HIT", "PileUp", "Truth", "no_pile_up")

#: An event: what the raw tree has as mc_*, the event's index in the batch, true x at S4 [mm], largest transfer [GeV].
FACTS = record_kind("trigger process weight p_in p_out px py pz x y z vertex_z mass xfrac psi index x_s4 transfer")

#: A charged particle at a surface: number of the surface, position [mm] and slopes. The surfaces of trackers are their sheets.
HIT = record_kind("surface x y tx ty", surface="i8")


class Truth(NamedTuple):
    """Written events of one batch.

    Attributes
    ----------
    facts : RecordArray
        Records of the kind FACTS, shape (n_events,).
    hits : RecordArray
        Every charged particle at a tracker: records of the kind HIT, shape (n_hits,).
    hit_offsets : IntArray
        Hits of event i are hit_offsets[i]:hit_offsets[i + 1], shape (n_events + 1,).
    counters : FloatArray
        Energy in the trigger counters with their resolution [MeV], shape (n_events, 5).
    veto : FloatArray
        Energy in the VETO panels [MeV], shape (n_events, n_panels).
    ecal, vhcal, hcal : FloatArray
        Visible energy in the cells [GeV], shape (n_events, n_sections, n_x, n_y).
    """

    facts: RecordArray
    hits: RecordArray
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
    empty = (truth.counters, truth.veto, truth.ecal, truth.vhcal, truth.hcal)
    deposits = (np.zeros((0, *array.shape[1:])) for array in empty)
    nothing = Truth(np.zeros(0, FACTS), np.zeros(0, HIT), np.zeros(1, dtype=np.int64), *deposits)
    return PileUp(np.zeros(len(truth.hit_offsets), dtype=np.int64), np.zeros(0), nothing)
