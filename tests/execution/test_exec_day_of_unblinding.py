"""The day of unblinding, rehearsed: data of both trigger configurations in one dataset, blind run, limits, opening, limits again."""

from __future__ import annotations

import copy
import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from search_examples import FakeReconstruction, plant, raw_batch, runs_row, summary_table

from na64mu.analysis.folder_counting import counting_from
from na64mu.analysis.limits import search_limits
from na64mu.analysis.yields import EfficiencyPoint, EfficiencyTable, PileUpLoss, SignalYield
from na64mu.cli import main
from na64mu.events.writer import RawTreeWriter
from na64mu.results.run import Counts, RunResult

N = 200


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    points = tuple(EfficiencyPoint(m, c, False, 10_000, 2000, n) for m, n in {0.01: 60, 1.0: 1000}.items() for c in (1, 2))
    return str(EfficiencyTable(points).write(tmp_path_factory.mktemp("efficiency") / "table.json"))


def na64mu(*arguments):
    done = CliRunner().invoke(main, ["-q", *map(str, arguments)])
    assert done.exit_code == 0, done.output
    return done


@pytest.mark.parametrize("planted", [(), (5, 7, N + 3)], ids=["no event", "three events"])
def test_limits_pass_before_and_after(planted, fake: FakeReconstruction, table, tmp_path, monkeypatch):
    fake.table = summary_table(2 * N)
    for event in planted:
        plant(fake.table, event)
    monkeypatch.chdir(tmp_path)
    for name in ("write_figures", "write_html"):  # drawing takes seconds
        monkeypatch.setattr(f"na64mu.report.{name}", (lambda *_: []) if name == "write_figures" else (lambda _, folder: folder))
    with RawTreeWriter(tmp_path / "data.root") as writer:
        for i, config in enumerate((1, 2)):
            writer.extend(raw_batch(i * N, N, run=11 + i, config=config))
        writer.finish([runs_row(11 + i, config, n_mot=(3 - config) * 10**9) for i, config in enumerate((1, 2))])
    na64mu("run", "data.root", "-o", "blind")
    na64mu("freeze", "data.root", "-o", "freeze.json")
    na64mu("unblind", "blind", "--freeze", "freeze.json", "--reason", "a rehearsal", "-o", "open")
    arguments = ("--physics", "data", "--efficiency", table, "--pile-up-loss", 0.1, "--masses", 2, "--cross-section", "ww")
    arguments += ("--no-targets", "--no-figures", "--json")
    before, after = (json.loads(na64mu("limits", name, *arguments, "-o", f"limits_{name}").stdout) for name in ("blind", "open"))
    assert before["observed"] is None
    assert after["observed"] == [sum(e < N for e in planted), sum(e >= N for e in planted)]
    assert before["exposures"] == after["exposures"] == [2e9, 1e9]
    assert before["backgrounds"] == after["backgrounds"]
    assert before["bounded_backgrounds"] == after["bounded_backgrounds"]
    for shut, opened in zip(before["limits"], after["limits"], strict=True):
        for name, value in shut.items():
            if "_expected" in name:
                assert opened[name] == value
            elif "_observed" in name:
                assert value is None
                assert opened[name] > 0
    assert before["excess"] is None
    assert not [path.name for path in (tmp_path / "limits_blind").iterdir() if "excess" in path.name]
    assert after["excess"]["observed"] == after["observed"]
    assert (after["excess"]["p_value"] == 1.0) == (not planted)
    assert json.loads((tmp_path / "limits_open" / "excess.json").read_text()) == after["excess"]
    assert (tmp_path / "limits_blind" / "reach.csv").read_text() == (tmp_path / "limits_open" / "reach.csv").read_text()
    few = after["limits"][0]["n_exact_observed"]
    assert few == pytest.approx(2.31, abs=0.02) if not planted else 2.31 < few < 7.0


def with_counts(result: RunResult, n: int, d: int) -> RunResult:
    """The same result with n events in the box and d in region D."""
    (name,) = result.datasets
    plane = copy.deepcopy(result.histograms[name]["plane_before"])
    plane.reset()
    plane.fill(np.full(d, 50.0), np.random.default_rng(1).uniform(13.0, 60.0, d))
    plane.fill([90.0], [30.0])
    box = {f"box_after{end}": Counts(k, k, k) for end, k in (("", n), ("_1", n // 2), ("_2", n - n // 2))}
    histograms = {name: result.histograms[name] | {"plane_before": plane}}
    return replace(result, histograms=histograms, regions={name: dict(result.regions[name]) | box}, blinded={name: False})


def test_there_is_a_result_for_any_number_of_events_in_the_box_and_in_region_d(fake, tmp_path):
    with RawTreeWriter(tmp_path / "data.root") as writer:
        writer.extend(raw_batch(0, N))
        writer.finish([runs_row(n_mot=10**9)])
    fake.table = summary_table(N)
    na64mu("run", tmp_path / "data.root", "-o", tmp_path / "out")
    result = RunResult.read(tmp_path / "out")
    two = np.ones((2, 2))
    yields = SignalYield(
        np.array([0.01, 0.1]), 1e-4, (1e9, 0.0), 7e-9 * two[0], two[0], 0.1 * two, 1e-3 * two, PileUpLoss(0.1, 0.0, "given")
    )
    for d in (14, 1000):
        counting = counting_from(with_counts(result, 0, d))
        assert sum(counting.backgrounds.values()) < 200  # an upper limit is no expectation
        assert ("hadrons" in counting.bounds) == (d < 20)
        last = 0.0
        for n in (0, 1, 20):
            limits = search_limits(replace(counting, observed=(float(n), 0.0)), yields)
            for one in limits.scan.limits:
                assert one.absent == {}
                assert 0 < one.asymptotic.observed < np.inf
                assert one.exact.observed >= last * (1 - 1e-9)
            last = limits.scan.limits[0].exact.observed
            assert limits.at_the_bounds() is None or limits.at_the_bounds().absent == {}
