"""Steps of the paper: what is finished stays, what is stale is made again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from na64mu.errors import CheckpointError
from na64mu.paper.scale import FULL, QUICK, Scale
from na64mu.paper.workflow import Step, Workflow


def called(place: Path) -> None:
    with (place / "calls").open("a") as stream:
        stream.write("x")


def write_number(place: Path, parameters):
    called(place)
    path = place / "number.txt"
    path.write_text(str(parameters["number"]))
    return [path]


def double(place: Path, parameters):
    called(place)
    path = place / "double.txt"
    path.write_text(str(2 * int((place.parent / "first" / "number.txt").read_text())))
    return [path]


def chain(folder: Path, number: int = 3, *, fresh: bool = False) -> Workflow:
    workflow = Workflow(folder, fresh=fresh)
    workflow.run(Step("first", "first", write_number, {"number": number}))
    workflow.run(Step("second", "second", double, after=("first",)))
    return workflow


def calls(folder: Path) -> tuple[int, int]:
    return tuple(len((folder / name / "calls").read_text()) for name in ("first", "second"))


def test_finished_steps_are_not_repeated(tmp_path):
    assert chain(tmp_path).repeated == ["first", "second"]
    again = chain(tmp_path)
    assert again.repeated == []
    assert calls(tmp_path) == (1, 1)
    assert set(again.records) == {"first", "second"}
    assert again.records["second"].files.keys() == {"second/double.txt"}


def test_a_new_parameter_makes_it_and_what_follows_stale(tmp_path):
    chain(tmp_path)
    assert chain(tmp_path, 4).repeated == ["first", "second"]
    assert (tmp_path / "second" / "double.txt").read_text() == "8"


def test_a_step_that_gives_the_same_files_leaves_the_next_alone(tmp_path):
    chain(tmp_path)
    (tmp_path / "steps" / "first.json").unlink()
    assert chain(tmp_path).repeated == ["first"]


@pytest.mark.parametrize("damage", ["changed", "gone", "record cut", "record of something else"])
def test_what_is_damaged_is_made_again(tmp_path, damage):
    chain(tmp_path)
    file, record = tmp_path / "first" / "number.txt", tmp_path / "steps" / "first.json"
    if damage == "changed":
        file.write_text("5")
    elif damage == "gone":
        file.unlink()
    elif damage == "record cut":
        record.write_text(record.read_text()[:20])
    else:
        record.write_text(json.dumps({"other": 1}))
    assert chain(tmp_path).repeated == ["first"]
    assert file.read_text() == "3"


def test_fresh_repeats_all(tmp_path):
    chain(tmp_path)
    assert chain(tmp_path, fresh=True).repeated == ["first", "second"]


def test_how_it_runs_is_no_input(tmp_path):
    workflow = Workflow(tmp_path)
    steps = [Step("first", "first", write_number, {"number": 1}, how={"workers": n}) for n in (1, 2)]
    workflow.run(steps[0])
    workflow.run(steps[1])
    assert workflow.repeated == ["first"]


def test_a_step_that_fails_leaves_no_record(tmp_path):
    def fail(place, parameters):
        msg = "broken"
        raise ValueError(msg)

    workflow = Workflow(tmp_path)
    with pytest.raises(ValueError, match="broken"):
        workflow.run(Step("first", "first", fail))
    assert not list((tmp_path / "steps").iterdir())


def test_steps_in_the_wrong_order_are_named(tmp_path):
    with pytest.raises(CheckpointError, match="step second needs step first, which has not run"):
        Workflow(tmp_path).run(Step("second", "second", double, after=("first",)))


def test_side_by_side_in_one_process_and_in_two(tmp_path):
    for workers in (1, 2):
        seen = []
        workflow = Workflow(tmp_path / str(workers))
        steps = [Step(f"s{i}", str(i), write_to_own_file, {"number": i}, shared_folder="all") for i in range(3)]
        workflow.run_together(steps, workers, lambda step, seen=seen: seen.append(step.name))
        assert sorted(seen) == ["s0", "s1", "s2"]
        assert [workflow.records[f"s{i}"].files.keys() for i in range(3)] == [{f"all/{i}.txt"} for i in range(3)]
        again = Workflow(tmp_path / str(workers))
        again.run_together(steps, workers)
        assert again.repeated == []


def write_to_own_file(place: Path, parameters):
    path = place / f"{parameters['number']}.txt"
    path.write_text("x")
    return [path]


@pytest.mark.parametrize("scale", [QUICK, FULL])
def test_samples_have_names_and_runs_of_their_own(scale: Scale):
    samples = scale.samples()
    assert len({s.name for s in samples}) == len(samples)
    assert len({s.run for s in samples}) == len(samples)
    for config in (1, 2):
        assert sum(s.n_events for s in samples if s.dataset == f"physics_{config}") == scale.physics
    assert {s.mass for s in scale.signal_samples() if s.pile_up} == set(scale.pile_up_masses)


def test_scaling_keeps_the_proportions():
    half = FULL.scaled(FULL.physics // 2)
    assert half.calibration == FULL.calibration // 2
    assert half.signal == FULL.signal // 2
    assert QUICK.scaled(1000).signal == 1000
