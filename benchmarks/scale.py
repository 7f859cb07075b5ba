"""Speed, memory and overheads of the main job: `python benchmarks/scale.py [--events 20000] [--rows 1000000] [--files 100]`.

Makes its input from the shipped sample by repeating the events under new numbers. The rehearsal of issue size is
`--events 10000000 --rows 10000000 --raw 10000000 --files 2000` (about 15 GB of scratch space); every line says the size it was measured at.
`--only files --files 2000` and `--only events --raw 1000000 --folder FOLDER` print one table on linearity.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from rehearsal import PER_FILE, Meter, copied, first_file
from rich.console import Console
from rich.table import Table

from na64mu.events.batch import RawBatch
from na64mu.events.reader import count_entries, read_batch, read_runs
from na64mu.events.root_io import find_tree, open_file, read_columns
from na64mu.events.schema_v1 import branches
from na64mu.events.writer import RawTreeWriter
from na64mu.execution import run_search
from na64mu.execution.reconstruct import WRITERS, reconstruct_files
from na64mu.execution.skim import selected
from na64mu.inputs.raw_fileset import inspect_files
from na64mu.inputs.summary_chunks import needed_columns
from na64mu.inputs.summary_file import column_checksums, read_rows
from na64mu.selections.working_point import load_working_point

SAMPLE = Path(__file__).parents[1] / "data" / "sample" / "physics_1.root"


def renumbered(batch: RawBatch, first: int) -> RawBatch:
    """The same events under new numbers."""
    numbers = np.arange(first, first + len(batch), dtype=np.uint64)
    return RawBatch(batch.scalars | {"event": numbers}, batch.collections)


def raw_file(path: Path, n: int, first: int = 0) -> Path:
    """At least n raw events."""
    batch, rows = read_batch(SAMPLE), read_runs(SAMPLE)
    with RawTreeWriter(path) as writer:
        while writer.n_events < n:
            writer.extend(renumbered(batch, first + writer.n_events))
        writer.finish(rows)
    return path


def summary_file(path: Path, n: int, scratch: Path) -> Path:
    """At least n event summaries: those of the sample, repeated."""
    import json

    import uproot

    small = scratch / "small.root"
    if not small.exists():
        reconstruct_files(SAMPLE, small)
    with uproot.open(small) as file:
        table = file["summary"].arrays(library="np")
        bookkeeping = json.loads(json.loads(str(file["bookkeeping"]))["bookkeeping"])
    size = len(table["run"])
    block = {name: np.tile(column, max(1, 100_000 // size)) for name, column in table.items()}
    written, bookkeeping["checksums"] = 0, []
    with WRITERS[path.suffix](path) as writer:
        while written < n:
            block["event"] = np.arange(written, written + len(block["run"]), dtype=np.uint64)
            writer.extend(block)
            bookkeeping["checksums"].append([written, written + len(block["run"]), column_checksums(block)])
            written += len(block["run"])
        bookkeeping["segments"][0]["stop"] = written
        bookkeeping["exposure"]["runs"][0]["events_read"] = written
        writer.finish(bookkeeping)
    return path


def timed(files: Any, **options: Any) -> tuple[float, Any]:
    """Wall seconds and result."""
    start = time.perf_counter()
    result = run_search(files, progress=False, **options)
    return time.perf_counter() - start, result


def executors(raw: Path, summary: Path, console: Console) -> None:
    """Events per second of every executor."""
    table = Table("executor", "workers", "input", "events", "wall s", "wall s again", "events/s", "same", title="executors")
    for path, chunksize in ((raw, 2_500), (summary, 100_000)):
        _, reference = timed(path, chunksize=chunksize)
        for name, workers in (("iterative", 1), ("futures", 1), ("futures", 2), ("dask", 1), ("dask", 2)):
            first, _ = timed(path, executor=name, workers=workers, chunksize=chunksize)
            again, result = timed(path, executor=name, workers=workers, chunksize=chunksize)
            n = result.total.counts[0]
            same = result.total == reference.total and result.histograms == reference.histograms
            kind = "raw tree" if path == raw else f"summary {path.suffix}"
            table.add_row(name, str(workers), kind, str(n), f"{first:.1f}", f"{again:.1f}", f"{n / again:.0f}", "bits" if same else "NO")
    console.print(table)


def overheads(raw: Path, scratch: Path, console: Console) -> None:
    """What a chunk costs on every executor, and what checkpoints cost."""
    table = Table("what", "ms", title="overhead")
    files = small_files(scratch / "small", 80, 20)
    costs = {}
    for name in ("iterative", "futures", "dask"):
        cpu = [Meter()(lambda name=name, k=k: run_search(files[:k], progress=False, executor=name, workers=1))[2] for k in (20, 80)]
        costs[name] = 1e3 * (cpu[1] - cpu[0]) / 60
        table.add_row(f"{name}, 1 worker: CPU time of each further chunk (a file of 20 events)", f"{costs[name]:.0f}")
    for name in ("futures", "dask"):
        table.add_row(f"{name}: the same less that of the iterative executor", f"{costs[name] - costs['iterative']:.0f}")
    n = run_search(raw, progress=False, maxchunks=1, chunksize=100).provenance.inputs[0].entries
    without = timed(raw, chunksize=n // 10)[0]
    kept = timed(raw, chunksize=n // 10, output=scratch / "kept")[0]
    table.add_row(
        f"checkpoints of a run of {1e3 * without:.0f} ms in 10 chunks (hash of the input, all waves)", f"{1e3 * (kept - without):.0f}"
    )
    size = (scratch / "kept" / ".checkpoint" / "finished.json").stat().st_size
    table.add_row(f"size of the checkpoint: {size / 1e3:.0f} kB", "")
    console.print(table)


def reading(raw: Path, summary: Path, console: Console) -> None:
    """End-to-end time over the time to read the same columns and nothing else."""
    table = Table("input", "events", "read only s", "run s", "ratio", title="run over the reading of the same columns")
    with open_file(raw) as file:
        tree = find_tree(file, raw, "events")
        names = [*branches(), *(b for b in list(tree.keys()) if b.startswith("mc_"))]
        start = time.perf_counter()
        read_columns(tree, names, raw)
        read, n = time.perf_counter() - start, tree.num_entries
    wall, _ = timed(raw)
    table.add_row("raw tree", str(n), f"{read:.2f}", f"{wall:.2f}", f"{wall / read:.1f}")
    columns = [*needed_columns(load_working_point("prl2024")), "mc_weight", "mc_process"]
    result = run_search(summary, progress=False)
    n = result.provenance.inputs[0].entries
    start = time.perf_counter()
    for first in range(0, n, 100_000):
        read_rows(str(summary), columns, first, min(first + 100_000, n))
    read = time.perf_counter() - start
    wall, _ = timed(summary)
    table.add_row(f"summary {summary.suffix}", str(n), f"{read:.2f}", f"{wall:.2f}", f"{wall / read:.1f}")
    console.print(table)


def peak_memory(path: Path) -> float:
    """MB that a run in a process of its own needs at most."""
    script = (
        "import resource, sys; from na64mu.execution import run_search; run_search(sys.argv[1], progress=False, chunksize=100_000); "
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
    return int(done.stdout.split()[-1]) / 1024


def linear_rows(rows: int, scratch: Path, console: Console) -> None:
    """Time against summary rows, memory against the size of the file."""
    table = Table("summary rows", "MB on disk", "wall s", "rows/s", "peak MB", title="linear in rows")
    for n in (n for n in (10_000, 100_000, 1_000_000, 10_000_000) if n <= rows):
        path = summary_file(scratch / f"rows{n}.parquet", n, scratch)
        wall, result = timed(path)
        count = result.total.counts[0]
        size = path.stat().st_size / 1e6
        table.add_row(str(count), f"{size:.1f}", f"{wall:.2f}", f"{count / wall:.0f}", f"{peak_memory(path):.0f}")
        path.unlink()
    console.print(table)


def fitted(points: list[tuple[int, float]]) -> str:
    """Power of the size with which the time grows between the last two points; 1 is linear."""
    if len(points) < 2 or min(points[-2][1], points[-1][1]) <= 0:
        return ""
    (n0, t0), (n1, t1) = points[-2:]
    return f"{np.log(t1 / t0) / np.log(n1 / n0):.2f}"


def linear_events(events: int, folder: Path, console: Console) -> None:
    """CPU time against the number of raw events: simulated beam muons, 50 000 in a file, of `rehearsal.py`."""
    first = first_file(folder, None)
    small = folder / "small_0000.root"
    if not small.exists():
        with RawTreeWriter(small) as writer:
            writer.extend(read_batch(first, 0, 10_000))
            writer.finish(read_runs(first))
    table = Table("raw events", "files", "wall s", "CPU s", "events/CPU s", "peak MB", "power", title="linear in events")
    points: list[tuple[int, float]] = []
    for n in (n for n in (10_000, 50_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000) if n <= events):
        files = [small] if n < PER_FILE else [first, *(copied(first, i) for i in range(1, n // PER_FILE))]
        result, wall, cpu, peak = Meter()(lambda files=files: run_search(files, progress=False))
        points.append((n, cpu))
        count = str(result.total.counts[0])
        table.add_row(count, str(len(files)), f"{wall:.1f}", f"{cpu:.2f}", f"{n / cpu:.0f}", f"{peak:.0f}", fitted(points))
    console.print(table)


def small_files(folder: Path, n: int, per_file: int) -> list[Path]:
    """Files with events of the sample under new numbers; those that are there are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    batch, rows = selected(read_batch(SAMPLE), np.arange(count_entries(SAMPLE)) < per_file), read_runs(SAMPLE)
    paths = [folder / f"beam_{i:04d}.root" for i in range(n)]
    for i, path in enumerate(paths):
        if not path.exists():
            with RawTreeWriter(path) as writer:
                writer.extend(renumbered(batch, i * len(batch)))
                writer.finish(rows)
    return paths


