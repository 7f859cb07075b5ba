"""Presentation of results: tables on the terminal, figures, and one HTML file. Heavy packages are imported when they are used."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from na64mu.common.whole_file import write_whole
from na64mu.results.output_folder import output_folder, placed

if TYPE_CHECKING:
    from rich.console import Console

    from na64mu.results.processor import ProcessorResult
    from na64mu.results.run import RunResult

__all__ = ("render_terminal", "write_figures", "write_html", "write_reports")


WIDTH_OF_A_FILE = 130


def render_terminal(result: RunResult | ProcessorResult, console: Console) -> None:
    """Print cut-flows, regions, exposure, losses and time of a run; into a file or pipe at least 130 columns wide.

    Parameters
    ----------
    result : RunResult or ProcessorResult
        Result of `na64mu run`; of a processor of the user's own its table is printed.
    console : rich.console.Console
        Console to print on.
    """
    from na64mu.report.terminal import tables
    from na64mu.results.processor import ProcessorResult

    if isinstance(result, ProcessorResult):
        console.print(repr(result), markup=False, highlight=False, soft_wrap=True)
        return
    if not console.is_terminal:
        console.width = max(console.width, WIDTH_OF_A_FILE)
    for table in tables(result, console.width):
        console.print(table)


def write_figures(result: RunResult, folder: str | Path) -> list[Path]:
    """Write the figures of a run.

    Parameters
    ----------
    result : RunResult
        Result of `na64mu run`.
    folder : str or Path
        Output folder; made if it does not exist.

    Returns
    -------
    list of Path
        The files: plane.png; none, and a warning, if it cannot be drawn.
    """
    from na64mu.report.attempts import attempt

    def draw() -> list[Path]:
        from na64mu.report.figures import plane_before_and_after, save

        return [save(plane_before_and_after(result)[0], path / "plane.png")]

    with output_folder(folder, "figures", replaces=("plane.png",)) as path:
        return placed(attempt("plane.png", draw, []), folder)


def write_html(result: RunResult, folder: str | Path) -> Path:
    """Write the report of a run as one HTML file that needs no network.

    Parameters
    ----------
    result : RunResult
        Result of `na64mu run`.
    folder : str or Path
        Output folder; made if it does not exist.

    Returns
    -------
    Path
        The file: report.html.
    """
    from na64mu.report.html import page

    with output_folder(folder, "report") as path:
        write_whole(path / "report.html", page(result))
    return Path(folder, "report.html")


def write_reports(result: RunResult | ProcessorResult, folder: str | Path) -> list[Path]:
    """Write the report of an output folder, with the plane where it is that of the search.

    Parameters
    ----------
    result : RunResult or ProcessorResult
        What was written to the folder.
    folder : str or Path
        Output folder.

    Returns
    -------
    list of Path
        The files.
    """
    from na64mu.report.processor_page import processor_page
    from na64mu.results.processor import ProcessorResult

    if not isinstance(result, ProcessorResult):
        return [*write_figures(result, folder), write_html(result, folder)]
    with output_folder(folder, "report") as path:
        write_whole(path / "report.html", processor_page(result))
    return [Path(folder, "report.html")]
