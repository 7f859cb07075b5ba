"""Reconstructed events as a table of columns that completes with Tab, cuts itself, and gives momenta as vectors. GeV/c, GeV, mm, rad."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

import numpy as np

from na64mu.reconstruction.columns import COLUMNS, DERIVED
from na64mu.table import Shown, Table
from na64mu.typing import AnyArray, FloatArray

__all__ = ("EventSummary", "momentum_vector")


def momentum_vector(p: FloatArray, tx: FloatArray, ty: FloatArray) -> Any:
    """Momentum as vector arrays, from its size and the slopes of the track.

    Parameters
    ----------
    p : FloatArray
        Size [GeV/c], shape (n,); NaN without a track.
    tx, ty : FloatArray
        Slopes dx/dz and dy/dz, shape (n,).

    Returns
    -------
    vector.MomentumNumpy3D
        px, py, pz [GeV/c] with the methods of the vector package (pt, phi, theta, deltaangle, ...), shape (n,).
    """
    import vector

    pz = p / np.sqrt(1.0 + tx**2 + ty**2)
    return vector.array({"px": tx * pz, "py": ty * pz, "pz": pz})


class EventSummary(dict[str, AnyArray], Shown):
    """Column -> array of shape (n_events,), one row per event; `summary.p_out` is `summary["p_out"]`.

    What the columns mean is said in na64mu.reconstruction.columns, and beside the numbers where a summary is shown. Derived columns
    (`summary.chi2_ndf_ms2`) are computed when they are asked for.
    """

    __repr__, __str__ = Shown.__repr__, Shown.__str__

    def __missing__(self, name: str) -> AnyArray:
        if name not in DERIVED or not all(needed in self for needed in DERIVED[name].needs):
            raise KeyError(name)
        return DERIVED[name].function(self)

    def __getattr__(self, name: str) -> AnyArray:
        try:
            return self[name]
        except KeyError:
            msg = f"no column {name!r}: the summary has {', '.join(self)}"
            raise AttributeError(msg) from None

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
        """
        return type(self)({name: column[chosen] for name, column in self.items()})

    @classmethod
    def joined(cls, parts: Iterable[dict[str, AnyArray]]) -> Self:
        """Summaries of several files one behind the other; columns that not all of them have (truth) are left out."""
        every = list(parts)
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
        hits = [name for name in self if name.startswith("n_hits_")]
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
