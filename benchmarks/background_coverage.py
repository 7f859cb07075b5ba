"""How often the intervals of the backgrounds hold the truth: toys of (I), (II), (III) and of their total.

.venv/bin/python benchmarks/background_coverage.py [-n TOYS] [--write]

(I): tails that fall in five ways from 16 to 460 events between 80 and 125 GeV/c to the same 0.05 events below; envelope of the forms (68 %) and upper limit (95 %).
(II): simulated decays selected, by enumeration of their number. (III): D X / Y of three Poisson counts. Total: what the table says, a value with error (68 %) or an
upper limit (95 %). Wanted: at least 0.68 and 0.95 (III: 0.90). --write keeps the smallest coverages in docs/results/background_coverage.json.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable

import numpy as np
from results import write_result
from scipy.optimize import brentq
from scipy.stats import norm, poisson

from na64mu.analysis.backgrounds.abcd import abcd_estimate
from na64mu.analysis.backgrounds.decays import decay_estimate
from na64mu.analysis.backgrounds.regions import Regions
from na64mu.analysis.backgrounds.sample import TailSample
from na64mu.analysis.backgrounds.table import background_table
from na64mu.analysis.backgrounds.tail import estimate_tail
from na64mu.results.run import Counts

TRUTH, EDGE, THRESHOLD, BEAM = 0.05, 80.0, 125.0, 160.0
EDGES = np.arange(0.0, 250.5, 0.5)
CORE = 1e6 * np.diff(norm.cdf(EDGES, BEAM, 7.0))
#: Part of the tail below p, of that below the threshold, for a steepness.
SHAPES: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
    "exponential in p": lambda p, c: np.exp(c * (p - THRESHOLD)),
    "exponential in k": lambda p, c: np.exp(-c * BEAM * (1.0 / np.maximum(p, 1e-9) - 1.0 / THRESHOLD)),
    "power in p": lambda p, c: (p / THRESHOLD) ** c,
    "Crystal Ball": lambda p, c: (1.0 + (THRESHOLD - p) / 10.0) ** -c,
    "Gaussian": lambda p, c: norm.cdf(p, BEAM, 100.0 / c) / norm.cdf(THRESHOLD, BEAM, 100.0 / c),
}


def expected(shape: str, n_tail: float) -> np.ndarray:
    """Muons per bin: the tail below the threshold, the core above it."""

    def below(p: np.ndarray, c: float) -> np.ndarray:
        return (n_tail + TRUTH) * SHAPES[shape](p, c)

    steep = brentq(lambda ln_c: float(below(np.array([EDGE]), math.exp(ln_c))[0]) - TRUTH, math.log(1e-3), math.log(60.0))
    tail = np.diff(below(np.minimum(EDGES, THRESHOLD), math.exp(steep)))
    return np.where(EDGES[1:] <= THRESHOLD, tail, CORE)


def share(hits: list[bool]) -> float:
    """Fraction of toys that hold the truth."""
    return float(np.mean(hits))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=200, help="toys of each truth")
    parser.add_argument("--write", action="store_true", help="keep the smallest coverages in docs/results/background_coverage.json")
    options = parser.parse_args()
    rng = np.random.default_rng(2)
    smallest: dict[str, float] = {}

    def said(key: str, title: str, interval: float, upper: float) -> None:
        print(f"{title:<58} {interval:9.3f} {upper:9.3f}")
        for name, value in ((f"{key}_interval", interval), (f"{key}_upper", upper)):
            if not math.isnan(value):
                smallest[name] = min(smallest.get(name, 1.0), value)

    print(f"{'truth':<58} {'interval':>9} {'upper':>9}")
    decays = Counts(4, 4.0, 4.0)
    for shape in SHAPES:
        for n_tail in (16.0, 70.0, 460.0):
            mean = expected(shape, n_tail)
            alone, low_high, upper, total, total_upper = [], [], [], [], []
            for seed in range(options.n):
                sample = TailSample(EDGES, rng.poisson(mean).astype(np.float64), 1.0, 1e10)
                tail = estimate_tail(sample, seed=seed, threshold=THRESHOLD, n_bootstrap=50, n_toys=20)
                alone.append(tail.statistical[0] <= TRUTH <= tail.statistical[1])
                low_high.append(tail.envelope[0] <= TRUTH <= tail.envelope[1] or tail.nominal is None)
                upper.append(tail.upper >= TRUTH)
                n = int(rng.poisson(4.0))
                two = decay_estimate(Counts(n, float(n), float(n)), 1e6, n_mot=1e10, contamination=2.5e3 / 1e10)
                d, x, y = (int(v) for v in rng.poisson((3.0, 5.0, 1500.0)))
                three = abcd_estimate(Regions(*(Counts(v, float(v), float(v)) for v in (d, x, y))), n_mot=1e10)
                entry = next(r.ours for r in background_table(tail, two, three, n_mot=1e10).rows if r.name == "total")
                truth = TRUTH + 4.0 * 2.5e3 / 1e6 + 3.0 * 5.0 / 1500.0
                (total_upper if entry.is_upper else total).append(
                    truth <= entry.value if entry.is_upper else abs(truth - entry.value) <= entry.error
                )
            said("momentum", f"(I) {shape}, {n_tail:g} events above the box", share(low_high), share(upper))
            said("momentum_one_form", f"    of it one form alone (bootstrap), {n_tail:g} events", share(alone), math.nan)
            said(
                "total",
                f"    total with it, {n_tail:g} events",
                share(total) if total else math.nan,
                share(total_upper) if total_upper else math.nan,
            )
    for mean_selected in (0.5, 1.0, 2.0, 4.0, 10.0, 30.0):
        n = np.arange(int(mean_selected + 12 * math.sqrt(mean_selected) + 12))
        weights = poisson.pmf(n, mean_selected)
        found = [decay_estimate(Counts(int(k), float(k), float(k)), 1e6, n_mot=1e6, contamination=1.0) for k in n]
        inside, below = (
            float(weights @ np.array([test(e) for e in found]))
            for test in (lambda e, m=mean_selected: e.low <= m <= e.high, lambda e, m=mean_selected: m <= e.upper)
        )
        said("decays", f"(II) {mean_selected:g} simulated decays expected in the box", inside, below)
    for means in ((0.7, 5.0, 2000.0), (3.0, 5.0, 2000.0), (20.0, 1.0, 2000.0), (20.0, 5.0, 1e4), (50.0, 50.0, 2.5e5), (3.0, 2.0, 8.0)):
        truth, found = means[0] * means[1] / means[2], []
        for counts in rng.poisson(means, size=(options.n, 3)):
            if counts[2] > 0:
                found.append(abcd_estimate(Regions(*(Counts(int(v), float(v), float(v)) for v in counts))))
        inside, below = share([e.low <= truth <= e.high for e in found]), share([truth <= e.upper_90 for e in found])
        said("hadrons", f"(III) D, X, Y = {means[0]:g}, {means[1]:g}, {means[2]:g}; upper: 90 %", inside, below)
    print(f"\n{decays.n} simulated decays make the 0.01 events of (II) in the totals; smallest coverage: {smallest}")
    if options.write:
        what = f"smallest coverage of intervals (68 %) and upper limits (95 %; hadrons 90 %) of the backgrounds, per cent; {options.n} toys of each truth"
        error = 100.0 * math.sqrt(0.68 * 0.32 / options.n)
        write_result("background_coverage", what, {name: (round(100.0 * v, 1), round(error, 1)) for name, v in smallest.items()})


if __name__ == "__main__":
    main()
