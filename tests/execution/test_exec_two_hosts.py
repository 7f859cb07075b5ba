"""One of two hosts is cut off in the middle of a run; benchmarks/two_hosts.py is the same with more chunks."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from na64mu.execution import run_search

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "two_hosts.py"


@pytest.fixture(scope="module")
def two_hosts() -> ModuleType:
    pytest.importorskip("distributed")
    spec = importlib.util.spec_from_file_location("two_hosts", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if module.refusal():
        pytest.skip(module.refusal())
    if not module.SAMPLE.exists():
        pytest.skip("data/sample has no files")
    return module


@pytest.mark.slow
def test_a_host_that_falls_silent_costs_time_and_nothing_else(two_hosts, tmp_path):
    files = two_hosts.make(tmp_path, 6)
    run_search(files, progress=False).write(tmp_path / "alone")
    found = two_hosts.cut_off(tmp_path, files)
    assert found["exit"] == 0, found["text"]
    assert 0 < found["finished"] < len(files)  # it was cut off in the middle
    assert two_hosts.compared(tmp_path / "alone", found["out"]) == (5, [])
