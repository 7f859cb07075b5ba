"""The search: cut-flow, (p_out, E_CAL) plane, spectra of every cut variable and counts of the regions.

One call of `process` sees one chunk of events; what it returns is added up. Momenta GeV/c, energies GeV (VETO: MeV).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import hist
import numpy as np
from coffea.processor import ProcessorABC

from na64mu.detector import Detector
from na64mu.events.batch import RawBatch
from na64mu.events.nanoevents import read_events
from na64mu.events.origin import path_is_data
from na64mu.inputs.frozen_floors import floors_for
from na64mu.processors.histograms import fill_histogram
from na64mu.processors.tail import TAIL, TAIL_BELOW_E_CAL, momentum_tail
from na64mu.reconstruction import summary as reconstruction
from na64mu.reconstruction.columns import DERIVED, column
from na64mu.reconstruction.event_summary import EventSummary
from na64mu.reconstruction.variables import user_variables
from na64mu.results.box_events import box_rows
from na64mu.results.clock import Clock
from na64mu.results.cutflow import CutFlow
from na64mu.results.exact import sums_of_weights
from na64mu.results.run import Counts, Timing
from na64mu.results.weighted_histogram import WeightedHistogram, rounded
from na64mu.selections.blinding import BlindingPolicy, masks_of
from na64mu.selections.cuts import MomentumWindow, in_box
from na64mu.selections.histograms import CATEGORIES
from na64mu.selections.regions import MASKS, in_own_region
from na64mu.selections.working_point import WorkingPoint
from na64mu.typing import BoolArray, FloatArray, Summary

__all__ = ("STAGES", "SearchProcessor")

#: Stages of a spectrum: all events that may be seen before any cut; events that pass every cut but those on the quantity itself.
STAGES = ("all", "n_minus_1")

#: Trigger configurations.
CONFIGS = (1, 2)

Windows = Mapping[str, dict[str, tuple[float, float]]]


class SearchProcessor(ProcessorABC):
    """Select events with one working point and fill everything the analysis looks at.

    `na64mu.run` gives it the events as flat buffers (`process_batch`), or event summaries (`analyse`). `process` is the same chain from
    coffea's NanoEvents, so it gives the same numbers under coffea's own Runner:

    >>> from coffea.processor import IterativeExecutor, Runner
    >>> from na64mu.events.schema import RawTreeSchema
    >>> fileset = {"physics": {"files": {"physics_1.root": "events"}, "metadata": {"detector": "na64mu-2022"}}}
    >>> Runner(IterativeExecutor(), schema=RawTreeSchema)(fileset, processor)["datasets"]["physics"]["cutflow"]  # doctest: +SKIP

    Parameters
    ----------
    detectors : mapping of str to Detector
        Tag -> description; the metadata of each dataset name its detector.
    windows : mapping of str to dict
        Tag -> energy -> window of a MIP, from the calibration of that detector.
    working_point : WorkingPoint
        The selection.
    excluded : mapping of str to Excluded, optional
        File -> entries that occur twice and are left out.
    policy : BlindingPolicy, optional
        Who may be seen; without it that of the working point, which looks at the bookkeeping of every file.
    """

    def __init__(
        self,
        detectors: Mapping[str, Detector],
        windows: Windows,
        working_point: WorkingPoint,
        excluded: Mapping[str, Any] | None = None,
        *,
        policy: BlindingPolicy | None = None,
    ) -> None:
        self.detectors = dict(detectors)
        self.working_point = working_point
        self.windows = {tag: windows[tag] for tag in detectors}
        self.cuts = {tag: working_point.bind(windows[tag]) for tag in detectors}
        self.excluded = dict(excluded or {})
        self.policy = BlindingPolicy.of(working_point) if policy is None else policy
        self.found: dict[str, BlindingPolicy] | None = {} if policy is None else None
        self.labels = {cut.name: cut.label for cut in working_point.cuts}
        self.tail = MomentumWindow(centre=working_point.tail.centre, half_width=working_point.tail.half_width)
        self.masks = {region.mask: MASKS[region.mask] for region in working_point.regions if region.mask}
        self.categories = {name: CATEGORIES[name] for histogram in working_point.histograms for name in histogram.by}
        self.variables = user_variables(working_point.columns)

    def process(self, events: Any) -> dict[str, Any]:
        """Process one chunk.

        Parameters
        ----------
        events : NanoEvents
            Raw events; `events.metadata` has the keys dataset, filename and detector.

        Returns
        -------
        dict
            "datasets": dataset -> cutflow, histograms, outside, regions; "events": (dataset, file, run, config) -> events; "timing".
        """
        where = events.metadata
        clock = Clock()
        with clock("read"):
            batch = read_events(events)  # everything now: damaged bytes show here and nowhere later
        return self.process_batch(batch, where, clock)

    def process_batch(self, batch: RawBatch, where: Mapping[str, Any], clock: Clock) -> dict[str, Any]:
        """Process the events of one chunk that are read already.

        Parameters
        ----------
        batch : RawBatch
            Raw events.
        where : mapping
            Chunk metadata (dataset, filename, detector, entrystart).
        clock : Clock
            Goes on counting.

        Returns
        -------
        dict
            Result of one chunk, as in `process`.
        """
        with clock("reconstruct"):
            summary = reconstruction.reconstruct(batch, self.detectors[where["detector"]])
        return self.analyse(summary, where, clock, batch)

    def analyse(self, summary: Summary, where: Mapping[str, Any], clock: Clock, batch: RawBatch | None = None) -> dict[str, Any]:
        """Select and fill the events of one chunk, freshly reconstructed or from a file of event summaries.

        Parameters
        ----------
        summary : Summary
            Columns of shape (n_events,).
        where : mapping
            dataset, filename, detector and entrystart of the chunk.
        clock : Clock
            Goes on counting.
        batch : RawBatch, optional
            The raw events, freshly read.

        Returns
        -------
        dict
            Result of one chunk, as in `process`.
        """
        DERIVED.update(self.variables)  # a worker has not executed the user's file
        dataset, tag, path = where["dataset"], where["detector"], str(where["filename"])
        if self.found is not None:  # under coffea's Runner
            self.policy = self.found.setdefault(path, self.found.get(path) or policy_of_file(path, self.working_point))
        with clock("select"):
            outside = self.policy.outside(summary, path, batch)
        if where["filename"] in self.excluded:
            start = int(where["entrystart"])
            keep = self.excluded[where["filename"]].mask(start, start + len(summary["run"]))
            summary, outside = {name: values[keep] for name, values in summary.items()}, outside[keep]
        hides = self.policy.hides(path)
        visible = outside if hides else np.ones_like(outside)
        with clock("select"):
            masks = masks_of(self.cuts[tag], summary, visible, hides=hides)
            weights = event_weights(summary, is_data=self.policy.is_data(path))
            cutflow = CutFlow.from_masks(masks, weights, labels=self.labels, visible=visible, hidden_at=self.working_point.blind_at)
        with clock("fill"):
            rows, counted = EventSummary(summary), weights
            if hides:  # nothing of the others goes any further
                rows, masks = rows.rows(visible), {name: mask[visible] for name, mask in masks.items()}
                counted, outside = weights[visible], outside[visible]
            filled = self.fill(rows, masks, outside, counted, where)
        return {
            "datasets": {dataset: {"cutflow": cutflow, **filled}},
            "events": run_counts(summary, (dataset, where["filename"])),
            "timing": Timing(**clock.seconds, events=len(weights), chunks=1),
        }

    def postprocess(self, accumulator: dict[str, Any]) -> dict[str, Any]:
        """Round the exact sums of weights, once: coffea's Runner calls it at the end, and so does `na64mu.run`."""
        return {**accumulator, "datasets": rounded(accumulator.get("datasets", {}))}

    def fill(
        self, summary: Summary, masks: dict[str, BoolArray], outside_box: BoolArray, weights: FloatArray, where: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Histograms and region counts of events that may be seen; those that may be seen while the box is shut are in the regions."""
        tag, path, visible = where["detector"], str(where["filename"]), np.ones_like(outside_box)
        before = passing(masks, self.working_point.before_plane_cut())
        after = passing(masks)
        histograms: dict[str, WeightedHistogram] = {}
        outside: dict[str, int] = {}
        filled: dict[str, Any]
        for name, mask in (("plane_before", before), ("plane_after", after)):
            histograms[name], outside[name] = self._plane(summary, mask, weights)
        if "e_ecal" in self.windows[tag]:
            for name, e_cal_max in ((TAIL, None), (TAIL_BELOW_E_CAL, self.working_point.box.e_cal_max)):
                histograms[name], outside[name] = momentum_tail(
                    summary, masks, visible, weights, self.windows[tag], p_in=self.tail, e_cal_max=e_cal_max
                )
        for spectrum in self.working_point.spectra:
            h = WeightedHistogram(
                hist.axis.StrCategory(STAGES, name="stage", label="stage"),
                hist.axis.Regular(spectrum.bins, spectrum.low, spectrum.high, name=spectrum.column, label=spectrum.label),
            )
            values = np.asarray(column(summary, spectrum.column), dtype=np.float64)
            others = [cut.name for cut in self.cuts[tag] if spectrum.column not in cut.columns]
            exists = np.isfinite(values)
            for stage, mask in zip(STAGES, (visible, visible & passing(masks, others)), strict=True):
                h.fill(stage, values[mask & exists], weight=weights[mask & exists])
            histograms[spectrum.column], outside[spectrum.column] = h, int(np.count_nonzero(visible & ~exists))
        for own in self.working_point.histograms:
            others = [cut.name for cut in self.cuts[tag] if not {*cut.columns} & {axis.column for axis in own.axes}]
            stages = {"uncut": visible, "before": before, "after": after, "n_minus_1": visible & passing(masks, others)}
            inside = self._inside(summary, own.region)
            stages = {stage: mask & inside for stage, mask in stages.items()}
            histograms[own.name], outside[own.name] = fill_histogram(own, summary, stages, weights, self.categories)
        regions = self._regions(summary, before, after, weights, outside_box, path)
        filled = {"histograms": histograms, "outside": outside, "regions": regions}
        if self.policy.opened and self.policy.is_data(path):
            filled["in_box"] = box_rows(summary, before & in_box(summary, self.working_point.box), after)
        return filled

    def _inside(self, summary: Summary, name: str) -> BoolArray:
        """Events of a region; all without a name."""
        region = next((region for region in self.working_point.regions if region.name == name), None)
        return np.ones(len(summary["run"]), dtype=np.bool_) if region is None else in_own_region(summary, region, self.masks)

    def _plane(self, summary: Summary, mask: BoolArray, weights: FloatArray) -> tuple[WeightedHistogram, int]:
        x, y = self.working_point.plane_p_out, self.working_point.plane_e_cal
        plane = WeightedHistogram(
            hist.axis.Regular(x.bins, x.low, x.high, name="p_out", label="$p_{out}$ [GeV/c]"),
            hist.axis.Regular(y.bins, y.low, y.high, name="e_cal", label="$E_{CAL}$ [GeV]"),
        )
        exists = np.isfinite(summary["p_out"]) & np.isfinite(summary["e_cal"])
        seen = mask & exists
        plane.fill(summary["p_out"][seen], summary["e_cal"][seen], weight=weights[seen])
        return plane, int(np.count_nonzero(mask & ~exists))

    def _regions(
        self, summary: Summary, before: BoolArray, after: BoolArray, weights: FloatArray, outside_box: BoolArray, path: str
    ) -> dict[str, Counts]:
        inside = in_box(summary, self.working_point.box)
        control = before & ~inside & outside_box  # the same whether the box is open or not
        regions = {region.name: counts(control & self._inside(summary, region.name), weights) for region in self.working_point.regions}
        if not self.policy.hides(path):
            regions |= {"box": counts(before & inside, weights), "box_after": counts(after & inside, weights)}
            regions |= {f"box_after_{c}": counts(after & inside & (summary["config"] == c), weights) for c in CONFIGS}  # limits need them
        return regions


def event_weights(summary: Summary, *, is_data: bool) -> FloatArray:
    """Weights of the events, shape (n_events,): those of the simulation, 1 in data."""
    if "mc_weight" in summary and not is_data:
        return np.asarray(summary["mc_weight"], dtype=np.float64)
    return np.ones(len(summary["run"]), dtype=np.float64)


def policy_of_file(path: str, working_point: WorkingPoint) -> BlindingPolicy:
    """Who may be seen in a file, by its bookkeeping and the freeze files beside it."""
    if not path_is_data(path):
        return BlindingPolicy.of(working_point)
    policy = BlindingPolicy.of(working_point, floor=floors_for([path]))
    policy.must_contain_floor(working_point.name)
    return policy


def passing(masks: Mapping[str, BoolArray], names: Any = None) -> BoolArray:
    """Events that pass all cuts, or all those named; shape (n_events,)."""
    mask = np.ones(len(next(iter(masks.values()))), dtype=np.bool_)
    for name in masks if names is None else names:
        mask &= masks[name]
    return mask


def counts(mask: BoolArray, weights: FloatArray) -> Counts:
    """Events of a mask, with their sums of weights."""
    return Counts(*sums_of_weights(mask, weights))


def run_counts(summary: Summary, where: tuple[str, str]) -> dict[tuple[str, str, int, int], int]:
    """Events per (run, config): what the exposure is reconciled with."""
    code = summary["run"].astype(np.int64) * 256 + summary["config"]
    keys, n = np.unique(code, return_counts=True)
    return {(*where, int(key) // 256, int(key) % 256): int(count) for key, count in zip(keys, n, strict=True)}
