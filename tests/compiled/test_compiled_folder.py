"""Code is loaded only from where nobody else can put it, and no home folder is needed."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from na64mu.compiled import folder
from na64mu.compiled.folder import KernelFolder, choose, sentences, unsafe

STRANGER, VICTIM = 23457, 23456
as_root = pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root can be several users")


@pytest.fixture(autouse=True)
def _nothing_named(monkeypatch, tmp_path):
    for name in (*folder.NAMED, folder.OF_THIS_RUN, "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(folder, "_package_folder", lambda: tmp_path / "package" / "kernels")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    for name in ("home", "package", "temporary"):
        (tmp_path / name).mkdir()


def _lock(path: Path) -> None:
    """What nobody can write: others could."""
    path.chmod(0o777)


def test_the_users_choice_comes_first(monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "numba"))
    assert choose().path == tmp_path / "numba"
    monkeypatch.setenv("NA64MU_CACHE", str(tmp_path / "mine" / "deep"))
    assert choose() == KernelFolder(tmp_path / "mine" / "deep", persists=True)
    assert stat.S_IMODE((tmp_path / "mine").stat().st_mode) == stat.S_IMODE((tmp_path / "mine" / "deep").stat().st_mode) == 0o700


def test_then_the_package_then_the_users_cache_then_a_temporary_folder(monkeypatch, tmp_path):
    assert choose() == KernelFolder(tmp_path / "package" / "kernels", persists=True)
    _lock(tmp_path / "package")
    assert choose().path == tmp_path / "home" / ".cache" / "na64mu" / "kernels"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert choose().path == tmp_path / "xdg" / "na64mu" / "kernels"
    _lock(tmp_path / "xdg")
    chosen = choose()
    assert chosen.path is not None
    assert chosen.path.parent == tmp_path / "temporary"
    assert not chosen.persists
    assert stat.S_IMODE(chosen.path.stat().st_mode) == 0o700


@pytest.mark.parametrize("home", [None, "/", "absent", "relative"])
def test_no_home_is_needed(monkeypatch, tmp_path, home):
    _lock(tmp_path / "package")
    absent = tmp_path / "absent"
    monkeypatch.delenv("HOME") if home is None else monkeypatch.setenv("HOME", str(absent) if home == "absent" else home)
    chosen = choose()
    assert not absent.exists()
    assert chosen.path is not None
    assert chosen.path.parent == tmp_path / "temporary"


def test_a_named_folder_that_is_not_used_is_said_with_the_reason(monkeypatch, tmp_path):
    (tmp_path / "shared").mkdir()
    _lock(tmp_path / "shared")
    monkeypatch.setenv("NA64MU_CACHE", str(tmp_path / "shared"))
    said = sentences(choose())
    assert said == [
        f"NA64MU_CACHE={tmp_path / 'shared'} is not used for compiled kernels: {tmp_path / 'shared'} can be written by others (mode 0777)"
    ]


def test_a_folder_below_one_that_others_can_write_is_not_safe(tmp_path):
    (tmp_path / "open" / "own").mkdir(parents=True, mode=0o700)
    assert unsafe(tmp_path / "open" / "own") is None
    for mode, why in ((0o777, "can be written by others (mode 0777)"), (0o770, "can be written by others (mode 0770)"), (0o1777, None)):
        (tmp_path / "open").chmod(mode)
        assert unsafe(tmp_path / "open" / "own") == (None if why is None else f"{tmp_path / 'open'} {why}")
    assert unsafe(tmp_path / "open") is not None, "a folder like the temporary one is no place for files"


def test_a_link_into_an_open_folder_is_not_safe(monkeypatch, tmp_path):
    (tmp_path / "open").mkdir()
    _lock(tmp_path / "open")
    (tmp_path / "link").symlink_to(tmp_path / "open")
    monkeypatch.setenv("NA64MU_CACHE", str(tmp_path / "link"))
    assert choose().path == tmp_path / "package" / "kernels"


def test_processes_of_one_run_share_the_temporary_folder(monkeypatch, tmp_path):
    for name in ("package", "home"):
        _lock(tmp_path / name)
    first = choose()
    assert os.environ[folder.OF_THIS_RUN] == str(first.path)
    assert choose().path == first.path
    assert first.path is not None
    _lock(first.path)
    assert choose().path != first.path, "somebody opened it"


def test_without_a_safe_temporary_folder_there_is_none(monkeypatch, tmp_path):
    for name in ("package", "home", "temporary"):
        _lock(tmp_path / name)
    chosen = choose()
    assert chosen.path is None
    assert not list((tmp_path / "temporary").iterdir())
    assert "(in memory)" in sentences(chosen)[0]


def test_a_package_that_was_installed_with_its_kernels_is_read(monkeypatch, tmp_path):
    (tmp_path / "package" / "kernels").mkdir()
    monkeypatch.setenv("NA64MU_CACHE", str(tmp_path / "mine"))
    assert choose().also_read == (tmp_path / "package" / "kernels",)
    _lock(tmp_path / "package")
    assert choose().also_read == ()


PRINT = "from na64mu.compiled.kernel import kernel\nfrom na64mu.compiled.folder import kernel_folder\n"
ADD = PRINT + "print(kernel(lambda x: x + 1)(41))\nprint(kernel_folder().path)\n"


@pytest.fixture
def open_place() -> Iterator[Path]:
    """A folder that other users can enter, unlike those of pytest."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", None)
        place = Path(tempfile.mkdtemp()).resolve()
    place.chmod(0o755)
    yield place
    shutil.rmtree(place)


