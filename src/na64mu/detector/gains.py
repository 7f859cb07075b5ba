"""Gains: the energy that a channel writes, over the energy that it should.

A channel of gain 1.03 writes 3 % too much into the raw tree. Gains are a table of a description, of the conditions of a run, or of a calibration
(`na64mu calibrate` finds them); the simulation multiplies by them, the reconstruction divides. Banks have the names of a conditions file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Self

from pydantic import BaseModel, ConfigDict, model_validator

from na64mu.detector.elements.element import Count, Element, NonNegative, Positive
from na64mu.errors import DetectorError

__all__ = ("Gain", "GainTable", "check_gains", "named_once")


class Gain(Element):
    """Gain of the channels of one bank: that of all of them together, times that of each channel."""

    plane: str  # ecal0 (preshower), ecal1, vhcal, hcal1, hcal2, veto, counter
    gain: Positive = 1.0
    channels: tuple[Positive, ...] = ()  # one for every channel, ix * n_y + iy; empty: all are 1
    gain_error: NonNegative | None = None
    channel_errors: tuple[NonNegative, ...] = ()  # 0 where the gain of the channel was not measured
    n_muons: Count | None = None

    @model_validator(mode="after")
    def _one_error_for_each(self) -> Self:
        if self.channel_errors and len(self.channel_errors) != len(self.channels):
            msg = f"gains of {self.plane}: {len(self.channels)} channels have {len(self.channel_errors)} channel_errors"
            raise ValueError(msg)
        return self

    def of_channels(self, size: int) -> tuple[float, ...]:
        """Gain of every channel of a bank of `size` channels."""
        return tuple(self.gain * own for own in self.channels) if self.channels else (self.gain,) * size


class GainTable(BaseModel):
    """What a calibration file says of gains, and of which description; its windows are read elsewhere."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    detector: str
    description: str = ""
    gains: tuple[Gain, ...] = ()

    @property
    def reference(self) -> str:
        """Tag of the description, or its TOML file as seen from the folder of the calibration."""
        return self.description or self.detector


def named_once(gains: Iterable[Gain]) -> None:
    """Refuse a list of gains that names a bank twice.

    Raises
    ------
    ValueError
        With the names.
    """
    planes = [gain.plane for gain in gains]
    if len(set(planes)) != len(planes):
        msg = f"gains: a bank is named twice in {planes}"
        raise ValueError(msg)


def check_gains(gains: Iterable[Gain], sizes: Mapping[str, int], tag: str) -> None:
    """Refuse gains of banks and channels that a description does not have.

    Parameters
    ----------
    gains : iterable of Gain
        The gains.
    sizes : mapping of str to int
        Bank that writes an energy -> number of its channels.
    tag : str
        Tag of the description, for the message.

    Raises
    ------
    DetectorError
        With the bank, and what there is.
    """
    for own in gains:
        if own.plane not in sizes:
            msg = f"gains: there is no bank {own.plane!r} that writes an energy, detector {tag!r} has {', '.join(sizes)}"
            raise DetectorError(msg)
        if own.channels and len(own.channels) != sizes[own.plane]:
            msg = f"gains of {own.plane}: {len(own.channels)} numbers for channels, the bank has {sizes[own.plane]}: give one for each, or none"
            raise DetectorError(msg)
