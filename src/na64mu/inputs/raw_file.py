"""One file of raw trees, opened once on the driver: its form is checked, its bookkeeping and its detector tag are read."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from na64mu.detector import Detector, known_detectors, load_detector
from na64mu.errors import DetectorError, InputError, LayoutError
from na64mu.inputs.duplicates import Span, spans_of
from na64mu.inputs.kinds import Kind, kind_of, truth_of
from na64mu.inputs.paths import FileSpec

if TYPE_CHECKING:
    from na64mu.events.layout import Layout

__all__ = ("SourceFile", "inspect_file", "installed_detector", "need_own_numbers", "read_numbers")


@dataclass(frozen=True)
class SourceFile:
    """A file that can be read.

    Attributes
    ----------
    dataset, path, tree, uuid : str
    detector : str
        Tag of its detector description.
    entries : int
    borders : tuple of int
        Entries at which all branches start a new basket, and the number of entries.
    rows : tuple of dict
        Rows of the `runs` tree.
    problem : str
        Problem of its bookkeeping; empty if there is none.
    is_data : bool
        Whether its events are data; see na64mu.events.origin.
    spans : tuple of Span, optional
        Ranges of its event numbers; None if only the whole events determine them.
    has_checksums : bool
        Whether the writer left checksums of its events.
    friends : tuple of str
        Files with friend trees of its events.
    bytes_per_event : float
        Mean size of the unpacked columns of one event [bytes].
    basket_bytes : float
        Unpacked, of the largest basket of every branch together.
    layout : Layout, optional
        By which it is read; None for a raw tree.
    kind : Kind
        Properties that its events must share with others of one dataset.
    steps : ranges, optional
        The only entries that the fileset asks for; all without it.
    recorded : tuple of str
        Detectors that its bookkeeping names.
    """

    dataset: str
    path: str
    tree: str
    uuid: str
    detector: str
    entries: int
    borders: tuple[int, ...]
    rows: tuple[dict[str, Any], ...] = ()
    problem: str = ""
    is_data: bool = True
    spans: tuple[Span, ...] | None = None
    has_checksums: bool = False
    friends: tuple[str, ...] = ()
    bytes_per_event: float = 0.0
    basket_bytes: float = 0.0
    layout: Layout | None = None
    kind: Kind = field(default_factory=Kind)
    steps: tuple[tuple[int, int], ...] | None = None
    recorded: tuple[str, ...] = ()

    def renamed(self, dataset: str) -> SourceFile:
        """Return the file as part of another dataset."""
        return replace(self, dataset=dataset)

    @property
    def largest_cluster(self) -> int:
        """Most entries between two borders."""
        return max((b - a for a, b in itertools.pairwise(self.borders)), default=0)


def inspect_file(dataset: str, path: str, override: Detector | None, layout: Layout | None, spec: FileSpec | None = None) -> SourceFile:
    """Open a file, check its form and read its bookkeeping.

    Parameters
    ----------
    dataset, path : str
    override : Detector, optional
        Description that replaces the tag in the file.
    layout : Layout, optional
        Maps the branch names of a foreign tree; a raw tree that it does not fit is read as it is.
    spec : FileSpec, optional
        Entry of a fileset for the file.

    Returns
    -------
    SourceFile
        Properties of the file that a run needs.

    Raises
    ------
    InputError
        If the file cannot be used for any reason.
    LayoutError
        If the layout does not fit it.
    """
    from na64mu.events.root_io import open_file, sentence_for

    with sentence_for(path), open_file(path) as file:
        return _inspected(file, dataset, path, override, layout, spec or FileSpec())


def _inspected(file: Any, dataset: str, path: str, override: Detector | None, given: Layout | None, spec: FileSpec) -> SourceFile:
    from na64mu.events.checksums import NAME
    from na64mu.events.fitting import layout_of
    from na64mu.events.friends import event_trees
    from na64mu.events.origin import file_is_data
    from na64mu.events.reader import batch_of, runs_of
    from na64mu.events.root_io import find_tree
    from na64mu.events.schema_v1 import TREE

    layout = layout_of(file, path, given)
    name = TREE if layout is None else layout.trees.events
    rows: list[dict[str, Any]] = []
    problem, spans, has_checksums = "", None, False
    if spec.tree and spec.tree != name:
        find_tree(file, path, spec.tree)
        msg = f"{path}: the fileset names the tree {spec.tree!r}, the one that is read is {name!r}: name it, or give a layout for the other"
        raise InputError(msg)
    tree = find_tree(file, path, name)
    entries, uuid, borders = int(tree.num_entries), str(file.file.uuid), _borders(tree)
    spec.must_fit(path, entries, uuid)
    basket = _basket_bytes(tree, borders)
    is_data = file_is_data(file, path, layout)
    if layout is None:
        _check_form(file, tree, path)
        size = _unpacked(tree)
    else:
        need_own_numbers(layout, entries, path)
        batch_of(file, path, 0, 1, layout=layout)
        with event_trees(file, path, layout) as trees:
            size = sum(_unpacked(t.tree) for t in trees)
    try:
        rows = runs_of(file, path, layout=layout)
    except InputError as error:
        if override is None:
            msg = f"{error}; without bookkeeping the detector is not known: choose one with --detector"
            raise InputError(msg) from error
        problem = str(error)
    if layout is None:
        has_checksums = NAME in file.keys(cycle=False, recursive=False)
        spans = spans_of(lambda a, b: _numbers(tree, ("run", "event", "config"), path, a, b), 0, entries)
    tags = sorted({str(row["detector"]) for row in rows})
    if override is None and len(tags) != 1:
        msg = f"{path}: the bookkeeping names {len(tags)} detectors {tags}, one is wanted; choose one with --detector"
        raise InputError(msg)
    tag = tags[0] if override is None else override.tag
    return SourceFile(
        dataset,
        path,
        name,
        uuid,
        tag,
        entries,
        borders,
        tuple(rows),
        problem,
        is_data,
        spans,
        has_checksums,
        () if layout is None else layout.trees.friend_files(path),
        size / max(entries, 1),
        basket,
        layout,
        kind_of(rows, *truth_of(tree, path, entries), is_data=is_data, detector=tag),
        spec.steps,
        tuple(tags),
    )


def installed_detector(tag: str, path: str) -> Detector:
    """The description that ships with the package under the tag in a file; a file cannot name a path.

    Parameters
    ----------
    tag : str
        Tag of the detector description that the file names.
    path : str
        The file, for the message.

    Returns
    -------
    Detector
        The frozen description.

    Raises
    ------
    DetectorError
        If there is none of this tag; lists those that there are.
    """
    known = known_detectors()
    if tag not in known:
        msg = (
            f"{path}: the file was taken with detector {tag!r}: no detector description {tag!r}: known are {', '.join(known)}; "
            "use --detector to choose a description yourself"
        )
        raise DetectorError(msg)
    return load_detector(tag)


def need_own_numbers(layout: Layout, entries: int, path: str) -> None:
    """Refuse a constant event number for more than one event: all of them would be the same event, and one of them would count.

    Parameters
    ----------
    layout : Layout
        Branch layout of the file.
    entries : int
        Events in it.
    path : str
        The file, for the message.

    Raises
    ------
    LayoutError
        Says what to write instead.
    """
    constant = layout.scalars["event"].constant
    if constant is not None and entries > 1:
        msg = (
            (
                f"{layout.origin}: scalars.event is the constant {constant}, so that all {entries} events of {path} would be one event; "
                "if the tree does not number its events, write event = {{ entry = true }}"
            )
            .replace("{{", "{")
            .replace("}}", "}")
        )
        raise LayoutError(msg)


#: Forms that were found good: name, type and title of every branch of a TTree. Many files have one form, and to check it takes longer than to open a file.
_GOOD_FORMS: set[tuple[tuple[str, str, str], ...]] = set()


def _check_form(file: Any, tree: Any, path: str) -> None:
    """Check the form of the events, of every form once; what a branch really holds is checked when it is read."""
    from na64mu.events.nanoevents import check_form

    if not hasattr(tree, "common_entry_offsets"):  # an RNTuple
        check_form(file, path)
        return
    form = tuple((b.name, b.classname, str(b.member("fTitle"))) for b in tree.branches)
    if form not in _GOOD_FORMS:
        check_form(file, path)
        _GOOD_FORMS.add(form)


#: Unpacked bytes for every byte of a file, if the tree does not say it (RNTuple): about 2 in the shipped sample.
UNPACKED = 3


def _unpacked(tree: Any) -> float:
    """Bytes of all columns without compression."""
    return float(tree.uncompressed_bytes if hasattr(tree, "common_entry_offsets") else UNPACKED * tree.file.fEND)


def _basket_bytes(tree: Any, borders: tuple[int, ...]) -> float:
    """Unpacked bytes of the largest basket of every branch, which are unpacked whole for a part of them."""
    if not hasattr(tree, "common_entry_offsets"):
        return _unpacked(tree) * max((b - a for a, b in itertools.pairwise(borders)), default=0) / max(tree.num_entries, 1)
    longest = [max((b - a for a, b in itertools.pairwise(branch.entry_offsets)), default=0) for branch in tree.branches]
    return sum(n * branch.uncompressed_bytes for n, branch in zip(longest, tree.branches, strict=True)) / max(tree.num_entries, 1)


def _borders(tree: Any) -> tuple[int, ...]:
    if hasattr(tree, "common_entry_offsets"):
        return tuple(int(b) for b in tree.common_entry_offsets())
    return tuple(sorted({int(c.num_first_entry) for c in tree.cluster_summaries} | {int(tree.num_entries)}))


def _numbers(tree: Any, names: Sequence[str], path: str, start: int, stop: int) -> tuple[Any, ...]:
    from na64mu.events.root_io import read_columns

    found = read_columns(tree, names, path, start, stop)
    return tuple(np.asarray(found[name]) for name in names)


def read_numbers(
    path: str, tree: str, start: int, stop: int, layout: Any = None, scalars: Sequence[str] = ("run", "event", "config")
) -> dict[str, Any]:
    """Some scalars of a range of entries, without the rest of them where that is possible.

    Parameters
    ----------
    path, tree : str
        File and tree.
    start, stop : int
        Entries.
    layout : Layout, optional
        Branch layout of a foreign tree.
    scalars : sequence of str
        Scalars of the raw tree.

    Returns
    -------
    dict of str to array
        Shape (stop - start,) each.

    Raises
    ------
    InputError
        If they cannot be read.
    """
    from na64mu.events.friends import event_trees, read_event_columns
    from na64mu.events.reader import read_batch
    from na64mu.events.root_io import find_tree, open_file

    if layout is not None:
        columns = {name: layout.scalars[name] for name in scalars}
        if all(c.constant is not None or c.entry is not None for c in columns.values()):
            return {n: np.arange(start, stop) if c.entry else np.full(stop - start, c.constant) for n, c in columns.items()}
        if any(c.branch is None or c.scale is not None or c.bits is not None for c in columns.values()):
            return read_batch(path, start, stop, layout=layout).scalars
        with open_file(path) as root, event_trees(root, path, layout) as trees:
            read = read_event_columns(trees, [str(c.branch) for c in columns.values()], path, layout, start, stop)
        return {name: np.asarray(read[str(c.branch)]) for name, c in columns.items()}
    with open_file(path) as root:
        return dict(zip(scalars, _numbers(find_tree(root, path, tree), scalars, path, start, stop), strict=True))
