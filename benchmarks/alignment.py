"""Closure of the alignment: events of the true set-up, reconstructed with planes up to 1 mm and 5 mrad elsewhere, aligned.

Usage: python benchmarks/alignment.py [-n 300000] [--field-off 60000] [--seed 1]
       python benchmarks/alignment.py --trials 30 [-n 30000]

Prints for every module what is left, with errors and pulls, with the magnets on only and with some straight tracks, and what
the momenta become: bias and width of p / p_true - 1 with the displaced, the aligned and the true planes.

With --trials, one, three or eight modules taken at random are displaced by 0.1, 0.3, 1, 3 or 10 mm in a random direction; printed are the bias of
1/p before and after an alignment with bent tracks alone, the uncertainty that it prints, whether it would be refused, and how often the bias is
inside the uncertainty.
"""

from __future__ import annotations

import argparse
import inspect
import tempfile
import time
from pathlib import Path

import numpy as np

from na64mu.alignment.align import AlignedSpectrometer, align_spectrometer
from na64mu.alignment.closure import closure, displaced, momenta
from na64mu.alignment.result import align_detector
from na64mu.alignment.sample import Sample, concatenated, read_samples
from na64mu.detector import Detector, load_detector
from na64mu.errors import Na64muError
from na64mu.events.reader import count_entries, read_batch
from na64mu.simulation.produce import produce

MOMENTUM_EVENTS = 30_000
SIZES, NUMBERS = (0.1, 0.3, 1.0, 3.0, 10.0), (1, 3, 8)


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


def some_displaced(detector: Detector, rng: np.random.Generator, n: int, size: float) -> tuple[Detector, list[str]]:
    """A description with n modules moved by `size` [mm] in a random direction."""
    names = [name for name, module in detector.trackers.items() if module.spectrometer in (1, 2)]
    chosen = sorted(rng.choice(names, n, replace=False).tolist())
    moved = {}
    for name in chosen:
        module, angle = detector.trackers[name], rng.uniform(0.0, 2.0 * np.pi)
        step = size * np.array([np.cos(angle), np.sin(angle)])
        if module.views == (1,):
            step = np.array([0.0, size * rng.choice([-1.0, 1.0])])
        moved[name] = module.model_copy(update={"centre": (module.centre[0] + float(step[0]), module.centre[1] + float(step[1]))})
    return detector.replaced(moved), chosen


def biases(samples: list[Sample], detector: Detector, truth: dict[str, np.ndarray]) -> list[float]:
    """Median of 1/p over the true one, minus 1, of MS1 and MS2."""
    found = []
    for sample, name in zip(samples, ("mc_p_in", "mc_p_out"), strict=True):
        event, p = momenta(sample.first(len(truth[name])), detector)
        found.append(float(np.median(truth[name][event] / p) - 1.0) if len(event) else np.nan)
    return found


def trials(n_trials: int, n: int, seed: int) -> None:
    truth = load_detector("na64mu-2022")
    rng = np.random.default_rng(seed)
    options = {"accept": True} if "accept" in inspect.signature(align_detector).parameters else {}
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bent.root"
        produce(path, truth, "beam", n, 1, seed)
        true_p = read_batch(path, 0, 8000).scalars
        print(f"{'size':>5s} {'n':>2s} {'before':>9s} {'after':>9s} {'printed':>8s}   1/p_out [%]; the same of 1/p_in; refused; modules")
        for trial in range(n_trials):
            size, n_modules = SIZES[trial % len(SIZES)], NUMBERS[trial // len(SIZES) % len(NUMBERS)]
            wrong, chosen = some_displaced(truth, rng, n_modules, size)
            samples = samples_of(path, wrong, field=True)
            before = biases(samples, wrong, true_p)
            try:
                run = align_detector([[s] for s in samples], wrong, wrong.tag, **options)
            except Na64muError as error:
                print(f"{size:5.1f} {n_modules:2d} {100 * before[1]:9.3f} refused: {error}", flush=True)
                continue
            after = [biases(samples, a.detector, true_p)[i] for i, a in enumerate(run.spectrometers)]
            scales = {s.spectrometer: s for s in getattr(run.alignment, "scales", ())}
            errors = [scales[ms].error if ms in scales else np.nan for ms in ("ms1", "ms2")]
            refused = [ms for ms, s in scales.items() if s.accepted]
            rows.append((*before, *after, *errors, bool(refused)))
            texts = [f"{100 * before[i]:9.3f} {100 * after[i]:9.3f} {100 * errors[i]:8.3f}" for i in (1, 0)]
            print(f"{size:5.1f} {n_modules:2d} {texts[0]}   {texts[1]}   {','.join(refused) or '-'}   {' '.join(chosen)}", flush=True)
    table = np.array(rows)
    for i, name in ((3, "p_out"), (2, "p_in")):
        for what, own in (("all", np.ones(len(table), dtype=bool)), ("not refused", table[:, 6] == 0)):
            bias, error = table[own, i], table[own, i + 2]
            print(
                f"1/{name}, {what}: {own.sum()} trials, |bias| {100 * np.median(np.abs(bias)):.3f} % (median), {100 * np.abs(bias).max():.3f} % (largest); "
                f"printed {100 * np.median(error):.3f} % (median); inside one error {np.mean(np.abs(bias) < error):.2f}, two {np.mean(np.abs(bias) < 2 * error):.2f}"
            )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("-n", type=int, default=300_000)
    parser.add_argument("--field-off", type=int, default=60_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, choices=(1, 2), help="one spectrometer")
    parser.add_argument("--trials", type=int, help="random trials of displaced modules")
    arguments = parser.parse_args()
    if arguments.trials:
        trials(arguments.trials, arguments.n, arguments.seed)
        return
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