def linear_files(n_files: int, folder: Path, per_file: int, console: Console) -> None:
    """CPU time against the number of small files; beside it the same events in one file."""
    one = folder / "one" / "together.root"
    title = f"linear in files, {per_file} events in each"
    header = ("raw files", "events", "wall s", "CPU s", "CPU ms/file", "less the events", "power", "looking at them", "same in one file")
    table = Table(*header, title=title)
    points: list[tuple[int, float]] = []
    for n in (n for n in (1, 10, 100, 400, 1_000, 2_000) if n <= n_files):
        files = small_files(folder, n, per_file)
        one.parent.mkdir(exist_ok=True)
        with RawTreeWriter(one) as writer:
            for path in files:
                writer.extend(read_batch(path))
            writer.finish(read_runs(files[0]))
        _, _, look, _ = Meter()(lambda files=files: inspect_files(files))
        result, wall, cpu, _ = Meter()(lambda files=files: run_search(files, progress=False))
        together, _, alone, _ = Meter()(lambda: run_search(one, progress=False))
        points.append((n, cpu))
        same = result.total.counts == together.total.counts
        per = (f"{1e3 * cpu / n:.0f}", f"{1e3 * (cpu - alone) / n:.0f}", fitted(points), f"{1e3 * look / n:.0f}", "yes" if same else "NO")
        table.add_row(str(n), str(result.total.counts[0]), f"{wall:.1f}", f"{cpu:.2f}", *per)
    console.print(table)


