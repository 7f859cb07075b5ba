"""Recast of events of a generator and of a function: our own Z' comes back; what is no such file or function is said."""

from __future__ import annotations

import gzip
import json
import math

import numpy as np
import pytest

import na64mu
from na64mu.analysis.recast_events import is_event_file, read_events, table_of_density
from na64mu.analysis.yields import KinematicMap, target_of
from na64mu.analysis.yields.kinematics import boson_share
from na64mu.analysis.yields.target import CM2_PER_PB
from na64mu.detector import load_detector
from na64mu.errors import InputError
from na64mu.physics.bosons import Mediator
from na64mu.physics.constants import MUON_MASS
from na64mu.physics.production import sample_kinematics, tabulate
from na64mu.physics.weizsaecker import dsigma_dx_dcos_muon

ENERGY, MASS, LEAD, SIGMA = 159.4, 0.1, 193.0, 50.0
PDG = 1000822080


@pytest.fixture(scope="module")
def target():
    return target_of(load_detector("na64mu-2022"))


@pytest.fixture(scope="module")
def kinematics():
    return sample_kinematics(tabulate(ENERGY, MASS, 1.0, 82.0, 207.2), 400, np.random.default_rng(3))


def momenta(x, psi, boost):
    """Codes, directions and four-momenta (energy last) of one event; the nucleus is at rest, or all move along z with it."""
    out = (1 - x) * ENERGY
    p, l, k = (math.sqrt(e**2 - m**2) for e, m in ((ENERGY, MUON_MASS), (out, MUON_MASS), (x * ENERGY, MASS)))  # noqa: E741
    theta = -math.asin(min(1.0, l * math.sin(psi) / k))
    rows = [
        (13, -1, (0.0, 0.0, p, ENERGY)),
        (PDG, -1, (0.0, 0.0, 0.0, LEAD)),
        (13, 1, (l * math.sin(psi), 0.0, l * math.cos(psi), out)),
        (PDG, 1, (0.0, 0.0, 0.0, LEAD)),
        (5000521, 1, (k * math.sin(theta), 0.0, k * math.cos(theta), x * ENERGY)),
    ]
    c, s = math.cosh(boost), math.sinh(boost)
    return [(pdg, way, tuple(map(float, (a, b, c * z + s * e, c * e + s * z)))) for pdg, way, (a, b, z, e) in rows]


def les_houches(path, kinematics, boost=0.0, pdg_in=13):
    text = f"<LesHouchesEvents version='3.0'>\n<init>\n13 1000822080 160 0 0 0 0 0 3 1\n{SIGMA:g} 0.1 1 1\n</init>\n"
    for x, psi in zip(*kinematics, strict=True):
        rows = momenta(x, psi, boost)
        text += f"<event>\n{len(rows)} 1 1.0 -1 -1 -1\n"
        text += "".join(
            f"{pdg_in if i == 0 else pdg} {way} 0 0 0 0 {a!r} {b!r} {z!r} {e!r} 0 0 9\n" for i, (pdg, way, (a, b, z, e)) in enumerate(rows)
        )
        text += "</event>\n"
    opened = gzip.open if str(path).endswith(".gz") else open
    with opened(path, "wt", encoding="utf-8") as stream:
        stream.write(text + "</LesHouchesEvents>\n")
    return path


