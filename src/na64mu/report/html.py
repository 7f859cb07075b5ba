"""The report of a run as one HTML file: its sections are a list, to which a user's own file adds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from na64mu.common.text import in_html
from na64mu.errors import ArgumentError
from na64mu.report.datasets import counting_datasets, data_and_simulation
from na64mu.report.elements import cards, contents, document, heading, image, notices, table
from na64mu.report.excess_tables import excess_cells, is_opened
from na64mu.report.numbers import count, muons
from na64mu.report.tables import cutflow_cells, exposure_cells, input_cells, parameter_cells, region_cells, window_cells
from na64mu.report.terminal import timing_line

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from na64mu.results.run import RunResult

__all__ = ("SECTIONS", "Section", "page", "register_section")

PLANE = "The (p_out, E_CAL) plane"

Writing = TypeVar("Writing", bound="Callable[[RunResult], Any]")


@dataclass(frozen=True)
class Section:
    """A section of the report.

    Attributes
    ----------
    heading : str
        Its heading, in the contents too.
    function : callable
        Result -> HTML or a matplotlib figure; nothing where it does not apply.
    is_own : bool
        Whether it is of a user's own file: an error in it is said in the page, and ends no report.
    """

    heading: str
    function: Callable[[RunResult], Any]
    is_own: bool = False

    def body(self, result: RunResult) -> str:
        """The HTML below the heading; empty where the section does not apply."""
        if not self.is_own:
            return str(self.function(result))
        try:
            made = self.function(result)
        except Exception as error:  # noqa: BLE001  # whatever the user's code raises
            return notices([("warning", "Warning", f"this section could not be made ({type(error).__name__}: {error})")])
        return made if isinstance(made, str) else "" if made is None else image(lambda: made, self.heading)


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
    bodies = {section.heading: body for section in SECTIONS if (body := section.body(result))}
    sections = (heading(name) + body for name, body in bodies.items())
    return document(title, (_head(result, title) + contents(bodies), *sections))


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
    state = {True: "clean checkout", False: "checkout with changes", None: "installed"}[p.clean]
    lead = f"Working point {p.selection}, na64mu {p.version}" + (f", commit {p.commit[:10]} ({state})" if p.commit else "") + f", {p.ended}"
    return f'<h1>{in_html(title)}</h1><p class="lead">{in_html(lead)}</p>{cards(facts)}'


def _troubles(result: RunResult) -> str:
    boxes = [("lost", "Lost", loss.reason) for loss in result.losses if loss.is_damage]
    boxes += [("warning", "Warning", text) for text in result.exposure.warnings]
    boxes += [("quiet", "Note", loss.reason) for loss in result.losses if not loss.is_damage]
    if not boxes:
        boxes = [("quiet", "Complete", "all input was read, and its bookkeeping is consistent")]
    return notices(boxes)


def _plane(result: RunResult) -> str:
    words = "The (p_out, E_CAL) plane before and after the last cut, with the regions A to D and the signal box"
    hidden = " The hatched box is blinded: in data, none of its events was filled anywhere." if any(result.blinded.values()) else ""

    def draw() -> Figure:
        from na64mu.report.plane import plane_before_and_after

        return plane_before_and_after(result)[0]

    return f"<div class='wide plane'>{image(draw, words)}</div><p class='note'>{words}.{hidden}</p>{table(region_cells(result))}"


def _cutflows(result: RunResult) -> str:
    tables = (table(cells, emphasise_last=True) for cells in cutflow_cells(result))
    return "".join(tables)


def _exposure(result: RunResult) -> str:
    return table(exposure_cells(result), titled=False)


def _excess(result: RunResult) -> str:
    """What the opened box says; nothing for blinded data, and nothing for simulation."""
    return table(excess_cells(result), titled=False) if is_opened(result) else ""


def _candidates(result: RunResult) -> str:
    """Every event of an opened box."""
    from na64mu.report.candidates import candidates_html

    return candidates_html(result)


def _spectra(result: RunResult) -> str:

    def draw(column: str) -> Figure:
        from na64mu.report.spectrum import spectrum

        return spectrum(result, column)[0]

    pictures = []
    for described in result.working_point.spectra:
        missing = sum(outside.get(described.column, 0) for outside in result.outside.values())
        note = f"<figcaption><p class='note'>{missing} events without this quantity</p></figcaption>" if missing else ""
        pictures.append(f"<figure>{image(partial(draw, described.column), f'spectrum of {described.column}', dpi=80)}{note}</figure>")
    text = "All events, and events that pass all other cuts; the shade covers what a cut rejects, arrows count events beyond the axis."
    if any(result.blinded[name] for name in counting_datasets(result)):
        text += " The signal box is blinded: all spectra lack its events, and the decoys among which they are hidden."
    return f"<p class='note'>{text}</p><div class='spectra'>{''.join(pictures)}</div>" + table(window_cells(result))


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
        pictures.append(f"<figure>{image(partial(draw, described.column), words, dpi=80)}</figure>")
    text = (
        f"Data ({', '.join(data)}) and simulation ({', '.join(simulation)}), scaled to the area of the data: events that pass all other cuts. "
        "The chi2 compares the shapes, with the errors of both."
    )
    return f"<p class='note'>{in_html(text)}</p><div class='spectra'>{''.join(pictures)}</div>"


def _histograms(result: RunResult) -> str:
    """Histograms of a user's own, if there are any."""

    def draw(name: str) -> Figure:
        from na64mu.report.own_histograms import drawn_histogram

        return drawn_histogram(result.histogram(name), name)

    pictures = []
    for described in result.working_point.histograms:
        words = described.title or f"{described.name}: {' and '.join(axis.column for axis in described.axes)}"
        pictures.append(
            f"<figure>{image(partial(draw, described.name), words, dpi=80)}<figcaption><p class='note'>{in_html(words)}</p></figcaption></figure>"
        )
    return f"<div class='spectra'>{''.join(pictures)}</div>" if pictures else ""


