"""The report of a processor of the user's own: its histograms drawn, its numbers in a table, with exposure, losses and provenance."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from na64mu.report.elements import cards, contents, document, heading, image, notices, table
from na64mu.report.numbers import muons
from na64mu.report.tables import Cells

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from na64mu.results.processor import ProcessorResult

__all__ = ("leaves", "processor_page")

#: Longest text of a value, and most rows of the table.
LONGEST, MOST_ROWS = 80, 500


def processor_page(result: ProcessorResult) -> str:
    """The whole report.

    Parameters
    ----------
    result : ProcessorResult

    Returns
    -------
    str
        HTML with everything inside.
    """
    name = next(iter(result.provenance.processor), "a processor")
    title = f"Run of the processor {name}"
    bodies = {"Losses and warnings": _troubles(result)}
    bodies |= {
        "Histograms": _histograms(result),
        "Numbers": table(_numbers(result), titled=False),
        "Exposure": table(_exposure(result), titled=False),
    }
    bodies["Provenance"] = _provenance(result)
    shown = {key: body for key, body in bodies.items() if body}
    facts = {
        "events": str(result.timing.events or "unknown"),
        "muons on target": muons(n_mot) if (n_mot := result.exposure.n_mot()) else "unknown",
    }
    facts |= {
        "signal box": "withheld" if any(result.blinded.values()) else "given",
        "losses": str(sum(loss.is_damage for loss in result.losses) or "none"),
    }
    lead = f"<h1>{escape(title)}</h1><p class='lead'>na64mu {escape(result.provenance.version)}, {escape(result.provenance.ended)}</p>"
    return document(title, (lead + cards(facts) + contents(shown), *(heading(key) + body for key, body in shown.items())))


def _troubles(result: ProcessorResult) -> str:
    found = [("lost" if loss.is_damage else "quiet", "Lost" if loss.is_damage else "Note", loss.reason) for loss in result.losses]
    found += [("warning", "Warning", text) for text in result.exposure.warnings]
    found += [("warning", "Not written", f"{place}: {why}") for place, why in result.not_written.items()]
    return notices(found or [("quiet", "Complete", "all input was read, and its bookkeeping is consistent")])


def leaves(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """What a value holds, with the place of each part.

    Parameters
    ----------
    value : Any
    place : str
        Place of the value itself.

    Yields
    ------
    place : str
    part : Any
        Anything but a dictionary.
    """
    if isinstance(value, dict):
        for key, each in value.items():
            yield from leaves(each, f"{place}.{key}" if place else str(key))
    else:
        yield place or "value", value


def _parts(result: ProcessorResult) -> list[tuple[str, str, Any]]:
    """Dataset, place and part of everything that was returned; of the sum alone where there is one dataset, or the sum is another one."""
    several = result.values if len(result.values) > 1 else {}
    found = [("all", place, part) for place, part in leaves(result.value)]
    return found + [(name, place, part) for name, value in several.items() for place, part in leaves(value) if value is not result.value]


def _is_histogram(part: Any) -> bool:
    import hist

    return isinstance(part, hist.Hist)


def _histograms(result: ProcessorResult) -> str:
    def draw(histogram: Any, words: str) -> Figure:
        from na64mu.report.own_histograms import drawn_histogram

        return drawn_histogram(histogram, words)

    pictures = []
    for dataset, place, part in _parts(result):
        if _is_histogram(part):
            words = f"{place} ({dataset})"
            pictures.append(f"<figure>{image(partial(draw, part, words), words, dpi=80)}</figure>")
    return f"<div class='spectra'>{''.join(pictures)}</div>" if pictures else ""


def _numbers(result: ProcessorResult) -> Cells:
    rows = [(place, dataset, _text(part)) for dataset, place, part in _parts(result) if not _is_histogram(part)]
    note = f"{len(rows) - MOST_ROWS} further rows are in value.json" if len(rows) > MOST_ROWS else ""
    return Cells("numbers", ("what", "dataset", "value"), rows[:MOST_ROWS], frozenset({0, 1, 2}), note)


def _text(part: Any) -> str:
    if isinstance(part, bool | str | type(None)):
        text = str(part)
    elif isinstance(part, int | float | np.number):
        text = f"{part:.8g}"
    elif isinstance(part, np.ndarray):
        text = f"array of shape {part.shape}: {np.array2string(part, threshold=6, edgeitems=3)}"
    else:
        text = f"{type(part).__name__} of {len(part)}: {part}" if hasattr(part, "__len__") else str(part)
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[:LONGEST]} ..."


def _exposure(result: ProcessorResult) -> Cells:
    rows = [
        (r.dataset, str(r.run), str(r.config), f"{r.n_mot_read:.6g}", f"{r.n_mot:.6g}", str(r.events_read), str(r.events_lost))
        for r in result.exposure.runs
    ]
    head = ("dataset", "run", "configuration", "MOT read", "MOT recorded", "events read", "events lost")
    return Cells("exposure", head, rows, frozenset({0}))


def _provenance(result: ProcessorResult) -> str:
    p = result.provenance
    facts = {
        "command": " ".join(p.command),
        "version": f"na64mu {p.version}" + (f", commit {p.commit}" if p.commit else ""),
        "started, ended": f"{p.started}, {p.ended}",
        "executor": f"{p.executor}, {p.workers} workers, chunks of {p.chunksize} events",
        **{f"processor {name}": f"SHA-256 {digest}" for name, digest in p.processor.items() if digest},
        **{f"own {name}": f"SHA-256 {digest}" for name, digest in p.user_cuts.items()},
        "packages": ", ".join(f"{name} {version}" for name, version in p.packages.items()),
        "files": ", ".join(i.path for i in p.inputs),
    }
    return "<dl>" + "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts.items()) + "</dl>"
