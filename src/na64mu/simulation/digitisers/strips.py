"""Strips of Micromegas and GEMs: charge shared over strips, multiplexed, sampled three times, with noise and thresholds.

Lengths mm, times ns, charges ADC counts.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from na64mu.compiled.kernel import inner_kernel, kernel
from na64mu.compiled.records import record_kind, records
from na64mu.detector import Detector
from na64mu.detector.readout import readout_planes
from na64mu.simulation.digitisers.digitiser import noisy_channels, padded
from na64mu.simulation.stream import Stream
from na64mu.typing import FloatArray, IntArray, RecordArray

__all__ = (
    "ROW",
    "SAMPLE_RATIOS",
    "StripViews",
    "Strips",
    "build_strips",
    "empty_strips",
    "moyal",
    "read_strips",
    "sample_pulse",
    "share_charge",
)

#: q0 / q1 and q2 / q1 of an in-time pulse, CR-RC of 30 ns peaking time (inferred: the thesis gives the 25 ns samples,
#: the raw-tree form that q1 is the largest) sampled at its peak: t/tau exp(1 - t/tau) at -25, 0 and +25 ns.
PEAKING, SAMPLING = 30.0, 25.0
SAMPLE_RATIOS = ((1.0 - 25.0 / 30.0) * math.exp(25.0 / 30.0), (1.0 + 25.0 / 30.0) * math.exp(-25.0 / 30.0))

OVERFLOW = 32767

#: Charge is shared out this many widths of the cluster to both sides: 6e-5 of it lie beyond.
REACH = 4.0
#: Gaussian distribution function from -REACH on, beyond both ends too; straight lines between steps are good to 2e-6.
STEPS = 128  # per unit
NORMAL = np.array([0.5 * math.erfc(-(i / STEPS - REACH - 1.0) / math.sqrt(2.0)) for i in range(int(2 * (REACH + 1.0) * STEPS) + 2)])


#: A strip view: module and axis (the view: a name that kernels cannot have), edge of the first strip, pitch, collection (0 Micromegas, 1 GEM), strips and channels, half length along the strips and their middle,
#: resolution, efficiency, part of a charge that each neighbour on the chip reads too; mode and width of the charge, width of the
#: cluster and its spread.
VIEW = record_kind(
    "module axis first pitch collection n_strips n_channels half middle sigma efficiency cross_talk mode width cluster spread",
    collection="i8", n_strips="i8", n_channels="i8",
)  # fmt: skip

#: A row of the collections.
ROW = record_kind("module axis channel q0 q1 q2", "f4")


class StripViews(NamedTuple):
    """The strip views of a set-up: Micromegas x and y, then GEM x and y.

    Attributes
    ----------
    table : RecordArray
        Records of the kind VIEW, shape (n_views,).
    channel : IntArray
        Channel of every strip, shape (n_views, most strips).
    noise, threshold : FloatArray
        Noise and threshold of every channel [ADC], shape (n_views, most channels); infinite threshold if dead.
    noisy : RecordArray
        Records of the kind Noisy.
    noise_hits : float
        Mean number of noise hits per view.
    """

    table: RecordArray
    channel: IntArray
    noise: FloatArray
    threshold: FloatArray
    noisy: RecordArray
    noise_hits: float


def build_strips(detector: Detector) -> StripViews:
    """The strip views of a set-up under its conditions."""
    talk = detector.operation.cross_talk
    responses = {"mm": (detector.micromegas_response, talk.micromegas), "gem": (detector.gem_response, talk.gem)}
    planes = [(p, *responses[kind]) for kind in responses for p in readout_planes(detector) if p.kind == kind]
    rows, firing, n_most = [], [], max((p.bank.size for p, _, _ in planes), default=0)
    noise, threshold = np.zeros((len(planes), n_most)), np.full((len(planes), n_most), math.inf)
    for k, (p, response, fraction) in enumerate(planes):
        module, n = detector.trackers[p.station], len(p.coordinate)
        first, across = p.centre[p.view] - 0.5 * n * p.pitch, (module.half[1 - p.view], p.centre[1 - p.view])
        charge = response.charge_mode, response.charge_width, response.cluster_sigma, response.cluster_sigma_spread
        table = list(responses).index(p.kind)
        rows.append((p.number, p.view, first, p.pitch, table, n, p.bank.size, *across, p.sigma, module.efficiency, fraction, *charge))
        noise[k, : p.bank.size] = response.noise if p.bank.noise is None else p.bank.noise
        threshold[k, : p.bank.size] = response.threshold if p.bank.threshold is None else p.bank.threshold
        threshold[k, list(p.bank.dead)] = math.inf
        firing.append((k, 0, p.bank.firing))
    channel = padded([p.channel for p, _, _ in planes])
    return StripViews(records(rows, VIEW), channel, noise, threshold, noisy_channels(firing), detector.medium.noise_hits)


class Strips(NamedTuple):
    """Charges of the channels of all strip views in one event, and the list of channels with charge.

    Attributes
    ----------
    charges : FloatArray
        Three samples of every channel [ADC], shape (n_views, most channels, 3).
    marks : NDArray[np.uint8]
        1 for a channel in the list, shape (n_views, most channels).
    touched : IntArray
        The list of every view, same shape.
    n : IntArray
        Length of every list, shape (n_views,).
    """

    charges: FloatArray
    marks: NDArray[np.uint8]
    touched: IntArray
    n: IntArray


def empty_strips(views: StripViews) -> Strips:
    """Channels without charge."""
    shape = views.channel.shape
    return Strips(np.zeros((*shape, 3)), np.zeros(shape, np.uint8), np.zeros(shape, np.int64), np.zeros(shape[0], np.int64))


@inner_kernel
def _below(x: float) -> float:
    """Part of a Gaussian below x widths, for |x| < REACH + 1."""
    t = (min(max(x, -REACH - 1.0), REACH + 1.0) + REACH + 1.0) * STEPS
    i = int(t)
    return NORMAL[i] + (t - i) * (NORMAL[i + 1] - NORMAL[i])


@inner_kernel
def _touch(strips: Strips, k: int, channel: int) -> None:
    if strips.marks[k, channel] == 0:
        strips.marks[k, channel] = 1
        strips.touched[k, strips.n[k]] = channel
        strips.n[k] += 1


@inner_kernel
def _sort(channels: IntArray, n: int) -> None:
    """Insertion: a few channels, mostly in order."""
    for i in range(1, n):
        channel, j = channels[i], i
        while j > 0 and channels[j - 1] > channel:
            channels[j] = channels[j - 1]
            j -= 1
        channels[j] = channel


@kernel
def moyal(mode: float, width: float, rng: Stream) -> float:
    """Draw from the Moyal distribution: mode - width ln(z^2) with z normal (J. E. Moyal, Phil. Mag. 46 (1955) 263).

    Parameters
    ----------
    mode, width : float
        Most probable value and width.
    rng : Stream
        Random numbers.

    Returns
    -------
    float
        The value.
    """
    z = rng.standard_normal()
    return mode - width * math.log(z * z + 1e-12)


@kernel
def sample_pulse(time: float, samples: FloatArray) -> None:
    """The three samples of a pulse of height 1 that comes at a time after the trigger's [ns]."""
    for k in range(3):
        t = (PEAKING + SAMPLING * (k - 1) - time) / PEAKING
        samples[k] = t * math.exp(1.0 - t) if t > 0.0 else 0.0


