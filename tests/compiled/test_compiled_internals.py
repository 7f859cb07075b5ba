"""What is missing in numba, or new, is one sentence."""

from __future__ import annotations

import numba
import pytest

from na64mu.compiled import internals
from na64mu.compiled.internals import TRIED, check, untried
from na64mu.errors import CompilerError


def test_a_tried_version_is_not_mentioned():
    assert all(untried(f"{version}.1") is None for version in TRIED)


def test_another_version_is_one_sentence():
    said = untried("9.9.0rc1")
    assert said is not None
    assert said.startswith("numba 9.9.0rc1 was not tried with this version of na64mu (tried: ")


@pytest.mark.parametrize("part", ["_nrt", "forceinline"])
def test_a_missing_option_is_one_sentence(part):
    options = type("Options", (), {name: None for name in ("_nrt", "forceinline") if name != part})
    with pytest.raises(CompilerError, match=rf"numba {numba.__version__} has no {part}, which kernels need: install a version"):
        check(options=options)


def test_a_missing_method_is_one_sentence():
    with pytest.raises(CompilerError, match="has no _reduce"):
        check(result=object)


def test_this_numba_has_all(monkeypatch):
    check()
    assert internals.config is numba.core.config
