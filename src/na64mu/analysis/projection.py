"""Projections: expected limits with more muons on target and the improvements that the Letter names.

Backgrounds are those of Table I per muon on target, times a factor for each improvement; signal efficiency, systematics of the signal and the split between the trigger
configurations stay as in 2022. Each scenario states what it assumes. Masses GeV.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from na64mu.analysis.counting import Counting
from na64mu.analysis.limits import METHODS, DarkSector, SearchLimits, search_limits
from na64mu.analysis.yields.signal import PileUpLoss, SignalYield
from na64mu.common.arguments import number, one_of
from na64mu.common.whole_file import whole_file, write_whole
from na64mu.errors import InputError
from na64mu.results.output_folder import output_folder
from na64mu.statistics.letter import BACKGROUND_ERRORS, BACKGROUNDS, N_MOT

__all__ = ("SCENARIOS", "Projection", "Scenario", "pile_up_loss", "project")

#: Published: loss of signal to accidentals, and muons per spill, in 2022.
LOSS_2022, PER_SPILL_2022 = 0.13, 2.8e6
#: Background estimates come from control samples, which grow with the exposure: their relative errors shrink with its square root, down to this (assumed).
LEAST_ERROR = 0.10


@dataclass(frozen=True)
class Scenario:
    """One future exposure.

    Attributes
    ----------
    name : str
    n_mot : float
        Muons on target.
    factors : dict of str to float
        Background -> events per muon on target over those of 2022; 1 where it is not named.
    per_spill : float
        Muons per spill.
    window : float
        Time in which a second muon spoils an event, over that of 2022.
    assumed : str
        Assumptions, with their sources.
    """

    name: str
    n_mot: float
    factors: dict[str, float] = field(default_factory=dict)
    per_spill: float = PER_SPILL_2022
    window: float = 1.0
    assumed: str = ""

    @property
    def spills(self) -> float:
        """Spills that the exposure takes."""
        return self.n_mot / self.per_spill

    def counting(self) -> Counting:
        """Exposure and backgrounds; nothing is observed yet."""
        scale = self.n_mot / sum(N_MOT)
        expected = {name: self.factors.get(name, 1.0) * scale * events for name, events in BACKGROUNDS.items()}
        shrunk = {name: max(BACKGROUND_ERRORS[name] / BACKGROUNDS[name] / math.sqrt(max(scale, 1.0)), LEAST_ERROR) for name in BACKGROUNDS}
        relative = {name: min(shrunk[name], BACKGROUND_ERRORS[name] / BACKGROUNDS[name]) for name in BACKGROUNDS}
        kept = {name: events for name, events in expected.items() if events > 0}
        exposures = tuple(n * scale for n in N_MOT)
        return Counting(exposures, kept, {name: relative[name] * kept[name] for name in kept}, None, f"projection: {self.name}")


#: The improvements are those that the Letter names: a second spectrometer behind the target (more than ten times less mis-reconstruction), detectors for 1e8 muons per spill, 1000 times the data.
SCENARIOS = (
    Scenario("2022", sum(N_MOT), assumed="the Letter: 1.98e10 muons on target, Table I"),
    Scenario("2e11, set-up of 2022", 2e11, assumed="backgrounds per muon as in 2022"),
    Scenario(
        "2e13, set-up of 2022",
        2e13,
        per_spill=1e8,
        window=2.8e6 / 1e8,
        assumed="backgrounds per muon as in 2022; detectors as fast as 1e8 muons per spill ask for",
    ),
    Scenario(
        "2e13, second spectrometer",
        2e13,
        {"momentum": 0.1},
        1e8,
        2.8e6 / 1e8,
        "mis-reconstruction 10 times less (the Letter: more than 10)",
    ),
    Scenario(
        "2e13, second spectrometer and VHCAL",
        2e13,
        {"momentum": 0.1, "decays": 0.1, "hadrons": 0.1},
        1e8,
        2.8e6 / 1e8,
        "also leaking hadrons 10 times less (arXiv:2503.11275 for the new VHCAL), and decays 10 times less (assumed: a second p behind the target tags them)",
    ),
    Scenario(
        "2e13, no background",
        2e13,
        dict.fromkeys(BACKGROUNDS, 1e-6),
        1e8,
        2.8e6 / 1e8,
        "the best that this exposure can do (backgrounds a million times less)",
    ),
)


def pile_up_loss(per_spill: float, window: float) -> float:
    """Part of the signal lost to other muons, with a Poisson number of them in the time in which they spoil an event.

    Parameters
    ----------
    per_spill : float
        Muons per spill.
    window : float
        That time over the one of 2022.

    Returns
    -------
    float
        1 - (1 - 0.13) ** (per_spill / 2.8e6 x window): the published loss of 13 % at 2.8e6 muons per spill sets the scale.

    Raises
    ------
    ArgumentError
        If a number is negative.
    """
    per_spill, window = number(per_spill, "per_spill", least=0.0), number(window, "window", least=0.0)
    return 1.0 - (1.0 - LOSS_2022) ** (per_spill / PER_SPILL_2022 * window)


@dataclass(frozen=True)
class Projection:
    """Expected limits of several scenarios.

    Attributes
    ----------
    scenarios : tuple of Scenario
    limits : tuple of SearchLimits
        Limits, one for each scenario.
    """

    scenarios: tuple[Scenario, ...]
    limits: tuple[SearchLimits, ...]

    def __iter__(self) -> Iterator[tuple[Scenario, SearchLimits]]:
        """Scenario and limits, in order."""
        return zip(self.scenarios, self.limits, strict=True)

    def rows(self) -> list[dict[str, Any]]:
        """Return one row per scenario and mass, as in projection.csv."""
        rows = []
        for scenario, limits in self:
            tables = {f"{q}_{m}": getattr(limits, attribute)(m)[:, 3] for q, attribute in (("g", "couplings"), ("y", "y")) for m in METHODS}
            bands = limits.couplings("exact")
            for i, mass in enumerate(limits.masses):
                row: dict[str, Any] = {"scenario": scenario.name, "n_mot": scenario.n_mot, "mass_GeV": float(mass)}
                row |= {name: float(values[i]) for name, values in tables.items()}
                row |= {"g_exact_m2": float(bands[i, 1]), "g_exact_p2": float(bands[i, 5])}
                rows.append(row)
        return rows

    def to_dict(self) -> dict[str, Any]:
        """Plain values: scenarios with what they assume, and expected limits."""
        heads = [
            {
                "name": s.name,
                "n_mot": s.n_mot,
                "spills": s.spills,
                "background": sum(limits.counting.backgrounds.values()),
                "pile_up_loss": limits.yields.pile_up_loss.value,
                "assumed": s.assumed,
            }
            for s, limits in self
        ]
        rows = [{k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()} for row in self.rows()]
        return {"scenarios": heads, "expected": rows}

    def write(self, folder: str | Path) -> list[Path]:
        """Write projection.csv and projection.json."""
        with output_folder(folder, "project") as out:
            rows = self.rows()
            with whole_file(out / "projection.csv") as part, part.open("w", encoding="utf-8", newline="") as stream:
                stream.write("# median expected upper limits; what each scenario assumes is in projection.json\n")
                writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
                writer.writeheader()
                writer.writerows({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in row.items()} for row in rows)
            write_whole(out / "projection.json", json.dumps(self.to_dict(), indent=1) + "\n")
        return [Path(folder, name) for name in ("projection.csv", "projection.json")]


def project(
    yields: SignalYield, scenarios: Sequence[Scenario] = SCENARIOS, *, dark: DarkSector | None = None, level: float = 0.90
) -> Projection:
    """Expected limits of every scenario.

    Parameters
    ----------
    yields : SignalYield
        Signal yields at any exposure.
    scenarios : sequence of Scenario
    dark : DarkSector, optional
        Dark sector for the limits on y.
    level : float
        Confidence level.

    Returns
    -------
    Projection

    Raises
    ------
    InputError
        If a scenario has no muons, or a name is given twice.
    """
    names = [s.name for s in scenarios]
    wrong = [s.name for s in scenarios if not (s.n_mot > 0 and s.per_spill > 0 and s.window >= 0)]
    if wrong or len(set(names)) != len(names) or not names:
        msg = f"scenarios {names}: every one needs a name of its own, muons on target and muons per spill above zero"
        raise InputError(msg)
    limits = []
    for scenario in scenarios:
        counting = scenario.counting()
        loss = PileUpLoss(pile_up_loss(scenario.per_spill, scenario.window), 0.0, f"projection: {scenario.name}")
        limits.append(search_limits(counting, replace(yields, exposures=counting.exposures, pile_up_loss=loss), dark=dark, level=level))
    return Projection(tuple(scenarios), tuple(limits))


def exposure_with_background(events: float, factors: dict[str, float]) -> float:
    """Muons on target at which the backgrounds reach a number of events; `factors` multiply some of BACKGROUNDS."""
    events = number(events, "events", least=0.0)
    factors = {one_of(name, BACKGROUNDS, "background"): number(f, f"factor of {name}", least=0.0) for name, f in factors.items()}
    per_muon = sum(factors.get(name, 1.0) * value for name, value in BACKGROUNDS.items()) / sum(N_MOT)
    return events / per_muon if per_muon > 0 else float(np.inf)
