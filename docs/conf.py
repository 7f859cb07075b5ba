"""How Sphinx builds these pages: `make docs` leaves them in docs/_build."""

from __future__ import annotations

import importlib
import os
import pkgutil
import re
from pathlib import Path
from typing import TYPE_CHECKING

import na64mu

if TYPE_CHECKING:
    from sphinx.application import Sphinx

os.environ.setdefault("GEANT4_DATA_DIR", str(Path(__file__).parent))  # Geant4 asks no questions when its classes are documented

project = "na64mu"
author = "the na64mu developers"
copyright = "the na64mu developers, BSD 3-Clause"  # noqa: A001 (Sphinx's name)
release = na64mu.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_click"]
exclude_patterns = ["_build"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
smartquotes = False  # two hyphens begin an option

suppress_warnings = ["ref.python"]  # a short name that two classes share gets no link

html_theme = "furo"
html_title = f"na64mu {release}"

autodoc_mock_imports = ["geant4_pybind"]
autodoc_typehints = "none"  # the docstrings say types, units and shapes
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False

API = Path(__file__).parent / "reference" / "api"


def first_line(name: str) -> str:
    """What the docstring of a module begins with."""
    return next(iter((importlib.import_module(name).__doc__ or "").strip().splitlines()), "")


def write_reference(package: str) -> list[str]:
    """Write the page of a package, its modules one after the other behind a list of them, and those of the packages in it; return their names."""
    folder = importlib.import_module(package)
    modules = sorted(pkgutil.iter_modules(folder.__path__), key=lambda m: m.name)
    names = [f"{package}.{m.name}" for m in modules if not m.ispkg and not m.name.startswith("__")]
    lines = [
        package,
        "=" * len(package),
        "",
        f".. automodule:: {package}",
        "   :no-members:",
        "",
    ]  # members are shown where they are defined
    for name in names:
        lines += [f"- :ref:`{name} <{name}>`: {plain(first_line(name))}"]
    inner = [write_reference(f"{package}.{m.name}") for m in modules if m.ispkg]
    lines += [f"- :doc:`{page} <{page}>`: {plain(first_line(page))}" for pages in inner for page in pages[:1]]
    for name in names:
        lines += ["", f".. _{name}:", "", name, "-" * len(name), "", f".. automodule:: {name}", ""]
    (API / f"{package}.rst").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return [package, *(page for pages in inner for page in pages)]


def plain(text: str) -> str:
    """A line of a docstring as text of a page: nothing in it is markup."""
    return re.sub(r"([*|`_\\])", r"\\\1", text)


def write_summary(pages: list[str]) -> None:
    """Write the table of packages that the page of the library shows."""
    rows = [f"| {{doc}}`{page} <api/{page}>` | {plain(first_line(page))} |" for page in pages]
    (API / "summary.inc").write_text("\n".join(["| package | what it is |", "|---|---|", *rows]) + "\n", encoding="utf-8")


API.mkdir(exist_ok=True)
write_summary(
    [page for m in pkgutil.iter_modules(na64mu.__path__) if m.ispkg and m.name != "cli" for page in write_reference(f"na64mu.{m.name}")]
)


def plain_text(*arguments: object) -> None:
    """Docstrings are plain text with formulas: |p| is no substitution, np.str_ no link."""
    lines = arguments[-1]
    assert isinstance(lines, list)
    lines[:] = [re.sub(r"(\w)_(?!\w)", r"\1\\_", re.sub(r"(?<!`)\|(?!`)", r"\\|", line)) for line in lines]


def literal_examples(*arguments: object) -> None:
    """The examples at the end of a help are commands, not text."""
    lines = arguments[-1]
    assert isinstance(lines, list)
    words = [re.sub(r"^\|? ?", "", line).strip() for line in lines]
    head, *commands = [word for word in words if word]
    lines[:] = [f"{head.rstrip(':')}::", "", *(f"   {command}" for command in commands), ""]


def setup(app: Sphinx) -> None:
    """Sphinx's hook."""
    app.connect("autodoc-process-docstring", plain_text, priority=400)  # before the sections are parsed
    app.connect("sphinx-click-process-epilog", literal_examples)
