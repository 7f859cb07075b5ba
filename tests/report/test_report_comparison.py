"""Data beside simulation."""

from __future__ import annotations

from dataclasses import replace

import hist
import matplotlib.pyplot as plt
import numpy as np
import pytest

from na64mu.report.comparison import shape_agreement, spectrum_with_ratio
from na64mu.report.datasets import counting_datasets, data_and_simulation
from na64mu.report.html import page
from na64mu.results.exposure import RunExposure
from na64mu.statistics.homogeneity import shape_chi2


@pytest.fixture(scope="module")
def both(clean_result):
    """Data ("physics"), its simulation ("beam", half of it, unweighted), and a signal."""
    beam = {name: 0.5 * h for name, h in clean_result.histograms["physics"].items()}
    run = RunExposure("beam", 4, 1, 5000, 5000.0, 5000, 5000.0, 5000.0, 0.0, 5000, 0)
    return replace(
        clean_result,
        cutflows=clean_result.cutflows | {"beam": clean_result.cutflows["physics"]},
        histograms=clean_result.histograms | {"beam": beam},
        regions=dict(clean_result.regions) | {"beam": clean_result.regions["physics"]},
        outside=clean_result.outside | {"beam": {}},
        blinded=clean_result.blinded | {"beam": False},
        exposure=replace(clean_result.exposure, runs=(*clean_result.exposure.runs, run)),
    )


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


def test_generated_events_tell_simulation_from_data(both, clean_result):
    assert data_and_simulation(both) == (("physics",), ("beam",))
    assert data_and_simulation(clean_result) == (("physics",), ())
    assert counting_datasets(both) == ("physics",)  # data and simulation are not added up


def test_chi2_is_that_of_the_histograms(both):
    found = shape_agreement(both, "p_in", ("physics",), ("beam",))
    seen, expected = (both.histogram("p_in", name)[{0: hist.loc("n_minus_1")}] for name in ("physics", "beam"))
    assert found == shape_chi2(seen.values(), expected.values(), expected.variances())
    assert found.chi2 == pytest.approx(0.0, abs=1e-9)
    assert found.p_value == 1.0


def test_simulation_is_scaled_to_the_area_and_the_ratio_is_one(both):
    _, (top, bottom) = spectrum_with_ratio(both, "p_out", ("physics",), ("beam",))
    points = bottom.lines[1].get_ydata() if len(bottom.lines[1].get_ydata()) > 2 else bottom.containers[0].lines[0].get_ydata()
    np.testing.assert_allclose(points, 1.0)
    assert bottom.get_ylabel() == "data / sim."
    assert any("chi^2" in t.get_text() and "p = 1" in t.get_text() for t in top.texts)


def test_a_ratio_beyond_the_panel_is_marked_at_its_edge(both):
    histogram = both.histograms["beam"]["p_out"].copy()
    largest = np.unravel_index(np.argmax(histogram.values()), histogram.values().shape)
    histogram.view().value[largest] /= 10.0
    changed = replace(both, histograms=both.histograms | {"beam": both.histograms["beam"] | {"p_out": histogram}})
    _, (_, bottom) = spectrum_with_ratio(changed, "p_out", ("physics",), ("beam",), stage="all")
    assert any(np.any(np.asarray(line.get_ydata()) == 2.0) for line in bottom.lines if line.get_marker() == "^")


def test_the_page_has_the_comparison_only_if_there_is_one(both, clean_result):
    two = clean_result.working_point.model_copy(update={"spectra": clean_result.working_point.spectra[:2]})
    both, clean_result = replace(both, working_point=two), replace(clean_result, working_point=two)
    html = page(both)
    assert html.count("of data and simulation, and their ratio") == 2
    assert "href='#data-and-simulation'" in html
    assert "<h2 id='data-and-simulation'>" in html
    assert "data-and-simulation" not in page(clean_result)
