"""The house: what is committed, what the README promises, what the package holds."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from na64mu import __version__
from na64mu.cli import VERBS

ROOT = Path(__file__).parents[2]


def tracked_files() -> list[Path]:
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("not a git checkout")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.split("\0") if name]


def commands(document: str) -> list[str]:
    """Lines of the shell blocks of a document."""
    blocks = re.findall(r"```(?:sh|bash)\n(.*?)```", (ROOT / document).read_text(encoding="utf-8"), flags=re.DOTALL)
    return [line.strip() for block in blocks for line in block.splitlines() if line.strip() and not line.strip().startswith("#")]


def test_no_tracked_file_is_large_or_missing():
    for path in tracked_files():
        assert path.is_symlink() or path.is_dir() or path.stat().st_size < 5 * 1024**2, path
    assert sum(p.stat().st_size for p in (ROOT / "data" / "sample").iterdir()) < 5 * 1024**2


def test_no_text_names_a_place_on_one_machine():
    place = re.compile(r"(?<![\w.])/(?:home|work|root|tmp|Users)/\w")
    for path in tracked_files():
        if path.is_symlink() or path.is_dir() or path.suffix in {".gz", ".npz", ".parquet", ".png", ".root"}:
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            assert not place.search(line), f"{path}:{number}: {line}"


def test_nothing_in_the_library_is_left_for_later():
    later = re.compile(r"\b(TODO|FIXME|XXX|HACK|placeholder|dummy)\b")
    for folder in ("src", "processors", "selections"):
        for path in (ROOT / folder).rglob("*.py"):
            assert not later.search(path.read_text(encoding="utf-8")), path


def test_only_the_folder_of_compiled_code_touches_numba():
    decorator = re.compile(
        r"\b(njit|vectorize|guvectorize|cfunc|jit_module|overload|intrinsic)\b\s*[(,]|\bnumba\.core\b|^\s*from numba\b", re.MULTILINE
    )
    compiled = ROOT / "src" / "na64mu" / "compiled"
    found = {}
    for folder in ("src", "processors", "selections"):
        for path in (p for p in (ROOT / folder).rglob("*.py") if compiled not in p.parents):
            code = re.sub(r'"""(?:.|\n)*?"""', "", path.read_text(encoding="utf-8"))
            if hit := decorator.search(code):
                found[path.relative_to(ROOT)] = hit.group()
    assert not found, "take the decorators of na64mu.compiled.kernel"
    assert decorator.search("@numba.njit(cache=True)"), "the search finds what it looks for"
    assert decorator.search("from numba import njit")


def test_readme_commands_exist():
    lines = commands("README.md")
    assert {"make run", "make test"} <= set(lines)
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    for line in lines:
        if line.startswith("make "):
            assert line.split()[1] in targets, line
        if line.startswith("na64mu "):
            assert line.split()[1] in VERBS, line


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_inside_the_project_lead_somewhere(document):
    text = (ROOT / document).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert target.startswith("https://") or (ROOT / target).exists(), target


def test_versions_agree():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.search(rf"^version: {re.escape(__version__)}$", citation, flags=re.MULTILINE)


def test_the_wheel_holds_processors_selections_and_data(tmp_path):
    shutil.copytree(
        ROOT, tmp_path / "source", symlinks=True, ignore=shutil.ignore_patterns(".*", "out", "build", "dist", "__pycache__", "*.egg-info")
    )
    build = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*build, "-w", str(tmp_path), str(tmp_path / "source")], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    for package, patterns in {
        "processors": ["*.py"],
        "selections": ["*.py", "*.toml"],
        "data": ["*.py", "glossary.md", "detector/*.toml", "calibration/*.toml", "sample/*.root", "layouts/*.toml"],
    }.items():
        for pattern in patterns:
            files = {f"na64mu/{package}/{p.relative_to(ROOT / package).as_posix()}" for p in (ROOT / package).glob(pattern)}
            assert files, (package, pattern)
            assert files <= names
    library = {p.relative_to(ROOT / "src").as_posix() for p in (ROOT / "src" / "na64mu").rglob("*.py")}
    assert library <= names
    assert "na64mu/py.typed" in names
    assert not any(name.startswith(("tests/", "notebooks/")) for name in names)


def test_every_benchmark_is_in_the_index():
    index = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    named = re.findall(r"^\| `(\w+\.py)` \|", index, flags=re.MULTILINE)
    assert sorted(named) == sorted(p.name for p in (ROOT / "benchmarks").glob("*.py"))


def test_the_guide_to_changes_names_places_that_exist():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split("## What do I change where")[1].split("\n## ")[0]
    places = set(re.findall(r"`([a-z_0-9]+/[\w./*-]*)`", text)) - {"cli/VERB.py"}
    assert len(places) > 25
    for place in places:
        assert any(any(folder.glob(place.rstrip("/"))) for folder in (ROOT, ROOT / "src" / "na64mu")), place
