"""Conditions of a run: channels that are dead or noisy, noise, thresholds, cross-talk, and the sampling ADCs, kept as TOML.

Charges ADC counts, times ns. A file of the kind "conditions" names the description it belongs to and can be given wherever
a detector description is asked for, like an alignment; the one that ships with the package holds for every detector without one.

Planes are named as everywhere: mm5_x, gem2_y, bms3, st4_y1 (layer 1 of view y); calorimeters ecal0 (preshower), ecal1, vhcal,
hcal1, hcal2, with the channel ix * n_y + iy; veto (end) and counter (id).
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from na64mu.common.arguments import file_name
from na64mu.common.toml_model import content_hash, read_toml, validate
from na64mu.detector.elements.element import Count, Element, Fraction, NonNegative, Positive
from na64mu.detector.gains import Gain, named_once
from na64mu.detector.pulse import PulseShape, pulse_shape
from na64mu.errors import DetectorError

__all__ = (
    "SAMPLES",
    "Channels",
    "Conditions",
    "CrossTalk",
    "Msadc",
    "Sampling",
    "StrawGas",
    "default_conditions",
    "is_conditions",
    "load_conditions",
    "read_conditions",
)

CONDITIONS_FOLDER = Path(__file__).parent.parent / "data" / "conditions"

#: Samples of a waveform: its length is part of the form of the raw tree.
SAMPLES = 32

Channel = Annotated[int, Field(ge=0)]


class Channels(Element):
    """Channels of one plane that do not behave as its description says."""

    plane: str
    dead: tuple[Channel, ...] = ()
    noisy: tuple[Channel, ...] = ()
    noise_rate: NonNegative = 0.0  # mean number of noise hits per event of each noisy channel
    noise: Positive | None = None  # of all channels of a strip plane [ADC]
    threshold: Positive | None = None  # of all channels of a strip plane [ADC]


class CrossTalk(Element):
    """Part of the charge of a strip channel that each of its two neighbours on the chip reads too."""

    micromegas: Fraction
    gem: Fraction


class StrawGas(Element):
    """Gas of the straws."""

    clusters_per_mm: Positive  # primary ionisation: a chord without a cluster gives no hit


class Msadc(Element):
    """The sampling ADC that all calorimeter and counter channels share."""

    bits: Annotated[int, Field(ge=8, le=16)]
    period: Positive  # ns
    trigger_sample: Annotated[int, Field(ge=0, lt=SAMPLES)]  # at which a particle in time passes half its height, on average
    pedestal: NonNegative
    pedestal_spread: NonNegative  # full width of the pedestals of all channels
    odd_offset: float  # of the second of the two interleaved converters
    phase: Fraction  # of a period over which the clock's phase is spread; 0: the clock follows the beam

    @property
    def ceiling(self) -> int:
        """Largest value of a sample."""
        return (1 << self.bits) - 1


class Sampling(Element):
    """Pulses of the channels of one collection."""

    counts: tuple[Positive, ...]  # ADC counts of the peak per unit of energy of the raw tree; one for every section
    rise: Positive  # ns
    fall: Positive  # ns
    noise: NonNegative  # of one sample
    threshold: Positive  # above the pedestal: a channel without such a sample is not written
    jitter: NonNegative  # spread of the pulses themselves before sampling [ns]

    @property
    def shape(self) -> PulseShape:
        """Shape of the pulse."""
        return pulse_shape(self.rise, self.fall)


class Conditions(Element):
    """Conditions that change from run to run while the apparatus stays the same."""

    format_version: Count
    kind: Literal["conditions"]
    title: str
    detector: str = ""  # tag or TOML file of the description; empty: for every detector
    cross_talk: CrossTalk
    straw_gas: StrawGas
    msadc: Msadc
    counter: Sampling
    veto: Sampling
    ecal: Sampling
    vhcal: Sampling
    hcal: Sampling
    channels: tuple[Channels, ...] = ()
    gains: tuple[Gain, ...] = ()  # of calorimeters, VETO and counters, in place of those of the description

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.format_version != 1:
            msg = f"format_version is {self.format_version}, this version of na64mu reads 1"
            raise ValueError(msg)
        planes = [c.plane for c in self.channels]
        if len(set(planes)) != len(planes):
            msg = f"channels: a plane is named twice in {planes}"
            raise ValueError(msg)
        named_once(self.gains)
        for name, sections in (("counter", 1), ("veto", 1), ("ecal", 2), ("vhcal", 1), ("hcal", 1)):
            if len(getattr(self, name).counts) != sections:
                msg = f"{name}: counts has {len(getattr(self, name).counts)} numbers, {sections} wanted"
                raise ValueError(msg)
        return self

    @property
    def label(self) -> str:
        """Title and hash, as the bookkeeping of a simulated file names them."""
        left_out = set() if self.gains else {"gains"}  # so that conditions of before have the hash that they had
        return f"conditions={self.title} ({content_hash(self.model_dump(mode='json', exclude=left_out))[:12]})"

    def of(self, plane: str) -> Channels:
        """Return the conditions of a plane; without dead or noisy channels if none are given."""
        return next((c for c in self.channels if c.plane == plane), Channels(source="inferred: nothing special", plane=plane))


def read_conditions(content: dict[str, Any], path: Path) -> Conditions:
    """Validate a conditions file; what it leaves out is as in the file that ships with the package.

    Parameters
    ----------
    content : dict
        Content of the TOML file.
    path : Path
        The file, for messages.

    Returns
    -------
    Conditions
        All of them.

    Raises
    ------
    DetectorError
        With one line per wrong key.
    """
    shipped = {} if path == CONDITIONS_FOLDER / "default.toml" else read_toml(CONDITIONS_FOLDER / "default.toml", DetectorError)
    return validate(Conditions, {**shipped, "channels": [], **content}, str(path), DetectorError)


def load_conditions(path: str | Path | Conditions) -> Conditions:
    """Read a conditions file, see read_conditions; conditions come back as they are."""
    if isinstance(path, Conditions):
        return path
    path = Path(file_name(path, "conditions", DetectorError, "Conditions, or the path of their TOML file, are wanted"))
    content = read_toml(path, DetectorError)
    if not is_conditions(content):
        msg = f"{path}: not a conditions file, it needs kind = 'conditions'"
        raise DetectorError(msg)
    return read_conditions(content, path)


@lru_cache(maxsize=1)
def default_conditions() -> Conditions:
    """The conditions that ship with the package: every channel alive, no cross-talk."""
    path = CONDITIONS_FOLDER / "default.toml"
    return read_conditions(read_toml(path, DetectorError), path)


def is_conditions(content: dict[str, Any]) -> bool:
    """Whether the content of a TOML file are conditions and not a description."""
    return content.get("kind") == "conditions"
