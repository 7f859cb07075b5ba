"""The result of a run with a processor of the user's own: what it returned, added up, with the bookkeeping of the run; and its output folder."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from na64mu.common.arguments import file_name
from na64mu.common.table import Shown, Table
from na64mu.common.whole_file import write_whole
from na64mu.errors import InputError
from na64mu.results.exposure import Exposure
from na64mu.results.losses import Loss
from na64mu.results.output_folder import must_be_finished, output_folder
from na64mu.results.provenance import Provenance
from na64mu.results.recorded import must_be
from na64mu.results.run import DRAWN, Timing
from na64mu.results.value_files import read_value, write_value

__all__ = ("RESULT", "ProcessorResult")

#: The file of an output folder that is written last: bookkeeping, and the names of the others.
RESULT = "result.json"
FORMAT_VERSION = 1


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
    not_written : dict of str to str
        Place -> why that part of the value is in no file; only a result that was read from a folder has them.
    """

    value: Any
    values: dict[str, Any]
    blinded: dict[str, bool]
    exposure: Exposure
    losses: tuple[Loss, ...]
    provenance: Provenance
    timing: Timing = field(default_factory=Timing)
    not_written: dict[str, str] = field(default_factory=dict)

    @property
    def datasets(self) -> tuple[str, ...]:
        """Names of the datasets, in order."""
        return tuple(self.blinded)

    @property
    def exit_code(self) -> int:
        """0 if everything was read, 3 if input was lost."""
        return 3 if any(loss.is_damage for loss in self.losses) else 0

    def to_dict(self) -> dict[str, Any]:
        """The bookkeeping as plain values."""
        return {
            "format_version": FORMAT_VERSION,
            "exposure": self.exposure.to_dict(),
            "losses": [loss.to_dict() for loss in self.losses],
            "blinded": self.blinded,
            "provenance": self.provenance.to_dict(),
            "timing": asdict(self.timing),
        }

    def write(self, folder: str | Path) -> Path:
        """Write the value in open forms, and beside it exposure, losses and provenance.

        Numbers, text and the structure are in value.json; histograms in histograms.json (UHI) and histograms.root; arrays in arrays.npz, and
        dictionaries of arrays of one length in tables/ as CSV and Parquet; the bookkeeping in result.json, which is written last and names
        what could not be written.

        Parameters
        ----------
        folder : str or Path
            Made if it does not exist.

        Returns
        -------
        Path
            The folder.
        """
        with output_folder(folder, "run", replaces=DRAWN) as path:
            files, not_written = write_value({"value": self.value, "values": self.values}, path)
            named = {name.removeprefix("value."): why for name, why in not_written.items()}
            write_whole(path / RESULT, json.dumps(self.to_dict() | {"files": files, "not_written": named}, indent=1) + "\n")
        return Path(folder)

    @classmethod
    def read(cls, folder: Any) -> ProcessorResult:
        """Read an output folder (str or Path) back; a result is returned unchanged.

        Raises
        ------
        InputError
            If a file is missing or is not what `write` wrote.
        """
        if isinstance(folder, ProcessorResult):
            return folder
        path = Path(file_name(folder, "result", InputError, "a ProcessorResult, or its output folder, is wanted"))
        must_be_finished(path)
        try:
            content = _of_this_version(json.loads((path / RESULT).read_text(encoding="utf-8")))
            found = read_value(path)
            return cls(
                value=found["value"],
                values=found["values"],
                blinded=must_be(dict[str, bool], content["blinded"], "blinded"),
                exposure=Exposure.from_dict(content["exposure"]),
                losses=tuple(Loss(**must_be(Loss, loss, "losses")) for loss in content["losses"]),
                provenance=Provenance.from_dict(content["provenance"]),
                timing=Timing(**must_be(Timing, content["timing"], "timing")),
                not_written=content["not_written"],
            )
        except (ArithmeticError, AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError) as error:
            msg = f"{path}: not an output folder of `na64mu run --processor` ({error}): make it again"
            raise InputError(msg) from error

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
        notes += list(self.exposure.warnings)
        notes.append("look on: .value, .values[dataset], .exposure, .losses, .provenance")
        name = next(iter(self.provenance.processor), "")
        return Table(f"run of the processor {name}", ("dataset", "signal box", "muons on target", "value"), rows, tuple(notes))


def _of_this_version(content: Any) -> Any:
    if content["format_version"] != FORMAT_VERSION:
        msg = f"format_version {FORMAT_VERSION} expected"
        raise ValueError(msg)
    return content


def _short(value: Any) -> str:
    """A value in a cell of a table."""
    if isinstance(value, dict):
        return f"{len(value)} entries: {', '.join(map(str, list(value)[:4]))}{', ...' if len(value) > 4 else ''}"
    if isinstance(value, bool | int | float):
        return f"{value:.6g}"
    return type(value).__name__
