"""Micromegas and GEM: modules with an x and a y strip plane. Lengths mm."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from na64mu.common.arguments import one_of
from na64mu.detector.elements.element import Count, Element, Fraction, NonNegative, Pair, Positive, PositivePair, number_text
from na64mu.detector.elements.tracker import Tracker, register_tracker, strip_centres
from na64mu.detector.readout import VIEWS, Bank, ReadoutPlane
from na64mu.typing import IntArray

__all__ = ("Gem", "Micromegas", "StripModule", "StripResponse")


class StripResponse(Element):
    """Charge response of a strip detector: ADC counts, cluster width in strips, noise."""

    charge_mode: Positive  # Moyal mode of the cluster charge [ADC]
    charge_width: Positive  # Moyal width [ADC]
    cluster_sigma: Positive  # Gaussian width of the charge on the strips [strips]
    cluster_sigma_spread: NonNegative
    noise: Positive  # rms per channel [ADC]
    threshold: Positive  # zero suppression on q1 [ADC]


class StripModule(Tracker):
    """A module with an x and a y plane of strips. A subclass has their numbers and says which channel reads which strip."""

    if TYPE_CHECKING:  # fields of every subclass, as in Tracker
        module: int
        pitch: float

    @abstractmethod
    def strip_channel(self, view: int) -> IntArray:
        """Return the channel of every strip of a view, shape (n_strips,)."""

    def banks(self) -> tuple[Bank, ...]:
        """The electronics channels of both views."""
        sizes = (1 + int(self.strip_channel(v).max()) for v in self.views)
        return tuple(Bank(f"{self.name}_{VIEWS[v]}", self.kind, (self.module, v), (n,)) for v, n in zip(self.views, sizes, strict=True))

    def read_out_planes(self) -> tuple[ReadoutPlane, ...]:
        """The strips of both views."""
        planes = []
        for view, bank in zip(self.views, self.banks(), strict=True):
            channel = self.strip_channel(view)
            coordinate = strip_centres(self.centre[view], len(channel), self.pitch)
            planes.append(self.plane(view, coordinate, self.pitch, bank, channel=channel))
        return tuple(planes)

    def measures(self) -> str:
        """Coordinates and pitch, as the overview shows them."""
        return f"{super().measures()}, pitch {number_text(self.pitch)} mm"


@register_tracker
class Micromegas(StripModule):
    """A multiplexed Micromegas module with an x and a y strip plane."""

    kind: ClassVar[str] = "mm"
    prefix: ClassVar[str] = "mm"

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


@register_tracker
class Gem(StripModule):
    """A triple-GEM module with an x and a y strip plane, not multiplexed."""

    kind: ClassVar[str] = "gem"
    prefix: ClassVar[str] = "gem"

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

    def strip_channel(self, view: int) -> IntArray:
        """Channel of every strip: its number, shape (n_strips,)."""
        view = one_of(view, (0, 1), "view")
        return np.arange(self.strips, dtype=np.int64)
