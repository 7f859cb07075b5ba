"""Several runs, years or set-ups as one search: their counts and yields side by side, with stated correlations.

limits = na64mu.limits_of(["run2022/", "run2023/"], correlations={"trigger_alignment": "configuration"})

A run is an output folder, or anything else that `limits_of` takes; each keeps its own exposure, backgrounds, efficiencies and counts. The result is a
`SearchLimits` like any other: limits, excess, files and figures are made of it in the same way. Correlations: `na64mu.statistics.combination`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from na64mu.analysis.counting import Counting
from na64mu.analysis.limits import DarkSector, SearchLimits, search_limits
from na64mu.analysis.yields import PileUpLoss, SignalYield
from na64mu.common.toml_model import read_toml
from na64mu.errors import InputError
from na64mu.statistics.combination import combined_model, default_rules
from na64mu.statistics.letter import share_by_exposure
from na64mu.statistics.model import CountingModel, Systematic
from na64mu.typing import FloatArray

__all__ = ("CombinedCounting", "CombinedYield", "combined_limits", "read_correlations", "run_names")

#: Counts and signal of one run.
Part = tuple[Counting, SignalYield]


@dataclass(frozen=True)
class CombinedCounting(Counting):
    """Counts and backgrounds of several runs; the sums of their backgrounds are for display, the model holds those of every run.

    Attributes
    ----------
    parts : mapping of str to Counting
        Run -> its counting.
    rules : mapping of str to str
        Source of uncertainty -> which channels share its parameter.
    """

    parts: Mapping[str, Counting] = field(default_factory=dict)
    rules: Mapping[str, str] = field(default_factory=dict)

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of all configurations of all runs."""
        return tuple(f"{run}_{channel}" for run, part in self.parts.items() for channel in part.channels)

    def model(self, signal: Sequence[float], index: int, yields: SignalYield) -> CountingModel:
        """Counting model of one mass: all configurations with exposure of all runs."""
        assert isinstance(yields, CombinedYield)
        # one event in place of the signal, for a run may have none at this mass
        models = {run: part.model((1.0,) * len(part.exposures), index, yields.parts[run]) for run, part in self.parts.items()}
        return combined_model(models, self.rules).with_signal([signal[i] for i in self.used])

    def without_yields(self) -> CountingModel:
        """Counting model of the background: its signal is one event, shared by muons on target and without systematics."""
        models = {run: part.without_yields() for run, part in self.parts.items()}
        known = default_rules(models)
        shared = share_by_exposure(1.0, self.exposures)
        chosen = combined_model(models, {name: rule for name, rule in self.rules.items() if name in known})
        return chosen.with_signal([shared[i] for i in self.used])

    def at_the_bounds(self) -> CombinedCounting:
        """Return the same with every bounded background at its upper limit, known without error."""
        return _counting({run: part.at_the_bounds() for run, part in self.parts.items()}, self.rules)


@dataclass(frozen=True)
class CombinedYield(SignalYield):
    """Signal of several runs.

    Attributes
    ----------
    parts : mapping of str to SignalYield
        Run -> its signal; rates, efficiencies and losses of the whole are means by muons on target.
    """

    parts: Mapping[str, SignalYield] = field(default_factory=dict)

    def events(self, *, invisible: FloatArray | None = None) -> FloatArray:
        """Signal events of all configurations of all runs at g_ref, shape (n, n_configurations)."""
        return np.concatenate([part.events(invisible=invisible) for part in self.parts.values()], axis=1)

    def systematics(self, index: int) -> tuple[Systematic, ...]:
        """The runs have their own, see `parts`; there are none of the whole."""
        msg = f"systematics of {len(self.parts)} runs at mass {index}: they are those of each of .parts"
        raise InputError(msg)


def run_names(folders: Sequence[str | Path]) -> tuple[str, ...]:
    """Names of output folders as names of runs: their last part, with the folder above it where that alone is not unique.

    Parameters
    ----------
    folders : sequence of str or Path

    Returns
    -------
    tuple of str
        Letters, digits and underscores.

    Raises
    ------
    InputError
        If a folder is given twice.
    """
    places = [Path(folder).resolve() for folder in folders]
    for place in places:
        if places.count(place) > 1:
            msg = f"{place.name}/ is given twice: its exposure and events would count twice; give every output folder once"
            raise InputError(msg)
    for depth in range(1, max(len(place.parts) for place in places) + 1):
        names = [re.sub(r"\W+", "_", "_".join(place.parts[-depth:]), flags=re.ASCII).strip("_") or "run" for place in places]
        if len(set(names)) == len(names):
            break
    return tuple(names) if len(set(names)) == len(names) else tuple(f"run_{i + 1}" for i in range(len(places)))


def read_correlations(rules: Mapping[str, str] | str | Path | None) -> dict[str, str]:
    """Rules of a combination, from a mapping or the table [correlations] of a TOML file.

    Parameters
    ----------
    rules : mapping, str or Path, optional
        Source -> rule, or the file.

    Returns
    -------
    dict of str to str

    Raises
    ------
    InputError
        If the file cannot be read, or holds anything else.
    """
    if rules is None or isinstance(rules, Mapping):
        return dict(rules or {})
    content = read_toml(Path(rules), InputError)
    table = content.get("correlations")
    if list(content) != ["correlations"] or not isinstance(table, dict) or not all(isinstance(rule, str) for rule in table.values()):
        msg = f'{rules}: one table [correlations] is wanted, with lines such as trigger_alignment = "configuration"'
        raise InputError(msg)
    return dict(table)


