"""Match of the MS1 and MS2 tracks through the ECAL: the muon's kink, its compatibility with scattering alone, and its position.

The ECAL is a thick scatterer of 40 radiation lengths between a track that ends before it and one that begins behind it. Both are
straight there; what scatters between them turns and shifts the muon by amounts that are correlated. Lengths mm, angles rad, momenta GeV/c.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from na64mu.common.arguments import number
from na64mu.detector import DetectorLike, load_detector
from na64mu.detector.elements import Ecal
from na64mu.errors import ArgumentError
from na64mu.physics.materials import LEAD, SCINTILLATOR
from na64mu.physics.scattering import highland_angle
from na64mu.tracking.checks import real_array
from na64mu.tracking.fitted import FittedTracks
from na64mu.tracking.spectrometer import spectrometer
from na64mu.typing import AnyArray, FloatArray

__all__ = ("Junction", "TrackEnd", "ecal_radiation_lengths", "join", "join_fits", "scatterers")


ITERATIONS = 8  # of the vertex: the errors depend on its depth; three change nothing any more at 40 mrad


class TrackEnd(NamedTuple):
    """The end of a track that faces the ECAL; rows of NaN where there is no track.

    Attributes
    ----------
    z : float
        Position of the plane along z [mm].
    parameters : FloatArray
        (x, y, tx, ty, q/p) [mm, rad, c/GeV], shape (n, 5).
    covariance : FloatArray
        Shape (n, 5, 5).
    """

    z: float
    parameters: FloatArray
    covariance: FloatArray

    def at(self, z: FloatArray) -> FloatArray:
        """Straight line at z [mm] of shape (n,): x, y [mm], shape (n, 2)."""
        return self.parameters[:, :2] + (z - self.z)[:, None] * self.parameters[:, 2:4]


class Junction(NamedTuple):
    """An MS1 and an MS2 track joined through the ECAL; every array has shape (n,), NaN where a track is missing.

    Attributes
    ----------
    kink_x, kink_y : FloatArray
        Slope of the MS2 track minus slope of the MS1 track [rad].
    scattering : FloatArray
        Expected width of either from multiple scattering alone [rad].
    kink_x_sigma, kink_y_sigma : FloatArray
        Expected width of each with the errors of both tracks [rad].
    chi2 : FloatArray
        Chi2 of the hypothesis that both tracks are one muon that scattered only multiply: position and slope of both, 4 degrees of freedom.
    ndf : int
        Its degrees of freedom, 4.
    x, y, z : FloatArray
        Common vertex of both tracks [mm]; z is free to leave the ECAL.
    x_error, y_error, z_error : FloatArray
        Standard deviations [mm]. z is meaningful if the kink is several times the scattering; where the scattering makes
        the kink, z is where it scattered most, and events picked for a large kink are drawn there.
    vertex_chi2 : FloatArray
        Chi2 of the hypothesis that both tracks meet there, 1 degree of freedom.
    """

    kink_x: FloatArray
    kink_y: FloatArray
    scattering: FloatArray
    kink_x_sigma: FloatArray
    kink_y_sigma: FloatArray
    chi2: FloatArray
    ndf: int
    x: FloatArray
    y: FloatArray
    z: FloatArray
    x_error: FloatArray
    y_error: FloatArray
    z_error: FloatArray
    vertex_chi2: FloatArray

    @property
    def kink(self) -> FloatArray:
        """Angle in space between both tracks [rad], to first order."""
        return np.hypot(self.kink_x, self.kink_y)


def ecal_radiation_lengths(ecal: Ecal) -> float:
    """Thickness of the ECAL in radiation lengths, from its layers of lead and polystyrene.

    Parameters
    ----------
    ecal : Ecal
        Description of the ECAL.

    Returns
    -------
    float
        40.6 for 150 layers of 1.5 mm each; the paper between them (0.04, 0.1 %) is left out.
    """
    return sum(ecal.layers) * (ecal.lead / LEAD.x0 + ecal.scintillator / SCINTILLATOR.x0)


def scatterers(detector: DetectorLike, z_in: float, z_out: float) -> FloatArray:
    """Material that scatters a muon between MS1 and MS2: counters that the beam crosses, ECAL, VETO and air.

    Parameters
    ----------
    detector : Detector, str or Path
        The description.
    z_in, z_out : float
        Last plane of MS1 and first plane of MS2 [mm].

    Returns
    -------
    FloatArray
        Entrance z, exit z [mm] and thickness in radiation lengths of each, shape (n_slabs, 3).

    Raises
    ------
    ArgumentError
        If the planes are not on both sides of the ECAL.
    """
    detector = load_detector(detector)
    z_in = number(z_in, "z_in, the last plane of MS1 [mm]", most=detector.ecal.z)
    z_out = number(z_out, "z_out, the first plane of MS2 [mm]", least=detector.ecal.z + detector.ecal.length)
    plates = [(c.z, c.thickness) for c in detector.counters if c.shape == "disc"] + [(detector.veto.z, detector.veto.thickness)]
    slabs = [(z - 0.5 * t, z + 0.5 * t, t / SCINTILLATOR.x0) for z, t in plates if z_in < z < z_out]
    ecal = detector.ecal
    slabs.append((ecal.z, ecal.z + ecal.length, ecal_radiation_lengths(ecal)))
    for start, end in ((max(z_in, detector.medium.vacuum_until), ecal.z), (ecal.z + ecal.length, z_out)):
        if start < end:  # else there is vacuum
            slabs.append((start, end, (end - start) / detector.medium.air_x0))
    return np.array(slabs)


def _scattered(slabs: FloatArray, start: float | FloatArray, end: float | FloatArray, at: float | FloatArray) -> tuple[FloatArray, ...]:
    """Variances at a place `at` of the scattering between two others, for 1 GeV/c.

    With sigma^2 uniform over a slab whose middle lies d away and whose length is l: angle sigma^2, covariance sigma^2 d,
    position sigma^2 (d^2 + l^2 / 12).

    References
    ----------
    Particle Data Group, "Passage of particles through matter", multiple scattering through small angles; Highland's formula
    with the logarithm of the whole thickness, so that the parts add up.
    """
    angle2 = highland_angle(slabs[:, 2], float(slabs[:, 2].sum())) ** 2 / (slabs[:, 1] - slabs[:, 0])
    low, high = np.atleast_1d(np.minimum(start, end))[:, None], np.atleast_1d(np.maximum(start, end))[:, None]
    entrance, exit_ = np.clip(slabs[:, 0], low, high), np.clip(slabs[:, 1], low, high)
    length, lever = exit_ - entrance, np.atleast_1d(at)[:, None] - 0.5 * (entrance + exit_)
    theta2 = angle2 * length
    return theta2.sum(axis=1), (theta2 * lever).sum(axis=1), (theta2 * (lever**2 + length**2 / 12.0)).sum(axis=1)


def _one_muon(ms1: TrackEnd, ms2: TrackEnd, slabs: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Difference (x, y, tx, ty) of both tracks at the first plane of MS2, its covariance, and the variance of the scattering angle."""
    length = ms2.z - ms1.z
    transport = np.eye(4) + length * np.eye(4, k=2)
    difference = ms2.parameters[:, :4] - ms1.parameters[:, :4] @ transport.T
    covariance = ms2.covariance[:, :4, :4] + transport @ ms1.covariance[:, :4, :4] @ transport.T
    # a muon that lost momentum did so anywhere on the way: half of the scattering at either momentum
    inverse_p2 = 0.5 * (ms1.parameters[:, 4] ** 2 + ms2.parameters[:, 4] ** 2)
    angle, both, position = (v * inverse_p2 for v in _scattered(slabs, ms1.z, ms2.z, ms2.z))
    for i in (0, 1):
        covariance[:, i, i] += position
        covariance[:, i, 2 + i] += both
        covariance[:, 2 + i, i] += both
        covariance[:, 2 + i, 2 + i] += angle
    return difference, covariance, angle


