"""The raw tree, versions 1 and 2: names and types of every branch of `events` and `runs`.

Lengths mm, times ns, energies GeV (counters and VETO: MeV), momenta GeV/c. Version 2 is version 1 with the number of the version in
the file (na64mu.events.version) and with the optional parts that are declared here. A part is added by one line in OPTIONAL_SCALARS,
OPTIONAL_COLUMNS or OPTIONAL_COLLECTIONS and one more in MINOR_VERSION: files without it read as before, with its default.

A file of the waveform tier has, in the place of a collection with energy and time (say `ecal`), the samples of its channels
(`ecalwave`): the same address, then s0 to s31, the ADC counts as they were recorded.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

__all__ = (
    "ALL_COLLECTIONS",
    "COLLECTIONS",
    "MINOR_VERSION",
    "OPTIONAL_COLLECTIONS",
    "OPTIONAL_COLUMNS",
    "OPTIONAL_RUN_FIELDS",
    "OPTIONAL_SCALARS",
    "OPTIONAL_TRUTH",
    "RUNS",
    "SAMPLES",
    "SCALARS",
    "TREE",
    "TRIGGER_BITS",
    "TRUTH",
    "VERSION",
    "WAVEFORMS",
    "Declared",
    "branches",
    "collections_of",
    "fields_of",
    "mandatory_fields",
    "missing_branches",
    "nearest_branches",
    "optional_branches",
    "scalar_kinds",
    "waveform_of",
)

#: Version that is written. A change that older readers would misread makes it higher; a new optional part only MINOR_VERSION.
VERSION = 2
MINOR_VERSION = 0
TREE = "events"

#: Trigger conditions met before any prescale: name -> bit.
TRIGGER_BITS = {"calibration": 0, "physics": 1, "random": 2}

#: Event scalars: name -> type.
SCALARS: dict[str, np.dtype] = {
    "run": np.dtype(np.uint32),
    "spill": np.dtype(np.uint32),
    "event": np.dtype(np.uint64),
    "config": np.dtype(np.uint8),
    "trigger": np.dtype(np.uint32),
}

#: Collections of zero-suppressed digits: name -> field -> type. Branches are `n<name>` (int32) and `<name>_<field>`.
COLLECTIONS: dict[str, dict[str, np.dtype]] = {
    name: {field: np.dtype(kind) for field, kind in fields.items()}
    for name, fields in {
        "counter": {"id": "u1", "energy": "f4", "time": "f4"},
        "veto": {"id": "u1", "energy": "f4", "time": "f4"},
        "bms": {"station": "u1", "channel": "u2", "time": "f4"},
        "mm": {"module": "u1", "view": "u1", "channel": "u2", "q0": "i2", "q1": "i2", "q2": "i2"},
        "gem": {"module": "u1", "view": "u1", "strip": "u2", "q0": "i2", "q1": "i2", "q2": "i2"},
        "straw": {"module": "u1", "view": "u1", "layer": "u1", "wire": "u2", "time": "f4"},
        "ecal": {"section": "u1", "ix": "u1", "iy": "u1", "energy": "f4", "time": "f4"},
        "vhcal": {"ix": "u1", "iy": "u1", "energy": "f4", "time": "f4"},
        "hcal": {"module": "u1", "ix": "u1", "iy": "u1", "energy": "f4", "time": "f4"},
    }.items()
}

#: Samples of a waveform.
SAMPLES = tuple(f"s{i}" for i in range(32))

#: Waveforms of the collections that have an energy: name -> field -> type, with the address of the collection.
WAVEFORMS: dict[str, dict[str, np.dtype]] = {
    f"{name}wave": {f: kind for f, kind in fields.items() if f not in ("energy", "time")} | dict.fromkeys(SAMPLES, np.dtype(np.uint16))
    for name, fields in COLLECTIONS.items()
    if "energy" in fields
}

#: Collections of both tiers.
ALL_COLLECTIONS = COLLECTIONS | WAVEFORMS


class Declared(NamedTuple):
    """An optional column: its type ("u1", "f4" ...), its unit, what it is, and the number that it has where a file lacks it."""

    kind: str
    unit: str
    meaning: str
    default: float = 0

    @property
    def dtype(self) -> np.dtype:
        """Its type as numpy has it."""
        return np.dtype(self.kind)


#: Optional event scalars: name -> column.
OPTIONAL_SCALARS: dict[str, Declared] = {}

#: Optional columns of collections that are there without them: collection -> field -> column.
OPTIONAL_COLUMNS: dict[str, dict[str, Declared]] = {}

#: Optional collections: name -> field -> column. Where a file lacks the whole collection, no event has a row in it.
OPTIONAL_COLLECTIONS: dict[str, dict[str, Declared]] = {
    "pixel": {
        "module": Declared("u1", "", "pixel plane"),
        "col": Declared("u2", "", "column, counted from 0 with x"),
        "row": Declared("u2", "", "row, counted from 0 with y"),
        "charge": Declared("f4", "ADC", "charge above the pedestal"),
        "time": Declared("f4", "ns", "time; an in-time hit has time 0"),
    },
}

#: Truth of a simulation; absent in data. NaN means "does not apply".
TRUTH: dict[str, np.dtype] = {
    name: np.dtype(kind)
    for name, kind in {
        "mc_weight": "f8",
        "mc_process": "u1",
        "mc_p_in": "f4",
        "mc_p_out": "f4",
        "mc_px": "f4",
        "mc_py": "f4",
        "mc_pz": "f4",
        "mc_x": "f4",
        "mc_y": "f4",
        "mc_z": "f4",
        "mc_vertex_z": "f4",
        "mc_mass": "f4",
        "mc_xfrac": "f4",
        "mc_psi": "f4",
        "mc_n_pileup": "u1",
    }.items()
}
OPTIONAL_TRUTH = ("mc_xfrac", "mc_psi")

#: Run bookkeeping, one row per (run, config): name -> type; strings as str.
RUNS: dict[str, np.dtype | type[str]] = {
    "run": np.dtype(np.uint32),
    "config": np.dtype(np.uint8),
    "n_spills": np.dtype(np.uint32),
    "n_mot": np.dtype(np.uint64),
    "n_generated": np.dtype(np.uint64),
    "sum_weights": np.dtype(np.float64),
    "g_ref": np.dtype(np.float64),
    "prescale_calibration": np.dtype(np.uint32),
    "detector": str,
    "conditions": str,
    "seed": np.dtype(np.uint64),
}
OPTIONAL_RUN_FIELDS: dict[str, float | int] = {"g_ref": 0.0, "prescale_calibration": 1}


def waveform_of(name: str) -> str:
    """Collection of the waveforms of a collection: ecal -> ecalwave; empty if it has none."""
    return f"{name}wave" if f"{name}wave" in WAVEFORMS else ""


def collections_of(present: Iterable[str]) -> tuple[str, ...]:
    """The nine collections of a tree, each in the tier in which it is stored there, and the optional ones that it has.

    Parameters
    ----------
    present : iterable of str
        Branches of the tree, or fields of an event.

    Returns
    -------
    tuple of str
        In the order of COLLECTIONS; a name of WAVEFORMS where the tree has waveforms and no digits. Then those of OPTIONAL_COLLECTIONS.
    """
    names = set(present)
    optional = (name for name in OPTIONAL_COLLECTIONS if name in names or f"n{name}" in names)
    return (*(_standing(name, names) for name in COLLECTIONS), *optional)


def mandatory_fields(name: str) -> dict[str, np.dtype]:
    """Fields that a collection has wherever it is: field -> type."""
    if name in OPTIONAL_COLLECTIONS:
        return {field: column.dtype for field, column in OPTIONAL_COLLECTIONS[name].items()}
    return ALL_COLLECTIONS[name]


def fields_of(name: str, present: Iterable[str]) -> dict[str, np.dtype]:
    """Fields of a collection in a tree.

    Parameters
    ----------
    name : str
        Collection.
    present : iterable of str
        Branches of the tree.

    Returns
    -------
    dict of str to np.dtype
        Its mandatory fields, then those of OPTIONAL_COLUMNS that the tree has.
    """
    optional = OPTIONAL_COLUMNS.get(name)
    if not optional:
        return mandatory_fields(name)
    names = set(present)
    return mandatory_fields(name) | {field: column.dtype for field, column in optional.items() if f"{name}_{field}" in names}


def scalar_kinds() -> dict[str, np.dtype]:
    """Every column with one number per event, truth and optional ones too: name -> type."""
    return SCALARS | TRUTH | {name: column.dtype for name, column in OPTIONAL_SCALARS.items()}


def optional_branches() -> dict[str, Declared | None]:
    """Every branch that version 2 may add to version 1, with its column; None for the counter of an optional collection."""
    found: dict[str, Declared | None] = dict(OPTIONAL_SCALARS)
    for name, fields in OPTIONAL_COLLECTIONS.items():
        found |= {f"n{name}": None} | {f"{name}_{field}": column for field, column in fields.items()}
    for name, fields in OPTIONAL_COLUMNS.items():
        found |= {f"{name}_{field}": column for field, column in fields.items()}
    return found


def _standing(name: str, present: set[str]) -> str:
    wave = waveform_of(name)
    return wave if {wave, f"n{wave}"} & present - {""} and not {name, f"n{name}"} & present else name


def branches(collections: Iterable[str] = tuple(COLLECTIONS)) -> list[str]:
    """Names of the mandatory branches of `events`, in the order they are written.

    Parameters
    ----------
    collections : iterable of str
        Collections to name the branches of.

    Returns
    -------
    list[str]
        Event scalars, then counter and fields of each collection.
    """
    names = list(SCALARS)
    for name in collections:
        names += [f"n{name}", *(f"{name}_{field}" for field in mandatory_fields(name))]
    return names


def missing_branches(present: Iterable[str], collections: Iterable[str] | None = None) -> str:
    """One sentence about mandatory branches that are not there, or collections that are there in both tiers.

    Parameters
    ----------
    present : iterable of str
        Branches of the tree.
    collections : iterable of str, optional
        Collections that are wanted; all that `collections_of` finds without it.

    Returns
    -------
    str
        Empty if nothing is missing.
    """
    available = sorted(present)
    names = set(available)
    missing = [name for name in branches(collections_of(names) if collections is None else collections) if name not in names]
    if not missing:
        return twice(names)
    what = f"branch {missing[0]!r} is" if len(missing) == 1 else f"{len(missing)} branches ({_shortened(missing)}) are"
    return f"mandatory {what} missing; {nearest_branches(missing[0], available)}"


def twice(present: Iterable[str]) -> str:
    """One sentence about a collection that is in a tree both as digits and as waveforms; empty if there is none."""
    names = set(present)
    for name in COLLECTIONS:
        if waveform_of(name) and {f"n{name}", f"n{waveform_of(name)}"} <= names:
            return f"collection {name!r} stands in the tree as digits and as waveforms ({waveform_of(name)!r}): one of them is wanted"
    return ""


def nearest_branches(wanted: str, available: Iterable[str]) -> str:
    """What a tree has instead of a missing branch: the most similar names, and how many others.

    Parameters
    ----------
    wanted : str
        The missing branch.
    available : iterable of str
        Branches of the tree.

    Returns
    -------
    str
        Part of a sentence.
    """
    names = sorted(available)
    if not names:
        return "the tree has no branches"
    near = difflib.get_close_matches(wanted, names, n=4, cutoff=0.0)
    return f"the tree has {', '.join(near)}" + (f" and {len(names) - len(near)} others" if len(names) > len(near) else "")


def _shortened(names: list[str], limit: int = 8) -> str:
    text = ", ".join(names[:limit])
    return f"{text} and {len(names) - limit} more" if len(names) > limit else text
