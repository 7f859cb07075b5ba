"""Exposure, backgrounds and counts of an output folder; apart from the limits, so that the report of a run does not depend on them."""

from __future__ import annotations

from collections.abc import Sequence

from na64mu.analysis.backgrounds import estimate_backgrounds
from na64mu.analysis.counting import Counting, counting_of, unweighted
from na64mu.analysis.joined import joined
from na64mu.errors import InputError
from na64mu.results.run import RunResult

__all__ = ("BACKGROUNDS", "LETTER", "counting_from")

#: Word for the Letter's exposure, Table I and empty signal box.
LETTER = "letter"
#: Where the backgrounds of an output folder come from: estimated from it, or Table I scaled to its exposure.
BACKGROUNDS = ("own", LETTER)


def counting_from(
    result: RunResult,
    *,
    physics: str | Sequence[str] | None = None,
    calibration: str | None = None,
    region_d: str | None = None,
    hadrons: str | None = None,
    backgrounds: str = "own",
    n_mot: float | None = None,
    seed: int = 1,
) -> Counting:
    """Exposure, backgrounds and counts of an output folder, with the backgrounds estimated from it.

    Parameters
    ----------
    result : RunResult
    physics : str or sequence of str, optional
        Datasets of physics triggers, counted together; by default all without weights that have no other role.
    calibration, region_d, hadrons : str, optional
        Datasets for the backgrounds, as in `estimate_backgrounds`.
    backgrounds : "own" or "letter"
        Estimated from the folder, or Table I scaled to its exposure.
    n_mot : float, optional
        Project to this number of muons on target: expected limits only.
    seed : int
        Seed of bootstrap and toys.

    Returns
    -------
    Counting
    """
    if backgrounds not in BACKGROUNDS:
        msg = f"no backgrounds {backgrounds!r}: known are {', '.join(BACKGROUNDS)}"
        raise InputError(msg)
    others = {"calibration": calibration, "region_d": region_d, "hadrons": hadrons}
    counted = (
        [physics] if isinstance(physics, str) else list(physics or [name for name in unweighted(result) if name not in others.values()])
    )
    first = counting_of(result, None, datasets=counted, n_mot=n_mot)
    if backgrounds == LETTER:
        return first
    together = "+".join(counted)
    groups = {together: counted} | {name: [name] for name in others.values() if name is not None}
    estimates = estimate_backgrounds(joined(result, groups), seed=seed, physics=together, n_mot=sum(first.exposures), **others)
    return counting_of(result, estimates, datasets=counted, n_mot=n_mot)
