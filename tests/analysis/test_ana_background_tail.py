"""The momentum tail: forms, fits, extrapolation, against analytic truth and toys with a known answer."""

from __future__ import annotations

import numpy as np
import pytest

from na64mu.analysis.backgrounds.fit import fit_form, form_table, minimum
from na64mu.analysis.backgrounds.forms import FORMS
from na64mu.analysis.backgrounds.sample import TailSample, tail_sample
from na64mu.analysis.backgrounds.tail import ENVELOPE, MIN_EVENTS, estimate_tail, goodness_of_fit, threshold_scan
from na64mu.errors import BackgroundError

EDGES = np.linspace(0.0, 250.0, 501)
BOX, CENTRE, U = 80.0, 160.0, 125.0
TAIL_EDGES = EDGES[160:251]


def spectrum(seed: int, fraction: float = 0.1, below: float = 0.05, n: int = 100_000) -> TailSample:
    """A Gaussian peak with a tail that is exponential in p and holds exactly `below` expected events under 80 GeV/c."""
    rng = np.random.default_rng(seed)
    slope = 80.0 / np.log(fraction * n / below)
    n_tail = rng.poisson(fraction * n)
    p = np.concatenate([rng.normal(CENTRE, 7.04, n - n_tail), CENTRE - rng.exponential(slope, n_tail)])
    return TailSample(EDGES, np.histogram(p, EDGES)[0].astype(np.float64), n_mot=float(n))


