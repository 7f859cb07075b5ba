"""Other inputs of a recast: events of a generator (Les Houches or HepMC 3 text), and a density in (x, psi') as a Python function.

Events are mu N -> mu N + anything that is not seen, on lead, with cross-sections per nucleus. Energies GeV, angles rad, cross-sections pb.
"""

from __future__ import annotations

import gzip
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from na64mu.analysis.recast_table import EVENTS, UserTable
from na64mu.analysis.yields.kinematics import PSI_EDGES, X_EDGES
from na64mu.analysis.yields.target import CM2_PER_PB, Target
from na64mu.errors import InputError
from na64mu.typing import FloatArray

__all__ = ("Density", "is_event_file", "read_events", "table_of_density")

#: Expected number per muon on target, of dx dpsi, at the reference coupling: (mass, x, psi) -> numbers of the shape of x and psi.
Density = Callable[[float, FloatArray, FloatArray], FloatArray]

MUON = 13
#: Below it (muon on mass shell, target at rest) rounding in the file decides [GeV].
SMALLEST_MASS = 1e-6
#: Endings of files with events; each may be compressed (.gz).
ENDINGS = (".lhe", ".hepmc", ".hepmc3")
#: Nodes of the integral over one bin of the map, and the lowest x and psi in it.
NODES, LOWEST = 12, (1e-4, 1e-6)


class Particle(NamedTuple):
    """One line of an event: code of the particle, whether it comes in (-1), goes out (1) or neither (0), energy and momentum [GeV]."""

    pdg: int
    direction: int
    momentum: tuple[float, float, float, float]


def is_event_file(path: str | Path) -> bool:
    """Whether the name is that of a file with events of a generator."""
    return Path(str(path).removesuffix(".gz")).suffix.lower() in ENDINGS


def read_events(path: str | Path, target: Target) -> UserTable:
    """Read events of a generator: x, psi' and the mass of what is not seen, and the expected number per muon on target.

    What is not seen is everything that goes out besides the scattered muon and what has the code of the incoming nucleus. Events are boosted to the rest frame of the nucleus.
    Masses that agree within a per mille are one model point; the events of a continuum are one point, of the mean mass.

    Parameters
    ----------
    path : str or Path
        Les Houches (.lhe) or HepMC 3 text (.hepmc, .hepmc3), perhaps compressed (.gz).
    target : Target
        Active target, from `target_of`: the number of lead nuclei on the way of a muon.

    Returns
    -------
    UserTable

    Raises
    ------
    InputError
        If it cannot be read, or an event is not of this kind.
    """
    name, opened = str(path), gzip.open if str(path).endswith(".gz") else open
    try:
        with opened(path, "rt", encoding="utf-8") as stream:
            lines = stream.read().splitlines()
    except (OSError, UnicodeDecodeError, EOFError) as error:
        msg = f"{path}: cannot be read ({error}): events in Les Houches or HepMC 3 text are wanted"
        raise InputError(msg) from error
    is_lhe = ".lhe" in name.lower()
    try:
        sigma, events = _les_houches(lines) if is_lhe else _hepmc(lines)
    except (ValueError, IndexError) as error:
        msg = f"{path}: is not {'Les Houches' if is_lhe else 'HepMC 3'} text ({error}): write it again, or give a CSV table"
        raise InputError(msg) from error
    if not events or not sigma > 0:
        msg = f"{path}: {len(events)} events and a cross-section of {sigma:g} pb: at least one event and a cross-section above zero are wanted"
        raise InputError(msg)
    weights = np.array([weight for weight, _ in events])
    if not (np.isfinite(weights).all() and weights.sum() > 0):
        msg = f"{path}: weights that sum to {weights.sum():g}: a finite sum above zero is wanted"
        raise InputError(msg)
    found = np.array([_kinematics(particles, f"{path}, event {i}") for i, (_, particles) in enumerate(events, start=1)])
    per_mot = sigma * CM2_PER_PB * _lead_per_muon(target) * weights / weights.sum()
    return UserTable(dict(zip(EVENTS, (_points(found[:, 0]), found[:, 1], found[:, 2], per_mot), strict=True)), name)


