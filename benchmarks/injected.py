"""An injected signal, end to end: pseudo-experiments with a hidden apparatus and a hidden coupling, from simulation to the interval of g.

python benchmarks/injected.py FOLDER [--experiments 20] [--muons 12000] [--signal 8000] [--events 8] [--toys 1000] [--write]

Each experiment draws an apparatus (modules of both spectrometers 0.1 to 0.5 mm and 1 to 3 mrad off, gains of ECAL and HCAL 1 to 5 %, dead strips) and a
coupling (0 to 2 times the number of events asked for), simulates beam muons and Z' of 100 MeV of both configurations with it, and makes mock data. The
analysis sees the mock data alone: it aligns with their muons, fits MIP windows, runs blind, freezes, opens, simulates the efficiency with its own
set-up, and makes limits and intervals. Then the answer is read. FOLDER keeps one JSON for each experiment; those that are there are not made again.
Count-level toys: counts are drawn from the likelihood of each chain at the true coupling, with its nuisance parameters, and the interval of each is
asked whether it holds the truth. --write keeps the numbers in docs/results/injected.json.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
from results import write_result
from rich.console import Console
from rich.table import Table

import na64mu
from na64mu.detector import load_detector
from na64mu.detector.readout import plane_sizes
from na64mu.execution.mock_answer import read_answer
from na64mu.statistics.binomial import clopper_pearson
from na64mu.statistics.feldman_cousins import feldman_cousins
from na64mu.statistics.model import CountingModel

TAG = "na64mu-2022"
MASS = 0.1
#: Signal events in the box for each muon on target at g = 1: Z' made times efficiency.
PER_MUON_AT_ONE = 5.8e-4
METHOD = "ww"  # of the cross-section, as in the simulation


def hidden_file(folder: Path, rng: np.random.Generator, coupling: float, seed: int) -> Path:
    """An apparatus that differs from its description, and a coupling."""
    detector = load_detector(TAG)
    lines = ["format_version = 1", 'kind = "hidden"', f'detector = "{TAG}"', f"seed = {seed}", ""]
    if coupling > 0.0:
        lines += ["[signal]", f"coupling = {coupling!r}", ""]
    for name, module in detector.trackers.items():
        if module.spectrometer:
            dx, dy = rng.uniform(0.1, 0.5, 2) * rng.choice([-1, 1], 2)
            turn = 1e-3 * rng.uniform(1.0, 3.0) * rng.choice([-1, 1])
            turn = 0.0 if name.startswith("bms") else turn
            lines += ["[[modules]]", f'name = "{name}"', f"dx = {dx:.4f}", f"dy = {dy:.4f}", f"drotation = {turn:.6f}", ""]
    sizes = plane_sizes(detector)
    for plane in ("mm5_x", "mm6_y", "gem2_x"):
        lines += ["[[channels]]", f'plane = "{plane}"', f"dead = {sorted(int(c) for c in rng.choice(sizes[plane], 4, replace=False))}", ""]
    for plane in ("ecal0", "ecal1", "hcal1", "hcal2"):
        lines += ["[[gains]]", f'plane = "{plane}"', f"gain = {1.0 + rng.uniform(0.01, 0.05) * rng.choice([-1, 1]):.4f}", ""]
    path = folder / "hidden.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def experiment(folder: Path, number: int, muons: int, signal: int, events: float) -> dict[str, Any]:
    """One experiment from simulation to interval; what went wrong, if anything did."""
    began = time.process_time()
    rng = np.random.default_rng([20, number])
    folder.mkdir(parents=True)
    expected = events * rng.uniform(0.0, 2.0) if number % 5 else 0.0  # every fifth has no signal
    coupling = math.sqrt(expected / (PER_MUON_AT_ONE * 2 * 0.57 * muons))
    hidden = hidden_file(folder, rng, coupling, 1000 + number)
    samples = []
    for config in (1, 2):
        for process, n, prescale in (("beam", muons, 1), ("zprime", signal, 0)):
            path = folder / f"{process}_{config}.root"
            mass = MASS if process == "zprime" else None
            if mass is not None and coupling == 0.0:
                continue
            na64mu.simulate(path, hidden, process, n, config, 100 * number + config, run=config, mass=mass, prescale_calibration=prescale)
            samples.append(path)
    data = na64mu.mock(samples, folder / "data", answer=folder / "answer.json", hidden=hidden)
    found: dict[str, Any] = {"number": number, "coupling": coupling}
    try:
        found |= analysis(folder, list(map(str, data.files)))
    except Exception as error:  # noqa: BLE001  # an experiment without a result is what is looked for
        found |= {"failed": f"{type(error).__name__}: {error}"}
    answer = read_answer(folder / "answer.json")
    drawn = [(s["expected"], s["events"]) for s in answer["samples"] if s["sample"].startswith("zprime")]
    found |= {"signal_triggers": sum(n for _, n in drawn), "seconds": time.process_time() - began}
    for path in (*folder.glob("*.root"), *folder.glob("data/*.root")):
        path.unlink()
    return found


def analysis(folder: Path, files: list[str]) -> dict[str, Any]:
    """What a group does with data that it knows nothing about."""
    aligned, _ = na64mu.align(files[0], output=folder / "alignment.toml")
    own = str(aligned.alignment.write(folder / "alignment.toml"))
    windows, _ = na64mu.calibrate(files, detector=own)
    blind = na64mu.run(files, detector=own, calibration=windows, options=na64mu.RunOptions(output=folder / "blind", progress=False))
    blind.write(folder / "blind")
    na64mu.freeze(files, detector=own, calibration=windows).write(folder / "freeze.json")
    opened = na64mu.unblind(folder / "blind", folder / "open", freeze=folder / "freeze.json", reason="a rehearsal")
    table, _ = na64mu.efficiency([0.09, 0.11], n_events=6000, pile_up=False, seed=77, like=folder / "open", workers=1)
    limits = na64mu.limits_of(opened, efficiency=table, pile_up_loss=0.0, masses=[MASS], method=METHOD)
    expected = na64mu.limits_of(blind, efficiency=table, pile_up_loss=0.0, masses=[MASS], method=METHOD)
    intervals = na64mu.interval_of(limits)
    (low, high), (low68, high68) = intervals.couplings()[0], intervals.couplings(level=0.6827)[0]
    observed = limits.counting.observed
    assert observed is not None
    return {
        "observed": list(observed),
        "region_d": sum(regions["D"].n for regions in opened.regions.values()),
        "best": float(intervals.best[0]),
        "interval_90": [float(low), float(high)],
        "interval_68": [float(low68), float(high68)],
        "significance": float(intervals.discovery.significance),
        "limit_exact": float(limits.couplings("exact")[0, 0]),
        "limit_asymptotic": float(limits.couplings("asymptotic")[0, 0]),
        "expected_exact": float(expected.couplings("exact")[0, 3]),
        "g_ref": limits.yields.g_ref,
        "models": [
            _plain(c.model(limits.yields.events()[0], 0, limits.yields)) for c in (limits.counting, limits.counting.at_the_bounds())
        ],
    }


def _plain(model: CountingModel) -> dict[str, Any]:
    return {
        "signal": list(model.signal),
        "backgrounds": {name: list(values) for name, values in model.backgrounds.items()},
        "systematics": [
            [s.name, {k: [s.size(k, i) for i in range(len(model.channels))] for k in s.effects}, s.correlated, s.shape]
            for s in model.systematics
        ],
    }


def model_of(plain: dict[str, Any]) -> CountingModel:
    """The likelihood of a chain."""
    systematics = tuple(na64mu_systematic(*one) for one in plain["systematics"])
    backgrounds = {name: tuple(values) for name, values in plain["backgrounds"].items()}
    channels = tuple(f"config_{i + 1}" for i in range(len(plain["signal"])))
    return CountingModel(tuple(plain["signal"]), backgrounds, systematics, channels)


def na64mu_systematic(name: str, effects: dict[str, list[float]], correlated: bool, shape: Any) -> Any:
    """A systematic of plain values."""
    from na64mu.statistics.model import Systematic

    return Systematic(name, {k: tuple(v) for k, v in effects.items()}, correlated, shape)


def toy_coverage(found: dict[str, Any], toys: int) -> float:
    """Part of count-level toys of a chain's likelihood whose interval holds the true coupling."""
    rng = np.random.default_rng([21, found["number"]])
    models = [model_of(plain) for plain in found["models"]]
    mu = (found["coupling"] / found["g_ref"]) ** 2
    rates = models[0].rates()
    kept: dict[int, bool] = {}
    inside = 0
    for theta in rng.standard_normal((toys, rates.exponents.shape[1])):
        mean = rates.nominal * rates.factors(theta) * np.where(rates.is_signal, mu, 1.0)
        total = int(rng.poisson(mean.sum()))
        if total not in kept:
            ends = [feldman_cousins(model, total, (0.90,))[0] for model in models]  # the hull, as the search has it
            kept[total] = min(low for low, _ in ends) <= mu * (1 + 1e-9) and mu <= max(high for _, high in ends) * (1 + 1e-9)
        inside += kept[total]
    return inside / toys


