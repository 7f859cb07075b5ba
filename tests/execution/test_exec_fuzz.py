"""A few hostile inputs of every kind; benchmarks/fuzz.py tries ten thousand in processes that are watched."""

from __future__ import annotations

import importlib
import json
import logging
import random
import sys
import warnings
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
#: Kinds that cost more than a few hundredths of a second for one input.
SLOW = ("raw ", "checkpoint", "detector", "conditions", "alignment", ", drawn")
sys.path.insert(0, str(BENCHMARKS))
KINDS = importlib.import_module("fuzz_kinds").KINDS
sys.path.remove(str(BENCHMARKS))


@pytest.fixture(scope="module")
def fuzz() -> ModuleType:
    sys.path.insert(0, str(BENCHMARKS))
    try:
        return importlib.import_module("fuzz")
    finally:
        sys.path.remove(str(BENCHMARKS))


@pytest.fixture(scope="module")
def good(fuzz: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("good")
    if not (BENCHMARKS.parent / "data" / "sample" / "calibration_1.root").exists():
        pytest.skip("data/sample has no files")
    fuzz.make(folder)
    return folder


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[pytest.mark.slow] if any(word in kind for word in SLOW) else []) for kind in KINDS]
)
def test_hostile_input_gives_the_same_or_is_named(fuzz, good, tmp_path, kind):
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            content, expected = fuzz.prepared(kind, good, tmp_path)
            outcomes = [fuzz.one(kind, tmp_path, content, expected, random.Random(f"7 {kind} {i}")) for i in range(8)]
    finally:
        logging.disable(logging.NOTSET)
    assert {outcome for outcome, _, _ in outcomes} <= {"same", "said", "named error"}, json.dumps(outcomes)


def test_inputs_that_were_tried_are_not_tried_again(fuzz, tmp_path):
    state = tmp_path / "state.jsonl"
    state.write_text('["a kind", 1, 0, "same", "", 0.1, 2.0]\n["a kind", 2, 1, "HANG", "", 0.1, 2.0]\n')
    found = fuzz.tried_before(state, 2)
    assert list(found["a kind"]) == [1]
    assert found["a kind"][1].is_failure
    assert not fuzz.tried_before(state, 1)["a kind"][0].is_failure
