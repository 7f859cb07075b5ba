"""From open counts to what they say of a signal: significance of the background alone, best-fit coupling and intervals of g for every mass.

found = na64mu.significance_of(counts=(3, 1), backgrounds={"momentum": (0.05, 0.03)})
found.p_value, found.significance
na64mu.interval_of(counts=(3, 1), backgrounds={"momentum": (0.05, 0.03)}, mot=(1.2e10, 8e9), efficiency=0.1).couplings()

A background of which only an upper limit is known is taken at both ends, none and the limit in full, and the more careful answer is given: the larger
p-value, the wider interval. Nothing is made of blinded counts.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from na64mu.analysis.counting import Counting
from na64mu.analysis.limits import SearchLimits
from na64mu.analysis.search import counting_given, limits_of
from na64mu.common.table import Shown, Table
from na64mu.errors import BlindedError
from na64mu.results.run import RunResult
from na64mu.statistics.discovery import NOT_TESTED, Discovery, discovery
from na64mu.statistics.excess import LEVELS, METHODS, Excess, excess
from na64mu.typing import FloatArray

__all__ = ("SearchExcess", "interval_of", "missing_note", "search_excess", "significance_of")

logger = logging.getLogger(__name__)

CLOSED = "the signal box is blinded, or the exposure a projection: there are no counts to test; unblind it first with `na64mu unblind`"
#: Rows of the table that an object shows.
SHOWN = 12


@dataclass(frozen=True, repr=False)
class SearchExcess(Shown):
    """What the counts say of a signal, mass by mass.

    Attributes
    ----------
    limits : SearchLimits
        The search.
    discovery : Discovery
        Test of the background alone; with bounded backgrounds at their upper limits.
    ends : tuple of tuple of Excess
        One for each mass: with bounded backgrounds at none, and at their upper limits. Without such backgrounds one alone.
    """

    limits: SearchLimits
    discovery: Discovery
    ends: tuple[tuple[Excess, ...], ...]

    @property
    def masses(self) -> FloatArray:
        """[GeV], shape (n,)."""
        return self.limits.masses

    @property
    def asymptotic_significances(self) -> FloatArray:
        """sqrt(q0) of every mass, the smaller where a background is bounded; shape (n,)."""
        return np.array([min(one.discovery.asymptotic_significance for one in pair) for pair in self.ends])

    @property
    def best(self) -> FloatArray:
        """Coupling that fits best, with bounded backgrounds at none; shape (n,)."""
        return self._coupling(np.array([pair[0].discovery.strength for pair in self.ends]))

    @property
    def sharing(self) -> FloatArray:
        """Probability of a sharing of the events between the configurations that is at most as likely, at the best fit; shape (n,)."""
        return np.array([pair[0].sharing for pair in self.ends])

    def strengths(self, method: str = "feldman-cousins", level: float = 0.90) -> FloatArray:
        """Ends of the interval of the signal strength, shape (n, 2): the hull of both ends of the bounded backgrounds."""
        found = [[one.interval(method, level) for one in pair] for pair in self.ends]
        return np.array([[min(i.low for i in pair), max(i.high for i in pair)] for pair in found])

    def couplings(self, method: str = "feldman-cousins", level: float = 0.90) -> FloatArray:
        """Ends of the interval of g, shape (n, 2)."""
        return self._coupling(self.strengths(method, level))

    def events(self, method: str = "feldman-cousins", level: float = 0.90) -> FloatArray:
        """Ends of the interval in signal events of all configurations, shape (n, 2)."""
        return self.strengths(method, level) * np.array([pair[0].signal for pair in self.ends])[:, None]

    def _coupling(self, strength: FloatArray) -> FloatArray:
        return self.limits.yields.g_ref * np.sqrt(strength)

    @property
    def methods(self) -> tuple[str, ...]:
        """Kinds of intervals that all masses have."""
        return tuple(m for m in METHODS if all(any(i.method == m for i in one.intervals) for pair in self.ends for one in pair))

    def statements(self) -> list[str]:
        """What the numbers mean, in sentences."""
        d, z = self.discovery, self.asymptotic_significances
        spread = f"{z[0]:.2f}" if f"{z.min():.2f}" == f"{z.max():.2f}" else f"{z.min():.2f} to {z.max():.2f}"
        test = (
            f"{d.background:.3g} expected without signal: p = {d.p_value:.2g}, {d.significance:.2f} standard deviations (exact); asymptotic (q0): {spread}"
            if d.tested
            else NOT_TESTED
        )
        out = [
            f"{sum(d.observed):g} events observed ({', '.join(f'{n:g}' for n in d.observed)} by configuration), {test}",
            (
                "look-elsewhere: one count is tested, the same for every mass, so the exact p-value is that of the whole scan and needs no factor for the number of masses; "
                "nor do the masses distinguish themselves: the count fixes a coupling for each, and says nothing of the mass"
            ),
        ]
        if not np.isnan(self.sharing).all():
            out.append(
                f"both configurations: a sharing of the events that is at most as likely has p = {np.nanmin(self.sharing):.2g} at the best fit (exact, smallest of all masses)"
            )
        if self.limits.counting.bounds:
            names = ", ".join(f"{name} < {value:.3g}" for name, value in self.limits.counting.bounds.items())
            out.append(
                f"known as upper limits alone: {names}; p-value with these in full, intervals wide enough for none and for all of it"
            )
        if self.limits.counting.missing:
            out.append(missing_note(self.limits.counting))
        reasons = dict(item for pair in self.ends for one in pair for item in one.absent.items())
        return [*out, *(f"no {method} interval: {reason}" for method, reason in reasons.items())]

    def _table(self) -> Table:
        at = np.unique(np.linspace(0, len(self.masses) - 1, min(SHOWN, len(self.masses))).round().astype(int))
        columns = [self.couplings(m, level) for m in self.methods for level in LEVELS]
        headings = ("m_Z' [MeV]", "g, best fit", *(f"g, {m} {100 * level:.0f} %" for m in self.methods for level in LEVELS))
        best = self.best
        rows = tuple((f"{1e3 * self.masses[i]:.4g}", f"{best[i]:.3g}", *(f"{c[i, 0]:.3g} to {c[i, 1]:.3g}" for c in columns)) for i in at)
        return Table("significance, best fit and intervals of g_Z'", headings, rows, tuple(self.statements()))


def missing_note(counting: Counting) -> str:
    """Warning that backgrounds are not estimated: an excess over the others alone may be theirs."""
    return f"not estimated, and not in the p-value: {', '.join(counting.missing)}; an excess over the other backgrounds may be of these"


def search_excess(limits: SearchLimits) -> SearchExcess:
    """Significance, best fit and intervals of a search whose box is open.

    Parameters
    ----------
    limits : SearchLimits
        Result of `limits_of`.

    Returns
    -------
    SearchExcess

    Raises
    ------
    BlindedError
        If there are no counts.
    """
    counts = limits.counting.counts
    if counts is None:
        raise BlindedError(CLOSED)
    countings = [limits.counting, *([limits.counting.at_the_bounds()] if limits.counting.bounds else [])]
    events = limits.yields.events()
    models = [[c.model(events[i], i, limits.yields) for c in countings] for i in range(len(limits.masses))]
    ends = tuple(tuple(excess(model, counts) for model in pair) for pair in models)
    return SearchExcess(limits, discovery(models[0][-1], counts), ends)


def significance_of(
    source: RunResult | Counting | str | Path | None = None,
    *,
    counts: Sequence[float] | None = None,
    backgrounds: Mapping[str, float | tuple[float, float]] | None = None,
    mot: Sequence[float] | None = None,
) -> Discovery:
    """p-value and significance of an excess over the background, from counts alone.

    Parameters
    ----------
    source : RunResult, Counting, str or Path, optional
        Opened result, its output folder, counts, or "letter", as in `limits_of`.
    counts : sequence of float, optional
        Events in the signal box per trigger configuration.
    backgrounds : mapping, optional
        Background -> expected events, or (events, standard deviation), of the whole exposure.
    mot : sequence of float, optional
        Muons on target per configuration: they share out background and signal, for the asymptotic value; equal without them.

    Returns
    -------
    Discovery
        With bounded backgrounds at their upper limits, which is the careful side.

    Raises
    ------
    BlindedError
        If the box is blinded.
    InputError
        If the numbers do not fit together.
    """
    shared = (1.0, 1.0) if source is None and mot is None else mot
    counting = counting_given(source, counts, backgrounds, shared).at_the_bounds()
    if counting.counts is None:
        raise BlindedError(CLOSED)
    if counting.missing:
        logger.warning("%s", missing_note(counting))
    return discovery(counting.without_yields(), counting.counts)


def interval_of(source: SearchLimits | RunResult | Counting | str | Path | None = None, **options: Any) -> SearchExcess:
    """Best-fit coupling and its intervals against mass, with the significance.

    Parameters
    ----------
    source : SearchLimits, RunResult, Counting, str or Path, optional
        Limits that were made already, or what `limits_of` takes.
    **options
        As in `limits_of`.

    Returns
    -------
    SearchExcess

    Raises
    ------
    BlindedError
        If the box is blinded.
    InputError
        If the numbers do not fit together.
    """
    return search_excess(source if isinstance(source, SearchLimits) else limits_of(source, **options))
