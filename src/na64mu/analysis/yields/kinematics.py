"""Signal efficiency in the kinematics of the production vertex, (x, psi'), which is the same for every boson that escapes undetected.

x is the energy fraction of the boson, psi' the angle of the recoil muon [rad]: behind the vertex nothing else of the boson matters. So this map serves where mass and
coupling structure are not those of a simulated Z': other spins, and models that a user brings (`na64mu recast`). Made by `na64mu efficiency` from the samples of
all masses together; that within a bin the mixture of masses does not matter is tested against the samples themselves (benchmarks/kinematic_map.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from na64mu.common.arguments import choice, one_of
from na64mu.common.whole_file import write_whole
from na64mu.errors import InputError, writing
from na64mu.physics.bosons import Mediator
from na64mu.physics.cross_section import Method
from na64mu.physics.production import sample_kinematics, tabulate
from na64mu.typing import BoolArray, FloatArray

__all__ = ("KinematicEfficiency", "KinematicMap", "KinematicSample", "build_map")

FORMAT_VERSION = 1
STANDARD = "na64mu-2022-kinematic"
REMEDY = "make one with `na64mu efficiency --map FILE`"
LEAD = (82.0, 207.2)
#: Borders of the bins: fine where the box edge cuts (x near 0.5) and where MS2 sweeps soft muons away; psi' even in its logarithm.
X_EDGES = (0.0, 0.3, 0.4, 0.44, 0.47, 0.5, 0.53, 0.56, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.94, 0.97, 0.985, 1.0)
PSI_EDGES = (0.0, 0.001, 0.002, 0.003, 0.004, 0.006, 0.008, 0.011, 0.015, 0.02, 0.03, 0.045, 0.07, 0.12, 0.3, 3.2)
#: A bin with fewer simulated muons says nothing.
FEWEST = 20.0
#: What a reader without this package is told, in the file.
READ_ME = (
    "Efficiency of the search by bins of x (energy fraction of what is not seen) and psi (angle of the recoil muon at the vertex [rad]): efficiency[c][i][j] and its statistical "
    "error for trigger configuration c + 1, x_edges[i] to x_edges[i + 1], psi_edges[j] to psi_edges[j + 1]; 0 where known is false (fewer than 20 simulated muons). Of all muons on target (S0 S1 !V1) "
    "with a boson made in the lead of the ECAL. Not in it: the loss to pile-up. Events = sum over c of muons on target in c x bosons per muon on target x sum over bins of "
    "share x efficiency x (1 - loss). The set-up is partly inferred: these are efficiencies of a simulation, not of the experiment."
)
#: Draws of (x, psi') that share out a sample or a model over the bins; their seed is fixed.
DRAWS, SEED = 200_000, 20240521


class KinematicSample(NamedTuple):
    """One simulated Z' sample: mass [GeV], trigger configuration, muons on target, and (x, psi') of the events in the signal box behind all cuts."""

    mass: float
    config: int
    n_mot: float
    x: FloatArray
    psi: FloatArray


@dataclass(frozen=True)
class KinematicMap:
    """Efficiency by bins of (x, psi').

    Attributes
    ----------
    generated : FloatArray
        Muons on target with a boson in the bin, shape (2, n_x, n_psi): first axis the trigger configuration.
    selected : FloatArray
        Muons on target of `generated` that are in the signal box after all cuts; same shape.
    energy : float
        Energy of the muon [GeV].
    x_edges, psi_edges : FloatArray
        Shapes (n_x + 1,) and (n_psi + 1,).
    provenance : mapping
    """

    generated: FloatArray
    selected: FloatArray
    energy: float
    x_edges: FloatArray = field(default_factory=lambda: np.array(X_EDGES))
    psi_edges: FloatArray = field(default_factory=lambda: np.array(PSI_EDGES))
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def share(self, x: FloatArray, psi: FloatArray, weights: FloatArray | None = None) -> FloatArray:
        """Fraction of weighted (x, psi') in every bin, shape (n_x, n_psi)."""
        counts = np.histogram2d(x, psi, bins=(self.x_edges, self.psi_edges), weights=weights)[0]
        total = float(len(x)) if weights is None else float(np.sum(weights))
        return np.asarray(counts / total, dtype=np.float64)

    def average(self, share: FloatArray, config: int) -> tuple[float, float, float]:
        """Efficiency of a distribution over the bins.

        Parameters
        ----------
        share : FloatArray
            Fraction of the distribution in every bin, from `share`.
        config : int
            Trigger configuration, 1 or 2.

        Returns
        -------
        efficiency, error : float
            The error is that of the simulated statistics (binomial, bins independent).
        uncovered : float
            Part of the distribution in bins without enough simulated muons; it counts as not selected.
        """
        value, error, known = self.bins(config)
        return float(np.sum(share * value)), float(np.sqrt(np.sum(share**2 * error**2))), float(share[~known].sum())

    def bins(self, config: int) -> tuple[FloatArray, FloatArray, BoolArray]:
        """Efficiency of every bin, its statistical error, and whether enough muons were simulated there; where not, both are zero.

        Parameters
        ----------
        config : int
            Trigger configuration, 1 or 2.

        Returns
        -------
        efficiency, error, known : FloatArray, FloatArray, BoolArray
            Shape (n_x, n_psi).
        """
        config = one_of(config, (1, 2), "config")
        generated, selected = self.generated[config - 1], self.selected[config - 1]
        known = generated >= FEWEST
        n = np.where(known, generated, 1.0)
        value = np.where(known, np.minimum(selected / n, 1.0), 0.0)
        # (k + 1) / (n + 2): the error of an empty bin is not zero
        smooth = (selected + 1.0) / (n + 2.0)
        return value, np.sqrt(np.where(known, np.maximum(smooth * (1.0 - smooth), 0.0) / n, 0.0)), known

    def of_boson(self, mediator: Mediator | str, *, method: Method | str = Method.WW) -> KinematicEfficiency:
        """Efficiency of one kind of boson against its mass."""
        return KinematicEfficiency(self, choice(mediator, Mediator, "mediator"), choice(method, Method, "method"))

    def write(self, path: str | Path) -> Path:
        """Write the map as JSON."""
        target = Path(path)
        with writing(target.parent):
            target.parent.mkdir(parents=True, exist_ok=True)
        found = [self.bins(config) for config in (1, 2)]
        content = {
            "format_version": FORMAT_VERSION,
            "read_me": READ_ME,
            "provenance": dict(self.provenance),
            "energy": self.energy,
            "x_edges": self.x_edges.tolist(),
            "psi_edges": self.psi_edges.tolist(),
            "generated": np.round(self.generated, 1).tolist(),
            "selected": self.selected.tolist(),
            "efficiency": [np.round(value, 6).tolist() for value, _, _ in found],
            "efficiency_error": [np.round(error, 6).tolist() for _, error, _ in found],
            "known": [known.tolist() for _, _, known in found],
        }
        return write_whole(target, json.dumps(content) + "\n")

    @classmethod
    def read(cls, path: str | Path = STANDARD) -> KinematicMap:
        """Read a map: a JSON file, or the name of one that ships with the package.

        Raises
        ------
        InputError
            If there is no such map, or it is not what `write` wrote.
        """
        shipped = files("na64mu.data").joinpath("efficiency", f"{path}.json")
        try:
            text = Path(path).read_text(encoding="utf-8") if Path(path).is_file() else shipped.read_text(encoding="utf-8")
            content = json.loads(text)
            if content["format_version"] != FORMAT_VERSION:
                msg = f"{path}: format_version {FORMAT_VERSION} expected, found {content['format_version']}: {REMEDY}"
                raise InputError(msg)
            arrays = [np.asarray(content[name], dtype=np.float64) for name in ("generated", "selected", "x_edges", "psi_edges")]
            wanted = (2, len(arrays[2]) - 1, len(arrays[3]) - 1)
            if arrays[0].shape != wanted or arrays[1].shape != wanted:
                msg = f"{path}: tables of shape {arrays[0].shape} and {arrays[1].shape}, the edges ask for {wanted}: {REMEDY}"
                raise InputError(msg)
            return cls(arrays[0], arrays[1], float(content["energy"]), arrays[2], arrays[3], content["provenance"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            msg = f"{path}: cannot be read as a map of efficiencies in (x, psi') ({error!r}): {REMEDY}"
            raise InputError(msg) from error


@dataclass(frozen=True)
class KinematicEfficiency:
    """Efficiency of one kind of boson from the map: takes the place of an `EfficiencyTable` in `signal_yield`."""

    map: KinematicMap
    mediator: Mediator
    method: Method = Method.WW

    def __post_init__(self) -> None:
        object.__setattr__(self, "mediator", choice(self.mediator, Mediator, "mediator"))
        object.__setattr__(self, "method", choice(self.method, Method, "method"))

    @property
    def provenance(self) -> Mapping[str, Any]:
        """Provenance of the map."""
        return self.map.provenance

    def efficiency(self, masses: FloatArray, config: int) -> tuple[FloatArray, FloatArray]:
        """Efficiency and its statistical error at some masses [GeV], of shape (n,) each.

        Raises
        ------
        InputError
            If the boson goes where no muons were simulated.
        """
        found = [self.map.average(boson_share(self.map, float(m), self.mediator, self.method), config) for m in masses]
        worst = max(range(len(found)), key=lambda i: found[i][2])
        if found[worst][2] > 0.02:
            msg = f"{self.mediator.name.lower()} of {masses[worst]:g} GeV: {100 * found[worst][2]:.1f} % of its (x, psi') lie where the map of efficiencies has no simulated muons; leave this mass out, or {REMEDY}"
            raise InputError(msg)
        return np.array([f[0] for f in found]), np.array([f[1] for f in found])


def boson_share(table: KinematicMap, mass: float, mediator: Mediator | str, method: Method | str = Method.WW) -> FloatArray:
    """Distribution of a boson made off lead over the bins of a map, shape (n_x, n_psi); (x, psi') as the simulation draws them."""
    mediator, method = choice(mediator, Mediator, "mediator"), choice(method, Method, "method")
    try:
        kinematics = tabulate(table.energy, mass, 1.0, *LEAD, mediator=mediator, method=method)
    except ValueError as error:
        raise InputError(str(error)) from error
    return table.share(*sample_kinematics(kinematics, DRAWS, np.random.default_rng(SEED)))


def build_map(samples: Iterable[KinematicSample], energy: float, provenance: Mapping[str, Any] | None = None) -> KinematicMap:
    """Add up simulated Z' samples.

    Parameters
    ----------
    samples : iterable of KinematicSample
        Samples of any masses; the number generated per bin follows from the cross-section that the simulation draws from.
    energy : float
        Energy of the muon [GeV], as simulated.
    provenance : mapping, optional

    Returns
    -------
    KinematicMap
    """
    shape = (2, len(X_EDGES) - 1, len(PSI_EDGES) - 1)
    table = KinematicMap(np.zeros(shape), np.zeros(shape), energy, provenance=provenance or {})
    shares: dict[float, FloatArray] = {}
    for sample in samples:
        if sample.mass not in shares:
            shares[sample.mass] = boson_share(table, sample.mass, Mediator.VECTOR)
        table.generated[sample.config - 1] += sample.n_mot * shares[sample.mass]
        table.selected[sample.config - 1] += table.share(sample.x, sample.psi) * len(sample.x) if len(sample.x) else 0.0
    return table