@pytest.mark.parametrize("name", FORMS)
def test_every_form_is_a_cumulative_distribution(name):
    form = FORMS[name]
    p = np.linspace(0.0, U, 60)
    parameters = form.parameter_sets()[:: max(len(form.parameter_sets()) // 40, 1)]
    f = form.fraction_below(p, U, CENTRE, parameters)
    assert f.shape == (len(parameters), 60)
    assert np.all(np.isfinite(f))
    np.testing.assert_allclose(f[:, -1], 1.0)
    assert np.all(np.diff(f, axis=1) >= 0)


def test_forms_have_their_formulas():
    one = np.array([[0.5]])
    p = np.array([80.0, 100.0])
    np.testing.assert_allclose(FORMS["exponential in p"].fraction_below(p, U, CENTRE, one)[0], np.exp(-(U - p) / (0.5 * 35)))
    k, k_u = 160 / p, 160 / U
    np.testing.assert_allclose(FORMS["exponential in k"].fraction_below(p, U, CENTRE, one)[0], np.exp(-(k - k_u) / (0.5 * (k_u - 1))))
    np.testing.assert_allclose(FORMS["power in p"].fraction_below(p, U, CENTRE, 4 * one)[0], ((160 - p) / 35) ** -2.0)
    np.testing.assert_allclose(FORMS["power in k"].fraction_below(p, U, CENTRE, 4 * one)[0], ((k - 1) / (k_u - 1)) ** -2.0)
    xi, scale = 0.25, 0.5
    y = (U - p) / 35
    pareto = FORMS["Generalised Pareto in p"]
    np.testing.assert_allclose(pareto.fraction_below(p, U, CENTRE, np.array([[xi, scale]]))[0], (1 + xi * y / scale) ** (-1 / xi))
    np.testing.assert_allclose(pareto.fraction_below(p, U, CENTRE, np.array([[0.0, scale]]))[0], np.exp(-y / scale))
    assert pareto.fraction_below(np.array([80.0]), U, CENTRE, np.array([[-0.5, 0.5]]))[0, 0] == 0.0  # it ends at y = 1


@pytest.mark.parametrize(
    ("name", "parameter"), [("exponential in p", 0.25), ("exponential in k", 0.4), ("power in p", 6.0), ("power in k", 9.0)]
)
def test_a_spectrum_of_a_form_gives_its_extrapolation_back(name, parameter):
    f = FORMS[name].fraction_below(np.concatenate([[0.0], TAIL_EDGES]), U, CENTRE, np.array([[parameter]]))[0]
    counts = 1e4 * np.diff(f[1:])
    fit = fit_form(form_table(FORMS[name], TAIL_EDGES, CENTRE), counts)
    assert fit.value == pytest.approx(1e4 * (f[1] - f[0]), rel=2e-3)
    assert fit.low < fit.value < fit.high < fit.upper
    assert fit.scaled(2.0).upper == 2 * fit.upper
    assert fit.name in repr(fit)


def test_the_exponential_slope_and_interval_are_those_of_the_analytic_likelihood():
    """Far from the box, the truncated exponential has the mean excess as its slope, and sd(ln N80) = sqrt((1 + tau^2) / n)."""
    rng = np.random.default_rng(5)
    excess = rng.exponential(5.0, 500)
    counts = np.histogram(U - excess, TAIL_EDGES)[0].astype(np.float64)
    fit = fit_form(form_table(FORMS["exponential in p"], TAIL_EDGES, CENTRE), counts)
    binned_mean = float(counts @ (U - 0.5 * (TAIL_EDGES[1:] + TAIL_EDGES[:-1]))) / counts.sum()
    expected = counts.sum() * np.exp(-45.0 / binned_mean)
    assert np.log(fit.value) == pytest.approx(np.log(expected), abs=0.1)  # a hundredth of the slope
    tau = 45.0 / binned_mean
    assert 0.5 * np.log(fit.high / fit.low) == pytest.approx(np.sqrt((1 + tau**2) / counts.sum()), rel=0.1)


def test_many_spectra_are_fitted_like_one():
    table = form_table(FORMS["power in p"], TAIL_EDGES, CENTRE)
    rng = np.random.default_rng(2)
    counts = rng.poisson(np.exp(-np.linspace(3, 0, len(TAIL_EDGES) - 1)), size=(5, len(TAIL_EDGES) - 1)).astype(np.float64)
    _, together = minimum(table, counts)
    for row, ratio in zip(counts, together, strict=True):
        assert minimum(table, row[None, :])[1][0] == pytest.approx(ratio, rel=1e-6)


def test_a_true_form_passes_and_a_wrong_one_fails_the_goodness_of_fit():
    f = FORMS["exponential in p"].fraction_below(TAIL_EDGES, U, CENTRE, np.array([[0.3]]))[0]
    generator = np.random.default_rng(1)
    counts = generator.poisson(3000 * np.diff(f)).astype(np.float64)
    values = {
        name: goodness_of_fit(form_table(FORMS[name], TAIL_EDGES, CENTRE), counts, n_toys=200, generator=generator) for name in ENVELOPE
    }
    assert values["exponential in p"] > 0.05
    assert values["power in p"] < 0.03


def test_the_estimate_of_a_known_tail_contains_the_truth():
    contained = 0
    for seed in range(8):
        estimate = estimate_tail(spectrum(seed), seed=seed, threshold=U, n_bootstrap=200, n_toys=50)
        contained += estimate.envelope[0] <= 0.05 <= estimate.envelope[1]
        assert estimate.upper > 0.05
        assert estimate.statistical[0] < estimate.value < estimate.statistical[1]
        assert {form.name for form in estimate.forms} == set(ENVELOPE)
        assert estimate.nominal in estimate.forms
    assert contained >= 6


def test_threshold_and_range_follow_the_peak():
    estimate = estimate_tail(spectrum(1), seed=1, n_bootstrap=50, n_toys=20)
    assert estimate.threshold == pytest.approx(160 - 5 * 7.04, abs=1.5)  # the tail widens the peak a little
    assert estimate.box_edge == 80.0
    scan = threshold_scan(spectrum(1), (4.5, 5.0), seed=1)
    assert scan[0].threshold > scan[1].threshold
    assert scan[0].n_tail > scan[1].n_tail


def test_nothing_below_the_box_edge_is_looked_at():
    sample = spectrum(3)
    counts = sample.counts.copy()
    counts[:160] += 50.0  # moves the median by a hair, which the fixed bin edges of the fit do not see
    other = TailSample(EDGES, counts, n_mot=sample.n_mot)
    here, there = (estimate_tail(s, seed=1, threshold=U, n_bootstrap=20, n_toys=20) for s in (sample, other))
    assert here.n_tail == there.n_tail
    assert [f.value for f in there.forms] == pytest.approx([f.value for f in here.forms], rel=0.05)


def test_equal_seeds_give_equal_estimates_and_scale_with_exposure():
    sample = spectrum(4)
    one, two = (estimate_tail(sample, seed=7, threshold=U, n_bootstrap=100, n_toys=20) for _ in range(2))
    assert one == two
    more = one.scaled(2e5)
    assert more.value == pytest.approx(2 * one.value)
    assert more.upper == pytest.approx(2 * one.upper)
    assert more.n_mot == 2e5
    assert "nominal" in repr(more)


def test_soft_muons_do_not_move_the_peak():
    sample = spectrum(2)
    counts = sample.counts.copy()
    counts[20:200] += 5000.0  # as many below 100 GeV/c as in the peak
    other = TailSample(EDGES, counts)
    assert (other.centre, other.sigma) == (sample.centre, sample.sigma)
    assert sample.sigma == pytest.approx(7.04, rel=0.02)


def test_the_tail_of_one_trigger_is_normalised_to_another():
    shape = spectrum(4)
    rate = TailSample(EDGES, np.round(shape.counts / 1000.0), n_mot=5e8)
    one = estimate_tail(shape, seed=7, threshold=U, n_bootstrap=50, n_toys=20)
    other = one.normalised_to(shape, rate)
    assert other.n_mot == 5e8
    assert other.value == pytest.approx(one.value * rate.n_core / shape.n_core)
    assert other.upper / one.upper == pytest.approx(1e-3, rel=0.1)


def test_weights_scale_the_estimate_and_not_its_relative_error():
    sample = spectrum(4)
    one = estimate_tail(sample, seed=7, threshold=U, n_bootstrap=100, n_toys=20)
    half = estimate_tail(TailSample(EDGES, sample.counts, 0.5, sample.n_mot), seed=7, threshold=U, n_bootstrap=100, n_toys=20)
    assert half.value == pytest.approx(0.5 * one.value)
    assert half.statistical[1] == pytest.approx(0.5 * one.statistical[1])


def test_too_few_events_give_an_upper_limit_and_say_so():
    counts = np.zeros(500)
    counts[300:340] = 100.0
    estimate = estimate_tail(TailSample(EDGES, counts, n_mot=1e4), seed=1)
    assert estimate.nominal is None
    assert estimate.n_tail < MIN_EVENTS
    assert np.isnan(estimate.value)
    assert estimate.upper == pytest.approx(-np.log(0.05))  # classical, no event
    assert "too few events for a fit: < 3" in repr(estimate)
    assert estimate.scaled(2e4).upper == pytest.approx(-2 * np.log(0.05))


@pytest.mark.parametrize("threshold", [80.0, 81.0, 170.0])
def test_an_impossible_threshold_is_refused(threshold):
    with pytest.raises(BackgroundError, match="it must lie between the box edge 80 and the peak at"):
        estimate_tail(spectrum(1), seed=1, threshold=threshold)


def test_without_bookkeeping_nothing_is_scaled():
    with pytest.raises(BackgroundError, match="no muons on target behind it"):
        estimate_tail(TailSample(EDGES, spectrum(1).counts), seed=1, threshold=U, n_bootstrap=20, n_toys=20).scaled(1e10)


class Result:
    """What `tail_sample` needs of a RunResult."""

    def __init__(self, histogram):
        self.datasets = ("mc",)
        self._histogram = histogram

    def histogram(self, name, dataset=None):
        return {"momentum_tail": self._histogram}[name] if self._histogram is not None else {}[name]

    @property
    def exposure(self):
        from na64mu.results.exposure import Exposure, RunExposure

        return Exposure((RunExposure("mc", 1, 1, 1000, 900.0, 1000, 1000.0, 900.0, 0.0, 90, 10),))


def filled(weight: float):
    import hist

    h = hist.Hist(
        hist.axis.StrCategory(("calibration", "physics"), name="trigger"),
        hist.axis.Regular(500, 0, 250, name="p_out"),
        storage=hist.storage.Weight(),
    )
    h.fill("physics", [160.2] * 8 + [100.2], weight=weight)
    return h


def test_the_sample_is_taken_from_an_output_folder():
    sample = tail_sample(Result(filled(0.5)))
    assert sample.scale == 0.5
    assert sample.counts.sum() == pytest.approx(9.0)
    assert sample.n_mot == 900.0
    assert sample.centre == pytest.approx(160.2, abs=0.3)
    assert "from 900 muons on target" in repr(sample)


@pytest.mark.parametrize(
    ("histogram", "trigger", "message"),
    [
        (None, "physics", r"no histogram 'momentum_tail' of trigger 'physics' .* make it again with `na64mu run`"),
        (filled(1.0), "random", "there is no trigger 'random': known are calibration, physics"),
        (filled(1.0), "calibration", "no MIP-tagged muon of the calibration trigger above 120 GeV/c in any dataset"),
    ],
)
def test_a_missing_or_empty_spectrum_is_named(histogram, trigger, message):
    with pytest.raises(BackgroundError, match=message):
        tail_sample(Result(histogram), trigger=trigger)
