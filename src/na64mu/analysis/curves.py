"""Curves to compare a limit with: limits of other experiments, the g-2 band, relic targets. Masses GeV, couplings dimensionless."""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import pairwise
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict
from scipy.interpolate import PchipInterpolator

from na64mu.errors import InputError
from na64mu.physics.moment import LETTER, Deviation, coupling_of
from na64mu.physics.relic import target_y
from na64mu.physics.widths import DarkMatter
from na64mu.typing import FloatArray

__all__ = ("Bound", "Curve", "crossing", "g_minus_2_line", "letter_numbers", "other_bounds", "other_limits", "relic_targets")

#: Points of a crossing's search between two masses.
FINE = 33
#: Kinds of dark matter in the right panel of Fig. 4 of the Letter.
TARGETS = (DarkMatter.PSEUDO_DIRAC, DarkMatter.MAJORANA, DarkMatter.SCALAR)


@dataclass(frozen=True)
class Curve:
    """A line in a plane.

    Attributes
    ----------
    name, source : str
    x, y : FloatArray
        Shape (n,), x rising.
    """

    name: str
    source: str
    x: FloatArray
    y: FloatArray


class Bound(BaseModel):
    """A limit of another experiment, as bounds.toml describes it.

    Attributes
    ----------
    name, source, level : str
        Experiment, reference, and confidence level.
    checked : str
        Where the confidence level was read; empty where it is unconfirmed.
    decay : str
        What was searched for.
    is_new : bool
        Whether it is newer than the Letter.
    file : str
        Curve that ships with the package; empty where there is none.
    masses, couplings : tuple of float
        Printed ends of its range [GeV], where there is no curve; empty where they are not printed.
    note : str
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    source: str
    level: str
    checked: str = ""
    decay: str
    is_new: bool
    file: str = ""
    masses: tuple[float, ...] = ()
    couplings: tuple[float, ...] = ()
    note: str = ""


class _Bounds(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    bound: tuple[Bound, ...]


def other_bounds() -> tuple[Bound, ...]:
    """Every limit of another experiment that the package knows of, with source and confidence level, old ones and those newer than the Letter."""
    text = files("na64mu.data").joinpath("published", "bounds.toml").read_text(encoding="utf-8")
    return _Bounds.model_validate(tomllib.loads(text)).bound


def other_limits() -> tuple[Curve, ...]:
    """Limits of other experiments on g against the mass of a Z' of L_mu - L_tau, of which `data/published` holds a curve."""
    folder = files("na64mu.data").joinpath("published")
    curves = []
    for file, name, source in ((b.file, b.name, f"{b.source}, {b.level}") for b in other_bounds() if b.file):
        lines = folder.joinpath(f"limit_{file}.csv").read_text(encoding="utf-8").splitlines()
        rows = np.array([[float(v) for v in row] for row in list(csv.reader(line for line in lines if not line.startswith("#")))[1:]])
        rows = rows[rows[:, 0] > 0]
        curves.append(Curve(name, source, rows[:, 0], rows[:, 1]))
    return tuple(curves)


def letter_numbers() -> dict[str, Any]:
    """Numbers printed in the Letter (data/published/letter.toml)."""
    return tomllib.loads(files("na64mu.data").joinpath("published", "letter.toml").read_text(encoding="utf-8"))


def g_minus_2_line(masses: FloatArray, sigmas: float, deviation: Deviation = LETTER) -> FloatArray:
    """Coupling of a vector that explains the muon's anomalous moment, a number of standard deviations up.

    Parameters
    ----------
    masses : FloatArray
        [GeV], shape (n,).
    sigmas : float
        May be negative.
    deviation : Deviation
        Measured minus predicted; by default that of the Letter.

    Returns
    -------
    FloatArray
        g, shape (n,).
    """
    return coupling_of(deviation.at(sigmas), masses)


def crossing(masses: FloatArray, limits: FloatArray, line: FloatArray) -> tuple[float, float]:
    """Masses between which a limit lies below a line, interpolated in logarithms, smoothly: the answer moves little with the grid of masses.

    Parameters
    ----------
    masses, limits, line : FloatArray
        Shape (n,), masses rising.

    Returns
    -------
    first, last : float
        Ends of the first such range [GeV]; NaN for an end that lies outside the masses, both if there is no such range.
    """
    finite = np.isfinite(limits) & np.isfinite(line)
    masses, above = masses[finite], np.log(limits[finite] / line[finite])
    if len(masses) > 3:
        fine = np.unique(np.concatenate([np.linspace(a, b, FINE) for a, b in pairwise(np.log(masses))]))
        masses, above = np.exp(fine), PchipInterpolator(np.log(masses), above)(fine)
    below = np.flatnonzero(above < 0)
    if below.size == 0:
        return float("nan"), float("nan")
    start = int(below[0])
    again = np.flatnonzero(above[start:] >= 0)
    ends = (start - 1 if start > 0 else -1, start + int(again[0]) - 1 if again.size else -1)

    def between(i: int) -> float:
        step = above[i] / (above[i] - above[i + 1])
        return float(masses[i] * (masses[i + 1] / masses[i]) ** step)

    first, last = (between(i) if i >= 0 else float("nan") for i in ends)
    return first, last


def relic_targets(
    m_chi: Sequence[float], dark_coupling: float, ratio: float, *, progress: Callable[[], object] | None = None
) -> tuple[Curve, ...]:
    """Values of y that give the observed abundance of dark matter, for each kind of chi.

    Parameters
    ----------
    m_chi : sequence of float
        [GeV].
    dark_coupling : float
        g_chi.
    ratio : float
        M / m_chi.
    progress : callable, optional
        Called after each mass of each kind.

    Returns
    -------
    tuple of Curve
        y against m_chi.
    """
    curves = []
    for kind in TARGETS:
        values = []
        for mass in m_chi:
            try:
                values.append(target_y(float(mass), dark_coupling, kind, ratio))
            except (ValueError, RuntimeError) as error:
                msg = f"relic target of {kind} dark matter of {mass:g} GeV with g_chi = {dark_coupling:g}: {error}"
                raise InputError(msg) from error
            if progress is not None:
                progress()
        curves.append(Curve(str(kind), "Boltzmann equation, Omega h^2 = 0.120", np.asarray(m_chi, dtype=np.float64), np.array(values)))
    return tuple(curves)
