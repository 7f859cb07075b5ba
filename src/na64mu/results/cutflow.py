"""The cut-flow: events left after every cut, an addable value that is the same for every chunking and executor.

Counts are raw integers; sums of weights are kept beside them, and are exact until they are rounded at the end (na64mu.results.exact). N-1 of a cut is the number of events that pass all other cuts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from na64mu.common.table import Table
from na64mu.errors import CutFlowMismatchError
from na64mu.results.exact import sums_of_weights
from na64mu.results.recorded import must_be
from na64mu.statistics.binomial import Efficiency, clopper_pearson
from na64mu.typing import BoolArray, FloatArray

__all__ = ("CutFlow", "Step")

#: Name of the step before any cut.
START = "events"


@dataclass(frozen=True)
class Step:
    """One row: events left after this cut and all before it, and N-1 of this cut.

    Attributes
    ----------
    name, label : str
        Name of the cut function, and how a table calls it.
    n : int
        Events left.
    sumw, sumw2 : float
        Their sum of weights and of squared weights.
    n_minus_1 : int
        Events that pass every cut but this one (for the first row: every cut).
    n_minus_1_sumw, n_minus_1_sumw2 : float
        The same with weights.
    """

    name: str
    label: str
    n: int = 0
    sumw: float = 0.0
    sumw2: float = 0.0
    n_minus_1: int = 0
    n_minus_1_sumw: float = 0.0
    n_minus_1_sumw2: float = 0.0

    def __add__(self, other: Step) -> Step:
        sums = {f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)[2:]}
        return Step(self.name, self.label, **sums)


@dataclass(frozen=True)
class CutFlow:
    """All steps in order; the first one is "events", before any cut."""

    steps: tuple[Step, ...]

    @classmethod
    def from_masks(
        cls,
        masks: Mapping[str, BoolArray],
        weights: FloatArray,
        *,
        labels: Mapping[str, str] | None = None,
        visible: BoolArray | None = None,
        hidden_at: str | None = None,
    ) -> CutFlow:
        """Count the events of one chunk.

        Parameters
        ----------
        masks : mapping of str to BoolArray
            Cut name -> events that pass it, shape (n_events,), in the order of the cuts.
        weights : FloatArray
            Event weights, shape (n_events,).
        labels : mapping of str to str, optional
            Cut name -> label of its row.
        visible : BoolArray, optional
            Events that are not blinded, shape (n_events,). The others count as failing the cut `hidden_at`,
            and are in no N-1: their number cannot be read from any difference of rows.
        hidden_at : str, optional
            The first cut on reconstructed quantities.

        Returns
        -------
        CutFlow
            One step more than there are masks.
        """
        labels = {} if labels is None else labels
        shown = np.ones(len(weights), dtype=np.bool_) if visible is None else visible
        names = list(masks)
        passes = {name: masks[name] & shown if name == hidden_at else masks[name] for name in names}
        left = np.ones(len(weights), dtype=np.bool_)
        steps = [
            Step(
                START,
                labels.get(START, "events"),
                *sums_of_weights(left, weights),
                *sums_of_weights(_all_but(passes, None, shown), weights),
            )
        ]
        for name in names:
            left = left & passes[name]
            steps.append(
                Step(
                    name, labels.get(name, name), *sums_of_weights(left, weights), *sums_of_weights(_all_but(passes, name, shown), weights)
                )
            )
        return cls(tuple(steps))

    def __add__(self, other: CutFlow) -> CutFlow:
        """Add two cut-flows of the same cuts.

        Raises
        ------
        CutFlowMismatchError
            If the steps differ.
        """
        if not isinstance(other, CutFlow):
            return NotImplemented
        if self.names != other.names:
            msg = f"cut-flows with different steps cannot be added: {list(self.names)} and {list(other.names)}; use one working point for both"
            raise CutFlowMismatchError(msg)
        return CutFlow(tuple(a + b for a, b in zip(self.steps, other.steps, strict=True)))

    def __getitem__(self, name: str) -> Step:
        """The step of one cut.

        Raises
        ------
        KeyError
            Naming the cuts there are.
        """
        for step in self.steps:
            if step.name == name:
                return step
        msg = f"no cut {name!r} in this cut-flow: it has {list(self.names)}"
        raise KeyError(msg)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the steps, "events" first."""
        return tuple(step.name for step in self.steps)

    @property
    def counts(self) -> tuple[int, ...]:
        """Events left after every step."""
        return tuple(step.n for step in self.steps)

    def efficiency(self, name: str) -> Efficiency:
        """Events left after a cut, relative to the step before it (for the first: to itself)."""
        index = self.names.index(self[name].name)
        return clopper_pearson(self.steps[index].n, self.steps[max(index - 1, 0)].n)

    def cumulative_efficiency(self, name: str) -> Efficiency:
        """Events left after a cut, relative to all events."""
        return clopper_pearson(self[name].n, self.steps[0].n)

    def n_minus_1_efficiency(self, name: str) -> Efficiency:
        """Events that pass all cuts, relative to those that pass all cuts but this one."""
        return clopper_pearson(self.steps[0].n_minus_1, self[name].n_minus_1)

    def to_dict(self) -> dict[str, Any]:
        """The steps as plain numbers, ready for JSON."""
        return {"steps": [asdict(step) for step in self.steps]}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> CutFlow:
        """The inverse of `to_dict`."""
        steps = tuple(Step(**must_be(Step, step, "steps")) for step in content["steps"])
        if not steps:
            msg = "a cut-flow without a step"
            raise ValueError(msg)
        return cls(steps)

    def rows(self) -> list[tuple[str, int, float, float, int]]:
        """Label, events, efficiency of the step, cumulative efficiency, N-1 of every step: what a table shows."""
        return [(s.label, s.n, self.efficiency(s.name).value, self.cumulative_efficiency(s.name).value, s.n_minus_1) for s in self.steps]

    def __repr__(self) -> str:
        width = max(len(step.label) for step in self.steps)
        lines = [f"{'cut':<{width}}  {'events':>10}  {'eff.':>7}  {'cum.':>7}  {'N-1':>10}"]
        for i, (label, n, relative, total, n_minus_1) in enumerate(self.rows()):
            last = f"{n_minus_1:>10}" if i else " " * 10
            lines.append(f"{label:<{width}}  {n:>10}  {_percent(relative):>7}  {_percent(total):>7}  {last}".rstrip())
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = tuple(
            (label, str(n), _percent(relative), _percent(total), str(n_minus_1) if i else "")
            for i, (label, n, relative, total, n_minus_1) in enumerate(self.rows())
        )
        return Table("", ("cut", "events", "eff.", "cum.", "N-1"), rows).html()


def _all_but(passes: Mapping[str, BoolArray], name: str | None, shown: BoolArray) -> BoolArray:
    mask = shown.copy()
    for other, passed in passes.items():
        if other != name:
            mask &= passed
    return mask


def _percent(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2%}"
