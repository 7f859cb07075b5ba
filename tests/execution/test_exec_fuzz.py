"""A few hostile inputs of every kind; benchmarks/fuzz.py tries ten thousand, each kind in a process of its own."""

from __future__ import annotations

import importlib.util
import random
import warnings
from pathlib import Path
from types import ModuleType

import pytest

from na64mu.errors import Na64muError

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "fuzz.py"


@pytest.fixture(scope="module")
def fuzz() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fuzz", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def good(fuzz: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("good")
    if not (SCRIPT.parents[1] / "data" / "sample" / "calibration_1.root").exists():
        pytest.skip("data/sample has no files")
    fuzz.make(folder)
    return folder


KINDS = ["raw.root", "rntuple.root", "summary.root", "summary.parquet", "finished.json", "fileset.json", "cutflow.json", "histograms.json"]
KINDS += ["summary.json", "selection.toml", "calibration.toml", "detector.toml", "layout.toml"]


@pytest.mark.parametrize("kind", KINDS)
def test_hostile_input_reads_the_same_or_is_named(fuzz, good, tmp_path, kind):
    read = fuzz.TARGETS[kind]
    for extra in ("identity.json", "out"):
        (tmp_path / extra).symlink_to(good / extra)
    content = (good / kind).read_bytes()
    (tmp_path / kind).write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = read(tmp_path / kind)
        named = 0
        for i in range(12):
            (tmp_path / kind).write_bytes(fuzz.mutated(random.Random(f"{kind} {i}"), content))
            try:
                assert read(tmp_path / kind) == expected
            except Na64muError:
                named += 1
    assert named > 0


def test_the_kinds_are_those_of_the_benchmark(fuzz):
    assert set(fuzz.TARGETS) == set(KINDS)
