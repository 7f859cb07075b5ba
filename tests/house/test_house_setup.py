"""Set-up on machines that are not ours: pins, interpreters, environments, and the checks that run on every change."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from na64mu import __version__

ROOT = Path(__file__).parents[2]
MAKE = shutil.which("make")


def script(name: str) -> ModuleType:
    """A script of .ci/ as a module."""
    sys.path.insert(0, str(ROOT / ".ci"))
    try:
        spec = importlib.util.spec_from_file_location(f"ci_{name}", ROOT / ".ci" / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.pop(0)
    return module


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def requirements() -> list[str]:
    return project()["dependencies"] + project()["optional-dependencies"]["test"]


def test_constraints_pin_versions_and_nothing_else():
    lines = [line for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9_.\-]+==[0-9][\w.+!]*", line) for line in lines)
    assert {re.split(r"[\[><=]", name)[0].lower() for name in requirements()} <= set(script("check_pins").pins())


def test_a_pinned_version_satisfies_its_requirement():
    from packaging.requirements import Requirement

    pinned = script("check_pins").pins()
    for line in requirements():
        need = Requirement(line)
        assert need.specifier.contains(pinned[need.name.lower()]), line


def test_every_supported_python_is_checked_and_named():
    versions = [re.match(r"3\.\d+", python)[0] for python in script("check_pins").PYTHONS]
    named = [c.removeprefix("Programming Language :: Python :: ") for c in project()["classifiers"] if re.search(r":: 3\.\d+$", c)]
    assert versions == named
    interpreters = script("interpreters")
    assert versions[0] == "{}.{}".format(*interpreters.OLDEST)
    assert versions[-1] == "{}.{}".format(*interpreters.NEWEST)
    assert project()["requires-python"] == f">={versions[0]}"
    workflow = (ROOT / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8")
    assert all(f'"{version}"' in workflow for version in versions)


def test_the_check_that_runs_on_every_change_begins_with_the_readmes():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    made = re.findall(r"^make (\S+)", script.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert made == ["test", "check-pins", "newest"]
    assert "smoke PYTHON=" in script.read_text(encoding="utf-8")


def test_an_old_python_is_named_in_one_sentence(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "version_info", (3, 9, 2, "final", 0))
    with pytest.raises(SystemExit, match=r"na64mu needs Python 3\.11 or newer, .* is Python 3\.9\.2: name a newer one with make PYTHON="):
        script("make_environment").make_environment(str(tmp_path / "environment"))
    assert not (tmp_path / "environment").exists()


def test_a_python_without_venv_says_which_package_brings_it(monkeypatch, tmp_path):
    module = script("make_environment")
    said = "The virtual environment was not created successfully because ensurepip is not available."
    monkeypatch.setattr(module.subprocess, "run", lambda *a, **k: subprocess.CompletedProcess(a, 1, stdout=said))
    (tmp_path / "environment").mkdir()
    with pytest.raises(SystemExit, match="apt install python3-venv"):
        module.make_environment(str(tmp_path / "environment"))
    assert not (tmp_path / "environment").exists()  # half an environment would be taken for a whole one


def _makefile(folder: Path) -> Path:
    """A checkout in which setting up only writes a file."""
    (folder / ".ci").mkdir(parents=True)
    shutil.copy(ROOT / "Makefile", folder)
    for name in ("pyproject.toml", "constraints.txt"):
        (folder / name).touch()
    python = "#!/bin/sh\necho called with $PIP_USER.$PYTHONPATH. >> calls\n"
    fake = f"import os, pathlib\np = pathlib.Path('.venv/bin/python')\np.parent.mkdir(parents=True)\np.write_text({python!r})\np.chmod(0o755)\n"
    (folder / ".ci" / "make_environment.py").write_text(fake)
    return folder


@pytest.mark.skipif(MAKE is None, reason="make is not installed")
def test_an_environment_is_made_again_after_its_folder_was_moved(tmp_path):
    def run(folder: Path) -> int:
        environment = {**os.environ, "PIP_USER": "1", "PYTHONPATH": "/nowhere"}
        subprocess.run([str(MAKE), "run", f"PYTHON={sys.executable}"], cwd=folder, env=environment, capture_output=True, check=True)
        return len((folder / "calls").read_text().splitlines())

    first = _makefile(tmp_path / "a folder")
    assert run(first) == 2  # pip and the main job
    assert run(first) == 3  # the main job
    second = first.rename(tmp_path / "another folder")
    assert run(second) == 5
    assert set((second / "calls").read_text().splitlines()) == {"called with 0.."}


def test_smoke_tells_every_bit():
    differences = script("smoke").differences
    stored = {"a": [1, 0.1, {"b": "x"}], "c": float("nan")}
    assert differences(stored, {"a": [1, 0.1, {"b": "x"}], "c": float("nan")}) == []
    assert differences({**stored, "a": [1, 0.1 + 2**-56, {"b": "x"}]}, stored) == ["/a/1: 0.10000000000000002 instead of 0.1"]
    assert differences({"a": stored["a"]}, stored) == ["/c: None instead of nan"]
    assert differences({**stored, "a": [1]}, stored)[0].startswith("/a: [1] instead of")
    assert differences({**stored, "d": 1}, stored) == ["/d: 1 instead of None"]


def test_what_smoke_compares_with_is_the_sample():
    import gzip
    import json

    stored = json.loads(gzip.decompress(script("smoke").STORED.read_bytes()))
    assert set(stored) == set(script("smoke").RESULTS)
    steps = stored["cutflow.json"]["datasets"]["calibration"]["steps"]
    assert steps[0]["n"] == 1303


@pytest.mark.skipif(sys.platform != "linux", reason="looks for the interpreters of Linux")
def test_interpreters_are_found_once_each_and_never_that_of_an_environment():
    interpreters = script("interpreters")
    assert interpreters.version(Path(sys.prefix) / "bin" / "python") is None or sys.prefix == sys.base_prefix
    assert interpreters.version(Path(sys.executable).parent / "nothing") is None
    known = interpreters.version(Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info[1]}")
    assert known == sys.version_info[:3]


@pytest.mark.parametrize("workflow", sorted(p.name for p in (ROOT / ".github" / "workflows").glob("*.yml")))
def test_workflows_call_targets_that_exist(workflow):
    targets = set(re.findall(r"^([a-z -]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    names = {name for target in targets for name in target.split()}
    text = (ROOT / ".github" / "workflows" / workflow).read_text(encoding="utf-8")
    assert set(re.findall(r"\bmake ([a-z-]+)", text)) <= names


def test_the_conda_recipe_asks_for_what_the_package_asks_for():
    recipe = (ROOT / "conda" / "recipe.yaml").read_text(encoding="utf-8")
    run = recipe.split("  run:\n")[1].split("\n\n")[0]
    asked = {line.strip("- ").replace(" ", "").replace("matplotlib-base", "matplotlib") for line in run.splitlines()}
    assert asked == {*project()["dependencies"], f"python{project()['requires-python']}"}
    assert f'version: "{__version__}"' in recipe
