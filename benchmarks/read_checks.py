"""What it costs to look for faults in all that is read: `python benchmarks/read_checks.py [FILES] [--rounds 9]`.

Runs the main job in this process in turns with and without the checks (faults of every row, energies of the muons), and prints CPU time
per event of both, their ratio with its spread over the rounds, and the CPU time of the checks alone. Without FILES a beam is simulated.
"""

from __future__ import annotations

import argparse
import tempfile
import time
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
from na64mu.simulation.produce import produce


def main_job(files: list[str], *, checked: bool) -> tuple[float, int]:
    """CPU seconds and events of one run."""
    start = time.process_time()
    if checked:
        result = na64mu.run(files, options=RunOptions(progress=False))
    else:
        with patch.object(Fileset, "bounds", new_callable=PropertyMock, return_value={}):
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
        for checked in (True, False):  # kernels are loaded
            main_job(files, checked=checked)
        seconds: dict[bool, list[float]] = {True: [], False: []}
        for i in range(args.rounds):
            for checked in (True, False) if i % 2 else (False, True):
                spent, n = main_job(files, checked=checked)
                seconds[checked].append(1e6 * spent / n)
        single = alone(files, args.rounds)
    ratios = np.array(seconds[True]) / np.array(seconds[False])
    table = Table("main job", "CPU us per event", title=f"{n} events, {args.rounds} rounds in turns")
    table.add_row("without checks", f"{np.median(seconds[False]):.1f}")
    table.add_row("with checks", f"{np.median(seconds[True]):.1f}")
    low, middle, high = np.quantile(ratios, [0.16, 0.5, 0.84])
    table.add_row("ratio", f"{middle:.3f} (68 % of the rounds: {low:.3f} to {high:.3f})")
    for name, value in single.items():
        table.add_row(f"{name} alone", f"{value:.2f} = {100 * value / np.median(seconds[False]):.1f} % of the job")
    Console().print(table)


if __name__ == "__main__":
    main()
