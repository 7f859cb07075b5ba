"""The source files that a function of the package can reach: its own code, all its imports, and the data that these modules read.

Imports are found in the text of the files, without running anything. Of the module of the function itself only what the function can reach
counts: its imports at the top, and those of the functions and classes that it names. Of a package (`__init__.py`) counts what binds the
names that are imported from it (of a name that it assigns, such as a registry, all names that the assignment uses too), and its modules
that register themselves with one of its own `register_...` when they are imported, by name or with all of the folder (`import_modules`);
of all other modules everything. Files of data are found by the folder that a module names, as in
`... / "data" / "detector"`, and beside it (working points).
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import na64mu

__all__ = ("closure_contents", "closure_hash", "code_closure")

PACKAGE = "na64mu"
ROOT = Path(na64mu.__file__).resolve().parent

#: Files of data that a module reads.
DATA = (".toml", ".csv", ".json")
_DATA_FOLDER = re.compile(r"""["']data["']\s*/\s*["'](\w+)["']|["']na64mu\.data["']\)\s*(?:/|\.joinpath\()\s*["'](\w+)["']""")


def code_closure(function: Callable[..., Any], root: Path = ROOT) -> tuple[Path, ...]:
    """Files that decide what a function does.

    Parameters
    ----------
    function : callable
        A function of a module of the package, or of one that imports it.
    root : Path
        Folder of the package.

    Returns
    -------
    tuple of Path
        Sorted: the module of the function, modules of the package that can be reached from it, and files of data of these.
    """
    own = _own_file(function, root)
    found: dict[Path, None] = {own: None}
    seen: set[_Import] = set()
    registers: set[Path] = set()
    ahead = [*_imports(_reached(_tree(own), function.__qualname__), _package_of(own, root))]
    while ahead:
        wanted = ahead.pop()
        if wanted in seen:
            continue
        seen.add(wanted)
        whole = _file_of(f"{wanted.module}.{wanted.name}", root) if wanted.name else None
        path = whole or _file_of(wanted.module, root)
        if path is None:
            continue
        is_package = path.name == "__init__.py"
        if path in found and not is_package:
            continue
        for holder in _holders(path, root):
            if holder not in registers:
                registers.add(holder)
                ahead += _registering(holder, root)
        found.update(dict.fromkeys((*_holders(path, root), path)))
        statements = _binding(_tree(path), wanted.name) if is_package and whole is None else [] if is_package else [_tree(path)]
        ahead += _imports(statements, _package_of(path, root), for_types=is_package)
    data = {file for path in found for file in _data_files(path, root)}
    return tuple(sorted({*found, *data}))


@cache
def closure_hash(function: Callable[..., Any], root: Path = ROOT) -> str:
    """SHA-256 of the names and contents of the files of `code_closure`.

    Parameters
    ----------
    function : callable
        A function of a module of the package, or of one that imports it.
    root : Path
        Folder of the package.

    Returns
    -------
    str
        Hexadecimal.
    """
    digest = hashlib.sha256(f"{function.__module__}.{function.__qualname__}\n".encode())
    for name, content in closure_contents(function, root).items():
        digest.update(f"{name} {content}\n".encode())
    return digest.hexdigest()


def closure_contents(function: Callable[..., Any], root: Path = ROOT) -> dict[str, str]:
    """Names and contents of the files of `code_closure`.

    Parameters
    ----------
    function : callable
        A function of a module of the package, or of one that imports it.
    root : Path
        Folder of the package.

    Returns
    -------
    dict of str to str
        Name, relative to the package -> SHA-256.
    """
    files = code_closure(function, root)
    names = [path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name for path in files]
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in zip(names, files, strict=True)}


def _own_file(function: Callable[..., Any], root: Path) -> Path:
    """File of the module of a function, in the package if it is one of its modules."""
    inside = _file_of(function.__module__, root)
    return inside if inside is not None else Path(inspect.getfile(function))


def _file_of(module: str, root: Path) -> Path | None:
    """File of a module of the package; None if it is none (another package, or a name in a module)."""
    top, _, rest = module.partition(".")
    if top != PACKAGE:
        return None
    place = root.joinpath(*rest.split(".")) if rest else root
    for path in (place / "__init__.py", place.with_name(f"{place.name}.py")):
        if path.is_file():
            return path
    return None


def _package_of(path: Path, root: Path) -> str:
    """Package that relative imports of a file start from."""
    if not path.is_relative_to(root):
        return ""
    return ".".join((PACKAGE, *path.relative_to(root).parent.parts))


@lru_cache(maxsize=4096)
def _parsed(text: str) -> ast.Module:
    return ast.parse(text)


def _tree(path: Path) -> ast.Module:
    return _parsed(path.read_text(encoding="utf-8"))


def _reached(tree: ast.Module, name: str) -> list[ast.stmt]:
    """Statements of a module that a function of it can reach; all of them if it is not at the top of the module."""
    definitions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)}
    if name not in definitions:
        return list(tree.body)
    others = [node for node in tree.body if node not in definitions.values()]
    found: dict[str, ast.stmt] = {}
    ahead: list[ast.AST] = [definitions[name], *others]
    found[name] = definitions[name]
    while ahead:
        for node in ast.walk(ahead.pop()):
            word = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
            if word in definitions and word not in found:
                found[word] = definitions[word]
                ahead.append(definitions[word])
    return [*others, *found.values()]