def main(arguments: list[str]) -> int:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=20_000, help="raw events")
    parser.add_argument("--rows", type=int, default=1_000_000, help="event summaries")
    parser.add_argument("--files", type=int, default=100, help="small files")
    parser.add_argument("--per-file", type=int, default=20, help="events in each of them")
    parser.add_argument("--raw", type=int, default=100_000, help="raw events of the table on linearity")
    parser.add_argument("--folder", type=Path, help="where files of rehearsal.py are or are made")
    parser.add_argument("--only", choices=("events", "files", "overheads"), help="print this table alone")
    options = parser.parse_args(arguments)
    console = Console(width=150)
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        if options.only:
            run_search(SAMPLE, progress=False, maxchunks=1)  # compiles the kernels
            if options.only == "events":
                linear_events(options.raw, options.folder or scratch, console)
            elif options.only == "overheads":
                overheads(raw_file(scratch / "raw.root", options.events), scratch, console)
            else:
                linear_files(options.files, scratch / "many", options.per_file, console)
            return 0
        raw = raw_file(scratch / "raw.root", options.events)
        summary = summary_file(scratch / "summary.root", options.rows, scratch)
        run_search(raw, progress=False, maxchunks=1, chunksize=100)  # compiles the kernels
        reading(raw, summary, console)
        executors(raw, summary, console)
        overheads(raw, scratch, console)
        linear_rows(options.rows, scratch, console)
        linear_events(options.raw, options.folder or scratch, console)
        linear_files(options.files, scratch / "many", options.per_file, console)
    console.print(f"peak memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
