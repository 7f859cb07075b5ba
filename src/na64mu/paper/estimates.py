"""Steps from counts to Table I: backgrounds (I) to (III) with their figures and tables, scaled to the muons on target of the Letter."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from na64mu.common.whole_file import write_whole
from na64mu.errors import BackgroundError
from na64mu.paper.values import Value, write_values

if TYPE_CHECKING:
    from na64mu.analysis.backgrounds import Backgrounds
    from na64mu.analysis.backgrounds.table import Entry
    from na64mu.results.run import RunResult

__all__ = ("estimate",)

#: Thresholds of the scan: from where the core begins to matter to where the events run out.
SCAN = (4.0, 4.25, 4.5, 4.75, 5.0, 5.25, 5.5)
#: Ranges of p_out next to the signal box and borders in E_CAL for the closure of the spectrum [GeV]; E_CAL falls as
#: p_out grows (their sum is nearly the beam energy), so the borders fall too, to leave events below them (inferred).
BESIDE = (((80.0, 90.0), 35.0), ((90.0, 100.0), 30.0), ((100.0, 110.0), 20.0))


def estimate(place: Path, parameters: Mapping[str, Any]) -> Sequence[Path]:
    """Estimate the backgrounds: table_1.csv, .tex, backgrounds.json, and the figures of tail, thresholds and yields by source."""
    from na64mu.analysis.backgrounds import estimate_backgrounds, tail_sample, threshold_scan
    from na64mu.analysis.backgrounds.estimate import at_physics_rate
    from na64mu.paper.reduction import by_kind
    from na64mu.report.backgrounds import tail_figure, threshold_figure, yields_by_source
    from na64mu.report.drawn import attempt_with_numbers
    from na64mu.results.run import RunResult

    result = by_kind(RunResult.read(place.parent / parameters["run"]))
    n_mot, seed = parameters["n_mot"], parameters["seed"]
    found = estimate_backgrounds(
        result, seed=seed, n_mot=n_mot, physics="physics", calibration="calibration", region_d="nuclear", hadrons="decay"
    )
    if found.tail is None:
        raise BackgroundError(found.missing["momentum"])
    shape = tail_sample(result, trigger="calibration", dataset="calibration")
    edge = result.working_point.box.p_out_max
    scan = [at_physics_rate(result, shape, e, "physics").scaled(n_mot) for e in threshold_scan(shape, SCAN, seed=seed, box_edge=edge)]
    tail = found.tail.scaled(n_mot)
    written = [
        *attempt_with_numbers(lambda: tail_figure(shape, tail), place / "momentum_tail"),
        *attempt_with_numbers(lambda: threshold_figure(scan), place / "threshold_scan"),
        *attempt_with_numbers(lambda: yields_by_source(found.table), place / "yields_by_source"),
    ]
    content = {
        "n_mot": n_mot,
        "rows": {
            row.name: asdict(row.ours) | {"value": None if math.isnan(row.ours.value) else row.ours.value} for row in found.table.rows
        },
        "expected": found.table.expected(),
        "errors": found.table.errors(),
        "bounds": found.table.bounds(),
        "missing": found.missing,
        "tail": {"repr": repr(found.tail.scaled(n_mot)), "envelope": tail.envelope, "upper_95": tail.upper, "n_tail": tail.n_tail},
        **_hadrons(result, found, n_mot),
    }
    for name, text in (
        ("table_1.csv", found.table.to_csv()),
        ("table_1.tex", found.table.to_latex()),
        ("backgrounds.json", json.dumps(content, indent=1) + "\n"),
    ):
        write_whole(place / name, text)
        written.append(place / name)
    values = {f"background_{row.name}": _value(row.ours) for row in found.table.rows}
    limits = sum(row.ours.value for row in found.table.rows if row.ours.is_upper and row.name != "total")
    total = values["background_total"]
    values["background_total"] = replace(total, is_upper=total.is_upper or limits > 0.5 * total.value)  # mostly upper limits: no estimate
    return [*written, write_values(place, values)]


def _hadrons(result: RunResult, found: Backgrounds, n_mot: float) -> dict[str, Any]:
    """Both estimates of (III), None where there is none, and their closure: of D X / Y inside region D, of the spectrum beside the signal box."""
    from na64mu.analysis.backgrounds import closure_test, leakage_closure

    plane = result.histogram("plane_before", "nuclear")
    abcd = None if found.hadrons is None else found.hadrons.scaled(n_mot)
    try:
        independence = repr(closure_test(plane))
    except BackgroundError as error:
        independence = str(error)
    beside = []
    for p_out, border in BESIDE:
        try:
            closure = leakage_closure(plane, p_out, border)
            beside.append(f"{closure}: {'agrees' if closure.agrees else 'does not agree'}")
        except BackgroundError as error:
            beside.append(f"p_out {p_out[0]:g} to {p_out[1]:g} GeV/c, E_CAL < {border:g} GeV: {error}")
    return {
        "leakage": None if found.leakage is None else asdict(found.leakage) | {"repr": repr(found.leakage)},
        "d_x_y": None if abcd is None else {name: getattr(abcd, name) for name in ("value", "low", "high", "upper_90", "upper_95")},
        "closure_test": independence,
        "leakage_closure": beside,
    }


def _value(entry: Entry) -> Value:
    return Value(entry.value, entry.error, entry.is_upper, entry.note, entry.per_event)
