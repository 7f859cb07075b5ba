"""The freeze file: everything that decides about a search, written down and hashed before its box is opened.

It holds the whole working point, calibrations, detector descriptions, layout, the user's own files, the hashes of the code and of the
input, and one hash over all of this. It is made from what is on disk, and sees no event.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from na64mu.common.arguments import file_name
from na64mu.common.toml_model import content_hash, validate
from na64mu.errors import BlindedError, InputError, writing
from na64mu.results.provenance import Provenance

__all__ = ("Freeze", "FrozenFile", "FrozenPart", "UserFile", "frozen")

FORMAT_VERSION = 1
KIND = "freeze file of na64mu"

#: Differences of one kind that a message names.
MOST = 8


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FrozenPart(_Model):
    """A calibration, a description or a working point: its hash as results have it, and its content."""

    hash: str
    content: dict[str, Any]


class UserFile(_Model):
    """A Python file of the user's own: path, SHA-256, and its text to read."""

    path: str
    sha256: str
    text: str


class FrozenFile(_Model):
    """An input file: dataset, path, tree, SHA-256 (empty for an address), uuid, entries, (run, configuration) pairs, friends with SHA-256."""

    dataset: str
    path: str
    tree: str
    sha256: str
    uuid: str
    entries: int
    is_data: bool
    runs: tuple[tuple[int, int], ...]
    friends: tuple[tuple[str, str], ...] = ()

    @property
    def content(self) -> str:
        """What says that two files are the same: SHA-256, or the uuid of a file at an address."""
        return self.sha256 or self.uuid


class Freeze(_Model):
    """A frozen search.

    Attributes
    ----------
    hash : str
        SHA-256 of all the rest.
    time, user, host : str
        When, by whom and where it was made.
    version, commit, clean, packages
        Version and state of the code, as in `Provenance`.
    configuration_hash : str
        The one that results of this search have.
    selection : FrozenPart
        Working point.
    selection_name : str
    detectors, calibrations : dict of str to FrozenPart
        Tag -> description, calibration.
    detector_given, calibration_accepted : bool
        Whether the description replaces the tags in the files; whether a calibration made for another description was accepted.
    layout : FrozenPart, optional
    user_files : tuple of UserFile
    user_cuts : dict of str to str
        Cut of the user's own -> SHA-256 of its source.
    code : str
        SHA-256 of the closure of the code of the search.
    code_files : dict of str to str
        File of the package -> SHA-256.
    inputs : tuple of FrozenFile
    """

    kind: str
    format_version: int
    hash: str
    time: str
    user: str
    host: str
    version: str
    commit: str
    clean: bool | None
    packages: dict[str, str]
    configuration_hash: str
    selection_name: str
    selection: FrozenPart
    detectors: dict[str, FrozenPart]
    detector_given: bool
    calibrations: dict[str, FrozenPart]
    calibration_accepted: bool
    layout: FrozenPart | None
    user_files: tuple[UserFile, ...]
    user_cuts: dict[str, str]
    inputs: tuple[FrozenFile, ...]
    code: str
    code_files: dict[str, str]

    @classmethod
    def of(cls, **content: Any) -> Freeze:
        """A freeze of some content, with its hash.

        Parameters
        ----------
        **content : Any
            All attributes but kind, format_version and hash.
        """
        whole = cls(kind=KIND, format_version=FORMAT_VERSION, hash="", **content)
        return whole.model_copy(update={"hash": whole.computed_hash})

    @property
    def computed_hash(self) -> str:
        """SHA-256 of the canonical content without the hash itself."""
        return content_hash(self.model_dump(mode="json", exclude={"hash"}))

    @property
    def inputs_hash(self) -> str:
        """SHA-256 of what the input files contain, wherever they lie: two freezes of the same data have the same."""
        return content_hash(sorted(file.content for file in self.inputs if file.is_data))

    def write(self, path: str | Path) -> Path:
        """Write the file, and never over another one.

        Parameters
        ----------
        path : str or Path

        Returns
        -------
        Path

        Raises
        ------
        OutputError
            If there is a file already, or it cannot be written.
        """
        target = Path(file_name(path, "path"))
        with writing(target), target.open("x", encoding="utf-8") as stream:
            stream.write(json.dumps(self.model_dump(mode="json"), indent=1) + "\n")
        return target

    @classmethod
    def read(cls, path: str | Path | Freeze) -> Freeze:
        """Read a freeze file; a freeze comes back as it is.

        Parameters
        ----------
        path : str, Path or Freeze

        Returns
        -------
        Freeze

        Raises
        ------
        InputError
            If it is none.
        BlindedError
            If it was edited; the message names the parts whose own hash does not fit, where there are such.
        """
        if isinstance(path, Freeze):
            if path.hash != path.computed_hash:
                raise BlindedError(_edited("freeze", path))
            return path
        file = Path(file_name(path, "freeze", InputError, "a freeze file of `na64mu freeze`, or a Freeze, is wanted"))
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            msg = f"{file}: cannot be read as a freeze file ({error}): make one with `na64mu freeze FILES -o freeze.json`"
            raise InputError(msg) from error
        if not isinstance(content, dict) or content.get("kind") != KIND or content.get("format_version") != FORMAT_VERSION:
            msg = f"{file}: is no freeze file of this version of na64mu: make one with `na64mu freeze FILES -o freeze.json`"
            raise InputError(msg)
        freeze = validate(cls, content, str(file), InputError)
        if freeze.hash != freeze.computed_hash:
            raise BlindedError(_edited(str(file), freeze))
        return freeze

    def differences(self, other: Freeze) -> list[str]:
        """What differs in another freeze, such as one that is made now: one phrase each.

        Parameters
        ----------
        other : Freeze

        Returns
        -------
        list of str
            Empty if both are of the same search.
        """
        changed = [f"the file {name} of the code" for name in _changed(self.code_files, other.code_files)]
        layouts = [("the layout", "" if f.layout is None else f.layout.hash) for f in (self, other)]
        layout = [layouts[0][0]] if layouts[0][1] != layouts[1][1] else []
        found = [*self._parts(other._selecting()), *layout]
        if not found and self.configuration_hash != other.configuration_hash:
            found = ["the configuration"]
        inputs = _inputs(self.inputs, [(f.dataset, f.path, f.sha256, f.uuid) for f in other.inputs])
        return [*found, *_few(changed, "files of the code"), *inputs]

    def differences_to(self, was: Provenance) -> list[str]:
        """What differs in the run that a provenance is of; as `differences`.

        Parameters
        ----------
        was : Provenance

        Returns
        -------
        list of str
        """
        found = self._parts((was.selection_hash, was.detectors, was.calibrations, was.user_cuts))
        if not found and self.configuration_hash != was.configuration_hash:
            found = ["the layout"]
        if was.code != self.code:
            found.append("the code" if was.code else "the code, of which the run says nothing")
        return [*found, *_inputs(self.inputs, [(f.dataset, f.path, f.sha256, f.uuid) for f in was.inputs])]

    def _selecting(self) -> tuple[str, dict[str, str], dict[str, str], dict[str, str]]:
        detectors, calibrations = ({tag: part.hash for tag, part in parts.items()} for parts in (self.detectors, self.calibrations))
        return self.selection.hash, detectors, calibrations, self.user_cuts

    def _parts(self, other: tuple[str, Mapping[str, str], Mapping[str, str], Mapping[str, str]]) -> list[str]:
        own = self._selecting()
        found = ["the selection"] if own[0] != other[0] else []
        for words, mine, theirs in zip(("the detector", "the calibration of", "the cut of your own"), own[1:], other[1:], strict=True):
            found += [f"{words} {name}" for name in _changed(mine, theirs)]
        return found


