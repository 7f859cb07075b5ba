"""The state of every channel under the conditions of a run, as arrays for the kernels that make digits."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from na64mu.detector import Detector
from na64mu.typing import FloatArray, IntArray

__all__ = ("ChannelState", "channel_state")

VIEWS = ("x", "y")


class ChannelState(NamedTuple):
    """State of the channels under the conditions of a run; order of planes as in Readout.

    Attributes
    ----------
    strip_noise, strip_threshold : FloatArray
        Noise and threshold of every channel of every strip view [ADC], shape (n_views, most channels); infinite threshold if dead.
    noisy_strips : FloatArray
        Rows (view, channel, mean noise hits per event).
    cross_talk : FloatArray
        Part of a channel's charge that each neighbour reads too, shape (n_views,).
    n_slabs : IntArray
        Channels of every beam momentum station.
    slab_alive : FloatArray
        1 for a slab that lives, else 0, shape (n_stations, most channels).
    noisy_slabs : FloatArray
        Rows (station index, channel, rate).
    wire_alive : FloatArray
        1 for a wire that lives, shape (n_straw_views, 2 layers, most wires).
    noisy_wires : FloatArray
        Rows (straw view, layer, wire, rate).
    clusters_per_mm : float
        Primary ionisation in the straws.
    counter, veto : FloatArray
        1 for a channel that lives.
    ecal, vhcal, hcal : FloatArray
        1 for a cell that lives, shape (n_sections, n_x, n_y).
    """

    strip_noise: FloatArray
    strip_threshold: FloatArray
    noisy_strips: FloatArray
    cross_talk: FloatArray
    n_slabs: IntArray
    slab_alive: FloatArray
    noisy_slabs: FloatArray
    wire_alive: FloatArray
    noisy_wires: FloatArray
    clusters_per_mm: float
    counter: FloatArray
    veto: FloatArray
    ecal: FloatArray
    vhcal: FloatArray
    hcal: FloatArray


def _strips(detector: Detector) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    conditions = detector.operation
    views = [(f"mm{m.module}_{VIEWS[v]}", m.channels[v], detector.micromegas_response) for m in detector.micromegas for v in (0, 1)]
    n_mm = len(views)
    views += [(f"gem{g.module}_{VIEWS[v]}", g.strips, detector.gem_response) for g in detector.gem for v in (0, 1)]
    noise = np.zeros((len(views), max(n for _, n, _ in views)))
    threshold, noisy = np.full(noise.shape, math.inf), []
    for k, (plane, n, response) in enumerate(views):
        own = conditions.of(plane)
        noise[k, :n] = response.noise if own.noise is None else own.noise
        threshold[k, :n] = response.threshold if own.threshold is None else own.threshold
        threshold[k, list(own.dead)] = math.inf
        noisy += [(k, channel, own.noise_rate) for channel in own.noisy if channel not in own.dead]
    talk = np.repeat([conditions.cross_talk.micromegas, conditions.cross_talk.gem], [n_mm, len(views) - n_mm])
    return noise, threshold, np.array(noisy, dtype=np.float64).reshape(-1, 3), talk


def _alive(detector: Detector, plane: str, n: int) -> FloatArray:
    alive = np.ones(n)
    alive[list(detector.operation.of(plane).dead)] = 0.0
    return alive


def channel_state(detector: Detector) -> ChannelState:
    """The channels of a set-up under its conditions.

    Parameters
    ----------
    detector : Detector
        The description; its `operation` are the conditions.

    Returns
    -------
    ChannelState
        Plain arrays.
    """
    conditions = detector.operation
    noise, threshold, noisy_strips, talk = _strips(detector)
    n_slabs = np.array([sum(b.row_slabs) for b in detector.bms], dtype=np.int64)
    slabs, noisy_slabs = np.zeros((len(n_slabs), int(n_slabs.max()))), []
    for i, b in enumerate(detector.bms):
        slabs[i, : n_slabs[i]] = _alive(detector, f"bms{b.station}", int(n_slabs[i]))
        own = conditions.of(f"bms{b.station}")
        noisy_slabs += [(i, c, own.noise_rate) for c in own.noisy if c not in own.dead]
    views = [(s, v) for s in detector.straws for v in (0, 1)]
    wires, noisy_wires = np.zeros((len(views), 2, max(max(s.wires) for s in detector.straws))), []
    for k, (s, v) in enumerate(views):
        for layer in (0, 1):
            plane = f"st{s.module}_{VIEWS[v]}{layer}"
            wires[k, layer, : s.wires[v]] = _alive(detector, plane, s.wires[v])
            own = conditions.of(plane)
            noisy_wires += [(k, layer, w, own.noise_rate) for w in own.noisy if w not in own.dead]
    cells = {name: getattr(detector, name).cells for name in ("ecal", "vhcal", "hcal")}
    planes = {"ecal": ("ecal0", "ecal1"), "vhcal": ("vhcal",)}
    planes["hcal"] = tuple(f"hcal{m}" for m in range(1, len(detector.hcal.front) + 1))
    masks = {
        name: np.stack([_alive(detector, plane, nx * ny).reshape(nx, ny) for plane in planes[name]]) for name, (nx, ny) in cells.items()
    }
    return ChannelState(
        strip_noise=noise,
        strip_threshold=threshold,
        noisy_strips=noisy_strips,
        cross_talk=talk,
        n_slabs=n_slabs,
        slab_alive=slabs,
        noisy_slabs=np.array(noisy_slabs, dtype=np.float64).reshape(-1, 3),
        wire_alive=wires,
        noisy_wires=np.array(noisy_wires, dtype=np.float64).reshape(-1, 4),
        clusters_per_mm=conditions.straw_gas.clusters_per_mm,
        counter=_alive(detector, "counter", 1 + max(c.id for c in detector.counters)),
        veto=_alive(detector, "veto", 2 * detector.veto.panels),
        ecal=masks["ecal"],
        vhcal=masks["vhcal"],
        hcal=masks["hcal"],
    )
