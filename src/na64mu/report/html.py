"""The report of a run as one HTML file: no network, pictures inside, readable on a phone and on paper."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable
from functools import partial
from html import escape
from typing import TYPE_CHECKING

from na64mu.report.attempts import attempt
from na64mu.report.datasets import counting_datasets, data_and_simulation
from na64mu.report.excess_tables import excess_cells, is_opened
from na64mu.report.numbers import count, muons
from na64mu.report.tables import Cells, cutflow_cells, exposure_cells, input_cells, parameter_cells, region_cells, window_cells
from na64mu.report.terminal import timing_line

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from na64mu.results.run import RunResult

__all__ = ("page",)

PLANE = "The (p_out, E_CAL) plane"
EXCESS = "Excess over the background"

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
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; font-size: .9rem; margin: .5rem 0; } dt { color: #555; } dd { margin: 0; overflow-wrap: anywhere; }
@media (max-width: 40rem) { .plane img { max-width: none; width: 46rem; } body { font-size: 15px; padding: .5rem .75rem; } dl { grid-template-columns: 1fr; } dd { margin-bottom: .4rem; } .spectra { grid-template-columns: 1fr; } }
@media print { nav { display: none; } body { max-width: none; font-size: 10.5pt; padding: 0; } h2, h3 { break-after: avoid; } tr { break-inside: avoid; } .wide { overflow: visible; } table { font-size: 8pt; }
  th, td { padding-right: .5rem; } .spectra { grid-template-columns: 1fr 1fr; } }
"""


def page(result: RunResult) -> str:
    """The whole report.

    Parameters
    ----------
    result : RunResult
        Result of `na64mu run`.

    Returns
    -------
    str
        HTML with everything inside; it names no other file and no address.
    """
    title = f"{result.working_point.title}: cut-flow and (p_out, E_CAL) plane"
    parts = (
        _head(result, title) + _contents(result),
        _troubles(result),
        _plane(result),
        _cutflows(result),
        _exposure(result),
        _excess(result),
        _spectra(result),
        _comparison(result),
        _parameters(result),
        _provenance(result),
    )
    return (
        "<!DOCTYPE html>\n"
        f'<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>\n" + "\n".join(parts) + "\n</body></html>\n"
    )


def _head(result: RunResult, title: str) -> str:
    p = result.provenance
    lost = sum(loss.is_damage for loss in result.losses)
    n_mot = sum(result.exposure.n_mot(dataset) for dataset in counting_datasets(result))
    facts = {
        "events read": count(sum(flow.steps[0].n for flow in result.cutflows.values())),
        **{f"pass all cuts: {name}": count(result.cutflows[name].steps[-1].n) for name in counting_datasets(result)},
        "muons on target": muons(n_mot) if n_mot else "-",
        "signal box": "blinded" if any(result.blinded.values()) else "open",
        "losses": str(lost) if lost else "none",
    }
    cards = "".join(f"<div><b>{escape(value)}</b><span>{escape(name)}</span></div>" for name, value in facts.items())
    state = {True: "clean checkout", False: "checkout with changes", None: "installed"}[p.clean]
    lead = f"Working point {p.selection}, na64mu {p.version}" + (f", commit {p.commit[:10]} ({state})" if p.commit else "") + f", {p.ended}"
    return f'<h1>{escape(title)}</h1><p class="lead">{escape(lead)}</p><div class="facts">{cards}</div>'


def _contents(result: RunResult) -> str:
    """Links to the parts of the page."""
    both = all(data_and_simulation(result))
    names = [
        "Losses and warnings",
        PLANE,
        "Cut-flow",
        "Exposure",
        *([EXCESS] if is_opened(result) else []),
        "Spectra",
        *(["Data and simulation"] if both else []),
        "Parameters",
        "Provenance",
    ]
    return "<nav>" + " ".join(f"<a href='#{_anchor(name)}'>{escape(name)}</a>" for name in names) + "</nav>"


def _anchor(name: str) -> str:
    return re.sub(r"[^a-z]+", "-", name.lower()).strip("-")


def _heading(name: str) -> str:
    return f"<h2 id='{_anchor(name)}'>{escape(name)}</h2>"


def _troubles(result: RunResult) -> str:
    boxes = [("lost", "Lost", loss.reason) for loss in result.losses if loss.is_damage]
    boxes += [("warning", "Warning", text) for text in result.exposure.warnings]
    boxes += [("quiet", "Note", loss.reason) for loss in result.losses if not loss.is_damage]
    if not boxes:
        boxes = [("quiet", "Complete", "all input was read, and its bookkeeping is consistent")]
    lines = "".join(f'<div class="box {kind}"><b>{word}:</b> {escape(text)}</div>' for kind, word, text in boxes)
    return _heading("Losses and warnings") + lines


def _plane(result: RunResult) -> str:
    words = "The (p_out, E_CAL) plane before and after the last cut, with the regions A to D and the signal box"
    hidden = " The hatched box is blinded: in data, none of its events was filled anywhere." if any(result.blinded.values()) else ""

    def draw() -> Figure:
        from na64mu.report.plane import plane_before_and_after

        return plane_before_and_after(result)[0]

    return f"{_heading(PLANE)}<div class='wide plane'>{_image(draw, words)}</div><p class='note'>{words}.{hidden}</p>{_table(region_cells(result))}"


