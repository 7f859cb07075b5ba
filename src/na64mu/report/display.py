"""One event drawn: both projections of MS1 and MS2 with hits and tracks, and the cells of the calorimeters.

Lengths along the beam are m, across it mm; energies GeV.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np

from na64mu.detector import Detector
from na64mu.events.batch import Jagged, RawBatch
from na64mu.reconstruction.event import EventTracks, event_tracks, trajectory
from na64mu.reconstruction.summary import reconstruct
from na64mu.report.style import BLUE, GREY, ORANGE, STYLE, VERMILLION
from na64mu.typing import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ("draw_event",)

VIEWS = ("x", "y")


def _projection(ax: Axes, tracks: EventTracks, detector: Detector, number: int, view: int) -> None:
    for magnet in detector.magnets_of(number):
        ax.axvspan(*(1e-3 * z for z in magnet.z_range), color=ORANGE, alpha=0.2, lw=0)
    for plane in tracks.spectrometer.planes:
        if plane.view == view:
            ax.axvline(1e-3 * plane.z, color=GREY, lw=0.4, alpha=0.5)
    z, u, on_track = tracks.points(view)
    used = on_track > 0
    ax.plot(1e-3 * z[~used], u[~used], "o", ms=3, mfc="none", mec=GREY, label="hit")
    ax.plot(1e-3 * z[used], u[used], "o", ms=4, color=BLUE, label="hit on track")
    if tracks.tracks.best.good[0]:
        path = trajectory(tracks.tracks.best.upstream[0], tracks.spectrometer)
        ax.plot(1e-3 * path[:, 0], path[:, 1 + view], color=VERMILLION, lw=1.2, label="track")
    if view == 0 and number == 2:
        s4 = detector.counter("S4")
        ax.plot([1e-3 * s4.z] * 2, s4.x_range(1), color="black", lw=2.5, label="S4")
    ax.set_xlabel("z [m]")
    ax.set_ylabel(f"{VIEWS[view]} [mm]")
    ax.margins(y=0.15)


def _cells(digits: Jagged, shape: tuple[int, int], selected: FloatArray | None = None) -> FloatArray:
    """Energies of the cells of one event, shape (n_x, n_y)."""
    energy = np.zeros(shape)
    weights = digits["energy"].astype(np.float64)
    np.add.at(energy, (digits["ix"].astype(int), digits["iy"].astype(int)), weights if selected is None else weights * selected)
    return energy


def _calorimeter(ax: Axes, energy: FloatArray, title: str) -> None:
    highest = max(float(energy.max()), 1e-3)
    ax.pcolormesh(np.ma.masked_equal(energy.T, 0.0), cmap="viridis", vmin=0.0, vmax=highest, edgecolors="white", lw=0.5)
    for (ix, iy), value in np.ndenumerate(energy):
        if value > 0.0:
            text = f"{value:.2g}"
            ax.text(ix + 0.5, iy + 0.5, text, ha="center", va="center", fontsize=7, color="white" if value < 0.6 * highest else "black")
    ax.set(title=f"{title}: {energy.sum():.2f} GeV", xlabel="cell x", ylabel="cell y", xlim=(0, energy.shape[0]), ylim=(0, energy.shape[1]))
    ax.title.set_fontsize(10)
    ax.set_aspect("equal")
    ax.minorticks_off()
    ax.set_xticks(range(energy.shape[0] + 1))
    ax.set_yticks(range(energy.shape[1] + 1))


def _title(batch: RawBatch, detector: Detector) -> str:
    row = {name: column[0] for name, column in reconstruct(batch, detector).items()}
    tracks = f"MS1 {row['n_tracks_ms1']} track(s), $p_{{in}}$ = {row['p_in']:.1f} $\\pm$ {row['p_in_error']:.1f} GeV/c"
    tracks += f"   |   MS2 {row['n_tracks_ms2']} track(s), $p_{{out}}$ = {row['p_out']:.1f} $\\pm$ {row['p_out_error']:.1f} GeV/c"
    truth = f"   |   truth {row['mc_p_in']:.1f} and {row['mc_p_out']:.1f} GeV/c" if "mc_p_out" in row else ""
    return f"run {row['run']}, event {row['event']}, configuration {row['config']}   ({detector.tag})\n{tracks}{truth}"


def draw_event(batch: RawBatch, detector: Detector) -> tuple[Figure, FloatArray]:
    """Draw one event.

    Parameters
    ----------
    batch : RawBatch
        Exactly one event.
    detector : Detector
        The description it was taken with.

    Returns
    -------
    tuple of Figure and array of Axes
        x of MS1 and MS2, y of MS1 and MS2, then the calorimeters.
    """
    ms1, ms2 = event_tracks(batch, detector)
    with mpl.rc_context(STYLE | {"font.size": 10, "axes.labelsize": 11}):
        figure = plt.figure(figsize=(14, 10), layout="constrained")
        parts: Any = figure.subfigures(2, 1, height_ratios=(2.0, 1.0))  # an array, whatever its stub says
        upper, lower = parts
        views = upper.subplots(2, 2, sharex="col")
        for number, tracks in ((1, ms1), (2, ms2)):
            for view in (0, 1):
                _projection(views[view, number - 1], tracks, detector, number, view)
            views[0, number - 1].set_title(f"MS{number}", fontsize=11)
            views[0, number - 1].set_xlabel("")
            views[0, number - 1].legend(fontsize=8, loc="best")
        ecal, vhcal, hcal = (batch.collections[name] for name in ("ecal", "vhcal", "hcal"))
        maps = [
            ("preshower", _cells(ecal, detector.ecal.cells, ecal["section"] == 0)),
            ("ECAL main", _cells(ecal, detector.ecal.cells, ecal["section"] == 1)),
            ("VHCAL", _cells(vhcal, detector.vhcal.cells)),
            ("HCAL1", _cells(hcal, detector.hcal.cells, hcal["module"] == 1)),
            ("HCAL2", _cells(hcal, detector.hcal.cells, hcal["module"] == 2)),
        ]
        calorimeters = lower.subplots(1, len(maps), width_ratios=[energy.shape[0] + 2 for _, energy in maps])
        for ax, (name, energy) in zip(calorimeters, maps, strict=True):
            _calorimeter(ax, energy, name)
        figure.suptitle(_title(batch, detector), fontsize=12)
    return figure, np.array([*views.ravel(), *calorimeters])
