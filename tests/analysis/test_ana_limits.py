"""Limits of the search: against scaling laws, by both methods; from an output folder; curves and crossings."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from na64mu.analysis.backgrounds.table import Entry
from na64mu.analysis.counting import Counting, counting_of, letter_counting
from na64mu.analysis.curves import crossing, g_minus_2_line, letter_numbers, other_bounds, other_limits, relic_targets
from na64mu.analysis.limits import DarkSector, search_limits
from na64mu.analysis.limits_files import at_mass, compared, limits_dict, write_tables
from na64mu.analysis.plane_files import write_plane
from na64mu.analysis.yields import PileUpLoss, SignalYield
from na64mu.errors import InputError
from na64mu.physics.couplings import coupling_from_y
from na64mu.physics.widths import DarkMatter, invisible_fraction

MASSES = np.array([0.01, 0.04, 0.1, 0.12, 0.5, 1.0])
EXPOSURES = (1.17e10, 8.1e9)


def yields_at(masses=MASSES, exposures=EXPOSURES, efficiency=0.1, error=0.002) -> SignalYield:
    """A signal that falls as 1/m^2, so that every limit is known on paper."""
    n = len(masses)
    return SignalYield(
        masses=masses,
        g_ref=1e-4,
        exposures=exposures,
        per_muon=7.7e-11 * (0.1 / masses) ** 2,
        invisible=np.asarray(invisible_fraction(masses, 1e-4)),
        efficiency=np.full((n, 2), efficiency),
        efficiency_error=np.full((n, 2), error),
        pile_up_loss=PileUpLoss(0.13, 0.0, "published"),
    )


@pytest.fixture(scope="module")
def limits():
    return search_limits(letter_counting(), yields_at())


def test_exact_limit_is_2_3_events(limits):
    # a = -ln 0.1 without systematics; with a log-normal signal of variance v and mean 1 + d it is a + v a^2 / 2 - d a to first order
    shared = sum(math.log(1 + r) ** 2 for r in (0.02, 0.024, 0.014, 0.01, 0.04))
    own = sum(math.log(1 + r) ** 2 for r in (0.01, 0.05, 0.02))
    shares = np.array(EXPOSURES) / sum(EXPOSURES)
    a, v, d = math.log(10.0), shared + own * np.sum(shares**2), 0.5 * (shared + own)
    np.testing.assert_allclose(limits.events("exact")[:, 0], a + 0.5 * v * a**2 - d * a, atol=5e-4)
    np.testing.assert_allclose(limits.events("asymptotic")[:, 0], 1.440, atol=0.004)


def test_couplings_follow_from_events(limits):
    seen = limits.yields.events().sum(axis=1)
    for method in ("asymptotic", "exact"):
        expected = 1e-4 * np.sqrt(limits.events(method) / seen[:, None])
        np.testing.assert_allclose(limits.couplings(method), expected, rtol=1e-12)
    # four times the muons with no more background: half the coupling, up to the background in the asymptotic form
    more = search_limits(
        replace(letter_counting(), exposures=tuple(4 * n for n in EXPOSURES)), yields_at(exposures=tuple(4 * n for n in EXPOSURES))
    )
    np.testing.assert_allclose(more.couplings("exact")[:, 0], 0.5 * limits.couplings("exact")[:, 0], rtol=1e-9)


def test_y_at_the_published_point_is_the_published_y_if_the_coupling_is(limits):
    letter = letter_numbers()["limit"]["y"]
    assert float(coupling_from_y(letter["value"], 0.05, 0.04, 0.12)) == pytest.approx(4.41e-4, rel=1e-3)
    row = {c.what: c for c in compared(limits)}
    y, g = row["y at m_chi = 40 MeV"], row["g at m_Z' = 120 MeV (from that y)"]
    assert (y.exact / y.letter) == pytest.approx((g.exact / g.letter) ** 2, rel=1e-9)
    assert (y.letter, g.letter) == (6e-12, pytest.approx(4.41e-4, rel=1e-3))
    assert y.ratio == pytest.approx(y.asymptotic / 6e-12)


def test_dark_matter_hides_the_muons(limits):
    # below 2 m_mu everything is invisible either way; above, chi takes the whole width unless g is near g_chi
    g, dark = limits.couplings("exact")[:, 0], limits.dark_couplings("exact")[:, 0]
    np.testing.assert_allclose(dark[:4], g[:4], rtol=1e-9)
    assert np.all(dark[4:] < g[4:])
    fraction = [float(invisible_fraction(m, x, 0.05, m / 3, DarkMatter.PSEUDO_DIRAC)) for m, x in zip(MASSES, dark, strict=True)]
    np.testing.assert_allclose(dark * np.sqrt(fraction), g * np.sqrt(limits.yields.invisible), rtol=1e-9)
    weak = replace(limits, dark=DarkSector(dark_coupling=1e-6))
    assert np.all(weak.dark_couplings("exact")[4:, 0] > dark[4:])


def test_blinded_counts_give_expected_limits_only(limits):
    counting = replace(letter_counting(), observed=None)
    blinded = search_limits(counting, yields_at())
    for method in ("asymptotic", "exact"):
        assert np.all(np.isnan(blinded.couplings(method)[:, 0]))
        np.testing.assert_allclose(blinded.couplings(method)[:, 3], limits.couplings(method)[:, 3], rtol=1e-9)
    assert all(row["g_exact_observed"] is None for row in limits_dict(blinded)["limits"])
    assert not math.isnan(compared(blinded)[0].exact)


def test_one_configuration_alone(limits):
    exposures = (0.0, 1.98e10)
    alone = search_limits(replace(letter_counting(), exposures=exposures), yields_at(exposures=exposures))
    model = next(iter(alone.models.values()))
    assert model.channels == ("config_2",)
    assert model.total_background == pytest.approx(0.07)
    np.testing.assert_allclose(alone.couplings("exact")[:, 0], limits.couplings("exact")[:, 0], rtol=5e-3)


def test_no_signal_and_other_exposures_are_refused():
    with pytest.raises(InputError, match=r"no signal is expected at 0\.01 GeV"):
        search_limits(letter_counting(), yields_at(efficiency=0.0))
    with pytest.raises(InputError, match="make both for the same exposure"):
        search_limits(letter_counting(), yields_at(exposures=(1e10, 1e10)))


def test_files_hold_every_mass_and_source(limits, tmp_path):
    paths = write_tables(limits, tmp_path)
    assert [p.name for p in paths] == ["limits.csv", "yields.csv", "systematics.csv"]
    lines = [line for line in paths[0].read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    head, first = lines[0].split(","), lines[1].split(",")
    assert len(lines) == 1 + len(MASSES)
    row = dict(zip(head, map(float, first), strict=True))
    assert row["g_exact_observed"] == pytest.approx(limits.couplings("exact")[0, 0], rel=1e-5)
    assert row["n_asymptotic_expected"] == pytest.approx(limits.events("asymptotic")[0, 3], rel=1e-5)
    sources = paths[2].read_text(encoding="utf-8")
    for name in ("weizsaecker_williams", "trigger_alignment", "efficiency_statistics", "background_momentum"):
        assert sources.count(f",{name},") == len(MASSES)
    json.dumps(limits_dict(limits), allow_nan=False)


def test_quantities_between_and_outside_the_masses(limits):
    line = limits.masses**-2
    assert at_mass(limits, line, 0.03) == pytest.approx(0.03**-2, rel=1e-12)
    assert math.isnan(at_mass(limits, line, 2.0))


def test_crossing_does_not_depend_on_the_grid():
    """Two nearly parallel curves, as limit and edge of the band are."""

    def limit(m):
        return 4e-4 * (m / 0.02) ** (0.3 + 0.05 * np.log(m / 0.02))

    def line(m):
        return 4.2e-4 * (m / 0.02) ** 0.5

    found = [crossing(m, limit(m), line(m))[0] for m in (np.geomspace(0.001, 0.1, n) for n in (17, 20, 40, 401))]
    assert np.ptp(found) < 0.01 * found[-1]


def test_crossing_of_power_laws():
    m = np.geomspace(0.001, 1.0, 31)
    flat = np.full(31, 5e-4)
    assert crossing(m, flat, 5e-4 * (m / 0.04)) == (pytest.approx(0.04, rel=1e-9), pytest.approx(math.nan, nan_ok=True))
    first, last = crossing(m, 5e-4 * (m / 0.3), flat)
    assert math.isnan(first)
    assert last == pytest.approx(0.3, rel=1e-9)
    assert all(math.isnan(v) for v in crossing(m, 2 * flat, flat))


def test_g_minus_2_band_against_the_reference():
    expected = {0.01: (3.92e-4, 5.01e-4, 5.91e-4), 0.1: (7.37e-4, 9.42e-4, 11.1e-4), 1.0: (42.1e-4, 53.8e-4, 63.4e-4)}
    for mass, values in expected.items():
        got = [float(g_minus_2_line(np.array([mass]), s)[0]) for s in (-2.0, 0.0, 2.0)]
        assert got == pytest.approx(values, rel=5e-3)


def test_curves_of_others_are_lines():
    curves = {c.name: c for c in other_limits()}
    assert set(curves) == {"BaBar", "Belle II 2019", "Borexino", "CCFR", "CCFR, other calculation"}
    assert all(np.all(np.diff(c.x) > 0) and c.x[0] > 0 for c in curves.values())


def test_every_bound_has_source_and_level_and_a_curve_or_what_is_printed():
    bounds = other_bounds()
    assert all(bool(b.checked) != ("unconfirmed" in b.level) for b in bounds)  # what could not be read is marked where it is printed
    assert {b.name for b in bounds if b.is_new} == {"CCFR, other calculation", "Belle II 178 / fb", "BESIII", "NA64e"}
    assert all(b.source and ("CL" in b.level or "credibility" in b.level) and (b.file or b.masses or b.note) for b in bounds)


def test_the_plane_as_files_says_what_is_new(limits, tmp_path):
    plane, bounds = write_plane(limits, tmp_path)
    first, *_ = csv.DictReader(line for line in plane.read_text().splitlines() if not line.startswith("#"))
    assert float(first["g_minus_2_2025_26_+2_sigma"]) == pytest.approx(4.09e-4, rel=0.01)
    assert float(first["g_minus_2_Letter_-2_sigma"]) == pytest.approx(3.92e-4, rel=0.01)
    assert "g_minus_2_2025_26_-2_sigma" not in first
    assert float(first["g_CCFR_other_calculation"]) == pytest.approx(8.24e-4, rel=0.01)
    rows = {row["name"]: row for row in csv.DictReader(line for line in bounds.read_text().splitlines() if not line.startswith("#"))}
    assert (rows["BESIII"]["newer_than_the_letter"], rows["BESIII"]["g_high"]) == ("yes", "0.01")
    assert rows["BaBar"]["column_of_plane_csv"] == "g_BaBar"


def test_our_tridents_are_15_per_cent_weaker_than_the_other_calculation():
    curves = {c.name: c for c in other_limits()}
    ours, other = curves["CCFR"], curves["CCFR, other calculation"]
    ratio = np.exp(np.interp(np.log(other.x), np.log(ours.x), np.log(ours.y))) / other.y
    np.testing.assert_allclose(ratio[1:4], 1.15, atol=0.03)  # 10 to 100 MeV
    assert np.all(ratio > 1.0)
    assert ratio[-1] < ratio[1]  # they meet where the boson is heavy


def test_relic_targets_against_the_reference():
    curves = {c.name: c for c in relic_targets([0.1], 0.05, 3.0)}
    for name, y in (("pseudo-dirac", 6.69e-11), ("majorana", 7.1e-10), ("scalar", 1.27e-9)):
        assert curves[name].y[0] == pytest.approx(y, rel=0.15)  # the reference is semi-analytic, 6 to 14 % low
    with pytest.raises(InputError, match=r"relic target of pseudo-dirac dark matter of 0\.1 GeV"):
        relic_targets([0.1], 0.05, 1.2)


#: Backgrounds with one estimate, one upper limit and one that is missing.
ESTIMATES = SimpleNamespace(
    missing={"decays": "no dataset of simulated beam hadrons was named"},
    table=SimpleNamespace(
        rows=(
            SimpleNamespace(name="momentum", ours=Entry(0.05, 0.03)),
            SimpleNamespace(name="decays", ours=Entry(math.nan)),
            SimpleNamespace(name="hadrons", ours=Entry(0.02, is_upper=True, note="E_CAL spectrum; cross-check D X / Y")),
            SimpleNamespace(name="total", ours=Entry(0.07, 0.03)),
        )
    ),
)


def result_with(n, *, blinded=False, n_mot=(3e9, 1e9), split=None):
    runs = tuple(
        SimpleNamespace(dataset="both", run=1, config=config, g_ref=0.0, sum_weights=0.0, n_mot=n_mot[config - 1]) for config in (1, 2)
    )
    by_config = {} if split is None else {f"box_after_{i}": SimpleNamespace(n=k) for i, k in enumerate(split, 1)}
    return SimpleNamespace(
        datasets=("both",),
        blinded={"both": blinded},
        regions={"both": {"box_after": SimpleNamespace(n=n), **by_config}},
        provenance=SimpleNamespace(selection_hash="", detectors={}, calibrations={}),
        losses=(),
        exposure=SimpleNamespace(runs=runs, n_mot=lambda _dataset, config: n_mot[config - 1]),
    )


def test_counting_of_an_output_folder():
    counting = counting_of(result_with(0), ESTIMATES)
    assert counting.methods == {"momentum": "", "hadrons": "E_CAL spectrum; cross-check D X / Y"}
    assert counting.exposures == (3e9, 1e9)
    assert counting.backgrounds == {"momentum": 0.05}
    assert counting.errors == {"momentum": 0.03}
    assert counting.bounds == {"hadrons": 0.02}  # an upper limit is no expectation
    assert counting.observed == (0.0, 0.0)
    assert "decays" in counting.missing
    assert counting_of(result_with(0, blinded=True), None).observed is None


def test_counting_can_be_projected():
    counting = counting_of(result_with(0), None, n_mot=8e11)
    assert counting.exposures == (6e11, 2e11)
    assert counting.observed is None
    assert counting.backgrounds["momentum"] == pytest.approx(0.05 * 8e11 / 1.98e10)


def test_counts_that_cannot_be_told_apart_are_refused():
    assert counting_of(result_with(3, split=(1, 2)), None).observed == (1.0, 2.0)
    # an output folder of an earlier version does not say it
    with pytest.raises(
        InputError, match=r"2 events in the signal box and runs of the configurations \[1, 2\], and this output folder does not"
    ):
        counting_of(result_with(2), None)
    with pytest.raises(InputError, match="no dataset 'physics' in the output folder: there are both"):
        counting_of(result_with(0), None, datasets=["physics"])
    with pytest.raises(InputError, match="no muons on target in both: limits need the bookkeeping"):
        counting_of(result_with(0, n_mot=(0.0, 0.0)), None)


@pytest.mark.parametrize("n", [0, 1, 5])
def test_a_bounded_background_never_makes_the_limit_stronger(n, limits):
    counting = replace(letter_counting(), observed=(float(n), 0.0), bounds={"leak": 146.0})
    bounded = search_limits(counting, yields_at())
    plain = search_limits(replace(counting, bounds={}), yields_at())
    for method in ("asymptotic", "exact"):
        np.testing.assert_array_equal(bounded.couplings(method), plain.couplings(method))
    other = bounded.at_the_bounds()
    assert other.background == pytest.approx(146.07)
    here = bounded.scan.limits[2]
    assert other.exact.observed <= here.exact.observed * (1 + 1e-9)  # more background: a stronger limit, so none is the safe side
    assert other.exact.median > 8 * here.exact.median
    first, last = bounded.bound_notes()
    assert first == "leak: known as an upper limit alone, < 146 events (given); it enters with 0"
    assert f"with 146 events, all upper limits in full, {other.exact.observed * other.signal:.3g} observed" in last
    assert plain.bound_notes() == []
    assert plain.at_the_bounds() is None
    assert limits_dict(bounded)["bounded_backgrounds"] == {"leak": 146.0}


def test_a_bound_of_thousands_of_events_has_no_limit_and_says_so():
    counting = replace(letter_counting(), observed=(0.0, 0.0), bounds={"leak": 4075.0})
    note = search_limits(counting, yields_at()).bound_notes()[-1]
    assert "with 4.08e+03 events, all upper limits in full, no limit (" in note


def test_letter_counting_is_table_one():
    counting = letter_counting()
    assert isinstance(counting, Counting)
    assert sum(counting.backgrounds.values()) == pytest.approx(0.07)
    assert sum(counting.exposures) == pytest.approx(1.98e10)
