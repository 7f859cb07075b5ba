"""The numbers behind a figure: the data on its axes, as one CSV. Units are those of the axes."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.collections import FillBetweenPolyCollection, LineCollection, QuadMesh
from matplotlib.container import ErrorbarContainer

from na64mu.common.whole_file import whole_file
from na64mu.report.attempts import attempt
from na64mu.report.canvas import save

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ("attempt_with_numbers", "drawn_rows", "save_with_numbers", "write_drawn")

Row = tuple[str, str, float, float, float | str, float | str]
HEAD = ("series", "kind", "x", "y", "low", "high")


def drawn_rows(ax: Axes) -> Iterator[Row]:
    """Return the data of everything with a label on one pair of axes.

    Parameters
    ----------
    ax : Axes

    Yields
    ------
    (series, kind, x, y, low, high)
        kind "line" (a curve or markers), "band" (y: middle), "points" (with their error bars) or "bin" (of a map, empty ones left out). Series without
        a name (which the legend does not show) are left out.
    """
    bars = {id(part) for container in ax.containers for part in _flat(container)}
    for container in ax.containers:
        if isinstance(container, ErrorbarContainer) and _is_named(container):
            yield from _points(container)
    for line in ax.lines:
        if _is_named(line) and id(line) not in bars:
            for x, y in zip(np.atleast_1d(line.get_xdata()), np.atleast_1d(line.get_ydata()), strict=True):
                yield str(line.get_label()), "line", float(x), float(y), "", ""
    for artist in ax.collections:
        if isinstance(artist, QuadMesh):
            yield from _bins(artist)
        elif isinstance(artist, FillBetweenPolyCollection) and _is_named(artist):
            yield from _band(artist)


def _is_named(artist: Any) -> bool:
    label = str(artist.get_label())
    return bool(label) and not label.startswith("_")


def _flat(container: Any) -> Iterator[Any]:
    for part in container:
        if isinstance(part, tuple | list):
            yield from part
        elif part is not None:
            yield part


def _points(container: ErrorbarContainer) -> Iterator[Row]:
    markers, _, bars = container
    assert markers is not None
    vertical = [bar for bar in bars if isinstance(bar, LineCollection) and all(s[0][0] == s[-1][0] for s in bar.get_segments())]
    ends = vertical[-1].get_segments() if vertical else [None] * len(np.atleast_1d(markers.get_xdata()))
    for x, y, end in zip(np.atleast_1d(markers.get_xdata()), np.atleast_1d(markers.get_ydata()), ends, strict=True):
        low, high = ("", "") if end is None else (float(end[0][1]), float(end[-1][1]))
        yield str(container.get_label()), "points", float(x), float(y), low, high


def _band(artist: FillBetweenPolyCollection) -> Iterator[Row]:
    for path in artist.get_paths():
        corners = np.asarray(path.vertices)
        for x in np.unique(corners[:, 0]):
            y = corners[corners[:, 0] == x, 1]
            low, high = float(y.min()), float(y.max())
            yield str(artist.get_label()), "band", float(x), 0.5 * (low + high), low, high


def _bins(mesh: QuadMesh) -> Iterator[Row]:
    corners = np.asarray(mesh.get_coordinates())
    middle = 0.25 * (corners[:-1, :-1] + corners[1:, :-1] + corners[:-1, 1:] + corners[1:, 1:])
    values = np.ma.filled(np.ma.asarray(mesh.get_array()), 0.0).reshape(middle.shape[:2])
    for i, j in zip(*np.nonzero(values > 0), strict=True):
        yield f"{values[i, j]:.6g}", "bin", float(middle[i, j, 0]), float(middle[i, j, 1]), "", ""


def write_drawn(path: Path, axes: Axes | list[Axes]) -> Path:
    """Write the numbers behind a figure.

    Parameters
    ----------
    path : Path
        CSV file.
    axes : Axes or list of Axes
        Axes of the figure; with several, each row begins with the title or number of its axes.

    Returns
    -------
    Path
        The file. Of a map, the column "series" holds the content of a bin and x, y its centre.
    """
    panels = axes if isinstance(axes, list) else [axes]
    with whole_file(path) as part, part.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([*(["panel"] if len(panels) > 1 else []), *HEAD])
        for number, ax in enumerate(panels, 1):
            title = ax.get_title(loc="left") or ax.get_title() or str(number)
            for row in drawn_rows(ax):
                words = [f"{v:.7g}" if isinstance(v, float) else v for v in row]
                writer.writerow([*([title] if len(panels) > 1 else []), *words])
    return path


def attempt_with_numbers(draw: Callable[[], tuple[Figure, Axes | list[Axes]]], path: Path) -> list[Path]:
    """Draw a figure and write it as `save_with_numbers` does; if it cannot be drawn, that is a warning, and no file."""
    return attempt(path.name, lambda: save_with_numbers(*draw(), path), [])


def save_with_numbers(figure: Figure, axes: Axes | list[Axes], path: Path) -> list[Path]:
    """Write a figure as PNG and PDF with the numbers behind it as <name>_numbers.csv, and close it.

    Parameters
    ----------
    figure : Figure
    axes : Axes or list of Axes
        Whose numbers are written.
    path : Path
        Path without an ending.

    Returns
    -------
    list of Path
        The three files.
    """
    numbers = write_drawn(path.with_name(f"{path.name}_numbers.csv"), axes)
    return [save(figure, path.with_suffix(".pdf")), save(figure, path.with_suffix(".png")), numbers]
