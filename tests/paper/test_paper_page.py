"""The report: every row, figure and table is in it, and it needs no other file and no network; what the command line refuses."""

from __future__ import annotations

import csv
import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from na64mu.analysis.counting import letter_counting
from na64mu.analysis.limits import search_limits
from na64mu.analysis.limits_files import write_tables
from na64mu.analysis.yields import EfficiencyPoint, EfficiencyTable, PileUpLoss, SignalYield
from na64mu.cli import main
from na64mu.errors import InputError
from na64mu.paper.comparison import published_rows
from na64mu.paper.interpretation import _limit_values, _signal_values, masses_of
from na64mu.paper.page import write_report
from na64mu.paper.scale import QUICK
from na64mu.paper.text import FIGURES
from na64mu.paper.values import Value, write_values
from na64mu.paper.workflow import Record, Workflow

MASSES = np.array([0.01, 0.04, 0.1, 0.12, 0.5, 1.0])
#: The smallest PNG: one white point.
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b550000000a49444154789c63f80f0001010100c0a5bf8b0000000049454e44ae426082"
)


@pytest.fixture(scope="module")
def limits():
    n = len(MASSES)
    yields = SignalYield(
        masses=MASSES,
        g_ref=1e-4,
        exposures=(1.17e10, 8.1e9),
        per_muon=7.7e-11 * (0.1 / MASSES) ** 1.5,
        invisible=np.ones(n),
        efficiency=np.column_stack([np.linspace(0.02, 0.1, n), np.linspace(0.03, 0.15, n)]),
        efficiency_error=np.full((n, 2), 0.002),
        pile_up_loss=PileUpLoss(0.1, 0.02, "measured"),
    )
    return search_limits(letter_counting(), yields)


@pytest.fixture
def folder(tmp_path, limits):
    """What the steps leave behind, with known numbers."""
    values = {
        "calibrate": {"e_cal_mip": Value(5.0, 0.1)},
        "run": {"trigger_rate_1": Value(4.2, 0.3, note="a <note>"), "p_in_width": Value(9.0, 0.1), "observed": Value(0.0)},
        "efficiency": {"pile_up_loss": Value(3.0, 9.0)},
        "backgrounds": {"background_decays": Value(1.8, 0.6)},
        "boxes": {"p_out_cut": Value(76.0)},
        "theory": {"exposure_1": Value(11.7)},
        "limits": _limit_values(limits)
        | _signal_values(limits, 0.1)
        | {"g_100_asymptotic_own_backgrounds": Value(math.nan, note="our backgrounds are upper limits")},
    }
    for name, found in values.items():
        (tmp_path / name).mkdir()
        write_values(tmp_path / name, found)
    write_tables(limits, tmp_path / "limits")
    content = {
        "tail": {"repr": "momentum tail: 5 events"},
        "closure_test": "closure: p = 0.5",
        "leakage": {"repr": "leaking hadrons: 0.004"},
        "leakage_closure": ["3 predicted, 4 observed"],
        "missing": {},
    }
    (tmp_path / "backgrounds" / "backgrounds.json").write_text(json.dumps(content))
    for figure in FIGURES[:-1]:
        path = tmp_path / figure.file
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(PNG)
    return tmp_path


def text_of(folder) -> str:
    workflow = Workflow(folder)
    workflow.records = {"sample_physics_1": Record("sample_physics_1", "i", {}, 10.0, 5.0), "run": Record("run", "i", {}, 3.0, 2.0)}
    return write_report(folder, workflow, QUICK, command="na64mu paper --quick").read_text(encoding="utf-8")


def test_everything_is_in_one_file(folder):
    text = text_of(folder)
    for row in published_rows():
        assert row.what.replace("'", "&#x27;").replace(">", "&gt;").replace("<", "&lt;") in text
    assert text.count("data:image/png;base64,") == len(FIGURES) - 1  # one is missing, and is left out
    assert not re.search(r'(src|href)="(?!data:)', text)
    assert "na64mu paper --quick" in text
    assert "leaking hadrons: 0.004\nclosure of the E_CAL spectrum: 3 predicted, 4 observed" in text
    assert (folder / "comparison.csv").is_file()


def test_verdicts_are_written_with_their_reasons(folder):
    text = text_of(folder)
    assert "a &lt;note&gt;" in text
    row = next(line for line in re.findall(r"<tr>.*?</tr>", text) if "width of p_in" in line)
    assert "differs: by +5.2 %" in row
    assert "9.00 ± 0.10" in row
    agrees = next(line for line in re.findall(r"<tr>.*?</tr>", text) if "calibration triggers, configuration 1" in line)
    assert "verdict agrees" in agrees
    assert "Known reason" not in agrees
    decays = next(line for line in re.findall(r"<tr>.*?</tr>", text) if "(II) decays in flight" in line)
    assert "differs: x 180" in decays
    assert "Known reason: kaon fraction" in decays
    assert "not computed" in next(line for line in re.findall(r"<tr>.*?</tr>", text) if "best E_CAL cut" in line)


