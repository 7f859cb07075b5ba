"""Measurements of the channels of a spectrometer: plane, coordinate and time window of every slab, wire and strip plane."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from na64mu.detector import Detector
from na64mu.tracking.spectrometer import Spectrometer
from na64mu.typing import FloatArray, IntArray

__all__ = ("TIME_WINDOW", "ChannelMap", "channel_map")

TIME_WINDOW = 4.0  # standard deviations around the trigger time (NA64 analysis drivers cut at 4)


class ChannelMap(NamedTuple):
    """Channels of one spectrometer; planes are its plane numbers, -1 where it has none (a tuple: kernels take it).

    Attributes
    ----------
    slab_plane : IntArray
        Plane of every beam momentum station, shape (n_stations,).
    slab_u : FloatArray
        Coordinate of every slab [mm], NaN beyond the last, shape (n_stations, n_channels).
    slab_sigma, slab_window : FloatArray
        Resolution [mm] and largest time [ns] of a station, shape (n_stations,).
    wire_plane : IntArray
        Plane of every layer of straws, shape (n_modules, 2 views, 2 layers).
    wire_u : FloatArray
        Coordinate of every wire [mm], NaN beyond the last, shape (n_modules, 2, 2, n_wires).
    wire_sigma, wire_radius, wire_drift : FloatArray
        Resolution [mm], inner radius [mm] and drift time [ns/mm] of a module, shape (n_modules,).
    mm_plane, gem_plane : IntArray
        Plane of every plane of clusters (2 * (module - 1) + view), shape (n,).
    sigma, offset : FloatArray
        Resolution and offset (see Plane) of every plane of the spectrometer [mm], shape (n_planes,).
    """

    slab_plane: IntArray
    slab_u: FloatArray
    slab_sigma: FloatArray
    slab_window: FloatArray
    wire_plane: IntArray
    wire_u: FloatArray
    wire_sigma: FloatArray
    wire_radius: FloatArray
    wire_drift: FloatArray
    mm_plane: IntArray
    gem_plane: IntArray
    sigma: FloatArray
    offset: FloatArray


Names = dict[tuple[str, int, int], int]  # (station, view, layer) -> plane


def _slabs(detector: Detector, planes: Names) -> tuple[IntArray, FloatArray, FloatArray, FloatArray]:
    n_stations = 1 + max((s.station for s in detector.bms), default=0)
    n_channels = max((len(s.channel_row) for s in detector.bms), default=0)
    plane, u = np.full(n_stations, -1, dtype=np.int64), np.full((n_stations, n_channels), np.nan)
    sigma, window = np.zeros(n_stations), np.zeros(n_stations)
    for s in detector.bms:
        plane[s.station] = planes.get((f"bms{s.station}", 1, 0), -1)
        u[s.station, : len(s.channel_row)] = s.channel_y
        u[s.station, list(detector.operation.of(f"bms{s.station}").noisy)] = np.nan  # not read
        sigma[s.station], window[s.station] = s.sigma, TIME_WINDOW * s.sigma_t
    return plane, u, sigma, window


def _wires(detector: Detector, planes: Names) -> tuple[IntArray, FloatArray, FloatArray, FloatArray, FloatArray]:
    n_modules = 1 + max((s.module for s in detector.straws), default=0)
    n_wires = max((max(s.wires) for s in detector.straws), default=0)
    plane, u = np.full((n_modules, 2, 2), -1, dtype=np.int64), np.full((n_modules, 2, 2, n_wires), np.nan)
    sigma, radius, drift = np.zeros(n_modules), np.zeros(n_modules), np.ones(n_modules)
    for s in detector.straws:
        sigma[s.module], radius[s.module], drift[s.module] = s.sigma, s.inner_radius, s.drift_ns_per_mm
        for view in (0, 1):
            for layer in (0, 1):
                plane[s.module, view, layer] = planes.get((f"st{s.module}", view, layer), -1)
                u[s.module, view, layer, : s.wires[view]] = s.wire_position(view, layer)
                noisy = detector.operation.of(f"st{s.module}_{'xy'[view]}{layer}").noisy
                u[s.module, view, layer, list(noisy)] = np.nan  # not read
    return plane, u, sigma, radius, drift


def _strip_planes(kind: str, modules: list[int], planes: Names) -> IntArray:
    out = np.full(2 * max(modules, default=0), -1, dtype=np.int64)
    for module in modules:
        for view in (0, 1):
            out[2 * (module - 1) + view] = planes.get((f"{kind}{module}", view, 0), -1)
    return out


@lru_cache(maxsize=16)
def channel_map(detector: Detector, spectrometer: Spectrometer) -> ChannelMap:
    """Compile the channels of one spectrometer.

    Parameters
    ----------
    detector : Detector
        The description.
    spectrometer : Spectrometer
        MS1 or MS2 of the same description.

    Returns
    -------
    ChannelMap
        Its channels.
    """
    planes = {(p.station, p.view, p.layer): i for i, p in enumerate(spectrometer.planes)}
    slab_plane, slab_u, slab_sigma, slab_window = _slabs(detector, planes)
    wire_plane, wire_u, wire_sigma, wire_radius, wire_drift = _wires(detector, planes)
    return ChannelMap(
        slab_plane, slab_u, slab_sigma, slab_window,
        wire_plane, wire_u, wire_sigma, wire_radius, wire_drift,
        _strip_planes("mm", [m.module for m in detector.micromegas], planes),
        _strip_planes("gem", [g.module for g in detector.gem], planes),
        np.array([p.sigma for p in spectrometer.planes]),
        np.array([p.offset for p in spectrometer.planes]),
    )  # fmt: skip
