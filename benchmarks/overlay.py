"""Events of exact muons for the finding benchmark: their true crossings, their digits, and noise digits laid over them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from na64mu.detector import Detector
from na64mu.events.batch import Jagged, RawBatch
from na64mu.events.schema_v1 import COLLECTIONS, SCALARS
from na64mu.simulation.digitisers.strips import SAMPLE_RATIOS
from na64mu.simulation.digits import digitise
from na64mu.simulation.geometry import build_surfaces
from na64mu.simulation.readout import build_readout
from na64mu.simulation.truth import FACTS, HIT, Truth
from na64mu.tracking.spectrometer import Spectrometer
from na64mu.tracking.transport import crossed
from na64mu.typing import AnyArray, FloatArray, IntArray

RADIUS = 21.0  # mm, of the trigger counters S0 and S1
PEAKING = 30.0  # ns, of the APV's CR-RC pulse (see na64mu.simulation.digits)


def beam(detector: Detector, n: int, rng: np.random.Generator) -> FloatArray:
    """Muons of the beam inside the trigger counters: (x, y, tx, ty, q/p) at z = 0, shape (n, 5)."""
    b = detector.beam
    position = np.empty((0, 2))
    while len(position) < n:
        drawn = rng.normal(0.0, (b.sigma_x, b.sigma_y), (2 * n, 2))
        position = np.concatenate([position, drawn[np.hypot(*drawn.T) < RADIUS]])
    p = b.momentum_mean * (1.0 + b.momentum_spread * rng.standard_normal(n))
    slope = rng.normal(0.0, (b.sigma_tx, b.sigma_ty), (n, 2))
    return np.column_stack([position[:n], slope, b.charge / p])


def states_at(z: FloatArray, muons: FloatArray, detector: Detector) -> FloatArray:
    """Exact parameters of muons, given at z = 0, at other places: shape (n_muons, len(z), 5); no material."""
    out = np.empty((len(muons), len(z), 5))
    for downstream in (False, True):
        places = [i for i in np.argsort(z) if (z[i] >= 0.0) == downstream]
        places = places if downstream else places[::-1]
        for m, muon in enumerate(muons):
            state, at = muon.copy(), 0.0
            for i in places:
                state, at = _carried(state, at, float(z[i]), detector), float(z[i])
                out[m, i] = state
    return out


def _carried(state: FloatArray, start: float, end: float, detector: Detector) -> FloatArray:
    low, high = min(start, end), max(start, end)
    edges = sorted({start, end, *(e for m in detector.magnets for e in m.z_range if low < e < high)}, reverse=end < start)
    for a, b in pairwise(edges):
        field = [m.signed_field for m in detector.magnets if m.z_range[0] < 0.5 * (a + b) < m.z_range[1]]
        if field:
            state, _ = crossed(state, b - a, field[0])
        else:
            state = state.copy()
            state[:2] += (b - a) * state[2:4]
    return state


def true_coordinates(muons: FloatArray, detector: Detector, spectrometer: Spectrometer) -> FloatArray:
    """What every plane would measure without errors [mm], shape (n_muons, n_planes)."""
    states = states_at(spectrometer.z, muons, detector)
    along = np.array([p.direction for p in spectrometer.planes])
    return np.einsum("mpi,pi->mp", states[:, :, :2], along)


def events(muons: FloatArray, detector: Detector, rng: np.random.Generator) -> RawBatch:
    """Digits of events with the same number of muons each: muons of shape (n_events, n_muons, 5)."""
    n_events, n_muons, _ = muons.shape
    surfaces = build_surfaces(detector)
    n_trackers = surfaces.first_counter
    states = states_at(surfaces.z[:n_trackers], muons.reshape(-1, 5), detector)
    hits = np.zeros(states.shape[:2], HIT)
    hits["surface"] = np.arange(n_trackers)
    hits["x"], hits["y"], hits["tx"], hits["ty"] = np.moveaxis(states[:, :, :4], 2, 0)
    ecal, vhcal, hcal = (np.zeros((n_events, 1, 1, 1)) for _ in range(3))
    truth = Truth(
        np.zeros(n_events, FACTS), hits.ravel(), np.arange(n_events + 1) * n_muons * n_trackers,
        np.zeros((n_events, 5)), np.zeros((n_events, detector.veto.panels)), ecal, vhcal, hcal,
    )  # fmt: skip
    quiet = detector.model_copy(update={"medium": detector.medium.model_copy(update={"noise_hits": 0.0})})
    return RawBatch(scalars(n_events), digitise(truth, build_readout(quiet), rng))


def scalars(n: int) -> dict[str, AnyArray]:
    """Event scalars of one run."""
    return {name: (np.arange(n) if name == "event" else np.ones(n)).astype(kind) for name, kind in SCALARS.items()}


def noise(n_events: int, occupancy: float, detector: Detector, rng: np.random.Generator) -> RawBatch:
    """Digits at random: every channel, strip, wire and slab fires in time with the given probability."""

    def fired(keys: FloatArray) -> tuple[IntArray, AnyArray]:
        """Offsets and drawn rows of a list of channels, shape (n_channels, n_keys)."""
        hit = rng.random((n_events, len(keys))) < occupancy
        offsets = np.concatenate([[0], np.cumsum(hit.sum(axis=1))])
        return offsets, keys[np.nonzero(hit)[1]]

    def table(rows: list[tuple[float, ...]], width: int) -> FloatArray:
        return np.array(rows, dtype=np.float64).reshape(-1, width)

    collections = {}
    for name in COLLECTIONS:
        if name == "bms":
            offsets, rows = fired(table([(b.station, c, b.sigma_t) for b in detector.bms for c in range(len(b.channel_row))], 3))
            columns = [rows[:, 0], rows[:, 1], rows[:, 2] * rng.standard_normal(len(rows))]
        elif name in ("mm", "gem"):
            micromegas = name == "mm"
            response = detector.micromegas_response if micromegas else detector.gem_response
            modules = detector.micromegas if micromegas else detector.gem
            sizes = [(m.module, v, m.channels[v] if micromegas else m.strips) for m in modules for v in (0, 1)]  # type: ignore[union-attr]
            offsets, rows = fired(table([(m, v, c) for m, v, n in sizes for c in range(n)], 3))
            q = response.threshold + 3.0 * response.noise * rng.standard_exponential(len(rows))  # as the simulation's noise
            columns = [*rows.T, *(np.floor(q * ratio + 0.5) for ratio in (SAMPLE_RATIOS[0], 1.0, SAMPLE_RATIOS[1]))]
        elif name == "straw":
            wires = [(s.module, v, layer, w, s.inner_radius * s.drift_ns_per_mm) for s in detector.straws for v in (0, 1) for layer in (0, 1) for w in range(s.wires[v])]  # fmt: skip
            offsets, rows = fired(table(wires, 5))
            columns = [*rows[:, :4].T, rows[:, 4] * rng.random(len(rows))]
        else:
            offsets, columns = np.zeros(n_events + 1, dtype=np.int64), [np.empty(0)] * len(COLLECTIONS[name])
        fields = COLLECTIONS[name].items()
        collections[name] = Jagged(offsets.astype(np.int64), {f: c.astype(kind) for (f, kind), c in zip(fields, columns, strict=True)})
    return RawBatch(scalars(n_events), collections)


def delayed(batch: RawBatch, delay: float) -> RawBatch:
    """The trackers as if all particles came later by `delay` [ns]: times shift, APV samples slide along the pulse."""

    def pulse(t: float) -> float:
        return max(0.0, 1.0 + t / PEAKING) * float(np.exp(-t / PEAKING)) if t > -PEAKING else 0.0

    collections = dict(batch.collections)
    for name in ("bms", "straw"):
        c = collections[name]
        collections[name] = Jagged(c.offsets, c.fields | {"time": (c["time"] + delay).astype(c["time"].dtype)})
    for name in ("mm", "gem"):
        c = collections[name]
        late = {f"q{i}": np.floor(c["q1"] * pulse(25.0 * (i - 1) - delay) + 0.5).astype(np.int16) for i in range(3)}
        collections[name] = Jagged(c.offsets, c.fields | late)
    return RawBatch(batch.scalars, collections)


def overlaid(batch: RawBatch, other: RawBatch) -> RawBatch:
    """The digits of two batches in the same events; charges on one channel add up, other rows stand side by side."""
    collections = {}
    for name, a in batch.collections.items():
        b = other.collections[name]
        event = np.concatenate([a.event_index, b.event_index])
        order = np.argsort(event, kind="stable")
        fields = {f: np.concatenate([a[f], b[f]])[order] for f in a.fields}
        event = event[order]
        if name in ("mm", "gem"):
            channel = "channel" if name == "mm" else "strip"
            key = ((event * 16 + fields["module"]) * 2 + fields["view"]) * 4096 + fields[channel]
            _, first, group = np.unique(key, return_index=True, return_inverse=True)
            merged = {f: c[first] for f, c in fields.items()}
            for q in ("q0", "q1", "q2"):
                merged[q] = np.minimum(np.bincount(group, fields[q], len(first)), 32767).astype(np.int16)
            fields, event = merged, event[first]
        offsets = np.searchsorted(event, np.arange(len(a) + 1)).astype(np.int64)
        collections[name] = Jagged(offsets, fields)
    return RawBatch(batch.scalars, collections)