#: Python itself may lie where only root can read: what is needed is imported before this process becomes another user's.
BECOME = """import getpass, os, pickle, random, subprocess, sys, tempfile
import numba
import na64mu.compiled.kernel
numba.njit(lambda x: x - 1)(1)
os.setgroups([])
os.setgid({user})
os.setuid({user})
"""


def _as_user(user: int, code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    known = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", BECOME.format(user=user) + code], env=known | environment, cwd="/",
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done


@as_root
@pytest.mark.parametrize("home", ["", "/"])
def test_a_user_who_can_write_nothing_gets_a_private_folder_and_one_sentence(open_place, home):
    open_place.chmod(0o1777)
    done = _as_user(VICTIM, ADD, TMPDIR=str(open_place), **({"HOME": home} if home else {}))
    answer, used = done.stdout.split()
    assert answer == "42"
    assert Path(used).parent == open_place
    (said,) = done.stderr.splitlines()
    assert said.startswith(f"na64mu: compiled kernels are kept only for this process (in {used})")
    assert said.endswith("set NA64MU_CACHE to a folder that only you can write")
    assert not Path(used).exists(), "removed at the end"


@as_root
def test_two_users_do_not_load_each_others_code(open_place):
    open_place.chmod(0o1777)
    planted = open_place / "na64mu"
    _as_user(STRANGER, ADD, TMPDIR=str(open_place), NA64MU_CACHE=str(planted))
    assert planted.stat().st_uid == STRANGER
    done = _as_user(VICTIM, ADD, TMPDIR=str(open_place), NA64MU_CACHE=str(planted))
    assert done.stdout.split()[1] != str(planted)
    assert f"NA64MU_CACHE={planted} is not used for compiled kernels: {planted} belongs to another user (uid {STRANGER})" in done.stderr


@as_root
def test_code_planted_in_the_temporary_folder_is_not_run(open_place):
    """The folder of a stranger, made first and open to all, with files of every name that could be looked for."""
    open_place.chmod(0o1777)
    _as_user(VICTIM, ADD, TMPDIR=str(open_place), NA64MU_CACHE=str(open_place / "own"))
    evil = b"cos\nsystem\n(S'touch " + str(open_place / "was_run").encode() + b"'\ntR."
    for path in (open_place / "own").glob("*.kernel"):
        path.write_bytes(evil)  # as it was once loaded without a look
        os.chown(path, STRANGER, STRANGER)
    os.chown(open_place / "own", STRANGER, STRANGER)
    (open_place / "own").chmod(0o777)
    for chosen in ({"NA64MU_CACHE": str(open_place / "own")}, {folder.OF_THIS_RUN: str(open_place / "own")}):
        done = _as_user(VICTIM, ADD, TMPDIR=str(open_place), **chosen)
        assert done.stdout.split()[0] == "42"
        assert Path(done.stdout.split()[1]) != open_place / "own"
    assert not (open_place / "was_run").exists()


@as_root
def test_a_file_of_a_stranger_in_ones_own_folder_is_not_loaded(open_place):
    from na64mu.compiled.cache import _read

    (open_place / "mine.kernel").write_bytes(b"x")
    assert _read(open_place / "mine.kernel") == b"x"
    os.chown(open_place / "mine.kernel", STRANGER, STRANGER)
    assert _read(open_place / "mine.kernel") is None


def test_a_process_and_those_it_starts_use_one_temporary_folder(tmp_path):
    """The package folder of this installation may be writable: none is, here."""
    code = PRINT.replace("kernel_folder\n", "kernel_folder\nimport na64mu.compiled.folder as f\n") + (
        "f._package_folder = lambda: f.Path('/proc/nothing')\nimport subprocess, sys\nprint(kernel_folder().path)\n"
        "if len(sys.argv) == 1:\n    sys.stdout.flush()\n    subprocess.run([sys.executable, __file__, 'again'], check=True)\n"
    )
    (tmp_path / "script.py").write_text(code)
    clean = {n: v for n, v in os.environ.items() if n not in {*folder.NAMED, folder.OF_THIS_RUN, "XDG_CACHE_HOME", "HOME"}}
    done = subprocess.run([sys.executable, tmp_path / "script.py"], env=clean, capture_output=True, text=True, check=True)
    first, second = done.stdout.split()
    assert first == second
    assert len(done.stderr.splitlines()) == 1, "said once"
    assert not Path(first).exists(), "the one that made it removes it"


TEMPORARY_FOLDER = """
import os, signal, sys, tempfile
from pathlib import Path
from na64mu.compiled import folder
tempfile.tempdir = sys.argv[1]
print(folder._temporary(), flush=True)
signal.pause()
"""


def _owner(place: Path) -> tuple[subprocess.Popen[str], Path]:
    process = subprocess.Popen([sys.executable, "-c", TEMPORARY_FOLDER, str(place)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_a_temporary_folder_goes_with_a_process_that_is_asked_to_end(tmp_path):
    process, made = _owner(tmp_path)
    assert made.is_dir()
    process.terminate()
    process.communicate()
    assert process.returncode == -signal.SIGTERM
    assert not made.exists()


def test_the_temporary_folder_of_a_killed_process_goes_later_and_that_of_a_living_one_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    killed, left = _owner(tmp_path)
    killed.kill()
    killed.communicate()
    living, kept = _owner(tmp_path)
    assert not left.exists()  # the next one has removed it
    own = folder._temporary()
    monkeypatch.delenv(folder.OF_THIS_RUN)
    (tmp_path / f"{folder.TEMPORARY}other").mkdir()
    assert own != folder._temporary()
    assert kept.is_dir()
    assert own is not None
    assert own.is_dir()
    assert (tmp_path / f"{folder.TEMPORARY}other").is_dir()  # not known to be one of ours
    living.terminate()
    living.communicate()
