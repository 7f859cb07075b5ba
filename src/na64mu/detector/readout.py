"""What is read out: channels, measuring planes and sheets of a set-up, as its elements describe them, under the conditions of a run.

Three lists hold all of it. Banks are groups of electronics channels that the raw tree and the conditions address (mm5_x, bms3, ecal0, veto);
planes measure one coordinate of a track (mm5_x, bms3_y, st4_y1); sheets are where a particle crosses material (a straw chamber has two).
Everybody who needs to know what there is takes it from here; the elements say it themselves (detector/elements/).

Lengths mm, times ns.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from na64mu.typing import BoolArray, FloatArray, IntArray

if TYPE_CHECKING:
    from na64mu.detector.description import Detector
    from na64mu.detector.elements import Tracker

__all__ = ("ANY_TIME", "TIME_WINDOW", "VIEWS", "Bank", "ReadoutPlane", "Sheet", "banks", "energy_sizes", "modules_of", "plane_sizes", "readout_planes", "sheets", "stations", "time_window")  # fmt: skip

#: Standard deviations around the trigger time within which a signal is in time (NA64 analysis drivers cut at 4).
TIME_WINDOW = 4.0

#: Kinds of banks whose channels write an energy.
ENERGIES = ("ecal", "vhcal", "hcal", "veto", "counter")

#: Names of the views: 0 measures x, 1 measures y.
VIEWS = ("x", "y")

#: Lowest and highest time of what has no time of its own, such as a strip, whose samples say whether it is in time.
ANY_TIME = (-math.inf, math.inf)


def time_window(sigma: float, latest: float = 0.0) -> tuple[float, float]:
    """Times of what is in time: low < time < high, the ends excluded, compared in the type that the raw tree has.

    Parameters
    ----------
    sigma : float
        Resolution in time [ns].
    latest : float
        Largest time of a signal without resolution [ns]: the drift time of a straw's radius, else 0.

    Returns
    -------
    tuple of float
        Low and high [ns].
    """
    margin = TIME_WINDOW * sigma
    return -margin, latest + margin


@dataclass(frozen=True)
class Bank:
    """Channels that the raw tree addresses together, and their state under the conditions of a run.

    Attributes
    ----------
    name : str
        As in a conditions file: mm5_x, bms3, st4_y1, ecal0, veto.
    kind : str
        Collection of the raw tree that holds its digits.
    address : tuple of int
        First fields of the address of its channels: module and view, section ...
    shape : tuple of int
        Channels along each further field of the address; conditions count them row by row.
    dead, noisy : tuple of int
        Channels that give nothing, and channels that are not read since they give too much.
    noise_rate : float
        Mean number of noise hits per event of each noisy channel.
    noise, threshold : float or None
        Noise and threshold of all channels of a strip plane [ADC], where they are not those of the description.
    gains : tuple of float
        Energy written over true energy of every channel; empty: all are 1.
    """

    name: str
    kind: str
    address: tuple[int, ...]
    shape: tuple[int, ...]
    dead: tuple[int, ...] = ()
    noisy: tuple[int, ...] = ()
    noise_rate: float = 0.0
    noise: float | None = None
    threshold: float | None = None
    gains: tuple[float, ...] = ()

    @property
    def size(self) -> int:
        """Number of channels."""
        return math.prod(self.shape)

    @property
    def alive(self) -> BoolArray:
        """Channels that are not dead, shape (n_channels,)."""
        return self._without(self.dead)

    @property
    def read(self) -> BoolArray:
        """Channels that the reconstruction takes: all but the noisy ones, shape (n_channels,)."""
        return self._without(self.noisy)

    @property
    def gain(self) -> FloatArray:
        """Energy written over true energy of every channel, shape (n_channels,)."""
        return np.array(self.gains) if self.gains else np.ones(self.size)

    @property
    def firing(self) -> list[tuple[int, float]]:
        """Noisy channels that live, each with its rate."""
        return [(channel, self.noise_rate) for channel in self.noisy if channel not in self.dead]

    def _without(self, channels: tuple[int, ...]) -> BoolArray:
        mask = np.ones(self.size, dtype=np.bool_)
        mask[list(channels)] = False
        return mask


@dataclass(frozen=True, eq=False)
class ReadoutPlane:
    """A plane that measures one coordinate of a track.

    Attributes
    ----------
    name : str
        mm5_x, bms3_y, st4_y1 (layer 1).
    station : str
        Module that it belongs to: mm5, bms3, st4.
    kind : str
        Collection of the raw tree that its hits are made of.
    number : int
        Number of the module in the raw tree.
    view, layer, layers : int
        Its view (0 measures x, 1 measures y), its layer, and how many layers the view has.
    spectrometer : int
        1 or 2; 0 if no track is fitted to it.
    z, sigma : float
        Position and resolution [mm].
    x_over_x0 : float
        Thickness of the material that belongs to it, in radiation lengths.
    centre : tuple of float
        Centre of the module in x and y [mm].
    half : float
        Half of its width along the coordinate that it measures [mm].
    rotation : float
        Rotation of the module about z through its centre, from x to y [rad].
    coordinate : FloatArray
        Coordinate of every strip, wire or slab [mm], in the frame of the module, shape (n_places,).
    pitch : float
        Their distance [mm].
    channel : IntArray
        Channel of its bank that reads each of them, shape (n_places,).
    bank : Bank
        The channels.
    window : tuple of float
        Times of hits in time, both ends excluded [ns].
    two_sided : bool
        Whether a hit may be on either side of what was read: a wire.
    """

    name: str
    station: str
    kind: str
    number: int
    view: int
    layer: int
    layers: int
    spectrometer: int
    z: float
    sigma: float
    x_over_x0: float
    centre: tuple[float, float]
    half: float
    rotation: float
    coordinate: FloatArray
    pitch: float
    channel: IntArray
    bank: Bank
    window: tuple[float, float] = ANY_TIME
    two_sided: bool = False

    @property
    def offset(self) -> float:
        """What a coordinate of the module's own frame needs to be the coordinate along `direction` [mm]; 0 without rotation."""
        if not self.rotation:
            return 0.0
        c, s = math.cos(self.rotation), math.sin(self.rotation)
        along = (c, s) if self.view == 0 else (-s, c)
        return along[0] * self.centre[0] + along[1] * self.centre[1] - self.centre[self.view]

    @property
    def read_coordinate(self) -> FloatArray:
        """Coordinates with NaN where the channel is not read [mm], shape (n_places,)."""
        return np.where(self.bank.read[self.channel], self.coordinate, np.nan)


