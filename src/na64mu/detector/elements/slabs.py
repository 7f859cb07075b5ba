"""Beam momentum stations: rows of scintillator slabs. Lengths mm, times ns."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from na64mu.detector.elements.element import Count, Fraction, NonNegative, Pair, Positive, PositivePair, number_text
from na64mu.detector.elements.tracker import Tracker, register_tracker
from na64mu.detector.readout import Bank, ReadoutPlane, time_window
from na64mu.typing import BoolArray, FloatArray, IntArray

__all__ = ("BmsStation",)


@register_tracker
class BmsStation(Tracker):
    """A beam momentum station: rows of scintillator slabs that measure y.

    Channels count slab by slab, row by row, from low y to high y; slabs of one row lie side by side in x.
    """

    kind: ClassVar[str] = "bms"
    prefix: ClassVar[str] = "bms"
    views: ClassVar[tuple[int, ...]] = (1,)

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

    @property
    def number(self) -> int:
        """Number of the station in the raw tree."""
        return self.station

    @property
    def spectrometer(self) -> int:
        """All stations are in MS1."""
        return 1

    def banks(self) -> tuple[Bank, ...]:
        """All slabs of the station."""
        return (Bank(self.name, self.kind, (self.station,), (sum(self.row_slabs),)),)

    def read_out_planes(self) -> tuple[ReadoutPlane, ...]:
        """One plane, which measures y; its places are the slabs, of which those of one row have the same coordinate."""
        window = time_window(self.sigma_t)
        return (self.plane(1, self.channel_y, self.row_pitch, self.banks()[0], share=1.0, window=window),)

    def inside(self, view: int, layer: int, along: FloatArray, across: FloatArray, margin: FloatArray) -> BoolArray:  # noqa: ARG002
        """Whether tracks pass the rows of slabs; see Tracker.inside."""
        rows = self.row_y - self.centre[1]
        half = 0.5 * self.row_pitch
        inside = (along > rows[0] - half + margin) & (along < rows[-1] + half - margin)
        return inside & (np.abs(across) < self.half[1 - view] - margin)

    def what(self) -> str:
        """Rows and resolution, as the overview shows them."""
        return f"y, {number_text(self.row_pitch)} mm rows, sigma {self.sigma:.2f} mm"
