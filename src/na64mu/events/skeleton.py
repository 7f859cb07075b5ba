"""A first layout for a foreign file: what matches by name is mapped, the rest is a constant to be edited, every branch is listed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from na64mu.errors import InputError
from na64mu.events.branches import branches_of
from na64mu.events.root_io import find_tree, open_file, read_columns, sentence_for
from na64mu.events.schema_v1 import COLLECTIONS, SCALARS, TREE, missing_branches

__all__ = ("skeleton",)

#: What other trees call the scalars, without case and signs.
SYNONYMS = {
    "run": ("run", "runnumber", "runno", "frunno", "runid"),
    "spill": ("spill", "spillnumber", "spillno", "burst"),
    "event": ("event", "eventnumber", "eventno", "eventid", "evt", "runevent", "feventno"),
    "config": ("config", "configuration"),
    "trigger": ("trigger", "triggermask", "triggerbits", "triggerword"),
}
#: Substitute for a scalar that no branch is named after.
INSTEAD = {"event": "{ entry = true }"} | dict.fromkeys(("run", "spill", "config", "trigger"), "{ constant = 1 }")
UNMATCHED = "no branch is called like it"


def skeleton(path: str | Path, tree: str | None = None) -> str:
    """Write the beginning of a layout for a file.

    Parameters
    ----------
    path : str or Path
        A foreign ROOT file.
    tree : str, optional
        Name of the tree of events; by default the one with the most branches.

    Returns
    -------
    str
        TOML that `na64mu.events.layout.load_layout` reads; comments say what to look at.

    Raises
    ------
    InputError
        If the file cannot be read, has no tree, or is a raw tree.
    """
    with sentence_for(path), open_file(path) as file:
        name = _largest(file, path) if tree is None else tree
        found = find_tree(file, path, name)
        if name == TREE and not missing_branches(found.keys()):
            msg = f"{path}: has the raw-tree form already, it needs no layout"
            raise InputError(msg)
        types = _types(found, path)
    return "\n".join(_lines(name, types, str(path))) + "\n"


def _largest(file: Any, path: str | Path) -> str:
    names = [n for n, kind in file.classnames(cycle=False).items() if kind.startswith(("TTree", "TNtuple", "ROOT::RNTuple"))]
    if not names:
        msg = f"{path}: the file has no tree"
        raise InputError(msg)
    return max(names, key=lambda n: len(branches_of(find_tree(file, path, n))))


def _types(tree: Any, path: str | Path) -> dict[str, tuple[int, str]]:
    """Branch -> dimensions of a column (0 if it cannot be read as numbers) and type per event."""
    types: dict[str, tuple[int, str]] = {}
    for branch in branches_of(tree):
        try:
            column = read_columns(tree, [str(branch)], path, 0, 1)[str(branch)]
            text = str(column.type.content)
            types[str(branch)] = (0 if "{" in text or "string" in text else column.ndim, text)
        except InputError:
            types[str(branch)] = (0, "not numbers")
    return types


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _called(names: tuple[str, ...], types: dict[str, tuple[int, str]], ndim: int) -> str:
    """The branch of a dimension whose name, or its last piece, is one of some; empty if there is none."""
    for wanted in names:
        for branch, (n, _) in types.items():
            if n == ndim and wanted in (_plain(branch), _plain(re.split(r"[/.]", branch)[-1])):
                return branch
    return ""


def _lines(tree: str, types: dict[str, tuple[int, str]], path: str) -> Iterator[str]:
    mapped = {name: {field: _called((_plain(f"{name}{field}"),), types, 2) for field in fields} for name, fields in COLLECTIONS.items()}
    present = [name for name, fields in mapped.items() if any(fields.values())]
    yield f"# A first layout for {json.dumps(Path(path).name)}: look at every line, then `na64mu check FILE --layout THIS`."
    yield "format_version = 1"
    yield f"title = {json.dumps(Path(path).name)}"
    yield f"absent = {json.dumps([name for name in COLLECTIONS if name not in present])}   # collections that stay empty; map them below"
    yield from ("", "[trees]", f"events = {json.dumps(tree)}", "", "[scalars]")
    for name in SCALARS:
        branch = _called(SYNONYMS[name], types, 1)
        yield f"{name} = {json.dumps(branch)}" if branch else f"{name} = {INSTEAD[name]}   # {UNMATCHED}"
    yield from () if present else ("", "[collections]")
    for name in present:
        yield from ("", f"[collections.{name}]")
        for field, branch in mapped[name].items():
            yield f"{field} = {json.dumps(branch)}" if branch else f"{field} = {{ constant = 0 }}   # {UNMATCHED}"
    yield from ("", "[[runs]]   # one for each run and configuration", "run = 1", "config = 1", "n_spills = 0")
    yield "n_mot = 0   # muons on target: fill in"
    yield "n_generated = 0   # more than 0: simulation"
    yield from ("sum_weights = 0.0", 'detector = "na64mu-2022"', 'conditions = ""', "seed = 0", "")
    yield f"# Branches of {tree!r}, and what each has per event:"
    yield from (f"#   {branch}: {text}" for branch, (_, text) in types.items())
