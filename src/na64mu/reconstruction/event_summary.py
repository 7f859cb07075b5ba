"""Reconstructed events as a table of columns with Tab completion, selection of rows, and momenta as vectors. GeV/c, GeV, mm, rad."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self, overload

import numpy as np

from na64mu.common.table import Shown, Table
from na64mu.errors import ColumnError
from na64mu.reconstruction.columns import COLUMNS, DERIVED, HITS, stored_columns
from na64mu.tracking.momentum import momentum_vector
from na64mu.typing import AnyArray

__all__ = ("EventSummary", "momentum_vector")


class EventSummary(dict[str, AnyArray], Shown):
    """Column -> array of shape (n_events,), one row per event; `summary.p_out` is `summary["p_out"]`, `summary[mask]` the events of a cut.

    What the columns mean is said in na64mu.reconstruction.columns, and beside the numbers where a summary is shown. Derived columns
    (`summary.chi2_ndf_ms2`) are computed when they are asked for.
    """

    __repr__, __str__ = Shown.__repr__, Shown.__str__

    def __missing__(self, name: str) -> AnyArray:
        if name not in DERIVED or not all(needed in self for needed in stored_columns((name,))):
            raise KeyError(name)
        return DERIVED[name].of(self, name)

    def __init__(self, columns: Any = ()) -> None:
        try:
            super().__init__({name: np.asarray(column) for name, column in dict(columns).items()})
        except (TypeError, ValueError) as error:
            msg = f"a summary is made of columns, name -> array of shape (n_events,); found {type(columns).__name__}: {error}"
            raise ColumnError(msg) from error
        shapes = {column.shape for column in self.values()}
        if len(shapes) > 1 or any(len(shape) != 1 for shape in shapes) or not all(isinstance(name, str) for name in self):
            msg = f"the columns of a summary have names and one shape (n_events,); found {', '.join(str(s) for s in sorted(shapes))}"
            raise ColumnError(msg)

    @overload
    def __getitem__(self, key: str, /) -> AnyArray: ...
    @overload
    def __getitem__(self, key: AnyArray | slice | list[Any], /) -> Self: ...

    def __getitem__(self, key: Any, /) -> Any:
        """A column by its name, or some of the events by a mask, by numbers of rows or by a slice."""
        if isinstance(key, str):
            try:
                return super().__getitem__(key)
            except KeyError:
                msg = f"no column {key!r}: the summary has {', '.join(self) or 'none'}"
                raise ColumnError(msg, key) from None
        return self.rows(key)

    def __getattr__(self, name: str) -> AnyArray:
        return self[name]

    def __dir__(self) -> list[str]:
        """The columns, and what a summary can do."""
        return sorted({*super().__dir__(), *self, *DERIVED})

    @property
    def n_events(self) -> int:
        """Number of rows."""
        return len(next(iter(self.values()), ()))

    def rows(self, chosen: Any) -> Self:
        """Some of the events.

        Parameters
        ----------
        chosen : BoolArray, IntArray or slice
            Mask of shape (n_events,), as a cut gives it, or numbers of rows.

        Returns
        -------
        EventSummary
            The same columns.

        Raises
        ------
        ColumnError
            If it chooses no rows of this summary.
        """
        if not isinstance(chosen, slice):
            rows = np.asarray(chosen)
            rows = rows.astype(np.int64) if rows.size == 0 and rows.dtype != np.bool_ else rows
            fits = rows.ndim == 1 and (rows.dtype != np.bool_ or len(rows) == self.n_events)
            inside = fits and (rows.dtype.kind not in "iu" or not rows.size or -self.n_events <= rows.min() <= rows.max() < self.n_events)
            if rows.dtype.kind not in "biu" or not inside:
                what = f"{rows.dtype} of shape {rows.shape}" if rows.dtype.kind in "biufU" else type(chosen).__name__
                msg = f"rows of a summary are chosen by a mask of shape ({self.n_events},), by row numbers below {self.n_events} or by a slice, a column by its name; found {what}"
                raise ColumnError(msg)
            chosen = rows
        return type(self)({name: column[chosen] for name, column in self.items()})

    @classmethod
    def joined(cls, parts: Iterable[dict[str, AnyArray]]) -> Self:
        """Summaries of several files one behind the other; columns that not all of them have (truth) are left out."""
        every = list(parts)
        if not all(isinstance(part, dict) for part in every):
            msg = f"summaries are joined, column -> array; found {', '.join(type(part).__name__ for part in every)}"
            raise ColumnError(msg)
        shared = [name for name in (every[0] if every else ()) if all(name in part for part in every)]
        return cls({name: np.concatenate([part[name] for part in every]) for name in shared})

    @property
    def momentum_in(self) -> Any:
        """Momentum before the target as a vector [GeV/c], NaN without a track, shape (n_events,)."""
        return momentum_vector(self["p_in"], self["tx_in"], self["ty_in"])

    @property
    def momentum_out(self) -> Any:
        """Momentum behind the target as a vector [GeV/c], NaN without a track, shape (n_events,)."""
        return momentum_vector(self["p_out"], self["tx_out"], self["ty_out"])

    def _table(self) -> Table:
        n = min(self.n_events, 3) if "mc_weight" in self else 0  # of data no row is shown: it could lie in the blinded signal box
        hits = [name for name in self if name.startswith(HITS)]
        rows = [
            (name, *(f"{value:.5g}" for value in column[:n].tolist()), *COLUMNS.get(name, ("", "", "truth of the simulation"))[1:])
            for name, column in self.items()
            if name not in hits
        ]
        notes = [f"and {hits[0]} ... {hits[-1]}: {len(hits)} columns, in-time hits of each station"] if hits else []
        if self.n_events and not n:
            notes.append("rows of data are not shown: they may lie in the blinded signal box")
        headings = ("column", *(f"[{i}]" for i in range(n)), "unit", "meaning")
        return Table(f"event summary: {self.n_events} events, {len(self)} columns", headings, tuple(rows), tuple(notes))
