"""The tables of a report on the terminal, by rich."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich import box
from rich.console import ConsoleRenderable, RenderHook
from rich.markup import escape
from rich.padding import Padding
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from na64mu.errors import one_line
from na64mu.report.numbers import count
from na64mu.report.tables import BLINDED, Cells, cutflow_cells, exposure_cells, region_cells

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

    from na64mu.results.run import RunResult

__all__ = ("Written", "tables", "timing_line")

MOST_LINES = 12
ROOM_FOR_ALL = 112  # columns of a terminal that shows the whole cut-flow


def tables(result: RunResult, width: int) -> Iterator[RenderableType]:
    """Return all tables of a run that the terminal shows, in order.

    Parameters
    ----------
    result : RunResult
        Result of `na64mu run`.
    width : int
        Columns of the terminal.

    Yields
    ------
    rich renderable
        Cut-flow of every dataset, regions, exposure, warnings and losses, time.
    """
    for cells in cutflow_cells(result, narrow=width < ROOM_FOR_ALL):
        yield _table(cells, emphasise_last=True)
    yield _table(region_cells(result))
    yield _table(exposure_cells(result))
    yield from _list("Warning", "yellow", result.exposure.warnings)
    yield from _list("Lost", "red", [loss.reason for loss in result.losses if loss.is_damage])
    yield from _list("Note", "cyan", [loss.reason for loss in result.losses if not loss.is_damage])
    yield Text(timing_line(result), style="dim")


class Written(RenderHook):
    """Escapes control characters in everything that a console prints: names in tables may come from files of other people."""

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """Return the tables in a form that is safe to print."""
        return [_Shown(renderable) for renderable in renderables]


class _Shown:
    def __init__(self, renderable: ConsoleRenderable) -> None:
        self.renderable = renderable

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for segment in console.render(self.renderable, options):
            text = segment.text
            if segment.control or text.isprintable() or text == "\n":
                yield segment
            else:
                lines = text.split("\n")  # a line end here is one of the layout: those of cells are written out before
                yield Segment("\n".join(one_line(line) for line in lines), segment.style)


def _table(cells: Cells, *, emphasise_last: bool = False) -> RenderableType:
    table = Table(
        title=escape(one_line(cells.title)),
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        caption=escape(one_line(cells.note)) or None,
    )
    table.caption_justify = "left"
    for i, heading in enumerate(map(one_line, cells.head)):
        words = i in cells.left
        longest = max([len(row[i]) for row in cells.rows] + [len(word) for word in heading.split()], default=1)
        text = heading if words else textwrap.fill(heading, longest)
        table.add_column(escape(text), justify="left" if words else "right", no_wrap=not words, overflow="fold")
    for i, row in enumerate(cells.rows):
        texts = [Text(one_line(cell), style="magenta" if cell == BLINDED else "") for cell in row]
        table.add_row(*texts, style="bold" if emphasise_last and i == len(cells.rows) - 1 else "")
    return Padding(table, (0, 0, 1, 0))


def _list(word: str, colour: str, sentences: list[str] | tuple[str, ...]) -> Iterator[Text]:
    for sentence in sentences[:MOST_LINES]:
        yield Text.assemble((f"{word}: ", f"bold {colour}"), one_line(sentence))
    if len(sentences) > MOST_LINES:
        yield Text.assemble((f"{word}: ", f"bold {colour}"), f"and {len(sentences) - MOST_LINES} more, all in summary.json")


def timing_line(result: RunResult) -> str:
    """Events, wall time, rate, and where the time went."""
    t = result.timing
    text = f"{count(t.events)} events in {t.wall:.1f} s"
    if t.wall > 0:
        text += f" ({count(round(t.events / t.wall))} events/s"
    if t.busy > 0:
        text += f"; {count(round(t.events / t.busy))} events/s and core" if t.wall > 0 else ""
    text += ")" if t.wall > 0 else ""
    if t.busy > 0:
        shares = {"read": t.read, "reconstruct": t.reconstruct, "select": t.select, "fill": t.fill}
        text += ": " + ", ".join(f"{name} {100 * seconds / t.busy:.0f} %" for name, seconds in shares.items())
    return text
