"""Layouts: how the branches of a foreign tree map onto the raw tree, so that it is read without code.

A layout is a TOML file::

    format_version = 1
    title = "what it is for"
    absent = ["mm", "gem", "straw", "bms", "vhcal"]   # collections the tree does not have; they stay empty

    [trees]
    events = "tree"
    friends = ["hits"]          # optional: trees of the same file with further branches of the same entries; or in a file
                                # of its own beside each file: { tree = "calo", file = "{stem}_calo.root" }
    runs = "runinfo"            # optional

    [scalars]
    run = "runNumber"                          # a branch: its full path in the tree, or its last piece where that is unique
    spill = { constant = 1 }                   # the same for every event
    config = { constant = 1 }
    event = "eventNumber"                      # or { entry = true }: the number of the entry in its file
    trigger = { bits = { calibration = "isBeam", physics = "isMuon" } }   # from flags

    [collections.ecal]          # a list of numbers per event and field
    counter = "nCells"          # optional, only checked
    energy = { branch = "Cell_E", scale = 0.001 }
    ...

    [[collections.counter]]     # one number per event is one row; several such tables are put one behind the other
    id = { constant = 0 }
    energy = "S0_E"
    time = { constant = 0.0 }

    [collections.hcal]          # a fixed matrix per event
    matrix = "HCAL_ene"         # its values are `value` (energy if not given)
    axes = ["module", "ix", "iy"]
    first = [1, 0, 0]           # number of the first element along each axis (0 if not given)
    threshold = 0.02            # elements at or below are suppressed (after scale)
    time = { constant = 0.0 }   # or { matrix = "HCAL_t0" } of the same shape

    [[runs]]                    # bookkeeping as constants, where the tree has none
    run = 1
    config = 1
    ...

Optional parts of the raw tree (na64mu.events.schema_v1) may be mapped as the others are, and need not be.

A collection may be an array of tables, [[collections.hcal]], whose rows are put one behind the other. [truth] works as
[scalars]. `run_fields` maps the fields of `trees.runs` as [scalars] does.

The reader functions take a layout. Inside coffea's Runner use `na64mu.events.schema.schema_for(layout)` as the schema and
`layout.trees.events` as the tree: its events carry the layout, and RawBatch.from_events reads them through it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from na64mu.common.arguments import file_name
from na64mu.common.toml_model import read_toml, validate
from na64mu.errors import LayoutError
from na64mu.events.schema_v1 import (
    COLLECTIONS,
    OPTIONAL_COLLECTIONS,
    OPTIONAL_COLUMNS,
    OPTIONAL_RUN_FIELDS,
    OPTIONAL_SCALARS,
    RUNS,
    SCALARS,
    TREE,
    TRIGGER_BITS,
    TRUTH,
    mandatory_fields,
)

__all__ = ("Column", "Friend", "Layout", "Part", "Trees", "load_layout")

LAYOUT_FOLDER = Path(__file__).parent.parent / "data" / "layouts"


Finite = Annotated[float, Field(allow_inf_nan=False)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Column(_Model):
    """Source of one column: a branch, a matrix, a constant, the number of the entry, or the bits of flags; short, a branch name."""

    branch: str | None = None
    matrix: str | None = None
    constant: float | int | str | None = None
    entry: Literal[True] | None = None
    bits: dict[str, str] | None = None
    scale: Finite | None = None  # multiplies a branch or matrix

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, content: Any) -> Any:
        return {"branch": content} if isinstance(content, str) else content

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        sources = [n for n in ("branch", "matrix", "constant", "entry", "bits") if getattr(self, n) is not None]
        if len(sources) != 1:
            msg = f"give one of branch, matrix, constant, entry or bits, found {' and '.join(sources) or 'none'}"
            raise ValueError(msg)
        if self.scale is not None and sources[0] in ("constant", "entry", "bits"):
            msg = f"scale goes with a branch or matrix, not with {sources[0]}"
            raise ValueError(msg)
        unknown = sorted(set(self.bits or ()) - set(TRIGGER_BITS))
        if unknown:
            msg = f"bits: unknown condition {unknown[0]!r}, there are {', '.join(TRIGGER_BITS)}"
            raise ValueError(msg)
        return self

    @property
    def branches(self) -> list[str]:
        """Branches that are read."""
        return [*filter(None, (self.branch, self.matrix)), *(self.bits or {}).values()]


class Part(_Model):
    """One source of the rows of a collection: lists (`fields` are branches) or a matrix with named axes."""

    fields: dict[str, Column]
    counter: str | None = None
    matrix: str | None = None
    axes: tuple[str, ...] = ()
    first: tuple[Annotated[int, Field(ge=0)], ...] = ()
    value: str = "energy"
    scale: Finite = 1.0
    threshold: Finite = 0.0

    @model_validator(mode="before")
    @classmethod
    def _gather_fields(cls, content: Any) -> Any:
        if not isinstance(content, dict) or "fields" in content:
            return content
        own = {k: v for k, v in content.items() if k in cls.model_fields}
        return own | {"fields": {k: v for k, v in content.items() if k not in own}}

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.matrix is None:
            given = sorted(self.model_fields_set & {"axes", "first", "value", "scale", "threshold"})
            if given:
                msg = f"{given[0]} goes with a matrix"
                raise ValueError(msg)
            if any(c.matrix for c in self.fields.values()):
                msg = "a field from a matrix needs a collection from a matrix"
                raise ValueError(msg)
            if not any(c.branch for c in self.fields.values()):
                msg = "at least one field must be a branch"
                raise ValueError(msg)
        elif self.counter is not None or any(c.branch for c in self.fields.values()):
            msg = "a collection from a matrix has no counter and no field from a branch"
            raise ValueError(msg)
        if self.first and len(self.first) != len(self.axes):
            msg = f"first has {len(self.first)} numbers for {len(self.axes)} axes"
            raise ValueError(msg)
        for kind in ("bits", "entry"):
            if any(getattr(c, kind) for c in self.fields.values()):
                msg = f"{kind} makes a scalar, not a field"
                raise ValueError(msg)
        return self

    @property
    def names(self) -> list[str]:
        """Fields of the collection that this part gives."""
        return [*self.fields, *((*self.axes, self.value) if self.matrix is not None else ())]

    @property
    def branches(self) -> list[str]:
        """Branches that are read."""
        return [*filter(None, (self.counter, self.matrix)), *(b for c in self.fields.values() for b in c.branches)]


class Friend(_Model):
    """A tree with further branches of the same entries: in the file of the events, or in another one whose name follows from it.

    `file` is a path beside the file of the events; {stem} in it is replaced by that file's name without its ending and without `strip`.
    Written short, the name of a tree of the same file.
    """

    tree: str
    file: str | None = None
    strip: str = ""  # taken off the end of the stem

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, content: Any) -> Any:
        return {"tree": content} if isinstance(content, str) else content

    @model_validator(mode="after")
    def _follows_the_name(self) -> Self:
        if self.file is not None and ("{stem}" not in self.file or {"{", "}"} & set(self.file.replace("{stem}", ""))):
            msg = f"file {self.file!r}: {{stem}} must be in it, for the name of the file of the events, and no other {{...}}"
            raise ValueError(msg)
        if self.file is None and self.strip:
            msg = "strip goes with file"
            raise ValueError(msg)
        return self

    def path_beside(self, path: str | Path) -> str:
        """Path of the file that holds the tree, for the file of the events at `path`."""
        if self.file is None:
            return str(path)
        folder, slash, name = str(path).rpartition("/")
        own = self.file.replace("{stem}", PurePosixPath(name).stem.removesuffix(self.strip))
        return (
            own if own.startswith("/") else os.path.normpath(f"{folder}{slash}{own}") if "://" not in str(path) else f"{folder}{slash}{own}"
        )


class Trees(_Model):
    """Names of the trees in the file."""

    events: str = TREE
    friends: tuple[Friend, ...] = ()
    runs: str | None = None

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        names = [(None, self.events), *((friend.file, friend.tree) for friend in self.friends)]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            msg = f"{twice[0][1]!r} is named twice in events and friends, name each tree once"
            raise ValueError(msg)
        return self

    def friend_files(self, path: str | Path) -> tuple[str, ...]:
        """Further files that belong to the file of the events at `path`, each once."""
        return tuple(dict.fromkeys(friend.path_beside(path) for friend in self.friends if friend.file is not None))


class Layout(_Model):
    """A whole layout; see the head of this module."""

    format_version: int
    title: str = ""
    trees: Trees = Trees()
    absent: tuple[str, ...] = ()
    scalars: dict[str, Column]
    truth: dict[str, Column] = {}
    collections: dict[str, tuple[Part, ...]]
    run_fields: dict[str, Column] = {}
    runs: tuple[dict[str, int | float | str], ...] = ()
    origin: str = "layout"  # the file it was read from

    @field_validator("format_version")
    @classmethod
    def _version(cls, version: int) -> int:
        if version != 1:
            msg = "this version of na64mu reads 1"
            raise ValueError(msg)
        return version

    @field_validator("collections", mode="before")
    @classmethod
    def _as_parts(cls, content: Any) -> Any:
        return {k: v if isinstance(v, list | tuple) else [v] for k, v in content.items()} if isinstance(content, dict) else content

    @property
    def is_numbered(self) -> bool:
        """Whether the tree itself numbers its events; else the number is that of the entry, which does not identify an event across files."""
        return self.scalars["event"].entry is None

    @model_validator(mode="after")
    def _covers_the_raw_tree(self) -> Self:
        problems = [*self._problems_of_events(), *self._problems_of_runs()]
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def _problems_of_events(self) -> Iterator[str]:
        """One sentence for everything that is wrong with the columns of events and hits."""
        known = [*COLLECTIONS, *OPTIONAL_COLLECTIONS]
        yield from _names("scalars", self.scalars, list(SCALARS), [*SCALARS, *OPTIONAL_SCALARS])
        yield from _names("truth", self.truth, [], list(TRUTH))
        yield from _names("collections", [*self.collections, *self.absent], list(COLLECTIONS), known, "map it or list it in absent")
        yield from (f"collections.{name} is mapped and listed in absent" for name in sorted(set(self.collections) & set(self.absent)))
        for name, parts in self.collections.items():
            for part in parts if name in known else ():
                needed = list(mandatory_fields(name))
                yield from _names(f"collections.{name}", part.names, needed, [*needed, *OPTIONAL_COLUMNS.get(name, {})])
        for key in ("scalars", "truth", "run_fields"):
            for name, column in getattr(self, key).items():
                if column.matrix is not None or (column.bits is not None and name != "trigger"):
                    yield f"{key}.{name} is a branch or a constant"
                if column.entry is not None and (key, name) != ("scalars", "event"):
                    yield f"{key}.{name}: only scalars.event can be the number of the entry"
        hits = (c for parts in self.collections.values() for part in parts for c in part.fields.values())
        if any(isinstance(column.constant, str) for column in (*self.scalars.values(), *self.truth.values(), *hits)):
            yield "a constant of an event or a hit is a number, only run_fields and runs have strings"

    def _problems_of_runs(self) -> Iterator[str]:
        """One sentence for everything that is wrong with the bookkeeping."""
        needed = [name for name in RUNS if name not in OPTIONAL_RUN_FIELDS]
        if self.trees.runs is not None:
            yield from _names("run_fields", self.run_fields, needed, list(RUNS))
        for i, row in enumerate(self.runs):
            yield from _names(f"runs[{i}]", row, needed, list(RUNS))
        if (self.trees.runs is None) == (not self.runs):
            yield "give the bookkeeping once: as the tree trees.runs (with run_fields) or as [[runs]]"


def _names(key: str, found: Any, needed: list[str], allowed: list[str], hint: str = "it is needed") -> Iterator[str]:
    """One sentence for each name that is unknown, and for each that is missing."""
    yield from (f"{key}.{name} is not part of the raw tree, which has {', '.join(allowed)}" for name in found if name not in allowed)
    yield from (f"{key}.{name} is missing, {hint}" for name in needed if name not in found)


def load_layout(path: str | Path | Layout) -> Layout:
    """Read a layout.

    Parameters
    ----------
    path : str, Path or Layout
        A TOML file, or the name of a layout that ships with the package (for example "na64-public-tree").

    Returns
    -------
    Layout
        The validated layout.

    Raises
    ------
    LayoutError
        If the file cannot be read or a key is wrong; names file and key.
    """
    if isinstance(path, Layout):
        return path
    path = file_name(path, "layout", LayoutError, "a Layout, its name, or the path of its TOML file is wanted")
    shipped = LAYOUT_FOLDER / f"{path}.toml"
    file = shipped if Path(path).name == str(path) and shipped.is_file() else Path(path)
    content = read_toml(file, LayoutError)
    return validate(Layout, content | {"origin": str(file)}, str(file), LayoutError)
