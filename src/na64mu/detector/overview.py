"""Overview of a detector description: its elements in order along the beam, each as it shows itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from na64mu.detector.elements.element import Element, Row, number_text

if TYPE_CHECKING:
    from na64mu.detector.description import Detector

__all__ = ("UNITS", "Row", "named_elements", "number_text", "overview")

#: Units of all that is shown.
UNITS = "lengths mm, fields T, momenta GeV/c, times ns, calorimeter energies GeV, counter and VETO energies MeV; z = 0 at the ECAL face"

#: Elements without a place on the axis: field of the description -> name.
UNPLACED = {"beam": "beam", "medium": "medium", "micromegas_response": "MM response", "gem_response": "GEM response"}


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
    others = (detector.veto, detector.ecal, detector.vhcal, detector.hcal)
    placed: tuple[Element, ...] = (*detector.magnets, *detector.trackers.values(), *detector.counters, *others)
    unplaced: dict[str, Element] = {name: getattr(detector, field) for field, name in UNPLACED.items()}
    return unplaced | {element.label: element for element in sorted(placed, key=_position)}


def overview(detector: Detector) -> list[Row]:
    """The elements that have a place on the axis, in order of z (magnets: their centre, all others their front)."""
    rows = (element.summary_row() for element in named_elements(detector).values())
    return [row for row in rows if row is not None]


def _position(element: Element) -> float:
    return float(element.z)  # type: ignore[attr-defined]  # every placed element has one