def _lead_per_muon(target: Target) -> float:
    """Lead nuclei on the way of one muon [1/cm^2]."""
    return float(sum(n.per_layer * len(n.energies) for n in target.nuclei if n.name == "lead"))


def _les_houches(lines: Sequence[str]) -> tuple[float, list[tuple[float, list[Particle]]]]:
    """Cross-section [pb] and events: weight and particles."""
    sigma, events, i = 0.0, [], 0
    while i < len(lines):
        line = lines[i].strip()
        if line.startswith("<init"):
            n = int(lines[i + 1].split()[-1])
            sigma = sum(float(lines[i + 2 + k].split()[0]) for k in range(n))
            i += 1 + n
        elif line == "<event>" or line.startswith("<event "):
            head = lines[i + 1].split()
            rows = [lines[i + 2 + k].split() for k in range(int(head[0]))]
            events.append((float(head[2]), [_particle(int(r[0]), int(r[1]), [r[9], *r[6:9]]) for r in rows]))
            i += 1 + len(rows)
        i += 1
    return sigma, events


def _hepmc(lines: Sequence[str]) -> tuple[float, list[tuple[float, list[Particle]]]]:
    """Cross-section [pb] of the last event, and events: weight and particles."""
    if not any(line.startswith("HepMC::Asciiv3") for line in lines[:5]):
        msg = "HepMC::Asciiv3 is not in its head"
        raise ValueError(msg)
    sigma, unit, events = 0.0, 1.0, []
    weight, particles = 1.0, list[Particle]()
    for line in [*lines, "E"]:
        words = line.split()
        if not words:
            continue
        if words[0] == "E":
            if particles:
                events.append((weight, particles))
            weight, particles = 1.0, []
        elif words[0] == "U":
            unit = {"GEV": 1.0, "MEV": 1e-3}[words[1]] if words[1] in {"GEV", "MEV"} else math.nan
        elif words[0] == "W" and _is_number(words[1]):
            weight = float(words[1])
        elif words[0] == "A" and len(words) > 3 and words[2] == "GenCrossSection":
            sigma = float(words[3])
        elif words[0] == "P":
            direction = {4: -1, 1: 1}.get(int(words[9]), 0)
            particles.append(_particle(int(words[3]), direction, [words[7], *words[4:7]], unit))
    return sigma, events


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _particle(pdg: int, status: int, numbers: Sequence[str], unit: float = 1.0) -> Particle:
    energy, x, y, z = (unit * float(v) for v in numbers)
    return Particle(pdg, status if status in (-1, 1) else 0, (energy, x, y, z))


def _kinematics(particles: Sequence[Particle], where: str) -> tuple[float, float, float]:
    """Mass of what is not seen, x and psi'."""
    incoming = [p for p in particles if p.direction == -1]
    muons = [p for p in incoming if abs(p.pdg) == MUON]
    nuclei = [p for p in incoming if abs(p.pdg) != MUON]
    if len(muons) != 1 or len(nuclei) != 1:
        msg = f"{where}: {len(incoming)} incoming particles ({', '.join(str(p.pdg) for p in incoming)}): one muon (13) and one nucleus are wanted"
        raise InputError(msg)
    out = [p for p in particles if p.direction == 1]
    scattered = [p for p in out if p.pdg == muons[0].pdg]
    unseen = [p for p in out if p.pdg not in (muons[0].pdg, nuclei[0].pdg)]
    if len(scattered) != 1 or not unseen:
        msg = f"{where}: {len(scattered)} outgoing muons and {len(unseen)} particles besides: one muon and at least one particle that is not seen are wanted"
        raise InputError(msg)
    before, after = (_boosted(p.momentum, nuclei[0].momentum) for p in (muons[0], scattered[0]))
    total = _boosted(tuple(map(sum, zip(*(p.momentum for p in unseen), strict=True))), nuclei[0].momentum)
    mass2 = total[0] ** 2 - float(total[1:] @ total[1:])
    across = np.linalg.norm(np.cross(before[1:], after[1:]))
    psi = math.atan2(float(across), float(before[1:] @ after[1:]))
    x = float(total[0] / before[0])
    if not 0.0 <= x <= 1.0:
        msg = f"{where}: what is not seen has {x:.4g} of the muon's energy in the rest frame of the nucleus: a part from 0 to 1 is wanted"
        raise InputError(msg)
    return math.sqrt(max(mass2, SMALLEST_MASS**2)), x, psi


