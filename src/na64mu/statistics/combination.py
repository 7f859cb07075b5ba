"""One likelihood of several runs, years or experiments: their channels side by side, and which nuisance parameters they share.

A rule for every source of uncertainty says which channels have its parameter in common:

- "correlated": all of them;
- "configuration": those of the same trigger configuration, in all runs;
- "run": those of the same run, in all configurations;
- "uncorrelated": none.

Sizes stay those of the runs: a correlated source may be 2 % in one and 5 % in another, and moves both together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, get_args

from na64mu.common.arguments import one_of
from na64mu.errors import StatisticsError
from na64mu.statistics.model import SIGNAL, CountingModel, Systematic

__all__ = ("Rule", "combined_model", "default_rules")

#: Which channels share the nuisance parameter of a source.
Rule = Literal["correlated", "configuration", "run", "uncorrelated"]


def default_rules(models: Mapping[str, CountingModel]) -> dict[str, str]:
    """Rules where none is given.

    Parameters
    ----------
    models : mapping of str to CountingModel
        Run -> its model.

    Returns
    -------
    dict of str to str
        Source -> rule: "uncorrelated" for what has its own parameter in every channel of a run; of the others "run" for errors of backgrounds alone, which every
        run estimates for itself, and "correlated" for all that touches the signal (theory, target, response).
    """
    rules: dict[str, str] = {}
    for source in _sources(models.values()):
        if not source.correlated:
            rules[source.name] = "uncorrelated"
        elif rules.get(source.name) != "uncorrelated":
            rules[source.name] = "correlated" if SIGNAL in source.effects else "run"
    return rules


def _sources(models: Iterable[CountingModel]) -> list[Systematic]:
    return [source for model in models for source in model.systematics]


def combined_model(models: Mapping[str, CountingModel], rules: Mapping[str, str] | None = None) -> CountingModel:
    """Join the models of several runs.

    Parameters
    ----------
    models : mapping of str to CountingModel
        Run -> its model. The names go before those of the channels: letters, digits and underscores.
    rules : mapping of str to str, optional
        Source -> "correlated", "configuration", "run" or "uncorrelated"; for the others those of `default_rules`.

    Returns
    -------
    CountingModel
        Channels "run_channel" in the order of the runs; a background that a run does not have is zero there.

    Raises
    ------
    StatisticsError
        If there is no run, a rule is unknown or for no source, or a source has two shapes.
    """
    if not models:
        msg = "no run to combine: give at least one model"
        raise StatisticsError(msg)
    chosen = default_rules(models)
    for name, rule in (rules or {}).items():
        if name not in chosen:
            msg = f"no source {name!r} in the runs: there are {', '.join(chosen)}"
            raise StatisticsError(msg)
        chosen[name] = one_of(rule, get_args(Rule), f"rule of {name}", StatisticsError)
    backgrounds = {name: () for model in models.values() for name in model.backgrounds}
    return CountingModel(
        signal=tuple(s for model in models.values() for s in model.signal),
        backgrounds={
            name: tuple(b for model in models.values() for b in model.backgrounds.get(name, (0.0,) * len(model.channels)))
            for name in backgrounds
        },
        systematics=tuple(s for name, rule in chosen.items() for s in _joined(name, rule, models)),
        channels=tuple(f"{run}_{channel}" for run, model in models.items() for channel in model.channels),
    )


def _joined(name: str, rule: str, models: Mapping[str, CountingModel]) -> list[Systematic]:
    """One systematic for each group of channels that share a parameter of this source; one for all where no channel shares it."""
    places = [(run, model, c) for run, model in models.items() for c in range(len(model.channels))]
    of_run = {run: next((s for s in model.systematics if s.name == name), None) for run, model in models.items()}
    known = [s for s in of_run.values() if s is not None]
    shapes = sorted({s.shape for s in known})
    if len(shapes) > 1:
        msg = f"systematic {name} is {' in one run and '.join(shapes)} in another: one parameter has one shape"
        raise StatisticsError(msg)
    samples = dict.fromkeys(sample for s in known for sample in s.effects)
    origin = "; ".join(dict.fromkeys(s.source for s in known if s.source))

    def effects(group: str | None) -> dict[str, float | tuple[float, ...]]:
        """Sizes in the channels of one group, all channels without one."""
        return {
            sample: tuple(
                s.size(sample, c) if (s := of_run[run]) is not None and group in (None, _group(rule, run, model.channels[c])) else 0.0
                for run, model, c in places
            )
            for sample in samples
        }

    shape = known[0].shape
    if rule in ("correlated", "uncorrelated"):
        return [Systematic(name, effects(None), correlated=rule == "correlated", shape=shape, source=origin)]
    groups = dict.fromkeys(_group(rule, run, model.channels[c]) for run, model, c in places)
    return [Systematic(f"{name}_{group}", effects(group), shape=shape, source=origin) for group in groups]


def _group(rule: str, run: str, channel: str) -> str:
    return run if rule == "run" else channel