@kernel
def share_charge(views: StripViews, k: int, position: float, along: float, samples: FloatArray, strips: Strips, rng: Stream) -> None:
    """Add the charge of one particle to the three samples of the channels of strip view k."""
    view = views.table[k]
    first, pitch, n_strips = view.first, view.pitch, view.n_strips
    if abs(along - view.middle) > view.half or position < first or position > first + n_strips * pitch or rng.random() >= view.efficiency:
        return
    charge = max(0.2 * view.mode, moyal(view.mode, view.width, rng))
    cluster = max(0.5, view.cluster + view.spread * rng.standard_normal())
    centre = (position + view.sigma * rng.standard_normal() - first) / pitch
    low = max(0, math.floor(centre - REACH * cluster))
    high = min(n_strips - 1, math.floor(centre + REACH * cluster))
    scale = 1.0 / cluster
    below = _below((low - centre) * scale)
    for strip in range(low, high + 1):
        above, channel = _below((strip + 1 - centre) * scale), views.channel[k, strip]
        _touch(strips, k, channel)
        for s in range(3):
            strips.charges[k, channel, s] += charge * (above - below) * samples[s]
        below = above


@kernel
def _leak(fraction: float, n_channels: int, k: int, strips: Strips) -> None:
    """Each channel reads a fraction of the charge of its two neighbours too, in every sample."""
    charges = strips.charges[k]
    for channel in range(n_channels):
        _touch(strips, k, channel)
    for s in range(3):
        before = 0.0
        for c in range(n_channels):
            here, after = charges[c, s], charges[c + 1, s] if c + 1 < n_channels else 0.0
            charges[c, s] = here + fraction * (before + after)
            before = here


