"""Opens ROOT files and reads columns, with one clear sentence for everything that can be wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import awkward as ak
import uproot

from na64mu.errors import InputError, Na64muError
from na64mu.events.branches import find_branch, near_names, read_branch, top_names
from na64mu.events.keys import check_keys

__all__ = ("find_tree", "is_remote", "open_file", "read_columns", "reason_of", "sentence_for")


def is_remote(path: str | Path) -> bool:
    """Whether a path is an address such as root://... or https://..."""
    return "://" in str(path)


@contextmanager
def open_file(path: str | Path) -> Iterator[Any]:
    """Open a ROOT file and close it at the end.

    Parameters
    ----------
    path : str or Path
        Local file or address.

    Yields
    ------
    uproot.ReadOnlyDirectory
        Its top directory.

    Raises
    ------
    InputError
        If the file does not exist, is empty, is not a ROOT file or is damaged.
    """
    file = _open(path)
    with file:
        yield file


def _open(path: str | Path) -> Any:
    if not is_remote(path):
        _check_local(Path(path))
    try:
        file = uproot.open({str(path): None}, object_cache=100, array_cache=None)  # a cache of its own: a tree is built once per opening
    except Exception as error:
        msg = (
            f"{path}: cannot be opened as a ROOT file, it is truncated, damaged or out of reach ({reason_of(error)}); copy or make it again"
        )
        raise InputError(msg) from error
    if not is_remote(path):
        size, expected = Path(path).stat().st_size, file.file.fEND
        if size < expected:
            file.close()
            msg = f"{path}: the file is truncated, it has {size} of {expected} bytes; copy or make it again"
            raise InputError(msg)
        with sentence_for(path):
            check_keys(file, path)
    return file


@contextmanager
def sentence_for(path: str | Path) -> Iterator[None]:
    """Turn any unexpected error while one file is read into one sentence with the file's name; the other files are still processed.

    Parameters
    ----------
    path : str or Path
        The file.

    Raises
    ------
    InputError
        Instead of every exception that is not raised on purpose.
    """
    try:
        yield
    except Na64muError:
        raise
    except Exception as error:
        msg = f"{path}: cannot be understood, the file is damaged or of an unknown kind ({reason_of(error)}); copy or make it again"
        raise InputError(msg) from error


def _check_local(path: Path) -> None:
    if not path.exists():
        msg = f"{path}: no such file"
        raise InputError(msg)
    if path.is_dir():
        msg = f"{path}: is a folder, a ROOT file is needed"
        raise InputError(msg)
    if not path.is_file():
        msg = f"{path}: is a fifo, a device or a socket, a ROOT file is needed"
        raise InputError(msg)
    try:
        with path.open("rb") as stream:
            head = stream.read(4)
    except OSError as error:
        msg = f"{path}: cannot be read ({error.strerror})"
        raise InputError(msg) from error
    if not head:
        msg = f"{path}: the file is empty; copy or make it again"
        raise InputError(msg)
    if head != b"root":
        msg = f"{path}: not a ROOT file, it starts with {head!r} instead of b'root'"
        raise InputError(msg)


