"""Processors of the user's own: the same numbers on every executor, with exposure, losses and resume, and nothing of the box."""

from __future__ import annotations

import re
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import awkward as ak
import hist
import numpy as np
import pytest
from coffea.processor import FuturesExecutor, IterativeExecutor, ProcessorABC
from search_examples import FakeReconstruction, hide, plant, write_file

import na64mu
from na64mu import RunOptions
from na64mu.errors import ArgumentError, BlindedError, CheckpointError, InputError, ProcessorError, WorkerError
from na64mu.events.batch import RawBatch, as_batch
from na64mu.events.schema_v1 import TRUTH
from na64mu.events.writer import RawTreeWriter
from na64mu.execution import batches
from na64mu.execution.executors import EXECUTORS
from na64mu.execution.reconstruct import reconstruct_files
from na64mu.execution.run import forget_checkpoint
from na64mu.results.processor import ProcessorResult
from na64mu.selections import in_box

QUIET = RunOptions(progress=False)
#: The event in the box of data; no other has these values.
MARKS = {"p_out": 43.217, "e_cal": 4.60913}
EVENT = 123


def small(**options: Any) -> RunOptions:
    return RunOptions(progress=False, **options)


def spectrum(summary: Any) -> dict[str, Any]:
    """A function on summaries."""
    p_out = hist.Hist(hist.axis.Regular(50, 0, 250, name="p_out"))
    p_out.fill(summary["p_out"])
    return {"p_out": p_out, "n": len(summary["p_out"]), "runs": set(summary["run"].tolist()), "events": summary["event"].tolist()}


class Counting:
    """A processor of summaries that names its columns."""

    columns = ("p_in", "chi2_ndf_ms2")

    def __init__(self, largest: float = 3.0) -> None:
        self.largest = largest

    def process(self, summary: Any, chunk: Any) -> dict[str, Any]:
        return {
            "columns": set(summary),
            "good": int(np.count_nonzero(summary["chi2_ndf_ms2"] < self.largest)),
            "chunks": [(chunk["dataset"], chunk["detector"], chunk["entrystart"], chunk["entrystop"])],
        }


class Hits(ProcessorABC):
    """A processor of raw events."""

    def process(self, events: Any) -> dict[str, Any]:
        return {
            events.metadata["dataset"]: {
                "n": len(events),
                "events": ak.to_list(events.event),
                "buffers": sorted({e for b in ak.to_buffers(events)[2].values() if b.dtype == np.uint64 for e in b.tolist()}),
                "mm": int(ak.sum(ak.num(events.mm))),
                "late": int(ak.sum(ak.num(events.ecal[events.ecal.time > 2.0]))),
            }
        }

    def postprocess(self, accumulator: dict[str, Any]) -> dict[str, Any]:
        return accumulator | {"all": sum(each["n"] for each in accumulator.values())}


# --- the rule -------------------------------------------------------------------------------------------------------------------


def test_a_function_is_given_the_summary_without_the_box(fake: FakeReconstruction, tmp_path):
    plant(fake.table, EVENT, **MARKS)
    result = na64mu.run(write_file(tmp_path / "beam.root", 400), spectrum, options=small(chunksize=150))
    assert isinstance(result, ProcessorResult)
    inside = (fake.table["p_out"] <= 80) & (fake.table["e_cal"] < 12)
    assert np.flatnonzero(inside).tolist() == [EVENT]
    value = result.values["beam"]
    assert value["events"] == [e for e in range(400) if e != EVENT]
    assert (value["n"], value["runs"]) == (399, {1})
    seen = fake.table["p_out"][~inside]
    np.testing.assert_array_equal(value["p_out"].values(), np.histogram(seen, np.linspace(0, 250, 51))[0])
    assert result.value == value
    assert (result.blinded, result.datasets, result.exit_code) == ({"beam": True}, ("beam",), 0)
    assert [loss.kind for loss in result.losses] == ["note"]  # of checksums that are of more events than a chunk has
    assert result.exposure.n_mot() == 1000
    assert result.timing.events == 400
    ((name, digest),) = result.provenance.processor.items()
    assert (name, len(digest)) == ("spectrum", 64)


