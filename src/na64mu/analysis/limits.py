"""From counts to the result: 90 % CL limits on g against the mass of the Z', and on y against the mass of chi, by both methods.

g: Z' of L_mu - L_tau without dark matter, seen where it decays to neutrinos. y: with dark matter of m_chi = M / ratio and coupling g_chi, seen where it
decays to neutrinos or chi. Masses GeV; rates are events of the whole exposure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from na64mu.analysis.backgrounds.estimate import Backgrounds
from na64mu.analysis.result import RunResult
from na64mu.analysis.yields.signal import SignalYield
from na64mu.arguments import choice
from na64mu.errors import InputError
from na64mu.physics.couplings import y_parameter
from na64mu.physics.widths import DarkMatter, invisible_fraction
from na64mu.statistics.letter import BACKGROUND_ERRORS, BACKGROUNDS, N_MOT, background_systematics, share_by_exposure
from na64mu.statistics.limits import LimitScan, limit_scan
from na64mu.statistics.model import CountingModel
from na64mu.table import Shown, Table
from na64mu.typing import FloatArray

__all__ = ("METHODS", "Counting", "DarkSector", "SearchLimits", "counting_of", "letter_counting", "search_limits", "unweighted")

METHODS = ("asymptotic", "exact")


@dataclass(frozen=True)
class Counting:
    """What a search counted, and what it expects without signal.

    Attributes
    ----------
    exposures : tuple of float
        Muons on target of configurations 1 and 2.
    backgrounds, errors : mapping of str to float
        Background -> events of the whole exposure and their standard deviation.
    observed : tuple of float or None
        Events in the signal box per configuration; None while it is blinded: then there are expected limits only.
    source : str
        Where exposure, backgrounds and counts come from.
    missing : mapping of str to str
        Background -> why it is not in the model.
    methods : mapping of str to str
        Background -> how it was estimated, with its interval and cross-checks.
    """

    exposures: tuple[float, ...]
    backgrounds: Mapping[str, float]
    errors: Mapping[str, float]
    observed: tuple[float, ...] | None
    source: str
    missing: Mapping[str, str] = field(default_factory=dict)
    methods: Mapping[str, str] = field(default_factory=dict)

    @property
    def used(self) -> tuple[int, ...]:
        """Indices of the configurations with muons on target."""
        return tuple(i for i, n in enumerate(self.exposures) if n > 0)

    def model(self, signal: Sequence[float], index: int, yields: SignalYield) -> CountingModel:
        """Counting model of one mass: the configurations with exposure, backgrounds shared out by muons on target."""
        shared = {name: share_by_exposure(events, self.exposures) for name, events in self.backgrounds.items()}
        systematics = (*yields.systematics(index), *background_systematics(self.backgrounds, self.errors))
        if len(self.used) < len(self.exposures):  # one channel: every systematic of its own size
            systematics = tuple(
                type(s)(
                    s.name,
                    {k: tuple(s.size(k, i) for i in self.used) for k in s.effects},
                    s.correlated,
                    s.shape,
                    s.source,
                )
                for s in systematics
            )
        return CountingModel(
            signal=tuple(float(signal[i]) for i in self.used),
            backgrounds={name: tuple(values[i] for i in self.used) for name, values in shared.items()},
            systematics=systematics,
            channels=tuple(f"config_{i + 1}" for i in self.used),
        )


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
        For the width of the Z' to chi; it matters only where g is not small against g_chi.
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
        Of these models.
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

    def couplings(self, method: str) -> FloatArray:
        """Limits on g, shape (n, 6): observed (NaN while blinded), expected at -2, -1, 0, 1, 2 standard deviations."""
        return self._hidden(self.scan.couplings(method))

    def events(self, method: str) -> FloatArray:
        """The same in signal events."""
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
        if math.isnan(g):
            return g
        fraction = float(invisible_fraction(mass, g, dark.dark_coupling, mass / dark.ratio, dark.kind))
        new = seen / math.sqrt(fraction)
        if abs(new - g) < 1e-12 * g:
            return new
        g = new
    return math.inf


def letter_counting(exposures: tuple[float, ...] = N_MOT) -> Counting:
    """Exposure, Table I and the empty signal box of the Letter."""
    return Counting(exposures, BACKGROUNDS, BACKGROUND_ERRORS, (0.0,) * len(exposures), "the Letter: exposure, Table I, no event observed")


def unweighted(result: RunResult) -> tuple[str, ...]:
    """Datasets whose events count as they are: data, and simulation without weights (not signal or biased processes)."""
    weighted = {
        run.dataset for run in result.exposure.runs if run.g_ref or (run.sum_weights and not math.isclose(run.sum_weights, run.n_mot))
    }
    return tuple(name for name in result.datasets if name not in weighted)


def counting_of(
    result: RunResult,
    estimates: Backgrounds | None,
    *,
    datasets: Sequence[str] | None = None,
    n_mot: float | None = None,
) -> Counting:
    """Exposure, backgrounds and counts of an output folder.

    Parameters
    ----------
    result : RunResult
    estimates : Backgrounds, optional
        Made for the muons on target asked for here; without them Table I of the Letter, scaled with the exposure.
    datasets : sequence of str, optional
        Those that count; by default the unweighted ones.
    n_mot : float, optional
        Project to so many muons on target, shared between the configurations as in the folder: expected limits only.

    Returns
    -------
    Counting
        An upper limit on a background counts as that many events with an error of 100 %; backgrounds that were not estimated stand in `missing`.

    Raises
    ------
    InputError
        If there is no exposure, or events in the box cannot be told apart by configuration.
    """
    names = tuple(unweighted(result) if datasets is None else datasets)
    unknown = [name for name in names if name not in result.datasets]
    if unknown or not names:
        msg = f"no dataset {unknown[0] if unknown else 'without weights'!r} in the output folder: there are {', '.join(result.datasets)}"
        raise InputError(msg)
    found = tuple(sum(result.exposure.n_mot(name, config) for name in names) for config in (1, 2))
    if sum(found) <= 0:
        msg = f"no muons on target in {', '.join(names)}: limits need the bookkeeping of the runs (tree 'runs' of the raw trees)"
        raise InputError(msg)
    exposures = found if n_mot is None else tuple(n * n_mot / sum(found) for n in found)
    observed = None if n_mot is not None or any(result.blinded[name] for name in names) else _observed(result, names)
    if estimates is None:
        scale = sum(exposures) / sum(N_MOT)
        expected = {name: events * scale for name, events in BACKGROUNDS.items()}
        errors = {name: error * scale for name, error in BACKGROUND_ERRORS.items()}
        return Counting(exposures, expected, errors, observed, "exposure of the output folder; Table I of the Letter scaled to it")
    rows = {row.name: row.ours for row in estimates.table.rows if row.name != "total" and not math.isnan(row.ours.value)}
    expected = {name: entry.value for name, entry in rows.items() if entry.value > 0}
    errors = {name: rows[name].value if rows[name].is_upper else rows[name].error for name in expected}
    methods = {name: rows[name].note for name in expected}
    return Counting(
        exposures, expected, errors, observed, "exposure and backgrounds of the output folder", dict(estimates.missing), methods
    )


def _observed(result: RunResult, names: Sequence[str]) -> tuple[float, ...]:
    counts = [0.0, 0.0]
    for name in names:
        n = result.regions[name]["box_after"].n
        configs = sorted({run.config for run in result.exposure.runs if run.dataset == name})
        if n and len(configs) != 1:
            msg = f"dataset {name!r}: {n} events in the signal box and runs of the configurations {configs}: give each configuration a dataset of its own (a fileset JSON)"
            raise InputError(msg)
        if n:
            counts[configs[0] - 1] += n
    return tuple(counts)


def search_limits(counting: Counting, yields: SignalYield, *, dark: DarkSector | None = None, level: float = 0.90) -> SearchLimits:
    """Limits for every mass of a signal yield.

    Parameters
    ----------
    counting : Counting
    yields : SignalYield
        For the same muons on target.
    dark : DarkSector, optional
        For the limits on y; by default as in the Letter.
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
    # while blinded, the nuisance parameters of the expected limits are fitted to the background rounded to whole events, never to the data
    first = next(iter(models.values()))
    counts = [round(sum(b[c] for b in first.backgrounds.values())) for c in range(len(first.channels))]
    if counting.observed is not None:
        counts = [int(counting.observed[i]) for i in counting.used]
    scan = limit_scan(list(models), models.values(), counts, g_ref=yields.g_ref, level=level)
    return SearchLimits(counting, yields, models, scan, dark or DarkSector())
