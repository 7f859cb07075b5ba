from __future__ import annotations

import numpy as np
import pytest

from na64mu.selections import in_box, in_region, load_working_point
from na64mu.selections.cuts import (
    CUTS,
    Box,
    HitsAndCell,
    MipWindows,
    MomentumWindow,
    Region,
    TrackNumbers,
    TriggerBits,
    mip_everywhere,
    momentum_in_window,
    single_hits_and_mip_cell,
    single_tracks,
    trigger,
    within,
)

BELOW, ABOVE = -np.inf, np.inf


def column(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float64)


def test_the_trigger_cut_wants_one_of_the_named_bits():
    summary = {"trigger": np.array([0, 1, 2, 3, 4], np.uint32)}
    assert trigger(summary, TriggerBits(bits=("physics",))).tolist() == [False, False, True, True, False]
    assert trigger(summary, TriggerBits(bits=("calibration", "random"))).tolist() == [False, True, False, True, True]


def test_cut_i_keeps_both_edges_of_160_pm_20_and_drops_what_lies_outside_and_nan():
    cut = MomentumWindow(centre=160.0, half_width=20.0)
    p_in = column(140.0, np.nextafter(140.0, BELOW), 160.0, 180.0, np.nextafter(180.0, ABOVE), np.nan)
    assert momentum_in_window({"p_in": p_in}, cut).tolist() == [True, False, True, True, False, False]


def test_cut_ii_wants_exactly_one_track_on_each_side():
    n1, n2 = np.array([1, 0, 2, 1, 1], np.int32), np.array([1, 1, 1, 0, 2], np.int32)
    mask = single_tracks({"n_tracks_ms1": n1, "n_tracks_ms2": n2}, TrackNumbers(ms1=1, ms2=1))
    assert mask.tolist() == [True, False, False, False, False]


@pytest.mark.parametrize("station", ["mm5", "mm6", "mm7", "st1"])
def test_cut_iii_allows_one_hit_per_station_and_wants_a_mip_in_the_cell(station):
    thresholds = HitsAndCell(max_hits=1, stations=("mm5", "mm6", "mm7", "st1"), mip=("e_hcal_cell",), windows={"e_hcal_cell": (1.3, 5.0)})
    summary = {f"n_hits_{s}": np.ones(6, np.int32) for s in ("mm5", "mm6", "mm7", "st1")}
    summary |= {"p_in": np.ones(6), "e_hcal_cell": column(2.0, 2.0, 1.3, 5.0, 5.0001, np.nan)}
    summary[f"n_hits_{station}"] = np.array([0, 2, 1, 1, 1, 1], np.int32)
    assert single_hits_and_mip_cell(summary, thresholds).tolist() == [True, False, True, True, False, False]


@pytest.mark.parametrize("name", ["e_ecal", "e_veto", "e_vhcal", "e_hcal1", "e_hcal2"])
def test_cut_iv_wants_every_energy_in_its_window_and_never_passes_nan(name):
    energies = ("e_ecal", "e_veto", "e_vhcal", "e_hcal1", "e_hcal2")
    thresholds = MipWindows(mip=energies, windows=dict.fromkeys(energies, (1.0, 2.0)))
    summary = {e: np.full(5, 1.5) for e in energies} | {"p_in": np.ones(5)}
    summary[name] = column(1.0, 2.0, 0.999, 2.001, np.nan)
    assert mip_everywhere(summary, thresholds).tolist() == [True, True, False, False, False]


def test_a_window_without_lower_end_still_refuses_nan():
    assert within(column(-1e9, 0.0, 0.9, 0.91, np.nan), (BELOW, 0.9)).tolist() == [True, True, True, False, False]


def test_the_box_includes_80_gev_and_excludes_12_gev():
    box = Box(p_out_max=80.0, e_cal_max=12.0, source="published: test")
    summary = {
        "p_out": column(80.0, np.nextafter(80.0, ABOVE), 10.0, 10.0, np.nan, 10.0),
        "e_cal": column(1.0, 1.0, 11.999, 12.0, 1.0, np.nan),
    }
    assert in_box(summary, box).tolist() == [True, False, True, False, False, False]


def test_a_region_is_half_open_and_limits_the_sum():
    region = Region(name="X", title="", p_out_min=10.0, p_out_max=20.0, e_cal_min=5.0, total_min=18.0, source="inferred: test")
    p_out, e_cal = column(10.0, 20.0, 9.99, 12.0, 12.0, np.nan), column(8.0, 8.0, 80.0, 5.0, 6.0, 50.0)
    assert in_region({"p_out": p_out, "e_cal": e_cal}, region).tolist() == [True, False, False, False, True, False]


def test_regions_and_box_of_the_letter_do_not_overlap():
    point = load_working_point("prl2024")
    p_out, e_cal = (a.ravel() for a in np.meshgrid(np.linspace(0, 300, 301), np.linspace(0, 300, 301)))
    summary = {"p_out": p_out, "e_cal": e_cal}
    total = sum(in_region(summary, region).astype(int) for region in point.regions) + in_box(summary, point.box).astype(int)
    assert total.max() == 1
    assert not total[(p_out > 80) & (p_out < 100) & (e_cal < 12)].any()  # the side band of the box
    assert total[(e_cal >= 12)].min() == 1


def test_every_cut_is_known_by_the_name_of_its_function_and_states_the_number_of_the_letter():
    assert all(name == definition.function.__name__ for name, definition in CUTS.items())
    for number, name in zip(
        ("(i)", "(ii)", "(iii)", "(iv)"), ("momentum_in_window", "single_tracks", "single_hits_and_mip_cell", "mip_everywhere"), strict=True
    ):
        assert f"Cut {number}" in (CUTS[name].function.__doc__ or "")


@pytest.mark.parametrize(
    ("thresholds", "columns"),
    [
        (TriggerBits(bits=("physics",)), ("trigger",)),
        (MomentumWindow(centre=1.0, half_width=1.0), ("p_in",)),
        (TrackNumbers(ms1=1, ms2=1), ("n_tracks_ms1", "n_tracks_ms2")),
        (HitsAndCell(max_hits=1, stations=("mm5",), mip=("e_hcal_cell",)), ("n_hits_mm5", "e_hcal_cell")),
    ],
)
def test_a_cut_names_its_columns(thresholds, columns):
    assert thresholds.columns == columns
