"""The signal box: borders in p_out and E_CAL scanned for the best expected limit, from blinded data and simulation.

No event inside the blinded box is used (see `na64mu.analysis.backgrounds.boxes`); efficiencies come from simulated signal. Momenta GeV/c, energies GeV.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from na64mu.analysis.backgrounds.boxes import BoxBackgrounds
from na64mu.analysis.backgrounds.table import PUBLISHED_EXPOSURE
from na64mu.calibration.mip import MipShape
from na64mu.calibration.windows import load_calibration
from na64mu.common.arguments import number
from na64mu.common.whole_file import whole_file, write_whole
from na64mu.errors import CalibrationError, InputError
from na64mu.results.output_folder import output_folder
from na64mu.results.run import RunResult
from na64mu.statistics.asymptotic import asymptotic_limits
from na64mu.statistics.exact import exact_limits
from na64mu.statistics.model import CountingModel, Systematic
from na64mu.typing import FloatArray

__all__ = ("BoxScan", "expected_events", "mip_energies", "scan_boxes", "signal_datasets")

P_CUTS = tuple(float(p) for p in range(40, 122, 2))
E_CUTS = (6.0, 7.0, 8.0, 9.0, 10.0, 12.0, 14.0, 16.0, 20.0, 25.0, 30.0)


@dataclass(frozen=True)
class BoxScan:
    """Boxes and what they would exclude.

    Attributes
    ----------
    p_cuts, e_cuts : FloatArray
        Borders, shapes (n_p,) and (n_e,).
    efficiencies : dict of str to FloatArray
        Signal dataset -> efficiency, shape (n_p, n_e).
    backgrounds : BoxBackgrounds
    mean_events : FloatArray
        Mean expected upper limit in signal events (exact CLs, averaged over the counts that the background makes).
    median_asymptotic : FloatArray
        Median expected limit, asymptotic, as the Letter's method.
    n_mot : float
        Muons on target.
    published : (float, float)
        The box in use.
    mip : dict of str to float
        The fit of the MIP peak of E_CAL: mode, and energies below which 95 %, 99 % and 99.9 % of its shape lie.
    """

    p_cuts: FloatArray
    e_cuts: FloatArray
    efficiencies: dict[str, FloatArray]
    backgrounds: BoxBackgrounds
    mean_events: FloatArray
    median_asymptotic: FloatArray
    n_mot: float
    published: tuple[float, float]
    mip: dict[str, float] = field(default_factory=dict)

    def relative(self, signal: str | None = None, *, asymptotic: bool = False) -> FloatArray:
        """Expected limit on the coupling over that of the published box, shape (n_p, n_e).

        Parameters
        ----------
        signal : str, optional
            Name of a signal dataset; by default the geometric mean over all.
        asymptotic : bool
            Take the asymptotic median instead of the exact mean.

        Returns
        -------
        FloatArray
            Infinite where the efficiency is zero.
        """
        events = self.median_asymptotic if asymptotic else self.mean_events
        names = list(self.efficiencies) if signal is None else [signal]
        i, j = self.at(*self.published)
        out = np.zeros(events.shape)
        with np.errstate(divide="ignore"):
            for name in names:
                g2 = events / self.efficiencies[name]
                out += 0.5 * np.log(g2 / g2[i, j]) / len(names)
        return np.asarray(np.exp(out), dtype=np.float64)

    def at(self, p_cut: float, e_cut: float) -> tuple[int, int]:
        """Indices of a box."""
        return int(np.argmin(np.abs(self.p_cuts - p_cut))), int(np.argmin(np.abs(self.e_cuts - e_cut)))

    def best(self, signal: str | None = None, *, asymptotic: bool = False) -> tuple[float, float, float]:
        """Borders of the best box, and its limit on the coupling over that of the published one."""
        values = self.relative(signal, asymptotic=asymptotic)
        i, j = np.unravel_index(int(np.nanargmin(values)), values.shape)
        return float(self.p_cuts[i]), float(self.e_cuts[j]), float(values[i, j])

    def plateau(self, tolerance: float = 0.01) -> tuple[tuple[float, float], tuple[float, float]]:
        """Lowest and highest borders, in p_out and in E_CAL, of the boxes whose limit on the coupling is within a tolerance of the best."""
        values = self.relative()
        p, e = np.nonzero(values <= (1.0 + tolerance) * np.nanmin(values))
        return (float(self.p_cuts[p.min()]), float(self.p_cuts[p.max()])), (float(self.e_cuts[e.min()]), float(self.e_cuts[e.max()]))

    def rows(self) -> list[dict[str, float]]:
        """Return one row per box, as in boxes.csv."""
        relative, asymptotic = self.relative(), self.relative(asymptotic=True)
        rows = []
        for i, p in enumerate(self.p_cuts):
            for j, e in enumerate(self.e_cuts):
                row = {"p_out_max": float(p), "e_cal_max": float(e)}
                row |= {f"efficiency_{name}": float(v[i, j]) for name, v in self.efficiencies.items()}
                row |= {f"background_{name}": float(v[i, j]) for name, v in self.backgrounds.parts.items()}
                row |= {"background": float(self.backgrounds.total[i, j]), "background_error": float(self.backgrounds.error[i, j])}
                row |= {"events_mean_exact": float(self.mean_events[i, j]), "events_median_asymptotic": float(self.median_asymptotic[i, j])}
                row |= {"coupling_relative": float(relative[i, j]), "coupling_relative_asymptotic": float(asymptotic[i, j])}
                rows.append(row)
        return rows

    def to_dict(self) -> dict[str, Any]:
        """Plain values: best boxes, backgrounds and where they come from, MIP fit, every box."""
        names: tuple[str | None, ...] = (None, *self.efficiencies)
        best = {
            name or "all": {
                key: dict(zip(("p_out_max", "e_cal_max", "coupling_relative"), self.best(name, asymptotic=flag), strict=True))
                for key, flag in (("mean_exact", False), ("median_asymptotic", True))
            }
            for name in names
        }
        rows = [{k: v if math.isfinite(v) else None for k, v in row.items()} for row in self.rows()]
        head = {"n_mot": self.n_mot, "published": list(self.published), "best": best, "plateau": self.plateau()}
        return head | {"background_sources": self.backgrounds.sources, "mip": self.mip, "boxes": rows}

    def write(self, folder: str | Path) -> list[Path]:
        """Write boxes.csv and boxes.json."""
        with output_folder(folder, "optimise") as out:
            rows = self.rows()
            with whole_file(out / "boxes.csv") as part, part.open("w", encoding="utf-8", newline="") as stream:
                stream.write(
                    f"# events for {self.n_mot:.6g} muons on target; coupling over that of p_out <= {self.published[0]:g}, E_CAL < {self.published[1]:g} GeV\n"
                )
                writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
                writer.writeheader()
                writer.writerows({k: f"{v:.6g}" for k, v in row.items()} for row in rows)
            write_whole(out / "boxes.json", json.dumps(self.to_dict(), indent=1) + "\n")
        return [Path(folder, name) for name in ("boxes.csv", "boxes.json")]


def signal_datasets(result: RunResult | str | Path) -> tuple[str, ...]:
    """Datasets of simulated signal: those whose weights correspond to a coupling."""
    result = RunResult.read(result)
    found = {run.dataset for run in result.exposure.runs if run.g_ref > 0}
    return tuple(name for name in result.datasets if name in found)


def _efficiency(result: RunResult, name: str, p_cuts: FloatArray, e_cuts: FloatArray) -> FloatArray:
    """Signal efficiency of every box behind all cuts: weights in it over those of all muons on target."""
    plane = result.histogram("plane_after", name)
    p, e = (axis.centers for axis in plane.axes)
    values = plane.values()
    inside = np.array([[values[p < pc][:, e < ec].sum() for ec in e_cuts] for pc in p_cuts])
    return np.asarray(inside / result.exposure.sum_weights(name), dtype=np.float64)


#: Background [events] above which the asymptotic form replaces the exact one.
ENOUGH = 30.0


def expected_events(background: float, error: float, level: float = 0.90) -> tuple[float, float]:
    """Expected upper limits in signal events of one channel.

    Parameters
    ----------
    background, error : float
        Events and their standard deviation (log-normal).
    level : float
        Confidence level.

    Returns
    -------
    mean, median : float
        Mean of the exact limit over the counts that the background makes, and asymptotic median. The median of the exact limit stays at 2.30 events
        until the background makes an event in every second experiment: it cannot choose a box. Above 30 events of background the mean is taken to be the asymptotic median (2 %
        apart there).

    Raises
    ------
    ArgumentError
        If a number is negative, or the level not between 0 and 1.
    """
    b, sigma = number(background, "background", least=0.0), number(error, "error", least=0.0)
    return _expected_events(b, sigma, number(level, "level", above=0.0, below=1.0))


@lru_cache(maxsize=4096)
def _expected_events(background: float, error: float, level: float) -> tuple[float, float]:
    from scipy.stats import poisson

    b = max(background, 1e-4)
    systematics = (Systematic("background", {"b": min(error / b, 3.0)}),) if error > 0 else ()
    model = CountingModel((1.0,), {"b": (b,)}, systematics, channels=("box",))
    median = float(asymptotic_limits(model, np.array([float(round(b))]), level)[3])
    if b > ENOUGH:
        return median, median
    counts = np.arange(round(b + 8.0 * math.sqrt(b) + 6.0))
    weights = poisson.pmf(counts, b)
    limits = np.array([exact_limits(model, np.array([float(n)]), level)[0] for n in counts])
    return float(weights @ limits / weights.sum()), median


def _rounded(value: float, digits: int = 2) -> float:
    return float(f"{value:.{digits}g}")


def scan_boxes(
    result: RunResult | str | Path,
    backgrounds: BoxBackgrounds,
    p_cuts: Sequence[float] = P_CUTS,
    e_cuts: Sequence[float] = E_CUTS,
    *,
    signals: Sequence[str] | str | None = None,
    mip: Mapping[str, float] | None = None,
    n_mot: float = PUBLISHED_EXPOSURE,
    level: float = 0.90,
) -> BoxScan:
    """Expected limit of every box.

    Parameters
    ----------
    result : RunResult, str or Path
    backgrounds : BoxBackgrounds
        Backgrounds for the same borders and exposure.
    p_cuts, e_cuts : sequence of float
        Borders; those of the box in use must be among them.
    signals : str or sequence of str, optional
        Datasets of simulated signal; by default all.
    mip : mapping, optional
        Results of the fit of the MIP peak.
    n_mot : float
        Muons on target.
    level : float
        Confidence level.

    Returns
    -------
    BoxScan

    Raises
    ------
    InputError
        If there is no simulated signal, or none of it in the box in use.
    """
    result = RunResult.read(result)
    n_mot, level = number(n_mot, "n_mot", above=0.0), number(level, "level", above=0.0, below=1.0)
    names = ((signals,) if isinstance(signals, str) else tuple(signals)) if signals is not None else signal_datasets(result)
    unknown = [name for name in names if name not in result.datasets]
    if unknown or not names:
        msg = f"no simulated signal {unknown[0] if unknown else ''!r} in the output folder (datasets: {', '.join(result.datasets)}): run also over files of `na64mu simulate --process zprime`"
        raise InputError(msg)
    p, e = np.asarray(p_cuts, dtype=np.float64), np.asarray(e_cuts, dtype=np.float64)
    efficiencies = {name: _efficiency(result, name, p, e) for name in names}
    box = result.working_point.box
    total = np.broadcast_to(backgrounds.total, (len(p), len(e)))
    error = np.broadcast_to(backgrounds.error, (len(p), len(e)))
    found = np.array([[expected_events(_rounded(total[i, j]), _rounded(error[i, j]), level) for j in range(len(e))] for i in range(len(p))])
    grids = [{k: np.broadcast_to(v, total.shape).copy() for k, v in part.items()} for part in (backgrounds.parts, backgrounds.errors)]
    scan = BoxScan(
        p,
        e,
        efficiencies,
        BoxBackgrounds(grids[0], grids[1], backgrounds.sources),
        found[:, :, 0],
        found[:, :, 1],
        n_mot,
        (box.p_out_max, box.e_cal_max),
        dict(mip or {}),
    )
    i, j = scan.at(*scan.published)
    empty = [name for name, values in efficiencies.items() if not values[i, j] > 0]
    if empty:
        msg = f"dataset {empty[0]!r} has no event in the box p_out <= {box.p_out_max:g} GeV/c, E_CAL < {box.e_cal_max:g} GeV: simulate more signal"
        raise InputError(msg)
    return scan


def mip_energies(result: RunResult | str | Path, calibration: str | None = None) -> dict[str, float]:
    """The fitted MIP peak of E_CAL, from which a border in E_CAL is chosen, and what the border in use keeps of it.

    Parameters
    ----------
    result : RunResult, str or Path
        Names the detector; its calibration holds the fit.
    calibration : str, optional
        Dataset of calibration triggers: which part of these muons lies below the border, without a fit.

    Returns
    -------
    dict of str to float
        Mode, xi and sigma of the fit [GeV]; energy below which 90 % of the fitted shape lie [GeV] (far out its Landau tail is longer than the energy of the beam allows); parts
        of the fitted shape and of the calibration muons below the border. Empty without a calibration that ships with the package.
    """
    result = RunResult.read(result)
    border = result.working_point.box.e_cal_max
    found = {}
    try:
        peak = load_calibration(next(iter(result.windows))).mip["e_cal"]
    except (CalibrationError, KeyError, StopIteration):
        peak = None
    if peak is not None and peak.xi is not None and peak.sigma is not None:
        # the file holds the mode of the folded shape; the peak of its Landau part is slightly displaced from it
        shape = MipShape(2.0 * peak.mode - MipShape(peak.mode, peak.xi, peak.sigma).mode, peak.xi, peak.sigma)
        below = float(shape.cdf(np.array([border]))[0])
        found = {
            "mode": peak.mode,
            "xi": peak.xi,
            "sigma": peak.sigma,
            "90 % below": shape.quantile(0.90),
            f"fit below {border:g} GeV": below,
        }
    if calibration is not None:
        spectrum = result.histogram("e_cal", calibration)[{"stage": "all"}]
        values, edges = spectrum.values(flow=True), np.asarray(spectrum.axes[0].edges)
        found[f"calibration muons below {border:g} GeV"] = float(
            values[: 1 + int(np.searchsorted(edges, border - 1e-9))].sum() / values.sum()
        )
    return found
