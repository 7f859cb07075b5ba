"""The registry of cuts: `register_cut` and `cut` add those of a user's own, which working points name like those of the package."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationInfo, create_model

from na64mu.common.source_digest import digest_of_sources
from na64mu.errors import SelectionError
from na64mu.typing import BoolArray, Summary

__all__ = ("CUTS", "CutDefinition", "Thresholds", "cut", "is_recorded", "named_columns", "register_cut", "source_digest", "user_cuts")

#: Module whose cuts are those of the package.
PACKAGE = "na64mu.selections.cuts"
Range = tuple[float, float]


class Thresholds(BaseModel, ABC):
    """Base of the thresholds of one cut: frozen, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @property
    @abstractmethod
    def columns(self) -> tuple[str, ...]:
        """Columns of the summary that the cut uses."""

    def with_windows(self, windows: dict[str, Range]) -> Thresholds:  # noqa: ARG002  # most cuts need no calibration
        """Return the thresholds with the MIP windows of one calibration."""
        return self

    @property
    def mip_quantities(self) -> tuple[str, ...]:
        """Energies whose MIP window this cut needs from the calibration."""
        return ()


class NamedThresholds(Thresholds):
    """Base of the thresholds that `cut` makes of names and values."""

    names: ClassVar[tuple[str, ...]] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the summary that the cut uses."""
        return self.names


@dataclass(frozen=True)
class CutDefinition:
    """A cut: its function, and what a working point that names it need not say.

    Attributes
    ----------
    function : callable
        `(summary, thresholds)` -> mask, shape (n_events,).
    thresholds : type
        Model of its thresholds.
    label, source, after : str
        What the cut-flow calls it, where its thresholds come from, and the cut that it follows; empty where the working point has to say it.
    """

    function: Callable[[Summary, Any], BoolArray]  # each function takes its own thresholds
    thresholds: type[Thresholds]
    label: str = ""
    source: str = ""
    after: str = ""


#: All cuts that a working point can name; `register_cut` adds one of your own.
CUTS: dict[str, CutDefinition] = {}

Cutting = TypeVar("Cutting", bound=Callable[..., BoolArray])


def register_cut(
    thresholds: Any, *, name: str | None = None, label: str = "", source: str = "", after: str = ""
) -> Callable[[Cutting], Cutting]:
    """Make a function of your own a cut that a working point can name.

    Use it as a decorator, in a script, a notebook, or a file that is given with ``--user`` (``user=`` in Python). The function and what it
    needs of your files travel to the workers of every executor; the hash of its source is part of the configuration and of the provenance::

        from na64mu.selections import Thresholds, register_cut

        class Slow(Thresholds):
            largest: float                      # [GeV/c]

            @property
            def columns(self):
                return ("p_in",)

        @register_cut(Slow)
        def slow(summary, thresholds):
            return summary["p_in"] < thresholds.largest

    The working point then has ``[[cuts]]`` with ``name = "slow"``, a label, a source, and ``[cuts.thresholds]`` with ``largest``.
    `cut` needs no class.

    Parameters
    ----------
    thresholds : type
        Model of its thresholds, a subclass of `Thresholds`; its property `columns` names the columns of the summary that the function reads.
    name : str, optional
        Name of the cut; that of the function by default. A cut of your own of the same name is replaced, as a notebook does.
    label, source, after : str
        What a working point that only names the cut takes: how the cut-flow calls it, the source of its numbers, the cut that it follows.

    Returns
    -------
    callable
        Takes the function `(summary, thresholds) -> mask of shape (n_events,)`, and returns it.

    Raises
    ------
    SelectionError
        If the name is that of a cut of the package, or `thresholds` is no such model.
    """
    if not (isinstance(thresholds, type) and issubclass(thresholds, Thresholds)):
        msg = f"register_cut: the model of the thresholds must be a subclass of na64mu.selections.Thresholds, found {thresholds!r}"
        raise SelectionError(msg)

    def register(function: Cutting) -> Cutting:
        own = name or function.__name__
        if own in CUTS and CUTS[own].function.__module__ == PACKAGE:
            msg = f"register_cut: {own!r} is a cut of the package; choose another name"
            raise SelectionError(msg)
        CUTS[own] = CutDefinition(function, thresholds, label, source, after)
        return function

    return register


def cut(
    columns: str | Iterable[str],
    thresholds: Mapping[str, Any] | None = None,
    *,
    source: str,
    label: str = "",
    after: str = "",
    name: str | None = None,
) -> Callable[[Cutting], Cutting]:
    """Make a function of your own a cut, with its thresholds and their source: a decorator without a class.

    A working point then only has to name it, in Python or TOML, and may give other thresholds::

        @na64mu.cut("chi2_ndf_ms2", {"largest": 3.0}, source="inferred: an example", after="single_tracks")
        def good_fit(summary, thresholds):
            return summary["chi2_ndf_ms2"] < thresholds.largest

        mine = na64mu.load_working_point("prl2024").changed(name="mine", cuts=["good_fit"])

    Parameters
    ----------
    columns : str or iterable of str
        Columns that the function reads: stored ones, derived ones, or variables of your own.
    thresholds : mapping of str to number, text, truth value or tuple, optional
        Name -> value, unless the working point has another one of the same type.
    source : str
        Source of the thresholds, as in a working point: "inferred: ...", "published: ...", ...
    label : str
        What the cut-flow calls it; its name by default.
    after : str
        Cut that it follows, unless the working point says it.
    name : str, optional
        Name of the cut; that of the function by default.

    Returns
    -------
    callable
        Takes the function `(summary, thresholds) -> mask of shape (n_events,)`, and returns it.

    Raises
    ------
    SelectionError
        If the name is that of a cut of the package, or a threshold is of no such type.
    """
    read = named_columns(columns, "cut")
    values = dict(thresholds or {})
    for key, value in values.items():
        if not isinstance(value, bool | int | float | str | tuple):
            msg = f"cut: the threshold {key!r} is {type(value).__name__}: a number, text, truth value or tuple is wanted"
            raise SelectionError(msg)

    def register(function: Cutting) -> Cutting:
        fields: dict[str, Any] = {key: (tuple[Any, ...] if isinstance(v, tuple) else type(v), v) for key, v in values.items()}
        model = create_model(f"Thresholds_{function.__name__}", __base__=NamedThresholds, __module__=function.__module__, **fields)
        model.names = read
        return register_cut(model, name=name, label=label or name or function.__name__, source=source, after=after)(function)

    return register


def is_recorded(info: ValidationInfo) -> bool:
    """Whether a model is made from what a result recorded: it may name what of a user's own this process does not know."""
    return bool((info.context or {}).get("recorded"))


