"""Properties common to the events of a dataset: data or simulation, process, mass, coupling, conditions. Files that differ never share one.

A dataset that is called after its files is split by what differs; one that the user named is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, Self, TypeVar

import numpy as np

from na64mu.errors import InputError
from na64mu.events.branches import find_branch
from na64mu.events.root_io import read_columns
from na64mu.physics.bosons import BOSON_PROCESSES
from na64mu.results.losses import Loss

__all__ = ("LOOK", "Kind", "kind_of", "separated", "truth_of")

#: Processes from here on are those of a new boson; 255 is artificial.
FIRST_SIGNAL, ARTIFICIAL = 20, 255
#: Number of events whose truth is read: a production has one process and one mass.
LOOK = 100_000


class Kind(NamedTuple):
    """The kind of a file's events; each field as text, empty where it does not apply."""

    origin: str = ""
    process: str = ""
    mass: str = ""
    coupling: str = ""
    conditions: str = ""
    detector: str = ""


NAMES = Kind("data or simulation", "process", "mass", "coupling", "conditions", "detector")


class Described(Protocol):
    """A file with events of one kind: SourceFile and SummaryFile."""

    @property
    def dataset(self) -> str:
        """Dataset of the file."""

    @property
    def path(self) -> str:
        """Path of the file."""

    @property
    def kind(self) -> Kind:
        """Kind of the events in the file."""

    def renamed(self, dataset: str) -> Self:
        """Return the file as part of another dataset."""


File = TypeVar("File", bound=Described)


def truth_of(tree: Any, path: str, entries: int) -> tuple[Any, Any]:
    """Process and mass of the first events of a raw tree.

    Parameters
    ----------
    tree : uproot.TTree or uproot RNTuple
        Tree of events, with or without `mc_process` and `mc_mass`.
    path : str
        Path of the file, for messages.
    entries : int
        Events in it.

    Returns
    -------
    process, mass : AnyArray
        Shape (n_events,), for at most 100 000 events; empty without truth, or where it cannot be read (the run says so).
    """
    names = ["mc_process", "mc_mass"]
    if entries == 0 or any(find_branch(tree, name) is None for name in names):
        return np.empty(0), np.empty(0)
    try:
        found = read_columns(tree, names, path, 0, min(entries, LOOK))
        return np.asarray(found["mc_process"]), np.asarray(found["mc_mass"])
    except InputError:
        return np.empty(0), np.empty(0)


def kind_of(rows: Iterable[Mapping[str, Any]], process: Any, mass: Any, *, is_data: bool, detector: str) -> Kind:
    """The kind of the events of a file.

    Parameters
    ----------
    rows : iterable of mapping
        Bookkeeping of the file, with g_ref and conditions.
    process, mass : AnyArray
        Shape (n_events,), of some of its events; masses [GeV].
    is_data : bool
        Whether its events are data; see na64mu.events.origin.
    detector : str
        Tag of its description.

    Returns
    -------
    Kind
        Name of the kind.
    """
    rows = list(rows)
    conditions = "+".join(sorted({str(row["conditions"]) for row in rows}))
    if is_data:
        return Kind("data", conditions=conditions, detector=detector)
    signal = (np.asarray(process) >= FIRST_SIGNAL) & (np.asarray(process) != ARTIFICIAL)
    bosons = sorted({int(p) for p in np.asarray(process)[signal]})
    masses = sorted({f"{1000 * float(m):.6g}MeV" for m in np.asarray(mass)[signal] if np.isfinite(m)})
    couplings = sorted({f"g{float(row['g_ref']):.6g}" for row in rows if float(row["g_ref"]) > 0})
    return Kind(
        "simulation", "+".join(BOSON_PROCESSES.get(p, str(p)) for p in bosons), "+".join(masses), "+".join(couplings), conditions, detector
    )


def separated(files: Sequence[File], named: Iterable[str], losses: list[Loss]) -> list[File]:
    """Put files that differ in kind into datasets of their own.

    Parameters
    ----------
    files : sequence of SourceFile or SummaryFile
        In order.
    named : iterable of str
        Datasets that the user named: they are refused, not split.
    losses : list of Loss
        Receives a note for each dataset that is split.

    Returns
    -------
    list
        The same files in order, some renamed.

    Raises
    ------
    InputError
        If a named dataset mixes kinds, or the parts of one cannot be distinguished by name.
    """
    explicit, taken = set(named), {f.dataset for f in files}
    names: dict[tuple[str, Kind], str] = {}
    for dataset in dict.fromkeys(f.dataset for f in files):
        own = [f for f in files if f.dataset == dataset]
        parts = list(dict.fromkeys(f.kind for f in own))
        if len(parts) == 1:
            continue
        first, other = (next(f for f in own if f.kind == kind) for kind in parts[:2])
        what = _difference(first.kind, other.kind)
        reason = f"{first.path} and {other.path} differ in {what}, and such files are never one dataset"
        if dataset in explicit:
            msg = f"dataset {dataset!r}: {reason}: give them as two datasets in the fileset JSON"
            raise InputError(msg)
        new = {kind: f"{dataset}_{suffix}" for kind, suffix in _suffixes(parts).items()}
        if len(set(new.values())) < len(parts) or taken & set(new.values()):
            msg = f'dataset {dataset!r}: {reason}: name their datasets in a fileset JSON, as {{"first": ["..."], "second": ["..."]}}'
            raise InputError(msg)
        taken |= set(new.values())
        names |= {(dataset, kind): name for kind, name in new.items()}
        split = f"dataset {dataset!r} is split into {', '.join(new.values())}"
        losses.append(Loss(new[parts[0]], first.path, "note", f"{split}: {reason}; a fileset JSON gives them other names"))
    return [f.renamed(names[f.dataset, f.kind]) if (f.dataset, f.kind) in names else f for f in files]


def _difference(a: Kind, b: Kind) -> str:
    """The first field in which two kinds differ, with both values."""
    name, one, two = next((name, x, y) for name, x, y in zip(NAMES, a, b, strict=True) if x != y)
    return f"{name} ({one or 'none'} and {two or 'none'})"


def _suffixes(kinds: Sequence[Kind]) -> dict[Kind, str]:
    """Return suffixes that distinguish the kinds, from as few fields as are needed."""
    chosen: list[int] = []
    for i in range(len(NAMES)):
        before = {tuple(kind[j] for j in chosen) for kind in kinds}
        if len({tuple(kind[j] for j in (*chosen, i)) for kind in kinds}) > len(before):
            chosen.append(i)
    return {kind: "_".join(_slug(kind[i] or "none") for i in chosen) for kind in kinds}


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9.+-]+", "-", text).strip("-")[:40]
