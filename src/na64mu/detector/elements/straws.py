"""Straw chambers: two staggered layers of tubes in each view. Lengths mm, times ns."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from na64mu.common.arguments import one_of
from na64mu.detector.elements.element import Count, Fraction, NonNegative, Pair, Positive, number_text
from na64mu.detector.elements.tracker import Tracker, register_tracker
from na64mu.detector.readout import VIEWS, Bank, ReadoutPlane, Sheet, time_window
from na64mu.typing import BoolArray, FloatArray, IntArray

__all__ = ("Straw",)

LAYERS = ((0, 0), (0, 1), (1, 0), (1, 1))  # view and layer


@register_tracker
class Straw(Tracker):
    """A straw chamber: in each view two staggered layers of tubes.

    Wire `w` of layer `l` in a view of n wires per layer sits at
    centre + (w - (n - 1) / 2) pitch + (l - 1/2) layer_shift, at z = view_z + (l - 1/2) layer_spacing.
    """

    kind: ClassVar[str] = "straw"
    prefix: ClassVar[str] = "st"

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

    @property
    def half(self) -> Pair:
        """Half size in x and y: that of its wires [mm]."""
        return 0.5 * self.wires[0] * self.pitch, 0.5 * self.wires[1] * self.pitch

    def banks(self) -> tuple[Bank, ...]:
        """The wires of every layer."""
        return tuple(Bank(f"{self.name}_{VIEWS[v]}{layer}", self.kind, (self.module, v, layer), (self.wires[v],)) for v, layer in LAYERS)

    def read_out_planes(self) -> tuple[ReadoutPlane, ...]:
        """Both layers of both views. A time in time lies between wire and wall, with the resolution as its margin."""
        window = time_window(self.sigma * self.drift_ns_per_mm, self.inner_radius * self.drift_ns_per_mm)
        return tuple(
            self.plane(
                v, self.wire_position(v, layer), self.pitch, bank,
                share=0.25, z=self.layer_z(v, layer), layer=layer, layers=2, window=window, two_sided=True,
            )
            for (v, layer), bank in zip(LAYERS, self.banks(), strict=True)
        )  # fmt: skip

    def sheets(self) -> tuple[Sheet, ...]:
        """A sheet for each view, at its place."""
        half = self.x_over_x0 * 0.5
        return tuple(Sheet(self.name, self.kind, v, self.view_z[v], half, self.centre, self.half, self.rotation) for v in self.views)

    def nearest_wire(self, u: FloatArray, view: int, layer: int) -> tuple[IntArray, FloatArray]:
        """Number of the nearest wire of a layer, and its distance [mm].

        A tube is narrower than the pitch, so the nearest wire of a hit is its own.

        Parameters
        ----------
        u : FloatArray
            Coordinates in the frame of the module, from its centre [mm], shape (n,).
        view, layer : int
            The layer.

        Returns
        -------
        tuple of IntArray and FloatArray
            Shape (n,); numbers beyond the ends of the layer are not cut off.
        """
        first = self.wire_position(view, layer)[0] - self.centre[view]
        wire = np.rint((u - first) / self.pitch)
        return wire.astype(np.int64), np.abs(u - first - wire * self.pitch)

    def inside(self, view: int, layer: int, along: FloatArray, across: FloatArray, margin: FloatArray) -> BoolArray:
        """Whether tracks pass the gas of a straw of the layer; see Tracker.inside."""
        wire, distance = self.nearest_wire(along, view, layer)
        inside = (wire >= 0) & (wire < self.wires[view]) & (np.abs(across) < 0.5 * self.wires[1 - view] * self.pitch)
        return inside & (distance < self.inner_radius - margin)

    def measures(self) -> str:
        """Coordinates and pitch, as the overview shows them."""
        return f"{super().measures()}, pitch {number_text(self.pitch)} mm"
