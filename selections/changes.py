"""What a working point with a base changes: cuts, spectra, regions and histograms are added, replaced, left out, and put in another order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from na64mu.errors import SelectionError
from na64mu.selections.histograms import HISTOGRAMS
from na64mu.selections.regions import REGIONS
from na64mu.selections.registry import CUTS

__all__ = ("changed_content", "with_registered")

#: Lists of tables beside the cuts, and the key that names a table of each.
NAMED = {"spectra": "column", "regions": "name", "histograms": "name"}
#: Registered tables that are added to every working point.
REGISTERED: dict[str, Mapping[str, Any]] = {"regions": REGIONS, "histograms": HISTOGRAMS}


def with_registered(content: dict[str, Any]) -> dict[str, Any]:
    """The content of a working point without a base, with the histograms and regions that were registered, behind its own."""
    added = {}
    for key, registered in REGISTERED.items():
        tables = content.get(key, [])
        given = [table.get("name") for table in tables if isinstance(table, dict)] if isinstance(tables, list) else []
        new = [each.model_dump() for name, each in registered.items() if name not in given]
        if new and isinstance(tables, list):
            added[key] = [*tables, *new]
    return content | added


def changed_content(inherited: dict[str, Any], own: dict[str, Any], where: str, base: str) -> dict[str, Any]:
    """The content of a working point with the changes of another one.

    Parameters
    ----------
    inherited : dict
        Content of the base.
    own : dict
        Keys that replace those of the base; of lists of tables, tables that are added or replace those of the same name; `drop` and `order`.
    where : str
        File, or name of the working point, for messages.
    base : str
        Name of the base, for messages.

    Returns
    -------
    dict
        Everything.

    Raises
    ------
    SelectionError
        If a change names what the base does not have.
    """
    content = dict(own)
    dropped = _dropped(content.pop("drop", []), where)
    order = content.pop("order", None)
    cuts = _without(list(inherited["cuts"]), "cuts", dropped.get("cuts", []), where, base)
    for table in _tables(content, "cuts", where):
        cuts = _with_cut(cuts, table, where, base)
    if order is not None:
        cuts = _ordered(cuts, order, where)
    lists = {}
    for key, name in NAMED.items():
        left = _without(list(inherited.get(key, ())), key, dropped.get(key, []), where, base)
        tables = {table.get(name): table for table in (*left, *_tables(content, key, where))}
        lists[key] = list(tables.values())
    kept = {key: value for key, value in inherited.items() if key != "blind_at"}  # follows from the cuts that come out
    return kept | content | {"cuts": cuts} | lists


def _tables(content: dict[str, Any], key: str, where: str) -> list[dict[str, Any]]:
    """The tables `[[key]]` of a file, taken out of its content; a cut may be given by its name alone, a model as it is."""
    found = content.pop(key, [])
    tables: list[Any] = list(found) if isinstance(found, list | tuple) else [None]
    if key == "cuts":
        tables = [{"name": table} if isinstance(table, str) else table for table in tables]
    tables = [table.model_dump() if hasattr(table, "model_dump") else table for table in tables]
    if not all(isinstance(table, dict) for table in tables):
        msg = f"{where}: {key}: tables [[{key}]] are wanted, found {found!r}"
        raise SelectionError(msg)
    return tables


def _dropped(dropped: Any, where: str) -> dict[str, list[Any]]:
    """What is left out: list -> names. A list alone names cuts."""
    lists = dropped if isinstance(dropped, dict) else {"cuts": dropped}
    wrong = [key for key in lists if key not in ("cuts", *NAMED)]
    if wrong:
        msg = f"{where}: drop: {wrong[0]!r} is none of {', '.join(('cuts', *NAMED))}"
        raise SelectionError(msg)
    for names in lists.values():
        if not isinstance(names, list | tuple):
            msg = f'{where}: drop: a list of cuts is wanted, as in drop = ["single_tracks"], or a table [drop] with such lists, found {names!r}'
            raise SelectionError(msg)
    return {key: list(names) for key, names in lists.items()}


def _named(name: Any, names: list[Any], where: str, key: str, base: str, advice: str = "") -> int:
    """Position of a cut (or another table); an error if there is none of this name."""
    if name not in names:
        what = "cut" if key.startswith(("cuts", "drop")) else "table"
        msg = f"{where}: {key}: {name!r} is not a {what} of the base {base!r}, which has {names}{advice}"
        raise SelectionError(msg)
    return names.index(name)


def _without(tables: list[dict[str, Any]], key: str, dropped: list[Any], where: str, base: str) -> list[dict[str, Any]]:
    """The tables of the base without those that `drop` names."""
    names = [table.get(NAMED.get(key, "name")) for table in tables]
    gone = {_named(name, names, where, "drop" if key == "cuts" else f"{key}: drop", base) for name in dropped}
    return [table for i, table in enumerate(tables) if i not in gone]


def _with_cut(cuts: list[dict[str, Any]], own: dict[str, Any], where: str, base: str) -> list[dict[str, Any]]:
    """The cuts with one more (`after`, of the table or of the registration, says behind which), or with one replaced in its place."""
    new = {key: value for key, value in own.items() if key != "after"}
    name, names = new.get("name"), [cut.get("name") for cut in cuts]
    registered = CUTS[name].after if isinstance(name, str) and name in CUTS else ""
    after = own.get("after", "" if name in names else registered)
    if not after:
        i = _named(name, names, where, "cuts", base, advice='; after = "NAME" adds it behind a cut')
        return [*cuts[:i], new, *cuts[i + 1 :]]
    if name in names:
        msg = f"{where}: cuts: {name!r} is a cut of the base {base!r} already: leave out `after` to replace it in its place"
        raise SelectionError(msg)
    i = _named(after, names, where, f"cuts: {name}: after", base)
    return [*cuts[: i + 1], new, *cuts[i + 1 :]]


def _ordered(cuts: list[dict[str, Any]], order: Any, where: str) -> list[dict[str, Any]]:
    """The cuts in another order."""
    names = [cut.get("name") for cut in cuts]
    if not isinstance(order, list | tuple) or sorted(map(str, order)) != sorted(map(str, names)):
        msg = f"{where}: order: all cuts in their order are wanted, each once: {names}; found {order!r}"
        raise SelectionError(msg)
    return [cuts[names.index(name)] for name in order]
