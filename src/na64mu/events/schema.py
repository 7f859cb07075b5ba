"""The coffea schema of the raw tree: groups the branches `<collection>_<field>` into collections.

Works on a TTree with counters and on an RNTuple with the same flat names, interactively and inside coffea's
Runner. A foreign tree has `schema_for(layout)` instead: its events carry the layout, and RawBatch.from_events
reads the same file and entries through it. Offsets are built from the counter `n<collection>`, so touching one field reads its branch and its
counter only. Branches that do not belong to the raw tree are left out.

Lists whose lengths are not those of the counter would shift hits into other events without a word, so the content of
every list is compared with its counter when it is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

import awkward as ak
import numpy as np

from na64mu.errors import InputError
from na64mu.events.behaviors import RECORD_NAMES, behavior
from na64mu.events.coffea_names import BaseSchema, counts_to_offsets, register_form_step, zip_forms
from na64mu.events.foreign_event import ForeignEvent
from na64mu.events.schema_v1 import ALL_COLLECTIONS, SCALARS, TRUTH, collections_of, missing_branches

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


register_form_step("na64mu_counted_content", counted_content)


def _listed(forms: dict[str, Form], name: str, counter: str) -> Form:
    form = forms[name]
    if not form["class"].startswith("ListOffset") or form["content"]["class"] != "NumpyArray":
        msg = f"branch {name!r} does not have one list of numbers per event, as the raw tree has"
        raise InputError(msg)
    steps = quote(f"{name},!load,{counter},!load,{name},!na64mu_counted_content", safe="")
    return form | {"content": form["content"] | {"form_key": steps}}


class RawTreeSchema(BaseSchema):
    """Raw tree, version 1: event scalars, truth where present, and nine collections, some perhaps as waveforms.

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
        out = {name: _flat(forms, name) for name in SCALARS | TRUTH if name in forms}
        for name in collections_of(forms):
            columns = {field: _listed(forms, f"{name}_{field}", f"n{name}") for field in ALL_COLLECTIONS[name]}
            offsets = counts_to_offsets(_flat(forms, f"n{name}"))
            out[name] = zip_forms(columns, name, RECORD_NAMES[name], offsets=offsets)
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
