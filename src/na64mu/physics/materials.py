"""Substances of the apparatus: composition, density, mean excitation energy and density effect. g/cm3, eV, mm."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ("COPPER", "IRON", "LEAD", "SCINTILLATOR", "Layer", "Substance")


class Substance(NamedTuple):
    """A substance; density-effect parameters of Sternheimer, Berger and Seltzer, At. Data Nucl. Data Tables 30 (1984) 261.

    Attributes
    ----------
    name : str
        Name of the substance.
    elements : tuple
        (Z, A, mass fraction) of every element.
    density : float
        [g/cm3].
    excitation : float
        Mean excitation energy I [eV].
    sternheimer : tuple
        (C-bar, x0, x1, a, k).
    x0 : float
        Radiation length [mm] (PDG).
    critical_energy : float
        Critical energy of electrons [GeV] (PDG, Rossi's definition).
    """

    name: str
    elements: tuple[tuple[float, float, float], ...]
    density: float
    excitation: float
    sternheimer: tuple[float, float, float, float, float]
    x0: float
    critical_energy: float

    @property
    def z_over_a(self) -> float:
        """Mean Z / A [mol/g]."""
        return sum(w * z / a for z, a, w in self.elements)


class Layer(NamedTuple):
    """A substance and the fraction of a length that it takes."""

    substance: Substance
    fraction: float


LEAD = Substance("lead", ((82.0, 207.2, 1.0),), 11.35, 823.0, (6.2018, 0.3776, 3.8073, 0.09359, 3.1608), 5.612, 0.00743)
COPPER = Substance("copper", ((29.0, 63.546, 1.0),), 8.96, 322.0, (4.4190, -0.0254, 3.2792, 0.14339, 2.9044), 14.36, 0.01942)
IRON = Substance("iron", ((26.0, 55.845, 1.0),), 7.874, 286.0, (4.2911, -0.0012, 3.1531, 0.14680, 2.9632), 17.57, 0.02168)
SCINTILLATOR = Substance(
    "polystyrene",
    ((6.0, 12.011, 0.92258), (1.0, 1.008, 0.07742)),
    1.06,
    68.7,
    (3.2999, 0.1647, 2.5031, 0.16454, 3.2224),
    413.1,
    0.0931,
)
