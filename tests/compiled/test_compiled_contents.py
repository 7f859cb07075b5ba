"""What a kernel is made of: code, callees and constants, whatever the files say."""

from __future__ import annotations

import enum
import math
from types import SimpleNamespace
from typing import NamedTuple

import numba
import numpy as np
import pytest
from numba import typeof

from na64mu.compiled.contents import contents, modules_of
from na64mu.compiled.kernel import formula, kernel
from na64mu.physics import constants
from na64mu.simulation.stream import Stream

K = 2.0


class Colour(enum.Enum):
    RED = 1


class Row(NamedTuple):
    x: float
    rng: Stream


@formula
def _double(x):
    return K * x


@kernel
def _caller(x):
    return _double(x) + constants.ALPHA + math.pi


@kernel
def _recursive(n):
    return 1 if n == 0 else n * _recursive(n - 1)


def _digest(value):
    namespace = {"VALUE": value, "__name__": __name__}
    return contents(_with_globals(namespace)).digest


def _with_globals(namespace):
    return type(_reads)(_reads.__code__, namespace, "_reads")


def _reads():
    return VALUE  # noqa: F821


def test_functions_are_found_through_calls():
    assert [f.__name__ for f in contents(_caller.py_func).functions] == ["_caller", "_double"]
    assert [f.__name__ for f in contents(_recursive.py_func).functions] == ["_recursive"]


def test_a_constant_of_a_callee_or_of_another_module_is_seen(monkeypatch):
    before = contents(_caller.py_func).digest
    assert contents(_caller.py_func).digest == before
    monkeypatch.setitem(globals(), "K", 3.0)
    changed = contents(_caller.py_func).digest
    monkeypatch.undo()
    monkeypatch.setattr(constants, "ALPHA", 0.1)
    assert len({before, changed, contents(_caller.py_func).digest}) == 3


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 2), (1, 1.0), (1, True), (1.0, np.float32(1.0)), (np.uint64(1), np.int64(1)), ("a", "b"), (None, 0), ((1, 2), (2, 1)),
        ((1,), [1]), ({1}, {2}), (np.zeros(2), np.zeros(3)), (np.zeros(2), np.zeros(2, np.float32)), (np.zeros(2), np.ones(2)),
        (np.zeros((2, 1)), np.zeros((1, 2))), (Colour.RED, 1), (Row, NamedTuple), (Row, Stream), (numba.njit(_reads), numba.njit(error_model="numpy")(_reads)),
    ],
)  # fmt: skip
def test_values_that_differ_differ(one, other):
    assert _digest(one) == _digest(one)
    assert _digest(one) != _digest(other)


def test_equal_arrays_and_sets_are_equal():
    assert _digest(np.arange(3)) == _digest(np.arange(3))
    assert _digest(frozenset("abcdefgh")) == _digest(frozenset("hgfedcba"))
    assert _digest(SimpleNamespace(a=1)) == _digest(SimpleNamespace(a=2)), "no address enters"


def test_a_function_that_closes_over_a_value():
    def made(k):
        return lambda x: k * x

    assert contents(made(1.0)).digest == contents(made(1.0)).digest != contents(made(2.0)).digest


def test_the_modules_of_arguments_are_found():
    """A kernel that takes a stream of random numbers need not import the module of its methods."""
    assert "na64mu.simulation.stream" in modules_of(typeof(Stream(1)))
    assert modules_of(typeof(Row(1.0, Stream(1)))) == {__name__, "na64mu.simulation.stream"} | modules_of(typeof(Stream(1)))
    assert modules_of(typeof(np.zeros(3))) == frozenset()
