"""Optional parts of the raw tree: one line declares one, and files with and without it read everywhere."""

from __future__ import annotations

import json

import awkward as ak
import numpy as np
import pytest
import uproot
from click.testing import CliRunner
from coffea import processor
from raw_tree_examples import RUN_ROW, assert_same, columns_of, make_batch, write_columns

from na64mu.cli import main
from na64mu.errors import InputError, LayoutError
from na64mu.events.batch import Jagged, RawBatch, as_batch
from na64mu.events.checker import check_file
from na64mu.events.checksums import Checksums
from na64mu.events.layout import load_layout
from na64mu.events.nanoevents import open_events, read_events, to_events
from na64mu.events.optional import collection_of, completed, parts_of, scalar_of
from na64mu.events.reader import read_batch
from na64mu.events.schema import RawTreeSchema, schema_for
from na64mu.events.schema_v1 import (
    ALL_COLLECTIONS,
    OPTIONAL_COLLECTIONS,
    OPTIONAL_COLUMNS,
    OPTIONAL_SCALARS,
    SCALARS,
    Declared,
)
from na64mu.events.writer import RawTreeWriter
from na64mu.execution.skim import skim

N = 20
KINDS = pytest.mark.parametrize("kind", ["ttree", "rntuple"])


@pytest.fixture
def declared(monkeypatch):
    """One more column of a collection and one more scalar, each in one line."""
    monkeypatch.setitem(OPTIONAL_COLUMNS, "mm", {"quality": Declared("u1", "", "how good the channel is", default=7)})
    monkeypatch.setitem(OPTIONAL_SCALARS, "pressure", Declared("f4", "hPa", "of the air in the hall", default=1013.25))


def with_pixels(batch: RawBatch, seed: int = 3) -> RawBatch:
    rng = np.random.default_rng(seed)
    offsets = np.concatenate([[0], np.cumsum(rng.poisson(2, len(batch)))]).astype(np.int64)
    rows = int(offsets[-1])
    fields = {f: rng.integers(0, 200, rows).astype(c.dtype) for f, c in OPTIONAL_COLLECTIONS["pixel"].items()}
    return RawBatch(batch.scalars, batch.collections | {"pixel": Jagged(offsets, fields)})


def with_parts(batch: RawBatch, seed: int = 4) -> RawBatch:
    """Pixels, and the column and the scalar of `declared`."""
    rng, mm = np.random.default_rng(seed), batch.collections["mm"]
    quality = rng.integers(0, 255, int(mm.offsets[-1])).astype(np.uint8)
    more = RawBatch(
        batch.scalars | {"pressure": rng.normal(970, 5, len(batch)).astype(np.float32)},
        batch.collections | {"mm": Jagged(mm.offsets, mm.fields | {"quality": quality})},
    )
    return with_pixels(more)


def write(path, *batches, kind="ttree"):
    with RawTreeWriter(path, kind) as writer:
        for batch in batches:
            writer.extend(batch)
        writer.finish([RUN_ROW])
    return path


def test_every_declaration_is_whole():
    assert not OPTIONAL_COLLECTIONS.keys() & ALL_COLLECTIONS.keys()
    assert set(OPTIONAL_COLUMNS) <= {*ALL_COLLECTIONS, *OPTIONAL_COLLECTIONS}
    assert not OPTIONAL_SCALARS.keys() & SCALARS.keys()
    for column in (c for fields in (*OPTIONAL_COLLECTIONS.values(), *OPTIONAL_COLUMNS.values(), OPTIONAL_SCALARS) for c in fields.values()):
        assert column.dtype.kind in "iuf"
        assert column.meaning
        assert np.array(column.default).astype(column.dtype) == column.default or np.isnan(column.default)


@KINDS
def test_pixels_go_through_every_reader_as_they_were_written(tmp_path, kind):
    batch = with_pixels(make_batch(N))
    path = write(tmp_path / "f.root", batch, kind=kind)
    assert_same(read_batch(path), batch)
    assert_same(read_batch(path, 5, 9), batch.piece(5, 9))
    assert_same(RawBatch.from_events(open_events(path)), batch)
    assert_same(RawBatch.from_events(open_events(path)[3:7]), batch.piece(3, 7))
    assert parts_of(batch) == {"npixel", *(f"pixel_{field}" for field in OPTIONAL_COLLECTIONS["pixel"])}
    pixels = open_events(path).pixel
    assert ak.to_list(ak.num(pixels)) == batch.collections["pixel"].counts.tolist()
    assert repr(pixels).startswith("<PixelHitArray [")
    assert ak.all(pixels.module_is(3).module == 3)
    report = check_file(path)
    assert report.findings == ()
    assert report.optional == ("npixel", *(f"pixel_{field}" for field in OPTIONAL_COLLECTIONS["pixel"]))


