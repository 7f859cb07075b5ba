"""Closure of the waveform tier: `python benchmarks/waveforms.py [-n WAVEFORMS] [--muons MUONS]`.

Pulses of known height and time through the ADC of the ECAL and back: bias, resolution that the ADC adds, pulses on top of each
other, a pulse shape that is not quite known, speed. Dead strips with and without their list. Then the same muons with pile-up in
both tiers, through the cuts of the Letter.
"""

from __future__ import annotations

import argparse
import time
from typing import NamedTuple

import numpy as np
from overlay import beam, events, scalars
from pileup import rules
from rich.console import Console
from rich.table import Table

from na64mu.calibration.windows import load_calibration
from na64mu.detector import Detector, load_detector
from na64mu.detector.pulse import PulseShape, pulse_shape
from na64mu.detector.readout import plane_sizes
from na64mu.events.batch import RawBatch
from na64mu.reconstruction.pulses.digits import digitizer, with_digits
from na64mu.reconstruction.pulses.finding import find_pulses, half_height_time
from na64mu.reconstruction.pulses.model import Pulses
from na64mu.reconstruction.summary import reconstruct
from na64mu.simulation.digits import digitise
from na64mu.simulation.events import simulate_events
from na64mu.simulation.muon_in_calorimeter import BEAM
from na64mu.simulation.pileup import MERGE, pile_up
from na64mu.simulation.plans import no_plans
from na64mu.simulation.readout import build_readout
from na64mu.simulation.setup import build_setup
from na64mu.simulation.waveforms import Electronics, sample_events
from na64mu.typing import AnyArray, BoolArray, FloatArray, IntArray

CONSOLE = Console(width=160)
CELL = 45  # a cell of the main part of the ECAL


class Made(NamedTuple):
    """Waveforms of one channel; `event` is the event of each."""

    samples: AnyArray
    event: IntArray


class Matched(NamedTuple):
    """For every true pulse whether it was found, and what was fitted."""

    found: BoolArray
    height: FloatArray
    time: FloatArray
    error: FloatArray


def make(detector: Detector, heights: FloatArray, times: FloatArray, rng: np.random.Generator) -> Made:
    """Waveforms with pulses of given heights [counts] and times [ns], both of shape (n, pulses in one waveform)."""
    bank = Electronics.of(detector).banks["ecal"]
    n, each = heights.shape
    offsets, channel = each * np.arange(n + 1), np.full(n * each, CELL)
    energy = np.ascontiguousarray(heights.ravel() / bank.counts[CELL])
    out, written, samples = sample_events(
        offsets, channel, energy, np.ascontiguousarray(times.ravel()), bank.counts, bank.shape, bank.sampler, rng
    )
    own = written == CELL
    return Made(np.ascontiguousarray(samples[own]), (np.searchsorted(out, np.flatnonzero(own), side="right") - 1))


def match(pulses: Pulses, made: Made, times: FloatArray, window: float = 15.0) -> Matched:
    """The fitted pulse nearest to each true one; times of shape (n,)."""
    event = made.event[pulses.waveform]
    distance = np.abs(pulses.time - times[event])
    order = np.argsort(-distance, kind="stable")
    best = np.full(len(times), -1)
    best[event[order]] = order
    found = best >= 0
    found[found] = distance[best[found]] < window
    nothing = np.full(len(times), np.nan)
    height, at, error = (np.where(found, column[best], nothing) for column in (pulses.height, pulses.time, pulses.time_error))
    return Matched(found, height, at, error)


def core(values: FloatArray) -> tuple[float, float]:
    """Median and half of the central 68.3 %."""
    if not len(values):
        return np.nan, np.nan
    low, middle, high = np.quantile(values, [0.1585, 0.5, 0.8415])
    return float(middle), float(0.5 * (high - low))


def half_heights(made: Made, detector: Detector, shape: PulseShape) -> FloatArray:
    """Time by a straight line at half the largest sample, as in the thesis, without a fit."""
    adc, out = digitizer(detector, "ecal"), np.empty(len(made.samples))
    for i, samples in enumerate(made.samples.astype(np.float64)):
        base = np.where(np.arange(len(samples)) % 2, samples[1:8:2].mean(), samples[0:8:2].mean())
        left = samples - base
        top = int(np.argmax(left))
        out[i] = half_height_time(left, top, 0.5 * left[top], adc.period, adc.trigger_sample, shape.peak)
    return out


