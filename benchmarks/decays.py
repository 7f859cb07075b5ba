"""Background (II) stage by stage: `python benchmarks/decays.py [-n KAONS]`.

Kaons of the beam that decay to a muon between the start of the line and the ECAL, for the muons on target of the Letter: how many there
are, where they decay, and what trigger and cuts leave. Beside it the same from numbers alone: a toy of the last stretch that shares no
code with the simulation (two-body decay, Highland's angle in the ECAL, kick of MS2, edges of the counters), and the product of kaon
fraction, path and acceptance that the Letter's 0.010 events stand for.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from results import write_result
from rich.console import Console
from rich.table import Table

from na64mu.analysis.backgrounds.decays import KAON, expected_decays, fraction_below
from na64mu.calibration.windows import load_calibration
from na64mu.detector import Detector, load_detector
from na64mu.events.reader import read_batch
from na64mu.reconstruction.summary import reconstruct
from na64mu.selections.cuts import in_box
from na64mu.selections.working_point import load_working_point
from na64mu.simulation.produce import produce
from na64mu.simulation.setup import build_setup
from na64mu.typing import BoolArray, FloatArray, Summary

CONSOLE = Console(width=150, markup=False)
ON_TARGET = {1: 11.7e9, 2: 8.1e9}
PUBLISHED = 0.010


def stages(t: Summary, windows: dict[str, tuple[float, float]]) -> dict[str, BoolArray]:
    """Masks of trigger and cuts, each with all before it; the box comes before the cuts that need calibrations."""
    point = load_working_point("prl2024")
    masks = {cut.label: np.asarray(cut(t)) for cut in point.bind(windows)}
    labels = list(masks)
    order = {labels[0]: masks[labels[0]], labels[1]: masks[labels[1]], labels[2]: masks[labels[2]]}
    order |= {"box: p_out <= 80, E_CAL < 12": in_box(t, point.box)} | {name: masks[name] for name in labels[3:]}
    kept, out = np.ones(len(t["p_in"]), dtype=np.bool_), {}
    for name, mask in order.items():
        kept = kept & mask
        out[name] = kept
    return out


def toy_acceptance(detector: Detector, config: int, begin: float, end: float, n: int, rng: np.random.Generator) -> float:
    """Part of the decays K -> mu nu in a stretch with p_mu <= 80 GeV/c whose muon points at S4 and S_mu; lengths mm."""
    b, mass, muon = detector.beam, KAON.mass, 0.1056583755
    p = b.momentum_mean * (1.0 + b.momentum_spread * rng.standard_normal(n))
    star = (mass**2 - muon**2) / (2.0 * mass)
    cosine, phi = rng.uniform(-1.0, 1.0, n), rng.uniform(0.0, 2.0 * np.pi, n)
    along = (np.hypot(p, mass) * star * cosine + p * np.hypot(star, muon)) / mass
    across = star * np.sqrt(1.0 - cosine**2)
    z, slopes = rng.uniform(begin, end, n), rng.normal(0.0, (b.sigma_tx, b.sigma_ty), (n, 2))
    at = rng.normal(0.0, (b.sigma_x, b.sigma_y), (n, 2))
    inside = np.hypot(*at.T) < detector.counter("S0").radius  # the slopes move it by less than a millimetre
    at += slopes * z[:, None]
    slopes += (across / along)[:, None] * np.column_stack([np.cos(phi), np.sin(phi)])

    def fly(to: float, start: FloatArray | float) -> None:
        at[:] += slopes * (to - np.broadcast_to(start, n))[:, None]

    for name in ("S0", "S1"):
        counter = detector.counter(name)
        before = z < counter.z
        where = at + slopes * (counter.z - z)[:, None]
        inside &= ~before | (np.hypot(*where.T) < counter.radius)
    middle = detector.ecal.z + 0.5 * detector.ecal.length
    fly(middle, z)
    depth = sum(detector.ecal.layers) * detector.ecal.lead / 5.612  # radiation lengths of lead
    slopes += rng.standard_normal((n, 2)) * (0.0136 / along * np.sqrt(depth) * (1.0 + 0.038 * np.log(depth)))[:, None]
    (magnet,) = (m for m in detector.magnets if m.spectrometer == 2)
    fly(magnet.z, middle)
    inside &= (np.abs(at[:, 0]) < magnet.half_aperture[0]) & (np.abs(at[:, 1]) < magnet.half_aperture[1])
    slopes[:, 0] += 0.299792458e-3 * magnet.signed_field[1] * magnet.length / along
    here = magnet.z
    for name in ("S4", "S_mu"):
        counter = detector.counter(name)
        fly(counter.z, here)
        here = counter.z
        low, high = counter.x_range(config)
        inside &= (at[:, 0] > low) & (at[:, 0] < high) & (at[:, 1] > counter.y[0]) & (at[:, 1] < counter.y[1])
    soft = np.hypot(along, across) <= 80.0
    aimed = np.hypot(*rng.normal(0.0, (b.sigma_x, b.sigma_y), (n, 2)).T) < detector.counter("S0").radius
    return float(np.mean(inside & soft) / (np.mean(soft) * np.mean(aimed)))


def simulated(detector: Detector, n: int) -> dict[str, tuple[float, float]]:
    windows = load_calibration(detector.tag).windows
    mm4 = max(m.z for m in detector.micromegas if m.spectrometer == 1)
    bend = max(m.z_range[1] for m in detector.magnets if m.spectrometer == 1)
    setup = build_setup(detector, 1)
    ranges = ((float(setup.line.z_in[0]), bend), (bend, mm4), (mm4, detector.ecal.z))
    names = ("before the end of MS1", "MS1 to MM4", "MM4 to the ECAL")
    length = KAON.decay_length(detector.beam.momentum_mean) * 1e3
    kaons = sum(ON_TARGET.values()) * detector.beam.hadron_fraction * detector.beam.hadron_species[1]
    table = Table("stage", *names, "all", title="Decays of kaons to a muon, events in 1.98e10 muons on target", title_justify="left")
    table.add_row("path [m]", *(f"{1e-3 * (b - a):.2f}" for a, b in ranges), f"{1e-3 * (ranges[2][1] - ranges[0][0]):.2f}")
    soft = KAON.branching_ratio * fraction_below(KAON, detector.beam.momentum_mean, 80.0)
    for title, factor in (("kaons that decay", 1.0), ("K -> mu nu with p_mu <= 80 GeV/c", soft)):
        numbers = [kaons * factor * (1.0 - np.exp(-(b - a) / length)) for a, b in ranges]
        table.add_row(title, *(f"{v:.1f}" for v in numbers), f"{sum(numbers):.1f}")
    rows: dict[str, list[FloatArray]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for config, on_target in ON_TARGET.items():
            path = Path(folder) / "kaons.root"
            row = produce(path, detector, "kaon", n, config, 80 + config, prescale_calibration=0)
            t = reconstruct(read_batch(path), detector)
            weight = t["mc_weight"] * on_target / row["n_mot"]
            edges = np.array([ranges[0][0], bend, mm4, detector.ecal.z + 1.0])
            for name, mask in stages(t, windows).items():
                here = [np.histogram(t["mc_vertex_z"][mask], edges, weights=w[mask])[0] for w in (weight, weight**2)]
                rows[name] = [*rows.get(name, []), np.array(here)]
    for name, found in rows.items():
        values, squares = np.sum(found, axis=0)
        cells = [f"{v:.3f} +- {np.sqrt(s):.3f}" for v, s in zip(values, squares, strict=True)]
        table.add_row(name, *cells, f"{values.sum():.3f} +- {np.sqrt(squares.sum()):.3f}")
    CONSOLE.print(table)
    values, squares = np.sum(list(rows.values())[-1], axis=0)
    CONSOLE.print(f"of {kaons:.0f} kaons (P_h {detector.beam.hadron_fraction:g}, kaons {detector.beam.hadron_species[1]:g} of the hadrons)")
    return {"all_cuts": (float(values.sum()), float(np.sqrt(squares.sum())))}


def from_numbers(detector: Detector) -> None:
    rng = np.random.default_rng(6)
    mm4 = max(m.z for m in detector.micromegas if m.spectrometer == 1)
    path = 1e-3 * (detector.ecal.z - mm4)
    table = Table("configuration", "A of the toy", "events", "f_K x path x A [m]", title="The stretch from MM4 to the ECAL from numbers alone", title_justify="left")  # fmt: skip
    total, product = 0.0, 0.0
    for config, on_target in ON_TARGET.items():
        a = toy_acceptance(detector, config, mm4, detector.ecal.z, 2_000_000, rng)
        kaons = detector.beam.hadron_species[1]
        events = expected_decays(KAON, n_mot=on_target, fraction=kaons, length=path, acceptance=a, momentum=detector.beam.momentum_mean)
        total, product = total + events, product + kaons * path * a * on_target / sum(ON_TARGET.values())
        table.add_row(f"{config}", f"{a:.3f}", f"{events:.3f}", f"{kaons * path * a:.2e}")
    table.add_row("both", "", f"{total:.3f}", f"{product:.2e}")
    per_metre = expected_decays(KAON, n_mot=sum(ON_TARGET.values()), fraction=1.0, length=1.0, acceptance=1.0)
    table.add_row("the Letter", "", f"{PUBLISHED:.3f}", f"{PUBLISHED / per_metre:.2e}")
    CONSOLE.print(table)
    CONSOLE.print(
        "with this path and acceptance the Letter needs "
        f"f_K = {detector.beam.hadron_species[1] * PUBLISHED / total:.1e} of the hadrons instead of {detector.beam.hadron_species[1]:g}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", "--kaons", type=int, default=200_000)
    parser.add_argument("--write", action="store_true", help="Keep the events after all cuts for the documentation.")
    args = parser.parse_args()
    detector = load_detector("na64mu-2022")
    from_numbers(detector)
    found = simulated(detector, args.kaons)
    if args.write:
        write_result("kaons", f"kaons that decay in flight, events after all cuts for 1.98e10 muons on target, {args.kaons} kaons", found)


if __name__ == "__main__":
    main()
