"""The parts of an HTML page of results: style, headings, tables, figures; no network, pictures inside, readable on a phone and on paper."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from na64mu.common.text import in_html
from na64mu.report.attempts import attempt
from na64mu.report.tables import Cells

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ("STYLE", "cards", "contents", "document", "heading", "image", "notices", "table")

STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; color: #1a1a1a; background: #fff;
       max-width: 74rem; margin: 0 auto; padding: 1rem 1.25rem 3rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: .5rem 0 .25rem; }
h2 { font-size: 1.2rem; margin: 2.2rem 0 .5rem; border-bottom: 2px solid #0072b2; padding-bottom: .15rem; }
h3 { font-size: 1rem; margin: 1.4rem 0 .3rem; }
p.lead, p.note { color: #555; margin: .3rem 0; } p.note { font-size: .85rem; max-width: 60rem; }
nav { margin: .8rem 0; font-size: .9rem; } nav a { color: #0072b2; margin-right: .9rem; white-space: nowrap; display: inline-block; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .8rem .25rem 0; text-align: right; white-space: nowrap; vertical-align: top; }
th { border-bottom: 1px solid #888; color: #444; font-weight: 600; } tr + tr td { border-top: 1px solid #e6e6e6; }
.word { text-align: left; } td.word { white-space: normal; min-width: 5rem; } td.code { font-family: ui-monospace, Consolas, monospace; font-size: .8rem; overflow-wrap: anywhere; }
tr.last td { font-weight: 600; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .6rem; margin: 1rem 0; }
.facts div { border: 1px solid #ddd; border-radius: .4rem; padding: .5rem .75rem; } .facts b { display: block; font-size: 1.25rem; } .facts span { color: #555; font-size: .85rem; }
.box { border-left: 4px solid; padding: .4rem .8rem; margin: .5rem 0; overflow-wrap: anywhere; }
.lost { border-color: #d55e00; background: #fdf1ea; } .warning { border-color: #e69f00; background: #fdf7e8; } .quiet { border-color: #009e73; background: #edf8f4; }
img { max-width: 100%; height: auto; }
.spectra { display: grid; grid-template-columns: repeat(auto-fill, minmax(20rem, 1fr)); gap: .5rem; } figure { margin: 0; break-inside: avoid; }
h3.candidate { border-top: 1px solid #ccc; padding-top: .6rem; margin-top: 2rem; } div.candidate { display: flex; flex-wrap: wrap; gap: 0 2rem; } div.candidate > div { min-width: 0; max-width: 100%; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; font-size: .9rem; margin: .5rem 0; } dt { color: #555; } dd { margin: 0; overflow-wrap: anywhere; }
@media (max-width: 40rem) { .plane img { max-width: none; width: 46rem; } body { font-size: 15px; padding: .5rem .75rem; } dl { grid-template-columns: 1fr; } dd { margin-bottom: .4rem; } .spectra { grid-template-columns: 1fr; } }
@media print { nav { display: none; } body { max-width: none; font-size: 10.5pt; padding: 0; } h2, h3 { break-after: avoid; } tr { break-inside: avoid; } .wide { overflow: visible; } table { font-size: 8pt; }
  th, td { padding-right: .5rem; } .spectra { grid-template-columns: 1fr 1fr; } }
"""


def document(title: str, parts: Iterable[str]) -> str:
    """A whole page.

    Parameters
    ----------
    title : str
        Title of the window.
    parts : iterable of str
        HTML, from top to bottom.

    Returns
    -------
    str
        HTML with everything inside; it names no other file and no address.
    """
    return (
        "<!DOCTYPE html>\n"
        f'<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{in_html(title)}</title><style>{STYLE}</style></head><body>\n" + "\n".join(parts) + "\n</body></html>\n"
    )


def contents(names: Iterable[str]) -> str:
    """Links to the sections of a page, which have these headings."""
    return "<nav>" + " ".join(f"<a href='#{_anchor(name)}'>{in_html(name)}</a>" for name in names) + "</nav>"


def _anchor(name: str) -> str:
    return re.sub(r"[^a-z]+", "-", name.lower()).strip("-")


def heading(name: str) -> str:
    """The heading of a section."""
    return f"<h2 id='{_anchor(name)}'>{in_html(name)}</h2>"


def cards(facts: dict[str, str]) -> str:
    """Facts in boxes, each a value with its name below."""
    boxes = "".join(f"<div><b>{in_html(value)}</b><span>{in_html(name)}</span></div>" for name, value in facts.items())
    return f'<div class="facts">{boxes}</div>'


def notices(found: Iterable[tuple[str, str, str]]) -> str:
    """Boxes for losses, warnings and notes.

    Parameters
    ----------
    found : iterable of (str, str, str)
        Kind ("lost", "warning" or "quiet"), first word, text.

    Returns
    -------
    str
        HTML.
    """
    return "".join(f'<div class="box {kind}"><b>{word}:</b> {in_html(text)}</div>' for kind, word, text in found)


def table(cells: Cells, *, emphasise_last: bool = False, titled: bool = True) -> str:
    """A table.

    Parameters
    ----------
    cells : Cells
    emphasise_last : bool
        Print the last row in bold.
    titled : bool
        Print its title above.

    Returns
    -------
    str
        HTML.
    """
    head = "".join(f"<th{_word(i, cells)}>{in_html(text)}</th>" for i, text in enumerate(cells.head))
    body = []
    for i, row in enumerate(cells.rows):
        last = " class='last'" if emphasise_last and i == len(cells.rows) - 1 else ""
        body.append(f"<tr{last}>" + "".join(f"<td{_word(j, cells)}>{in_html(text)}</td>" for j, text in enumerate(row)) + "</tr>")
    note = f"<p class='note'>{in_html(cells.note)}</p>" if cells.note else ""
    title = f"<h3>{in_html(cells.title)}</h3>" if titled else ""
    return f"{title}<div class='wide'><table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table></div>{note}"


def _word(column: int, cells: Cells) -> str:
    return " class='word'" if column in cells.left else ""


def image(draw: Callable[[], Figure], words: str, dpi: int = 110) -> str:
    """A figure as an image inside the page, or a sentence where it cannot be drawn.

    Parameters
    ----------
    draw : callable
        Draws it.
    words : str
        What it shows.
    dpi : int
        Dots per inch.

    Returns
    -------
    str
        HTML.
    """

    def drawn() -> str:
        from na64mu.report.canvas import close, own_style

        figure = draw()
        buffer = io.BytesIO()
        with own_style():
            figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
        close(figure)
        return f'<img alt="{in_html(words)}" src="data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}">'

    return attempt(
        f"{words!r} of the report", drawn, f'<div class="box warning"><b>Warning:</b> {in_html(words)}: could not be drawn.</div>'
    )