@KINDS
def test_a_file_without_pixels_has_none_in_any_event(tmp_path, kind):
    path = write(tmp_path / "f.root", make_batch(N), kind=kind)
    log = []
    events = open_events(path, access_log=log)
    assert ak.to_list(ak.num(events.pixel)) == [0] * N
    assert ak.sum(events.pixel.charge) == 0.0
    assert {a.branch for a in log} == {"run"}
    assert ak.to_numpy(ak.flatten(events.pixel.charge)).dtype == np.float32
    batch = read_batch(path)
    assert "pixel" not in batch.collections
    assert "pixel" not in RawBatch.from_events(events).collections
    empty = collection_of(batch, "pixel")
    assert empty.offsets.tolist() == [0] * (N + 1)
    assert {f: c.dtype for f, c in empty.fields.items()} == {f: c.dtype for f, c in OPTIONAL_COLLECTIONS["pixel"].items()}
    with uproot.open(path) as file:
        assert not [name for name in file["events"].keys() if "pixel" in name]  # noqa: SIM118


@KINDS
def test_one_declared_column_goes_everywhere(tmp_path, kind, declared):
    batch = with_parts(make_batch(N))
    path = write(tmp_path / "f.root", batch, kind=kind)
    assert_same(read_batch(path), batch)
    events = open_events(path)
    assert_same(RawBatch.from_events(events), batch)
    assert ak.flatten(events.mm.quality).to_list() == batch.collections["mm"]["quality"].tolist()
    assert check_file(path).findings == ()
    assert scalar_of(batch, "pressure") is batch.scalars["pressure"]
    assert collection_of(batch, "mm") is batch.collections["mm"]


@KINDS
def test_files_without_the_column_have_its_default(tmp_path, kind, declared):
    path = write(tmp_path / "f.root", make_batch(N), kind=kind)
    batch = read_batch(path)
    assert_same(batch, make_batch(N))
    assert collection_of(batch, "mm")["quality"].tolist() == [7] * int(batch.collections["mm"].offsets[-1])
    assert collection_of(batch, "mm")["quality"].dtype == np.uint8
    assert scalar_of(batch, "pressure").tolist() == [1013.25] * N
    events = open_events(path)
    assert ak.to_list(events.mm.quality) == ak.to_list(ak.full_like(events.mm.channel, 7))
    assert events.mm.quality.layout.content.dtype == np.uint8
    assert events.pressure.to_list() == [1013.25] * N
    assert_same(RawBatch.from_events(events), make_batch(N))
    assert check_file(path).optional == ()


@KINDS
def test_who_does_not_know_a_part_reads_the_rest(tmp_path, kind):
    batch = with_parts(make_batch(N))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(OPTIONAL_COLUMNS, "mm", {"quality": Declared("u1", "", "how good the channel is")})
        patch.setitem(OPTIONAL_SCALARS, "pressure", Declared("f4", "hPa", "of the air in the hall"))
        patch.setitem(OPTIONAL_COLLECTIONS, "film", OPTIONAL_COLLECTIONS["pixel"])
        path = write(tmp_path / "f.root", RawBatch(batch.scalars, batch.collections | {"film": batch.collections["pixel"]}), kind=kind)
    assert_same(read_batch(path), with_pixels(make_batch(N)))
    assert_same(RawBatch.from_events(open_events(path)), with_pixels(make_batch(N)))
    report = check_file(path)
    assert report.findings == ()
    counters = ["nfilm"] if kind == "rntuple" else []  # in a TTree it is known to hold lengths only
    assert report.unknown == tuple(sorted(["mm_quality", "pressure", *counters, *(f"film_{f}" for f in OPTIONAL_COLLECTIONS["pixel"])]))
    result = CliRunner().invoke(main, ["check", str(path)])
    assert result.exit_code == 0
    assert "  note: not part of the raw tree and left unread: branches film_charge, film_col" in result.output
    assert "  note: the file has the optional branches npixel, pixel_module" in result.output


