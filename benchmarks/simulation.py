"""The fast simulation against numbers: `python benchmarks/simulation.py [SAMPLES] [-n MUONS]`.

Prints muons per second, stopping powers, energies behind the ECAL, biased against unbiased runs, trigger rates by process,
the beam, and what pile-up costs. SAMPLES is a folder with files of an independent Geant4 simulation (calib_mu160.root and
mono_mu80.root made with the description data/detector/g4raw-indep-1.toml): with it the tables of MIP peaks, hits and angles.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from na64mu.detector import Detector, load_detector
from na64mu.events.batch import RawBatch
from na64mu.events.reader import read_batch
from na64mu.physics.energy_loss import NUCLEAR, restricted_ionisation, spectrum, upper_limit
from na64mu.physics.materials import COPPER, IRON, LEAD, SCINTILLATOR, Layer
from na64mu.reconstruction.summary import reconstruct
from na64mu.simulation.calorimeters import INTERACTION_LENGTH
from na64mu.simulation.events import simulate_events
from na64mu.simulation.losses import build_losses, mean_loss
from na64mu.simulation.muon_in_calorimeter import BEAM, HARD_LOSS
from na64mu.simulation.pileup import mean_pile_up
from na64mu.simulation.plans import no_plans
from na64mu.simulation.produce import produce
from na64mu.simulation.setup import build_setup
from na64mu.simulation.signal import hard_loss_plans
from na64mu.simulation.truth import Truth
from na64mu.typing import FloatArray

CONSOLE = Console(width=130)
NAMES = {0: "ionisation only", 1: "bremsstrahlung", 2: "pair production", 3: "muon-nuclear", 4: "delta ray"}

#: Kinetic energy [GeV] and ionisation, bremsstrahlung, pairs, nuclear [MeV cm2/g] of PUMAS (repository niess/pumas-materials, dedx/muon).
PUMAS = {
    LEAD: [(10, 1.614, 0.03359, 0.03857, 0.002923), (40, 1.774, 0.1835, 0.2567, 0.01255), (100, 1.860, 0.5366, 0.7905, 0.03053),
           (200, 1.919, 1.180, 1.762, 0.06024)],
    IRON: [(10, 1.942, 0.01401, 0.01490, 0.003109), (40, 2.112, 0.07591, 0.1011, 0.01371), (100, 2.207, 0.2218, 0.3158, 0.03384),
           (200, 2.273, 0.4885, 0.7114, 0.06734)],
    COPPER: [(100, 2.155, 0.2400, 0.3427, 0.03349), (200, 2.221, 0.5283, 0.7713, 0.06660)],
    SCINTILLATOR: [(100, 2.702, 0.06334, 0.08804, 0.03893), (200, 2.779, 0.1411, 0.2020, 0.07832)],
}  # fmt: skip

#: P(E < 80, 120, 150, 157 GeV) of 160 GeV muons behind 22.5 cm of lead (and 22.5 cm of scintillator), and mean loss [GeV].
ENGINES = {
    "Geant4 11.4, 40 000": ((10.5e-4, 25e-4, 8.4e-3, 3.84e-2, 1.058), (1.6e-4, 3e-4, 0.5e-3, 0.10e-2, 0.024)),
    "PROPOSAL, 20 000, lead only": ((9.5e-4, 26e-4, 10.0e-3, 3.87e-2, 1.125), (2.2e-4, 4e-4, 0.7e-3, 0.14e-2, 0.040)),
    "prototype, 3 000 000": ((8.67e-4, 22.7e-4, 8.85e-3, 3.94e-2, 1.140), (0.17e-4, 0.3e-4, 0.05e-3, 0.01e-2, 0.002)),
}  # fmt: skip


def fact(truth: Truth, name: str) -> FloatArray:
    return np.ascontiguousarray(truth.facts[name])


def show(title: str, columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    table = Table(*columns, title=title, title_justify="left")
    for row in rows:
        table.add_row(*row)
    CONSOLE.print(table)


def speed(detector: Detector, folder: Path, n: int) -> None:
    """Muons on target per CPU second of one core, after a run that compiles and builds the tables."""
    rows = []
    for title, prescale, count in (("all fully digitised and written", 1, n // 20), ("physics-trigger mode", 0, n // 2)):
        produce(folder / "warm.root", detector, "beam", 200, 2, 1, prescale_calibration=prescale)
        start = time.process_time()
        row = produce(folder / "speed.root", detector, "beam", count, 2, 2, prescale_calibration=prescale)
        cpu = time.process_time() - start
        rows.append((title, f"{count}", f"{row['n_mot']}", f"{row['n_mot'] / cpu:.0f}", f"{count / cpu:.0f}"))
    show(
        "Speed (wanted: 20 000 digitised, 200 000 in physics-trigger mode)",
        ("mode", "beam", "on target", "on target / s", "beam / s"),
        rows,
    )
    print(f"largest memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


def losses() -> None:
    rows = []
    for substance, lines in PUMAS.items():
        for kinetic, *expected in lines:
            energy = kinetic + 0.10566
            ours = [restricted_ionisation(energy, 1e9, substance)[0] * 1e4 / substance.density]
            for process in (1, 2, 3):
                t = np.geomspace(1e-4, upper_limit(process, energy, substance) * (1.0 - 1e-9), 3000)
                ours.append(float(np.trapezoid(spectrum(process, energy, t, substance) * t, t)) * 1e4 / substance.density)
            differences = [f"{100 * (a / b - 1):+.1f} %" for a, b in zip([*ours, sum(ours)], [*expected, sum(expected)], strict=True)]
            rows.append((substance.name, f"{kinetic}", *differences))
    show(
        "Mean losses against PUMAS (nuclear: another cross-section, Dutta et al. 2001)",
        ("substance", "GeV", "ionisation", "bremsstrahlung", "pairs", "nuclear", "all"), rows,
    )  # fmt: skip


def behind_the_ecal(detector: Detector, n: int) -> None:
    setup, rng = build_setup(detector, 1), np.random.default_rng(4)
    mono = setup._replace(spot=setup.spot._replace(p_mean=160.0, p_sigma=0.0))
    plans = no_plans(20_000)
    p = np.concatenate([fact(simulate_events(mono, detector, 20_000, BEAM, plans, 1, rng)[1], "p_out") for _ in range(0, n, 20_000)])
    p = p[p > 0.0]
    values = [np.mean(p < limit) for limit in (80.0, 120.0, 150.0, 157.0)]
    rows = [(name, *(f"{1e4 * v:.1f} +- {1e4 * e:.1f}" for v, e in zip(a[:4], b[:4], strict=True)), f"{a[4]:.3f} +- {b[4]:.3f}")
            for name, (a, b) in ENGINES.items()]  # fmt: skip
    rows.append((
        f"this, {len(p)}, at MS2", *(f"{1e4 * v:.1f} +- {1e4 * np.sqrt(v / len(p)):.1f}" for v in values),
        f"{160.0 - p.mean():.3f} +- {p.std() / np.sqrt(len(p)):.3f}",
    ))  # fmt: skip
    show("160 GeV behind the ECAL: P(E < limit) / 1e-4", ("engine", "80 GeV", "120 GeV", "150 GeV", "157 GeV", "mean loss [GeV]"), rows)
    ecal = detector.ecal
    layers, share = sum(ecal.layers), 1.0 / ecal.length
    stack = (Layer(LEAD, layers * ecal.lead * share), Layer(SCINTILLATOR, layers * ecal.scintillator * share))
    energies, hard = mean_loss(build_losses(stack))
    nuclear = float(np.interp(160.0, energies, hard[NUCLEAR])) * ecal.length
    print(f"mean muon-nuclear loss in the ECAL {1e3 * nuclear:.1f} MeV; interaction length of lead {INTERACTION_LENGTH['lead']} mm")


REGIONS = (
    "p_out < 80, energy seen (B)", "80 < p_out (band)", "energy missing (D)", "muon-nuclear",
    "physics trigger", "physics trigger, p_out < 80",
)  # fmt: skip


def regions(truth: Truth, length: float) -> dict[str, FloatArray]:
    p_out, transfer, z = (fact(truth, name) for name in ("p_out", "transfer", "vertex_z"))
    seen = sum(cells.sum(axis=(1, 2, 3)) for cells in (truth.ecal, truth.vhcal, truth.hcal))
    hard = (transfer > 25.0) & (z > 0.0) & (z < length)
    missing = p_out + seen < 130.0
    trigger = hard & (fact(truth, "trigger") > 1)
    masks = (hard & (p_out < 80.0) & ~missing, hard & (p_out >= 80.0), hard & missing, hard & (fact(truth, "process") == NUCLEAR))
    return dict(zip(REGIONS, (*masks, trigger, trigger & (p_out < 80.0)), strict=True))


def counted(detector: Detector, mode: int, n: int, seed: int, prescale: int, only: int | None = None) -> tuple[dict[str, int], float]:
    """Events by region, and the weight of one per muon on target."""
    setup, rng = build_setup(detector, 2), np.random.default_rng(seed)
    counts, on_target, weight = dict.fromkeys(REGIONS, 0), 0, 1.0
    for _ in range(0, n, 20_000):
        size = min(n, 20_000)
        plans = no_plans(size)
        if mode == HARD_LOSS:
            plans, weight = hard_loss_plans(detector, setup, 20.0, size, rng, only)
        more, truth = simulate_events(setup, detector, size, mode, plans, prescale, rng)
        on_target += more
        for name, mask in regions(truth, detector.ecal.length).items():
            counts[name] += int(mask.sum())
    return counts, weight / on_target


def closure(detector: Detector, n: int) -> None:
    """Unbiased against biased runs: all regions from runs written in full, those with the trigger from ten times more muons."""
    rows = []
    for names, prescale, times in ((REGIONS[:4], 1, 1), (REGIONS[4:], 0, 10)):
        (plain, one), (biased, other) = (
            counted(detector, mode, count, 5 + mode + prescale, prescale)
            for mode, count in ((BEAM, times * n), (HARD_LOSS, times * n // 20))
        )
        for name in names:
            a, b = plain[name] * one, biased[name] * other
            error = np.hypot(np.sqrt(max(plain[name], 1)) * one, np.sqrt(max(biased[name], 1)) * other)
            row = (name, f"{plain[name]}", f"{biased[name]}", f"{1e6 * a:.2f}", f"{1e6 * b:.2f}", f"{(a - b) / error:+.2f}")
            rows.append(row)
    show(
        "Losses above 25 GeV in the ECAL, per 1e6 muons on target: unbiased and biased (hardloss)",
        ("region", "n unbiased", "n biased", "unbiased", "biased", "standard deviations"), rows,
    )  # fmt: skip
    made = [counted(detector, HARD_LOSS, 10_000, 9, 1, only)[0] for only in (None, NUCLEAR)]
    show(
        "Events by region of 10 000 generated ones",
        ("region", "hardloss", "nuclear"), [(name, *(f"{counts[name]}" for counts in made)) for name in REGIONS],
    )  # fmt: skip


def triggers(detector: Detector, folder: Path, n: int) -> None:
    rows, totals = [], []
    for config in (1, 2):
        row = produce(folder / f"trigger{config}.root", detector, "beam", n, config, 40 + config, prescale_calibration=0)
        process = read_batch(folder / f"trigger{config}.root").scalars["mc_process"]
        totals.append(row["n_physics"] / row["n_mot"])
        for code, name in NAMES.items():
            k = int(np.sum(process == code))
            rows.append((f"{config}", name, f"{k}", f"{100 * k / row['n_mot']:.4f} +- {100 * np.sqrt(k) / row['n_mot']:.4f}"))
        rows.append(
            (f"{config}", "all", f"{row['n_physics']}", f"{100 * totals[-1]:.4f} +- {100 * np.sqrt(row['n_physics']) / row['n_mot']:.4f}")
        )
    show("Physics triggers per calibration trigger (published 0.04 and 0.07 %)", ("configuration", "process", "n", "%"), rows)
    print(f"configuration 2 / 1: {totals[1] / totals[0]:.2f} (published 1.75)")


def beam(detector: Detector, folder: Path, n: int) -> None:
    produce(folder / "beam.root", detector, "beam", n, 1, 60)
    produce(folder / "crowd.root", detector, "beam", n, 1, 60, with_pile_up=True)
    alone, crowd = read_batch(folder / "beam.root"), read_batch(folder / "crowd.root")
    s = alone.scalars
    good = (s["mc_p_in"] - s["mc_p_out"] < 5.0) & (s["mc_p_out"] > 0.0)
    summary, other = reconstruct(alone, detector), reconstruct(crowd, detector)
    x = summary["x_s4"][good & (summary["n_tracks_ms2"] == 1)]
    at_160 = np.abs(summary["p_out"] - 160.0) < 20.0
    clean = good & (summary["n_tracks_ms1"] == 1) & (summary["n_tracks_ms2"] == 1) & at_160
    widths = [np.std(summary[name][clean & (np.abs(summary[name] - 160.0) < 25.0)]) / 1.6 for name in ("p_in", "p_out")]
    rows = [
        ("p_in of generated muons, rms / 160", f"{s['mc_p_in'][good].std() / 1.6:.2f} %"),
        ("p_in, p_out of muons without hard loss, rms / 160 (published 3.8, 4.4 %)", f"{widths[0]:.2f} %, {widths[1]:.2f} %"),
        ("mean x at S4, |p_out - 160| < 20 (published -12.0 mm)", f"{summary['x_s4'][clean].mean():.2f} mm; all {x.mean():.2f} mm"),
    ]

    def one(table: dict[str, FloatArray]) -> FloatArray:
        return (table["n_tracks_ms1"] == 1) & (table["n_tracks_ms2"] == 1)

    piled = crowd.scalars["mc_n_pileup"] > 0
    both, now = one(summary), one(other)
    rows += [
        ("mean further particles in 400 ns at 2.8e6 per 4.8 s", f"{mean_pile_up(detector):.3f}"),
        ("events with one track on each side: alone, with pile-up", f"{np.mean(both):.4f}, {np.mean(now):.4f}"),
        ("lost to pile-up, of events with one track each (published 13 %)", f"{100 * (1 - np.mean(now[both])):.2f} %"),
        ("the same, of events with a further particle", f"{100 * (1 - np.mean(now[both & piled])):.2f} %"),
    ]  # fmt: skip
    mip = lambda t: (t["e_ecal"] < 1.5 * np.median(summary["e_ecal"])) & (t["e_hcal1"] < 1.7 * np.median(summary["e_hcal1"]))  # noqa: E731
    rows.append(("lost with MIP energies asked for too", f"{100 * (1 - np.mean((now & mip(other))[both & mip(summary)])):.2f} %"))
    show(f"Beam and pile-up, {len(alone)} muons on target", ("quantity", "value"), rows)


def kaons(detector: Detector, folder: Path, n: int) -> None:
    """Decays to a muon before the ECAL that look like a signal in momentum, for the Letter's muons on target."""
    rows = []
    for process in ("kaon", "decay"):
        expected = np.zeros(4)
        squares = np.zeros(4)
        for config, on_target in ((1, 11.7e9), (2, 8.1e9)):
            row = produce(folder / "d.root", detector, process, n, config, 80 + config, prescale_calibration=0)
            batch = read_batch(folder / "d.root")
            t = reconstruct(batch, detector)
            single = (t["n_tracks_ms1"] == 1) & (t["n_tracks_ms2"] == 1)
            in_range = single & (np.abs(t["p_in"] - 160.0) < 20.0)
            masks = (single >= 0, in_range, in_range & (t["p_out"] < 80.0), in_range & (t["p_out"] < 80.0) & (t["e_cal"] < 12.0))
            weight = batch.scalars["mc_weight"] * on_target / row["n_mot"]
            expected += [weight[m].sum() for m in masks]
            squares += [(weight[m] ** 2).sum() for m in masks]
        rows.append((process, *(f"{e:.3f} +- {np.sqrt(s):.3f}" for e, s in zip(expected, squares, strict=True))))
    show(
        "Decays in flight before the ECAL, events in 1.98e10 muons on target (Letter, kaons: 0.010 +- 0.001)",
        ("process", "physics trigger", "p_in 140 to 180", "and p_out < 80", "and E_CAL < 12"), rows,
    )  # fmt: skip


