"""The inner names of coffea: one module has them, and says what it knows of a release."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

from na64mu.errors import Na64muError
from na64mu.events import coffea_names

#: What coffea documents, by module.
DOCUMENTED = {"coffea.processor": {"DaskExecutor", "FuturesExecutor", "IterativeExecutor", "ProcessorABC", "Runner"}}


def test_nothing_else_imports_inner_names_of_coffea():
    root = Path(coffea_names.__file__).parents[1]
    for path in root.rglob("*.py"):
        if path.name == "coffea_names.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "coffea":
                assert {a.name for a in node.names} <= DOCUMENTED.get(str(node.module), set()), f"{path}:{node.lineno}"
            if isinstance(node, ast.Import):
                assert not any(a.name.startswith("coffea") for a in node.names), f"{path}:{node.lineno}"


@pytest.mark.parametrize(
    ("version", "known"), [("2026.5.0", True), ("2026.9.1", True), ("2026.10.0", False), ("2025.12.0", False), ("dev", False)]
)
def test_a_release_that_was_not_tried_is_named(version, known):
    said = coffea_names.unknown_release(version)
    assert (said is None) == known
    assert known or said == f"coffea {version} was not tried with this release of na64mu: 2026.5 to 2026.9 are known to work"


def test_the_pinned_release_was_tried():
    pins = (Path(__file__).parents[2] / "constraints.txt").read_text(encoding="utf-8")
    (pinned,) = re.findall(r"^coffea==(\S+)$", pins, flags=re.MULTILINE)
    assert coffea_names.unknown_release(pinned) is None


@pytest.mark.parametrize(
    ("module", "call"),
    [("coffea.processor.executor", lambda: coffea_names.file_meta("d", "p", "t")), ("coffea.util", coffea_names.console)],
)
def test_a_release_without_a_name_is_met_with_a_sentence(monkeypatch, module, call):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(
        Na64muError, match=r"coffea \S+ lacks a name that na64mu needs \(.*\): install one that was tried, 2026\.5 to 2026\.9"
    ):
        call()