def test_a_damaged_optional_branch_is_found(tmp_path, monkeypatch):
    """The checksum of what was written is not that of what is there."""
    path = tmp_path / "f.root"
    with monkeypatch.context() as patch:
        patch.setattr("na64mu.events.checksums._crc", len)
        write(path, with_pixels(make_batch(N)))
    with pytest.raises(InputError, match="has other numbers in entries 0 to 19 than were written"):
        read_batch(path)
    assert {f.branch for f in check_file(path).findings} >= {"npixel", "pixel_charge"}


def test_an_optional_branch_that_is_gone_is_missed(tmp_path):
    batch = with_pixels(make_batch(N))
    path = write_columns(tmp_path / "f.root", columns_of(make_batch(N)), [RUN_ROW])
    sums = Checksums()
    sums.add(batch)
    sums.n_runs = 99  # the bookkeeping is not judged
    assert set(sums.optional) == parts_of(batch)
    with uproot.update(path) as file:
        file["checksums"] = sums.to_json()
    with pytest.raises(InputError, match="branch 'npixel' was written and is not there"):
        read_batch(path)
    assert {f.branch for f in check_file(path).findings} == parts_of(batch)


def test_a_collection_with_its_counter_needs_its_fields(tmp_path):
    columns = columns_of(with_pixels(make_batch(N)))
    columns["pixel_column"] = columns.pop("pixel_col")
    path = write_columns(tmp_path / "f.root", columns, [RUN_ROW])
    for read in (read_batch, open_events):
        with pytest.raises(InputError, match="mandatory branch 'pixel_col' is missing; the tree has pixel_column"):
            read(path)
    assert [(f.code, f.branch) for f in check_file(path).findings] == [("missing", "pixel_col")]


def test_a_part_of_another_type_is_refused(tmp_path, declared):
    columns = columns_of(with_parts(make_batch(N)))
    columns["mm_quality"] = ak.values_astype(columns["mm_quality"], np.float32)
    path = write_columns(tmp_path / "f.root", columns, [RUN_ROW])
    with pytest.raises(InputError, match="branch 'mm_quality' has the type float32, the raw tree has uint8"):
        read_batch(path)
    assert [(f.code, f.branch) for f in check_file(path).findings] == [("type", "mm_quality")]


@KINDS
@pytest.mark.parametrize("order", [1, -1])
def test_skim_keeps_parts_and_completes_files_without_them(tmp_path, kind, order, declared):
    some, none = with_parts(make_batch(N)), make_batch(N, 2, first_event=N)
    paths = [write(tmp_path / "some.root", some, kind=kind), write(tmp_path / "none.root", none)][::order]
    skim(paths, tmp_path / "out.root", kind=kind, chunksize=7)
    out = read_batch(tmp_path / "out.root")
    first = int(out.scalars["event"][0])
    own, other = (
        (out.piece(first, first + N), out.piece(N - first, 2 * N - first)) if first == 0 else (out.piece(N, 2 * N), out.piece(0, N))
    )
    assert_same(own, some)
    assert_same(other, completed(none, parts_of(some)))
    assert set(other.collections["mm"]["quality"].tolist()) == {7}
    assert int(other.collections["pixel"].offsets[-1]) == 0
    skim(paths[::order][1], tmp_path / "old.root")
    assert parts_of(read_batch(tmp_path / "old.root")) == set()


def test_the_writer_wants_the_same_parts_in_every_batch(tmp_path, declared):
    with pytest.raises(InputError, match=r"this batch has the collections .*'mm with quality'.*'pixel'\], the batches before it had"):
        write(tmp_path / "f.root", RawBatch(make_batch(N).scalars, make_batch(N).collections), _without_pressure(with_parts(make_batch(N))))
    with pytest.raises(InputError, match=r"this batch has the scalars .*'pressure'\], the batches before it had"):
        write(tmp_path / "f.root", make_batch(N), with_parts(make_batch(N)))


def _without_pressure(batch: RawBatch) -> RawBatch:
    return RawBatch({name: column for name, column in batch.scalars.items() if name != "pressure"}, batch.collections)


def test_files_with_and_without_parts_open_together(tmp_path, declared):
    some, none = with_parts(make_batch(N)), make_batch(N, 2, first_event=N)
    events = open_events([write(tmp_path / "a.root", none), write(tmp_path / "b.root", some)])
    assert ak.to_list(ak.num(events.pixel)) == [0] * N + some.collections["pixel"].counts.tolist()
    batch = RawBatch.from_events(events)
    assert_same(batch.piece(0, N), completed(none, parts_of(some)))
    assert_same(batch.piece(N, 2 * N), some)


