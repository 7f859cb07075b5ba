"""Beam, magnets and the medium between the elements: mm, T, GeV/c."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from na64mu.detector.elements.element import Element, Fraction, NonNegative, Pair, Positive, PositivePair, number_text

__all__ = ("FRINGE_REACH", "Beam", "Magnet", "Medium")

#: A tanh fringe field is used up to this many of its lengths off the middle plane; its pole is at pi / 2.
FRINGE_REACH = 1.4


class Beam(Element):
    """The beam: species, momentum [GeV/c], spot [mm] and divergence [rad] at the ECAL face."""

    particle: Literal["mu-", "mu+"]
    momentum: Positive  # the zero-line's momentum
    momentum_mean: Positive
    momentum_spread: Annotated[float, Field(ge=0, lt=0.5)]  # relative, rms
    sigma_x: Positive
    sigma_y: Positive
    sigma_tx: NonNegative
    sigma_ty: NonNegative
    hadron_fraction: Fraction
    muons_per_spill: Positive
    spill_length: Positive = 4.8  # [s]; SPS slow extraction: E. Depero, thesis (ETH Zurich), ch. 2
    halo_fraction: Fraction = 0.0  # of all muons of the beam
    halo_sigma: PositivePair = (75.0, 75.0)  # [mm] in x and y
    halo_slope: tuple[NonNegative, NonNegative] = (0.001, 0.001)  # [rad]
    # pions, kaons and protons among the hadrons: negative beam of 190 GeV/c at COMPASS, Nucl. Instrum. Meth. A 779 (2015) 69
    hadron_species: tuple[Fraction, Fraction, Fraction] = (0.968, 0.024, 0.008)

    @model_validator(mode="after")
    def _species_are_all(self) -> Self:
        if abs(sum(self.hadron_species) - 1.0) > 1e-6:
            msg = f"hadron_species are fractions of pions, kaons and protons: they add up to {sum(self.hadron_species):g}, not to 1"
            raise ValueError(msg)
        return self

    @property
    def charge(self) -> int:
        """Charge of the beam particle in units of e."""
        return -1 if self.particle == "mu-" else 1


class Magnet(Element):
    """A dipole: centre z and length [mm], field (Bx, By) [T].

    Without `fringe` and `map` it is a hard-edged box of uniform field. With `fringe` the field falls off at both edges as
    (1 - tanh(d / fringe)) / 2 at a distance d outside them, so that its integral is that of the box. With `map` the field is
    read from a file, in the frame of the aperture's centre; `field` and `length` are then the nominal ones.
    """

    name: str
    spectrometer: Literal[1, 2]
    z: float
    length: Positive
    field: Pair
    polarity: Literal[-1, 1] = 1
    half_aperture: PositivePair
    aperture_centre: Pair = (0.0, 0.0)
    fringe: NonNegative = 0.0  # length of the edges [mm]
    map: Path | None = None  # file of the field map, relative to the description
    map_units: tuple[Literal["mm", "cm", "m"], Literal["T", "kG", "G"]] | None = None  # where the file does not state them
    map_hash: str = ""  # SHA-256 of the map, filled in when the description is read

    @model_validator(mode="after")
    def _edges_fit(self) -> Self:
        if self.fringe and self.map is not None:
            msg = f"magnet {self.name}: it has a fringe and a map; a map holds its own edges, so give one of them"
            raise ValueError(msg)
        if self.map is None and (self.map_units is not None or self.map_hash):
            msg = f"magnet {self.name}: map_units and map_hash belong to a map, and there is none"
            raise ValueError(msg)
        # tanh has a pole at pi / 2 fringe lengths off the middle plane, where the poles of the magnet are
        shortest = self.gap_half / FRINGE_REACH
        if 0.0 < self.fringe < shortest:
            msg = f"magnet {self.name}: a fringe of {self.fringe:g} mm is too short for an aperture of {self.gap_half:g} mm along the field; give at least {shortest:.0f} mm, or 0 for a hard edge"
            raise ValueError(msg)
        return self

    @property
    def gap_half(self) -> float:
        """Half aperture along the field [mm]."""
        strength = max(float(np.hypot(*self.field)), 1e-12)
        return (abs(self.field[0]) * self.half_aperture[0] + abs(self.field[1]) * self.half_aperture[1]) / strength

    @property
    def z_range(self) -> Pair:
        """Entrance and exit z of the field [mm]."""
        return self.z - 0.5 * self.length, self.z + 0.5 * self.length

    @property
    def signed_field(self) -> Pair:
        """Field (Bx, By) with its polarity [T]."""
        return self.polarity * self.field[0], self.polarity * self.field[1]

    @property
    def label(self) -> str:
        """Its name."""
        return self.name

    def centre_text(self) -> str:
        """Centre of the aperture, as the overview shows it."""
        return number_text(self.aperture_centre)

    def half_size_text(self) -> str:
        """Half aperture, as the overview shows it."""
        return number_text(self.half_aperture)

    def what(self) -> str:
        """Spectrometer and field, as the overview shows them."""
        field = ", ".join(number_text(b) for b in self.signed_field)
        return f"magnet of MS{self.spectrometer}, field ({field}) T over {number_text(self.length)} mm"


class Medium(Element):
    """Medium between the elements, and the noise common to all trackers."""

    vacuum_until: float  # upstream of this z the beam travels in vacuum
    air_x0: Positive  # radiation length of air [mm]
    noise_hits: NonNegative  # mean number of noise hits per view (per station for the BMS)
