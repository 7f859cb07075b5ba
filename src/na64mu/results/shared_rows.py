"""Rows of the bookkeeping that several files share: a run that was split counts once, each file with its part of the events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ("part_of", "share", "shared_sentence", "statement")


def statement(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what a row of the bookkeeping says of a run: equal for files of one run that was split."""
    whole = (int(row[name]) for name in ("run", "config", "n_mot", "n_generated"))
    return (*whole, float(row["sum_weights"]), int(row.get("seed", 0)))


def shared_sentence(shared: tuple[tuple[Any, ...], Mapping[str, int]]) -> str:
    """Return one sentence about a statement that several files make; an empty one if one file does."""
    (run, config, n_mot, *_), files = shared
    if len(files) < 2:
        return ""
    first, second, *others = files
    more = f" and {len(others)} more" if others else ""
    return (
        f"{second}: run {run}, config {config} has the same bookkeeping as in {first}{more}: its {n_mot} muons on target count once, "
        "each file with its part of the events"
    )


def share(files: Mapping[str, int], file: str) -> float:
    """Return the part of the events of all files that one has; equal parts if there are none."""
    total = sum(files.values())
    return files[file] / total if total else 1.0 / len(files)


def part_of(row: Mapping[str, Any], files: Mapping[str, int], file: str) -> dict[str, Any]:
    """Return the row with the part of its numbers that one file represents; the parts of all files add up exactly."""
    weights = files if any(files.values()) else dict.fromkeys(files, 1)
    total, at = sum(weights.values()), list(files).index(file)
    before = sum(list(weights.values())[:at])
    behind = before + weights[file]
    whole = {name: int(row[name]) * behind // total - int(row[name]) * before // total for name in ("n_mot", "n_generated")}
    return {**row, **whole, "sum_weights": float(row["sum_weights"]) * share(files, file)}
