"""What the plane of g against mass holds besides our limits, as files: the g-2 lines of both presets and other limits (plane.csv), and their sources (bounds.csv)."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from na64mu.analysis.curves import g_minus_2_line, other_bounds, other_limits
from na64mu.analysis.limits import SearchLimits
from na64mu.analysis.limits_files import write_table
from na64mu.physics.moment import PRESETS

__all__ = ("write_plane",)


def _column(name: str) -> str:
    return re.sub(r"\W+", "_", name).strip("_")


def write_plane(limits: SearchLimits, folder: Path) -> list[Path]:
    """Write plane.csv and bounds.csv.

    Parameters
    ----------
    limits : SearchLimits
        Its masses are those of the rows.
    folder : Path
        Exists.

    Returns
    -------
    list of Path
        The files.
    """
    masses = limits.masses
    columns = {"mass_GeV": masses}
    for name, deviation in PRESETS.items():
        for sigmas in (-2.0, 2.0):
            if deviation.at(sigmas) > 0:  # without a deviation there is an upper edge alone
                columns[f"g_minus_2_{_column(name)}_{sigmas:+.0f}_sigma"] = g_minus_2_line(masses, sigmas, deviation)
    for curve in other_limits():
        inside = np.interp(np.log(masses), np.log(curve.x), np.log(curve.y), left=np.nan, right=np.nan)
        columns[f"g_{_column(curve.name)}"] = np.exp(inside)
    rows = [{name: float(values[i]) for name, values in columns.items()} for i in range(len(masses))]
    head = [f"g-2, {name}: {1e11 * d.value:.1f} +- {1e11 * d.error:.1f} e-11; {d.source}" for name, d in PRESETS.items()]
    bounds = [
        {
            "name": b.name,
            "source": b.source,
            "level": b.level,
            "level_is_confirmed": "yes" if b.checked else "no",
            "level_read_in": b.checked,
            "decay": b.decay,
            "newer_than_the_letter": "yes" if b.is_new else "no",
            "column_of_plane_csv": f"g_{_column(b.name)}" if b.file else "",
            **dict(zip(("mass_low_GeV", "mass_high_GeV"), b.masses or ("", ""), strict=True)),
            **dict(zip(("g_low", "g_high"), b.couplings or ("", ""), strict=True)),
            "note": b.note,
        }
        for b in other_bounds()
    ]
    return [
        write_table(folder / "plane.csv", [*head, "other limits: see bounds.csv"], rows),
        write_table(folder / "bounds.csv", ["limits of other experiments; without a column: the printed ends of their range"], bounds),
    ]
