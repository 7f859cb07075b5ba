"""Figure of the signal-box scan: expected limit over the plane of borders, and along each border."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from na64mu.report.attempts import attempt
from na64mu.report.canvas import own_style, save, subplots
from na64mu.report.style import BLACK, BLUE, MAP, ORANGE, VERMILLION

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from na64mu.analysis.optimisation import BoxScan

__all__ = ("box_figure", "write_box_figure")

#: Relative limits above this are drawn alike.
HIGHEST = 1.3


def box_figure(scan: BoxScan) -> Figure:
    """Draw the relative expected limit on the coupling over both borders, and its parts along p_out.

    Parameters
    ----------
    scan : BoxScan

    Returns
    -------
    Figure
    """
    with own_style():
        figure, (left, right) = subplots(1, 2, size=(13.0, 5.6))
        values = np.minimum(scan.relative(), HIGHEST)
        mesh = left.pcolormesh(scan.p_cuts, scan.e_cuts, values.T, cmap=f"{MAP}_r", shading="nearest", vmin=values.min(), vmax=HIGHEST)
        figure.colorbar(mesh, ax=left, label="limit on the coupling / published box", aspect=30)
        p, e, _ = scan.best()
        left.plot(*scan.published, marker="s", markersize=11, color="white", markeredgecolor=BLACK, linestyle="none", label="published box")
        left.plot(p, e, marker="*", markersize=17, color=ORANGE, markeredgecolor=BLACK, linestyle="none", label="best box")
        left.set(xlabel=r"largest $p_{out}$ [GeV/c]", ylabel=r"largest $E_{CAL}$ [GeV]")
        left.legend(loc="upper left", frameon=True, fontsize=11)
        j = scan.at(*scan.published)[1]
        for (name, part), line in zip(scan.backgrounds.parts.items(), ("-", "--", ":"), strict=False):
            right.plot(scan.p_cuts, np.maximum(part[:, j], 1e-6), color=VERMILLION, linestyle=line, label=f"background: {name} [events]")
        names = list(scan.efficiencies)
        for name in (names[0], names[-1]) if len(names) > 1 else names:
            right.plot(
                scan.p_cuts,
                scan.efficiencies[name][:, j],
                color=BLUE,
                linestyle="-" if name == names[0] else "--",
                label=f"efficiency: {name}",
            )
        right.plot(scan.p_cuts, scan.relative()[:, j], color=BLACK, linewidth=2.2, label="limit on the coupling / published box")
        right.axvline(scan.published[0], color=BLACK, linewidth=0.8, linestyle=":")
        right.set(yscale="log", xlabel=r"largest $p_{out}$ [GeV/c]", title=rf"$E_{{CAL}}$ < {scan.published[1]:g} GeV")
        right.legend(fontsize=10.5, loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=2)
    return figure


def write_box_figure(scan: BoxScan, folder: Path) -> list[Path]:
    """Write boxes.png to a folder that exists; no file, and a warning, if it cannot be drawn."""
    return attempt("boxes.png", lambda: [save(box_figure(scan), folder / "boxes.png")], [])
