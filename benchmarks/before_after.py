"""Two checkouts side by side in one run: `python benchmarks/before_after.py BEFORE [AFTER] [-n REPEATS] [--only WORD]`.

BEFORE and AFTER are folders of checkouts, AFTER this one if it is not given; both run with the Python of this script. Each has one
process, which prepares and compiles everything first. Then both do the same pieces of work in turn, always the other one first, so that
what else the machine does meets both alike. What counts is processor time, and of it the least: it is what is disturbed least.
A ratio above 1 says that AFTER takes longer. Its spread are the middle 68 % of the ratios of neighbouring measurements in one pair of
processes. It does not hold what differs from process to process, such as where arrays and code lie in memory: two checkouts with the
same fit came out at 0.95 to 1.03 for blocks of tracks, with spreads of 0.02. A few per cent need several runs of this script.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]

#: A piece of work, of which the time counts.
Work = Callable[[], object]


def fits() -> Iterator[tuple[str, Work]]:
    """The track fit, see fit.py: blocks of tracks through both filters and the smoother, and the whole fit from measurements."""
    from telescope import make, real, seeds

    from na64mu.tracking.compiled_fit import kernel
    from na64mu.tracking.fit import fit_measurements
    from na64mu.tracking.navigation import route

    loose = np.array([20.0, 20.0, 0.02, 0.02, 0.02])
    for number in (1, 2):
        ms = real(number)
        sample = make(ms, 64 * 1024, (100.0, 160.0), 11)
        start, path = seeds(sample, 12), route(ms)
        for kind in ("filter", "smooth"):
            compiled = kernel(path, kind)  # type: ignore[arg-type]
            blocks = compiled.pack(start, loose, sample.u, sample.weight)
            yield f"fit: MS{number}, {kind}, blocks", functools.partial(compiled.fit_blocks, blocks)
        yield f"fit: MS{number}, from measurements", functools.partial(fit_measurements, start, sample.u, sample.weight, ms)


def findings() -> Iterator[tuple[str, Work]]:
    """Track finding from digits, see finding.py: single muons with noise."""
    from finding import find_hits, find_tracks, middle_of_ecal
    from overlay import beam, events, noise, overlaid

    from na64mu.detector import load_detector

    detector, rng = load_detector("na64mu-2022"), np.random.default_rng(1)
    n = 4000
    batch = overlaid(events(beam(detector, n, rng).reshape(n, 1, 5), detector, rng), noise(n, 0.01, detector, rng))
    yield "finding: hits", lambda: find_hits(batch, detector)
    found = find_hits(batch, detector)
    entry = middle_of_ecal(find_tracks(found, 1), detector)
    yield "finding: MS1, candidates and fit", lambda: find_tracks(found, 1)
    yield "finding: MS2, candidates and fit", lambda: find_tracks(found, 2, entry)


def stages() -> Iterator[tuple[str, Work]]:
    """The main job on the sample, see stages.py: reading, reconstruction, and all of it."""
    import na64mu
    from na64mu.detector import load_detector
    from na64mu.events.reader import read_batch
    from na64mu.reconstruction.summary import reconstruct

    files = sorted(str(path) for path in (Path(na64mu.__file__).parent / "data" / "sample").glob("*.root"))
    detector = load_detector("na64mu-2022")
    batches = [read_batch(path) for path in files]
    yield "stages: reading", lambda: [read_batch(path) for path in files]
    yield "stages: reconstruction", lambda: [reconstruct(batch, detector) for batch in batches]


def simulations() -> Iterator[tuple[str, Work]]:
    """The fast simulation, see simulation.py: events of every kind, and their digits."""
    from na64mu.detector import load_detector
    from na64mu.physics.energy_loss import NUCLEAR
    from na64mu.simulation.contamination import decay_plans
    from na64mu.simulation.digits import digitise
    from na64mu.simulation.events import simulate_events
    from na64mu.simulation.muon_in_calorimeter import BEAM, DECAY, HADRON, HARD_LOSS, ZPRIME
    from na64mu.simulation.readout import build_readout
    from na64mu.simulation.setup import build_setup
    from na64mu.simulation.signal import hard_loss_plans, zprime_plans

    detector = load_detector("na64mu-2022")
    setup, readout, rng = build_setup(detector, 1), build_readout(detector), np.random.default_rng(1)

    def nothing(n: int) -> Any:
        try:
            from na64mu.simulation.plans import no_plans
        except ImportError:  # older checkouts have plans without names
            return np.zeros((n, 4))
        return no_plans(n)

    def simulate(n: int, mode: int, plans: Any, prescale: int) -> Any:
        return simulate_events(setup, detector, n, mode, plans, prescale, np.random.default_rng(7))[1]

    for name, n, mode, plans, prescale in (
        ("beam, physics triggers", 20_000, BEAM, nothing(20_000), 0),
        ("beam, all", 2_000, BEAM, nothing(2_000), 1),
        ("Z'", 2_000, ZPRIME, zprime_plans(detector, 0.1, 1e-4, 2_000, rng)[0], 1),
        ("hard losses", 1_000, HARD_LOSS, hard_loss_plans(detector, setup, 20.0, 1_000, rng)[0], 1),
        ("muon-nuclear", 1_000, HARD_LOSS, hard_loss_plans(detector, setup, 20.0, 1_000, rng, NUCLEAR)[0], 1),
        ("hadrons", 1_000, HADRON, nothing(1_000), 1),
        ("decays", 4_000, DECAY, decay_plans(detector, setup, 4_000, rng, kaons_only=True)[0], 1),
    ):
        yield f"simulation: {name}", functools.partial(simulate, n, mode, plans, prescale)
    truth = simulate(2_000, BEAM, nothing(2_000), 1)
    yield "simulation: digits", lambda: digitise(truth, readout, np.random.default_rng(3))


def work(only: str) -> None:
    """One of the two processes: says what it can measure, and measures what it is told to, line by line."""
    works: dict[str, Work] = {}
    for group in (fits, findings, stages, simulations):
        if only in group.__name__:
            works |= group()
    for one in works.values():  # compiles, and warms up
        one()
    import na64mu

    print(json.dumps([str(Path(na64mu.__file__).parent), *works]), flush=True)
    for line in sys.stdin:
        start = time.process_time()
        works[line.strip()]()
        print(time.process_time() - start, flush=True)


class Checkout:
    """A process that measures the code of one folder."""

    def __init__(self, folder: Path, only: str) -> None:
        self.folder = folder
        code = f"import runpy; runpy.run_path({str(Path(__file__).resolve())!r})['work']({only!r})"
        environment = os.environ | {"PYTHONPATH": str(folder / "src"), "OMP_NUM_THREADS": "1"}
        # the modules beside the benchmarks of a checkout belong to its code
        self.process = subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=folder / "benchmarks",
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def _answer(self) -> Any:
        line = self._pipe(self.process.stdout).readline()
        if not line:
            sys.exit(f"the process of {self.process.args!r} ended with code {self.process.wait()}")
        return json.loads(line)

    @staticmethod
    def _pipe(pipe: IO[str] | None) -> IO[str]:
        assert pipe is not None
        return pipe

    @functools.cached_property
    def names(self) -> list[str]:
        """What it can measure."""
        package, *names = self._answer()
        if Path(package) != self.folder / "src" / "na64mu":
            sys.exit(f"{self.folder} is to be measured, and {package} was imported: give a folder with src/na64mu")
        return list(names)

    def measure(self, name: str) -> float:
        """Processor time of a piece of work [s]."""
        given = self._pipe(self.process.stdin)
        given.write(name + "\n")
        given.flush()
        return float(self._answer())

    def close(self) -> None:
        """End the process."""
        self._pipe(self.process.stdin).close()
        self.process.wait()


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path, nargs="?", default=ROOT)
    parser.add_argument("-n", "--repeats", type=int, default=15)
    parser.add_argument("--only", default="", help="a group: fits, findings, stages or simulations")
    given = parser.parse_args()
    from rich.console import Console
    from rich.table import Table

    one, other = (Checkout(folder.resolve(), given.only) for folder in (given.before, given.after))
    names = [name for name in one.names if name in other.names]
    table = Table(
        "work", "before [ms]", "after [ms]", "ratio of the least", "of the medians", "spread", title=f"{given.repeats} times in turn"
    )
    for name in names:
        times = np.empty((given.repeats, 2))
        for i in range(given.repeats):
            for k in (0, 1) if i % 2 == 0 else (1, 0):
                times[i, k] = (one, other)[k].measure(name)
        least, median = times.min(axis=0), np.median(times, axis=0)
        low, high = np.percentile(times[:, 1] / times[:, 0], [16.0, 84.0])
        cells = [
            *(f"{1e3 * t:.1f}" for t in least),
            f"{least[1] / least[0]:.3f}",
            f"{median[1] / median[0]:.3f}",
            f"{low:.2f} to {high:.2f}",
        ]
        table.add_row(name, *cells)
    Console(width=130).print(table)
    one.close()
    other.close()


if __name__ == "__main__":
    main()
