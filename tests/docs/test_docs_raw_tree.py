"""The page of the raw tree says what the schema declares."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from na64mu.events.schema_v1 import (
    ALL_COLLECTIONS,
    COLLECTIONS,
    OPTIONAL_COLLECTIONS,
    OPTIONAL_COLUMNS,
    OPTIONAL_SCALARS,
    RUNS,
    SCALARS,
    VERSION,
)
from na64mu.events.version import COLUMNS

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "raw-tree.md").read_text(encoding="utf-8")


def test_every_optional_column_is_listed_with_type_unit_and_meaning():
    rows = re.findall(r"\| `(\w+)` \| (\w+) \| (.*?)\| (.*?) \| (.*?) \|$", PAGE, flags=re.MULTILINE)
    listed = {name: (kind, unit.strip(), meaning) for name, kind, unit, meaning, _ in rows}
    declared = dict(OPTIONAL_SCALARS)
    for name, fields in (*OPTIONAL_COLLECTIONS.items(), *OPTIONAL_COLUMNS.items()):
        declared |= {f"{name}_{field}": column for field, column in fields.items()}
    assert listed == {name: (column.dtype.name, column.unit, column.meaning) for name, column in declared.items()}


@pytest.mark.parametrize("name", COLLECTIONS)
def test_the_fields_of_a_collection_are_listed(name):
    (row,) = re.findall(rf"^\| `{name}` \| (.*) \|$", PAGE, flags=re.MULTILINE)
    assert re.findall(r"\w+", re.sub(r"\(.*?\)|\[.*?\]|:.*", "", row)) == list(ALL_COLLECTIONS[name])


def test_scalars_bookkeeping_and_version_are_named():
    assert all(f"`{name}`" in PAGE for name in [*SCALARS, *(name for name in RUNS if name not in SCALARS), *COLUMNS])
    assert f"na64mu writes version {VERSION}." in PAGE
