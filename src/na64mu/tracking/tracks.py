"""Tracks of one spectrometer, event by event: candidates of both views, joined, counted and fitted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from na64mu.table import Shown, Table
from na64mu.tracking.finding import Origin, find_candidates
from na64mu.tracking.fit import FittedTracks, fit_tracks
from na64mu.tracking.hits import Hits
from na64mu.tracking.joining import join
from na64mu.tracking.projection import projection, track_model
from na64mu.tracking.spectrometer import Spectrometer, bending_integral
from na64mu.tracking.views import hits_in_views
from na64mu.typing import FloatArray, IntArray

__all__ = ("EntryPoint", "Tracks", "reconstruct_tracks")

POINT_ERROR = 1.0  # mm: both tracks extrapolated to the ECAL (0.1 to 0.3 mm), alignment and the tails of the scattering
ORIGIN_ERROR = 10.0  # mm, where the kink is unknown: a recoil of 40 mrad halfway through the ECAL misses its middle by as much
STRAIGHT_GUESS = 1.0 / 50.0  # c/GeV: sets the scattering where the bending view found nothing


@dataclass(frozen=True, repr=False)
class Tracks(Shown):
    """Tracks of a batch.

    Attributes
    ----------
    n : IntArray
        Number of track candidates: the larger of the two views, 0 if a view has none; shape (n_events,).
    best : FittedTracks
        The best candidate of every event (least chi2 with missing hits counted), fitted.
    hits : IntArray
        Its hit on every plane of the spectrometer, -1 for none, shape (n_events, n_planes).
    all : FittedTracks
        All candidates, fitted, best first in their event; shape (n_tracks,).
    all_hits : IntArray
        Their hits, shape (n_tracks, n_planes).
    offsets : IntArray
        The candidates of event e are offsets[e] : offsets[e + 1], shape (n_events + 1,).
    """

    n: IntArray
    best: FittedTracks
    hits: IntArray
    all: FittedTracks
    all_hits: IntArray
    offsets: IntArray

    def _table(self) -> Table:
        counts = [(f"{n if n < 3 else '3 or more'}", str(np.count_nonzero(self.n == n if n < 3 else self.n >= n))) for n in range(4)]
        p = self.momentum[self.best.good]
        median = f"median momentum of the best tracks {np.median(p):.2f} GeV/c; " if len(p) else ""
        note = f"{median}.best: the best of every event, .all: all {len(self.all)}, .momentum, .n"
        return Table(f"tracks of {len(self.n)} events", ("tracks", "events"), tuple(counts), (note,))

    @property
    def momentum(self) -> FloatArray:
        """Momentum [GeV/c], NaN without a track, shape (n_events,)."""
        curvature = self.best.downstream[:, 4]
        return np.where(self.best.good, 1.0 / np.abs(np.where(self.best.good, curvature, 1.0)), np.nan)

    @property
    def momentum_error(self) -> FloatArray:
        """Standard deviation of the momentum [GeV/c], shape (n_events,)."""
        return self.momentum**2 * np.sqrt(self.best.downstream_covariance[:, 4, 4])

    @property
    def charge(self) -> IntArray:
        """Charge: -1 or +1, 0 without a track; shape (n_events,)."""
        return np.where(self.best.good, np.sign(np.nan_to_num(self.best.downstream[:, 4])), 0).astype(np.int32)


def _seed(bend: FloatArray, straight: FloatArray, spectrometer: Spectrometer) -> FloatArray:
    """Parameters at the first plane of tracks from those of both views, shape (n, 5)."""
    z0 = spectrometer.z[0]
    g0 = bending_integral(np.array([z0]), spectrometer)[0]
    seed = np.zeros((len(bend), 5))
    v = spectrometer.bend_view
    for view, parameters in ((v, bend), (1 - v, straight)):
        u0, slope, k = parameters.T
        seed[:, view] = u0 + 1e-3 * slope * z0 + k * g0
        seed[:, 2 + view] = 1e-3 * slope
        if view == v:
            seed[:, 4] = k
    return seed


@dataclass(frozen=True)
class EntryPoint:
    """Where the tracks of a spectrometer come from.

    Attributes
    ----------
    z : float
        Position [mm].
    x, y : FloatArray
        Coordinates there [mm], NaN where unknown, shape (n_events,).
    tx, ty : FloatArray, optional
        Slopes of the incoming track, shape (n_events,).
    lever : float
        The tracks may have a kink as far from z as this [mm].
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


def reconstruct_tracks(hits: Hits, spectrometer: Spectrometer, entry: EntryPoint | None = None) -> Tracks:
    """Find and fit the tracks of every event.

    Parameters
    ----------
    hits : Hits
        Hits of the spectrometer.
    spectrometer : Spectrometer
        MS1 or MS2.
    entry : EntryPoint, optional
        Where its tracks come from (for MS2 the MS1 track in the ECAL): ranks the candidates.

    Returns
    -------
    Tracks
        Counts and fits, one per event.
    """

    def origin(view: int) -> Origin | None:
        if entry is None:
            return None
        model, slope = track_model(np.array([entry.z]), spectrometer, view)[0], (entry.tx, entry.ty)[view]
        known = slope is not None
        slopes = slope if slope is not None else np.full(n_events, np.nan)
        error = POINT_ERROR if known else ORIGIN_ERROR
        return Origin(model, (entry.x, entry.y)[view], np.ascontiguousarray(slopes), error, entry.lever, entry.scattering)

    n_planes = len(spectrometer.planes)
    n_events = (len(hits.offsets) - 1) // n_planes
    bend_view, straight_view = (projection(spectrometer, v) for v in (spectrometer.bend_view, 1 - spectrometer.bend_view))
    seen = hits_in_views(hits, spectrometer)
    bend = find_candidates(seen, bend_view, n_planes, np.zeros(n_events), origin(spectrometer.bend_view))
    curvature = np.where(bend.n > 0, bend.parameters[:, 0, 2], STRAIGHT_GUESS)
    straight = find_candidates(seen, straight_view, n_planes, curvature, origin(1 - spectrometer.bend_view))
    pairs = join(bend, straight, spectrometer)
    n = np.diff(pairs.offsets)
    event = np.repeat(np.arange(n_events), n)
    n_tracks = len(event)
    chosen = np.full((n_tracks + 1, n_planes), -1, dtype=np.int64)  # the last row is no track: the best of events without one
    chosen[:-1, bend_view.planes] = bend.hits[event, pairs.bend]
    chosen[:-1, straight_view.planes] = straight.hits[event, pairs.straight]
    seed = np.zeros((n_tracks + 1, 5))
    seed[:-1] = _seed(bend.parameters[event, pairs.bend], straight.parameters[event, pairs.straight], spectrometer)
    fitted = fit_tracks(hits, chosen, seed, spectrometer)
    best = np.where(n > 0, pairs.offsets[:-1], n_tracks)
    return Tracks(n, fitted[best], chosen[best], fitted[:n_tracks], chosen[:-1], pairs.offsets)
