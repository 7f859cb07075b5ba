"""Signal efficiency against inferred numbers of the geometry: which of them the low masses depend on.

Every variation is simulated anew with the same seed, in one trigger configuration, and goes through the selection; no number is tuned. `python benchmarks/geometry.py [CONFIG]`,
about ten minutes on a shared core.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

from na64mu.detector import Detector, load_detector
from na64mu.events.reader import read_batch
from na64mu.execution.configuration import load_calibrations
from na64mu.reconstruction.summary import reconstruct
from na64mu.selections.cuts import in_box
from na64mu.selections.working_point import load_working_point
from na64mu.simulation.produce import produce

#: Mass [GeV] -> beam muons.
MASSES = {0.01: 20_000, 0.04: 20_000, 0.1: 8_000, 0.5: 6_000, 1.0: 6_000}


def moved(detector: Detector, name: str, dx: float = 0.0, dz: float = 0.0) -> Detector:
    """The set-up with one trigger counter moved [mm]; negative x is away from the beam."""
    counters = []
    for counter in detector.counters:
        if counter.name == name:
            ranges = tuple((low + dx, high + dx) for low, high in counter.x)
            counter = counter.model_copy(update={"x": ranges, "z": counter.z + dz})  # noqa: PLW2901
        counters.append(counter)
    return detector.model_copy(update={"counters": tuple(counters)})


def sample(
    detector: Detector, mass: float, config: int, windows: dict[str, tuple[float, float]]
) -> tuple[float, float, dict[float, float]]:
    """Muons on target, triggers, and selected events by the largest p_out."""
    point = load_working_point("prl2024")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "z.root"
        row = produce(path, detector, "zprime", MASSES[mass], config, 7, mass=mass, prescale_calibration=0)
        summary = reconstruct(read_batch(path), detector)
    chosen = np.ones(len(summary["run"]), dtype=bool)
    for cut in point.bind(windows):
        chosen &= cut(summary)
    boxes = {p: point.box.model_copy(update={"p_out_max": p}) for p in (50.0, 80.0, 100.0)}
    return row["n_mot"], row["n_physics"], {p: float(np.count_nonzero(chosen & in_box(summary, box))) for p, box in boxes.items()}


def main(config: int = 1) -> None:
    """Print the table."""
    detector = load_detector("na64mu-2022")
    windows = load_calibrations({detector.tag: detector}, None)[detector.tag].windows
    variations = {
        "nominal": detector,
        "S4 10 mm further out": moved(detector, "S4", dx=-10.0),
        "S4 10 mm nearer": moved(detector, "S4", dx=10.0),
        "S4 0.5 m upstream": moved(detector, "S4", dz=-500.0),
        "S_mu 20 mm further out": moved(detector, "S_mu", dx=-20.0),
        "S_mu 50 mm further out": moved(detector, "S_mu", dx=-50.0),
        "S_mu 20 mm nearer": moved(detector, "S_mu", dx=20.0),
        "S_mu 1 m downstream": moved(detector, "S_mu", dz=1000.0),
    }
    print(
        f"configuration {config}: efficiency in % of all Z' (without pile-up), and over the nominal one; {len(variations)} simulations of every mass"
    )
    print(f"{'':<26}" + "".join(f"{1000 * m:>17g} MeV" for m in MASSES), flush=True)
    nominal: dict[float, float] = {}
    for name, varied in variations.items():
        found = {mass: sample(varied, mass, config, windows) for mass in MASSES}
        eff = {mass: n[80.0] / mot for mass, (mot, _, n) in found.items()}
        nominal = nominal or eff
        errors = {mass: (n[80.0] ** 0.5) / mot for mass, (mot, _, n) in found.items()}
        line = "".join(f"{100 * eff[m]:8.2f}+-{100 * errors[m]:.2f} {eff[m] / nominal[m]:6.2f} " for m in MASSES)
        print(f"{name:<26}{line}", flush=True)
        if name == "nominal":
            for p in (50.0, 100.0):
                values = {mass: n[p] / mot for mass, (mot, _, n) in found.items()}
                print(
                    f"{f'  p_out <= {p:g} GeV/c':<26}"
                    + "".join(f"{100 * values[m]:8.2f}       {values[m] / eff[m]:6.2f} " for m in MASSES),
                    flush=True,
                )
            triggers = "".join(f"{100 * t / mot:8.2f}              " for mot, t, _ in found.values())
            print(f"{'  trigger alone':<26}{triggers}", flush=True)


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:2]))
