"""Interrupted, asked to end, killed: exit codes, one sentence, no worker left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from na64mu.cli import VerbContext, VerbGroup, main
from na64mu.cli.ending import TERMINATED, TerminatedError, goes_on


def test_how_each_verb_goes_on(tmp_path):
    out, samples = tmp_path / "out", tmp_path / "samples"
    assert goes_on("check", {}) == ""
    assert goes_on("run", {"output": out}) == "No chunk is finished yet; the same command, with or without --resume, begins again."
    assert (
        goes_on("paper", {"output": out}) == goes_on("efficiency", {"samples": None}) == goes_on("efficiency", {"samples": samples}) == ""
    )
    for file in (out / ".checkpoint" / "finished.json", out / "steps" / "a.json", samples / "z.root"):
        file.parent.mkdir(parents=True)
        file.touch()
    assert goes_on("run", {"output": out}) == f"Finished chunks are kept in {out}: the same command with --resume goes on from there."
    assert goes_on("paper", {"output": out}) == f"Finished steps are kept in {out}: the same command with --resume goes on from there."
    assert (
        goes_on("efficiency", {"samples": samples}) == f"Finished samples are kept in {samples}: the same command goes on with the others."
    )


@pytest.mark.parametrize(
    ("number", "code", "how"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "ended, because another program")]
)
def test_a_signal_becomes_a_sentence_and_an_exit_code(number, code, how, tmp_path, monkeypatch, request):
    @click.command(name="run")
    @click.option("-o", "--output", type=Path)
    def command(output: Path) -> None:
        (output / ".checkpoint").mkdir()
        (output / ".checkpoint" / "finished.json").touch()
        os.kill(os.getpid(), number)
        while True:  # the handler comes between two lines of Python
            time.sleep(0.01)

    command.context_class = VerbContext
    monkeypatch.setattr(VerbGroup, "get_command", lambda *_: command)
    before = signal.getsignal(signal.SIGTERM)
    interrupted = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell lets what runs in the background ignore it
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, interrupted))
    done = CliRunner().invoke(main, ["run", "-o", str(tmp_path)])
    assert done.exit_code == code
    assert done.stderr.startswith(f"run: {how}")
    assert done.stderr.endswith(f"Finished chunks are kept in {tmp_path}: the same command with --resume goes on from there.\n")
    assert done.stderr.count("\n") == 1
    assert signal.getsignal(signal.SIGTERM) == before


WORKERS = """
import os, signal, sys, time
from na64mu.common.processes import pool
from na64mu.cli.ending import listen
listen()
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell lets what runs in the background ignore it
def busy(path):
    open(path, "w").write(str(os.getpid()))
    time.sleep(3600)
with pool(2, keep=%r) as processes:
    both = [processes.submit(busy, path) for path in sys.argv[1:]]
    for one in both:
        one.result()
"""


def is_running(number: int) -> bool:
    """Whether a process does anything; one that ended and that nobody has asked about does not."""
    try:
        return Path(f"/proc/{number}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
@pytest.mark.parametrize("keep", [True, False])
def test_workers_end_with_their_parent(number, keep, tmp_path):
    """Waits as long as the machine needs: what is tested is that it happens at all while the workers sleep for an hour."""
    files = [tmp_path / name for name in ("a", "b")]
    parent = subprocess.Popen([sys.executable, "-c", WORKERS % keep, *map(str, files)], stderr=subprocess.DEVNULL)
    while not all(file.exists() and file.read_text() for file in files):
        assert parent.poll() is None
    workers = [int(file.read_text()) for file in files]
    assert all(is_running(worker) for worker in workers)
    parent.send_signal(number)
    parent.wait()
    while any(is_running(worker) for worker in workers):
        pass
    assert parent.returncode != 0


def test_a_script_without_a_guard_runs_once(tmp_path):
    """Processes that are started afresh do not run the user's script again, which would start its work again."""
    script = tmp_path / "noguard.py"
    script.write_text(
        "import multiprocessing, os, sys\n"
        "from na64mu.common.processes import without_script\n"
        "print('the script', flush=True)\n"
        "with without_script():\n"
        "    worker = multiprocessing.get_context('spawn').Process(target=os.getpid)\n"
        "    worker.start()\n"
        "    worker.join()\n"
        "print(worker.exitcode, __file__ == sys.argv[0])\n",
        encoding="utf-8",
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("the script\n0 True\n", "")


def test_a_request_to_end_after_the_verb_has_ended_is_no_error(monkeypatch):
    def late():
        def restored():
            raise TerminatedError

        return restored

    monkeypatch.setattr("na64mu.cli.listen", late)
    done = CliRunner().invoke(main, ["glossary", "MIP"])
    assert done.exit_code == TERMINATED
    assert isinstance(done.exception, SystemExit)
