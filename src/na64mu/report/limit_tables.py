"""The limits as tables: on the terminal by rich (g at a few masses, ours beside the Letter's numbers, systematics), and as LaTeX."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from na64mu.analysis.curves import letter_numbers
from na64mu.analysis.limits import METHODS
from na64mu.analysis.limits_files import at_mass, caution_of, compared
from na64mu.analysis.table_masses import TABLE_MASSES
from na64mu.report.numbers import muons

if TYPE_CHECKING:
    from rich.console import Console

    from na64mu.analysis.limits import SearchLimits

__all__ = ("limits_latex", "render_limits", "systematics_latex")


def _number(value: float, digits: int = 3) -> str:
    return "-" if not math.isfinite(value) else f"{value:.{digits}g}"


def _table(title: str, head: tuple[str, ...], rows: Sequence[tuple[str, ...]], note: str = "", words: tuple[int, ...] = (0,)) -> Table:
    table = Table(title=escape(title), title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, caption=escape(note) or None)
    table.caption_justify = "left"
    for i, heading in enumerate(head):
        table.add_column(escape(heading), justify="left" if i in words else "right", no_wrap=i not in words)
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    return table


def _coupling_table(limits: SearchLimits) -> Table:
    column = 3 if limits.is_blinded else 0
    which = "expected" if limits.is_blinded else "observed"
    rows = []
    for mass in TABLE_MASSES:
        g = [at_mass(limits, limits.couplings(m)[:, column], mass) for m in METHODS]
        events = [at_mass(limits, limits.events(m)[:, column], mass) for m in METHODS]
        efficiency = at_mass(limits, limits.yields.mean_efficiency, mass)
        produced = at_mass(limits, limits.yields.per_muon, mass)
        rows.append((f"{1000 * mass:g}", _number(produced), _number(100 * efficiency), *map(_number, events), *map(_number, g)))
    head = ("m_Z' [MeV]", "Z' / MOT", "efficiency [%]", "N asymptotic", "N exact", "g asymptotic", "g exact")
    level = 100 * limits.scan.limits[0].level
    note = f"Z' / MOT at g = {limits.yields.g_ref:g}; efficiency with {100 * limits.yields.pile_up_loss.value:.1f} % lost to pile-up ({limits.yields.pile_up_loss.source})."
    return _table(f"Upper limits on g_Z' at {level:g} % CL, {which}", head, rows, note)


def _comparison_table(limits: SearchLimits) -> Table:
    rows = [(c.what, _number(c.letter), _number(c.asymptotic), _number(c.exact), _number(c.ratio), c.note) for c in compared(limits)]
    n_mot = letter_numbers()["exposure"]["total"]
    ours = sum(limits.counting.exposures)
    other = (
        ""
        if math.isclose(ours, n_mot, rel_tol=0.02)
        else f" Ours is for {muons(ours)} muons on target, the Letter's for {muons(n_mot)}: limits differ for that alone."
    )
    return _table(
        "Beside the Letter, PRL 132, 211803",
        ("quantity", "Letter", "asymptotic", "exact", "asym./Letter", "published number"),
        rows,
        "Asymptotic is the Letter's method. Its yields are not published: the efficiency here is that of our simulation of an inferred set-up, nothing is tuned."
        + other,
        (0, 5),
    )


def _systematics_table(limits: SearchLimits) -> Table:
    mass = min(limits.models, key=lambda m: abs(math.log(m / 0.1)))
    model = limits.models[mass]
    rows = [
        (s.name, sample, *(f"{100 * s.size(sample, c):.3g}" for c in range(len(model.channels))), "yes" if s.correlated else "no", s.source)
        for s in model.systematics
        for sample in s.effects
    ]
    head = ("source", "sample", *(f"{channel} [%]" for channel in model.channels), "correlated", "from")
    return _table(f"Systematics at {1000 * mass:g} MeV", head, rows, "", (0, 1, len(head) - 1))


def _power(value: float, digits: int = 3) -> str:
    """A number as LaTeX: 4.41 x 10^-4."""
    if not math.isfinite(value):
        return "--"
    power = math.floor(math.log10(value))
    return rf"${value / 10.0**power:.{digits - 1}f}\times10^{{{power}}}$"


def _tabular(columns: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [rf"\begin{{tabular}}{{{columns}}}", r"\hline", " & ".join(head) + r" \\", r"\hline"]
    return "\n".join([*lines, *(" & ".join(row) + r" \\" for row in rows), r"\hline", r"\end{tabular}"]) + "\n"


def limits_latex(limits: SearchLimits) -> str:
    """Limits on g and y against mass as a LaTeX tabular, by both methods.

    Parameters
    ----------
    limits : SearchLimits

    Returns
    -------
    str
        Observed limits; expected ones while blinded.
    """
    column = 3 if limits.is_blinded else 0
    tables = [values(m)[:, column] for values in (limits.couplings, limits.y) for m in METHODS]
    head = (r"$m_{Z'}$ [MeV]", r"$\epsilon$ [\%]", *(rf"${q}$ {m}" for q in ("g_{Z'}", "y") for m in METHODS))
    rows = [
        (f"{1000 * mass:.4g}", f"{100 * efficiency:.2f}", *(_power(float(values[i])) for values in tables))
        for i, (mass, efficiency) in enumerate(zip(limits.masses, limits.yields.mean_efficiency, strict=True))
    ]
    return _tabular("rrrrrr", head, rows)


def systematics_latex(limits: SearchLimits, mass: float) -> str:
    """Systematic uncertainties at one mass as a LaTeX tabular.

    Parameters
    ----------
    limits : SearchLimits
    mass : float
        One of the masses of the scan [GeV].

    Returns
    -------
    str
    """
    model = limits.models[mass]
    channels = range(len(model.channels))
    head = ("Source", "sample", *(rf"{model.channels[c]} [\%]".replace("_", " ") for c in channels), "correlated")
    rows = [
        (s.name.replace("_", " "), sample, *(f"{100 * s.size(sample, c):.3g}" for c in channels), "yes" if s.correlated else "no")
        for s in model.systematics
        for sample in s.effects
    ]
    return _tabular("ll" + "r" * len(channels) + "l", head, rows)


def render_limits(limits: SearchLimits, console: Console) -> None:
    """Print the limits.

    Parameters
    ----------
    limits : SearchLimits
    console : rich.console.Console
        Console to print on.
    """
    counting = limits.counting
    console.print(_coupling_table(limits))
    console.print(_comparison_table(limits))
    console.print(_systematics_table(limits))
    background = ", ".join(f"{name} {value:.3g} +- {counting.errors.get(name, 0.0):.2g}" for name, value in counting.backgrounds.items())
    counts = "not used (expected limits only)" if counting.observed is None else ", ".join(f"{n:g}" for n in counting.observed)
    console.print(
        Text(
            f"muons on target {', '.join(muons(n) for n in counting.exposures)}; observed {counts}; background {background or 'none'} events ({counting.source})"
        )
    )
    for name, reason in counting.missing.items():
        console.print(Text(f"not in the model: {name}: {reason}", style="yellow"))
    for note in limits.bound_notes():
        console.print(Text(note, style="yellow"))
    caution = caution_of(limits)
    if caution:
        console.print(Text(f"caution: {caution}", style="yellow"))
