"""The notebooks are kept without outputs, and the first four run; the others stand in test_notebooks_later.py, so that two cores share them."""

from __future__ import annotations

import nbformat
import pytest
from notebook_files import NOTEBOOKS, run_and_look


def test_there_are_the_notebooks():
    assert [path.stem.partition("_")[0] for path in NOTEBOOKS] == [f"{n:02d}" for n in range(1, len(NOTEBOOKS) + 1)]
    assert len(NOTEBOOKS) >= 7


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_outputs_are_cleared(path):
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


@pytest.mark.parametrize("path", [*NOTEBOOKS, NOTEBOOKS[0].with_name("README.md")], ids=lambda p: p.stem)
def test_links_lead_somewhere(path):
    text = path.read_text(encoding="utf-8")
    texts = (
        [cell.source for cell in nbformat.reads(text, as_version=4).cells if cell.cell_type == "markdown"]
        if path.suffix == ".ipynb"
        else [text]
    )
    for target in [part.partition(")")[0] for source in texts for part in source.split("](")[1:]]:
        assert target.startswith("https://") or (path.parent / target).exists(), target


@pytest.mark.parametrize("path", NOTEBOOKS[:4], ids=lambda p: p.stem)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_notebook_runs(path, tmp_path):
    run_and_look(path, tmp_path)
