"""Coverage of intervals and limits by exact enumeration of the counts, and the validity of the asymptotic form: no toys, half a minute.

.venv/bin/python benchmarks/excess.py [--write]

For every signal of 0 to 20 events the probabilities of all counts whose interval holds it are added up. "averaged": nuisance parameters follow their
constraints from experiment to experiment; "nominal": they are at their nominal values. --write keeps the numbers in docs/results/excess.json.
"""

from __future__ import annotations

import argparse

import numpy as np
from results import write_result

from na64mu.statistics import CountingModel, Systematic, letter_model
from na64mu.statistics.exact import compressed, summed_count
from na64mu.statistics.feldman_cousins import count_probabilities, feldman_cousins
from na64mu.statistics.limits import both_limits
from na64mu.statistics.profile_interval import profile_interval

SPLIT = (0.591, 0.409)
SIGNALS = np.linspace(0.0, 20.0, 401)
HIGHEST = 75


def models() -> dict[str, CountingModel]:
    """Models by name: that of the Letter, one with larger errors, one with more background, and one without nuisance parameters."""
    wide = (Systematic("s", {"signal": 0.3}), Systematic("b", {"b": 1.0}))
    return {
        "letter": letter_model(SPLIT),
        "wide": CountingModel(SPLIT, {"b": (0.3, 0.2)}, wide),
        "background_3": CountingModel(SPLIT, {"b": (1.8, 1.2)}, (Systematic("s", {"signal": 0.08}), Systematic("b", {"b": 0.4}))),
        "plain": CountingModel(SPLIT, {"b": (0.04, 0.03)}),
    }


def nominal(model: CountingModel) -> CountingModel:
    """The same with nuisance parameters at their nominal values."""
    return CountingModel(model.signal, model.backgrounds, (), model.channels)


def coverage(model: CountingModel, ends: np.ndarray) -> np.ndarray:
    """Probability that the interval of the count holds the signal, for all signals; `ends` has shape (n_counts, 2)."""
    count = compressed(summed_count(model, len(ends)))
    row, out = np.zeros(len(ends)), []
    for mu in SIGNALS / model.total_signal:
        count_probabilities(mu, *count, row)
        out.append(row[(ends[:, 0] <= mu * (1 + 1e-9) + 1e-12) & (mu <= ends[:, 1] * (1 + 1e-9))].sum())
    return np.array(out)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="keep the numbers in docs/results/excess.json")
    write = parser.parse_args().write
    kept: dict[str, float] = {}
    print(f"{'model':<14} {'method':<16} {'level':>6}  {'smallest coverage, averaged':>28} {'nominal':>9}")
    for name, model in models().items():
        at_nominal = nominal(model)
        for level in (0.90, 0.6827):
            both = {
                "feldman-cousins": np.array([feldman_cousins(model, n, (level,))[0] for n in range(HIGHEST)]),
                # all events in proportion to the channels: the profile interval depends on the sharing but little
                "profile": np.array([profile_interval(model, shared(n), (level,))[0] for n in range(HIGHEST)]),
            }
            for method, ends in both.items():
                found = [float(coverage(m, ends).min()) for m in (model, at_nominal)]
                kept |= {  # per cent
                    f"{name}_{method.replace('-', '_')}_{100 * level:.0f}{end}": round(100.0 * v, 2)
                    for end, v in zip(("", "_nominal"), found, strict=True)
                }
                print(f"{name:<14} {method:<16} {level:6.4f}  {found[0]:28.4f} {found[1]:9.4f}")
    print("\nasymptotic upper limit over the exact one, 90 % CLs, n = b, no systematics")
    for b in (0.07, 1, 3, 10, 30, 100, 300):
        here = CountingModel((1.0,), {"b": (float(b),)}, (), ("all",))
        ratio = both_limits(here, (round(b),), 0.9).ratio
        kept[f"asymptotic_{b:g}".replace(".", "_")] = round(ratio, 3)
        print(f"b = {b:<6g} {ratio:.3f}")
    if write:
        what = (
            "smallest coverage of intervals for 0 to 20 signal events, and asymptotic over exact upper limit; by enumeration of the counts"
        )
        write_result("excess", what, {name: (value, 0.0) for name, value in kept.items()})


def shared(n: int) -> tuple[float, float]:
    """Events in the proportion of the two channels."""
    first = round(n * SPLIT[0])
    return float(first), float(n - first)


if __name__ == "__main__":
    main()
