"""Waveforms: calorimeter and counter channels as a sampling ADC records them. Times ns, samples ADC counts.

Each deposit is a pulse of the channel's shape at its own time, those of piled-up particles early or late; the clock of the
ADC has one phase per event, common to all channels. Pedestal, noise, the ceiling of the ADC and zero suppression follow.
Every channel has its own noise, so a channel without a deposit is written at the rate at which noise passes the threshold.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np

from na64mu.compiled.kernel import general_kernel
from na64mu.detector import Detector
from na64mu.detector.conditions import SAMPLES, Msadc
from na64mu.detector.pulse import PulseShape, amplitude
from na64mu.detector.readout import banks
from na64mu.events.batch import Jagged
from na64mu.events.schema_v1 import WAVEFORMS, waveform_of
from na64mu.simulation.readout import EnergyReadout
from na64mu.typing import AnyArray, FloatArray, IntArray, RecordArray

__all__ = ("Bank", "Electronics", "Sampler", "sample_events", "sampled_collections")

PULSE_LENGTH = 12.0  # time constants of the fall after which nothing is left of a pulse


class Sampler(NamedTuple):
    """The ADC of one collection, for the kernel; see na64mu.detector.conditions."""

    period: float
    trigger_sample: int
    ceiling: int
    pedestal: float
    pedestal_spread: float
    odd_offset: float
    noise: float
    threshold: float


@dataclass(frozen=True)
class Bank:
    """Channels of one collection.

    Attributes
    ----------
    address : IntArray
        Section, ix, iy (or id) of every channel, shape (n_channels, n_fields).
    counts : FloatArray
        Counts of the peak per unit of energy, 0 for a dead channel, shape (n_channels,).
    shape : PulseShape
        Shape of its pulses.
    sampler : Sampler
        ADC of the bank.
    jitter : float
        Spread of the pulses before sampling [ns].
    """

    address: IntArray
    counts: FloatArray
    shape: PulseShape
    sampler: Sampler
    jitter: float


@dataclass(frozen=True)
class Electronics:
    """The sampling ADCs of a set-up under its conditions."""

    banks: dict[str, Bank]
    phase: float  # width of the phase of the clock [ns]

    @classmethod
    def of(cls, detector: Detector) -> Self:
        """The sampling ADCs of a set-up; its `operation` are the conditions."""
        operation = detector.operation
        channels: dict[str, Bank] = {}
        for name in dict.fromkeys(own.kind for own in banks(detector).values() if waveform_of(own.kind)):
            sampling = getattr(operation, name)
            own = [bank for bank in banks(detector).values() if bank.kind == name]
            address = [(*bank.address, *index) for bank in own for index in np.ndindex(bank.shape)]
            counts = np.resize(sampling.counts, len(own))
            alive = np.concatenate([np.where(bank.alive, c, 0.0) for bank, c in zip(own, counts, strict=True)])
            sampler = _sampler(operation.msadc, sampling.noise, sampling.threshold)
            channels[name] = Bank(np.array(address, dtype=np.int64), alive, sampling.shape, sampler, sampling.jitter)
        return cls(channels, operation.msadc.phase * operation.msadc.period)

    def unsampled(self, readout: EnergyReadout) -> EnergyReadout:
        """The read-out before the ADC: no thresholds, and the spread of the pulses for the resolution in time."""
        responses = {}
        for name in ("veto", "ecal", "vhcal", "hcal"):
            field = f"{name}_response"
            responses[field] = response = getattr(readout, field).copy()
            response.threshold, response.sigma_t = 0.0, self.banks[name].jitter
        return readout._replace(counter_sigma_t=np.full_like(readout.counter_sigma_t, self.banks["counter"].jitter), **responses)


def _sampler(adc: Msadc, noise: float, threshold: float) -> Sampler:
    return Sampler(
        adc.period, adc.trigger_sample, adc.ceiling, adc.pedestal, adc.pedestal_spread, adc.odd_offset, noise, threshold
    )  # fmt: skip


@general_kernel
def _add_pulse(shape: PulseShape, height: float, time: float, s: Sampler, wave: FloatArray) -> None:
    """Add a pulse whose leading edge passes half its height at a time after the trigger's [ns]."""
    first = max(0, math.ceil(s.trigger_sample + (time - shape.onset) / s.period))
    last = min(len(wave) - 1, math.floor(s.trigger_sample + (time + PULSE_LENGTH * shape.fall) / s.period))
    for k in range(first, last + 1):
        wave[k] += height * amplitude(shape, (k - s.trigger_sample) * s.period - time)


