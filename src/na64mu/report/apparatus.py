"""The apparatus drawn to scale in one projection, with the energies of its cells: the background of an event display.

Along the beam m, across it mm; energies GeV.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.patches import Rectangle

from na64mu.detector import DetectorLike, load_detector
from na64mu.events.batch import Jagged, RawBatch
from na64mu.reconstruction.energies import in_window
from na64mu.report.style import GREY, ORANGE
from na64mu.typing import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ("ENERGY_MAP", "ENERGY_SCALE", "Cells", "draw_cells", "draw_line", "draw_names", "event_cells")

#: Colours of cell energies: from 10 MeV, where ECAL cells are written, to the beam energy.
ENERGY_SCALE = LogNorm(0.01, 160.0, clip=True)
ENERGY_MAP = "YlGnBu"  # light to dark, distinguishable with any colour vision
EMPTY, FRAME = "#f6f6f6", "#9a9a9a"
NAME_GAP = 0.013  # of the width of the frame between two names


class Cells(NamedTuple):
    """The cells of one calorimeter section in one event.

    Attributes
    ----------
    name : str
        Name of the element.
    z : tuple of float
        Range of z that the element covers [mm].
    edges : tuple of FloatArray
        Edges of the cells along x and y [mm].
    energy, late : FloatArray
        Energy in and out of time [GeV], shape (n_x, n_y).
    hole : tuple of float
        Half sizes of a hole in the middle [mm], 0 without one.
    """

    name: str
    z: tuple[float, float]
    edges: tuple[FloatArray, FloatArray]
    energy: FloatArray
    late: FloatArray
    hole: tuple[float, float] = (0.0, 0.0)


def _map(digits: Jagged, shape: tuple[int, int], selected: Any) -> FloatArray:
    energy = np.zeros(shape)
    np.add.at(energy, (digits["ix"].astype(int), digits["iy"].astype(int)), digits["energy"].astype(np.float64) * selected)
    return energy


def event_cells(batch: RawBatch, detector: DetectorLike) -> list[Cells]:
    """The calorimeters of one event, in order of z.

    Parameters
    ----------
    batch : RawBatch
        Exactly one event.
    detector : Detector, str or Path
        The description.

    Returns
    -------
    list of Cells
        Preshower, ECAL, VHCAL, HCAL1, HCAL2.
    """
    detector = load_detector(detector)
    ecal, vhcal, hcal = detector.ecal, detector.vhcal, detector.hcal
    digits = batch.collections
    border = ecal.z + ecal.length * ecal.layers[0] / sum(ecal.layers)
    parts: list[tuple[str, tuple[float, float], Any, Any, Any, tuple[float, float]]] = [
        ("preshower", (ecal.z, border), ecal, digits["ecal"], digits["ecal"]["section"] == 0, (0.0, 0.0)),
        ("ECAL", (border, ecal.z + ecal.length), ecal, digits["ecal"], digits["ecal"]["section"] == 1, (0.0, 0.0)),
        ("VHCAL", (vhcal.z, vhcal.z + vhcal.length), vhcal, digits["vhcal"], True, vhcal.half_hole),
    ]
    for i, front in enumerate(hcal.front):
        parts.append(
            (f"HCAL{i + 1}", (front, front + hcal.length), hcal, digits["hcal"], digits["hcal"]["module"] == i + 1, (0.0, 0.0))
        )  # reads as the ones above
    found = []
    for name, z, calorimeter, rows, selected, hole in parts:
        centres = [calorimeter.cell_centre(axis) for axis in (0, 1)]
        edges = tuple(np.append(c - 0.5 * w, c[-1] + 0.5 * w) for c, w in zip(centres, calorimeter.cell, strict=True))
        inside = in_window(rows, calorimeter.sigma_t)
        maps = [_map(rows, calorimeter.cells, selected & window) for window in (inside, ~inside)]
        found.append(Cells(name, z, (edges[0], edges[1]), maps[0], maps[1], hole))
    return found


def _box(ax: Axes, z: tuple[float, float], u: tuple[float, float], **style: Any) -> None:
    ax.add_patch(Rectangle((1e-3 * z[0], u[0]), 1e-3 * (z[1] - z[0]), u[1] - u[0], **style))


def _energies(ax: Axes, cells: Cells, view: int) -> None:
    """A calorimeter as rows of cells, each with the sum of the energies behind it."""
    colours, edges = mpl.colormaps[ENERGY_MAP], cells.edges[view]
    sums = cells.energy.sum(axis=1 - view)
    for low, high, energy in zip(edges[:-1], edges[1:], sums, strict=True):
        parts = [(low, high)]
        if (hole := cells.hole[view]) and low < hole and high > -hole:
            parts = [(low, min(high, -hole)), (max(low, hole), high)]
        for a, b in parts:
            if b > a:
                _box(
                    ax,
                    cells.z,
                    (a, b),
                    facecolor=colours(ENERGY_SCALE(energy)) if energy > 0.0 else EMPTY,
                    edgecolor=FRAME,
                    lw=0.4,
                    zorder=0.5,
                )


def draw_line(ax: Axes, detector: DetectorLike, view: int, config: int, cells: list[Cells]) -> None:
    """All elements in one projection, at their place and size.

    Parameters
    ----------
    ax : Axes
        Axes to draw on; their limits are not changed.
    detector : Detector, str or Path
        The description.
    view : int
        0 (x) or 1 (y).
    config : int
        Trigger configuration: position of S_mu.
    cells : list of Cells
        Calorimeters of the event.
    """
    detector = load_detector(detector)
    for magnet in detector.magnets:
        low, high = (magnet.aperture_centre[view] + s * magnet.half_aperture[view] for s in (-1, 1))
        _box(ax, magnet.z_range, (low, high), facecolor=ORANGE, alpha=0.22, lw=0.0, zorder=0.3)
    for module in detector.trackers.values():
        if view in module.views:
            half = module.half[view]
            ax.plot(
                [1e-3 * module.z] * 2, [module.centre[view] - half, module.centre[view] + half], color=GREY, lw=0.8, alpha=0.7, zorder=0.8
            )
    for section in cells:
        _energies(ax, section, view)
    veto = detector.veto
    _box(ax, (veto.z, veto.z + veto.thickness), (-veto.half[view], veto.half[view]), facecolor=GREY, lw=0.0, alpha=0.5)
    for counter in detector.counters:
        if counter.shape == "box":
            spans = [counter.x_range(config) if view == 0 else counter.y]
        elif counter.shape == "disc":
            spans = [(-counter.radius, counter.radius)]
        else:
            spans = [(-counter.outer_radius, -counter.radius), (counter.radius, counter.outer_radius)]
        for span in spans:
            ax.plot([1e-3 * counter.z] * 2, span, color="black", lw=2.2, solid_capstyle="butt", zorder=1.0)


def draw_names(ax: Axes, detector: DetectorLike, cells: list[Cells]) -> None:
    """Names of all elements inside the limits of a frame, above it, moved apart where they would overlap.

    Parameters
    ----------
    ax : Axes
        Frame with its limits set.
    detector : Detector, str or Path
        The description.
    cells : list of Cells
        Calorimeters of the event.
    """
    detector = load_detector(detector)
    low, high = ax.get_xlim()
    gap = NAME_GAP * (high - low) * 16.0 / (ax.figure.get_figwidth() * ax.get_position().width)  # type: ignore[union-attr] # a figure, not a part of one
    named = [(1e-3 * m.z, m.name, GREY) for m in detector.magnets] + [(1e-3 * m.z, n.upper(), GREY) for n, m in detector.trackers.items()]
    named += [(5e-4 * sum(c.z), c.name, "black") for c in cells if c.name != "preshower"] + [(1e-3 * detector.veto.z, "VETO", "black")]
    named += [(1e-3 * c.z, c.name.replace("S_mu", "$S_\\mu$"), "black") for c in detector.counters]
    named = sorted(n for n in named if low < n[0] < high)
    at = np.array([z for z, _, _ in named])
    for _ in range(500):  # neighbours push each other apart, the last ones into the frame
        overlap = np.clip(gap - np.diff(at), 0.0, None)
        if not overlap.any():
            break
        at[:-1] -= 0.5 * overlap
        at[1:] += 0.5 * overlap
        at = np.clip(at, low + 0.3 * gap, high - 0.3 * gap)
    for place, (_, name, colour) in zip(at, named, strict=True):
        ax.text(place, 1.02, name, transform=ax.get_xaxis_transform(), fontsize=7.5, color=colour, ha="center", va="bottom", rotation=90)


def _energy_text(energy: float) -> str:
    return f"{energy:.3f}" if energy < 0.1 else f"{energy:.2f}" if energy < 1.0 else f"{energy:.1f}" if energy < 10.0 else f"{energy:.0f}"


def draw_cells(ax: Axes, cells: Cells, mark: tuple[float, float] | None = None, colour: str = GREY) -> None:
    """The cells of a calorimeter as the beam sees them, with their energies [GeV]; out of time in brackets.

    Parameters
    ----------
    ax : Axes
        Axes to draw on.
    cells : Cells
        Cells of one section.
    mark : tuple of float, optional
        Position to which a track points: x, y [mm].
    colour : str
        Colour of the mark.
    """
    x, y = cells.edges
    shown = np.ma.masked_equal(cells.energy.T, 0.0)
    ax.pcolormesh(x, y, np.ma.zeros(shown.shape), cmap=mpl.colors.ListedColormap([EMPTY]), edgecolors="#c4c4c4", lw=0.5)
    ax.pcolormesh(x, y, shown, cmap=ENERGY_MAP, norm=ENERGY_SCALE, edgecolors="#c4c4c4", lw=0.5)
    half_x, half_y = cells.hole
    if half_x:
        ax.add_patch(Rectangle((-half_x, -half_y), 2 * half_x, 2 * half_y, facecolor="white", edgecolor=FRAME, lw=0.6))
    middle, height = [0.5 * (e[1:] + e[:-1]) for e in cells.edges], float(y[1] - y[0])
    style: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 7.5 if max(cells.energy.shape) < 6 else 6.5}
    for (i, j), in_time in np.ndenumerate(cells.energy):
        energy, late = float(in_time), float(cells.late[i, j])
        u, v = float(middle[0][i]), float(middle[1][j])
        if half_x and abs(u) < half_x + 0.5 * height and abs(v) < half_y + 0.5 * height:
            v += height * (0.25 if v > 0.0 else -0.25)  # beside the hole
        elif mark is not None and abs(u - mark[0]) < 0.6 * height and abs(v - mark[1]) < 0.5 * height:
            v += height * (0.28 if v > mark[1] else -0.28)  # beside the mark
        if energy > 0.0:
            ax.text(u, v, _energy_text(energy), color="black" if ENERGY_SCALE(energy) < 0.6 else "white", **style)
        elif late > 0.0:
            ax.text(u, v, f"({_energy_text(late)})", color=GREY, style="italic", **style)
    if mark is not None:
        ax.plot(*mark, "+", ms=9, mew=1.6, color=colour)
    out_of_time = f" (+{cells.late.sum():.2g} late)" if cells.late.sum() > 0.0 else ""
    ax.set_title(f"{cells.name}: {cells.energy.sum():.2f} GeV{out_of_time}", fontsize=9)
    ax.set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]), aspect="equal")
    ax.set_xlabel("x [mm]", fontsize=8)
    ax.tick_params(labelsize=7, direction="out", top=False, right=False, length=3)
    ax.minorticks_off()
