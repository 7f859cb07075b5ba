"""Data or simulation: what the bookkeeping says, and what nobody else can say."""

from __future__ import annotations

import numpy as np
import pytest
import uproot
from raw_tree_examples import RUN_ROW, columns_of, make_batch, write_columns

from na64mu.errors import InputError
from na64mu.events.checker import check_file
from na64mu.events.origin import file_is_data, is_data_of, path_is_data, says_simulation

NO_SIMULATION = "'mc_weight', the truth of a simulation, and its bookkeeping does not say that its events are simulated"


@pytest.mark.parametrize(
    ("generated", "flagged", "simulated"),
    [([], [], False), ([5, 7], [False, False], True), ([0, 0], [False, False], False), ([5], [True], False)],
)
def test_all_runs_of_a_simulation_have_generated_events(generated, flagged, simulated):
    assert says_simulation(generated, flagged, "f.root") is simulated


def test_runs_of_both_kinds_are_no_file():
    with pytest.raises(InputError, match=r"f\.root: some runs of its bookkeeping are simulated \(n_generated > 0\) and others are data"):
        says_simulation([5, 0], [False, False], "f.root")


def test_truth_needs_the_bookkeeping_of_a_simulation():
    assert not is_data_of(["run", "mc_process"], "f.root", simulated=True)
    assert is_data_of(["run"], "f.root", simulated=True)  # its truth was taken out
    assert is_data_of(["run"], "f.root", simulated=False)
    with pytest.raises(InputError, match=r"f\.root: it has 'mc_process'"):
        is_data_of(["run", "mc_process"], "f.root", simulated=False)
    with pytest.raises(InputError, match=r"mine\.toml maps 'mc_weight'.*a layout cannot say it"):
        is_data_of(["mc_weight"], "f.root", simulated=False, layout="mine.toml")


def test_a_file_is_what_its_own_runs_say(tmp_path):
    simulated = write_columns(tmp_path / "mc.root", columns_of(make_batch(4)), [RUN_ROW])
    stripped = write_columns(tmp_path / "data.root", columns_of(make_batch(4, truth=False)), [RUN_ROW | {"n_generated": 0}])
    faked = write_columns(tmp_path / "faked.root", columns_of(make_batch(4)), [RUN_ROW | {"n_generated": 0}])
    with uproot.open(simulated) as file:
        assert not file_is_data(file, simulated)
    assert [path_is_data(str(path)) for path in (simulated, stripped, faked, tmp_path / "none.root")] == [False, True, True, True]
    with uproot.open(faked) as file, pytest.raises(InputError, match=NO_SIMULATION):
        file_is_data(file, faked)
    (finding,) = [f for f in check_file(faked).findings if f.code == "origin"]
    assert finding.branch == "runs.n_generated"
    assert NO_SIMULATION in finding.message
    assert not [f for f in check_file(simulated).findings if f.code == "origin"]


def test_bookkeeping_that_is_no_number_says_nothing(tmp_path):
    path = tmp_path / "f.root"
    with uproot.recreate(path) as file:
        file.mktree("events", {"run": np.dtype(np.uint32)}).extend({"run": np.ones(2, np.uint32)})
        file.mktree("runs", {"n_generated": "2 * float64"}).extend({"n_generated": np.ones((1, 2))})
    with uproot.open(path) as file:
        assert file_is_data(file, path)