def test_a_processor_is_given_the_columns_it_names_and_the_chunk(fake: FakeReconstruction, tmp_path):
    path = write_file(tmp_path / "beam.root", 400)
    result = na64mu.run(path, Counting(), options=small(chunksize=200))
    found = result.values["beam"]
    assert found["columns"] == {"run", "config", "p_out", "e_cal", "p_in", "chi2_ms2", "ndf_ms2"}
    assert found["chunks"] == [("beam", "g4raw-indep-1", 0, 200), ("beam", "g4raw-indep-1", 200, 400)]
    assert found["good"] == np.count_nonzero(fake.table["chi2_ms2"] / fake.table["ndf_ms2"] < 3.0)
    reconstruct_files(path, tmp_path / "s.root")
    again = na64mu.run(tmp_path / "s.root", Counting(), options=QUIET)
    assert {k: again.values["beam"][k] for k in ("columns", "good")} == {k: found[k] for k in ("columns", "good")}
    assert again.exposure.n_mot() == result.exposure.n_mot()
    partly = na64mu.run(path, partial(spectrum), options=QUIET)
    assert partly.values["beam"]["n"] == 400


def test_truth_is_given_where_there_is_any(fake: FakeReconstruction, tmp_path):
    path = write_file(tmp_path / "mc.root", 40, truth=True)
    reconstruct_files(path, tmp_path / "s.root")
    named = [na64mu.run(each, lambda s: {"names": set(s)}, options=QUIET).value["names"] for each in (path, tmp_path / "s.root")]
    assert {"mc_process", "mc_weight", "mc_p_in"} <= named[0]
    assert named[0] == named[1]


def test_a_coffea_processor_is_given_raw_events(tmp_path, repository):
    files = na64mu.sample_files("physics_1*") + na64mu.sample_files("nuclear_1*")
    result = na64mu.run(files, Hits(), options=small(chunksize=100, maxchunks=2))
    by_hand = [na64mu.open_events(file)[:200] for file in files]
    assert [v[name]["mm"] for name, v in result.values.items()] == [int(ak.sum(ak.num(events.mm))) for events in by_hand]
    assert [v[name]["late"] for name, v in result.values.items()] == [
        int(ak.sum(ak.num(events.ecal[events.ecal.time > 2.0]))) for events in by_hand
    ]
    assert result.value["all"] == sum(v[name]["n"] for name, v in result.values.items())  # of `postprocess`
    assert "all" not in result.values
    assert set(result.value) == {*result.values, "all"}


# --- blinding -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("executor", ["iterative", "futures"])
def test_raw_events_of_the_box_are_not_given_to_a_coffea_processor(fake: FakeReconstruction, tmp_path, executor, monkeypatch):
    path = write_file(tmp_path / "beam.root", 400)
    plant(fake.table, EVENT, **MARKS)
    if executor == "futures":  # the look-up of `fake` lives in this process: real reconstruction finds no track, so no event of the box

        class Here(IterativeExecutor):
            """Sends everything as an executor with processes does, and works here."""

            def __call__(self, items: Any, function: Any, accumulator: Any) -> Any:
                import cloudpickle

                return super().__call__(items, cloudpickle.loads(cloudpickle.dumps(function)), accumulator)

        executor = Here(retries=0, status=False)
        monkeypatch.setattr("na64mu.execution.plan.in_this_process", lambda executor: False)
    result = na64mu.run(path, Hits(), executor=executor, options=small(chunksize=100))
    found = result.values["beam"]["beam"]
    assert found["events"] == [e for e in range(400) if e != EVENT]
    assert EVENT not in found["buffers"]
    assert EVENT - 1 in found["buffers"]
    assert (result.value["all"], result.exposure.n_mot(), result.blinded) == (399, 1000, {"beam": True})
    hide(fake.table, EVENT)  # a decoy is not given either
    assert na64mu.run(path, Hits(), options=QUIET).values["beam"]["beam"]["n"] == 399
    fake.table["p_out"][EVENT] = 150.0
    assert na64mu.run(path, Hits(), options=QUIET).values["beam"]["beam"]["n"] == 400


