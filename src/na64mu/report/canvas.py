"""Canvas of the figures: in the package's style, whatever the user's settings, and for files without display and pyplot.

matplotlib's settings reach a figure twice, when it is made and when it is drawn into a file or a notebook. Both happen in `own_style`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from na64mu.common.whole_file import whole_file
from na64mu.errors import InputError, one_line
from na64mu.report.attempts import is_for_files
from na64mu.report.style import STYLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ("ENDINGS", "axes_of", "check_ending", "close", "own_style", "plain", "save", "subplots")

#: Endings of pictures, and what keeps the time of day out of them: the same figure gives the same bytes.
ENDINGS: dict[str, dict[str, Any]] = {
    ".png": {"metadata": {"Software": None}},
    ".pdf": {"metadata": {"CreationDate": None}},
    ".svg": {"metadata": {"Date": None}},
    ".jpg": {},
    ".jpeg": {},
    ".webp": {},
    ".tif": {},
    ".tiff": {},
}


@contextmanager
def own_style(more: Mapping[str, Any] | None = None) -> Iterator[None]:
    """Settings of matplotlib for one figure: its defaults and `STYLE`, not those of the user; they are put back at the end.

    Parameters
    ----------
    more : mapping, optional
        Settings on top of `STYLE`.
    """
    with mpl.rc_context():
        mpl.rcdefaults()  # all but the backend
        mpl.rcParams.update(STYLE | dict(more or {}))
        yield


class _OwnFigure(Figure):
    """A figure that keeps the style of this package when it is drawn, by whomever: a file, a notebook, a window."""

    def draw(self, renderer: Any) -> None:
        """Draw it."""
        with own_style():
            super().draw(renderer)

    def savefig(self, fname: Any, **options: Any) -> None:
        """Write it; parameters as of matplotlib."""
        with own_style():
            super().savefig(fname, **options)


def subplots(
    rows: int = 1, columns: int = 1, *, size: tuple[float, float], layout: Any = "constrained", **options: Any
) -> tuple[Figure, Any]:
    """A new figure with axes; call it within `own_style`.

    Parameters
    ----------
    rows, columns : int
    size : tuple of float
        Inches.
    layout : str, optional
        Layout engine of matplotlib.
    **options
        Further arguments of `Figure.subplots`.

    Returns
    -------
    figure, axes
        A figure of pyplot, which Jupyter and `plt.show` show; within `for_files`, or where pyplot has no usable backend, one of its own.
    """
    figure = None if is_for_files() else _shown_figure(size, layout)
    if figure is None:
        figure = _OwnFigure(figsize=size, layout=layout)
        FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, **options)


def _shown_figure(size: tuple[float, float], layout: Any) -> Figure | None:
    try:
        import matplotlib.pyplot as plt

        return plt.figure(FigureClass=_OwnFigure, figsize=size, layout=layout)
    except (ImportError, RuntimeError, ValueError):  # the backend is of another environment, or has no display
        return None


def axes_of(ax: Axes | None, size: tuple[float, float], **options: Any) -> tuple[Figure, Axes]:
    """The axes to draw on with their figure: those given, or new ones of a size in inches."""
    return subplots(size=size, **options) if ax is None else (cast("Figure", ax.figure), ax)


def close(figure: Figure) -> None:
    """Remove a figure from pyplot, if it is registered there."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        pyplot.close(figure)


def plain(text: object) -> str:
    """A name from a file as a label: no formula, no control character."""
    return one_line(text).replace("$", r"\$")


def check_ending(path: Path) -> None:
    """Refuse a picture of an unknown kind.

    Raises
    ------
    InputError
        With the known endings.
    """
    if path.suffix.lower() not in ENDINGS:
        msg = f"{path}: the ending chooses the form of a picture: one of {', '.join(ENDINGS)} is wanted"
        raise InputError(msg)


def save(figure: Figure, path: Path, dpi: int = 150) -> Path:
    """Write a figure and close it; the same figure gives the same bytes.

    Parameters
    ----------
    figure : Figure
        Figure to write.
    path : Path
        Path of the file; its ending is one of `ENDINGS`.
    dpi : int
        Dots per inch.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        If the ending is unknown.
    OutputError
        If the file cannot be written.
    """
    check_ending(path)
    ending = path.suffix.lower()
    with own_style(), whole_file(path) as part:
        figure.savefig(part, dpi=dpi, format=ending[1:], **ENDINGS[ending])
    close(figure)
    return path
