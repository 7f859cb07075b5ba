"""From what the chunks of a run returned to its result: exposure, provenance, and the sums of the processor."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from na64mu.execution.batches import added
from na64mu.execution.freezing import code_hash
from na64mu.execution.job import Job
from na64mu.execution.plan import Plan
from na64mu.inputs.entry_ranges import Ranges
from na64mu.processors.base import takes_events
from na64mu.results.box_events import box_events
from na64mu.results.exposure import Exposure
from na64mu.results.losses import Loss
from na64mu.results.processor import ProcessorResult
from na64mu.results.provenance import InputFile, Provenance, repository_state
from na64mu.results.run import RunResult, Timing
from na64mu.results.weighted_histogram import rounded

__all__ = ("Ran", "result_of_own", "result_of_search")


@dataclass(frozen=True)
class Ran:
    """What came out of the chunks of a run.

    Attributes
    ----------
    found : dict of str to dict
        Dataset -> sum of what the processor returned.
    ranges : dict of (str, str) to (ranges, ranges)
        (dataset, path) -> entry ranges read and not read.
    exposure : Exposure
    losses : tuple of Loss
    timing : Timing
    job : Job
        How it ran.
    layout : str
        Name of the layout of foreign trees; empty for none.
    started : datetime
        UTC.
    """

    found: dict[str, dict[str, Any]]
    ranges: Mapping[tuple[str, str], tuple[Ranges, Ranges]]
    exposure: Exposure
    losses: tuple[Loss, ...]
    timing: Timing
    job: Job
    layout: str
    started: datetime


def result_of_search(plan: Plan, ran: Ran, clock: float) -> RunResult:
    """The result of the search.

    Parameters
    ----------
    plan : Plan
    ran : Ran
    clock : float
        `time.perf_counter` at the start of the run [s].

    Returns
    -------
    RunResult
    """
    found, windows = rounded(ran.found), plan.configuration.windows
    return RunResult(
        cutflows={name: content["cutflow"] for name, content in found.items()},
        histograms={name: content["histograms"] for name, content in found.items()},
        outside={name: content["outside"] for name, content in found.items()},
        regions={name: content["regions"] for name, content in found.items()},
        blinded={name: any(plan.policy.hides(f.path) for f in plan.fileset.files if f.dataset == name) for name in found},
        in_box={name: box_events(content["in_box"]) for name, content in found.items() if content.get("in_box")},
        exposure=ran.exposure,
        losses=ran.losses,
        working_point=plan.configuration.working_point,
        windows={tag: {q: (None if low == float("-inf") else low, high) for q, (low, high) in w.items()} for tag, w in windows.items()},
        provenance=_provenance(plan, ran),
        timing=replace(ran.timing, wall=time.perf_counter() - clock),
        setup=plan.configuration.content,
    )


def result_of_own(plan: Plan, ran: Ran, clock: float) -> ProcessorResult:
    """The result of a processor of the user's own; arguments are those of `result_of_search`."""
    values = {name: content["value"] for name, content in ran.found.items() if "value" in content}
    total = None
    for value in values.values():
        total = copy.deepcopy(value) if total is None else added(total, copy.deepcopy(value))
    if total is not None and takes_events(plan.own):
        changed = plan.own.postprocess(total)
        total = total if changed is None else changed
    return ProcessorResult(
        value=total,
        values=values,
        blinded={name: any(plan.policy.hides(f.path) for f in plan.fileset.files if f.dataset == name) for name in ran.found},
        exposure=ran.exposure,
        losses=ran.losses,
        provenance=_provenance(plan, ran),
        timing=replace(ran.timing, wall=time.perf_counter() - clock),
    )


def _provenance(plan: Plan, ran: Ran) -> Provenance:
    commit, clean = repository_state()
    configuration, options, executor = plan.configuration, ran.job.options, ran.job.executor
    inputs = tuple(
        InputFile(
            f.dataset,
            f.path,
            f.uuid,
            f.detector,
            f.entries,
            *ran.ranges[f.dataset, f.path],
            plan.hashes[f.path],
            tuple((p, plan.hashes[p]) for p in f.friends),
        )
        for f in plan.fileset.files
    )
    return Provenance(
        configuration_hash=configuration.hash,
        selection=configuration.working_point.name,
        selection_hash=configuration.working_point.hash,
        inputs=inputs,
        executor=executor if isinstance(executor, str) else type(executor).__name__,
        workers=ran.job.workers,
        chunksize=options.chunksize,
        maxchunks=options.maxchunks,
        layout=ran.layout,
        started=ran.started.isoformat(timespec="seconds"),
        ended=datetime.now(UTC).isoformat(timespec="seconds"),
        commit=commit,
        clean=clean,
        detectors=configuration.detector_hashes,
        calibrations=configuration.calibration_hashes,
        user_cuts=plan.user_parts,
        processor=plan.own_digest,
        code=code_hash() if plan.hashed and plan.own is None and any(f.is_data for f in plan.fileset.files) else "",
        floors=plan.policy.floor.names if any(f.is_data for f in plan.fileset.files) else {},
        opening={} if plan.unblind is None else {"freeze": plan.unblind.freeze.hash, "line": plan.unblind.line},
    )
