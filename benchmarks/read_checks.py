"""What it costs to look for faults in all that is read, and to add exactly: `python benchmarks/read_checks.py [FILES] [--rounds 9]`.

Runs the main job in this process in turns: as it is; without the checks (faults of every row, units by the muons); and without exact sums too (histograms and
cut-flow of plain floats). Prints CPU time per event of each, the ratios with their spread over the rounds, and the CPU time of the checks alone. Without
FILES a beam is simulated; exact sums cost something where events have weights.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import PropertyMock, patch

import numpy as np
from rich.console import Console
from rich.table import Table

import na64mu
from na64mu.detector import load_detector
from na64mu.events.faults import Bounds
from na64mu.events.reader import read_batch, read_runs
from na64mu.events.screening import screened
from na64mu.events.units import mip_counts
from na64mu.execution.options import RunOptions
from na64mu.inputs.raw_fileset import Fileset
from na64mu.results.weighted_histogram import WeightedHistogram
from na64mu.simulation.produce import produce

#: How the job is run.
AS_IT_IS, UNCHECKED, BARE = "as it is", "without checks", "without checks and exact sums"


def main_job(files: list[str], how: str) -> tuple[float, int]:
    """CPU seconds and events of one run."""
    start = time.process_time()
    with ExitStack() as stack:
        if how != AS_IT_IS:
            stack.enter_context(patch.object(Fileset, "bounds", new_callable=PropertyMock, return_value={}))
        if how == BARE:
            stack.enter_context(
                patch.object(WeightedHistogram, "fill", lambda self, *where, weight: self.counted.fill(*where, weight=weight))
            )
            stack.enter_context(patch("na64mu.results.exact.exact_sum", lambda values: float(np.sum(values))))
        result = na64mu.run(files, options=RunOptions(progress=False))
    return time.process_time() - start, result.timing.events


def alone(files: list[str], rounds: int) -> dict[str, float]:
    """CPU microseconds per event of each check."""
    found = {"faults": 0.0, "energies of muons": 0.0}
    n = 0
    for name in files:
        batch, detector = read_batch(name), load_detector(read_runs(name)[0]["detector"])
        bounds, entries = Bounds.of(detector), np.arange(len(batch))
        screened(batch, bounds, entries)
        n += len(batch)
        for _ in range(rounds):
            start = time.process_time()
            screened(batch, bounds, entries)
            middle = time.process_time()
            mip_counts(batch, bounds.modules)
            found["faults"] += (middle - start) / rounds
            found["energies of muons"] += (time.process_time() - middle) / rounds
    return {name: 1e6 * seconds / n for name, seconds in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--events", type=int, default=4000, help="events that are simulated without FILES")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = args.files
        if not files:
            files = [str(Path(folder) / "beam.root")]
            produce(files[0], "na64mu-2022", "beam", args.events, 1, 1)
        ways = (AS_IT_IS, UNCHECKED, BARE)
        for how in ways:  # kernels are loaded
            main_job(files, how)
        seconds: dict[str, list[float]] = {how: [] for how in ways}
        for i in range(args.rounds):
            for how in ways if i % 2 else ways[::-1]:
                spent, n = main_job(files, how)
                seconds[how].append(1e6 * spent / n)
        single = alone(files, args.rounds)
    table = Table("main job", "CPU us per event", title=f"{n} events, {args.rounds} rounds in turns")
    for how in ways:
        table.add_row(how, f"{np.median(seconds[how]):.1f} (least {min(seconds[how]):.1f})")
    for how in ways[1:]:
        low, middle, high = np.quantile(np.array(seconds[AS_IT_IS]) / np.array(seconds[how]), [0.16, 0.5, 0.84])
        least = min(seconds[AS_IT_IS]) / min(seconds[how])
        table.add_row(f"as it is / {how}", f"{middle:.3f} (68 % of the rounds: {low:.3f} to {high:.3f}; of the least {least:.3f})")
    for name, value in single.items():
        table.add_row(f"{name} alone", f"{value:.2f} = {100 * value / np.median(seconds[UNCHECKED]):.1f} % of the job")
    Console().print(table)


if __name__ == "__main__":
    main()