def frozen(content: Mapping[str, Any], digest: str) -> FrozenPart:
    """A part of a freeze.

    Parameters
    ----------
    content : mapping
        Plain values.
    digest : str
        Hash that results have of it.
    """
    return FrozenPart(hash=digest, content=dict(content))


def _changed(mine: Mapping[str, str], theirs: Mapping[str, str]) -> list[str]:
    """Names that only one of two has, or whose hashes differ."""
    return [name for name in dict.fromkeys((*mine, *theirs)) if mine.get(name) != theirs.get(name)]


def _few(phrases: list[str], words: str) -> list[str]:
    return phrases if len(phrases) <= MOST else [*phrases[:MOST], f"{len(phrases) - MOST} more {words}"]


def _inputs(mine: Iterable[FrozenFile], theirs: list[tuple[str, str, str, str]]) -> list[str]:
    """Input files of two lists that have no partner of the same content and dataset in the other."""
    left = list(theirs)
    found = []
    for file in mine:
        same = next(
            (t for t in left if t[0] == file.dataset and (t[2] == file.sha256 if t[2] and file.sha256 else t[3] == file.uuid)), None
        )
        if same is None:
            found.append(f"the input {file.path}")
        else:
            left.remove(same)
    found += [f"the input {path}, which is not in the freeze file" for _, path, _, _ in left if f"the input {path}" not in found]
    return _few(found, "inputs")


def _edited(where: str, freeze: Freeze) -> str:
    """Say that a freeze was edited, and where a part shows it by its own hash."""
    named = []
    parts = {"selection": freeze.selection, **{f"calibrations.{tag}": part for tag, part in freeze.calibrations.items()}}
    named += [name for name, part in parts.items() if content_hash(part.content) != part.hash]
    named += [f"user_files.{f.path}" for f in freeze.user_files if text_hash(f.text) != f.sha256]
    shown = f" (seen in {', '.join(named)})" if named else ""
    return f"{where}: was edited after it was made{shown}: its content has the hash {freeze.computed_hash}, it says {freeze.hash}"


def text_hash(text: str) -> str:
    """SHA-256 of a text as it is in a file."""
    import hashlib

    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
