"""Friend trees of one file, against the same events in one tree."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest
import uproot
from coffea import processor
from coffea.util import coffea_console
from raw_tree_examples import RUN_ROW, assert_same, columns_of, make_batch

from na64mu.errors import InputError, LayoutError
from na64mu.events.batch import RawBatch
from na64mu.events.checker import check_file
from na64mu.events.layout import load_layout
from na64mu.events.reader import count_entries, read_batch
from na64mu.events.schema import schema_for
from na64mu.events.schema_v1 import COLLECTIONS, SCALARS
from na64mu.inputs.raw_file import read_numbers

N = 50
HITS = ("mm", "gem", "straw", "bms")


def layout_toml(friends='friends = ["hits"]'):
    lines = ["format_version = 1", '[trees]\nevents = "tree"', friends, "[scalars]", *(f'{name} = "{name}"' for name in SCALARS)]
    for name, fields in COLLECTIONS.items():
        lines += [f"[collections.{name}]", *(f'{field} = "{name}_{field}"' for field in fields)]
    lines += ["[[runs]]", *(f"{key} = {value!r}" for key, value in RUN_ROW.items())]
    return "\n".join(lines)


def layout_of(tmp_path, **options):
    (tmp_path / "mine.toml").write_text(layout_toml(**options))
    return load_layout(tmp_path / "mine.toml")


def parted(batch):
    """Columns of the tree of the events, and of its friend with the hits of the trackers."""
    columns = {name: column for name, column in columns_of(batch).items() if name.startswith(tuple(COLLECTIONS)) or name in SCALARS}
    hits = {name: columns.pop(name) for name in list(columns) if name.startswith(tuple(f"{c}_" for c in HITS))}
    return columns, hits


def write_trees(path, **trees):
    with uproot.recreate(path) as file:
        for name, columns in trees.items():
            types = {key: column.type.content if isinstance(column, ak.Array) else column.dtype for key, column in columns.items()}
            file.mktree(name, types, counter_name=lambda key: f"length_{key}")
            file[name].extend(columns)
    return path


@pytest.fixture
def batch():
    return make_batch(N, truth=False)


@pytest.fixture
def path(tmp_path, batch):
    events, hits = parted(batch)
    return write_trees(tmp_path / "f.root", tree=events, hits=hits | {"event": batch.scalars["event"]})


def test_friends_read_like_one_tree(path, batch, tmp_path):
    layout = layout_of(tmp_path)
    assert_same(read_batch(path, layout=layout), batch)
    part = read_batch(path, 20, 30, layout=layout)
    assert len(part) == 10
    np.testing.assert_array_equal(part.collections["mm"].counts, batch.collections["mm"].counts[20:30])
    assert count_entries(path, layout=layout) == N
    assert check_file(path, layout=layout).findings == ()


def test_the_run_number_may_stand_in_a_friend(tmp_path, batch):
    events, hits = parted(batch)
    path = write_trees(tmp_path / "f.root", tree=events, hits=hits | {"run": events.pop("run")})
    numbers = read_numbers(str(path), "tree", 5, 15, layout_of(tmp_path))
    for name in ("run", "event", "config"):
        np.testing.assert_array_equal(numbers[name], batch.scalars[name][5:15])
    assert_same(read_batch(path, layout=layout_of(tmp_path)), batch)


def test_the_tree_of_the_events_comes_first(tmp_path, batch):
    events, hits = parted(batch)
    path = write_trees(tmp_path / "f.root", tree=events, hits=hits | {"ecal_energy": ak.zeros_like(events["ecal_energy"])})
    assert_same(read_batch(path, layout=layout_of(tmp_path)), batch)


def test_a_runner_reads_friends_chunk_by_chunk(path, batch, tmp_path, monkeypatch):
    monkeypatch.setattr(coffea_console, "quiet", True)
    iterative = processor.IterativeExecutor(retries=0, status=False)
    runner = processor.Runner(iterative, pre_executor=iterative, schema=schema_for(layout_of(tmp_path)), chunksize=20, metadata_cache={})

    def total(events):
        found = RawBatch.from_events(events)
        return {"n": len(found), "amplitudes": int(sum(len(found.collections[name].event_index) for name in HITS))}

    out = runner({"s": {"files": {str(path): "tree"}}}, total)
    assert out == {"n": N, "amplitudes": sum(len(batch.collections[name].event_index) for name in HITS)}


def test_a_friend_with_fewer_entries(tmp_path, batch):
    events, hits = parted(batch)
    path = write_trees(tmp_path / "f.root", tree=events, hits={name: column[:-1] for name, column in hits.items()})
    with pytest.raises(InputError, match=r"f\.root: friend tree 'hits' has 49 entries, tree 'tree' has 50: they are not entry by entry"):
        read_batch(path, layout=layout_of(tmp_path))


def test_a_friend_in_another_order(tmp_path, batch):
    events, hits = parted(batch)
    shifted = {name: column[np.roll(np.arange(N), 1)] for name, column in hits.items()}
    number = np.roll(batch.scalars["event"], 1)
    path = write_trees(tmp_path / "f.root", tree=events, hits=shifted | {"event": number})
    message = r"f\.root: entry 7 is event 7 in tree 'tree' and 6 in friend tree 'hits': they are not entry by entry of the same events"
    with pytest.raises(InputError, match=message):
        read_batch(path, 7, 9, layout=layout_of(tmp_path))
    with pytest.raises(InputError, match=message):
        read_numbers(str(path), "tree", 7, 9, layout_of(tmp_path))


def test_lists_that_are_called_like_the_event_number_are_not_compared(tmp_path, batch):
    events, hits = parted(batch)
    path = write_trees(tmp_path / "f.root", tree=events, hits=hits | {"event": hits["mm_channel"]})
    assert_same(read_batch(path, layout=layout_of(tmp_path)), batch)


def test_friends_that_are_missing(path, tmp_path):
    with pytest.raises(InputError, match=r"f\.root: no tree 'tracks'; the file has hits"):
        read_batch(path, layout=layout_of(tmp_path, friends='friends = ["hits", "tracks"]'))
    with pytest.raises(LayoutError, match=r"collections.bms names the branch 'bms_\w+', which tree 'tree' of .*f\.root does not have"):
        read_batch(path, layout=layout_of(tmp_path, friends=""))
    with pytest.raises(LayoutError, match=r"trees: 'tree' is named twice in events and friends, name each tree once"):
        layout_of(tmp_path, friends='friends = ["tree"]')


def test_a_branch_that_no_tree_has(tmp_path, batch):
    events, hits = parted(batch)
    del hits["mm_channel"]
    path = write_trees(tmp_path / "f.root", tree=events, hits=hits)
    with pytest.raises(LayoutError, match=r"collections.mm names the branch 'mm_channel', which tree 'tree \+ hits' of"):
        read_batch(path, layout=layout_of(tmp_path))
