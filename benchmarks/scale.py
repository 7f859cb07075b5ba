"""Speed, memory and overheads of the main job: `python benchmarks/scale.py [--events 20000] [--rows 1000000] [--files 50]`.

Makes its input from the shipped sample by repeating the events under new numbers. The rehearsal of issue size is
`--events 10000000 --rows 10000000 --files 2000` (about 6 GB of scratch space); every line says the size it was measured at.
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
from rich.console import Console
from rich.table import Table

from na64mu.events.batch import RawBatch, concatenate
from na64mu.events.form import branches
from na64mu.events.reader import read_batch, read_runs
from na64mu.events.source import find_tree, open_file, read_columns
from na64mu.events.writer import RawTreeWriter
from na64mu.execution import run_search
from na64mu.execution.reconstruct import WRITERS, reconstruct_files
from na64mu.execution.summary_chunks import needed_columns
from na64mu.execution.summary_file import column_checksums, read_rows
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
    n = run_search(raw, progress=False, maxchunks=1, chunksize=100).provenance.inputs[0].entries
    for name in ("iterative", "futures", "dask"):
        walls = {size: timed(raw, executor=name, workers=1, chunksize=size)[0] for size in (n, n, n // 40)}
        per_chunk = (walls[n // 40] - walls[n]) / 39
        table.add_row(f"{name}: each further chunk (40 chunks against 1, the basket is unpacked again each time)", f"{1e3 * per_chunk:.0f}")
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


def linear(rows: int, n_files: int, scratch: Path, console: Console) -> None:
    """Time against events and files, memory against the size of the file."""
    table = Table("summary rows", "MB on disk", "wall s", "rows/s", "peak MB", title="linear in events")
    for n in (n for n in (10_000, 100_000, 1_000_000, 10_000_000) if n <= rows):
        path = summary_file(scratch / f"rows{n}.parquet", n, scratch)
        wall, result = timed(path)
        count = result.total.counts[0]
        size = path.stat().st_size / 1e6
        table.add_row(str(count), f"{size:.1f}", f"{wall:.2f}", f"{count / wall:.0f}", f"{peak_memory(path):.0f}")
        path.unlink()
    console.print(table)
    table = Table("raw files", "events", "wall s", "ms/file", title="linear in files")
    folder = scratch / "many"
    folder.mkdir()
    batch, rows_of_run = concatenate([read_batch(SAMPLE)]), read_runs(SAMPLE)
    made = 0
    for n in (n for n in (1, 10, 50, 200, 2_000) if n <= n_files):
        for i in range(made, n):
            with RawTreeWriter(folder / f"beam_{i:04d}.root") as writer:
                writer.extend(renumbered(batch, i * len(batch)))
                writer.finish(rows_of_run)
        made = n
        wall, result = timed(folder)
        table.add_row(str(n), str(result.total.counts[0]), f"{wall:.2f}", f"{1e3 * wall / n:.0f}")
    console.print(table)


def main(arguments: list[str]) -> int:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=20_000, help="raw events")
    parser.add_argument("--rows", type=int, default=1_000_000, help="event summaries")
    parser.add_argument("--files", type=int, default=50)
    options = parser.parse_args(arguments)
    console = Console(width=150)
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        raw = raw_file(scratch / "raw.root", options.events)
        summary = summary_file(scratch / "summary.root", options.rows, scratch)
        run_search(raw, progress=False, maxchunks=1, chunksize=100)  # compiles the kernels
        reading(raw, summary, console)
        executors(raw, summary, console)
        overheads(raw, scratch, console)
        linear(options.rows, options.files, scratch, console)
    console.print(f"peak memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
