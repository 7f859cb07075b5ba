"""A host is cut off in the middle of a run: `python benchmarks/two_hosts.py [--files 40] [--never]`.

Two hosts, as network namespaces of this machine joined by one cable (needs root and `ip`): a Dask scheduler, a worker and `na64mu run`
on the first, a worker on the second. Once chunks have been finished the cable is pulled: no connection is closed, the second host just falls
silent, with chunks in work and results in its memory. Prints what the run says, how long it took to go on, and whether the
result is that of an undisturbed run on one core. `--never` leaves the cable alone, for the time that takes.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from na64mu.events.batch import RawBatch
from na64mu.events.reader import read_batch, read_runs
from na64mu.events.writer import RawTreeWriter

SAMPLE = Path(__file__).parents[1] / "data" / "sample" / "calibration_1.root"
#: The scheduler gives a silent worker up after 10 s (Dask's own choice is 300 s), and a connection after 15 s.
PATIENCE = {"DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "10s", "DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP": "15s"}
ADDRESS = "tcp://10.213.64.1:8786"


def refusal() -> str:
    """Why this machine cannot do it; empty if it can."""
    if shutil.which("ip") is None:
        return "there is no `ip` (package iproute2)"
    name = f"na64mu-try-{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if made.returncode:
        return f"network namespaces are not permitted here ({made.stderr.strip()})"
    subprocess.run(["ip", "netns", "delete", name], check=False)
    return ""


@contextmanager
def hosts() -> Iterator[tuple[str, str]]:
    """Two namespaces that see each other, 10.213.64.1 and 10.213.64.2."""
    a, b = (f"na64mu-{letter}-{os.getpid()}" for letter in "ab")
    cable = f"n{os.getpid() % 100000}"
    commands = [
        f"ip netns add {a}",
        f"ip netns add {b}",
        f"ip link add {cable}a netns {a} type veth peer name {cable}b netns {b}",
        f"ip -n {a} addr add 10.213.64.1/24 dev {cable}a",
        f"ip -n {b} addr add 10.213.64.2/24 dev {cable}b",
        *(f"ip -n {host} link set {device} up" for host in (a, b) for device in ("lo", f"{cable}{'a' if host == a else 'b'}")),
    ]
    try:
        for command in commands:
            subprocess.run(command.split(), check=True)
        yield a, b
    finally:
        for host in (a, b):
            subprocess.run(["ip", "netns", "delete", host], check=False)


def pull(host: str) -> None:
    """Take the cable of a host out."""
    devices = json.loads(subprocess.run(["ip", "-n", host, "-j", "link"], capture_output=True, text=True, check=True).stdout)
    for device in devices:
        if device["ifname"].startswith("n"):
            subprocess.run(["ip", "-n", host, "link", "set", device["ifname"], "down"], check=True)


def make(folder: Path, n_files: int) -> list[Path]:
    """Files with the events of the sample under run numbers of their own."""
    batch, rows = read_batch(SAMPLE), read_runs(SAMPLE)
    paths = []
    for i in range(n_files):
        path = folder / f"beam_{i:04d}.root"
        with RawTreeWriter(path) as writer:
            writer.extend(RawBatch(batch.scalars | {"run": np.full(len(batch), i + 1, np.uint32)}, batch.collections))
            writer.finish([row | {"run": i + 1, "seed": i + 1} for row in rows])
        paths.append(path)
    return paths


def started(log: Path, host: str, *command: str) -> Any:
    """A process on a host; what it prints goes to a file."""
    with log.open("w") as stream:
        command = ("ip", "netns", "exec", host, sys.executable, *command)
        return subprocess.Popen(command, env={**os.environ, **PATIENCE}, stdout=stream, stderr=stream)


def cut_off(folder: Path, files: list[Path], *, never: bool = False) -> dict[str, Any]:
    """Run over two hosts, cut one off after the first finished chunks; what happened."""
    out = folder / "out"
    kept = out / ".checkpoint" / "finished.json"
    processes = []
    with hosts() as (a, b):
        try:
            processes.append(
                started(
                    folder / "scheduler.log",
                    a,
                    "-m",
                    "distributed.cli.dask_scheduler",
                    "--host",
                    "10.213.64.1",
                    "--port",
                    "8786",
                    "--no-dashboard",
                )
            )
            for host, ip in ((a, "10.213.64.1"), (b, "10.213.64.2")):
                options = ("--nthreads", "1", "--nworkers", "1", "--no-dashboard", "--host", ip, "--local-directory", str(folder / ip))
                processes.append(started(folder / f"{ip}.log", host, "-m", "distributed.cli.dask_worker", ADDRESS, *options))
            wait = f"from distributed import Client; c = Client({ADDRESS!r}, timeout=60); c.wait_for_workers(2, timeout=60); c.close()"
            subprocess.run(["ip", "netns", "exec", a, sys.executable, "-c", wait], check=True, timeout=150)
            begin = time.perf_counter()
            run = started(
                folder / "run.log",
                a,
                "-m",
                "na64mu",
                "-v",
                "run",
                *map(str, files),
                "-o",
                str(out),
                "--executor",
                "dask",
                "--scheduler",
                ADDRESS,
                "-q",
            )
            processes.append(run)
            while not kept.exists() and run.poll() is None:
                time.sleep(0.05)
            done, at = (json.loads(kept.read_text())["n"] if kept.exists() else -1), time.perf_counter() - begin
            if not never:
                pull(b)
            run.wait(timeout=300)
            wall = time.perf_counter() - begin
        finally:
            for process in reversed(processes):
                process.kill()
                process.wait()
    return {
        "exit": run.returncode,
        "text": (folder / "run.log").read_text().strip(),
        "finished": done,
        "cut after s": at,
        "wall s": wall,
        "out": out,
    }


def main(arguments: list[str]) -> int:
    """Print what happened; 1 if the result differs and no loss was reported."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=40)
    parser.add_argument("--never", action="store_true")
    options = parser.parse_args(arguments)
    reason = refusal()
    if reason:
        sys.stderr.write(f"{reason}\n")
        return 1
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = make(folder, options.files)
        alone = subprocess.run([sys.executable, "-m", "na64mu", "run", *map(str, files), "-o", str(folder / "alone"), "-q"], check=False)
        found = cut_off(folder, files, never=options.never)
        good, differing = compared(folder / "alone", found["out"])
        table = Table("what", "seen", title=f"{options.files} files, two hosts")
        for key in ("finished", "cut after s", "wall s", "exit", "text"):
            table.add_row(key, str(found[key])[-300:])
        table.add_row(
            "same as undisturbed on one core", f"yes ({good} files of the output)" if not differing else f"NO: {', '.join(differing)}"
        )
        Console(width=140).print(table)
    return int(alone.returncode != 0 or (bool(differing) and found["exit"] != 3))


def compared(a: Path, b: Path) -> tuple[int, list[str]]:
    """Number of parts of two output folders that are the same, and the names of those that differ."""
    parts: dict[str, bool] = {}
    for name in ("cutflow.json", "histograms.json"):
        parts[name] = (b / name).exists() and (a / name).read_text() == (b / name).read_text()
    texts = [json.loads((f / "summary.json").read_text()) if (f / "summary.json").exists() else {} for f in (a, b)]
    for name in ("exposure", "losses", "regions"):
        parts[name] = texts[0].get(name) == texts[1].get(name)
    return sum(parts.values()), [name for name, same in parts.items() if not same]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
