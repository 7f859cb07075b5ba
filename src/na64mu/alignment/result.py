"""Makes an alignment file from samples: aligns both spectrometers, calibrates the straws, measures the planes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from na64mu import __version__
from na64mu.alignment.align import AlignedSpectrometer, align_spectrometer
from na64mu.alignment.parameters import fixed_modules
from na64mu.alignment.performance import measure_planes
from na64mu.alignment.sample import Sample, rounded
from na64mu.alignment.straws import measure_drift
from na64mu.detector import DetectorLike, load_detector
from na64mu.detector.alignment import Alignment, AlignmentInput, AlignmentMode, ModuleCorrection

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
    s = aligned.solution
    return [
        AlignmentMode(spectrometer=name, name=m.name, unit=m.unit, held=bool(held), error=rounded(error) if np.isfinite(error) else None)
        for m, error, held in zip(aligned.modes, s.mode_error, s.mode_held, strict=True)
    ]


def align_detector(
    samples: list[list[Sample]],
    description: DetectorLike,
    source: str,
    *,
    fixed: Iterable[str] | str = (),
    survey_shift: float = 1.0,
    survey_rotation: float = 5e-3,
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
        If a fixed module does not exist, or there are too few tracks.
    """
    description = load_detector(description)
    fixed = fixed_modules(fixed, description)
    aligned, planes, straws = [], [], []
    for parts in samples:
        result = align_spectrometer(parts, fixed=fixed, survey_shift=survey_shift, survey_rotation=survey_rotation, progress=progress)
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
        planes=tuple(planes),
        straws=tuple(straws),
        inputs=inputs,
    )
    return AlignmentRun(alignment, aligned, samples)
