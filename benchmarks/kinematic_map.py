"""The map of efficiencies in (x, psi') against the samples that it is made of, mass by mass, and against another spin.

    na64mu efficiency -n 20000 --no-pile-up --samples samples/ -o table.json --map map.json
    python benchmarks/kinematic_map.py map.json table.json [scalar.root ...]

Each further file is a sample of `na64mu simulate --process scalar --prescale 0`, whose selected part is compared with the map's prediction.
"""

from __future__ import annotations

import sys

import numpy as np

from na64mu.analysis.yields import EfficiencyTable, KinematicMap
from na64mu.analysis.yields.kinematics import boson_share
from na64mu.detector import load_detector
from na64mu.events.reader import read_batch, read_runs
from na64mu.execution.configuration import load_calibrations
from na64mu.physics.bosons import Mediator
from na64mu.reconstruction.summary import reconstruct
from na64mu.selections.cuts import in_box
from na64mu.selections.working_point import load_working_point


def scalar(path: str, table: KinematicMap) -> None:
    """Print one sample of scalars beside the map."""
    detector, point = load_detector("na64mu-2022"), load_working_point("prl2024")
    summary, runs = reconstruct(read_batch(path), detector), read_runs(path)
    chosen = in_box(summary, point.box)
    for cut in point.bind(load_calibrations({detector.tag: detector}, None)[detector.tag].windows):
        chosen &= cut(summary)
    n_mot, mass = sum(row["n_mot"] for row in runs), float(np.median(summary["mc_mass"]))
    direct = np.count_nonzero(chosen) / n_mot
    value, error, _ = table.average(boson_share(table, mass, Mediator.SCALAR), runs[0]["config"])
    print(
        f"scalar {1000 * mass:6.1f} MeV, configuration {runs[0]['config']}: {100 * direct:.2f} +- {100 * (direct / n_mot) ** 0.5:.2f} %, map {100 * value:.2f} +- {100 * error:.2f} %"
    )


def main(map_file: str, table_file: str, *others: str) -> None:
    """Print the comparison and its chi2."""
    table, direct = KinematicMap.read(map_file), EfficiencyTable.read(table_file)
    chi2, n = 0.0, 0
    print(f"{'mass [MeV]':>10} config   direct [%]        map [%]           pull   not covered")
    for config in (1, 2):
        for point in direct.of(config):
            value, error, uncovered = table.average(boson_share(table, point.mass, Mediator.VECTOR), config)
            e = point.efficiency
            spread = float(np.hypot(0.5 * (e.high - e.low), error))
            pull = (e.value - value) / spread
            chi2, n = chi2 + pull**2, n + 1
            print(
                f"{1000 * point.mass:10g} {config:6d}   {100 * e.value:6.3f} +- {50 * (e.high - e.low):.3f}   {100 * value:6.3f} +- {100 * error:.3f}   {pull:+5.2f}   {uncovered:.1e}"
            )
    print(f"chi2 {chi2:.1f} for {n} samples (below {n} where the map is made of these samples)")
    for path in others:
        scalar(path, table)


if __name__ == "__main__":
    main(*sys.argv[1:])
