"""Magnetic field maps read from files: a regular grid of (Bx, By, Bz), in mm and T whatever the file's units.

Text (columns x y z Bx By Bz with a header line, comma or blank separated, or an OPERA table), NumPy .npz and ROOT TTree.
Units are given in the header or in the keys of the .npz, as in "x [mm]", or are given with the file, as always for ROOT.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from na64mu.errors import DetectorError
from na64mu.typing import FloatArray, IntArray

__all__ = ("FieldMap", "Units", "read_field_map")

COLUMNS = ("x", "y", "z", "bx", "by", "bz")
LENGTHS = {"mm": 1.0, "cm": 10.0, "m": 1e3, "metre": 1e3, "meter": 1e3}
FIELDS = {"t": 1.0, "tesla": 1.0, "mt": 1e-3, "kg": 0.1, "g": 1e-4, "gauss": 1e-4}
FORMATS = "columns x y z Bx By Bz as text (.txt, .dat, .csv, .table), .npz or a ROOT TTree (.root)"
ROOT_TREES = ("TTree", "ROOT::RNTuple")
ROUNDING = 1e-3  # a spacing may differ by this fraction: text files round their coordinates

NAME_AND_UNIT = re.compile(r"([A-Za-z]\w*)\s*(?:[\[(]\s*(\w+)\s*[\])])?")
OPERA_COLUMN = re.compile(r"^\s*\d+\s+([A-Za-z]\w*)\s*(?:[\[(]\s*(\w+)\s*[\])])?\s*$")

Units = tuple[str, str]
Column = tuple[str, str]  # name and unit ("" if the file states none)


class FieldMap(NamedTuple):
    """A magnetic field on a regular grid.

    Attributes
    ----------
    origin, spacing : FloatArray
        First grid point and distance of the points along x, y, z [mm], shape (3,).
    values : FloatArray
        (Bx, By, Bz) [T], shape (n_x, n_y, n_z, 3).
    """

    origin: FloatArray
    spacing: FloatArray
    values: FloatArray

    @property
    def end(self) -> FloatArray:
        """Last grid point [mm], shape (3,)."""
        return self.origin + self.spacing * (np.array(self.values.shape[:3]) - 1)


def _numbers(line: str) -> list[float] | None:
    try:
        return [float(word) for word in line.replace(",", " ").split()]
    except ValueError:
        return None


def _read_text(path: Path) -> tuple[list[Column], FloatArray]:
    header: list[str] = []
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            row = _numbers(line)
            if row is not None and len(row) >= len(COLUMNS):
                break
            header.append(line.strip().strip("#%! "))
    opera = [m.groups(default="") for line in header if (m := OPERA_COLUMN.match(line))]
    named = [found for line in header if len(found := [m.groups(default="") for m in NAME_AND_UNIT.finditer(line)]) >= len(COLUMNS)]
    columns = [(str(name), str(unit)) for name, unit in (opera if len(opera) >= len(COLUMNS) else named[-1] if named else [])]
    with path.open(encoding="utf-8", errors="replace") as file:
        lines = (line.replace(",", " ") for i, line in enumerate(file) if i >= len(header) and line.strip())
        try:
            table = np.loadtxt(lines, comments="#", ndmin=2)
        except ValueError as cause:
            msg = f"field map {path}: the lines below the header (line {len(header)}) are not a table of numbers: {cause}"
            raise DetectorError(msg) from cause
    if table.size and columns and table.shape[1] != len(columns):
        msg = f"field map {path}: it has {table.shape[1]} columns and the header names {len(columns)}; write a header line 'x [mm] y [mm] z [mm] Bx [T] By [T] Bz [T]'"
        raise DetectorError(msg)
    return columns, table


def _read_npz(path: Path) -> tuple[list[Column], FloatArray]:
    with np.load(path, allow_pickle=False) as file:
        keys = list(file)
        columns = [m.groups(default="") if (m := NAME_AND_UNIT.fullmatch(key.strip())) else (key, "") for key in keys]
        lengths = {key: file[key].size for key in keys}
        if len(set(lengths.values())) > 1:
            msg = f"field map {path}: its columns differ in length: {lengths}"
            raise DetectorError(msg)
        return [(str(n), str(u)) for n, u in columns], np.column_stack([np.asarray(file[key], dtype=np.float64).ravel() for key in keys])


def _read_root(path: Path) -> tuple[list[Column], FloatArray]:
    import uproot

    with uproot.open(path) as file:
        trees = [name for name, kind in file.classnames(cycle=False).items() if kind in ROOT_TREES]
        if len(trees) != 1:
            msg = f"field map {path}: one TTree was expected, found {trees or 'none'}"
            raise DetectorError(msg)
        tree = file[trees[0]]
        names = [str(name) for name in tree.keys()]  # noqa: SIM118 # a tree is no dict
        return [(name, "") for name in names], np.column_stack(
            [np.asarray(tree[name].array(library="np"), dtype=np.float64) for name in names]
        )


def _factor(path: Path, column: Column, default: str) -> float:
    name, stated = column
    known = FIELDS if name.startswith("b") else LENGTHS
    unit = stated or default
    if not unit:
        msg = f"field map {path}: column {name} states no unit; give map_units, or write it in the header, as in '{name} [{'T' if known is FIELDS else 'mm'}]'"
        raise DetectorError(msg)
    if unit.lower() not in known:
        msg = f"field map {path}: column {name} has the unknown unit {unit!r}; known are {', '.join(known)}"
        raise DetectorError(msg)
    if stated and default and known[stated.lower()] != known[default.lower()]:
        msg = f"field map {path}: column {name} is in {stated}, but map_units says {default}; drop map_units or correct it"
        raise DetectorError(msg)
    return known[unit.lower()]


def _axis(path: Path, name: str, positions: FloatArray) -> tuple[float, float, IntArray]:
    """First point, spacing and index of every row along one axis."""
    extent = float(np.ptp(positions))
    ordered = np.sort(positions)
    steps = np.diff(ordered)
    new = steps > 1e-6 * extent
    points = np.append(ordered[:1], ordered[1:][new])
    gaps = np.diff(points)
    if len(points) < 2:
        msg = f"field map {path}: all points have {name} = {points[0]:g} mm; a map needs at least two points along every axis"
        raise DetectorError(msg)
    spacing = extent / (len(points) - 1)
    if np.any(np.abs(gaps - spacing) > ROUNDING * spacing):
        msg = f"field map {path}: the grid is not regular along {name}: the points are {gaps.min():g} to {gaps.max():g} mm apart; put the map on a grid of equal steps"
        raise DetectorError(msg)
    return float(points[0]), spacing, np.rint((positions - points[0]) / spacing).astype(np.int64)


def _on_grid(path: Path, table: FloatArray) -> FieldMap:
    axes = [_axis(path, name, table[:, i]) for i, name in enumerate(("x", "y", "z"))]
    shape = tuple(int(index.max()) + 1 for _, _, index in axes)
    flat = np.ravel_multi_index(tuple(index for _, _, index in axes), shape)
    times = np.bincount(flat, minlength=int(np.prod(shape)))
    if np.any(times != 1):
        worst = int(np.argmax(times != 1))
        point = [origin + spacing * int(i) for (origin, spacing, _), i in zip(axes, np.unravel_index(worst, shape), strict=True)]
        msg = f"field map {path}: the grid is not regular: {len(table)} rows for {' x '.join(map(str, shape))} points; ({point[0]:g}, {point[1]:g}, {point[2]:g}) mm is there {times[worst]} times"
        raise DetectorError(msg)
    values = np.empty((times.size, 3))
    values[flat] = table[:, 3:]
    if not np.all(np.isfinite(values)):
        msg = f"field map {path}: {np.sum(~np.isfinite(values))} field components are not finite numbers"
        raise DetectorError(msg)
    return FieldMap(np.array([a[0] for a in axes]), np.array([a[1] for a in axes]), values.reshape(*shape, 3))


def read_field_map(path: Path, units: Units | None = None) -> FieldMap:
    """Read a field map.

    Parameters
    ----------
    path : Path
        The file: text, .npz or .root, with the columns x, y, z, Bx, By, Bz in any order and case; others are ignored.
    units : tuple of str, optional
        Units of length (mm, cm, m) and field (T, kG, G) where the file states none.

    Returns
    -------
    FieldMap
        The grid in mm and T, in the frame of the file.

    Raises
    ------
    DetectorError
        If the file cannot be read, a column or a unit is missing or unknown, or the points are no regular grid.
    """
    reader = {".npz": _read_npz, ".root": _read_root}.get(path.suffix.lower(), _read_text)
    try:
        columns, table = reader(path)
    except (OSError, ValueError) as cause:
        msg = f"field map {path}: it cannot be read as {FORMATS}: {cause}"
        raise DetectorError(msg) from cause
    names = [name.lower() for name, _ in columns]
    missing = [name for name in COLUMNS if names.count(name) != 1]
    if missing:
        msg = f"field map {path}: column {missing[0]} is needed once; found the columns {', '.join(n for n, _ in columns) or 'none'}; expected {FORMATS}"
        raise DetectorError(msg)
    if len(table) == 0:
        msg = f"field map {path}: there is no row below the header"
        raise DetectorError(msg)
    length, field = units or ("", "")
    picked = [names.index(name) for name in COLUMNS]
    factors = [
        _factor(path, (name, columns[i][1]), field if name.startswith("b") else length) for name, i in zip(COLUMNS, picked, strict=True)
    ]
    return _on_grid(path, table[:, picked] * np.array(factors))
