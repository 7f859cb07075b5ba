from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from na64mu.errors import CutFlowMismatchError
from na64mu.results.cutflow import CutFlow

CUTS = ("a", "b", "c")


def masks_of(bits: list[int]) -> dict[str, np.ndarray]:
    table = np.array(bits, dtype=np.int64)
    return {name: (table >> i & 1).astype(bool) for i, name in enumerate(CUTS)}


def flow(bits: list[int]) -> CutFlow:
    return CutFlow.from_masks(masks_of(bits), np.ones(len(bits)))


events = st.lists(st.integers(0, 7), max_size=40)


@settings(max_examples=50, derandomize=True, deadline=None)
@given(events, events, events)
def test_addition_is_associative_and_commutative(x, y, z):
    assert (flow(x) + flow(y)) + flow(z) == flow(x) + (flow(y) + flow(z))
    assert flow(x) + flow(y) == flow(y) + flow(x)


@settings(max_examples=50, derandomize=True, deadline=None)
@given(events, st.lists(st.integers(0, 40), max_size=4))
def test_chunking_changes_nothing(bits, borders):
    edges = [0, *sorted(min(b, len(bits)) for b in borders), len(bits)]
    parts = [flow(bits[a:b]) for a, b in itertools.pairwise(edges)]
    total = parts[0]
    for part in parts[1:]:
        total += part
    assert total == flow(bits)


@settings(max_examples=50, derandomize=True, deadline=None)
@given(events)
def test_counts_fall_and_n_minus_1_is_what_its_name_says(bits):
    result = flow(bits)
    assert list(result.counts) == sorted(result.counts, reverse=True)
    for i, name in enumerate(CUTS):
        assert result[name].n_minus_1 == sum(1 for b in bits if b | (1 << i) == 7)
    assert result["events"].n_minus_1 == result["c"].n == bits.count(7)


def test_weights_are_summed_with_their_squares():
    weights = np.array([0.5, 2.0, 4.0])
    result = CutFlow.from_masks({"a": np.array([True, True, False]), "b": np.array([True, False, True])}, weights)
    assert [(s.n, s.sumw, s.sumw2) for s in result.steps] == [(3, 6.5, 20.25), (2, 2.5, 4.25), (1, 0.5, 0.25)]
    assert (result["a"].n_minus_1, result["a"].n_minus_1_sumw, result["a"].n_minus_1_sumw2) == (2, 4.5, 16.25)


def test_hidden_events_fail_the_named_cut_and_stand_in_no_n_minus_1():
    visible = np.array([True, False, True, True])
    hidden = CutFlow.from_masks(masks_of([7, 7, 7, 5]), np.ones(4), visible=visible, hidden_at="b")
    failing = CutFlow.from_masks(masks_of([7, 5 & 3, 7, 5]), np.ones(4))
    assert hidden.counts == failing.counts == (4, 4, 2, 2)
    assert [s.n_minus_1 for s in hidden.steps] == [s.n_minus_1 for s in failing.steps]


def test_different_steps_cannot_be_added():
    other = CutFlow.from_masks({"a": np.ones(1, bool)}, np.ones(1))
    with pytest.raises(CutFlowMismatchError, match=r"\['events', 'a', 'b', 'c'\] and \['events', 'a'\]; use one working point"):
        _ = flow([7]) + other


def test_json_round_trip():
    result = flow([7, 3, 1, 0, 5])
    assert CutFlow.from_dict(json.loads(json.dumps(result.to_dict()))) == result


def test_an_unknown_cut_is_named_with_those_there_are():
    with pytest.raises(KeyError, match=r"no cut 'z' in this cut-flow: it has \['events', 'a', 'b', 'c'\]"):
        _ = flow([7])["z"]


def test_efficiencies_of_the_steps():
    result = flow([7, 7, 3, 1, 0])
    assert result.efficiency("b").value == pytest.approx(3 / 4)
    assert result.cumulative_efficiency("c").value == pytest.approx(2 / 5)
    assert result.n_minus_1_efficiency("c").value == pytest.approx(2 / 3)


def test_the_text_and_the_table_show_the_integers():
    result = CutFlow.from_masks(masks_of([7, 7, 3, 1, 0]), np.ones(5), labels={"a": "cut <a>"})
    assert repr(result).splitlines() == [
        "cut          events     eff.     cum.         N-1",
        "events            5  100.00%  100.00%",
        "cut <a>           4   80.00%   80.00%           2",
        "b                 3   75.00%   60.00%           2",
        "c                 2   66.67%   40.00%           3",
    ]
    assert "<td style='text-align:left'>cut &lt;a&gt;</td><td>4</td>" in result._repr_html_()


def test_an_empty_chunk_has_an_empty_cutflow():
    assert flow([]).counts == (0, 0, 0, 0)
    assert "-" in repr(flow([]))
