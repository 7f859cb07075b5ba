"""A planted event in the box of data cannot be seen in any channel; how it is opened is tested in test_exec_unblinding.py."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from search_examples import FakeReconstruction, hide, plant, summary_table, write_file

from na64mu.analysis.counting import counting_of
from na64mu.analysis.limits import search_limits
from na64mu.analysis.yields import PileUpLoss, SignalYield
from na64mu.cli import main
from na64mu.execution import run_search
from na64mu.execution.reconstruct import reconstruct_files
from na64mu.results.run import RunResult
from na64mu.statistics.workspace import full_workspace

#: Values that no other event has; none of their digits may appear anywhere.
MARKS = {"p_out": 43.217, "e_veto": 11.375, "e_ecal": 0.9876543, "e_cal": 4.60913, "e_hcal_cell": 1.93751}
EVENT = 123


def na64mu(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


@pytest.fixture
def twins(
    fake: FakeReconstruction, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> tuple[Path, Path, list[Result]]:
    """Output folders of the same run with the planted event in the box, and with it far outside; both through the command line."""
    path = write_file(tmp_path / "beam.root", 400)
    plant(fake.table, EVENT, **MARKS)
    monkeypatch.chdir(tmp_path)
    if "test_report" not in request.node.name:  # drawing takes seconds
        monkeypatch.setattr("na64mu.report.write_figures", lambda result, folder: [])
        monkeypatch.setattr("na64mu.report.write_html", lambda result, folder: Path(folder, "report.html"))
    done = []
    for folder in ("planted", "other"):
        done.append(na64mu("-vv", "run", path.name, "-o", folder, *getattr(request, "param", ())))
        hide(fake.table, EVENT)
    assert [d.exit_code for d in done] == [0, 0], done
    return tmp_path / "planted", tmp_path / "other", done


def numbers_of(text: str) -> set[str]:
    return set(re.findall(r"\d+\.\d{3,}", text))


def unmarked(text: str) -> None:
    for value in MARKS.values():
        assert repr(value) not in text
        assert f"{value:.3f}" not in numbers_of(text)


def test_cutflow_and_n_minus_1(twins):
    a, b, _ = twins
    assert (a / "cutflow.json").read_text() == (b / "cutflow.json").read_text()


def test_histograms(twins):
    a, b, _ = twins
    assert (a / "histograms.json").read_text() == (b / "histograms.json").read_text()


def test_no_difference_of_two_outputs_is_the_number_in_the_box(fake: FakeReconstruction, tmp_path):
    """Cut-flow minus spectrum, raw tree minus event summary, skim minus run: with one or five events in the box they are the same."""
    path = write_file(tmp_path / "beam.root", 400)
    differences = []
    for n in (1, 5):
        fake.table = summary_table(400)
        for event in range(5):
            plant(fake.table, event)
            if event >= n:
                hide(fake.table, event)
        raw = run_search(path, progress=False)
        reconstruct_files(path, tmp_path / "s.root")
        summary = run_search(tmp_path / "s.root", progress=False)
        uncut = [
            raw.histogram(s.column)[{"stage": "all"}].values(flow=True).sum() + raw.outside["beam"][s.column]
            for s in raw.working_point.spectra
        ]
        rows = [a - b for a, b in zip(raw.total.counts[2:], summary.total.counts[2:], strict=True)]
        assert not any(rows)  # from the first cut on reconstructed quantities on
        assert summary.histograms == raw.histograms
        differences.append([[count - total for count in raw.total.counts for total in uncut], raw.total, raw.histograms, raw.exposure])
    assert differences[0] == differences[1]


def test_workspace(twins):
    a, b = (RunResult.read(folder) for folder in twins[:2])
    masses = np.array([0.01, 0.1])
    made = []
    for result in (a, b):
        counting = counting_of(result, None)
        assert counting.observed is None
        ones = np.ones((2, 2))
        signal = SignalYield(
            masses, 1e-4, counting.exposures, 1e-5 * ones[0], ones[0], 0.1 * ones, 1e-3 * ones, PileUpLoss(0.1, 0.0, "published")
        )
        models = search_limits(counting, signal).models
        made.append(
            [full_workspace(m, [sum(x[i] for x in m.backgrounds.values()) for i in range(len(m.channels))]) for m in models.values()]
        )
    assert json.dumps(made[0]) == json.dumps(made[1])
    unmarked(json.dumps(made[0]))


def test_checkpoint(fake: FakeReconstruction, tmp_path):
    path = write_file(tmp_path / "beam.root", 400)
    plant(fake.table, EVENT, **MARKS)
    kept = []
    for name in ("planted", "other"):
        run_search(path, progress=False, output=tmp_path / name)
        content = json.loads((tmp_path / name / ".checkpoint" / "finished.json").read_text())
        del content["total"]["timing"], content["sha256"]  # the hash is of the timing too
        kept.append(json.dumps(content))
        hide(fake.table, EVENT)
    assert kept[0] == kept[1]
    unmarked(kept[0])


def test_regions_and_summary_file(twins):
    a, b, _ = twins
    texts = [json.loads((f / "summary.json").read_text()) for f in (a, b)]
    for name in ("regions", "exposure", "losses", "blinded", "windows"):
        assert texts[0][name] == texts[1][name]
    assert "box" not in texts[0]["regions"]["beam"]
    unmarked(json.dumps({k: v for k, v in texts[0].items() if k not in ("provenance", "timing", "working_point")}))


def test_report(twins):
    a, _, _ = twins
    text = re.sub(r"data:image/[^\"']*", "", (a / "report.html").read_text())
    text = re.sub(r"<svg.*?</svg>", "", text, flags=re.DOTALL)
    unmarked(text)
    assert "blinded" in text


def test_terminal_and_log(twins):
    _, _, (planted, other) = twins

    def lines(done: Result) -> list[str]:
        timed = re.compile(r"events/s|time|planted|other| s\b|MB")
        return [line for line in done.output.splitlines() if not timed.search(line)]

    assert lines(planted) == lines(other)
    unmarked("\n".join(lines(planted)))


@pytest.mark.parametrize("twins", [["--json"]], indirect=True)
def test_json_on_stdout(twins):
    _, _, (planted, other) = twins
    a, b = (json.loads(done.stdout) for done in (planted, other))
    assert a["cutflow"] == b["cutflow"]
    assert a["regions"] == b["regions"]


def test_exception_text(fake: FakeReconstruction, tmp_path, monkeypatch):
    """An error that strikes behind the selection, with the planted event in reach: its text carries no number of it."""
    plant(fake.table, EVENT, **MARKS)

    def broken(self: object, *arguments: Any) -> None:
        msg = f"cannot fill {len(arguments)} columns"
        raise ValueError(msg)

    monkeypatch.setattr("na64mu.processors.search.SearchProcessor._regions", broken)
    with pytest.raises(Exception, match="cannot fill") as caught:  # coffea wraps it
        run_search(write_file(tmp_path / "beam.root", 400), progress=False)
    cause: BaseException | None = caught.value
    while cause is not None:
        unmarked(str(cause))
        cause = cause.__cause__


@pytest.mark.parametrize("ending", ["root", "parquet"])
def test_summary_files(fake: FakeReconstruction, tmp_path, ending):
    import pyarrow.parquet as pq
    import uproot

    plant(fake.table, EVENT, **MARKS)
    path = tmp_path / f"s.{ending}"
    done = na64mu("reconstruct", write_file(tmp_path / "beam.root", 400), "-o", path)
    assert done.exit_code == 0
    unmarked(done.output)
    if ending == "parquet":
        table = {
            name: column.to_numpy() for name, column in zip(pq.read_table(path).column_names, pq.read_table(path).columns, strict=True)
        }
    else:
        with uproot.open(path) as file:
            table = file["summary"].arrays(library="np")
    assert EVENT not in table["event"]
    for name, value in MARKS.items():
        assert not np.isclose(table[name], value, rtol=1e-6).any()


def test_a_skim_is_raw_and_a_run_on_it_stays_blind(fake: FakeReconstruction, tmp_path):
    plant(fake.table, EVENT, **MARKS)
    path = write_file(tmp_path / "beam.root", 400)
    assert na64mu("skim", path, "-o", tmp_path / "skim.root").exit_code == 0
    a, b = run_search(path, progress=False), run_search(tmp_path / "skim.root", progress=False)
    assert b.blinded == {"skim": True}
    assert b.total == a.total
    assert b.histograms["skim"] == a.histograms["beam"]