def main() -> None:
    """Make what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--experiments", type=int, default=20)
    parser.add_argument("--muons", type=int, default=12_000, help="beam muons of each configuration")
    parser.add_argument("--signal", type=int, default=8_000, help="Z' of each configuration")
    parser.add_argument(
        "--events", type=float, default=8.0, help="signal events in the box, in the mean over the experiments that have a signal"
    )
    parser.add_argument("--toys", type=int, default=1000)
    parser.add_argument("--write", action="store_true", help="keep the numbers in docs/results/injected.json")
    options = parser.parse_args()
    results = []
    for number in range(options.experiments):
        file = options.folder / f"experiment_{number:02d}.json"
        if not file.exists():
            shutil.rmtree(options.folder / f"{number:02d}", ignore_errors=True)
            found = experiment(options.folder / f"{number:02d}", number, options.muons, options.signal, options.events)
            file.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
            print(f"experiment {number}: {found.get('failed', 'done')}, {found['seconds']:.0f} s of CPU", flush=True)
        results.append(json.loads(file.read_text(encoding="utf-8")))
    show(results, options.toys, write=options.write)


def show(results: list[dict[str, Any]], toys: int, *, write: bool) -> None:
    """Print one line an experiment, and the coverage."""
    table = Table(
        "",
        "true g",
        "signal triggers",
        "in the box",
        "region D",
        "Z",
        "best g",
        "90 % interval",
        "holds g",
        "limit, exact",
        "expected",
        "toys",
    )
    covered, toy, failed = {0.90: 0, 0.68: 0}, [], 0
    for one in results:
        if "failed" in one:
            failed += 1
            table.add_row(str(one["number"]), f"{one['coupling']:.3g}", str(one["signal_triggers"]), one["failed"])
            continue
        low, high = one["interval_90"]
        holds = low <= one["coupling"] <= high
        covered[0.90] += holds
        covered[0.68] += one["interval_68"][0] <= one["coupling"] <= one["interval_68"][1]
        toy.append(toy_coverage(one, toys))
        table.add_row(
            str(one["number"]), f"{one['coupling']:.3g}", str(one["signal_triggers"]), f"{one['observed'][0]:g}, {one['observed'][1]:g}",
            str(one["region_d"]), f"{one['significance']:.2f}", f"{one['best']:.3g}", f"{low:.3g} to {high:.3g}", "yes" if holds else "no",
            f"{one['limit_exact']:.3g}", f"{one['expected_exact']:.3g}", f"{toy[-1]:.3f}",
        )  # fmt: skip
    Console(width=150).print(table)
    n = len(results) - failed
    said = {level: clopper_pearson(k, n) for level, k in covered.items()}
    print(f"{len(results)} experiments, {failed} without a result")
    for level, k in covered.items():
        print(
            f"{100 * level:.0f} % interval (Feldman-Cousins) holds the true coupling in {k} of {n} ({said[level].low:.2f} to {said[level].high:.2f})"
        )
    print(f"count-level toys, {toys} for each: {np.mean(toy):.3f} in the mean, {min(toy):.3f} to {max(toy):.3f}")
    if write:
        values = {
            "experiments": (n, 0.0),
            "without_result": (failed, 0.0),
            "covered_90": (covered[0.90], 0.0),
            "toys_mean": (float(np.mean(toy)), 0.0),
            "toys_smallest": (min(toy), 0.0),
        }
        write_result("injected", f"experiments whose 90 % interval holds the true coupling, and coverage of {toys} toys each", values)


if __name__ == "__main__":
    main()
