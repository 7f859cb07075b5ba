"""The efficiency map in (x, psi'): counts, averages, other bosons, files."""

from __future__ import annotations

import numpy as np
import pytest

from na64mu.analysis.yields.kinematics import KinematicMap, KinematicSample, boson_share, build_map
from na64mu.errors import InputError
from na64mu.physics.bosons import Mediator
from na64mu.physics.production import sample_kinematics, tabulate


def passes(x, psi, config):
    """A toy acceptance: soft and away from the beam."""
    return (x > 0.5) & (psi * (1.0 - x) > (4e-4 if config == 1 else 3e-4))


@pytest.fixture(scope="module")
def table():
    samples = []
    for mass in (0.01, 0.1, 0.3, 1.0):
        drawn = tabulate(160.0, mass, 1.0, 82.0, 207.2)
        for config in (1, 2):
            x, psi = sample_kinematics(drawn, 60_000, np.random.default_rng(round(1e3 * mass) + config))
            keep = passes(x, psi, config)
            samples.append(KinematicSample(mass, config, 60_000, x[keep], psi[keep]))
    return build_map(samples, 160.0, {"what": "toy"})


@pytest.mark.parametrize("mass", [0.03, 0.1, 0.5])
def test_a_mass_that_was_not_simulated_has_the_right_efficiency(table, mass):
    x, psi = sample_kinematics(tabulate(160.0, mass, 1.0, 82.0, 207.2), 200_000, np.random.default_rng(9))
    for config in (1, 2):
        value, error, uncovered = table.average(boson_share(table, mass, Mediator.VECTOR), config)
        assert value == pytest.approx(passes(x, psi, config).mean(), rel=0.05)
        assert 0 < error < 0.1 * value
        assert uncovered < 0.01


def test_a_scalar_is_not_a_vector(table):
    of_scalar = table.of_boson(Mediator.SCALAR).efficiency(np.array([0.1]), 1)[0][0]
    x, psi = sample_kinematics(tabulate(160.0, 0.1, 1.0, 82.0, 207.2, mediator=Mediator.SCALAR), 200_000, np.random.default_rng(3))
    assert of_scalar == pytest.approx(passes(x, psi, 1).mean(), rel=0.05)
    assert of_scalar > 1.2 * table.average(boson_share(table, 0.1, Mediator.VECTOR), 1)[0]


def test_what_was_not_simulated_counts_as_lost_and_is_said(table):
    assert table.average(table.share(np.full(10, 0.2), np.full(10, 2.0)), 1) == (0.0, 0.0, 1.0)
    short = KinematicMap(np.zeros_like(table.generated), np.zeros_like(table.selected), 160.0)
    with pytest.raises(InputError, match=r"scalar of 0\.1 GeV: 100\.0 % of its .* no simulated muons"):
        short.of_boson(Mediator.SCALAR).efficiency(np.array([0.1]), 1)
    with pytest.raises(InputError, match="GeV"):
        table.of_boson(Mediator.SCALAR).efficiency(np.array([500.0]), 1)


def test_a_map_is_read_back(table, tmp_path):
    again = KinematicMap.read(table.write(tmp_path / "map.json"))
    np.testing.assert_allclose(again.generated, table.generated, atol=0.05)
    np.testing.assert_array_equal(again.selected, table.selected)
    assert again.provenance == {"what": "toy"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "cannot be read as a map of efficiencies"),
        ('{"format_version": 7}', "format_version 1 expected, found 7"),
        (
            '{"format_version": 1, "energy": 160, "x_edges": [0, 1], "psi_edges": [0, 1], "generated": [[[1]]], "selected": [[[1]]], "provenance": {}}',
            r"the edges ask for \(2, 1, 1\)",
        ),
    ],
)
def test_other_files_are_refused(text, message, tmp_path):
    (tmp_path / "map.json").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        KinematicMap.read(tmp_path / "map.json")


def test_the_shipped_map_gives_the_shipped_efficiencies():
    from na64mu.analysis.yields import EfficiencyTable

    shipped, direct = KinematicMap.read(), EfficiencyTable.read()
    for config in (1, 2):
        for mass in (0.04, 0.1, 0.5):
            value, error, _ = shipped.average(boson_share(shipped, mass, Mediator.VECTOR), config)
            wanted, own = (float(v[0]) for v in direct.efficiency(np.array([mass]), config))
            assert value == pytest.approx(wanted, rel=0.1, abs=4 * np.hypot(error, own))
