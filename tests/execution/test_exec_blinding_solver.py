"""Brute force against the blinding: all numbers of all verbs over a family of selections, and whether any combination of them is the count in the box.

Data are made of events of some types: of the box, decoys, and visible ones. Outputs are sums over events, so one more event of a type changes every number
by a fixed amount, its response. The count in the box is known to somebody who has all the numbers if and only if it is a linear combination of them:
if the vector that counts events of the box lies in the space that the responses span. The larger family is slow:
`pytest -m slow -s tests/execution/test_exec_blinding_solver.py`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uproot
from click.testing import CliRunner
from search_examples import DETECTOR, FakeReconstruction, plant, summary_table, write_file

import na64mu
from na64mu.cli import main
from na64mu.errors import BlindedError
from na64mu.execution import run_search
from na64mu.execution.reconstruct import reconstruct_files
from na64mu.execution.summaries import collect
from na64mu.inputs.raw_fileset import inspect_files
from na64mu.reconstruction.event_summary import EventSummary
from na64mu.report.display import display_event
from na64mu.selections.blinding import BlindingPolicy, Floor
from na64mu.selections.cuts import in_box
from na64mu.selections.floor import Floors

N = 120
#: Rows of the table that stand for one more event each; all meet the physics trigger alone, so the raw files do not distinguish them.
PLACES = (7, 31, 58, 90)
NAN = np.nan

#: Of the box: in the middle and on its edges, passing all cuts or failing one.
BOX: dict[str, dict[str, float]] = {
    "signal": {},
    "edge": {"p_out": 80.0, "e_cal": 11.99},
    "two_tracks": {"n_tracks_ms2": 2},
    "no_mip": {"e_veto": 90.0, "p_out": 12.0},
    "p_in_off": {"p_in": 100.0},
}
#: Fail (i), and are not seen above the box.
DECOYS: dict[str, dict[str, float]] = {
    "no_track_at_all": {"p_in": NAN, "p_out": NAN, "n_tracks_ms1": 0, "n_tracks_ms2": 0},
    "no_second_track": {"p_in": 190.0, "p_out": NAN, "n_tracks_ms2": 0, "e_cal": 120.0},
    "soft": {"p_in": 120.0, "p_out": 50.0, "e_cal": 60.0},
}
VISIBLE: dict[str, dict[str, float]] = {
    "muon": {"p_out": 150.0},
    "bremsstrahlung": {"p_out": 60.0, "e_cal": 90.0, "e_ecal": 85.0},
    "region_d": {"p_out": 60.0, "e_cal": 20.0, "e_hcal1": 12.0},
    "lost": {"p_out": NAN, "n_tracks_ms2": 0},
    "hard_off": {"p_in": 120.0, "p_out": 110.0},
}

#: Name -> TOML of a working point with `base = "prl2024"`.
FAMILY = {
    "letter": "",
    "calibration": '[[cuts]]\nname = "trigger"\nlabel = "t"\nsource = "inferred: test"\nthresholds.bits = ["calibration", "physics", "random"]\n',
    "wide_box": '[box]\np_out_max = 110.0\ne_cal_max = 15.0\nsource = "inferred: test"\n',
    "i_last": (
        'drop = ["momentum_in_window"]\n[[cuts]]\nname = "momentum_in_window"\nlabel = "(i)"\nsource = "inferred: test"\nafter = "mip_everywhere"\n'
        "thresholds.centre = 160.0\nthresholds.half_width = 20.0\n"
    ),
    "all_p_in": (
        '[[cuts]]\nname = "momentum_in_window"\nlabel = "(i)"\nsource = "inferred: test"\n'
        "thresholds.centre = 100.0\nthresholds.half_width = 1000.0\n"
    ),
    "no_cuts": 'drop = ["momentum_in_window", "single_tracks", "single_hits_and_mip_cell"]\n',
}


def family(rng: np.random.Generator, n: int) -> dict[str, str]:
    """More of them at random: windows, orders, dropped cuts, boxes and binnings."""
    found = {}
    for i in range(n):
        head = f"drop = {json.dumps([str(name) for name in rng.choice(['single_tracks', 'single_hits_and_mip_cell'], rng.integers(0, 3), replace=False)])}\n"
        text = f"[box]\np_out_max = {80 + rng.integers(0, 60)}\ne_cal_max = {12 + rng.integers(0, 40)}\nsource = 'inferred: test'\n"
        low = rng.integers(-50, 20)
        text += f"[plane_p_out]\nbins = {rng.integers(10, 200)}\nlow = {low}\nhigh = {low + rng.integers(100, 400)}\n"
        text += f"[[spectra]]\ncolumn = 'p_out'\nlabel = 'p'\nbins = {rng.integers(2, 300)}\nlow = 0.0\nhigh = {rng.integers(50, 300)}\n"
        text += "[[cuts]]\nname = 'momentum_in_window'\nlabel = '(i)'\nsource = 'inferred: test'\n"
        text += f"thresholds.centre = {rng.integers(50, 180)}\nthresholds.half_width = {rng.integers(1, 200)}\n"
        found[f"random_{i}"] = head + text
    return found


def numbers(found: object, where: str = "") -> Iterator[tuple[str, np.ndarray]]:
    """All numbers of a JSON value with their place; the time that something took, and which bytes an input had, are left out."""
    if isinstance(found, dict):
        for key, value in found.items():
            if key not in ("timing", "provenance", "working_point", "windows", "writer_info", "metadata"):
                yield from numbers(value, f"{where}/{key}")
    elif isinstance(found, list | tuple) and found and all(isinstance(value, int | float) for value in found):
        yield where, np.nan_to_num(np.array(found, dtype=np.float64))
    elif isinstance(found, list | tuple):
        for i, value in enumerate(found):
            yield from numbers(value, f"{where}/{i}")
    elif isinstance(found, bool | int | float):
        yield where, np.nan_to_num(np.array([found], dtype=np.float64))


class Verbs:
    """All outputs of one data file, as arrays of numbers by their place."""

    def __init__(self, folder: Path, path: Path, selections: dict[str, str], chunks: tuple[int, ...]) -> None:
        self.folder, self.path, self.chunks, self.count = folder, path, chunks, 0
        self.selections = {name: folder / f"{name}.toml" for name in selections}
        for name, text in selections.items():
            self.selections[name].write_text(f'base = "prl2024"\nname = "{name}"\ntitle = "t"\n{text}')

    def __call__(self) -> dict[str, np.ndarray]:
        found: dict[str, Any] = {"events": self.of_events()}
        for name, selection in self.selections.items():
            summary = self.folder / ("s.parquet" if self.count % 2 else "s.root")
            rows, _ = reconstruct_files(self.path, summary, selection=selection, chunksize=self.chunks[0])
            found[f"reconstruct {name}"] = {"rows": rows, "table": self.of_summary(summary)}
            for chunksize in self.chunks:
                for kind, file in (("raw", self.path), ("summary", summary)):
                    out = self.folder / "out"
                    options = na64mu.RunOptions(progress=False, chunksize=chunksize)
                    na64mu.run(file, selection=selection, options=options).write(out)
                    contents = {n: json.loads((out / f"{n}.json").read_text()) for n in ("cutflow", "histograms", "summary")}
                    own = na64mu.run(file, self.own, selection=selection, options=options) if kind == "raw" else None
                    found[f"run {kind} {name} {chunksize}"] = {**contents, "own": own and [own.value, own.exposure.to_dict()]}
        policy = BlindingPolicy.of("prl2024", (fileset := inspect_files(self.path)).files, fileset.detectors)
        muons = collect(fileset, [], ("event", "p_in", "p_out", "e_cal"), policy)  # what calibrate fits
        found["calibrate"] = [np.unique(muons["event"]).tolist(), [float(np.nansum(column)) for column in muons.values()]]
        return dict(numbers(found))

    @staticmethod
    def own(summary: EventSummary) -> dict[str, Any]:
        columns = ("p_in", "p_out", "e_cal", "e_veto", "n_tracks_ms2")
        sums = {name: float(np.nansum(summary[name])) for name in columns}
        return {"n": summary.n_events, "events": sum(1 << int(e) for e in summary["event"] if e < 60), "sums": sums}

    def of_events(self) -> dict[str, Any]:
        """What a notebook sees: opened events, their summary, and the events that are refused by name."""
        events = na64mu.open_events(self.path)
        summary = na64mu.reconstruct(events, DETECTOR)
        assert summary["event"].tolist() == events["event"].tolist()
        batch = na64mu.events.reader.read_batch(self.path)
        refused = []
        for i in PLACES[:2]:
            try:
                display_event(batch.piece(i, i + 1), DETECTOR)
                refused.append(0)
            except BlindedError:
                refused.append(1)
        return {"seen": np.bincount(summary["event"].astype(int), minlength=N).tolist(), "refused": refused, "own": self.own(summary)}

    def of_summary(self, path: Path) -> list[float]:
        table: Any
        if path.suffix == ".parquet":
            import pyarrow.parquet as pq

            table = pq.read_table(path).to_pydict()
        else:
            with uproot.open(path) as file:
                table = file["summary"].arrays(library="np")
        self.count += 1
        return [float(np.nansum(np.asarray(column, dtype=np.float64))) for column in table.values()]


@pytest.fixture
def prepared(
    fake: FakeReconstruction, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[dict[str, str], tuple[int, ...]], Verbs]:
    monkeypatch.setattr("na64mu.report.display.draw_event", lambda batch, detector: (None, None))
    monkeypatch.setattr("na64mu.execution.plan.source_hash", lambda: "")  # provenance, which is left out, is most of the time
    monkeypatch.setattr("na64mu.execution.outcome.repository_state", lambda: ("", None))
    path = write_file(tmp_path / "beam.root", N)
    fake.table = summary_table(N)
    return lambda selections, chunks: Verbs(tmp_path, path, selections, chunks)


def put(fake: FakeReconstruction, kind: dict[str, float], place: int) -> None:
    """An event of a type in the table; all are alike in what the raw file says."""
    plant(fake.table, place, **kind)


def responses(fake: FakeReconstruction, verbs: Verbs) -> tuple[list[str], np.ndarray]:
    """Types, and what one more event of each changes in every number: shape (n_numbers, n_types). Its place is the same for all types."""
    found = {}
    for name, kind in (BOX | DECOYS | VISIBLE).items():
        put(fake, kind, PLACES[0])
        found[name] = verbs()
    columns: list[list[np.ndarray]] = [[] for _ in found]
    for place in sorted({place for one in found.values() for place in one}):
        own = [one.get(place, np.zeros(0)) for one in found.values()]
        longest = max(len(values) for values in own)
        for column, values in zip(columns, own, strict=True):
            column.append(np.pad(values, (0, longest - len(values))))
    return list(found), np.array([np.concatenate(column) for column in columns]).T


def distance(types: list[str], table: np.ndarray) -> float:
    """How far the count in the box is from every combination of the numbers; 0 if one of them is the count.

    Types replace each other in one place, so the numbers are known but for a constant: it is a column of ones of the unknown.
    """
    wanted = np.array([name in BOX for name in types], dtype=np.float64)
    rows = np.vstack([table, np.ones(len(types))])
    scale = np.abs(rows).max(axis=1)
    rows = rows[scale > 0] / scale[scale > 0, None]
    solution = np.linalg.lstsq(rows.T, wanted, rcond=1e-9)[0]
    return float(np.abs(rows.T @ solution - wanted).max())


def must_be_shut(fake: FakeReconstruction, verbs: Verbs, what: str) -> None:
    types, table = responses(fake, verbs)
    hidden = [types.index(name) for name in (*BOX, *DECOYS)]
    differing = int((table[:, hidden] != table[:, hidden[:1]]).any(axis=1).sum())
    size = f"{len(types)} types of events, {len(verbs.selections)} selections x {len(verbs.chunks)} chunk sizes, {len(table)} equations"
    print(f"{what}: {size}")  # noqa: T201  # with -s it says how much was tried
    assert differing == 0  # (a): an event of the box and a decoy leave the same
    assert (table != table[:, :1]).any()  # the outputs do say something of visible events
    assert distance(types, table) > 0.1  # (b)


def test_no_combination_of_all_numbers_is_the_count_in_the_box(fake: FakeReconstruction, prepared):
    names = ("letter", "i_last")
    must_be_shut(fake, prepared({name: FAMILY[name] for name in names}, (200,)), "quick family")


@pytest.mark.slow
def test_no_combination_of_more_numbers_is_the_count_in_the_box(fake: FakeReconstruction, prepared):
    must_be_shut(fake, prepared(FAMILY | family(np.random.default_rng(5), 20), (1000, 50, 7)), "large family")


@pytest.mark.parametrize("leak", ["no decoys", "floor of the user"])
def test_the_solver_finds_the_count_where_the_box_alone_is_hidden(fake: FakeReconstruction, prepared, monkeypatch, leak):
    """The same solver against the blinding as it was: without decoys, or with the box of the selection at hand as the only one."""
    verbs = prepared({"letter": ""}, (200,))
    monkeypatch.setattr(Floor, "hidden", lambda self, summary: in_box(summary, self.box) & (leak == "no decoys"))
    if leak != "no decoys":
        monkeypatch.setattr(BlindingPolicy, "must_contain_floor", lambda self, name: None)
        monkeypatch.setattr(Floors, "must_be_in", lambda self, box, name: None)
        verbs = prepared({"small_box": '[box]\np_out_max = 0.001\ne_cal_max = 0.001\nsource = "inferred: test"\n'}, (200,))
    assert distance(*responses(fake, verbs)) < 1e-6


def test_any_numbers_of_events_in_the_box_leave_the_same_files(fake: FakeReconstruction, prepared):
    """0, 1 and all of the planted events in the box, decoys in the place of the others: every number of every verb is the same."""
    verbs = prepared({"letter": ""}, (50,))
    found = []
    for n in (0, 1, len(PLACES)):
        for i, place in enumerate(PLACES):
            put(fake, list(BOX.values())[i] if i < n else list(DECOYS.values())[i % len(DECOYS)], place)
        found.append(verbs())
    for other in found[1:]:
        assert other.keys() == found[0].keys()
        assert not [place for place, values in other.items() if not np.array_equal(values, found[0][place])]


def test_limits_of_blinded_data_name_no_count(fake: FakeReconstruction, prepared, tmp_path):
    for place in PLACES:
        put(fake, {}, place)
    prepared({"letter": ""}, (50,))
    run_search(tmp_path / "beam.root", progress=False).write(tmp_path / "out")
    arguments = [
        "limits",
        tmp_path / "out",
        "--masses",
        2,
        "--cross-section",
        "ww",
        "--no-targets",
        "--no-figures",
        "-o",
        tmp_path / "limits",
    ]
    done = CliRunner().invoke(main, [str(a) for a in arguments])
    assert done.exit_code == 0, done.output
    assert "events observed" not in done.output
    assert "expected" in done.output
