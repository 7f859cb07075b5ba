"""Attacks on the signal box: an action, and what must come of it. Refused with one sentence, or the same with decoys in the place of the events of the box."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot
from click.testing import CliRunner
from search_examples import DETECTOR, FakeReconstruction, plant, raw_batch, runs_row, summary_table, write_file

import na64mu
from na64mu.cli import main
from na64mu.errors import CalibrationError, Na64muError
from na64mu.events.reader import read_batch, read_runs
from na64mu.events.schema_v1 import COLLECTIONS, SCALARS
from na64mu.events.writer import RawTreeWriter
from na64mu.execution import run_search
from na64mu.execution.reconstruct import reconstruct_files
from na64mu.inputs.summary_file import sealed
from na64mu.reconstruction.event_summary import EventSummary

N = 200
#: The events of the box, one of them in the calibration trigger alone; the others are visible.
PLANTED = (5, 60, 123)
#: A number that no other event has; no output may show it.
MARK = 43.217
SAME = "the same with decoys"
QUIET = na64mu.RunOptions(progress=False)


@dataclass
class Field:
    """A data file, and what is done with it."""

    folder: Path
    fake: FakeReconstruction
    path: Path = field(default_factory=Path)

    def populate(self, *, box: bool) -> None:
        """Plant events of the box, or decoys with the same trigger; the raw file is the same."""
        self.fake.table = summary_table(N)
        for i, event in enumerate(PLANTED):
            plant(self.fake.table, event, p_out=MARK)
            self.fake.table["trigger"][event] = 1 if i == 2 else 3
            if not box:
                soft = {"p_in": 120.0, "p_out": 70.0, "e_cal": 90.0} if i else {"p_in": np.nan, "p_out": np.nan, "n_tracks_ms2": 0}
                for name, value in soft.items():
                    self.fake.table[name][event] = value

    def na64mu(self, *arguments: object) -> str:
        """Output of a command, without what names the time; its exit code before it."""
        done = CliRunner().invoke(main, [str(a) for a in arguments])
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        lines = [line for line in done.output.splitlines() if not re.search(r"events/s|time|MB| s\b", line)]
        return "\n".join([f"exit {done.exit_code}", *lines])

    def selection(self, text: str, name: str = "mine") -> Path:
        path = self.folder / f"{name}.toml"
        path.write_text(f'base = "prl2024"\nname = "{name}"\ntitle = "t"\n{text}')
        return path

    def run(self, selection: Any = "prl2024", files: Any = None, **options: Any) -> Any:
        result = run_search(self.path if files is None else files, selection=selection, progress=False, **options)
        return [json.dumps(result._cutflow_dict()), result.histograms, result.outside, result.regions, result.exposure, result.losses]

    def layout(self, runs: str = "n_generated = 0", truth: str = "") -> Path:
        """A layout that maps the data file onto itself, with other bookkeeping and, perhaps, truth."""
        lines = ["format_version = 1", "[scalars]", *(f'{name} = "{name}"' for name in SCALARS)]
        for name, fields in COLLECTIONS.items():
            lines += [f"[collections.{name}]", *(f'{f} = "{name}_{f}"' for f in fields)]
        lines += [truth, f'[[runs]]\nrun = 1\nconfig = 1\nn_spills = 1\nn_mot = 1000\nsum_weights = 0.0\ndetector = "{DETECTOR}"']
        path = self.folder / "own.toml"
        path.write_text("\n".join([*lines, 'conditions = ""\nseed = 1', runs, ""]))
        return path


@pytest.fixture
def ground(fake: FakeReconstruction, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Field:
    for name in ("write_figures", "write_html"):  # drawing takes seconds
        monkeypatch.setattr(f"na64mu.report.{name}", (lambda *_: []) if name == "write_figures" else (lambda _, folder: folder))
    monkeypatch.chdir(tmp_path)
    return Field(tmp_path, fake, write_file(tmp_path / "beam.root", N))


BOX = '[box]\np_out_max = {}\ne_cal_max = {}\nsource = "inferred: mine"\n'
LAST = 'drop = ["momentum_in_window"]\n[[cuts]]\nname = "momentum_in_window"\nlabel = "(i)"\nsource = "inferred: mine"\nafter = "mip_everywhere"\n'
LAST += "thresholds.centre = 160.0\nthresholds.half_width = 20.0\n"
ANY = '[[cuts]]\nname = "trigger"\nlabel = "t"\nsource = "inferred: mine"\nthresholds.bits = ["calibration", "physics"]\n'
ANY += '[[cuts]]\nname = "momentum_in_window"\nlabel = "(i)"\nsource = "inferred: mine"\nthresholds.centre = 160.0\nthresholds.half_width = 1e6\n'
SPY = '[[regions]]\nname = "spy"\ntitle = "the box"\np_out_max = 80.0\ne_cal_max = 12.0\nsource = "inferred: mine"\n'
SPECTRA = "".join(
    f'[[spectra]]\ncolumn = "{column}"\nlabel = "x"\nbins = 200\nlow = -0.5\nhigh = 199.5\n'
    for column in ("event", "p_out", "e_cal", "trigger")
)


def with_branch(f: Field, name: str, **row: Any) -> Path:
    """The data file with one more branch, as anybody can write it, and perhaps other bookkeeping."""
    batch = read_batch(f.path)
    columns: dict[str, Any] = dict(batch.scalars) | {name: np.zeros(N, np.uint8)}
    for collection, content in batch.collections.items():
        columns |= {f"n{collection}": content.counts.astype(np.int32)}
        columns |= {f"{collection}_{x}": ak.Array(ak.contents.ListOffsetArray(ak.index.Index64(content.offsets), ak.contents.NumpyArray(v)))
                    for x, v in content.fields.items()}  # fmt: skip
    path = f.folder / "more.root"
    runs = {
        key: np.array([value]) if not isinstance(value, str) else ak.Array([value]) for key, value in (read_runs(f.path)[0] | row).items()
    }
    with uproot.recreate(path) as file:
        file.mktree(
            "events",
            {key: ak.type(column).content if isinstance(column, ak.Array) else column.dtype for key, column in columns.items()},
            counter_name=lambda counted: f"n{counted}_",
            field_name=lambda outer, inner: inner if not outer else f"{outer}_{inner}",
        )
        file["events"].extend(columns)
        file["runs"] = runs
    return path


def own_cut(f: Field, body: str, columns: str) -> tuple[Path, Path]:
    """A file with a cut of the user's own, and a selection that puts it behind the trigger."""
    user = f.folder / f"cuts_{abs(hash(body + columns))}.py"
    user.write_text(
        "import numpy as np\nfrom na64mu.selections import Thresholds, register_cut\n"
        f"class Nothing(Thresholds):\n    @property\n    def columns(self):\n        return {columns}\n"
        f"@register_cut(Nothing)\ndef spy(summary, thresholds):\n    {body}\n"
    )
    return user, f.selection('[[cuts]]\nname = "spy"\nlabel = "spy"\nsource = "inferred: mine"\nafter = "trigger"\nthresholds = {}\n')