def hepmc(path, kinematics):
    text = "HepMC::Version 3.02.05\nHepMC::Asciiv3-START_EVENT_LISTING\nW Weight\n"
    for i, (x, psi) in enumerate(zip(*kinematics, strict=True)):
        text += f"E {i} 1 5\nU MEV MM\nW 1.0\nA 0 GenCrossSection {SIGMA:g} 0.1 -1 -1\n"
        for n, (pdg, way, (a, b, z, e)) in enumerate(momenta(x, psi, 0.0), start=1):
            text += f"P {n} 0 {pdg} {1e3 * a!r} {1e3 * b!r} {1e3 * z!r} {1e3 * e!r} 0 {4 if way < 0 else 1}\n"
    path.write_text(text + "HepMC::Asciiv3-END_EVENT_LISTING\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(("name", "boost"), [("e.lhe", 0.0), ("e.lhe.gz", -1.5), ("e.hepmc", 0.0)])
def test_events_give_their_kinematics_back(tmp_path, target, kinematics, name, boost):
    path = hepmc(tmp_path / name, kinematics) if "hepmc" in name else les_houches(tmp_path / name, kinematics, boost)
    assert is_event_file(path)
    table = read_events(path, target)
    np.testing.assert_allclose(table.columns["x"], kinematics[0], rtol=1e-6)
    np.testing.assert_allclose(table.columns["psi_rad"], kinematics[1], rtol=1e-4, atol=1e-7)
    assert len(table.masses) == 1
    assert table.masses[0] == pytest.approx(MASS, rel=1e-3)
    lead = 7.42e23  # nuclei of lead in 22.5 cm of 150 plates [1/cm^2]
    assert table.columns["per_mot"].sum() == pytest.approx(SIGMA * CM2_PER_PB * lead, rel=0.01)


def test_a_continuum_is_one_point_of_the_mean_mass(tmp_path, target, kinematics):
    path = hepmc(tmp_path / "e.hepmc", kinematics)
    lines = path.read_text(encoding="utf-8").splitlines()
    rng = np.random.default_rng(1)
    spread = [
        " ".join([*w[:7], repr(float(w[7]) * rng.uniform(1.0005, 1.002)), *w[8:]])
        if len(w := line.split()) == 10 and w[3] == "5000521"
        else line
        for line in lines
    ]
    path.write_text("\n".join(spread) + "\n", encoding="utf-8")
    assert len(read_events(path, target).masses) == 1


def test_recast_takes_the_file_and_the_command_line_too(tmp_path, kinematics):
    from click.testing import CliRunner

    from na64mu.cli import main

    path = les_houches(tmp_path / "e.lhe", kinematics)
    found = na64mu.recast(path, reference=1e-4)
    answer = CliRunner().invoke(main, ["recast", str(path), "-o", str(tmp_path / "out"), "--json"])
    assert answer.exit_code == 0, answer.output
    content = json.loads(answer.stdout)
    assert content["limits"][0]["g_exact_observed"] == pytest.approx(found.couplings("exact")[0, 0], rel=1e-5)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.replace("\n13 -1", "\n11 -1"), "one muon .13. and one nucleus are wanted"),
        (lambda t: t.replace("\n5000521 1", "\n5000521 2"), "0 particles besides"),
        (lambda t: t.replace("\n50 0.1 1 1", "\n0 0.1 1 1"), "a cross-section above zero"),
        (lambda t: t.replace("<event>", "<nothing>"), "0 events"),
        (lambda t: t.replace("\n5 1 1.0", "\nfive 1 1.0"), "is not Les Houches text"),
    ],
)  # fmt: skip
def test_a_wrong_event_file_is_said(tmp_path, target, kinematics, change, words):
    path = les_houches(tmp_path / "e.lhe", [v[:2] for v in kinematics])
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(InputError, match=words):
        read_events(path, target)


def test_a_missing_file_and_another_version_of_hepmc_are_said(tmp_path, target):
    with pytest.raises(InputError, match="cannot be read"):
        read_events(tmp_path / "none.lhe", target)
    (tmp_path / "old.hepmc").write_text("HepMC::Version 2.06\nE 1\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"is not HepMC 3 text .HepMC::Asciiv3 is not in its head"):
        read_events(tmp_path / "old.hepmc", target)


def ours(mass, x, psi):
    """Our own Z' of g = 1e-4, by Weizsaecker and Williams."""
    return 7.42e-13 * dsigma_dx_dcos_muon(x, psi, ENERGY, mass, 1e-4, 82.0, 207.2) * np.sin(psi)


def test_a_function_of_our_own_boson_has_our_efficiency():
    table, efficiencies = table_of_density(ours, [0.02, 0.5]), KinematicMap.read()
    for mass in (0.02, 0.5):
        own = table.columns["mass_GeV"] == mass
        x, psi, weight = (table.columns[name][own] for name in ("x", "psi_rad", "per_mot"))
        assert weight.sum() == pytest.approx(7.42e-13 * tabulate(ENERGY, mass, 1e-4, 82.0, 207.2).total, rel=0.01)
        share = boson_share(efficiencies, mass, Mediator.VECTOR)
        for config in (1, 2):
            found, expected = (efficiencies.average(s, config)[0] for s in (efficiencies.share(x, psi, weight), share))
            assert found == pytest.approx(expected, rel=0.02)


def test_a_function_is_recast_and_wants_masses():
    found = na64mu.recast(ours, reference=1e-4, masses=[0.1])
    assert found.couplings("exact")[0, 0] == pytest.approx(4.0e-4, rel=0.2)
    with pytest.raises(InputError, match="no masses"):
        na64mu.recast(ours, reference=1e-4)
    with pytest.raises(InputError, match="is for a function"):
        na64mu.recast("table.csv", reference=1e-4, masses=[0.1])
    with pytest.raises(InputError, match="finite numbers, none below zero"):
        table_of_density(lambda _mass, x, _psi: -x, [0.1])
