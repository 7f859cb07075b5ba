"""The freeze file: everything that decides about a search, written down and hashed before its box is opened.

It holds the whole working point, calibrations, detector descriptions, layout, the user's own files, the hashes of the code and of the
input, and one hash over all of this. It is made from what is on disk, and sees no event.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from na64mu.common.arguments import file_name
from na64mu.common.toml_model import content_hash, validate
from na64mu.errors import BlindedError, InputError, writing

__all__ = ("Freeze", "FrozenFile", "FrozenPart", "UserFile", "frozen", "text_hash")

FORMAT_VERSION = 1
KIND = "freeze file of na64mu"


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
    floor : FrozenPart
        What it hides in data from now on, whatever is selected: box, and cuts that make decoys.
    floors : dict of str to str
        What was hidden when it was made: name -> SHA-256.
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
    floor: FrozenPart
    floors: dict[str, str]
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
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
