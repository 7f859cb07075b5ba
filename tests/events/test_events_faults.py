"""Every kind of fault is found, counted and treated by its rule, whatever the chunks are."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from raw_tree_examples import SAMPLES, make_batch

from na64mu.detector import load_detector
from na64mu.events.address_kernels import repeated_rows
from na64mu.events.batch import Jagged, RawBatch
from na64mu.events.checker import check_files
from na64mu.events.fault_rules import KINDS
from na64mu.events.faults import Bounds, find_faults
from na64mu.events.reader import read_batch
from na64mu.events.schema_v1 import COLLECTIONS
from na64mu.events.screening import EXAMPLES, FaultCount, Screened, screened, sentence_of
from na64mu.events.units import mip_counts, unit_sentences
from na64mu.reconstruction.summary import reconstruct

DETECTOR = load_detector("na64mu-2022")
BOUNDS = Bounds.of(DETECTOR)
N = 50
SAMPLE = Path(__file__).parents[2] / "data" / "sample"
#: Kind -> collection or scalar, column and the value that has the fault, and the detail of its sentence.
FAULTS: dict[str, tuple[str, str, Any]] = {
    "energy-not-finite": ("ecal", "energy", np.nan),
    "energy-address": ("hcal", "module", 250),
    "energy-range": ("vhcal", "energy", 30_000.0),
    "hit-not-finite": ("straw", "time", np.inf),
    "hit-address": ("gem", "view", 2),
    "charge-range": ("mm", "q1", -32768),
    "weight": ("", "mc_weight", np.nan),
    "config": ("", "config", 3),
    "trigger": ("", "trigger", 0),
    "trigger-bits": ("", "trigger", 9),
}


def batch_with(kind: str, event: int) -> RawBatch:
    """Good events with many rows, and one fault in one of them."""
    batch = make_batch(N, mean_rows=40.0)
    name, column, value = FAULTS[kind]
    if name:
        batch.collections[name].fields[column][batch.collections[name].offsets[event]] = value
    else:
        batch.scalars[column][event] = value
    return batch


def screen(batch: RawBatch, bounds: Bounds = BOUNDS) -> Screened:
    return screened(batch, bounds, np.arange(len(batch)))


def test_good_events_have_no_fault():
    batch = make_batch(N, mean_rows=40.0)
    assert find_faults(batch, BOUNDS) == []
    assert screen(batch).batch is batch


@pytest.mark.parametrize("kind", FAULTS)
def test_every_fault_is_treated_by_its_rule(kind):
    event, (name, column, value) = 7, FAULTS[kind]
    batch = batch_with(kind, event)
    found = screen(batch)
    (key,) = found.faults
    assert key == (kind, f"{name}_{column}" if name else column)
    assert (found.faults[key].rows, found.faults[key].events) == (1, 1)
    (example,) = found.faults[key].examples
    assert (example.entry, example.run, example.event) == (event, 7, event)
    assert example.value == str(np.asarray(value, batch.collections[name][column].dtype if name else batch.scalars[column].dtype))
    rule = KINDS[kind].rule
    assert len(found.batch) == N - (rule == "refuse")
    assert sum(found.refused.values()) == (rule == "refuse")
    if rule == "mask":
        assert found.batch.collections[name].counts.sum() == batch.collections[name].counts.sum() - 1
        assert value not in found.batch.collections[name][column]
    if rule == "refuse":
        assert found.kept.tolist() == [i != event for i in range(N)]
        assert event not in found.batch.scalars["event"]


def test_every_rule_has_a_test():
    assert {*FAULTS, "empty", "repeated", "energy-repeated", "masked"} == set(KINDS)


@pytest.mark.parametrize("name", ["counter", "veto", "ecal", "vhcal", "hcal"])
def test_a_row_of_an_energy_that_is_there_twice_refuses_the_event(name):
    batch = make_batch(N, mean_rows=40.0)
    collection = batch.collections[name]
    first = int(collection.offsets[7])
    for column in collection.fields.values():
        column[first + 3] = column[first]
    found = screen(batch)
    assert list(found.faults) == [("energy-repeated", f"{name}_energy")]
    assert found.kept.tolist() == [i != 7 for i in range(N)]
    collection.fields["time"][first + 3] += 5.0  # two pulses
    assert find_faults(batch, BOUNDS) == []


@pytest.mark.parametrize("path", sorted(SAMPLE.glob("*1.root")), ids=lambda path: path.stem)
def test_the_order_of_rows_in_an_event_changes_nothing(path):
    rng, batch = np.random.default_rng(1), read_batch(path, 0, 60)
    mixed = {}
    for name, collection in batch.collections.items():
        order = np.lexsort((rng.random(int(collection.offsets[-1])), collection.event_index))
        mixed[name] = Jagged(collection.offsets, {f: np.ascontiguousarray(column[order]) for f, column in collection.fields.items()})
    whole, other = (reconstruct(b, "na64mu-2022") for b in (batch, replace(batch, collections=mixed)))
    for name in whole:
        assert np.array_equal(whole[name], other[name], equal_nan=whole[name].dtype.kind == "f"), name


def test_the_page_lists_every_rule(repository):
    page = (repository / "docs" / "reference" / "raw-tree.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([a-z-]+)` \| .* \| (refused|dropped|note) \|$", page, re.MULTILINE))
    assert rows == {name: {"refuse": "refused", "mask": "dropped", "note": "note"}[kind.rule] for name, kind in KINDS.items()}


def test_an_event_without_a_digit_is_refused_if_its_counters_fired():
    batch = make_batch(6, mean_rows=20.0)
    for name, collection in batch.collections.items():
        batch.collections[name] = collection.with_rows(collection.event_index > 2)
    batch.scalars["trigger"][:3] = [1, 4, 2]
    found = screen(batch)
    assert found.batch.scalars["event"].tolist() == [1, 3, 4, 5]
    assert list(found.faults) == [("empty", "")]
    assert find_faults(batch, Bounds.of(DETECTOR, complete=False)) == []


def test_the_second_row_of_a_channel_is_dropped():
    batch = make_batch(N, mean_rows=40.0)
    mm = batch.collections["mm"]
    first = int(mm.offsets[3])
    for column in ("module", "view", "channel"):
        mm.fields[column][first + 5] = mm[column][first]
    assert repeated_rows(mm, "module", "view", "channel").tolist() == [first + 5]
    found = screen(batch)
    assert list(found.faults) == [("repeated", "mm_channel")]
    assert len(found.batch.collections["mm"]["q0"]) == len(mm["q0"]) - 1
    assert found.batch.collections["mm"].counts[3] == mm.counts[3] - 1


def test_repeated_rows_do_not_depend_on_the_size_of_the_addresses():
    rng = np.random.default_rng(1)
    offsets = np.concatenate([[0], np.cumsum(rng.poisson(30, 40))])
    n = int(offsets[-1])
    small = {"module": rng.integers(1, 3, n), "view": rng.integers(0, 2, n), "channel": rng.integers(0, 20, n)}
    seen: set[tuple[int, ...]] = set()
    expected = []
    for i, (event, *address) in enumerate(zip(np.repeat(np.arange(40), np.diff(offsets)), *small.values(), strict=True)):
        if (int(event), *map(int, address)) in seen:
            expected.append(i)
        seen.add((int(event), *map(int, address)))
    for scale, kind in ((1, np.uint16), (3000, np.uint16), (3000, np.int64)):
        columns = {k: (v * (scale if k == "channel" else 1)).astype(kind) for k, v in small.items()}
        assert repeated_rows(Jagged(offsets, columns), "module", "view", "channel").tolist() == expected


def test_an_event_that_loses_many_rows_is_refused():
    batch = make_batch(N, mean_rows=40.0)
    gem = batch.collections["gem"]
    for event, n_bad in ((4, 1), (5, gem.counts[5] // 10), (6, gem.counts[6] // 10 + 1)):
        gem.fields["view"][gem.offsets[event] : gem.offsets[event] + n_bad] = 9
    found = screen(batch)
    assert set(found.faults) == {("hit-address", "gem_view"), ("masked", "gem")}
    assert np.flatnonzero(~found.kept).tolist() == [6]


@pytest.mark.parametrize("name", COLLECTIONS)
def test_every_column_of_every_collection_is_looked_at(name):
    for column, kind in COLLECTIONS[name].items():
        batch = make_batch(N, mean_rows=40.0)
        wrong: Any = np.nan if kind.kind == "f" else np.iinfo(kind).min if kind.kind == "i" else np.iinfo(kind).max
        batch.collections[name].fields[column][0] = wrong
        assert [fault.branch for fault in find_faults(batch, BOUNDS)] == [f"{name}_{column}"]


@pytest.mark.parametrize("step", [1, 7, 50])
def test_counts_do_not_depend_on_the_chunks(step):
    whole = make_batch(N, mean_rows=40.0)
    for event in (3, 11, 12, 13, 49):
        whole.collections["ecal"].fields["energy"][whole.collections["ecal"].offsets[event]] = np.nan
    total: dict[tuple[str, str], FaultCount] = {}
    for start in range(0, N, step):
        part = whole.piece(start, min(start + step, N))
        for key, count in screened(part, BOUNDS, np.arange(start, start + len(part))).faults.items():
            total[key] = total[key] + count if key in total else count
    assert total == screen(whole).faults
    ((_, count),) = total.items()
    assert (count.rows, count.events, [e.entry for e in count.examples]) == (5, 5, [3, 11, 12])
    assert len(count.examples) == EXAMPLES
    assert FaultCount.from_dict(count.to_dict()) == count


def test_sentences():
    found = screen(batch_with("energy-not-finite", 7))
    ((key, count),) = found.faults.items()
    assert sentence_of(*key, count) == (
        "ecal_energy is not a finite number in 1 event (run 7 event 7: nan): refused, which lowers the exposure of the run in proportion"
    )
    found = screen(batch_with("charge-range", 7))
    ((key, count),) = found.faults.items()
    assert "mm_q1 is below -4096, which no converter gives in 1 row of 1 event (run 7 event 7: -32768): dropped" in sentence_of(*key, count)


CASES = SAMPLES.parent / "cases"


@pytest.mark.skipif(not CASES.is_dir(), reason="the small failing inputs (../shared/cases) are not beside this checkout")
def test_files_that_were_called_good():
    expected = {"charge_min": "range", "empty_all": "empty", "mm_view2": "range", "nan_ecal": "not-finite"}
    reports = [check_files([CASES / f"{name}.root"])[0] for name in expected]
    assert [report.findings[0].code for report in reports] == list(expected.values())
    assert not any(report.ok for report in reports)


def muons(factor: dict[str, float], *, physics: bool = False, n: int = 300) -> RawBatch:
    """Muons that only ionise, with energies in another unit."""
    rng, batch = np.random.default_rng(2), make_batch(n, mean_rows=0.0)
    batch.scalars["trigger"][:] = 3 if physics else 1
    two, event = np.arange(n + 1) * 2, np.arange(2 * n) % 2
    spread = rng.normal(1.0, 0.1, (3, 2 * n))

    def cells(name: str, mip: float, energies: np.ndarray, **address: Any) -> None:
        kinds = COLLECTIONS[name]
        times = rng.normal(0.0, 0.5, 2 * n) * factor.get(f"{name}_time", 1.0)
        columns = {"time": times, "energy": energies * mip * factor.get(name, 1.0), **address}
        batch.collections[name] = Jagged(two, {f: np.broadcast_to(columns.get(f, 1), 2 * n).astype(kind) for f, kind in kinds.items()})

    cells("hcal", DETECTOR.hcal.mip, spread[0], module=event + 1)
    cells("ecal", DETECTOR.ecal.mip, np.where(event == 0, 0.1, 0.9) * spread[1], section=event)
    cells("veto", DETECTOR.veto.mip, spread[2], id=event)
    cells("vhcal", 0.04, np.exp(rng.normal(0.0, 0.7, 2 * n)))
    cells("counter", 1.0, spread[0], id=event)
    rows = np.arange(2 * n)
    for name, module, charge in (("mm", "micromegas", DETECTOR.micromegas_response), ("gem", "gem", DETECTOR.gem_response)):
        planes = 2 * len(getattr(DETECTOR, module))
        charges = {f"q{i}": charge.charge_mode * planes * spread[i] / 2 * factor.get(f"{name}_charge", 1.0) for i in range(3)}
        kinds = COLLECTIONS[name]
        batch.collections[name] = Jagged(two, {f: charges.get(f, rows % 2).astype(kind) for f, kind in kinds.items()})
    for name, times in (("bms", rng.normal(0.0, 0.3, 2 * n)), ("straw", rng.uniform(0.0, 44.0, 2 * n))):
        columns = {"time": times * factor.get(f"{name}_time", 1.0)}
        batch.collections[name] = Jagged(two, {f: columns.get(f, rows % 2).astype(kind) for f, kind in COLLECTIONS[name].items()})
    return batch


def said(batch: RawBatch) -> list[str]:
    return [name for name, _ in unit_sentences(mip_counts(batch, len(DETECTOR.hcal.front)), DETECTOR)]


OTHERS = ("vhcal", "mm_charge", "gem_charge", *(f"{name}_time" for name in ("bms", "straw", "counter", "veto", "ecal", "vhcal", "hcal")))


@pytest.mark.parametrize("factor", [1.0, 0.5, 2.0])
def test_numbers_in_the_right_unit_are_not_spoken_of(factor):
    assert said(muons(dict.fromkeys(("ecal", "hcal", "veto", *OTHERS), factor))) == []


@pytest.mark.parametrize("name", ["ecal", "hcal", "veto"])
@pytest.mark.parametrize("factor", [1000.0, 5.0, 0.2, 0.001])
def test_energies_in_another_unit_are_seen(name, factor):
    assert said(muons({name: factor})) == [name]


@pytest.mark.parametrize("name", OTHERS)
def test_charges_times_and_the_vhcal_in_another_unit_are_seen(name):
    assert said(muons({name: 1000.0 if not name.endswith("charge") else 12.0})) == [name.split("_")[0]]
    seen_below = name in ("vhcal", "mm_charge", "gem_charge", "straw_time")  # other times are in time however small they are
    assert said(muons({name: 0.001 if not name.endswith("charge") else 0.05})) == ([name.split("_")[0]] if seen_below else [])


def test_the_sentence_about_a_unit():
    ((name, sentence),) = unit_sentences(mip_counts(muons({"ecal": 1000.0}), 2), DETECTOR)
    assert name == "ecal"
    assert "GeV in the ECAL (300 of them)" in sentence
    assert "times the 0.47 GeV of detector 'na64mu-2022': the numbers are not in GeV" in sentence
    ((name, sentence),) = unit_sentences(mip_counts(muons({"straw_time": 1000.0}), 2), DETECTOR)
    assert name == "straw"
    assert re.search(
        r"\d+ ns as the time of their first hit in straw \(\d+ of them\), and the description of detector 'na64mu-2022' expects", sentence
    )


def test_muons_that_lost_their_energy_are_no_error_of_a_unit():
    assert said(muons({"ecal": 200.0}, physics=True)) == []  # 94 GeV
    assert said(muons({"ecal": 1000.0}, physics=True)) == ["ecal"]  # more than the beam has


def test_few_muons_say_nothing():
    assert said(muons({"ecal": 1000.0}, n=49)) == []
    assert said(muons({"ecal": 1000.0}, n=60)) == ["ecal"]


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the independent Geant4 samples (../shared) are not beside this checkout")
def test_independent_samples_are_in_the_right_unit():
    detector = load_detector("g4raw-indep-1")
    for path in sorted(SAMPLES.glob("*.root")):
        counts = mip_counts(read_batch(path, 0, 1000), len(detector.hcal.front))
        assert sum(counts["hcal"].values()) > 300
        assert list(unit_sentences(counts, detector)) == []
