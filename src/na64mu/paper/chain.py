"""The steps of the paper in their order, from the beam to the report."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from na64mu.common.folder_lock import locked
from na64mu.paper.beyond import look_ahead, scan_signal_box
from na64mu.paper.estimates import estimate
from na64mu.paper.interpretation import derive, set_limits
from na64mu.paper.page import write_report
from na64mu.paper.reduction import calibrate, draw_planes, measure_efficiency, run_main_job
from na64mu.paper.samples import FOLDER, sample_step
from na64mu.paper.scale import FULL, SHOWN_MASS, Sample, Scale
from na64mu.paper.workflow import Step, Workflow
from na64mu.statistics.letter import N_MOT

__all__ = ("analysis_steps", "make_paper")


def _files(samples: tuple[Sample, ...]) -> list[str]:
    return [f"{FOLDER}/{sample.name}.root" for sample in samples]


def _names(samples: tuple[Sample, ...]) -> tuple[str, ...]:
    return tuple(f"sample_{sample.name}" for sample in samples)


def _datasets(samples: tuple[Sample, ...]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for sample in samples:
        found.setdefault(sample.dataset, []).append(f"{FOLDER}/{sample.name}.root")
    return found


def analysis_steps(scale: Scale, detector: str, selection: str, workers: int) -> tuple[Step, ...]:
    """Return all steps after the samples, in order.

    Parameters
    ----------
    scale : Scale
    detector, selection : str
        Tag of the set-up, name of the working point.
    workers : int
        Processes of the main job.

    Returns
    -------
    tuple of Step
    """
    signal = scale.signal_samples()
    shown = tuple(s for s in signal if s.mass == SHOWN_MASS and not s.pile_up)
    main = (*(s for s in scale.samples() if s not in signal), *shown)
    calibration = tuple(s for s in main if s.calibration_triggers)
    common = {"detector": detector, "selection": selection}
    how = {"workers": workers}
    return (
        Step("calibrate", "fit the MIP peaks", calibrate, common | {"files": _files(calibration)}, _names(calibration)),
        Step(
            "run",
            "main job",
            run_main_job,
            common | {"datasets": _datasets(main)},
            (*_names(main), "calibrate"),
            how=how,
        ),
        Step(
            "efficiency",
            "signal efficiency",
            measure_efficiency,
            common | {"datasets": _datasets(signal), "samples": [asdict(s) for s in signal]},
            (*_names(signal), "calibrate"),
            how=how,
        ),
        Step("planes", "Fig. 3", draw_planes, {"run": "run"}, ("run",)),
        Step(
            "backgrounds",
            "backgrounds, Table I",
            estimate,
            {"run": "run", "n_mot": sum(N_MOT), "seed": scale.seed},
            ("run",),
        ),
        Step(
            "boxes",
            "signal box",
            scan_signal_box,
            {"run": "run", "n_mot": sum(N_MOT), "seed": scale.seed},
            ("run",),
        ),
        Step("theory", "numbers without events", derive, {"detector": detector}),
        Step(
            "limits",
            "limits on g and y",
            set_limits,
            {"detector": detector, "n_masses": scale.n_limit_masses, "n_targets": scale.n_target_masses, "archive": scale.archive},
            ("run", "efficiency", "backgrounds"),
        ),
        Step(
            "beyond",
            "other bosons, projections",
            look_ahead,
            {"detector": detector, "n_masses": scale.n_limit_masses},
            ("efficiency",),
        ),
    )


def make_paper(
    folder: Path,
    scale: Scale = FULL,
    *,
    detector: str = "na64mu-2022",
    selection: str = "prl2024",
    workers: int | None = None,
    fresh: bool = False,
    progress: Callable[[str, int, int], object] | None = None,
) -> Path:
    """Simulate, run, estimate, set limits, and write every number beside the published one.

    Parameters
    ----------
    folder : Path
        Output; finished steps in it are not repeated.
    scale : Scale
        Size of the simulated samples.
    detector, selection : str
        Tag of the set-up, name of the working point.
    workers : int, optional
        Processes; by default one for each core.
    fresh : bool
        Repeat every step.
    progress : callable, optional
        Called with (what is done next, steps done, all steps).

    Returns
    -------
    Path
        report.html.
    """
    n_workers = len(os.sched_getaffinity(0)) if workers is None and hasattr(os, "sched_getaffinity") else workers or os.cpu_count() or 1
    workflow = Workflow(folder, fresh=fresh)
    samples = [sample_step(sample, detector, scale.seed) for sample in scale.samples()]
    steps = analysis_steps(scale, detector, selection, n_workers)
    n_all, done = len(samples) + len(steps) + 1, 0

    def told(words: str) -> None:
        if progress is not None:
            progress(words, done, n_all)

    def finished(step: Step) -> None:
        nonlocal done
        done += 1
        told(step.title)

    with locked(folder):
        told("simulate")
        workflow.run_together(samples, n_workers, finished)
        for step in steps:
            told(step.title)
            workflow.run(step)
            done += 1
        told("report")
        report = write_report(
            folder, workflow, scale, command=" ".join(["na64mu", *(Path(a).name if "/" in a else a for a in sys.argv[1:])])
        )
    done += 1
    told("report")
    return report
