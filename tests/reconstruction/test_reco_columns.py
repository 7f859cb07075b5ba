"""Derived columns: known to cuts and spectra, from any summary."""

from __future__ import annotations

import numpy as np
import pytest

from na64mu.detector import load_detector
from na64mu.reconstruction.columns import COLUMNS, DERIVED, column, is_column, known_columns, stored_columns, summary_columns, with_derived
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
    assert set(known_columns()) == {*summary_columns("na64mu-2022"), *DERIVED}
    assert set(stored_columns(known_columns())) == set(summary_columns("na64mu-2022"))


def test_every_station_of_a_description_has_a_column_in_the_order_of_the_beam():
    detector = load_detector("na64mu-2022")
    hits = [name for name in summary_columns(detector) if name.startswith("n_hits_")]
    assert sorted(hits) == sorted(f"n_hits_{name}" for name in detector.trackers)
    z = [detector.trackers[name.removeprefix("n_hits_")].z for name in hits]
    assert z == sorted(z)
    fewer = detector.replaced({}).model_copy(update={"straws": detector.straws[:1], "tag": "fewer"})
    left = [name for name in summary_columns(fewer) if name.startswith("n_hits_st")]
    assert left == [f"n_hits_{detector.straws[0].name}"]
    assert set(COLUMNS) < set(summary_columns(fewer))


@pytest.mark.parametrize(("name", "known"), [("n_hits_mm9", True), ("n_hits_mm", False), ("n_hits_xy1", False), ("p_in", True), ("chi2_ndf_ms1", True), ("p", False)])  # fmt: skip
def test_a_column_of_hits_is_known_by_the_kind_of_its_station(name, known):
    assert is_column(name) == known
