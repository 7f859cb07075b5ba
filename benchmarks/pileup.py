"""What pile-up costs, and through which window: `python benchmarks/pileup.py [-n MUONS]`.

Every muon on target gets exactly one further particle of the beam, at a time drawn over the record of the MSADC (overlay.py), and goes
through digitisation, reconstruction and the cuts of the Letter. P(t) is the part of the muons that a rule keeps alone and loses with the
other. Its integral over t is the window of the rule; the rate R of the beam times the window W is what is lost, 1 - exp(-R W).
The second table puts the same events through harder rules that an analysis may have. They are not ours and change nothing here.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from overlay import scalars
from results import write_result
from rich.console import Console
from rich.table import Table

from na64mu.calibration.windows import load_calibration
from na64mu.detector import Detector, load_detector
from na64mu.events.batch import RawBatch
from na64mu.reconstruction.hits import find_hits, station_hits
from na64mu.reconstruction.summary import reconstruct
from na64mu.selections.cuts import within
from na64mu.simulation.digits import digitise
from na64mu.simulation.events import simulate_events
from na64mu.simulation.muon_in_calorimeter import BEAM
from na64mu.simulation.pileup import WINDOW, lay_over
from na64mu.simulation.plans import no_plans
from na64mu.simulation.readout import Readout, build_readout
from na64mu.simulation.setup import build_setup
from na64mu.simulation.truth import PileUp, Truth, no_pile_up
from na64mu.typing import BoolArray, FloatArray, Summary

CONSOLE = Console(width=150, markup=False)
STATIONS = ("mm5", "mm6", "mm7", "st1")
BATCH = 2000
PUBLISHED = 0.13


class Sample(NamedTuple):
    """Muons on target alone and with one further particle each, and its times [ns]."""

    alone: Summary
    crowd: Summary
    times: FloatArray


def _summary(readout: Readout, detector: Detector, truth: Truth, pile: PileUp, rng: np.random.Generator) -> Summary:
    """The summary, with the hits of cut (iii) whatever their APV samples say: `all_...`."""
    batch = RawBatch(scalars(len(truth.facts)), digitise(truth, readout, rng, pile))
    found = find_hits(batch, detector)
    mm = found.found["mm"]
    always = station_hits(replace(found, found=found.found | {"mm": mm._replace(in_time=np.ones(len(mm.in_time), dtype=np.bool_))}))
    return reconstruct(batch, detector) | {f"all_{s}": always[s] for s in STATIONS}


def sample(detector: Detector, n: int, seed: int) -> Sample:
    setup, readout, rng = build_setup(detector, 1), build_readout(detector), np.random.default_rng(seed)
    alone: list[Summary] = []
    crowd: list[Summary] = []
    times: list[FloatArray] = []
    while sum(map(len, times)) < n:
        _, truth = simulate_events(setup, detector, BATCH, BEAM, no_plans(BATCH), 1, rng)
        times.append(WINDOW * (2.0 * rng.random(len(truth.facts)) - 1.0))
        alone.append(_summary(readout, detector, truth, no_pile_up(truth), rng))
        pile = lay_over(setup, detector, truth, np.ones(len(times[-1]), dtype=np.int64), times[-1], rng)
        crowd.append(_summary(readout, detector, truth, pile, rng))
    joined = [{name: np.concatenate([part[name] for part in parts]) for name in parts[0]} for parts in (alone, crowd)]
    return Sample(joined[0], joined[1], np.concatenate(times))


def rules(t: Summary, windows: dict[str, tuple[float, float]], mode: dict[str, float]) -> dict[str, BoolArray]:
    """What an event passes: our rules, then harder ones."""
    ours = {
        "(i) p_in": np.abs(t["p_in"] - 160.0) <= 20.0,
        "(ii) one track in MS1": t["n_tracks_ms1"] == 1,
        "(ii) one track in MS2": t["n_tracks_ms2"] == 1,
        "(iii) <= 1 hit in MM5-7, ST1": np.all([t[f"n_hits_{s}"] <= 1 for s in STATIONS], axis=0),
        "(iii) MIP in the HCAL cell": within(t["e_hcal_cell"], windows["e_hcal_cell"]),
    } | {f"(iv) {name}": within(t[name], windows[name]) for name in ("e_ecal", "e_veto", "e_vhcal", "e_hcal1", "e_hcal2")}
    ours["(i) to (iv)"] = np.all(list(ours.values()), axis=0)
    everything = ours["(i) to (iv)"]
    record = {name: t[name] + t[f"{name}_out_of_time"] for name in ("e_ecal", "e_veto", "e_vhcal")}
    record_hcal = t["e_hcal1"] + t["e_hcal2"] + t["e_hcal_out_of_time"]
    hcal_high = windows["e_hcal1"][1] + windows["e_hcal2"][1]
    harder = {
        "hits in MM5-7 whatever their APV samples": np.all([t[f"all_{s}"] <= 1 for s in STATIONS], axis=0),
        "MIP windows on sums over the record (400 ns)": np.all([within(e, windows[n]) for n, e in record.items()], axis=0)
        & (record_hcal <= hcal_high),
        "VETO: nothing above MIP / 3 out of time": t["e_veto_out_of_time"] < mode["e_veto"] / 3.0,
        "HCAL: nothing above MIP / 3 out of time": t["e_hcal_out_of_time"] < mode["e_hcal1"] / 3.0,
        "ECAL, VETO, HCAL1, HCAL2 below 1.5 MIP in time": np.all(
            [t[n] < 1.5 * mode[n] for n in ("e_ecal", "e_veto", "e_hcal1", "e_hcal2")], axis=0
        ),
    }
    return (
        ours
        | {name: everything & mask for name, mask in harder.items()}
        | {"all of these": everything & np.all(list(harder.values()), axis=0)}
    )


#: Rules whose losses are kept for the documentation -> how they are called there.
NAMES = {"(i) to (iv)": "cuts", "hits in MM5-7 whatever their APV samples": "any_sample"}


def lost(alone: BoolArray, crowd: BoolArray) -> tuple[float, float]:
    """1 - efficiency with / efficiency without, and its error; the two samples share their muons."""
    a, c, n = float(alone.mean()), float(crowd.mean()), len(alone)
    return 1.0 - c / a, float(np.sqrt(max(c * (1.0 - c), 1.0 / n) / n) / a)


def show(s: Sample, detector: Detector) -> None:
    calibration = load_calibration("na64mu-2022")
    windows, mode = calibration.windows, {name: peak.mode for name, peak in calibration.mip.items()}
    alone, crowd = rules(s.alone, windows, mode), rules(s.crowd, windows, mode)
    rate = detector.beam.muons_per_spill / detector.beam.spill_length * 1e-9
    setup, rng = build_setup(detector, 1), np.random.default_rng(2)
    on_target = simulate_events(setup, detector, 10_000, BEAM, no_plans(10_000), 0, rng)[0] / 10_000
    bins = ((-200, -100), (-100, -25), (-25, 25), (25, 100), (100, 200))
    table = Table(
        "kept alone, lost with one further particle at t [ns]", "alone", *(f"{a}, {b}" for a, b in bins), "W [ns]", "lost", "lost *",
        title=f"{len(s.times)} muons on target; {1e6 * rate:.0f} further particles per ms; all but W in %", title_justify="left",
    )  # fmt: skip
    for name in alone:
        in_bins = [(s.times >= a) & (s.times < b) for a, b in bins]
        cells = [f"{100 * lost(alone[name][m], crowd[name][m])[0]:.1f}" for m in in_bins]
        loss, error = lost(alone[name], crowd[name])
        w, dw = 2.0 * WINDOW * loss, 2.0 * WINDOW * error
        losses = [f"{100 * (1.0 - np.exp(-r * w)):.1f} +- {100 * r * dw:.1f}" for r in (rate, rate / on_target)]
        table.add_row(name, f"{100 * alone[name].mean():.1f}", *cells, f"{w:.0f} +- {dw:.0f}", *losses)
        if name == "(i) to (iv)":
            table.add_section()
    CONSOLE.print(table)
    needed = -np.log1p(-PUBLISHED)
    CONSOLE.print(
        f"* if the 2.8e6 muons per spill are those on target: of the beam {100 * on_target:.1f} % meet S0*S1*!V1. The published {100 * PUBLISHED:.0f} % need W = {needed / rate:.0f} ns if 2.8e6 muons "
        f"per {detector.beam.spill_length:g} s are the whole beam, {needed / rate * on_target:.0f} ns if they are on target"
    )


def assumptions(s: Sample, detector: Detector) -> dict[str, tuple[float, float]]:
    """What is lost with each assumption about the beam and about what an analysis refuses, and which of them gives the published number.

    Returned are the losses [%] of the cuts, and without the rule on the APV samples, for 2.8e6 muons in the beam and on target.
    """
    calibration = load_calibration("na64mu-2022")
    windows, mode = calibration.windows, {name: peak.mode for name, peak in calibration.mip.items()}
    alone, crowd = rules(s.alone, windows, mode), rules(s.crowd, windows, mode)
    b = detector.beam
    rate = b.muons_per_spill / b.spill_length * 1e-9
    setup, rng = build_setup(detector, 1), np.random.default_rng(2)
    on_target = simulate_events(setup, detector, 10_000, BEAM, no_plans(10_000), 0, rng)[0] / 10_000
    intensities = {
        f"2.8e6 in the whole beam, even over {b.spill_length:g} s (taken here; published number, thesis' length)": rate,
        f"2.8e6 on target: {1 / on_target:.2f} times as many in the beam (which of the two is not published)": rate / on_target,
        "the same in half of the time (inferred: ripple of a slow extraction, not published)": 2.0 * rate / on_target,
    }
    refusals = {
        "cuts (i) to (iv), each detector in its own window (taken here)": "(i) to (iv)",
        "hits in MM5-7 whatever their APV samples (the Letter does not say how it uses them)": "hits in MM5-7 whatever their APV samples",
        "MIP windows on sums over the record of 400 ns (thesis: hits out of time are left out)": "MIP windows on sums over the record (400 ns)",
        "both, and no VETO or HCAL signal out of time": "all of these",
    }
    columns = [f"{1e3 * r:.2f} per us" for r in intensities.values()]
    table = Table(
        "refused",
        "window W [ns]",
        *columns,
        "per us for 13 %",
        title="Lost to pile-up by assumption [%]; published 13 %",
        title_justify="left",
    )
    kept = {}
    for text, name in refusals.items():
        loss, error = lost(alone[name], crowd[name])
        w, dw = 2.0 * WINDOW * loss, 2.0 * WINDOW * error
        cells = [f"{100 * (1.0 - np.exp(-r * w)):.1f} +- {100 * r * dw:.1f}" for r in intensities.values()]
        for where, r in (("in_beam", rate), ("on_target", rate / on_target)):
            kept[f"{NAMES.get(name, name)}_{where}"] = (100 * (1.0 - float(np.exp(-r * w))), 100 * r * dw)
        table.add_row(text, f"{w:.0f} +- {dw:.0f}", *cells, f"{-1e3 * np.log1p(-PUBLISHED) / w:.2f}" if w > 0.0 else "")
    CONSOLE.print(table)
    for column, text in zip(columns, intensities, strict=True):
        CONSOLE.print(f"{column}: {text}")
    return {key: value for key, value in kept.items() if key.startswith(tuple(NAMES.values()))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", "--muons", type=int, default=6000)
    parser.add_argument("--write", action="store_true", help="Keep the losses for the documentation.")
    args = parser.parse_args()
    detector = load_detector("na64mu-2022")
    events = sample(detector, args.muons, 3)
    show(events, detector)
    found = assumptions(events, detector)
    if args.write:
        write_result("pile_up", f"per cent of the muons lost to pile-up by the cuts, {args.muons} muons", found)


if __name__ == "__main__":
    main()
