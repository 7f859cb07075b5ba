"""The output of coffea's own Runner as a result: its muons on target are those of the files, if these are given."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from na64mu.detector import DetectorLike
from na64mu.inputs.bookkeeping import counts_of
from na64mu.inputs.duplicates import Excluded
from na64mu.inputs.entry_ranges import Ranges, complement
from na64mu.inputs.raw_fileset import Fileset, inspect_files
from na64mu.inputs.source import RawSource
from na64mu.processors.base import name_of
from na64mu.results.exposure import Exposure
from na64mu.results.losses import Loss
from na64mu.results.processor import ProcessorResult
from na64mu.results.provenance import InputFile, Provenance, merged_ranges, repository_state

if TYPE_CHECKING:
    from na64mu.events.layout import Layout

__all__ = ("result_of_runner",)

UNKNOWN = (
    "the muons on target are unknown: give the files with files=, and `Runner.run` in place of the call where some may not have been read"
)
NOT_BLINDED = "coffea's Runner hides nothing: the processor was given the events of the signal box of data too; `na64mu.run` withholds them"


def result_of_runner(
    out: Any,
    files: Iterable[str | Path] | str | Path | None = None,
    *,
    processor: Any = None,
    detector: DetectorLike | None = None,
    layout: Layout | None = None,
) -> ProcessorResult:
    """Make a result of what coffea's own Runner returned, to write and to report it like that of `na64mu.run`.

    Parameters
    ----------
    out : Any
        What `runner(fileset, processor)` returned, or `runner.run(...)`, which also says what was processed.
    files : str, Path or iterable of them, optional
        The files that were given to it, as in `na64mu.run`; without them the exposure is unknown, which the result says.
    processor : Any, optional
        The processor, for its name in the provenance.
    detector, layout
        As in `na64mu.run`.

    Returns
    -------
    ProcessorResult
        The value; `values` has it by dataset if its keys are the datasets.

    Raises
    ------
    InputError
        If a file cannot be read.
    """
    ran = isinstance(out, Mapping) and {"out", "processed"} <= {*out}
    value, processed = (out["out"], out["processed"]) if ran else (out, None)
    started = datetime.now(UTC).isoformat(timespec="seconds")
    losses: list[Loss] = []
    inputs: tuple[InputFile, ...] = ()
    exposure = Exposure((), (UNKNOWN,))
    datasets: dict[str, bool] = {}
    if files is not None:
        fileset = inspect_files(files, detector=detector, layout=layout, steps=True)
        read = _read(fileset, processed)
        exposure, losses, inputs = _bookkeeping(fileset, read)
        datasets = {f.dataset: f.is_data for f in fileset.files}
    if files is None or any(datasets.values()):
        losses.append(Loss("", "", "note", NOT_BLINDED))
    by_dataset = isinstance(value, Mapping) and bool(value) and (not datasets or {*value} <= {*datasets})
    commit, clean = repository_state()
    name = "a processor of coffea" if processor is None else name_of(processor)
    return ProcessorResult(
        value=value,
        values=dict(value) if by_dataset else {},
        blinded=dict.fromkeys(datasets or (value if by_dataset else ("all",)), False),
        exposure=exposure,
        losses=tuple(losses),
        provenance=Provenance(
            "", "", "", {}, {}, inputs, "coffea's Runner", 0, 0, None, started, started, commit=commit, clean=clean, processor={name: ""}
        ),
    )


def _read(fileset: Fileset, processed: Any) -> dict[tuple[str, str], Ranges]:
    """Entries of every file that were processed: all, where the Runner does not say it."""
    if processed is None:
        return {(f.dataset, f.path): ((0, f.entries),) if f.entries else () for f in fileset.files}
    found = defaultdict(list)
    for item in processed:
        found[str(Path(item.filename).resolve())].append((int(item.entrystart), int(item.entrystop)))
    return {(f.dataset, f.path): merged_ranges(found[str(Path(f.path).resolve())]) for f in fileset.files}


def _bookkeeping(fileset: Fileset, read: Mapping[tuple[str, str], Ranges]) -> tuple[Exposure, list[Loss], tuple[InputFile, ...]]:
    events: dict[tuple[str, str, int, int], int] = {}
    unread, inputs, losses = {}, [], list(fileset.losses)
    for file in fileset.files:
        key = file.dataset, file.path
        for (run, config), n in (counts_of(file, read[key], Excluded()) or {}).items():
            events[(*key, run, config)] = n
        unread[key] = complement(read[key], file.entries)
        inputs.append(InputFile(file.dataset, file.path, file.uuid, file.detector, file.entries, read[key], unread[key], "", ()))
        losses += [
            Loss(*key, "chunk", f"{file.path}: entries {a} to {b - 1} were not processed by coffea's Runner", a, b) for a, b in unread[key]
        ]
    exposure, problems = RawSource(fileset).books(events, unread)
    return exposure, [*losses, *problems], tuple(inputs)