@dataclass(frozen=True)
class Sheet:
    """Material of a tracker that a particle crosses, where the simulation records it.

    Attributes
    ----------
    station, kind : str
        As in ReadoutPlane.
    view : int
        The view that is read out there; -1 for all of the module.
    z : float
        Position [mm].
    x_over_x0 : float
        Thickness in radiation lengths.
    centre, half : tuple of float
        Centre and half size in x and y [mm].
    rotation : float
        About z through the centre [rad].
    """

    station: str
    kind: str
    view: int
    z: float
    x_over_x0: float
    centre: tuple[float, float]
    half: tuple[float, float]
    rotation: float


@lru_cache(maxsize=16)
def banks(detector: Detector) -> dict[str, Bank]:
    """All channels of a set-up under its conditions.

    Parameters
    ----------
    detector : Detector
        The description; its `operation` are the conditions.

    Returns
    -------
    dict of str to Bank
        By the names that a conditions file uses; trackers first.
    """
    counter = Bank("counter", "counter", (), (1 + max(c.id for c in detector.counters),))
    calorimeters = (*detector.ecal.banks(), *detector.vhcal.banks(), *detector.hcal.banks(), *detector.veto.banks(), counter)
    found = [*(bank for module in detector.trackers.values() for bank in module.banks()), *calorimeters]
    return {bank.name: _under(detector, bank) for bank in found}


def _under(detector: Detector, bank: Bank) -> Bank:
    own = detector.operation.of(bank.name)
    gain = detector.gain_of(bank.name)
    gains = () if gain is None else gain.of_channels(bank.size)
    return replace(bank, dead=own.dead, noisy=own.noisy, noise_rate=own.noise_rate, noise=own.noise, threshold=own.threshold, gains=gains)


@lru_cache(maxsize=16)
def readout_planes(detector: Detector) -> tuple[ReadoutPlane, ...]:
    """All measuring planes of a set-up under its conditions: module by module, in the order of `detector.trackers`."""
    state = banks(detector)
    return tuple(replace(p, bank=state[p.bank.name]) for module in detector.trackers.values() for p in module.read_out_planes())


@lru_cache(maxsize=16)
def sheets(detector: Detector) -> tuple[Sheet, ...]:
    """All sheets of the trackers, module by module, in the order of `detector.trackers`."""
    return tuple(sheet for module in detector.trackers.values() for sheet in module.sheets())


def stations(detector: Detector) -> tuple[str, ...]:
    """Names of the tracker modules in the order of the beam."""
    return tuple(sorted(detector.trackers, key=lambda name: detector.trackers[name].z))


def modules_of(detector: Detector, kind: str) -> list[Tracker]:
    """Tracker modules of one kind (a collection of the raw tree), in the order of the description."""
    return [module for module in detector.trackers.values() if module.kind == kind]


def energy_sizes(detector: Detector) -> dict[str, int]:
    """Banks that write an energy -> number of channels: ecal0, ecal1, vhcal, hcal1, hcal2, veto, counter."""
    return {name: bank.size for name, bank in banks(detector).items() if bank.kind in ENERGIES}


def plane_sizes(detector: Detector) -> dict[str, int]:
    """Banks by the names that a conditions file uses.

    Parameters
    ----------
    detector : Detector
        The description.

    Returns
    -------
    dict of str to int
        mm5_x, gem2_y, bms3, st4_y1 (layer), ecal0, ecal1, vhcal, hcal1, hcal2, veto, counter -> number of channels.
    """
    return {name: bank.size for name, bank in banks(detector).items()}
