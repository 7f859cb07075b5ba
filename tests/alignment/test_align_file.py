from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from alignment_examples import true_detector

from na64mu.detector import load_detector, read_detector
from na64mu.detector.alignment import Alignment
from na64mu.detector.elements import Straw
from na64mu.errors import DetectorError


def alignment(**changes: Any) -> Alignment:
    content = {
        "format_version": 1,
        "detector": "na64mu-2022",
        "digest": true_detector().digest,
        "version": "0",
        "n_tracks": {"ms1": 1000, "ms2": 2000},
        "survey_shift": 1.0,
        "survey_rotation": 5e-3,
        "modules": [
            {"name": "mm5", "dx": 0.1, "dy": -0.2, "drotation": 1e-3, "dx_error": 1e-3, "dy_error": 1e-3, "drotation_error": 1e-5, "n_hits": 9},
            {"name": "bms1", "dy": 0.5, "dy_error": 0.01},
        ],
        "planes": [
            {"name": name, "resolution": r, "resolution_error": 0.001, "efficiency": 0.97, "efficiency_low": 0.96, "efficiency_high": 0.98, "n_probes": 100, "noise": 0.1, "noise_error": 0.01}
            for name, r in (("mm5_x", 0.09), ("mm5_y", 0.11), ("bms1_y", 1.3))
        ],
        "straws": [
            {"name": "st2", "t0": 3.0, "t0_error": 0.1, "drift_ns_per_mm": 15.0, "drift_error": 0.1, "chi2": 9.0, "ndf": 10, "time": [1.0], "distance": [1.0], "distance_error": [0.1]}
        ],
    }  # fmt: skip
    return Alignment.model_validate(content | changes)


def test_written_and_read_again(tmp_path: Path) -> None:
    path = alignment().write(tmp_path / "a.toml")
    assert Alignment.read(path) == alignment()
    assert path.read_bytes() == alignment().write(tmp_path / "b.toml").read_bytes()


def test_the_description_is_corrected() -> None:
    before, after = true_detector(), true_detector().aligned(alignment())
    assert after.trackers["mm5"].centre == (-49.9, -0.2)
    assert after.trackers["mm5"].rotation == 1e-3
    assert after.trackers["mm5"].sigma == pytest.approx(0.1)
    assert after.trackers["bms1"].centre[1] == before.trackers["bms1"].centre[1] + 0.5
    assert after.trackers["bms1"].sigma == before.trackers["bms1"].sigma
    st2 = after.trackers["st2"]
    assert isinstance(st2, Straw)
    assert (st2.t0, st2.drift_ns_per_mm) == (3.0, 15.0)
    assert after.trackers["gem1"] == before.trackers["gem1"]
    assert after.tag == before.tag
    assert after.digest != before.digest
    assert after.trackers["mm5"].source_of("centre") == "inferred: aligned and calibrated with 1000 tracks in ms1, 2000 tracks in ms2"


def test_an_alignment_stands_for_a_description(tmp_path: Path) -> None:
    path = alignment().write(tmp_path / "alignment.toml")
    assert load_detector(str(path)).digest == true_detector().aligned(alignment()).digest


def test_the_description_may_stand_beside_it(tmp_path: Path) -> None:
    shipped = Path(__file__).parents[2] / "data" / "detector" / "na64mu-2022.toml"
    (tmp_path / "mine.toml").write_text(
        shipped.read_text(encoding="utf-8").replace('tag = "na64mu-2022"', 'tag = "mine"'), encoding="utf-8"
    )
    mine = read_detector(tmp_path / "mine.toml")
    path = alignment(detector="mine.toml", digest=mine.digest).write(tmp_path / "alignment.toml")
    assert read_detector(path).tag == "mine"


def test_another_description_is_refused(tmp_path: Path) -> None:
    path = alignment(digest="0" * 64).write(tmp_path / "a.toml")
    with pytest.raises(
        DetectorError,
        match=r"a\.toml: the alignment was made for detector 'na64mu-2022' with digest 000000000000, this description of 'na64mu-2022' has",
    ):
        read_detector(path)


def test_an_unknown_module_is_named() -> None:
    wrong = alignment(modules=[{"name": "mm9", "dx": 1.0}])
    with pytest.raises(DetectorError, match=r"the alignment names the module 'mm9', detector 'na64mu-2022' has bms1, bms2"):
        true_detector().aligned(wrong)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format_version": 2}, "an alignment has kind 'alignment' and format_version 1"),
        ({"modules": [{"name": "mm1"}, {"name": "mm1"}]}, "modules: a name is given twice"),
        ({"extra": 1}, "extra"),
    ],
)
def test_wrong_content_is_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    from na64mu.common.toml_model import toml_lines

    path = tmp_path / "a.toml"
    path.write_text("\n".join(toml_lines(alignment().model_dump(mode="json", exclude_none=True) | changes)), encoding="utf-8")
    with pytest.raises(DetectorError, match=message):
        Alignment.read(path)
