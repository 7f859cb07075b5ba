"""The same cut-flow from every executor and chunk size, with its speed: `python benchmarks/executors.py FILES... [--workers 2]`.

Prints events per second and core, where the time goes, and whether all integers are the same.
"""

from __future__ import annotations

import argparse
import json
import sys

from rich.console import Console
from rich.table import Table

from na64mu.execution import run_search

CHUNKS = (1_000, 10_000, 100_000)


def main(arguments: list[str]) -> int:
    """Run all combinations; 1 if any result differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--selection", default="prl2024")
    options = parser.parse_args(arguments)
    run_search(options.files, selection=options.selection, progress=False)  # compiles the kernels
    table = Table(
        "executor", "chunk size", "chunks", "events", "wall s", "events/s/core", "read %", "reconstruct %", "select %", "fill %", "same"
    )
    reference: str | None = None
    differs = False
    for executor in ("iterative", "futures", "dask"):
        for chunksize in CHUNKS:
            result = run_search(
                options.files, selection=options.selection, executor=executor, workers=options.workers, chunksize=chunksize, progress=False
            )
            counts = json.dumps({name: flow.to_dict() for name, flow in sorted(result.cutflows.items())}, sort_keys=True)
            reference = reference or counts
            differs |= counts != reference
            t = result.timing
            shares = (f"{100 * part / t.busy:.0f}" for part in (t.read, t.reconstruct, t.select, t.fill))
            same = "yes" if counts == reference else "NO"
            table.add_row(
                executor, str(chunksize), str(t.chunks), str(t.events), f"{t.wall:.1f}", f"{t.events / t.busy:.0f}", *shares, same
            )
    Console().print(table)
    return int(differs)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