def _parameters(result: RunResult) -> str:
    return table(parameter_cells(result), titled=False)


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
    lines = "".join(f"<dt>{in_html(name)}</dt><dd>{in_html(value)}</dd>" for name, value in facts.items())
    return f"<dl>{lines}</dl>{table(input_cells(result))}"


#: Sections of the report in their order; a section that returns nothing is left out. `register_section` adds one of your own.
SECTIONS: list[Section] = [
    Section("Losses and warnings", _troubles),
    Section(PLANE, _plane),
    Section("Cut-flow", _cutflows),
    Section("Exposure", _exposure),
    Section("Excess over the background", _excess),
    Section("Candidates", _candidates),
    Section("Spectra", _spectra),
    Section("Histograms", _histograms),
    Section("Data and simulation", _comparison),
    Section("Parameters", _parameters),
    Section("Provenance", _provenance),
]


def register_section(title: str, *, before: str = "Parameters") -> Callable[[Writing], Writing]:
    """Add a section of your own to the report: a decorator.

    Parameters
    ----------
    title : str
        Its heading. One of your own of the same heading is replaced.
    before : str
        Heading of the section that it comes before.

    Returns
    -------
    callable
        Takes a function of the result that returns HTML, a matplotlib figure, or nothing where it does not apply; and returns it.

    Raises
    ------
    ArgumentError
        If there is no section that it could come before, or the heading is one of the package.
    """
    names = [section.heading for section in SECTIONS]
    if before not in names:
        msg = f"register_section: no section {before!r}: the report has {', '.join(names)}"
        raise ArgumentError(msg)
    if any(section.heading == title and not section.is_own for section in SECTIONS):
        msg = f"register_section: {title!r} is a section of the package; choose another heading"
        raise ArgumentError(msg)

    def register(function: Writing) -> Writing:
        SECTIONS[:] = [section for section in SECTIONS if section.heading != title]
        at = [section.heading for section in SECTIONS].index(before)
        SECTIONS.insert(at, Section(title, function, is_own=True))
        return function

    return register
