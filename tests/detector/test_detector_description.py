from __future__ import annotations

import pickle
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from na64mu.detector import Detector, detector_path, known_detectors, load_detector, read_detector
from na64mu.detector.elements import TRACKERS, Element, PixelPlane, Tracker, register_tracker
from na64mu.errors import DetectorError


def shipped(tag: str = "na64mu-2022") -> str:
    return detector_path(tag).read_text(encoding="utf-8")


def broken(folder: Path, old: str, new: str, count: int = 1) -> str:
    """Message about the shipped description with one piece of text changed."""
    text = shipped()
    assert old in text
    path = folder / "mine.toml"
    path.write_text(text.replace(old, new, count), encoding="utf-8")
    with pytest.raises(DetectorError) as error:
        read_detector(path)
    assert str(path) in str(error.value)
    return str(error.value)


def elements(detector: Detector) -> list[Element]:
    found: list[Element] = []
    for value in dict(detector).values():
        found += [v for v in (value if isinstance(value, tuple) else (value,)) if isinstance(v, Element)]
    return found


@pytest.mark.parametrize("tag", ["na64mu-2022", "g4raw-indep-1"])
def test_shipped_descriptions_are_complete(tag: str) -> None:
    detector = load_detector(tag)
    assert detector.tag == tag
    assert [m.module for m in detector.micromegas] == list(range(1, 8))
    assert sorted(b.station for b in detector.bms) == list(range(1, 7))
    for element in elements(detector):
        for key in type(element).model_fields:
            assert element.source_of(key).partition(":")[0] in ("published", "thesis", "inferred", "simulated")


def test_published_numbers() -> None:
    d = load_detector("na64mu-2022")
    bend1 = sum(m.signed_field[0] * m.length for m in d.magnets_of(1)) * 1e-3
    bend2 = sum(m.signed_field[1] * m.length for m in d.magnets_of(2)) * 1e-3
    assert bend1 == pytest.approx(15.0, rel=1e-6)  # 3 x 5 T m
    assert bend2 == pytest.approx(-1.4)
    s4, s_mu = d.counter("S4"), d.counter("S_mu")
    assert s4.x_range(1)[1] == -65.0
    assert (s_mu.x_range(1)[1], s_mu.x_range(2)[1]) == (-152.0, -117.0)
    # mean x of 160 GeV/c at S4: -12.0 mm
    assert 0.299792458 * bend2 / 160.0 * (s4.z - d.magnets_of(2)[0].z) == pytest.approx(-12.0, abs=0.05)
    assert (d.ecal.cells, d.ecal.stochastic, d.ecal.constant) == ((5, 6), 0.08, 0.01)
    assert (d.hcal.stochastic, d.hcal.constant) == (0.65, 0.06)


def test_slabs_of_the_beam_stations() -> None:
    # COMPASS beam station code: BM05 y = (ch - 27.5) 2.5, BM06 y = (ch - 62.5) 1.25; 64 channels in BM01 to BM04
    d = load_detector("na64mu-2022")
    stations = {b.station: b for b in d.bms}
    assert np.allclose(stations[5].channel_y - stations[5].centre[1], (np.arange(64) - 27.5) * 2.5)
    assert np.allclose(stations[6].channel_y - stations[6].centre[1], (np.arange(128) - 62.5) * 1.25)
    assert [len(stations[i].channel_y) for i in (1, 2, 3, 4)] == [64] * 4
    assert stations[1].sigma == pytest.approx(1.44, abs=0.005)


def test_wires_and_cells() -> None:
    d = load_detector("na64mu-2022")
    straw = d.straws[0]
    assert straw.wire_position(0, 1)[0] - straw.wire_position(0, 0)[0] == pytest.approx(3.072)
    assert d.ecal.cell_centre(0)[2] == 0.0, "the beam hits cell (2, 3)"
    assert d.ecal.cell_centre(1)[3] == pytest.approx(0.0)
    assert d.hcal.cell_centre(0).tolist() == [-485.0, -291.0, -97.0, 97.0, 291.0, 485.0]


def test_description_is_frozen_hashable_and_travels() -> None:
    d = load_detector("na64mu-2022")
    copy = pickle.loads(pickle.dumps(d))
    assert copy == d
    assert hash(copy) == hash(d)
    assert hash(d) != hash(load_detector("g4raw-indep-1"))
    with pytest.raises(Exception, match="frozen"):
        d.beam.momentum = 100.0  # type: ignore[misc]


def test_unknown_tag_lists_the_known_ones() -> None:
    with pytest.raises(DetectorError) as error:
        load_detector("na64mu-2023")
    assert "'na64mu-2023'" in str(error.value)
    assert all(tag in str(error.value) for tag in known_detectors())


