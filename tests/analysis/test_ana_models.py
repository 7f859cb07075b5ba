"""Models beside the simulated bosons: axion-like particles and invisible pairs, from the registry to the limit and the file."""

from __future__ import annotations

import math

import numpy as np
import pytest

from na64mu.analysis.limits_models import BosonLimits, decay_path
from na64mu.analysis.search import limits_of
from na64mu.analysis.yields import PileUpLoss, target_of
from na64mu.analysis.yields.efficiency import FlatEfficiency
from na64mu.analysis.yields.pairs import pair_range, pair_yield
from na64mu.detector import load_detector
from na64mu.errors import InputError
from na64mu.physics.alps import HEAVIEST
from na64mu.physics.bosons import BOSONS, Mediator
from na64mu.physics.models import MODELS
from na64mu.physics.pairs import Pairs
from na64mu.report.boson_limits import boson_figure

LOSS = PileUpLoss(0.0, 0.0, "none")
FLAT = {Mediator.VECTOR: FlatEfficiency(0.1), Mediator.AXIAL: FlatEfficiency(0.1)}


@pytest.fixture(scope="module")
def target():
    return target_of(load_detector("na64mu-2022"))


@pytest.fixture(scope="module")
def alp():
    return limits_of("letter", boson="alp", masses=[0.01, 0.1, 0.2])


def test_the_registry_holds_the_bosons_and_more():
    assert MODELS | BOSONS == MODELS
    assert {"alp", "alp-pseudoscalar", "millicharge", "massless", "contact", "contact-chiral"} == set(MODELS) - set(BOSONS)
    assert all(model.source for name, model in MODELS.items() if name not in BOSONS)


def test_an_alp_that_lives_long_is_a_pseudoscalar(alp):
    plain = limits_of("letter", boson="pseudoscalar", masses=[0.01, 0.1, 0.2])
    g = BosonLimits(MODELS["alp"], alp).couplings("exact")[:, 0]
    np.testing.assert_allclose(g[0], plain.couplings("exact")[0, 0] / HEAVIEST, rtol=1e-6)
    # heavier ones decay on the way: a weaker limit, and the path matters
    near = BosonLimits(MODELS["alp"], alp, path=1.0).couplings("exact")[:, 0]
    far = BosonLimits(MODELS["alp"], alp, path=11.0).couplings("exact")[:, 0]
    assert 1.0 <= near[1] / near[1] <= far[1] / near[1] < 1.01
    assert far[2] > near[2]


def test_the_published_recast_of_alps_is_reproduced_within_a_quarter(alp):
    """arXiv:2501.06294: g_amumu > 4e-3 / GeV is excluded for light ones; ours is below it by its larger efficiency and the exact count."""
    exact, asymptotic = (BosonLimits(MODELS["alp"], alp).couplings(method)[0, 0] for method in ("exact", "asymptotic"))
    assert exact == pytest.approx(4e-3, rel=0.25)
    assert asymptotic < exact


def test_a_pseudoscalar_alp_that_decays_too_soon_has_no_limit():
    limits = limits_of("letter", boson="alp-pseudoscalar", masses=[0.01, 0.205])
    g = BosonLimits(MODELS["alp-pseudoscalar"], limits, path=decay_path(load_detector("na64mu-2022"))).couplings("exact")[:, 0]
    assert math.isfinite(g[0])
    assert g[1] == math.inf


@pytest.mark.parametrize(("boson", "mass"), [("alp", 0.22), ("contact-chiral", 0.2), ("millicharge", 2.4)])
def test_masses_beyond_a_model_are_refused(boson, mass):
    with pytest.raises(InputError, match="leave heavier ones out"):
        limits_of("letter", boson=boson, masses=[0.01, mass])


def test_pairs_are_vectors_of_every_mass(target):
    """The sum over M by another quadrature, for a light and a heavy chi."""
    from na64mu.analysis.yields.target import produced_per_muon

    pairs = MODELS["massless"].pairs
    found = pair_yield(target, FLAT, pairs, [0.01, 0.2], (0.001, 5.0), (1e10, 1e10), LOSS, reference=1.0)
    for i, m_chi in enumerate((0.01, 0.2)):
        log_m = math.log(2 * m_chi) + math.log(5.0 / (2 * m_chi)) * np.linspace(0, 1, 41) ** 3  # dense at the threshold
        made = produced_per_muon(target, np.exp(log_m), 1.0, mediator=Mediator.VECTOR)
        expected = np.trapezoid(2 * made * pairs.density(np.exp(log_m), m_chi), log_m)
        assert found.per_muon[i] == pytest.approx(expected, rel=0.01)
    np.testing.assert_allclose(found.efficiency, 0.1, rtol=1e-12)
    twice = pair_yield(target, FLAT, pairs, [0.01], (0.001, 5.0), (1e10, 1e10), LOSS, reference=2.0)
    assert twice.per_muon[0] == pytest.approx(4 * found.per_muon[0])


def test_one_chirality_is_about_an_eighth(target):
    both, left = (
        pair_yield(target, FLAT, Pairs(is_contact=True, is_chiral=c), [0.001], (0.001, 5.0), (1e10, 1e10), LOSS).per_muon[0]
        for c in (False, True)
    )
    assert left / both == pytest.approx(0.25, rel=0.05)  # a half of the pair, a quarter each of vector and axial vector


def test_pairs_that_are_too_heavy_are_refused(target):
    with pytest.raises(InputError, match="below 5 GeV"):
        pair_yield(target, FLAT, Pairs(), [2.5], (0.001, 5.0), (1e10, 1e10), LOSS)
    assert pair_range((0.001, 5.0), math.inf) == (0.0005, 2.0)


def test_the_files_name_coupling_unit_source_and_assumption(tmp_path, alp):
    lines = BosonLimits(MODELS["alp"], alp).write(tmp_path).read_text(encoding="utf-8").splitlines()
    assert (
        lines[0]
        == "# axion-like particle, derivative coupling: 90 % CL upper limits on g_amumu [1/GeV], decays to photons within 11 m are seen"
    )
    assert "arXiv:2501.06294" in lines[2]
    assert "g_amumu_exact_observed" in lines[3]
    _, ax = boson_figure(BosonLimits(MODELS["alp"], alp))
    assert "1/GeV" in ax.get_ylabel()
    limits = limits_of("letter", boson="millicharge", masses=[0.01, 0.1], efficiency=0.1)
    result = BosonLimits(MODELS["millicharge"], limits)
    assert (
        result.write(tmp_path).read_text(encoding="utf-8").splitlines()[0].endswith("pairs are not seen, m is the mass of one of the two")
    )
    assert result.quoted == result.reference_symbol == "epsilon"
    assert not any("g-2" in text.get_text() for text in boson_figure(result)[1].get_legend().get_texts())


def test_the_planned_reach_for_small_charges_is_of_the_published_size():
    """arXiv:2505.04295: 1e-4 to 7e-4 for 10 to 150 MeV with up to 1e14 muons on target, without background."""
    limits = limits_of("letter", boson="millicharge", masses=[0.01, 0.1])
    epsilon = BosonLimits(MODELS["millicharge"], limits).couplings("exact")[:, 0] * math.sqrt(sum(limits.counting.exposures) / 1e14)
    assert 1e-4 < epsilon[0] < 7e-4
    assert epsilon[1] < 2 * 7e-4
