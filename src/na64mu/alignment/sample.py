"""Hits for an alignment: reconstructed once with the description of the files, and transformed when modules move."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from na64mu.alignment.trajectory import without_field
from na64mu.detector import Detector, DetectorLike, load_detector
from na64mu.events.batch import RawBatch
from na64mu.reconstruction.energies import calorimeter_energy
from na64mu.reconstruction.gains import on_one_scale
from na64mu.reconstruction.hit_makers.wires import drift_time
from na64mu.reconstruction.hits import find_hits, spectrometer_hits
from na64mu.reconstruction.pulses.digits import with_digits
from na64mu.tracking.hits import Hits
from na64mu.tracking.spectrometer import Spectrometer, spectrometer
from na64mu.typing import FloatArray, IntArray

__all__ = ("Sample", "concatenated", "hit_planes", "mip_energy", "read_samples", "rounded")

MIP_WINDOW = (0.5, 2.0)  # energies in the ECAL of a minimum-ionising muon, in units of its most probable one


@dataclass(frozen=True)
class Sample:
    """Hits of one spectrometer in many events.

    Attributes
    ----------
    detector : Detector
        The description that the hits were made with.
    number : int
        1 or 2: MS1 or MS2.
    field : bool
        Whether the magnets were on.
    hits : Hits
        The hits.
    time : FloatArray
        Drift time of a wire [ns], NaN for other hits, shape (n_hits,).
    mip : FloatArray or None
        Energy that a muon left in the ECAL [GeV], NaN where it was no minimum-ionising particle, shape (n_events,); None where nobody looked.
    """

    detector: Detector
    number: int
    field: bool
    hits: Hits
    time: FloatArray
    mip: FloatArray | None = None

    @property
    def n_events(self) -> int:
        """Number of events."""
        return (len(self.hits.offsets) - 1) // len(spectrometer(self.detector, self.number).planes)

    def planes(self, detector: Detector) -> Spectrometer:
        """The spectrometer of another description of the same modules, with the field of this sample."""
        ms = spectrometer(detector, self.number)
        return ms if self.field else without_field(ms)

    def first(self, n_events: int) -> Sample:
        """The first events."""
        if n_events >= self.n_events:
            return self
        end = n_events * len(spectrometer(self.detector, self.number).planes)
        n = int(self.hits.offsets[end])
        h = self.hits
        hits = replace(h, offsets=h.offsets[: end + 1], u=h.u[:n], sigma=h.sigma[:n], source=h.source[:n])
        return replace(self, hits=hits, time=self.time[:n], mip=None if self.mip is None else self.mip[:n_events])

    @cached_property
    def local(self) -> FloatArray:
        """Coordinate of every hit in the frame of its module, from the centre [mm], shape (n_hits,)."""
        return self.hits.u - _origins(self.detector, self.number)[self.plane]

    @cached_property
    def plane(self) -> IntArray:
        """Plane of every hit, shape (n_hits,)."""
        return hit_planes(self.hits, len(spectrometer(self.detector, self.number).planes))

    def hits_of(self, detector: Detector, spread: float = 0.0) -> Hits:
        """The hits as another description of the same modules places them.

        Parameters
        ----------
        detector : Detector
            Detector with moved modules.
        spread : float
            Added to the resolutions in quadrature [mm]: what the positions of the modules are not known by.

        Returns
        -------
        Hits
            Hits in the same order.
        """
        u = self.local + _origins(detector, self.number)[self.plane]
        return replace(self.hits, u=u, sigma=np.hypot(self.hits.sigma, spread))


def _origins(detector: Detector, number: int) -> FloatArray:
    """Coordinate of the centre of its module along the direction of every plane [mm], shape (n_planes,)."""
    return np.array([np.dot(p.direction, detector.trackers[p.station].centre) for p in spectrometer(detector, number).planes])


def rounded(value: float) -> float:
    """Seven significant digits: more than any error, and files stay readable and alike on all machines."""
    return float(f"{value:.7g}")


def hit_planes(hits: Hits, n_planes: int) -> IntArray:
    """Plane of every hit, shape (n_hits,)."""
    n_events = (len(hits.offsets) - 1) // n_planes
    return np.repeat(np.tile(np.arange(n_planes), n_events), np.diff(hits.offsets))


def read_samples(batch: RawBatch, detector: DetectorLike, *, field: bool) -> tuple[Sample, Sample]:
    """Hits of MS1 and MS2 in a batch.

    Parameters
    ----------
    batch : RawBatch
        Raw events.
    detector : Detector, str or Path
        The description.
    field : bool
        Whether the magnets were on.

    Returns
    -------
    tuple of Sample
        MS1 and MS2.
    """
    detector = load_detector(detector)
    found = find_hits(batch, detector)
    times = drift_time(batch.collections["straw"], detector).astype(np.float64)
    mip = mip_energy(batch, detector)
    samples = []
    for number in (1, 2):
        ms = spectrometer(detector, number)
        hits = spectrometer_hits(found, ms)
        wires = np.array([p.two_sided for p in ms.planes])[hit_planes(hits, len(ms.planes))]
        time = np.full(len(hits.u), np.nan)
        time[wires] = times[hits.source[wires]]
        samples.append(Sample(detector, number, field, hits, time, mip))
    return samples[0], samples[1]


def mip_energy(batch: RawBatch, detector: Detector) -> FloatArray | None:
    """Energy in the ECAL of muons that lost no more than a minimum-ionising particle does.

    Parameters
    ----------
    batch : RawBatch
        Raw events.
    detector : Detector
        The description.

    Returns
    -------
    FloatArray or None
        [GeV], NaN for other events, shape (n_events,); None if the tree has no ECAL.
    """
    digits = on_one_scale(with_digits(batch, detector), detector).collections.get("ecal")
    if digits is None:
        return None
    energy = calorimeter_energy(digits, detector.ecal.sigma_t).in_time
    low, high = (share * detector.ecal.mip for share in MIP_WINDOW)
    return np.where((energy > low) & (energy < high), energy, np.nan)


def concatenated(samples: list[Sample]) -> Sample:
    """Samples of the same spectrometer, description and field, one behind the other."""
    offsets, n, number = [np.zeros(1, dtype=np.int64)], 0, 0
    sources = []
    for s in samples:
        offsets.append(s.hits.offsets[1:] + n)
        sources.append(s.hits.source + number)
        n += len(s.hits.u)
        number += int(s.hits.source.max(initial=-1)) + 1
    hits = replace(
        samples[0].hits,
        offsets=np.concatenate(offsets),
        u=np.concatenate([s.hits.u for s in samples]),
        sigma=np.concatenate([s.hits.sigma for s in samples]),
        source=np.concatenate(sources),
    )
    mip = [s.mip for s in samples if s.mip is not None]
    return replace(
        samples[0],
        hits=hits,
        time=np.concatenate([s.time for s in samples]),
        mip=np.concatenate(mip) if len(mip) == len(samples) else None,
    )
