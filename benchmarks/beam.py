"""The beam beside what is published of it: `python benchmarks/beam.py [-n MUONS]`.

Widths at the beam momentum stations and at the target, momentum as reconstructed, where the beam crosses S4, hadrons, spill.
"""

from __future__ import annotations

import argparse

import numpy as np
from overlay import scalars
from rich.console import Console
from rich.table import Table

from na64mu.detector import Detector, load_detector
from na64mu.events.batch import RawBatch
from na64mu.reconstruction.summary import reconstruct
from na64mu.simulation.beam import beam_spot, carry_back, sample_beam
from na64mu.simulation.digits import digitise
from na64mu.simulation.events import simulate_events
from na64mu.simulation.muon_in_calorimeter import BEAM
from na64mu.simulation.particles import STATE, copy_state
from na64mu.simulation.pileup import mean_pile_up
from na64mu.simulation.plans import no_plans
from na64mu.simulation.readout import build_readout
from na64mu.simulation.setup import build_setup
from na64mu.simulation.transport import drift
from na64mu.typing import RecordArray

CONSOLE = Console(width=150, markup=False)
Row = tuple[str, str, str]


def states(detector: Detector, n: int, rng: np.random.Generator) -> tuple[RecordArray, RecordArray]:
    """Beam muons without interactions at z = 0 and at the start of the line: states, shape (n,)."""
    spot, line = beam_spot(detector), build_setup(detector, 1).line
    at_target, upstream = np.empty(n, STATE), np.empty(n, STATE)
    for i in range(n):
        sample_beam(spot, at_target[i], rng)
        copy_state(at_target[i], upstream[i])
        carry_back(line, upstream[i], spot.charge)
    return at_target, upstream


def optics(detector: Detector, n: int, rng: np.random.Generator) -> list[Row]:
    setup = build_setup(detector, 1)
    core = detector.model_copy(update={"beam": detector.beam.model_copy(update={"halo_fraction": 0.0})})
    target, first = states(core, n, rng)
    last = target.copy()
    for state in first:
        drift(state, detector.bms[0].z - float(setup.line.z_in[0]))
    (z4,) = (b.z for b in detector.bms if b.station == 4)
    for state in last:
        drift(state, z4)
    slope, y = np.std(first["ty"]), np.std(first["y"])
    correlation = np.corrcoef(first["ty"], first["p"])[0, 1]
    aims = np.all([np.hypot(target["x"] + target["tx"] * c.z, target["y"] + target["ty"] * c.z) < c.radius for c in detector.counters if c.shape == "disc"], axis=0)  # fmt: skip
    return [
        ("width at the ECAL, x and y [mm]", f'{target["x"].std():.1f}, {target["y"].std():.1f}', "9, 19 (Letter)"),
        ("the same of muons through S0 and S1", f'{target["x"][aims].std():.1f}, {target["y"][aims].std():.1f}', ""),
        ("slope at the ECAL, x and y [mrad]", f'{1e3 * target["tx"].std():.2f}, {1e3 * target["ty"].std():.2f}', "0.4, 0.8 for a spot of 8 mm (COMPASS)"),
        ("BMS1: y [mm], slope in y [mrad]", f"{y:.1f}, {1e3 * slope:.2f}", "52.2, 2.07 (COMPASS optics, CORAL)"),
        ("BMS4: y [mm], slope in y [mrad]", f'{last["y"].std():.1f}, {1e3 * last["ty"].std():.2f}', "66.5, 3.38 (COMPASS optics, CORAL)"),
        ("correlation of slope and momentum at BMS1", f"{correlation:.2f}", ""),
        ("mean of 1/p [c/GeV] ", f'{np.mean(1.0 / target["p"]):.5f}', "0.00627 (CORAL, sample of 160 GeV)"),
    ]  # fmt: skip


def reconstructed(detector: Detector, n: int, rng: np.random.Generator) -> list[Row]:
    setup, readout = build_setup(detector, 1), build_readout(detector)
    on_target, truth = simulate_events(setup, detector, n, BEAM, no_plans(n), 1, rng)
    t = reconstruct(RawBatch(scalars(len(truth.facts)), digitise(truth, readout, rng)), detector)
    p_in, p_out, x_s4 = (truth.facts[name] for name in ("p_in", "p_out", "x_s4"))
    clean = (p_in - p_out < 5.0) & (p_out > 0.0) & (t["n_tracks_ms1"] == 1) & (t["n_tracks_ms2"] == 1)
    widths = [np.std(t[name][clean & (np.abs(t[name] - 160.0) < 25.0)]) / 1.6 for name in ("p_in", "p_out")]
    at_160 = clean & (np.abs(t["p_out"] - 160.0) < 20.0)
    error = t["x_s4"][at_160].std() / np.sqrt(at_160.sum())
    return [
        ("muons of the beam that meet S0*S1*!V1", f"{100 * on_target / n:.1f} %", ""),
        ("p_in as reconstructed, rms / 160", f"{widths[0]:.2f} +- {widths[0] / np.sqrt(2 * clean.sum()):.2f} %", "3.8 % (Letter)"),
        (
            "p_out of muons that only ionise, rms / 160",
            f"{widths[1]:.2f} +- {widths[1] / np.sqrt(2 * clean.sum()):.2f} %",
            "4.4 % (Letter)",
        ),
        ("true p_in, rms / 160", f"{p_in[clean].std() / 1.6:.2f} %", ""),
        ("mean x at S4, |p_out - 160| < 20 [mm]", f"{t['x_s4'][at_160].mean():.2f} +- {error:.2f}", "-12.0 (Letter)"),
        ("true mean x at S4 of the same muons [mm]", f"{x_s4[at_160].mean():.2f}", ""),
    ]


def spill(detector: Detector) -> list[Row]:
    b = detector.beam
    return [
        ("muons per spill; spill [s]", f"{b.muons_per_spill:.2g}; {b.spill_length:g}", "2.8e6 (Letter); 4.8 (thesis)"),
        ("structure within the spill", "flat", "not published; slow extraction is never quite flat"),
        ("further particles in the record of 400 ns", f"{mean_pile_up(detector):.3f}", ""),
        ("hadrons per muon", f"{b.hadron_fraction:.0e}", "5e-5 (Letter, quoting Doble et al.)"),
        ("pions, kaons, protons among them", ", ".join(f"{f:g}" for f in b.hadron_species), "not published for this beam"),
        ("halo", f"{b.halo_fraction:.2f} of all", "16 % within 15 cm of the COMPASS beam"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", "--muons", type=int, default=10_000)
    args = parser.parse_args()
    detector, rng = load_detector("na64mu-2022"), np.random.default_rng(7)
    table = Table("quantity", "simulation", "published", title="The beam", title_justify="left")
    for part in (optics(detector, args.muons, rng), reconstructed(detector, args.muons, rng), spill(detector)):
        for row in part:
            table.add_row(*row)
        table.add_section()
    CONSOLE.print(table)


if __name__ == "__main__":
    main()
