"""The elements of the apparatus as frozen, validated models, each number with its source.

Lengths are mm, fields T, momenta GeV/c, counter energies MeV, calorimeter energies GeV, times ns,
all in the frame of the raw tree: z along the zero-line, z = 0 at the ECAL front face.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from na64mu.typing import FloatArray, IntArray

__all__ = (
    "FRINGE_REACH",
    "Beam",
    "BmsStation",
    "Counter",
    "Ecal",
    "Element",
    "Gem",
    "Hcal",
    "Magnet",
    "Medium",
    "Micromegas",
    "Straw",
    "StripResponse",
    "Tracker",
    "Veto",
    "Vhcal",
)

#: A tanh fringe field is used up to this many of its lengths off the middle plane; its pole is at pi / 2.
FRINGE_REACH = 1.4

SOURCE_KINDS = ("published", "thesis", "inferred", "simulated")


def _checked_source(text: object) -> object:
    if isinstance(text, str):
        kind, colon, reason = text.partition(":")
        if kind not in SOURCE_KINDS or not colon or not reason.strip():
            msg = f"a source reads 'published: ...', 'thesis: ...', 'inferred: ...' or 'simulated: ...' with its reference or reason, found {text!r}"
            raise ValueError(msg)
    return text


Source = Annotated[str, BeforeValidator(_checked_source)]
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Pair = tuple[float, float]
PositivePair = tuple[Positive, Positive]
Count = Annotated[int, Field(ge=1)]


class Element(BaseModel):
    """Base of every element: frozen, no unknown keys, and a source for every number.

    `source` holds for all numbers of the element; `sources` overrides it key by key.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Source
    sources: dict[str, Source] = {}

    @model_validator(mode="after")
    def _sources_name_own_keys(self) -> Self:
        unknown = sorted(set(self.sources) - set(type(self).model_fields))
        if unknown:
            msg = f"sources names the unknown key {unknown[0]!r}"
            raise ValueError(msg)
        return self

    def source_of(self, key: str) -> str:
        """Source of one number: where it was published, or why it was inferred.

        Parameters
        ----------
        key : str
            Name of a field of this element.

        Returns
        -------
        str
            The source text.
        """
        return self.sources.get(key, self.source)


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
        # tanh has a pole at pi / 2 fringe lengths off the middle plane: there stand the poles of the magnet
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


class BmsStation(Element):
    """A beam momentum station: rows of scintillator slabs that measure y.

    Channels count slab by slab, row by row, from low y to high y; slabs of one row lie side by side in x.
    """

    station: Annotated[int, Field(ge=1, le=6)]
    z: float
    centre: Pair
    half: PositivePair
    thickness: Positive
    row_pitch: Positive
    row_offset: float = 0.0
    row_slabs: tuple[Count, ...]
    sigma_t: Positive
    efficiency: Fraction
    x_over_x0: NonNegative
    rotation: float = 0.0  # about z through the centre, from x to y [rad]

    @property
    def channel_row(self) -> IntArray:
        """Row of every channel, shape (n_channels,)."""
        return np.repeat(np.arange(len(self.row_slabs)), self.row_slabs)

    @property
    def row_y(self) -> FloatArray:
        """Centre y of every row [mm], shape (n_rows,)."""
        n = len(self.row_slabs)
        return self.centre[1] + self.row_offset + (np.arange(n, dtype=np.float64) - 0.5 * (n - 1)) * self.row_pitch

    @property
    def channel_y(self) -> FloatArray:
        """Centre y of every channel [mm], shape (n_channels,)."""
        return self.row_y[self.channel_row]

    @property
    def sigma(self) -> float:
        """Resolution in y [mm]: a uniform distribution over one row."""
        return self.row_pitch / float(np.sqrt(12.0))


class StripResponse(Element):
    """Charge response of a strip detector: ADC counts, cluster width in strips, noise."""

    charge_mode: Positive  # Moyal mode of the cluster charge [ADC]
    charge_width: Positive  # Moyal width [ADC]
    cluster_sigma: Positive  # Gaussian width of the charge on the strips [strips]
    cluster_sigma_spread: NonNegative
    noise: Positive  # rms per channel [ADC]
    threshold: Positive  # zero suppression on q1 [ADC]


