"""What a processor of one's own returned comes back from JSON with the same type and the same bits."""

from __future__ import annotations

import json
from collections import Counter, OrderedDict
from typing import Any

import hist
import numpy as np
import pytest
import uhi.io.json

from na64mu.errors import CheckpointError
from na64mu.execution.kept_values import decoded_value, encoded_value


def there_and_back(value: Any) -> Any:
    text = json.dumps(encoded_value(value), default=uhi.io.json.default)
    return decoded_value(json.loads(text, object_hook=uhi.io.json.object_hook))


@pytest.mark.parametrize(
    "value",
    [0.1, 5, True, None, "text", (1, "a"), [1, [2.5]], {1, 2}, frozenset({"x"}), {("a", 1): {2: 3}}, Counter({"a": 2}), np.float32(0.1)],
    ids=repr,
)
def test_plain_values(value):
    again = there_and_back(value)
    assert again == value
    assert type(again) is type(value)


@pytest.mark.parametrize("kind", ["f8", "f4", "u8", "i1", "?", "c16", "U3", ">f4"])
def test_arrays_have_the_same_bits(kind):
    array = np.array([[0, 1, 2], [3, 4, 5]]).astype(kind)[:, ::2]
    again = there_and_back(array)
    assert again.dtype == array.dtype
    np.testing.assert_array_equal(again, array)
    again += again  # it can be added to
    assert there_and_back(np.array([np.nan, np.inf]))[1] == np.inf


@pytest.mark.parametrize("storage", [hist.storage.Double, hist.storage.Int64, hist.storage.Weight, hist.storage.Mean])
def test_histograms(storage):
    h = hist.Hist(
        hist.axis.StrCategory(["a"], growth=True, name="s"), hist.axis.Regular(5, 0, 1, name="x", label="x [m]"), storage=storage()
    )
    sample = {"sample": [0.1, 0.3]} if storage is hist.storage.Mean else {}
    h.fill("a", [0.1, 2.0], **sample)
    again = there_and_back({"h": h})["h"]
    assert again == h
    assert again.axes[1].label == "x [m]"
    assert again + h == h + h


@pytest.mark.parametrize("value", [object(), OrderedDict(a=1), np.array([object()]), {"a": [1j]}, b"x"])
def test_what_cannot_be_kept_is_said(value):
    with pytest.raises(CheckpointError, match=r"has a \w+ in it, which cannot be kept for --resume: return numbers, arrays, hist.Hist"):
        encoded_value(value)
