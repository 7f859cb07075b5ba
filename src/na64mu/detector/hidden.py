"""Hidden apparatus: what a rehearsal does to the set-up and what its analysts must not know, kept as TOML.

A file of the kind "hidden" names the description that analysts have, and how the apparatus differs from it: modules that lie elsewhere or are
turned, dead channels, gains; and the coupling of a signal. It is used twice. As a description (`na64mu simulate --detector hidden.toml`)
it is the displaced one: the tracks meet the modules where they really are, and dead channels give nothing. Shifts cannot be
laid over digits afterwards, because a moved plane is met by other strips and at other angles. `na64mu mock --hidden` then applies the gains, which
scale what was read out, and the coupling. Lengths mm, angles rad.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from na64mu.common.arguments import file_name
from na64mu.common.toml_model import content_hash, read_toml, validate
from na64mu.detector.conditions import Channels, Conditions, default_conditions
from na64mu.errors import DetectorError

__all__ = ("APPARATUS", "Dead", "Gain", "Hidden", "HiddenSignal", "Moved", "is_hidden", "load_hidden", "read_hidden")

#: Title of the conditions of a displaced description: with their hash it is the label by which simulated files name it.
APPARATUS = "hidden apparatus"

Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Channel = Annotated[int, Field(ge=0)]
INFERRED = "inferred: made up for a rehearsal"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class HiddenSignal(_Model):
    """Coupling of the boson whose samples are mixed in; without it the data have no signal.

    Attributes
    ----------
    coupling : float
        g, or epsilon of a dark photon.
    """

    coupling: Positive


class Moved(_Model):
    """How far a tracker module lies from where its description says [mm], and how far it is turned [rad]."""

    name: str
    dx: Finite = 0.0
    dy: Finite = 0.0
    drotation: Finite = 0.0


class Dead(_Model):
    """Channels of a plane that give nothing; names and numbers are those of a conditions file."""

    plane: str
    dead: tuple[Channel, ...]


class Gain(_Model):
    """Factor on the energies that a bank of channels reads, such as ecal1 or veto; of all its channels where none are named."""

    plane: str
    gain: Positive
    channels: tuple[Channel, ...] = ()


class Hidden(_Model):
    """What a rehearsal hides from its analysts.

    Attributes
    ----------
    format_version : int
        1.
    kind : str
        "hidden".
    detector : str
        Tag or TOML file of the description that analysts have.
    seed : int or None
        Seed of the random numbers of `na64mu mock`; it is hidden too, because who knows it can make the data again.
    signal : HiddenSignal or None
        Coupling of the signal.
    modules : tuple of Moved
    channels : tuple of Dead
    gains : tuple of Gain
        A channel that several of them name has the product.
    """

    format_version: int
    kind: Literal["hidden"]
    detector: str
    seed: Annotated[int, Field(ge=0)] | None = None
    signal: HiddenSignal | None = None
    modules: tuple[Moved, ...] = ()
    channels: tuple[Dead, ...] = ()
    gains: tuple[Gain, ...] = ()

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.format_version != 1:
            msg = f"format_version is {self.format_version}, this version of na64mu reads 1"
            raise ValueError(msg)
        for what, names in (("modules", [m.name for m in self.modules]), ("channels", [c.plane for c in self.channels])):
            if len(set(names)) != len(names):
                msg = f"{what}: a name is given twice in {names}"
                raise ValueError(msg)
        return self

    @property
    def moves(self) -> bool:
        """Whether samples have to be simulated with the displaced description."""
        return bool(self.modules or self.channels)

    @property
    def conditions(self) -> Conditions:
        """Conditions of the displaced description: dead channels, and a title with the hash of all that is displaced."""
        apparatus = self.model_dump(mode="json", include={"detector", "modules", "channels"})
        dead = tuple(Channels(source=INFERRED, plane=c.plane, dead=c.dead) for c in self.channels)
        title = f"{APPARATUS} {content_hash(apparatus)[:12]}"
        return default_conditions().model_copy(update={"title": title, "channels": dead, "source": INFERRED})


def is_hidden(content: dict[str, Any]) -> bool:
    """Whether the content of a TOML file is a hidden apparatus and not a description."""
    return content.get("kind") == "hidden"


def read_hidden(content: dict[str, Any], path: Path) -> Hidden:
    """Validate a hidden apparatus.

    Parameters
    ----------
    content : dict
        Content of the TOML file.
    path : Path
        The file, for messages.

    Returns
    -------
    Hidden

    Raises
    ------
    DetectorError
        With one line per wrong key.
    """
    return validate(Hidden, content, str(path), DetectorError)


def load_hidden(path: str | Path | Hidden) -> Hidden:
    """Read a hidden apparatus from its file.

    Parameters
    ----------
    path : Hidden, str or Path
        TOML file of the kind "hidden"; a Hidden comes back as it is.

    Returns
    -------
    Hidden

    Raises
    ------
    DetectorError
        If it is not such a file, or with one line per wrong key.
    """
    if isinstance(path, Hidden):
        return path
    path = Path(file_name(path, "hidden", DetectorError, "a Hidden, or the path of its TOML file, is wanted"))
    content = read_toml(path, DetectorError)
    if not is_hidden(content):
        msg = f"{path}: not a hidden apparatus, it needs kind = 'hidden'"
        raise DetectorError(msg)
    return read_hidden(content, path)
