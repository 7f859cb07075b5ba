"""Variables of a user's own: columns that follow from others, named in cuts, spectra, histograms, working points and summaries like those of the package."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from na64mu.errors import ColumnError
from na64mu.reconstruction.columns import DERIVED, Derived, derived_columns, is_column, summary_columns
from na64mu.typing import AnyArray

__all__ = ("register_variable", "user_variables", "variable")

#: Derived columns of the package.
SHIPPED = frozenset(DERIVED)

Computing = TypeVar("Computing", bound=Callable[..., AnyArray])


def register_variable(
    needs: str | Iterable[str], *, unit: str = "", meaning: str = "", name: str | None = None
) -> Callable[[Computing], Computing]:
    """Make a function of your own a column of the event summary: a decorator, also called `variable`.

    The function is given the columns that it needs and no others, and travels to the workers of every executor; it is written to no file::

        @na64mu.variable(("p_in", "p_out"), unit="GeV/c", meaning="momentum lost in the target")
        def p_loss(summary):
            return summary["p_in"] - summary["p_out"]

    From then on cuts, spectra, histograms and regions can name the column `p_loss`, and `summary.p_loss` has it.

    Parameters
    ----------
    needs : str or iterable of str
        Columns that it is made of: of na64mu.reconstruction.columns, or other variables.
    unit, meaning : str
        Unit and meaning, for tables and axes.
    name : str, optional
        Name of the column; that of the function by default. A variable of your own of the same name is replaced, as a notebook does.

    Returns
    -------
    callable
        Takes the function `summary -> values of shape (n_events,)`, NaN where they do not exist, and returns it.

    Raises
    ------
    ColumnError
        If the name is that of a column of the package, or one that it needs does not exist.
    """
    columns = (needs,) if isinstance(needs, str) else tuple(needs)

    def register(function: Computing) -> Computing:
        own = name or function.__name__
        if own in summary_columns() or own in SHIPPED or not own.isidentifier():
            why = "is a column of the package" if own.isidentifier() else "is no name of a column"
            msg = f"register_variable: {own!r} {why}; choose another name"
            raise ColumnError(msg)
        unknown = [needed for needed in columns if not is_column(needed)]
        if unknown or not columns:
            what = f"there is no column {unknown[0]!r}" if unknown else "it needs no column"
            msg = f"register_variable: {own!r}: {what}: name those that it is made of, see na64mu.reconstruction.columns"
            raise ColumnError(msg)
        if own in columns or own in derived_columns(columns):
            msg = f"register_variable: {own!r} would be made of itself"
            raise ColumnError(msg)
        DERIVED[own] = Derived(columns, function, unit, meaning)
        return function

    return register


variable = register_variable


def user_variables(names: Iterable[str] | None = None) -> dict[str, Derived]:
    """Variables that a user defined.

    Parameters
    ----------
    names : iterable of str, optional
        Columns; those among them, and those that they are made of. All by default.

    Returns
    -------
    dict of str to Derived
        Name -> definition, each behind what it needs.
    """
    return {name: made for name, made in derived_columns(DERIVED if names is None else names).items() if name not in SHIPPED}
