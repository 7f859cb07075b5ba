"""A linker knows code by its name: functions that two processes compile never have the same one."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import subprocess
import sys

import pytest

from na64mu.compiled import kernel
from na64mu.compiled.internals import FunctionIdentity
from na64mu.compiled.symbols import number_anew

#: Kernels that call methods of one type many times, so that these are not written out; compiled with numbers that begin at the same one.
CODE = """
import itertools, sys
from na64mu.compiled.internals import FunctionIdentity
from na64mu.compiled.kernel import kernel
from na64mu.simulation.stream import Stream

@kernel
def normal(stream):
    x = 0.0
{normal}
    return x

@kernel
def exponential(stream):
    x = 0.0
{exponential}
    return x

if len(sys.argv) > 1:
    Stream(1)  # compiles or loads what a stream needs
    FunctionIdentity._unique_ids = itertools.count(10**7)
    for name in sys.argv[1:]:
        found, expected = globals()[name](Stream(1)), globals()[name].py_func(Stream(1))
        print(name, abs(found - expected) < 1e-9, sum(globals()[name].stats.cache_hits.values()))
"""


def a_number() -> int:
    return next(FunctionIdentity._unique_ids)


@pytest.fixture
def drawing(tmp_path, monkeypatch):
    """Run the module with some of its kernels, in a process of its own."""
    lines = {name: "\n".join(f"    x += {i}.5 * stream.standard_{name}()" for i in range(40)) for name in ("normal", "exponential")}
    (tmp_path / "drawing.py").write_text(CODE.format(**lines))
    (tmp_path / "cache").mkdir(mode=0o700)
    environment = os.environ | {"NA64MU_CACHE": str(tmp_path / "cache")}

    def run(*names):
        done = subprocess.run(
            [sys.executable, "drawing.py", *names], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return run


def test_a_kept_kernel_calls_its_own_methods_whatever_else_the_process_has_compiled(drawing):
    assert drawing("normal") == ["normal True 0"]
    assert drawing("exponential", "normal") == ["exponential True 0", "normal True 1"]


def test_a_process_begins_where_no_other_does(monkeypatch):
    monkeypatch.setattr(FunctionIdentity, "_unique_ids", itertools.count(5))
    starts = set()
    for _ in range(50):
        number_anew()
        starts.add(a_number())
    assert len(starts) == 50
    assert max(starts) > 2**50


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_forks_go_on_at_numbers_of_their_own():
    assert kernel.number_anew is number_anew
    with multiprocessing.get_context("fork").Pool(2) as pool:
        numbers = {*pool.map(_number, range(2), chunksize=1), a_number()}
    assert len({n >> 20 for n in numbers}) >= 2
    assert a_number() not in numbers


def _number(_: int) -> int:
    return a_number()
