"""What an excess of events means for one signal: significance, best fit, and intervals of two kinds at two levels.

Coverage of the 90 % intervals by exact enumeration of the counts, signals of 0 to 20 events, model of the Letter (`benchmarks/excess.py`): Feldman-Cousins
at least 0.900 (68 %: 0.683), profile likelihood from 0.71 (0.33): quote the former.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from na64mu.errors import StatisticsError
from na64mu.statistics.binomial import ONE_SIGMA
from na64mu.statistics.compatibility import compatibility
from na64mu.statistics.discovery import Discovery, discovery
from na64mu.statistics.feldman_cousins import feldman_cousins
from na64mu.statistics.limits import checked_counts
from na64mu.statistics.model import CountingModel
from na64mu.statistics.profile_interval import profile_interval

__all__ = ("LEVELS", "METHODS", "Excess", "Interval", "excess")

#: Levels of the intervals.
LEVELS = (0.90, ONE_SIGMA)
METHODS = ("feldman-cousins", "profile")


@dataclass(frozen=True)
class Interval:
    """An interval of the signal strength.

    Attributes
    ----------
    method : str
        "feldman-cousins" (exact on the summed count) or "profile" (asymptotic).
    level : float
        Confidence level.
    low, high : float
        Signal strength mu; `low` is 0 where no signal is allowed.
    """

    method: str
    level: float
    low: float
    high: float

    def __repr__(self) -> str:
        return f"{self.method} {100 * self.level:.3g} %: [{self.low:.4g}, {self.high:.4g}]"


@dataclass(frozen=True)
class Excess:
    """Significance and size of a signal.

    Attributes
    ----------
    discovery : Discovery
        Test of the background alone, and the best fit.
    intervals : tuple of Interval
        One for each method and level.
    signal : float
        Signal events at mu = 1, all channels.
    sharing : float
        Probability of a sharing of the events between two channels that is at most as likely, at the best fit; NaN for one channel.
    absent : mapping of str to str
        Method -> why it gives no interval.
    """

    discovery: Discovery
    intervals: tuple[Interval, ...]
    signal: float
    sharing: float
    absent: Mapping[str, str] = field(default_factory=dict)

    def interval(self, method: str = "feldman-cousins", level: float = 0.90) -> Interval:
        """The interval of one method and level.

        Raises
        ------
        StatisticsError
            If there is none.
        """
        for one in self.intervals:
            if one.method == method and abs(one.level - level) < 0.005:
                return one
        known = ", ".join(f"{one.method} {one.level:.3g}" for one in self.intervals)
        msg = f"no interval by {method!r} at {level:g}: there are {known}"
        raise StatisticsError(msg)

    def __repr__(self) -> str:
        lines = [
            repr(self.discovery),
            f"best fit: mu = {self.discovery.strength:.4g}, {self.discovery.strength * self.signal:.4g} signal events",
        ]
        lines += [f"no {method} interval: {reason}" for method, reason in self.absent.items()]
        return "\n".join([*lines, *map(repr, self.intervals)])


def excess(model: CountingModel, observed: Sequence[float], levels: Sequence[float] = LEVELS) -> Excess:
    """Significance, best fit and intervals of a signal.

    Parameters
    ----------
    model : CountingModel
    observed : sequence of float
        Whole counts per channel.
    levels : sequence of float
        Confidence levels of the intervals.

    Returns
    -------
    Excess
        With more events than the intervals of Feldman and Cousins are made for, those of the profile likelihood alone.

    Raises
    ------
    StatisticsError
        If the counts are impossible, or a fit does not converge.
    """
    counts = checked_counts(model, observed)
    test = discovery(model, counts.tolist())
    found: list[Interval] = []
    absent: dict[str, str] = {}
    for method in METHODS:
        try:
            ends = (
                profile_interval(model, counts.tolist(), levels)
                if method == "profile"
                else feldman_cousins(model, round(float(counts.sum())), levels)
            )
        except StatisticsError as error:
            absent[method] = str(error)
            continue
        found += [Interval(method, level, *pair) for level, pair in zip(levels, ends, strict=True)]
    sharing = compatibility(model, counts.tolist(), test.strength) if len(counts) <= 2 else float("nan")
    return Excess(test, tuple(found), model.total_signal, sharing, absent)
