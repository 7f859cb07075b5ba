"""Figures against pictures of themselves that were looked at: tests/report/pictures.

NA64MU_NEW_PICTURES=1 .venv/bin/pytest tests/report/test_report_images.py makes them again; look at them before you commit them.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.testing.compare import compare_images

from na64mu.analysis.backgrounds import estimate_tail
from na64mu.report.backgrounds import tail_figure
from na64mu.report.canvas import save
from na64mu.report.comparison import spectrum_with_ratio
from na64mu.report.figures import plane_before_and_after, spectrum
from na64mu.report.limits import bands_figure, efficiency_figure, limit_g, yields_figure
from na64mu.results.exposure import RunExposure

PICTURES = Path(__file__).parent / "pictures"
MADE_WITH = (3, 11)  # matplotlib: others set text a little differently
TOLERANCE = 2.0  # rms of the grey levels, of 255: a moved line or label gives more than this, antialiasing less


def compared(result):
    """The physics data beside a simulation that is the same, half as large, with another shape in p_in."""
    beam = {name: 0.5 * h for name, h in result.histograms["physics"].items()}
    beam["p_in"] = beam["p_in"].copy()
    beam["p_in"].view().value[...] *= np.linspace(0.7, 1.3, 120)
    run = RunExposure("beam", 4, 1, 5000, 5000.0, 5000, 5000.0, 5000.0, 0.0, 5000, 0)
    both = replace(
        result, histograms=dict(result.histograms) | {"beam": beam}, exposure=replace(result.exposure, runs=(*result.exposure.runs, run))
    )
    return spectrum_with_ratio(both, "p_in", ("physics",), ("beam",))


FIGURES = {
    "plane": lambda get: plane_before_and_after(get("blinded_result")),
    "spectrum": lambda get: spectrum(get("result"), "p_out"),
    "comparison": lambda get: compared(get("result")),
    "tail": lambda get: tail_figure(get("sample"), estimate_tail(get("sample"), n_bootstrap=20, seed=1)),
    "limit_g": lambda get: limit_g(get("limits")),
    "bands": lambda get: bands_figure(get("limits")),
    "efficiency": lambda get: efficiency_figure(get("limits")),
    "yields": lambda get: yields_figure(get("limits")),
}


@pytest.mark.skipif(
    tuple(int(part) for part in mpl.__version__.split(".")[:2]) != MADE_WITH, reason=f"the pictures were made with matplotlib {MADE_WITH}"
)
@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_looks_as_it_did(name, request, tmp_path):
    figure, _ = FIGURES[name](request.getfixturevalue)
    drawn = save(figure, tmp_path / f"{name}.png", dpi=50)
    plt.close("all")
    if os.environ.get("NA64MU_NEW_PICTURES"):
        PICTURES.mkdir(exist_ok=True)
        shutil.copy(drawn, PICTURES / f"{name}.png")
    assert compare_images(str(PICTURES / f"{name}.png"), str(drawn), TOLERANCE) is None