def test_the_box_of_real_reconstruction_is_closed_in_another_process(tmp_path):
    """Events of the sample without their truth are data: of a box as wide as half the plane nothing reaches the processor."""
    (file,) = na64mu.sample_files("physics_1*")
    batch = as_batch(na64mu.open_events(file))
    data = RawBatch({name: column for name, column in batch.scalars.items() if name not in TRUTH}, batch.collections)
    with RawTreeWriter(tmp_path / "data.root") as writer:
        writer.extend(data)
        writer.finish(na64mu.read_runs(file))
    point = na64mu.load_working_point("prl2024")
    wide = point.model_copy(update={"box": point.box.model_copy(update={"p_out_max": 200.0, "e_cal_max": 100.0})})
    summary = na64mu.reconstruct(data, "na64mu-2022")
    inside = (summary["p_out"] <= 200.0) & (summary["e_cal"] < 100.0)
    assert 5 < np.count_nonzero(inside) < len(inside) - 5
    executor = FuturesExecutor(workers=1, retries=0, status=False)
    result = na64mu.run(tmp_path / "data.root", Hits(), selection=wide, executor=executor, options=QUIET)
    assert result.value["data"]["events"] == summary["event"][~inside].tolist()
    assert not {*result.value["data"]["buffers"]} & {*summary["event"][inside].tolist()}
    assert result.provenance.executor == "FuturesExecutor"


def test_simulation_is_not_blinded(fake: FakeReconstruction, tmp_path):
    plant(fake.table, EVENT, **MARKS)
    result = na64mu.run(write_file(tmp_path / "mc.root", 400, truth=True), Hits(), options=QUIET)
    assert result.values["mc"]["mc"]["n"] == 400
    assert result.blinded == {"mc": False}
    assert fake.calls == []  # raw events of simulation need no summary


def test_another_selection_has_another_box(fake: FakeReconstruction, tmp_path):
    plant(fake.table, EVENT, **MARKS)
    point = na64mu.load_working_point("prl2024")
    wide = point.model_copy(update={"box": point.box.model_copy(update={"p_out_max": 100.0})})
    path = write_file(tmp_path / "beam.root", 400)
    for box, hidden in ((point.box, [EVENT]), (wide.box, np.flatnonzero(in_box(fake.table, wide.box)).tolist())):
        selection = point.model_copy(update={"box": box})
        seen = na64mu.run(path, spectrum, selection=selection, options=QUIET).value["events"]
        assert sorted({*range(400)} - {*seen}) == hidden
    assert len(hidden) > 5


def test_the_box_is_not_opened_for_it(fake: FakeReconstruction, tmp_path):
    with pytest.raises(BlindedError, match=r"^the box stays closed: unblind: the hash '0+' opens nothing"):
        na64mu.run(write_file(tmp_path / "beam.root", 10), spectrum, unblind="0" * 64)  # type: ignore[call-overload]


def test_an_error_of_the_processor_carries_nothing_of_the_box(fake: FakeReconstruction, tmp_path):
    plant(fake.table, EVENT, **MARKS)

    def prints(summary: Any) -> None:
        raise ValueError(summary["p_out"].tolist())

    with pytest.raises(ProcessorError) as caught:
        na64mu.run(write_file(tmp_path / "beam.root", 400), prints, options=QUIET)
    numbers = {float(text) for text in re.findall(r"\d+\.\d+", str(caught.value))}
    assert np.float32(MARKS["p_out"]) not in {np.float32(n) for n in numbers}
    assert len(numbers) > 200


def test_nothing_but_the_box_is_no_call(fake: FakeReconstruction, tmp_path):
    for event in range(10):
        plant(fake.table, event)
    result = na64mu.run(write_file(tmp_path / "beam.root", 10), spectrum, options=QUIET)
    assert (result.value, result.values, result.exposure.n_mot()) == (None, {}, 1000)
    assert "-" in repr(result)


