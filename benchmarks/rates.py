"""Physics triggers per calibration trigger, where they come from, and what would change them: `python benchmarks/rates.py [-n MUONS] [--geant4 MUONS] [--changes]`.

Published (PRL 132, 211803): 4e-4 in configuration 1 and 7e-4 in configuration 2. Nothing is tuned: the tables say what the simulation
gives, process by process, how often S4 and S_mu fire by themselves against Geant4 in the same geometry, and what a change of what is not
published would do.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from results import write_result
from rich.console import Console
from rich.table import Table

from na64mu.detector import Detector, load_detector
from na64mu.detector.elements import Counter
from na64mu.events.reader import read_batch
from na64mu.simulation.contamination import decay_plans, hadron_plans
from na64mu.simulation.events import simulate_events
from na64mu.simulation.geant4.backend import run_geant4
from na64mu.simulation.muon_in_calorimeter import BEAM, DECAY, HADRON, HARD_LOSS, PILE_UP
from na64mu.simulation.pileup import COINCIDENCE, Fired, accidental_triggers, fired
from na64mu.simulation.plans import no_plans
from na64mu.simulation.setup import build_setup
from na64mu.simulation.signal import hard_loss_plans
from na64mu.simulation.truth import Truth
from na64mu.typing import BoolArray, FloatArray

CONSOLE = Console(width=150, markup=False)
PUBLISHED = {1: 4e-4, 2: 7e-4}
HARD = 20.0  # GeV
NAMES = {0: "no loss above 5 GeV", 1: "bremsstrahlung", 2: "pair production", 3: "muon-nuclear", 4: "delta ray"}
S4, S_MU = 3, 4

#: Gates [ns] and what they would be; that of the trigger of 2022 is not published.
GATES = {COINCIDENCE: "the thesis' 3 ns", 10.0: "two pulses of 5 ns", 20.0: "two pulses of 10 ns", 40.0: "two pulses of 20 ns"}

#: Muons on target, and those that fire S4, S_mu in configuration 1 and in configuration 2, with Geant4 11.4.1, FTFP_BERT, cut 0.7 mm, generated data
#: sets and the description na64mu-2022 (this project's geometry; any deposit above the threshold counts).
GEANT4 = (4200, 36, 29, 60)

#: Muons of 160 GeV/c that begin in front of the ECAL over the spot of S0 and S1, those that fire S4, S_mu and both, by configuration; same Geant4.
BEHIND_MS1 = {1: (12_000, 63, 87, 2), 2: (12_000, 73, 167, 4)}

#: The same muons as in GEANT4 with a change of S4 or S_mu: those that fire S4, S_mu in configurations 1 and 2.
SOFT = {
    "as described": GEANT4[1:],
    "S4 10 mm nearer to the beam": (43, 29, 60),
    "S_mu 10 mm nearer to the beam": (36, 33, 72),
    "thresholds of S4 and S_mu halved": (41, 39, 79),
}


def fact(truth: Truth, name: str) -> FloatArray:
    return np.ascontiguousarray(truth.facts[name])


def muons(detector: Detector, config: int, n: int, mode: int, seed: int, prescale: int = 0) -> tuple[int, list[Truth], float]:
    """Muons on target, the events kept, and the weight of one."""
    setup, rng = build_setup(detector, config), np.random.default_rng([seed, config])
    on_target, kept, weight = 0, [], 1.0
    for first in range(0, n, 20_000):
        size = min(20_000, n - first)
        plans = no_plans(size)
        if mode == HARD_LOSS:
            plans, weight = hard_loss_plans(detector, setup, HARD, size, rng)
        elif mode == DECAY:
            plans, weight = decay_plans(detector, setup, size, rng, kaons_only=False)
        elif mode == HADRON:
            plans, weight = hadron_plans(detector, size)
        more, truth = simulate_events(setup, detector, size, mode, plans, prescale, rng)
        on_target += more
        kept.append(truth)
    return on_target, kept, weight


def number(k: float, n: float, weight: float = 1.0) -> str:
    """A rate in 1e-4 with the error of its count."""
    value, error = 1e4 * weight * k / n, 1e4 * weight * np.sqrt(max(k, 1.0)) / n
    return f"{value:.3f} +- {error:.3f}" if error > 1e-3 else f"{value:.1e} +- {error:.0e}"


def by_process(detector: Detector, n: int) -> dict[int, tuple[int, int]]:
    """Physics triggers of beam muons, hadrons and decays."""
    table = Table("cause", "muon at S4", "configuration 1", "configuration 2", title="Physics triggers per 10 000 calibration triggers", title_justify="left")  # fmt: skip
    rows: dict[tuple[str, str], list[str]] = {}
    totals = {}
    for config in (1, 2):
        on_target, kept, _ = muons(detector, config, n, BEAM, 40)
        process, x = (np.concatenate([fact(t, name) for t in kept]) for name in ("process", "x_s4"))
        low, high = detector.counter("S4").x_range(config)
        through = (x > low) & (x < high)
        totals[config] = len(process), on_target
        for code, name in NAMES.items():
            for where, mask in (("inside", through), ("outside", ~through)):
                rows.setdefault((name, where), []).append(number(int(np.sum((process == code) & mask)), on_target))
        rows.setdefault(("beam muons, all", ""), []).append(number(len(process), on_target))
        for name, mode in (("hadrons of the beam", HADRON), ("decays of pions and kaons", DECAY)):
            others, some, weight = muons(detector, config, max(n // 20, 20_000), mode, 41)
            rows.setdefault((name, ""), []).append(number(sum(len(t.facts) for t in some), others, weight))
    for (name, where), cells in rows.items():
        table.add_row(name, where, *cells)
    table.add_row("published", "", *(f"{1e4 * r:.1f}" for r in PUBLISHED.values()))
    CONSOLE.print(table)
    CONSOLE.print(f"configuration 2 / 1: {totals[2][0] / totals[2][1] * totals[1][1] / totals[1][0]:.2f} (published 1.75)")
    return totals


def alone(detector: Detector, n: int, samples: Path | None, geant4: int) -> tuple[Fired, Fired]:
    """How often each counter fires, against Geant4, and what two independent firings make; those of the fast engine."""
    table = Table(
        "muons on target", "n", "S4 fires [%]", "S_mu, configuration 1 [%]", "S_mu, configuration 2 [%]", "S4 x S_mu 1 [1e-4]", "S4 x S_mu 2 [1e-4]",
        title="Counters that fire by themselves", title_justify="left",
    )  # fmt: skip

    def add(name: str, tried: tuple[int, int, int], counts: tuple[int, int, int]) -> None:
        p = [k / m for k, m in zip(counts, tried, strict=True)]
        e = [np.sqrt(max(k, 1.0)) / m for k, m in zip(counts, tried, strict=True)]
        cells = [f"{100 * a:.2f} +- {100 * b:.2f}" for a, b in zip(p, e, strict=True)]
        both = [f"{1e4 * p[0] * p[k]:.2f} +- {1e4 * p[0] * p[k] * np.hypot(e[0] / p[0], e[k] / max(p[k], 1e-9)):.2f}" for k in (1, 2)]
        table.add_row(name, f"{max(tried)}", *cells, *both)

    fast = [fired(build_setup(detector, c), detector, n, BEAM, np.random.default_rng([42, c])) for c in (1, 2)]
    add("fast engine", (fast[0].n + fast[1].n, fast[0].n, fast[1].n), (
        round(fast[0].s4 * fast[0].n + fast[1].s4 * fast[1].n), round(fast[0].s_mu * fast[0].n), round(fast[1].s_mu * fast[1].n),
    ))  # fmt: skip
    total, *counts = GEANT4
    add("Geant4, this geometry (stored)", (total,) * 3, (counts[0], counts[1], counts[2]))
    for config, (tried, s4, s_mu, _) in BEHIND_MS1.items():
        cells = [f"{100 * k / tried:.2f} +- {100 * np.sqrt(k) / tried:.2f}" for k in (s4, s_mu)]
        table.add_row(
            f"Geant4, from the ECAL on, configuration {config} (stored)",
            str(tried),
            cells[0],
            *["" if c != config else cells[1] for c in (1, 2)],
            "",
            "",
        )
    if samples is not None:
        batch, own = read_batch(samples / "calib_mu160.root"), load_detector("g4raw-indep-1")
        c, config = batch.collections["counter"], batch.scalars["config"]
        energy = {k: np.bincount(c.event_index, weights=c["energy"] * (c["id"] == k), minlength=len(batch)) for k in (S4, S_MU)}
        over: dict[int, BoolArray] = {k: energy[k] > own.counter(name).threshold for k, name in ((S4, "S4"), (S_MU, "S_mu"))}
        tried = len(batch), int(np.sum(config == 1)), int(np.sum(config == 2))
        add("Geant4, independent files", tried, (int(over[S4].sum()), *(int(np.sum(over[S_MU] & (config == k))) for k in (1, 2))))
    if geant4:
        found = [run_geant4(detector, c, geant4, 1, 43).truth.counters > build_setup(detector, c).counters.threshold for c in (1, 2)]
        add("Geant4, now", (len(found[0]) + len(found[1]), len(found[0]), len(found[1])), (
            int(found[0][:, S4].sum() + found[1][:, S4].sum()), int(found[0][:, S_MU].sum()), int(found[1][:, S_MU].sum()),
        ))  # fmt: skip
    CONSOLE.print(table)
    return fast[0], fast[1]


def accidental(detector: Detector, n: int, muon: tuple[Fired, Fired]) -> list[list[float]]:
    """Triggers that a muon on target and another particle make together, by gate and configuration."""
    table = Table("", "configuration 1", "configuration 2", title="A muon on target and another particle in the gate, triggers per 10 000 calibration triggers", title_justify="left")  # fmt: skip
    other = [fired(build_setup(detector, c), detector, n, PILE_UP, np.random.default_rng([44, c])) for c in (1, 2)]
    quiet = _beam(detector, halo_fraction=0.0)
    core = [fired(build_setup(quiet, c), quiet, n, PILE_UP, np.random.default_rng([45, c])) for c in (1, 2)]
    for title, found in (("particles of the beam that fire S4 and S_mu but not V1 [1e-4]", other), ("the same without halo [1e-4]", core)):
        table.add_row(title, *(number(f.both * f.n, f.n) for f in found))
    by_gate = []
    for gate, name in GATES.items():
        by_gate.append([accidental_triggers(detector, a, b, gate) for a, b in zip(muon, other, strict=True)])
        table.add_row(f"gate {gate:g} ns ({name})", *(f"{1e4 * v:.3f}" for v in by_gate[-1]))
    CONSOLE.print(table)
    return by_gate


def budget(totals: dict[int, tuple[int, int]], fast: tuple[Fired, Fired], accidents: list[list[float]]) -> None:
    """What the simulation gives, what is known to be missing from it, and the rest."""
    table = Table("", "configuration 1", "configuration 2", "2 / 1", title="Budget, triggers per 10 000 calibration triggers", title_justify="left")  # fmt: skip

    def add(name: str, values: list[float], errors: list[float] | None = None) -> None:
        with_errors = [f" +- {1e4 * e:.2f}" for e in errors] if errors else ["", ""]
        cells = [f"{1e4 * v:.2f}{e}" for v, e in zip(values, with_errors, strict=True)]
        table.add_row(name, *cells, f"{values[1] / values[0]:.2f}" if values[0] > 0.0 else "")

    n, s4, *s_mu = GEANT4
    simulated = [k / m for k, m in totals.values()]
    add("beam muons as simulated", simulated, [np.sqrt(k) / m for k, m in totals.values()])
    theirs = [s4 / n * k / n for k in s_mu]
    their_errors = [v * np.sqrt(1.0 / s4 + 1.0 / k) for v, k in zip(theirs, s_mu, strict=True)]
    ours = [f.s4 * f.s_mu for f in fast]
    our_errors = [v * np.sqrt(1.0 / (f.s4 * f.n) + 1.0 / (f.s_mu * f.n)) for v, f in zip(ours, fast, strict=True)]
    soft, soft_errors = (
        [a - b for a, b in zip(theirs, ours, strict=True)],
        [np.hypot(*e) for e in zip(their_errors, our_errors, strict=True)],
    )
    add("S4 x S_mu of Geant4 less that of the fast engine: soft particles still missing", soft, soft_errors)
    for gate, extra in zip(GATES, accidents, strict=True):
        add(f"accidentals in {gate:g} ns (computed)", extra)
        errors = [np.hypot(np.sqrt(k) / m, e) for (k, m), e in zip(totals.values(), soft_errors, strict=True)]
        add(f"all, with {gate:g} ns", [a + b + c for a, b, c in zip(simulated, soft, extra, strict=True)], errors)
    for config, (m, _, _, both) in BEHIND_MS1.items():
        table.add_row(
            f"Geant4, S4 and S_mu of one muon, {m} muons, configuration {config}", *["" if c != config else number(both, m) for c in (1, 2)]
        )
    add("published", list(PUBLISHED.values()))
    CONSOLE.print(table)


def _beam(detector: Detector, **update: object) -> Detector:
    return detector.model_copy(update={"beam": detector.beam.model_copy(update=update)})


def _counter(detector: Detector, name: str, **update: object) -> Detector:
    def changed(counter: Counter) -> Counter:
        return counter.model_copy(update=update) if counter.name == name else counter

    return detector.model_copy(update={"counters": tuple(changed(c) for c in detector.counters)})


def changes(detector: Detector, n: int) -> None:
    """What is not published, changed: triggers with a loss above HARD in the ECAL, and the product of counters that fire by themselves."""
    s4, s_mu = detector.counter("S4").x[0], detector.counter("S_mu").x
    field = tuple(m.model_copy(update={"field": (m.field[0], 1.1 * m.field[1])}) if m.name == "MS2" else m for m in detector.magnets)
    sweep = {
        "as described": detector,
        "S4 10 mm nearer to the beam": _counter(detector, "S4", x=((s4[0], s4[1] + 10.0),)),
        "S_mu 10 mm nearer to the beam": _counter(detector, "S_mu", x=tuple((a, b + 10.0) for a, b in s_mu)),
        "S_mu 0.5 m further down": _counter(detector, "S_mu", z=detector.counter("S_mu").z + 500.0),
        "thresholds of S4 and S_mu halved": _counter(_counter(detector, "S4", threshold=0.2), "S_mu", threshold=0.2),
        "field of MS2 10 % higher": detector.model_copy(update={"magnets": field}),
        "no halo": _beam(detector, halo_fraction=0.0),
        "beam slopes twice as wide": _beam(detector, sigma_tx=2.0 * detector.beam.sigma_tx, sigma_ty=2.0 * detector.beam.sigma_ty),
    }
    columns = (f"loss > {HARD:g} GeV, 1", f"loss > {HARD:g} GeV, 2", "soft (Geant4), 1", "soft (Geant4), 2")
    table = Table("change", *columns, title="Changes: triggers per 10 000 calibration triggers", title_justify="left")
    for name, changed in sweep.items():
        cells = []
        for config in (1, 2):
            on_target, kept, weight = muons(changed, config, n, HARD_LOSS, 46)
            cells.append(number(sum(len(t.facts) for t in kept), on_target, weight))
        stored = SOFT.get(name)
        soft = [f"{1e4 * stored[0] * k / GEANT4[0] ** 2:.2f}" for k in stored[1:]] if stored else ["", ""]
        table.add_row(name, *cells, *soft)
    CONSOLE.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("samples", nargs="?", type=Path, help="Folder with calib_mu160.root of an independent Geant4 simulation.")
    parser.add_argument("-n", "--muons", type=int, default=1_000_000)
    parser.add_argument("--geant4", type=int, default=0, help="Beam muons to send through Geant4 in each configuration.")
    parser.add_argument("--changes", action="store_true", help="The table of changes too.")
    parser.add_argument("--write", action="store_true", help="Keep the rates for the documentation, and print the first table alone.")
    args = parser.parse_args()
    detector = load_detector("na64mu-2022")
    totals = by_process(detector, args.muons)
    if args.write:
        rates = {f"configuration_{c}": (1e4 * k / m, 1e4 * np.sqrt(k) / m) for c, (k, m) in totals.items()}
        one, two = rates.values()
        ratio = two[0] / one[0]
        rates["ratio"] = (ratio, ratio * float(np.hypot(one[1] / one[0], two[1] / two[0])))
        write_result("trigger_rates", f"physics triggers per 10 000 calibration triggers, {args.muons} beam muons each", rates)
        return
    fast = alone(detector, args.muons // 20, args.samples, args.geant4)
    budget(totals, fast, accidental(detector, args.muons // 20, fast))
    if args.changes:
        changes(detector, args.muons // 20)


if __name__ == "__main__":
    main()
