"""The closure of a kernel holds every module that the kernel can reach, and costs next to nothing."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from types import FunctionType

import pytest
from numba.extending import is_jitted

import na64mu
from na64mu.compiled import sources
from na64mu.compiled.contents import contents
from na64mu.compiled.sources import closure, stamp
from na64mu.compiled.written import import_source


def _kernels() -> dict[str, FunctionType]:
    """Python functions of all kernels of the package, by full name; also of those that are written."""
    names = [m.name for m in pkgutil.walk_packages(na64mu.__path__, "na64mu.") if "__main__" not in m.name and ".geant4" not in m.name]
    modules = [importlib.import_module(name) for name in names]
    found = [value for module in modules for value in vars(module).values() if is_jitted(value)]
    return {f"{k.py_func.__module__}.{k.py_func.__qualname__}": k.py_func for k in found}


def test_no_kernel_reaches_a_module_outside_its_closure():
    """The references that numba follows, against the lines of import that the key follows."""
    kernels = _kernels()
    assert len(kernels) > 200
    n_calls = 0
    for name, function in kernels.items():
        reached = {str(f.__module__) for f in contents(function).functions} - {function.__module__}
        n_calls += len(reached)
        assert reached <= closure([str(function.__module__)]), name
    assert n_calls > 200, "kernels call those of other modules"


def test_a_closure_is_smaller_than_the_package():
    assert "na64mu.physics.constants" in closure(["na64mu.physics.nucleus"])
    assert not any(name.startswith(("na64mu.cli", "na64mu.report", "na64mu.execution")) for name in closure(["na64mu.simulation.events"]))


def _package(folder, **modules):
    for name, text in modules.items():
        place = folder.joinpath("closurepackage", *name.split("__"))
        place.parent.mkdir(parents=True, exist_ok=True)
        place.with_name(f"{place.name}.py").write_text(text)
        (place.parent / "__init__.py").touch()


@pytest.mark.parametrize(
    ("line", "reached"),
    [
        ("import closurepackage.b", True),
        ("import math, closurepackage.b as other", True),
        ("from closurepackage import b", True),
        ("from closurepackage import (\n    c,  # a comment\n    b,\n)", True),
        ("from closurepackage.b import *", True),
        ("from closurepackage \\\n    import b", True),
        ("from .b import value", True),
        ("from . import b", True),
        ("from .deep.d import value", True),
        ("def later():\n    from closurepackage import b", True),
        ("from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from closurepackage import b\n\nx = 1", False),
        ("# import closurepackage.b", False),
        ("x = 'closurepackage.b'", False),
    ],
)
def test_every_form_of_import_is_found(tmp_path, monkeypatch, line, reached):
    _package(tmp_path, a=line, b="value = 1", c="", deep__d="from ..b import value")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("closurepackage")
    sources._source.cache_clear()
    assert ("closurepackage.b" in closure(["closurepackage.a"])) is reached
    for name in [name for name in sys.modules if name.startswith("closurepackage")]:
        del sys.modules[name]


def test_a_module_beside_a_script_is_found(tmp_path, monkeypatch):
    (tmp_path / "scriptofkernels.py").write_text("import besidekernels\nimport math")
    (tmp_path / "besidekernels.py").write_text("value = 1")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("scriptofkernels")
    assert closure(["scriptofkernels"]) == {"scriptofkernels", "besidekernels"}


def test_a_written_module_has_the_closure_of_its_text():
    module = import_source("written_for_a_test", "from na64mu.physics.constants import ALPHA\n")
    assert {module.__name__, "na64mu.physics.constants"} <= closure([module.__name__])
    assert import_source("written_for_a_test", "from na64mu.physics.constants import ALPHA\n") is module


def test_a_written_module_that_fails_is_not_there():
    with pytest.raises(ZeroDivisionError):
        import_source("written_wrongly", "1 / 0\n")
    assert not any(name.startswith("written_wrongly") for name in sys.modules)


def test_what_has_no_source_has_no_part():
    assert closure(["builtins", "no_such_module"]) == frozenset()
    assert stamp(frozenset({"builtins"})) == stamp(frozenset())
