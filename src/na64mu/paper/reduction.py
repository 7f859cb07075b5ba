"""Steps from simulated files to counts: calibration, main job, signal efficiency, Fig. 3. Momenta GeV/c, energies GeV, masses GeV."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from na64mu.common.whole_file import write_whole
from na64mu.errors import InputError
from na64mu.paper.values import Value, write_values

if TYPE_CHECKING:
    from na64mu.results.run import RunResult

__all__ = ("by_kind", "calibrate", "draw_planes", "measure_efficiency", "run_main_job")

KINDS = ("physics", "calibration", "nuclear", "decay", "zprime")


def calibrate(place: Path, parameters: Mapping[str, Any]) -> Sequence[Path]:
    """Fit the MIP peaks of the calibration triggers: calibration.toml."""
    from na64mu.execution.calibration import calibrate_files

    files = [place.parent / name for name in parameters["files"]]
    calibration, losses = calibrate_files(files, selection=parameters["selection"])
    _complete(place, losses)
    path = place / "calibration.toml"
    calibration.write(path)
    peak = calibration.mip["e_cal"]
    mip = Value(peak.mode, peak.mode_error or 0.0, note=f"Landau and Gaussian fitted to {calibration.n_muons} muons")
    return [path, write_values(place, {"e_cal_mip": mip})]


def _complete(place: Path, losses: Any) -> None:
    """Refuse samples that cannot be read whole: they were written a moment ago."""
    damage = next((loss.reason for loss in losses if loss.is_damage), None)
    if damage is not None:
        msg = f"{place}: {damage}: delete the file, and `na64mu paper` simulates it again"
        raise InputError(msg)


def _search(place: Path, parameters: Mapping[str, Any]) -> RunResult:
    """The main job over the files of every dataset."""
    from na64mu.execution.run import run_search

    fileset = {dataset: {"files": [f"../{name}" for name in names]} for dataset, names in parameters["datasets"].items()}
    listing = place / "fileset.json"
    write_whole(listing, json.dumps(fileset, indent=1) + "\n")
    result = run_search(
        str(listing),
        selection=parameters["selection"],
        calibration=place.parent / "calibrate" / "calibration.toml",
        executor="iterative" if parameters["workers"] == 1 else "futures",
        workers=parameters["workers"],
        progress=False,
    )
    _complete(place, result.losses)
    return result


def run_main_job(place: Path, parameters: Mapping[str, Any]) -> Sequence[Path]:
    """Run the search over beam, biased and signal samples: an output folder of `na64mu run`."""
    from na64mu.report import write_figures, write_html

    result = _search(place, parameters)
    result.write(place)
    written = [place / name for name in ("cutflow.json", "histograms.json", "summary.json")]
    return [*written, *write_figures(result, place), write_html(result, place), write_values(place, _run_values(result))]


def by_kind(result: RunResult) -> RunResult:
    """Both trigger configurations of the unbiased and biased samples together: datasets physics, calibration, nuclear, decay, zprime."""
    from na64mu.analysis.joined import joined

    return joined(result, {kind: [name for name in result.datasets if name.startswith(f"{kind}_")] for kind in KINDS})


def _rate(n: int, tried: float) -> Value:
    """Events per muon on target with the Poisson error of the count; without an event the 90 % upper limit."""
    if n == 0:
        return Value(math.log(10.0) / tried * 1e4, is_upper=True, note=f"no event in {tried:.3g} muons on target: 90 % upper limit")
    return Value(1e4 * n / tried, 1e4 * math.sqrt(n) / tried, note=f"{n} events in {tried:.3g} muons on target")


def _run_values(result: RunResult) -> dict[str, Value]:
    from na64mu.analysis.backgrounds import tail_sample

    triggers = [result.cutflows[f"physics_{c}"].steps[0].n for c in (1, 2)]
    n_mot = [result.exposure.n_mot(f"physics_{c}") for c in (1, 2)]
    rates = [_rate(n, tried) for n, tried in zip(triggers, n_mot, strict=True)]
    values = {f"trigger_rate_{c}": rate for c, rate in zip((1, 2), rates, strict=True)}
    if min(triggers) > 0:
        ratio = rates[1].value / rates[0].value
        values["trigger_rate_ratio"] = Value(ratio, ratio * math.sqrt(1 / triggers[0] + 1 / triggers[1]), note="of the two above")
    muons = by_kind(result)
    p_in, x_s4, e_cal = (muons.histogram(name, "calibration")[{"stage": "all"}] for name in ("p_in", "x_s4", "e_cal"))
    centre, width, n = _core(p_in)
    values["p_in_width"] = _width(width, n, "half of the central 68.3 % of the calibration triggers")
    tail = tail_sample(muons, trigger="calibration", dataset="calibration")
    values["p_out_width"] = _width(
        tail.sigma, tail.counts.sum(), "the same, one track, MIP in the ECAL, p_in within 2 sigma; beam spread included"
    )
    centre, width, n = _core(x_s4)
    values["x_s4"] = Value(centre, 1.2533 * width / math.sqrt(n), note="median of the calibration triggers, all momenta of the beam")
    below = float(e_cal.values(flow=True)[: 1 + int(np.searchsorted(e_cal.axes[0].edges, 12.0 - 1e-9))].sum())
    all_of_them = float(e_cal.values(flow=True).sum())
    kept = below / all_of_them
    values["e_cal_kept"] = Value(
        100 * kept, 100 * math.sqrt(kept * (1 - kept) / all_of_them), note="calibration triggers, radiative tail included"
    )
    values["observed"] = _in_the_box(sum(result.regions[f"physics_{c}"]["box_after"].n for c in (1, 2)), sum(n_mot))
    return values


def _in_the_box(n: int, n_mot: float) -> Value:
    """Unbiased simulated muons in the box, for the exposure of the Letter; without one the 90 % upper limit."""
    from na64mu.statistics.letter import N_MOT

    scale, note = sum(N_MOT) / n_mot, f"{n} in {n_mot:.3g} simulated muons on target, scaled to {sum(N_MOT):.3g}"
    if n == 0:
        return Value(math.log(10.0) * scale, is_upper=True, note=f"{note}: 90 % upper limit")
    return Value(n * scale, math.sqrt(n) * scale, note=note)


def _core(histogram: Any) -> tuple[float, float, float]:
    """Median, half of the central 68.27 %, and events of a spectrum."""
    counts, edges = histogram.values(), histogram.axes[0].edges
    cumulative = np.concatenate([[0.0], np.cumsum(counts)])
    low, middle, high = (float(np.interp(q * cumulative[-1], cumulative, edges)) for q in (0.15865, 0.5, 0.84135))
    return middle, 0.5 * (high - low), float(cumulative[-1])


def _width(width: float, n: float, note: str) -> Value:
    """Width in per cent of 160 GeV/c; the error is that of a Gaussian's quantiles."""
    return Value(100 * width / 160.0, 100 * width / 160.0 * 1.18 / math.sqrt(2 * n) if n else 0.0, note=note)


