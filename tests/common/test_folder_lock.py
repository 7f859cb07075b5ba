"""One process writes into a folder at a time."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading

import pytest

from na64mu.common.folder_lock import LOCK, locked
from na64mu.errors import FolderInUseError, OutputError

HOLD = "import sys\nfrom na64mu.common.folder_lock import locked\nwith locked(sys.argv[1]):\n    print('held', flush=True)\n    sys.stdin.read()\n"


def holder(folder):
    process = subprocess.Popen([sys.executable, "-c", HOLD, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_another_process_is_refused_by_name_until_it_ends(tmp_path):
    folder = tmp_path / "out"
    process = holder(folder)
    words = rf"{folder}: is being written by process {process.pid} on {socket.gethostname()} \(since .*\): wait for its end, or choose"
    with pytest.raises(FolderInUseError, match=words), locked(folder):
        pass
    process.communicate()
    with locked(folder):
        assert json.loads((folder / LOCK).read_text())["pid"] == os.getpid()
    assert list(folder.iterdir()) == []


def test_the_lock_of_a_killed_process_is_taken_over(tmp_path):
    process = holder(tmp_path)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert (tmp_path / LOCK).exists()
    with locked(tmp_path), locked(tmp_path):
        assert json.loads((tmp_path / LOCK).read_text())["pid"] == os.getpid()
    assert not (tmp_path / LOCK).exists()


def test_another_thread_is_refused(tmp_path):
    found = []

    def work():
        try:
            with locked(tmp_path):
                found.append("in")
        except FolderInUseError as error:
            found.append(str(error))

    with locked(tmp_path):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert found == [f"{tmp_path}: another thread of this program is writing into it: give each its own folder"]


def test_a_file_system_without_locks_is_said_once(tmp_path, monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "fcntl", None)
    with locked(tmp_path), locked(tmp_path):
        pass
    (record,) = caplog.records
    assert "the file system has no locks; make sure that no other process" in record.getMessage()


def test_a_folder_that_cannot_be_made_and_a_lock_that_is_none(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="cannot be written"), locked(tmp_path / "file" / "below"):
        pass
    (tmp_path / LOCK).write_text("nonsense")
    with locked(tmp_path):
        pass
    (tmp_path / LOCK).symlink_to(tmp_path / "file")
    with pytest.raises(OutputError, match="cannot be written"), locked(tmp_path):
        pass
    assert (tmp_path / "file").read_text() == "x"
