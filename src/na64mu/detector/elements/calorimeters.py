"""Counters, VETO and calorimeters: lengths mm, counter energies MeV, calorimeter energies GeV, times ns."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from na64mu.common.arguments import one_of
from na64mu.detector.elements.element import Count, Element, Fraction, NonNegative, Pair, Positive, PositivePair, number_text
from na64mu.detector.readout import Bank
from na64mu.typing import FloatArray

__all__ = ("Calorimeter", "Counter", "Ecal", "Hcal", "Veto", "Vhcal")


class Counter(Element):
    """A plastic counter: a disc, a box (one x range per trigger configuration) or a plate with a round hole."""

    name: Literal["S0", "S1", "V1", "S4", "S_mu"]
    id: Annotated[int, Field(ge=0, le=4)]
    shape: Literal["disc", "box", "hole"]
    z: float
    thickness: Positive
    radius: NonNegative = 0.0  # of the disc, or of the hole
    outer_radius: NonNegative = 0.0
    x: tuple[Pair, ...] = ()  # (low, high), one for both configurations or one for each
    y: Pair = (0.0, 0.0)
    threshold: Positive  # trigger threshold [MeV]
    energy_resolution: NonNegative  # relative
    sigma_t: Positive

    @model_validator(mode="after")
    def _shape_is_complete(self) -> Self:
        if self.shape == "box" and len(self.x) not in (1, 2):
            msg = f"counter {self.name}: a box needs x = [[low, high]] or one range for each of the two configurations"
            raise ValueError(msg)
        if self.shape != "box" and self.radius <= 0:
            msg = f"counter {self.name}: a {self.shape} needs a radius"
            raise ValueError(msg)
        return self

    def x_range(self, config: int) -> Pair:
        """Range in x [mm] of a box counter in trigger configuration 1 or 2."""
        config = one_of(config, (1, 2), "config")
        return self.x[0] if len(self.x) == 1 else self.x[config - 1]

    @property
    def label(self) -> str:
        """Its name."""
        return self.name

    def what(self) -> str:
        """Shape and threshold, as the overview shows them."""
        box = f"x {number_text(self.x)}, y {number_text(self.y)}"
        shape = box if self.shape == "box" else f"radius {number_text(self.radius)} mm"
        return f"{self.shape}, {shape}, threshold {number_text(self.threshold)} MeV"


class Veto(Element):
    """The VETO: panels side by side in x, each read at both ends of y."""

    z: float
    thickness: Positive
    half: PositivePair
    panels: Count
    mip: Positive  # most probable deposit of a muon [MeV]
    threshold: Positive  # lowest energy that is written [MeV]
    end_resolution: NonNegative  # relative, per end
    end_ratio: Fraction  # below it the larger end counts alone
    sigma_t: Positive

    @property
    def label(self) -> str:
        """Its name."""
        return "VETO"

    def banks(self) -> tuple[Bank, ...]:
        """Both ends of all panels."""
        return (Bank("veto", "veto", (), (2 * self.panels,)),)

    def what(self) -> str:
        """Panels and signal of a muon, as the overview shows them."""
        return f"{self.panels} panels, MIP {number_text(self.mip)} MeV"


class Calorimeter(Element):
    """Properties common to all calorimeters: front face z, length and cells [mm], response [GeV], timing [ns]."""

    z: float
    length: Positive
    cells: tuple[Count, Count]
    cell: PositivePair
    centre: Pair
    stochastic: Positive  # sigma_E / E = stochastic / sqrt(E / GeV) (+) constant
    constant: NonNegative
    mip: Positive  # most probable energy of a 160 GeV/c muon on the calorimeter's own scale [GeV]
    cell_resolution: NonNegative  # relative smearing of each cell
    threshold: NonNegative  # lowest cell energy that is written [GeV]
    sigma_t: Positive

    def cell_centre(self, axis: int) -> FloatArray:
        """Centres of the cells along x (axis 0) or y (axis 1) [mm], shape (n_cells,)."""
        n = self.cells[axis]
        return self.centre[axis] + (np.arange(n, dtype=np.float64) - 0.5 * (n - 1)) * self.cell[axis]

    @property
    def label(self) -> str:
        """Its name."""
        return type(self).__name__.upper()

    @abstractmethod
    def banks(self) -> tuple[Bank, ...]:
        """Return the cells of every section or module."""

    def half_size_text(self) -> str:
        """Half size of all cells together, as the overview shows it."""
        return number_text(tuple(0.5 * n * c for n, c in zip(self.cells, self.cell, strict=True)))

    def what(self) -> str:
        """Cells and response, as the overview shows them."""
        cells = " x ".join(str(n) for n in self.cells)
        resolution = f"{number_text(self.stochastic)}/sqrt(E) + {number_text(self.constant)}"
        return f"{cells} cells, sigma_E/E {resolution}, MIP {number_text(self.mip)} GeV"


class Ecal(Calorimeter):
    """The Pb-Sc shashlik ECAL, the active target: a preshower and a main section."""

    layers: tuple[Count, Count]
    lead: Positive
    scintillator: Positive
    paper: NonNegative

    def banks(self) -> tuple[Bank, ...]:
        """The cells of preshower and main section."""
        return tuple(Bank(f"ecal{section}", "ecal", (section,), self.cells) for section in (0, 1))


class HadronCalorimeter(Calorimeter):
    """Properties common to VHCAL and HCAL: `stochastic` and `constant` are published; Geant4's values are given beside them where known."""

    resolution: Literal["published", "geant4"] = "published"  # which of them the simulation takes for hadrons
    geant4_stochastic: Positive | None = None
    geant4_constant: NonNegative = 0.0

    @model_validator(mode="after")
    def _resolution_is_there(self) -> Self:
        if self.resolution == "geant4" and self.geant4_stochastic is None:
            msg = "resolution = 'geant4' needs geant4_stochastic: set it, or take resolution = 'published'"
            raise ValueError(msg)
        return self

    @property
    def hadron_resolution(self) -> tuple[float, float]:
        """Stochastic and constant term for hadrons of the chosen resolution."""
        if self.resolution == "geant4" and self.geant4_stochastic is not None:
            return self.geant4_stochastic, self.geant4_constant
        return self.stochastic, self.constant


class Vhcal(HadronCalorimeter):
    """The Cu-Sc VHCAL with a square hole on the axis."""

    layers: Count
    absorber: Positive
    scintillator: Positive
    half_hole: PositivePair

    def banks(self) -> tuple[Bank, ...]:
        """All cells."""
        return (Bank("vhcal", "vhcal", (), self.cells),)


class Hcal(HadronCalorimeter):
    """The Fe-Sc HCAL: modules one behind the other, module m at z = front[m - 1]."""

    front: tuple[float, ...]
    layers: Count
    absorber: Positive
    scintillator: Positive

    def banks(self) -> tuple[Bank, ...]:
        """The cells of every module."""
        return tuple(Bank(f"hcal{m}", "hcal", (m,), self.cells) for m in range(1, len(self.front) + 1))
