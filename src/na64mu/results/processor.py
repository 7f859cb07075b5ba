"""The result of a run with a processor of the user's own: what it returned, added up, with the bookkeeping of the run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from na64mu.common.table import Shown, Table
from na64mu.results.exposure import Exposure
from na64mu.results.losses import Loss
from na64mu.results.provenance import Provenance
from na64mu.results.run import Timing

__all__ = ("ProcessorResult",)


@dataclass(frozen=True, repr=False)
class ProcessorResult(Shown):
    """What `na64mu.run` returns for a processor of the user's own.

    Attributes
    ----------
    value : Any
        Sum over all datasets; for a coffea processor, what its `postprocess` makes of the sum. None if no event was given to the processor.
    values : dict of str to Any
        Dataset -> sum over its chunks; a dataset of which no event was given to the processor is missing.
    blinded : dict of str to bool
        Dataset -> whether the events of the signal box were withheld from the processor.
    exposure : Exposure
    losses : tuple of Loss
        What could not be read.
    provenance : Provenance
    timing : Timing
        The time in the processor is `fill`.
    """

    value: Any
    values: dict[str, Any]
    blinded: dict[str, bool]
    exposure: Exposure
    losses: tuple[Loss, ...]
    provenance: Provenance
    timing: Timing = field(default_factory=Timing)

    @property
    def datasets(self) -> tuple[str, ...]:
        """Names of the datasets, in order."""
        return tuple(self.blinded)

    @property
    def exit_code(self) -> int:
        """0 if everything was read, 3 if input was lost."""
        return 3 if any(loss.is_damage for loss in self.losses) else 0

    def _table(self) -> Table:
        rows = tuple(
            (
                name,
                "blinded" if blinded else "visible",
                f"{self.exposure.n_mot(name):.6g}",
                _short(self.values[name]) if name in self.values else "-",
            )
            for name, blinded in self.blinded.items()
        )
        lost = sum(loss.is_damage for loss in self.losses)
        notes = [f"{lost} losses of input, see .losses"] if lost else []
        notes.append("look on: .value, .values[dataset], .exposure, .losses, .provenance")
        (name,) = self.provenance.processor
        return Table(f"run of the processor {name}", ("dataset", "signal box", "muons on target", "value"), rows, tuple(notes))


def _short(value: Any) -> str:
    """A value in a cell of a table."""
    if isinstance(value, dict):
        return f"{len(value)} entries: {', '.join(map(str, list(value)[:4]))}{', ...' if len(value) > 4 else ''}"
    if isinstance(value, bool | int | float):
        return f"{value:.6g}"
    return type(value).__name__
