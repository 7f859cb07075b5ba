"""A kind of tracker that the experiment does not have, from the description to tracks: silicon pixel planes in MS2."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from na64mu.alignment.parameters import FreeParameters, moved
from na64mu.alignment.sample import read_samples
from na64mu.cli import main
from na64mu.detector import Detector, load_detector
from na64mu.detector.conditions import default_conditions
from na64mu.detector.elements.pixels import PixelPlane
from na64mu.detector.overview import overview
from na64mu.detector.readout import banks, plane_sizes, readout_planes, sheets
from na64mu.errors import DetectorError
from na64mu.events.batch import Jagged, RawBatch
from na64mu.events.channel_ranges import channel_limits
from na64mu.events.reader import read_batch
from na64mu.events.schema_v1 import OPTIONAL_COLLECTIONS
from na64mu.reconstruction.hits import find_hits, spectrometer_hits, station_hits
from na64mu.reconstruction.spectrometers import spectrometer_tracks
from na64mu.reconstruction.summary import reconstruct
from na64mu.report.display import draw_event
from na64mu.simulation.digits import digitise
from na64mu.simulation.produce import produce
from na64mu.simulation.readout import build_readout
from na64mu.simulation.truth import FACTS, HIT, Truth
from na64mu.tracking.spectrometer import spectrometer

PLANE = """
[[modules]]
source = "inferred: a test"
kind = "pixel"
module = {module}
spectrometer = 2
z = {z}
centre = [{x}, 0.0]
pixels = [900, 900]
pitch = [0.1, 0.05]
cloud = 0.012
charge_mode = 1000.0
charge_width = 80.0
noise = 10.0
threshold = 60.0
sigma_t = 2.0
efficiency = 0.98
x_over_x0 = 0.0032
"""
SHIPPED = Path(__file__).parents[2] / "data" / "detector" / "na64mu-2022.toml"
N = 20_000


@pytest.fixture(scope="module")
def description(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pixels") / "pixels.toml"
    text = SHIPPED.read_text(encoding="utf-8").replace('tag = "na64mu-2022"', 'tag = "with-pixels"')
    path.write_text(text + PLANE.format(module=1, z=2100.0, x=0.0) + PLANE.format(module=2, z=5300.0, x=-5.0), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def detector(description: Path) -> Detector:
    return load_detector(description)


@pytest.fixture(scope="module")
def sample(detector: Detector, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RawBatch]:
    path = tmp_path_factory.mktemp("pixels") / "beam.root"
    produce(path, detector, "beam", 2500, 1, 5)
    return path, read_batch(path)


def crossings(detector: Detector, module: int, x: np.ndarray, y: np.ndarray) -> Truth:
    """One particle per event that crosses one pixel plane at known places."""
    sheet = [s.station for s in sheets(detector)].index(f"pixel{module}")
    n = len(x)
    hits = np.zeros(n, HIT)
    hits["surface"], hits["x"], hits["y"] = sheet, x, y
    ecal, vhcal, hcal = np.zeros((n, 2, 5, 6)), np.zeros((n, 1, 4, 4)), np.zeros((n, 2, 6, 3))
    return Truth(np.zeros(n, FACTS), hits, np.arange(n + 1), np.zeros((n, 5)), np.zeros((n, 3)), ecal, vhcal, hcal)


def quiet(detector: Detector) -> Detector:
    return detector.model_copy(update={"medium": detector.medium.model_copy(update={"noise_hits": 0.0}), "tag": "quiet"})


def test_the_description_says_what_is_read_out(detector: Detector) -> None:
    planes = {p.name: p for p in readout_planes(detector) if p.kind == "pixel"}
    assert list(planes) == ["pixel1_x", "pixel1_y", "pixel2_x", "pixel2_y"]
    assert planes["pixel2_x"].coordinate[[0, -1]].tolist() == pytest.approx([-5.0 - 44.95, -5.0 + 44.95])
    assert plane_sizes(detector)["pixel1"] == 900 * 900
    assert channel_limits(detector)["pixel"].sizes[1, 899] == 900
    assert "pixel" not in channel_limits(load_detector("na64mu-2022"))
    row = next(row for row in overview(detector) if row.name == "PIXEL1")
    assert (row.z, row.kind, row.half_size) == ("2100.0", "PixelPlane", "(45, 22.5)")
    assert "MS2, x and y, 900 x 900 pixels of (0.1, 0.05) mm" in row.what
    assert {p.station for p in spectrometer(detector, 2).planes} >= {"pixel1", "pixel2"}


def test_the_description_travels_and_old_ones_keep_their_digest(detector: Detector) -> None:
    assert Detector.model_validate_json(detector.model_dump_json()) == detector
    shipped = load_detector("na64mu-2022")
    assert detector.digest != shipped.digest
    assert detector.model_copy(update={"modules": (), "tag": shipped.tag}).model_dump_json() == shipped.model_dump_json()


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('kind = "pixel"', 'kind = "film"', "no kind of tracker 'film': known are bms, gem, mm, pixel, straw"),
        ("cloud = 0.012", "cloud = -1.0", "cloud"),
        ("noise = 10.0\n", "", "noise"),
        ('kind = "pixel"\n', "", "no kind of tracker None"),
    ],
)
def test_a_wrong_module_is_named(description: Path, tmp_path: Path, old: str, new: str, expected: str) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(description.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    with pytest.raises(DetectorError) as error:
        load_detector(wrong)
    assert expected in str(error.value)
    assert "modules[0]" in str(error.value)


def test_hits_are_where_the_particles_were_with_the_errors_that_they_state(detector: Detector) -> None:
    rng = np.random.default_rng(2)
    x, y = rng.uniform(-40.0, 40.0, N), rng.uniform(-20.0, 20.0, N)
    detector = quiet(detector)
    digits = digitise(crossings(detector, 1, x, y), build_readout(detector), rng)
    assert {f: c.dtype for f, c in digits["pixel"].fields.items()} == {f: c.dtype for f, c in OPTIONAL_COLLECTIONS["pixel"].items()}
    found = find_hits(RawBatch({"run": np.zeros(N, np.uint32)}, digits), detector)
    clusters, ms = found.found["pixel"], spectrometer(detector, 2)
    hits = spectrometer_hits(found, ms)
    event = np.repeat(np.arange(N), np.diff(clusters.offsets))
    assert len(event) / N == pytest.approx(0.98, abs=0.004)
    assert np.median(clusters.charge) == pytest.approx(1080.0, rel=0.05)  # of a Moyal distribution: mode + 0.79 widths; less what is lost
    names = [p.name for p in ms.planes]
    for view, truth, pitch in ((0, x, 0.1), (1, y, 0.05)):
        p = names.index(f"pixel1_{'xy'[view]}")
        here = np.arange(N) * len(names) + p
        one = np.diff(hits.offsets)[here] == 1
        first = hits.offsets[here[one]]
        pull = (hits.u[first] - truth[one]) / hits.sigma[first]
        assert np.mean(pull) == pytest.approx(0.0, abs=0.03)
        assert np.std(pull) == pytest.approx(1.0, abs=0.05)
        size = clusters.size[:, view]
        assert set(np.unique(size)) >= {1, 2}
        module = detector.trackers["pixel1"]
        assert isinstance(module, PixelPlane)
        stated = module.cluster_sigma(view)
        for n in (1, 2):
            off = clusters.position[size == n, view] - truth[event[size == n]]
            assert np.std(off) == pytest.approx(stated[n], rel=0.05)
            assert stated[n] < pitch / np.sqrt(12.0)
    counts = station_hits(found)
    assert counts["pixel1"].tolist() == np.diff(clusters.offsets).tolist()
    assert not counts["pixel2"].any()


def test_late_dead_and_noisy_pixels_are_no_hits(detector: Detector) -> None:
    own = {"source": "inferred: a test", "plane": "pixel1", "dead": [5 * 900 + 6], "noisy": [7 * 900 + 8]}
    worse = detector.operated(type(default_conditions())(**(default_conditions().model_dump() | {"channels": [own]})))
    rows = [
        (1, 5, 6, 500, 0.0),
        (1, 7, 8, 500, 0.0),
        (1, 9, 9, 500, 8.5),
        (1, 900, 0, 500, 0.0),
        (3, 1, 1, 500, 0.0),
        (1, 20, 20, 500, 7.9),
    ]
    fields = {
        f: np.array(c).astype(k.dtype) for (f, k), c in zip(OPTIONAL_COLLECTIONS["pixel"].items(), zip(*rows, strict=True), strict=True)
    }
    pixel = Jagged(np.array([0, len(rows)]), fields)
    empty = {name: Jagged(np.zeros(2, np.int64), {f: c[:0] for f, c in rows.fields.items()}) for name, rows in _digits(detector).items()}
    assert station_hits(find_hits(RawBatch({"run": np.zeros(1, np.uint32)}, empty | {"pixel": pixel}), worse))["pixel1"].tolist() == [1]
    assert station_hits(find_hits(RawBatch({"run": np.zeros(1, np.uint32)}, empty | {"pixel": pixel}), detector))["pixel1"].tolist() == [3]
    assert banks(worse)["pixel1"].firing == [(7 * 900 + 8, 0.0)]


def _digits(detector: Detector) -> dict[str, Jagged]:
    one = np.zeros(1)
    return digitise(crossings(detector, 1, one, one), build_readout(detector), np.random.default_rng(1))


def test_tracks_use_the_pixels_and_their_pulls_are_of_width_one(detector: Detector, sample: tuple[Path, RawBatch]) -> None:
    _, batch = sample
    ms2 = spectrometer_tracks(batch, detector).ms2
    single = ms2.n == 1
    assert single.mean() > 0.85
    names = [p.name for p in spectrometer(detector, 2).planes]
    for name in ("pixel1_x", "pixel1_y", "pixel2_x", "pixel2_y"):
        pull = ms2.best.pull[single, names.index(name)]
        used = np.isfinite(pull)
        assert used.mean() > 0.93  # 98 % efficient
        core = pull[used & (np.abs(pull) < 4.0)]
        assert np.std(core) == pytest.approx(1.0, abs=0.08)
    summary = reconstruct(batch, detector)
    assert np.mean(summary["n_hits_pixel1"] == 1) > 0.7  # some events have noise or a delta ray besides
    without = reconstruct(batch, load_detector("na64mu-2022"))
    good = single & (without["n_tracks_ms2"] == 1)
    assert np.median(summary["p_out_error"][good]) < np.median(without["p_out_error"][good])
    assert "n_hits_pixel1" not in without


def test_files_with_and_without_pixels_are_read_by_either_description(
    detector: Detector, sample: tuple[Path, RawBatch], repository: Path
) -> None:
    old = read_batch(repository / "data" / "sample" / "physics_1.root")
    assert not reconstruct(old, detector)["n_hits_pixel1"].any()
    plain = spectrometer_tracks(old, load_detector("na64mu-2022"))
    assert (spectrometer_tracks(old, detector).ms1.n == plain.ms1.n).all()


def test_check_knows_the_addresses(description: Path, sample: tuple[Path, RawBatch]) -> None:
    path, _ = sample
    found = CliRunner().invoke(main, ["check", str(path), "--detector", str(description)])
    assert found.exit_code == 0, found.output
    assert "good" in found.output
    small = description.with_name("small.toml")
    small.write_text(description.read_text(encoding="utf-8").replace("pixels = [900, 900]", "pixels = [300, 900]"), encoding="utf-8")
    found = CliRunner().invoke(main, ["check", str(path), "--detector", str(small)])
    assert found.exit_code == 1
    assert "pixel_col" in found.output


def test_the_display_shows_it_and_the_alignment_moves_it(detector: Detector, sample: tuple[Path, RawBatch]) -> None:
    _, batch = sample
    figure, axes = draw_event(batch.piece(0, 1), detector)
    labels = {label.get_text().split()[0] for ax in axes for label in ax.get_xticklabels() if label.get_text()}
    assert {"PIXEL1", "PIXEL2"} <= labels
    assert any(text.get_text() == "PIXEL1" for ax in figure.axes for text in ax.texts)
    free = FreeParameters.of(spectrometer(detector, 2), detector, (), 0.1, 1e-3)
    assert {f"pixel1 {c}" for c in ("dx", "dy", "drotation")} <= set(free.names)
    values = np.zeros(len(free))
    values[free.names.index("pixel2 dx")] = 0.25
    shifted = moved(detector, free, values)
    module = shifted.trackers["pixel2"]
    assert isinstance(module, PixelPlane)
    assert module.centre == (-4.75, 0.0)
    part = batch.piece(0, 50)
    before, after = (read_samples(part, d, field=True)[1] for d in (detector, shifted))
    mine = before.plane == [p.name for p in spectrometer(detector, 2).planes].index("pixel2_x")
    assert mine.any()
    assert after.hits.u[mine] - before.hits.u[mine] == pytest.approx(0.25)
    assert before.hits_of(shifted).u == pytest.approx(after.hits.u)
