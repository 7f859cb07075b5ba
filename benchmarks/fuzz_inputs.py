"""Hostile input through whole verbs: `python benchmarks/fuzz_inputs.py [-n 10000] [--seed 1] [--state fuzz.jsonl]`.

Files of every kind are damaged: bytes (as fuzz.py does), single values of TOML and JSON (wrong types, infinities, numbers that are too
large, empty, deep, missing), and columns of raw events. Each is run through what reads it, in one process for many inputs: the search on
raw trees and summaries, a resumed run, `check`, reports and counts of an output folder, and the loaders of every configuration.
An input fails if it ends in an exception that is not one of na64mu's own, takes longer than --seconds, takes more memory than a
bound from its size, or gives another result without a word. With --state, inputs that were tried before are not tried again. Exit code 1
if there is a failure.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import hashlib
import io
import json
import logging
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parent))
from fuzz import make, mutated

#: Memory that an input may take: a constant for caches and libraries, and a multiple of its size [bytes].
MEMORY, MULTIPLE = 400 << 20, 50
#: Address space that is added to that of the process when the inputs begin [bytes].
LIMIT = 3 << 30

#: What a value of a TOML file is replaced by.
TOML_VALUES = (
    "nan",
    "inf",
    "-inf",
    "1e300",
    "-1",
    "0",
    "-0.0",
    "9223372036854775807",
    '""',
    '"x"',
    "[]",
    "{}",
    "true",
    "[[[]]]",
    '["a", 1]',
)
TOML_VALUES += ("{ a = 1 }", "1979-05-27", '"/etc/passwd"', '"\\u0000"', "[1e400]", "0.0000000001", "[0, 0]", "[-1.0, nan]")
#: What a value of a JSON file is replaced by.
JSON_VALUES: tuple[Any, ...] = (None, -1, 0, 1e300, 2**64, 10**400, "", "x", [], {}, True, [[]], {"a": 1}, float("nan"), float("inf"), -1.5)

#: Events of the good raw trees, which fuzz.py writes.
EVENTS = 40

Outcome = tuple[Any, bool]  # what is compared with that of the good file, and whether anything was said


def mutated_toml(rng: random.Random, content: bytes) -> bytes:
    """The text with some values replaced, or lines removed, repeated or swapped."""
    lines = content.decode("utf-8", "replace").splitlines()
    keys = [i for i, line in enumerate(lines) if re.match(r"\s*[\w.\"-]+\s*=", line)] or [0]
    for _ in range(rng.choice((1, 1, 2, 3))):
        i = min(rng.choice(keys), len(lines) - 1)
        what = rng.randrange(8)
        if what < 5:
            lines[i] = lines[i].split("=", 1)[0] + "= " + rng.choice(TOML_VALUES)
        elif what == 5:
            del lines[i]
        elif what == 6:
            lines.insert(i, rng.choice(lines))
        else:
            lines[i] = rng.choice(("[a.b]", "[[cuts]]", "x." * 400 + "y = 1", "a = " + "[" * 900, "base = 'selection.toml'", "\x00"))
        if not lines:
            break
    return "\n".join(lines).encode()


def mutated_json(rng: random.Random, content: bytes) -> bytes:
    """The document with some values replaced or removed."""
    document = json.loads(content)
    for _ in range(rng.choice((1, 1, 2))):
        at, parents = document, []
        while isinstance(at, dict | list) and at and (not parents or rng.random() < 0.85):
            key = rng.choice(list(at)) if isinstance(at, dict) else rng.randrange(len(at))
            parents.append((at, key))
            at = at[key]
        if not parents:
            return json.dumps(rng.choice(JSON_VALUES)).encode()
        parent, key = parents[-1]
        if rng.random() < 0.2:
            del parent[key]
        elif isinstance(parent[key], int | float) and rng.random() < 0.3:
            parent[key] = parent[key] * rng.choice((2, -1, 10)) + rng.choice((0, 1))
        else:
            parent[key] = rng.choice(JSON_VALUES)
    return json.dumps(document).encode()


def mutated_checkpoint(rng: random.Random, content: bytes) -> bytes:
    """The kept chunks with some values replaced, and their seal made again."""
    from na64mu.execution.checkpoint import END_OF_SEAL

    head, _, body = content.partition(END_OF_SEAL)
    body = mutated_json(rng, b"{" + body)[1:]
    seal = json.loads(head + b"}") | {"sha256": hashlib.sha256(body).hexdigest()}
    return json.dumps(seal).encode()[:-1] + END_OF_SEAL + body


def mutated_events(rng: random.Random, content: bytes, path: Path) -> None:
    """A raw tree with columns that hold what they must not."""
    from na64mu.events.reader import read_batch, read_runs
    from na64mu.events.writer import RawTreeWriter

    path.write_bytes(content)
    batch, rows = read_batch(path), read_runs(path)
    for _ in range(rng.choice((1, 1, 2, 3))):
        name = rng.choice(["", *batch.collections])
        columns = batch.collections[name].fields if name else batch.scalars
        column = rng.choice(list(columns))
        values = np.array(columns[column])
        if not len(values):
            continue
        some = rng.sample(range(len(values)), rng.choice((1, min(3, len(values)), len(values))))
        ends = (
            (np.nan, np.inf, -np.inf, 1e38, -1e38)
            if values.dtype.kind == "f"
            else (np.iinfo(values.dtype).min, np.iinfo(values.dtype).max, 0)
        )
        values[some] = rng.choice(ends)
        columns[column] = values
    if rng.random() < 0.2:
        name = rng.choice(list(batch.collections))
        batch.collections[name] = batch.collections[name].with_rows(np.zeros(int(batch.collections[name].offsets[-1]), np.bool_))
    if rng.random() < 0.2:
        rows[0] |= {"n_mot": rng.choice((0, 1, 10**15)), "sum_weights": rng.choice((0.0, 1e-300, 1e300))}
    with RawTreeWriter(path) as writer:
        writer.extend(batch)
        writer.finish(rows)


def physics(result: Any) -> Any:
    """What a run must not change without a word."""
    content = result.to_dict()
    return json.loads(json.dumps({k: content[k] for k in ("cutflow", "exposure", "regions") if k in content}, default=str))


def _run(path: Path, **options: Any) -> Outcome:
    from na64mu.execution import run_search

    result = run_search(path, progress=False, **options)
    assert sum(steps["steps"][0]["n"] for steps in result.to_dict()["cutflow"]["datasets"].values()) == result.timing.events
    return physics(result), bool(result.losses)


def _raw(path: Path) -> Outcome:
    from na64mu.events.checker import check_file

    report = check_file(path)
    str(report)
    result, said = _run(path)
    return result, said or bool(report.findings)


def _values(path: Path) -> Outcome:
    """Other numbers give another result; all events are counted, or said to be lost."""
    from na64mu.events.checker import check_file

    str(check_file(path))
    result, said = _run(path)
    n = sum(run["events_read"] + run["events_lost"] for run in result["exposure"]["runs"])
    return None if n == EVENTS or said else n, said


def _checkpoint(path: Path) -> Outcome:
    folder = path.parent / "resumed" / ".checkpoint"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "finished.json").write_bytes(path.read_bytes())
    return _run(path.parent / "raw.root", output=folder.parent, resume=True)


def _loads(name: str) -> Callable[[Path], Outcome]:
    def read(path: Path) -> Outcome:
        import importlib

        module, function = name.rsplit(".", 1)
        repr(getattr(importlib.import_module(module), function)(path))
        return None, True

    return read


def _selection(path: Path) -> Outcome:
    _run(path.parent / "summary.parquet", selection=path)
    return None, True


def _calibration(path: Path) -> Outcome:
    _run(path.parent / "summary.parquet", calibration=path)
    return None, True


def _layout(path: Path) -> Outcome:
    from na64mu.events.checker import check_file

    return check_file(path.parent / "raw.root", layout=path).n_events, True


def _fileset(path: Path) -> Outcome:
    return _run(path)


def _folder(path: Path) -> Outcome:
    from click.testing import CliRunner

    from na64mu.cli import main
    from na64mu.errors import InputError
    from na64mu.results.run import RunResult

    folder = path.parent / "out"
    kept = (folder / path.name).read_bytes()
    try:
        (folder / path.name).write_bytes(path.read_bytes())
        result = RunResult.read(folder)
        done = CliRunner().invoke(main, ["report", str(folder), "--tables"])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        if done.exit_code not in (0, 3):
            raise InputError(done.output)
        return physics(result), False
    finally:
        (folder / path.name).write_bytes(kept)


#: Kind -> file it is made of, how it is changed, how it is read, and its part of all inputs.
Mutation = Callable[[random.Random, bytes], bytes]
KINDS: dict[str, tuple[str, Mutation | None, Callable[[Path], Outcome], float]] = {
    "raw TTree, bytes": ("raw.root", mutated, _raw, 3.0),
    "raw RNTuple, bytes": ("rntuple.root", mutated, _raw, 2.0),
    "raw tree, values": ("raw.root", None, _values, 2.0),
    "summary ROOT, bytes": ("summary.root", mutated, _run, 1.5),
    "summary Parquet, bytes": ("summary.parquet", mutated, _run, 1.5),
    "checkpoint, values": ("finished.json", mutated_checkpoint, _checkpoint, 1.0),
    "checkpoint, bytes": ("finished.json", mutated, _checkpoint, 1.0),
    "fileset, values": ("fileset.json", mutated_json, _fileset, 1.0),
    "fileset, bytes": ("fileset.json", mutated, _fileset, 1.0),
    "working point, values": ("selection.toml", mutated_toml, _selection, 1.0),
    "calibration, values": ("calibration.toml", mutated_toml, _calibration, 1.0),
    "detector, values": ("detector.toml", mutated_toml, _loads("na64mu.detector.read_detector"), 1.0),
    "conditions, values": ("conditions.toml", mutated_toml, _loads("na64mu.detector.conditions.load_conditions"), 1.0),
    "layout, values": ("layout.toml", mutated_toml, _layout, 1.0),
    "cutflow.json, values": ("cutflow.json", mutated_json, _folder, 0.5),
    "histograms.json, values": ("histograms.json", mutated_json, _folder, 0.5),
    "summary.json, values": ("summary.json", mutated_json, _folder, 0.5),
}
OUTCOMES = ("same", "said", "named error", "EXCEPTION", "SILENT", "MEMORY", "HANG", "CRASH")


def one(kind: str, folder: Path, good: bytes, expected: Any, rng: random.Random) -> tuple[str, str]:
    """Outcome of one input, and what there is to say of it."""
    from na64mu.errors import Na64muError

    name, change, read, _ = KINDS[kind]
    path = folder / "hostile" / name
    if change is None:
        mutated_events(rng, good, path)
    else:
        path.write_bytes(change(rng, good))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            result, said = read(path)
        outcome, text = ("same", "") if result == expected else ("said", "") if said else ("SILENT", str(path.stat().st_size))
    except Na64muError as error:
        outcome, text = "named error", "" if str(error).strip() else "EMPTY"
    except Exception as error:  # noqa: BLE001  # this is what is looked for
        import traceback

        place = traceback.extract_tb(error.__traceback__)[-1]
        outcome, text = "EXCEPTION", f"{type(error).__name__}: {error} ({Path(place.filename).name}:{place.lineno})"[:300]
    taken = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10) - before
    if taken > MEMORY + MULTIPLE * path.stat().st_size:
        outcome, text = "MEMORY", f"{taken >> 20} MiB; {outcome} {text}"
    return outcome, text


def prepared(kind: str, source: Path, folder: Path) -> tuple[bytes, Any]:
    """Put the good files into a folder; the content of the one that will be damaged, and what it gives."""
    name, _, read, _ = KINDS[kind]
    scratch = folder / "hostile"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    for extra in source.iterdir():
        if extra.name not in ("hostile", name):
            (scratch / extra.name).symlink_to(extra)
    good = (source / name).read_bytes()
    (scratch / name).write_bytes(good)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        if read is _checkpoint:  # it belongs to the files in this folder
            from na64mu.execution import run_search

            run_search(scratch / "raw.root", output=scratch / "resumed", progress=False)
            good = (scratch / "resumed" / ".checkpoint" / "finished.json").read_bytes()
            (scratch / name).write_bytes(good)
        expected, _ = read(scratch / name)
    return good, expected


def child(folder: Path, kind: str, seed: int, numbers: list[int], seconds: float) -> None:
    """Try inputs of one kind; one line of JSON for each."""
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    good, expected = prepared(kind, folder, folder)
    out = sys.stdout
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + LIMIT, size + LIMIT))
    for i in numbers:
        faulthandler.dump_traceback_later(seconds, exit=True, file=sys.__stderr__)
        start = time.perf_counter()
        outcome, text = one(kind, folder, good, expected, random.Random(f"{seed} {kind} {i}"))
        faulthandler.cancel_dump_traceback_later()
        out.write(json.dumps([i, outcome, text, round(time.perf_counter() - start, 4)]) + "\n")
        out.flush()


def run_kind(folder: Path, kind: str, seed: int, numbers: list[int], seconds: float, keep: Callable[[list[Any]], None]) -> None:
    """Try inputs of one kind in a process, and in another one after it died; `keep` is given every outcome."""
    while numbers:
        command = [
            sys.executable,
            __file__,
            "--child",
            str(folder),
            kind,
            json.dumps(numbers),
            "--seed",
            str(seed),
            "--seconds",
            str(seconds),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
        for line in lines:
            keep(line)
        numbers = numbers[len(lines) :]
        if numbers:
            outcome = "HANG" if "Timeout" in done.stderr else "CRASH"
            keep([numbers[0], outcome, done.stderr.strip()[-300:], seconds])
            numbers = numbers[1:]


def main(arguments: list[str]) -> int:
    """Print the table; 1 if anything failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", type=int, default=10_000, help="inputs over all kinds")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--state", type=Path, help="file with the outcomes so far; is continued")
    parser.add_argument("--only", help="kinds whose name contains this")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        folder, kind, numbers = options.child
        child(Path(folder), kind, options.seed, json.loads(numbers), options.seconds)
        return 0
    found: dict[tuple[str, int], list[Any]] = {}
    if options.state is not None and options.state.exists():
        for line in options.state.read_text().splitlines():
            kind, seed, *outcome = json.loads(line)
            if seed == options.seed:
                found[kind, outcome[0]] = outcome
    whole = sum(share for *_, share in KINDS.values())
    wanted = {kind: round(options.n * share / whole) for kind, (*_, share) in KINDS.items() if (options.only or "") in kind}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        make(folder)
        (folder / "conditions.toml").write_bytes((Path(__file__).parents[1] / "data" / "conditions" / "default.toml").read_bytes())
        for kind, n in wanted.items():

            def keep(outcome: list[Any], kind: str = kind) -> None:
                found[kind, outcome[0]] = outcome
                if options.state is not None:
                    with options.state.open("a") as stream:
                        stream.write(json.dumps([kind, options.seed, *outcome]) + "\n")

            todo = [i for i in range(n) if (kind, i) not in found]
            for at in range(0, len(todo), 500):
                run_kind(folder, kind, options.seed, todo[at : at + 500], options.seconds, keep)
    table, failures = Table("kind", "inputs", *OUTCOMES, "longest s"), []
    total: Counter[str] = Counter()
    for kind, n in wanted.items():
        own = [outcome for (name, i), outcome in found.items() if name == kind and i < n]
        counts = Counter(outcome for _, outcome, *_ in own)
        total += counts
        table.add_row(kind, str(len(own)), *(str(counts[o]) for o in OUTCOMES), f"{max((o[3] for o in own), default=0.0):.2f}")
        failures += [f"{kind} {i}: {outcome} {text}" for i, outcome, text, _ in own if outcome.isupper() or text == "EMPTY"]
    table.add_row("all", str(total.total()), *(str(total[o]) for o in OUTCOMES), "")
    console = Console(width=180)
    console.print(table)
    for failure in failures[:60]:
        console.print(failure, markup=False)
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
