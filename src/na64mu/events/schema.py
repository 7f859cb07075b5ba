"""The coffea schema of the raw tree: groups the branches `<collection>_<field>` into collections.

Works on a TTree with counters and on an RNTuple with the same flat names, interactively and inside coffea's
Runner. Offsets are built from the counter `n<collection>`, so touching one field reads its branch and its
counter only. Branches that do not belong to the raw tree are left out.
"""

from __future__ import annotations

from typing import Any

from coffea.nanoevents import transforms
from coffea.nanoevents.schemas.base import BaseSchema, zip_forms

from na64mu.errors import InputError
from na64mu.events.behaviors import RECORD_NAMES, behavior
from na64mu.events.form import COLLECTIONS, SCALARS, TRUTH, missing_branches

__all__ = ("RawTreeSchema",)

Form = dict[str, Any]


def _flat(forms: dict[str, Form], name: str) -> Form:
    if forms[name]["class"] != "NumpyArray":
        msg = f"branch {name!r} has lists where the raw tree has one number per event"
        raise InputError(msg)
    return forms[name]


def _listed(forms: dict[str, Form], name: str) -> Form:
    form = forms[name]
    if not form["class"].startswith("ListOffset") or form["content"]["class"] != "NumpyArray":
        msg = f"branch {name!r} does not have one list of numbers per event, as the raw tree has"
        raise InputError(msg)
    return form


class RawTreeSchema(BaseSchema):
    """Raw tree, version 1: event scalars, truth where present, and nine collections.

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
        for name, fields in COLLECTIONS.items():
            columns = {field: _listed(forms, f"{name}_{field}") for field in fields}
            offsets = transforms.counts2offsets_form(_flat(forms, f"n{name}"))
            out[name] = zip_forms(columns, name, RECORD_NAMES[name], offsets=offsets)
        self._form["fields"], self._form["contents"] = list(out), list(out.values())
        self._form["parameters"]["__record__"] = "RawEvent"

    @classmethod
    def behavior(cls) -> dict[Any, Any]:
        """Behaviours of the collections and of the event."""
        return behavior
