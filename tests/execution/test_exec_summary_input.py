"""A run on event summaries finds what a run on the raw trees finds."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uproot
from search_examples import FakeReconstruction, plant, runs_row, write_file

from na64mu.errors import BlindedError, InputError
from na64mu.execution import run_search
from na64mu.execution.reconstruct import reconstruct_files
from na64mu.execution.run import run_search as search_with
from na64mu.inputs.summary_chunks import needed_columns
from na64mu.inputs.summary_file import read_rows, sealed
from na64mu.selections.working_point import load_working_point

ENDINGS = pytest.mark.parametrize("ending", ["root", "parquet"])


def search(files: object, **options: Any) -> Any:
    return run_search(files, progress=False, **options)


def physics(result: Any) -> dict[str, Any]:
    plain = result.to_dict()
    return {key: plain[key] for key in ("cutflow", "exposure", "regions", "outside", "blinded", "windows")}


@pytest.fixture
def simulation(fake: FakeReconstruction, tmp_path: Path) -> list[Path]:
    """Two datasets, one of them in two files."""
    return [
        write_file(tmp_path / "beam_1.root", 150, truth=True, rows=[runs_row(n_mot=700)]),
        write_file(tmp_path / "beam_2.root", 100, first=150, truth=True, rows=[runs_row(n_mot=300, seed=2)]),
        write_file(tmp_path / "signal_1.root", 150, first=250, truth=True, run=2),
    ]


@ENDINGS
@pytest.mark.parametrize("chunksize", [40, 1000])
def test_simulation_gives_the_same_everything(simulation, tmp_path, ending, chunksize):
    summary = tmp_path / "out" / f"s.{ending}"
    reconstruct_files(simulation, summary, chunksize=60)
    raw, again = search(simulation), search(summary, chunksize=chunksize)
    assert physics(again) == physics(raw)
    assert again.histograms == raw.histograms
    assert again.datasets == ("beam", "signal")
    assert [loss.reason for loss in (*raw.losses, *again.losses) if loss.is_damage] == []
    assert again.exit_code == 0


@ENDINGS
def test_data_gives_the_same_but_for_the_withheld_box(fake: FakeReconstruction, tmp_path, ending):
    plant(fake.table, 77)
    path = write_file(tmp_path / "beam.root", 400)
    reconstruct_files(path, tmp_path / f"s.{ending}")
    raw, again = search(path), search(tmp_path / f"s.{ending}")
    assert again.histograms == raw.histograms
    assert again.regions == raw.regions
    assert again.exposure == raw.exposure
    names = again.total.names
    first = names.index(raw.working_point.blind_at)
    assert first == 2
    assert again.total.counts[first:] == raw.total.counts[first:]
    assert [a - b for a, b in zip(raw.total.counts[:first], again.total.counts[:first], strict=True)] == [1] * first
    (note,) = (x for x in again.losses if x.file.endswith(f"s.{ending}"))
    assert note.kind == "note"
    assert "hidden events of data were withheld when the file was written" in note.reason
    assert again.blinded == {"beam": True}
    with pytest.raises(BlindedError, match=r"the box stays closed: unblind: the hash '.*' opens nothing"):
        search_with(tmp_path / f"s.{ending}", progress=False, unblind=again.provenance.configuration_hash)


def test_another_box_than_the_one_withheld_is_refused(fake: FakeReconstruction, tmp_path):
    reconstruct_files(write_file(tmp_path / "beam.root", 40), tmp_path / "s.root")
    own = tmp_path / "own.toml"
    own.write_text('base = "prl2024"\nname = "own"\n[box]\np_out_max = 90.0\ne_cal_max = 12.0\nsource = "inferred: a test"\n')
    with pytest.raises(BlindedError, match=r"s\.root: another signal box was withheld .*80\.0 GeV/c.*reconstruct --selection own"):
        search(tmp_path / "s.root", selection=own)


@ENDINGS
def test_rows_left_out_lower_the_exposure(simulation, tmp_path, ending):
    reconstruct_files(simulation, tmp_path / "out" / f"s.{ending}", chunksize=60)
    result = search(tmp_path / "out" / f"s.{ending}", chunksize=50, maxchunks=1)
    (beam, signal) = result.exposure.runs
    read = {name: flow.counts[0] for name, flow in result.cutflows.items()}
    assert beam.n_mot_read == pytest.approx(1000 * read["beam"] / 250)
    assert signal.n_mot_read == pytest.approx(1000 * read["signal"] / 150)
    assert sum(x.n_entries for x in result.losses if x.kind == "skipped") == 400 - sum(read.values())


def test_losses_of_the_reconstruction_are_losses_of_the_run(fake: FakeReconstruction, tmp_path):
    (tmp_path / "bad.root").touch()
    reconstruct_files([tmp_path / "bad.root", write_file(tmp_path / "a.root", 50)], tmp_path / "s.root")
    result = search(tmp_path / "s.root")
    assert "bad.root: the file is empty" in result.losses[0].reason
    assert result.exit_code == 3


def test_events_in_two_summaries_count_once(fake: FakeReconstruction, tmp_path):
    a, b = write_file(tmp_path / "a.root", 100), write_file(tmp_path / "b.root", 100, first=50)
    reconstruct_files(a, tmp_path / "s1.root")
    reconstruct_files(b, tmp_path / "s2.parquet")
    result, raw = search([tmp_path / "s1.root", tmp_path / "s2.parquet"]), search([a, b])
    assert result.total == raw.total
    assert result.exposure.n_mot() == raw.exposure.n_mot() == 1000  # one run that two files tell of
    assert result.exit_code == 3
    copy = shutil.copy(tmp_path / "s1.root", tmp_path / "s3.root")
    assert "has the same content as" in search([tmp_path / "s1.root", copy]).losses[0].reason


def test_only_the_columns_of_the_selection_are_read(fake: FakeReconstruction, tmp_path, monkeypatch):
    reconstruct_files(write_file(tmp_path / "beam.root", 50), tmp_path / "s.root")
    asked: set[str] = set()

    def spying(path: str, names: Any, start: int, stop: int) -> Any:
        asked.update(names)
        return read_rows(path, names, start, stop)

    for module in ("summary_chunks", "summary_fileset"):
        monkeypatch.setattr(f"na64mu.inputs.{module}.read_rows", spying)
    search(tmp_path / "s.root")
    assert asked == {*needed_columns(load_working_point("prl2024")), "event"}
    assert len(asked) < 35


def broken(kind: str, path: Path) -> None:
    if kind == "truncated":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif kind == "foreign" and path.suffix == ".root":
        with uproot.recreate(path) as file:
            file.mktree("summary", {"p_in": np.float64}).extend({"p_in": np.ones(3)})
    elif kind == "foreign":
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.table({"p_in": np.ones(3)}), path)
    elif kind == "old":
        with uproot.update(path) as file:
            bookkeeping = json.loads(json.loads(str(file["bookkeeping"]))["bookkeeping"])
            file["bookkeeping"] = sealed(bookkeeping | {"format_version": 1})


@pytest.mark.parametrize(
    ("kind", "ending", "sentence"),
    [
        ("truncated", "root", "truncated"),
        ("truncated", "parquet", "cannot be read as event summaries"),
        ("foreign", "root", "not from `na64mu reconstruct`"),
        ("foreign", "parquet", "not from `na64mu reconstruct`"),
        ("old", "root", "not of this version of na64mu: make the file again with `na64mu reconstruct`"),
    ],
)
def test_a_bad_summary_is_one_sentence_beside_the_good_one(simulation, tmp_path, kind, ending, sentence):
    reconstruct_files(simulation[0], tmp_path / "good.parquet")
    reconstruct_files(simulation[2], tmp_path / f"bad.{ending}")
    broken(kind, tmp_path / f"bad.{ending}")
    result = search([tmp_path / "good.parquet", tmp_path / f"bad.{ending}"])
    (loss,) = (x for x in result.losses if x.is_damage)
    assert sentence in loss.reason
    assert f"bad.{ending}" in loss.reason
    assert "\n" not in loss.reason
    assert (result.total.counts[0], result.exit_code) == (150, 3)


@ENDINGS
def test_numbers_that_were_not_written_are_a_lost_chunk(simulation, tmp_path, ending, monkeypatch):
    monkeypatch.setattr("uproot.ZSTD", lambda level: uproot.ZLIB(0))
    reconstruct_files(simulation, tmp_path / "out" / f"s.{ending}", chunksize=100)

    def flipped(path: str, names: Any, start: int, stop: int) -> Any:
        columns = {name: column.copy() for name, column in read_rows(path, names, start, stop).items()}
        if start <= 20 < stop and "p_out" in columns:
            columns["p_out"][20 - start] += 1e-9
        return columns

    monkeypatch.setattr("na64mu.inputs.summary_chunks.read_rows", flipped)
    result = search(tmp_path / "out" / f"s.{ending}", chunksize=100)
    (loss,) = (x for x in result.losses if x.is_damage)
    assert "column 'p_out' has other numbers in rows 0 to 99 than were written" in loss.reason
    assert result.total.counts[0] == 300
    assert result.exposure.n_mot("beam") == pytest.approx(1000 * 150 / 250)


def test_raw_trees_and_summaries_are_not_mixed(simulation, tmp_path):
    reconstruct_files(simulation[0], tmp_path / "s.root")
    result = search([simulation[2], tmp_path / "s.root"])
    assert "no tree 'events'; the file has" in next(x for x in result.losses if x.is_damage).reason
    with pytest.raises(InputError, match="no input can be read"):
        search([tmp_path / "missing.parquet"])