def _position_covariance(end: TrackEnd, z: FloatArray, slabs: FloatArray) -> FloatArray:
    """Covariance of (x, y) of a track carried to z, scattering on the way included, shape (n, 2, 2)."""
    distance = (z - end.z)[:, None, None]
    c = end.covariance
    cross = c[:, :2, 2:4] + np.swapaxes(c[:, :2, 2:4], 1, 2)
    scattered = _scattered(slabs, end.z, z, z)[2] * end.parameters[:, 4] ** 2
    return c[:, :2, :2] + distance * cross + distance**2 * c[:, 2:4, 2:4] + scattered[:, None, None] * np.eye(2)


def _vertex(ms1: TrackEnd, ms2: TrackEnd, slabs: FloatArray, start: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Least-squares vertex (x, y, z), its covariance and chi2.

    A track that passes (x, y, z) is at (x, y) - t (z - z0) in the plane z0; with weights from the position errors of both
    tracks there this is linear, and repeated at the new z because the scattering between track and vertex depends on it.

    References
    ----------
    P. Billoir, R. Fruehwirth, M. Regler, Nucl. Instrum. Meth. A 241 (1985) 115, for straight tracks in one plane.
    """
    n = len(ms1.parameters)
    z = np.full(n, start)
    vertex: FloatArray = np.empty((n, 3))
    covariance: FloatArray = np.empty((n, 3, 3))
    chi2: FloatArray = np.empty(n)
    for _ in range(ITERATIONS):
        plane = np.clip(z, ms1.z, ms2.z)
        information: FloatArray = np.zeros((n, 3, 3))
        rest: FloatArray = np.zeros((n, 3))
        parts = []
        for end in (ms1, ms2):
            model = np.concatenate([np.broadcast_to(np.eye(2), (n, 2, 2)), -end.parameters[:, 2:4, None]], axis=2)
            weighted = np.swapaxes(model, 1, 2) @ np.linalg.inv(_position_covariance(end, plane, slabs))
            information += weighted @ model
            rest += (weighted @ end.at(plane)[:, :, None])[:, :, 0]
            parts.append((model, weighted, end.at(plane)))
        covariance = np.asarray(np.linalg.inv(information), dtype=np.float64)
        vertex = (covariance @ rest[:, :, None])[:, :, 0]
        chi2 = np.zeros(n)
        for model, weighted, position in parts:
            residual = position - (model @ vertex[:, :, None])[:, :, 0]
            # weighted[:, :2] is the inverse of the position covariance: the model begins with the unit matrix
            chi2 += np.einsum("ni,nij,nj->n", residual, weighted[:, :2], residual)
        vertex[:, 2] += plane
        z = vertex[:, 2]
    return vertex, covariance, chi2


def _rows(end: TrackEnd, rows: AnyArray) -> TrackEnd:
    return TrackEnd(end.z, end.parameters[rows], end.covariance[rows])


def _checked(end: TrackEnd, name: str) -> TrackEnd:
    parameters = real_array(end.parameters, f"parameters of {name}", (None, 5), "(n, 5): x, y, tx, ty, q/p")
    n = len(parameters)
    return TrackEnd(float(end.z), parameters, real_array(end.covariance, f"covariance of {name}", (n, 5, 5), f"({n}, 5, 5)"))


def join(ms1: TrackEnd, ms2: TrackEnd, detector: DetectorLike) -> Junction:
    """Join tracks of MS1 and MS2 through the ECAL.

    Parameters
    ----------
    ms1 : TrackEnd
        Tracks of MS1 at its last plane, n rows.
    ms2 : TrackEnd
        Tracks of MS2 at its first plane, row by row of the same events.
    detector : Detector, str or Path
        The description: ECAL, counters and air between them.

    Returns
    -------
    Junction
        Kink, chi2 of one muon that scattered only multiply, and common vertex; NaN where a track is missing (or both are parallel to
        the last bit, for the vertex).

    Raises
    ------
    ArgumentError
        If both have not the same events, a shape is wrong, or the planes are not on both sides of the ECAL.
    """
    detector = load_detector(detector)
    ms1, ms2 = (_checked(end, name) for end, name in ((ms1, "ms1"), (ms2, "ms2")))
    if len(ms1.parameters) != len(ms2.parameters):
        msg = f"ms1 and ms2 must be tracks of the same events, row by row; found {len(ms1.parameters)} and {len(ms2.parameters)}"
        raise ArgumentError(msg)
    slabs = scatterers(detector, ms1.z, ms2.z)
    n = len(ms1.parameters)
    found = np.isfinite(ms1.parameters).all(axis=1) & np.isfinite(ms2.parameters).all(axis=1)
    columns = {name: np.full(n, np.nan) for name in Junction._fields if name != "ndf"}
    rows = np.flatnonzero(found)
    difference, covariance, angle = _one_muon(_rows(ms1, rows), _rows(ms2, rows), slabs)
    columns["kink_x"][rows], columns["kink_y"][rows] = difference[:, 2], difference[:, 3]
    columns["scattering"][rows] = np.sqrt(angle)
    columns["kink_x_sigma"][rows], columns["kink_y_sigma"][rows] = np.sqrt(covariance[:, 2, 2]), np.sqrt(covariance[:, 3, 3])
    columns["chi2"][rows] = np.einsum("ni,ni->n", difference, np.linalg.solve(covariance, difference[:, :, None])[:, :, 0])

    rows = np.flatnonzero(found & (np.hypot(columns["kink_x"], columns["kink_y"]) > 0.0))
    middle = detector.ecal.z + 0.5 * detector.ecal.length
    vertex, covariance, chi2 = _vertex(_rows(ms1, rows), _rows(ms2, rows), slabs, middle)
    for i, name in enumerate(("x", "y", "z")):
        columns[name][rows] = vertex[:, i]
        columns[f"{name}_error"][rows] = np.sqrt(covariance[:, i, i])
    columns["vertex_chi2"][rows] = chi2
    return Junction(ndf=4, **columns)


def join_fits(ms1: FittedTracks, ms2: FittedTracks, detector: DetectorLike) -> Junction:
    """Join fitted tracks of the same events; see join.

    Parameters
    ----------
    ms1, ms2 : FittedTracks
        Tracks of MS1 and MS2, one per event.
    detector : Detector, str or Path
        The description.

    Returns
    -------
    Junction
        NaN where a fit is not good.

    Raises
    ------
    ArgumentError
        If both have not the same events.
    """
    detector = load_detector(detector)
    downstream = np.where(ms1.good[:, None], ms1.downstream, np.nan)
    upstream = np.where(ms2.good[:, None], ms2.upstream, np.nan)
    return join(
        TrackEnd(float(spectrometer(detector, 1).z[-1]), downstream, ms1.downstream_covariance),
        TrackEnd(float(spectrometer(detector, 2).z[0]), upstream, ms2.upstream_covariance),
        detector,
    )
