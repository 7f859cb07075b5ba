"""na64mu: open software for the NA64mu dark-sector search at CERN.

The names that a notebook begins with are listed here and are imported when they are first used, so `import na64mu` costs nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False  # of `typing`, whose import would take as long as all the rest
if TYPE_CHECKING:
    from na64mu.analysis.backgrounds import estimate_backgrounds as estimate_backgrounds
    from na64mu.analysis.best_box import optimise as optimise
    from na64mu.analysis.excess import interval_of as interval_of
    from na64mu.analysis.excess import significance_of as significance_of
    from na64mu.analysis.future import project as project
    from na64mu.analysis.recasting import recast as recast
    from na64mu.analysis.search import limits_of as limits_of
    from na64mu.analysis.yields.measured import efficiency_of as efficiency_of
    from na64mu.calibration.windows import load_calibration as load_calibration
    from na64mu.data import sample_files as sample_files
    from na64mu.detector import load_detector as load_detector
    from na64mu.events.reader import read_runs as read_runs
    from na64mu.execution import run_search as run_search
    from na64mu.execution.alignment import align as align
    from na64mu.execution.calibration import calibrate as calibrate
    from na64mu.execution.efficiency import efficiency as efficiency
    from na64mu.execution.freezing import freeze as freeze
    from na64mu.execution.mock import mock as mock
    from na64mu.execution.opening import open_box as open_box
    from na64mu.execution.options import RunOptions as RunOptions
    from na64mu.execution.reconstruct import reconstruct_files as reconstruct_files
    from na64mu.execution.run import run as run
    from na64mu.execution.runner_result import result_of_runner as result_of_runner
    from na64mu.execution.skim import skim as skim
    from na64mu.execution.unblinding import unblind as unblind
    from na64mu.inputs.visible import open_events as open_events
    from na64mu.inputs.visible import reconstruct as reconstruct
    from na64mu.inputs.visible import spectrometer_tracks as spectrometer_tracks
    from na64mu.processors.base import Processor as Processor
    from na64mu.reconstruction.event_summary import EventSummary as EventSummary
    from na64mu.reconstruction.variables import register_variable as register_variable
    from na64mu.reconstruction.variables import variable as variable
    from na64mu.report.display import display as display
    from na64mu.report.display import display_event as display_event
    from na64mu.report.html import register_section as register_section
    from na64mu.results.folder import read_folder as read_folder
    from na64mu.results.processor import ProcessorResult as ProcessorResult
    from na64mu.results.run import RunResult as RunResult
    from na64mu.selections import Box as Box
    from na64mu.selections import Cut as Cut
    from na64mu.selections import Histogram as Histogram
    from na64mu.selections import Region as Region
    from na64mu.selections import Thresholds as Thresholds
    from na64mu.selections import WorkingPoint as WorkingPoint
    from na64mu.selections import category as category
    from na64mu.selections import cut as cut
    from na64mu.selections import load_user_file as load_user_file
    from na64mu.selections import load_working_point as load_working_point
    from na64mu.selections import region as region
    from na64mu.selections import register_cut as register_cut
    from na64mu.selections import register_histogram as register_histogram
    from na64mu.selections import register_region as register_region
    from na64mu.selections import register_selection as register_selection
    from na64mu.simulation.produce import produce as produce
    from na64mu.simulation.produce import simulate as simulate

__version__ = "0.2.0"

#: Groups of names, in the order of an analysis: title -> name -> module that has it.
GROUPS = {
    "open and look": {
        "sample_files": "na64mu.data",
        "open_events": "na64mu.inputs.visible",
        "read_runs": "na64mu.events.reader",
        "EventSummary": "na64mu.reconstruction.event_summary",
        "reconstruct": "na64mu.inputs.visible",
        "spectrometer_tracks": "na64mu.inputs.visible",
        "display_event": "na64mu.report.display",
        "display": "na64mu.report.display",
    },
    "describe": {
        "load_detector": "na64mu.detector",
        "load_calibration": "na64mu.calibration.windows",
        "load_working_point": "na64mu.selections",
    },
    "an analysis of your own": {
        "Box": "na64mu.selections",
        "Cut": "na64mu.selections",
        "Histogram": "na64mu.selections",
        "Processor": "na64mu.processors.base",
        "Region": "na64mu.selections",
        "Thresholds": "na64mu.selections",
        "WorkingPoint": "na64mu.selections",
        "category": "na64mu.selections",
        "cut": "na64mu.selections",
        "load_user_file": "na64mu.selections",
        "region": "na64mu.selections",
        "register_cut": "na64mu.selections",
        "register_histogram": "na64mu.selections",
        "register_region": "na64mu.selections",
        "register_selection": "na64mu.selections",
        "register_variable": "na64mu.reconstruction.variables",
        "variable": "na64mu.reconstruction.variables",
    },
    "make and change files": {
        "simulate": "na64mu.simulation.produce",
        "produce": "na64mu.simulation.produce",
        "mock": "na64mu.execution.mock",
        "skim": "na64mu.execution.skim",
        "reconstruct_files": "na64mu.execution.reconstruct",
        "calibrate": "na64mu.execution.calibration",
        "align": "na64mu.execution.alignment",
    },
    "run": {
        "RunOptions": "na64mu.execution.options",
        "run": "na64mu.execution.run",
        "run_search": "na64mu.execution",
        "RunResult": "na64mu.results.run",
        "ProcessorResult": "na64mu.results.processor",
        "result_of_runner": "na64mu.execution.runner_result",
        "read_folder": "na64mu.results.folder",
        "freeze": "na64mu.execution.freezing",
        "open_box": "na64mu.execution.opening",
        "unblind": "na64mu.execution.unblinding",
    },
    "conclude": {
        "efficiency": "na64mu.execution.efficiency",
        "efficiency_of": "na64mu.analysis.yields.measured",
        "estimate_backgrounds": "na64mu.analysis.backgrounds",
        "interval_of": "na64mu.analysis.excess",
        "limits_of": "na64mu.analysis.search",
        "optimise": "na64mu.analysis.best_box",
        "project": "na64mu.analysis.future",
        "recast": "na64mu.analysis.recasting",
        "register_section": "na64mu.report.html",
        "significance_of": "na64mu.analysis.excess",
    },
}

_PLACES = {name: module for names in GROUPS.values() for name, module in names.items()}

__all__ = ("GROUPS", "__version__", *_PLACES)  # noqa: PLE0604  # all are strings


# Modules that moved in this release are found by their old names too, with a warning.
from na64mu.common import deprecation as _deprecation  # noqa: E402

_deprecation.install_old_modules()


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        msg = f"module 'na64mu' has no attribute {name!r}"
        raise AttributeError(msg)
    import importlib

    return getattr(importlib.import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted({*__all__})