def single(detector: Detector, n: int, rng: np.random.Generator) -> None:
    table = Table(
        "counts", "GeV", "written %", "found %", "height bias %", "sigma [counts]", "sigma / height %", "time bias [ns]", "sigma [ns]",
        "from the fit", "half height bias", "sigma", "+10 % fall: height %", "time [ns]", title=f"single pulses at a random phase, {n} each", title_justify="left",
    )  # fmt: skip
    sampling = detector.operation.ecal
    shape, adc = sampling.shape, digitizer(detector, "ecal")
    wrong = pulse_shape(sampling.rise, 1.1 * sampling.fall)
    for height in (4.0, 6.0, 10.0, 15.0, 30.0, 60.0, 200.0, 1000.0, 3500.0, 5000.0, 8000.0, 16000.0):
        times = adc.period * (rng.random(n) - 0.5)
        made = make(detector, np.full((n, 1), height), times[:, None], rng)
        m, w = (match(find_pulses(made.samples, s, adc), made, times) for s in (shape, wrong))
        h, t = core(m.height[m.found] / height - 1.0), core((m.time - times)[m.found])
        straight = core(half_heights(made, detector, shape) - times[made.event])
        wh, wt = core(w.height[w.found] / height - 1.0), core((w.time - times)[w.found])
        table.add_row(
            f"{height:.0f}{' sat.' if height > 3990 else ''}", f"{height / sampling.counts[1]:.2f}", f"{100 * len(made.event) / n:.1f}", f"{100 * m.found.mean():.1f}",
            f"{100 * h[0]:+.2f}", f"{h[1] * height:.2f}", f"{100 * h[1]:.2f}", f"{t[0]:+.3f}", f"{t[1]:.3f}", f"{np.nanmedian(m.error):.3f}",
            f"{straight[0]:+.2f}", f"{straight[1]:.2f}", f"{100 * wh[0]:+.2f}", f"{wt[0]:+.2f}",
        )  # fmt: skip
    CONSOLE.print(table)


def double(detector: Detector, n: int, rng: np.random.Generator) -> None:
    table = Table(
        "first, second [counts]", "separation [ns]", "both found %", "first: bias %", "sigma %", "second: bias %", "sigma %", "dt bias [ns]", "sigma [ns]",
        title=f"two pulses, {n} each; where only one is found, the bias of the first is that of the sum", title_justify="left",
    )  # fmt: skip
    adc, shape = digitizer(detector, "ecal"), detector.operation.ecal.shape
    for first, second in ((60.0, 60.0), (600.0, 60.0), (60.0, 600.0), (15.0, 15.0)):
        for separation in (25.0, 37.5, 50.0, 75.0, 100.0, 150.0, 200.0):
            t1 = adc.period * (rng.random(n) - 0.5) - 0.5 * separation * (separation > 150.0)
            made = make(detector, np.tile([first, second], (n, 1)), np.stack([t1, t1 + separation], axis=1), rng)
            pulses = find_pulses(made.samples, shape, adc)
            a, b = match(pulses, made, t1, 0.45 * separation), match(pulses, made, t1 + separation, 0.45 * separation)
            both = a.found & b.found
            ha, hb = core(a.height[a.found] / first - 1.0), core(b.height[both] / second - 1.0)
            dt = core((b.time - a.time)[both] - separation)
            numbers = (100 * ha[0], 100 * ha[1], 100 * hb[0], 100 * hb[1])
            table.add_row(
                f"{first:.0f}, {second:.0f}", f"{separation:g}", f"{100 * both.mean():.1f}", *(f"{v:+.1f}" if i % 2 == 0 else f"{v:.1f}" for i, v in enumerate(numbers)),
                f"{dt[0]:+.2f}", f"{dt[1]:.2f}",
            )  # fmt: skip
        table.add_section()
    CONSOLE.print(table)


def speed(detector: Detector, n: int, rng: np.random.Generator) -> None:
    adc, shape = digitizer(detector, "ecal"), detector.operation.ecal.shape
    for name, each in (("one pulse", 1), ("two pulses, 100 ns apart", 2)):
        times = adc.period * (rng.random((n, 1)) - 0.5) + 100.0 * np.arange(each)
        made = make(detector, np.full((n, each), 60.0), times, rng)
        best = np.inf
        for _ in range(5):
            start = time.perf_counter()
            pulses = find_pulses(made.samples, shape, adc)
            best = min(best, time.perf_counter() - start)
        CONSOLE.print(f"speed, {name}: {len(made.samples) / best:,.0f} waveforms/s, {len(pulses.height) / best:,.0f} pulses/s (best of 5)")


