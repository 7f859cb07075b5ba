"""Every parameter of a public function whose value is one of a few: enumerations and Literals, found in the source."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import NamedTuple

import na64mu

ROOT = Path(na64mu.__file__).parent
ENUMERATIONS = {"Enum", "IntEnum", "StrEnum"}
#: The command line has its own choices; common/arguments.py is what converts.
LEFT_OUT = {"cli", "common/arguments.py"}


class Choice(NamedTuple):
    """A parameter: module, function or class, and its name."""

    module: str
    function: str
    parameter: str


def _sources() -> dict[str, ast.Module]:
    paths = [p for p in sorted(ROOT.rglob("*.py")) if p.relative_to(ROOT).parts[0] not in LEFT_OUT]
    paths += [p for name in ("processors", "selections") for p in sorted((ROOT / name).glob("*.py")) if p not in paths]
    return {"na64mu." + ".".join(p.relative_to(ROOT).with_suffix("").parts): ast.parse(p.read_text(encoding="utf-8")) for p in paths}


def _is_literal(node: ast.expr) -> bool:
    return isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == "Literal"


def _defined(tree: ast.Module) -> set[str]:
    """Names of the enumerations of a module, and of its types that are a Literal."""
    found = set()
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and any(isinstance(b, ast.Name) and b.id in ENUMERATIONS for b in node.bases):
            found.add(node.name)
        if isinstance(node, ast.Assign) and _is_literal(node.value):
            found |= {t.id for t in node.targets if isinstance(t, ast.Name)}
    return found


def _names(tree: ast.Module, defined: dict[str, set[str]]) -> set[str]:
    """Names of enumerations and Literals that a module defines or imports, from where they are or through another module."""
    everywhere = set().union(*defined.values())
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    taken = {
        alias.asname or alias.name
        for node in imports
        for alias in node.names
        if alias.name
        in (defined[node.module] if defined.get(str(node.module)) else everywhere if str(node.module) not in defined else set())
    }
    return {"Literal"} | _defined(tree) | taken


def _uses(annotation: ast.expr | None, names: set[str]) -> bool:
    return annotation is not None and any(isinstance(n, ast.Name) and n.id in names for n in ast.walk(annotation))


def _of_function(node: ast.FunctionDef, names: set[str]) -> list[str]:
    a = node.args
    return [p.arg for p in (*a.posonlyargs, *a.args, *a.kwonlyargs) if _uses(p.annotation, names)]


def _plain_record(node: ast.ClassDef) -> bool:
    """Whether the class checks nothing by itself (as a pydantic model does)."""
    is_tuple = any(isinstance(b, ast.Name) and b.id == "NamedTuple" for b in node.bases)
    return is_tuple or any("dataclass" in ast.unparse(d) for d in node.decorator_list)


def public_choices() -> list[Choice]:
    """All of them, in order of module and place."""
    sources = _sources()
    defined = {module: _defined(tree) for module, tree in sources.items()}
    found = []
    for module, tree in sources.items():
        names = _names(tree, defined)
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                found += [Choice(module, node.name, p) for p in _of_function(node, names)]
            if not isinstance(node, ast.ClassDef) or node.name.startswith("_"):
                continue
            if _plain_record(node):
                found += [
                    Choice(module, node.name, s.target.id)
                    for s in node.body
                    if isinstance(s, ast.AnnAssign) and isinstance(s.target, ast.Name) and _uses(s.annotation, names)
                ]
            for method in node.body:
                if isinstance(method, ast.FunctionDef) and (method.name == "__init__" or not method.name.startswith("_")):
                    own = node.name if method.name == "__init__" else f"{node.name}.{method.name}"
                    found += [Choice(module, own, p) for p in _of_function(method, names)]
    return found
