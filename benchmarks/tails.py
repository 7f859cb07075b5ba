"""How often a 160 GeV/c muon is reconstructed below 80 GeV/c in MS2: `python benchmarks/tails.py [-n MUONS] [-o FOLDER]`.

Hits only: no finding, every plane offers one hit, the right one or a wrong one (accidents.py: causes, rates, sources). Prints the
fraction by cause before and after every protection, what noise, a wide window and a station off by 1 mm do, and the ten worst muons;
draws these into FOLDER. A muon with several accidents counts under the first of the table.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from accidents import CAUSES, DECAY, RADIATION, Readout, disturb, kinks, readout
from rich.console import Console
from rich.table import Table
from scipy.stats import chi2
from telescope import Sample, layout, make, real
from telescope import _trace as trace

from na64mu.tracking.compiled_fit import Kernel, kernel
from na64mu.tracking.fit import fit_measurements, read_tracks
from na64mu.tracking.navigation import route
from na64mu.tracking.outliers import MIN_FREEDOM, Removal, remove_outliers
from na64mu.tracking.rows import LANES
from na64mu.tracking.spectrometer import Spectrometer
from na64mu.typing import BoolArray, FloatArray, IntArray

LOG = logging.getLogger(__name__)

BEAM, BELOW = 160.0, 80.0
CHUNK = 400 * LANES
STAGES = (
    "fit of all hits",
    "worst hits removed",
    "and P(chi2) > 1e-3",
    "and at most two hits removed",
    "and q/p of all hits within 5 sigma",
    "and no hit that nothing checks",
    "and sigma(q/p) < 5 % of 1/160",
    "and the angle agrees with MS1 through the ECAL",
)
#: Width of a start that knows nothing of this muon.
WIDE = np.array([100.0, 100.0, 0.01, 0.01, 0.05])
#: After these the momentum is truly lower.
TRULY_LOW = (1 << DECAY) | (1 << RADIATION)
ECAL_ANGLE = 13.6e-3 * np.sqrt(40.0) * (1.0 + 0.038 * np.log(40.0))  # rad GeV/c, 40 radiation lengths, Highland
NO_CAUSE = len(CAUSES)


@dataclass
class Count:
    """Muons below 80 GeV/c by stage and cause, muons kept by stage, and the worst of them."""

    tail: FloatArray = field(default_factory=lambda: np.zeros((len(STAGES), len(CAUSES) + 1)))
    kept: FloatArray = field(default_factory=lambda: np.zeros(len(STAGES)))
    tagged: FloatArray = field(default_factory=lambda: np.zeros(len(CAUSES) + 1))
    n: int = 0
    worst: list[dict[str, FloatArray]] = field(default_factory=list)


def first_cause(tags: IntArray) -> IntArray:
    """Number of the first cause of each muon, NO_CAUSE for none."""
    bits = (tags[:, None] >> np.arange(len(CAUSES))) & 1
    return np.where(bits.any(axis=1), bits.argmax(axis=1), NO_CAUSE)


def stages(fitted: Kernel, blocks: FloatArray, n: int, slope_in: FloatArray) -> tuple[list[BoolArray], list[FloatArray]]:
    """Muons kept after every stage, and their q/p."""
    rows = fitted.rows
    fitted.fit_blocks(blocks)
    k_all = fitted.unpack(blocks, rows.upstream + 4, 1, n)[:, 0]
    kept_all = np.isfinite(k_all)
    offered = (fitted.unpack(blocks, rows.weight, rows.n_planes, n) > 0.0).sum(axis=1)
    remove_outliers(fitted, blocks, n, np.arange(rows.n_planes), Removal())
    up = fitted.unpack(blocks, rows.upstream, 20, n)
    weight, information = fitted.unpack(blocks, rows.weight, rows.n_planes, n), fitted.unpack(blocks, rows.information, rows.n_planes, n)
    k, good = up[:, 4], np.isfinite(up).all(axis=1)
    ndf = (weight > 0.0).sum(axis=1) - 5
    probability = chi2.sf(fitted.unpack(blocks, rows.chi2, 1, n)[:, 0], np.maximum(ndf, 1))
    checked = ~((weight > 0.0) & (information < MIN_FREEDOM * weight)).any(axis=1) & (ndf > 0)
    with np.errstate(invalid="ignore"):
        precise = np.sqrt(up[:, 19]) < 0.05 / BEAM
        angle2 = up[:, [10, 14]] + (ECAL_ANGLE * k[:, None]) ** 2
        unmoved = np.abs(k - k_all) < 5.0 * np.sqrt(up[:, 19])
        agrees = (((up[:, 2:4] - slope_in) ** 2 / angle2).sum(axis=1)) < 13.8  # probability 1e-3
    kept = [kept_all, good]
    for more in (probability > 1e-3, offered - (ndf + 5) <= 2, unmoved, checked, precise, agrees):
        kept.append(kept[-1] & more)
    return kept, [k_all, *[k] * (len(STAGES) - 1)]


def simulate(ms: Spectrometer, n: int, seed: int, what: Readout, offset: FloatArray, count: Count, *, keep_worst: bool = True) -> None:
    """Simulate and fit n muons, chunk by chunk, and count them."""
    fitted = kernel(route(ms), "smooth")
    start = np.broadcast_to(np.array([0.0, 0.0, 0.0, 0.0, -1.0 / BEAM]), (CHUNK, 5)).copy()
    for chunk in range(-(-n // CHUNK)):
        rng = np.random.default_rng((seed, chunk))
        tags = np.zeros(CHUNK, dtype=np.int64)
        change = kinks(ms, CHUNK, BEAM, tags, rng)
        sample = make(ms, CHUNK, (BEAM, BEAM), int(rng.integers(2**62)), spread=(9.0, 1e-3), charge=-1, kinks=change)
        slope_in = sample.first[:, 2:4] + ECAL_ANGLE / BEAM * rng.standard_normal((CHUNK, 2))
        disturb(sample.u, sample.weight, tags, what, rng)
        u = sample.u + offset
        blocks = fitted.pack(start, WIDE, u, sample.weight)
        kept, k = stages(fitted, blocks, CHUNK, slope_in)
        cause = first_cause(tags)
        count.n += CHUNK
        if chunk % 400 == 399:
            LOG.info("%.3g muons, %s below %.0f GeV/c", count.n, count.tail.sum(axis=1).astype(int).tolist(), BELOW)
        count.tagged += np.bincount(cause, minlength=NO_CAUSE + 1)
        for i, (ok, value) in enumerate(zip(kept, k, strict=True)):
            with np.errstate(invalid="ignore"):
                low = ok & (np.abs(value) > 1.0 / BELOW)
            count.tail[i] += np.bincount(cause[low], minlength=NO_CAUSE + 1)
            count.kept[i] += ok.sum()
        if keep_worst:
            remember(count, sample, u, fitted, blocks, kept, k, tags, change)


def remember(
    count: Count, sample: Sample, u: FloatArray, fitted: Kernel, blocks: FloatArray, kept: list[BoolArray], k: list[FloatArray], tags: IntArray, change: FloatArray
) -> None:  # fmt: skip
    """Keep the wrong muons that pass most protections, with the lowest momentum."""
    passed = np.sum(kept[1:], axis=0)
    with np.errstate(invalid="ignore"):
        low = np.flatnonzero(np.isfinite(k[1]) & (np.abs(k[1]) > 1.0 / BELOW) & (tags & TRULY_LOW == 0))
    if len(low) == 0:
        return
    tracks = read_tracks(fitted, blocks, CHUNK, fitted.unpack(blocks, fitted.rows.weight, fitted.rows.n_planes, CHUNK))
    for i in low:
        count.worst.append({
            "passed": passed[i], "p": 1.0 / np.abs(k[1][i]), "tags": tags[i], "first": sample.first[i], "u": u[i], "before": sample.weight[i],
            "after": tracks.weight[i], "fit": tracks.upstream[i], "chi2": tracks.chi2[i], "ndf": tracks.ndf[i], "sigma": np.sqrt(tracks.upstream_covariance[i, 4, 4]),
            "change": change[i], "true_p": np.abs(1.0 / sample.last[i, 4]),
        })  # fmt: skip
    count.worst.sort(key=lambda e: (-int(e["passed"]), float(e["p"])))
    del count.worst[10:]


def fraction(k: float, n: float) -> str:
    """A rate with its error, or the limit at 90 % confidence."""
    return f"< {2.3 / n:.1e}" if k == 0 else f"{k / n:.2e} +- {np.sqrt(k) / n:.0e}"


def tail_table(count: Count) -> Table:
    """Fractions below 80 GeV/c by cause and protection."""
    table = Table(
        "cause",
        "muons with it",
        *STAGES,
        title=f"MS2: fraction of {count.n:.3g} muons of {BEAM:.0f} GeV/c reconstructed below {BELOW:.0f} GeV/c",
    )
    for i, name in enumerate((*CAUSES, "none of these")):
        table.add_row(name, fraction(count.tagged[i], count.n), *(fraction(count.tail[s, i], count.n) for s in range(len(STAGES))))
    table.add_row("all", "", *(fraction(count.tail[s].sum(), count.n) for s in range(len(STAGES))), style="bold")
    table.add_row(
        "all but decay and radiation", "", *(fraction(count.tail[s, 2:].sum(), count.n) for s in range(len(STAGES))), style="bold"
    )
    table.add_row("muons kept", "", *(f"{100 * k / count.n:.3f} %" for k in count.kept))
    return table


def tag_names(tags: int) -> str:
    """Names of all accidents of a muon."""
    return ", ".join(name for i, name in enumerate(CAUSES) if tags >> i & 1) or "none"


def worst_table(count: Count) -> Table:
    """The ten worst muons."""
    table = Table(
        "#",
        "protections passed",
        "p fitted",
        "p true behind",
        "sigma(p)/p %",
        "chi2 / ndf",
        "hits (removed)",
        "accidents",
        title="the ten worst; decays and radiation, whose momentum is truly low, left out",
    )
    for i, e in enumerate(count.worst):
        removed = int(((e["before"] > 0.0) & (e["after"] == 0.0)).sum())
        table.add_row(
            str(i + 1), f"{int(e['passed'])} of {len(STAGES) - 1}", f"{e['p']:.2f}", f"{e['true_p']:.2f}", f"{100 * e['sigma'] * e['p']:.2f}",
            f"{e['chi2']:.1f} / {int(e['ndf'])}", f"{int((e['after'] > 0.0).sum())} ({removed})", tag_names(int(e["tags"])),
        )  # fmt: skip
    return table


def draw(count: Count, ms: Spectrometer, folder: Path) -> None:
    """Draw the ten worst: hits and fit in both views, relative to the path of the undisturbed muon."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    table = layout(ms)
    still = np.zeros((len(table.rows), 4))
    folder.mkdir(parents=True, exist_ok=True)
    z, view = ms.z / 1000.0, np.array([p.view for p in ms.planes])
    figure, axes = plt.subplots(10, 2, figsize=(13, 26), sharex=True, layout="constrained", squeeze=False)
    for e, pair in zip(count.worst, axes, strict=False):
        nominal, path = np.empty(table.n_planes), np.empty(table.n_planes)
        trace(e["first"].copy(), table.rows, still, nominal)
        trace(e["fit"].copy(), table.rows, still, path)
        for v, axis in enumerate(pair):
            mine, used, removed = view == v, e["after"] > 0.0, (e["before"] > 0.0) & (e["after"] == 0.0)
            axis.axvspan(*(ms.boxes[0, :2] / 1000.0), color="0.93")
            axis.plot(z[mine], (path - nominal)[mine], color="tab:blue", lw=1, label="fit")
            axis.errorbar(z[mine & used], (e["u"] - nominal)[mine & used], e["after"][mine & used] ** -0.5, fmt="k.", label="hit")
            axis.plot(z[mine & removed], (e["u"] - nominal)[mine & removed], "rx", label="removed")
            axis.set_ylabel(f"{'xy'[v]} - undisturbed [mm]")
        pair[0].set_title(
            f"p = {e['p']:.1f} GeV/c, chi2/ndf = {e['chi2']:.0f}/{int(e['ndf'])}; {tag_names(int(e['tags']))}", fontsize=9, loc="left"
        )
    axes[0, 0].legend(fontsize=8)
    for axis in axes[-1]:
        axis.set_xlabel("z [m]")
    figure.savefig(folder / "tails_worst.png", dpi=80)
    plt.close(figure)


