"""Figures: what they show, against the histograms they were given."""

from __future__ import annotations

from dataclasses import replace

import hist
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.patches import Rectangle

from na64mu.report.datasets import counting_datasets, exposure_text, kind_of_events, overlaid_datasets
from na64mu.report.figures import plane, plane_before_and_after, save, spectrum
from na64mu.report.plane import colour_scale


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


def texts(ax) -> list[str]:
    return [t.get_text() for t in ax.texts]


def box_of(ax) -> Rectangle:
    (box,) = [p for p in ax.patches if isinstance(p, Rectangle) and p.get_width() == 80.0]
    return box


def test_plane_shows_every_event_once(result):
    _, (before, after) = plane_before_and_after(result)
    for ax, name in ((before, "plane_before"), (after, "plane_after")):
        shown, events = ax.collections[0].get_array(), result.histogram(name, "physics").values()
        assert shown.sum() == events.sum()
        assert np.ma.getmaskarray(shown).sum() == (events == 0).sum()


def test_signal_is_drawn_over_the_events_at_any_scale(result):
    _, (before, _) = plane_before_and_after(result)
    circles, signal = before.collections[1], result.histogram("plane_before", "signal")
    values = signal.values()
    expected = [(signal.axes[0].centers[i], signal.axes[1].centers[j]) for i, j in np.argwhere(values > 0)]
    np.testing.assert_allclose(circles.get_offsets(), expected)
    np.testing.assert_allclose(circles.get_sizes() / circles.get_sizes().max(), values[values > 0] / values.max())
    assert [t.get_text() for t in before.get_legend().get_texts()] == ["signal, any scale"]


def test_signal_alone_is_drawn_as_events(result):
    runs = tuple(r for r in result.exposure.runs if r.dataset == "signal")
    only = replace(
        result, cutflows={"signal": result.cutflows["signal"]}, exposure=replace(result.exposure, runs=runs), blinded={"signal": False}
    )
    assert (overlaid_datasets(only), counting_datasets(only)) == ((), ("signal",))
    figure, (before, _) = plane_before_and_after(only)
    assert before.collections[0].get_array().sum() == pytest.approx(result.histogram("plane_before", "signal").values().sum())
    assert figure.axes[2].get_ylabel() == "weights / bin"
    _, ax = spectrum(only, "p_out")
    assert 0 < ax.get_ylim()[0] < 3e-13 < ax.get_ylim()[1]


def test_plane_names_axes_regions_and_box(result):
    figure, (before, after) = plane_before_and_after(result)
    assert before.get_xlabel() == r"$p_{out}$ [GeV/$c$]"
    assert before.get_ylabel() == r"$E_{CAL}$ [GeV]"
    assert texts(before)[:-1] == ["A", "B", "C", "D", "signal box"]
    assert (box_of(before).get_x(), box_of(before).get_height(), box_of(before).get_hatch()) == (0.0, 12.0, None)
    assert after.get_ylim() == (0.0, 24.0)
    title = figure.get_suptitle()
    assert r"$\mathbf{NA64}\mu$ data, unofficial   |" in title
    assert r"1.97 $\times$ 10$^{7}$ muons on target" in title
    assert figure.axes[2].get_ylabel() == "events / bin"
    widths = [f"{(a.high - a.low) / a.bins:g}" for a in (result.working_point.plane_p_out, result.working_point.plane_e_cal)]
    assert texts(before)[-1].endswith(rf"bins of {widths[0]} GeV/$c$ $\times$ {widths[1]} GeV")


def test_blinded_box_is_hatched_and_empty(blinded_result):
    _, (before, _) = plane_before_and_after(blinded_result, "physics")
    assert box_of(before).get_hatch() == "///"
    assert "signal box, blinded" in texts(before)
    p_out, e_cal = (axis.centers for axis in blinded_result.histogram("plane_before").axes)
    shown = before.collections[0].get_array().filled(0.0)
    assert shown[np.ix_(e_cal < 12.0, p_out < 80.0)].sum() == 0
    assert shown.sum() > 0


def test_one_dataset_is_drawn_alone(result):
    figure, (before, _) = plane_before_and_after(result, "signal")
    assert before.collections[0].get_array().sum() == pytest.approx(result.histogram("plane_before", "signal").values().sum())
    assert figure.get_suptitle().endswith("|   signal")
    assert len(before.collections) == 1


def test_after_plane_keeps_its_range_if_events_lie_above(result):
    histograms = {d: dict(h) for d, h in result.histograms.items()}
    histograms["physics"]["plane_after"] = histograms["physics"]["plane_before"]
    _, (_, after) = plane_before_and_after(replace(result, histograms=histograms))
    assert after.get_ylim() == (0.0, 200.0)


