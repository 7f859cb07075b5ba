"""Input files for Millepede II: one binary record per track, and a steering file with the names of the parameters.

A record is an int32 (twice the number n of words), n float32 and n int32, in the byte order of the machine. Word 0 is empty.
Each measurement has a word with its value (int: 0), one per local derivative (int: its number, from 1), a word with its
standard deviation (int: 0), and one per global derivative (int: its label).

Multiple scattering makes the hits of a track depend on each other. They are written as the innovations of a filter:
V = L L^T with L lower triangular, and L^-1 (r - J a - G p) has independent components of variance 1. Row i is hit i minus
what the hits before it say about the scattering up to there, so that it still belongs to plane i.

References
----------
V. Blobel, C. Kleinwort, F. Meier, Comput. Phys. Commun. 182 (2011) 1760; Millepede II draft manual, section "Data files".
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import numpy as np

from na64mu.alignment.align import AlignedSpectrometer, chunks
from na64mu.alignment.parameters import COMPONENTS
from na64mu.alignment.residuals import SCALE
from na64mu.alignment.sample import Sample
from na64mu.common.whole_file import whole_file, write_whole
from na64mu.detector import DetectorLike, load_detector
from na64mu.errors import writing
from na64mu.typing import FloatArray, IntArray

__all__ = ("label", "write_millepede")


def label(detector: DetectorLike, module: str, component: str) -> int:
    """Number of a parameter: ten times the number of the module, from 1 in the order of the description, plus 1 (dx), 2 (dy) or 3 (drotation)."""
    detector = load_detector(detector)
    return 10 * (1 + list(detector.trackers).index(module)) + 1 + COMPONENTS.index(component)


def write_millepede(path: str | Path, aligned: list[AlignedSpectrometer], samples: list[list[Sample]]) -> tuple[Path, Path]:
    """Write the selected tracks of an alignment, with the residuals that the description to be corrected gives.

    Parameters
    ----------
    path : str or Path
        Binary file to write; the steering file has the ending .steer.
    aligned : list of AlignedSpectrometer
        MS1, MS2 or both.
    samples : list of list of Sample
        Samples that each alignment was made from.

    Returns
    -------
    tuple of Path
        Binary file and steering file. The parameters start at 0, their presigmas are the survey errors: `pede` then ends at
        the corrections of `na64mu align`, up to the common modes, which it pulls to the survey.
    """
    target = Path(path)
    steering = target.with_suffix(".steer")
    with writing(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
    lines = ["Cfiles", target.name, "", "Parameter  ! label, start, presigma [mm or rad]"]
    with whole_file(target) as part, part.open("wb") as file:
        for spectrometer, parts in zip(aligned, samples, strict=True):
            start = parts[0].detector
            parameters = spectrometer.parameters
            lines += [
                f"{label(start, parameters.modules[i], c):6d}  0.0  {survey:g}  ! {parameters.modules[i]} {c}"
                for (i, c), survey in zip(parameters.free, parameters.survey, strict=True)
            ]
            for tracks, sample in zip(spectrometer.tracks, parts, strict=True):
                planes = sample.planes(start).planes
                labels = np.array([[label(start, p.station, c) for c in COMPONENTS] for p in planes])
                labels[parameters.columns(sample.planes(start)) < 0] = 0  # not a free parameter
                for _, fitted in chunks(tracks, sample, start):
                    local = fitted.local / SCALE[: fitted.local.shape[2]]
                    for t in range(len(fitted.r)):
                        used = fitted.used[t]
                        _write_record(
                            file,
                            fitted.r[t, used],
                            local[t, used],
                            fitted.along[t, used],
                            fitted.covariance[t][np.ix_(used, used)],
                            labels[used],
                        )
    lines += ["", "method inversion 5 0.01", "chiscut 30. 6.", "end"]
    write_whole(steering, "\n".join(lines) + "\n")
    return target, steering


def _write_record(file: BinaryIO, r: FloatArray, local: FloatArray, along: FloatArray, covariance: FloatArray, labels: IntArray) -> None:
    """Write one track: r (m,), local (m, n_local), along (m, 3) with labels (m, 3), covariance (m, m)."""
    whitening = np.linalg.inv(np.linalg.cholesky(covariance))
    present = np.unique(labels[labels > 0])
    derivatives = np.zeros((len(r), len(present)))
    plane, component = np.nonzero(labels > 0)
    derivatives[plane, np.searchsorted(present, labels[plane, component])] = -along[plane, component]  # of the model, not of the residual
    values, local, derivatives = whitening @ r, whitening @ local, whitening @ derivatives
    floats, integers = [np.zeros(1)], [np.zeros(1, dtype=np.int64)]
    for i in range(len(r)):
        known = derivatives[i] != 0.0
        floats += [values[i : i + 1], local[i], np.ones(1), derivatives[i, known]]
        integers += [np.zeros(1, dtype=np.int64), np.arange(1, local.shape[1] + 1), np.zeros(1, dtype=np.int64), present[known]]
    words = np.concatenate(floats)
    file.write(np.array([2 * len(words)], dtype=np.int32).tobytes())
    file.write(words.astype(np.float32).tobytes())
    file.write(np.concatenate(integers).astype(np.int32).tobytes())