def reason_of(error: Exception) -> str:
    """Kind of an error and the first line of its message."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0][:160]}" if lines else type(error).__name__


def find_tree(file: Any, path: str | Path, name: str) -> Any:
    """The TTree or RNTuple of a name.

    Parameters
    ----------
    file : uproot.ReadOnlyDirectory
        Open file, from open_file.
    path : str or Path
        Path of the file, for the message.
    name : str
        Name of the tree.

    Returns
    -------
    uproot.TTree or uproot RNTuple
        Newest cycle of that name.

    Raises
    ------
    InputError
        If there is none; the message lists what the file has.
    """
    try:
        kinds = file.classnames(cycle=False)
        tree = file[name] if name in kinds else None
        if tree is not None and hasattr(tree, "num_entries") and "RNTuple" in kinds[name]:
            tree.keys()  # it reads its header only now
    except Exception as error:
        msg = f"{path}: tree {name!r} cannot be opened, the file is truncated or damaged ({reason_of(error)}); copy or make it again"
        raise InputError(msg) from error
    if tree is None:
        available = ", ".join(f"{key} ({kind})" for key, kind in sorted(kinds.items())) or "nothing"
        msg = f"{path}: no tree {name!r}; the file has {available}"
        raise InputError(msg)
    if not hasattr(tree, "num_entries"):
        msg = f"{path}: {name!r} is a {kinds[name]}, a TTree or RNTuple is needed"
        raise InputError(msg)
    _check_entries(tree, path, name)
    return tree


def _check_entries(tree: Any, path: str | Path, name: str) -> None:
    """Make sure that the number of entries is one that the branches have; an old ROOT stored it as a double, which becomes an integer here."""
    entries = tree.num_entries
    if not isinstance(entries, int) and entries == entries // 1 and 0 <= entries < 2**53:
        tree._members["fEntries"] = entries = int(entries)  # uproot counts with what it read
    longest = entries
    if isinstance(entries, int) and isinstance(tree, uproot.TTree) and entries > 0 and len(tree.branches):
        longest = max(int(b.entry_offsets[-1]) for b in tree.branches) if tree.branches[0].num_entries != entries else entries
    if not isinstance(entries, int) or entries < 0 or entries > longest:
        msg = f"{path}: tree {name!r} claims {entries} entries, its branches have {longest}: the file is damaged; copy or make it again"
        raise InputError(msg)


def read_columns(
    tree: Any, names: Sequence[str], path: str | Path, start: int | None = None, stop: int | None = None
) -> dict[str, ak.Array]:
    """Read branches of a TTree or fields of an RNTuple.

    Parameters
    ----------
    tree : uproot.TTree or uproot RNTuple
        Tree to read from.
    names : sequence of str
        Branches, sub-branches or leaves as in `na64mu.events.branches`; all must exist.
    path : str or Path
        Path of the file, for the message.
    start, stop : int, optional
        Range of entries.

    Returns
    -------
    dict[str, ak.Array]
        Branch -> column of shape (n_entries, ...).

    Raises
    ------
    InputError
        If the bytes of a branch are damaged or missing; the message names the branch and the entries.
    """
    if not names:
        return {}
    try:
        columns = _columns(tree, names, path, start, stop)
        _same_length(columns, names, tree, path, start, stop)
        return {name: columns[name] for name in names}
    except Na64muError:
        raise
    except Exception as error:
        if len(names) > 1:  # find out which branch it is
            for name in names:
                read_columns(tree, [name], path, start, stop)
        low, high = start or 0, tree.num_entries if stop is None else min(stop, tree.num_entries)
        msg = (
            f"{path}: branch {names[0]!r} of tree {tree.name!r} cannot be read in entries {low} to {high - 1}, "
            f"the file is truncated or damaged ({reason_of(error)}); copy or make it again"
        )
        raise InputError(msg) from error


def _columns(tree: Any, names: Sequence[str], path: str | Path, start: int | None, stop: int | None) -> dict[str, ak.Array]:
    low, high, _ = slice(start, stop).indices(tree.num_entries)
    columns: dict[str, ak.Array] = {}
    top = top_names(tree).intersection(names)
    if top:
        # A list of names makes uproot compare every branch with every name: a predicate is faster.
        # Nothing is kept in the cache of a file that the caller opened: it would outlive the chunk.
        columns |= tree.arrays(filter_name=top.__contains__, entry_start=start, entry_stop=stop, how=dict, **_uncached(tree))
    for name in names:
        if name not in columns:
            branch = find_branch(tree, name)
            if branch is None:
                msg = f"{path}: tree {tree.name!r} has no branch {name!r}; the nearest are {', '.join(near_names(name, tree)) or 'none'}"
                raise InputError(msg)
            columns[name] = read_branch(tree, branch, low, max(low, high))
    return columns


def _uncached(tree: Any) -> dict[str, Any]:
    return {"array_cache": None} if isinstance(tree, uproot.TTree) else {}


def _same_length(columns: Any, names: Sequence[str], tree: Any, path: str | Path, start: int | None, stop: int | None) -> None:
    """A damaged branch can claim another number of entries than its tree, and is read without a word."""
    low, high, _ = slice(start, stop).indices(tree.num_entries)
    for name in names:
        if len(columns[name]) != max(high - low, 0):
            msg = (
                f"{path}: branch {name!r} of tree {tree.name!r} has {len(columns[name])} of the entries {low} to {high - 1}, "
                "the file is damaged; copy or make it again"
            )
            raise InputError(msg)