def both_tiers(detector: Detector, n: int, seed: int) -> None:
    """The same beam muons with pile-up: energies of single channels, and the cuts."""
    setup, readout, electronics = build_setup(detector, 1), build_readout(detector), Electronics.of(detector)
    tables, batches = [], []
    for merge, adc in ((MERGE, None), (0.0, electronics)):
        rng = np.random.default_rng(seed)
        _, truth = simulate_events(setup, detector, n, BEAM, no_plans(n), 1, rng)
        pile = pile_up(setup, detector, truth, rng, merge)
        start = time.perf_counter()
        batch = RawBatch(scalars(len(truth.facts)), digitise(truth, readout, np.random.default_rng(seed), pile, adc))
        made = time.perf_counter() - start
        start = time.perf_counter()
        digits = with_digits(batch, detector)
        fitted = time.perf_counter() - start
        rows = sum(int(c.offsets[-1]) for name, c in batch.collections.items() if name.endswith("wave"))
        if adc is not None:
            CONSOLE.print(
                f"{len(batch)} events: {rows / len(batch):.1f} waveforms each, digitised in {made:.2f} s, fitted in {fitted:.2f} s"
            )
        batches.append(digits)
        tables.append(reconstruct(digits, detector))
    energy, wave = tables
    calibration = load_calibration(detector.tag)
    mode = {name: peak.mode for name, peak in calibration.mip.items()}
    kept = [rules(t | {f"all_{s}": t[f"n_hits_{s}"] for s in ("mm5", "mm6", "mm7", "st1")}, calibration.windows, mode) for t in tables]  # fmt: skip
    cuts = Table("cut, by itself", "energy tier", "waveform tier", "only energy", "only waveform", title=f"{len(energy['run'])} muons on target with pile-up, each tier of the same muons", title_justify="left")  # fmt: skip
    for name in kept[0]:
        e, w = kept[0][name], kept[1][name]
        cuts.add_row(
            name, f"{100 * e.mean():.2f} %", f"{100 * w.mean():.2f} %", str(np.count_nonzero(e & ~w)), str(np.count_nonzero(w & ~e))
        )
        if name == "(i) to (iv)":
            break
    CONSOLE.print(cuts)
    sums = Table("energy", "mean, energy tier", "mean, waveform tier", "median of the difference", "half of 68 %", title="in time, event by event", title_justify="left")  # fmt: skip
    for name in ("e_ecal", "e_preshower", "e_vhcal", "e_hcal1", "e_hcal2", "e_veto", "e_s4", "e_ecal_out_of_time", "e_hcal_out_of_time"):
        middle, spread = core(wave[name] - energy[name])
        sums.add_row(name, f"{energy[name].mean():.4f}", f"{wave[name].mean():.4f}", f"{middle:+.4f}", f"{spread:.4f}")
    CONSOLE.print(sums)
    same = all(np.array_equal(batches[0].collections[c][f], batches[1].collections[c][f]) for c in ("bms", "mm", "gem", "straw") for f in batches[0].collections[c].fields)  # fmt: skip
    CONSOLE.print(f"the trackers of both tiers are {'the same' if same else 'DIFFERENT'}")


def dead_strips(detector: Detector, n: int, fraction: float, rng: np.random.Generator) -> None:
    """Exact muons through chambers with dead channels, reconstructed without and with their list."""
    sizes = {plane: size for plane, size in plane_sizes(detector).items() if plane.startswith(("mm", "gem"))}
    channels = [
        {"source": "inferred: drawn", "plane": plane, "dead": np.flatnonzero(rng.random(size) < fraction).tolist()} for plane, size in sizes.items()
    ]  # fmt: skip
    operation = type(detector.operation)(**(detector.operation.model_dump() | {"channels": channels}))
    operated = detector.operated(operation)
    muons, seed = beam(detector, n, rng)[:, None, :], int(rng.integers(1000))
    healthy, ill = (events(muons, d, np.random.default_rng(seed)) for d in (detector, operated))
    table = Table(
        "channels", "<= 1 hit in MM5-7", "a hit in MM5, MM6, MM7", "one track in MS1", "in MS2", "p_out sigma %",
        title=f"{n} muons, {100 * fraction:g} % of the Micromegas and GEM channels dead", title_justify="left",
    )  # fmt: skip
    for name, batch, d in (("all alive", healthy, detector), ("dead, not known", ill, detector), ("dead, known", ill, operated)):
        t = reconstruct(batch, d)
        hits = np.stack([t[f"n_hits_{s}"] for s in ("mm5", "mm6", "mm7")])
        resolution = core(t["p_out"][np.isfinite(t["p_out"])] * np.abs(muons[np.isfinite(t["p_out"]), 0, 4]))[1]
        masks = (hits <= 1).all(axis=0), (hits >= 1).all(axis=0), t["n_tracks_ms1"] == 1, t["n_tracks_ms2"] == 1
        table.add_row(name, *(f"{100 * m.mean():.2f} %" for m in masks), f"{100 * resolution:.2f}")
    CONSOLE.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=4000, help="waveforms of each kind")
    parser.add_argument("--muons", type=int, default=8000, help="beam muons of the comparison of the tiers")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    detector, rng = load_detector("na64mu-2022"), np.random.default_rng(options.seed)
    single(detector, options.n, rng)
    double(detector, options.n, rng)
    speed(detector, 5 * options.n, rng)
    dead_strips(detector, options.n, 0.03, rng)
    if options.muons:
        both_tiers(detector, options.muons, options.seed)


if __name__ == "__main__":
    main()
