"""Names of branches in a tree: the one place that translates a user's name to a branch, sub-branch or leaf.

A name is the full path as the tree lists it (``evt/hits/hits.x``; ``/`` and ``.`` are the same, lengths such as ``[10]`` may be left
out), or its end (``x``) where only one branch has it. A leaf of a leaf list is ``branch.leaf``. A full path wins over an end.
"""

from __future__ import annotations

import difflib
import re
from typing import Any, NamedTuple

import awkward as ak

from na64mu.errors import InputError

__all__ = ("Branch", "branches_of", "counters_of", "find_branch", "near_names", "read_branch", "top_names")


class Branch(NamedTuple):
    """Location of a column of a tree: the path of its branch, and its leaf if the branch has several."""

    path: str
    leaf: str = ""

    def __str__(self) -> str:
        return f"{self.path}.{self.leaf}" if self.leaf else self.path


def branches_of(tree: Any) -> list[Branch]:
    """Return all branches, sub-branches and leaves of a tree that can be read by a name.

    Parameters
    ----------
    tree : uproot.TTree or uproot RNTuple
        The tree.

    Returns
    -------
    list of Branch
        Branches, sub-branches and leaves, in the order of the tree; a leaf list comes before its leaves.
    """
    return list(_listing(tree))


#: Name under which the listing of a tree is kept in the tree itself, which cannot be a key of a dictionary.
KEPT = "_na64mu_branches"


def _listing(tree: Any) -> dict[Branch, tuple[str, ...]]:
    """Branch -> the pieces of its name; made once for an open tree."""
    kept: dict[Branch, tuple[str, ...]] | None = vars(tree).get(KEPT)
    if kept is None:
        found = []
        for path in dict.fromkeys(tree.keys()):
            found.append(Branch(path))
            found += [Branch(path, leaf) for leaf in _leaves(tree, path)]
        kept = vars(tree)[KEPT] = {branch: _parts(str(branch)) for branch in found}
    return kept


def _leaves(tree: Any, path: str) -> tuple[str, ...]:
    """Leaves of a branch that has several of them and no sub-branches; a split object or an RNTuple has none."""
    try:
        branch = tree[path]
        if len(branch.member("fLeaves")) < 2 or len(branch.branches):
            return ()
        return tuple(str(leaf.member("fName")) for leaf in branch.member("fLeaves"))
    except (AttributeError, KeyError):
        return ()


def find_branch(tree: Any, name: str) -> Branch | None:
    """The branch that a name means.

    Parameters
    ----------
    tree : uproot.TTree or uproot RNTuple
        The tree.
    name : str
        Name of the branch, in one of the forms that this module's docstring describes.

    Returns
    -------
    Branch or None
        None if the tree has no such name.

    Raises
    ------
    InputError
        If several branches have it; the message lists them.
    """
    if name in top_names(tree):
        return Branch(name)
    every, wanted = _listing(tree), _parts(name)
    if not wanted:
        return None
    found = (
        [branch for branch in every if str(branch) == name]
        or [branch for branch, parts in every.items() if parts == wanted]
        or [branch for branch, parts in every.items() if parts[-len(wanted) :] == wanted]
    )
    if len(found) > 1:
        listed = ", ".join(map(str, found[:6])) + (f" and {len(found) - 6} more" if len(found) > 6 else "")
        msg = f"the name {name!r} is that of {len(found)} branches of tree {tree.name!r}: {listed}; write one of these"
        raise InputError(msg)
    return found[0] if found else None


def top_names(tree: Any) -> set[str]:
    """Names of the branches of a TTree, or fields of an RNTuple, that are no part of another one."""
    return {branch.name for branch in (tree.branches if hasattr(tree, "branches") else tree.fields)}


def counters_of(tree: Any) -> set[str]:
    """Names of the branches of a TTree that hold the lengths of the lists of others; an RNTuple has none."""
    counters = [branch.count_branch for branch in (tree.branches if hasattr(tree, "branches") else ())]
    return {branch.name for branch in counters if branch is not None}


def _parts(name: str) -> tuple[str, ...]:
    """A name in pieces between / and . without lengths of arrays."""
    return tuple(piece for piece in re.split(r"[/.]", re.sub(r"\[[^\]]*\]", "", name)) if piece)


def near_names(name: str, tree: Any, n: int = 4) -> list[str]:
    """Names in a tree that are most like one that it does not have, by their last piece or as a whole."""
    last = (_parts(name) or ("",))[-1].lower()
    every = {str(branch): (parts or ("",))[-1].lower() for branch, parts in _listing(tree).items()}

    def likeness(full: str) -> float:
        whole = difflib.SequenceMatcher(None, name.lower(), full.lower()).ratio()
        return max(whole, difflib.SequenceMatcher(None, last, every[full]).ratio())

    return sorted(every, key=likeness, reverse=True)[:n]


def read_branch(tree: Any, branch: Branch, start: int, stop: int) -> ak.Array:
    """The column of a branch, sub-branch or leaf.

    Parameters
    ----------
    tree : uproot.TTree or uproot RNTuple
        The tree.
    branch : Branch
        From `find_branch`.
    start, stop : int
        Range of entries.

    Returns
    -------
    ak.Array
        Shape (stop - start, ...).
    """
    found = tree[branch.path]
    options = {"array_cache": None} if hasattr(found, "interpretation") else {}  # an RField has neither
    column = found.array(entry_start=start, entry_stop=stop, **options)
    return column[branch.leaf] if branch.leaf else column
