"""Closure of the alignment: events of the true set-up, reconstructed with planes up to 1 mm and 5 mrad elsewhere, aligned.

Usage: python benchmarks/alignment.py [-n 300000] [--field-off 60000] [--seed 1]

Prints for every module what is left, with errors and pulls, with the magnets on only and with some straight tracks, and what
the momenta become: bias and width of p / p_true - 1 with the displaced, the aligned and the true planes.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from na64mu.alignment.align import AlignedSpectrometer, align_spectrometer
from na64mu.alignment.closure import closure, displaced, momenta
from na64mu.alignment.sample import Sample, concatenated, read_samples
from na64mu.detector import Detector, load_detector
from na64mu.events.reader import count_entries, read_batch
from na64mu.simulation.produce import produce

MOMENTUM_EVENTS = 30_000


def without_magnets(detector: Detector) -> Detector:
    fields = {name: getattr(detector, name) for name in type(detector).model_fields}
    fields["magnets"] = tuple(m.model_copy(update={"field": (0.0, 0.0)}) for m in detector.magnets)
    return Detector(**fields)


def samples_of(path: Path, detector: Detector, *, field: bool, step: int = 50_000) -> list[Sample]:
    parts: list[list[Sample]] = [[], []]
    for start in range(0, count_entries(path), step):
        for part, sample in zip(parts, read_samples(read_batch(path, start, start + step), detector, field=field), strict=True):
            part.append(sample)
    return [concatenated(p) for p in parts]


def table(aligned: AlignedSpectrometer, before: Detector, truth: Detector) -> None:
    found = closure(aligned, before, truth)
    print(f"{'parameter':16s} {'before':>10s} {'after':>10s} {'inside':>10s} {'error':>9s} {'pull':>6s}   [um or mrad]")
    for row in zip(found.names, *(1e3 * a for a in (found.before, found.after, found.inside, found.error)), found.pull, strict=True):
        print("{:16s} {:10.3f} {:10.3f} {:10.4f} {:9.4f} {:6.2f}".format(*row))
    shift = np.array(["drotation" not in n for n in found.names])
    slabs = np.array([n.startswith("bms") for n in found.names])
    print(
        f"largest left inside: {1e3 * np.abs(found.inside[shift & ~slabs]).max():.2f} um and {1e3 * np.abs(found.inside[~shift & ~slabs]).max():.4f} mrad",
        end="",
    )
    if slabs.any():
        print(
            f"; slabs {1e3 * np.abs(found.inside[shift & slabs]).max():.2f} um and {1e3 * np.abs(found.inside[~shift & slabs]).max():.4f} mrad",
            end="",
        )
    print(f"; rms of the pulls {np.sqrt(np.nanmean(found.pull**2)):.3f}")
    for mode, error, held in zip(aligned.modes, aligned.solution.mode_error, aligned.solution.mode_held, strict=True):
        print(f"  {mode.name:11s} {'held' if held else 'free':5s} tracks know it to {error:.3g} {mode.unit}")


def compare(name: str, sample: Sample, detector: Detector, true_p: np.ndarray) -> None:
    event, p = momenta(sample, detector)
    ratio = p / true_p[event] - 1.0
    low, middle, high = np.percentile(ratio, [15.87, 50.0, 84.13])
    print(f"  {name:28s} {len(event)} of {sample.n_events} events, bias {1e2 * middle:8.3f} %, width {50 * (high - low):7.3f} %")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("-n", type=int, default=300_000)
    parser.add_argument("--field-off", type=int, default=60_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, choices=(1, 2), help="one spectrometer")
    arguments = parser.parse_args()
    truth = load_detector("na64mu-2022")
    wrong = displaced(truth, np.random.default_rng(arguments.seed))
    with tempfile.TemporaryDirectory() as folder:
        bent, straight = Path(folder) / "bent.root", Path(folder) / "straight.root"
        produce(bent, truth, "beam", arguments.n, 1, arguments.seed)
        produce(straight, without_magnets(truth), "beam", arguments.field_off, 1, arguments.seed + 1000)
        with_field, without = samples_of(bent, wrong, field=True), samples_of(straight, wrong, field=False)
        some = read_batch(bent, 0, MOMENTUM_EVENTS).scalars
    for number in (1, 2) if arguments.only is None else (arguments.only,):
        sample = with_field[number - 1]
        true_p = some["mc_p_in" if number == 1 else "mc_p_out"]
        results = {}
        for name, parts in (("field on", [sample]), ("field on and off", [sample, without[number - 1]])):
            begin = time.perf_counter()
            aligned = align_spectrometer(parts)
            seconds = time.perf_counter() - begin
            print(
                f"\nMS{number}, {name}: {aligned.equations.n_tracks} tracks, chi2/ndf {aligned.equations.chi2 / aligned.equations.ndf:.4f}, {seconds:.0f} s"
            )
            table(aligned, wrong, truth)
            results[name] = aligned.detector
        print(f"MS{number}, p / p_true - 1:")
        first = sample.first(MOMENTUM_EVENTS)
        for name, detector in {"displaced": wrong, **{f"aligned, {k}": v for k, v in results.items()}, "true": truth}.items():
            compare(name, first, detector, true_p)


if __name__ == "__main__":
    main()
