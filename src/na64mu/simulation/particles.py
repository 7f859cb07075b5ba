"""Records of the particles that kernels carry: states on the line, hadrons and soft particles still to follow, and what leaves a shower."""

from __future__ import annotations

from na64mu.compiled.kernel import small_kernel
from na64mu.compiled.records import new_record, record_kind
from na64mu.typing import Record

__all__ = ("HADRON", "LEAVING", "SOFT_PARTICLE", "STATE", "copy_state", "new_state", "set_state")

#: A particle at a known z: position [mm], slopes dx/dz and dy/dz, momentum of a muon [GeV/c], energy of the others [GeV].
STATE = record_kind("x y tx ty p")

#: A hadron still to follow: position and slopes as above, kinetic energy [GeV], charge [e], z [mm], and the first step that it sees.
HADRON = record_kind("x y z tx ty energy charge step", step="i8")

#: A photon or electron near the rear of a stack: charge [e] (0: a photon), energy [GeV], position [mm], direction (a unit vector).
SOFT_PARTICLE = record_kind("charge energy x y z ux uy uz")

#: A hard particle of a shower: energy [GeV], charge [e], and a depth [radiation lengths]: travelled since it was made if it has left the
#: stack, else left to the rear face.
LEAVING = record_kind("energy charge depth")


def new_state(x: float = 0.0, y: float = 0.0, tx: float = 0.0, ty: float = 0.0, p: float = 0.0) -> Record:
    """A state of its own.

    Parameters
    ----------
    x, y : float
        Position [mm].
    tx, ty : float
        Slopes.
    p : float
        Momentum of a muon [GeV/c], energy of another particle [GeV].

    Returns
    -------
    Record
        A record of the kind STATE, which kernels change in place.
    """
    state = new_record(STATE)
    set_state(state, x, y, tx, ty, p)
    return state


@small_kernel
def set_state(state: Record, x: float, y: float, tx: float, ty: float, p: float) -> None:
    """Write all fields of a state."""
    state.x, state.y, state.tx, state.ty, state.p = x, y, tx, ty, p


@small_kernel
def copy_state(source: Record, target: Record) -> None:
    """Copy a state."""
    set_state(target, source.x, source.y, source.tx, source.ty, source.p)
