"""What a report says of an opened box, and that it says nothing of a shut one or of simulation."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from na64mu.analysis.counting import Counting
from na64mu.errors import InputError
from na64mu.report.excess_tables import excess_cells, is_opened, render_excess
from na64mu.report.html import SECTIONS, _excess

COUNTING = Counting(
    (1.2e10, 8e9), {"momentum": 0.05}, {"momentum": 0.03}, (2.0, 1.0), "test", missing={"decays": "no simulation"}, bounds={"hadrons": 0.3}
)


def test_only_an_opened_box_of_data_has_a_section(result, blinded_result):
    assert is_opened(result)
    assert not is_opened(blinded_result)
    assert _excess(blinded_result) == ""
    assert "Excess over the background" in [section.heading for section in SECTIONS]
    runs = tuple(replace(run, n_generated=100, sum_weights=run.n_mot) for run in result.exposure.runs)
    assert not is_opened(replace(result, exposure=replace(result.exposure, runs=runs)))


def test_the_section_tests_the_count_against_its_background(result, monkeypatch):
    monkeypatch.setattr("na64mu.analysis.folder_counting.counting_from", lambda result, physics: COUNTING)
    cells = excess_cells(result)
    rows = dict(cells.rows)
    assert rows["events in the signal box, by configuration"] == "2 (1), 1 (2)"
    assert rows["expected background"] == "momentum 0.05 \u00b1 0.03; hadrons < 0.3"
    assert 0.004 < float(rows["p-value of the background alone, exact"]) < 0.007  # three events where 0.35 are expected: 0.0055
    low, high = map(float, rows["signal events, Feldman-Cousins 90 %"].split(" to "))
    assert 0.5 < low < 1.05
    assert 7.2 < high < 7.45
    assert "decays: p-value and significance are for the others alone" in rows["backgrounds that are not estimated"]
    assert "in full for p-value" in cells.note
    assert "Not in the model: decays (no simulation)." in cells.note
    assert "momentum 0.05" in _excess(result)


def test_what_cannot_be_tested_says_why(result, monkeypatch):
    def refuse(result, physics):
        msg = "no muons on target"
        raise InputError(msg)

    monkeypatch.setattr("na64mu.analysis.folder_counting.counting_from", refuse)
    assert excess_cells(result).rows == [("not tested", "no muons on target")]


@pytest.mark.parametrize("width", [80, 160])
def test_the_terminal_shows_intervals_and_what_they_mean(width):
    from na64mu.analysis.excess import interval_of

    found = interval_of(COUNTING, efficiency=0.1, masses=[0.01, 0.1], method="ww")
    console = Console(width=width, record=True, file=io.StringIO())
    render_excess(found, console)
    text = " ".join(console.export_text().split())
    assert "Feldman-Cousins" in text
    assert "look-elsewhere: one count is tested" in text
