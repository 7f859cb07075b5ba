"""Recast: our own Z' handed in as a user's table gives our own limit back; what a table must look like."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from na64mu.analysis.counting import letter_counting
from na64mu.analysis.limits import search_limits
from na64mu.analysis.recast import recast
from na64mu.analysis.recast_table import read_user_table
from na64mu.analysis.yields import EfficiencyTable, PileUpLoss, produced_per_muon, signal_yield, target_of
from na64mu.analysis.yields.origin import Origin
from na64mu.detector import load_detector
from na64mu.errors import InputError
from na64mu.physics.cross_section import Method
from na64mu.physics.production import sample_kinematics, tabulate

LOSS = PileUpLoss(0.13, 0.0, "published")
MASSES = (0.04, 0.1)


@pytest.fixture(scope="module")
def target():
    return target_of(load_detector("na64mu-2022"))


@pytest.fixture(scope="module")
def ours(target):
    return search_limits(
        letter_counting(), signal_yield(target, EfficiencyTable.read(), MASSES, letter_counting().exposures, LOSS, method=Method.WW)
    )


def write(path, head, rows):
    path.write_text("# a model\n" + head + "\n" + "\n".join(",".join(f"{v:.8g}" for v in row) for row in rows) + "\n", encoding="utf-8")
    return path


def test_our_own_yields_give_our_own_limit(target, ours, tmp_path):
    made = produced_per_muon(target, np.array(MASSES), 2e-4, method=Method.WW)
    table = read_user_table(write(tmp_path / "y.csv", "mass_GeV, per_mot", zip(MASSES, made, strict=True)))
    found = recast(table, letter_counting(), LOSS, reference=2e-4)
    for method in ("asymptotic", "exact"):
        np.testing.assert_allclose(found.couplings(method), ours.couplings(method), rtol=1e-6)
        np.testing.assert_allclose(found.strengths(method), (ours.couplings(method) / 2e-4) ** 2, rtol=1e-6)


def test_our_own_events_give_our_own_limit(target, ours, tmp_path):
    rows = []
    for mass, made in zip(MASSES, produced_per_muon(target, np.array(MASSES), 1e-4, method=Method.WW), strict=True):
        x, psi = sample_kinematics(tabulate(target.energy_in, mass, 1.0, 82.0, 207.2), 20_000, np.random.default_rng(5))
        rows += [(mass, *pair, made / len(x)) for pair in zip(x, psi, strict=True)]
    table = read_user_table(write(tmp_path / "e.csv", "mass_GeV,x,psi_rad,per_mot", rows))
    found = recast(table, letter_counting(), LOSS)
    # efficiency from the map instead of the samples of this mass, and 20 000 events: 5 % in the coupling
    np.testing.assert_allclose(found.couplings("exact")[:, 0], ours.couplings("exact")[:, 0], rtol=0.05)
    assert np.all(found.uncovered < 0.01)
    files = found.write(tmp_path / "out")
    assert [f.name for f in files] == ["recast.csv", "recast.json"]
    content = json.loads(files[1].read_text(encoding="utf-8"))
    assert content["limits"][0]["g_exact_observed"] == pytest.approx(found.couplings("exact")[0, 0])


def test_counts_of_another_set_up_are_named(tmp_path, caplog):
    counting = replace(letter_counting(), origin=Origin(detectors={"na64mu-2022": "another digest"}))
    plain = read_user_table(write(tmp_path / "y.csv", "mass_GeV,per_mot", [(0.1, 1e-9)]))
    recast(plain, counting, LOSS)
    assert "simulated with another version of the detector description na64mu-2022 than the counts" in caplog.text
    caplog.clear()
    own = read_user_table(write(tmp_path / "o.csv", "mass_GeV,per_mot,efficiency_1,efficiency_2", [(0.1, 1e-9, 0.1, 0.1)]))
    recast(own, counting, LOSS)
    assert "another version of the detector description" not in caplog.text


def test_own_efficiencies_and_another_power(tmp_path):
    table = read_user_table(write(tmp_path / "y.csv", "mass_GeV,per_mot,efficiency_1,efficiency_2", [(0.1, 1e-9, 0.1, 0.1)]))
    found = recast(table, letter_counting(), LOSS, reference=1e-2, power=4.0)
    events = 1.98e10 * 1e-9 * 0.1 * 0.87
    assert found.strengths("exact")[0, 0] == pytest.approx(2.309 / events, rel=0.01)
    assert found.couplings("exact")[0, 0] == pytest.approx(1e-2 * (2.309 / events) ** 0.25, rel=0.005)


@pytest.mark.parametrize(
    ("head", "rows", "message"),
    [
        ("mass_GeV,per_mot", [], "no rows"),
        ("mass,per_mot", [(0.1, 1)], "columns mass, per_mot: wanted are mass_GeV, x, psi_rad, per_mot"),
        ("mass_GeV,per_mot", [(0.1, 1e-9, 3)], r"line 3: 3 values for 2 columns"),
        ("mass_GeV,per_mot", [(0.1, -1e-9)], r"line 3: per_mot = -1e-09: a number from 0 to 1 is wanted"),
        ("mass_GeV,per_mot", [(0, 1e-9)], r"mass_GeV = 0: a number above 0"),
        ("mass_GeV,per_mot", [(0.1, 1e-9), (0.1, 1e-9)], "a mass is given twice"),
        ("mass_GeV,x,psi_rad,per_mot", [(0.1, 1.5, 0.1, 1e-9)], "x = 1.5: a number from 0 to 1"),
        ("mass_GeV,per_mot", [(np.nan, 1e-9)], "mass_GeV = nan"),
    ],
)
def test_a_wrong_table_is_refused_with_the_line(head, rows, message, tmp_path):
    with pytest.raises(InputError, match=message):
        read_user_table(write(tmp_path / "t.csv", head, rows))


def test_words_and_missing_files_are_refused(tmp_path):
    (tmp_path / "t.csv").write_text("mass_GeV,per_mot\n0.1,many\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"line 2: could not convert .* numbers are wanted"):
        read_user_table(tmp_path / "t.csv")
    with pytest.raises(InputError, match="cannot be read"):
        read_user_table(tmp_path / "none.csv")


@pytest.mark.parametrize(("head", "row"), [("mass_GeV,x,psi_rad,per_mot", (0.1, 0.9, 0.01, 0.0)), ("mass_GeV,per_mot", (0.1, 0.0))])
def test_no_yield_is_refused_where_it_is_read(head, row, tmp_path):
    """Not blamed on the efficiency."""
    with pytest.raises(InputError, match=r"no yield at 0\.1 GeV: per_mot is 0 in every row of this mass"):
        read_user_table(write(tmp_path / "e.csv", head, [row]))


def test_a_file_of_a_spreadsheet_begins_with_a_byte_order_mark(tmp_path):
    path = write(tmp_path / "y.csv", "mass_GeV,per_mot", [(0.1, 1e-9)])
    (tmp_path / "bom.csv").write_text(path.read_text(encoding="utf-8").removeprefix("# a model\n"), encoding="utf-8-sig")
    assert (tmp_path / "bom.csv").read_bytes().startswith(b"\xef\xbb\xbfmass_GeV")
    assert read_user_table(tmp_path / "bom.csv").columns["per_mot"].tolist() == [1e-9]


def test_no_power_is_refused(tmp_path):
    table = read_user_table(write(tmp_path / "y.csv", "mass_GeV,per_mot", [(0.1, 1e-9)]))
    with pytest.raises(InputError, match="both must be above zero"):
        recast(table, letter_counting(), LOSS, power=0.0)
