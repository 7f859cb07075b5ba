"""The waveform tier of the raw tree: written, read, checked, opened in both forms."""

from __future__ import annotations

import numpy as np
import pytest
from raw_tree_examples import RUN_ROW, assert_same, columns_of, damage, make_batch, write_columns

from na64mu.errors import InputError
from na64mu.events.batch import Jagged, RawBatch, concatenate
from na64mu.events.checker import check_file
from na64mu.events.nanoevents import open_events
from na64mu.events.reader import read_batch
from na64mu.events.schema_v1 import COLLECTIONS, SAMPLES, WAVEFORMS, branches, collections_of, missing_branches, waveform_of
from na64mu.events.writer import RawTreeWriter

N = 40
BATCH = make_batch(N, waveforms=True)


@pytest.fixture(scope="module", params=["ttree", "rntuple"])
def file(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("wave") / f"{request.param}.root"
    with RawTreeWriter(path, request.param) as writer:
        writer.extend(BATCH)
        writer.finish([RUN_ROW])
    return path


def test_form():
    assert set(WAVEFORMS) == {"counterwave", "vetowave", "ecalwave", "vhcalwave", "hcalwave"}
    assert waveform_of("mm") == ""
    assert list(WAVEFORMS["ecalwave"]) == ["section", "ix", "iy", *SAMPLES]
    assert collections_of(BATCH.collections) == tuple(waveform_of(n) or n for n in COLLECTIONS)
    assert collections_of(branches()) == tuple(COLLECTIONS)
    mixed = branches(("counter", "vetowave", "bms", "mm", "gem", "straw", "ecalwave", "vhcal", "hcal"))
    assert missing_branches(mixed) == ""  # every collection by itself


def test_round_trip(file):
    assert_same(read_batch(file), BATCH)
    assert_same(RawBatch.from_events(open_events(file)), BATCH)
    part = read_batch(file, 10, 20)
    np.testing.assert_array_equal(part.collections["hcalwave"].counts, BATCH.collections["hcalwave"].counts[10:20])


def test_good_file_has_no_findings(file):
    report = check_file(file)
    assert report.ok, report.findings


def test_missing_sample_is_named(tmp_path):
    columns = {name: c for name, c in columns_of(BATCH).items() if name != "ecalwave_s7"}
    path = write_columns(tmp_path / "bad.root", columns, [RUN_ROW])
    assert [f.branch for f in check_file(path).findings if f.code == "missing"] == ["ecalwave_s7"]
    with pytest.raises(InputError, match=r"mandatory branch 'ecalwave_s7' is missing; the tree has ecalwave_s"):
        read_batch(path)


def test_both_tiers_of_a_collection_are_an_error(tmp_path):
    digits = {name: c for name, c in columns_of(make_batch(N)).items() if name == "necal" or name.startswith("ecal_")}
    path = write_columns(tmp_path / "both.root", columns_of(BATCH) | digits, [RUN_ROW])
    sentence = "collection 'ecal' stands in the tree as digits and as waveforms"
    with pytest.raises(InputError, match=sentence):
        read_batch(path)
    with pytest.raises(InputError, match=sentence):
        open_events(path)
    assert any(f.code == "both-tiers" and f.message.startswith(sentence) for f in check_file(path).findings)


def test_values_that_cannot_be_are_found(tmp_path):
    columns = columns_of(BATCH)
    hcal = BATCH.collections["hcalwave"]
    wrong = {"module": np.full(len(hcal["module"]), 9, np.uint8)}
    bad = columns_of(RawBatch(BATCH.scalars, {"hcalwave": Jagged(hcal.offsets, hcal.fields | wrong)}))
    path = write_columns(tmp_path / "bad.root", columns | {k: v for k, v in bad.items() if k.startswith("hcalwave")}, [RUN_ROW])
    assert any(f.branch == "hcalwave_module" and f.code == "range" for f in check_file(path).findings)


def test_damage_is_found(tmp_path):
    path = tmp_path / "d.root"
    with RawTreeWriter(path) as writer:
        writer.extend(make_batch(2000, waveforms=True))
        writer.finish([RUN_ROW])
    damage(path, "ecalwave_s3")
    assert any(f.branch == "ecalwave_s3" for f in check_file(path).findings)


def test_tiers_do_not_mix_in_one_file(tmp_path):
    with RawTreeWriter(tmp_path / "m.root") as writer:
        writer.extend(BATCH)
        with pytest.raises(InputError, match="the batches before it had"):
            writer.extend(make_batch(N))
        writer.finish([RUN_ROW])


def test_concatenate_keeps_the_samples():
    both = concatenate([BATCH, BATCH])
    wave = both.collections["vetowave"]
    assert len(both) == 2 * N
    np.testing.assert_array_equal(wave["s31"], np.tile(BATCH.collections["vetowave"]["s31"], 2))