class _Import(NamedTuple):
    """An import: a module, or a name in it (which may be a module too)."""

    module: str
    name: str = ""


def _imports(nodes: Iterable[ast.AST], package: str, *, for_types: bool = False) -> Iterator[_Import]:
    """Return what some statements import; imports for annotations only are left out."""
    for node in nodes:
        if not for_types and isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from _imports(node.orelse, package)
            continue
        if isinstance(node, ast.Import):
            yield from (_Import(alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from (_Import(base, alias.name) for alias in node.names)
        yield from _imports(ast.iter_child_nodes(node), package, for_types=for_types)


def _binding(tree: ast.Module, name: str) -> list[ast.AST]:
    """Statements of a package that bind a name: an import, a definition or an assignment with all that it reaches; nothing for no name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and any((alias.asname or alias.name) == name for alias in node.names):
            kept = [alias for alias in node.names if (alias.asname or alias.name) == name]
            return [ast.ImportFrom(node.module, kept, node.level)]
    defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    return [*_reached(tree, name)] if name in defined else _assigned(tree, name)


def _assigned(tree: ast.Module, name: str) -> list[ast.AST]:
    """Statements that assign a name at the top of a package, and what binds the names that they use."""
    made = [node for node in tree.body if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign) and name in _names(node, ast.Store)]
    used = {word for node in made for word in _names(node, ast.Load)} - {name}
    return [*made, *(statement for word in sorted(used) for statement in _binding(tree, word))]


def _names(node: ast.AST, use: type[ast.expr_context]) -> set[str]:
    """Names that a statement uses, or binds."""
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, use)}


def _registering(init: Path, root: Path) -> Iterator[_Import]:
    """Modules that a package imports and that register themselves with it: what it has registered depends on them, whoever asks for it."""
    package, tree = _package_of(init, root), _tree(init)
    calls = {word for node in tree.body if isinstance(node, ast.Expr) for word in _names(node, ast.Load)}
    whole = [_Import(f"{package}.{path.stem}") for path in sorted(init.parent.glob("*.py"))] if "import_modules" in calls else []
    for wanted in dict.fromkeys([*_imports(tree.body, package), *whole]):
        path = _file_of(wanted.module, root)
        if path is not None and path != init and path.parent == init.parent and _registers(_tree(path), package):
            yield _Import(wanted.module)
    if whole:
        yield _Import("na64mu.common.modules")


def _registers(tree: ast.Module, package: str) -> bool:
    """Whether a module calls or decorates with a `register_...` that it imports from its own package."""
    imported = {i.name for i in _imports(tree.body, package) if i.name.startswith("register_") and f"{i.module}.".startswith(f"{package}.")}
    decorators = {word for node in tree.body for part in getattr(node, "decorator_list", ()) for word in _names(part, ast.Load)}
    called = {word for node in tree.body if isinstance(node, ast.Expr | ast.Assign) for word in _names(node, ast.Load)}
    return not imported.isdisjoint(decorators | called)


def _holders(path: Path, root: Path) -> Iterator[Path]:
    """`__init__.py` of the packages that hold a module: they run before it."""
    for folder in path.relative_to(root).parents:
        if (root / folder / "__init__.py").is_file():
            yield root / folder / "__init__.py"


def _data_files(path: Path, root: Path) -> Iterator[Path]:
    """Files of data that lie beside a module of the package, or in a folder of data that it names."""
    if not path.is_relative_to(root):
        return
    folders = [path.parent] if path.parent != root else []
    folders += [root / "data" / (a or b) for a, b in _DATA_FOLDER.findall(path.read_text(encoding="utf-8"))]
    for folder in folders:
        if folder.is_dir():
            yield from (p for p in folder.iterdir() if p.suffix in DATA and p.is_file())
