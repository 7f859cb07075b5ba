"""What could not be read: nothing is lost silently, every loss is one sentence with its file and entries."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from na64mu.common.arguments import one_of

__all__ = ("Loss", "LossKind")

LossKind = Literal["file", "chunk", "duplicate", "bookkeeping", "refused", "units", "masked", "skipped", "note"]

#: Kinds of losses with which a run ends with exit code 3.
DAMAGE = frozenset({"file", "chunk", "duplicate", "bookkeeping", "refused", "units"})


@dataclass(frozen=True, order=True)
class Loss:
    """One loss.

    Attributes
    ----------
    dataset, file : str
        Where it happened.
    kind : str
        "file": a whole file could not be used; "chunk": a range of entries could not be read; "duplicate": events (or a whole
        file) occur twice and count once; "bookkeeping": some events have no muons on target; "refused": events with a fault were taken out
        (na64mu.events.fault_rules); "units": energies are not in the unit of the raw tree; "masked": single rows with a fault were dropped;
        "skipped": the user asked not to read it (`maxchunks`); "note": nothing was lost, but it is worth knowing (no events in the file).
    reason : str
        One sentence: what, where, what was expected, what to do.
    entry_start, entry_stop : int
        Entries lost, half open; -1 if their number is unknown.
    """

    dataset: str
    file: str
    kind: LossKind
    reason: str
    entry_start: int = -1
    entry_stop: int = -1

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", one_of(self.kind, get_args(LossKind), "kind"))

    @property
    def is_damage(self) -> bool:
        """Whether the input is not what the user asked for (then the exit code is 3)."""
        return self.kind in DAMAGE

    @property
    def n_entries(self) -> int | None:
        """Entries lost; None if unknown."""
        return None if self.entry_stop < 0 else self.entry_stop - self.entry_start

    def __str__(self) -> str:
        return self.reason

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)