def test_its_result_is_none_of_the_search(fake: FakeReconstruction, tmp_path):
    result = na64mu.run(write_file(tmp_path / "beam.root", 40), lambda s: 1.5, options=QUIET)
    assert "<lambda>" in repr(result)
    assert "1.5" in repr(result)
    with pytest.raises(InputError, match=r"^result: this is that of a processor of your own; a RunResult of the search"):
        na64mu.RunResult.read(result)


# --- executors and resume -------------------------------------------------------------------------------------------------------


def test_every_executor_gives_the_same(repository):
    (file,) = na64mu.sample_files("nuclear_1*")
    alone = na64mu.run(file, spectrum, options=QUIET)
    assert alone.value["n"] > 100
    for executor in ("futures", IterativeExecutor(retries=0, status=False)):
        other = na64mu.run(file, spectrum, executor=executor, options=small(workers=1, chunksize=150))
        assert other.value == alone.value
        assert other.provenance.processor == alone.provenance.processor
        assert other.provenance.executor == (executor if isinstance(executor, str) else type(executor).__name__)


def test_an_executor_of_ones_own(fake: FakeReconstruction, tmp_path):
    seen: list[int] = []

    def executor(items: Any, function: Any, accumulator: Any) -> tuple[Any, int]:
        from coffea.processor import accumulate

        seen.append(len(items))
        return accumulate(map(function, reversed(items)), accumulator), 0

    path = write_file(tmp_path / "beam.root", 400)
    result, expected = (na64mu.run(path, executor=e, options=small(chunksize=100)) for e in (executor, "iterative"))
    assert result.histograms == expected.histograms
    assert result.cutflows == expected.cutflows
    assert sum(seen) == 4
    with pytest.raises(WorkerError, match=r"the executor function returned dict: \(accumulator, \.\.\.\) is wanted"):
        na64mu.run(path, executor=lambda items, function, accumulator: accumulator, options=QUIET)


def test_an_executor_can_be_registered(fake: FakeReconstruction, tmp_path, monkeypatch):
    from contextlib import contextmanager

    @contextmanager
    def mine(workers: int, scheduler: Any, memory: int | None) -> Any:
        yield IterativeExecutor(retries=0, status=False)

    monkeypatch.setitem(EXECUTORS, "mine", mine)
    result = na64mu.run(write_file(tmp_path / "beam.root", 40), spectrum, executor="mine", options=QUIET)
    assert (result.value["n"], result.provenance.executor) == (40, "mine")


class Killed(BaseException):
    pass


