"""Memory of one worker: `python benchmarks/memory.py FILE [FILE...]`, raw trees of some 10 000 events with small clusters, or `--events N`.

Without a file, one is made of the shipped sample. Prints the largest resident size of a process that runs on it, for several chunk sizes,
and what it means in bytes for every byte of the unpacked columns of a chunk: the numbers BASE and FACTOR of `na64mu.inputs.memory`.
Then the same run with `--memory`, for several limits: chunk size, largest resident size, events that were lost.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import uproot
from rich.console import Console
from rich.table import Table
from scale import raw_file

from na64mu.events import writer
from na64mu.execution import run_search

SCRIPT = """
import json, resource, sys
from na64mu.execution import run_search
options = json.loads(sys.argv[2])
result = run_search(sys.argv[1], progress=False, **options)
lost = sum(loss.entry_stop - loss.entry_start for loss in result.losses if loss.kind == "chunk")
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([peak, result.total.counts[0], lost, result.provenance.chunksize]))
"""


def peak(path: Path, **options: Any) -> list[Any]:
    """Peak in MB, events read, events lost, and the chunk size of a run in a process of its own."""
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(path), json.dumps(options)], capture_output=True, text=True, check=False)
    return list(json.loads(done.stdout)) if done.returncode == 0 else [0, 0, 0, done.stderr.strip().splitlines()[-1][-90:]]


def main(arguments: list[str]) -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", nargs="*", type=Path)
    parser.add_argument("--events", type=int, default=20_000)
    options = parser.parse_args(arguments)
    console = Console(width=150)
    with tempfile.TemporaryDirectory() as folder:
        writer.MIN_EVENTS = 500
        files = options.file or [raw_file(Path(folder) / "raw.root", options.events)]
        for path in files:
            run_search(path, progress=False, maxchunks=1, chunksize=100)  # compiles the kernels
            tree = uproot.open(path)["events"]
            n, per_event = tree.num_entries, tree.uncompressed_bytes / tree.num_entries
            title = f"{path.name}: {n} events, {path.stat().st_size / 1e6:.0f} MB, {per_event:.0f} unpacked bytes per event"
            table = Table("chunk size", "peak MB", "bytes over the smallest chunk / unpacked bytes of a chunk", title=title)
            first = peak(path, chunksize=max(n // 100, 1))[0]
            for size in (n // 20, n // 8, n // 4, n // 2, n):
                most = peak(path, chunksize=size)[0]
                table.add_row(str(size), f"{most:.0f}", f"{1e6 * 1.048576 * (most - first) / ((size - n // 100) * per_event):.1f}")
            console.print(table)
            console.print(f"smallest chunk ({n // 100} events): {first:.0f} MB")
            table = Table("--memory", "chunk size", "peak MB", "events", "lost", title="with a limit")
            for limit in ("470MB", "500MB", "600MB", "800MB", "2GB"):
                most, events, lost, size = peak(path, memory=limit)
                table.add_row(limit, str(size), f"{most:.0f}", str(events), str(lost))
            console.print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
