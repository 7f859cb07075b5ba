"""Conditions of a run: the shipped file, files of a user, what they must not name."""

from __future__ import annotations

from pathlib import Path

import pytest

from na64mu.detector import load_detector, read_detector
from na64mu.detector.conditions import default_conditions, load_conditions
from na64mu.detector.gains import Gain
from na64mu.detector.pulse import amplitude, edge, pulse_shape
from na64mu.detector.readout import banks, plane_sizes
from na64mu.errors import DetectorError

HEAD = 'format_version = 1\nkind = "conditions"\ntitle = "a test"\nsource = "inferred: a test"\n'
CHANNELS = '[[channels]]\nsource = "inferred: a test"\nplane = "{plane}"\ndead = {dead}\n'


def write(folder: Path, text: str) -> Path:
    path = folder / "conditions.toml"
    path.write_text(HEAD + text, encoding="utf-8")
    return path


def test_shipped_conditions_leave_the_description_as_it_is():
    detector = load_detector("na64mu-2022")
    assert detector.conditions is None
    assert detector.operation is default_conditions()
    assert detector.operation.channels == ()
    assert detector.operation.cross_talk.micromegas == detector.operation.cross_talk.gem == 0.0
    assert detector.operation.msadc.ceiling == 4095


def test_a_file_changes_what_it_names_and_the_digest(tmp_path):
    path = write(tmp_path, CHANNELS.format(plane="mm5_x", dead=[3]))
    detector = load_detector("na64mu-2022")
    own = detector.operated(load_conditions(path))
    assert own.operation.of("mm5_x").dead == (3,)
    assert own.operation.of("mm5_y").dead == ()
    assert own.operation.ecal == default_conditions().ecal
    assert own.digest != detector.digest
    assert own.tag == detector.tag
    assert "a test" in own.operation.label


def test_a_file_that_names_its_detector_stands_for_a_description(tmp_path):
    path = write(tmp_path, 'detector = "na64mu-2022"\n' + CHANNELS.format(plane="st4_y1", dead=[31]))
    assert read_detector(path).operation.of("st4_y1").dead == (31,)
    nameless = write(tmp_path, "")
    with pytest.raises(DetectorError, match="the conditions name no detector"):
        read_detector(nameless)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (CHANNELS.format(plane="mm9_x", dead=[1]), "name the plane 'mm9_x', detector 'na64mu-2022' has bms1"),
        (CHANNELS.format(plane="mm5_x", dead=[192]), "channel 192 of mm5_x, it has 0 to 191"),
        (CHANNELS.format(plane="veto", dead=[6]), "channel 6 of veto, it has 0 to 5"),
    ],
)
def test_channels_that_do_not_exist(tmp_path, text, message):
    with pytest.raises(DetectorError, match=message):
        read_detector(write(tmp_path, 'detector = "na64mu-2022"\n' + text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (CHANNELS.format(plane="mm5_x", dead=[1]) * 2, "a plane is named twice"),
        (CHANNELS.format(plane="mm5_x", dead=[-1]), r"channels\[0\]\.dead"),
        ('[cross_talk]\nsource = "inferred: a"\nmicromegas = 1.5\ngem = 0.0\n', "cross_talk.micromegas"),
        ('[vhcal]\nsource = "inferred: a"\ncounts=[1.0, 2.0]\nrise=1.0\nfall=1.0\nnoise=1.0\nthreshold=1.0\njitter=1.0\n', "1 wanted"),
    ],
)
def test_contents_that_make_no_sense(tmp_path, text, message):
    with pytest.raises(DetectorError, match=message):
        load_conditions(write(tmp_path, text))


def test_another_file_is_refused(tmp_path):
    path = tmp_path / "other.toml"
    path.write_text("kind = 'alignment'\n")
    with pytest.raises(DetectorError, match="not a conditions file"):
        load_conditions(path)
    path.write_text(HEAD.replace("= 1", "= 7"))
    with pytest.raises(DetectorError, match="format_version is 7"):
        load_conditions(path)


def test_planes_have_the_channels_of_the_raw_tree():
    sizes = plane_sizes(load_detector("na64mu-2022"))
    assert sizes["mm1_x"] == 64
    assert sizes["mm5_x"] == 192
    assert sizes["gem4_y"] == 256
    assert sizes["st4_y1"] == 32
    assert sizes["ecal0"] == 30
    assert sizes["hcal2"] == 18
    assert sizes["veto"] == 6


@pytest.mark.parametrize(("rise", "fall"), [(15.0, 40.0), (8.0, 20.0), (20.0, 10.0)])
def test_pulse_shape(rise, fall):
    shape = pulse_shape(rise, fall)
    assert amplitude(shape, 0.0) == pytest.approx(0.5, rel=1e-9)
    assert amplitude(shape, shape.peak) == pytest.approx(1.0, rel=1e-12)
    assert edge(shape, shape.peak)[1] == pytest.approx(0.0, abs=1e-12)
    assert amplitude(shape, -shape.onset - 1e-6) == 0.0
    for t in (-3.0, 1.0, 17.0, 60.0):
        high, slope = edge(shape, t)
        assert high == pytest.approx(amplitude(shape, t), rel=1e-12)
        assert slope == pytest.approx((amplitude(shape, t + 1e-4) - amplitude(shape, t - 1e-4)) / 2e-4, rel=1e-5, abs=1e-9)


GAIN = '[[gains]]\nsource = "inferred: a test"\nplane = "{plane}"\n{numbers}\n'


def test_gains_of_conditions_take_the_place_of_those_of_the_description(tmp_path):
    detector = load_detector("na64mu-2022")
    assert detector.gain_of("ecal1") is None
    own = read_detector(
        write(tmp_path, 'detector = "na64mu-2022"\n' + GAIN.format(plane="veto", numbers="gain = 1.1\nchannels = [1, 1, 1, 0.9, 1, 1]"))
    )
    assert banks(own)["veto"].gain == pytest.approx([1.1, 1.1, 1.1, 0.99, 1.1, 1.1])
    assert (banks(own)["ecal1"].gain == 1.0).all()
    other = own.with_gains(
        [Gain(source="inferred: a test", plane="veto", gain=0.8), Gain(source="inferred: a test", plane="ecal1", gain=2.0)]
    )
    assert (banks(other)["veto"].gain == 0.8).all()
    assert (banks(other)["ecal1"].gain == 2.0).all()
    assert other.with_gains(other.gains).digest == other.digest != own.digest
    assert other.energy_digest == own.energy_digest == detector.energy_digest  # energies are corrected before anything looks at them


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GAIN.format(plane="mm5_x", numbers=""), "no bank 'mm5_x' that writes an energy, detector 'na64mu-2022' has ecal0, ecal1"),
        (GAIN.format(plane="veto", numbers="channels = [1.0, 1.0]"), "gains of veto: 2 numbers for channels, the bank has 6"),
        (GAIN.format(plane="veto", numbers="") * 2, "gains: a bank is named twice"),
        (GAIN.format(plane="veto", numbers="gain = 0.0"), r"gains\[0\].gain"),
        (GAIN.format(plane="veto", numbers="channels = [1.0]\nchannel_errors = [0.1, 0.1]"), "1 channels have 2 channel_errors"),
    ],
)
def test_gains_that_make_no_sense(tmp_path, text, message):
    with pytest.raises(DetectorError, match=message):
        read_detector(write(tmp_path, 'detector = "na64mu-2022"\n' + text))
