"""Bad hits and the momentum: `python benchmarks/outliers.py [-n TRACKS]`, the telescope's set "outl".

5 % of all hits are moved by up to +-20 mm in both coordinates, 3 % are missing. Prints the fraction of tracks whose 1/p is off by
more than 25 %, by the number of bad hits; what makes them wrong; and what is left when tracks whose momentum is not checked are flagged.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

import numpy as np
from rich.console import Console
from rich.table import Table
from telescope import TELESCOPE_HIT, Sample, make, moved, seeds, telescope

from na64mu.tracking.fit import fit_measurements
from na64mu.tracking.fitted import FittedTracks
from na64mu.tracking.outliers import Removal, fit_without_outliers
from na64mu.typing import BoolArray, FloatArray

OFF = 0.25  # relative deviation of 1/p that counts as wrong
CHUNK = 100_000
SETS = {"p160": (160.0, 160.0), "p100_160": (100.0, 160.0)}
UPSTREAM = 3  # planes before the magnet
#: Share of its own fitted coordinate that a hit determines: above it nothing checks the hit.
ALONE = 1.0 - 1e-3

PEERS = (
    ("GenFit, no rejection", "0", "64.6 (71)", "", "85.6"),
    ("GenFit DAF", "0", "9.5 (0.94)", "", "26.9"),
    ("GenFit DAF(false)", "0", "1.05 (0.92)", "", "4.2"),
    ("ACTS, forward chi2 cut 9 / 15 / 30", "0.05 / 0 / 0", "0.17 / 0.30 / 0.52", "", "1.1 / 1.6 / 2.5"),
    ("numba prototype, 5 passes", "0.008", "0.033 (0)", "", "1.0 (0.8)"),
)

Fit = Callable[[FloatArray, Sample], FittedTracks]


def fits() -> dict[str, Fit]:
    """The ways to fit a track with bad hits."""
    ms = telescope()

    def with_removal(removal: Removal) -> Fit:
        return lambda seed, s: fit_without_outliers(seed, s.u, s.weight, ms, removal, hit_of=TELESCOPE_HIT)

    return {
        "no rejection": lambda seed, s: fit_measurements(seed, s.u, s.weight, ms),
        "the bad hits known: the limit": lambda seed, s: fit_measurements(seed, s.u, np.where(s.moved, 0.0, s.weight), ms),
        "removal": with_removal(Removal()),
        "removal, probability 1e-2": with_removal(Removal(probability=1e-2)),
        "removal, probability 1e-4": with_removal(Removal(probability=1e-4)),
        "removal, ndf >= 3": with_removal(Removal(min_ndf=3)),
        "removal, ndf >= 3, probability 1e-4": with_removal(Removal(min_ndf=3, probability=1e-4)),
        "removal, ndf >= 3, probability 1e-5": with_removal(Removal(min_ndf=3, probability=1e-5)),
        "removal, ndf >= 1, probability 1e-4": with_removal(Removal(min_ndf=1, probability=1e-4)),
    }


def unchecked(tracks: FittedTracks) -> BoolArray:
    """Tracks with a hit that nothing else checks, so that it may say any momentum."""
    lonely = (tracks.weight > 0.0) & (tracks.information < (1.0 - ALONE) * tracks.weight)
    return np.asarray(lonely.any(axis=1) | ~tracks.good)


def improbable(tracks: FittedTracks) -> BoolArray:
    """Tracks whose chi2 is less probable than 1e-3, or without a fit."""
    from scipy.stats import chi2

    return np.asarray(~tracks.good | (chi2.sf(tracks.chi2, np.maximum(tracks.ndf, 1)) < 1e-3))


def causes(sample: Sample, tracks: FittedTracks, truth_bad: BoolArray) -> dict[str, BoolArray]:
    """Why a track may be wrong, the first that applies."""
    left = tracks.weight[:, ::2] > 0.0  # hits of the fit
    good_left = left & ~truth_bad
    bad_left = (left & truth_bad).any(axis=1)
    at_random = (sample.weight[:, ::2] > 0.0) & ~truth_bad
    few = (at_random[:, :UPSTREAM].sum(axis=1) < 2) | (at_random[:, UPSTREAM:].sum(axis=1) < 2)
    lost = ((at_random & ~good_left).any(axis=1)) & ((good_left[:, :UPSTREAM].sum(axis=1) < 2) | (good_left[:, UPSTREAM:].sum(axis=1) < 2))
    named = {
        "fewer than two good hits on one side of the magnet": few,
        "good hits taken out until one side has fewer than two": lost & ~few,
        "a bad hit kept": bad_left & ~lost & ~few,
    }
    named["only good hits kept"] = ~(few | lost | bad_left)
    return named


def study(momentum: tuple[float, float], n: int, seed: int) -> tuple[Table, Table]:
    """Both tables of one set."""
    all_fits = fits()
    classes = ("0", "exactly 1", "exactly 2", ">= 2")
    wrong = {name: np.zeros((2, 4)) for name in all_fits}
    flagged = {"no unchecked hit": np.zeros((2, 4)), "and P(chi2) > 1e-3": np.zeros((2, 4)), "and sigma(p)/p < 8 %": np.zeros((2, 4))}
    by_cause: dict[str, FloatArray] = {}
    total = np.zeros(4)
    ms = telescope()
    for chunk in range(n // CHUNK):
        clean = make(ms, CHUNK, momentum, seed + 10 * chunk)
        sample = moved(clean, seed + 10 * chunk + 1, TELESCOPE_HIT)
        truth_bad = sample.moved[:, ::2] & (sample.weight[:, ::2] > 0.0)
        start = seeds(sample, seed + 10 * chunk + 2)
        of_class = [sample.bad == 0, sample.bad == 1, sample.bad == 2, sample.bad >= 2]
        total += [c.sum() for c in of_class]
        for name, fit in all_fits.items():
            tracks = fit(start, sample)
            with np.errstate(invalid="ignore"):
                off = ~(np.abs(tracks.upstream[:, 4] / sample.first[:, 4] - 1.0) < OFF)
                sigma = np.sqrt(tracks.upstream_covariance[:, 4, 4])
                beyond = off & ~(np.abs(tracks.upstream[:, 4] - sample.first[:, 4]) < 5.0 * sigma)
            wrong[name] += [[(w & c).sum() for c in of_class] for w in (off, beyond)]
            if name == "removal":
                checked = ~unchecked(tracks)
                probable = checked & ~improbable(tracks)
                with np.errstate(invalid="ignore"):
                    precise = probable & (sigma < 0.08 * np.abs(tracks.upstream[:, 4]))
                for flag, ok in zip(flagged, (checked, probable, precise), strict=True):
                    flagged[flag] += [[(off & ok & c).sum() for c in of_class], [(ok & c).sum() for c in of_class]]
                for cause, has in causes(sample, tracks, truth_bad).items():
                    by_cause.setdefault(cause, np.zeros(8))
                    by_cause[cause] += [*((off & has & c).sum() for c in of_class), *((off & has & ~checked & c).sum() for c in of_class)]
    span = " to ".join(f"{p:.0f}" for p in sorted(set(momentum)))
    table = Table(
        "method",
        *(f"{c} bad, %" for c in classes),
        title=f"1/p off by > {OFF:.0%} (and |pull| > 5): {int(total[[0, 1, 3]].sum())} tracks of {span} GeV/c",
    )
    for row in PEERS:
        table.add_row(*row)
    for name, counts in wrong.items():
        table.add_row(
            f"na64mu, {name}",
            *(f"{100 * w / t:.4f} +- {100 * np.sqrt(w + 1) / t:.4f} ({100 * b / t:.4f})" for w, b, t in zip(*counts, total, strict=True)),
        )
    for flag, (bad, kept) in flagged.items():
        table.add_row(
            f"na64mu, removal, {flag}", *(f"{100 * w / t:.4f} (keeps {100 * t / a:.2f})" for w, t, a in zip(bad, kept, total, strict=True))
        )
    why = Table("why the wrong ones of `removal` are wrong (of which flagged as unchecked)", *(f"{c} bad" for c in classes))
    for cause, counts in by_cause.items():
        why.add_row(cause, *(f"{int(a)} ({int(b)})" for a, b in zip(counts[:4], counts[4:], strict=True)))
    return table, why


def main(arguments: list[str]) -> None:
    """Print the tables of both sets."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=1_000_000, help="tracks per set")
    options = parser.parse_args(arguments)
    console = Console(width=190)
    for i, momentum in enumerate(SETS.values()):
        for table in study(momentum, options.n, 1_000_000 * (i + 1)):
            console.print(table)


if __name__ == "__main__":
    main(sys.argv[1:])
