"""Reconstruction against the truth of simulated files: `python benchmarks/closure.py FILES...`.

Prints one table per file: momenta (bias, width, pull, tail), the beam at S4, and the energies of minimum ionising muons.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from na64mu.detector import load_detector
from na64mu.events.reader import read_batch, read_runs
from na64mu.reconstruction.summary import reconstruct
from na64mu.typing import FloatArray, Summary

TAIL = 0.25  # relative deviation that counts as tail
WINDOW = 25.0  # GeV/c around 160 for the widths of the beam


def core(values: FloatArray) -> tuple[float, float]:
    """Median and half of the central 68.27 %."""
    low, middle, high = np.percentile(values, [15.865, 50.0, 84.135])
    return float(middle), float(high - low) / 2.0


def momentum_rows(summary: Summary) -> list[tuple[str, ...]]:
    """Rows of a table: both spectrometers against the truth, single tracks."""
    rows = []
    for number, side in ((1, "in"), (2, "out")):
        p, truth = summary[f"p_{side}"], summary[f"mc_p_{side}"].astype(np.float64)
        n = summary[f"n_tracks_ms{number}"]
        exists = truth > 1.0
        single = exists & (n == 1)
        ratio = p[single] / truth[single] - 1.0
        pull = (1.0 / p[single] - 1.0 / truth[single]) * p[single] ** 2 / summary[f"p_{side}_error"][single]
        (bias, sigma), (_, pull_width) = core(ratio), core(pull)
        rows.append((f"tracks in MS{number}: 0 / 1 / more", " / ".join(f"{np.mean(c):.4f}" for c in (n == 0, n == 1, n > 1))))
        rows.append((f"p_{side} / p_true - 1: median, width", f"{100 * bias:+.3f} %, {100 * sigma:.3f} %"))
        rows.append((f"q/p pull width, |p_{side}/p_true - 1| > {TAIL:.0%}", f"{pull_width:.3f}, {np.mean(np.abs(ratio) > TAIL):.5f}"))
        chi2 = summary[f"chi2_ms{number}"][single].sum() / summary[f"ndf_ms{number}"][single].sum()
        rows.append((f"chi2 / ndf MS{number}", f"{chi2:.3f}"))
    return rows


def beam_rows(summary: Summary) -> list[tuple[str, ...]]:
    """Rows of a table: widths of the momentum peaks of MIP muons and position at S4."""
    mip = (summary["n_tracks_ms1"] == 1) & (summary["n_tracks_ms2"] == 1)
    for name in ("e_ecal", "e_veto", "e_hcal1", "e_hcal2"):
        middle = np.median(summary[name])
        mip &= (summary[name] > 0.5 * middle) & (summary[name] < 2.0 * middle)
    rows = []
    for name in ("p_in", "p_out"):
        values = summary[name][mip]
        values = values[np.abs(values - 160.0) < WINDOW]
        if len(values) > 100:
            _, sigma = core(values)
            rows.append(
                (
                    f"{name} of MIP muons: mean, rms / 160, core / 160",
                    f"{values.mean():.2f} GeV/c, {values.std() / 1.6:.2f} %, {sigma / 1.6:.2f} %",
                )
            )
    beam = mip & (np.abs(summary["p_out"] - 160.0) < 20.0)
    if beam.sum() > 100:
        x = summary["x_s4"][beam]
        rows.append(("mean x at S4 of 160 GeV/c muons (published -12.0 mm)", f"{x.mean():.2f} +- {x.std() / np.sqrt(len(x)):.2f} mm"))
    return rows


def energy_rows(summary: Summary) -> list[tuple[str, ...]]:
    """Rows of a table: half-sample mode and median of the energies of events with one track on each side."""
    single = (summary["n_tracks_ms1"] == 1) & (summary["n_tracks_ms2"] == 1)
    rows = []
    for name, unit in (
        ("e_ecal", "GeV"),
        ("e_preshower", "GeV"),
        ("e_veto", "MeV"),
        ("e_hcal1", "GeV"),
        ("e_hcal2", "GeV"),
        ("e_cal", "GeV"),
    ):
        values = np.sort(summary[name][single])
        while len(values) > 20:  # half-sample mode: the densest half, again and again
            half = len(values) // 2
            start = int(np.argmin(values[half:] - values[: len(values) - half]))
            values = values[start : start + half + 1]
        rows.append((f"{name}: mode, median", f"{values.mean():.3f}, {np.median(summary[name][single]):.3f} {unit}"))
    empty = np.mean(summary["e_vhcal"][single] == 0.0)
    rows.append(("e_vhcal: events without energy (beam in the hole)", f"{empty:.4f}"))
    return rows


def main(files: list[str]) -> None:
    """Print the table of every file."""
    console = Console()
    for name in files:
        path = Path(name)
        detector = load_detector(read_runs(path)[0]["detector"])
        summary = reconstruct(read_batch(path), detector)
        table = Table("quantity", "value", title=f"{path.name}: {len(summary['run'])} events, {detector.tag}")
        for row in momentum_rows(summary) + beam_rows(summary) + energy_rows(summary):
            table.add_row(*row)
        console.print(table)


if __name__ == "__main__":
    main(sys.argv[1:])