def spied(f: Field) -> Any:
    user, selection = own_cut(f, "return np.full(len(summary['p_out']), bool((summary['p_out'] < 80).any()))", '("p_out",)')
    return f.run(selection, user=user)


def failing_cut(f: Field) -> str:
    user, selection = own_cut(f, "raise ValueError(f\"smallest {np.nanmin(summary['p_out'])}\")", '("p_out",)')
    try:
        f.run(selection, user=user)
    except Exception as error:  # noqa: BLE001  # whatever it is
        return str(error)
    return ""


def undeclared(f: Field) -> str:
    user, selection = own_cut(f, "return summary['p_out'] < 80", '("trigger",)')
    return f.na64mu("run", f.path, "-q", "-o", "out", "--selection", selection, "--user", user)


def differences(f: Field) -> Any:
    reconstruct_files(f.path, f.folder / "s.parquet")
    raw, summary = (run_search(path, progress=False) for path in (f.path, f.folder / "s.parquet"))
    return [a - b for a, b in zip(raw.total.counts, summary.total.counts, strict=True)]


def missing_rows(f: Field) -> Any:
    reconstruct_files(f.path, f.folder / "s.root")
    with uproot.open(f.folder / "s.root") as file:
        return sorted({*range(N)} - {*file["summary/event"].array().tolist()})


def refusals(f: Field) -> list[str]:
    return [f.na64mu("display", f.path, "--event", event, "-o", "e.png") for event in PLANTED]


def own_processor(f: Field) -> Any:
    seen: dict[str, Any] = {}

    def look(summary: EventSummary) -> int:
        seen.setdefault("events", []).extend(summary["event"].tolist())
        return summary.n_events

    return [na64mu.run(f.path, look, options=QUIET).value, seen]


def failing_processor(f: Field) -> str:
    def look(summary: EventSummary) -> int:
        msg = f"softest muon {np.nanmin(summary['p_out'])}, quietest {summary['e_cal'].min()}"
        raise ValueError(msg)

    try:
        na64mu.run(f.path, look, options=QUIET)
    except Na64muError as error:
        return str(error)
    return ""


