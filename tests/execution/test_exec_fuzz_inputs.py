"""A hundred hostile inputs through whole verbs; benchmarks/fuzz_inputs.py tries ten thousand in processes that are watched."""

from __future__ import annotations

import importlib.util
import json
import logging
import random
import shutil
import warnings
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "fuzz_inputs.py"


@pytest.fixture(scope="module")
def fuzz() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fuzz_inputs", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def good(fuzz: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("good")
    fuzz.make(folder)
    shutil.copy(SCRIPT.parents[1] / "data" / "conditions" / "default.toml", folder / "conditions.toml")
    return folder


KINDS = ["raw TTree, bytes", "raw RNTuple, bytes", "raw tree, values", "summary ROOT, bytes", "summary Parquet, bytes"]
KINDS += ["checkpoint, values", "checkpoint, bytes", "fileset, values", "fileset, bytes", "working point, values", "calibration, values"]
KINDS += [
    "detector, values",
    "conditions, values",
    "layout, values",
    "cutflow.json, values",
    "histograms.json, values",
    "summary.json, values",
]


def test_the_kinds_are_those_of_the_benchmark(fuzz):
    assert set(fuzz.KINDS) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_hostile_input_gives_the_same_or_is_named(fuzz, good, tmp_path, kind):
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            content, expected = fuzz.prepared(kind, good, tmp_path)
            outcomes = [fuzz.one(kind, tmp_path, content, expected, random.Random(f"7 {kind} {i}")) for i in range(6)]
    finally:
        logging.disable(logging.NOTSET)
    assert {outcome for outcome, _ in outcomes} <= {"same", "said", "named error"}, json.dumps(outcomes)
