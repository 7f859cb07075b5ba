"""Signal efficiency against mass, from simulated Z' events that pass through the same selection as data. Masses GeV.

Efficiency: events in the signal box that meet the physics trigger and all cuts, over muons on target (S0 S1 !V1) in whose ECAL one Z' was made, at any depth and
of any energy. Between the simulated masses: monotone cubic (F. N. Fritsch and R. E. Carlson, SIAM J. Numer. Anal. 17 (1980) 238) in ln m, which
has no extremes that the points do not have.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from na64mu.common.arguments import one_of
from na64mu.common.whole_file import write_whole
from na64mu.errors import InputError, writing
from na64mu.statistics.binomial import Efficiency, clopper_pearson
from na64mu.typing import FloatArray

__all__ = ("CONFIGS", "STANDARD", "EfficiencyPoint", "EfficiencyTable", "FlatEfficiency")

FORMAT_VERSION = 1
CONFIGS = (1, 2)
#: Table that ships with the package, made by `na64mu efficiency`.
STANDARD = "na64mu-2022"
REMEDY = "make one with `na64mu efficiency`"


@dataclass(frozen=True, order=True)
class EfficiencyPoint:
    """One simulated sample.

    Attributes
    ----------
    mass : float
        [GeV].
    config : int
        Trigger configuration, 1 or 2.
    pile_up : bool
        Whether further beam particles were overlaid on the events.
    n_mot, n_trigger, n_selected : int
        Muons on target with one Z' each; of these, events of the physics trigger; of these, in the signal box after all cuts.
    """

    mass: float
    config: int
    pile_up: bool
    n_mot: int
    n_trigger: int
    n_selected: int

    @property
    def efficiency(self) -> Efficiency:
        """Selected over all, with its 68 % Clopper-Pearson interval."""
        return clopper_pearson(self.n_selected, self.n_mot)

    @property
    def trigger_efficiency(self) -> Efficiency:
        """Triggered over all, with its 68 % Clopper-Pearson interval."""
        return clopper_pearson(self.n_trigger, self.n_mot)


@dataclass(frozen=True)
class EfficiencyTable:
    """Efficiencies of all masses and trigger configurations.

    Attributes
    ----------
    points : tuple of EfficiencyPoint
        Points without and, if simulated, with pile-up.
    provenance : mapping
        Command, versions, seed, detector and selection.

    Raises
    ------
    InputError
        If a configuration has fewer than two masses, or a mass is given twice.
    """

    points: tuple[EfficiencyPoint, ...]
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for config in CONFIGS:
            masses = [p.mass for p in self.points if p.config == config and not p.pile_up]
            if len(masses) < 2 or len(set(masses)) != len(masses):
                msg = f"efficiency table: configuration {config} has the masses {sorted(masses)} GeV without pile-up, at least two different ones are needed: {REMEDY}"
                raise InputError(msg)

    def of(self, config: int, *, pile_up: bool = False) -> tuple[EfficiencyPoint, ...]:
        """Points of one configuration, by mass."""
        return tuple(sorted(p for p in self.points if p.config == config and p.pile_up == pile_up))

    @cached_property
    def mass_range(self) -> tuple[float, float]:
        """Masses between which every configuration has an efficiency [GeV]."""
        masses = [[p.mass for p in self.of(config)] for config in CONFIGS]
        return max(min(m) for m in masses), min(max(m) for m in masses)

    def efficiency(self, masses: FloatArray, config: int) -> tuple[FloatArray, FloatArray]:
        """Efficiency without pile-up and its statistical error, interpolated.

        Parameters
        ----------
        masses : FloatArray
            [GeV], shape (n,).
        config : int
            Trigger configuration.

        Returns
        -------
        efficiency, error : FloatArray
            Shape (n,). The error is half the Clopper-Pearson interval, interpolated in the same way: that of neighbouring points, not of their mean.

        Raises
        ------
        InputError
            If a mass lies outside the simulated ones.
        """
        from scipy.interpolate import PchipInterpolator

        masses, config = np.asarray(masses, dtype=np.float64), one_of(config, CONFIGS, "config", InputError)
        low, high = self.mass_range
        outside = masses[(masses < low * (1.0 - 1e-9)) | (masses > high * (1.0 + 1e-9))]
        if outside.size:
            msg = f"no efficiency for a mass of {outside[0]:g} GeV: the simulated ones reach from {low:g} to {high:g} GeV; leave it out, or {REMEDY}"
            raise InputError(msg)
        points = self.of(config)
        x = np.log([p.mass for p in points])
        found = [p.efficiency for p in points]
        at = np.clip(np.log(masses), x[0], x[-1])
        value = PchipInterpolator(x, [e.value for e in found])(at)
        return value, PchipInterpolator(x, [0.5 * (e.high - e.low) for e in found])(at)

    def pile_up_loss(self) -> tuple[float, float]:
        """Part of the signal that pile-up costs, measured in the simulation over all masses and configurations.

        Returns
        -------
        loss, error : float
            1 - (sum of efficiencies with pile-up) / (the same without), over the samples that exist in both forms; NaN if there are none.
        """
        pairs = [
            (with_, without) for with_ in self.points if with_.pile_up for without in self.of(with_.config) if without.mass == with_.mass
        ]
        if not pairs:
            return math.nan, math.nan
        sums, variances = np.zeros(2), np.zeros(2)
        for pair in pairs:
            for i, point in enumerate(pair):
                e = point.efficiency.value
                sums[i] += e
                variances[i] += e * (1.0 - e) / point.n_mot
        ratio = float(sums[0] / sums[1]) if sums[1] > 0 else math.nan
        return 1.0 - ratio, float(ratio * np.sqrt(np.sum(variances / sums**2))) if sums[0] > 0 else math.nan

    def write(self, path: str | Path) -> Path:
        """Write the table as JSON."""
        target = Path(path)
        with writing(target.parent):
            target.parent.mkdir(parents=True, exist_ok=True)
        rows = ",\n".join("  " + json.dumps(asdict(p)) for p in sorted(self.points))
        head = json.dumps({"format_version": FORMAT_VERSION, "provenance": dict(self.provenance)}, indent=1)
        return write_whole(target, f'{head[:-2]},\n "points": [\n{rows}\n ]\n}}\n')

    @classmethod
    def read(cls, path: str | Path = STANDARD) -> EfficiencyTable:
        """Read a table: a JSON file, or the name of one that ships with the package.

        Raises
        ------
        InputError
            If there is no such table, or it is not what `write` wrote.
        """
        shipped = files("na64mu.data").joinpath("efficiency", f"{path}.json")
        try:
            text = Path(path).read_text(encoding="utf-8") if Path(path).is_file() else shipped.read_text(encoding="utf-8")
            content = json.loads(text)
            if content["format_version"] != FORMAT_VERSION:
                msg = f"{path}: format_version {FORMAT_VERSION} expected, found {content['format_version']}: {REMEDY}"
                raise InputError(msg)
            return cls(tuple(EfficiencyPoint(**row) for row in content["points"]), content["provenance"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            msg = f"{path}: cannot be read as an efficiency table ({error!r}): {REMEDY}"
            raise InputError(msg) from error


@dataclass(frozen=True)
class FlatEfficiency:
    """A single efficiency for all masses and both trigger configurations, taken as exact.

    Attributes
    ----------
    value : float
        Efficiency from 0, excluded, to 1; it includes a loss to pile-up.

    Raises
    ------
    InputError
        If it is not such a number.
    """

    value: float

    def __post_init__(self) -> None:
        if not 0.0 < self.value <= 1.0:
            msg = f"efficiency {self.value:g}: a number above 0 and at most 1 is wanted"
            raise InputError(msg)

    @property
    def mass_range(self) -> tuple[float, float]:
        """Every mass [GeV]."""
        return 0.0, math.inf

    def efficiency(self, masses: FloatArray, config: int) -> tuple[FloatArray, FloatArray]:  # noqa: ARG002  # the same in both
        """The efficiency and an error of zero at every mass, shape (n,); the configuration does not matter."""
        return np.full(len(masses), self.value), np.zeros(len(masses))
