"""The HEPData submission: limits on g and y, counts, yields, backgrounds, cut-flow and systematics as tables, with the likelihood as additional files.

Written with hepdata_lib (extra `publish`) and checked by hepdata-validator. Masses GeV; numbers of events for the whole exposure.
"""

from __future__ import annotations

import contextlib
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from na64mu.analysis.backgrounds.table import BackgroundTable
from na64mu.errors import StatisticsError
from na64mu.results.cutflow import CutFlow
from na64mu.statistics.limits import LimitScan
from na64mu.statistics.model import SIGNAL, CountingModel
from na64mu.statistics.workspace import write_workspace
from na64mu.typing import FloatArray

__all__ = ("ARCHIVE", "DarkLimits", "Publication", "hepdata_library", "write_hepdata")

#: Name of the archive to upload.
ARCHIVE = "submission.tar.gz"
BAND_LABELS = ("observed", "expected -2 sigma", "expected -1 sigma", "expected", "expected +1 sigma", "expected +2 sigma")
METHODS = {
    "asymptotic": "profile likelihood ratio q~, asymptotic CLs",
    "exact": "CLs on the summed count with averaged nuisance parameters",
}


class DarkLimits(NamedTuple):
    """Limits on y of dark matter.

    Attributes
    ----------
    m_chi : FloatArray
        [GeV], shape (n,).
    y : mapping of str to FloatArray
        Method -> limits, shape (n, 6): observed, and expected at -2, -1, 0, 1, 2 standard deviations.
    what : str
        Definition and couplings.
    """

    m_chi: FloatArray
    y: Mapping[str, FloatArray]
    what: str


@dataclass(frozen=True)
class Publication:
    """Content of a HEPData submission.

    Attributes
    ----------
    scan : LimitScan
        Limits for every mass.
    models : dict of float to CountingModel
        Mass [GeV] -> model with the signal at the reference coupling of the scan.
    observed : sequence of float
        Counts per channel.
    inspire : int
        INSPIRE number of the publication.
    efficiencies : mapping of float to sequence of float
        Mass -> signal efficiency per channel; left out if empty.
    backgrounds : BackgroundTable, optional
    cutflow : CutFlow, optional
    exposures : sequence of float
        Muons on target per channel; left out if empty.
    dark : DarkLimits, optional
    """

    scan: LimitScan
    models: dict[float, CountingModel]
    observed: Sequence[float]
    inspire: int
    efficiencies: Mapping[float, Sequence[float]]
    backgrounds: BackgroundTable | None = None
    cutflow: CutFlow | None = None
    exposures: Sequence[float] = ()
    dark: DarkLimits | None = None


def write_hepdata(folder: str | Path, publication: Publication) -> Path:
    """Write the tables, the likelihood and the archive to upload.

    Parameters
    ----------
    folder : str or Path
        Made if it does not exist; holds submission.yaml, one YAML per table, the pyhf files and submission.tar.gz.
    publication : Publication

    Returns
    -------
    Path
        The archive, accepted by hepdata-validator.

    Raises
    ------
    StatisticsError
        If hepdata_lib is not installed, the masses of scan and models differ, or the archive is not valid.
    """
    if sorted(publication.models) != sorted(publication.scan.masses.tolist()):
        msg = f"limits for masses {publication.scan.masses.tolist()} GeV, models for {list(publication.models)}: publish one model for each limit"
        raise StatisticsError(msg)
    lib = hepdata_library()
    path = Path(folder).resolve()
    files: tuple[Path, ...] = ()
    if next(iter(publication.models.values())).total_background > 0:
        files = write_workspace(
            path / "likelihood", publication.models, publication.observed, g_ref=publication.scan.g_ref, inspire=publication.inspire
        )
    submission = lib.Submission()
    submission.comment = (
        "Search for a light mediator with missing energy-momentum: upper limits by two methods. "
        f"Asymptotic: {METHODS['asymptotic']}. Exact: {METHODS['exact']}; with few events only the exact one covers. "
        "Expected limits: nuisance parameters at their nominal values, not fitted to the counts."
    )
    if not files:
        submission.comment += " No likelihood is attached: no background is expected, and the format of pyhf knows no channel without one."
    for file, what in zip(files, ("background-only likelihood", "signal patches, one per mass"), strict=False):
        submission.add_additional_resource(f"{what} (pyhf)", str(file), copy_file=True, file_type="HistFactory")
    for table in _tables(lib, publication):
        submission.add_table(table)
    with contextlib.chdir(path):  # hepdata_lib writes its archive into the working directory
        submission.create_files("tables", validate=False, remove_old=True)
    _validate(path / ARCHIVE)
    return path / ARCHIVE


