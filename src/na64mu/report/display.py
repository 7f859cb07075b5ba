"""Event display: the apparatus to scale with hits and all tracks, residuals of the hits, and the cells of the calorimeters.

Lengths along the beam are m, across it mm; energies GeV. In Jupyter `display_event(events[i], detector)` shows the picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib import patheffects

from na64mu.detector import Detector, DetectorLike, load_detector
from na64mu.detector.readout import VIEWS
from na64mu.errors import BlindedError, InputError
from na64mu.events.batch import RawBatch, as_batch
from na64mu.inputs.frozen_floors import Freezes
from na64mu.inputs.visible import file_of, visible_rows
from na64mu.reconstruction.event import EventTracks, event_junction, event_tracks, trajectory
from na64mu.reconstruction.gains import on_one_scale
from na64mu.reconstruction.pulses.digits import with_digits
from na64mu.reconstruction.summary import reconstruct
from na64mu.report.apparatus import ENERGY_MAP, ENERGY_SCALE, Cells, draw_cells, draw_line, draw_names, event_cells
from na64mu.report.canvas import _OwnFigure, own_style
from na64mu.report.style import BLUE, GREY, ORANGE, PURPLE, VERMILLION
from na64mu.selections.blinding import withheld_sentence
from na64mu.selections.working_point import WorkingPoint
from na64mu.tracking.vertex import Junction
from na64mu.typing import FloatArray, Summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ("EventDisplay", "display", "display_event", "draw_event")

#: Colours and dashes of the tracks of a spectrometer, best first; colour and line style both distinguish them.
LINES = {1: BLUE, 2: VERMILLION}
OTHERS = (PURPLE, "#00755a", ORANGE)
DASHES = ("-", (0, (6, 2)), (0, (2, 1.5)), (0, (5, 1, 1, 1)))
PULL_RANGE = 5.0  # standard deviations shown; hits of the plane farther off than that are no neighbours of the track
HCAL_SHOWN = 1.0  # GeV: rows of HCAL cells with at least half a muon's energy are inside the frame
KINK_SHOWN = 3.0  # a vertex is drawn where the kink is so many times the width of the scattering


def _colour(number: int, track: int) -> str:
    return LINES[number] if track == 0 else OTHERS[(track - 1) % len(OTHERS)]


def _path(event: EventTracks, track: int, z_from: float, z_to: float) -> tuple[FloatArray, FloatArray]:
    """Path of a track inside its spectrometer, and the straight ways before and behind it: z, x, y [mm], shapes (n, 3), (2, 2, 3)."""
    fits, z = event.fits, event.spectrometer.z
    ends = []
    for parameters, here, to in ((fits.upstream[track], z[0], min(z_from, z[0])), (fits.downstream[track], z[-1], max(z_to, z[-1]))):
        ends.append([[at, *(parameters[:2] + (at - here) * parameters[2:4])] for at in (here, to)])
    return trajectory(fits.upstream[track], event.spectrometer), np.array(ends)


def _draw_tracks(ax: Axes, event: EventTracks, number: int, view: int, ends: tuple[float, float]) -> list[float]:
    """Hits, tracks and their straight continuation to `ends` [mm]; returns the coordinates of what was drawn [mm]."""
    points = event.points(view)
    free = points.track < 0
    ax.plot(1e-3 * points.z[free], points.u[free], "o", ms=3, mfc="none", mec=GREY, mew=0.6, alpha=0.55, zorder=3)
    seen = list(points.u[~free])
    for t in reversed(range(len(event.fits))):
        colour, dash = _colour(number, t), DASHES[t % len(DASHES)]
        path, ways = _path(event, t, *ends)
        ax.plot(1e-3 * path[:, 0], path[:, 1 + view], color=colour, ls=dash, lw=1.4, zorder=4)
        for way in ways:
            ax.plot(
                1e-3 * way[:, 0],
                way[:, 1 + view],
                color=colour,
                lw=1.1,
                ls=":",
                zorder=4,
                path_effects=[patheffects.withStroke(linewidth=2.4, foreground="white", alpha=0.7)],
            )
        on = points.track == t
        ax.plot(1e-3 * points.z[on], points.u[on], "o", ms=3.8, color=colour, mec="white", mew=0.4, zorder=5)
        seen += [*path[:, 1 + view], *ways[:, :, 1 + view].ravel()]
    return seen


def _fit_text(event: EventTracks, track: int, number: int) -> str:
    """Parameters of a track with their errors, at the end that faces the ECAL."""
    fits = event.fits
    state = (fits.downstream if number == 1 else fits.upstream)[track]
    sigma = np.sqrt(np.diagonal((fits.downstream_covariance if number == 1 else fits.upstream_covariance)[track]))
    k = fits.downstream[track, 4]
    p, error = 1.0 / abs(k), np.sqrt(fits.downstream_covariance[track, 4, 4]) / k**2
    chi2 = f"$\\chi^2$/ndf {fits.chi2[track]:.1f}/{fits.ndf[track]}"
    removed = f", {fits.removed[track].sum()} hit(s) removed" if fits.removed[track].any() else ""
    end = event.spectrometer.z[-1 if number == 1 else 0]
    values = [f"{name} = {scale * state[i]:.{digits}f} $\\pm$ {scale * sigma[i]:.{digits}f} {unit}" for i, (name, scale, digits, unit) in enumerate(
        (("x", 1.0, 2, "mm"), ("y", 1.0, 2, "mm"), ("$t_x$", 1e3, 2, "mrad"), ("$t_y$", 1e3, 2, "mrad"))
    )]  # fmt: skip
    head = f"MS{number} track{f' {track + 1}' if len(fits) > 1 else ''}: p = {p:.1f} $\\pm$ {error:.1f} GeV/c, q = {'+' if k > 0 else '$-$'}1, {chi2}{removed}"
    place = f"at z = {1e-3 * end:.2f} m: {', '.join(values)}".replace("-", "$-$")
    return f"{head}\n{place}"


def _legend(ax: Axes, events: dict[int, EventTracks]) -> None:
    handles: list[mpl.lines.Line2D] = []
    for number, event in events.items():
        for t in range(len(event.fits)):
            style: dict[str, Any] = {"color": _colour(number, t), "ls": DASHES[t % len(DASHES)], "marker": "o", "ms": 3.8, "lw": 1.4}
            handles.append(mpl.lines.Line2D([], [], label=_fit_text(event, t, number), **style))
        if not len(event.fits):
            text = f"MS{number}: no track" if not event.n else f"MS{number}: {event.n} candidate(s), no fit converged"
            handles.append(mpl.lines.Line2D([], [], ls="", label=text))
    handles.append(
        mpl.lines.Line2D([], [], ls="", marker="o", ms=3, mfc="none", mec=GREY, label="hit on no track (both sides of a wire are drawn)")
    )
    many = len(handles) > 6
    columns = 1 if len(handles) < 4 else 2
    ax.legend(
        handles=handles,
        fontsize=6.5 if many else 8,
        loc="center left",
        ncols=columns,
        labelspacing=0.6,
        columnspacing=3.0,
        borderaxespad=0.0,
    )


def _draw_residuals(ax: Axes, event: EventTracks, number: int, view: int) -> None:
    """Pulls of the hits on the tracks, plane by plane, and the neighbouring hits of the best track."""
    planes = event.spectrometer.view(view)
    names = []
    for p in planes:
        plane = event.spectrometer.planes[p]
        layer = "ab"[plane.layer] if plane.layers == 2 else ""
        width = f"{1e3 * plane.sigma:.0f} µm" if plane.sigma < 1.0 else f"{plane.sigma:.1f} mm"
        names.append(f"{plane.station.upper()}{layer}  {width}")
    ax.axhspan(-1.0, 1.0, color=GREY, alpha=0.15, lw=0.0)
    ax.axhline(0.0, color=GREY, lw=0.6)
    if len(event.fits):
        path = trajectory(event.fits.upstream[0], event.spectrometer)
        points = event.points(view)
        sigma = np.array([event.spectrometer.planes[p].sigma for p in points.plane])
        off = (points.u - np.interp(points.z, path[:, 0], path[:, 1 + view])) / sigma
        near = (points.track < 0) & (np.abs(off) < PULL_RANGE)
        ax.plot(np.searchsorted(planes, points.plane[near]), off[near], "o", ms=3, mfc="none", mec=GREY, mew=0.6, alpha=0.55)
    for t in reversed(range(len(event.fits))):
        pull = event.fits.pull[t][planes]
        shift = 0.16 * (t - 0.5 * (len(event.fits) - 1))
        ax.errorbar(
            np.arange(len(planes)) + shift,
            pull,
            np.where(np.isfinite(pull), 1.0, np.nan),
            fmt="o",
            ms=3.5,
            lw=1.0,
            color=_colour(number, t),
        )
    ax.set(ylim=(-PULL_RANGE, PULL_RANGE), xlim=(-0.7, len(planes) - 0.3))
    ax.set_xticks(range(len(planes)), names, rotation=90, fontsize=6.5)
    ax.tick_params(axis="x", which="both", top=False, bottom=False)
    ax.tick_params(axis="y", labelsize=7)
    ax.set_title(f"MS{number}, {VIEWS[view]}", fontsize=9)


def _limits(ax: Axes, seen: list[float], at_least: tuple[float, float]) -> None:
    low, high = min([*seen, at_least[0]]), max([*seen, at_least[1]])
    margin = 0.06 * (high - low)
    ax.set_ylim(low - margin, high + margin)


def _draw_vertex(axes: tuple[Axes, Axes], junction: Junction) -> None:
    for ax, u, error in zip(axes, (junction.x[0], junction.y[0]), (junction.x_error[0], junction.y_error[0]), strict=True):
        ax.errorbar(1e-3 * junction.z[0], u, error, 1e-3 * junction.z_error[0], fmt="*", ms=9, color="black", mfc="white", lw=1.0, zorder=6)


def _title(row: Summary, detector: Detector, junction: Junction | None) -> str:
    p = [f"$p_{{{side}}}$ = {row[f'p_{side}'][0]:.1f} $\\pm$ {row[f'p_{side}_error'][0]:.1f} GeV/c" if row[f"n_tracks_ms{i}"][0] else f"$p_{{{side}}}$: no track" for i, side in ((1, "in"), (2, "out"))]  # fmt: skip
    text = f"run {row['run'][0]}, event {row['event'][0]}, trigger configuration {row['config'][0]}   ({detector.tag})"
    if "mc_p_out" in row:
        text += f"   simulated: $p_{{in}}$ {row['mc_p_in'][0]:.1f}, $p_{{out}}$ {row['mc_p_out'][0]:.1f} GeV/c"
    text += f"\n{p[0]},  {p[1]},  $E_{{CAL}}$ = {row['e_cal'][0]:.2f} GeV,  $E_{{VETO}}$ = {row['e_veto'][0]:.1f} MeV"
    if junction is not None:
        text += f",  kink {1e3 * junction.kink[0]:.2f} mrad (scattering {1e3 * junction.scattering[0]:.2f}), $\\chi^2$/ndf {junction.chi2[0]:.1f}/4"
        if junction.kink[0] > KINK_SHOWN * junction.scattering[0]:
            text += f", vertex z = {junction.z[0]:.0f} $\\pm$ {junction.z_error[0]:.0f} mm"
    return text


def _draw_projections(
    axes: Any, events: dict[int, EventTracks], detector: Detector, cells: list[Cells], config: int, junction: Junction | None
) -> None:
    last = max(detector.counter("S_mu").z, detector.hcal.front[-1] + detector.hcal.length)
    ecal_end = detector.ecal.z + detector.ecal.length
    first = events[1].spectrometer.z[0]
    smu = detector.counter("S_mu").x_range(config)[1]
    for view in (0, 1):
        left, right = axes[view]
        for ax in (left, right):
            draw_line(ax, detector, view, config, cells)
        seen = _draw_tracks(left, events[1], 1, view, (first, detector.ecal.z))
        _limits(left, seen, (-20.0, 20.0))
        left.set_xlim(1e-3 * first - 2.0, 1e-3 * events[1].spectrometer.z[-1] + 0.4)
        beyond = _draw_tracks(right, events[2], 2, view, (detector.ecal.z, last))
        _draw_tracks(right, events[1], 1, view, (first, ecal_end))
        near = seen[-2:] if len(events[1].fits) else []  # where MS1 points to
        rows = [u for c in cells[3:] for u in 0.5 * (c.edges[view][1:] + c.edges[view][:-1])[c.energy.sum(axis=1 - view) > HCAL_SHOWN]]
        _limits(right, [*near, *beyond, *rows], (smu - 30.0, 120.0) if view == 0 else (-110.0, 110.0))
        right.set_xlim(-2.4, 1e-3 * last + 0.15)
        left.set_ylabel(f"{VIEWS[view]} [mm]")
        for ax in (left, right):
            if view == 0:
                draw_names(ax, detector, cells)
                ax.tick_params(labelbottom=False)
            else:
                ax.set_xlabel("z [m]")
    if junction is not None and junction.kink[0] > KINK_SHOWN * junction.scattering[0]:
        _draw_vertex((axes[0, 1], axes[1, 1]), junction)


def draw_event(batch: RawBatch, detector: DetectorLike) -> tuple[Figure, FloatArray]:
    """Draw one event.

    Parameters
    ----------
    batch : RawBatch
        Exactly one event.
    detector : Detector, str or Path
        The description it was taken with.

    Returns
    -------
    tuple of Figure and array of Axes
        x and y of the beam line and of everything behind it (four), pulls of MS1 and MS2 in x and y (four), then the calorimeters.
    """
    detector = load_detector(detector)
    ms1, ms2 = event_tracks(batch, detector)
    events = {1: ms1, 2: ms2}
    junction = event_junction(ms1, ms2, detector)
    row = reconstruct(batch, detector)
    cells = event_cells(on_one_scale(batch, detector), detector)
    with own_style({"font.size": 9, "axes.labelsize": 10, "xtick.labelsize": 8, "ytick.labelsize": 8}):
        figure = _OwnFigure(figsize=(16, 12))
        frames = figure.add_gridspec(2, 2, left=0.045, right=0.985, top=0.9, bottom=0.53, wspace=0.09, hspace=0.06, width_ratios=(1.0, 1.9))
        axes = np.array([[figure.add_subplot(frames[i, j]) for j in (0, 1)] for i in (0, 1)])
        _draw_projections(axes, events, detector, cells, int(row["config"][0]), junction)
        text = figure.add_axes((0.045, 0.41, 0.94, 0.083))
        text.axis("off")
        _legend(text, events)
        widths = [len(e.spectrometer.view(v)) + 1 for e in events.values() for v in (0, 1)]
        row3 = figure.add_gridspec(1, 4, left=0.045, right=0.985, top=0.385, bottom=0.278, wspace=0.06, width_ratios=widths)
        pulls = [figure.add_subplot(row3[i]) for i in range(4)]
        for i, (number, view) in enumerate(((1, 0), (1, 1), (2, 0), (2, 1))):
            _draw_residuals(pulls[i], events[number], number, view)
        pulls[0].set_ylabel("unbiased residual / $\\sigma$", fontsize=8, loc="center")
        sizes = [float(np.ptp(c.edges[0]) / np.ptp(c.edges[1])) for c in cells]
        row4 = figure.add_gridspec(1, len(cells), left=0.045, right=0.95, top=0.195, bottom=0.04, wspace=0.14, width_ratios=sizes)
        maps = [figure.add_subplot(row4[i]) for i in range(len(cells))]
        marks = {"preshower": (1, "ecal"), "ECAL": (1, "ecal")} | {f"HCAL{i + 1}": (2, "hcal") for i in range(len(detector.hcal.front))}
        for ax, section in zip(maps, cells, strict=True):
            number, face = marks.get(section.name, (0, ""))
            found = number > 0 and len(events[number].fits) > 0
            draw_cells(ax, section, (float(row[f"x_{face}"][0]), float(row[f"y_{face}"][0])) if found else None, LINES.get(number, GREY))
        maps[0].set_ylabel("y [mm]", fontsize=8)
        scale = mpl.cm.ScalarMappable(ENERGY_SCALE, ENERGY_MAP)
        bar = figure.colorbar(scale, cax=figure.add_axes((0.96, 0.04, 0.007, 0.155)))
        bar.set_label("energy of a cell or a row of cells [GeV]", fontsize=7)
        bar.ax.tick_params(labelsize=7)
        figure.suptitle(_title(row, detector, junction), fontsize=11, y=0.99)
    return figure, np.array([*axes.ravel(), *pulls, *maps])


@dataclass(frozen=True)
class EventDisplay:
    """A drawn event: Jupyter shows it, `figure, axes = display` unpacks it.

    Attributes
    ----------
    figure : Figure
        The picture.
    axes : array of Axes
        Panels of the display, see draw_event.
    """

    figure: Figure
    axes: FloatArray

    def __iter__(self) -> Iterator[Any]:
        return iter((self.figure, self.axes))

    def _repr_png_(self) -> bytes:
        """PNG for Jupyter."""
        buffer = BytesIO()
        self.figure.savefig(buffer, format="png", dpi=80)
        return buffer.getvalue()


def display_event(
    event: Any, detector: DetectorLike, *, selection: str | Path | WorkingPoint | None = None, freeze: Freezes = None
) -> EventDisplay:
    """Draw one event of an array of raw events, as in a notebook; in data a hidden event is not drawn.

    Parameters
    ----------
    event : ak.Record, ak.Array or RawBatch
        One event: `events[i]`, `events[i : i + 1]`, or a batch of one.
    detector : Detector, str or Path
        The description it was taken with.
    selection : WorkingPoint, str or Path, optional
        Working point whose signal box is hidden too.
    freeze : str, Path, Freeze or iterable of them, optional
        Freeze files that hold beside those found beside the data.

    Returns
    -------
    EventDisplay
        The picture.

    Raises
    ------
    BlindedError
        If it is data and hidden (na64mu.selections.blinding).
    InputError
        If it is not one event.
    """
    detector = load_detector(detector)
    raw = as_batch(event)
    batch = with_digits(raw, detector)
    if len(batch) != 1:
        msg = f"one event is drawn, such as events[0]; found {len(batch)} events"
        raise InputError(msg)
    if not visible_rows(raw, detector, file_of(event), selection=selection, freeze=freeze).all():
        raise BlindedError(withheld_sentence(f"run {batch.scalars['run'][0]}, event {batch.scalars['event'][0]}"))
    return EventDisplay(*draw_event(batch, detector))


#: The call under the name of the verb.
display = display_event
