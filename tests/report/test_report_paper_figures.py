"""Figures and tables of the paper: what they show, against the numbers they were given."""

from __future__ import annotations

import csv
import re
from dataclasses import replace

import hist
import matplotlib.pyplot as plt
import numpy as np
import pytest

from na64mu.analysis.backgrounds import background_table, estimate_tail, threshold_scan
from na64mu.analysis.backgrounds.decays import DecayEstimate
from na64mu.analysis.yields import EfficiencyPoint, EfficiencyTable
from na64mu.report.backgrounds import tail_figure, threshold_figure, yields_by_source
from na64mu.report.configurations import plane_by_configuration
from na64mu.report.drawn import drawn_rows, save_with_numbers, write_drawn
from na64mu.report.limit_tables import limits_latex, systematics_latex
from na64mu.report.limits import bands_figure, efficiency_figure, limit_g
from na64mu.selections.working_point import load_working_point

MASSES = np.array([0.01, 0.1, 1.0])


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


def labels(ax) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


def our_values(ax) -> list[float]:
    """Values of this analysis that are drawn as points."""
    return sorted(next(c for c in ax.containers if c.get_label() == "this analysis (simulation)")[0].get_xdata())


def our_arrows(ax) -> list[float]:
    """Upper limits of this analysis that are drawn as arrows; those of the Letter lie above the middle of their row."""
    arrows = [line for line in ax.lines if line.get_marker() == "$\u2190$" and line.get_ydata()[0] % 1.0 > 0.5]
    return sorted(line.get_xdata()[0] for line in arrows)


def test_tail_figure_shows_the_spectrum_and_every_form(sample):
    estimate = estimate_tail(sample, seed=1, n_bootstrap=50, n_toys=50)
    _, ax = tail_figure(sample, estimate)
    (points,) = [c for c in ax.containers if c.get_label() == "muons with a MIP in the ECAL"]
    x, y = points[0].get_data()
    assert y.sum() == sample.counts[sample.edge_near(80.0) :].sum()
    assert x.min() > 80.0  # nothing in the box is drawn
    words = " ".join(labels(ax))
    for fit in (*estimate.forms, *estimate.cross_checks):
        assert f"{fit.name}: {fit.value:.2g}" in words
    # the area of the nominal form below the box edge is its estimate: p below 20 GeV/c adds e^-7.5 of it
    line = next(line for line in ax.lines if str(line.get_label()).startswith(f"{estimate.nominal.name}:"))
    p, density = line.get_xdata(), line.get_ydata()
    below = np.linspace(20.0, 80.0, 2000)
    assert np.trapezoid(np.interp(below, p, density), below) / 2.0 == pytest.approx(estimate.value, rel=0.02)


def test_tail_figure_without_a_nominal_form(sample):
    bound = estimate_tail(sample, seed=1, n_bootstrap=50, n_toys=50).at_most(sample, 1e6)
    _, ax = tail_figure(sample, bound)
    assert ax.get_legend().get_title().get_text().endswith("(95 %)")


def test_threshold_figure(sample):
    scan = threshold_scan(sample, (4.5, 5.0), seed=1)
    _, ax = threshold_figure(scan)
    upper = next(line for line in ax.lines if line.get_label() == "95 % upper limit")
    np.testing.assert_allclose(upper.get_data(), ([e.threshold for e in scan], [e.upper for e in scan]))
    assert [text.get_text() for text in ax.texts] == [f"{e.n_tail:.0f}" for e in scan]


def test_yields_by_source_shows_values_and_limits(sample):
    tail = estimate_tail(sample, seed=1, n_bootstrap=50, n_toys=50)
    decays = DecayEstimate(1.8, 1.2, 2.4, 9, 1.98e10, 3.1)
    agreeing = replace(tail, envelope=tail.statistical)  # as if the forms agreed: (I) is a value then
    table = background_table(agreeing, decays, None)
    _, ax = yields_by_source(table)
    assert 1.8 in our_values(ax)
    assert len(our_values(ax)) == 3  # (III) is not estimated
    assert our_arrows(ax) == []
    assert [t.get_text() for t in ax.get_yticklabels()][-1].startswith("(I) momentum")
    # the forms of this spectrum differ by more than the value: (I), and with it the total, is an upper limit
    table = background_table(tail, decays, None)
    _, ax = yields_by_source(table)
    assert our_values(ax) == [1.8]
    assert our_arrows(ax) == sorted(row.ours.value for row in table.rows if row.name in ("momentum", "total"))
    few = background_table(tail.at_most(sample, 1e6), DecayEstimate(0.0, 0.0, 0.3, 0, 1.98e10, 0.5), None)
    assert labels(yields_by_source(few)[1]).count("this analysis (simulation): upper limit") == 1


