"""What the transport keeps of a batch of written events: hits, deposits and the true kinematics."""

from __future__ import annotations

from typing import NamedTuple

from na64mu.typing import FloatArray, IntArray

__all__ = ("FACTS", "Truth")

#: Columns of Truth.facts: those of the raw tree's mc_*, the event's index in the batch, true x at S4 [mm], largest transfer [GeV].
# fmt: off
FACTS = (
    "trigger", "process", "weight", "p_in", "p_out", "px", "py", "pz", "x", "y", "z",
    "vertex_z", "mass", "xfrac", "psi", "index", "x_s4", "transfer",
)
# fmt: on


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
