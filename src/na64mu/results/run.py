"""The result of a run, and the output folder it is kept in: cutflow.json, histograms.json (UHI), summary.json and setup.json."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

from na64mu.common.arguments import file_name
from na64mu.common.table import Shown, Table
from na64mu.common.whole_file import write_whole
from na64mu.errors import InputError
from na64mu.results.box_events import BoxEvent, box_events
from na64mu.results.candidates import CANDIDATES, Candidate, candidates_text, read_candidates
from na64mu.results.cutflow import CutFlow
from na64mu.results.exposure import Exposure
from na64mu.results.losses import Loss
from na64mu.results.manifest import MANIFEST, differences
from na64mu.results.output_folder import UNFINISHED, must_be_finished, output_folder
from na64mu.results.provenance import Provenance
from na64mu.results.setup import SETUP, read_setup
from na64mu.selections.working_point import WorkingPoint

__all__ = ("Counts", "RegionCounts", "RunResult", "Timing")

log = logging.getLogger(__name__)

FORMAT_VERSION = 1
FILES = ("cutflow.json", "histograms.json", "summary.json")
#: Files that `na64mu run` draws from them.
DRAWN = ("plane.png", "report.html")


@dataclass(frozen=True)
class Counts:
    """An addable count of events, with sums of weights and of squared weights."""

    n: int = 0
    sumw: float = 0.0
    sumw2: float = 0.0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.n + other.n, self.sumw + other.sumw, self.sumw2 + other.sumw2)


class RegionCounts(dict[str, dict[str, Counts]], Shown):
    """Dataset -> region -> events; it shows itself as a table."""

    def _table(self) -> Table:
        names = list(dict.fromkeys(region for regions in self.values() for region in regions))
        rows = [(dataset, *(str(regions[name].n) if name in regions else "-" for name in names)) for dataset, regions in self.items()]
        hidden = [dataset for dataset, regions in self.items() if "box" not in regions]
        notes = [f"the signal box of {dataset} is blinded" for dataset in hidden]
        return Table(
            "events of each region of the plane, before cut (iv); box_after: behind it", ("dataset", *names), tuple(rows), tuple(notes)
        )

    __repr__ = Shown.__repr__


@dataclass(frozen=True)
class Timing:
    """Where the time goes: seconds summed over all chunks (on every worker), and events; `wall` is the time of the whole run."""

    read: float = 0.0
    reconstruct: float = 0.0
    select: float = 0.0
    fill: float = 0.0
    events: int = 0
    chunks: int = 0
    wall: float = 0.0

    def __add__(self, other: Timing) -> Timing:
        return Timing(**{name: value + getattr(other, name) for name, value in asdict(self).items()})

    @property
    def busy(self) -> float:
        """Seconds of work on all workers."""
        return self.read + self.reconstruct + self.select + self.fill


@dataclass(frozen=True, repr=False)
class RunResult(Shown):
    """What `na64mu run` finds.

    Attributes
    ----------
    cutflows : dict of str to CutFlow
        Dataset -> cut-flow.
    histograms : dict of str to dict of str to hist.Hist
        Dataset -> name -> histogram (storage Weight). "plane_before" and "plane_after": axes p_out and e_cal, before and after the plane cut (iv);
        "momentum_tail": p_out of MIP-tagged muons, axes trigger and p_out; "momentum_tail_below_e_cal": the same with E_CAL in the signal box;
        every other name is a column with axes stage ("all", "n_minus_1") and the quantity.
    outside : dict of str to dict of str to int
        Dataset -> histogram -> events without this quantity (NaN); what lies below or above the axis is in its flow bins.
    regions : dict of str to dict of str to Counts
        Dataset -> region ("A" ... "D", "box") -> events before the plane cut; "box" also as "box_after" behind it. In data the box is blinded and absent.
    blinded : dict of str to bool
        Dataset -> whether its signal box is hidden.
    exposure : Exposure
    losses : tuple of Loss
    working_point : WorkingPoint
    windows : dict of str to dict of str to (float or None, float)
        Detector tag -> energy -> window of a MIP.
    provenance : Provenance
    timing : Timing
    in_box : dict of str to tuple of BoxEvent
        Dataset -> events of its signal box before the plane cut, where the box of data was opened.
    setup : dict
        "detectors" and "calibrations" as they were used: tag -> plain content. What is simulated for the run later takes them from here.
    candidates : tuple of Candidate
        Raw events of a box that was opened, at most 100.
    """

    cutflows: dict[str, CutFlow]
    histograms: dict[str, dict[str, Any]]
    outside: dict[str, dict[str, int]]
    regions: dict[str, dict[str, Counts]]
    blinded: dict[str, bool]
    exposure: Exposure
    losses: tuple[Loss, ...]
    working_point: WorkingPoint
    windows: dict[str, dict[str, tuple[float | None, float]]]
    provenance: Provenance
    timing: Timing = field(default_factory=Timing)
    in_box: dict[str, tuple[BoxEvent, ...]] = field(default_factory=dict)
    setup: dict[str, dict[str, Any]] = field(default_factory=dict)
    candidates: tuple[Candidate, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "regions", RegionCounts(self.regions))

    def _table(self) -> Table:
        rows = tuple(
            (
                name,
                "blinded" if self.blinded[name] else "visible",
                f"{self.exposure.n_mot(name):.6g}",
                str(flow.steps[0].n),
                str(flow.steps[-1].n),
                f"{flow.steps[-1].sumw:.4g}",
                str(self.regions[name]["box_after"].n) if "box_after" in self.regions[name] else "-",
            )
            for name, flow in self.cutflows.items()
        )
        lost = sum(loss.is_damage for loss in self.losses)
        notes = [f"{lost} losses of input, see .losses"] if lost else []
        notes.append("look on: .total or .cutflows[dataset], .regions, .exposure, .histogram(name, dataset), .losses, .provenance")
        headings = ("dataset", "signal box", "muons on target", "events", "pass all cuts", "their weights", "in the box")
        return Table(f"run of the selection {self.working_point.name}: {self.working_point.title}", headings, rows, tuple(notes))

    @property
    def datasets(self) -> tuple[str, ...]:
        """Names of the datasets, in order."""
        return tuple(self.cutflows)

    @property
    def total(self) -> CutFlow:
        """Cut-flow of all datasets together, simulated signal with the rest: a check of what was read, no result."""
        return reduce(add, self.cutflows.values())

    @property
    def exit_code(self) -> int:
        """0 if everything was read, 3 if input was lost."""
        return 3 if any(loss.is_damage for loss in self.losses) else 0

    def histogram(self, name: str, dataset: str | None = None) -> Any:
        """A histogram of one dataset, or of all together.

        Raises
        ------
        KeyError
            Naming what there is.
        """
        try:
            if dataset is not None:
                return self.histograms[dataset][name]
            return reduce(add, (of_dataset[name] for of_dataset in self.histograms.values()))
        except KeyError as error:
            known = sorted(next(iter(self.histograms.values()), {}))
            msg = f"no histogram {name!r} of dataset {dataset!r}: datasets are {list(self.histograms)}, histograms {known}"
            raise KeyError(msg) from error

    def to_dict(self) -> dict[str, Any]:
        """Everything but the histograms as plain values: what `--json` prints."""
        return {"format_version": FORMAT_VERSION, "cutflow": self._cutflow_dict(), **self._summary_dict()}

    def _cutflow_dict(self) -> dict[str, Any]:
        datasets = {name: cutflow.to_dict() for name, cutflow in self.cutflows.items()}
        return {"datasets": datasets, "total": self.total.to_dict()}

    def _summary_dict(self) -> dict[str, Any]:
        return {
            "exposure": self.exposure.to_dict(),
            "losses": [loss.to_dict() for loss in self.losses],
            "regions": {name: {region: asdict(c) for region, c in regions.items()} for name, regions in self.regions.items()},
            "outside": self.outside,
            "blinded": self.blinded,
            "windows": self.windows,
            "working_point": self.working_point.model_dump(mode="json"),
            "provenance": self.provenance.to_dict(),
            "timing": asdict(self.timing),
            **({"in_box": self.in_box} if self.in_box else {}),
        }

    def write(self, folder: str | Path) -> Path:
        """Write cutflow.json, histograms.json, summary.json and setup.json: all or none; figures and report of an earlier result go.

        Parameters
        ----------
        folder : str or Path
            Made if it does not exist.

        Returns
        -------
        Path
            The folder.
        """
        import uhi.io.json

        head = {"format_version": FORMAT_VERSION}
        contents = (head | self._cutflow_dict(), head | {"datasets": self.histograms}, head | self._summary_dict())
        with output_folder(folder, "run", replaces=DRAWN) as path:
            for name, content in zip(FILES, contents, strict=True):
                indent = None if name == "histograms.json" else 1
                write_whole(path / name, json.dumps(content, default=uhi.io.json.default, indent=indent) + "\n")
            if self.setup:
                write_whole(path / SETUP, json.dumps(head | self.setup, indent=1) + "\n")
            if self.candidates:
                write_whole(path / CANDIDATES, candidates_text(self.candidates))
        return Path(folder)

    @classmethod
    def read(cls, folder: Any) -> RunResult:
        """Read an output folder (str or Path) back; a result, or a stand-in for one, is returned unchanged.

        A file that was edited after it was written, as its manifest shows, is named in a warning of the log.

        Raises
        ------
        InputError
            If a file is missing or is not what `write` wrote.
        """
        import hist
        import uhi.io.json

        if any(hasattr(folder, name) for name in ("exposure", "histogram", "working_point")):
            if isinstance(getattr(folder, "provenance", None), Provenance) and not hasattr(folder, "cutflows"):
                msg = "result: this is that of a processor of your own; a RunResult of the search, or its output folder, is wanted"
                raise InputError(msg)
            result: RunResult = folder
            return result
        path = Path(file_name(folder, "result", InputError, "a RunResult, or its output folder, is wanted"))
        cutflow, histograms, summary = _read_together(path, uhi.io.json.object_hook)
        _warn_of_edits(path)
        try:
            return cls(
                cutflows={name: CutFlow.from_dict(content) for name, content in cutflow["datasets"].items()},
                histograms={d: {name: hist.Hist(h) for name, h in content.items()} for d, content in histograms["datasets"].items()},
                outside=summary["outside"],
                regions={d: {name: Counts(**c) for name, c in content.items()} for d, content in summary["regions"].items()},
                blinded=summary["blinded"],
                exposure=Exposure.from_dict(summary["exposure"]),
                losses=tuple(Loss(**loss) for loss in summary["losses"]),
                working_point=WorkingPoint.model_validate(summary["working_point"], context={"recorded": True}),
                windows={tag: {q: (w[0], w[1]) for q, w in windows.items()} for tag, windows in summary["windows"].items()},
                provenance=Provenance.from_dict(summary["provenance"]),
                timing=Timing(**summary["timing"]),
                in_box={name: box_events(rows) for name, rows in summary.get("in_box", {}).items()},
                setup=read_setup(path),
                candidates=read_candidates(path),
            )
        except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
            msg = f"{path}: not an output folder of this version of na64mu ({error!r}): make it again with `na64mu run`"
            raise InputError(msg) from error


def _warn_of_edits(folder: Path) -> None:
    found = differences(folder)
    if found == {MANIFEST: "missing"}:
        log.warning("%s has no %s, so nobody can say whether its files were edited: make it again with `na64mu run`", folder, MANIFEST)
    elif found:
        listed = ", ".join(f"{name} ({how})" for name, how in found.items())
        log.warning("%s is not what was written into it: %s; make it again with `na64mu run`", folder, listed)


def _read_together(path: Path, object_hook: Any) -> list[Mapping[str, Any]]:
    """The files of one result, also while another process puts a new one in place."""
    for _ in range(5):
        must_be_finished(path)
        before = _stamps(path)
        found = [_read_json(path / name, object_hook) for name in FILES]
        if _stamps(path) == before and not (path / UNFINISHED).exists():
            return found
    msg = f"{path}: is written again and again while it is read: wait for the end of what writes it"
    raise InputError(msg)


def _stamps(path: Path) -> list[tuple[int, int] | None]:
    found: list[tuple[int, int] | None] = []
    for name in FILES:
        try:
            status = (path / name).stat()
            found.append((status.st_ino, status.st_mtime_ns))
        except OSError:
            found.append(None)
    return found


def _read_json(path: Path, object_hook: Any) -> Mapping[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"), object_hook=object_hook)
    except (ArithmeticError, AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError) as error:
        msg = f"{path}: cannot be read ({error}): an output folder of `na64mu run` holds {', '.join(FILES)}"
        raise InputError(msg) from error
    if not isinstance(content, dict) or content.get("format_version") != FORMAT_VERSION:
        msg = f"{path}: format_version {FORMAT_VERSION} expected: make the folder again with `na64mu run`"
        raise InputError(msg)
    return content
