"""Printed form of objects: a small table, as text for a terminal and as HTML for Jupyter; both stay short whatever the content."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

from na64mu.common.text import in_html

__all__ = ("HTML_LIMIT", "Shown", "Table")

#: Largest HTML of one object [bytes]: a notebook that shows hundreds of them stays small.
HTML_LIMIT = 10_000
#: Longest text of a cell in HTML and in the plain form, and most rows of the plain form.
LONGEST, LONGEST_PLAIN, MOST_ROWS = 240, 72, 64
LEFT = " style='text-align:left'"
NUMBER = re.compile(r"<?\s*[-+]?(\d|\.\d|inf|nan|$)")


def _short(text: str, most: int = LONGEST) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


@dataclass(frozen=True, repr=False)
class Table:
    """A heading, columns, and lines below them.

    Attributes
    ----------
    title : str
        Title, one line.
    headings : tuple of str
        One per column; empty for a table without.
    rows : tuple of tuple of str
        Cells, left to right; columns of numbers are set to the right, the others to the left.
    notes : tuple of str
        Sentences below the table.
    """

    title: str
    headings: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    notes: tuple[str, ...] = ()

    def cut(self, most: int) -> Table:
        """Return the table with at most so many rows and a note that says how many there are."""
        if len(self.rows) <= most:
            return self
        return replace(self, rows=self.rows[:most], notes=(f"{len(self.rows) - most} more rows", *self.notes))

    def _is_number(self, column: int) -> bool:
        return column > 0 and all(NUMBER.match(row[column]) for row in self.rows)

    def text(self) -> str:
        """Plain form: columns one below the other, at most `MOST_ROWS` rows."""
        shown = self.cut(MOST_ROWS)
        cells = [tuple(_short(cell, LONGEST_PLAIN) for cell in row) for row in (self.headings, *shown.rows) if row]
        columns = range(len(cells[0]) if cells else 0)
        widths = [max(len(row[i]) for row in cells) for i in columns]
        right = [self._is_number(i) for i in columns]
        body = ["  ".join(row[i].rjust(widths[i]) if right[i] else row[i].ljust(widths[i]) for i in columns) for row in cells]
        return "\n".join(line.rstrip() for line in (self.title, *body, *shown.notes) if line)

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return self.html()

    def html(self) -> str:
        """HTML form, escaped, at most `HTML_LIMIT` bytes: rows that do not fit are counted in a note."""
        most = len(self.rows)
        while len((page := self.cut(most)._html()).encode()) > HTML_LIMIT and most:
            most = (3 * most) // 4
        return page

    def _html(self) -> str:
        left = ["" if self._is_number(i) else LEFT for i in range(max((len(row) for row in (self.headings, *self.rows)), default=0))]

        def line(tag: str, row: tuple[str, ...]) -> str:
            return "".join(f"<{tag}{left[i]}>{in_html(_short(text))}</{tag}>" for i, text in enumerate(row))

        body = "".join(f"<tr>{line('td', row)}</tr>" for row in self.rows)
        notes = [in_html(_short(note)) for note in self.notes[:10]]
        if len(self.notes) > len(notes):
            notes.append(f"{len(self.notes) - len(notes)} more lines")
        parts = (
            f"<div><b>{in_html(_short(self.title))}</b></div>" if self.title else "",
            "<table>" if self.rows else "",
            f"<thead><tr>{line('th', self.headings)}</tr></thead>" if self.rows and self.headings else "",
            f"<tbody>{body}</tbody></table>" if self.rows else "",
            f"<div><small>{'<br>'.join(notes)}</small></div>" if notes else "",
        )
        return "".join(parts)


class Shown(ABC):
    """Base of what shows itself as a table; a dataclass that has it says `repr=False`."""

    @abstractmethod
    def _table(self) -> Table:
        """Return the table that is shown."""

    def __repr__(self) -> str:
        return self._table().text()

    def __str__(self) -> str:
        return self._table().text()

    def __dir__(self) -> list[str]:
        """Names for tab completion: what the class is about, without the machinery of pydantic."""
        machinery = {name for base in type(self).__mro__ if base.__module__.partition(".")[0] == "pydantic" for name in vars(base)}
        kept = {"model_dump", "model_dump_json"}
        return sorted(name for name in super().__dir__() if name.startswith("__") or name in kept or name not in machinery)

    def _repr_html_(self) -> str:
        return self._table().html()
