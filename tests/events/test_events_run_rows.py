from __future__ import annotations

import numpy as np
import pytest
from raw_tree_examples import RUN_ROW, columns_of, make_batch, write_columns

from na64mu.errors import InputError
from na64mu.events.checker import check_file
from na64mu.events.reader import read_runs
from na64mu.events.run_rows import RunSums, contradictions, sums_of


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"n_mot": 2**64 - 1}, "has n_mot 1.84e+19, no run has more than 1e+15 muons on target"),
        ({"sum_weights": -4.0}, "has sum_weights -4, it is 0 or more"),
        ({"g_ref": -1.0}, "has g_ref -1, it is 0 or more"),
    ],
)
def test_a_row_that_no_run_has_is_refused_with_its_number(tmp_path, values, message):
    path = write_columns(tmp_path / "f.root", columns_of(make_batch(5)), [RUN_ROW, RUN_ROW | {"config": 2} | values])
    with pytest.raises(InputError) as error:
        read_runs(path)
    assert str(error.value) == f"{path}: row 1 of tree 'runs', run 7, config 2, {message}"
    assert [finding.code for finding in check_file(path).findings] == ["runs"]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_number_that_is_not_finite_is_refused_with_its_row(tmp_path, value):
    path = write_columns(tmp_path / "f.root", columns_of(make_batch(5)), [RUN_ROW, RUN_ROW | {"config": 2, "sum_weights": value}])
    with pytest.raises(InputError, match=f"field 'sum_weights' of tree 'runs', row 1, is {value}, float64 is needed"):
        read_runs(path)


def test_sums_of_events():
    batch = make_batch(6)
    batch.scalars["config"][:] = [1, 2, 2, 2, 1, 1]
    batch.scalars["trigger"][:] = [1, 3, 4, 2, 0, 1]
    batch.scalars["mc_weight"][:] = [1, 2, 3, np.nan, 5, 6]
    assert sums_of(batch.scalars) == {(7, 1): RunSums(2, 12.0, 3), (7, 2): RunSums(2, 5.0, 3)}
    del batch.scalars["mc_weight"]
    assert sums_of(batch.scalars)[7, 2].weights == 0.0


def test_contradictions():
    row = {"n_mot": 10, "n_generated": 0, "sum_weights": 1.0}
    assert list(contradictions(row, RunSums(10, 3.0, 20))) == []  # data: no weights
    assert [name for name, _ in contradictions(row, RunSums(11, 3.0, 20))] == ["n_mot"]
    simulation = row | {"n_generated": 15}
    assert [name for name, _ in contradictions(simulation, RunSums(10, 1.0, 15))] == []
    assert [name for name, _ in contradictions(simulation, RunSums(10, 1.0 + 1e-5, 16))] == ["n_generated", "sum_weights"]