@general_kernel
def _record(wave: FloatArray, pedestal: float, s: Sampler, out: AnyArray, rng: np.random.Generator) -> bool:
    """Digitise a wave as the ADC does; returns False if no sample is above the threshold."""
    seen = False
    for k in range(len(wave)):
        base = pedestal + (s.odd_offset if k % 2 else 0.0)
        value = math.floor(base + wave[k] + s.noise * rng.standard_normal() + 0.5)
        out[k] = min(max(value, 0), s.ceiling)
        seen |= out[k] >= base + s.threshold
    return seen


@general_kernel
def sample_events(
    offsets: IntArray,
    channel: IntArray,
    energy: FloatArray,
    time: FloatArray,
    counts: FloatArray,
    shape: PulseShape,
    s: Sampler,
    rng: np.random.Generator,
) -> tuple[IntArray, IntArray, AnyArray]:
    """Waveforms of one collection.

    Parameters
    ----------
    offsets : IntArray
        Pulses of event e: offsets[e] : offsets[e + 1], shape (n_events + 1,).
    channel : IntArray
        Channel of every pulse, shape (n_pulses,).
    energy, time : FloatArray
        Its energy, and its time on the clock of the ADC [ns].
    counts : FloatArray
        Counts per energy of every channel; 0: dead and never written.
    shape : PulseShape
        Shape of the pulses.
    s : Sampler
        The ADC.
    rng : Generator
        Random numbers.

    Returns
    -------
    out_offsets : IntArray
        Channels written, shape (n_events + 1,).
    out_channel : IntArray
        Their numbers, shape (n_written,).
    samples : AnyArray
        uint16, shape (n_written, 32).
    """
    n_channels = len(counts)
    wave = np.zeros((n_channels, SAMPLES))
    out_offsets = np.zeros(len(offsets), dtype=np.int64)
    out_channel, samples = np.empty(64 * n_channels, dtype=np.int64), np.empty((64 * n_channels, SAMPLES), dtype=np.uint16)
    n = 0
    for e in range(len(offsets) - 1):
        if n + n_channels > len(out_channel):
            size = 2 * len(out_channel)
            more_channel, more = np.empty(size, dtype=np.int64), np.empty((size, SAMPLES), dtype=np.uint16)
            more_channel[:n], more[:n] = out_channel[:n], samples[:n]
            out_channel, samples = more_channel, more
        for i in range(offsets[e], offsets[e + 1]):
            c = channel[i]
            _add_pulse(shape, counts[c] * energy[i], time[i], s, wave[c])
        for c in range(n_channels):
            pedestal = s.pedestal + s.pedestal_spread * ((0.6180339887 * c) % 1.0 - 0.5)  # fixed, and different for neighbours
            if counts[c] > 0.0 and _record(wave[c], pedestal, s, samples[n], rng):
                out_channel[n] = c
                n += 1
            wave[c] = 0.0
        out_offsets[e + 1] = n
    return out_offsets, out_channel[:n], samples[:n]


def _channel_numbers(bank: Bank, address: IntArray) -> IntArray:
    """Number of the channels of some addresses, shape (n_rows, n_fields), in their bank."""
    sizes = bank.address.max(axis=0) + 1
    lookup = np.full(sizes, -1, dtype=np.int64)
    lookup[tuple(bank.address.T)] = np.arange(len(bank.address))
    found: IntArray = lookup[tuple(address.T)]
    return found


def sampled_collections(
    electronics: Electronics, rows: dict[str, tuple[IntArray, RecordArray]], rng: np.random.Generator
) -> dict[str, Jagged]:
    """Waveform collections of all events.

    Parameters
    ----------
    electronics : Electronics
        The sampling ADCs.
    rows : dict of str to (IntArray, RecordArray)
        Collection -> offsets and rows before the ADC, see `deposits.energy_rows`.
    rng : Generator
        Random numbers.

    Returns
    -------
    dict of str to Jagged
        Collections of na64mu.events.schema_v1.WAVEFORMS.
    """
    n_events = len(next(iter(rows.values()))[0]) - 1
    phase = electronics.phase * (rng.random(n_events) - 0.5)
    out = {}
    for name, (offsets, table) in rows.items():
        bank = electronics.banks[name]
        fields = (table.dtype.names or ())[-2 - bank.address.shape[1] : -2]  # those before energy and time; the VHCAL has no section
        address = np.stack([table[field] for field in fields], axis=1)
        energy, time = np.ascontiguousarray(table["energy"]), table["time"] + np.repeat(phase, np.diff(offsets))
        own_offsets, channel, samples = sample_events(
            np.ascontiguousarray(offsets), _channel_numbers(bank, address), energy, time, bank.counts, bank.shape, bank.sampler, rng
        )
        columns = [*bank.address[channel].T, *samples.T]
        wave = waveform_of(name)
        out[wave] = Jagged(
            own_offsets, {f: np.ascontiguousarray(c, dtype=k) for (f, k), c in zip(WAVEFORMS[wave].items(), columns, strict=True)}
        )
    return out
