"""The (p_out, E_CAL) plane of Fig. 3 by process: `python benchmarks/plane.py FOLDER [-n MUONS]`.

Makes beam muons of both configurations in FOLDER where there are none yet (physics triggers only, with pile-up), runs `na64mu run` on them
(plane.png in FOLDER/out), and prints which process filled the regions A to D, as the Letter describes them before cut (iv).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from na64mu.calibration.windows import load_calibration
from na64mu.detector import load_detector
from na64mu.events.reader import read_batch, read_runs
from na64mu.reconstruction.summary import reconstruct
from na64mu.selections.cuts import in_box, in_region
from na64mu.selections.working_point import load_working_point
from na64mu.simulation.produce import produce
from na64mu.typing import BoolArray, FloatArray

CONSOLE = Console(width=150, markup=False)
PROCESSES = {0: "none above 5 GeV", 1: "bremsstrahlung", 2: "pairs", 3: "muon-nuclear", 4: "delta ray"}
EXPECTED = {
    "A": "MIP everywhere: triggers by delta rays and ionisation (MM5-7, last layers of HCAL2)",
    "B": "hard bremsstrahlung or scattering in the ECAL",
    "C": "large deposit in the HCAL",
    "D": "muon-nuclear interaction in the ECAL",
}
MUONS_PER_FILE = 500_000
ON_TARGET = 0.57  # of the beam; only to say how many muons to generate


def samples(folder: Path, n: int, pile_up: bool) -> list[Path]:
    """Files of both configurations with about n muons on target together, made where they are missing."""
    detector, files = load_detector("na64mu-2022"), []
    per_config = max(1, round(n / ON_TARGET / 2 / MUONS_PER_FILE))
    for config in (1, 2):
        for i in range(per_config):
            path = folder / f"beam_{config}_{i}.root"
            files.append(path)
            if not path.is_file():
                size = min(MUONS_PER_FILE, round(n / ON_TARGET / 2))
                run = 1000 * config + i
                produce(path, detector, "beam", size, config, run, run=run, prescale_calibration=0, with_pile_up=pile_up)
    return files


def masks(files: list[Path]) -> tuple[dict[str, BoolArray], FloatArray, FloatArray, int]:
    """Places in the plane after cuts (i) to (iii), processes, whether cut (iv) passes, and muons on target."""
    detector, point = load_detector("na64mu-2022"), load_working_point("prl2024")
    tables = [reconstruct(read_batch(path), detector) for path in files]
    t = {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
    cuts = {cut.name: np.asarray(cut(t)) for cut in point.bind(load_calibration(detector.tag).windows)}
    before = np.all([cuts[name] for name in point.before_plane_cut()], axis=0)
    places = {f"{r.name}": before & in_region(t, r) for r in point.regions} | {"box": before & in_box(t, point.box)}
    for region in point.regions:  # the box comes first where a region overlaps it
        places[region.name] &= ~places["box"]
    places["anywhere"] = before
    places["anywhere, all triggers"] = np.ones(len(before), dtype=np.bool_)
    return places, t["mc_process"], cuts[point.plane_cut], sum(int(row["n_mot"]) for path in files for row in read_runs(path))


def show(files: list[Path]) -> None:
    places, process, mip, n_mot = masks(files)
    table = Table("region", "the Letter names", *PROCESSES.values(), "all", "after (iv)", title=f"Physics triggers after cuts (i) to (iii), {n_mot} muons on target", title_justify="left")  # fmt: skip
    for name, mask in places.items():
        counts = [f"{int(np.sum(mask & (process == code)))}" for code in PROCESSES]
        table.add_row(name, EXPECTED.get(name, ""), *counts, f"{int(mask.sum())}", f"{int(np.sum(mask & mip))}")
    CONSOLE.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("-n", "--muons", type=int, default=10_000_000, help="Muons on target, both configurations together.")
    parser.add_argument("--no-pile-up", action="store_true")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    files = samples(args.folder, args.muons, not args.no_pile_up)
    out = args.folder / "out"
    subprocess.run([sys.executable, "-m", "na64mu", "run", *map(str, files), "-o", str(out)], check=True)
    show(files)
    CONSOLE.print(f"{out / 'plane.png'}")


if __name__ == "__main__":
    main()
