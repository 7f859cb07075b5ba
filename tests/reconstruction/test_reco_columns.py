"""Derived columns: known to cuts and spectra, from any summary."""

from __future__ import annotations

import numpy as np
import pytest

from na64mu.reconstruction.columns import COLUMNS, DERIVED, column, known_columns, stored_columns, with_derived
from na64mu.reconstruction.event_summary import EventSummary

TABLE = {"chi2_ms1": np.array([20.0, np.nan, 3.0]), "ndf_ms1": np.array([10, 0, -1], np.int32), "p_in": np.array([1.0, 2.0, 3.0])}
RATIO = [2.0, np.nan, np.nan]


def test_chi2_over_ndf_does_not_exist_without_degrees_of_freedom():
    np.testing.assert_array_equal(column(TABLE, "chi2_ndf_ms1"), RATIO)
    assert column(TABLE, "p_in") is TABLE["p_in"]


def test_a_table_shows_the_derived_columns_it_can_make():
    summary = EventSummary(TABLE)
    np.testing.assert_array_equal(summary.chi2_ndf_ms1, RATIO)
    np.testing.assert_array_equal(summary["chi2_ndf_ms1"], RATIO)
    np.testing.assert_array_equal(column(summary, "chi2_ndf_ms1"), RATIO)
    assert "chi2_ndf_ms1" in dir(summary)
    with pytest.raises(AttributeError, match="no column 'chi2_ndf_ms2': the summary has chi2_ms1, ndf_ms1, p_in"):
        _ = summary.chi2_ndf_ms2
    with pytest.raises(KeyError, match="charge"):
        _ = summary["charge"]


def test_only_what_is_named_is_made_and_nothing_is_copied():
    made = with_derived(TABLE, ("p_in", "chi2_ndf_ms1"))
    assert set(made) - set(TABLE) == {"chi2_ndf_ms1"}
    assert made["p_in"] is TABLE["p_in"]
    assert with_derived(TABLE, ("p_in",)) is TABLE


def test_what_a_file_must_have_for_some_columns():
    assert stored_columns(("p_in", "chi2_ndf_ms2", "ndf_ms2")) == ("p_in", "chi2_ms2", "ndf_ms2")
    assert not set(COLUMNS) & set(DERIVED)
    assert set(known_columns()) == {*COLUMNS, *DERIVED}
    assert set(stored_columns(known_columns())) == set(COLUMNS)
