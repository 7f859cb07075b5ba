"""The Kalman filter of ACTS (wheel `pyacts`) on the hits of the telescope benchmark.

ACTS flies along X here, because a beam along Z is singular in its angles: X = z - ORIGIN, Y = x, Z = y. Its reference for seeds and
results is a perigee at the origin, 20 mm before the first plane.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import acts
import numpy as np
from acts import examples
from telescope import Sample, telescope

from na64mu.typing import FloatArray

__all__ = ("fit_telescope",)

ORIGIN = -2500.0  # mm
#: Standard deviations of the start: d0, z0 [mm], phi, theta [rad], q/p [c/GeV].
START = np.array([2.0, 2.0, 2e-3, 2e-3, 5e-3])
BATCH = 500  # tracks per event
QUIET = acts.logging.ERROR
PARAMETERS = ("d0", "z0", "phi", "theta", "qop")


class Inject(examples.IAlgorithm):  # type: ignore[misc]
    """Writes measurements and their tracks to the event store."""

    def __init__(self) -> None:
        super().__init__("inject", QUIET)
        self.kept: list[Any] = []  # what is on the whiteboard must not be collected
        self.measurements = examples.WriteDataHandle(self, examples.MeasurementContainer, "Measurements")
        self.measurements.initialize("measurements")
        self.tracks = examples.WriteDataHandle(self, examples.ProtoTrackContainer, "Tracks")
        self.tracks.initialize("prototracks")

    def put(self, context: Any, surfaces: list[Any], u: FloatArray, sigma: FloatArray) -> None:
        """One event of complete tracks."""
        container = examples.MeasurementContainer()
        tracks = examples.ProtoTrackContainer()
        for hits in u:
            track = examples.ProtoTrack()
            for surface, x, y, s in zip(surfaces, hits[::2], hits[1::2], sigma[::2], strict=True):
                track.append(len(container))
                container.emplaceMeasurement(surface.geometryId, [0, 1], [-y, x], [s * s, s * s])
            tracks.append(track)
        self.kept = [container, tracks]
        self.measurements(context, container)
        self.tracks(context, tracks)


def _write_seeds(folder: Path, event: int, seed: FloatArray, z_first: float) -> None:
    """Seeds as the reader of ACTS wants them: a file of perigee parameters per event."""
    x, y = (seed[:, i] + (ORIGIN - z_first) * seed[:, 2 + i] for i in (0, 1))
    phi = np.arctan(seed[:, 2])
    theta = np.arctan2(1.0, seed[:, 3] * np.cos(phi))
    values = np.stack([x * np.cos(phi), y, phi, theta, seed[:, 4]], axis=1)
    names = [*PARAMETERS, *(f"var_{p}" for p in PARAMETERS), *(f"cov_{p}{q}" for p in PARAMETERS for q in PARAMETERS if p != q)]
    table = np.hstack([np.arange(len(seed))[:, None], values, np.broadcast_to(START**2, (len(seed), 5)), np.zeros((len(seed), 20))])
    np.savetxt(folder / f"event{event:09d}-seeds.csv", table, delimiter=",", header=",".join(["trackId", *names]), comments="", fmt="%.12g")


def _field() -> Any:
    """The dipole; a field of zero for everywhere comes first."""
    box = telescope().boxes[0]
    everywhere = (-1e6, 1e6)
    return acts.MultiRangeBField([
        (acts.RangeXDDim3(everywhere, everywhere, everywhere), acts.Vector3(0.0, 0.0, 0.0)),
        (acts.RangeXDDim3((box[0] - ORIGIN, box[1] - ORIGIN), everywhere, everywhere), acts.Vector3(0.0, 0.0, box[3] * acts.UnitConstants.T)),
    ])  # fmt: skip


def fit_telescope(sample: Sample, seed: FloatArray) -> tuple[FloatArray, FloatArray, float]:
    """Fit tracks of the telescope with ACTS.

    Parameters
    ----------
    sample : Sample
        Complete tracks.
    seed : FloatArray
        Parameters at the first plane, shape (n, 5).

    Returns
    -------
    tuple
        q/p and its standard deviation [c/GeV], shape (n,), NaN where ACTS gives no track; processor time of the fit [s].
    """
    ms = telescope()
    z = np.array([p.z for p in ms.planes])[::2]
    sigma = np.array([p.sigma for p in ms.planes])
    detector = examples.TelescopeDetector(
        positions=(z - ORIGIN).tolist(), stereos=[0.0] * len(z), offsets=[0.0, 0.0], bounds=[1500.0, 1500.0], thickness=0.3, surfaceType=0,
        rotDirection=0, logLevel=QUIET,
    )  # fmt: skip
    geometry, surfaces = detector.trackingGeometry(), []
    geometry.visitSurfaces(surfaces.append, True)
    fit = examples.makeKalmanFitterFunction(
        geometry, _field(), multipleScattering=True, energyLoss=False, reverseFilteringMomThreshold=0.0, reverseFilteringCovarianceScaling=100.0,
        freeToBoundCorrection=examples.FreeToBoundCorrection(False), chi2Cut=float("inf"), useJosephFormulation=False, level=QUIET,
    )  # fmt: skip
    fitter = examples.TrackFittingAlgorithm(
        level=QUIET, inputMeasurements="measurements", inputProtoTracks="prototracks", inputInitialTrackParameters="seeds", inputClusters="",
        outputTracks="tracks", pickTrack=-1, fit=fit, calibrator=examples.makePassThroughCalibrator(),
        referenceSurface=acts.Surface.createPerigee(acts.Vector3(0.0, 0.0, 0.0)),
    )  # fmt: skip
    inject = Inject()
    result = examples.ReadDataHandle(inject, examples.ConstTrackContainer, "Result")
    result.initialize("tracks")
    qop, error, seconds = np.full(len(seed), np.nan), np.full(len(seed), np.nan), 0.0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        starts = range(0, len(seed), BATCH)
        for event, first in enumerate(starts):
            _write_seeds(folder, event, seed[first : first + BATCH], z[0])
        reader = examples.CsvTrackParameterReader(level=QUIET, inputDir=name, inputStem="seeds", outputTrackParameters="seeds")
        for event, first in enumerate(starts):
            board = examples.WhiteBoard(QUIET)
            context = examples.AlgorithmContext(0, event, board, 0)
            reader.read(context)
            inject.put(context, surfaces, sample.u[first : first + BATCH], sigma)
            begin = time.process_time()
            fitter.internalExecute(context)
            seconds += time.process_time() - begin
            tracks = result(board)
            _match(tracks, sample.u[first : first + BATCH], qop[first : first + BATCH], error[first : first + BATCH])
    return qop, error, seconds


def _match(tracks: Any, u: FloatArray, qop: FloatArray, error: FloatArray) -> None:
    """Put the tracks of ACTS, which leaves out failed fits, beside their hits."""
    parameters, covariance = np.asarray(tracks.parameters), np.asarray(tracks.covariance)
    if len(tracks) == len(u):
        qop[:], error[:] = parameters[:, 4], np.sqrt(covariance[:, 4, 4])
        return
    for i in range(len(tracks)):  # nearest in position at the first plane
        at = int(np.argmin(np.hypot(parameters[i, 0] - u[:, 0], parameters[i, 1] - u[:, 1])))
        qop[at], error[at] = parameters[i, 4], np.sqrt(covariance[i, 4, 4])
