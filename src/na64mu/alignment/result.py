"""Makes an alignment file from samples: aligns both spectrometers, calibrates the straws, measures the planes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from na64mu import __version__
from na64mu.alignment.align import AlignedSpectrometer, align_spectrometer, chunks
from na64mu.alignment.doubt import LARGEST_SCALE_ERROR, doubt_about
from na64mu.alignment.parameters import fixed_modules
from na64mu.alignment.performance import measure_planes
from na64mu.alignment.reference import MomentumReference, reference_of
from na64mu.alignment.sample import Sample, rounded
from na64mu.alignment.straws import measure_drift
from na64mu.detector import DetectorLike, load_detector
from na64mu.detector.alignment import Alignment, AlignmentInput, AlignmentMode, ModuleCorrection, MomentumScale
from na64mu.errors import CalibrationError

__all__ = ("AlignmentRun", "align_detector")


@dataclass(frozen=True)
class AlignmentRun:
    """An alignment and its inputs: one entry per spectrometer."""

    alignment: Alignment
    spectrometers: list[AlignedSpectrometer]
    samples: list[list[Sample]]


def _corrections(aligned: AlignedSpectrometer) -> list[ModuleCorrection]:
    """Corrections of the modules with a free parameter; a parameter that is held fixed has no error."""
    stations = [p.station for p in aligned.planes]
    hits = {name: int(sum(n for s, n in zip(stations, aligned.equations.n_hits, strict=True) if s == name)) for name in stations}
    fields: dict[int, dict[str, float]] = {}
    for (i, component), value, error in zip(aligned.parameters.free, aligned.correction, aligned.solution.error, strict=True):
        own = fields.setdefault(i, {})
        own[component] = rounded(value)
        if np.isfinite(error):
            own[f"{component}_error"] = rounded(error)
    names = aligned.parameters.modules
    return [ModuleCorrection.model_validate({"name": names[i], "n_hits": hits[names[i]], **own}) for i, own in fields.items()]


def _modes(aligned: AlignedSpectrometer, name: str) -> list[AlignmentMode]:
    s, known = aligned.solution, aligned.knowledge.modes(aligned.modes)
    return [
        AlignmentMode(
            spectrometer=name,
            name=m.name,
            unit=m.unit,
            held=bool(held),
            error=rounded(error) if np.isfinite(error) else None,
            size=rounded(own.error),
            held_by=own.held_by,
            momentum=rounded(own.momentum),
        )
        for m, error, held, own in zip(aligned.modes, s.mode_error, s.mode_held, known, strict=True)
    ]


def _references(aligned: AlignedSpectrometer, samples: list[Sample]) -> list[MomentumReference | None] | None:
    """Expected momenta behind the ECAL of the events of every sample of MS1; None if its momentum scale is not known."""
    scale = aligned.knowledge.scale()
    if scale is None:
        return None
    found = []
    for tracks, sample in zip(aligned.tracks, samples, strict=True):
        variance = np.concatenate([np.zeros(0), *(part.curvature_variance for _, part in chunks(tracks, sample, aligned.detector))])
        found.append(reference_of(sample, tracks.event, tracks.state, variance, scale.error))
    return found


def _scale(aligned: AlignedSpectrometer, doubt: str) -> list[MomentumScale]:
    own = aligned.knowledge.scale()
    if own is None:
        return []
    compared = {"offset": rounded(own.offset), "offset_error": rounded(own.offset_error)} if own.n_muons else {}
    return [
        MomentumScale(
            spectrometer=aligned.name, error=rounded(own.error), held_by=own.held_by, n_muons=own.n_muons, accepted=doubt, **compared
        )
    ]


def align_detector(
    samples: list[list[Sample]],
    description: DetectorLike,
    source: str,
    *,
    fixed: Iterable[str] | str = (),
    survey_shift: float = 1.0,
    survey_rotation: float = 5e-3,
    largest_scale_error: float = LARGEST_SCALE_ERROR,
    accept: bool = False,
    inputs: tuple[AlignmentInput, ...] = (),
    progress: Callable[[str], object] | None = None,
) -> AlignmentRun:
    """Align and calibrate the trackers of a description.

    Parameters
    ----------
    samples : list of list of Sample
        For every spectrometer its samples, with and without field.
    description : Detector, str or Path
        Description that the corrections are for; the samples may have been made with other drift relations.
    source : str
        Reference to the description: its tag, or the name of its file.
    fixed : str or iterable of str
        Modules that stay where they are.
    survey_shift, survey_rotation : float
        Prior uncertainty of the description [mm, rad].
    largest_scale_error : float
        Largest relative error of a momentum scale that is written.
    accept : bool
        Write an alignment that would be refused, with the reason.
    inputs : tuple of AlignmentInput
        The files.
    progress : callable, optional
        Called with lines of text.

    Returns
    -------
    AlignmentRun
        The content of the file, and the tracks.

    Raises
    ------
    CalibrationError
        If a fixed module does not exist, there are too few tracks, or (without `accept`) the result is worse than the description or leaves a
        momentum scale that nobody knows.
    """
    description = load_detector(description)
    fixed = fixed_modules(fixed, description)
    aligned, planes, straws, scales = [], [], [], []
    references: list[MomentumReference | None] | None = None
    for parts in samples:
        result = align_spectrometer(
            parts, fixed=fixed, survey_shift=survey_shift, survey_rotation=survey_rotation, references=references, progress=progress
        )
        references = _references(result, parts) if parts[0].number == 1 else None
        doubt = doubt_about(result, parts, largest_scale_error)
        if doubt and not accept:
            msg = f"the alignment of {result.name.upper()} is refused, since {doubt}"
            raise CalibrationError(msg)
        scales += _scale(result, doubt)
        aligned.append(result)
        straws += measure_drift(result, parts)
        planes += measure_planes(result, parts)
        if progress is not None:
            progress(f"{result.name.upper()}: resolutions, efficiencies and noise of {len(result.planes)} planes measured")
    alignment = Alignment(
        format_version=1,
        detector=source,
        digest=description.digest,
        version=__version__,
        n_tracks={a.name: a.equations.n_tracks for a in aligned},
        chi2_ndf={a.name: rounded(a.equations.chi2 / a.equations.ndf) for a in aligned},
        fixed=tuple(sorted(fixed)),
        survey_shift=survey_shift,
        survey_rotation=survey_rotation,
        modules=tuple(c for a in aligned for c in _corrections(a)),
        modes=tuple(m for a in aligned for m in _modes(a, a.name)),
        scales=tuple(scales),
        planes=tuple(planes),
        straws=tuple(straws),
        inputs=inputs,
    )
    return AlignmentRun(alignment, aligned, samples)
