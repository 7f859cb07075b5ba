"""The source files that a kernel can reach: its own, and those that it imports, directly or through others.

Imports are found by their lines, without running anything. Only files of the kernel's own package and of na64mu count; numba and
llvmlite enter the key of the cache by their versions, see cache.py.
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

__all__ = ("closure", "stamp")

_IMPORT = re.compile(r"^[ \t]*(?:from[ \t]+([.\w]+)[ \t]+import[ \t]+(\([^)]*\)|[^\n]+)|import[ \t]+([^\n]+))", re.MULTILINE)
#: Imports for annotations only, which no kernel sees.
_FOR_TYPES = re.compile(r"^if (?:typing\.)?TYPE_CHECKING:[^\n]*\n(?:[ \t]+[^\n]*\n|\n)+", re.MULTILINE)
_COMMENT = re.compile(r"#[^\n]*")


#: Modules that decide where and whether something compiled is kept, and not what is compiled.
_NO_PART = frozenset(f"na64mu.compiled.{name}" for name in ("cache", "contents", "folder", "plain", "sources", "written"))


class _Source(NamedTuple):
    """A module: hash of its text, and the modules that it may import, by name."""

    digest: str
    imports: frozenset[str]


def closure(modules: Iterable[str]) -> frozenset[str]:
    """Modules that can be reached from some by imports, with these and the packages that hold them.

    Parameters
    ----------
    modules : iterable of str
        Full names of imported modules.

    Returns
    -------
    frozenset of str
        Names of the modules whose source was found, of na64mu and of the packages of the given modules.
    """
    roots = set(modules)
    own = {name.partition(".")[0] for name in roots} | {"na64mu"}
    found: set[str] = set()
    ahead, seen = list(roots), set(roots)
    while ahead:
        name = ahead.pop()
        source = _source(name)
        if source is None:
            continue
        found.add(name)
        for other in source.imports - seen - _NO_PART:
            if other.partition(".")[0] in own or _beside(name, other):
                seen.add(other)
                ahead.append(other)
    return frozenset(found)


@lru_cache(maxsize=4096)
def stamp(modules: frozenset[str]) -> str:
    """Hash of the names and texts of all modules of the closure.

    Parameters
    ----------
    modules : frozenset of str
        Modules in which a kernel and the types of its arguments are defined.

    Returns
    -------
    str
        Hexadecimal.
    """
    digest = hashlib.sha256()
    for name in sorted(closure(modules)):
        source = _source(name)
        digest.update(f"{name} {source.digest if source else ''}\n".encode())
    return digest.hexdigest()


def _beside(name: str, other: str) -> bool:
    """Whether a script imports a module that lies beside it; a module of a package has only its package."""
    file = getattr(sys.modules.get(name), "__file__", None)
    return "." not in name and file is not None and (Path(file).parent / f"{other}.py").is_file()


@lru_cache(maxsize=4096)
def _source(name: str) -> _Source | None:
    text = _text(name)
    if text is None:
        return None
    file = _file(name)
    is_package = file is not None and Path(file).name == "__init__.py"
    holders = {name.rsplit(".", n)[0] for n in range(1, name.count(".") + 1)}
    imports = set(_imports(text.decode("utf-8", "replace"), name if is_package else name.rpartition(".")[0]))
    return _Source(hashlib.sha256(text).hexdigest(), frozenset(imports | holders))


def _text(name: str) -> bytes | None:
    """Text of a module: of its file, or as its loader has it where it has no file; None where there is neither."""
    file, module = _file(name), sys.modules.get(name)
    try:
        if file is not None and Path(file).suffix == ".py":
            return Path(file).read_bytes()
        source = module.__spec__.loader.get_source(name)  # type: ignore[union-attr] # asked for below
    except (AttributeError, ImportError, OSError):
        return None
    return source.encode() if isinstance(source, str) else None


def _file(name: str) -> str | None:
    """File of a module; of one that was not imported, by the folders of its package."""
    if name in sys.modules:
        return getattr(sys.modules[name], "__file__", None)
    top, _, rest = name.partition(".")
    for folder in getattr(sys.modules.get(top), "__path__", ()):
        place = Path(folder, *rest.split("."))
        for file in (place.with_name(f"{place.name}.py"), place / "__init__.py"):
            if file.is_file():
                return str(file)
    return None


def _imports(text: str, package: str) -> Iterator[str]:
    """Names of the modules that a text may import; of `from a import b` both a and a.b, which may be a module."""
    for base, names, modules in _IMPORT.findall(_FOR_TYPES.sub("", text.replace("\\\n", " "))):
        if modules:
            yield from (part.split()[0] for part in _COMMENT.sub("", modules).split(",") if part.strip())
            continue
        where = _absolute(base, package)
        yield where
        yield from (f"{where}.{part.split()[0]}" for part in _COMMENT.sub("", names).strip("()").split(",") if part.strip())


def _absolute(base: str, package: str) -> str:
    dots = len(base) - len(base.lstrip("."))
    if dots == 0:
        return base
    above = package.split(".")[: len(package.split(".")) - dots + 1]
    return ".".join([*above, *([base[dots:]] if base[dots:] else [])])
