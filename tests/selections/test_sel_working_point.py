from __future__ import annotations

import json
from pathlib import Path

import pytest

from na64mu.errors import SelectionError
from na64mu.reconstruction.columns import known_columns
from na64mu.selections import known_working_points, load_working_point
from na64mu.selections.cuts import MomentumWindow
from na64mu.selections.working_point import FOLDER, WorkingPoint

TEXT = (FOLDER / "prl2024.toml").read_text(encoding="utf-8")
WINDOWS = dict.fromkeys(("e_ecal", "e_veto", "e_vhcal", "e_hcal1", "e_hcal2", "e_hcal_cell"), (0.0, 1.0))


def changed(tmp_path: Path, old: str, new: str, name: str = "mine.toml") -> Path:
    assert old in TEXT
    path = tmp_path / name
    path.write_text(TEXT.replace(old, new, 1), encoding="utf-8")
    return path


def test_prl2024_has_the_numbers_of_the_letter():
    point = load_working_point("prl2024")
    assert point.cut_names == ("trigger", "momentum_in_window", "single_tracks", "single_hits_and_mip_cell", "mip_everywhere")
    assert point.cuts[1].thresholds == MomentumWindow(centre=160.0, half_width=20.0)
    assert point.cuts[3].thresholds.model_dump()["stations"] == ("mm5", "mm6", "mm7", "st1")
    assert (point.box.p_out_max, point.box.e_cal_max) == (80.0, 12.0)
    assert [region.name for region in point.regions] == ["A", "B", "C", "D"]
    assert point.before_plane_cut() == point.cut_names[:-1]


def test_bin_edges_of_the_plane_fall_on_the_edges_of_the_box():
    point = load_working_point("prl2024")
    for axis, edge in ((point.plane_p_out, point.box.p_out_max), (point.plane_e_cal, point.box.e_cal_max)):
        assert (edge - axis.low) / (axis.high - axis.low) * axis.bins == pytest.approx(
            round((edge - axis.low) / (axis.high - axis.low) * axis.bins)
        )


def test_every_spectrum_is_a_column_of_the_summary_and_every_cut_variable_has_one():
    point = load_working_point("prl2024")
    spectra = {s.column for s in point.spectra}
    assert spectra <= {*known_columns()}
    assert {c for cut in point.cuts for c in cut.thresholds.columns} - {"trigger"} <= spectra


def test_a_derived_working_point_replaces_the_named_cut_only():
    base, derived = load_working_point("prl2024"), load_working_point("prl2024-calibration")
    assert derived.cuts[0].thresholds.model_dump() == {"bits": ("calibration",)}
    assert derived.cuts[1:] == base.cuts[1:]
    assert (derived.box, derived.regions) == (base.box, base.regions)
    assert known_working_points() == ["prl2024", "prl2024-calibration"]


def test_the_hash_follows_every_number_and_nothing_else(tmp_path):
    point = load_working_point("prl2024")
    assert load_working_point(changed(tmp_path, "# Momenta", "# MOMENTA")).hash == point.hash
    assert load_working_point(changed(tmp_path, "half_width = 20.0", "half_width = 20.5")).hash != point.hash


def test_a_working_point_survives_json():
    point = load_working_point("prl2024")
    assert WorkingPoint.model_validate(json.loads(point.model_dump_json())) == point


def test_bound_cuts_carry_the_windows():
    cuts = load_working_point("prl2024").bind(WINDOWS | {"e_preshower": (0.0, 9.0)})
    assert cuts[3].thresholds.model_dump()["windows"] == {"e_hcal_cell": (0.0, 1.0)}
    assert set(cuts[4].thresholds.model_dump()["windows"]) == {"e_ecal", "e_veto", "e_vhcal", "e_hcal1", "e_hcal2"}


def test_a_missing_window_is_named():
    with pytest.raises(SelectionError, match=r"no MIP window of e_hcal1 .*na64mu calibrate"):
        load_working_point("prl2024").bind({k: v for k, v in WINDOWS.items() if k != "e_hcal1"})


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(SelectionError, match=r"no working point 'prl2042': known are prl2024, prl2024-calibration"):
        load_working_point("prl2042")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("half_width = 20.0", "half_width = -1.0", r"cuts\[1\]\.thresholds\.half_width.*greater than 0, found -1.0|half_width"),
        ("half_width = 20.0", "halfwidth = 20.0", r"cuts\[1\].*half_width"),
        ('name = "single_tracks"', 'name = "one_track"', r"no cut 'one_track': known are \['mip_everywhere', 'momentum_in_window'"),
        ('bits = ["physics"]', 'bits = ["fysics"]', r"cuts\[0\].*bits"),
        ('plane_cut = "mip_everywhere"', 'plane_cut = "mip"', r"plane_cut = 'mip' is not one of the cuts"),
        ('blind_at = "momentum_in_window"', 'blind_at = "x"', r"blind_at = 'x' is not one of the cuts"),
        (
            'blind_at = "momentum_in_window"',
            'blind_at = "single_tracks"',
            r"blind_at = 'single_tracks' is not the first cut on reconstructed columns, which is 'momentum_in_window': leave blind_at out",
        ),
        ('column = "p_in"', 'column = "p_inn"', r"spectra\[0\]: no column 'p_inn': the summary has run, spill"),
        ("format_version = 1", "format_version = 7", r"format_version is 7, this version of na64mu reads 1"),
        (
            "bins = 100\nlow = 0.0\nhigh = 200.0",
            "bins = 100\nlow = 300.0\nhigh = 200.0",
            r"plane_p_out: low = 300.0 must lie below high = 200.0",
        ),
        ('upper_bounds = ["e_vhcal"]', "upper_bounds = []", r"the cuts need windows of \['e_vhcal'\]"),
        ('name = "B"', 'name = "A"', r"regions: a name is given twice"),
        ("e_cal_max = 12.0", "", r"box\.e_cal_max: Field required"),
        (
            'source = "published: PRL 132, 211803, cut (i)"',
            'source = "somebody said so"',
            r"cuts\[1\]\.source: a source reads 'published: ...'",
        ),
        ("half_width = 20.0", "half_width = 20.0 GeV", r"cannot be read as TOML"),
    ],
)
def test_a_wrong_file_names_the_key(tmp_path, old, new, message):
    with pytest.raises(SelectionError, match=message) as caught:
        load_working_point(changed(tmp_path, old, new))
    assert "mine.toml" in str(caught.value)