def variants(ms: Spectrometer, unbiased: FloatArray) -> dict[str, tuple[Readout, FloatArray]]:
    """Noise, windows and misalignments to compare."""
    none = np.zeros(len(ms.planes))

    def shifted(station: str) -> FloatArray:
        return np.array([1.0 if p.station == station and p.view == ms.bend_view else 0.0 for p in ms.planes])

    return {
        "as described": (readout(ms, unbiased), none),
        "no noise, no ghosts": (readout(ms, unbiased, noise=0.0), none),
        "noise and ghosts x 3": (readout(ms, unbiased, noise=3.0), none),
        "noise and ghosts x 10": (readout(ms, unbiased, noise=10.0), none),
        "search window +-20 mm": (readout(ms, unbiased, window=20.0), none),
        **{f"{station} off by 1 mm in x": (readout(ms, unbiased), shifted(station)) for station in ("gem1", "gem2", "gem3", "mm5", "mm7")},
    }


def variant_table(ms: Spectrometer, unbiased: FloatArray, n: int, seed: int) -> Table:
    """Fractions below 80 GeV/c without decays and radiation, for every variant."""
    table = Table("variant", *STAGES, "kept", title=f"below {BELOW:.0f} GeV/c but for decay and radiation, {n:.3g} muons each")
    for i, (name, (what, offset)) in enumerate(variants(ms, unbiased).items()):
        count = Count()
        simulate(ms, n, seed + i, what, offset, count, keep_worst=False)
        table.add_row(
            name, *(fraction(count.tail[s, 2:].sum(), count.n) for s in range(len(STAGES))), f"{100 * count.kept[-1] / count.n:.2f} %"
        )
    return table


def main(arguments: list[str]) -> None:
    """Print all tables and draw the worst."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=float, default=1e8, help="muons")
    parser.add_argument("--variants", type=float, default=4e6, help="muons of every variant")
    parser.add_argument("--seed", type=int, default=1, help="same seed, same numbers")
    parser.add_argument("-o", type=Path, default=None, help="folder for the drawing")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    console = Console(width=230)
    ms = real(2)
    probe = make(ms, LANES, (BEAM, BEAM), 1, charge=-1)
    unbiased = fit_measurements(probe.first, probe.u, probe.weight, ms).unbiased_sigma[0]
    count, start = Count(), time.process_time()
    simulate(ms, int(options.n), options.seed, readout(ms, unbiased), np.zeros(len(ms.planes)), count)
    console.print(tail_table(count))
    console.print(f"{count.n / (time.process_time() - start):.3g} muons per second of processor time, simulated and fitted")
    console.print(worst_table(count))
    if options.o is not None:
        draw(count, ms, options.o)
    if options.variants > 0:
        console.print(variant_table(ms, unbiased, int(options.variants), options.seed + 1000))


if __name__ == "__main__":
    main(sys.argv[1:])
