from __future__ import annotations

import numpy as np
from na64mu.results.blinding import is_data, uncut_events, visible_events

from na64mu.selections import load_working_point

BOX = load_working_point("prl2024").box


def test_data_is_what_has_no_true_process():
    assert is_data(["p_in", "mc_weight"])
    assert not is_data(["p_in", "mc_process"])


def test_in_data_the_box_is_invisible_and_in_simulation_it_is_not():
    summary = {"p_out": np.array([40.0, 80.0, 81.0, 40.0, np.nan]), "e_cal": np.array([5.0, 11.9, 5.0, 12.0, 5.0])}
    assert visible_events(summary, BOX).tolist() == [False, False, True, True, True]
    assert visible_events(summary | {"mc_process": np.zeros(5, np.uint8)}, BOX).all()


def test_before_any_cut_data_lack_more_than_the_box():
    summary = {"p_out": np.array([40.0, 80.0, 81.0, 40.0, np.nan]), "e_cal": np.array([5.0, 11.9, 5.0, 12.0, 5.0])}
    assert uncut_events(summary, BOX).tolist() == [False, False, True, False, True]
    assert uncut_events(summary, BOX, unblinded=True).all()
    assert uncut_events(summary | {"mc_process": np.zeros(5, np.uint8)}, BOX).all()
