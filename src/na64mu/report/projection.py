"""Projections: table on the terminal and figure of g against m_Z'. Masses in MeV."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.text import Text

from na64mu.analysis.curves import g_minus_2_line
from na64mu.analysis.limits_files import at_mass
from na64mu.analysis.table_masses import TABLE_MASSES
from na64mu.report.attempts import attempt
from na64mu.report.boson_tables import number, plain_table
from na64mu.report.canvas import own_style, save, subplots
from na64mu.report.numbers import muons
from na64mu.report.style import BLACK, BLUE, GREY, ORANGE, PURPLE, VERMILLION

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.console import Console

    from na64mu.analysis.projection import Projection

__all__ = ("projection_figure", "render_projection", "write_projection_figure")

COLOURS = (BLACK, ORANGE, VERMILLION, PURPLE, BLUE, GREY)
GREEN = "#00755a"


def render_projection(projection: Projection, console: Console) -> None:
    """Print the scenarios with what they assume, and the expected limits on g.

    Parameters
    ----------
    projection : Projection
    console : rich.console.Console
        Console to print on.
    """
    rows = []
    for scenario, limits in projection:
        g = [number(at_mass(limits, limits.couplings("exact")[:, 3], mass)) for mass in TABLE_MASSES]
        background = sum(limits.counting.backgrounds.values())
        loss = f"{100 * limits.yields.pile_up_loss.value:.1f}"
        rows.append((scenario.name, muons(scenario.n_mot), f"{scenario.spills:.2g}", number(background), loss, *g))
    head = ("scenario", "MOT", "spills", "background", "pile-up [%]", *(f"g, {1000 * m:g} MeV" for m in TABLE_MASSES))
    console.print(plain_table("Median expected limits on g_Z', exact CLs", head, rows))
    for scenario, _ in projection:
        console.print(Text(f"{scenario.name}: {scenario.assumed}"))


def projection_figure(projection: Projection) -> Figure:
    """Draw the expected limits of all scenarios, with the band of the muon's anomalous moment.

    Parameters
    ----------
    projection : Projection

    Returns
    -------
    Figure
    """
    with own_style():
        figure, ax = subplots(size=(7.8, 7.4))
        masses = projection.limits[0].masses
        fine = np.geomspace(masses[0], masses[-1], 200)
        ax.fill_between(
            1e3 * fine,
            g_minus_2_line(fine, -2.0),
            g_minus_2_line(fine, 2.0),
            color=GREEN,
            alpha=0.28,
            linewidth=0,
            label=r"$(g-2)_\mu$, $\pm2\sigma$ (WP20)",
        )
        for i, (scenario, limits) in enumerate(projection):
            colour = COLOURS[i % len(COLOURS)]
            ax.plot(
                1e3 * limits.masses,
                limits.couplings("exact")[:, 3],
                color=colour,
                linewidth=2.0,
                linestyle="-" if i % 2 == 0 else "--",
                label=scenario.name,
            )
        ax.set(xscale="log", yscale="log", xlim=(1e3 * masses[0], 1e3 * masses[-1]))
        ax.set_xlabel(r"$m_{Z'}$ [MeV]")
        ax.set_ylabel(r"$g_{Z'}$ expected, 90 % CL (exact)")
        ax.legend(fontsize=11, loc="upper center", bbox_to_anchor=(0.47, -0.11), ncols=2)
    return figure


def write_projection_figure(projection: Projection, folder: Path) -> list[Path]:
    """Write projection.png to a folder that exists; no file, and a warning, if it cannot be drawn."""
    return attempt("projection.png", lambda: [save(projection_figure(projection), folder / "projection.png")], [])
