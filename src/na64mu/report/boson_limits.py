"""Figure of the limit on another boson: coupling against mass, with the band of the muon's anomalous moment where there is one. Masses in MeV."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import mplhep
import numpy as np
from matplotlib.ticker import FuncFormatter, NullFormatter

from na64mu.analysis.limits import METHODS
from na64mu.physics.moment import LETTER, coupling_of, moment
from na64mu.report.attempts import attempt
from na64mu.report.canvas import own_style, save, subplots
from na64mu.report.style import BLUE, GREY, UNOFFICIAL

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from na64mu.analysis.limits_models import BosonLimits
    from na64mu.physics.bosons import Boson
    from na64mu.typing import FloatArray

__all__ = ("boson_figure", "write_boson_figure")

GREEN, BAND = "#00755a", "#9ec9e2"
LABELS = {"g": "$g$", "epsilon": r"$\epsilon$", "g_amumu": r"$g_{a\mu\mu}$", "gg_chi": r"$g\,g_\chi$", "C": "$C$"}


def boson_figure(result: BosonLimits, ax: Axes | None = None) -> tuple[Figure, Axes]:
    """Draw the limits of one boson by both methods.

    Parameters
    ----------
    result : BosonLimits
    ax : Axes, optional
        Axes to draw on.

    Returns
    -------
    figure, axes
    """
    with own_style():
        if ax is None:
            _, ax = subplots(size=(7.6, 6.2))
        boson, masses = result.boson, result.limits.masses
        column, which = (3, "expected") if result.limits.is_blinded else (0, "observed")
        for method, line in zip(METHODS, ((0, (5, 2)), "-"), strict=True):
            g = result.couplings(method)
            ax.plot(1e3 * masses, g[:, column], color=BLUE, linestyle=line, linewidth=2.0, label=f"{which}, {method} CLs, 90 % CL")
        exact = result.couplings("exact")
        ax.fill_between(1e3 * masses, exact[:, 1], exact[:, 5], color=BAND, linewidth=0, label=r"expected, exact, $\pm2\sigma$")
        if not result.is_pair:  # what makes a pair is in no loop of this mass
            _draw_moment(ax, boson, masses)
        ax.set(xscale="log", yscale="log", xlim=(1e3 * masses[0], 1e3 * masses[-1]))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        if masses[-1] > 20.0 * masses[0]:
            ax.xaxis.set_minor_formatter(NullFormatter())
        else:
            ax.xaxis.set_minor_formatter(FuncFormatter(lambda value, _: f"{value:g}" if f"{value:g}"[0] in "1235" else ""))
        ax.set_xlabel("mass [MeV]")
        ax.set_ylabel(f"{LABELS[boson.symbol]} [{result.unit}]" if result.unit else LABELS[boson.symbol])
        ax.legend(fontsize=11, loc="upper left", title=boson.title, title_fontsize=12, alignment="left")
        mplhep.label.exp_text(r"NA64$\mu$", f"simulated signal, {UNOFFICIAL}", loc=0, ax=ax, fontsize=15)
    return cast("Figure", ax.figure), ax


def _draw_moment(ax: Axes, boson: Boson, masses: FloatArray) -> None:
    """The band in which the boson explains g-2, or the word that it cannot."""
    if np.all(moment(masses, 1.0, boson.mediator) > 0):
        low, high = (boson.coupling(coupling_of(LETTER.at(s), masses, boson.mediator)) for s in (-2.0, 2.0))
        ax.fill_between(1e3 * masses, low, high, color=GREEN, alpha=0.28, linewidth=0, label=r"$(g-2)_\mu$, $\pm2\sigma$ (WP20)")
    else:  # pseudoscalar and axial pull the moment down
        ax.plot([], [], color=GREY, linestyle="none", label=r"no $(g-2)_\mu$ band: lowers the moment")


def write_boson_figure(result: BosonLimits, folder: Path) -> list[Path]:
    """Write limit_<boson>.png and .pdf.

    Parameters
    ----------
    result : BosonLimits
    folder : Path
        Exists.

    Returns
    -------
    list of Path
        The files.
    """
    pdf = folder / f"limit_{result.boson.name}.pdf"

    def draw() -> list[Path]:
        figure, _ = boson_figure(result)
        return [save(figure, pdf), save(figure, pdf.with_suffix(".png"))]

    return attempt(pdf.stem, draw, [])
