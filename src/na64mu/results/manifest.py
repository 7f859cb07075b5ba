"""The manifest of an output folder: the SHA-256 of its files, so that one that was edited later is noticed.

It is no signature: whoever edits a file can write the manifest again. It shows what changed by mistake or in passing; what
has to hold against intention is in the freeze file and in the record of openings.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from na64mu.common.whole_file import write_whole
from na64mu.errors import writing

__all__ = ("MANIFEST", "check_manifest", "differences", "made_by", "write_manifest")

MANIFEST = "manifest.json"
FORMAT_VERSION = 1

#: Endings of files that are on their way, and no part of a result.
PASSING = (".part", ".lock", ".tmp")

#: Files that are written after the folder was finished.
LATER = frozenset({MANIFEST, "unblinding.json", "unblinding.jsonl"})


def write_manifest(
    folder: str | Path, names: Iterable[str] | None = None, *, verb: str = "", before: str | Path | None = None, gone: Iterable[str] = ()
) -> Path:
    """Write the hashes of the files of a folder into its manifest.json.

    Parameters
    ----------
    folder : str or Path
    names : iterable of str, optional
        Files that were written again, relative to the folder: only their hashes are made anew, those of all others stay what they
        were, so that an edit of these is noticed still. By default every file in the folder and below it, but those that are hidden,
        in the making, or kept after the end (`LATER`).
    verb : str
        What made these files; the manifest keeps their names under it.
    before : str or Path, optional
        Folder whose manifest is continued; by default the same.
    gone : iterable of str
        Files that are no longer part of the result.

    Returns
    -------
    Path
        The manifest.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    place = Path(folder)
    earlier = place if before is None else Path(before)
    with writing(place / MANIFEST):
        made = {
            name: _digest(place / name) for name in (_files_of(place) if names is None else map(str, names)) if (place / name).is_file()
        }
    known = made if names is None else (_known(earlier) or {}) | made
    dropped = set(gone)
    verbs = made_by(earlier) | ({verb: tuple(sorted(made))} if verb else {})
    content = {
        "format_version": FORMAT_VERSION,
        "files": {name: digest for name, digest in sorted(known.items()) if name not in dropped},
        "made_by": {one: [name for name in files if name not in dropped] for one, files in sorted(verbs.items())},
    }
    return write_whole(place / MANIFEST, json.dumps(content, indent=1) + "\n")


def made_by(folder: str | Path) -> dict[str, tuple[str, ...]]:
    """Names of the files that each verb wrote last, relative to the folder; empty without a manifest.

    Parameters
    ----------
    folder : str or Path

    Returns
    -------
    dict of str to tuple of str
    """
    found = (_content(Path(folder)) or {}).get("made_by")
    verbs = found if isinstance(found, dict) else {}
    return {verb: tuple(map(str, files)) for verb, files in verbs.items() if isinstance(files, list)}


def check_manifest(folder: str | Path) -> list[str]:
    """Names of the files of a folder that are not what its manifest says.

    Parameters
    ----------
    folder : str or Path

    Returns
    -------
    list of str
        Relative to the folder, sorted: files that were changed or are missing. A file that is not in the manifest is none of the
        result, and not named. `["manifest.json"]` if there is none, or none that can be read.
    """
    return list(differences(folder))


def differences(folder: str | Path) -> dict[str, str]:
    """The same names as `check_manifest`, each with what happened to the file.

    Parameters
    ----------
    folder : str or Path

    Returns
    -------
    dict of str to str
        Name -> "changed", "missing" or, for the manifest itself, "unreadable".
    """
    place = Path(folder)
    known = _known(place)
    if known is None:
        return {MANIFEST: "unreadable" if (place / MANIFEST).exists() else "missing"}
    found = {}
    for name, digest in sorted(known.items()):
        try:
            if _digest(place / name) != digest:
                found[name] = "changed"
        except OSError:
            found[name] = "missing"
    return found


def _files_of(place: Path) -> list[str]:
    """Names of the files below a folder that belong to its result."""
    found = []
    for path in place.rglob("*"):
        name = path.relative_to(place)
        hidden = any(part.startswith(".") for part in name.parts)
        if path.is_file() and not hidden and path.suffix not in PASSING and name.as_posix() not in LATER:
            found.append(name.as_posix())
    return found


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _known(place: Path) -> dict[str, str] | None:
    """Name -> hash as the manifest has them; None if there is none that can be read."""
    files = (_content(place) or {}).get("files")
    if not isinstance(files, dict) or not all(isinstance(digest, str) for digest in files.values()):
        return None
    return files


def _content(place: Path) -> dict[str, Any] | None:
    """The manifest; None if there is none that can be read."""
    try:
        content = json.loads((place / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) and content.get("format_version") == FORMAT_VERSION else None
