"""The documentation: it builds without a warning, and what it says exists."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from na64mu.cli import VERBS, main

ROOT = Path(__file__).parents[2]
PAGES = sorted(p for p in (ROOT / "docs").rglob("*.md") if "_build" not in p.parts)


def code(text: str) -> list[str]:
    """Shell blocks and commands within a line."""
    return [*re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL), *re.findall(r"`(na64mu [^`]+)`", text)]


def test_pages_build_without_a_warning(tmp_path):
    shutil.copytree(ROOT / "docs", tmp_path / "docs", ignore=shutil.ignore_patterns("_build", "api"))
    build = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-d", tmp_path / "trees", tmp_path / "docs", tmp_path / "html"]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    html = (tmp_path / "html" / "reference" / "api" / "na64mu.tracking.html").read_text(encoding="utf-8")
    assert 'id="na64mu.tracking.fit.fit_measurements"' in html
    commands = (tmp_path / "html" / "reference" / "commands.html").read_text(encoding="utf-8")
    assert all(f'id="na64mu-{verb}"' in commands for verb in VERBS)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_commands_in_the_pages_exist(page):
    for verb, rest in re.findall(r"\bna64mu ([a-z]+)([^\n]*)", "\n".join(code(page.read_text(encoding="utf-8")))):
        assert verb in VERBS, (page, verb)
        known = CliRunner().invoke(main, [verb, "--help"]).output
        for option in re.findall(r"(?<!\S)--[a-z0-9][a-z0-9-]*", rest):
            assert option in known, (page, verb, option)
