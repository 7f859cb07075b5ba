"""Observed counts of a search and its expected background: from an output folder, from the Letter, or a user's own numbers.

Rates are events of the whole exposure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from na64mu.analysis.backgrounds.estimate import Backgrounds
from na64mu.analysis.yields.origin import Origin
from na64mu.analysis.yields.signal import SignalYield
from na64mu.detector.alignment import SCALE_WORDS
from na64mu.errors import InputError
from na64mu.results.run import RunResult
from na64mu.statistics.letter import BACKGROUND_ERRORS, BACKGROUNDS, N_MOT, background_systematics, share_by_exposure
from na64mu.statistics.model import CountingModel, Systematic

__all__ = ("Counting", "counting_of", "letter_counting", "own_counting", "unweighted")


@dataclass(frozen=True)
class Counting:
    """Observed counts of a search and its expected background.

    Attributes
    ----------
    exposures : tuple of float
        Muons on target of configurations 1 and 2.
    backgrounds, errors : mapping of str to float
        Background -> events of the whole exposure and their standard deviation, of those that are estimated.
    observed : tuple of float or None
        Events in the signal box per configuration; None while it is blinded: then there are expected limits only.
    source : str
        Source of exposure, backgrounds and counts.
    missing : mapping of str to str
        Background -> why it is not in the model.
    methods : mapping of str to str
        Background -> how it was estimated, with its interval and cross-checks.
    bounds : mapping of str to float
        Background -> upper limit, of those of which nothing else is known. They enter the model with no event: more background makes the exact
        observed limit stronger or leaves it, so this is the safe side for it, and the expected limits hold if there is indeed none. `SearchLimits.at_the_bounds` gives the other end.
    origin : Origin
        Set-up, selection and calibration of the run; empty if it is no run of this software.

    Raises
    ------
    InputError
        If a configuration has events and no muons on target.
    """

    exposures: tuple[float, ...]
    backgrounds: Mapping[str, float]
    errors: Mapping[str, float]
    observed: tuple[float, ...] | None
    source: str
    missing: Mapping[str, str] = field(default_factory=dict)
    methods: Mapping[str, str] = field(default_factory=dict)
    bounds: Mapping[str, float] = field(default_factory=dict)
    origin: Origin = field(default_factory=Origin)

    def __post_init__(self) -> None:
        for config, (n_mot, n) in enumerate(zip(self.exposures, self.observed or (), strict=False), start=1):
            if n > 0 and not n_mot > 0:
                msg = f"{n:g} events in the signal box of trigger configuration {config}, which has no muons on target: give its exposure (tree 'runs' of the raw trees, or mot=)"
                raise InputError(msg)

    @property
    def used(self) -> tuple[int, ...]:
        """Indices of the configurations with muons on target."""
        return tuple(i for i, n in enumerate(self.exposures) if n > 0)

    def model(self, signal: Sequence[float], index: int, yields: SignalYield) -> CountingModel:
        """Counting model of one mass: the configurations with exposure, backgrounds shared out by muons on target."""
        return self._model(signal, yields.systematics(index))

    def without_yields(self) -> CountingModel:
        """Counting model of the background: its signal is one event, shared by muons on target and without systematics."""
        return self._model(share_by_exposure(1.0, self.exposures), ())

    def at_the_bounds(self) -> Counting:
        """Return the same with every bounded background at its upper limit, known without error."""
        return replace(self, backgrounds={**self.backgrounds, **self.bounds}, bounds={})

    def _model(self, signal: Sequence[float], of_signal: Sequence[Systematic]) -> CountingModel:
        shared = {name: share_by_exposure(events, self.exposures) for name, events in self.backgrounds.items()}
        systematics = (*of_signal, *background_systematics(self.backgrounds, self.errors))
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

    @property
    def counts(self) -> list[float] | None:
        """Events in the box of the configurations with exposure; None while it is blinded."""
        return None if self.observed is None else [self.observed[i] for i in self.used]


def letter_counting(exposures: tuple[float, ...] = N_MOT) -> Counting:
    """Exposure, Table I and the empty signal box of the Letter."""
    return Counting(exposures, BACKGROUNDS, BACKGROUND_ERRORS, (0.0,) * len(exposures), "the Letter: exposure, Table I, no event observed")


def own_counting(
    mot: Sequence[float], backgrounds: Mapping[str, float | tuple[float, float]], counts: Sequence[float] | None = None
) -> Counting:
    """Exposure, backgrounds and counts that a user has.

    Parameters
    ----------
    mot : sequence of float
        Muons on target of trigger configurations 1 and 2; 0 for one that was not used.
    backgrounds : mapping of str to float or (float, float)
        Background -> events of the whole exposure, or (events, standard deviation).
    counts : sequence of float, optional
        Events in the signal box per configuration; without them expected limits only.

    Returns
    -------
    Counting

    Raises
    ------
    InputError
        If a number is missing, negative or not finite.
    """
    exposures = tuple(float(n) for n in mot)
    pairs = {name: (float(v[0]), float(v[1])) if isinstance(v, tuple | list) else (float(v), 0.0) for name, v in backgrounds.items()}
    observed = None if counts is None else tuple(float(n) for n in counts)
    if len(exposures) != 2 or not all(math.isfinite(n) and n >= 0 for n in exposures) or not sum(exposures) > 0:
        msg = f"mot = {list(exposures)}: muons on target of the trigger configurations 1 and 2 are wanted, 0 for one that was not used"
        raise InputError(msg)
    for name, pair in pairs.items():
        if not all(math.isfinite(v) and v >= 0 for v in pair):
            msg = f"background {name!r}: {pair[0]:g} +- {pair[1]:g} events: finite numbers from 0 on are wanted"
            raise InputError(msg)
    if observed is not None and (len(observed) != 2 or not all(math.isfinite(n) and n >= 0 and n == round(n) for n in observed)):
        msg = f"counts = {list(observed)}: whole numbers of events in the trigger configurations 1 and 2 are wanted"
        raise InputError(msg)
    expected = {name: value for name, (value, _) in pairs.items()}
    return Counting(exposures, expected, {name: error for name, (_, error) in pairs.items()}, observed, "own counts")


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
        Backgrounds for the muons on target given here; without them Table I of the Letter, scaled with the exposure.
    datasets : sequence of str, optional
        Those that count; by default the unweighted ones.
    n_mot : float, optional
        Project to this number of muons on target, shared between the configurations as in the folder: expected limits only.

    Returns
    -------
    Counting
        Backgrounds of which only an upper limit is known are in `bounds` and enter with no event; those that were not estimated are in `missing`.

    Raises
    ------
    InputError
        If there is no exposure, or events in the box cannot be separated by configuration.
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
        source = "exposure of the output folder; Table I of the Letter scaled to it"
        return Counting(exposures, expected, errors, observed, source, origin=_origin(result))
    rows = {row.name: row.ours for row in estimates.table.rows if row.name != "total" and not math.isnan(row.ours.value)}
    expected = {name: entry.value for name, entry in rows.items() if entry.value > 0 and not entry.is_upper}
    return Counting(
        exposures,
        expected,
        {name: rows[name].error for name in expected},
        observed,
        "exposure and backgrounds of the output folder",
        missing=dict(estimates.missing),
        methods={name: entry.note for name, entry in rows.items()},
        bounds={name: entry.value for name, entry in rows.items() if entry.is_upper},
        origin=_origin(result),
    )


def _origin(result: RunResult) -> Origin:
    made = result.provenance
    scales = tuple(loss.reason for loss in result.losses if loss.kind == "note" and SCALE_WORDS in loss.reason)
    return Origin(made.selection_hash, dict(made.detectors), dict(made.calibrations), scales)


def _observed(result: RunResult, names: Sequence[str]) -> tuple[float, ...]:
    """Events in the box per configuration, of all datasets together."""
    counts = [0.0, 0.0]
    for name in names:
        regions = result.regions[name]
        n, by_config = regions["box_after"].n, [regions.get(f"box_after_{config}") for config in (1, 2)]
        configs = sorted({run.config for run in result.exposure.runs if run.dataset == name})
        if all(c is not None for c in by_config):
            for i, c in enumerate(by_config):
                counts[i] += c.n if c is not None else 0
        elif n and len(configs) != 1:
            msg = f"dataset {name!r}: {n} events in the signal box and runs of the configurations {configs}, and this output folder does not say which event is of which: make it again with `na64mu run` or `na64mu unblind`"
            raise InputError(msg)
        elif n:
            counts[configs[0] - 1] += n
    return tuple(counts)
