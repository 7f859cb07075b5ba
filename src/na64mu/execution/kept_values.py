"""What a processor of the user's own returned, as plain JSON and back: for the chunks that a run keeps. Nothing is pickled.

Every value is written with its kind, so that it comes back as the same type with the same bits: numbers, text, arrays, histograms, lists,
tuples, sets, dictionaries with any of these as keys, and Counters.
"""

from __future__ import annotations

import base64
from collections import Counter
from typing import Any

import numpy as np

from na64mu.errors import CheckpointError

__all__ = ("decoded_value", "encoded_value")

PLAIN = (bool, int, float, str, type(None))
SEQUENCES: dict[str, type[Any]] = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}
MAPPINGS: dict[str, type[Any]] = {"dict": dict, "Counter": Counter}


def encoded_value(value: Any) -> Any:
    """A value as plain lists and UHI histograms.

    Parameters
    ----------
    value : Any
        What a processor returned.

    Returns
    -------
    list
        The kind and the content, ready for JSON with `uhi.io.json.default`.

    Raises
    ------
    CheckpointError
        If it, or something in it, is of another kind.
    """
    import hist

    kind = type(value)
    if kind in PLAIN:
        return ["plain", value]
    if kind is hist.Hist:
        return ["hist", value, _text_of(value.view(flow=True))]
    if isinstance(value, np.ndarray | np.generic) and not value.dtype.hasobject and not value.dtype.names:
        array = np.asarray(value)
        return ["array" if isinstance(value, np.ndarray) else "scalar", array.dtype.str, list(array.shape), _text_of(array)]
    for name, known in SEQUENCES.items():
        if kind is known:
            return [name, [encoded_value(each) for each in value]]
    for name, known in MAPPINGS.items():
        if kind is known:
            return [name, [[encoded_value(key), encoded_value(each)] for key, each in value.items()]]
    msg = (
        f"what the processor returned has a {kind.__name__} in it, which cannot be kept for --resume: return numbers, arrays, hist.Hist, "
        "lists, sets and dict of these, or run without an output folder"
    )
    raise CheckpointError(msg)


def decoded_value(content: Any) -> Any:
    """The inverse of `encoded_value`.

    Parameters
    ----------
    content : list
        From JSON with `uhi.io.json.object_hook`.

    Returns
    -------
    Any
        The value.
    """
    import hist

    kind, *rest = content
    if kind == "plain":
        return rest[0]
    if kind == "hist":
        histogram = hist.Hist(rest[0])  # its contents may be rounded: means are kept as variances
        cells = np.asarray(histogram.view(flow=True))
        cells[...] = np.frombuffer(base64.b64decode(rest[1]), dtype=cells.dtype).reshape(cells.shape)
        return histogram
    if kind in ("array", "scalar"):
        dtype, shape, text = rest
        array = np.frombuffer(base64.b64decode(text), dtype=np.dtype(dtype)).reshape(shape).copy()
        return array if kind == "array" else array[()]
    if kind in SEQUENCES:
        return SEQUENCES[kind](decoded_value(each) for each in rest[0])
    return MAPPINGS[kind]({decoded_value(key): decoded_value(each) for key, each in rest[0]})


def _text_of(array: Any) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")