def notebook(f: Field) -> Any:
    events = na64mu.open_events(f.path)
    low = na64mu.reconstruct(read_batch(f.path), DETECTOR)
    summary = na64mu.reconstruct(events, DETECTOR)
    assert events["event"].tolist() == summary["event"].tolist() == low["event"].tolist()
    return {name: np.nan_to_num(column).tolist() for name, column in summary.items()}


def aligned(f: Field) -> Any:
    """Events whose hits an alignment is given."""
    with pytest.MonkeyPatch.context() as patch:
        seen: list[int] = []

        def align(samples: Any, *arguments: Any, **options: Any) -> None:
            seen.extend(sample.n_events for own in samples for sample in own)
            msg = f"{seen} events"
            raise CalibrationError(msg)

        patch.setattr("na64mu.execution.alignment.align_detector", align)
        patch.setattr("na64mu.execution.alignment.with_drift", lambda detector, times: detector)  # the file has no hits
        return f.na64mu("align", f.path, "-o", "a.toml")


def calibrated(f: Field) -> Any:
    """Events that a calibration is given."""
    with pytest.MonkeyPatch.context() as patch:

        def fit(summary: Any, *arguments: Any) -> None:
            raise CalibrationError(str([(name, np.nansum(column)) for name, column in sorted(summary.items())]))

        patch.setattr("na64mu.execution.calibration.calibrate", fit)
        return f.na64mu("calibrate", f.path, "-o", "c.toml")


def one_event(f: Field) -> Any:
    (f.folder / "steps.json").write_text(json.dumps({"beam": {"files": {str(f.path): {"object_path": "events", "steps": [[60, 61]]}}}}))
    return f.run(files=f.folder / "steps.json")


def claimed_and_skimmed(f: Field) -> Any:
    f.na64mu("skim", f.path, "--layout", f.layout("n_generated = 1000"), "-o", "claimed.root")
    assert [row["n_generated"] for row in read_runs(f.folder / "claimed.root")] == [0]
    return f.run(files=f.folder / "claimed.root")


def book_of(path: Path) -> dict[str, str]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        return {"na64mu": file.metadata.metadata[b"na64mu"].decode()}


def grown_summary(f: Field) -> str:
    import pyarrow as pa
    import pyarrow.parquet as pq

    reconstruct_files(f.path, f.folder / "s.parquet")
    table = pq.read_table(f.folder / "s.parquet")
    grown = table.append_column("mc_process", pa.array(np.zeros(len(table), np.uint8)))
    pq.write_table(grown.replace_schema_metadata(book_of(f.folder / "s.parquet")), f.folder / "grown.parquet")
    return f.na64mu("run", "grown.parquet", "-q", "-o", "out")


def old_summary(f: Field) -> str:
    import pyarrow.parquet as pq

    reconstruct_files(f.path, f.folder / "s.parquet")
    table = pq.read_table(f.folder / "s.parquet")
    book = json.loads(json.loads(book_of(f.folder / "s.parquet")["na64mu"])["bookkeeping"])
    del book["withheld"]["floor"]
    pq.write_table(table.replace_schema_metadata({"na64mu": sealed(book)}), f.folder / "old.parquet")
    return f.na64mu("run", "old.parquet", "-q", "-o", "out")


def mixed_runs(f: Field) -> str:
    with RawTreeWriter(f.folder / "mixed.root") as writer:
        writer.extend(raw_batch(0, 100, truth=True))
        writer.extend(raw_batch(100, 100, truth=True, run=2))
        writer.finish([runs_row(1, n_generated=100), runs_row(2)])
    return f.na64mu("run", "mixed.root", "-q", "-o", "out")


def refused(verb: str, *options: object) -> Callable[[Field], str]:
    """A verb with a box that is too small."""

    def action(f: Field) -> str:
        return f.na64mu(verb, f.path, *options, "--selection", f.selection(BOX.format(0.001, 12.0)))

    return action


def small_box_in_python(f: Field) -> str:
    try:
        na64mu.open_events(f.path, selection=f.selection(BOX.format(80.0, 1.0)))
    except Na64muError as error:
        return f"exit 1\n{error}"
    return ""


SMALL = r"exit 1\n.*signal box \(.*\) does not contain the frozen one of prl2024"
TRUTH = r"exit 1\n(.*\n)?.*'mc_process', the truth of a simulation, and its bookkeeping does not say that its events are simulated"

