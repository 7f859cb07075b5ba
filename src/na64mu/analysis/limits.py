"""From counts to the result: 90 % CL limits on g against the mass of the Z', and on y against the mass of chi, by both methods.

g: Z' of L_mu - L_tau without dark matter, seen where it decays to neutrinos. y: with dark matter of m_chi = M / ratio and coupling g_chi, seen where it
decays to neutrinos or chi. Masses GeV; rates are events of the whole exposure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from na64mu.analysis.counting import Counting
from na64mu.analysis.yields.signal import SignalYield
from na64mu.common.arguments import choice
from na64mu.common.table import Shown, Table
from na64mu.errors import InputError, StatisticsError
from na64mu.physics.couplings import y_parameter
from na64mu.physics.widths import DarkMatter, invisible_fraction
from na64mu.statistics.limits import Limits, LimitScan, both_limits, limit_scan
from na64mu.statistics.model import CountingModel
from na64mu.typing import FloatArray

__all__ = ("METHODS", "DarkSector", "SearchLimits", "search_limits")

METHODS = ("asymptotic", "exact")


@dataclass(frozen=True)
class DarkSector:
    """Dark matter of the limit on y.

    Attributes
    ----------
    dark_coupling : float
        g_chi.
    ratio : float
        M / m_chi.
    kind : DarkMatter
        Nature of chi, for the width of the Z' to chi; it matters only where g is not small compared with g_chi.
    """

    dark_coupling: float = 0.05
    ratio: float = 3.0
    kind: DarkMatter = DarkMatter.PSEUDO_DIRAC

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", choice(self.kind, DarkMatter, "kind"))


@dataclass(frozen=True, repr=False)
class SearchLimits(Shown):
    """Limits over masses, on g and on y.

    Attributes
    ----------
    counting : Counting
    yields : SignalYield
    models : dict of float to CountingModel
        Mass [GeV] -> model with the signal at g_ref and the branching ratio to neutrinos.
    scan : LimitScan
        Limits of these models, mass by mass.
    dark : DarkSector
    """

    counting: Counting
    yields: SignalYield
    models: dict[float, CountingModel]
    scan: LimitScan
    dark: DarkSector

    def _table(self) -> Table:
        at = np.unique(np.linspace(0, len(self.masses) - 1, min(12, len(self.masses))).round().astype(int))
        found = {method: self.couplings(method) for method in METHODS}
        rows = tuple(
            (f"{1e3 * self.masses[i]:.4g}", *(_number(found[method][i, column]) for method in METHODS for column in (3, 0))) for i in at
        )
        headings = ("m_Z' [MeV]", *(f"g, {method} {what}" for method in METHODS for what in ("expected", "observed")))
        title = f"upper limits on g_Z', {100 * self.scan.limits[0].level:g} % CL, {sum(self.counting.exposures):.4g} muons on target ({self.counting.source})"
        notes = [f"{name} is not in the model: {reason}" for name, reason in self.counting.missing.items()]
        notes += self.bound_notes()
        if len(at) < len(self.masses):
            notes.append(f"{len(at)} of {len(self.masses)} masses; all: .masses, .couplings(method), .y(method)")
        if self.is_blinded:
            notes.append("the signal box is blinded, or the exposure a projection: expected limits only")
        return Table(title, headings, rows, tuple(notes))

    @property
    def is_blinded(self) -> bool:
        """Whether there are expected limits only."""
        return self.counting.observed is None

    @property
    def masses(self) -> FloatArray:
        """[GeV], shape (n,)."""
        return self.scan.masses

    @property
    def m_chi(self) -> FloatArray:
        """M / ratio [GeV], shape (n,)."""
        return self.masses / self.dark.ratio

    def at_the_bounds(self, mass: float = 0.1) -> Limits | None:
        """Limits of the nearest mass [GeV] with every bounded background at its upper limit, instead of none; None if no background is bounded.

        Raises
        ------
        StatisticsError
            If the counts are too far from that many events.
        """
        if not self.counting.bounds:
            return None
        nearest = min(self.models, key=lambda m: abs(math.log(m / mass)))
        index = list(self.models).index(nearest)
        model = self.counting.at_the_bounds().model(self.yields.events()[index], index, self.yields)
        return both_limits(model, self.counting.counts, self.scan.limits[0].level)

    def bound_notes(self) -> list[str]:
        """Notes on the backgrounds of which only an upper limit is known, and on their possible effect; empty if there are none."""
        bounds = self.counting.bounds
        if not bounds:
            return []
        here = self.scan.limits[list(self.models).index(min(self.models, key=lambda m: abs(math.log(m / 0.1))))]

        def events(limits: Limits) -> str:
            observed = "" if self.is_blinded else f"{_number(limits.exact.observed * limits.signal)} observed, "
            return f"{observed}{_number(limits.exact.median * limits.signal)} expected"

        notes = [
            f"{name}: known as an upper limit alone, < {value:.3g} events ({self.counting.methods.get(name, 'given')}); it enters with 0"
            for name, value in bounds.items()
        ]
        try:
            other = self.at_the_bounds()
            why = {} if other is None else other.absent
            at_most = f"no limit ({why['exact']})" if "exact" in why else "" if other is None else events(other)
        except StatisticsError as error:
            at_most = f"no limit ({error})"
        text = (
            f"with 0 the exact observed limit is on the safe side (the asymptotic one only with many events), and the expected one holds if there is no such "
            f"background: {events(here)} signal events (exact); "
            f"with {sum(bounds.values()):.3g} events, all upper limits in full, {at_most}"
        )
        return [*notes, text]

    def couplings(self, method: str) -> FloatArray:
        """Limits on g, shape (n, 6): observed (NaN while blinded), expected at -2, -1, 0, 1, 2 standard deviations."""
        return self._hidden(self.scan.couplings(method))

    def events(self, method: str) -> FloatArray:
        """Return the limits in signal events."""
        return self._hidden(self.scan.events(method))

    def dark_couplings(self, method: str) -> FloatArray:
        """Limits on g with dark matter, shape (n, 6).

        N(g) ~ g^2 B(g) with B the branching ratio to neutrinos and chi, which falls where g nears g_chi; solved by iteration. infinity: no limit.
        """
        all_seen = self.couplings(method) * np.sqrt(self.yields.invisible)[:, None]
        out = all_seen.copy()
        for i, mass in enumerate(self.masses):
            for j in range(out.shape[1]):
                out[i, j] = _with_branching(all_seen[i, j], float(mass), self.dark)
        return out

    def y(self, method: str) -> FloatArray:
        """Limits on y = (g g_chi)^2 (m_chi / M)^4, shape (n, 6)."""
        return y_parameter(self.dark_couplings(method), self.dark.dark_coupling, self.m_chi[:, None], self.masses[:, None])

    def _hidden(self, values: FloatArray) -> FloatArray:
        values = np.array(values)
        if self.is_blinded:
            values[:, 0] = math.nan
        return values


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3g}"


def _with_branching(seen: float, mass: float, dark: DarkSector) -> float:
    """Solve g^2 B(g) = seen^2 for g."""
    g = seen
    for _ in range(200):
        if not math.isfinite(g):
            return g
        fraction = float(invisible_fraction(mass, g, dark.dark_coupling, mass / dark.ratio, dark.kind))
        new = seen / math.sqrt(fraction)
        if abs(new - g) < 1e-12 * g:
            return new
        g = new
    return math.inf


def search_limits(counting: Counting, yields: SignalYield, *, dark: DarkSector | None = None, level: float = 0.90) -> SearchLimits:
    """Limits for every mass of a signal yield.

    Parameters
    ----------
    counting : Counting
    yields : SignalYield
        Signal yields for the same muons on target.
    dark : DarkSector, optional
        Dark sector for the limits on y; by default as in the Letter.
    level : float
        Confidence level.

    Returns
    -------
    SearchLimits

    Raises
    ------
    InputError
        If counts and yields are for different exposures, or no signal is expected at some mass.
    """
    if not np.allclose(counting.exposures, yields.exposures, rtol=1e-9):
        msg = f"counts for {list(counting.exposures)} muons on target, yields for {list(yields.exposures)}: make both for the same exposure"
        raise InputError(msg)
    events = yields.events()
    empty = yields.masses[~(events[:, list(counting.used)].sum(axis=1) > 0)]
    if empty.size:
        msg = f"no signal is expected at {empty[0]:g} GeV (efficiency 0 in the simulated sample): leave this mass out, or simulate more events with `na64mu efficiency -n`"
        raise InputError(msg)
    models = {float(m): counting.model(events[i], i, yields) for i, m in enumerate(yields.masses)}
    scan = limit_scan(list(models), models.values(), counting.counts, g_ref=yields.g_ref, level=level)
    return SearchLimits(counting, yields, models, scan, dark or DarkSector())