@KINDS
@pytest.mark.parametrize("opened", [True, False])
def test_a_default_is_never_taken_for_a_measurement(tmp_path, kind, opened, declared):
    path = write(tmp_path / "f.root", make_batch(N), kind=kind)
    events = open_events(path) if opened else to_events(make_batch(N))
    assert events.fields == to_events(with_parts(make_batch(N))).fields == open_events(path).fields
    assert events.mm.quality[0].to_list() == [7] * len(events.mm.channel[0])
    mask = events.event % 3 == 0
    for some in (events[mask], events[2:5], events[ak.argsort(events.event, ascending=False)], events[np.array([3, 1])]):
        assert parts_of(RawBatch.from_events(some)) == set()
        assert len(some.pixel) == len(some)
    assert parts_of(as_batch(events[4])) == set()
    assert parts_of(RawBatch.from_events(ak.concatenate([events, events[mask]]))) == set()
    assert RawBatch.from_events(events, ["pixel"]).collections["pixel"].counts.tolist() == [0] * N
    skimmed = ak.with_field(events, events.mm[events.mm.quality > 6], "mm")
    np.testing.assert_array_equal(RawBatch.from_events(skimmed).collections["mm"]["q1"], make_batch(N).collections["mm"]["q1"])


def test_files_with_different_parts_have_their_fields_in_one_order(tmp_path, monkeypatch):
    for name in ("film", "tape"):
        monkeypatch.setitem(OPTIONAL_COLLECTIONS, name, OPTIONAL_COLLECTIONS["pixel"])
        monkeypatch.setitem(OPTIONAL_SCALARS, f"{name}_speed", Declared("f4", "m/s", "of the plane", default=float("nan")))
    pixels, scalars = with_pixels(make_batch(N)).collections["pixel"], make_batch(N).scalars
    speed = {"tape_speed": np.ones(N, np.float32)}
    paths = [
        write(tmp_path / f"{name}.root", RawBatch(scalars | more, make_batch(N).collections | {name: pixels}))
        for name, more in (("tape", speed), ("pixel", {}), ("film", {}))
    ]
    events = open_events(paths)
    assert events.fields[-3:] == ["pixel", "film", "tape"]
    assert [int(ak.sum(ak.num(events[name]))) for name in ("pixel", "film", "tape")] == [int(pixels.offsets[-1])] * 3
    assert np.isnan(events.film_speed).to_list() == [True] * 3 * N
    assert events.tape_speed.to_list()[:N] == [1.0] * N


class Pixels(processor.ProcessorABC):
    def process(self, events):
        return {"charge": float(ak.sum(events.pixel.charge)), "rows": len(read_events(events).collections), "n": len(events)}

    def postprocess(self, accumulator):
        return accumulator


def test_one_processor_runs_over_files_with_and_without_pixels(tmp_path):
    some = with_pixels(make_batch(N))
    paths = [write(tmp_path / "a.root", make_batch(N)), write(tmp_path / "b.root", some)]
    run = processor.Runner(processor.IterativeExecutor(status=False), schema=RawTreeSchema)
    out = run({"d": [str(path) for path in paths]}, Pixels(), treename="events")
    assert out == {"charge": pytest.approx(float(some.collections["pixel"]["charge"].sum())), "rows": 19, "n": 2 * N}


LAYOUT = """
format_version = 1
absent = ["counter", "veto", "bms", "gem", "straw", "ecal", "vhcal", "hcal"{absent}]
[trees]
events = "hits"
{friends}
[scalars]
run = "run"
spill = "spill"
event = "event"
config = "config"
trigger = "trigger"
{scalars}
[[runs]]
run = 7
config = 1
n_spills = 1
n_mot = 1000
n_generated = 0
sum_weights = 0.0
detector = "na64mu-2022"
conditions = ""
seed = 0
[[collections.mm]]
module = "mm_module"
view = "mm_view"
channel = "mm_channel"
q0 = "mm_q0"
q1 = "mm_q1"
q2 = "mm_q2"
{mm}
[[collections.mm]]
module = "mm_module"
view = "mm_view"
channel = "mm_channel"
q0 = {{ constant = 1 }}
q1 = {{ constant = 2 }}
q2 = {{ constant = 1 }}
{pixel}
"""
PIXEL = "[collections.pixel]\n" + "".join(f'{field} = "pixel_{field}"\n' for field in ("module", "col", "row", "charge", "time"))


