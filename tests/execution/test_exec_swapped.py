"""Files that were exchanged or edited: what is noticed, and what is not (docs/explanation/blinding.md says it)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from search_examples import FakeReconstruction, plant, raw_batch, runs_row, summary_table, write_file

import na64mu
from na64mu.errors import BlindedError, InputError
from na64mu.events.writer import RawTreeWriter
from na64mu.execution import run_search
from na64mu.execution.reconstruct import reconstruct_files
from na64mu.inputs.summary_file import sealed

N, EVENT = 120, 5
QUIET = na64mu.RunOptions(progress=False)


@pytest.fixture
def files(fake: FakeReconstruction, tmp_path: Path) -> list[Path]:
    """Two files of one run; an event of the box is in the first."""
    fake.table = summary_table(N)
    plant(fake.table, EVENT)
    found = []
    for i, path in enumerate((tmp_path / "a.root", tmp_path / "b.root")):
        with RawTreeWriter(path) as writer:
            writer.extend(raw_batch(60 * i, 60))
            writer.finish([runs_row()])
        found.append(path)
    return found


def opened(files: Any, freeze: Path) -> Any:
    return na64mu.run(files, unblind=na64mu.open_box(freeze, reason="test"), options=QUIET)


def test_a_file_that_was_edited_after_the_freeze_is_not_opened(files, tmp_path):
    (tmp_path / "kept").mkdir()
    freeze = na64mu.freeze(files).write(tmp_path / "kept" / "freeze.json")
    with RawTreeWriter(tmp_path / "a.root") as writer:  # the digits of two events exchanged: the same numbers of events, another file
        batch = raw_batch(0, 60)
        batch.scalars["event"][[EVENT, EVENT + 1]] = batch.scalars["event"][[EVENT + 1, EVENT]]
        writer.extend(batch)
        writer.finish([runs_row()])
    with pytest.raises(BlindedError, match=r"the input .*a.root.*: not what was frozen"):
        opened(files, freeze)


def test_files_whose_names_were_exchanged_are_the_same_data(files, tmp_path):
    """The freeze knows files by their content: names may change, datasets may not."""
    fileset = tmp_path / "run.json"
    fileset.write_text(json.dumps({"run": [str(path) for path in files]}))
    (tmp_path / "kept").mkdir()
    freeze = na64mu.freeze(fileset).write(tmp_path / "kept" / "freeze.json")
    first, second = (path.read_bytes() for path in files)
    files[0].write_bytes(second)
    files[1].write_bytes(first)
    assert [e.event for e in opened(fileset, freeze).in_box["run"]] == [EVENT]
    two = tmp_path / "two.json"
    two.write_text(json.dumps({"one": [str(files[0])], "other": [str(files[1])]}))
    with pytest.raises(BlindedError, match="not what was frozen"):
        opened(two, freeze)


def test_events_that_were_moved_between_the_files_of_a_run_are_not_noticed_blind_and_hide_nothing(files, tmp_path):
    """An edited file is another file: without a freeze nobody can say so. The event of the box is hidden wherever it is."""
    before = run_search(files, progress=False)
    rest = np.setdiff1d(np.arange(60), [EVENT])
    for path, numbers in ((files[0], np.append(rest, 60)), (files[1], np.append(np.arange(61, 120), EVENT))):
        with RawTreeWriter(path) as writer:
            batch = raw_batch(0, len(numbers))
            batch.scalars["event"][:] = numbers
            writer.extend(batch)
            writer.finish([runs_row()])
    after = run_search(files, progress=False)
    assert [step.n for step in after.total.steps] == [step.n for step in before.total.steps]
    assert any("event numbers are not in order" in loss.reason for loss in after.losses)


def test_a_summary_whose_rows_or_columns_were_exchanged_is_refused(files, tmp_path):
    import pyarrow.parquet as pq

    target = tmp_path / "s.parquet"
    reconstruct_files(files, target)
    table = pq.read_table(target)
    order = np.arange(len(table))
    order[[0, 1]] = [1, 0]
    pq.write_table(table.take(order), tmp_path / "rows.parquet")
    swapped = table.set_column(table.schema.get_field_index("p_out"), "p_out", table["p_in"])
    pq.write_table(swapped, tmp_path / "columns.parquet")
    for name in ("rows", "columns"):
        with pytest.raises(InputError, match=rf"{name}.parquet"):
            run_search(tmp_path / f"{name}.parquet", progress=False)


def test_a_summary_that_is_sealed_anew_is_believed(files, tmp_path):
    """Whoever recomputes the seal is believed, and shows no hidden event, since none is in the file."""
    import pyarrow.parquet as pq

    target = tmp_path / "s.parquet"
    reconstruct_files(files, target)
    assert EVENT not in pq.read_table(target)["event"].to_pylist()
    with pq.ParquetFile(target) as file:
        book = json.loads(json.loads(file.metadata.metadata[b"na64mu"])["bookkeeping"])
    del book["checksums"]
    pq.write_table(pq.read_table(target).replace_schema_metadata({"na64mu": sealed(book)}), tmp_path / "again.parquet")
    try:
        result = run_search(tmp_path / "again.parquet", progress=False)
    except InputError as error:
        assert "again.parquet" in str(error)  # noqa: PT017
    else:
        assert result.total.counts[-1] == run_search(target, progress=False).total.counts[-1]


def test_one_file_that_is_exchanged_for_another_of_the_run_shows_in_the_freeze(files, tmp_path):
    (tmp_path / "kept").mkdir()
    freeze = na64mu.freeze(files).write(tmp_path / "kept" / "freeze.json")
    third = write_file(tmp_path / "c.root", 60, first=60, rows=[runs_row(n_mot=2000)])
    files[1].write_bytes(third.read_bytes())
    with pytest.raises(BlindedError, match=r"the input .*b.root.*not what was frozen"):
        opened(files, freeze)
