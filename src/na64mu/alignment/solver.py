"""The global chi2: normal equations of the alignment summed over tracks, and their solution.

Directions that the tracks do not constrain (the common modes of parameters.py, and modules without hits) are held at the description: the
solution has no component along these directions, and errors are those inside the frame that this fixes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh

from na64mu.alignment.parameters import FreeParameters, Mode
from na64mu.alignment.residuals import TrackResiduals, spread_globals
from na64mu.typing import BoolArray, FloatArray, IntArray

__all__ = ("NormalEquations", "Solution", "solve")

HELD_MODE = 0.01  # a common mode is held if tracks constrain it by less than this fraction of what they do for single modules
HELD_REST = 0.5  # any other direction is held if tracks constrain it hardly better than the survey


@dataclass
class NormalEquations:
    """Matrix N, right side b and statistics: the chi2 is least for N d = b.

    Attributes
    ----------
    matrix : FloatArray
        Shape (g, g).
    right : FloatArray
        Shape (g,).
    chi2 : float
        Sum of the chi2 of all tracks at d = 0.
    ndf : int
        Sum of the degrees of freedom of all tracks.
    n_tracks : int
        Number of tracks.
    n_hits : IntArray
        Hits on every plane, shape (n_planes,).
    """

    matrix: FloatArray
    right: FloatArray
    chi2: float
    ndf: int
    n_tracks: int
    n_hits: IntArray

    @classmethod
    def empty(cls, n_parameters: int, n_planes: int) -> NormalEquations:
        """No tracks yet."""
        zero = np.zeros(n_planes, dtype=np.int64)
        return cls(np.zeros((n_parameters, n_parameters)), np.zeros(n_parameters), 0.0, 0, 0, zero)

    @classmethod
    def total(cls, parts: list[NormalEquations]) -> NormalEquations:
        """Sum of several samples of the same parameters."""
        found = cls.empty(len(parts[0].right), len(parts[0].n_hits))
        for part in parts:
            found.matrix += part.matrix
            found.right += part.right
            found.chi2 += part.chi2
            found.ndf += part.ndf
            found.n_tracks += part.n_tracks
            found.n_hits = found.n_hits + part.n_hits
        return found

    def add(self, tracks: TrackResiduals, columns: IntArray) -> None:
        """Add tracks.

        Parameters
        ----------
        tracks : TrackResiduals
            Fitted tracks.
        columns : IntArray
            Parameter of every plane and component, shape (n_planes, 3); from FreeParameters.columns.
        """
        derivatives = spread_globals(tracks.along, columns, len(self.right))
        projected = tracks.projected @ derivatives
        flat = len(tracks.r) * derivatives.shape[1]
        self.matrix += derivatives.reshape(flat, -1).T @ projected.reshape(flat, -1)
        self.right -= np.einsum("nm,nmg->g", tracks.r, projected)
        self.chi2 += float(tracks.chi2.sum())
        self.ndf += int(tracks.ndf.sum())
        self.n_tracks += len(tracks.r)
        self.n_hits = self.n_hits + tracks.used.sum(axis=0)


@dataclass(frozen=True)
class Solution:
    """Solution of the normal equations.

    Attributes
    ----------
    step : FloatArray
        Correction to add to the parameters [mm or rad], shape (g,).
    error : FloatArray
        Standard deviations inside the frame of the held modes, NaN for parameters that are held; shape (g,).
    covariance : FloatArray
        Shape (g, g).
    held : FloatArray
        Directions that are held, orthonormal in units of the survey, shape (n_held, g).
    followed : FloatArray
        Movement of all parameters when a held direction moves by 1, at the minimum of the chi2, in units of the survey, shape (g, n_held).
    mode_error : FloatArray
        Error of the amplitude of every mode from the tracks, in its unit; infinite if no better than the survey. Shape (n_modes,).
    mode_held : BoolArray
        Whether it is held.
    """

    step: FloatArray
    error: FloatArray
    covariance: FloatArray
    held: FloatArray
    followed: FloatArray
    mode_error: FloatArray
    mode_held: BoolArray


def solve(equations: NormalEquations, parameters: FreeParameters, modes: list[Mode]) -> Solution:
    """Solve the normal equations, with the directions held that the tracks do not constrain.

    Parameters
    ----------
    equations : NormalEquations
        Summed over all tracks.
    parameters : FreeParameters
        The free parameters with their survey errors.
    modes : list of Mode
        Common modes.

    Returns
    -------
    Solution
        Step, errors, and what was held.
    """
    survey = parameters.survey
    matrix = equations.matrix * np.outer(survey, survey)  # everything in units of the survey from here on
    posterior: FloatArray = np.asarray(np.linalg.inv(matrix + np.eye(len(survey))), dtype=np.float64)
    held, mode_error = _held_modes(posterior, np.diag(matrix), modes, survey)
    rest = np.linalg.svd(held)[2][len(held) :] if len(held) else np.eye(len(survey))
    values, vectors = np.linalg.eigh(rest @ matrix @ rest.T)
    known = values > 1.0 / HELD_REST**2 - 1.0
    directions = vectors.T @ rest
    held = np.concatenate([held, directions[~known]])
    inverse = (directions[known].T / values[known]) @ directions[known]
    covariance = inverse * np.outer(survey, survey)
    lost = np.sum(held**2, axis=0) > 0.99  # nothing of the parameter is left
    error = np.where(lost, np.nan, np.sqrt(np.diag(covariance)))
    mode_held = np.array([float(np.sum((held @ own) ** 2)) > 0.5 for own in _own_parts(modes, survey)[0]], dtype=np.bool_)
    moving = posterior @ held.T
    followed = moving @ np.linalg.inv(held @ moving)
    return Solution(survey * (inverse @ (survey * equations.right)), error, covariance, held, followed, mode_error, mode_held)


def _own_parts(modes: list[Mode], survey: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Part of each mode that is orthogonal to the modes before it: unit vectors in units of the survey, and the size of that part."""
    vectors = np.array([m.vector / survey for m in modes]).reshape(-1, len(survey))
    directions, triangle = np.linalg.qr(vectors.T)
    return directions.T, np.abs(np.diag(triangle))


def _held_modes(posterior: FloatArray, information: FloatArray, modes: list[Mode], survey: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Combinations of the modes to hold (orthonormal), and the error of every mode's amplitude in its own unit."""
    if not modes:
        return np.zeros((0, len(survey))), np.zeros(0)
    own, size = _own_parts(modes, survey)
    known = np.sqrt(np.einsum("ag,gh,ah->a", own, posterior, own))
    # the survey is part of the posterior: 1 / s^2 = 1 / s_tracks^2 + 1
    tracks = np.divide(known, np.sqrt(np.clip(1.0 - known**2, 1e-12, None)), out=np.full(len(modes), np.inf), where=known < 0.7)
    basis = own[size > 1e-3 * size.max()]
    common = np.linalg.inv(basis @ posterior @ basis.T)
    one_by_one = (basis * (information + 1.0)) @ basis.T
    shares, directions = eigh(common, one_by_one)
    weak = directions[:, shares < HELD_MODE].T @ basis
    return (np.linalg.qr(weak.T)[0].T if len(weak) else weak), tracks / size
