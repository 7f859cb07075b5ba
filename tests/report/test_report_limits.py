"""Figures and tables of the limits: what they show, against the numbers they were given."""

from __future__ import annotations

import io
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from rich.console import Console

from na64mu.analysis.counting import letter_counting
from na64mu.analysis.curves import Curve, other_limits
from na64mu.analysis.limits import search_limits
from na64mu.analysis.yields import PileUpLoss, SignalYield
from na64mu.report.limit_tables import render_limits
from na64mu.report.limits import efficiency_figure, limit_g, limit_y, yields_figure

MASSES = np.geomspace(0.001, 2.0, 12)
TARGETS = tuple(Curve(name, "a power law", MASSES / 3, y * MASSES**2) for name, y in (("pseudo-dirac", 1e-9), ("majorana", 1e-8)))


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def limits():
    n = len(MASSES)
    yields = SignalYield(
        masses=MASSES,
        g_ref=1e-4,
        exposures=(1.17e10, 8.1e9),
        per_muon=7.7e-11 * (0.1 / MASSES) ** 1.5,
        invisible=np.ones(n),
        efficiency=np.column_stack([np.full(n, 0.10), np.full(n, 0.15)]),
        efficiency_error=np.full((n, 2), 0.002),
        pile_up_loss=PileUpLoss(0.13, 0.0, "published"),
    )
    return search_limits(letter_counting(), yields)


def lines(ax) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    return {line.get_label(): (np.asarray(line.get_xdata()), np.asarray(line.get_ydata())) for line in ax.lines}


def test_limit_on_g_shows_both_methods_and_the_others(limits):
    figure, ax = limit_g(limits)
    drawn = lines(ax)
    np.testing.assert_allclose(drawn["observed (exact CLs), 90 % CL"], (1e3 * MASSES, limits.couplings("exact")[:, 0]))
    np.testing.assert_allclose(drawn["observed (asymptotic CLs, as the Letter)"][1], limits.couplings("asymptotic")[:, 0])
    for curve in other_limits():
        x, y = drawn[curve.name]
        np.testing.assert_allclose(np.interp(x, 1e3 * curve.x, curve.y), y)
    x, y = drawn[r"$(g-2)_\mu$, $+2\sigma$ (2025/26: no deviation)"]
    np.testing.assert_allclose(np.interp([10, 100, 1000], x, y), [4.09e-4, 7.69e-4, 43.9e-4], rtol=0.01)
    frame = drawn["BESIII: limits lie in this frame"]
    assert (frame[0].max(), frame[1].min(), frame[1].max()) == (1000.0, 1.1e-3, 1.0e-2)
    words = [t.get_text() for t in ax.get_legend().get_texts()]
    assert r"$(g-2)_\mu$, $\pm2\sigma$ (WP20)" in words
    assert r"expected (exact), $\pm2\sigma$" in words
    assert r"expected (exact), $\pm1\sigma$" not in words  # it has no width: 93 % of the experiments see nothing
    assert ax.get_title(loc="right") == r"1.98 $\times$ 10$^{10}$ MOT"
    assert figure.axes == [ax]


def test_limit_on_y_shows_the_targets(limits):
    _, ax = limit_y(limits, TARGETS)
    drawn = lines(ax)
    np.testing.assert_allclose(drawn["relic target, pseudo-Dirac"], (1e3 * TARGETS[0].x, TARGETS[0].y))
    np.testing.assert_allclose(drawn["observed (exact CLs), 90 % CL"], (1e3 * MASSES / 3, limits.y("exact")[:, 0]))
    assert drawn[r"Letter: about 6 $\times$ 10$^{-12}$ at 40 MeV"] == ([40.0], [6e-12])
    other = replace(limits, dark=replace(limits.dark, dark_coupling=0.1))
    assert not any(label.startswith("Letter") for label in lines(limit_y(other, ())[1]))


def test_blinded_limits_are_called_expected(limits):
    blinded = search_limits(replace(letter_counting(), observed=None), limits.yields)
    _, ax = limit_g(blinded)
    drawn = lines(ax)
    assert not any(label.startswith("observed") for label in drawn)
    np.testing.assert_allclose(drawn["expected (exact CLs), 90 % CL"][1], blinded.couplings("exact")[:, 3])


def test_a_method_that_gives_no_limit_is_drawn_empty_and_named(limits):
    """More counts than the exact form follows: the other one is shown, and the reason."""
    many = replace(letter_counting(), backgrounds={"momentum": 5e4}, errors={"momentum": 3e3}, observed=(3e4, 2e4))
    found = search_limits(many, limits.yields)
    _, ax = limit_g(found)
    drawn = lines(ax)
    assert np.isnan(drawn["observed (exact CLs), 90 % CL"][1]).all()
    assert np.isfinite(drawn["observed (asymptotic CLs, as the Letter)"][1]).all()
    stream = io.StringIO()
    render_limits(found, Console(file=stream, width=400))
    assert "caution: no exact limit: " in stream.getvalue()
    assert "the exact limit is made for at most 20000; with so many events" in stream.getvalue()


def test_a_bounded_background_is_said_on_the_terminal(limits):
    bounded = search_limits(replace(letter_counting(), bounds={"leak": 146.0}), limits.yields)
    stream = io.StringIO()
    render_limits(bounded, Console(file=stream, width=400))
    assert "leak: known as an upper limit alone, < 146 events (given); it enters with 0" in stream.getvalue()


def test_efficiency_and_yields(limits):
    _, ax = efficiency_figure(limits)
    np.testing.assert_allclose(lines(ax)["configuration 2"][1], 100 * 0.15 * 0.87)
    _, ax = yields_figure(limits)
    np.testing.assert_allclose(lines(ax)["in the signal box, configuration 1"][1], limits.yields.events()[:, 0])
    np.testing.assert_allclose(lines(ax)["Z' produced"][1], limits.yields.per_muon * 1.98e10)


def test_figures_draw_on_given_axes(limits):
    own, given = plt.subplots()
    figure, ax = limit_g(limits, given)
    assert (figure, ax) == (own, given)


def test_tables_name_what_is_missing(limits):
    counting = replace(letter_counting(), observed=None, missing={"decays": "no simulated hadrons"})
    text = io.StringIO()
    render_limits(search_limits(counting, limits.yields), Console(file=text, width=130))
    shown = text.getvalue()
    assert "90 % CL, expected" in shown
    assert "not in the model: decays: no simulated hadrons" in shown
    assert "observed not used (expected limits only)" in shown
