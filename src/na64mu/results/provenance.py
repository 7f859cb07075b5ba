"""Where a result comes from: versions, configuration, inputs, command, times. Every output holds it."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import na64mu
from na64mu.results.recorded import must_be

__all__ = ("InputFile", "Provenance", "file_hash", "merged_ranges", "package_versions", "repository_state", "source_hash")

PACKAGES = ("numpy", "awkward", "uproot", "numba", "coffea", "hist", "boost-histogram", "scipy", "iminuit", "dask", "distributed")


#: Files of the package that can change a result.
SOURCES = (".py", ".toml", ".csv")


def source_hash() -> str:
    """SHA-256 of every file of the installed package that can change a result: code, working points, descriptions."""
    root = Path(na64mu.__file__).resolve().parent
    folders = [root, *(path.resolve() for path in root.iterdir() if path.is_symlink() and path.is_dir())]
    digest = hashlib.sha256()
    for folder in sorted(folders):
        for path in sorted(p for p in folder.rglob("*") if p.suffix in SOURCES and p.is_file()):
            content = path.read_bytes()
            digest.update(f"{folder.name}/{path.relative_to(folder).as_posix()} {len(content)}\n".encode())
            digest.update(content)
    return digest.hexdigest()


def file_hash(path: str | Path) -> str:
    """SHA-256 of the content of a local file; empty for an address (root://, https://)."""
    if "://" in str(path):
        return ""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def package_versions() -> dict[str, str]:
    """Versions of the packages that decide about numbers, as far as they are installed."""
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def repository_state() -> tuple[str, bool | None]:
    """Git commit of the checkout the package runs from, and whether its files are unchanged.

    Returns
    -------
    commit : str
        Empty if the package does not run from a checkout.
    clean : bool or None
        None if it does not.
    """
    root = Path(na64mu.__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return "", None
    try:
        commit = _git(root, "rev-parse", "HEAD")
        changes = _git(root, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return "", None
    return commit, not changes


def _git(root: Path, *arguments: str) -> str:
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True, timeout=20, env=environment)
    return done.stdout.strip()


def merged_ranges(ranges: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Join half-open entry ranges that touch.

    Parameters
    ----------
    ranges : iterable of (int, int)
        In any order.

    Returns
    -------
    tuple of (int, int)
        Sorted, without empty ones.
    """
    merged: list[tuple[int, int]] = []
    for start, stop in sorted(r for r in ranges if r[0] < r[1]):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        else:
            merged.append((start, stop))
    return tuple(merged)


@dataclass(frozen=True)
class InputFile:
    """One input: its path, uuid, detector tag, number of entries, the entry ranges read and not read, its SHA-256 where one was made.

    `friends` are path and SHA-256 of the files with friend trees.
    """

    dataset: str
    path: str
    uuid: str
    detector: str
    entries: int
    read: tuple[tuple[int, int], ...] = ()
    unread: tuple[tuple[int, int], ...] = ()
    sha256: str = ""
    friends: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Provenance:
    """Everything needed to make a result again.

    Attributes
    ----------
    version, commit, clean : str, str, bool or None
        Package version, git commit, whether the checkout was unchanged (None: not a checkout).
    configuration_hash : str
        SHA-256 of working point, calibrations, detector descriptions and layout.
    selection, selection_hash : str
        Working point.
    detectors, calibrations : dict of str to str
        Tag -> SHA-256 of the description and of the calibration.
    inputs : tuple of InputFile
    executor, workers, chunksize, maxchunks
        How it ran.
    command : tuple of str
        Command line.
    started, ended : str
        UTC, ISO 8601.
    packages : dict of str to str
        Versions.
    user_cuts : dict of str to str
        Cut that the user registered -> SHA-256 of its source.
    processor : dict of str to str
        Processor of the user's own, if one was run in place of the search -> SHA-256 of its source and state.
    code : str
        SHA-256 of the code of the search, where data were blinded or opened and the content of the files was hashed.
    floors : dict of str to str
        What was hidden in data whatever was selected: the frozen working points, with their freeze files -> SHA-256.
    opening : dict of str to str
        Where the signal box was opened: hashes of the freeze and of the line in the record of openings.
    """

    configuration_hash: str
    selection: str
    selection_hash: str
    detectors: dict[str, str]
    calibrations: dict[str, str]
    inputs: tuple[InputFile, ...]
    executor: str
    workers: int
    chunksize: int
    maxchunks: int | None
    started: str
    ended: str
    layout: str = ""
    version: str = na64mu.__version__
    commit: str = ""
    clean: bool | None = None
    command: tuple[str, ...] = field(default_factory=lambda: tuple(sys.argv))
    packages: dict[str, str] = field(default_factory=package_versions)
    user_cuts: dict[str, str] = field(default_factory=dict)
    processor: dict[str, str] = field(default_factory=dict)
    code: str = ""
    floors: dict[str, str] = field(default_factory=dict)
    opening: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Provenance:
        """The inverse of `to_dict`."""
        must_be(Provenance, content, "provenance")
        inputs = tuple(
            InputFile(**{**i, "read": _ranges(i["read"]), "unread": _ranges(i["unread"]), "friends": _ranges(i.get("friends", ()))})
            for i in content["inputs"]
        )
        return cls(**{**content, "inputs": inputs, "command": tuple(content["command"])})


def _ranges(content: Iterable[Iterable[Any]]) -> tuple[tuple[Any, ...], ...]:
    return tuple(tuple(pair) for pair in content)
