"""Figures of the limits: g against m_Z' and y against m_chi (Fig. 4 of PRL 132, 211803), expected bands, efficiency and yields against mass.

Every function draws on the axes it is given, or on new ones, and returns (figure, axes). Masses are drawn in MeV.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mplhep
import numpy as np
from matplotlib.ticker import FuncFormatter, NullFormatter

from na64mu.analysis.curves import g_minus_2_line, letter_numbers, other_bounds, other_limits
from na64mu.analysis.limits_files import published_point
from na64mu.physics.effective_neutrinos import lightest_mass
from na64mu.physics.moment import UPDATE_2026
from na64mu.report.canvas import axes_of, own_style, subplots
from na64mu.report.drawn import attempt_with_numbers
from na64mu.report.style import BLACK, BLUE, GREY, ORANGE, PURPLE, UNOFFICIAL, VERMILLION

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from na64mu.analysis.curves import Curve
    from na64mu.analysis.limits import SearchLimits
    from na64mu.analysis.yields import EfficiencyTable

__all__ = ("bands_figure", "efficiency_figure", "limit_g", "limit_y", "write_limit_figures", "yields_figure")

GREEN = "#00755a"
#: Configurations, in order.
LINES = ((BLUE, "-"), (VERMILLION, "--"), (GREEN, "-"), (PURPLE, "--"), (ORANGE, "-"), (GREY, "--"))
#: Expected bands of the exact limit: one and two standard deviations.
BAND_1, BAND_2 = "#9ec9e2", "#d6e8f3"
SIZE = (7.6, 6.2)
#: A band narrower than this is not drawn.
WIDTH = 0.01
#: Largest rise of N_eff by a Z' that is left white in the figure, as in Fig. 4 of the Letter.
EXTRA_NEUTRINOS = 0.5
#: Marker of a number printed in the Letter.
LETTER_POINT: dict[str, Any] = {
    "marker": "*",
    "markersize": 13,
    "color": BLACK,
    "markeredgecolor": "white",
    "linestyle": "none",
    "zorder": 4,
}
NAMES = {"pseudo-dirac": "pseudo-Dirac", "majorana": "Majorana", "scalar": "complex scalar"}


def _name(limits: SearchLimits, ax: Axes) -> None:
    mplhep.label.exp_text(r"NA64$\mu$", f"simulated signal, {UNOFFICIAL}", loc=0, ax=ax, fontsize=15)
    mantissa, exponent = f"{sum(limits.counting.exposures):.2e}".split("e")
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    if ax.get_xlim()[1] > 20.0 * ax.get_xlim()[0]:
        ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_title(rf"{mantissa} $\times$ 10$^{{{int(exponent)}}}$ MOT", loc="right", fontsize=13)


def _draw_limit(limits: SearchLimits, x: np.ndarray, values: dict[str, np.ndarray], ax: Axes) -> None:
    """Expected bands and both observed limits."""
    level = f"{100 * limits.scan.limits[0].level:g} % CL"
    exact, asymptotic = values["exact"], values["asymptotic"]
    for outer, (low, high), colour in ((2, (1, 5), BAND_2), (1, (2, 4), BAND_1)):
        if (
            np.nanmax(exact[:, high] / exact[:, low], initial=0.0) > 1.0 + WIDTH
        ):  # with few events most of the bands have no width: 0 events is the median
            label = rf"expected (exact), $\pm{outer}\sigma$"
            ax.fill_between(x, exact[:, low], exact[:, high], color=colour, linewidth=0, zorder=2.0, label=label)
    if limits.is_blinded:
        ax.plot(x, exact[:, 3], color=BLUE, linewidth=2.2, zorder=3, label=f"expected (exact CLs), {level}")
        ax.plot(x, asymptotic[:, 3], color=BLUE, linewidth=1.6, linestyle=(0, (5, 2)), zorder=3, label="expected (asymptotic CLs)")
    else:
        ax.plot(x, exact[:, 0], color=BLUE, linewidth=2.2, zorder=3, label=f"observed (exact CLs), {level}")
        ax.plot(
            x,
            asymptotic[:, 0],
            color=BLUE,
            linewidth=1.6,
            linestyle=(0, (5, 2)),
            zorder=3,
            label="observed (asymptotic CLs, as the Letter)",
        )


def limit_g(limits: SearchLimits, ax: Axes | None = None) -> tuple[Figure, Axes]:
    """Draw the limits on g against m_Z', with the g-2 band and other experiments: Fig. 4 (left).

    Parameters
    ----------
    limits : SearchLimits
    ax : Axes, optional
        Axes to draw on.

    Returns
    -------
    figure, axes
    """
    with own_style():
        figure, ax = axes_of(ax, (7.6, 7.6))
        low, high = limits.masses[0], limits.masses[-1]
        fine = np.geomspace(low, high, 200)
        ax.fill_between(
            1e3 * fine,
            g_minus_2_line(fine, -2.0),
            g_minus_2_line(fine, 2.0),
            color=GREEN,
            alpha=0.28,
            linewidth=0,
            zorder=1,
            label=r"$(g-2)_\mu$, $\pm2\sigma$ (WP20)",
        )
        today = r"$(g-2)_\mu$, $+2\sigma$ (2025/26: no deviation)"
        ax.plot(1e3 * fine, g_minus_2_line(fine, 2.0, UPDATE_2026), color=GREEN, linewidth=1.4, linestyle="--", zorder=1.5, label=today)
        _draw_limit(limits, 1e3 * limits.masses, {m: limits.couplings(m) for m in ("exact", "asymptotic")}, ax)
        _draw_neutrinos(ax, low)
        _draw_ranges(ax, low, high)
        point = letter_numbers()["limit"]["g_minus_2_crossing"]
        edge = float(g_minus_2_line(np.array([point["mass"]]), -2.0)[0])
        ax.plot(1e3 * point["mass"], edge, **LETTER_POINT, label=r"Letter: crosses $-2\sigma$ at about 40 MeV")
        mass, coupling = published_point()
        ax.plot(
            1e3 * mass, coupling, **{**LETTER_POINT, "marker": "P", "markersize": 10}, label=r"Letter: from its $y$ at $m_\chi$ = 40 MeV"
        )
        styles = {
            "BaBar": (VERMILLION, "-"),
            "Belle II 2019": (PURPLE, "-"),
            "Borexino": (ORANGE, "-"),
            "CCFR": (GREY, "-"),
            "CCFR, other calculation": (GREY, "--"),
        }
        for curve in other_limits():
            inside = (curve.x >= 0.5 * low) & (curve.x <= 2.0 * high)
            if inside.sum() > 1:
                colour, line = styles[curve.name]
                ax.plot(
                    1e3 * curve.x[inside],
                    curve.y[inside],
                    color=colour,
                    linewidth=0.6 if curve.x[inside].size > 200 else 1.4,
                    linestyle=line,
                    zorder=2.5,
                    label=curve.name,
                )
        ax.set(
            xscale="log",
            yscale="log",
            xlim=(1e3 * low, 1e3 * high),
            ylim=(min(4e-5, 0.5 * float(np.nanmin(limits.couplings("asymptotic")))), 0.1),
        )
        ax.set_xlabel(r"$m_{Z'}$ [MeV]")
        ax.set_ylabel(r"$g_{Z'}$")
        ax.legend(fontsize=11, loc="upper center", bbox_to_anchor=(0.47, -0.11), ncols=2)  # below: the limit may lie anywhere
        _name(limits, ax)
    return figure, ax


def _draw_ranges(ax: Axes, low: float, high: float) -> None:
    """Frame mass and coupling ranges of newer limits, of which no digitised curve is at hand."""
    frames = zip(((VERMILLION, ":"), (PURPLE, ":"), (ORANGE, ":")), (b for b in other_bounds() if b.couplings), strict=False)
    for (colour, line), bound in frames:
        first, last = max(bound.masses[0], low), min(bound.masses[1], high)
        if first < last:
            x, y = 1e3 * np.array([first, last, last, first, first]), np.array(bound.couplings)[[0, 0, 1, 1, 0]]
            ax.plot(x, y, color=colour, linestyle=line, linewidth=1.2, zorder=2.3, label=f"{bound.name}: limits lie in this frame")


def _draw_neutrinos(ax: Axes, lowest: float) -> None:
    """Shade the masses that N_eff excludes; computed, as no digitised line is at hand (physics.effective_neutrinos)."""
    edge = lightest_mass(EXTRA_NEUTRINOS)
    if edge > lowest:
        ax.axvspan(1e3 * lowest, 1e3 * edge, facecolor="none", edgecolor=GREY, hatch="\\\\", alpha=0.35, linewidth=0, zorder=0.5)
        ax.axvline(
            1e3 * edge,
            color=GREY,
            linewidth=1.4,
            linestyle=":",
            zorder=2.4,
            label=rf"$\Delta N_{{eff}}$ > {EXTRA_NEUTRINOS:g} to the left (computed)",
        )


def limit_y(limits: SearchLimits, targets: Sequence[Curve], ax: Axes | None = None) -> tuple[Figure, Axes]:
    """Draw the limits on y against m_chi, with the relic targets: Fig. 4 (right).

    Parameters
    ----------
    limits : SearchLimits
    targets : sequence of Curve
        Relic-density curves, from `relic_targets`.
    ax : Axes, optional
        Axes to draw on.

    Returns
    -------
    figure, axes
    """
    with own_style():
        figure, ax = axes_of(ax, SIZE)
        x = 1e3 * limits.m_chi
        values = {m: limits.y(m) for m in ("exact", "asymptotic")}
        _draw_limit(limits, x, values, ax)
        point = letter_numbers()["limit"]["y"]
        if (limits.dark.dark_coupling, limits.dark.ratio) == (point["g_chi"], point["mass_ratio"]):
            ax.plot(1e3 * point["m_chi"], point["value"], **LETTER_POINT, label=r"Letter: about 6 $\times$ 10$^{-12}$ at 40 MeV")
        for curve, (colour, line) in zip(targets, ((BLACK, "-"), (VERMILLION, "-."), (PURPLE, ":")), strict=False):
            ax.plot(
                1e3 * curve.x, curve.y, color=colour, linestyle=line, linewidth=1.7, zorder=2.6, label=f"relic target, {NAMES[curve.name]}"
            )
        ax.set(xscale="log", yscale="log", xlim=(x[0], x[-1]))
        ax.set_xlabel(r"$m_\chi$ [MeV]")
        ax.set_ylabel(r"$y = (g_{Z'}\, g_\chi)^2\, (m_\chi / m_{Z'})^4$")
        ax.text(
            0.97,
            0.05,
            rf"$m_{{Z'}} = {limits.dark.ratio:g}\, m_\chi$,  $g_\chi = {limits.dark.dark_coupling:g}$",
            transform=ax.transAxes,
            ha="right",
            fontsize=13,
        )
        ax.legend(fontsize=11, loc="upper left")
        ax.set_ylim(None, 30.0 * ax.get_ylim()[1])
        _name(limits, ax)
    return figure, ax


def bands_figure(limits: SearchLimits) -> tuple[Figure, list[Axes]]:
    """Draw observed and expected limits on g with their bands, each method on axes of its own.

    Parameters
    ----------
    limits : SearchLimits

    Returns
    -------
    figure, list of axes
        Asymptotic and exact. With few events the exact bands have no width below the median: no event is also what -2 standard deviations give.
    """
    with own_style():
        figure, axes = subplots(1, 2, size=(12.6, 5.6), sharey=True)
        x = 1e3 * limits.masses
        for ax, method, title in zip(
            axes, ("asymptotic", "exact"), ("asymptotic CLs (as the Letter)", "exact CLs (our result)"), strict=True
        ):
            g = limits.couplings(method)
            ax.fill_between(x, g[:, 1], g[:, 5], color=BAND_2, linewidth=0, label=r"expected, $\pm2\sigma$")
            ax.fill_between(x, g[:, 2], g[:, 4], color=BAND_1, linewidth=0, label=r"expected, $\pm1\sigma$")
            ax.plot(x, g[:, 3], color=VERMILLION, linewidth=1.5, linestyle="--", label="expected, median")
            if not limits.is_blinded:
                ax.plot(x, g[:, 0], color=BLUE, linewidth=2.0, label="observed")
            ax.set(xscale="log", yscale="log", xlim=(x[0], x[-1]))
            ax.set_xlabel(r"$m_{Z'}$ [MeV]")
            ax.legend(fontsize=12, loc="upper left", title=title, title_fontsize=12.5)
            _name(limits, ax)
        axes[0].set_ylabel(r"$g_{Z'}$")
        bottom, top = axes[0].get_ylim()
        axes[0].set_ylim(bottom, 3.0 * top)
    return figure, list(axes)


def efficiency_figure(limits: SearchLimits, ax: Axes | None = None, table: EfficiencyTable | None = None) -> tuple[Figure, Axes]:
    """Draw the signal efficiency of both configurations against mass, with the statistical errors of the simulation.

    Parameters
    ----------
    limits : SearchLimits
    table : EfficiencyTable, optional
        Draws the simulated samples as points with their binomial (Clopper-Pearson, 68 %) errors, scaled with the loss to pile-up as the curves are.
    ax : Axes, optional
        Axes to draw on.

    Returns
    -------
    figure, axes
    """
    with own_style():
        figure, ax = axes_of(ax, SIZE)
        kept = 1.0 - limits.yields.pile_up_loss.value
        x = 1e3 * limits.masses
        for c, (name, (colour, line)) in enumerate(zip(_names(limits), cycle(LINES), strict=False)):
            value = 100 * limits.yields.total_efficiency[:, c]
            error = 100 * kept * limits.yields.efficiency_error[:, c]
            ax.fill_between(x, value - error, value + error, color=colour, alpha=0.25, linewidth=0)
            ax.plot(x, value, color=colour, linestyle=line, linewidth=2.0, label=name)
            if table is not None and c < 2:
                _draw_samples(ax, table, c + 1, 100 * kept, colour)
        ax.plot(x, 100 * limits.yields.mean_efficiency, color=BLACK, linewidth=1.4, linestyle=":", label="mean by muons on target")
        ax.plot([100.0, 1000.0], [12.0, 12.0], color=GREY, linewidth=1.4, label="Letter: maximum of 12 %")
        ax.set(xscale="log", xlim=(x[0], x[-1]), ylim=(0, None))
        ax.set_ylim(0, 1.35 * ax.get_ylim()[1])
        ax.set_xlabel(r"$m_{Z'}$ [MeV]")
        ax.set_ylabel(r"signal efficiency [% of produced $Z'$]")
        ax.legend(fontsize=12, loc="upper left", title=f"with {100 * (1 - kept):.3g} % lost to pile-up", title_fontsize=11)
        _name(limits, ax)
    return figure, ax


def _names(limits: SearchLimits) -> list[str]:
    """Configurations as a legend has them."""
    return [channel.replace("config_", "configuration ").replace("_", " ") for channel in limits.counting.channels]


def _draw_samples(ax: Axes, table: EfficiencyTable, config: int, scale: float, colour: str) -> None:
    points = table.of(config)
    found = [p.efficiency for p in points]
    value = np.array([scale * e.value for e in found])
    errors = np.array([[scale * (e.value - e.low), scale * (e.high - e.value)] for e in found]).T
    x = np.array([1e3 * p.mass for p in points]) * (1.0 + 0.02 * (2 * config - 3))  # side by side
    ax.errorbar(
        x, value, yerr=errors, fmt="os"[config - 1], color=colour, markersize=4.5, elinewidth=1.2, label=f"simulated samples, {config}"
    )


def yields_figure(limits: SearchLimits, ax: Axes | None = None) -> tuple[Figure, Axes]:
    """Draw the bosons produced and the events expected in the signal box against mass, at the reference coupling.

    Parameters
    ----------
    limits : SearchLimits
    ax : Axes, optional
        Axes to draw on.

    Returns
    -------
    figure, axes
    """
    with own_style():
        figure, ax = axes_of(ax, SIZE)
        yields, x = limits.yields, 1e3 * limits.masses
        events = yields.events()
        ax.plot(x, yields.per_muon * sum(yields.exposures), color=BLACK, linewidth=1.8, label="Z' produced")
        for c, (name, (colour, line)) in enumerate(zip(_names(limits), cycle(LINES), strict=False)):
            if yields.exposures[c] > 0:
                ax.plot(x, events[:, c], color=colour, linestyle=line, linewidth=1.8, label=f"in the signal box, {name}")
        ax.set(xscale="log", yscale="log", xlim=(x[0], x[-1]))
        ax.set_xlabel(r"$m_{Z'}$ [MeV]")
        mantissa, exponent = f"{yields.g_ref:.1e}".split("e")
        ax.set_ylabel(rf"events at $g_{{Z'}}$ = {float(mantissa):g} $\times$ 10$^{{{int(exponent)}}}$")
        ax.legend(fontsize=12, loc="upper right")
        _name(limits, ax)
    return figure, ax


def write_limit_figures(limits: SearchLimits, targets: Sequence[Curve], folder: Path, table: EfficiencyTable | None = None) -> list[Path]:
    """Write limit_g, limit_y, bands, efficiency and yields, each as PNG and PDF with the numbers behind it as CSV.

    Parameters
    ----------
    limits : SearchLimits
    targets : sequence of Curve
        Relic-density curves, from `relic_targets`; may be empty.
    folder : Path
        Exists.
    table : EfficiencyTable, optional
        Table whose samples are drawn into the efficiency.

    Returns
    -------
    list of Path
        The files.
    """
    drawn: dict[str, Callable[[], tuple[Figure, Axes | list[Axes]]]] = {
        "limit_g": lambda: limit_g(limits),
        "limit_y": lambda: limit_y(limits, targets),
        "bands": lambda: bands_figure(limits),
        "efficiency": lambda: efficiency_figure(limits, table=table),
        "yields": lambda: yields_figure(limits),
    }
    return [path for name, draw in drawn.items() for path in attempt_with_numbers(draw, folder / name)]
