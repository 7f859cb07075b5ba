"""MIP windows of one detector: the thresholds that the Letter does not print, fitted from beam muons and kept as TOML.

Energies GeV (VETO: MeV). Files are named data/calibration/<detector tag>.toml and are made by `na64mu calibrate`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from na64mu.calibration.mip import fit_mip
from na64mu.common.arguments import file_name
from na64mu.common.table import Shown, Table
from na64mu.common.toml_model import content_hash, read_toml, toml_lines, validate
from na64mu.common.whole_file import write_whole
from na64mu.detector import Detector, DetectorLike, load_detector
from na64mu.detector.elements import Source
from na64mu.detector.gains import Gain
from na64mu.errors import CalibrationError, writing
from na64mu.events.schema_v1 import TRIGGER_BITS
from na64mu.reconstruction.columns import COLUMNS
from na64mu.selections.cuts import within
from na64mu.selections.working_point import MipRule, WorkingPoint, load_working_point
from na64mu.typing import BoolArray, Summary

__all__ = (
    "CALIBRATION_COLUMNS",
    "Calibration",
    "CalibrationInput",
    "MipPeak",
    "calibrate",
    "good_muons",
    "known_calibrations",
    "load_calibration",
)

FOLDER = Path(__file__).parent.parent / "data" / "calibration"

#: Columns of the summary that a calibration needs besides the energies.
CALIBRATION_COLUMNS = ("trigger", "p_in", "n_tracks_ms1", "n_tracks_ms2", "x_ecal", "y_ecal", "tx_in", "ty_in")

#: A calibration file must cover these; the description's own MIP is used where the beam cannot show one.
FALLBACK_MIP = {"e_vhcal": "vhcal"}


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class MipPeak(_Model):
    """MIP peak of one energy and the window that follows from it."""

    unit: str
    low: float | None = None  # lowest energy of a MIP; none where most muons deposit nothing
    high: float  # highest energy of a MIP
    fraction: Annotated[float, Field(ge=0, le=1)]  # of the calibration muons in the window
    mode: float  # most probable energy
    source: Source
    mode_error: float | None = None
    xi: float | None = None  # width of the Landau distribution
    xi_error: float | None = None
    sigma: float | None = None  # standard deviation of the Gaussian
    sigma_error: float | None = None
    chi2: float | None = None
    ndf: int | None = None
    n_events: int | None = None  # in the fit range
    fit_range: tuple[float, float] | None = None


class CalibrationInput(_Model):
    """A file that went into a calibration."""

    path: str
    uuid: str
    entries: int


class Calibration(Shown, _Model):
    """MIP windows of one detector."""

    format_version: int
    detector: str
    detector_hash: str  # of the whole description at that time
    energy_hash: str = ""  # of what the energies depend on (Detector.energy_digest); files of version 0.1.0 have none
    selection: str
    selection_hash: str
    version: str
    command: str
    n_muons: int
    rule: MipRule
    mip: dict[str, MipPeak]
    inputs: tuple[CalibrationInput, ...]
    kind: Literal["", "calibration"] = ""  # files of version 0.1.0 have none
    description: str = ""  # TOML file of the description, as seen from the folder of this file; empty: that of the tag
    gains: tuple[Gain, ...] = ()  # what the energies are divided by

    def _table(self) -> Table:
        rows = tuple(
            (
                name,
                peak.unit,
                f"{peak.mode:.4g}",
                "" if peak.mode_error is None else f"{peak.mode_error:.2g}",
                "-inf" if peak.low is None else f"{peak.low:.4g}",
                f"{peak.high:.4g}",
                f"{peak.fraction:.1%}",
                "" if peak.ndf is None else f"{peak.chi2:.0f}/{peak.ndf}",
            )
            for name, peak in self.mip.items()
        )
        headings = ("energy", "unit", "peak", "error", "window from", "to", "muons inside", "chi2/ndf")
        return Table(f"MIP windows of {self.detector} from {self.n_muons} beam muons, rule of {self.selection}", headings, rows)

    @property
    def windows(self) -> dict[str, tuple[float, float]]:
        """Energy -> lowest and highest value of a MIP; -inf where there is no lower end."""
        return {name: (-np.inf if peak.low is None else peak.low, peak.high) for name, peak in self.mip.items()}

    @property
    def hash(self) -> str:
        """SHA-256 of the canonical content."""
        return content_hash(
            self.model_dump(mode="json", exclude={name for name in ("kind", "description", "gains") if not getattr(self, name)})
        )

    def applied_to(self, detector: DetectorLike) -> Detector:
        """The description with the gains that were found.

        Parameters
        ----------
        detector : Detector, str or Path
            The description; gains that it has of the same banks are replaced.

        Returns
        -------
        Detector
            The same description if the calibration has no gains.
        """
        return load_detector(detector).with_gains(self.gains)

    def belongs_to(self, detector: Detector) -> bool:
        """Whether the windows were made for this description, in all that the energies depend on."""
        if self.detector != detector.tag:
            return False
        return self.energy_hash == detector.energy_digest if self.energy_hash else self.detector_hash == detector.digest

    def write(self, path: str | Path) -> Path:
        """Write the TOML file.

        Parameters
        ----------
        path : str or Path
            Target, with the ending .toml.

        Returns
        -------
        Path
            The file.
        """
        content = self.model_dump(mode="json", exclude_none=True)
        target = Path(path)
        with writing(target.parent):
            target.parent.mkdir(parents=True, exist_ok=True)
        lines = ["# MIP windows, made by `na64mu calibrate`: do not edit by hand, make it again.", *toml_lines(content)]
        return write_whole(target, "\n".join(lines) + "\n")


def known_calibrations() -> list[str]:
    """Detector tags whose calibration ships with the package."""
    return sorted(p.stem for p in FOLDER.glob("*.toml"))


def load_calibration(name: str | Path | Calibration) -> Calibration:
    """Read a calibration.

    Parameters
    ----------
    name : str, Path or Calibration
        Detector tag, or path of a TOML file.

    Returns
    -------
    Calibration
        The frozen windows.

    Raises
    ------
    CalibrationError
        If there is none; the message lists the known ones and says how to make one. If a key is wrong, it is named.
    """
    if isinstance(name, Calibration):
        return name
    name = file_name(name, "calibration", CalibrationError, "a Calibration, a detector tag, or the path of its TOML file is wanted")
    path = Path(name)
    if not (path.suffix == ".toml" and path.is_file()):
        path = FOLDER / f"{name}.toml"
        if Path(name).name != str(name) or not path.is_file():
            known = ", ".join(known_calibrations()) or "none"
            msg = (
                f"no calibration {str(name)!r}: known are {known}; make one from beam muons of this detector with "
                "`na64mu calibrate FILES -o calibration.toml` and give it with --calibration"
            )
            raise CalibrationError(msg)
    calibration = validate(Calibration, read_toml(path, CalibrationError), str(path), CalibrationError)
    if calibration.format_version != 1:
        msg = f"{path}: format_version is {calibration.format_version}, this version of na64mu reads 1"
        raise CalibrationError(msg)
    return calibration


def good_muons(summary: Summary, working_point: WorkingPoint | str | Path) -> BoolArray:
    """Calibration-trigger events with one track in each spectrometer and p_in in the window of cut (i).

    Parameters
    ----------
    summary : Summary
        Columns of shape (n_events,).
    working_point : WorkingPoint, str or Path
        Working point whose cuts on p_in and on the number of tracks are used.

    Returns
    -------
    BoolArray
        Shape (n_events,).
    """
    working_point = load_working_point(working_point)
    mask = np.asarray((summary["trigger"] >> TRIGGER_BITS["calibration"]) & 1, dtype=np.bool_)
    no_windows = dict.fromkeys(working_point.mip_quantities, (-np.inf, np.inf))
    for cut in working_point.bind(no_windows):
        if cut.name in ("momentum_in_window", "single_tracks"):
            mask &= cut(summary)
    return mask


def calibrate(summary: Summary, detector: DetectorLike, working_point: WorkingPoint | str | Path) -> tuple[dict[str, MipPeak], int]:
    """Fit the MIP peaks of beam muons and derive the windows.

    Parameters
    ----------
    summary : Summary
        Columns `CALIBRATION_COLUMNS` and the energies, of shape (n_events,).
    detector : Detector, str or Path
        Description that gives the path of the muons, and the MIP energies that the beam cannot show.
    working_point : WorkingPoint, str or Path
        Working point with the rule `mip`.

    Returns
    -------
    peaks : dict of str to MipPeak
        Fitted peaks, one per energy of the rule.
    n_muons : int
        Muons used.

    Raises
    ------
    CalibrationError
        If there are too few muons, or a fit fails.
    """
    detector = load_detector(detector)
    working_point = load_working_point(working_point)
    rule = working_point.mip
    good = good_muons(summary, working_point)
    n_muons = int(np.count_nonzero(good))
    if n_muons < rule.min_events:
        msg = (
            f"{n_muons} of {len(good)} events are calibration-trigger muons with one track in each spectrometer, at least {rule.min_events} are needed: "
            "give files of the calibration trigger"
        )
        raise CalibrationError(msg)
    muons = {name: np.asarray(column)[good] for name, column in summary.items()}
    peaks = {name: _fitted_peak(muons, name, rule) for name in rule.quantities}
    peaks |= {name: _upper_bound(muons, name, rule, detector) for name in rule.upper_bounds}
    return peaks, n_muons


def _fitted_peak(muons: Summary, name: str, rule: MipRule) -> MipPeak:
    fit = fit_mip(muons[name], name, fit_low=rule.fit_low, fit_high=rule.fit_high, min_events=rule.min_events)
    low, high = fit.shape.quantile(rule.quantile_low), fit.shape.quantile(rule.quantile_high)
    return MipPeak(
        unit=COLUMNS[name][1],
        low=_round(low),
        high=_round(high),
        fraction=_round(float(np.mean(within(muons[name], (low, high))))),
        mode=_round(fit.mode),
        mode_error=_round(fit.errors[0]),
        xi=_round(fit.shape.xi),
        xi_error=_round(fit.errors[1]),
        sigma=_round(fit.shape.sigma),
        sigma_error=_round(fit.errors[2]),
        chi2=_round(fit.chi2),
        ndf=fit.ndf,
        n_events=fit.n_events,
        fit_range=(_round(fit.fit_range[0]), _round(fit.fit_range[1])),
        source=f"inferred: Landau x Gauss fit; quantiles {rule.quantile_low} and {rule.quantile_high} of the fitted shape",
    )


def _upper_bound(muons: Summary, name: str, rule: MipRule, detector: Detector) -> MipPeak:
    """Window 'less than one MIP' of a calorimeter that the beam passes through a hole."""
    crossing = _crosses_vhcal(muons, detector)
    n_crossing = int(np.count_nonzero(crossing))
    if n_crossing >= rule.min_events:
        fit = fit_mip(muons[name][crossing], name, fit_low=rule.fit_low, fit_high=rule.fit_high, min_events=rule.min_events)
        mode, source = fit.mode, f"inferred: less than the MIP peak of {n_crossing} muons that cross the body of the calorimeter"
    else:
        element = getattr(detector, FALLBACK_MIP[name])
        mode = element.mip
        own = element.source_of("mip").replace(": ", ", ", 1)
        source = f"inferred: less than the MIP of the detector description, since only {n_crossing} muons cross the body of the calorimeter (source of the MIP: {own})"
    return MipPeak(
        unit=COLUMNS[name][1],
        high=_round(mode),
        mode=_round(mode),
        fraction=_round(float(np.mean(within(muons[name], (-np.inf, mode))))),
        n_events=n_crossing,
        source=source,
    )


def _crosses_vhcal(muons: Summary, detector: Detector) -> BoolArray:
    """Muons whose straight line from MS1 lies outside the hole at the front and at the back of the VHCAL."""
    vhcal = detector.vhcal
    outside = np.ones(len(muons["x_ecal"]), dtype=np.bool_)
    for z in (vhcal.z, vhcal.z + vhcal.length):
        x = muons["x_ecal"] + (z - detector.ecal.z) * muons["tx_in"] - vhcal.centre[0]
        y = muons["y_ecal"] + (z - detector.ecal.z) * muons["ty_in"] - vhcal.centre[1]
        outside &= (np.abs(x) > vhcal.half_hole[0]) | (np.abs(y) > vhcal.half_hole[1])
    return outside


def _round(value: float) -> float:
    """Seven significant digits: more than any error, and files stay readable."""
    return float(f"{value:.7g}")
