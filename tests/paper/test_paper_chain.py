"""The chain of the paper: order of the steps, datasets added up, and everything end to end on few events."""

from __future__ import annotations

import csv
from dataclasses import replace

import pytest

from na64mu.analysis.joined import joined
from na64mu.common.code_closure import code_closure
from na64mu.execution.run import run_search
from na64mu.paper.chain import analysis_steps, make_paper
from na64mu.paper.reduction import _in_the_box, _rate
from na64mu.paper.scale import FULL, QUICK


@pytest.fixture(scope="module")
def result(repository):
    sample = repository / "data" / "sample"
    files = {f"{kind}_{c}": {"files": [str(sample / f"{kind}_{c}.root")]} for kind in ("physics", "nuclear") for c in (1, 2)}
    return run_search([str(path) for entry in files.values() for path in entry["files"]], progress=False)


@pytest.mark.parametrize("scale", [QUICK, FULL])
def test_steps_stand_behind_what_they_read(scale):
    known = {f"sample_{s.name}" for s in scale.samples()}
    for step in analysis_steps(scale, "na64mu-2022", "prl2024", 1):
        assert set(step.after) <= known, step.name
        assert code_closure(step.work)
        known.add(step.name)
    steps = {step.name: step for step in analysis_steps(scale, "na64mu-2022", "prl2024", 2)}
    assert steps["run"].how == {"workers": 2}
    assert "workers" not in steps["run"].parameters
    assert set(steps["run"].parameters["datasets"]) >= {
        f"{kind}_{c}" for kind in ("physics", "calibration", "nuclear", "decay") for c in (1, 2)
    }
    assert {"zprime_100MeV_1", "zprime_100MeV_2"} <= set(steps["run"].parameters["datasets"])


def test_datasets_are_added_up(result):
    both = joined(result, {"all": ["physics", "nuclear"]})
    assert both.datasets == ("all",)
    for step, physics, nuclear in zip(
        both.cutflows["all"].steps, result.cutflows["physics"].steps, result.cutflows["nuclear"].steps, strict=True
    ):
        assert step.n == physics.n + nuclear.n
    assert both.exposure.n_mot("all") == pytest.approx(result.exposure.n_mot("physics") + result.exposure.n_mot("nuclear"))
    assert both.regions["all"]["D"].n == result.regions["physics"]["D"].n + result.regions["nuclear"]["D"].n
    plane = both.histogram("plane_before", "all").values()
    assert plane.sum() == pytest.approx(sum(result.histogram("plane_before", name).values().sum() for name in ("physics", "nuclear")))


def test_rates_with_and_without_events():
    rate = _rate(16, 1e5)
    assert (rate.value, rate.error, rate.is_upper) == (pytest.approx(1.6), pytest.approx(0.4), False)
    none = _rate(0, 1e5)
    assert (none.value, none.is_upper) == (pytest.approx(0.230, abs=1e-3), True)
    assert _in_the_box(0, 1.98e8).value == pytest.approx(230.3, abs=0.1)
    assert _in_the_box(4, 1.98e8).error == pytest.approx(200.0)


@pytest.mark.slow
def test_the_whole_paper_on_few_events(tmp_path):
    tiny = replace(
        QUICK,
        name="tiny",
        calibration=1500,
        physics=20_000,
        nuclear=500,
        decay=500,
        signal=700,
        masses=(0.1, 0.5, 1.0),
        n_limit_masses=3,
        n_target_masses=3,
    )
    told = []
    report = make_paper(tmp_path, tiny, workers=1, progress=lambda words, done, n: told.append((done, n)))
    text = report.read_text(encoding="utf-8")
    assert told[-1][0] == told[-1][1]
    with (tmp_path / "comparison.csv").open(encoding="utf-8") as stream:
        rows = {row["quantity"]: row for row in csv.DictReader(stream)}
    assert 3.0 < float(rows["width of p_in over 160 GeV/c"]["ours"]) < 4.6
    assert rows["muons per spill"]["verdict"] == "input"
    assert "Fig. 4, left" in text
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.root")}
    make_paper(tmp_path, tiny, workers=1)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.root")} == before