def shape(values: FloatArray) -> tuple[float, float]:
    """Peak (half-sample mode) and half of the narrowest interval with 68 %."""
    v = np.sort(values)
    k = int(0.6827 * len(v))
    i = int(np.argmin(v[k:] - v[: len(v) - k]))
    width = 0.5 * (v[i + k] - v[i])
    while len(v) > 20:
        half = len(v) // 2
        i = int(np.argmin(v[half:] - v[: len(v) - half]))
        v = v[i : i + half + 1]
    return float(v.mean()), float(width)


def quantities(batch: RawBatch, detector: Detector) -> dict[str, FloatArray]:
    summary = reconstruct(batch, detector)
    one = (summary["n_tracks_ms1"] == 1) & (summary["n_tracks_ms2"] == 1)
    s = batch.scalars
    out = {name: summary[name][one] for name in ("e_ecal", "e_preshower", "e_hcal1", "e_hcal2", "e_veto")}
    for name in ("mm", "gem", "straw", "bms"):
        out[f"n {name}"] = np.bincount(batch.collections[name].event_index, minlength=len(batch))[one].astype(float)
    out["p_in - p_out true [GeV/c]"] = (s["mc_p_in"] - s["mc_p_out"]).astype(float)[one]
    return out


def against_geant4(samples: Path, folder: Path) -> None:
    detector = load_detector("g4raw-indep-1")
    reference = read_batch(samples / "calib_mu160.root")
    produce(folder / "ours.root", detector, "beam", 12_000, 1, 70)
    ours = read_batch(folder / "ours.root")
    theirs, mine = quantities(reference, detector), quantities(ours, detector)
    rows = []
    for name in theirs:
        (a, wa), (b, wb) = shape(theirs[name]), shape(mine[name])
        rows.append((
            name, f"{a:.3f}", f"{b:.3f}", f"{wa:.3f}", f"{wb:.3f}", f"{theirs[name].mean():.3f}", f"{mine[name].mean():.3f}",
        ))  # fmt: skip
    for limit in (1.0, 3.0, 10.0, 40.0):
        a, b = (q["p_in - p_out true [GeV/c]"] for q in (theirs, mine))
        rows.append(
            (
                f"share with p_in - p_out > {limit:g}",
                *("",) * 4,
                *(f"{np.mean(v > limit):.4f} +- {np.sqrt(np.mean(v > limit) / len(v)):.4f}" for v in (a, b)),
            )
        )
    show(
        f"160 GeV muons: Geant4 {len(reference)}, this {len(ours)} (same description; its MIP scales are its own)",
        ("quantity", "peak Geant4", "peak", "width Geant4", "width", "mean Geant4", "mean"), rows,
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("samples", nargs="?", type=Path)
    parser.add_argument("-n", "--muons", type=int, default=400_000)
    args = parser.parse_args()
    detector = load_detector("na64mu-2022")
    with tempfile.TemporaryDirectory() as name:
        folder, n = Path(name), args.muons
        losses()
        speed(detector, folder, n)
        behind_the_ecal(detector, n // 2)
        closure(detector, n)
        triggers(detector, folder, 2 * n)
        beam(detector, folder, n // 40)
        kaons(detector, folder, n // 4)
        if args.samples is not None:
            against_geant4(args.samples, folder)


if __name__ == "__main__":
    main()
