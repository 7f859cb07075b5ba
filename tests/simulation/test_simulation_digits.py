from __future__ import annotations

import numpy as np
import pytest

from na64mu.compiled.records import records
from na64mu.detector import load_detector
from na64mu.detector.readout import modules_of, sheets
from na64mu.events.batch import Jagged
from na64mu.events.schema_v1 import COLLECTIONS
from na64mu.simulation.digitisers.strips import SAMPLE_RATIOS, moyal
from na64mu.simulation.digits import digitise
from na64mu.simulation.readout import build_readout
from na64mu.simulation.truth import FACTS, HIT, Truth

N = 2000
DETECTOR = load_detector("na64mu-2022")
X, Y = 3.21, -4.56


def surface_of(kind: str, module: int) -> int:
    station = next(m.name for m in modules_of(DETECTOR, kind) if m.number == module)
    return [sheet.station for sheet in sheets(DETECTOR)].index(station)


def known_truth() -> Truth:
    """One particle at a known place in MM1, GEM1, ST5 (both views) and BMS6, and known energies."""
    straw = surface_of("straw", 5)
    planes = [surface_of("mm", 1), surface_of("gem", 1), straw, straw + 1, surface_of("bms", 6)]
    hits = records([(plane, X, Y, 0.0, 0.0) for plane in planes], HIT)
    ecal, vhcal, hcal = np.zeros((N, 2, 5, 6)), np.zeros((N, 1, 4, 4)), np.zeros((N, 2, 6, 3))
    ecal[:, 1, 2, 3], ecal[:, 0, 2, 3] = 0.5, 0.001
    vhcal[:, 0, 1, 2] = 1.0
    hcal[:, 1, 3, 1] = 2.0
    return Truth(
        facts=np.zeros(N, FACTS),
        hits=np.tile(hits, N),
        hit_offsets=np.arange(N + 1) * len(planes),
        counters=np.tile([0.5, 0.6, 0.0, 0.0, 0.0], (N, 1)),
        veto=np.tile([0.0, 10.0, 0.0], (N, 1)),
        ecal=ecal,
        vhcal=vhcal,
        hcal=hcal,
    )


@pytest.fixture(scope="module")
def digits() -> dict[str, Jagged]:
    return digitise(known_truth(), build_readout(DETECTOR), np.random.default_rng(1))


def test_types(digits: dict[str, Jagged]) -> None:
    for name, fields in COLLECTIONS.items():
        assert {f: a.dtype for f, a in digits[name].fields.items()} == fields
        assert len(digits[name]) == N


def strip_positions(jagged: Jagged, channels: np.ndarray, which: str, view: int, first: float, pitch: float, near: float) -> np.ndarray:
    """Charge-weighted centroid of the strips within 1.5 mm of the truth, per event."""
    centres = first + (np.arange(len(channels)) + 0.5) * pitch
    close = np.abs(centres - near) < 1.5
    strip_of = {int(c): centres[i] for i, c in enumerate(channels) if close[i]}
    mine = (jagged["module"] == 1) & (jagged["view"] == view)
    position = np.array([strip_of.get(int(c), np.nan) for c in jagged[which]])
    good = mine & np.isfinite(position)
    event = jagged.event_index[good]
    weight = jagged["q1"][good].astype(float)
    total = np.bincount(event, weight, N)
    found = total > 150.0
    return (np.bincount(event, weight * position[good], N)[found]) / total[found]


@pytest.mark.parametrize("view", [0, 1])
def test_micromegas_resolution(digits: dict[str, Jagged], view: int) -> None:
    m = DETECTOR.micromegas[0]
    first = m.centre[view] - 0.5 * m.strips[view] * m.pitch
    near = (X, Y)[view]
    found = strip_positions(digits["mm"], m.strip_channel(view), "channel", view, first, m.pitch, near)
    assert len(found) / N == pytest.approx(m.efficiency, abs=0.02)
    residual = found - near
    core = np.abs(residual) < 0.4
    assert residual[core].std() == pytest.approx(m.sigma, rel=0.12)
    assert abs(residual[core].mean()) < 0.008


@pytest.mark.parametrize("view", [0, 1])
def test_gem_resolution(digits: dict[str, Jagged], view: int) -> None:
    g = DETECTOR.gem[0]
    first = g.centre[view] - 0.5 * g.strips * g.pitch
    near = (X, Y)[view]
    found = strip_positions(digits["gem"], np.arange(g.strips), "strip", view, first, g.pitch, near)
    residual = found - near
    core = np.abs(residual) < 0.4
    assert residual[core].std() == pytest.approx(g.sigma, rel=0.15)
    assert abs(residual[core].mean()) < 0.01


