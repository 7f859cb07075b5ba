"""Silicon pixel planes: columns measure x, rows measure y. Lengths mm, times ns, charges ADC counts."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field
from scipy.special import erf

from na64mu.detector.elements.element import Count, Fraction, NonNegative, Pair, Positive, PositivePair, number_text
from na64mu.detector.elements.tracker import Tracker, register_tracker, strip_centres
from na64mu.detector.readout import Bank, ReadoutPlane, time_window
from na64mu.typing import FloatArray

__all__ = ("PixelPlane", "centroid_errors")


SAMPLE = 40_000  # particles that the errors of a centroid are worked out with


@lru_cache(maxsize=32)
def centroid_errors(pitch: Pair, cloud: float, mode: float, width: float, noise: float, threshold: float) -> FloatArray:
    """Error of the centroid of a cluster by its size: what the charges of particles spread evenly over a pixel give.

    A particle that fires one column is somewhere in its middle; one that fires two is near their border, where the charges tell how near.

    Parameters
    ----------
    pitch : tuple of float
        Distance of columns and of rows [mm].
    cloud : float
        Gaussian width of the charge where it is collected [mm].
    mode, width : float
        Most probable charge and width of its Moyal distribution [ADC].
    noise, threshold : float
        Noise and threshold of a pixel [ADC].

    Returns
    -------
    FloatArray
        Root of the mean square of centroid minus place [mm] for clusters of 0, 1, 2 and more columns or rows; that of a uniform
        distribution over a pixel for sizes that do not occur; shape (2 views, 4).
    """
    rng = np.random.default_rng(1)
    charge = np.maximum(0.2 * mode, mode - width * np.log(rng.standard_normal(SAMPLE) ** 2 + 1e-12))
    at, parts, places = (rng.random((2, SAMPLE)) - 0.5) * np.array(pitch)[:, None], [], []
    for view in (0, 1):
        n = 1 + math.ceil(4.0 * cloud / pitch[view])  # neighbours on each side
        edges = (np.arange(-n, n + 2) - 0.5) * pitch[view]
        parts.append(np.diff(0.5 * erf((edges[:, None] - at[view]) / (cloud * math.sqrt(2.0))), axis=0))
        places.append(np.arange(-n, n + 1))
    pixels = charge * parts[0][:, None, :] * parts[1][None, :, :]
    pixels += noise * rng.standard_normal(pixels.shape)
    pixels[pixels < threshold] = 0.0
    total = pixels.sum(axis=(0, 1))
    errors = np.repeat(np.array(pitch)[:, None] / math.sqrt(12.0), 4, axis=1)
    for view in (0, 1):
        lines = pixels.sum(axis=1 - view)  # charge of every column or row
        hit = lines > 0.0
        low, high = (np.where(hit, places[view][:, None], far) for far in (99, -99))
        size = high.max(axis=0) - low.min(axis=0) + 1
        off = pitch[view] * (places[view] @ lines) / np.maximum(total, 1e-9) - at[view]
        for n in range(1, 4):
            mine = size == n if n < 3 else size >= n
            if mine.any():
                errors[view, n] = math.sqrt(float(np.mean(off[mine] ** 2)))
    return errors


@register_tracker
class PixelPlane(Tracker):
    """A plane of silicon pixels. In a description: [[modules]] with kind = "pixel".

    A particle leaves a charge with a Landau distribution (here Moyal's), which drifts to the pixels as a Gaussian cloud. Column c of n is
    at centre + (c - (n - 1) / 2) pitch.
    """

    kind: ClassVar[str] = "pixel"
    prefix: ClassVar[str] = "pixel"

    module: Annotated[int, Field(ge=1, le=255)]
    spectrometer: Literal[1, 2]
    z: float
    centre: Pair
    pixels: tuple[Count, Count]  # columns and rows
    pitch: PositivePair
    cloud: Positive  # Gaussian width of the charge where it is collected [mm]
    charge_mode: Positive  # Moyal mode of the charge [ADC]
    charge_width: Positive  # Moyal width [ADC]
    noise: NonNegative  # rms per pixel [ADC]
    threshold: Positive  # of a pixel [ADC]
    sigma_t: Positive
    efficiency: Fraction
    x_over_x0: NonNegative
    rotation: float = 0.0  # about z through the centre, from x to y [rad]

    @property
    def half(self) -> Pair:
        """Half size in x and y [mm]."""
        return 0.5 * self.pixels[0] * self.pitch[0], 0.5 * self.pixels[1] * self.pitch[1]

    @property
    def sigma(self) -> float:
        """Resolution of the coarser coordinate for a particle that fires one pixel [mm]; hits carry their own."""
        return float(max(self.cluster_sigma(0)[1], self.cluster_sigma(1)[1]))

    def cluster_sigma(self, view: int) -> FloatArray:
        """Standard deviation of the centroid of a cluster of 0, 1, 2 or more columns (view 0) or rows (1) [mm], shape (4,)."""
        response = self.cloud, self.charge_mode, self.charge_width, self.noise, self.threshold
        return centroid_errors(self.pitch, *response)[view]

    def banks(self) -> tuple[Bank, ...]:
        """All pixels, column by column."""
        return (Bank(self.name, self.kind, (self.module,), self.pixels),)

    def read_out_planes(self) -> tuple[ReadoutPlane, ...]:
        """Two planes at one place: the columns measure x, the rows y."""
        (bank,) = self.banks()
        planes = []
        for view in self.views:
            n = self.pixels[view]
            first = np.arange(n) * (self.pixels[1] if view == 0 else 1)  # channel of the first pixel of each column or row
            coordinate = strip_centres(self.centre[view], n, self.pitch[view])
            planes.append(self.plane(view, coordinate, self.pitch[view], bank, channel=first, window=time_window(self.sigma_t)))
        return tuple(planes)

    def measures(self) -> str:
        """Coordinates and pixels, as the overview shows them."""
        return f"{super().measures()}, {self.pixels[0]} x {self.pixels[1]} pixels of {number_text(self.pitch)} mm"
