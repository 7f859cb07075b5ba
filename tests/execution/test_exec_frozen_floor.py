"""A box that a collaboration froze holds in every verb afterwards: named, beside the data, or by the environment; and no freeze file shows more than none."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from search_examples import DETECTOR, FakeReconstruction, plant, runs_row, summary_table, write_file

import na64mu
from na64mu.cli import main
from na64mu.errors import BlindedError, InputError
from na64mu.events import nanoevents
from na64mu.execution import run_search
from na64mu.execution.reconstruct import reconstruct_files
from na64mu.execution.summaries import collect
from na64mu.inputs import frozen_floors
from na64mu.inputs.frozen_floors import floor_of_freeze, floors_for
from na64mu.inputs.raw_fileset import inspect_files
from na64mu.report.display import display_event
from na64mu.results.freeze import Freeze
from na64mu.results.run import RunResult
from na64mu.selections.blinding import BlindingPolicy

N = 120
#: In the frozen box, and not in that of the package.
RING = 17
BOX = 5
WIDE = 'base = "prl2024"\nname = "wide"\ntitle = "t"\n[box]\np_out_max = 110.0\ne_cal_max = 15.0\nsource = "inferred: test"\n'
REFUSED = r"does not contain the frozen one of wide in freeze .*\(p_out <= 110 GeV/c, E_CAL < 15 GeV\)"
QUIET = na64mu.RunOptions(progress=False)


class Place(SimpleNamespace):
    data: Path
    wide: Path
    freeze: Path  # not beside the data
    fake: FakeReconstruction

    def seen(self, **options: Any) -> list[int]:
        """Events that a processor of one's own is given."""
        found = na64mu.run(self.data, lambda summary: {"seen": [int(e) for e in summary["event"]]}, options=QUIET, **options)
        return sorted(found.value["seen"])


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    place = tmp_path_factory.mktemp("frozen")
    data = write_file(place / "beam.root", N)
    (place / "wide.toml").write_text(WIDE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("na64mu.reconstruction.summary.reconstruct", FakeReconstruction(summary_table(N)))
        na64mu.freeze(data, selection=place / "wide.toml").write(place / "kept.json")
    return data, place / "wide.toml", place / "kept.json"


@pytest.fixture
def place(frozen: tuple[Path, Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    data, wide, freeze = frozen
    fake = FakeReconstruction(summary_table(N))
    plant(fake.table, BOX)
    plant(fake.table, RING, p_out=105.0, e_cal=14.0)
    monkeypatch.setattr("na64mu.reconstruction.summary.reconstruct", fake)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "beam.root").write_bytes(data.read_bytes())
    return Place(data=tmp_path / "data" / "beam.root", wide=wide, freeze=freeze, fake=fake)


def test_each_way_of_naming_a_freeze_hides_its_box(place: Place, monkeypatch):
    assert RING in place.seen()
    assert BOX not in place.seen()
    assert RING not in place.seen(selection=place.wide, freeze=place.freeze)
    assert RING not in place.seen(selection=place.wide, freeze=Freeze.read(place.freeze))
    monkeypatch.setenv(frozen_floors.VARIABLE, os.pathsep.join([str(place.freeze), ""]))
    assert RING not in place.seen(selection=place.wide)
    monkeypatch.delenv(frozen_floors.VARIABLE)
    (place.data.parent / "2026.freeze.json").write_bytes(place.freeze.read_bytes())
    assert RING not in place.seen(selection=place.wide)
    link = place.data.parent.parent / "link.root"
    link.symlink_to(place.data)
    place.data = link
    assert RING not in place.seen(selection=place.wide)


def test_after_it_a_smaller_box_is_refused_in_each_verb_that_selects(place: Place, tmp_path):
    for options in ({}, {"selection": "prl2024"}):
        with pytest.raises(BlindedError, match=REFUSED):
            run_search(place.data, freeze=place.freeze, progress=False, **options)
        with pytest.raises(BlindedError, match=REFUSED):
            reconstruct_files(place.data, tmp_path / "s.root", freeze=place.freeze, **options)
        with pytest.raises(BlindedError, match=REFUSED):
            na64mu.calibrate(place.data, freeze=place.freeze, **options)
    with pytest.raises(BlindedError, match=REFUSED):
        na64mu.open_events(place.data, selection="prl2024", freeze=place.freeze)
    with pytest.raises(BlindedError, match=REFUSED):
        na64mu.freeze(place.data, earlier=place.freeze)
    for verb in ("run", "reconstruct", "calibrate", "freeze"):
        how = "--earlier" if verb == "freeze" else "--freeze"
        done = CliRunner().invoke(main, [verb, str(place.data), how, str(place.freeze), "-o", str(tmp_path / "out.root")])
        assert done.exit_code == 1
        assert "does not contain the frozen one of wide" in " ".join(done.output.split())


def test_verbs_without_a_selection_hide_the_frozen_box(place: Place, tmp_path):
    (place.data.parent / "freeze.json").write_bytes(place.freeze.read_bytes())
    events = na64mu.open_events(place.data)
    assert not {RING, BOX} & set(events["event"].tolist())
    raw = nanoevents.open_events(place.data)
    assert not {RING, BOX} & set(na64mu.reconstruct(raw, DETECTOR)["event"].tolist())
    with pytest.raises(BlindedError, match="is withheld"):
        display_event(raw[RING], DETECTOR)
    done = CliRunner().invoke(main, ["display", str(place.data), "--event", str(RING), "-o", str(tmp_path / "e.png")])
    assert done.exit_code == 1
    assert "is withheld" in done.output
    fileset = inspect_files(place.data)
    policy = BlindingPolicy.of(None, fileset.files, fileset.detectors, floor=floors_for([place.data]))  # as `align` makes it
    seen = set(collect(fileset, [], ("event",), policy)["event"].tolist())
    assert not {RING, BOX} & seen


def test_the_result_says_what_was_hidden(place: Place, tmp_path):
    result = run_search(place.data, selection=place.wide, freeze=place.freeze, progress=False)
    digest = Freeze.read(place.freeze).hash[:12]
    assert list(result.provenance.floors) == ["prl2024", f"wide (freeze kept.json {digest})"]
    result.write(tmp_path / "out")
    assert RunResult.read(tmp_path / "out").provenance.floors == result.provenance.floors
    assert list(run_search(place.data, progress=False).provenance.floors) == ["prl2024"]
    simulated = write_file(tmp_path / "mc.root", N, truth=True)
    assert run_search(simulated, freeze=place.freeze, progress=False).provenance.floors == {}  # nothing is hidden in simulation


def test_an_event_summary_has_the_frozen_floor_too(place: Place, tmp_path):
    target = tmp_path / "s.root"
    reconstruct_files(place.data, target, selection=place.wide, freeze=place.freeze)
    again = run_search(target, selection=place.wide, freeze=place.freeze, progress=False)
    direct = run_search(place.data, selection=place.wide, freeze=place.freeze, progress=False)
    assert again.total.counts[-1] == direct.total.counts[-1]
    with pytest.raises(BlindedError, match=r"then it was prl2024, wide \(freeze kept.json \w+\): name the freeze file with --freeze"):
        run_search(target, selection=place.wide, progress=False)


def test_the_frozen_search_is_opened_all_the_same(place: Place, tmp_path, monkeypatch):
    """The freeze file lies beside the data from then on, as the page on unblinding recommends."""
    kept = place.data.parent / "freeze.json"
    run_search(place.data, selection=place.wide, progress=False, output=tmp_path / "out").write(tmp_path / "out")
    na64mu.freeze(place.data, selection=place.wide).write(kept)
    opened = na64mu.unblind(tmp_path / "out", tmp_path / "open", freeze=kept, reason="test")
    assert {BOX, RING} <= {e.event for e in opened.in_box["beam"]}
    other = na64mu.freeze(write_file(tmp_path / "beam.root", N, rows=[runs_row(n_mot=999)])).write(tmp_path / "small.json")
    opening = na64mu.open_box(other, reason="test")
    with pytest.raises(BlindedError, match=REFUSED):  # a smaller box cannot be opened where a larger one is frozen
        na64mu.run(place.data, unblind=opening, options=QUIET)


def test_freeze_files_only_add_to_what_is_hidden(place: Place, tmp_path):
    """Whoever makes freeze files of his own, for instance of a box that a description moves away, sees no event more."""
    alone, table = floors_for([place.data]), place.fake.table
    own = Freeze.read(place.freeze)
    tiny = own.selection.model_copy(
        update={"content": own.selection.content | {"box": own.selection.content["box"] | {"p_out_max": 1.0, "e_cal_max": 1.0}}}
    )
    point = na64mu.selections.WorkingPoint.model_validate(tiny.content, context={"recorded": True})
    floor = frozen_floors.Floor.of_freeze(point, {})
    forged = own.model_copy(
        update={"selection": tiny, "floor": own.floor.model_copy(update={"hash": floor.hash}), "detectors": {}, "hash": ""}
    )
    forged = forged.model_copy(update={"hash": forged.computed_hash})
    both = floors_for([place.data], [forged])
    assert len(both.each) == 2
    assert (both.hidden(table) >= alone.hidden(table)).all()
    assert floors_for([place.data], [forged, place.freeze]).hash == floors_for([place.data], [place.freeze, forged]).hash
    assert np.count_nonzero(floors_for([place.data], [place.freeze]).hidden(table)) > np.count_nonzero(alone.hidden(table))


def test_what_is_no_freeze_is_named(place: Place, tmp_path):
    edited = json.loads(place.freeze.read_text())
    edited["selection"]["content"]["box"]["p_out_max"] = 80.0
    beside = place.data.parent / "freeze.json"
    beside.write_text(json.dumps(edited))
    with pytest.raises(BlindedError, match=r"freeze.json: was edited after it was made"):
        na64mu.open_events(place.data)
    beside.write_text("{}")
    with pytest.raises(InputError, match=r"freeze.json: is no freeze file of this version"):
        run_search(place.data, progress=False)
    simulated = write_file(place.data.parent / "mc.root", N, truth=True)
    assert len(na64mu.open_events(simulated)) == N  # of simulation nothing is hidden, and nothing looked for
    beside.unlink()
    with pytest.raises(InputError, match=r"gone.json: cannot be read as a freeze file"):
        run_search(place.data, freeze=tmp_path / "gone.json", progress=False)


def test_a_version_that_would_hide_others_says_so(place: Place):
    freeze = Freeze.read(place.freeze)
    other = freeze.model_copy(update={"floor": freeze.floor.model_copy(update={"hash": "0"})})
    with pytest.raises(BlindedError, match=r"this version of na64mu does not hide what this freeze file says \(it was made with"):
        floor_of_freeze(other)
