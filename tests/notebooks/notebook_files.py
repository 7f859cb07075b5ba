"""The notebooks, and what each must do when it runs."""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
#: A notebook with all its outputs [bytes], and the text of one output [characters].
LARGEST, LONGEST = 1_000_000, 12_000


def run_and_look(path: Path, folder: Path) -> None:
    """Run a notebook: no word on stderr, a figure, no widget, and small outputs."""
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=None, kernel_name="python3", resources={"metadata": {"path": str(folder)}}).execute()
    shown = [out for cell in notebook.cells if cell.cell_type == "code" for out in cell.outputs]
    complaints = [out.text for out in shown if out.output_type == "stream" and out.name == "stderr"]
    assert complaints == []
    kinds = [kind for out in shown for kind in out.get("data", {})]
    assert "image/png" in kinds
    assert not any("widget" in kind for kind in kinds)  # a progress bar where none was asked for
    assert len(nbformat.writes(notebook).encode()) < LARGEST
    assert all(len(text) < LONGEST for out in shown for kind, text in out.get("data", {}).items() if kind.startswith("text/"))
