"""Limits and background intervals against references: values, agreement with pyhf, time, and coverage.

Run from the project folder: `.venv/bin/python benchmarks/limits_and_backgrounds.py` (about four minutes on one core).
Reference values are ROOT 6.40 (RooStats, HistFactory) and pyhf 0.7.6 on the same models.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator

import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm, poisson

from na64mu.analysis.backgrounds.abcd import coverage
from na64mu.analysis.backgrounds.sample import TailSample
from na64mu.analysis.backgrounds.table import background_table
from na64mu.analysis.backgrounds.tail import estimate_tail
from na64mu.statistics import CountingModel, Systematic, letter_model, limit_scan, upper_limits
from na64mu.statistics.asymptotic import asymptotic_limits
from na64mu.statistics.exact import exact_limits
from na64mu.statistics.letter import SYSTEMATICS
from na64mu.statistics.toys import toy_cls
from na64mu.statistics.workspace import full_workspace

SPLIT = (0.591, 0.409)
ZERO = np.zeros(2)


def plain(background: float, *systematics: Systematic) -> CountingModel:
    return CountingModel(SPLIT, {"b": (SPLIT[0] * background, SPLIT[1] * background)}, systematics)


def collapsed() -> CountingModel:
    return plain(0.07, Systematic("s", {"signal": 0.08}), Systematic("b", {"b": 0.43}))


def row(label: str, ours: np.ndarray, reference: list[float]) -> None:
    ref = np.array(reference)
    numbers = "  ".join(f"{o:.5f} {r:.5f} {o / r:.5f}" for o, r in zip(ours, ref, strict=False))
    print(f"{label:<34} {numbers}")


def limits_with_no_event() -> None:
    print("\n1. 90 % CLs limits with no event: ours, reference, ratio; observed, then expected at -2, -1, 0, 1, 2 sigma")
    shared = [Systematic(s.name, s.effects, True, s.shape, s.source) if s.name == "trigger_alignment" else s for s in SYSTEMATICS]
    row("12 parameters, pyhf", asymptotic_limits(letter_model(SPLIT), ZERO, 0.9), [1.43986, 0.4968, 0.8386, 1.5774, 3.1113, 5.8008])
    row("12 parameters, HistFactory", asymptotic_limits(letter_model(SPLIT), ZERO, 0.9), [1.43999, 0.4969, 0.8387, 1.5775, 3.1113, 5.8009])
    trigger = asymptotic_limits(letter_model(SPLIT, systematics=shared), ZERO, 0.9)
    row("trigger shared, pyhf", trigger, [1.44103, 0.4969, 0.8390, 1.5788, 3.1167, 5.8195])
    row("collapsed, RooStats and pyhf", asymptotic_limits(collapsed(), ZERO, 0.9), [1.44172, 0.49699, 0.83921, 1.57960, 3.11991, 5.83094])
    flat = letter_model(SPLIT, systematics=[])
    row("no signal systematics", asymptotic_limits(flat, ZERO, 0.9), [1.4357, 0.4964, 0.8373, 1.5726, 3.0922, 5.7347])
    row("exact, 8 %", exact_limits(collapsed(), ZERO, 0.9), [2.3115, 2.3115, 2.3115, 2.3115, 2.3115, 3.840])
    row("exact, no systematics (-ln 0.1)", exact_limits(plain(0.07), ZERO, 0.9)[:1], [np.log(10.0)])
    for n, asymptotic, exact in ((1, 3.04, 3.84), (2, 4.45, 5.28), (3, 5.81, 6.66)):
        counts = np.array([n * SPLIT[0], n * SPLIT[1]])
        row(f"{n} events: asymptotic", asymptotic_limits(collapsed(), counts, 0.9)[:1], [asymptotic])
        row(f"{n} events: exact", exact_limits(collapsed(), np.array([float(n), 0.0]), 0.9)[:1], [exact])
    toys = toy_cls(collapsed(), ZERO, float(exact_limits(collapsed(), ZERO, 0.9)[0]), n_toys=1_000_000, seed=1)
    print(f"CLs of a million toys at the exact limit (0.1 wanted): {toys.value:.5f} +- {toys.error:.5f}")


def coverage_of(limit: Callable[[int], float], background: float, n_max: int = 80) -> float:
    limits = np.array([limit(n) for n in range(n_max)])
    strengths = np.concatenate([limits[limits < 20] + 1e-9, np.linspace(0.0, 20.0, 401)])
    return min(float(poisson.pmf(np.arange(n_max), s + background) @ (limits >= s)) for s in strengths)


def asymptotic_bias() -> None:
    print("\n2. Asymptotic form without systematics: limit with no event, and smallest coverage of a 90 % limit for 0 to 20 signal events")
    print(
        f"{'b':>8} {'asym':>7} {'ref':>6} {'exact':>7} {'ratio':>6} {'ref':>6} {'g':>6} {'cover asym':>11} {'ref':>6} {'cover exact':>12} {'ref':>6}"
    )
    reference = {
        1e-4: (1.353, 0.588, 0.742, 0.900),
        0.07: (1.436, 0.624, 0.779, 0.900),
        0.3: (1.567, 0.680, 0.831, 0.900),
        1.0: (1.752, 0.761, 0.847, 0.900),
        3.0: (1.953, 0.848, 0.861, 0.900),
        10.0: (2.139, 0.929, 0.874, 0.900),
        30.0: (2.236, 0.971, 0.886, 0.903),
    }
    for b, (r_asym, r_ratio, r_cover, r_exact) in reference.items():
        one = CountingModel((1.0,), {"b": (b,)}, (), ("all",))
        asym = [float(asymptotic_limits(one, np.array([float(n)]), 0.9)[0]) for n in range(80)]
        exact = [float(exact_limits(one, np.array([float(n)]), 0.9)[0]) for n in range(80)]
        ratio = asym[0] / exact[0]
        cover = [coverage_of(limits.__getitem__, b) for limits in (asym, exact)]
        print(
            f"{b:8g} {asym[0]:7.3f} {r_asym:6.3f} {exact[0]:7.3f} {ratio:6.3f} {r_ratio:6.3f} {ratio**-0.5:6.3f} "
            f"{cover[0]:11.3f} {r_cover:6.3f} {cover[1]:12.3f} {r_exact:6.3f}"
        )


def random_models(n: int, seed: int) -> Iterator[tuple[CountingModel, np.ndarray]]:
    rng = np.random.default_rng(seed)
    for _ in range(n):
        signal = rng.uniform(0.5, 5.0, 2)
        backgrounds = {f"b{k}": tuple(rng.gamma(1.0, 3.0 ** rng.uniform(-2, 2), 2)) for k in range(rng.integers(1, 4))}
        systematics = []
        for j in range(rng.integers(1, 7)):
            touched = [name for name in ("signal", *backgrounds) if rng.random() < 0.5] or ["signal"]
            sizes = {name: tuple(rng.uniform(0.01, 0.4, 2)) for name in touched}
            gaussian = rng.random() < 0.25
            if gaussian:
                sizes = {name: tuple(0.3 * r for r in effect) for name, effect in sizes.items()}
            systematics.append(Systematic(f"x{j}", sizes, bool(rng.random() < 0.6), "gaussian" if gaussian else "lognormal"))
        model = CountingModel(tuple(signal), backgrounds, tuple(systematics))
        total = np.array([sum(b[c] for b in backgrounds.values()) for c in range(2)])
        yield model, rng.poisson(total + rng.integers(0, 2) * signal).astype(np.float64)


def against_pyhf(n_models: int = 36) -> None:
    import pyhf

    pyhf.set_backend("numpy", pyhf.optimize.scipy_optimizer(tolerance=1e-12))
    logging.getLogger("pyhf").setLevel(logging.ERROR)
    print(f"\n3. pyhf (numpy, scipy; normsys code1) against the own solver on {n_models} random models: observed and expected limits")
    differences, failed, seconds, own = [], 0, 0.0, 0.0
    for model, counts in random_models(n_models, 20240521):
        start = time.perf_counter()
        mine = asymptotic_limits(model, counts, 0.9)
        own += time.perf_counter() - start
        workspace = pyhf.Workspace(full_workspace(model, counts.tolist()))
        theirs = workspace.model(modifier_settings={"normsys": {"interpcode": "code1"}, "histosys": {"interpcode": "code4p"}})
        data = workspace.data(theirs)
        start = time.perf_counter()

        def cls(mu: float, index: int, theirs: object = theirs, data: object = data) -> float:
            observed, expected = pyhf.infer.hypotest(mu, data, theirs, test_stat="qtilde", return_expected_set=True)
            return float(([observed, *expected[::-1]] if index == 0 else [observed, *expected])[index]) - 0.1

        try:
            found = [brentq(cls, 0.6 * mine[i], 1.5 * mine[i], args=(i,), xtol=1e-6 * mine[i]) for i in (0, 3)]
        except (ValueError, pyhf.exceptions.FailedMinimization):
            failed += 1
            continue
        finally:
            seconds += time.perf_counter() - start
        differences.append(np.array(found) / mine[[0, 3]] - 1.0)
    d = np.abs(np.array(differences))
    print(f"compared {len(d)}, pyhf failed on {failed}")
    for name, column in (("observed", d[:, 0]), ("median", d[:, 1])):
        print(f"|pyhf / own - 1| {name:<9} median {np.median(column):.1e}  90 % {np.quantile(column, 0.9):.1e}  largest {column.max():.1e}")
    print(f"pyhf {seconds:.1f} s for observed and median of {n_models} models; own {own:.3f} s for observed and five bands")


def times() -> None:
    print("\n4. Time for 100 mass points, observed and five expected limits (12 nuisance parameters, compiled before)")
    masses = np.geomspace(1e-3, 3.0, 100).tolist()
    rng = np.random.default_rng(1)
    models = [letter_model(rng.uniform(0.1, 10.0) * np.array([f, 1 - f])) for f in rng.uniform(0.4, 0.7, 100)]
    rows = [
        ("asymptotic", lambda: [asymptotic_limits(m, ZERO, 0.9) for m in models]),
        ("exact", lambda: [exact_limits(m, ZERO, 0.9) for m in models]),
    ]
    rows.append(("both, with results", lambda: limit_scan(masses, models, (0, 0), g_ref=1e-4)))
    for name, call in rows:
        call()
        best = min(_seconds(call) for _ in range(3))
        print(f"{name:<20} {best:.3f} s")


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def tails() -> dict[str, Callable[[np.random.Generator, int], np.ndarray]]:
    """Spectra of a million muons with exactly 0.05 expected below 80 GeV/c."""
    sigma, total = 7.04, 1_000_000

    def exponential(fraction: float) -> Callable[[np.random.Generator, int], np.ndarray]:
        return lambda rng, n: 160.0 - rng.exponential(80.0 / np.log(fraction * total / 0.05), n)

    def exponential_in_k(rng: np.random.Generator, n: int) -> np.ndarray:
        return 160.0 / (1.0 + rng.exponential(1.0 / np.log(1e-2 * total / 0.05), n))

    def second_gauss(rng: np.random.Generator, n: int) -> np.ndarray:
        return rng.normal(160.0, -80.0 / norm.ppf(0.05 / (1e-2 * total)), n)

    return {
        "exponential in p, 1e-3": lambda rng, n: np.concatenate([rng.normal(160, sigma, n - n // 1000), exponential(1e-3)(rng, n // 1000)]),
        "exponential in p, 1e-2": lambda rng, n: np.concatenate([rng.normal(160, sigma, n - n // 100), exponential(1e-2)(rng, n // 100)]),
        "exponential in k, 1e-2": lambda rng, n: np.concatenate([rng.normal(160, sigma, n - n // 100), exponential_in_k(rng, n // 100)]),
        "double Gauss, 1e-2": lambda rng, n: np.concatenate([rng.normal(160, sigma, n - n // 100), second_gauss(rng, n // 100)]),
    }


def tail_coverage(n_toys: int = 60) -> None:
    print(
        f"\n5. Momentum tail, threshold 125 GeV/c, truth 0.05 events, {n_toys} toys: how often the truth lies in the interval or below the limit"
    )
    print(
        f"{'truth':<24} {'fitted':>6} {'n tail':>7} {'nominal':>9} {'statistical':>11} {'envelope 68':>11} {'upper 95':>9} {'median upper':>12} {'GPD k upper':>11} {'Table I':>8} {'a bound':>8}"
    )
    edges = np.linspace(0.0, 250.0, 501)
    for name, draw in tails().items():
        rng = np.random.default_rng(11)
        rows = []
        for seed in range(n_toys):
            counts = np.histogram(draw(rng, 1_000_000), edges)[0].astype(np.float64)
            e = estimate_tail(TailSample(edges, counts, n_mot=1e6), seed=seed, threshold=125.0, n_bootstrap=200, n_toys=100)
            gpd = e.cross_checks[2].upper if e.cross_checks else e.upper
            inside = [low <= 0.05 <= high for low, high in (e.statistical, e.envelope)]
            entry = background_table(e, None, None, n_mot=1e6).rows[0].ours  # what the likelihood gets
            covers = entry.value >= 0.05 if entry.is_upper else abs(entry.value - 0.05) <= entry.error
            rows.append([e.nominal is not None, e.n_tail, e.value, *inside, e.upper >= 0.05, e.upper, gpd >= 0.05, covers, entry.is_upper])
        table = np.array(rows, dtype=np.float64)
        values, fitted = np.nanmedian(table[:, 2]), table[:, 0].mean()
        print(
            f"{name:<24} {fitted:6.2f} {table[:, 1].mean():7.1f} {values:9.2g} {table[:, 3].mean():11.2f} {table[:, 4].mean():11.2f} "
            f"{table[:, 5].mean():9.2f} {np.median(table[:, 6]):12.2g} {table[:, 7].mean():11.2f} {table[:, 8].mean():8.2f} {table[:, 9].mean():8.2f}"
        )


def region_d_coverage() -> None:
    print("\n6. Region D, D X / Y: coverage of the 90 % upper limit, 1000 toys; reference 300 toys")
    for means, reference in (
        ((3, 5, 2000), 0.94),
        ((0.7, 5, 2000), 1.00),
        ((20, 1, 2000), 0.95),
        ((20, 5, 1e4), 0.94),
        ((50, 50, 2.5e5), 0.92),
    ):
        print(f"{means!s:<20} {coverage(means, n_toys=1000):.3f} {reference:.2f}")


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    print(repr(upper_limits(letter_model((5.91, 4.09)), (0, 0))))
    for study in (limits_with_no_event, asymptotic_bias, against_pyhf, times, tail_coverage, region_d_coverage):
        study()
