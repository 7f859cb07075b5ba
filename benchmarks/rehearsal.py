"""The whole run of 2022, rehearsed: `python benchmarks/rehearsal.py FOLDER [--events 10000000] [--summaries]`.

FOLDER (about 0.9 kB for every event) is filled once. The events are simulated beam muons, 50 000 different ones (or those of FILE), and
every file has the same ones under a run number of its own: nothing but the column `run`, the bookkeeping and their checksums differs, so the
compressed baskets are copied as they are. (run, event) is unique, so nothing is left out as repeated; baskets compress and unpack as those
of a real file, because no event stands twice within one. What the rehearsal does not show is the physics of 1e7 different events.

Prints wall and CPU seconds of all processes together, and the largest resident size of any of them: on a machine that others use, CPU
seconds are the honest ones. `--summaries` rehearses the run on event summaries instead, `--executors` names what is tried.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import psutil
import uproot
from rich.console import Console
from rich.table import Table

from na64mu.events.batch import RawBatch
from na64mu.events.checksums import NAME, read_checksums, runs_checksum
from na64mu.events.reader import read_batch, read_runs
from na64mu.events.root_io import find_tree, open_file, read_columns
from na64mu.events.schema_v1 import RUNS, branches
from na64mu.events.writer import LEVEL, RawTreeWriter
from na64mu.execution import run_search
from na64mu.execution.reconstruct import WRITERS, reconstruct_files
from na64mu.inputs.summary_chunks import needed_columns
from na64mu.inputs.summary_file import column_checksums, read_rows
from na64mu.selections.working_point import load_working_point

PER_FILE = 50_000
FIRST_RUN = 100_000


def first_file(folder: Path, source: Path | None) -> Path:
    """The file that all others are copies of."""
    path = folder / "run_0000.root"
    if path.exists():
        return path
    if source is None:
        source = folder / "simulated.root"
        command = [sys.executable, "-m", "na64mu", "simulate", "-n", str(2 * PER_FILE), "--process", "beam", "--prescale", "1"]
        subprocess.run([*command, "--seed", "1", "-o", str(source)], check=True)
    batch = read_batch(source, 0, PER_FILE)
    rows = [r | {"run": FIRST_RUN, "n_mot": len(batch)} for r in read_runs(source)[:1]]
    scalars = batch.scalars | {"run": np.full(len(batch), FIRST_RUN, np.uint32), "config": np.full(len(batch), rows[0]["config"], np.uint8)}
    with RawTreeWriter(path) as writer:
        writer.extend(RawBatch(scalars, batch.collections))
        writer.finish(rows)
    return path


def copied(first: Path, number: int) -> Path:
    """A copy of the first file under another run number."""
    path = first.with_name(f"run_{number:04d}.root")
    if path.exists():
        return path
    part, run = path.with_suffix(".part"), FIRST_RUN + number
    shutil.copy(first, part)
    with uproot.open(first) as file:
        checksums = read_checksums(file, first)
        branch = file["events"]["run"]
        (seek,), (size,), n = branch.member("fBasketSeek")[:1], branch.member("fBasketBytes")[:1], branch.num_entries
    rows = [row | {"run": run, "seed": run, "conditions": "rehearsal" + "." * (number % 211)} for row in read_runs(first)]
    with part.open("r+b") as stream:
        stream.seek(seek)
        key = stream.read(size)
        start = int.from_bytes(key[14:16], "big")
        content = uproot.compression.compress(np.full(n, run, ">u4").tobytes(), uproot.ZSTD(LEVEL))
        if branch.num_baskets != 1 or len(content) != size - start or checksums is None:
            msg = f"{first}: the basket of the run numbers cannot be replaced in its place"
            raise ValueError(msg)
        stream.seek(seek + start)
        stream.write(content)
    checksums.branches["run"] = [zlib.crc32(np.full(n, run, "<u4").tobytes())]
    checksums.runs = runs_checksum(rows)
    string = ak.types.ListType(ak.types.NumpyType("uint8", parameters={"__array__": "char"}), parameters={"__array__": "string"})
    with uproot.update(part) as file:
        columns = {name: [row[name] for row in rows] for name in RUNS}
        file.mktree("runs", {name: string if kind is str else kind for name, kind in RUNS.items()})
        file["runs"].extend({n: ak.Array(c) if RUNS[n] is str else np.array(c, RUNS[n]) for n, c in columns.items()})
        file[NAME] = checksums.to_json()
    part.replace(path)
    return path


def summary_file(folder: Path, n: int, ending: str) -> Path:
    """At least n event summaries: those of the first file again and again, under other run numbers; one part (row group) for each run."""
    path = folder / f"summary_{n}{ending}"
    if path.exists():
        return path
    small = folder / "small.root"
    if not small.exists():
        reconstruct_files(folder / "run_0000.root", small)
    with uproot.open(small) as file:
        table = file["summary"].arrays(library="np")
        books = json.loads(json.loads(str(file["bookkeeping"]))["bookkeeping"])
    size = len(table["run"])
    copies = -(-n // size)
    (run,), (segment,) = books["exposure"]["runs"], books["segments"]
    with WRITERS[ending](path) as writer:
        books["checksums"] = []
        for i in range(copies):
            part = table | {"run": np.full(size, FIRST_RUN + i, np.uint32)}
            writer.extend(part)
            books["checksums"].append([i * size, (i + 1) * size, column_checksums(part)])
        books["exposure"]["runs"] = [run | {"run": FIRST_RUN + i} for i in range(copies)]
        books["segments"] = [segment | {"stop": copies * size, "origins": [[FIRST_RUN + i, str(i)] for i in range(copies)]}]
        writer.finish(books)
    return path


class Meter:
    """CPU seconds of this process and its descendants, and the largest resident size [MB] of any, while a function runs."""

    def __init__(self) -> None:
        self.cpu: dict[int, float] = {}
        self.peak: dict[int, float] = {}
        self._stop = threading.Event()

    def look(self) -> None:
        """Take one sample."""
        me = psutil.Process()
        for process in (me, *me.children(recursive=True)):
            try:
                used, size = process.cpu_times(), process.memory_info().rss / 1e6
            except psutil.Error:
                continue
            self.cpu[process.pid] = used.user + used.system
            self.peak[process.pid] = max(size, self.peak.get(process.pid, 0.0))

    def _watch(self) -> None:
        while not self._stop.wait(0.25):
            self.look()

    def __call__(self, function: Callable[[], Any]) -> tuple[Any, float, float, float]:
        """Result, wall seconds, CPU seconds, peak MB."""
        self.look()
        before = sum(self.cpu.values())
        self.peak.clear()
        watcher = threading.Thread(target=self._watch, daemon=True)
        watcher.start()
        start = time.perf_counter()
        result = function()
        wall = time.perf_counter() - start
        self.look()
        self._stop.set()
        watcher.join()
        return result, wall, sum(self.cpu.values()) - before, max(self.peak.values())


def read_raw(paths: list[Path]) -> int:
    """Read every branch that a run reads, with uproot alone; number of events."""
    n = 0
    for path in paths:
        with open_file(path) as file:
            tree = find_tree(file, path, "events")
            names = [*branches(), *(b for b in list(tree.keys()) if b.startswith("mc_"))]
            for start in range(0, tree.num_entries, PER_FILE):
                n += len(read_columns(tree, names, path, start, min(start + PER_FILE, tree.num_entries))["run"])
    return n


def read_summary(path: Path, n: int) -> int:
    """Read every column that a run reads, and nothing else; number of events."""
    columns = [*needed_columns(load_working_point("prl2024")), "mc_weight", "mc_process"]
    return sum(len(read_rows(str(path), columns, first, min(first + 2 * PER_FILE, n))["run"]) for first in range(0, n, 2 * PER_FILE))


def row(table: Table, name: str, n: int, wall: float, cpu: float, peak: float, reading: float) -> None:
    table.add_row(name, f"{n}", f"{wall:.1f}", f"{cpu:.1f}", f"{n / wall:.0f}", f"{n / cpu:.0f}", f"{peak:.0f}", f"{cpu / reading:.2f}")


def main(arguments: list[str]) -> int:
    """Print the table; 1 if two executors differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--source", type=Path, help="simulated file with at least 50 000 events")
    parser.add_argument("--executors", default="iterative:1,futures:1,futures:2,dask:1,dask:2")
    parser.add_argument("--summaries", choices=(".root", ".parquet"), help="rehearse event summaries of this kind")
    parser.add_argument("--chunksize", type=int, default=100_000)
    options = parser.parse_args(arguments)
    console = Console(width=150)
    options.folder.mkdir(parents=True, exist_ok=True)
    first = first_file(options.folder, options.source)
    run_search(first, progress=False, maxchunks=1, chunksize=100)  # compiles the kernels
    if options.summaries is None:
        files = [first, *(copied(first, i) for i in range(1, -(-options.events // PER_FILE)))]
        n, wall, cpu, peak = Meter()(lambda: read_raw(files))
    else:
        files = [summary_file(options.folder, options.events, options.summaries)]
        n = run_search(files, progress=False, maxchunks=1).provenance.inputs[0].entries
        n, wall, cpu, peak = Meter()(lambda: read_summary(files[0], n))
    reading = cpu
    size = sum(path.stat().st_size for path in files) / 1e6
    title = f"{len(files)} files, {size:.0f} MB on disk, chunks of {options.chunksize}"
    table = Table("what", "events", "wall s", "CPU s", "events/s", "events/CPU s", "peak MB", "CPU / reading", title=title)
    row(table, "reading the columns and nothing else", n, wall, cpu, peak, reading)
    totals, shares = [], ""
    for name, workers in (choice.split(":") for choice in options.executors.split(",")):
        how: Any = {"executor": name, "workers": int(workers), "chunksize": options.chunksize, "progress": False}
        result, wall, cpu, peak = Meter()(lambda how=how: run_search(files, **how))
        row(table, f"run, {name} with {workers}", result.total.counts[0], wall, cpu, peak, reading)
        totals.append((result.total, result.histograms, result.exposure, result.losses))
        t = result.timing
        shares = ", ".join(f"{part} {100 * getattr(t, part) / t.busy:.0f} %" for part in ("read", "reconstruct", "select", "fill"))
    console.print(table)
    console.print(f"busy workers: {shares}; losses: {len(totals[0][3])}")
    return int(any(total != totals[0] for total in totals))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
