"""Nothing that is read from a user's or a cluster's file is unpickled or evaluated."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

#: Modules and functions that run what they read.
MODULES = {"pickle", "cloudpickle", "dill", "marshal", "shelve", "joblib"}
CALLS = {"eval", "exec", "compile"}
#: Loads compiled kernels, which are code: only from a folder and files that nobody but the user and root can change.
TRUSTED = {"src/na64mu/compiled/cache.py": ["import pickle"]}
#: The one exception: what a user's own file brings goes from the driver to its workers, in memory, as coffea and dask send functions. No file
#: is read.
IN_MEMORY = {"src/na64mu/execution/carried.py": ["import cloudpickle"]}
#: Says that the module of the user's file travels by value, and does nothing else with it.
BY_VALUE = {"selections/user.py": ["import cloudpickle"]}


def findings(text: str) -> list[str]:
    """What a source file does that could run a file's content."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found += [f"import {a.name}" for a in node.names if a.name.split(".")[0] in MODULES]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in MODULES:
            found.append(f"from {node.module}")
        elif isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else ""
            if name in CALLS:
                found.append(f"{name}() in line {node.lineno}")
            if any(k.arg == "allow_pickle" and getattr(k.value, "value", True) is not False for k in node.keywords):
                found.append(f"allow_pickle in line {node.lineno}")
            if isinstance(node.func, ast.Attribute) and node.func.attr in ("literal_eval", "read_pickle", "unsafe_load", "full_load"):
                found.append(f"{node.func.attr} in line {node.lineno}")
    return found


@pytest.mark.parametrize("folder", ["src/na64mu", "processors", "selections"])
def test_no_source_unpickles_or_evaluates(repository: Path, folder: str):
    paths = [path for path in (repository / folder).rglob("*.py") if not path.is_symlink()]
    assert paths
    found = {str(path.relative_to(repository)): found for path in paths if (found := findings(path.read_text(encoding="utf-8")))}
    assert found == {path: what for path, what in {**TRUSTED, **IN_MEMORY, **BY_VALUE}.items() if path.startswith(folder)}


@pytest.mark.parametrize("path", IN_MEMORY)
def test_what_unpickles_in_memory_reads_no_file(repository: Path, path: str):
    tree = ast.parse((repository / path).read_text(encoding="utf-8"))
    used = {
        node.attr if isinstance(node, ast.Attribute) else node.id for node in ast.walk(tree) if isinstance(node, ast.Attribute | ast.Name)
    }
    assert not used & {"open", "read", "read_bytes", "read_text", "load"}


@pytest.mark.parametrize(
    "text", ["import pickle", "from dill import loads", "eval(x)", "np.load(p, allow_pickle=True)", "ast.literal_eval(x)"]
)
def test_the_search_finds_what_it_looks_for(text: str):
    assert findings(text)
    assert not findings("np.load(p, allow_pickle=False)")


@pytest.mark.parametrize("path", BY_VALUE)
def test_what_names_a_module_for_travel_unpickles_nothing(repository: Path, path: str):
    tree = ast.parse((repository / path).read_text(encoding="utf-8"))
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "cloudpickle"}
    assert used == {"register_pickle_by_value"}