def combined_limits(
    parts: Mapping[str, Part], rules: Mapping[str, str] | None = None, *, dark: DarkSector | None = None, level: float = 0.90
) -> SearchLimits:
    """Limits of several runs in one likelihood.

    Parameters
    ----------
    parts : mapping of str to (Counting, SignalYield)
        Run -> its counts and its signal, for the same masses and coupling.
    rules : mapping of str to str, optional
        Source -> "correlated", "configuration", "run" or "uncorrelated". Without a rule: what a run has for each configuration alone stays alone, but the statistics of
        one table of efficiencies used for all runs are shared by configuration; errors of own backgrounds belong to the run, those of Table I to all; the rest is common to all.
    dark : DarkSector, optional
        Dark sector for the limits on y.
    level : float
        Confidence level.

    Returns
    -------
    SearchLimits
        Expected limits only if one of the runs is blinded.

    Raises
    ------
    InputError
        If a run is in two of them, or masses or couplings differ.
    """
    _refuse_twice({run: counting for run, (counting, _) in parts.items()})
    yields = _yields({run: signal for run, (_, signal) in parts.items()})
    models = {run: counting.model((1.0,) * len(counting.exposures), 0, signal) for run, (counting, signal) in parts.items()}
    chosen = default_rules(models)
    signals = [signal for _, signal in parts.values()]
    if "efficiency_statistics" in chosen and all(np.array_equal(s.efficiency, signals[0].efficiency) for s in signals):
        chosen["efficiency_statistics"] = "configuration"
    if not any(counting.methods for counting, _ in parts.values()):  # Table I, or numbers that were given: one estimate for all
        chosen |= {name: "correlated" for name in chosen if name.startswith("background_")}
    combined_model(models, rules)  # checks the rules
    counting = _counting({run: counting for run, (counting, _) in parts.items()}, {**chosen, **(rules or {})})
    return search_limits(counting, yields, dark=dark, level=level)


def _refuse_twice(parts: Mapping[str, Counting]) -> None:
    """Exposure belongs to a run and its configuration: nobody may count it twice."""
    owner: dict[tuple[int, int], str] = {}
    for name, part in parts.items():
        for key in part.runs:
            if key in owner:
                msg = f"run {key[0]} of configuration {key[1]} is in {owner[key]} and in {name}: its exposure and events would count twice; take one of the two, or make one output folder of all its files"
                raise InputError(msg)
        owner |= dict.fromkeys(part.runs, name)


def _counting(parts: Mapping[str, Counting], rules: Mapping[str, str]) -> CombinedCounting:
    """Sums of the runs, and the runs themselves."""
    each = list(parts.values())
    names = dict.fromkeys(name for part in each for name in part.backgrounds)
    opened = all(part.observed is not None for part in each)
    squares = {name: sum(part.errors.get(name, 0.0) ** 2 for part in each) for name in names}
    bounds = {name: sum(p.bounds.get(name, 0.0) for p in each) for name in dict.fromkeys(n for p in each for n in p.bounds)}
    return CombinedCounting(
        exposures=tuple(n for part in each for n in part.exposures),
        backgrounds={name: sum(part.backgrounds.get(name, 0.0) for part in each) for name in names},
        errors={name: math.sqrt(square) for name, square in squares.items()},
        observed=tuple(n for part in each for n in part.observed or ()) if opened else None,
        source="combination of " + "; ".join(f"{run} ({part.source})" for run, part in parts.items()),
        missing={f"{name} of {run}": why for run, part in parts.items() for name, why in part.missing.items()},
        methods={
            name: "; ".join(f"{run}: {part.methods[name]}" for run, part in parts.items() if name in part.methods)
            for name in dict.fromkeys(n for p in each for n in p.methods)
        },
        bounds=bounds,
        origin=each[0].origin,
        runs=tuple(key for part in each for key in part.runs),
        parts=parts,
        rules=rules,
    )


def _yields(parts: Mapping[str, SignalYield]) -> CombinedYield:
    each = list(parts.values())
    first = each[0]
    for run, part in parts.items():
        if not np.array_equal(part.masses, first.masses) or part.g_ref != first.g_ref:
            msg = f"run {run}: its signal was computed for other masses, or another coupling, than that of {next(iter(parts))}: give the same masses= and g_ref= for all"
            raise InputError(msg)
    exposures = tuple(n for part in each for n in part.exposures)
    shares = np.array([sum(part.exposures) for part in each]) / sum(exposures)
    loss = float(sum(s * part.pile_up_loss.value for s, part in zip(shares, each, strict=True)))
    error = float(sum(s * part.pile_up_loss.error for s, part in zip(shares, each, strict=True)))
    kept = [(1.0 - part.pile_up_loss.value) / (1.0 - loss) for part in each]
    return CombinedYield(
        masses=first.masses,
        g_ref=first.g_ref,
        exposures=exposures,
        per_muon=np.asarray(sum(s * part.per_muon for s, part in zip(shares, each, strict=True))),
        invisible=first.invisible,
        efficiency=np.concatenate([k * part.efficiency for k, part in zip(kept, each, strict=True)], axis=1),
        efficiency_error=np.concatenate([k * part.efficiency_error for k, part in zip(kept, each, strict=True)], axis=1),
        pile_up_loss=replace(first.pile_up_loss, value=loss, error=error) if len(each) == 1 else PileUpLoss(loss, error, _losses(each)),
        parts=parts,
    )


def _losses(parts: Sequence[SignalYield]) -> str:
    found = list(dict.fromkeys(part.pile_up_loss.source for part in parts))
    return found[0] if len(found) == 1 else "mean of the runs: " + "; ".join(found)
