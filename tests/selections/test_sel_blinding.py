"""The one mask of the blinding policy: who is hidden, by which descriptions, and which boxes are refused."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from na64mu.detector import load_detector
from na64mu.errors import BlindedError, SelectionError
from na64mu.reconstruction import summary as reconstruction
from na64mu.selections import load_working_point
from na64mu.selections.blinding import BlindingPolicy, Floor, masks_of

POINT = load_working_point("prl2024")
NAN = np.nan
#: trigger, p_in, p_out, E_CAL -> hidden.
EVENTS = [
    (2, 160.0, 40.0, 5.0, True),  # in the box
    (2, 160.0, 80.0, 11.9, True),  # on its edges
    (2, 160.0, 80.1, 5.0, False),
    (2, 160.0, 40.0, 12.0, False),
    (2, 160.0, 40.0, NAN, True),  # nothing says that it is not in the box
    (2, 160.0, NAN, 5.0, False),  # passes (i), without a track behind the target it is in no box
    (2, 120.0, 40.0, 90.0, True),  # decoys: fail (i) ...
    (2, NAN, NAN, 90.0, True),
    (1, 160.0, 40.0, 90.0, True),  # ... or the trigger, and are not seen above the box
    (1, 160.0, NAN, 90.0, True),
    (1, 160.0, 81.0, 5.0, False),
    (2, 120.0, 81.0, 5.0, False),
]


def summary() -> dict[str, np.ndarray]:
    trigger, *rest = (np.array(column) for column in zip(*[row[:4] for row in EVENTS], strict=True))
    return {"trigger": trigger.astype(np.uint32)} | dict(zip(("p_in", "p_out", "e_cal"), rest, strict=True))


def policy(**values: object) -> BlindingPolicy:
    return replace(BlindingPolicy.of(POINT), data={"data.root": True, "mc.root": False}, **values)


def test_hidden_are_the_box_and_the_decoys():
    assert Floor.of("prl2024").hidden(summary()).tolist() == [row[4] for row in EVENTS]


def test_in_data_they_are_invisible_and_in_simulation_or_opened_data_they_are_not():
    hidden = np.array([row[4] for row in EVENTS])
    assert (policy().visible(summary(), "data.root") == ~hidden).all()
    assert policy().visible(summary(), "mc.root").all()
    assert policy(opened=True).visible(summary(), "data.root").all()


def test_a_larger_box_of_ones_own_hides_its_events_too():
    box = POINT.box.model_copy(update={"p_out_max": 90.0, "e_cal_max": 20.0})
    hidden = ~policy(box=box).visible(summary(), "data.root")
    assert [i for i, row in enumerate(EVENTS) if hidden[i] and not row[4]] == [2, 3, 10, 11]


@pytest.mark.parametrize("change", [{"p_out_max": 79.9}, {"e_cal_max": 11.0}, {"p_out_max": 200.0, "e_cal_max": 0.001}])
def test_a_box_of_data_contains_the_frozen_one(change):
    own = POINT.model_copy(update={"name": "mine", "box": POINT.box.model_copy(update=change)})
    data, simulation = (SimpleNamespace(path="f", is_data=is_data, detector="na64mu-2022") for is_data in (True, False))
    with pytest.raises(
        BlindedError, match=r"selection mine: its signal box \(.*\) does not contain the frozen one of prl2024 \(p_out <= 80 GeV/c"
    ):
        BlindingPolicy.of(own, [simulation, data])
    BlindingPolicy.of(own, [simulation])  # of simulation the box may be anything


def test_a_frozen_box_of_the_collaboration_takes_the_place_of_the_shipped_one():
    frozen = POINT.model_copy(update={"name": "frozen-2026", "box": POINT.box.model_copy(update={"p_out_max": 100.0})})
    data = SimpleNamespace(path="f", is_data=True, detector="na64mu-2022")
    with pytest.raises(BlindedError, match="the frozen one of frozen-2026"):
        BlindingPolicy.of(POINT, [data], floor=Floor.of(frozen))
    assert BlindingPolicy.of(frozen, [data], floor=Floor.of(frozen)).floor.hash != Floor.of(POINT).hash
    assert Floor.of(POINT).hash == Floor.of(POINT.model_copy(update={"name": "other name"})).hash


def test_what_is_hidden_must_not_depend_on_a_calibration():
    cuts = {cut.name: cut for cut in POINT.cuts}
    point = POINT.model_copy(update={"cuts": (cuts["trigger"], cuts["mip_everywhere"]), "blind_at": "mip_everywhere"})
    with pytest.raises(
        SelectionError, match="cannot be frozen, since its first cut on reconstructed quantities, 'mip_everywhere', needs MIP windows"
    ):
        Floor.of(point)


def test_a_description_of_ones_own_uncovers_nobody(monkeypatch):
    """With a field three times as strong all momenta are three times as large, and nothing is in the box: the frozen description decides."""
    frozen = load_detector("na64mu-2022")
    own = type(frozen).model_validate(frozen.model_dump() | {"title": "strong"})
    assert own.digest != frozen.digest
    monkeypatch.setattr(reconstruction, "reconstruct", lambda batch, detector: summary())
    monkeypatch.setattr("na64mu.selections.blinding.screened", lambda batch, bounds, entries: SimpleNamespace(whole=batch))
    file = SimpleNamespace(path="data.root", is_data=True, detector="mine", recorded=("na64mu-2022",))
    made = BlindingPolicy.of(POINT, [file], {"mine": own})
    seen = summary() | {"p_out": 3 * summary()["p_out"]}
    visible = made.visible(seen, "data.root", batch=EVENTS)  # type: ignore[arg-type]  # the reconstruction above looks at nothing
    assert not visible[[row[4] for row in EVENTS]].any()
    assert BlindingPolicy.of(POINT, [file], {"mine": frozen}).references == {}


def test_no_cut_is_given_a_number_of_a_hidden_event():
    given = []

    def cut(name, *columns):
        def function(found):
            given.append((name, sorted(found), len(next(iter(found.values())))))
            return np.ones(len(next(iter(found.values()))), np.bool_)

        function.name, function.columns = name, columns
        return function

    visible = np.array([True, False, True])
    columns = {"trigger": np.ones(3, np.uint32), "p_in": np.ones(3)}
    masks = masks_of([cut("a", "trigger"), cut("b", "p_in")], columns, visible, hides=True)
    assert given == [("a", ["trigger"], 3), ("b", ["p_in", "trigger"], 2)]
    assert [mask.tolist() for mask in masks.values()] == [[True, True, True], [True, False, True]]
