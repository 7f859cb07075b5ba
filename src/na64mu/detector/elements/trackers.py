"""Tracking modules: BMS, Micromegas, GEM, straws. Lengths mm, times ns."""

from __future__ import annotations

from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from na64mu.common.arguments import one_of
from na64mu.detector.elements.element import Count, Element, Fraction, NonNegative, Pair, Positive, PositivePair
from na64mu.typing import FloatArray, IntArray

__all__ = ("BmsStation", "Gem", "Micromegas", "Straw", "StripResponse", "Tracker")


class BmsStation(Element):
    """A beam momentum station: rows of scintillator slabs that measure y.

    Channels count slab by slab, row by row, from low y to high y; slabs of one row lie side by side in x.
    """

    station: Annotated[int, Field(ge=1, le=6)]
    z: float
    centre: Pair
    half: PositivePair
    thickness: Positive
    row_pitch: Positive
    row_offset: float = 0.0
    row_slabs: tuple[Count, ...]
    sigma_t: Positive
    efficiency: Fraction
    x_over_x0: NonNegative
    rotation: float = 0.0  # about z through the centre, from x to y [rad]

    @property
    def channel_row(self) -> IntArray:
        """Row of every channel, shape (n_channels,)."""
        return np.repeat(np.arange(len(self.row_slabs)), self.row_slabs)

    @property
    def row_y(self) -> FloatArray:
        """Centre y of every row [mm], shape (n_rows,)."""
        n = len(self.row_slabs)
        return self.centre[1] + self.row_offset + (np.arange(n, dtype=np.float64) - 0.5 * (n - 1)) * self.row_pitch

    @property
    def channel_y(self) -> FloatArray:
        """Centre y of every channel [mm], shape (n_channels,)."""
        return self.row_y[self.channel_row]

    @property
    def sigma(self) -> float:
        """Resolution in y [mm]: a uniform distribution over one row."""
        return self.row_pitch / float(np.sqrt(12.0))


class StripResponse(Element):
    """Charge response of a strip detector: ADC counts, cluster width in strips, noise."""

    charge_mode: Positive  # Moyal mode of the cluster charge [ADC]
    charge_width: Positive  # Moyal width [ADC]
    cluster_sigma: Positive  # Gaussian width of the charge on the strips [strips]
    cluster_sigma_spread: NonNegative
    noise: Positive  # rms per channel [ADC]
    threshold: Positive  # zero suppression on q1 [ADC]


class Micromegas(Element):
    """A multiplexed Micromegas module with an x and a y strip plane."""

    module: Annotated[int, Field(ge=1, le=7)]
    spectrometer: Literal[1, 2]
    z: float
    centre: Pair
    half: PositivePair
    pitch: Positive
    strips: tuple[Count, Count]
    channels: tuple[Count, Count]
    multipliers_x: tuple[Count, ...]
    multipliers_y: tuple[Count, ...]
    sigma: Positive
    efficiency: Fraction
    x_over_x0: NonNegative
    rotation: float = 0.0  # about z through the centre, from x to y [rad]

    @model_validator(mode="after")
    def _map_covers_strips(self) -> Self:
        for view, (n, c, m) in enumerate(zip(self.strips, self.channels, (self.multipliers_x, self.multipliers_y), strict=True)):
            if n != c * len(m):
                msg = f"view {view}: {n} strips are not {c} channels times {len(m)} multipliers"
                raise ValueError(msg)
            if any(np.gcd(s, c) != 1 for s in m):
                msg = f"view {view}: every multiplier must be coprime to {c}, found {list(m)}"
                raise ValueError(msg)
        return self

    def strip_channel(self, view: int) -> IntArray:
        """Electronics channel of every strip: strip n k + i is read by channel (i s_k) mod n.

        Parameters
        ----------
        view : int
            0 for x strips, 1 for y strips.

        Returns
        -------
        IntArray
            Shape (n_strips,).

        References
        ----------
        E. Depero, thesis (ETH Zurich), appendix F: tables of 2021 and later.
        """
        view = one_of(view, (0, 1), "view")
        n = self.channels[view]
        i = np.arange(n)
        return np.concatenate([(i * s) % n for s in (self.multipliers_x, self.multipliers_y)[view]])


class Gem(Element):
    """A triple-GEM module with an x and a y strip plane, not multiplexed."""

    module: Annotated[int, Field(ge=1, le=4)]
    spectrometer: Literal[1, 2]
    z: float
    centre: Pair
    half: PositivePair
    pitch: Positive
    strips: Count
    sigma: Positive
    efficiency: Fraction
    x_over_x0: NonNegative
    rotation: float = 0.0  # about z through the centre, from x to y [rad]


class Straw(Element):
    """A straw chamber: in each view two staggered layers of tubes.

    Wire `w` of layer `l` in a view of n wires per layer sits at
    centre + (w - (n - 1) / 2) pitch + (l - 1/2) layer_shift, at z = view_z + (l - 1/2) layer_spacing.
    """

    module: Literal[1, 2, 4, 5, 11]
    spectrometer: Literal[0, 1, 2]  # 0: not part of a spectrometer fit (ST11)
    z: float
    centre: Pair
    view_z: Pair
    pitch: Positive
    layer_shift: float
    layer_spacing: Positive
    wires: tuple[Count, Count]
    inner_radius: Positive
    drift_ns_per_mm: Positive
    t0: float = 0.0  # drift time of a particle at the wire, as the digits count it [ns]
    sigma: Positive
    efficiency: Fraction
    x_over_x0: NonNegative
    rotation: float = 0.0  # about z through the centre, from x to y [rad]

    def wire_position(self, view: int, layer: int) -> FloatArray:
        """Positions of the wires of one layer [mm], shape (n_wires,).

        Parameters
        ----------
        view : int
            0: wires measure x, 1: wires measure y.
        layer : int
            0 (lower z) or 1.

        Returns
        -------
        FloatArray
            Coordinate of each wire [mm].
        """
        view, layer = one_of(view, (0, 1), "view"), one_of(layer, (0, 1), "layer")
        n = self.wires[view]
        return self.centre[view] + (np.arange(n, dtype=np.float64) - 0.5 * (n - 1)) * self.pitch + (layer - 0.5) * self.layer_shift

    def layer_z(self, view: int, layer: int) -> float:
        """Position of one layer along z [mm]."""
        view, layer = one_of(view, (0, 1), "view"), one_of(layer, (0, 1), "layer")
        return self.view_z[view] + (layer - 0.5) * self.layer_spacing


#: A module that measures where a track passes.
Tracker = BmsStation | Micromegas | Gem | Straw