#: Action -> what is done, and what must come of it.
ATTACKS: dict[str, tuple[Callable[[Field], Any], str]] = {
    "run with a box of 0.001 GeV": (refused("run", "-q", "-o", "out"), SMALL),
    "reconstruct with a box of 0.001 GeV": (refused("reconstruct", "-o", "s.root"), SMALL),
    "calibrate with a box of 0.001 GeV": (refused("calibrate", "-o", "c.toml"), SMALL),
    "display with a box of 0.001 GeV": (refused("display", "--event", "5"), SMALL),
    "open_events with a box of E_CAL < 1 GeV": (small_box_in_python, SMALL),
    "blind_at = the last cut": (
        lambda f: f.na64mu("run", f.path, "-q", "-o", "out", "--selection", f.selection('blind_at = "mip_everywhere"\n')),
        r"exit 1\n.*blind_at = 'mip_everywhere' is not the first cut on reconstructed columns, which is 'momentum_in_window'",
    ),
    "cut (i) put last": (lambda f: f.run(f.selection(LAST)), SAME),
    "no cut but the trigger": (
        lambda f: f.run(
            f.selection(
                'plane_cut = "trigger"\ndrop = ["momentum_in_window", "single_tracks", "single_hits_and_mip_cell", "mip_everywhere"]\n'
            )
        ),
        SAME,
    ),
    "any trigger and any p_in": (lambda f: f.run(f.selection(ANY)), SAME),
    "a region of one's own that is the box": (lambda f: f.run(f.selection(SPY)), SAME),
    "spectra of event number, p_out, E_CAL and trigger": (lambda f: f.run(f.selection(SPECTRA)), SAME),
    "a larger box, and the Letter's, and their difference": (lambda f: [f.run(f.selection(BOX.format(99.0, 30.0))), f.run()], SAME),
    "chunks of one event": (lambda f: f.run(chunksize=1), SAME),
    "a fileset with steps that is one event": (one_event, SAME),
    "a cut of one's own that looks at all rows for one in the box": (spied, SAME),
    "a cut of one's own that fails and quotes the softest muon": (failing_cut, SAME),
    "a cut of one's own that reads p_out and says trigger": (undeclared, r"exit 1\n.*the cut 'spy' looks at .*p_out"),
    "raw run minus summary run": (differences, SAME),
    "events that are missing in a summary": (missing_rows, SAME),
    "events that display refuses": (refusals, SAME),
    "a processor of one's own": (own_processor, SAME),
    "a processor of one's own that fails and quotes the softest muon": (failing_processor, SAME),
    "open_events and reconstruct in a notebook": (notebook, SAME),
    "align": (aligned, SAME),
    "calibrate": (calibrated, SAME),
    "a branch mc_process in the data file": (
        lambda f: f.na64mu("run", with_branch(f, "mc_process"), "-q", "-o", "out"),
        TRUTH,
    ),
    "a branch mc_process, n_generated > 0 and is_data": (
        lambda f: f.na64mu("run", with_branch(f, "mc_process", n_generated=1000, is_data=True), "-q", "-o", "out"),
        TRUTH,
    ),
    "a layout that maps a constant mc_process": (
        lambda f: f.na64mu("run", f.path, "--layout", f.layout(truth="[truth]\nmc_process = { constant = 0 }"), "-q", "-o", "out"),
        TRUTH,
    ),
    "a layout that maps mc_process and says n_generated = 1000": (
        lambda f: f.na64mu(
            "run", f.path, "--layout", f.layout("n_generated = 1000", "[truth]\nmc_process = { constant = 0 }"), "-q", "-o", "out"
        ),
        TRUTH,
    ),
    "display with a layout that maps mc_process": (
        lambda f: f.na64mu(
            "display", f.path, "--event", 5, "--layout", f.layout("n_generated = 9", "[truth]\nmc_process = { constant = 0 }")
        ),
        TRUTH,
    ),
    "a skim with a layout that says n_generated = 1000": (claimed_and_skimmed, SAME),
    "a summary of data with a column mc_process": (grown_summary, TRUTH),
    "a summary of data that was written without decoys": (
        old_summary,
        r"exit 1\n.*other events of data were withheld when the file was written: what is frozen now is prl2024, then it was",
    ),
    "a file with simulated runs and runs of data": (
        mixed_runs,
        r"exit 1\n(.*\n)?.*some runs of its bookkeeping are simulated .* and others are data",
    ),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_box_stays_shut(attack: str, ground: Field, record_property):
    action, expected = ATTACKS[attack]
    ground.populate(box=True)
    found = action(ground)
    record_property("row", (attack, expected, SAME if expected == SAME else str(found)))  # for benchmarks/attacks.py
    assert str(MARK) not in str(found)
    if expected == SAME:
        ground.populate(box=False)
        assert action(ground) == found
        assert found
    else:
        assert re.search(expected, found), found


def test_what_display_refuses_is_said_in_the_same_words(ground: Field):
    ground.populate(box=True)
    texts = {re.sub(r"entry \d+", "entry", text) for text in refusals(ground)}
    assert len(texts) == 1
    assert "is withheld: in data, the events of the signal box, and others among which they are hidden, are not shown" in texts.pop()
