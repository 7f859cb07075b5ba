"""Hostile input: `python benchmarks/fuzz.py [-n 10000] [--seed 1] [--seconds 30]`.

Flips bits, overwrites, repeats, removes and truncates parts of every kind of file that is read, and reads the result in a process of its
own. Allowed are: the file reads as if nothing had happened, or one of na64mu's own errors. Counted as failures are a crash of the
interpreter, a hang (more than `--seconds` for one input), any other exception, and (raw trees, which have checksums) other numbers
without a word. Exit code 1 if there is a failure.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
MEMORY = 8 << 30
Reader = Callable[[Path], Any]


def mutated(rng: random.Random, content: bytes) -> bytes:
    """The content with one to four things done to it."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        at = rng.randrange(max(len(data), 1))
        n = min(rng.choice((1, 1, 2, 8, 64)), max(len(data) - at, 0))
        what = rng.randrange(7)
        if what == 0 and n:
            data[at] ^= 1 << rng.randrange(8)
        elif what == 1:
            data[at : at + n] = rng.randbytes(n)
        elif what == 2:
            data[at : at + n] = rng.choice((b"\0", b"\xff", b"9", b"-", b"[")) * n
        elif what == 3:
            del data[at : at + n]
        elif what == 4:
            data[at:at] = data[at : at + n] * rng.choice((1, 5))
        elif what == 5 and rng.random() < 0.5:
            del data[at:]
        elif what == 6:
            other = rng.randrange(max(len(data), 1))
            data[at : at + n] = data[other : other + n]
    return bytes(data)


def _raw(path: Path) -> Any:
    from na64mu.events.checker import check_file
    from na64mu.events.reader import read_batch, read_runs

    check_file(path)
    batch, rows = read_batch(path), read_runs(path)
    hits = {f"{n}_{f}": a.tobytes() for n, c in batch.collections.items() for f, a in (*c.fields.items(), ("offsets", c.offsets))}
    return {name: column.tobytes() for name, column in batch.scalars.items()}, hits, rows


def _summary(path: Path) -> Any:
    from na64mu.errors import InputError
    from na64mu.inputs.summary_chunks import chunks_of, needed_columns, read_chunk
    from na64mu.inputs.summary_fileset import inspect_summaries
    from na64mu.selections.working_point import load_working_point

    point = load_working_point("prl2024")
    fileset = inspect_summaries([path], detector=None, working_point=point)
    damage = [loss.reason for loss in fileset.losses if loss.is_damage]
    if damage:
        raise InputError(damage[0])
    columns = [read_chunk(c) for c in chunks_of(fileset, needed_columns(point), 100_000, None)]
    return [{n: a.tobytes() for n, a in c.items()} for c in columns], [f.exposure for f in fileset.files]


def _checkpoint(path: Path) -> None:
    from na64mu.execution.checkpoint import Checkpoint

    kept = Checkpoint(path.parent / "run", json.loads((path.parent / "identity.json").read_text()), resume=True)
    kept.path.parent.mkdir(parents=True, exist_ok=True)
    kept.path.write_bytes(path.read_bytes())
    kept.load()


def _toml(load: str) -> Reader:
    def read(path: Path) -> None:
        import importlib

        module, function = load.rsplit(".", 1)
        getattr(importlib.import_module(module), function)(path)

    return read


def _fileset(path: Path) -> None:
    from na64mu.inputs.paths import expand

    expand([path])


def _folder(path: Path) -> None:
    from na64mu.results.run import RunResult

    folder = path.parent / "out"
    kept = (folder / path.name).read_bytes()
    try:
        (folder / path.name).write_bytes(path.read_bytes())
        RunResult.read(folder)
    finally:
        (folder / path.name).write_bytes(kept)


#: Name of the file in the scratch folder -> how it is read.
TARGETS: dict[str, Reader] = {
    "raw.root": _raw,
    "rntuple.root": _raw,
    "summary.root": _summary,
    "summary.parquet": _summary,
    "finished.json": _checkpoint,
    "fileset.json": _fileset,
    "cutflow.json": _folder,
    "histograms.json": _folder,
    "summary.json": _folder,
    "selection.toml": _toml("na64mu.selections.working_point.load_working_point"),
    "calibration.toml": _toml("na64mu.calibration.windows.load_calibration"),
    "detector.toml": _toml("na64mu.detector.read_detector"),
    "layout.toml": _toml("na64mu.events.layout.load_layout"),
}


