"""Widths and tails of both spectrometers on simulated files, through the whole reconstruction: `python benchmarks/samples.py FILES...`.

Prints the width beside error propagation (telescope.gls_sigma) for the set-up of the file, the pull, and the tails before and after the
protections that the event summary allows; then every muon whose momentum in MS2 is off by more than 25 %.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.stats import chi2
from telescope import gls_sigma

from na64mu.detector import load_detector
from na64mu.events.reader import read_batch, read_runs
from na64mu.reconstruction.summary import reconstruct
from na64mu.tracking.spectrometer import spectrometer
from na64mu.typing import BoolArray, FloatArray, Summary

OFF = 0.25


def core(values: FloatArray) -> float:
    """Half of the central 68.27 %."""
    low, high = np.percentile(values, [15.865, 84.135])
    return float(high - low) / 2.0


def protections(summary: Summary, number: int, side: str) -> dict[str, BoolArray]:
    """Events kept, each protection on top of those before it."""
    kept = {"a track": np.asarray(summary[f"n_tracks_ms{number}"] >= 1)}
    kept["exactly one"] = summary[f"n_tracks_ms{number}"] == 1
    ndf = np.maximum(summary[f"ndf_ms{number}"], 1)
    kept["and P(chi2) > 1e-3"] = kept["exactly one"] & (chi2.sf(summary[f"chi2_ms{number}"], ndf) > 1e-3)
    error = summary[f"p_{side}_error"] / summary[f"p_{side}"] ** 2 * 160.0
    kept["and sigma(q/p) < 5 % of 1/160"] = kept["and P(chi2) > 1e-3"] & (error < 0.05)
    return kept


def rows(summary: Summary, number: int, propagated: float) -> list[tuple[str, ...]]:
    """Width, pull and tails of one spectrometer after every protection."""
    side = {1: "in", 2: "out"}[number]
    truth = summary[f"mc_p_{side}"].astype(np.float64)
    out = []
    for name, kept in protections(summary, number, side).items():
        some = kept & (truth > 5.0)
        ratio = truth[some] / summary[f"p_{side}"][some] - 1.0  # of q/p, which is Gaussian
        pull = (1.0 / summary[f"p_{side}"][some] - 1.0 / truth[some]) * summary[f"p_{side}"][some] ** 2 / summary[f"p_{side}_error"][some]
        high = truth[some] > 140.0
        low = high & (summary[f"p_{side}"][some] < 80.0)
        out.append((
            f"MS{number}", name, f"{int(some.sum())}", f"{100 * core(ratio[high]):.3f}" if high.sum() > 50 else "", f"{100 * propagated:.3f}", f"{core(pull):.3f}",
            f"{np.mean(np.abs(pull) > 5.0):.5f}", f"{int((np.abs(ratio) > OFF).sum())}", f"{int(low.sum())} of {int(high.sum())}",
        ))  # fmt: skip
    return out


def main(files: list[str]) -> None:
    """Print the tables of every file."""
    console = Console(width=180)
    for name in files:
        path = Path(name)
        detector = load_detector(read_runs(path)[0]["detector"])
        summary = reconstruct(read_batch(path), detector)
        table = Table(
            "", "kept", "events", "width of q/p at > 140 GeV/c, %", "propagated at 160, %", "pull", "|pull| > 5", f"off by > {OFF:.0%}",
            "below 80 GeV/c of > 140", title=f"{path.name}, {detector.tag}",
        )  # fmt: skip
        for number in (1, 2):
            for row in rows(summary, number, 160.0 * float(gls_sigma(spectrometer(detector, number), 160.0)[4])):
                table.add_row(*row)
        console.print(table)
        truth = np.maximum(summary["mc_p_out"].astype(np.float64), 1e-3)
        with np.errstate(invalid="ignore", divide="ignore"):
            wrong = np.flatnonzero((summary["n_tracks_ms2"] >= 1) & (truth > 5.0) & (np.abs(truth / summary["p_out"] - 1.0) > OFF))
        worst = Table(
            "event", "p_out", "true", "sigma(p)/p %", "chi2 / ndf", "tracks in MS2", "hits in MS2", title="momentum in MS2 off by > 25 %"
        )
        stations = [
            k
            for k in summary
            if k.startswith("n_hits_") and k.removeprefix("n_hits_") in {p.station for p in spectrometer(detector, 2).planes}
        ]
        for i in wrong[:15]:
            hits = " ".join(f"{k.removeprefix('n_hits_')}:{summary[k][i]}" for k in stations)
            worst.add_row(
                str(summary["event"][i]), f"{summary['p_out'][i]:.1f}", f"{truth[i]:.1f}", f"{100 * summary['p_out_error'][i] / summary['p_out'][i]:.1f}",
                f"{summary['chi2_ms2'][i]:.1f} / {summary['ndf_ms2'][i]}", str(summary["n_tracks_ms2"][i]), hits,
            )  # fmt: skip
        console.print(worst)


if __name__ == "__main__":
    main(sys.argv[1:])