def test_few_events_are_drawn_in_merged_bins(result):
    _, (before, _) = plane_before_and_after(result, "signal")
    shown, full = before.collections[0].get_array(), result.histogram("plane_before", "signal").values()
    assert shown.shape == (full.shape[1] // 2, full.shape[0] // 2)
    assert shown.sum() == pytest.approx(full.sum())


def test_events_outside_the_axes_are_counted(result):
    point = result.working_point
    h = hist.Hist(hist.axis.Regular(100, 0, 200), hist.axis.Regular(100, 0, 200), storage=hist.storage.Weight())
    h.fill([50.0, 250.0, -1.0], [50.0, 50.0, 300.0])
    histograms = {"physics": result.histograms["physics"] | {"plane_before": h}}
    only = replace(result, histograms=histograms, blinded={"physics": False}, cutflows={"physics": result.cutflows["physics"]})
    _, (before, _) = plane_before_and_after(only)
    assert texts(before)[-1] == r"1 events, 2 outside" "\n" r"bins of 4 GeV/$c$ $\times$ 4 GeV"
    figure, ax = plane(h, point)
    assert ax.figure is figure
    assert figure.axes[1].get_ylabel() == r"events / (2 GeV/$c$ $\times$ 2 GeV)"


def test_colour_scale_starts_at_one_event_or_below():
    assert (colour_scale(np.array([0.0, 3.0, 500.0])).vmin, colour_scale(np.array([0.0, 3.0, 500.0])).vmax) == (1.0, 500.0)
    assert colour_scale(np.array([0.02, 3.0])).vmin == 0.02
    assert colour_scale(np.array([0.0])).vmax == 10.0


@pytest.mark.parametrize("column", ["p_in", "e_vhcal", "n_hits_mm5", "x_s4", "e_veto"])
def test_spectrum_shows_both_stages_and_the_thresholds(result, column):
    _, ax = spectrum(result, column)
    described = next(s for s in result.working_point.spectra if s.column == column)
    assert ax.get_xlabel() == described.label
    assert ax.get_xlim() == (described.low, described.high)
    assert ax.get_yscale() == "log"
    labels = ax.get_legend_handles_labels()[1]
    assert {"all events", "all other cuts passed"} <= set(labels)
    edges = sorted(line.get_xdata()[0] for line in ax.lines if len(set(line.get_xdata())) == 1)
    expected = {"p_in": [140.0, 180.0], "e_vhcal": [2.0], "n_hits_mm5": [1.5], "x_s4": [], "e_veto": [5.0, 20.0]}[column]
    assert edges == expected


def test_spectrum_of_blinded_data_says_what_all_events_lack(blinded_result):
    bound = "all events that may be seen"
    for dataset, label in ((None, bound), ("physics", bound), ("signal", "all events")):
        _, ax = spectrum(blinded_result, "p_in", dataset)
        labels = ax.get_legend_handles_labels()[1]
        assert [text for text in labels if text.startswith("all events")] == [label]


@pytest.mark.parametrize("column", ["p_in", "e_veto"])
def test_legend_of_a_blinded_spectrum_stays_in_the_figure(blinded_result, column):
    figure, ax = spectrum(blinded_result, column)
    figure.canvas.draw()
    assert ax.get_legend().get_window_extent().x1 <= figure.bbox.x1
    assert ax.get_legend().get_window_extent().y1 <= figure.bbox.y1


def test_spectrum_counts_what_lies_beyond_its_axis(result):
    _, ax = spectrum(result, "e_ecal", "physics")
    beyond = result.histogram("e_ecal", "physics")[{0: hist.loc("all")}].values(flow=True)[-1]
    assert beyond > 0
    assert f"{int(beyond):,}".replace(",", " ") + " \u2192" in texts(ax)


def test_spectrum_draws_on_given_axes(result):
    figure, ax = plt.subplots()
    assert spectrum(result, "p_in", ax=ax) == (figure, ax)


def test_signal_in_a_spectrum_has_the_area_of_the_events(result):
    _, ax = spectrum(result, "p_out")
    assert "signal, scaled" in ax.get_legend_handles_labels()[1]
    events = result.histogram("p_out", "physics")[{0: hist.loc("n_minus_1")}].values()
    drawn = [patch.get_data().values for patch in ax.patches if hasattr(patch, "get_data")]
    assert [d.sum() for d in drawn[1:]] == pytest.approx([events.sum()] * 2)


def test_texts_of_exposure_and_kind(result):
    both = ("physics", "signal")
    assert kind_of_events(result, both) == "data and simulation"
    assert (kind_of_events(result, ("signal",)), exposure_text(result, ("signal",))) == ("simulation", "5 000 muons on target")
    none = replace(result, exposure=replace(result.exposure, runs=()))
    assert exposure_text(none, both) == ""


def test_the_same_figure_gives_the_same_bytes(result, tmp_path):
    files = [save(plane_before_and_after(result)[0], tmp_path / name, dpi=40) for name in ("a.png", "b.png")]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert files[0].read_bytes()[:4] == b"\x89PNG"
    assert plt.get_fignums() == []
