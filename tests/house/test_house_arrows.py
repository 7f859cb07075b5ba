"""The tree is the chain: folders import only those below them, and no modules import each other in a circle."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "src" / "na64mu"

#: From the ground up. A folder may import those before it, never one behind it.
FLOORS = (
    "common", "compiled", "physics", "detector", "events", "tracking", "reconstruction", "simulation", "data", "selections", "statistics",
    "calibration", "alignment", "results", "inputs", "processors", "analysis", "execution", "report", "paper", "cli",
)  # fmt: skip
#: Single modules that everybody may import.
SINGLES = {"", "errors", "typing"}


def modules() -> dict[str, Path]:
    """Module without `na64mu.` -> its file."""
    found = {}
    for path in ROOT.rglob("*.py"):
        name = path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
        found[name.removesuffix("__init__").rstrip(".")] = path
    return found


def imported(tree: ast.AST, known: dict[str, Path], *, lazily: bool) -> set[str]:
    """Modules of the package that a source imports; only at its top if not lazily, and then not those for annotations."""
    nodes = ast.walk(tree) if lazily else iter(getattr(tree, "body", []))
    found = set()
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "na64mu":
            base = (node.module or "")[len("na64mu.") :]
            found |= {name if (name := f"{base}.{alias.name}".strip(".")) in known else base for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name[len("na64mu.") :] for alias in node.names if alias.name.split(".")[0] == "na64mu"}
    return found


def floor(module: str) -> str:
    return module.split(".", maxsplit=1)[0]


def test_every_folder_has_its_place():
    folders = {path.name for path in ROOT.iterdir() if path.is_dir() and any(path.glob("*.py"))}
    assert folders == set(FLOORS)
    assert {path.stem for path in ROOT.glob("*.py")} == {"__init__", "__main__", *SINGLES - {""}}


@pytest.mark.parametrize("folder", FLOORS)
def test_a_folder_imports_only_those_below_it(folder):
    known = modules()
    below = {*FLOORS[: FLOORS.index(folder) + 1], *SINGLES}
    for module, path in known.items():
        if floor(module) == folder:
            up = {name for name in imported(ast.parse(path.read_text(encoding="utf-8")), known, lazily=True) if floor(name) not in below}
            assert not up, f"{module} imports {sorted(up)}"


def test_no_modules_import_each_other_in_a_circle():
    known = modules()
    ahead = {name: imported(ast.parse(path.read_text(encoding="utf-8")), known, lazily=False) for name, path in known.items()}
    while ahead:
        free = {name for name, needs in ahead.items() if not needs & set(ahead) - {name}}
        assert free, f"in or behind a circle: {sorted(ahead)}"
        ahead = {name: needs - free for name, needs in ahead.items() if name not in free}


def test_an_arrow_up_is_seen():
    known = {"cli.run": Path(), "physics.constants": Path(), "cli": Path()}
    tree = ast.parse("def f():\n    from na64mu.cli import run\n    import na64mu.cli\n")
    assert imported(tree, known, lazily=True) == {"cli.run", "cli"}
    assert imported(tree, known, lazily=False) == set()