def measure_efficiency(place: Path, parameters: Mapping[str, Any]) -> Sequence[Path]:
    """Run the selection over the signal samples: efficiency.json, as `na64mu efficiency` writes it, and a CSV."""
    from na64mu.analysis.yields.measured import SignalSample, efficiency_of
    from na64mu.detector import load_detector

    samples = {s["dataset"]: SignalSample(s["mass"], s["config"], s["pile_up"]) for s in parameters["samples"]}
    what = "selected Z' events over muons on target with one Z' each, simulated by `na64mu paper`"
    table = efficiency_of(_search(place, parameters), samples, load_detector(parameters["detector"]), what=what)
    rows = ["mass_GeV,config,pile_up,n_mot,n_trigger,n_selected,efficiency,low_68,high_68"]
    for p in sorted(table.points):
        e = p.efficiency
        rows.append(f"{p.mass:g},{p.config},{int(p.pile_up)},{p.n_mot},{p.n_trigger},{p.n_selected},{e.value:.6g},{e.low:.6g},{e.high:.6g}")
    listing = place / "efficiency.csv"
    write_whole(listing, "\n".join(rows) + "\n")
    loss, error = table.pile_up_loss()
    n_masses = len({p.mass for p in table.points if p.pile_up})
    lost = Value(100 * loss, 100 * error, note=f"simulated signal of {n_masses} mass(es) with and without pile-up")
    return [table.write(place / "efficiency.json"), listing, write_values(place, {"pile_up_loss": lost})]


def draw_planes(place: Path, parameters: Mapping[str, Any]) -> Sequence[Path]:
    """Fig. 3: the (p_out, E_CAL) plane of both trigger configurations, before and after cut (iv)."""
    from na64mu.report.configurations import plane_by_configuration
    from na64mu.report.drawn import attempt_with_numbers
    from na64mu.results.run import RunResult

    result = RunResult.read(place.parent / parameters["run"])
    written: list[Path] = []
    for name, when in (("plane_before", "before"), ("plane_after", "after")):
        titles = {c: f"configuration {c}, {result.exposure.n_mot(f'physics_{c}'):.3g} muons on target" for c in (1, 2)}
        draw = partial(
            plane_by_configuration,
            {title: _coarse(result.histogram(name, f"physics_{c}")) for c, title in titles.items()},
            result.working_point,
            overlays={title: _coarse(result.histogram(name, f"nuclear_{c}")) for c, title in titles.items()},
            what=f"simulation, {when} cut (iv), signal box open",
        )
        written += attempt_with_numbers(draw, place / name)
    return written


def _coarse(plane: Any) -> Any:
    """Return a plane with blocks of 2 x 2 bins merged, so that single events are visible."""
    import hist

    return plane[hist.rebin(2), hist.rebin(2)]
