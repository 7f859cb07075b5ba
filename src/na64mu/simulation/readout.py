"""The read-out of a set-up as arrays for the kernels that make digits: channels, pitches, resolutions, thresholds.

Lengths mm, times ns, charges ADC counts, energies as in the raw tree.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from na64mu.detector import Detector
from na64mu.detector.elements import BmsStation, Gem, Micromegas, Straw
from na64mu.simulation.channels import ChannelState, channel_state
from na64mu.typing import FloatArray, IntArray

__all__ = ("Readout", "build_readout")


class Readout(NamedTuple):
    """The read-out of a set-up as arrays for the kernel.

    Attributes
    ----------
    bms : FloatArray
        Per station (station, y of the first row, row pitch, x centre, x half, sigma_t, efficiency).
    bms_slabs, bms_first : IntArray
        Slabs of every row and its first channel, shape (n_stations, most rows); -1 slabs beyond the last row.
    strips : FloatArray
        Per strip view (module, view, first strip edge, pitch, n_strips, n_channels, half length along the strips,
        centre along the strips, sigma, efficiency, gem?), Micromegas x and y first, GEM x and y after them.
    channel : IntArray
        Channel of every strip, shape (n_views, most strips).
    response : FloatArray
        (charge mode, charge width, cluster sigma, its spread) of Micromegas and GEM, shape (2, 4).
    straw : FloatArray
        Per straw view (module, view, first wire of layer 0, pitch, layer shift, layer spacing, n_wires, inner radius,
        drift ns per mm, sigma, efficiency, half length of the wire, its centre, t0).
    turn : FloatArray
        Per tracker surface (see line.Surfaces) centre x, y [mm], cosine and sine of the rotation of the module.
    counter : FloatArray
        Per counter (energy resolution, sigma_t).
    veto : FloatArray
        (threshold, end resolution, sigma_t).
    calorimeter : FloatArray
        (cell resolution, threshold, sigma_t) of ECAL, VHCAL and HCAL, shape (3, 3).
    noise_hits : float
        Mean number of noise hits per view.
    channels : ChannelState
        Channels that are dead or noisy, noise and thresholds: the conditions of the run.
    """

    bms: FloatArray
    bms_slabs: IntArray
    bms_first: IntArray
    strips: FloatArray
    channel: IntArray
    response: FloatArray
    straw: FloatArray
    turn: FloatArray
    counter: FloatArray
    veto: FloatArray
    calorimeter: FloatArray
    noise_hits: float
    channels: ChannelState


def _strip_views(detector: Detector) -> tuple[FloatArray, list[IntArray]]:
    rows, channels = [], []
    for m in detector.micromegas:
        for view in (0, 1):
            first = m.centre[view] - 0.5 * m.strips[view] * m.pitch
            across = m.half[1 - view], m.centre[1 - view]
            rows.append([m.module, view, first, m.pitch, m.strips[view], m.channels[view], *across, m.sigma, m.efficiency, 0])
            channels.append(m.strip_channel(view))
    for g in detector.gem:
        for view in (0, 1):
            first = g.centre[view] - 0.5 * g.strips * g.pitch
            across = g.half[1 - view], g.centre[1 - view]
            rows.append([g.module, view, first, g.pitch, g.strips, g.strips, *across, g.sigma, g.efficiency, 1])
            channels.append(np.arange(g.strips))
    return np.array(rows, dtype=np.float64), channels


def _padded(lists: list[IntArray]) -> IntArray:
    table = np.full((len(lists), max(len(row) for row in lists)), -1, dtype=np.int64)
    for i, row in enumerate(lists):
        table[i, : len(row)] = row
    return table


def _turns(detector: Detector) -> FloatArray:
    """One row per surface: a straw chamber has two, one for each view."""
    modules: list[BmsStation | Micromegas | Gem | Straw] = [
        *detector.bms,
        *detector.micromegas,
        *detector.gem,
        *(s for s in detector.straws for _ in (0, 1)),
    ]
    return np.array([[*m.centre, math.cos(m.rotation), math.sin(m.rotation)] for m in modules])


def build_readout(detector: Detector) -> Readout:
    """The read-out of a set-up for the digitisation kernel.

    Parameters
    ----------
    detector : Detector
        The description.

    Returns
    -------
    Readout
        Plain arrays.
    """
    strips, channels = _strip_views(detector)
    bms = [[b.station, b.row_y[0], b.row_pitch, b.centre[0], b.half[0], b.sigma_t, b.efficiency] for b in detector.bms]
    slabs = [np.array(b.row_slabs, dtype=np.int64) for b in detector.bms]
    straw = []
    for s in detector.straws:
        for view in (0, 1):
            wire0 = float(s.wire_position(view, 0)[0])
            tube = [s.inner_radius, s.drift_ns_per_mm, s.sigma, s.efficiency, 0.5 * s.wires[1 - view] * s.pitch, s.centre[1 - view], s.t0]
            straw.append([s.module, view, wire0, s.pitch, s.layer_shift, s.layer_spacing, s.wires[view], *tube])
    responses = [
        [r.charge_mode, r.charge_width, r.cluster_sigma, r.cluster_sigma_spread]
        for r in (detector.micromegas_response, detector.gem_response)
    ]
    calorimeters = (detector.ecal, detector.vhcal, detector.hcal)
    return Readout(
        bms=np.array(bms, dtype=np.float64),
        bms_slabs=_padded(slabs),
        bms_first=_padded([np.cumsum(s) - s for s in slabs]),
        strips=strips,
        channel=_padded(channels),
        response=np.array(responses, dtype=np.float64),
        straw=np.array(straw, dtype=np.float64),
        turn=_turns(detector),
        counter=np.array([[c.energy_resolution, c.sigma_t] for c in sorted(detector.counters, key=lambda c: c.id)]),
        veto=np.array([detector.veto.threshold, detector.veto.end_resolution, detector.veto.sigma_t]),
        calorimeter=np.array([[c.cell_resolution, c.threshold, c.sigma_t] for c in calorimeters]),
        noise_hits=detector.medium.noise_hits,
        channels=channel_state(detector),
    )
