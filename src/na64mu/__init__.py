"""na64mu: open software for the NA64mu dark-sector search at CERN.

The names that a notebook begins with are listed here and are imported when they are first used, so `import na64mu` costs nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False  # of `typing`, whose import would take as long as all the rest
if TYPE_CHECKING:
    from na64mu.analysis.backgrounds import estimate_backgrounds as estimate_backgrounds
    from na64mu.analysis.excess import interval_of as interval_of
    from na64mu.analysis.excess import significance_of as significance_of
    from na64mu.analysis.search import limits_of as limits_of
    from na64mu.calibration.windows import load_calibration as load_calibration
    from na64mu.data import sample_files as sample_files
    from na64mu.detector import load_detector as load_detector
    from na64mu.events.nanoevents import open_events as open_events
    from na64mu.events.reader import read_runs as read_runs
    from na64mu.execution import run_search as run_search
    from na64mu.execution.options import RunOptions as RunOptions
    from na64mu.execution.run import run as run
    from na64mu.reconstruction.event_summary import EventSummary as EventSummary
    from na64mu.reconstruction.spectrometers import spectrometer_tracks as spectrometer_tracks
    from na64mu.reconstruction.summary import reconstruct as reconstruct
    from na64mu.report.display import display_event as display_event
    from na64mu.results.run import RunResult as RunResult
    from na64mu.selections import load_working_point as load_working_point
    from na64mu.simulation.produce import produce as produce

__version__ = "0.2.0"

#: Name -> module that has it.
_PLACES = {
    "EventSummary": "na64mu.reconstruction.event_summary",
    "RunOptions": "na64mu.execution.options",
    "RunResult": "na64mu.results.run",
    "display_event": "na64mu.report.display",
    "estimate_backgrounds": "na64mu.analysis.backgrounds",
    "interval_of": "na64mu.analysis.excess",
    "limits_of": "na64mu.analysis.search",
    "load_calibration": "na64mu.calibration.windows",
    "load_detector": "na64mu.detector",
    "load_working_point": "na64mu.selections",
    "open_events": "na64mu.events.nanoevents",
    "produce": "na64mu.simulation.produce",
    "read_runs": "na64mu.events.reader",
    "reconstruct": "na64mu.reconstruction.summary",
    "run": "na64mu.execution.run",
    "run_search": "na64mu.execution",
    "sample_files": "na64mu.data",
    "significance_of": "na64mu.analysis.excess",
    "spectrometer_tracks": "na64mu.reconstruction.spectrometers",
}

__all__ = ("__version__", *_PLACES)  # noqa: PLE0604  # all are strings


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
    return [*globals(), *_PLACES]
