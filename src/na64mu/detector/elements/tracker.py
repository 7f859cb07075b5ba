"""Base of every tracker module: what it reads out, how it shows, and the registry of the kinds that there are."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeVar

import numpy as np
from pydantic import BeforeValidator, PlainSerializer, SerializeAsAny

from na64mu.detector.elements.element import Element, Pair, number_text
from na64mu.detector.readout import ANY_TIME, VIEWS, Bank, ReadoutPlane, Sheet
from na64mu.errors import DetectorError
from na64mu.typing import BoolArray, FloatArray, IntArray

__all__ = ("TRACKERS", "Module", "Tracker", "is_station", "register_tracker")


class Tracker(Element):
    """A module that measures where a track passes.

    A subclass has the numbers of its kind and says what it reads out: `banks` and `read_out_planes`, and `sheets` and `inside` where the
    module is not one sheet of the size `half`.
    """

    kind: ClassVar[str]  # collection of the raw tree
    prefix: ClassVar[str]  # of the names of its modules
    views: ClassVar[tuple[int, ...]] = (0, 1)  # that it measures

    if TYPE_CHECKING:  # a field or a property of every subclass; their order in a file and in the digest is that of the subclass
        z: float
        centre: Pair
        rotation: float
        x_over_x0: float
        efficiency: float

        @property
        def half(self) -> Pair:
            """Half size in x and y [mm]."""

        @property
        def sigma(self) -> float:
            """Resolution [mm]."""

        @property
        def spectrometer(self) -> int:
            """1 or 2; 0 if no track is fitted to it."""

    @property
    def number(self) -> int:
        """Number of the module in the raw tree."""
        return int(getattr(self, "module"))  # noqa: B009  # a field of all subclasses but one

    @property
    def name(self) -> str:
        """Name of the module: mm5, bms3, st4."""
        return f"{self.prefix}{self.number}"

    @property
    def label(self) -> str:
        """Name as it is shown: MM5."""
        return self.name.upper()

    @abstractmethod
    def banks(self) -> tuple[Bank, ...]:
        """Return the channels that the raw tree addresses together."""

    @abstractmethod
    def read_out_planes(self) -> tuple[ReadoutPlane, ...]:
        """Return the planes that measure one coordinate each."""

    def sheets(self) -> tuple[Sheet, ...]:
        """Where a particle crosses it, each of which the simulation records: one, if not said otherwise."""
        return (Sheet(self.name, self.kind, -1, self.z, self.x_over_x0, self.centre, self.half, self.rotation),)

    def inside(self, view: int, layer: int, along: FloatArray, across: FloatArray, margin: FloatArray) -> BoolArray:  # noqa: ARG002
        """Whether tracks pass the live area of one of its planes.

        Parameters
        ----------
        view, layer : int
            The plane.
        along, across : FloatArray
            Where they pass, in the frame of the module from its centre: along the measured coordinate and across it [mm], shape (n,).
        margin : FloatArray
            Distance to the edges that they must keep [mm], shape (n,).

        Returns
        -------
        BoolArray
            Shape (n,).
        """
        return (np.abs(along) < self.half[view] - margin) & (np.abs(across) < self.half[1 - view] - margin)

    def plane(
        self,
        view: int,
        coordinate: FloatArray,
        pitch: float,
        bank: Bank,
        *,
        channel: IntArray | None = None,
        share: float = 0.5,
        z: float | None = None,
        layer: int = 0,
        layers: int = 1,
        window: tuple[float, float] = ANY_TIME,
        two_sided: bool = False,
    ) -> ReadoutPlane:
        """A plane of this module.

        Parameters
        ----------
        view : int
            0 measures x, 1 measures y.
        coordinate : FloatArray
            Coordinates of its strips, wires or slabs [mm], shape (n_places,).
        pitch : float
            Their distance [mm].
        bank : Bank
            The channels that read it.
        channel : IntArray, optional
            Channel of every place; by default each has its own, in order.
        share : float
            Part of the material of the module that belongs to it.
        z : float, optional
            Position if it is not that of the module [mm].
        layer, layers, window, two_sided
            See ReadoutPlane.

        Returns
        -------
        ReadoutPlane
            Its name has the number of the layer if there are several.
        """
        return ReadoutPlane(
            name=f"{self.name}_{VIEWS[view]}{layer if layers > 1 else ''}",
            station=self.name,
            kind=self.kind,
            number=self.number,
            view=view,
            layer=layer,
            layers=layers,
            spectrometer=self.spectrometer,
            z=self.z if z is None else z,
            sigma=self.sigma,
            x_over_x0=share * self.x_over_x0,
            centre=self.centre,
            half=self.half[view],
            rotation=self.rotation,
            coordinate=coordinate,
            pitch=pitch,
            channel=np.arange(len(coordinate)) if channel is None else channel,
            bank=bank,
            window=window,
            two_sided=two_sided,
        )

    def half_size_text(self) -> str:
        """Half size, as the overview shows it."""
        return number_text(self.half)

    def what(self) -> str:
        """Where it belongs and what it measures."""
        part = f"MS{self.spectrometer}" if self.spectrometer else "no spectrometer"
        return f"{part}, {self.measures()}, sigma {number_text(self.sigma)} mm, efficiency {number_text(self.efficiency)}"

    def measures(self) -> str:
        """Coordinates and pitch, as the overview shows them."""
        return " and ".join(VIEWS[v] for v in self.views)


def strip_centres(centre: float, n: int, pitch: float) -> FloatArray:
    """Coordinates of n strips side by side [mm], shape (n,)."""
    return centre - 0.5 * (n - 1) * pitch + np.arange(n, dtype=np.float64) * pitch


#: Kinds of tracker: collection of the raw tree -> class. A description has those of further kinds as [[modules]] with `kind`.
TRACKERS: dict[str, type[Tracker]] = {}

Kind = TypeVar("Kind", bound=type[Tracker])


def register_tracker(cls: Kind) -> Kind:
    """Make a kind of tracker known to descriptions; a decorator of its class.

    Parameters
    ----------
    cls : type of Tracker
        The class, with `kind` and `prefix`.

    Returns
    -------
    type of Tracker
        The same class.

    Raises
    ------
    DetectorError
        If the class does not say what it reads out or what it is called, or if another class has its kind or the prefix of its names.
    """
    missing = [*(name for name in ("kind", "prefix") if not getattr(cls, name, "")), *sorted(cls.__abstractmethods__)]
    if missing:
        msg = f"register_tracker: the class {cls.__name__} has no {missing[0]!r}: see na64mu.detector.elements.pixels for one that is complete"
        raise DetectorError(msg)
    for kind, other in TRACKERS.items():
        if other.__qualname__ != cls.__qualname__ and (kind == cls.kind or other.prefix == cls.prefix):
            msg = f"register_tracker: {cls.__name__} has the kind {cls.kind!r} and the prefix {cls.prefix!r}, {other.__name__} has {kind!r} and {other.prefix!r}"
            raise DetectorError(msg)
    TRACKERS[cls.kind] = cls
    return cls


def is_station(name: str) -> bool:
    """Whether a name is that of a module of a known kind, such as mm5; a description may have it or not."""
    return any(name.startswith(cls.prefix) and name[len(cls.prefix) :].isdecimal() for cls in TRACKERS.values())


def _of_its_kind(content: Any) -> Any:
    """A module as the class that its `kind` names reads it."""
    if not isinstance(content, dict):
        return content
    kind = content.get("kind")
    if kind not in TRACKERS:
        msg = f"no kind of tracker {kind!r}: known are {', '.join(sorted(TRACKERS))}; name the file that registers one of your own with --user"
        raise ValueError(msg)
    return TRACKERS[kind].model_validate({key: value for key, value in content.items() if key != "kind"})


def _with_its_kind(module: Tracker) -> dict[str, Any]:
    return {"kind": module.kind, **module.model_dump(mode="json")}


#: A tracker module of any kind, which it names.
Module = Annotated[SerializeAsAny[Tracker], BeforeValidator(_of_its_kind), PlainSerializer(_with_its_kind)]
