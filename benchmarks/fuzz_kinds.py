"""The kinds of input that fuzz.py damages: which file, how it is changed, and what reads it."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import random
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from fuzz_changes import bytes_changed, checkpoint_changed, freeze_changed, json_changed, raw_tree_changed, summary_changed, toml_changed
from fuzz_files import EVENTS

Outcome = tuple[Any, bool]  # what is compared with that of the good file, and whether anything was said
Reader = Callable[[Path], Outcome]
OfBytes = Callable[[random.Random, bytes], bytes]
OfFile = Callable[[random.Random, bytes, Path], None]


class Kind(NamedTuple):
    """A file, how it is changed (its bytes, or written anew), how it is read, and how many of 10 000 inputs are of this kind."""

    file: str
    change: OfBytes | OfFile
    read: Reader
    share: int

    def damage(self, rng: random.Random, good: bytes, path: Path) -> None:
        """Write a damaged file to a path."""
        if self.change in (raw_tree_changed, summary_changed):
            self.change(rng, good, path)  # type: ignore[call-arg]  # the two that write a file
        else:
            path.write_bytes(self.change(rng, good))  # type: ignore[call-arg,arg-type]


def physics(result: Any) -> Any:
    """What a run must not change without a word."""
    content = result.to_dict()
    return json.loads(json.dumps({k: content[k] for k in ("cutflow", "exposure", "regions") if k in content}, default=str))


def run(files: Path | Sequence[Path], **options: Any) -> Outcome:
    """The search; its counts have to agree with one another."""
    from na64mu.execution import run_search

    result = run_search(files, progress=False, **options)
    assert sum(flow["steps"][0]["n"] for flow in result.to_dict()["cutflow"]["datasets"].values()) == result.timing.events
    return physics(result), bool(result.losses)


def _beside_a_good_one(path: Path) -> Outcome:
    """A damaged raw tree costs itself: the good file beside it gives what it gives alone, whatever was done to the first."""
    from na64mu.errors import Na64muError
    from na64mu.events.checker import check_file

    found = []
    with contextlib.suppress(Na64muError):
        report = check_file(path)
        str(report)
        found = list(report.findings)
    result, said = run([path, path.parent / "other.root"])
    good = result["cutflow"]["datasets"]["other"]["steps"]
    assert good[0]["n"] == 10, "the good file is lost too"
    return result, said or bool(found)


def _values(path: Path) -> Outcome:
    """Other numbers give another result; all events are counted, or said to be lost."""
    from na64mu.events.checker import check_file

    str(check_file(path))
    return _all_counted(*run(path))


def _all_counted(result: Any, said: bool) -> Outcome:
    n = sum(one["events_read"] + one["events_lost"] for one in result["exposure"]["runs"])
    return None if n == EVENTS or said else n, said


def _summary_values(path: Path) -> Outcome:
    return _all_counted(*run(path))


def _checkpoint(path: Path) -> Outcome:
    folder = path.parent / "resumed" / ".checkpoint"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "finished.json").write_bytes(path.read_bytes())
    return run(path.parent / "raw.root", output=folder.parent, resume=True)


def _own_checkpoint(path: Path) -> Outcome:
    """Counts that were edited together with their seal give other numbers: a hash without a key cannot show it."""
    _checkpoint(path)
    return None, True


def _loads(name: str, path: Path) -> Outcome:
    module, function = name.rsplit(".", 1)
    repr(getattr(importlib.import_module(module), function)(path))
    return None, True


def _option(name: str, file: str, path: Path) -> Outcome:
    """A run with the file as one of its options: another result is expected."""
    run(path.parent / file, **{name: path})
    return None, True


def _detector(path: Path) -> Outcome:
    run(path.parent / "raw.root", detector=path, accept_calibration=True)
    return None, True


def _conditions(path: Path) -> Outcome:
    from na64mu import produce
    from na64mu.detector import load_detector
    from na64mu.detector.conditions import load_conditions

    produce(path.parent / "made.root", load_detector("na64mu-2022").operated(load_conditions(path)), "beam", 4, 1, 1)
    return None, True


def _layout(path: Path) -> Outcome:
    from na64mu.events.checker import check_file

    foreign = path.parent / "foreign.root"
    str(check_file(foreign, layout=path))
    result, said = run(foreign, layout=path)
    n = sum(flow["steps"][0]["n"] for flow in result["cutflow"]["datasets"].values())
    assert said or n == EVENTS, f"{n} events are read, and nothing is said of the others"
    return None, True


def _inside(folder: str, name: str, path: Path, *, report: bool = False) -> Outcome:
    """The file as part of an output folder: read, printed, counted and drawn. It carries no seal, so other numbers are taken as they are."""
    from rich.console import Console

    from na64mu import RunResult
    from na64mu.analysis.folder_counting import counting_from
    from na64mu.report import render_terminal, write_reports
    from na64mu.results.folder import read_folder

    place = path.parent / folder
    kept = (place / name).read_bytes()
    try:
        (place / name).write_bytes(path.read_bytes())
        result = read_folder(place)
        render_terminal(result, Console(file=io.StringIO(), width=130))
        if isinstance(result, RunResult):
            counting_from(result, backgrounds="letter")
        if report:
            write_reports(result, path.parent / "drawn")
    finally:
        (place / name).write_bytes(kept)
    return None, True


def _mark(path: Path) -> Outcome:
    """The mark of a folder whose files were on their way when the writer was killed."""
    from na64mu.results.output_folder import UNFINISHED, finish

    folder = path.parent / "marked"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(path.parent / "out", folder)
    (folder / ".writing-x").mkdir()
    (folder / ".writing-x" / "summary.json").write_bytes((folder / "summary.json").read_bytes())
    (folder / UNFINISHED).write_bytes(path.read_bytes())
    finish(folder)
    return None, True


def _freeze(path: Path) -> Outcome:
    from na64mu.results.freeze import Freeze

    repr(Freeze.read(path))
    return None, True


def _fileset(path: Path) -> Outcome:
    """Other files, steps and names are another job: its counts have to agree with one another."""
    run(path)
    return None, True


def _recast(path: Path) -> Outcome:
    return _loads("na64mu.analysis.recast.read_user_table", path)


def _folder_kinds() -> dict[str, Kind]:
    found = {}
    for folder, name, values, raw in (
        ("out", "cutflow.json", 150, 50),
        ("out", "histograms.json", 150, 50),
        ("out", "summary.json", 150, 50),
        ("out", "manifest.json", 60, 20),
        ("own", "value.json", 120, 40),
        ("own", "result.json", 120, 40),
        ("own", "histograms.json", 60, 20),
    ):
        file = "own_histograms.json" if (folder, name) == ("own", "histograms.json") else name
        for how, change, share in (("values", json_changed, values), ("bytes", bytes_changed, raw)):
            found[f"{folder}/{name}, {how}"] = Kind(file, change, partial(_inside, folder, name), share)
    found["own/arrays.npz, bytes"] = Kind("arrays.npz", bytes_changed, partial(_inside, "own", "arrays.npz"), 60)
    for name, share in (("cutflow.json", 10), ("histograms.json", 8), ("summary.json", 12)):
        found[f"out/{name}, drawn"] = Kind(name, json_changed, partial(_inside, "out", name, report=True), share)
    return found


KINDS: dict[str, Kind] = {
    "raw TTree, bytes": Kind("raw.root", bytes_changed, _beside_a_good_one, 800),
    "raw RNTuple, bytes": Kind("rntuple.root", bytes_changed, _beside_a_good_one, 350),
    "raw tree, values": Kind("raw.root", raw_tree_changed, _values, 350),
    "summary ROOT, bytes": Kind("summary.root", bytes_changed, run, 500),
    "foreign tree, bytes": Kind("foreign.root", bytes_changed, lambda path: _layout(path.parent / "layout.toml"), 200),
    "summary Parquet, bytes": Kind("summary.parquet", bytes_changed, run, 1000),
    "summary Parquet, values": Kind("summary.parquet", summary_changed, _summary_values, 500),
    "checkpoint, values": Kind("finished.json", checkpoint_changed, _own_checkpoint, 900),
    "checkpoint, bytes": Kind("finished.json", bytes_changed, _checkpoint, 600),
    "layout, values": Kind("layout.toml", toml_changed, _layout, 1200),
    "layout, bytes": Kind("layout.toml", bytes_changed, _layout, 300),
    "working point, values": Kind("selection.toml", toml_changed, partial(_option, "selection", "summary.parquet"), 450),
    "calibration, values": Kind("calibration.toml", toml_changed, partial(_option, "calibration", "summary.parquet"), 250),
    "detector, values": Kind("detector.toml", toml_changed, _detector, 350),
    "conditions, values": Kind("conditions.toml", toml_changed, _conditions, 200),
    "alignment, values": Kind("alignment.toml", toml_changed, partial(_option, "detector", "raw.root"), 150),
    "any TOML, bytes": Kind("selection.toml", bytes_changed, partial(_option, "selection", "summary.parquet"), 100),
    "fileset, values": Kind("fileset.json", json_changed, _fileset, 350),
    "fileset, bytes": Kind("fileset.json", bytes_changed, _fileset, 100),
    "freeze, values": Kind("freeze.json", freeze_changed, _freeze, 100),
    "record of openings, bytes": Kind("unblinding.jsonl", bytes_changed, partial(_loads, "na64mu.results.openings.read_lines"), 50),
    "mark of a folder, values": Kind("unfinished.json", json_changed, _mark, 50),
    "table to recast, bytes": Kind("recast.csv", bytes_changed, _recast, 60),
    **_folder_kinds(),
}


def prepared(kind: str, source: Path, folder: Path) -> tuple[bytes, Any]:
    """Copy the good files into a folder; the content of the one that will be damaged, and what it gives."""
    scratch = folder / "hostile"
    shutil.rmtree(scratch, ignore_errors=True)
    shutil.copytree(source, scratch, ignore=shutil.ignore_patterns("hostile"))
    path = scratch / KINDS[kind].file
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        if path.name == "finished.json":  # it belongs to the files in this folder
            shutil.rmtree(scratch / "resumed")
            run(scratch / "raw.root", output=scratch / "resumed")
            path.write_bytes((scratch / "resumed" / ".checkpoint" / "finished.json").read_bytes())
        expected, _ = KINDS[kind].read(path)
    return path.read_bytes(), expected