def test_planes_of_both_configurations():
    point = load_working_point("prl2024")
    empty = hist.Hist(
        hist.axis.Regular(100, 0, 200, name="p_out"), hist.axis.Regular(100, 0, 200, name="e_cal"), storage=hist.storage.Weight()
    )
    first, second, nuclear = (empty.copy() for _ in range(3))
    first.fill([161.0, 20.5], [5.0, 141.0])
    second.fill([30.5], [131.0])
    nuclear.fill([40.5], [60.0], weight=[1e-6])
    figure, axes = plane_by_configuration({"one": first, "two": second}, point, overlays={"one": nuclear}, what="x")
    assert [ax.get_title(loc="left") for ax in axes] == ["one", "two"]
    assert [sum(1 for row in drawn_rows(ax) if row[1] == "bin") for ax in axes] == [2, 1]
    assert labels(axes[0]) == ["muon-nuclear, any scale"]
    assert axes[1].get_legend() is None
    assert len(figure.axes) == 3


def test_numbers_behind_a_figure_are_those_drawn(tmp_path):
    _, ax = plt.subplots()
    ax.plot([1.0, 2.0], [3.0, 4.0], label="curve")
    ax.plot([1.0], [9.0])  # without a name
    ax.fill_between([1.0, 2.0], [0.0, 1.0], [2.0, 5.0], label="band")
    ax.errorbar([5.0], [6.0], yerr=[[1.0], [2.0]], fmt="o", label="points")
    rows = list(drawn_rows(ax))
    assert ("curve", "line", 1.0, 3.0, "", "") in rows
    assert ("band", "band", 2.0, 3.0, 1.0, 5.0) in rows
    assert ("points", "points", 5.0, 6.0, 5.0, 8.0) in rows
    assert len(rows) == 5
    path = write_drawn(tmp_path / "n.csv", [ax, ax])
    with path.open(encoding="utf-8") as stream:
        listed = list(csv.DictReader(stream))
    assert len(listed) == 10
    assert {row["panel"] for row in listed} == {"1", "2"}


def test_a_saved_figure_has_three_files(tmp_path, limits):
    figure, axes = bands_figure(limits)
    files = save_with_numbers(figure, axes, tmp_path / "bands")
    assert {path.name for path in files} == {"bands.png", "bands.pdf", "bands_numbers.csv"}
    assert not plt.fignum_exists(figure.number)
    with (tmp_path / "bands_numbers.csv").open(encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["series"] == "observed" and float(row["x"]) == 100.0]
    found = [float(row["y"]) for row in rows]
    assert found == pytest.approx([limits.couplings(m)[1, 0] for m in ("asymptotic", "exact")], rel=1e-5)


def test_limit_on_g_shows_the_neutrinos_and_both_published_points(limits):
    _, ax = limit_g(limits)
    drawn = {str(line.get_label()): line.get_data() for line in ax.lines}
    assert not any("N_{eff}" in label for label in drawn)  # 6 MeV lies below the masses of this scan
    x, y = drawn[r"Letter: from its $y$ at $m_\chi$ = 40 MeV"]
    assert (x[0], y[0]) == pytest.approx((120.0, 4.41e-4), rel=0.01)


def test_efficiency_shows_the_samples_with_binomial_errors(limits):
    table = EfficiencyTable(tuple(EfficiencyPoint(m, c, False, 1000, 300, 100) for m in (0.01, 1.0) for c in (1, 2)))
    _, ax = efficiency_figure(limits, table=table)
    rows = [row for row in drawn_rows(ax) if row[0] == "simulated samples, 1"]
    assert len(rows) == 2
    _, _, _, value, low, high = rows[0]
    # 100 of 1000: 68 % Clopper-Pearson [9.04, 11.04] %, times 0.87
    assert (value, low, high) == pytest.approx((8.7, 0.87 * 9.04, 0.87 * 11.04), abs=0.02)


def test_latex_of_limits_and_systematics(limits):
    text = limits_latex(limits)
    rows = [line for line in text.splitlines() if line.startswith(("10 &", "100 &", "1000 &"))]
    assert len(rows) == 3
    g = limits.couplings("asymptotic")[1, 0]
    mantissa, power = re.search(r"\$([\d.]+)\\times10\^\{(-\d+)\}\$", rows[1]).groups()
    assert float(mantissa) * 10 ** int(power) == pytest.approx(g, rel=0.005)
    table = systematics_latex(limits, 0.1)
    assert r"trigger alignment & signal & 5 & 5 & no \\" in table
    assert table.count(r"\hline") == 3