def test_an_interrupted_run_goes_on(fake: FakeReconstruction, tmp_path, monkeypatch):
    path, expected = write_file(tmp_path / "beam.root", 400), None
    monkeypatch.setattr(batches, "LARGEST_WAVE", 1)
    whole = na64mu.run(path, spectrum, options=small(chunksize=50))
    expected = whole.value
    options = small(chunksize=50, output=tmp_path / "out", resume=True)

    def stop(self: Any, n: int, *rest: Any) -> None:
        save(self, n, *rest)
        if n == 3:
            raise Killed

    save = batches.Checkpoint.save
    with monkeypatch.context() as patch:
        patch.setattr(batches.Checkpoint, "save", stop)
        with pytest.raises(Killed):
            na64mu.run(path, spectrum, options=options)
    with pytest.raises(CheckpointError, match="are of another selection, calibration, detector description, layout or processor"):
        na64mu.run(path, Counting(), options=options)
    fake.calls.clear()
    result = na64mu.run(path, spectrum, options=options)
    assert sum(fake.calls) == 250
    assert result.value == expected
    forget_checkpoint(tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_the_state_of_a_processor_is_part_of_what_kept_chunks_belong_to(fake: FakeReconstruction, tmp_path):
    path = write_file(tmp_path / "beam.root", 40)

    def made(largest: float) -> Any:
        return lambda summary: int(np.count_nonzero(summary["p_in"] < largest))

    digests = [
        next(iter(na64mu.run(path, own, options=QUIET).provenance.processor.values()))
        for own in (Counting(3.0), Counting(4.0), Counting(3.0), made(1.0), made(2.0), made(1.0))
    ]
    assert digests[0] == digests[2] != digests[1]
    assert digests[3] == digests[5] != digests[4]


def test_what_cannot_be_kept_is_said(fake: FakeReconstruction, tmp_path):
    path = write_file(tmp_path / "beam.root", 40)
    with pytest.raises(CheckpointError, match="what the processor returned has a Fraction in it, which cannot be kept for --resume"):
        na64mu.run(path, fraction, options=small(output=tmp_path / "out"))
    assert na64mu.run(path, fraction, options=QUIET).value["f"] == 40


def fraction(summary: Any) -> dict[str, Any]:
    from fractions import Fraction

    return {"f": Fraction(len(summary["run"]))}


def test_lost_chunks_are_losses(fake: FakeReconstruction, tmp_path):
    path = write_file(tmp_path / "beam.root", 400)
    (tmp_path / "none.root").write_bytes(b"nothing")
    result = na64mu.run([path, tmp_path / "none.root"], spectrum, options=QUIET)
    assert result.exit_code == 3
    assert "none.root" in result.losses[0].file
    assert "1 losses of input" in repr(result)


# --- what is refused ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("processor", "message"),
    [
        (5, "^processor: a function on event summaries, an object with process.*; found int$"),
        (Counting, r"^processor: an instance is wanted; found the class Counting: write Counting\(\)$"),
        (
            type("Wrong", (Counting,), {"columns": ("p_inn",)})(),
            "^the processor Wrong asks for the column 'p_inn', which the event summary",
        ),
        (type("Empty", (), {"process": 1})(), "^processor: .* found Empty$"),
        (lambda s: None, "what it returned is NoneType, which cannot be added up over chunks"),
        (lambda s: {"a": {"b": "text"}}, "its entry 'b' is str, which cannot be added up over chunks"),
        (lambda s: s["p_inn"], r"failed on entries 0 to 39 of .*beam\.root: ColumnError: .* \(\w+\.py, line \d+\)$"),
    ],
)
def test_a_wrong_processor_is_a_sentence(fake: FakeReconstruction, tmp_path, processor, message):
    with pytest.raises(ProcessorError, match=message):
        na64mu.run(write_file(tmp_path / "beam.root", 40), processor, options=QUIET)


def test_raw_events_are_not_in_summaries(fake: FakeReconstruction, tmp_path):
    reconstruct_files(write_file(tmp_path / "beam.root", 40), tmp_path / "s.root")
    with pytest.raises(ProcessorError, match="the processor Hits is one of coffea's and takes raw events, the files are event summaries"):
        na64mu.run(tmp_path / "s.root", Hits(), options=QUIET)


def test_wrong_options_and_executors_are_sentences(tmp_path):
    with pytest.raises(ArgumentError, match=r"options: a RunOptions is wanted, such as .*; found dict"):
        na64mu.run("x.root", options={"chunksize": 5})
    for wrong in ("foo", 7, None):
        with pytest.raises(WorkerError, match=r"there is no executor .*: known are iterative, futures, dask"):
            na64mu.run("x.root", executor=wrong)
    with pytest.raises(WorkerError, match=r"executor: an instance is wanted; found the class IterativeExecutor"):
        na64mu.run("x.root", executor=IterativeExecutor)


def test_what_cannot_be_sent_is_said_before_anything_runs(fake: FakeReconstruction, tmp_path):
    path: Path = write_file(tmp_path / "beam.root", 40)
    with (tmp_path / "open.txt").open("w") as stream:

        def writes(summary: Any) -> int:
            return stream.write("x")

        with pytest.raises(WorkerError, match=r"the processor .*writes cannot be sent to workers"):
            na64mu.run(path, writes, executor="futures", options=small(workers=1))
        assert fake.calls == []
        assert na64mu.run(path, writes, options=QUIET).value == 1  # here it can


def test_counters_are_added(fake: FakeReconstruction, tmp_path):
    path = write_file(tmp_path / "beam.root", 400)
    result = na64mu.run(path, lambda s: Counter(s["trigger"].tolist()), options=small(chunksize=90, output=tmp_path / "out"))
    assert result.value == Counter(fake.table["trigger"].tolist())
