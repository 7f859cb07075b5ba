"""Where the CPU time of the main job from raw trees goes: `python benchmarks/stages.py FILES` (for example those of rehearsal.py).

Prints CPU microseconds per event of every stage of one run in this process, and of reading the same branches with uproot and nothing
else, before it. Stages that are indented are part of the one above them. The clocks themselves cost less than 0.1 us per event.
"""

from __future__ import annotations

import argparse
import functools
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from rehearsal import read_raw
from rich.console import Console
from rich.table import Table

from na64mu.events import reader
from na64mu.events.checksums import Checksums
from na64mu.execution import plan, run
from na64mu.inputs.chunk_runner import ChunkRunner
from na64mu.inputs.raw_chunks import RawReader
from na64mu.processors.search import SearchProcessor
from na64mu.reconstruction import summary
from na64mu.tracking import tracks

#: Owner of a function, its name, the name of the stage, and how far it is indented.
STAGES: tuple[tuple[Any, str, str, int], ...] = (
    (plan, "inspect_files", "inspection of the files", 0),
    (run, "process", "chunks", 0),
    (ChunkRunner, "__call__", "a chunk, with the garbage freed", 1),
    (RawReader, "_read", "opening and reading", 2),
    (reader, "read_columns", "uproot", 3),
    (Checksums, "verify", "checksums", 3),
    (summary, "reconstruct", "reconstruction", 2),
    (summary, "find_hits", "clusters, wires and slabs in time", 3),
    (summary, "spectrometer_hits", "hits of MS1 and MS2", 3),
    (tracks, "find_candidates", "candidates", 3),
    (tracks, "join", "joining of the views", 3),
    (tracks, "fit_tracks", "fits", 3),
    (summary, "station_hits", "hits per station", 3),
    (summary, "_energy_columns", "energies", 3),
    (summary, "_downstream_columns", "extrapolation behind MS2", 3),
    (summary, "middle_of_ecal", "MS1 tracks in the ECAL", 3),
    (SearchProcessor, "analyse", "cuts and histograms", 2),
)


def clocked(seconds: dict[str, float], owner: Any, name: str, stage: str) -> None:
    """Put a clock of CPU time around a function, where it is looked up."""
    function = getattr(owner, name)

    @functools.wraps(function)
    def timed(*arguments: Any, **options: Any) -> Any:
        start = time.process_time()
        try:
            return function(*arguments, **options)
        finally:
            seconds[stage] += time.process_time() - start

    setattr(owner, name, timed)


def main(arguments: list[str]) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--chunksize", type=int, default=100_000)
    options = parser.parse_args(arguments)
    run.run_search(options.files[0], progress=False, maxchunks=1, chunksize=100)  # compiles the kernels
    start = time.process_time()
    n = read_raw(options.files)
    reading = time.process_time() - start
    seconds: dict[str, float] = defaultdict(float)
    for owner, name, stage, _ in STAGES:
        clocked(seconds, owner, name, stage)
    start = time.process_time()
    run.run_search(options.files, progress=False, chunksize=options.chunksize)
    total = time.process_time() - start
    table = Table("stage", "us per event", "of the time of reading", title=f"{n} events, {len(options.files)} files")
    rows = [("reading with uproot and nothing else", reading), ("main job", total)]
    rows += [("  " * (indent + 1) + stage, seconds[stage]) for _, _, stage, indent in STAGES]
    for stage, spent in rows:
        table.add_row(stage, f"{1e6 * spent / n:.2f}", f"{spent / reading:.2f}")
    Console(width=120).print(table)


if __name__ == "__main__":
    main(sys.argv[1:])
