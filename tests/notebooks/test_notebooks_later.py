"""The notebooks from the fifth on run; see test_notebooks.py."""

from __future__ import annotations

import pytest
from notebook_files import NOTEBOOKS, run_and_look


@pytest.mark.parametrize("path", NOTEBOOKS[4:], ids=lambda p: p.stem)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_notebook_runs(path, tmp_path):
    run_and_look(path, tmp_path)
