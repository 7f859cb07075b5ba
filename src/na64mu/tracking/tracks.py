"""Tracks of one spectrometer, event by event: candidates of both views, joined, counted and fitted."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np

from na64mu.common.arguments import one_of
from na64mu.common.table import Shown, Table
from na64mu.compiled.kernel import kernel
from na64mu.errors import ArgumentError
from na64mu.physics.scattering import MODELS, Scattering
from na64mu.tracking.checks import checked_hits
from na64mu.tracking.finding import Origin, find_candidates
from na64mu.tracking.fit import fit_tracks
from na64mu.tracking.fitted import FittedTracks
from na64mu.tracking.hits import Hits
from na64mu.tracking.joining import join
from na64mu.tracking.projection import projection, track_model
from na64mu.tracking.spectrometer import Spectrometer, bending_integral
from na64mu.tracking.views import hits_in_views
from na64mu.typing import BoolArray, FloatArray, IntArray

__all__ = ("EntryPoint", "Lead", "Tracks", "reconstruct_tracks")

POINT_ERROR = 1.0  # mm: both tracks extrapolated to the ECAL (0.1 to 0.3 mm), alignment and the tails of the scattering
ORIGIN_ERROR = 10.0  # mm, where the kink is unknown: a 40 mrad kink displaces the extrapolation to the ECAL centre by this much
STRAIGHT_GUESS = 1.0 / 50.0  # c/GeV: sets the scattering where the bending view found nothing


class Lead(NamedTuple):
    """Some columns of FittedTracks for the best candidate of every event, each of shape (n_events, ...)."""

    good: BoolArray
    chi2: FloatArray
    ndf: IntArray
    upstream: FloatArray
    downstream: FloatArray
    downstream_covariance: FloatArray


@dataclass(frozen=True, repr=False)
class Tracks(Shown):
    """Tracks of a batch.

    Attributes
    ----------
    n : IntArray
        Number of track candidates: the larger of the two views, 0 if a view has none; shape (n_events,).
    fitted : FittedTracks
        All candidates, fitted, best first in their event, and behind them one row that is no track; shape (n_tracks + 1,).
    chosen : IntArray
        Hits of the candidates on every plane of the spectrometer, -1 for none, shape (n_tracks + 1, n_planes).
    offsets : IntArray
        The candidates of event e are offsets[e] : offsets[e + 1], shape (n_events + 1,).
    """

    n: IntArray
    fitted: FittedTracks
    chosen: IntArray
    offsets: IntArray

    @cached_property
    def all(self) -> FittedTracks:
        """All candidates, fitted, best first in their event; shape (n_tracks,)."""
        return self.fitted[: len(self.fitted) - 1]

    @property
    def all_hits(self) -> IntArray:
        """Hits of all candidates on every plane of the spectrometer, -1 for none, shape (n_tracks, n_planes)."""
        return self.chosen[:-1]

    @cached_property
    def _first(self) -> IntArray:
        """Row of the best candidate of every event, shape (n_events,)."""
        return np.where(self.n > 0, self.offsets[:-1], len(self.fitted) - 1)

    @cached_property
    def best(self) -> FittedTracks:
        """The best candidate of every event (least chi2 with missing hits counted), fitted; shape (n_events,)."""
        return self.fitted[self._first]

    @property
    def hits(self) -> IntArray:
        """Hits of the best candidates on every plane of the spectrometer, -1 for none, shape (n_events, n_planes)."""
        return self.chosen[self._first]

    @cached_property
    def lead(self) -> Lead:
        """Parameters of the best candidates without their hits."""
        return Lead(*(getattr(self.fitted, name)[self._first] for name in Lead._fields))

    def _table(self) -> Table:
        counts = [(f"{n if n < 3 else '3 or more'}", str(np.count_nonzero(self.n == n if n < 3 else self.n >= n))) for n in range(4)]
        p = self.momentum[self.lead.good]
        median = f"median momentum of the best tracks {np.median(p):.2f} GeV/c; " if len(p) else ""
        note = f"{median}.best: the best of every event, .all: all {len(self.all)}, .momentum, .n"
        return Table(f"tracks of {len(self.n)} events", ("tracks", "events"), tuple(counts), (note,))

    @property
    def momentum(self) -> FloatArray:
        """Momentum [GeV/c], NaN without a track, shape (n_events,)."""
        curvature = self.lead.downstream[:, 4]
        return np.where(self.lead.good, 1.0 / np.abs(np.where(self.lead.good, curvature, 1.0)), np.nan)

    @property
    def momentum_error(self) -> FloatArray:
        """Standard deviation of the momentum [GeV/c], shape (n_events,)."""
        return self.momentum**2 * np.sqrt(self.lead.downstream_covariance[:, 4, 4])

    @property
    def charge(self) -> IntArray:
        """Charge: -1 or +1, 0 without a track; shape (n_events,)."""
        return np.where(self.lead.good, np.sign(np.nan_to_num(self.lead.downstream[:, 4])), 0).astype(np.int32)


@lru_cache(maxsize=16)
def _first_integral(spectrometer: Spectrometer) -> float:
    """Bending integral at the first plane [mm GeV/c]."""
    return float(bending_integral(np.array([spectrometer.planes[0].z]), spectrometer)[0])


class _Start(NamedTuple):
    """Start of the tracks of a spectrometer: bending view, first plane [mm], its bending integral [mm GeV/c]."""

    bend_view: int
    z: float
    g: float


@kernel
def _write_down(pairs, bend, straight, bend_planes, straight_planes, start, chosen, seed):  # type: ignore[no-untyped-def] # kernel
    """Hits of every track, and its parameters at the first plane from those of both views."""
    views = (
        (bend, pairs.bend, bend_planes, start.bend_view, start.g),
        (straight, pairs.straight, straight_planes, 1 - start.bend_view, 0.0),
    )
    for e in range(len(bend.n)):
        for t in range(pairs.offsets[e], pairs.offsets[e + 1]):
            for found, candidate, planes, view, g in views:
                i = candidate[t]
                for j in range(len(planes)):
                    chosen[t, planes[j]] = found.hits[e, i, j]
                slope, k = found.parameters[e, i, 1], found.parameters[e, i, 2]
                seed[t, view] = found.parameters[e, i, 0] + 1e-3 * slope * start.z + k * g
                seed[t, 2 + view] = 1e-3 * slope
            seed[t, 4] = bend.parameters[e, pairs.bend[t], 2]


@dataclass(frozen=True)
class EntryPoint:
    """Point that the tracks of a spectrometer come from.

    Attributes
    ----------
    z : float
        Position [mm].
    x, y : FloatArray
        Coordinates there [mm], NaN where unknown, shape (n_events,).
    tx, ty : FloatArray, optional
        Slopes of the incoming track, shape (n_events,).
    lever : float
        Largest distance of a kink of the tracks from z [mm].
    scattering : float
        Standard deviation of their distance from scattering at 1 GeV/c [mm].
    """

    z: float
    x: FloatArray
    y: FloatArray
    tx: FloatArray | None = None
    ty: FloatArray | None = None
    lever: float = 0.0
    scattering: float = 0.0


def reconstruct_tracks(
    hits: Hits, spectrometer: Spectrometer, entry: EntryPoint | None = None, scattering: Scattering | str = "highland"
) -> Tracks:
    """Find and fit the tracks of every event.

    Parameters
    ----------
    hits : Hits
        Hits of the spectrometer.
    spectrometer : Spectrometer
        MS1 or MS2.
    entry : EntryPoint, optional
        Point that the tracks come from (for MS2 the MS1 track in the ECAL): ranks the candidates.
    scattering : Scattering or str
        Model of multiple scattering for the finder and the fit, a name of physics.scattering.MODELS.

    Returns
    -------
    Tracks
        Counts and fits, one per event.

    Raises
    ------
    ArgumentError
        If the hits belong to another number of planes, or the entry point to another number of events, or the model is unknown.
    DetectorError
        If the spectrometer makes no sense, or its planes do not determine a track.
    """
    scattering = one_of(scattering, MODELS, "scattering")
    n_events, n_planes = checked_hits(hits, spectrometer), len(spectrometer.planes)
    given = () if entry is None else tuple(v for v in (entry.x, entry.y, entry.tx, entry.ty) if v is not None)
    if any(np.shape(column) != (n_events,) for column in given):
        msg = f"entry must have one value for each of the {n_events} events; found the shapes {[np.shape(column) for column in given]}"
        raise ArgumentError(msg)

    def origin(view: int) -> Origin | None:
        if entry is None:
            return None
        model, slope = track_model(np.array([entry.z]), spectrometer, view)[0], (entry.tx, entry.ty)[view]
        known = slope is not None
        slopes = slope if slope is not None else np.full(n_events, np.nan)
        error = POINT_ERROR if known else ORIGIN_ERROR
        return Origin(model, (entry.x, entry.y)[view], np.ascontiguousarray(slopes), error, entry.lever, entry.scattering)

    bend_view, straight_view = (projection(spectrometer, v, scattering) for v in (spectrometer.bend_view, 1 - spectrometer.bend_view))
    seen = hits_in_views(hits, spectrometer)
    bend = find_candidates(seen, bend_view, n_planes, np.zeros(n_events), origin(spectrometer.bend_view))
    curvature = np.where(bend.n > 0, bend.parameters[:, 0, 2], STRAIGHT_GUESS)
    straight = find_candidates(seen, straight_view, n_planes, curvature, origin(1 - spectrometer.bend_view))
    pairs = join(bend, straight, spectrometer)
    n = np.diff(pairs.offsets)
    n_tracks = len(pairs.bend)
    chosen, seed = np.empty((n_tracks + 1, n_planes), dtype=np.int64), np.zeros((n_tracks + 1, 5))
    chosen[-1] = -1  # the last row is no track: the best of events without one
    start = _Start(spectrometer.bend_view, float(spectrometer.planes[0].z), _first_integral(spectrometer))
    _write_down(pairs, bend, straight, bend_view.planes, straight_view.planes, start, chosen, seed)
    return Tracks(n, fit_tracks(hits, chosen, seed, spectrometer, scattering), chosen, pairs.offsets)
