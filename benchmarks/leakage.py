"""Background (III) from biased muon-nuclear samples: D X / Y, the E_CAL spectrum of region D extrapolated, and closure beside the signal box.

na64mu simulate -n 200000 --process nuclear --prescale 0 --config 1 --seed 41 -o nuclear_1.root      (and --config 2)
na64mu simulate -n 60000 --process nuclear --config 2 --seed 51 -o shape.root
na64mu run nuclear_1.root nuclear_2.root -o rate/
na64mu run shape.root --selection prl2024-calibration -o shape/
python benchmarks/leakage.py rate/ shape/
"""

from __future__ import annotations

import sys

from na64mu.analysis.backgrounds import abcd_estimate, regions_of
from na64mu.analysis.backgrounds.leakage import estimate_leakage, leakage_closure
from na64mu.errors import BackgroundError
from na64mu.results.run import RunResult

EXPOSURE = 1.98e10


def main(rate_folder: str, shape_folder: str) -> None:
    """Print the three."""
    rate, shape = (RunResult.read(folder) for folder in (rate_folder, shape_folder))
    name = next(n for n in rate.datasets if "nuclear" in n)
    plane, n_mot = rate.histogram("plane_before", name), rate.exposure.n_mot(name)
    weight = plane.variances().sum() / plane.values().sum()
    print(f"one simulated event stands for {weight * EXPOSURE / n_mot:.3g} of {EXPOSURE:.3g} muons on target")
    box = rate.regions[name].get("box_after")
    print(f"simulated events in the box: {0 if box is None else box.n}; Letter: < 0.01 events\n")
    print("D X / Y (p_out and E_CAL taken as independent)")
    print(abcd_estimate(regions_of(plane), n_mot=n_mot).scaled(EXPOSURE))
    wide = shape.histogram("plane_before")
    for threshold in (None, 60.0, 65.0, 70.0):
        print(f"\nE_CAL spectrum of region D below {'the lowest energy with 30 events' if threshold is None else f'{threshold:g} GeV'}")
        try:
            print(estimate_leakage(plane, n_mot, shape=wide, exposure=EXPOSURE, threshold=threshold))
        except BackgroundError as error:
            print(error)
    print("\nclosure beside the box")
    for p_out, border in (((80, 90), 35), ((90, 100), 30), ((80, 100), 30), ((100, 110), 20), ((110, 120), 15), ((120, 130), 12)):
        try:
            found = leakage_closure(wide, p_out, border)
            print(f"{found}: {'agrees' if found.agrees else 'does not agree'}")
        except BackgroundError as error:
            print(error)


if __name__ == "__main__":
    main(*sys.argv[1:3])
