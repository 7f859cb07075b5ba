"""The bosons that the search can be read for: the one list from which simulation, limits, bookkeeping and command line take their names."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from na64mu.common.arguments import choice
from na64mu.physics.couplings import mixing
from na64mu.typing import FloatArray

__all__ = ("BOSONS", "BOSON_PROCESSES", "DARK_PHOTON", "RENAMED", "Boson", "Mediator")

#: Name of the dark photon.
DARK_PHOTON = "dark-photon"


class Mediator(IntEnum):
    """Spin and parity of X, by its coupling to the muon.

    Attributes
    ----------
    VECTOR : int
        g mubar gamma^a mu X_a (Z', dark photon with g = eps e).
    SCALAR : int
        g mubar mu X.
    PSEUDOSCALAR : int
        i g mubar gamma5 mu X.
    AXIAL : int
        g mubar gamma^a gamma5 mu X_a.
    """

    VECTOR = 0
    SCALAR = 1
    PSEUDOSCALAR = 2
    AXIAL = 3


@dataclass(frozen=True)
class Boson:
    """A boson that the search is read for.

    Attributes
    ----------
    name : str
        Its name everywhere: on the command line, in a simulation, in file names.
    title : str
        What it is.
    mediator : Mediator
        Spin and parity.
    process : int
        Its number in the column mc_process of the raw tree.
    symbol : str
        Symbol of the coupling that is quoted: "g", or "epsilon" with g = epsilon e.
    """

    name: str
    title: str
    mediator: Mediator
    process: int
    symbol: str = "g"

    def __post_init__(self) -> None:
        object.__setattr__(self, "mediator", choice(self.mediator, Mediator, "mediator"))

    @property
    def from_map(self) -> bool:
        """Whether the efficiency comes from the map in (x, psi'), because no samples of this spin are simulated for the table."""
        return self.mediator != Mediator.VECTOR

    @property
    def is_mixing(self) -> bool:
        """Whether the coupling that is quoted is the mixing epsilon of a dark photon."""
        return self.name == DARK_PHOTON

    def coupling(self, g: FloatArray) -> FloatArray:
        """The coupling that is quoted, from the coupling g to muons."""
        return np.asarray(mixing(g), dtype=np.float64) if self.is_mixing else g


#: Name -> boson. A further one is an entry here; another spin also needs its matrix element in na64mu.physics.mediator.
BOSONS: dict[str, Boson] = {
    boson.name: boson
    for boson in (
        Boson("zprime", "Z' of L_mu - L_tau", Mediator.VECTOR, 20),
        Boson("scalar", "scalar", Mediator.SCALAR, 21),
        Boson("pseudoscalar", "pseudoscalar", Mediator.PSEUDOSCALAR, 22),
        Boson("axial", "axial vector", Mediator.AXIAL, 24),
        Boson(DARK_PHOTON, "dark photon, invisible", Mediator.VECTOR, 23, "epsilon"),
    )
}

#: Number in mc_process -> name.
BOSON_PROCESSES = {boson.process: boson.name for boson in BOSONS.values()}

#: Names of version 0.1.0 -> names now.
RENAMED = {"darkphoton": DARK_PHOTON}
