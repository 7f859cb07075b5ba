"""`na64mu detector`: the known detector descriptions, or one of them along z, with the source of every number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.table import Table

    from na64mu.detector import Detector
    from na64mu.detector.elements import Element

__all__ = ("command",)

WIDTH_OF_A_FILE = 150  # columns when the output is no terminal
UNITS = "lengths mm, fields T, momenta GeV/c, times ns, calorimeter energies GeV, counter and VETO energies MeV; z = 0 at the ECAL face"


@click.command(name="detector", short_help="List the detector descriptions, or print one with its sources.")
@click.argument("name", metavar="[TAG|FILE]", required=False)
@click.option("--sources", is_flag=True, help="Print every number with its source.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole description as JSON.")
def command(name: str | None, sources: bool, as_json: bool) -> None:
    """List the known detector descriptions, or print the elements of one of them along z.

    TAG is a tag such as na64mu-2022, FILE a description of your own (TOML).
    """
    from rich.console import Console

    from na64mu.detector import known_detectors, load_detector

    if name is None:
        if sources or as_json:
            msg = "--sources and --json need a TAG or FILE"
            raise click.UsageError(msg)
        for tag in known_detectors():
            click.echo(f"{tag:20s} {load_detector(tag).title}")
        return
    detector = load_detector(name)
    if as_json:
        click.echo(detector.model_dump_json(indent=1))
        return
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH_OF_A_FILE)
    console.print(_sources_table(detector) if sources else _elements_table(detector))
    console.print(UNITS, style="dim")


def named_elements(detector: Detector) -> dict[str, Element]:
    """Every element of a description under the name the experiment gives it.

    Parameters
    ----------
    detector : Detector
        A description.

    Returns
    -------
    dict[str, Element]
        Name -> element; what has no place on the axis (beam, medium, responses) comes first, the others in order of z.
    """
    placed: dict[str, Element] = {
        **{m.name: m for m in detector.magnets},
        **{f"BMS{b.station}": b for b in detector.bms},
        **{f"MM{m.module}": m for m in detector.micromegas},
        **{f"GEM{g.module}": g for g in detector.gem},
        **{f"ST{s.module}": s for s in detector.straws},
        **{c.name: c for c in detector.counters},
        "VETO": detector.veto,
        "ECAL": detector.ecal,
        "VHCAL": detector.vhcal,
        "HCAL": detector.hcal,
    }
    unplaced: dict[str, Element] = {
        "beam": detector.beam,
        "medium": detector.medium,
        "MM response": detector.micromegas_response,
        "GEM response": detector.gem_response,
    }
    return unplaced | dict(sorted(placed.items(), key=lambda item: _position(item[1])))


def _position(element: Element) -> float:
    """Position of an element along z [mm]; magnets give their centre, all others their front."""
    return float(element.z)  # type: ignore[attr-defined]  # every placed element has one


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, tuple):
        return "(" + ", ".join(_text(v) for v in value) + ")"
    return str(value)


def _elements_table(detector: Detector) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(title=f"{detector.tag}: {detector.title}", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("z", justify="right")
    table.add_column("element", style="bold")
    table.add_column("type", no_wrap=True)
    table.add_column("centre (x, y)")
    table.add_column("half size")
    table.add_column("what it measures or does")
    for name, element in named_elements(detector).items():
        if hasattr(element, "z"):
            table.add_row(f"{_position(element):.1f}", name, type(element).__name__, _centre(element), _half_size(element), _what(element))
    return table


def _centre(element: Any) -> str:
    if hasattr(element, "aperture_centre"):
        return _text(element.aperture_centre)
    return _text(element.centre) if hasattr(element, "centre") else ""


def _half_size(element: Any) -> str:
    if hasattr(element, "half_aperture"):
        return _text(element.half_aperture)
    if hasattr(element, "half"):
        return _text(element.half)
    if hasattr(element, "wires"):
        return _text(tuple(0.5 * n * element.pitch for n in element.wires))
    if hasattr(element, "cell"):
        return _text(tuple(0.5 * n * c for n, c in zip(element.cells, element.cell, strict=True)))
    return ""


def _what(element: Any) -> str:
    """One line of the numbers a reader looks for first."""
    kind = type(element).__name__
    if kind == "Magnet":
        return f"magnet of MS{element.spectrometer}, field ({_text(element.signed_field[0])}, {_text(element.signed_field[1])}) T over {_text(element.length)} mm"
    if kind == "BmsStation":
        return f"y, {_text(element.row_pitch)} mm rows, sigma {element.sigma:.2f} mm"
    if kind in {"Micromegas", "Gem", "Straw"}:
        part = f"MS{element.spectrometer}" if element.spectrometer else "no spectrometer"
        return f"{part}, x and y, pitch {_text(element.pitch)} mm, sigma {_text(element.sigma)} mm, efficiency {_text(element.efficiency)}"
    if kind == "Counter":
        shape = f"x {_text(element.x)}, y {_text(element.y)}" if element.shape == "box" else f"radius {_text(element.radius)} mm"
        return f"{element.shape}, {shape}, threshold {_text(element.threshold)} MeV"
    if kind == "Veto":
        return f"{element.panels} panels, MIP {_text(element.mip)} MeV"
    cells = " x ".join(str(n) for n in element.cells)
    return f"{cells} cells, sigma_E/E {_text(element.stochastic)}/sqrt(E) + {_text(element.constant)}, MIP {_text(element.mip)} GeV"


def _sources_table(detector: Detector) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(title=f"{detector.tag}: {detector.title} ({detector.source})", title_justify="left", box=box.SIMPLE_HEAD)
    for heading in ("element", "key", "value", "source"):
        table.add_column(heading, style="bold" if heading == "element" else None)
    for name, element in named_elements(detector).items():
        keys = [key for key in type(element).model_fields if key not in {"source", "sources"}]
        for i, key in enumerate(keys):
            last = i == len(keys) - 1
            table.add_row(name if i == 0 else "", key, _text(getattr(element, key)), element.source_of(key), end_section=last)
    return table
