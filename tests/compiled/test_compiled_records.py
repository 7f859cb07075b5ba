"""Kinds of records."""

from __future__ import annotations

import numpy as np
import pytest

from na64mu.compiled.records import new_record, record_kind, records


def test_fields_are_attributes_in_plain_python():
    kind = record_kind("n x", n="i8")
    rows = records([(1, 0.5), (2, 1.5)], kind)
    assert rows.dtype == kind
    assert [(row.n, row.x) for row in rows] == [(1, 0.5), (2, 1.5)]
    record = new_record(kind)
    record.x = 2.5
    assert (record["n"], record["x"]) == (0, 2.5)


@pytest.mark.parametrize("name", ["mean", "sum", "min", "T", "size", "real"])
def test_a_field_may_not_have_the_name_of_an_attribute_of_numpy(name):
    assert hasattr(np.record, name)
    with pytest.raises(ValueError, match=f"cannot be called {name!r}: numpy's records have an attribute of this name"):
        record_kind(f"x {name}")
