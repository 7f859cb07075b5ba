"""Significance, best fit and intervals as files (excess.json, excess.csv), and the reach of a discovery (reach.csv), which knows no counts."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from na64mu.analysis.excess import SearchExcess
from na64mu.analysis.limits import SearchLimits
from na64mu.analysis.limits_files import plain, write_table
from na64mu.common.whole_file import whole_file
from na64mu.errors import StatisticsError
from na64mu.statistics.excess import LEVELS
from na64mu.statistics.reach import discovery_reach

__all__ = ("excess_dict", "reach_rows", "write_excess", "write_reach")

#: Standard deviations of the reach: evidence and discovery, each seen with this probability.
WANTED, POWER = (3.0, 5.0), 0.5


def _rows(found: SearchExcess) -> Iterable[dict[str, float]]:
    tables = {
        f"{quantity}_{method.replace('-', '_')}_{100 * level:.0f}": getattr(found, name)(method, level)
        for quantity, name in (("g", "couplings"), ("n", "events"))
        for method in found.methods
        for level in LEVELS
    }
    for i, mass in enumerate(found.masses):
        row = {
            "mass_GeV": float(mass),
            "p_exact": found.discovery.p_value,
            "z_exact": found.discovery.significance,
            "z_asymptotic": float(found.asymptotic_significances[i]),
            "g_best": float(found.best[i]),
            "p_sharing": float(found.sharing[i]),
        }
        for name, ends in tables.items():
            row |= {f"{name}_low": float(ends[i, 0]), f"{name}_high": float(ends[i, 1])}
        yield row


def excess_dict(found: SearchExcess) -> dict[str, Any]:
    """Return significance, best fit and intervals as plain values. Numbers that do not exist are null."""
    d = found.discovery
    content = {
        "observed": list(d.observed),
        "background": d.background,
        "tested": d.tested,
        "p_value": d.p_value,
        "significance": d.significance,
        "asymptotic_significance": [float(found.asymptotic_significances.min()), float(found.asymptotic_significances.max())],
        "statements": found.statements(),
        "levels": list(LEVELS),
        "masses": list(_rows(found)),
    }
    return dict(plain(content))


def write_excess(found: SearchExcess, folder: Path) -> list[Path]:
    """Write excess.json and excess.csv.

    Parameters
    ----------
    found : SearchExcess
    folder : Path
        Exists.

    Returns
    -------
    list of Path
    """
    path = folder / "excess.json"
    with whole_file(path) as part:
        part.write_text(json.dumps(excess_dict(found), indent=1) + "\n", encoding="utf-8")
    head = [*found.statements(), "n: signal events of all configurations; intervals: 90 and 68.27 % confidence level"]
    return [path, write_table(folder / "excess.csv", head, list(_rows(found)))]


def reach_rows(limits: SearchLimits) -> list[dict[str, float]]:
    """Coupling that is found with 3 and 5 standard deviations in half of the experiments, bounded backgrounds at their upper limits; no counts are used."""
    counting, events = limits.counting.at_the_bounds(), limits.yields.events()
    counts: dict[float, int] = {}
    rows = []
    for i, mass in enumerate(limits.masses):
        model, row = counting.model(events[i], i, limits.yields), {"mass_GeV": float(mass)}
        for wanted in WANTED:
            g, n = math.nan, math.nan
            try:
                found = discovery_reach(model, wanted, POWER, count=counts.get(wanted))
                counts[wanted] = found.events
                g, n = limits.yields.g_ref * math.sqrt(found.strength), float(found.events)
            except StatisticsError:  # a background that is not known well enough for any count
                pass
            row |= {f"g_{wanted:g}_sigma": g, f"events_{wanted:g}_sigma": n}
        rows.append(row)
    return rows


def write_reach(limits: SearchLimits, folder: Path) -> Path:
    """Write reach.csv."""
    head = [
        f"coupling with which an excess of so many standard deviations is seen with a probability of {100 * POWER:g} %, and the events that it takes",
        "expected backgrounds alone, those known as upper limits in full; no observed count is used",
    ]
    return write_table(folder / "reach.csv", head, reach_rows(limits))