def layout(tmp_path, *, absent="", friends="", scalars="", mm="", pixel=""):
    path = tmp_path / "own.toml"
    path.write_text(LAYOUT.format(absent=absent, friends=friends, scalars=scalars, mm=mm, pixel=pixel))
    return load_layout(path)


def foreign(tmp_path, columns):
    return write_columns(tmp_path / "foreign.root", columns, None, tree="hits")


def test_a_layout_may_map_parts_and_need_not(tmp_path, declared):
    batch = with_parts(make_batch(N))
    path = foreign(tmp_path, columns_of(batch))
    mapped = layout(tmp_path, scalars='pressure = "pressure"', mm='quality = "mm_quality"', pixel=PIXEL)
    read = read_batch(path, layout=mapped)
    np.testing.assert_array_equal(read.collections["pixel"]["charge"], batch.collections["pixel"]["charge"])
    np.testing.assert_array_equal(read.scalars["pressure"], batch.scalars["pressure"])
    mm = read.collections["mm"]
    assert mm["quality"].dtype == np.uint8
    assert set(mm["quality"][mm["q1"] == 2].tolist()) >= {7}  # the second part does not map it
    assert sorted(mm["quality"].tolist()) == sorted(batch.collections["mm"]["quality"].tolist() + [7] * len(batch.collections["mm"]["q0"]))
    for none in (layout(tmp_path), layout(tmp_path, absent=', "pixel"')):
        assert parts_of(read_batch(path, layout=none)) == set()
    assert check_file(path, layout=mapped).version is None
    skim(path, tmp_path / "out.root", layout=mapped)
    assert_same(read_batch(tmp_path / "out.root"), read)
    run = processor.Runner(processor.IterativeExecutor(status=False), schema=schema_for(mapped))
    assert run({"d": [str(path)]}, _Rows(), treename="hits") == {"rows": int(read.collections["pixel"].offsets[-1])}


class _Rows(processor.ProcessorABC):
    def process(self, events):
        return {"rows": int(RawBatch.from_events(events).collections["pixel"].offsets[-1])}

    def postprocess(self, accumulator):
        return accumulator


def test_pixels_may_be_in_a_friend_tree(tmp_path):
    columns = columns_of(with_pixels(make_batch(N)))
    path = tmp_path / "two.root"
    with uproot.recreate(path) as file:
        for tree, own in (
            ("hits", {n: c for n, c in columns.items() if "pixel" not in n}),
            ("more", {n: columns[n] for n in columns if n.startswith("pixel_")}),
        ):
            file.mktree(
                tree,
                {n: c.type.content if isinstance(c, ak.Array) else c.dtype for n, c in own.items()},
                counter_name=lambda n: f"length_{n}",
            )
            file[tree].extend(own)
    read = read_batch(path, layout=layout(tmp_path, friends='friends = ["more"]', pixel=PIXEL))
    np.testing.assert_array_equal(read.collections["pixel"]["row"], ak.flatten(columns["pixel_row"]).to_numpy())


def test_a_mapped_collection_needs_its_fields(tmp_path):
    with pytest.raises(LayoutError, match=r"collections\.pixel\.time is missing"):
        layout(tmp_path, pixel=PIXEL.replace('time = "pixel_time"\n', ""))
    with pytest.raises(
        LayoutError, match=r"collections\.pixel\.size is not part of the raw tree, which has module, col, row, charge, time"
    ):
        layout(tmp_path, pixel=PIXEL + 'size = "pixel_size"\n')


def test_completed_gives_back_a_batch_that_lacks_nothing(declared):
    batch = with_parts(make_batch(N))
    assert completed(batch, parts_of(batch)) is batch
    assert completed(batch, ()) is batch
    empty = batch.piece(0, 0)
    assert_same(completed(make_batch(N).piece(0, 0), parts_of(batch)), empty)
    assert completed(empty, parts_of(batch)) is empty


def test_checksums_of_files_without_parts_are_written_as_before(tmp_path):
    with uproot.open(write(tmp_path / "f.root", make_batch(N))) as file:
        assert set(json.loads(str(file["checksums"]))) == {"format_version", "borders", "branches", "runs", "n_runs"}
