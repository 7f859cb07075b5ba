"""A user's table for a recast: events or yields, read and checked.

The table is CSV with a header line; lines that begin with # are comments. Two forms, distinguished by their columns:

events: ``mass_GeV, x, psi_rad, per_mot``. One row per simulated production: energy fraction of the invisible particle, angle of the recoil muon against the incoming one, and the
expected number of such events per muon on target (S0 S1 !V1) in the whole target at the reference coupling. Rows of one mass together are one model point. The efficiency comes from the map in (x, psi').

yields: ``mass_GeV, per_mot`` and perhaps ``efficiency_1, efficiency_2``. What is made per muon on target and not seen, at the reference coupling. Without efficiencies
those of a Z' of the same mass are taken.

The yield must grow with a known power of the coupling (2 for single production). Masses GeV, angles rad.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from na64mu.errors import InputError
from na64mu.typing import FloatArray

__all__ = ("EVENTS", "OWN_EFFICIENCIES", "YIELDS", "UserTable", "read_user_table")

EVENTS = ("mass_GeV", "x", "psi_rad", "per_mot")
YIELDS = ("mass_GeV", "per_mot")
OWN_EFFICIENCIES = ("efficiency_1", "efficiency_2")
#: Values that a column can have: lowest and highest.
RANGES = {
    "mass_GeV": (0.0, math.inf),
    "x": (0.0, 1.0),
    "psi_rad": (0.0, math.pi),
    "per_mot": (0.0, 1.0),
    "efficiency_1": (0.0, 1.0),
    "efficiency_2": (0.0, 1.0),
}


@dataclass(frozen=True)
class UserTable:
    """A user's table.

    Attributes
    ----------
    columns : dict of str to FloatArray
        Shape (n_rows,) each.
    path : str
    """

    columns: dict[str, FloatArray]
    path: str

    @property
    def has_events(self) -> bool:
        """Whether the rows are events with kinematics; else yields."""
        return "x" in self.columns

    @property
    def masses(self) -> FloatArray:
        """[GeV], rising, each once."""
        return np.unique(self.columns["mass_GeV"])


def read_user_table(path: str | Path) -> UserTable:
    """Read and check a table.

    Parameters
    ----------
    path : str or Path
        CSV file in one of the forms described in this module's docstring.

    Returns
    -------
    UserTable

    Raises
    ------
    InputError
        If it cannot be read, a column is missing or unknown, or a value is impossible: with the line and what was expected.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()  # spreadsheets begin a file with a byte-order mark
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path}: cannot be read ({error}): a CSV table is wanted"
        raise InputError(msg) from error
    numbered = [(i, line) for i, line in enumerate(lines, start=1) if line.strip() and not line.lstrip().startswith("#")]
    if len(numbered) < 2:
        msg = f"{path}: no rows: a head line ({', '.join(EVENTS)} or {', '.join(YIELDS)}) and at least one row of numbers are wanted"
        raise InputError(msg)
    head = [name.strip() for name in next(csv.reader([numbered[0][1]]))]
    allowed: tuple[set[str], ...] = (set(EVENTS), set(YIELDS), {*YIELDS, *OWN_EFFICIENCIES})
    if set(head) not in allowed or len(set(head)) != len(head):
        msg = f"{path}: columns {', '.join(head)}: wanted are {', '.join(EVENTS)} (events) or {', '.join(YIELDS)} and perhaps {', '.join(OWN_EFFICIENCIES)} (yields)"
        raise InputError(msg)
    rows = np.array([_row(path, number, line, head) for number, line in numbered[1:]])
    table = UserTable({name: rows[:, i] for i, name in enumerate(head)}, str(path))
    if not table.has_events and len(table.masses) != len(rows):
        msg = f"{path}: a mass is given twice: give every mass one row of yields"
        raise InputError(msg)
    for mass in table.masses:
        if not table.columns["per_mot"][table.columns["mass_GeV"] == mass].sum() > 0:
            msg = f"{path}: no yield at {mass:g} GeV: per_mot is 0 in every row of this mass, so nothing is made that could be excluded; leave the mass out, or give a number above 0"
            raise InputError(msg)
    return table


def _row(path: str | Path, number: int, line: str, head: Sequence[str]) -> list[float]:
    cells = next(csv.reader([line]))
    try:
        values = [float(cell) for cell in cells]
    except ValueError as error:
        msg = f"{path}, line {number}: {error}: numbers are wanted for {', '.join(head)}"
        raise InputError(msg) from error
    if len(values) != len(head):
        msg = f"{path}, line {number}: {len(values)} values for {len(head)} columns ({', '.join(head)})"
        raise InputError(msg)
    for name, value in zip(head, values, strict=True):
        low, high = RANGES[name]
        if not low <= value <= high or not math.isfinite(value) or (name == "mass_GeV" and value == 0.0):
            msg = f"{path}, line {number}: {name} = {value:g}: a number {'above 0' if name == 'mass_GeV' else f'from {low:g} to {high:.4g}'} is wanted"
            raise InputError(msg)
    return values