def _boosted(momentum: Sequence[float], frame: Sequence[float]) -> FloatArray:
    """A momentum (energy first) in the rest frame of another, shape (4,)."""
    p, f = np.asarray(momentum, dtype=np.float64), np.asarray(frame, dtype=np.float64)
    mass = math.sqrt(max(f[0] ** 2 - float(f[1:] @ f[1:]), 0.0))
    if mass == 0.0 or not f[1:].any():
        return p
    energy = (p[0] * f[0] - float(p[1:] @ f[1:])) / mass
    return np.array([energy, *(p[1:] - f[1:] * (p[0] + energy) / (f[0] + mass))])


def _points(masses: FloatArray) -> FloatArray:
    """The masses with those that agree made equal; of a continuum, the mean."""
    middle = float(np.median(masses))
    order = np.unique(np.round(np.log(masses / middle), 3))
    if len(order) > max(20, len(masses) // 10):
        return np.full(len(masses), float(masses.mean()))
    keys = np.round(np.log(masses / middle), 3)
    out = np.empty(len(masses))
    for key in order:
        out[keys == key] = float(f"{masses[keys == key].mean():.6g}")
    return out


def table_of_density(density: Density, masses: Sequence[float], *, name: str = "density") -> UserTable:
    """Make a table of events from a function: nodes in every bin of the map of efficiencies, with the numbers that belong to them.

    Parameters
    ----------
    density : callable
        (mass [GeV], x, psi [rad]) -> expected number per muon on target, per unit of x and of psi, at the reference coupling; x and psi of one shape, and so is what it returns.
    masses : sequence of float
        [GeV].
    name : str
        Name of the model, for messages and files.

    Returns
    -------
    UserTable

    Raises
    ------
    InputError
        If the function returns another shape, a number below zero or none, or nothing is made at a mass.
    """
    x, dx = map(np.concatenate, zip(*_bins(X_EDGES, LOWEST[0]), strict=True))
    psi, dpsi = map(np.concatenate, zip(*_bins(PSI_EDGES, LOWEST[1]), strict=True))
    xs, psis = (np.ravel(v) for v in np.meshgrid(x, psi, indexing="ij"))
    area, columns = np.outer(dx, dpsi).ravel(), []
    for mass in masses:
        values = np.asarray(density(float(mass), xs, psis), dtype=np.float64)
        if values.shape != xs.shape or not (np.isfinite(values).all() and (values >= 0).all() and values.any()):
            msg = f"{name} at {mass:g} GeV: an array of shape {xs.shape} of finite numbers, none below zero and one above it, is wanted; found shape {values.shape}"
            raise InputError(msg)
        columns.append(np.stack([np.full(len(xs), float(mass)), xs, psis, values * area])[:, values > 0])
    if not columns:
        msg = f"{name}: no masses: give at least one"
        raise InputError(msg)
    return UserTable(dict(zip(EVENTS, np.concatenate(columns, axis=1), strict=True)), name)


def _bins(edges: Sequence[float], lowest: float) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Gauss-Legendre nodes and weights of every bin, in the logarithm; those of the first bin are more."""
    for i, (low, high) in enumerate(itertools.pairwise(edges)):
        nodes, weights = np.polynomial.legendre.leggauss(NODES if i else 4 * NODES)
        start = math.log(max(low, lowest))
        half = 0.5 * (math.log(high) - start)
        at = np.exp(start + half * (nodes + 1.0))
        yield at, weights * half * at