class Micromegas(Element):
    """A multiplexed Micromegas module with an x and a y strip plane."""

    module: Annotated[int, Field(ge=1, le=7)]
    spectrometer: Literal[1, 2]
    z: float
    centre: Pair
    half: PositivePair
    pitch: Positive
    strips: tuple[Count, Count]
    channels: tuple[Count, Count]
    multipliers_x: tuple[Count, ...]
    multipliers_y: tuple[Count, ...]
    sigma: Positive
    efficiency: Fraction
    x_over_x0: NonNegative
    rotation: float = 0.0  # about z through the centre, from x to y [rad]

    @model_validator(mode="after")
    def _map_covers_strips(self) -> Self:
        for view, (n, c, m) in enumerate(zip(self.strips, self.channels, (self.multipliers_x, self.multipliers_y), strict=True)):
            if n != c * len(m):
                msg = f"view {view}: {n} strips are not {c} channels times {len(m)} multipliers"
                raise ValueError(msg)
            if any(np.gcd(s, c) != 1 for s in m):
                msg = f"view {view}: every multiplier must be coprime to {c}, found {list(m)}"
                raise ValueError(msg)
        return self

    def strip_channel(self, view: int) -> IntArray:
        """Electronics channel of every strip: strip n k + i is read by channel (i s_k) mod n.

        Parameters
        ----------
        view : int
            0 for x strips, 1 for y strips.

        Returns
        -------
        IntArray
            Shape (n_strips,).

        References
        ----------
        E. Depero, thesis (ETH Zurich), appendix F: tables of 2021 and later.
        """
        n = self.channels[view]
        i = np.arange(n)
        return np.concatenate([(i * s) % n for s in (self.multipliers_x, self.multipliers_y)[view]])


class Gem(Element):
    """A triple-GEM module with an x and a y strip plane, not multiplexed."""

    module: Annotated[int, Field(ge=1, le=4)]
    spectrometer: Literal[1, 2]
    z: float
    centre: Pair
    half: PositivePair
    pitch: Positive
    strips: Count
    sigma: Positive
    efficiency: Fraction
    x_over_x0: NonNegative
    rotation: float = 0.0  # about z through the centre, from x to y [rad]


class Straw(Element):
    """A straw chamber: in each view two staggered layers of tubes.

    Wire `w` of layer `l` in a view of n wires per layer sits at
    centre + (w - (n - 1) / 2) pitch + (l - 1/2) layer_shift, at z = view_z + (l - 1/2) layer_spacing.
    """

    module: Literal[1, 2, 4, 5, 11]
    spectrometer: Literal[0, 1, 2]  # 0: not part of a spectrometer fit (ST11)
    z: float
    centre: Pair
    view_z: Pair
    pitch: Positive
    layer_shift: float
    layer_spacing: Positive
    wires: tuple[Count, Count]
    inner_radius: Positive
    drift_ns_per_mm: Positive
    t0: float = 0.0  # drift time of a particle at the wire, as the digits count it [ns]
    sigma: Positive
    efficiency: Fraction
    x_over_x0: NonNegative
    rotation: float = 0.0  # about z through the centre, from x to y [rad]

    def wire_position(self, view: int, layer: int) -> FloatArray:
        """Positions of the wires of one layer [mm], shape (n_wires,).

        Parameters
        ----------
        view : int
            0: wires measure x, 1: wires measure y.
        layer : int
            0 (lower z) or 1.

        Returns
        -------
        FloatArray
            Coordinate of each wire [mm].
        """
        n = self.wires[view]
        return self.centre[view] + (np.arange(n, dtype=np.float64) - 0.5 * (n - 1)) * self.pitch + (layer - 0.5) * self.layer_shift

    def layer_z(self, view: int, layer: int) -> float:
        """Position of one layer along z [mm]."""
        return self.view_z[view] + (layer - 0.5) * self.layer_spacing


#: A module that measures where a track passes.
Tracker = BmsStation | Micromegas | Gem | Straw


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
        return self.x[0] if len(self.x) == 1 else self.x[config - 1]


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


class Calorimeter(Element):
    """What the calorimeters share: front face z, length and cells [mm], response [GeV], timing [ns]."""

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


class Ecal(Calorimeter):
    """The Pb-Sc shashlik ECAL, the active target: a preshower and a main section."""

    layers: tuple[Count, Count]
    lead: Positive
    scintillator: Positive
    paper: NonNegative


class Vhcal(Calorimeter):
    """The Cu-Sc VHCAL with a square hole on the axis."""

    layers: Count
    absorber: Positive
    scintillator: Positive
    half_hole: PositivePair


class Hcal(Calorimeter):
    """The Fe-Sc HCAL: modules one behind the other, module m at z = front[m - 1]."""

    front: tuple[float, ...]
    layers: Count
    absorber: Positive
    scintillator: Positive


class Medium(Element):
    """What lies between the elements, and the noise common to all trackers."""

    vacuum_until: float  # upstream of this z the beam travels in vacuum
    air_x0: Positive  # radiation length of air [mm]
    noise_hits: NonNegative  # mean number of noise hits per view (per station for the BMS)
