"""Steps that record their inputs: finished ones are not repeated, stale ones are.

Every step owns a folder and a record `steps/<step>.json`: a hash of its inputs (parameters, all code that its work can reach, the files of the steps before it) and
of the files it wrote. A step is finished if the record names the inputs of today and the files are as it left them.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from na64mu.common.code_closure import closure_hash
from na64mu.common.processes import pool
from na64mu.common.toml_model import content_hash
from na64mu.common.whole_file import write_whole
from na64mu.compiled.folder import kernel_folder
from na64mu.errors import CheckpointError, writing
from na64mu.results.provenance import file_hash

__all__ = ("Record", "Step", "Workflow")

logger = logging.getLogger(__name__)

Work = Callable[[Path, Mapping[str, Any]], Sequence[Path]]


@dataclass(frozen=True)
class Step:
    """A step of the paper.

    Attributes
    ----------
    name : str
        Name of the step, of its record and of its folder.
    title : str
        Title for the progress bar and the report.
    work : callable
        Makes the files: (folder of the step, parameters) -> files written. Steps that may run side by side are sent to other processes.
    parameters : mapping
        Plain values passed to `work`.
    after : tuple of str
        Steps whose files it reads.
    shared_folder : str
        Folder to write to instead of its own, for many small steps.
    how : mapping
        Further values for `work` that do not change what it makes, such as a number of processes: they are no inputs.
    """

    name: str
    title: str
    work: Work
    parameters: Mapping[str, Any] = field(default_factory=dict)
    after: tuple[str, ...] = ()
    shared_folder: str = ""
    how: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Record:
    """Record of a finished step.

    Attributes
    ----------
    step, inputs : str
        Name, and hash of the inputs.
    files : mapping of str to str
        File, relative to the paper's folder -> SHA-256.
    seconds, cpu_seconds : float
        Wall-clock and CPU time of the step [s].
    """

    step: str
    inputs: str
    files: Mapping[str, str]
    seconds: float
    cpu_seconds: float

    @property
    def digest(self) -> str:
        """Hash of the files, for the steps behind it."""
        return content_hash(dict(self.files))


class Workflow:
    """Steps in a folder.

    Parameters
    ----------
    folder : Path
        Made if it does not exist.
    fresh : bool
        Repeat every step, finished or not.
    """

    def __init__(self, folder: Path, *, fresh: bool = False) -> None:
        self.folder = folder
        self.fresh = fresh
        self.records: dict[str, Record] = {}
        self.repeated: list[str] = []
        with writing(folder):
            (folder / "steps").mkdir(parents=True, exist_ok=True)

    def run(self, step: Step) -> Record:
        """Run a step in this process, if it is not finished."""
        inputs = self.inputs_of(step)
        found = self._finished(step, inputs)
        if found is None:
            logger.info("step %s", step.name)
            self._begin()
            found = self._write(step, inputs, *_timed(step.work, self.place_of(step), {**step.parameters, **step.how}))
        self.records[step.name] = found
        return found

    def run_together(self, steps: Iterable[Step], workers: int, progress: Callable[[Step], object] | None = None) -> None:
        """Run steps that do not need each other in several processes; finished ones are left alone.

        Parameters
        ----------
        steps : iterable of Step
        workers : int
            Processes; 1 is this process.
        progress : callable, optional
            Called after each step.
        """
        waiting: list[tuple[Step, str]] = []
        for step in steps:
            inputs = self.inputs_of(step)
            found = self._finished(step, inputs)
            if found is None:
                waiting.append((step, inputs))
            else:
                self.records[step.name] = found
                if progress is not None:
                    progress(step)
        if not waiting:
            return
        if workers == 1:
            for step, _ in waiting:
                self.run(step)
                if progress is not None:
                    progress(step)
            return
        self._begin()
        kernel_folder()  # chosen before any worker starts: they share a temporary one
        with pool(workers, keep=True) as processes:
            futures: dict[Future[tuple[dict[str, str], float, float]], tuple[Step, str]] = {
                processes.submit(_timed, step.work, self.place_of(step), {**step.parameters, **step.how}): (step, inputs)
                for step, inputs in waiting
            }
            try:
                for future in as_completed(futures):
                    step, inputs = futures[future]
                    self.records[step.name] = self._write(step, inputs, *future.result())
                    if progress is not None:
                        progress(step)
            finally:  # after an error or an interrupt, what has not begun is not begun
                for future in futures:
                    future.cancel()

    def place_of(self, step: Step) -> Path:
        """Folder that a step writes to."""
        return self.folder / (step.shared_folder or step.name)

    def inputs_of(self, step: Step) -> str:
        """Hash of everything that decides what a step makes.

        Raises
        ------
        CheckpointError
            If a step before it has not run.
        """
        missing = [name for name in step.after if name not in self.records]
        if missing:
            msg = f"step {step.name} needs step {missing[0]}, which has not run: run the steps in their order"
            raise CheckpointError(msg)
        before = {name: self.records[name].digest for name in step.after}
        given = [
            value for value in step.parameters.values() if isinstance(value, str) and value.endswith(".toml") and Path(value).is_file()
        ]
        before |= {name: file_hash(name) for name in given}  # a description or selection of the user's own
        return content_hash({"parameters": dict(step.parameters), "code": closure_hash(step.work), "before": before})

    def _finished(self, step: Step, inputs: str) -> Record | None:
        path = self._record_path(step.name)
        if self.fresh or not path.is_file():
            return None
        try:
            record = Record(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None  # an interrupted write; the step is repeated
        if record.inputs != inputs:
            logger.info("step %s: made from other inputs, is repeated", step.name)
            return None
        if any(not (self.folder / name).is_file() or file_hash(self.folder / name) != value for name, value in record.files.items()):
            logger.info("step %s: its files are gone or changed, is repeated", step.name)
            return None
        return record

    def _begin(self) -> None:
        """Something is going to change: the report of what was there goes."""
        for name in ("comparison.csv", "report.html"):
            with writing(self.folder / name):
                (self.folder / name).unlink(missing_ok=True)

    def _write(self, step: Step, inputs: str, files: dict[str, str], seconds: float, cpu_seconds: float) -> Record:
        self.repeated.append(step.name)
        base = self.place_of(step).relative_to(self.folder)
        record = Record(step.name, inputs, {(base / name).as_posix(): value for name, value in files.items()}, seconds, cpu_seconds)
        path = self._record_path(step.name)
        write_whole(path, json.dumps(vars(record), indent=1) + "\n")
        return record

    def _record_path(self, name: str) -> Path:
        return self.folder / "steps" / f"{name}.json"


def _timed(work: Work, place: Path, parameters: Mapping[str, Any]) -> tuple[dict[str, str], float, float]:
    """Run a step's work; the hash of every file it wrote, wall and processor seconds."""
    with writing(place):
        place.mkdir(parents=True, exist_ok=True)
    start, cpu = time.perf_counter(), time.process_time()
    written = work(place, parameters)
    files = {path.relative_to(place).as_posix(): file_hash(path) for path in sorted(set(written))}
    return files, time.perf_counter() - start, time.process_time() - cpu