def test_the_limit_at_low_mass_is_spoken_of(folder, limits):
    text = text_of(folder)
    values = _signal_values(limits, 0.1)
    assert f"asks for {values['implied_efficiency_40'].value:.2g} % at 40 MeV" in text
    assert "Nothing was moved to close the gap." in text
    events = [values[f"implied_events_{mass}"].value for mass in (40, 120)]
    assert f"give {events[0]:.2g} and {events[1]:.2g} signal events" in text
    assert "likely reason" not in text  # the one that was named is refuted


def test_implied_events_are_the_yield_with_the_printed_peak_efficiency(limits):
    values = _signal_values(limits, 0.1)
    scale = 0.12 / limits.yields.mean_efficiency[2:].max()
    made = 7.7e-11 * (0.1 / 0.04) ** 1.5 * 1.98e10 * (5.11e-4 / 1e-4) ** 2
    assert values["implied_events_40"].value == pytest.approx(scale * limits.yields.mean_efficiency[1] * made, rel=0.01)
    exact = limits.events("exact")[1, 0]
    assert values["g_over_letter_40"].value == pytest.approx(math.sqrt(exact / values["implied_events_40"].value))


def test_independent_checks_alone_are_counted(folder):
    text = text_of(folder)
    with (folder / "comparison.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    agreeing = [r["quantity"] for r in rows if r["kind"] == "independent" and r["verdict"] == "agrees"]
    assert f"<b>{len(agreeing)}</b><span>independent checks agree</span>" in text
    assert 0 < len(agreeing) < sum(r["verdict"] == "agrees" for r in rows) + 1
    row = next(line for line in re.findall(r"<tr>.*?</tr>", text) if "width of p_in" in line)
    assert "consequence of the momentum spread of the beam" in row
    assert "independent check" in next(
        line for line in re.findall(r"<tr>.*?</tr>", text) if "calibration triggers, configuration 1" in line
    )


def test_the_crossing_has_an_error_and_what_is_left_is_said(limits):
    values = _limit_values(limits)
    assert values["crossing"].is_upper  # this signal is strong at low masses: below the line from the first mass on
    assert values["crossing"].note == "below the line from the lowest mass of the scan on"
    assert values["left_coupling"].note.startswith("nothing of the band is left between 6.")
    weak = replace(limits.yields, per_muon=limits.yields.per_muon * np.array([0.05, 0.3, 1.0, 1.0, 1.0, 1.0]))
    values = _limit_values(search_limits(limits.counting, weak))
    crossing, left = values["crossing"], values["left_coupling"]
    assert 10 < crossing.value < 100
    assert 0 < crossing.error < 0.3 * crossing.value
    assert 3.9 < left.value < 8
    assert "below our limit and the +2 sigma edge" in left.note


def test_implied_efficiency_gives_the_limit_back(limits):
    # with the implied efficiency the yield at the edge of the band is the asymptotic limit in events
    implied = _signal_values(limits, 0.1)["implied_efficiency_40"].value / 100
    produced = 7.7e-11 * (0.1 / 0.04) ** 1.5 * 1.98e10
    events = limits.events("asymptotic")[1, 0]
    assert implied * produced * (5.11e-4 / 1e-4) ** 2 == pytest.approx(events, rel=0.01)


def test_masses_begin_where_both_configurations_selected_something():
    points = [EfficiencyPoint(m, c, False, 1000, 10, n) for m, n in ((0.001, 0), (0.01, 5), (1.0, 9)) for c in (1, 2)]
    masses = masses_of(EfficiencyTable(tuple(points)), 3)
    assert (masses[0], masses[-1]) == (0.01, 1.0)
    assert {0.04, 0.1, 0.12, 0.5} < set(masses)
    empty = EfficiencyTable(tuple(EfficiencyPoint(m, c, False, 1000, 10, 0) for m in (0.01, 1.0) for c in (1, 2)))
    with pytest.raises(InputError, match="fewer than two masses have selected signal events in both configurations"):
        masses_of(empty, 3)


@pytest.mark.parametrize(
    ("arguments", "said"), [(("--events", "10"), "10 is not in the range x>=1000"), (("--workers", "0"), "0 is not in the range x>=1")]
)
def test_what_the_command_refuses(tmp_path, arguments, said):
    done = CliRunner().invoke(main, ["paper", "-o", str(tmp_path / "p"), *arguments])
    assert done.exit_code == 2
    assert said in done.output
    assert not (tmp_path / "p").exists()
