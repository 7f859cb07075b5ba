"""Limits on other bosons, recasts, projections and signal boxes on the terminal; by rich."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from rich import box
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from na64mu.analysis.limits_files import at_mass
from na64mu.analysis.table_masses import TABLE_MASSES

if TYPE_CHECKING:
    from rich.console import Console

    from na64mu.analysis.limits_models import BosonLimits
    from na64mu.analysis.recast import Recast

__all__ = ("plain_table", "render_boson_limits", "render_recast")


def plain_table(title: str, head: tuple[str, ...], rows: Sequence[tuple[str, ...]], note: str = "") -> Table:
    """A table with a heading, the first column of words."""
    table = Table(title=escape(title), title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, caption=escape(note) or None)
    table.caption_justify = "left"
    for i, heading in enumerate(head):
        table.add_column(escape(heading), justify="right" if i else "left")
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    return table


def number(value: float, digits: int = 3) -> str:
    """A number, or a dash where there is none."""
    return f"{value:.{digits}g}" if math.isfinite(value) else "-"


def render_boson_limits(result: BosonLimits, console: Console) -> None:
    """Print the limits on one boson.

    Parameters
    ----------
    result : BosonLimits
    console : rich.console.Console
        Console to print on.
    """
    limits, symbol = result.limits, result.boson.symbol
    column, which = (3, "expected") if limits.is_blinded else (0, "observed")
    rows = []
    inside = [m for m in TABLE_MASSES if limits.masses[0] <= m <= limits.masses[-1]]
    for mass in inside if limits.masses[-1] >= TABLE_MASSES[-1] else [*inside, float(limits.masses[-1])]:
        values = [at_mass(limits, result.couplings(m)[:, column], mass) for m in ("asymptotic", "exact")]
        produced = at_mass(limits, limits.yields.per_muon, mass)
        efficiency = at_mass(limits, np.maximum(limits.yields.mean_efficiency, 1e-12), mass)
        y = at_mass(limits, result.y("exact")[:, column], mass) if result.boson.is_mixing else math.nan
        of_photon = (number(y),) if result.boson.is_mixing else ()
        rows.append((f"{1000 * mass:.4g}", number(produced), number(100 * efficiency), *map(number, values), *of_photon))
    last = ("y exact",) if result.boson.is_mixing else ()
    head = (
        "m [MeV]",
        f"per MOT at {result.reference_symbol} = {limits.yields.g_ref:g}",
        "efficiency [%]",
        f"{symbol} asymptotic",
        f"{symbol} exact",
        *last,
    )
    source = "map in (x, psi') of the vertex" if result.boson.from_map else "simulated Z' of the same mass"
    words = result.what_is_not_seen
    note = f"{words[0].upper()}{words[1:]}. Efficiency: {source}."
    if result.boson.is_mixing:
        note += f" y = epsilon^2 alpha_D / {result.ratio:g}^4 with alpha_D = {result.alpha_d:g}."
    level = 100 * limits.scan.limits[0].level
    console.print(plain_table(f"Upper limits at {level:g} % CL, {which}: {result.boson.title}, {result.quoted}", head, rows, note))
    _caution(console, [one.caution for one in limits.scan.limits])


def render_recast(result: Recast, console: Console) -> None:
    """Print the limits on a user's model.

    Parameters
    ----------
    result : Recast
    console : rich.console.Console
        Console to print on.
    """
    limits = result.limits
    column, which = (3, "expected") if limits.is_blinded else (0, "observed")
    rows = []
    for i, mass in enumerate(limits.masses):
        events = float(limits.yields.events()[i].sum())
        efficiency = 100 * float(limits.yields.mean_efficiency[i])
        mu, g = ([f(m)[i, column] for m in ("asymptotic", "exact")] for f in (result.strengths, result.couplings))
        rows.append((f"{1000 * mass:g}", number(efficiency), number(events), *map(number, [*mu, *g]), f"{100 * result.uncovered[i]:.2g}"))
    head = ("m [MeV]", "efficiency [%]", "events", "mu asymptotic", "mu exact", "coupling asymptotic", "exact", "uncovered [%]")
    note = f"events and mu: of the table, at a coupling of {result.reference:g}; yield ~ coupling^{result.power:g}; mu below 1: the table is excluded."
    console.print(plain_table(f"Upper limits at {100 * limits.scan.limits[0].level:g} % CL, {which}: {result.source}", head, rows, note))
    _caution(console, [one.caution for one in limits.scan.limits])


def _caution(console: Console, cautions: list[str]) -> None:
    for caution in filter(None, cautions):
        console.print(Text(f"caution: {caution}", style="yellow"))
        return
