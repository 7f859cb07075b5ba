"""An output folder is one commit: its files are built in a private folder inside of it and put in place together, with their manifest.

1. The folder is locked: one writer at a time.
2. All files are written into `.writing-...`, and are on disk before anything else is touched.
3. A note `.unfinished.json` says which files are going to be put in place, and which of an earlier result have to go.
4. The files are renamed into place, the manifest last; then the note is removed.

A process that is killed before 3 leaves the old result; one that is killed later leaves the note, and who writes next completes the work. So numbers never
lie beside figures of other numbers without a mark. What else lies in the folder is left alone.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any

from na64mu.common.folder_lock import LOCK, locked
from na64mu.common.whole_file import on_disk, write_whole
from na64mu.errors import InputError, Na64muError, OutputError, writing
from na64mu.results.manifest import MANIFEST, made_by, write_manifest

__all__ = ("UNFINISHED", "finish", "must_be_finished", "output_folder", "placed")

UNFINISHED = ".unfinished.json"
WRITING = ".writing-"

#: How long who reads waits for another process to put its files in place [s].
PATIENCE = 2.0


@contextmanager
def output_folder(folder: str | os.PathLike[str], verb: str, *, replaces: Iterable[str] = ()) -> Iterator[Path]:
    """Write the files of one result into a folder, all or none of them.

    Parameters
    ----------
    folder : str or path
        Made if it does not exist. It is locked for other processes meanwhile.
    verb : str
        What makes the files: those that it made earlier and does not make again are removed.
    replaces : iterable of str
        Files that belong to an earlier result too, whoever made them: they are removed if they are not made again.

    Yields
    ------
    Path
        Private folder in which the files are to be made. If `folder` is one itself, it is yielded.

    Raises
    ------
    FolderInUseError
        If another process writes into it.
    OutputError
        If the files cannot be written; the folder is then what it was.
    """
    path = Path(folder)
    if any(part.startswith(WRITING) for part in path.parts):
        yield path
        return
    is_new = not path.exists()
    with locked(path):
        try:
            finish(path)
            _remove_left_over(path)
            with writing(path):
                place = Path(tempfile.mkdtemp(prefix=WRITING, dir=path))
            try:
                with _named_as(path, place):
                    yield place
                    _commit(path, place, verb, replaces)
            finally:
                if (path / UNFINISHED).exists():  # interrupted while the files were put in place
                    with suppress(OSError, InputError):
                        finish(path)
                else:
                    shutil.rmtree(place, ignore_errors=True)
        except BaseException:
            if is_new:
                _remove_if_empty(path)
            raise


def placed(paths: Iterable[Path], folder: str | os.PathLike[str]) -> list[Path]:
    """Where files that were made in the private folder of `output_folder` are in the end.

    Parameters
    ----------
    paths : iterable of Path
    folder : str or path
        The output folder.

    Returns
    -------
    list of Path
    """
    found = []
    for path in paths:
        at = next((i for i, part in enumerate(path.parts) if part.startswith(WRITING)), None)
        found.append(path if at is None else Path(folder, *path.parts[at + 1 :]))
    return found


def must_be_finished(folder: str | os.PathLike[str]) -> None:
    """Refuse to read a folder into which files were being put when their process was killed.

    Parameters
    ----------
    folder : str or path

    Raises
    ------
    InputError
        With what to do.
    """
    until = time.monotonic() + PATIENCE
    while (Path(folder) / UNFINISHED).exists():
        if time.monotonic() > until:
            msg = (
                f"{folder}: is marked unfinished, since a command was interrupted while it put its files there: "
                f"`na64mu report {folder}` completes it, and so does the same command again"
            )
            raise InputError(msg)
        time.sleep(0.05)


def finish(folder: str | os.PathLike[str]) -> None:
    """Put files in place that an interrupted process had complete.

    Parameters
    ----------
    folder : str or path
        Nothing is done if it is not marked unfinished.

    Raises
    ------
    InputError
        If the mark cannot be read.
    OutputError
        If it cannot be written.
    """
    path = Path(folder)
    if not (path / UNFINISHED).exists():
        return
    with locked(path), writing(path):
        plan = _plan(path)
        place = path / plan["from"]
        for name in plan["gone"]:
            (path / name).unlink(missing_ok=True)
        for name in plan["files"]:
            if (place / name).exists():
                (path / name).parent.mkdir(parents=True, exist_ok=True)
                (place / name).replace(path / name)
        for part in {path, *((path / name).parent for name in plan["files"])}:
            on_disk(part)
        (path / UNFINISHED).unlink()
        shutil.rmtree(place, ignore_errors=True)


def _commit(path: Path, place: Path, verb: str, replaces: Iterable[str]) -> None:
    """Put the files of the private folder in place."""
    names = sorted(file.relative_to(place).as_posix() for file in place.rglob("*") if file.is_file())
    earlier = {*replaces, *made_by(path).get(verb, ())}
    gone = sorted(name for name in earlier - set(names) if _is_inside(name) and name != MANIFEST)
    for name in names:
        if (path / name).is_dir():
            msg = f"{path / name}: cannot be written: it is a folder"
            raise OutputError(msg)
    write_manifest(place, names, verb=verb, before=path, gone=gone)
    with writing(path):
        for file in place.rglob("*"):
            on_disk(file)
        on_disk(place)
    plan = {"verb": verb, "from": place.name, "gone": gone, "files": [*names, MANIFEST]}
    write_whole(path / UNFINISHED, json.dumps(plan, indent=1) + "\n")
    finish(path)


def _plan(path: Path) -> Mapping[str, Any]:
    """The mark of an unfinished folder; names that lead out of it are refused."""
    mark = path / UNFINISHED
    try:
        plan = json.loads(mark.read_text(encoding="utf-8"))
        names = [plan["from"], *plan["gone"], *plan["files"]]
        if all(isinstance(name, str) and _is_inside(name) for name in names) and plan["from"].startswith(WRITING):
            return dict(plan)
    except (ValueError, TypeError, KeyError, RecursionError):
        pass
    msg = f"{mark}: cannot be read: remove it, and make the folder again"
    raise InputError(msg)


def _is_inside(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return bool(parts) and ".." not in parts and not PurePosixPath(name).is_absolute()


def _remove_left_over(path: Path) -> None:
    """Remove private folders of processes that were killed: the lock says that none is in use."""
    with suppress(OSError):
        for left in path.glob(f"{WRITING}*"):
            shutil.rmtree(left, ignore_errors=True)


def _remove_if_empty(path: Path) -> None:
    with suppress(OSError):
        if all(left.name == LOCK for left in path.iterdir()):
            (path / LOCK).unlink(missing_ok=True)
            path.rmdir()


@contextmanager
def _named_as(path: Path, place: Path) -> Iterator[None]:
    """Name the folder in errors, and not the private one."""
    try:
        yield
    except Na64muError as error:
        error.args = tuple(str(line).replace(str(place), str(path)) for line in error.args)
        raise