def test_samples(digits: dict[str, Jagged]) -> None:
    mm = digits["mm"]
    large = mm["q1"] > 60
    assert np.all(mm["q1"][large] >= mm["q0"][large])
    assert np.median(mm["q0"][large] / mm["q1"][large]) == pytest.approx(SAMPLE_RATIOS[0], abs=0.02)
    assert np.median(mm["q2"][large] / mm["q1"][large]) == pytest.approx(SAMPLE_RATIOS[1], abs=0.02)
    assert mm["q1"].min() >= DETECTOR.micromegas_response.threshold


@pytest.mark.parametrize("view", [0, 1])
def test_straw_drift_times(digits: dict[str, Jagged], view: int) -> None:
    s = next(s for s in DETECTOR.straws if s.module == 5)
    rows = digits["straw"]
    for layer in (0, 1):
        wires = s.wire_position(view, layer)
        distance = np.abs(wires - (X, Y)[view])
        wire = int(np.argmin(distance))
        mine = (rows["module"] == 5) & (rows["view"] == view) & (rows["layer"] == layer) & (rows["wire"] == wire)
        if distance[wire] > s.inner_radius:
            continue
        times = rows["time"][mine]
        assert len(times) / N == pytest.approx(s.efficiency, abs=0.02)
        core = np.abs(times - s.drift_ns_per_mm * distance[wire]) < 20.0
        assert np.mean(times[core]) / s.drift_ns_per_mm == pytest.approx(distance[wire], abs=0.03)
        assert np.std(times[core]) / s.drift_ns_per_mm == pytest.approx(s.sigma, rel=0.1)


def test_bms_channel(digits: dict[str, Jagged]) -> None:
    station = next(b for b in DETECTOR.bms if b.station == 6)
    rows = digits["bms"]
    channels, counts = np.unique(rows["channel"][rows["station"] == 6], return_counts=True)
    hit = channels[np.argmax(counts)]
    assert abs(station.channel_y[hit] - Y) <= 0.5 * station.row_pitch
    assert counts.max() / N == pytest.approx(station.efficiency, abs=0.02)


def test_energies_and_thresholds(digits: dict[str, Jagged]) -> None:
    ecal = digits["ecal"]
    assert np.all(ecal["section"] == 1)  # 1 MeV in the preshower is below the threshold
    assert set(zip(ecal["ix"].tolist(), ecal["iy"].tolist(), strict=True)) == {(2, 3)}
    assert ecal["energy"].mean() == pytest.approx(0.5, rel=0.01)
    assert ecal["energy"].std() / 0.5 == pytest.approx(DETECTOR.ecal.cell_resolution, rel=0.1)
    assert ecal["time"].std() == pytest.approx(DETECTOR.ecal.sigma_t, rel=0.1)
    assert np.all(digits["hcal"]["module"] == 2)
    assert np.all((digits["vhcal"]["ix"] == 1) & (digits["vhcal"]["iy"] == 2))
    veto = digits["veto"]
    assert set(veto["id"].tolist()) == {2, 3}
    assert veto["energy"].mean() == pytest.approx(10.0, rel=0.01)
    counter = digits["counter"]
    assert set(counter["id"].tolist()) == {0, 1}
    assert np.all(counter["energy"][counter["id"] == 1] == np.float32(0.6))


def test_noise_rate(digits: dict[str, Jagged]) -> None:
    rows = digits["mm"]
    empty = rows["module"] == 3  # no particle there
    assert np.count_nonzero(empty) / (2 * N) == pytest.approx(DETECTOR.medium.noise_hits, rel=0.25)


def test_moyal() -> None:
    rng = np.random.default_rng(2)
    drawn = np.array([moyal(350.0, 70.0, rng) for _ in range(40_000)])
    # mean = mode + width (ln 2 + Euler's constant)
    assert drawn.mean() == pytest.approx(350.0 + 70.0 * (np.log(2.0) + np.euler_gamma), rel=0.01)
    counts, edges = np.histogram(drawn, np.arange(200.0, 900.0, 20.0))
    assert edges[np.argmax(counts)] + 10.0 == pytest.approx(350.0, abs=25.0)
