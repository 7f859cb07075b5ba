"""Hostile input: `python benchmarks/fuzz.py [-n 10000] [--seed 1] [--seconds 60] [--state fuzz.jsonl] [--only WORD]`.

Files of every kind that is read are damaged (fuzz_changes.py): bytes, values of TOML and JSON (wrong types, infinities, numbers that are
too large, values of other keys, empty, deep, missing), columns of raw trees and of summaries. Each is run through what reads it
(fuzz_kinds.py), in one process for many inputs: the search, a resumed run, `check`, reports, and the loaders of every configuration.

An input fails if it ends in an exception that is not one of na64mu's own, if the process dies, if it takes longer than --seconds or more
memory than is allowed for its size, or if it gives another result without a word. With --state, inputs that were tried before are not
tried again. Exit code 1 if there is a failure.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import io
import json
import logging
import random
import resource
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parent))
from fuzz_files import make
from fuzz_kinds import KINDS, prepared

#: Memory that an input may take: a constant for caches and libraries, and a multiple of its size [bytes].
MEMORY, MULTIPLE = 200 << 20, 50
#: Address space that is added to that of the process when the inputs begin [bytes].
LIMIT = 3 << 30
#: Inputs of one process.
AT_ONCE = 500

OUTCOMES = ("same", "said", "named error", "EXCEPTION", "SILENT", "MEMORY", "HANG", "CRASH")


class Tried(NamedTuple):
    """What came of one input: its number, the outcome, what there is to say of it, time [s] and most memory above that before [MiB]."""

    number: int
    outcome: str
    text: str
    seconds: float
    memory: float

    @property
    def is_failure(self) -> bool:
        """Whether it is one of what must not come out."""
        return self.outcome.isupper() or self.text == "EMPTY"


class Watch:
    """Most memory of the process above what it had before, by the high-water mark that Linux lets one reset."""

    def __init__(self) -> None:
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")
        self.before = self._status("VmRSS:")

    @property
    def taken(self) -> int:
        """Most bytes since the watch was made."""
        return max(self._status("VmHWM:") - self.before, 0)

    @staticmethod
    def _status(name: str) -> int:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith(name))


def one(kind: str, folder: Path, good: bytes, expected: Any, rng: random.Random) -> tuple[str, str, int]:
    """Outcome of one input, what there is to say of it, and the memory that it took [bytes]."""
    from na64mu.errors import Na64muError

    path = folder / "hostile" / KINDS[kind].file
    KINDS[kind].damage(rng, good, path)
    size, watch = path.stat().st_size, Watch()
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            result, said = KINDS[kind].read(path)
        outcome, text = ("same", "") if result == expected else ("said", "") if said else ("SILENT", f"{size} bytes")
    except Na64muError as error:
        outcome, text = "named error", "" if str(error).strip() else "EMPTY"
    except Exception as error:  # noqa: BLE001  # this is what is looked for
        places = traceback.extract_tb(error.__traceback__)
        where = " < ".join(f"{Path(place.filename).name}:{place.lineno}" for place in reversed(places[-8:]))
        outcome, text = "EXCEPTION", f"{type(error).__name__}: {str(error)[:300]} ({where})"
    taken = watch.taken
    if taken > MEMORY + MULTIPLE * size:
        outcome, text = "MEMORY", f"{taken >> 20} MiB for {size} bytes; {outcome} {text}"
    return outcome, text, taken


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
        outcome, text, taken = one(kind, folder, good, expected, random.Random(f"{seed} {kind} {i}"))
        faulthandler.cancel_dump_traceback_later()
        out.write(json.dumps(Tried(i, outcome, text, round(time.perf_counter() - start, 4), round(taken / 2**20, 1))) + "\n")
        out.flush()


def run_kind(folder: Path, kind: str, seed: int, numbers: list[int], seconds: float, keep: Callable[[Tried], None]) -> None:
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
        n = 0
        with (
            tempfile.TemporaryFile("w+") as errors,
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as process,
        ):
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith("["):
                    keep(Tried(*json.loads(line)))
                    n += 1
            process.wait()
            errors.seek(0)
            said = errors.read().strip()
        numbers = numbers[n:]
        if numbers:
            keep(
                Tried(numbers[0], "HANG" if "Timeout" in said else "CRASH", f"exit code {process.returncode}: {said[-600:]}", seconds, 0.0)
            )
            numbers = numbers[1:]


def tried_before(state: Path | None, seed: int) -> dict[str, dict[int, Tried]]:
    """Outcomes of earlier runs with the same seed: kind -> number -> outcome."""
    found: dict[str, dict[int, Tried]] = defaultdict(dict)
    if state is not None and state.exists():
        for line in state.read_text().splitlines():
            kind, of, *rest = json.loads(line)
            if of == seed:
                found[kind][rest[0]] = Tried(*rest)
    return found


def table_of(found: dict[str, list[Tried]]) -> Table:
    """Kinds, outcomes, longest times and most memory."""
    table = Table("kind", "inputs", *OUTCOMES, "longest s", "mean s", "most MiB")
    for kind, own in (*found.items(), ("all", [one for some in found.values() for one in some])):
        counts = Counter(one.outcome for one in own)
        ends = (max((one.seconds for one in own), default=0.0), sum(one.seconds for one in own) / max(len(own), 1))
        most = max((one.memory for one in own), default=0.0)
        table.add_row(kind, str(len(own)), *(str(counts[o]) for o in OUTCOMES), *(f"{end:.2f}" for end in ends), f"{most:.0f}")
    return table


def main(arguments: list[str]) -> int:
    """Print the table; 1 if anything failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", type=int, default=10_000, help="inputs over all kinds")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--state", type=Path, help="file with the outcomes so far; is continued")
    parser.add_argument("--only", default="", help="kinds whose name contains this")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        folder, kind, numbers = options.child
        child(Path(folder), kind, options.seed, json.loads(numbers), options.seconds)
        return 0
    whole = sum(kind.share for kind in KINDS.values())
    wanted = {name: max(round(options.n * kind.share / whole), 1) for name, kind in KINDS.items() if options.only in name}
    found = tried_before(options.state, options.seed)
    with tempfile.TemporaryDirectory() as scratch:
        make(Path(scratch))
        for kind, n in wanted.items():

            def keep(tried: Tried, kind: str = kind) -> None:
                found[kind][tried.number] = tried
                if options.state is not None:
                    with options.state.open("a") as stream:
                        stream.write(json.dumps([kind, options.seed, *tried]) + "\n")

            todo = [i for i in range(n) if i not in found[kind]]
            for at in range(0, len(todo), AT_ONCE):
                run_kind(Path(scratch), kind, options.seed, todo[at : at + AT_ONCE], options.seconds, keep)
    own = {kind: [found[kind][i] for i in range(n)] for kind, n in wanted.items()}
    failures = [f"{kind} {one.number}: {one.outcome} {one.text}" for kind, all_ in own.items() for one in all_ if one.is_failure]
    console = Console(width=190)
    console.print(table_of(own))
    for failure in failures[:60]:
        console.print(failure, markup=False)
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
