"""A reference reads as the named tuple that it stands for."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from numba import njit
from numba.core.errors import TypingError

from na64mu.compiled.reference import by_reference
from na64mu.typing import FloatArray


class Inner(NamedTuple):
    """Arrays and a number."""

    x: FloatArray
    k: float


class Pair(NamedTuple):
    """Fields of one type: to numba another kind of tuple."""

    u: float
    v: float


class Outer(NamedTuple):
    """Everything that a set-up has."""

    inner: Inner
    y: FloatArray
    n: int
    pair: Pair


def outer() -> Outer:
    return Outer(Inner(np.array([1.0, 2.0, 3.0]), 2.0), np.array([5.0, 7.0]), 3, Pair(0.5, 0.25))


@njit
def _value(a: Outer) -> float:
    return a.inner.x[1] * a.inner.k + a.y[0] * a.n + a.pair.u - a.pair.v


@njit
def _value_by_reference(a: Outer) -> float:
    return _value(by_reference(a))


@njit
def _fill(r: Outer) -> None:
    for i in range(len(r.inner.x)):
        r.inner.x[i] = r.n + i


@njit
def _fill_by_reference(a: Outer) -> None:
    for _ in range(2):  # a reference taken in a loop is to what the tuple holds then
        _fill(by_reference(a))


@njit
def _unknown(a: Outer) -> float:
    return by_reference(a).nothing


@njit
def _of_a_number(a: float) -> float:
    return by_reference(a)


def test_attributes_are_those_of_the_tuple() -> None:
    assert _value(outer()) == _value_by_reference(outer()) == 19.25


def test_arrays_are_changed_in_place() -> None:
    a = outer()
    _fill_by_reference(a)
    assert list(a.inner.x) == [3.0, 4.0, 5.0]


def test_an_unknown_attribute_is_an_error() -> None:
    with pytest.raises(TypingError, match="nothing"):
        _unknown(outer())


def test_only_named_tuples_have_references() -> None:
    with pytest.raises(TypingError):
        _of_a_number(1.0)
