"""Every notebook runs from the first cell to the last, says nothing on stderr, stays small, and is kept without outputs."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
#: A notebook with all its outputs [bytes], and the text of one output [characters].
LARGEST, LONGEST = 1_000_000, 12_000


def test_there_are_the_notebooks():
    assert [path.stem.partition("_")[0] for path in NOTEBOOKS] == [f"{n:02d}" for n in range(1, len(NOTEBOOKS) + 1)]
    assert len(NOTEBOOKS) >= 7


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_outputs_are_cleared(path):
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_links_lead_somewhere_and_no_path_leaves_the_project(path):
    for cell in nbformat.read(path, as_version=4).cells:
        assert "../shared" not in cell.source
        if cell.cell_type == "markdown":
            for target in [part.partition(")")[0] for part in cell.source.split("](")[1:]]:
                assert target.startswith("https://") or (path.parent / target).exists(), target


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_notebook_runs(path, tmp_path):
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [out for cell in notebook.cells if cell.cell_type == "code" for out in cell.outputs]
    complaints = [out.text for out in shown if out.output_type == "stream" and out.name == "stderr"]
    assert complaints == []
    kinds = [kind for out in shown for kind in out.get("data", {})]
    assert "image/png" in kinds
    assert not any("widget" in kind for kind in kinds)  # a progress bar where none was asked for
    assert len(nbformat.writes(notebook).encode()) < LARGEST
    assert all(len(text) < LONGEST for out in shown for kind, text in out.get("data", {}).items() if kind.startswith("text/"))
