"""What holds a common movement, and what it leaves of the momentum scale.

Knowledge is added piece by piece: the bent tracks (with the modules that are fixed), straight tracks, p_in = p_out of MIP muons, the survey. The
piece that brings the error of a movement down to what it finally is, is said to hold it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from na64mu.alignment.parameters import FreeParameters, Mode
from na64mu.alignment.reference import ReferenceSums
from na64mu.alignment.solver import NormalEquations
from na64mu.typing import FloatArray

__all__ = ("TRACKS", "HeldMode", "Knowledge", "Scale")

TRACKS, STRAIGHT, REFERENCE, SURVEY = "tracks", "straight tracks", "p_in = p_out", "survey"
NEXT_TO_NOTHING = 1e-8  # of the survey's information, so that a matrix without knowledge of a movement has an inverse
AS_GOOD = 1.5  # a piece of knowledge holds a movement if its error is no larger than this many times the final one


@dataclass(frozen=True)
class HeldMode:
    """A common movement: its error in its own unit, what holds it, and the relative error of 1/p that it implies."""

    error: float
    held_by: str
    momentum: float


@dataclass(frozen=True)
class Scale:
    """The momentum scale of a spectrometer.

    Attributes
    ----------
    error : float
        Relative standard deviation of an error of 1/p that all tracks share.
    held_by : str
        The knowledge that holds it.
    n_muons : int
        MIP muons that were compared with p_in.
    offset, offset_error : float
        Relative difference of the 1/p that p_in and the ECAL let expect and the fitted one, and its error.
    """

    error: float
    held_by: str
    n_muons: int
    offset: float = 0.0
    offset_error: float = float("inf")


@dataclass(frozen=True)
class Knowledge:
    """Pieces of knowledge as matrices of information, of shape (g, g), in units of 1 / survey^2; `common` as in MomentumReference.

    Attributes
    ----------
    parameters : FreeParameters
        What was aligned.
    bent, straight : FloatArray
        Tracks with and without field.
    reference : ReferenceSums
        MIP muons.
    survey : FloatArray
        Information on every parameter, shape (g,).
    common : float
        Relative error of the expected momenta that all of them share.
    """

    parameters: FreeParameters
    bent: FloatArray
    straight: FloatArray
    reference: ReferenceSums
    survey: FloatArray
    common: float

    @classmethod
    def of(
        cls,
        parameters: FreeParameters,
        equations: list[tuple[bool, NormalEquations]],
        reference: ReferenceSums,
        survey: FloatArray,
        common: float,
    ) -> Knowledge:
        """Sort the sums of the samples.

        Parameters
        ----------
        parameters : FreeParameters
            What was aligned.
        equations : list of (bool, NormalEquations)
            Whether the field was on, and the sums of a sample.
        reference : ReferenceSums
            MIP muons.
        survey : FloatArray
            Information of the survey in units of 1 / survey^2, shape (g,).
        common : float
            Relative error that all expected momenta share.

        Returns
        -------
        Knowledge
            All of it.
        """
        own = np.outer(parameters.survey, parameters.survey)
        zero = np.zeros_like(own)
        bent, straight = (sum((e.matrix for field, e in equations if field == on), zero) * own for on in (True, False))
        return cls(parameters, bent, straight, reference, survey, common)

    def _pieces(self) -> list[tuple[str, FloatArray]]:
        """Covariance with more and more knowledge, by the name of the piece that came last; in units of the survey."""
        information = self.bent + NEXT_TO_NOTHING * np.eye(len(self.survey))
        found: list[tuple[str, FloatArray]] = [(TRACKS, np.asarray(np.linalg.inv(information), dtype=np.float64))]
        more = (
            (STRAIGHT, self.straight),
            (REFERENCE, self.reference.matrix * np.outer(self.parameters.survey, self.parameters.survey)),
            (SURVEY, np.diag(self.survey)),
        )
        for name, own in more:
            if own.any():
                information = information + own
                found.append((name, np.asarray(np.linalg.inv(information), dtype=np.float64)))
        return found

    def _error(self, direction: FloatArray, covariance: FloatArray, *, with_reference: bool) -> float:
        """Error of `direction` . d, with what all references share."""
        own = float(direction @ covariance @ direction)
        common = 0.0
        if with_reference and self.reference.n_muons:
            unit = self.reference.unit * self.parameters.survey
            common = float(direction @ covariance @ unit) * self.common * self._curvature
        return float(np.sqrt(max(own, 0.0) + common**2))

    @property
    def _curvature(self) -> float:
        return self.reference.curvature / max(self.reference.n_tracks, 1)

    @property
    def _response(self) -> FloatArray:
        """Relative change of 1/p per unit of every parameter, in units of the survey, shape (g,)."""
        return self.reference.response / max(self.reference.curvature, 1e-300) * self.parameters.survey

    def _held(self, direction: FloatArray) -> tuple[float, str]:
        errors = []
        for name, covariance in self._pieces():
            errors.append((name, self._error(direction, covariance, with_reference=name in (REFERENCE, SURVEY))))
        final = errors[-1][1]
        return final, next(name for name, error in errors if error <= AS_GOOD * final)

    def scale(self) -> Scale | None:
        """The momentum scale; None without bent tracks."""
        if not self.reference.n_tracks:
            return None
        error, held_by = self._held(self._response)
        offset, uncertain = self.reference.offset
        return Scale(error, held_by, self.reference.n_muons, offset, float(np.hypot(uncertain, self.common)))

    def modes(self, modes: list[Mode]) -> list[HeldMode]:
        """Error of every common movement, what holds it, and what it makes of 1/p.

        Parameters
        ----------
        modes : list of Mode
            The movements.

        Returns
        -------
        list of HeldMode
            In the same order.
        """
        if not modes:
            return []
        vectors = np.array([mode.vector for mode in modes]) / self.parameters.survey
        found = []
        for vector, amplitude in zip(vectors, np.linalg.pinv(vectors).T, strict=True):  # all amplitudes are fitted together
            error, held_by = self._held(amplitude)
            found.append(HeldMode(error, held_by, abs(float(self._response @ vector)) * error))
        return found