def named_columns(columns: str | Iterable[str], what: str) -> tuple[str, ...]:
    """Names of columns that a registration was given, as a tuple.

    Raises
    ------
    SelectionError
        If they are no names.
    """
    names = (columns,) if isinstance(columns, str) else tuple(columns)
    if not all(isinstance(name, str) for name in names):
        msg = f"{what}: columns are named, such as ('p_in', 'e_cal'); found {names!r}"
        raise SelectionError(msg)
    return names


def user_cuts(names: Iterable[str]) -> dict[str, CutDefinition]:
    """Return the cuts among the named ones that a user defined.

    Parameters
    ----------
    names : iterable of str
        Names of cuts.

    Returns
    -------
    dict of str to CutDefinition
        Name -> definition, in order; without those of the package.
    """
    return {name: CUTS[name] for name in names if name in CUTS and CUTS[name].function.__module__ != PACKAGE}


def source_digest(definition: CutDefinition) -> str:
    """SHA-256 of the source of a cut: its function, its thresholds, and the functions, classes and numbers of the same module they name.

    Parameters
    ----------
    definition : CutDefinition
        The cut.

    Returns
    -------
    str
        Hexadecimal; of the byte code where there is no source.
    """
    model = definition.thresholds
    made = [model.names] if issubclass(model, NamedThresholds) else [model]  # the values themselves are in the working point
    return digest_of_sources(definition.function, *made)
