"""What an opened box says, as tables: on the terminal for a search, and in the report of a run from its counts alone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rich import box
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from na64mu.analysis.table_masses import TABLE_MASSES
from na64mu.errors import Na64muError
from na64mu.report.datasets import data_and_simulation
from na64mu.report.tables import Cells
from na64mu.statistics.excess import LEVELS

if TYPE_CHECKING:
    from rich.console import Console

    from na64mu.analysis.counting import Counting
    from na64mu.analysis.excess import SearchExcess
    from na64mu.results.run import RunResult

__all__ = ("excess_cells", "is_opened", "render_excess")

NAMES = {"feldman-cousins": "Feldman-Cousins", "profile": "profile likelihood"}


def _range(low: float, high: float, digits: int = 3) -> str:
    return f"{low:.{digits}g} to {high:.{digits}g}"


def render_excess(found: SearchExcess, console: Console) -> None:
    """Print significance, best fit and intervals of g.

    Parameters
    ----------
    found : SearchExcess
    console : rich.console.Console
        Console to print on.
    """
    for method in found.methods:
        console.print(_intervals(found, method))
    for sentence in found.statements():
        console.print(Text(sentence))


def _intervals(found: SearchExcess, method: str) -> Table:
    """Best fit and intervals of g at the masses of the tables, by one method."""
    table = Table(
        title=escape(f"Best fit and intervals of g_Z', {NAMES[method]}"), title_justify="left", title_style="bold", box=box.SIMPLE_HEAD
    )
    for heading in ("m_Z' [MeV]", "best fit", *(f"{100 * level:.0f} %" for level in LEVELS)):
        table.add_column(escape(heading), justify="right")
    columns = [found.couplings(method, level) for level in LEVELS]
    for mass in TABLE_MASSES:
        i = min(range(len(found.masses)), key=lambda j: abs(math.log(found.masses[j] / mass)))
        if abs(math.log(found.masses[i] / mass)) < 0.01:
            table.add_row(f"{1000 * mass:g}", f"{found.best[i]:.3g}", *(_range(c[i, 0], c[i, 1]) for c in columns))
    return table


def is_opened(result: RunResult) -> bool:
    """Whether the result holds data whose signal box is open.

    Parameters
    ----------
    result : RunResult
        Result of `na64mu run` or `na64mu unblind`.

    Returns
    -------
    bool
        False for blinded data, and for simulation alone.
    """
    data, _ = data_and_simulation(result)
    return bool(data) and not any(result.blinded[name] for name in data)


def excess_cells(result: RunResult) -> Cells:
    """Counts in the opened box, expected background, significance, and intervals in signal events.

    Parameters
    ----------
    result : RunResult
        A result whose box is open.

    Returns
    -------
    Cells
        With one row that says why, where there is no background or exposure to test the counts against.
    """
    from na64mu.analysis.folder_counting import counting_from

    data, _ = data_and_simulation(result)
    try:
        rows, note = _rows(counting_from(result, physics=list(data)))
    except Na64muError as error:
        rows, note = [("not tested", str(error))], ""
    return Cells("Excess over the background", ("quantity", "value"), rows, frozenset({0, 1}), note)


def _rows(counting: Counting) -> tuple[list[tuple[str, str]], str]:
    from na64mu.statistics.compatibility import compatibility
    from na64mu.statistics.discovery import NOT_TESTED, discovery
    from na64mu.statistics.excess import excess

    counts = counting.counts
    assert counts is not None
    ends = [c.without_yields() for c in (counting, *([counting.at_the_bounds()] if counting.bounds else []))]
    found = [excess(model, counts) for model in ends]
    test = discovery(ends[-1], counts)
    expected = [f"{name} {events:.3g} \u00b1 {counting.errors.get(name, 0.0):.2g}" for name, events in counting.backgrounds.items()]
    expected += [f"{name} < {events:.3g}" for name, events in counting.bounds.items()]
    rows = [
        (
            "events in the signal box, by configuration",
            ", ".join(f"{counts[i]:g} ({counting.channels[c].removeprefix('config_')})" for i, c in enumerate(counting.used)),
        ),
        ("expected background", "; ".join(expected) or "none"),
    ]
    if test.tested:
        rows += [
            ("p-value of the background alone, exact", f"{test.p_value:.2g}"),
            ("significance [standard deviations], exact", f"{test.significance:.2f}"),
            ("significance by the likelihood ratio (asymptotic)", f"{test.asymptotic_significance:.2f}"),
        ]
    else:
        rows.append(("p-value and significance", NOT_TESTED))
    for method, name in NAMES.items():
        for level in LEVELS:
            pairs = [i for one in found for i in one.intervals if i.method == method and i.level == level]
            if pairs:
                text = _range(min(i.low for i in pairs), max(i.high for i in pairs))
                rows.append((f"signal events, {name} {100 * level:.0f} %", text))
    if len(counts) == 2:
        rows.append(("sharing between the configurations, p-value without signal, exact", f"{compatibility(ends[-1], counts):.2g}"))
    note = "One count is tested, whatever the mass: no factor for the number of masses. Backgrounds: estimated from this folder as by `na64mu limits`, which has options for them and gives the coupling."
    if counting.bounds:
        note += " Backgrounds known as upper limits alone: in full for p-value and significance; the intervals hold for none and for all of them."
    for name, reason in counting.missing.items():
        note += f" Not in the model: {name} ({reason})."
    if counting.missing:
        rows.insert(
            2, ("backgrounds that are not estimated", f"{', '.join(counting.missing)}: p-value and significance are for the others alone")
        )
    return rows, note