def hepdata_library() -> Any:
    """The library that writes the submission.

    Raises
    ------
    StatisticsError
        If it is not installed.
    """
    try:
        import hepdata_lib
    except ImportError as error:
        msg = "the HEPData submission needs hepdata_lib: install it with `pip install na64mu[publish]`"
        raise StatisticsError(msg) from error
    return hepdata_lib


def _validate(archive: Path) -> None:
    from hepdata_validator.full_submission_validator import FullSubmissionValidator

    validator = FullSubmissionValidator()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # it leaves files to the garbage collector
        is_valid = validator.validate(archive=str(archive))
    if not is_valid:
        problems = [str(m.message) for file in validator.get_messages() for m in validator.get_messages(file)]
        msg = f"{archive}: hepdata-validator does not accept it: {'; '.join(problems)}"
        raise StatisticsError(msg)


def _variable(lib: Any, name: str, values: Sequence[Any], units: str = "", *, independent: bool = False) -> Any:
    return lib.Variable(
        name, is_independent=independent, is_binned=False, units=units, values=list(values), zero_uncertainties_warning=False
    )


def _table(lib: Any, name: str, description: str, location: str) -> Any:
    table = lib.Table(name)
    table.description, table.location = description, location
    return table


def _number(value: float) -> float | str:
    """A number as HEPData takes it: what does not exist is a word."""
    return float(value) if math.isfinite(value) else "no limit"


def _tables(lib: Any, publication: Publication) -> list[Any]:
    tables = [_limits_table(lib, publication.scan, method, quantity) for method in METHODS for quantity in ("coupling", "events")]
    if publication.dark is not None:
        tables += [_dark_table(lib, publication, publication.dark, method) for method in METHODS]
    tables += [_counts_table(lib, publication), _yield_table(lib, publication), _systematics_table(lib, publication.models)]
    if publication.backgrounds is not None:
        tables.append(_background_table(lib, publication.backgrounds))
    if publication.cutflow is not None:
        tables.append(_cutflow_table(lib, publication.cutflow))
    return tables


def _limits_table(lib: Any, scan: LimitScan, method: str, quantity: str) -> Any:
    level = 100 * scan.limits[0].level
    what = "coupling g" if quantity == "coupling" else "signal events of all configurations"
    table = _table(
        lib,
        f"Limits on {quantity} {method}",
        f"Upper limits at {level:g} % CL on the {what}: {METHODS[method]}.",
        f"na64mu limits, limits.csv, columns {'g' if quantity == 'coupling' else 'n'}_{method}"
        + ("; figures limit_g and bands" if quantity == "coupling" else ""),
    )
    table.keywords = {"observables": ["CLS"], "reactions": ["MU- NUCLEUS --> MU- NUCLEUS ZPRIME"]}
    table.add_variable(_variable(lib, "Mass of the mediator", scan.masses.tolist(), "GeV", independent=True))
    _add_bands(
        lib, table, "g" if quantity == "coupling" else "N", scan.couplings(method) if quantity == "coupling" else scan.events(method)
    )
    return table


def _add_bands(lib: Any, table: Any, symbol: str, values: FloatArray) -> None:
    for column, label in zip(values.T, BAND_LABELS, strict=True):
        table.add_variable(_variable(lib, f"{symbol} {label}", [_number(v) for v in column]))


def _dark_table(lib: Any, publication: Publication, dark: DarkLimits, method: str) -> Any:
    level = 100 * publication.scan.limits[0].level
    description = f"Upper limits at {level:g} % CL on {dark.what}: {METHODS[method]}."
    table = _table(lib, f"Limits on y {method}", description, f"na64mu limits, limits.csv, columns y_{method}; figure limit_y")
    table.keywords = {"observables": ["CLS"], "reactions": ["MU- NUCLEUS --> MU- NUCLEUS ZPRIME"]}
    table.add_variable(_variable(lib, "Mass of the dark matter", dark.m_chi.tolist(), "GeV", independent=True))
    _add_bands(lib, table, "y", dark.y[method])
    return table


