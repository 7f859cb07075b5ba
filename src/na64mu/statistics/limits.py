"""Limits: every call gives the asymptotic CLs value (the Letter's prescription) and the exact one, observed and expected.

Neither replaces the other. The expected limits do not depend on the observed counts: they are the same before and after the box is opened.

How far the asymptotic form is off (90 % CL, no systematics, tested): with n = b events its observed limit is this part of the exact one, in events:
0.62 at b = 0.07 (n = 0), 0.81 at 1, 0.87 at 3, 0.93 at 10, 0.96 at 30, 0.98 at 100; with n = 0 and b -> 0 it is 0.59. There is no number of events from
which on it is right, so the two are compared for every model, and a difference above 5 per cent is said in words and in the log.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import get_args

import numpy as np

from na64mu.common.arguments import one_of
from na64mu.errors import StatisticsError
from na64mu.statistics.asymptotic import BANDS, Expected, asymptotic_limits
from na64mu.statistics.exact import exact_limits
from na64mu.statistics.model import CountingModel
from na64mu.typing import FloatArray

__all__ = ("LimitScan", "Limits", "UpperLimits", "both_limits", "checked_counts", "checked_level", "limit_scan", "upper_limits")

logger = logging.getLogger(__name__)

#: Difference of both methods, in events, above which a result says that the asymptotic one is not valid.
TOLERANCE = 0.05
#: Events, observed and expected, with which both methods agree within this tolerance where no systematic is large; below, these are too few.
ENOUGH_EVENTS = 30.0

#: Lowest and highest confidence level: below and above the test statistics are rounded away.
LEVELS = (1e-3, 1.0 - 1e-9)


@dataclass(frozen=True)
class UpperLimits:
    """Upper limits by one method.

    Attributes
    ----------
    method : str
        "asymptotic" or "exact".
    observed : float
        Signal strength mu; NaN without counts, or where the limit does not exist.
    expected : tuple of float
        Signal strengths at -2, -1, 0, 1, 2 standard deviations of the background.
    """

    method: str
    observed: float
    expected: tuple[float, float, float, float, float]

    @property
    def median(self) -> float:
        """The expected limit."""
        return self.expected[2]

    def __repr__(self) -> str:
        bands = "  ".join(f"{value:9.4g}" for value in self.expected)
        return f"{self.method:<10}  {self.observed:9.4g}  {bands}"


@dataclass(frozen=True)
class Limits:
    """Upper limits on the signal strength by both methods.

    Attributes
    ----------
    asymptotic : UpperLimits
        Profile likelihood ratio q~, asymptotic CLs: the Letter's prescription.
    exact : UpperLimits
        CLs on the summed count with averaged nuisance parameters: quote this one.
    level : float
        Confidence level.
    observed : tuple of float or None
        Counts per channel; None while they are not known: then there are expected limits only.
    signal : float
        Signal events at mu = 1, all channels.
    background : float
        Background events, all channels.
    absent : mapping of str to str
        Method -> why it gives no limit.
    """

    asymptotic: UpperLimits
    exact: UpperLimits
    level: float
    observed: tuple[float, ...] | None
    signal: float
    background: float
    absent: Mapping[str, str] = field(default_factory=dict)

    @property
    def ratio(self) -> float:
        """Asymptotic limit over the exact one: observed, without counts the median expected; NaN where one does not exist."""
        if self.observed is None:
            return self.asymptotic.median / self.exact.median
        return self.asymptotic.observed / self.exact.observed

    @property
    def asymptotic_is_valid(self) -> bool:
        """Whether both methods agree within 5 per cent; where one is absent, whether there are enough events for the asymptotic form."""
        if math.isfinite(self.ratio):
            return abs(self.ratio - 1.0) <= TOLERANCE
        return "asymptotic" not in self.absent and self._fewest >= ENOUGH_EVENTS

    @property
    def _fewest(self) -> float:
        return self.background if self.observed is None else min(self.background, sum(self.observed))

    @property
    def caution(self) -> str:
        """Problem of the asymptotic value, or the reason why one of the two is absent; empty if there is none."""
        if self.absent:
            return "; ".join(f"no {method} limit: {reason}" for method, reason in self.absent.items())
        if self.asymptotic_is_valid:
            return ""
        which = "median expected limit" if self.observed is None else "observed limit"
        counts = "" if self.observed is None else f"{sum(self.observed):g} events observed and "
        events = f"{counts}{self.background:.3g} {'events ' if self.observed is None else ''}expected"
        why = (
            f"{events} are too few for the asymptotic form"
            if self._fewest < ENOUGH_EVENTS
            else f"the asymptotic form does not hold with these systematics ({events})"
        )
        return f"{why}: its {which} is {self.ratio:.3f} of the exact one in events, {math.sqrt(self.ratio):.3f} in the coupling; quote the exact one"

    def __repr__(self) -> str:
        counts = "blinded" if self.observed is None else f"{sum(self.observed):g} observed"
        lines = [
            f"upper limits on the signal strength, {100 * self.level:g} % CLs, {counts}, {self.background:.4g} background, {self.signal:.4g} signal at mu = 1",
            f"{'method':<10}  {'observed':>9}  " + "  ".join(f"{f'{band:+.0f} sigma' if band else 'median':>9}" for band in BANDS),
            repr(self.asymptotic),
            repr(self.exact),
        ]
        return "\n".join([*lines, *([f"caution: {self.caution}"] if self.caution else [])])


def upper_limits(
    model: CountingModel, observed: Sequence[float] | None = None, *, level: float = 0.90, expected: Expected | str = "blind"
) -> Limits:
    """Upper limits on the signal strength, by both methods.

    Parameters
    ----------
    model : CountingModel
    observed : sequence of float, optional
        Whole counts per channel; without them expected limits only.
    level : float
        Confidence level; the Letter uses 0.90.
    expected : "blind" or "fitted"
        Basis of the asymptotic expected limits: nominal nuisance parameters, or those fitted to the counts, as in pyhf and RooStats.

    Returns
    -------
    Limits
        Observed and five expected values of each method.

    Raises
    ------
    StatisticsError
        If the counts or the level are impossible, or neither method gives a limit.
    """
    limits = both_limits(model, observed, level, expected)
    if limits.caution:
        logger.warning("%s", limits.caution)
    return limits


def both_limits(model: CountingModel, observed: Sequence[float] | None, level: float, expected: Expected | str = "blind") -> Limits:
    """Compute `upper_limits` without a message in the log."""
    expected = one_of(expected, get_args(Expected), "expected", StatisticsError)
    counts = None if observed is None else checked_counts(model, observed)
    level = checked_level(level)
    if expected == "fitted" and counts is None:
        msg = "expected limits that are fitted to the counts need counts: give them, or take the blind ones"
        raise StatisticsError(msg)
    found: dict[str, UpperLimits] = {}
    absent: dict[str, str] = {}
    for method in ("asymptotic", "exact"):
        try:
            first, *bands = (
                asymptotic_limits(model, counts, level, expected) if method == "asymptotic" else exact_limits(model, counts, level)
            )
        except StatisticsError as error:
            first, *bands = (math.nan,) * (1 + len(BANDS))
            absent[method] = str(error)
        found[method] = UpperLimits(method, float(first), (float(bands[0]), *map(float, bands[1:])))  # type: ignore[arg-type]
    if len(absent) == len(found):
        msg = f"neither method gives a limit. Asymptotic: {absent['asymptotic']}. Exact: {absent['exact']}"
        raise StatisticsError(msg)
    shown = None if counts is None else tuple(float(n) for n in counts)
    return Limits(found["asymptotic"], found["exact"], level, shown, model.total_signal, model.total_background, absent)


def checked_level(level: float) -> float:
    """A confidence level; refused if it is none, or so near 0 or 1 that rounding makes the limit."""
    if not LEVELS[0] <= level <= LEVELS[1]:
        msg = f"confidence level {level}: a number from {LEVELS[0]} to {LEVELS[1]:.9g} is wanted, such as 0.90"
        raise StatisticsError(msg)
    return float(level)


def checked_counts(model: CountingModel, observed: Sequence[float]) -> FloatArray:
    """Counts of every channel as an array; refused if they are not whole, negative or not finite."""
    counts = np.asarray(observed, dtype=np.float64)
    if counts.shape != (len(model.channels),):
        msg = f"{counts.size} observed counts for the {len(model.channels)} channels {', '.join(model.channels)}: give one for each"
        raise StatisticsError(msg)
    if not np.all(np.isfinite(counts) & (counts >= 0)) or not np.all(counts == np.round(counts)):
        msg = f"observed counts {counts.tolist()}: whole numbers of events from 0 on are wanted"
        raise StatisticsError(msg)
    return counts


@dataclass(frozen=True)
class LimitScan:
    """Limits over masses.

    Attributes
    ----------
    masses : FloatArray
        Masses [GeV], shape (n,).
    limits : tuple of Limits
        One for each mass.
    g_ref : float
        Coupling at which mu = 1.
    """

    masses: FloatArray
    limits: tuple[Limits, ...]
    g_ref: float

    def __iter__(self) -> Iterator[tuple[float, Limits]]:
        """Mass and limits, in order."""
        return zip(self.masses.tolist(), self.limits, strict=True)

    def strengths(self, method: str) -> FloatArray:
        """Signal strengths of one method, shape (n, 6): observed, and expected at -2, -1, 0, 1, 2 standard deviations."""
        chosen = [getattr(limits, self._known(method)) for limits in self.limits]
        return np.array([[c.observed, *c.expected] for c in chosen], dtype=np.float64).reshape(-1, 1 + len(BANDS))

    def events(self, method: str) -> FloatArray:
        """Return the limits in signal events of all channels."""
        return self.strengths(method) * np.array([limits.signal for limits in self.limits])[:, None]

    def couplings(self, method: str) -> FloatArray:
        """Return the limits on the coupling g, for a yield proportional to g^2."""
        return self.g_ref * np.sqrt(self.strengths(method))

    @staticmethod
    def _known(method: str) -> str:
        if method not in ("asymptotic", "exact"):
            msg = f"no limits by {method!r}: there are asymptotic and exact"
            raise StatisticsError(msg)
        return method

    def __repr__(self) -> str:
        level = 100 * self.limits[0].level
        head = (
            f"observed upper limits, {level:g} % CLs: N signal events of all channels, and the coupling g (yield at g_ref = {self.g_ref:g})"
        )
        rows = [f"{'mass [GeV]':>10}  {'N asym':>9}  {'N exact':>9}  {'g asym':>10}  {'g exact':>10}"]
        columns = zip(
            self.masses,
            *(self.events(m)[:, 0] for m in ("asymptotic", "exact")),
            *(self.couplings(m)[:, 0] for m in ("asymptotic", "exact")),
            strict=True,
        )
        rows += [f"{m:10.4g}  {na:9.4g}  {ne:9.4g}  {ga:10.4g}  {ge:10.4g}" for m, na, ne, ga, ge in columns]
        return "\n".join([head, *rows])


def limit_scan(
    masses: Sequence[float],
    models: Iterable[CountingModel],
    observed: Sequence[float] | None = None,
    *,
    g_ref: float,
    level: float = 0.90,
    expected: Expected | str = "blind",
) -> LimitScan:
    """Limits for many masses.

    Parameters
    ----------
    masses : sequence of float
        Masses [GeV].
    models : iterable of CountingModel
        One for each mass, with the signal at the coupling `g_ref`; systematics may depend on the mass.
    observed : sequence of float, optional
        Counts per channel, the same for all masses; without them expected limits only.
    g_ref : float
        Coupling of the signal.
    level : float
        Confidence level.
    expected : "blind" or "fitted"
        How the expected limits are made, as in `upper_limits`.

    Returns
    -------
    LimitScan

    Raises
    ------
    StatisticsError
        If masses and models are not equally many, or neither method gives a limit at some mass.
    """
    expected = one_of(expected, get_args(Expected), "expected", StatisticsError)
    models = list(models)
    if len(models) != len(masses) or not models:
        msg = f"{len(masses)} masses and {len(models)} models: give one model for each mass, and at least one"
        raise StatisticsError(msg)
    if not g_ref > 0:
        msg = f"g_ref = {g_ref}: the coupling of the signal must be above zero"
        raise StatisticsError(msg)
    limits = tuple(both_limits(model, observed, level, expected) for model in models)
    cautions = [one.caution for one in limits if one.caution]
    if cautions:
        logger.warning("%d of %d masses: %s", len(cautions), len(limits), cautions[0])
    return LimitScan(np.asarray(masses, dtype=np.float64), limits, float(g_ref))