def test_a_derived_working_point_cannot_name_a_cut_the_base_lacks(tmp_path):
    path = tmp_path / "derived.toml"
    path.write_text('base = "prl2024"\n[[cuts]]\nname = "new"\n', encoding="utf-8")
    with pytest.raises(SelectionError, match=r"cuts: 'new' is not a cut of the base 'prl2024'"):
        load_working_point(path)


ADDED = """
[[cuts]]
name = "{name}"
after = "{after}"
label = "calibration trigger too"
source = "inferred: a cut added for a test"
[cuts.thresholds]
bits = ["calibration"]
"""


def derived(tmp_path: Path, text: str, name: str = "derived.toml") -> Path:
    path = tmp_path / name
    path.write_text(f'base = "prl2024"\n{text}', encoding="utf-8")
    return path


def test_a_derived_working_point_adds_a_cut_where_it_says(tmp_path):
    without = derived(tmp_path, 'drop = ["single_tracks", "trigger"]\n', "without.toml")
    assert load_working_point(without).cut_names == ("momentum_in_window", "single_hits_and_mip_cell", "mip_everywhere")
    path = tmp_path / "with.toml"
    path.write_text(f'base = "without.toml"\n{ADDED.format(name="trigger", after="momentum_in_window")}', encoding="utf-8")
    point = load_working_point(path)
    assert point.cut_names == ("momentum_in_window", "trigger", "single_hits_and_mip_cell", "mip_everywhere")
    assert point.cuts[1].thresholds.model_dump() == {"bits": ("calibration",)}
    assert point.hash != load_working_point(without).hash


def test_a_derived_working_point_adds_a_spectrum_and_keeps_the_others(tmp_path):
    text = '[[spectra]]\ncolumn = "e_s4"\nlabel = "E in S4"\nbins = 10\nlow = 0.0\nhigh = 5.0\n'
    text += '[[spectra]]\ncolumn = "p_in"\nlabel = "p"\nbins = 3\nlow = 0.0\nhigh = 5.0\n'
    base, point = load_working_point("prl2024"), load_working_point(derived(tmp_path, text))
    assert [s.column for s in point.spectra] == [*(s.column for s in base.spectra), "e_s4"]
    assert point.spectra[0].bins == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('drop = ["single_track"]\n', r"derived\.toml: drop: 'single_track' is not a cut of the base 'prl2024', which has \['trigger'"),
        ('drop = "single_tracks"\n', r"derived\.toml: drop: a list of cuts is wanted"),
        ('drop = ["mip_everywhere"]\n', r"plane_cut = 'mip_everywhere' is not one of the cuts"),
        (ADDED.format(name="trigger", after="single_tracks"), r"cuts: 'trigger' is a cut of the base 'prl2024' already"),
        ("cuts = 3\n", r"cuts: tables \[\[cuts\]\] are wanted, found 3"),
        ('drop = ["trigger"]\n' + ADDED.format(name="trigger", after="single"), r"cuts: trigger: after: 'single' is not a cut of the base"),
    ],
)
def test_a_wrong_addition_is_named(tmp_path, text, message):
    with pytest.raises(SelectionError, match=message):
        load_working_point(derived(tmp_path, text))


def test_two_working_points_cannot_rest_on_each_other(tmp_path):
    for name, base in (("one", "two"), ("two", "one")):
        (tmp_path / f"{name}.toml").write_text(f'base = "{base}.toml"\n', encoding="utf-8")
    with pytest.raises(SelectionError, match=r"two\.toml: base: 'one\.toml' has this file as its base again"):
        load_working_point(tmp_path / "one.toml")


def test_a_working_point_cannot_be_its_own_base(tmp_path):
    path = tmp_path / "loop.toml"
    path.write_text('base = "loop"\n', encoding="utf-8")
    with pytest.raises(SelectionError, match="the name of another working point is wanted"):
        load_working_point(path)


@pytest.mark.parametrize("name", ["[]", "{}", "1.5"])
def test_a_name_of_a_cut_that_is_no_text_is_one_sentence(tmp_path, name):
    content = (FOLDER / "prl2024.toml").read_text(encoding="utf-8")
    file = tmp_path / "own.toml"
    file.write_text(content.replace('name = "trigger"', f"name = {name}", 1), encoding="utf-8")
    with pytest.raises(SelectionError, match="no cut"):
        load_working_point(file)
