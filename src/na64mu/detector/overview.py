"""Overview of a detector description: its elements in order along the beam, each with its most important numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from na64mu.detector.description import Detector
    from na64mu.detector.elements import Element

__all__ = ("UNITS", "Row", "named_elements", "number_text", "overview")

#: Units of all that is shown.
UNITS = "lengths mm, fields T, momenta GeV/c, times ns, calorimeter energies GeV, counter and VETO energies MeV; z = 0 at the ECAL face"


class Row(NamedTuple):
    """An element: position along z [mm], name, type, centre and half size in x and y [mm], what it measures or does."""

    z: str
    name: str
    kind: str
    centre: str
    half_size: str
    what: str


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


def overview(detector: Detector) -> list[Row]:
    """The elements that have a place on the axis, in order of z (magnets: their centre, all others their front)."""
    return [
        Row(f"{_position(element):.1f}", name, type(element).__name__, _centre(element), _half_size(element), _what(element))
        for name, element in named_elements(detector).items()
        if hasattr(element, "z")
    ]


def number_text(value: Any) -> str:
    """A number or a tuple of numbers, six digits at most."""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, tuple):
        return "(" + ", ".join(number_text(v) for v in value) + ")"
    return str(value)


def _position(element: Element) -> float:
    return float(element.z)  # type: ignore[attr-defined]  # every placed element has one


def _centre(element: Any) -> str:
    if hasattr(element, "aperture_centre"):
        return number_text(element.aperture_centre)
    return number_text(element.centre) if hasattr(element, "centre") else ""


def _half_size(element: Any) -> str:
    if hasattr(element, "half_aperture"):
        return number_text(element.half_aperture)
    if hasattr(element, "half"):
        return number_text(element.half)
    if hasattr(element, "wires"):
        return number_text(tuple(0.5 * n * element.pitch for n in element.wires))
    if hasattr(element, "cell"):
        return number_text(tuple(0.5 * n * c for n, c in zip(element.cells, element.cell, strict=True)))
    return ""


def _what(element: Any) -> str:
    kind = type(element).__name__
    if kind == "Magnet":
        return f"magnet of MS{element.spectrometer}, field ({number_text(element.signed_field[0])}, {number_text(element.signed_field[1])}) T over {number_text(element.length)} mm"
    if kind == "BmsStation":
        return f"y, {number_text(element.row_pitch)} mm rows, sigma {element.sigma:.2f} mm"
    if kind in {"Micromegas", "Gem", "Straw"}:
        part = f"MS{element.spectrometer}" if element.spectrometer else "no spectrometer"
        return f"{part}, x and y, pitch {number_text(element.pitch)} mm, sigma {number_text(element.sigma)} mm, efficiency {number_text(element.efficiency)}"
    if kind == "Counter":
        shape = (
            f"x {number_text(element.x)}, y {number_text(element.y)}"
            if element.shape == "box"
            else f"radius {number_text(element.radius)} mm"
        )
        return f"{element.shape}, {shape}, threshold {number_text(element.threshold)} MeV"
    if kind == "Veto":
        return f"{element.panels} panels, MIP {number_text(element.mip)} MeV"
    cells = " x ".join(str(n) for n in element.cells)
    return f"{cells} cells, sigma_E/E {number_text(element.stochastic)}/sqrt(E) + {number_text(element.constant)}, MIP {number_text(element.mip)} GeV"
