"""The tables of a report as plain text cells, the same for the terminal and for HTML."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import add
from typing import TYPE_CHECKING

from na64mu.report.datasets import counting_datasets
from na64mu.report.numbers import count, efficiency, is_weighted, muons, significant, weighted_fraction

if TYPE_CHECKING:
    from na64mu.results.cutflow import CutFlow
    from na64mu.results.exposure import RunExposure
    from na64mu.results.run import RunResult

__all__ = ("Cells", "cutflow_cells", "exposure_cells", "input_cells", "parameter_cells", "region_cells", "window_cells")

BLINDED = "blinded"


@dataclass(frozen=True)
class Cells:
    """One table.

    Attributes
    ----------
    title : str
        Title of the table.
    head : tuple of str
        Column headings.
    rows : sequence of tuple of str
        One text per column.
    left : frozenset of int
        Columns with words; the others hold numbers and are aligned to the right.
    note : str
        One sentence below the table.
    """

    title: str
    head: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    left: frozenset[int] = field(default=frozenset({0}))
    note: str = ""


def cutflow_cells(result: RunResult, *, narrow: bool = False) -> list[Cells]:
    """The cut-flow of every dataset, and of those together whose events count together: never of weighted simulation, or of data with simulation.

    Parameters
    ----------
    result : RunResult
        Result of `na64mu run`.
    narrow : bool
        Leave out what a narrow terminal has no room for.

    Returns
    -------
    list of Cells
        Events left after every cut, efficiencies and N-1; the last one carries the note.
    """
    flows = dict(result.cutflows)
    together = counting_datasets(result)
    if len(together) > 1:
        flows[f"{', '.join(together)} together"] = reduce(add, (result.cutflows[name] for name in together))
    tables = [_cutflow(name, cutflow, narrow=narrow) for name, cutflow in flows.items()]
    note = "Errors: 68 % Clopper-Pearson interval of the raw counts" + (", its longer side." if narrow else ".")
    note += " N-1: events that pass all other cuts" + ("." if narrow else ", and the part of them that passes this one too.")
    if any(is_weighted(flow) for flow in flows.values()):
        note += " Weighted: part of the sum of weights that is left."
    if any(result.blinded.values()):
        blind = next(cut.label for cut in result.working_point.cuts if cut.name == result.working_point.blind_at)
        note += f" Hidden events, those of the signal box and decoys, count as failing the cut '{blind}', and are in no row behind it and in no N-1."
    return [*tables[:-1], replace(tables[-1], note=note)]


def parameter_cells(result: RunResult) -> Cells:
    """Every number of the working point with its source.

    Parameters
    ----------
    result : RunResult
        Result of `na64mu run`.

    Returns
    -------
    Cells
        One row per cut, for the signal box, per region, and for the rule of the MIP windows.
    """
    point = result.working_point
    rows = [(cut.label, _numbers(cut.thresholds.model_dump(exclude={"windows"})), cut.source) for cut in point.cuts]
    rows.append(("signal box", _numbers(point.box.model_dump(exclude={"source"}, exclude_none=True)), point.box.source))
    rows += [
        (f"region {r.name}: {r.title}", _numbers(r.model_dump(exclude={"name", "title", "source"}, exclude_defaults=True)), r.source)
        for r in point.regions
    ]
    windows = point.mip.model_dump(exclude={"source", "quantities", "upper_bounds"})
    rows.append(("windows of a MIP", _numbers(windows), point.mip.source))
    rows.append(("p_in of the tail of p_out", _numbers(point.tail.model_dump(exclude={"source"})), point.tail.source))
    rows.append(("missing energy", _numbers(point.missing_energy.model_dump(exclude={"source"})), point.missing_energy.source))
    return Cells("parameters", ("what", "numbers", "source"), rows, frozenset({0, 1, 2}))


def _numbers(values: dict[str, object]) -> str:
    """Names and values on one line: max_hits 1, stations mm5 mm6."""
    texts = {
        k: " ".join(str(x) for x in v) if isinstance(v, (list, tuple)) else f"{v:g}" if isinstance(v, float) else str(v)
        for k, v in values.items()
    }
    return ", ".join(f"{name} {text}" for name, text in texts.items())


def _cutflow(name: str, cutflow: CutFlow, *, narrow: bool) -> Cells:
    weighted = is_weighted(cutflow)
    head = ["cut", "events", "efficiency [%]", "cumulative [%]", "N-1"]
    head += [] if narrow or weighted else ["N-1 efficiency [%]"]
    if weighted:
        head += ["weighted [%]"] if narrow else ["sum of weights", "weighted [%]"]
    rows = []
    for i, step in enumerate(cutflow.steps):
        row = [step.label, count(step.n)]
        row += _efficiencies(cutflow, step.name, narrow=narrow) if i else ["", "", ""]
        if not narrow and weighted:
            row.append(significant(step.sumw))
        if weighted:
            row.append(weighted_fraction(step, cutflow.steps[0]) if i else "")
        elif not narrow:
            row.append(efficiency(cutflow.n_minus_1_efficiency(step.name)) if i else "")
        rows.append(tuple(row))
    return Cells(f"Cut-flow: {name}", tuple(head), rows)


def _efficiencies(cutflow: CutFlow, name: str, *, narrow: bool) -> list[str]:
    """Relative and cumulative efficiency, and N-1 events of one cut."""
    cells = [efficiency(e, narrow=narrow) for e in (cutflow.efficiency(name), cutflow.cumulative_efficiency(name))]
    return [*cells, count(cutflow[name].n_minus_1)]


def region_cells(result: RunResult) -> Cells:
    """Events of the regions A to D and of the signal box, per dataset."""
    point = result.working_point
    head = ("region", "what it holds", *result.datasets)
    rows = [(r.name, r.title, *(_region(result, d, r.name) for d in result.datasets)) for r in point.regions]
    plane_cut = next(c.label for c in point.cuts if c.name == point.plane_cut).partition(" ")[0]
    box = f"p_out <= {point.box.p_out_max:g} GeV/c, E_CAL < {point.box.e_cal_max:g} GeV"
    rows.append(("box", f"signal box, {box}", *(_region(result, d, "box") for d in result.datasets)))
    rows.append((f"box, after {plane_cut}", "the same behind the last cut", *(_region(result, d, "box_after") for d in result.datasets)))
    return Cells(f"Regions of the (p_out, E_CAL) plane before cut {plane_cut}", head, rows, left=frozenset({0, 1}))


def _region(result: RunResult, dataset: str, region: str) -> str:
    if region.startswith("box") and result.blinded[dataset]:
        return BLINDED
    found = result.regions[dataset].get(region)
    if found is None:
        return "-"
    return count(found.n) if abs(found.sumw - found.n) <= 1e-9 * found.n else f"{count(found.n)} (weight {significant(found.sumw)})"


def exposure_cells(result: RunResult) -> Cells:
    """Muons on target per dataset and trigger configuration: the number recorded, and the number that the events read represent."""
    groups: dict[tuple[str, int], list[RunExposure]] = defaultdict(list)
    for run in result.exposure.runs:
        groups[run.dataset, run.config].append(run)
    weighted = any(run.g_ref for run in result.exposure.runs)
    head = ("dataset", "config", "runs", "MOT recorded", "MOT read", "events read", "events lost")
    rows = []
    for (dataset, config), runs in sorted(groups.items()):
        numbers = (
            str(config),
            str(len(runs)),
            muons(sum(r.n_mot for r in runs)),
            muons(sum(r.n_mot_read for r in runs)),
            count(sum(r.events_read for r in runs)),
            count(sum(r.events_lost for r in runs)),
        )
        rows.append((dataset, *numbers, *((significant(sum(r.sum_weights_read for r in runs)),) if weighted else ())))
    note = "MOT: muons on target. Every rate, yield and limit counts with the MOT read; lost events lower it."
    return Cells("Exposure", head + (("sum of weights read",) if weighted else ()), rows, note=note)


def window_cells(result: RunResult) -> Cells:
    """The MIP windows of every detector description that the inputs name."""
    rows = [
        (tag, name, "-" if low is None else f"{low:.4g}", f"{high:.4g}", "MeV" if name == "e_veto" else "GeV")
        for tag, windows in result.windows.items()
        for name, (low, high) in windows.items()
    ]
    return Cells(
        "Windows of a MIP, fitted from the calibration sample",
        ("detector", "energy", "from", "to", "unit"),
        rows,
        left=frozenset({0, 1, 4}),
    )


def input_cells(result: RunResult) -> Cells:
    """The files that were read."""
    rows = [
        (i.dataset, i.path, i.detector, count(i.entries), count(sum(stop - start for start, stop in i.read)), i.uuid)
        for i in result.provenance.inputs
    ]
    return Cells("Inputs", ("dataset", "file", "detector", "entries", "read", "uuid"), rows, left=frozenset({0, 1, 2, 5}))
