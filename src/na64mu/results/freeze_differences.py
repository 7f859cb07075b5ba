"""What differs between a freeze and another one, or the run that a result is of: one phrase for each difference."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from na64mu.results.freeze import Freeze, FrozenFile
from na64mu.results.provenance import InputFile, Provenance

__all__ = ("differences", "differences_to_run")

#: Differences of one kind that a message names.
MOST = 8

#: Hash of the selection, and those of detectors, calibrations and cuts of the user's own by name.
Parts = tuple[str, Mapping[str, str], Mapping[str, str], Mapping[str, str]]


def differences(freeze: Freeze, other: Freeze) -> list[str]:
    """What differs in another freeze, such as one that is made now.

    Parameters
    ----------
    freeze, other : Freeze

    Returns
    -------
    list of str
        Empty if both are of the same search.
    """
    found = _parts(_parts_of(freeze), _parts_of(other))
    mine, theirs = ("" if f.layout is None else f.layout.hash for f in (freeze, other))
    if mine != theirs:
        found.append("the layout")
    if not found and freeze.configuration_hash != other.configuration_hash:
        found.append("the configuration")
    code = [f"the file {name} of the code" for name in _changed(freeze.code_files, other.code_files)]
    inputs = _inputs(freeze.inputs, other.inputs)
    return [*found, *_few(code, "files of the code"), *inputs]


def differences_to_run(freeze: Freeze, was: Provenance) -> list[str]:
    """What differs in the run that a provenance is of.

    Parameters
    ----------
    freeze : Freeze
    was : Provenance

    Returns
    -------
    list of str
        Empty if the run was of this search.
    """
    found = _parts(_parts_of(freeze), (was.selection_hash, was.detectors, was.calibrations, was.user_cuts))
    if not found and freeze.configuration_hash != was.configuration_hash:
        found = ["the layout"]
    if was.code != freeze.code:
        found.append(
            "the code" if was.code else "the code, of which the run says nothing (in Python, run it with options=RunOptions(output=FOLDER))"
        )
    return [*found, *_inputs(freeze.inputs, was.inputs)]


def _parts_of(freeze: Freeze) -> Parts:
    detectors, calibrations = ({tag: part.hash for tag, part in parts.items()} for parts in (freeze.detectors, freeze.calibrations))
    return freeze.selection.hash, detectors, calibrations, freeze.user_cuts


def _parts(mine: Parts, theirs: Parts) -> list[str]:
    found = ["the selection"] if mine[0] != theirs[0] else []
    for words, one, other in zip(("the detector", "the calibration of", "the cut of your own"), mine[1:], theirs[1:], strict=True):
        found += [f"{words} {name}" for name in _changed(one, other)]
    return found


def _changed(mine: Mapping[str, str], theirs: Mapping[str, str]) -> list[str]:
    """Names that only one of two has, or whose hashes differ."""
    return [name for name in dict.fromkeys((*mine, *theirs)) if mine.get(name) != theirs.get(name)]


def _few(phrases: list[str], words: str) -> list[str]:
    return phrases if len(phrases) <= MOST else [*phrases[:MOST], f"{len(phrases) - MOST} more {words}"]


def _inputs(mine: Iterable[FrozenFile], theirs: Iterable[FrozenFile | InputFile]) -> list[str]:
    """Input files of two lists that have no partner of the same content and dataset in the other, and friends of other content."""
    left = list(theirs)
    found = []
    for file in mine:
        same = next((other for other in left if _same_file(file, other)), None)
        if same is None:
            found.append(f"the input {file.path}")
        else:
            left.remove(same)
            found += _friends(file, same)
    found += [f"the input {f.path}, which is not in the freeze file" for f in left if f"the input {f.path}" not in found]
    return _few(found, "inputs")


def _same_file(one: FrozenFile, other: FrozenFile | InputFile) -> bool:
    same = one.sha256 == other.sha256 if one.sha256 and other.sha256 else one.uuid == other.uuid
    return same and one.dataset == other.dataset


def _friends(one: FrozenFile, other: FrozenFile | InputFile) -> list[str]:
    """Friends of a file, in their order, whose content is another one for its partner; an address has no hash."""
    if len(one.friends) != len(other.friends):
        return [f"the friends of the input {one.path}"]
    pairs = zip(one.friends, other.friends, strict=True)
    return [f"the friend {path} of the input {one.path}" for (path, mine), (_, theirs) in pairs if mine and theirs and mine != theirs]