@kernel
def _add_noise_hit(views: StripViews, k: int, channel: int, samples: FloatArray, strips: Strips, rng: Stream) -> None:
    charge = views.threshold[k, channel] + 3.0 * views.noise[k, channel] * rng.standard_exponential()
    _touch(strips, k, channel)
    for s in range(3):
        strips.charges[k, channel, s] += charge * samples[s]


@inner_kernel
def _read_sample(sample: int, peak: int, largest: float, charge: float, noise: float, rng: Stream) -> float:
    """What the ADC makes of a sample; the noise of the largest one has been drawn."""
    noisy = largest if sample == peak else charge + noise * rng.standard_normal()
    return math.floor(min(OVERFLOW, noisy) + 0.5)


@kernel
def read_strips(views: StripViews, k: int, strips: Strips, samples: FloatArray, rows: RecordArray, n: int, rng: Stream) -> int:
    """Cross-talk, noise and zero suppression of one strip view; clears its channels and returns the number of rows.

    Parameters
    ----------
    views : StripViews
        The strip views; a dead channel has an infinite threshold.
    k : int
        Strip view.
    strips : Strips
        Charges of its channels.
    samples : FloatArray
        The three samples of an in-time pulse of height 1, shape (3,).
    rows : RecordArray
        Receives records of the kind ROW from n on.
    n : int
        Rows so far.
    rng : Stream
        Random numbers.

    Returns
    -------
    int
        Rows with this view.
    """
    view, thresholds, noises, charges = views.table[k], views.threshold[k], views.noise[k], strips.charges[k]
    touched = strips.touched[k]
    for _ in range(rng.poisson(views.noise_hits)):
        channel = int(rng.random() * view.n_channels)
        if thresholds[channel] < math.inf:
            _add_noise_hit(views, k, channel, samples, strips, rng)
    for i in range(len(views.noisy)):
        noisy = views.noisy[i]
        if noisy.plane == k:
            for _ in range(rng.poisson(noisy.rate)):
                _add_noise_hit(views, k, noisy.channel, samples, strips, rng)
    if view.cross_talk > 0.0:
        _leak(view.cross_talk, view.n_channels, k, strips)
    _sort(touched, strips.n[k])
    for i in range(strips.n[k]):
        channel = touched[i]
        noise, threshold = noises[channel], thresholds[channel]
        peak = 1  # the largest sample decides; an in-time pulse has it in the middle
        for s in (0, 2):
            if charges[channel, s] > charges[channel, peak]:
                peak = s
        largest = charges[channel, peak]
        kept = largest >= threshold - 5.0 * noise and largest > 0.0
        largest += noise * rng.standard_normal() if kept else 0.0
        if kept and largest >= threshold:
            out = rows[n]
            out.module, out.axis, out.channel = view.module, view.axis, channel
            out.q0 = _read_sample(0, peak, largest, charges[channel, 0], noise, rng)
            out.q1 = _read_sample(1, peak, largest, charges[channel, 1], noise, rng)
            out.q2 = _read_sample(2, peak, largest, charges[channel, 2], noise, rng)
            n += 1
        for s in range(3):
            charges[channel, s] = 0.0
        strips.marks[k, channel] = 0
    strips.n[k] = 0
    return n
