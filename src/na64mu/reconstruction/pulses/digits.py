"""Digits of the raw tree from waveforms: energy and time of every pulse of calorimeters, VETO and counters.

Counters and VETO MeV, calorimeters GeV, times ns. Times are taken relative to S0 of the same event, as in E. Depero's thesis
(appendix D): the clock of the ADC does not follow the beam. Without S0, times are relative to S1.
"""

from __future__ import annotations

import math

import numpy as np

from na64mu.detector import Detector, DetectorLike, load_detector
from na64mu.detector.readout import TIME_WINDOW
from na64mu.events.batch import Jagged, RawBatch
from na64mu.events.schema_v1 import COLLECTIONS, OPTIONAL_COLLECTIONS, SAMPLES, WAVEFORMS, waveform_of
from na64mu.reconstruction.pulses.finding import find_pulses
from na64mu.reconstruction.pulses.model import Digitizer, Pulses
from na64mu.typing import FloatArray

__all__ = ("constrained_time", "digitizer", "pulses_of", "with_digits")

REFERENCES = (0, 1)  # counters that the times are relative to: S0, else S1
ROUNDING = 1.0 / math.sqrt(12.0)  # noise of a sample that is a whole number


def digitizer(detector: DetectorLike, name: str) -> Digitizer:
    """The ADC of one collection under the conditions of a detector."""
    detector = load_detector(detector)
    adc, sampling = detector.operation.msadc, getattr(detector.operation, name)
    return Digitizer(adc.period, float(adc.trigger_sample), adc.ceiling, math.hypot(sampling.noise, ROUNDING), sampling.threshold)


def pulses_of(waveforms: Jagged, detector: DetectorLike, name: str) -> Pulses:
    """Pulses of one collection of waveforms.

    Parameters
    ----------
    waveforms : Jagged
        `<name>wave`.
    detector : Detector, str or Path
        The description; its `operation` has shapes and noise.
    name : str
        counter, veto, ecal, vhcal or hcal.

    Returns
    -------
    Pulses
        Times on the clock of the ADC.
    """
    detector = load_detector(detector)
    samples = np.empty((len(waveforms[SAMPLES[0]]), len(SAMPLES)), dtype=np.uint16)
    for k, field in enumerate(SAMPLES):
        samples[:, k] = waveforms[field]
    return find_pulses(samples, getattr(detector.operation, name).shape, digitizer(detector, name))


def constrained_time(time: FloatArray, error: FloatArray, sigma: FloatArray | float) -> FloatArray:
    """Time of a pulse under the hypothesis that it is in time, where that is possible.

    A small pulse has a time known no better than the window that is cut on it. If it agrees with 0 within TIME_WINDOW standard
    deviations (of the fit and of the channel together), it is the weighted mean of the fitted time and 0 +- sigma, else it stays.

    Parameters
    ----------
    time, error : FloatArray
        Fitted time and its standard deviation [ns], shape (n,).
    sigma : FloatArray or float
        Time resolution of the channel for large pulses [ns].

    Returns
    -------
    FloatArray
        Shape (n,) [ns].
    """
    variance = sigma * sigma
    possible = np.abs(time) < TIME_WINDOW * np.sqrt(error * error + variance)
    return np.where(possible, time * variance / (variance + error * error), time)


def _sigma_t(digits: Jagged, detector: Detector, name: str) -> FloatArray | float:
    if name != "counter":
        return float(getattr(detector, name).sigma_t)
    table = np.zeros(256)  # counters are 8-bit numbers in the raw tree
    for counter in detector.counters:
        table[counter.id] = counter.sigma_t
    return table[digits["id"]]


def _digits(waveforms: Jagged, pulses: Pulses, detector: Detector, name: str) -> tuple[Jagged, FloatArray]:
    """Energy and time on the clock of the ADC, and the error of the time."""
    counts = np.array(getattr(detector.operation, name).counts)
    address = {f: waveforms[f][pulses.waveform] for f in COLLECTIONS[name] if f not in ("energy", "time")}
    scale = counts[np.minimum(address["section"], len(counts) - 1)] if "section" in address else counts[0]
    per_event = np.bincount(waveforms.event_index[pulses.waveform], minlength=len(waveforms))
    offsets = np.concatenate([[0], np.cumsum(per_event)]).astype(np.int64)
    fields = address | {"energy": (pulses.height / scale).astype(np.float32), "time": pulses.time.astype(np.float32)}
    return Jagged(offsets, fields), pulses.time_error


def _clock(counter: Jagged, detector: Detector) -> FloatArray:
    """Time of the trigger on the clock of the ADC [ns], shape (n_events,): of S0's pulse nearest to 0; 0 where there is none."""
    adc = detector.operation.msadc
    out = np.full(len(counter), np.nan)
    for reference in REFERENCES:
        sigma = next((c.sigma_t for c in detector.counters if c.id == reference), 0.0)
        latest = 0.5 * adc.phase * adc.period + TIME_WINDOW * sigma
        rows = np.flatnonzero((counter["id"] == reference) & (np.abs(counter["time"]) < latest))
        rows = rows[np.argsort(-np.abs(counter["time"][rows]), kind="stable")]  # the last one that is written is the nearest
        own = np.full(len(counter), np.nan)
        own[counter.event_index[rows]] = counter["time"][rows]
        out = np.where(np.isnan(out), own, out)
    return np.nan_to_num(out)


def with_digits(batch: RawBatch, detector: DetectorLike) -> RawBatch:
    """A batch whose waveforms are replaced by the digits that are in them.

    Parameters
    ----------
    batch : RawBatch
        Raw events of either tier.
    detector : Detector, str or Path
        The description; its `operation` has gains, shapes and noise of the ADCs.

    Returns
    -------
    RawBatch
        The same batch if it has no waveforms.
    """
    detector = load_detector(detector)
    names = [name for name in COLLECTIONS if waveform_of(name) in batch.collections]
    if not names:
        return batch
    found = {}
    for name in names:
        waveforms = batch.collections[waveform_of(name)]
        found[name] = _digits(waveforms, pulses_of(waveforms, detector, name), detector, name)
    clock = _clock(found["counter"][0], detector) if "counter" in found else np.zeros(len(batch))
    digits = {}
    for name, (own, error) in found.items():
        time = constrained_time(own["time"] - clock[own.event_index], error, _sigma_t(own, detector, name))
        digits[name] = Jagged(own.offsets, own.fields | {"time": time.astype(np.float32)})
    collections = {name: c for name, c in batch.collections.items() if name not in WAVEFORMS} | digits
    return RawBatch(batch.scalars, {name: collections[name] for name in (*COLLECTIONS, *OPTIONAL_COLLECTIONS) if name in collections})