def make(folder: Path) -> None:
    """A good file of every kind."""
    from na64mu.events.reader import read_batch, read_runs
    from na64mu.events.writer import RawTreeWriter
    from na64mu.execution import run_search
    from na64mu.execution.reconstruct import reconstruct_files

    source = ROOT / "data" / "sample" / "calibration_1.root"
    for name, kind in (("raw.root", "ttree"), ("rntuple.root", "rntuple")):
        with RawTreeWriter(folder / name, kind) as writer:  # type: ignore[arg-type]  # the names stand in the line above
            writer.extend(read_batch(source, 0, 40))
            writer.finish(read_runs(source))
    for ending in ("root", "parquet"):
        reconstruct_files(folder / "raw.root", folder / f"summary.{ending}")
    run_search(folder / "raw.root", output=folder / "run", progress=False).write(folder / "out")
    for name in ("cutflow.json", "histograms.json", "summary.json"):
        (folder / name).write_bytes((folder / "out" / name).read_bytes())
    kept = (folder / "run" / ".checkpoint" / "finished.json").read_bytes()
    (folder / "finished.json").write_bytes(kept)
    (folder / "identity.json").write_text(json.dumps(json.loads(kept)["identity"]))
    (folder / "fileset.json").write_text(json.dumps({"beam": {"files": ["raw.root"], "metadata": {"detector": "na64mu-2022"}}}))
    data = ROOT / "data"
    copies = {"selection": "selections/prl2024", "calibration": "data/calibration/na64mu-2022", "detector": "data/detector/na64mu-2022"}
    copies["layout"] = "data/layouts/na64-public-tree"
    for name, path in copies.items():
        (folder / f"{name}.toml").write_bytes((data.parent / f"{path}.toml").read_bytes())


def child(folder: Path, name: str, seed: int, first: int, last: int, seconds: float) -> None:
    """Read mutated inputs first to last - 1 of one kind; one line of JSON for each."""
    import warnings

    from na64mu.errors import Na64muError

    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    read, good = TARGETS[name], (folder / name).read_bytes()
    expected = read(folder / name)
    scratch = folder / f"hostile_{name}"
    scratch.mkdir(exist_ok=True)
    for extra in ("identity.json", "out"):
        if not (scratch / extra).exists():
            (scratch / extra).symlink_to(folder / extra)
    for i in range(first, last):
        path = scratch / name
        path.write_bytes(mutated(random.Random(f"{seed} {name} {i}"), good))
        faulthandler.dump_traceback_later(seconds, exit=True)
        start = time.perf_counter()
        text = ""
        try:
            outcome = "reads" if read(path) == expected else "OTHER NUMBERS"
        except Na64muError:
            outcome = "named error"
        except Exception as error:  # noqa: BLE001  # this is what is looked for
            outcome, text = "OTHER EXCEPTION", f"{type(error).__name__}: {error}"[:200]
        faulthandler.cancel_dump_traceback_later()
        sys.stdout.write(json.dumps([i, outcome, text, time.perf_counter() - start]) + "\n")
        sys.stdout.flush()


def run_kind(folder: Path, name: str, seed: int, n: int, seconds: float) -> tuple[Counter[str], float, list[str]]:
    """Outcomes of n inputs of one kind, the longest time, and what failed."""
    outcomes, longest, failures, at = Counter[str](), 0.0, [], 0
    while at < n:
        command = [sys.executable, __file__, "--child", str(folder), name, str(at), "-n", str(n), "--seed", str(seed)]
        done = subprocess.run([*command, "--seconds", str(seconds)], capture_output=True, text=True, check=False)
        for line in done.stdout.splitlines():
            at, outcome, text, wall = json.loads(line)
            outcomes[outcome] += 1
            longest = max(longest, wall)
            if outcome.isupper():
                failures.append(f"{name} {at}: {outcome} {text}")
            at += 1
        if at < n:  # the child died at this input
            outcome = "HANG" if "Timeout" in done.stderr else "CRASH"
            outcomes[outcome] += 1
            failures.append(f"{name} {at}: {outcome} (exit {done.returncode}) {done.stderr.strip()[-200:]}")
            at += 1
    return outcomes, longest, failures


def main(arguments: list[str]) -> int:
    """Print the table; 1 if anything failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=10_000, help="inputs over all kinds")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        folder, name, first = options.child
        child(Path(folder), name, options.seed, int(first), options.n, options.seconds)
        return 0
    names = ("reads", "named error", "OTHER EXCEPTION", "OTHER NUMBERS", "HANG", "CRASH")
    table, all_failures = Table("kind", "inputs", *names, "longest s"), []
    each = -(-options.n // len(TARGETS))
    with tempfile.TemporaryDirectory() as scratch:
        make(Path(scratch))
        for name in TARGETS:
            outcomes, longest, failures = run_kind(Path(scratch), name, options.seed, each, options.seconds)
            table.add_row(name, str(each), *(str(outcomes[o]) for o in names), f"{longest:.2f}")
            all_failures += failures
    console = Console(width=140)
    console.print(table)
    for failure in all_failures[:40]:
        console.print(failure, markup=False)
    return int(bool(all_failures))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