def _cutflows(result: RunResult) -> str:
    tables = (_table(cells, emphasise_last=True) for cells in cutflow_cells(result))
    return _heading("Cut-flow") + "".join(tables)


def _exposure(result: RunResult) -> str:
    return _heading("Exposure") + _table(exposure_cells(result), heading=False)


def _excess(result: RunResult) -> str:
    """What the opened box says; nothing for blinded data, and nothing for simulation."""
    if not is_opened(result):
        return ""
    return _heading(EXCESS) + _table(excess_cells(result), heading=False)


def _spectra(result: RunResult) -> str:

    def draw(column: str) -> Figure:
        from na64mu.report.spectrum import spectrum

        return spectrum(result, column)[0]

    pictures = []
    for described in result.working_point.spectra:
        missing = sum(outside.get(described.column, 0) for outside in result.outside.values())
        note = f"<figcaption><p class='note'>{missing} events without this quantity</p></figcaption>" if missing else ""
        pictures.append(f"<figure>{_image(partial(draw, described.column), f'spectrum of {described.column}', dpi=80)}{note}</figure>")
    text = "All events, and events that pass all other cuts; the shade covers what a cut rejects, arrows count events beyond the axis."
    if any(result.blinded[name] for name in counting_datasets(result)):
        bound = f"{result.working_point.box.p_out_max:g} GeV/c"
        text += f" The signal box is blinded: the spectra of all events lack every event with p_out \u2264 {bound}, whatever its E_CAL."
    return f"{_heading('Spectra')}<p class='note'>{text}</p><div class='spectra'>{''.join(pictures)}</div>" + _table(window_cells(result))


def _comparison(result: RunResult) -> str:
    """Control spectra of data and simulation, if the run has both."""
    data, simulation = data_and_simulation(result)
    if not (data and simulation):
        return ""

    def draw(column: str) -> Figure:
        from na64mu.report.comparison import spectrum_with_ratio

        return spectrum_with_ratio(result, column, data, simulation)[0]

    pictures = []
    for described in result.working_point.spectra:
        words = f"{described.column} of data and simulation, and their ratio"
        pictures.append(f"<figure>{_image(partial(draw, described.column), words, dpi=80)}</figure>")
    text = (
        f"Data ({', '.join(data)}) and simulation ({', '.join(simulation)}), scaled to the area of the data: events that pass all other cuts. "
        "The chi2 compares the shapes, with the errors of both."
    )
    return f"{_heading('Data and simulation')}<p class='note'>{escape(text)}</p><div class='spectra'>{''.join(pictures)}</div>"


def _parameters(result: RunResult) -> str:
    return _heading("Parameters") + _table(parameter_cells(result), heading=False)


def _provenance(result: RunResult) -> str:
    p = result.provenance
    facts = {
        "command": " ".join(p.command),
        "version": f"na64mu {p.version}"
        + (f", commit {p.commit}" if p.commit else "")
        + {True: ", clean", False: ", with changes", None: ""}[p.clean],
        "started, ended": f"{p.started}, {p.ended}",
        "executor": f"{p.executor}, {p.workers} workers, chunks of {p.chunksize} events"
        + (f", at most {p.maxchunks} chunks" if p.maxchunks else ""),
        "time": timing_line(result),
        "configuration": f"SHA-256 {p.configuration_hash}",
        "working point": f"{p.selection}, SHA-256 {p.selection_hash}",
        **{f"detector {tag}": f"SHA-256 {value}" for tag, value in p.detectors.items()},
        **{f"calibration {tag}": f"SHA-256 {value}" for tag, value in p.calibrations.items()},
        **({"layout": p.layout} if p.layout else {}),
        "packages": ", ".join(f"{name} {version}" for name, version in p.packages.items()),
    }
    lines = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts.items())
    return f"{_heading('Provenance')}<dl>{lines}</dl>{_table(input_cells(result))}"


def _table(cells: Cells, *, emphasise_last: bool = False, heading: bool = True) -> str:
    head = "".join(f"<th{_word(i, cells)}>{escape(text)}</th>" for i, text in enumerate(cells.head))
    body = []
    for i, row in enumerate(cells.rows):
        last = " class='last'" if emphasise_last and i == len(cells.rows) - 1 else ""
        body.append(f"<tr{last}>" + "".join(f"<td{_word(j, cells)}>{escape(text)}</td>" for j, text in enumerate(row)) + "</tr>")
    note = f"<p class='note'>{escape(cells.note)}</p>" if cells.note else ""
    title = f"<h3>{escape(cells.title)}</h3>" if heading else ""
    return f"{title}<div class='wide'><table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table></div>{note}"


def _word(column: int, cells: Cells) -> str:
    return " class='word'" if column in cells.left else ""


def _image(draw: Callable[[], Figure], words: str, dpi: int = 110) -> str:
    """A figure as an image inside the page, or a sentence where it cannot be drawn."""

    def image() -> str:
        from na64mu.report.canvas import close, own_style

        figure = draw()
        buffer = io.BytesIO()
        with own_style():
            figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
        close(figure)
        return f'<img alt="{escape(words)}" src="data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}">'

    return attempt(
        f"{words!r} of the report", image, f'<div class="box warning"><b>Warning:</b> {escape(words)}: could not be drawn.</div>'
    )
