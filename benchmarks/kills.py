"""What a run leaves behind when it is killed: `python benchmarks/kills.py [--kills 50] [--seed 1] [--minutes M] [--state F]`.

Runs the shipped sample on every executor, sends SIGKILL, SIGTERM or SIGINT at a random time (reading, fitting, figures, report, putting the files in place), looks
at what is left, and runs again, with or without --resume. Wanted: the folder holds the result that was there before, or the new one, or says that it is unfinished; no
process survives; the second run gives the same bytes as an undisturbed one; nothing temporary is left after it. With --state, kills that were tried before are
not tried again.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import psutil
from rich.console import Console
from rich.table import Table

from na64mu.results.manifest import MANIFEST, check_manifest
from na64mu.results.output_folder import UNFINISHED
from na64mu.results.run import DRAWN, FILES

SAMPLE = Path(__file__).parents[1] / "data" / "sample"
BEFORE, AFTER = ("physics_2.root",), ("physics_1.root", "physics_2.root", "zprime_100MeV_1.root")
EXECUTORS = ("iterative", "futures", "dask")
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
MARK = "NA64MU_BENCHMARK_KILLS"
#: Seconds that processes may need to end after a signal.
PATIENCE = 20.0
#: Part of the time of an undisturbed run below which a kill is not tried again, earlier, if the run has ended by then.
LEAST = 0.05


@dataclass
class Found:
    """What one kill showed."""

    executor: str
    signal: str
    at: float
    state: str
    again: str
    wrong: list[str] = field(default_factory=list)
    said: str = ""  # what the run wrote, if anything is wrong


def command(files: tuple[str, ...], out: Path, executor: str, *options: str) -> list[str]:
    own = ["--executor", executor, "--chunksize", "60", *([] if executor == "iterative" else ["--workers", "2"])]
    return [sys.executable, "-m", "na64mu", "run", *(str(SAMPLE / name) for name in files), "-o", str(out), "-q", *own, *options]


def start(arguments: list[str], scratch: Path, mark: str) -> subprocess.Popen[bytes]:
    """A run with a temporary folder of its own; its processes are known by a variable of their environment."""
    environment = {**os.environ, "TMPDIR": str(scratch), MARK: mark}
    return subprocess.Popen(arguments, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)


def survivors(mark: str) -> list[int]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def result_of(out: Path) -> dict[str, Any]:
    """What must not depend on how it was run."""
    texts: dict[str, Any] = {name: (out / name).read_text(encoding="utf-8") for name in FILES[:2]}
    summary = json.loads((out / FILES[2]).read_text(encoding="utf-8"))
    del summary["timing"]
    for name in ("started", "ended", "executor", "workers", "command", "commit", "clean"):
        del summary["provenance"][name]
    return {**texts, "summary": summary}


def state_of(out: Path, known: dict[str, dict[str, Any]]) -> tuple[str, list[str]]:
    """Which result lies in a folder, and what is wrong with it."""
    if (out / UNFINISHED).exists():
        return "marked", []
    there = [name for name in (*FILES, *DRAWN, MANIFEST) if (out / name).exists()]
    if not there:
        return "empty", []
    if len(there) < len(FILES) + len(DRAWN) + 1:
        return "part", [f"only {', '.join(there)}"]
    changed = check_manifest(out)
    found = result_of(out)
    state = next((name for name, result in known.items() if result == found), "mixed")
    return state, [*(["numbers of no run"] if state == "mixed" else []), *(f"{name} is not that of the manifest" for name in changed)]


def left_over(out: Path, scratch: Path) -> list[str]:
    """Temporary files and folders after a run that ended."""
    hidden = [path.name for path in out.iterdir() if path.name.startswith(".") or path.suffix == ".part"]
    return hidden + [path.name for path in scratch.iterdir() if path.name.startswith("na64mu-")]


class Kill(NamedTuple):
    """What is done to one run; `at` is a part of the time of an undisturbed one, `onto_another`: there is a result in the folder already."""

    number: int
    executor: str
    signal: signal.Signals
    resume: bool
    at: float
    onto_another: bool


def drawn(number: int, draw: random.Random) -> Kill:
    return Kill(number, EXECUTORS[number % 3], draw.choice(SIGNALS), draw.random() < 0.5, draw.uniform(0.05, 1.1), draw.random() < 0.5)


def one_kill(folder: Path, kill: Kill, times: dict[str, float], known: dict[str, dict[str, Any]], template: Path) -> Found:
    number, executor, sent, resume, part, onto_another = kill
    at, mark = part * times[executor], f"{os.getpid()}-{number}"
    out, scratch = folder / f"out{number}", folder / f"tmp{number}"
    scratch.mkdir()
    if onto_another:
        shutil.copytree(template, out)
        (out / "notes.txt").write_text("mine")
    process = start(command(AFTER, out, executor), scratch, mark)
    began = time.monotonic()
    while time.monotonic() < began + at and process.poll() is None:
        time.sleep(0.005)
    if process.poll() is not None and part > LEAST:  # the machine is faster now than it was when the run was timed: that was no kill
        process.communicate()
        shutil.rmtree(out, ignore_errors=True)
        shutil.rmtree(scratch, ignore_errors=True)
        return one_kill(folder, kill._replace(at=0.6 * part), times, known, template)
    ended = process.poll() is not None
    if not ended:
        process.send_signal(sent)
    _, said = process.communicate()
    found = Found(executor, sent.name, at, "", "--resume" if resume else "again")
    if b"Traceback" in said:
        found.wrong.append("traceback")
    until = time.monotonic() + PATIENCE
    while (alive := survivors(mark)) and time.monotonic() < until:
        time.sleep(0.1)
    if alive:
        found.wrong.append(f"{len(alive)} processes survive")
        for pid in alive:
            os.kill(pid, signal.SIGKILL)
    found.state, wrong = state_of(out, known) if out.exists() else ("empty", [])
    found.state = f"ended: {found.state}" if ended else found.state
    again = subprocess.run(
        command(AFTER, out, executor, *(["--resume"] if resume else [])),
        env={**os.environ, "TMPDIR": str(scratch)},
        capture_output=True,
        check=False,
    )
    found.wrong += wrong
    if again.returncode != 0:
        found.wrong.append(f"then exit code {again.returncode}: {again.stderr.decode()[-200:]}")
    else:
        state, wrong = state_of(out, known)
        found.wrong += wrong + ([] if state == "new" else [f"then another result ({state})"])
        found.wrong += [f"left: {name}" for name in left_over(out, scratch)]
    if (out / "notes.txt").exists() and (out / "notes.txt").read_text() != "mine":
        found.wrong.append("the user's file changed")
    found.said = said.decode(errors="replace")[-6000:] if found.wrong else ""
    shutil.rmtree(out, ignore_errors=True)
    shutil.rmtree(scratch, ignore_errors=True)
    return found


def references(folder: Path) -> tuple[dict[str, float], dict[str, dict[str, Any]], Path]:
    """Times of undisturbed runs, the two results, and a folder with the first."""
    times, known = {}, {}
    subprocess.run(command(BEFORE, folder / "old", "iterative"), check=True)
    known["old"] = result_of(folder / "old")
    for executor in EXECUTORS:
        began = time.monotonic()
        subprocess.run(command(AFTER, folder / "new", executor), check=True)
        times[executor] = time.monotonic() - began
        result = result_of(folder / "new")
        if known.setdefault("new", result) != result:
            sys.exit(f"{executor}: another result than {EXECUTORS[0]}")
    return times, known, folder / "old"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="Begin no kill after so many minutes.")
    parser.add_argument("--state", type=Path, help="File with what was found so far; is continued.")
    options = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it, and so would the runs
    draw = random.Random(options.seed)
    kills = [drawn(number, draw) for number in range(options.kills)]
    lines = options.state.read_text().splitlines() if options.state is not None and options.state.exists() else []
    tried = {number: Found(**content) for number, content in map(json.loads, lines)}
    found = [tried[kill.number] for kill in kills if kill.number in tried]
    with tempfile.TemporaryDirectory() as name:
        times, known, template = references(Path(name))
        until = time.monotonic() + 60.0 * options.minutes
        for kill in kills:
            if kill.number in tried:
                continue
            if time.monotonic() > until:
                break
            found.append(one_kill(Path(name), kill, times, known, template))
            print(kill.number, found[-1], file=sys.stderr, flush=True)
            if options.state is not None:
                with options.state.open("a") as stream:
                    stream.write(json.dumps([kill.number, asdict(found[-1])]) + "\n")
    table = Table(title=f"{len(found)} kills, seed {options.seed}; undisturbed: " + ", ".join(f"{k} {v:.1f} s" for k, v in times.items()))
    for heading in ("executor", "signal", "kills", "left: old or none", "new", "marked", "then the same result", "wrong"):
        table.add_column(heading)
    groups: dict[tuple[str, str], list[Found]] = {}
    for one in found:
        groups.setdefault((one.executor, one.signal), []).append(one)
    for (executor, sent), group in sorted(groups.items()):
        states = Counter(one.state.removeprefix("ended: ") for one in group)
        wrong = [f"{one.at:.1f} s: {', '.join(one.wrong)}" for one in group if one.wrong]
        row = (len(group), states["old"] + states["empty"], states["new"], states["marked"], len(group) - len(wrong))
        table.add_row(executor, sent, *map(str, row), "; ".join(wrong) or "-")
    Console(width=150).print(table)
    sys.exit(1 if any(one.wrong for one in found) else 0)


if __name__ == "__main__":
    main()