def test_own_file_by_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(shipped().replace('tag = "na64mu-2022"', 'tag = "mine"'), encoding="utf-8")
    assert load_detector(str(path)).tag == "mine"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("pitch = 0.25", "pitch = -0.25", "micromegas[0].pitch: Input should be greater than 0, found -0.25"),
        ("pitch = 0.25", "pich = 0.25", "micromegas[0].pich"),
        ("momentum = 160.0\n", "", "beam.momentum: Field required"),
        ("strips = [320, 320]", "strips = [319, 320]", "micromegas[0]: view 0: 319 strips are not 64 channels times 5 multipliers"),
        ("multipliers_x = [1, 13", "multipliers_x = [2, 13", "micromegas[0]: view 0: every multiplier must be coprime to 64"),
        ('z = "inferred: see the head', 'z = "guessed: see the head', "a source reads 'published: ...'"),
        ('[beam.sources]\n', '[beam.sources]\nmomentun = "inferred: a typing error"\n', "sources names the unknown key 'momentun'"),
        ("format_version = 1", "format_version = 9", "format_version is 9, this version of na64mu reads 1"),
        ("module = 2\n", "module = 1\n", "an element is named twice"),
        ("polarity = 1", "polarity = 0", "magnets[0].polarity"),
        ("efficiency = 0.97", "efficiency = 1.97", "efficiency: Input should be less than or equal to 1, found 1.97"),
        ('name = "S4"', 'name = "S5"', "counters[3].name"),
        ("x = [[-265.0, -65.0]]", "x = []", "counter S4: a box needs x"),
        ("format_version = 1", "format_version = ", "cannot be read as TOML"),
    ],
)  # fmt: skip
def test_wrong_file_names_the_key(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert expected in broken(tmp_path, old, new)


def test_every_shipped_number_stands_in_the_model() -> None:
    content: dict[str, Any] = tomllib.loads(shipped())
    dumped = load_detector("na64mu-2022").model_dump()
    assert set(content) <= set(dumped)
    for plane, model in zip(content["micromegas"], dumped["micromegas"], strict=True):
        assert all(np.array_equal(np.asarray(model[k]), np.asarray(v)) for k, v in plane.items() if k != "sources")


def test_resolution_for_hadrons_is_a_choice() -> None:
    h = load_detector("na64mu-2022").hcal
    assert h.hadron_resolution == (0.65, 0.06)
    assert h.source_of("geant4_stochastic").startswith("simulated: Geant4")
    assert h.model_copy(update={"resolution": "geant4"}).hadron_resolution == (0.49, 0.0)
    with pytest.raises(ValueError, match="needs geant4_stochastic"):
        type(h).model_validate(h.model_dump() | {"resolution": "geant4", "geant4_stochastic": None})


def test_a_kind_that_does_not_say_what_it_reads_out_is_refused() -> None:
    class Silent(Tracker):
        kind = "silent"
        prefix = "silent"

    class Nameless(PixelPlane):
        kind = "nameless"
        prefix = ""

    class Twin(PixelPlane):
        kind = "twin"

    with pytest.raises(DetectorError, match=r"the class Silent has no 'banks': see na64mu\.detector\.elements\.pixels"):
        register_tracker(Silent)
    with pytest.raises(DetectorError, match="the class Nameless has no 'prefix'"):
        register_tracker(Nameless)
    with pytest.raises(DetectorError, match="Twin has the kind 'twin' and the prefix 'pixel', PixelPlane has 'pixel' and 'pixel'"):
        register_tracker(Twin)
    assert not {"silent", "nameless", "twin"} & set(TRACKERS)


def test_the_model_of_scattering_belongs_to_the_description(tmp_path: Path) -> None:
    assert load_detector("na64mu-2022").scattering == "highland"
    path = tmp_path / "mine.toml"
    path.write_text(shipped().replace("format_version = 1", 'format_version = 1\nscattering = "rossi"', 1), encoding="utf-8")
    mine, ours = read_detector(path), load_detector("na64mu-2022")
    assert mine.scattering == "rossi"
    assert mine.digest != ours.digest
    assert mine.energy_digest == ours.energy_digest  # windows of muons do not depend on tracks: the calibration stays valid
    assert "multiple scattering in the fit of tracks: rossi" in str(mine)
    assert "multiple scattering" not in str(ours)
    assert pickle.loads(pickle.dumps(mine)).scattering == "rossi"
    path.write_text(shipped().replace("format_version = 1", 'format_version = 1\nscattering = "highlands"', 1), encoding="utf-8")
    with pytest.raises(DetectorError, match="no model of multiple scattering 'highlands': known are highland, highland-each, rossi, none"):
        read_detector(path)
    path.write_text(shipped().replace("format_version = 1", 'format_version = 1\nscattering = "highland"', 1), encoding="utf-8")
    assert read_detector(path).digest == ours.digest