def _counts_table(lib: Any, publication: Publication) -> Any:
    model = next(iter(publication.models.values()))
    table = _table(
        lib,
        "Counts",
        "Events in the signal box after all cuts, and expected background events of the model, per trigger configuration; a background of which only an "
        "upper limit is known enters with no event.",
        "na64mu limits, background_only.json",
    )
    table.add_variable(_variable(lib, "Trigger configuration", list(model.channels), independent=True))
    if publication.exposures:
        table.add_variable(_variable(lib, "Muons on target", [float(n) for n in publication.exposures]))
    table.add_variable(_variable(lib, "Observed events", [float(n) for n in publication.observed]))
    for name, values in model.backgrounds.items():
        table.add_variable(_variable(lib, f"Expected events {name}", list(values)))
    return table


def _yield_table(lib: Any, publication: Publication) -> Any:
    table = _table(
        lib,
        "Signal yields",
        f"Expected signal events per trigger configuration at g = {publication.scan.g_ref:g}, and efficiency.",
        "na64mu limits, yields.csv; figures yields and efficiency",
    )
    masses = list(publication.models)
    table.add_variable(_variable(lib, "Mass of the mediator", masses, "GeV", independent=True))
    channels = publication.models[masses[0]].channels
    for c, channel in enumerate(channels):
        table.add_variable(_variable(lib, f"Signal events {channel}", [publication.models[m].signal[c] for m in masses]))
        if publication.efficiencies:
            table.add_variable(_variable(lib, f"Efficiency {channel}", [publication.efficiencies[m][c] for m in masses]))
    return table


def _systematics_table(lib: Any, models: Mapping[float, CountingModel]) -> Any:
    channels = next(iter(models.values())).channels
    table = _table(
        lib,
        "Systematics",
        f"Relative systematic uncertainties for every mass. Channels: {', '.join(channels)}.",
        "na64mu limits, systematics.csv",
    )
    rows = [(mass, s, sample) for mass, model in models.items() for s in model.systematics for sample in s.effects]
    table.add_variable(_variable(lib, "Mass of the mediator", [mass for mass, _, _ in rows], "GeV", independent=True))
    names = [f"{s.name} ({'signal' if sample == SIGNAL else sample})" for _, s, sample in rows]
    table.add_variable(_variable(lib, "Source", names, independent=True))
    for c, channel in enumerate(channels):
        table.add_variable(_variable(lib, f"Size {channel}", [s.size(sample, c) for _, s, sample in rows]))
    table.add_variable(_variable(lib, "Correlated between configurations", ["yes" if s.correlated else "no" for _, s, _ in rows]))
    table.add_variable(_variable(lib, "Shape", [s.shape for _, s, _ in rows]))
    return table


def _background_table(lib: Any, backgrounds: BackgroundTable) -> Any:
    rows = [row for row in backgrounds.rows if not math.isnan(row.ours.value)]
    table = _table(
        lib,
        "Backgrounds",
        f"Expected background events for {backgrounds.n_mot:.4g} muons on target; an upper limit has no uncertainty; what was not estimated is left out.",
        "na64mu, table of the backgrounds (Table I of arXiv:2401.01708 beside ours)",
    )
    table.add_variable(_variable(lib, "Source", [row.title for row in rows], independent=True))
    variable = _variable(lib, "Events", [row.ours.value for row in rows])
    error = lib.Uncertainty("total", is_symmetric=True)
    error.values = [row.ours.error for row in rows]
    variable.add_uncertainty(error)
    table.add_variable(variable)
    table.add_variable(_variable(lib, "Kind", ["upper limit" if row.ours.is_upper else "estimate" for row in rows]))
    return table


def _cutflow_table(lib: Any, cutflow: CutFlow) -> Any:
    table = _table(lib, "Cut flow", "Events left after every cut.", "na64mu run, cutflow.json")
    table.add_variable(_variable(lib, "Cut", [step.label for step in cutflow.steps], independent=True))
    table.add_variable(_variable(lib, "Events left", [step.n for step in cutflow.steps]))
    return table
