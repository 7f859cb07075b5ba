"""What a processor returned, as open files and back: JSON for numbers, UHI JSON and ROOT for histograms, NumPy, CSV and Parquet for arrays.

`value.json` holds the structure with all numbers and text; a histogram or an array in it is named, and lies in the file of its kind.
"""

from __future__ import annotations

import csv
import json
import math
import zipfile
import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from na64mu.common.whole_file import write_whole
from na64mu.errors import InputError, writing

__all__ = ("VALUE_FILES", "Contents", "read_value", "write_value")

#: Files that hold a value; the folder `tables` is beside them.
VALUE_FILES = ("value.json", "histograms.json", "histograms.root", "arrays.npz")
#: What the readers of JSON, histograms and NumPy archives raise for files that are damaged.
UNREADABLE: tuple[type[Exception], ...] = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
)
UNREADABLE += (ValueError, zipfile.BadZipFile, zlib.error)
#: Sequences and mappings, each under its own word.
SEQUENCES: dict[str, type[Any]] = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}
MAPPINGS: dict[str, type[Any]] = {"dict": dict, "Counter": Counter}


@dataclass
class Contents:
    """What a value holds, by its kind.

    Attributes
    ----------
    histograms, arrays : dict of str to Any
        Name -> what goes to a file of its own.
    tables : dict of str to dict
        Name -> column -> array of shape (n_rows,).
    not_written : dict of str to str
        Place -> why it is in no file.
    """

    histograms: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, Any] = field(default_factory=dict)
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    not_written: dict[str, str] = field(default_factory=dict)

    def described(self, value: Any, place: str) -> Any:
        """The structure of a value as plain JSON; histograms and arrays are put aside under the name of their place."""
        import hist

        kind = type(value)
        if kind in (bool, int, str, type(None)) or (kind is float and math.isfinite(value)):
            return value
        if kind is float:
            return {"float": str(value)}
        if kind is hist.Hist:
            self.histograms[place] = value
            return {"histogram": place}
        if isinstance(value, np.generic) and value.dtype.kind in "biufSU":
            return {"scalar": value.dtype.str, "value": self.described(value.item(), place)}
        if kind is np.ndarray and not value.dtype.hasobject:
            self.arrays[place] = value
            return {"array": place}
        for name, known in SEQUENCES.items():
            if kind is known:
                return {name: [self.described(each, f"{place}.{i}") for i, each in enumerate(value)]}
        for name, known in MAPPINGS.items():
            if kind is known:
                self._note_table(value, place)
                return {name: [[self.described(key, place), self.described(each, f"{place}.{key}")] for key, each in value.items()]}
        self.not_written[place] = f"{kind.__module__}.{kind.__qualname__} has no open form here: return numbers, histograms or arrays of it"
        return {"not_written": kind.__qualname__}

    def _note_table(self, value: Mapping[Any, Any], place: str) -> None:
        columns = list(value.values())
        if (
            columns
            and all(type(c) is np.ndarray and c.ndim == 1 and not c.dtype.hasobject for c in columns)
            and len({len(c) for c in columns}) == 1
        ):
            self.tables[place] = {str(key): column for key, column in value.items()}


def write_value(value: Any, folder: Path) -> tuple[list[str], dict[str, str]]:
    """Write a value.

    Parameters
    ----------
    value : Any
        What processors return: numbers, text, histograms, arrays, lists, sets and dictionaries of these.
    folder : Path
        An existing folder without an earlier value, such as the private one of `na64mu.results.output_folder`.

    Returns
    -------
    files : list of str
        Names of the files.
    not_written : dict of str to str
        Place -> why it is in no file, or not in ROOT.
    """
    import uhi.io.json

    contents = Contents()
    structure = contents.described(value, "value")
    with writing(folder):
        written = [write_whole(folder / "value.json", json.dumps(structure, indent=1) + "\n").name]
        if contents.histograms:
            text = json.dumps(contents.histograms, default=uhi.io.json.default)
            written.append(write_whole(folder / "histograms.json", text + "\n").name)
            _write_root(contents, folder / "histograms.root")
            written.append("histograms.root")
        if contents.arrays:
            _write_arrays(contents.arrays, folder / "arrays.npz")
            written.append("arrays.npz")
    for place, columns in contents.tables.items():
        written += _write_table(folder / "tables", place, columns)
    return written, contents.not_written


def read_value(folder: Path) -> Any:
    """The inverse of `write_value`; what could not be written is None.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    Any
        The value.

    Raises
    ------
    InputError
        If a file is missing or damaged.
    """
    import hist
    import uhi.io.json

    try:
        structure = json.loads((folder / "value.json").read_text(encoding="utf-8"))
        histograms: dict[str, Any] = {}
        if (folder / "histograms.json").exists():
            content = json.loads((folder / "histograms.json").read_text(encoding="utf-8"), object_hook=uhi.io.json.object_hook)
            histograms = {name: hist.Hist(each) for name, each in content.items()}
        arrays: dict[str, Any] = {}
        if (folder / "arrays.npz").exists():
            with np.load(folder / "arrays.npz", allow_pickle=False) as found:
                arrays = {name: found[name] for name in found.files}
        return _restored(structure, histograms, arrays)
    except UNREADABLE as error:
        msg = f"{folder}: what the processor returned cannot be read ({error}): run again"
        raise InputError(msg) from error


def _restored(node: Any, histograms: Mapping[str, Any], arrays: Mapping[str, Any]) -> Any:
    if not isinstance(node, dict):
        return node
    (kind, content), *rest = node.items()
    if kind == "float":
        return float(content)
    if kind == "histogram":
        return histograms[content]
    if kind == "array":
        return arrays[content]
    if kind == "scalar":
        return np.dtype(content).type(_restored(rest[0][1], histograms, arrays))
    if kind in SEQUENCES:
        return SEQUENCES[kind](_restored(each, histograms, arrays) for each in content)
    if kind in MAPPINGS:
        return MAPPINGS[kind]({_restored(k, histograms, arrays): _restored(v, histograms, arrays) for k, v in content})
    return None


def _write_root(contents: Contents, path: Path) -> None:
    import uproot

    with uproot.recreate(path) as file:
        for name, histogram in contents.histograms.items():
            try:
                file[name.replace(".", "_").replace("/", "_").replace(" ", "_")] = histogram
            except Exception as error:  # noqa: BLE001  # whatever uproot says of a histogram that ROOT does not have
                contents.not_written[f"{name} (ROOT)"] = (
                    f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}; it is in histograms.json"
                )


def _write_arrays(arrays: Mapping[str, Any], path: Path) -> None:
    with path.open("wb") as stream:
        np.savez_compressed(stream, **dict(arrays))


def _write_table(folder: Path, place: str, columns: Mapping[str, Any]) -> list[str]:
    """A table as CSV, and as Parquet where pyarrow is installed."""
    name = place.replace("/", "_")
    with writing(folder):
        folder.mkdir(exist_ok=True)
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows(zip(*(column.tolist() for column in columns.values()), strict=True))
    try:
        import pyarrow as pa  # type: ignore[import-untyped]  # comes without types
        import pyarrow.parquet as pq  # type: ignore[import-untyped]  # comes without types
    except ModuleNotFoundError:
        return [f"tables/{name}.csv"]
    with writing(folder):
        pq.write_table(pa.table(dict(columns)), folder / f"{name}.parquet")
    return [f"tables/{name}.csv", f"tables/{name}.parquet"]
