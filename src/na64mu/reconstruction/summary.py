"""The event summary: everything the selection needs, one row per event (columns.py)."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from na64mu.common.arguments import one_of
from na64mu.detector import Detector, DetectorLike, load_detector
from na64mu.events.batch import RawBatch, as_batch
from na64mu.events.fault_rules import KINDS
from na64mu.events.faults import Bounds
from na64mu.events.schema_v1 import TRUTH
from na64mu.events.screening import screened, sentence_of
from na64mu.physics.materials import IRON, LEAD
from na64mu.physics.scattering import MODELS, Scattering, highland_angle
from na64mu.reconstruction.columns import hits_column, summary_columns
from na64mu.reconstruction.energies import calorimeter_energy, counter_energy, pointed_cell_energy, veto_energy
from na64mu.reconstruction.event_summary import EventSummary
from na64mu.reconstruction.gains import on_one_scale
from na64mu.reconstruction.hits import FoundHits, find_hits, spectrometer_hits, station_hits
from na64mu.reconstruction.pulses.digits import with_digits
from na64mu.tracking.extrapolation import Crossing, cross_plane
from na64mu.tracking.spectrometer import spectrometer
from na64mu.tracking.tracks import EntryPoint, Tracks, reconstruct_tracks
from na64mu.typing import AnyArray

__all__ = ("find_tracks", "middle_of_ecal", "reconstruct")

log = logging.getLogger(__name__)

PIECE = 4096  # events that are reconstructed at a time


def _track_columns(number: int, tracks: Tracks) -> dict[str, AnyArray]:
    side = "in" if number == 1 else "out"
    return {
        f"n_tracks_ms{number}": tracks.n,
        f"p_{side}": tracks.momentum,
        f"p_{side}_error": tracks.momentum_error,
        f"charge_{side}": tracks.charge,
        f"chi2_ms{number}": np.where(tracks.lead.good, tracks.lead.chi2, np.nan),
        f"ndf_ms{number}": tracks.lead.ndf,
    }


def _masked(crossing: Crossing, tracks: Tracks) -> Crossing:
    return Crossing(*(np.where(tracks.lead.good, column, np.nan) for column in crossing))


def _upstream_columns(tracks: Tracks, last_z: float) -> dict[str, AnyArray]:
    at_ecal = _masked(cross_plane(tracks.lead.downstream, tracks.lead.downstream_covariance, -last_z), tracks)
    slope = np.where(tracks.lead.good[:, None], tracks.lead.downstream[:, 2:4], np.nan)
    return {"x_ecal": at_ecal.x, "y_ecal": at_ecal.y, "tx_in": slope[:, 0], "ty_in": slope[:, 1]}


def _downstream_columns(tracks: Tracks, last_z: float, detector: Detector) -> tuple[dict[str, AnyArray], Crossing]:
    def crossing(z: float) -> Crossing:
        return _masked(cross_plane(tracks.lead.downstream, tracks.lead.downstream_covariance, z - last_z), tracks)

    s4, face, s_mu = crossing(detector.counter("S4").z), crossing(detector.hcal.front[0]), crossing(detector.counter("S_mu").z)
    slope = np.where(tracks.lead.good[:, None], tracks.lead.upstream[:, 2:4], np.nan)
    columns: dict[str, AnyArray] = {
        "tx_out": slope[:, 0],
        "ty_out": slope[:, 1],
        "x_s4": s4.x,
        "y_s4": s4.y,
        "x_hcal": face.x,
        "y_hcal": face.y,
        "x_hcal_error": face.x_error,
        "y_hcal_error": face.y_error,
        "x_smu": s_mu.x,
        "y_smu": s_mu.y,
    }
    # the muon is displaced by scattering in the iron of HCAL1:
    # evaluate at the module's centre, where the expected shower/MIP deposit is centred
    hcal = detector.hcal
    iron = hcal.layers * hcal.absorber / IRON.x0
    angle2 = float(highland_angle(0.5 * iron, 0.5 * iron)) ** 2
    walk = np.sqrt(angle2 / 3.0) * np.abs(tracks.lead.downstream[:, 4]) * 0.5 * hcal.length
    middle = crossing(hcal.front[0] + 0.5 * hcal.length)
    return columns, Crossing(middle.x, middle.y, np.hypot(middle.x_error, walk), np.hypot(middle.y_error, walk))


def _energy_columns(batch: RawBatch, detector: Detector, pointed: Crossing) -> dict[str, AnyArray]:
    ecal, vhcal, hcal = (batch.collections[name] for name in ("ecal", "vhcal", "hcal"))
    e_ecal = calorimeter_energy(ecal, detector.ecal.sigma_t)
    e_vhcal = calorimeter_energy(vhcal, detector.vhcal.sigma_t)
    e_hcal1, e_hcal2 = (calorimeter_energy(hcal, detector.hcal.sigma_t, hcal["module"] == m) for m in (1, 2))
    e_veto = veto_energy(batch.collections["veto"], detector)
    s4, s_mu = detector.counter("S4"), detector.counter("S_mu")
    return {
        "e_ecal": e_ecal.in_time,
        "e_preshower": calorimeter_energy(ecal, detector.ecal.sigma_t, ecal["section"] == 0).in_time,
        "e_veto": e_veto.in_time,
        "e_vhcal": e_vhcal.in_time,
        "e_hcal1": e_hcal1.in_time,
        "e_hcal2": e_hcal2.in_time,
        "e_hcal_cell": pointed_cell_energy(hcal, detector, *pointed),
        "e_cal": e_ecal.in_time + e_vhcal.in_time + e_hcal1.in_time + e_hcal2.in_time,
        "e_ecal_out_of_time": e_ecal.out_of_time,
        "e_veto_out_of_time": e_veto.out_of_time,
        "e_vhcal_out_of_time": e_vhcal.out_of_time,
        "e_hcal_out_of_time": e_hcal1.out_of_time + e_hcal2.out_of_time,
        "e_s4": counter_energy(batch.collections["counter"], s4.id, s4.sigma_t),
        "e_smu": counter_energy(batch.collections["counter"], s_mu.id, s_mu.sigma_t),
    }


def find_tracks(found: FoundHits, number: int, entry: EntryPoint | None = None, scattering: Scattering | str | None = None) -> Tracks:
    """Tracks of MS1 or MS2 of every event.

    Parameters
    ----------
    found : FoundHits
        What was hit in time in the trackers.
    number : int
        1 or 2.
    entry : EntryPoint, optional
        Point that the tracks come from; see reconstruct_tracks.
    scattering : Scattering or str, optional
        Model of multiple scattering, a name of physics.scattering.MODELS; by default that of the description.

    Returns
    -------
    Tracks
        Counts and fits.
    """
    scattering = one_of(found.detector.scattering if scattering is None else scattering, MODELS, "scattering")
    ms = spectrometer(found.detector, number)
    return reconstruct_tracks(spectrometer_hits(found, ms), ms, entry, scattering)


def middle_of_ecal(ms1: Tracks, detector: DetectorLike) -> EntryPoint:
    """Extrapolate MS1 tracks to the middle of the ECAL, where the tracks of MS2 come from.

    Parameters
    ----------
    ms1 : Tracks
        Tracks of MS1.
    detector : Detector, str or Path
        The description.

    Returns
    -------
    EntryPoint
        NaN where MS1 has no track.
    """
    detector = load_detector(detector)
    z = detector.ecal.z + 0.5 * detector.ecal.length
    crossing = _masked(cross_plane(ms1.lead.downstream, ms1.lead.downstream_covariance, z - spectrometer(detector, 1).z[-1]), ms1)
    tx, ty = np.where(ms1.lead.good, ms1.lead.downstream[:, 2:4].T, np.nan)
    half = 0.5 * detector.ecal.length
    x0 = sum(detector.ecal.layers) * detector.ecal.lead / LEAD.x0
    walk = float(highland_angle(0.5 * x0, 0.5 * x0)) * half / np.sqrt(3.0)
    return EntryPoint(z, crossing.x, crossing.y, tx, ty, half, walk)


def reconstruct(events: Any, detector: DetectorLike, scattering: Scattering | str | None = None) -> EventSummary:
    """Reconstruct raw events.

    Parameters
    ----------
    events : RawBatch or ak.Array
        Raw events of either tier: a batch, or an awkward (NanoEvents) array with the collections of the raw tree, as `na64mu.open_events`
        gives them. Faults of an array are looked for (na64mu.events.fault_rules) and logged as warnings: rows are dropped, and the numbers of
        an event that is refused are NaN, so that it passes no cut. A batch comes from a reader that has looked already.
    detector : Detector, str or Path
        The description of the set-up they were taken with.
    scattering : Scattering or str, optional
        Model of multiple scattering in the finder and the fit of tracks, a name of physics.scattering.MODELS; by default that of the
        description.

    Returns
    -------
    EventSummary
        Column -> array of shape (n_events,): the columns of columns.py, then the truth (mc_*) that is present.
    """
    if scattering is not None:
        scattering = one_of(scattering, MODELS, "scattering")
    detector = load_detector(detector)
    scattering = detector.scattering if scattering is None else scattering
    batch = as_batch(events)
    if not isinstance(events, RawBatch):
        return _sound(batch, detector, scattering)
    pieces = [_columns(batch.piece(start, min(start + PIECE, len(batch))), detector, scattering) for start in range(0, len(batch), PIECE)]
    names = summary_columns(detector)
    columns = {name: np.concatenate([piece[name] for piece in pieces or [_columns(batch, detector, scattering)]]) for name in names}
    return EventSummary(columns | {name: batch.scalars[name] for name in TRUTH if name in batch.scalars})


def _sound(batch: RawBatch, detector: Detector, scattering: str) -> EventSummary:
    """Reconstruct events that nobody has looked at; what is wrong with them is logged."""
    found = screened(batch, Bounds.of(detector), np.arange(len(batch)))
    for (kind, column), count in found.faults.items():
        done = "their numbers are NaN, so that they pass no cut" if KINDS[kind].rule == "refuse" else ""
        log.warning("%s", sentence_of(kind, column, count, done))
    summary = reconstruct(found.whole, detector, scattering)
    if not found.kept.all():
        for name, (dtype, _, _) in summary_columns(detector).items():
            if np.dtype(dtype).kind == "f":
                summary[name][~found.kept] = np.nan
    return summary


def _columns(events: RawBatch, detector: Detector, scattering: str) -> dict[str, AnyArray]:
    """Columns of columns.py for some events; all intermediate arrays fit into the cache of a core."""
    batch = with_digits(events, detector)
    found = find_hits(batch, detector)
    ms1 = find_tracks(found, 1, scattering=scattering)
    ms2 = find_tracks(found, 2, middle_of_ecal(ms1, detector), scattering)
    downstream, pointed = _downstream_columns(ms2, spectrometer(detector, 2).z[-1], detector)
    columns: dict[str, AnyArray] = {name: batch.scalars[name] for name in ("run", "spill", "event", "config", "trigger")}
    columns |= _track_columns(1, ms1) | _track_columns(2, ms2)
    columns |= _upstream_columns(ms1, spectrometer(detector, 1).z[-1]) | downstream
    columns |= {hits_column(station): n for station, n in station_hits(found).items()}
    columns |= _energy_columns(on_one_scale(batch, detector), detector, pointed)
    return {name: np.asarray(columns[name]).astype(kind, copy=False) for name, (kind, _, _) in summary_columns(detector).items()}
