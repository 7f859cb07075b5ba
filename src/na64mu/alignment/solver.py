"""The global chi2: normal equations of the alignment summed over tracks, and their solution.

What the tracks cannot know (the common modes of parameters.py, and modules without hits) is held at the description: the
solution has no component along these directions, and errors are those inside the frame that this fixes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from na64mu.alignment.parameters import FreeParameters, Mode
from na64mu.alignment.residuals import TrackResiduals, spread_globals
from na64mu.typing import BoolArray, FloatArray, IntArray

__all__ = ("NormalEquations", "Solution", "solve")

HELD_MODE = 0.02  # a common mode that tracks know worse than this fraction of the survey is held: 20 um of 1 mm
HELD_REST = 0.5  # any other direction is held if tracks know it hardly better than the survey


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
        Of all tracks at d = 0.
    ndf : int
        Of all tracks.
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
        What to add to the parameters [mm or rad], shape (g,).
    error : FloatArray
        Standard deviations inside the frame of the held modes, NaN for parameters that are held; shape (g,).
    covariance : FloatArray
        Shape (g, g).
    held : FloatArray
        Directions that are held, orthonormal in units of the survey, shape (n_held, g).
    mode_error : FloatArray
        What the tracks know of the amplitude of every mode, in its unit; infinite where no more than the survey. Shape (n_modes,).
    mode_held : BoolArray
        Whether it is held.
    """

    step: FloatArray
    error: FloatArray
    covariance: FloatArray
    held: FloatArray
    mode_error: FloatArray
    mode_held: BoolArray


def solve(equations: NormalEquations, parameters: FreeParameters, modes: list[Mode]) -> Solution:
    """Solve the normal equations, with everything held that the tracks do not know.

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
    held, mode_error = _held_modes(posterior, modes, survey)
    rest = np.linalg.svd(held)[2][len(held) :] if len(held) else np.eye(len(survey))
    values, vectors = np.linalg.eigh(rest @ matrix @ rest.T)
    known = values > 1.0 / HELD_REST**2 - 1.0
    directions = vectors.T @ rest
    held = np.concatenate([held, directions[~known]])
    inverse = (directions[known].T / values[known]) @ directions[known]
    covariance = inverse * np.outer(survey, survey)
    lost = np.sum(held**2, axis=0) > 0.99  # nothing of the parameter is left
    error = np.where(lost, np.nan, np.sqrt(np.diag(covariance)))
    amplitude = [m.vector / survey / np.linalg.norm(m.vector / survey) for m in modes]
    mode_held = np.array([float(np.sum((held @ a) ** 2)) > 0.5 for a in amplitude], dtype=np.bool_)
    return Solution(survey * (inverse @ (survey * equations.right)), error, covariance, held, mode_error, mode_held)


def _held_modes(posterior: FloatArray, modes: list[Mode], survey: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Combinations of the modes to hold (orthonormal), and the error of every mode's amplitude in its own unit."""
    if not modes:
        return np.zeros((0, len(survey))), np.zeros(0)
    vectors = np.array([m.vector / survey for m in modes])
    norm = np.linalg.norm(vectors, axis=1)
    known = np.sqrt(np.einsum("ag,gh,ah->a", vectors, posterior, vectors)) / norm  # in units of the survey
    # the survey is part of the posterior: 1 / s^2 = 1 / s_tracks^2 + 1
    tracks = np.divide(known, np.sqrt(np.clip(1.0 - known**2, 0.0, None)), out=np.full(len(modes), np.inf), where=known < 0.7)
    _, singular, basis = np.linalg.svd(vectors / norm[:, None], full_matrices=False)
    basis = basis[singular > 1e-3]
    values, rotation = np.linalg.eigh(basis @ posterior @ basis.T)
    return (rotation.T @ basis)[np.sqrt(values) > HELD_MODE], tracks / norm
