"""The coffea schema of the raw tree: groups the branches `<collection>_<field>` into collections.

Works on a TTree with counters and on an RNTuple with the same flat names, interactively and inside coffea's
Runner. A foreign tree has `schema_for(layout)` instead: its events carry the layout, and RawBatch.from_events
reads the same file and entries through it. Offsets are built from the counter `n<collection>`, so touching one field reads its branch and its
counter only. Branches that do not belong to the raw tree are left out. Optional parts that the tree does not have are there with
their defaults, which are made when they are touched, so that one processor reads files with and without them.

Lists whose lengths are not those of the counter would shift hits into other events without a word, so the content of
every list is compared with its counter when it is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

import awkward as ak
import numpy as np

from na64mu.errors import InputError
from na64mu.events.batch import DEFAULT
from na64mu.events.behaviors import behavior, record_name
from na64mu.events.coffea_names import BaseSchema, counts_to_offsets, register_form_step, zip_forms
from na64mu.events.foreign_event import ForeignEvent
from na64mu.events.schema_v1 import (
    OPTIONAL_COLLECTIONS,
    OPTIONAL_COLUMNS,
    OPTIONAL_SCALARS,
    Declared,
    collections_of,
    fields_of,
    missing_branches,
    scalar_kinds,
)

if TYPE_CHECKING:
    from na64mu.events.layout import Layout

__all__ = ("ForeignSchema", "RawTreeSchema", "schema_for")

Form = dict[str, Any]


def _flat(forms: dict[str, Form], name: str) -> Form:
    if forms[name]["class"] != "NumpyArray":
        msg = f"branch {name!r} has lists where the raw tree has one number per event"
        raise InputError(msg)
    return forms[name]


def counted_content(stack: list[Any]) -> None:
    """Content of a list column after a check of its lengths: a step of coffea's form keys.

    Parameters
    ----------
    stack : list
        Ends with the column, its counts and the name of the branch; they are replaced by the content.

    Raises
    ------
    InputError
        If the lists are not as long as the counter says.
    """
    name, counts, column = stack.pop(), ak.to_numpy(stack.pop()), stack.pop()
    own = ak.to_numpy(ak.num(column, axis=1))
    wrong = np.flatnonzero(own != counts)
    if len(wrong):
        entry = int(wrong[0])
        msg = f"branch {name!r} has {own[entry]} numbers in entry {entry} of the range, its counter says {counts[entry]}"
        raise InputError(msg)
    stack.append(ak.flatten(column, axis=1).layout)


def same_count(stack: list[Any]) -> None:
    """Put the same number of rows for every event in the place of a scalar column: a step of coffea's form keys.

    Parameters
    ----------
    stack : list
        Ends with the column and the number, as a string.
    """
    number = int(stack.pop())
    stack.append(np.full(len(stack.pop()), number, np.int32))


def default_content(stack: list[Any]) -> None:
    """Rows of an optional column that the tree does not have: a step of coffea's form keys.

    Parameters
    ----------
    stack : list
        Ends with the counts, the type and the default as a string; they are replaced by the content.
    """
    default, kind, counts = stack.pop(), np.dtype(stack.pop()), ak.to_numpy(stack.pop())
    stack.append(np.full(int(counts.sum(dtype=np.int64)), float(default)).astype(kind))


register_form_step("na64mu_counted_content", counted_content)
register_form_step("na64mu_same_count", same_count)
register_form_step("na64mu_default_content", default_content)


def _listed(forms: dict[str, Form], name: str, counter: str) -> Form:
    form = forms[name]
    if not form["class"].startswith("ListOffset") or form["content"]["class"] != "NumpyArray":
        msg = f"branch {name!r} does not have one list of numbers per event, as the raw tree has"
        raise InputError(msg)
    steps = quote(f"{name},!load,{counter},!load,{name},!na64mu_counted_content", safe="")
    return form | {"content": form["content"] | {"form_key": steps}}


def _default(counts: str, column: Declared) -> Form:
    """Form of an optional column that the tree does not have, from the steps that make its counts."""
    steps = quote(f"{counts},{column.dtype.name},{column.default!r},!na64mu_default_content", safe="")
    kind = {"class": "NumpyArray", "itemsize": column.dtype.itemsize, "format": column.dtype.char, "primitive": column.dtype.name}
    return kind | {"inner_shape": [], "parameters": {DEFAULT: True}, "form_key": steps}


def _default_list(counts: str, column: Declared) -> Form:
    return {"class": "ListOffsetArray", "offsets": "i64", "content": _default(counts, column), "parameters": {}, "form_key": ""}


def _counts(number: int) -> str:
    """Steps that make the same number of rows for every event."""
    return f"run,!load,{number},!na64mu_same_count"


def _collection(forms: dict[str, Form], name: str) -> Form:
    """Form of a collection that the tree has; optional columns that it does not have have their defaults."""
    columns = {field: _listed(forms, f"{name}_{field}", f"n{name}") for field in fields_of(name, forms)}
    for field, column in OPTIONAL_COLUMNS.get(name, {}).items():
        if field not in columns:
            columns[field] = _default_list(f"n{name},!load", column)
    return dict(zip_forms(columns, name, record_name(name), offsets=counts_to_offsets(_flat(forms, f"n{name}"))))


def _no_rows(forms: dict[str, Form], name: str) -> Form:
    """Form of an optional collection that the tree does not have."""
    columns = {field: _default_list(_counts(0), column) for field, column in OPTIONAL_COLLECTIONS[name].items()}
    offsets = counts_to_offsets(forms["run"] | {"form_key": quote(_counts(0), safe="")})
    return dict(zip_forms(columns, name, record_name(name), offsets=offsets))


class RawTreeSchema(BaseSchema):
    """Raw tree: event scalars, truth where present, nine collections, some perhaps as waveforms, and every optional part.

    Parameters
    ----------
    base_form : dict
        Form of the tree as coffea extracts it: one content per branch.

    Raises
    ------
    InputError
        If a mandatory branch is missing (named, with what is available) or has the wrong shape.
    """

    def __init__(self, base_form: Form, *args: Any, **kwargs: Any) -> None:
        super().__init__(base_form, *args, **kwargs)
        forms: dict[str, Form] = dict(zip(self._form["fields"], self._form["contents"], strict=True))
        problem = missing_branches(forms)
        if problem:
            raise InputError(problem)
        out = {name: _flat(forms, name) for name in scalar_kinds() if name in forms and name not in OPTIONAL_SCALARS}
        for name, column in OPTIONAL_SCALARS.items():
            out[name] = _flat(forms, name) if name in forms else _default(_counts(1), column)
        present = collections_of(forms)
        for name in dict.fromkeys([*(name for name in present if name not in OPTIONAL_COLLECTIONS), *OPTIONAL_COLLECTIONS]):
            out[name] = _collection(forms, name) if name in present else _no_rows(forms, name)
        self._form["fields"], self._form["contents"] = list(out), list(out.values())
        self._form["parameters"]["__record__"] = "RawEvent"

    @classmethod
    def behavior(cls) -> dict[Any, Any]:
        """Behaviours of the collections and of the event."""
        return behavior


class ForeignSchema(BaseSchema):
    """A foreign tree as it is, with the layout that maps it onto the raw tree; see schema_for.

    Parameters
    ----------
    base_form : dict
        Form of the tree as coffea extracts it.
    """

    layout: ClassVar[str] = ""  # as JSON, so that it travels to workers within the form

    def __init__(self, base_form: Form, *args: Any, **kwargs: Any) -> None:
        super().__init__(base_form, *args, **kwargs)
        self._form["parameters"] |= {"__record__": ForeignEvent.__name__, "layout": self.layout}

    @classmethod
    def behavior(cls) -> dict[Any, Any]:
        """Behaviours of the event."""
        return behavior


def schema_for(layout: Layout | None) -> type[BaseSchema]:
    """The schema that coffea's Runner needs to read a tree.

    Parameters
    ----------
    layout : Layout or None
        Mapping of a foreign tree onto the raw tree; None for a raw tree.

    Returns
    -------
    type
        RawTreeSchema, or a schema whose events carry the layout. It travels to workers by value (cloudpickle).
    """
    if layout is None:
        return RawTreeSchema
    return type("LayoutSchema", (ForeignSchema,), {"layout": layout.model_dump_json(exclude_unset=True), "__doc__": ForeignSchema.__doc__})
