"""Simulated files as samples to draw from: events of one process and configuration, wherever they lie."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from na64mu.detector.hidden import APPARATUS, Hidden
from na64mu.errors import InputError
from na64mu.events.origin import file_is_data
from na64mu.events.reader import read_runs
from na64mu.events.root_io import find_tree, open_file, read_columns, sentence_for
from na64mu.events.schema_v1 import TREE, TRIGGER_BITS
from na64mu.inputs.paths import inputs_of
from na64mu.physics.bosons import BOSONS
from na64mu.physics.widths import invisible_fraction
from na64mu.simulation.unweighted import MuonSample
from na64mu.typing import IntArray

__all__ = ("Located", "branching_ratio", "find_samples", "need_apparatus", "signal_scale")

COLUMNS = ("run", "config", "trigger", "mc_weight", "mc_mass")


class _Key(NamedTuple):
    """What the events of one sample share: process, configuration, prescale, and mass [GeV] and coupling of a signal."""

    process: str
    config: int
    prescale: int
    mass: float = 0.0
    g_ref: float = 0.0


@dataclass(frozen=True)
class Located:
    """A sample and where its events are.

    Attributes
    ----------
    sample : MuonSample
    process : str
        As `na64mu simulate --process` names it; "" for a simulation of other software.
    mass : float
        Mass of the boson [GeV]; NaN for other processes.
    g_ref : float
        Coupling of the weights.
    file, entry : IntArray
        Index of the file and entry in it, shape (n_events,).
    """

    sample: MuonSample
    process: str
    mass: float
    g_ref: float
    file: IntArray
    entry: IntArray

    @property
    def is_signal(self) -> bool:
        """Whether it is of a boson."""
        return self.process in BOSONS

    @property
    def has_calibration(self) -> bool:
        """Whether calibration triggers were written."""
        return self.sample.prescale > 0

    @property
    def is_beam(self) -> bool:
        """Whether its events are muons of weight 1, all of which are on target."""
        return not self.is_signal and self.process in {"beam", ""} and bool((self.sample.weight == 1.0).all())


def _rows(path: str) -> list[dict[str, Any]]:
    rows = read_runs(path)
    with sentence_for(path), open_file(path) as file:
        if file_is_data(file, path):
            msg = f"{path}: is data, or has no truth: mock data are made of simulated files"
            raise InputError(msg)
    if len({(row["run"], row["config"]) for row in rows}) != len(rows):
        msg = f"{path}: its bookkeeping has two rows for one run and configuration"
        raise InputError(msg)
    return rows


def _process(row: Mapping[str, Any]) -> str:
    first, _, rest = str(row["conditions"]).partition(";")
    return rest.partition(";")[0] if first == "simulation" else ""


def need_apparatus(rows: Iterable[Mapping[str, Any]], hidden: Hidden | None, path: str) -> None:
    """Refuse a sample that was simulated with another apparatus than the hidden one.

    Parameters
    ----------
    rows : iterable of mapping
        Bookkeeping of the file.
    hidden : Hidden or None
    path : str
        The file, for the message.

    Raises
    ------
    InputError
        With what to do.
    """
    wanted = hidden.conditions.label if hidden is not None and hidden.moves else ""
    for row in rows:
        found = next((part for part in str(row["conditions"]).split(";") if part.startswith(f"conditions={APPARATUS}")), "")
        if found != wanted:
            made = "another hidden apparatus" if found else "the apparatus of its description, nothing displaced"
            msg = (
                f"{path}: was simulated with {made}: make it with `na64mu simulate --detector HIDDEN.toml`, the file that goes to --hidden"
            )
            raise InputError(msg)


def find_samples(files: Iterable[str | Path] | str | Path, hidden: Hidden | None) -> tuple[list[str], list[Located], str]:
    """Read weights, triggers and bookkeeping of simulated files.

    Parameters
    ----------
    files : str, Path or iterable of them
        Raw trees of simulations.
    hidden : Hidden or None
        Apparatus that they must have been simulated with.

    Returns
    -------
    paths : list of str
    samples : list of Located
    detector : str
        Tag of the description that their bookkeeping names.

    Raises
    ------
    InputError
        If a file cannot be read, is data, or does not go with the others.
    """
    inputs = inputs_of(files)
    paths = [path for names in inputs.datasets.values() for path in names]
    lost = [loss.reason for loss in inputs.losses if loss.is_damage]
    if lost or not paths:
        raise InputError(*(lost or ["no input was given: name the simulated files"]))
    parts: dict[_Key, list[tuple[dict[str, Any], int, IntArray, dict[str, Any]]]] = defaultdict(list)
    tags = set()
    for number, path in enumerate(paths):
        rows = _rows(path)
        need_apparatus(rows, hidden, path)
        with sentence_for(path), open_file(path) as file:
            columns = {name: np.asarray(c) for name, c in read_columns(find_tree(file, path, TREE), list(COLUMNS), path).items()}
        for row in rows:
            own = np.flatnonzero((columns["run"] == row["run"]) & (columns["config"] == row["config"]))
            tags.add(str(row["detector"]))
            key = _key(row, columns["mc_mass"][own], path)
            if key is not None:
                parts[key].append((row, number, own, columns))
    if len(tags) != 1:
        msg = f"the samples are of the detectors {', '.join(sorted(tags))}: data have one"
        raise InputError(msg)
    return paths, [_located(key, found) for key, found in sorted(parts.items(), key=lambda item: str(item[0]))], tags.pop()


def _key(row: Mapping[str, Any], mass: Any, path: str) -> _Key | None:
    """Sample that the events of a row belong to; None for a signal of which no event was written."""
    process, config, prescale = _process(row), int(row["config"]), int(row["prescale_calibration"])
    if process not in BOSONS:
        return _Key(process, config, prescale)
    masses = np.unique(mass)
    if len(masses) > 1:
        msg = f"{path}: has bosons of {len(masses)} masses: files of one mass each are wanted"
        raise InputError(msg)
    return _Key(process, config, prescale, float(masses[0]), float(row["g_ref"])) if len(masses) else None


def _located(key: _Key, found: list[tuple[dict[str, Any], int, IntArray, dict[str, Any]]]) -> Located:
    """Pieces of one process and configuration together."""
    process, config, prescale, mass, g_ref = key
    name = f"{process or 'of other software'}{f' {1000 * mass:g} MeV' if mass else ''}"
    entry = np.concatenate([entries for _, _, entries, _ in found])
    weight = np.concatenate([columns["mc_weight"][entries] for _, _, entries, columns in found]).astype(np.float64)
    trigger = np.concatenate([columns["trigger"][entries] for _, _, entries, columns in found])
    physics = (trigger.astype(np.uint32) & np.uint32(1 << TRIGGER_BITS["physics"])) != 0
    n_mot = sum(int(row["n_mot"]) for row, *_ in found)
    if n_mot <= 0:
        msg = f"sample {name} of configuration {config}: its bookkeeping has no muons on target"
        raise InputError(msg)
    file = np.concatenate([np.full(len(entries), number) for _, number, entries, _ in found])
    sample = MuonSample(name, config, n_mot, prescale, weight, physics)
    return Located(sample, process, mass or float("nan"), g_ref, file, entry.astype(np.int64))


def branching_ratio(process: str, mass: float, coupling: float) -> float:
    """Part of the bosons that leave no trace: of a Z' those that decay to neutrinos, of all others all of them.

    Parameters
    ----------
    process : str
        Name of the boson.
    mass : float
        [GeV].
    coupling : float
        g.

    Returns
    -------
    float
    """
    return float(invisible_fraction(mass, coupling)) if process == "zprime" else 1.0


def signal_scale(located: Located, hidden: Hidden | None) -> float:
    """Factor on the weights of a sample: of a signal (g / g_ref)^2 times the branching ratio, else 1.

    Parameters
    ----------
    located : Located
    hidden : Hidden or None
        With the coupling.

    Returns
    -------
    float

    Raises
    ------
    InputError
        If there is a signal sample and no coupling.
    """
    if not located.is_signal:
        return 1.0
    if hidden is None or hidden.signal is None:
        msg = f"{located.sample.where} is a signal, and no coupling is given: add [signal] with coupling to the file of --hidden, or leave the sample out"
        raise InputError(msg)
    g = hidden.signal.coupling
    return (g / located.g_ref) ** 2 * branching_ratio(located.process, located.mass, g)
