"""Old names work for one release, and say what they are called now."""

from __future__ import annotations

import importlib
import importlib.util
import subprocess
import sys

import pytest

from na64mu import __version__
from na64mu.common import deprecation
from na64mu.common.deprecation import MOVED_MODULES, MOVED_NAMES


@pytest.fixture
def old_module(monkeypatch):
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    deprecation.install_old_modules({"misplaced": "errors"})
    yield "na64mu.misplaced"
    sys.modules.pop("na64mu.misplaced", None)


def test_an_old_module_is_the_new_one_and_says_so(old_module):
    errors = importlib.import_module("na64mu.errors")
    with pytest.warns(FutureWarning, match=r"^na64mu\.misplaced is now na64mu\.errors; the old name works until na64mu 0\.\d+$") as seen:
        module = importlib.import_module(old_module)
    assert module is errors
    assert module.__spec__.name == "na64mu.errors"
    assert len(seen) == 1


def test_the_warning_points_at_the_import(old_module):
    with pytest.warns(FutureWarning) as seen:
        from na64mu.misplaced import Na64muError  # noqa: F401
    assert seen[0].filename == __file__


def test_a_module_that_never_was_is_not_found(old_module):
    with pytest.raises(ModuleNotFoundError, match=r"na64mu\.nothing"):
        importlib.import_module("na64mu.nothing")


def test_every_moved_module_exists_under_its_new_name_only():
    for old, new in deprecation.MOVED_MODULES.items():
        assert importlib.util.find_spec(f"na64mu.{new}") is not None, new
        assert isinstance(importlib.util.find_spec(f"na64mu.{old}").loader, deprecation._OldModule), old


def test_old_names_end_with_the_next_release():
    major, minor, *_ = __version__.split(".")
    assert f"{major}.{int(minor) + 1}" == deprecation.REMOVED_IN


def test_it_costs_no_import_that_is_slow():
    code = "import sys, na64mu; print([m for m in ('typing', 'tempfile', 'importlib.abc', 'numpy') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-S", "-I", "-c", f"import sys; sys.path[:0] = {sys.path!r}; {code}"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_name_that_moved_is_found_where_it_was():
    from na64mu.results import exposure, reconciliation

    with pytest.warns(FutureWarning, match=r"na64mu\.results\.exposure\.reconcile is now na64mu\.results\.reconciliation\.reconcile; "):
        assert exposure.reconcile is reconciliation.reconcile
    with pytest.raises(AttributeError, match=r"'na64mu.results.exposure' has no attribute 'nothing'"):
        exposure.nothing  # noqa: B018


@pytest.mark.parametrize(("module", "name"), [(module, name) for module, names in MOVED_NAMES.items() for name in names])
def test_every_moved_name_exists_under_its_new_module_only(module, name):
    assert module in MOVED_MODULES.values()
    assert hasattr(importlib.import_module(f"na64mu.{MOVED_NAMES[module][name]}"), name)
    assert name not in vars(importlib.import_module(f"na64mu.{module}"))
