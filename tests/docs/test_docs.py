"""The documentation: it builds without a warning."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from na64mu.cli import VERBS

ROOT = Path(__file__).parents[2]


def test_pages_build_without_a_warning(tmp_path):
    shutil.copytree(ROOT / "docs", tmp_path / "docs", ignore=shutil.ignore_patterns("_build", "api"))
    (tmp_path / "data").mkdir()
    shutil.copy(ROOT / "data" / "glossary.md", tmp_path / "data")  # a page shows it
    build = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-d", tmp_path / "trees", tmp_path / "docs", tmp_path / "html"]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    html = (tmp_path / "html" / "reference" / "api" / "na64mu.tracking.html").read_text(encoding="utf-8")
    assert 'id="na64mu.tracking.fit.fit_measurements"' in html
    commands = (tmp_path / "html" / "reference" / "commands.html").read_text(encoding="utf-8")
    assert all(f'id="na64mu-{verb}"' in commands for verb in VERBS)
