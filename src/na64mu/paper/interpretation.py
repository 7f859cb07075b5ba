"""Steps from yields to the result: limits on g and y with the Letter's backgrounds and with ours, likelihoods for publication, and numbers of theory.

Masses GeV.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from na64mu.common.whole_file import write_whole
from na64mu.errors import InputError, writing
from na64mu.paper.values import Value, write_values
from na64mu.typing import FloatArray

if TYPE_CHECKING:
    from na64mu.analysis.limits import SearchLimits
    from na64mu.analysis.yields import EfficiencyTable, SignalYield

__all__ = ("derive", "masses_of", "set_limits")

#: Masses that are always scanned [GeV]: here limit and edge of the g-2 band run nearly parallel, and a coarse scan moved their crossing by 5 %.
AROUND_THE_CROSSING = tuple(float(f"{m:.4g}") for m in np.geomspace(0.008, 0.06, 14))

#: Masses of the rows of the comparison [MeV].
SHOWN = (10, 40, 100, 500, 1000)


def set_limits(place: Path, parameters: Mapping[str, Any]) -> Sequence[Path]:
    """Limits of the Letter's exposure and Table I with our efficiency; the same with our backgrounds; figures, tables, workspaces, HS3."""
    from na64mu.analysis.counting import letter_counting
    from na64mu.analysis.limits_files import write_tables
    from na64mu.analysis.publication import observed_counts, write_likelihood
    from na64mu.analysis.search import limits_of, pile_up_loss_of, targets_of
    from na64mu.analysis.yields import EfficiencyTable
    from na64mu.report.limit_tables import limits_latex, systematics_latex
    from na64mu.report.limits import write_limit_figures
    from na64mu.statistics.hs3 import write_hs3

    table = EfficiencyTable.read(place.parent / "efficiency" / "efficiency.json")
    masses = masses_of(table, parameters["n_masses"])
    loss = pile_up_loss_of(table)
    limits = limits_of(letter_counting(), efficiency=table, pile_up_loss=loss, masses=masses, detector=parameters["detector"])
    yields, targets = limits.yields, targets_of(limits, parameters["n_targets"])
    written = [*write_tables(limits, place), *write_limit_figures(limits, targets, place, table)]
    written += write_likelihood(limits, place)
    shown = min(limits.models, key=lambda m: abs(m - 0.1))
    written.append(write_hs3(place / f"hs3_{1000 * shown:g}MeV.json", limits.models[shown], observed_counts(limits)))
    for name, text in (("limits.tex", limits_latex(limits)), ("systematics.tex", systematics_latex(limits, shown))):
        write_whole(place / name, text)
        written.append(place / name)
    if parameters["archive"] and find_spec("hepdata_lib") is not None:
        written.append(_archive(place, limits))
    own, files = _with_own_backgrounds(place, yields)
    written += files
    values = _limit_values(limits) | own | _target_values(limits, targets) | _signal_values(limits, shown)
    return [*written, write_values(place, values)]


def masses_of(table: EfficiencyTable, n: int) -> list[float]:
    """Masses of a scan [GeV]: even in ln m between those at which both configurations selected events, and the marked ones.

    Parameters
    ----------
    table : EfficiencyTable
    n : int
        Even ones.

    Returns
    -------
    list of float
        Rising.

    Raises
    ------
    InputError
        If fewer than two masses have selected events in both configurations.
    """
    from na64mu.analysis.search import scan_masses

    seen = [p.mass for p, q in zip(table.of(1), table.of(2), strict=True) if p.n_selected and q.n_selected]
    if len(seen) < 2:
        msg = "fewer than two masses have selected signal events in both configurations: simulate more with `na64mu paper --events`"
        raise InputError(msg)
    return sorted({*scan_masses(n, seen[0], seen[-1]), *(m for m in AROUND_THE_CROSSING if seen[0] < m < seen[-1])})


def _limit_values(limits: SearchLimits) -> dict[str, Value]:
    from na64mu.analysis.limits_files import at_mass
    from na64mu.physics.couplings import y_parameter

    values: dict[str, Value] = {}
    for method, suffix in (("asymptotic", ""), ("exact", "_exact")):
        g = limits.couplings(method)[:, 0]
        for mass in SHOWN:
            values[f"g_{mass}{suffix}"] = _with_statistics(limits, at_mass(limits, g, mass / 1000), mass / 1000, 1e4)
        with_chi = at_mass(limits, limits.dark_couplings(method)[:, 0], 0.120)
        y = float(y_parameter(with_chi, 0.05, 0.040, 0.120))
        scaled = _with_statistics(limits, y, 0.120, 1e12)
        values[f"y_40{suffix}"] = Value(scaled.value, 2 * scaled.error, note="m_Z' = 120 MeV, g_chi = 0.05")  # y goes with g^2
        values[f"crossing{suffix}"] = _crossing(limits, method)
    values["left_coupling"] = _left_coupling(limits)
    return values


def _crossing(limits: SearchLimits, method: str) -> Value:
    """Mass [MeV] from which on the limit lies below the edge of the g-2 band, with the error that the simulated samples leave.

    Limit and edge are nearly parallel: the curves are interpolated smoothly, and the error is the range of masses at which they cross when the limit is moved
    by its statistical error, or that to the end of the scan where they then cross no more.
    """
    from na64mu.analysis.curves import crossing, g_minus_2_line

    g, edge, spread = limits.couplings(method)[:, 0], g_minus_2_line(limits.masses, -2.0), _relative_statistics(limits)
    first, last = crossing(limits.masses, g, edge)
    if math.isnan(first) and not g[0] < edge[0]:
        return Value(math.nan, note="never below the line")
    lowest, until = float(limits.masses[0]), "" if math.isnan(last) else f"; up to {1000 * last:.3g} MeV"
    if math.isnan(first):
        return Value(1000 * lowest, is_upper=True, note=f"below the line from the lowest mass of the scan on{until}")
    early, late = (crossing(limits.masses, g * factor, edge)[0] for factor in (1.0 - spread, 1.0 + spread))
    early = lowest if math.isnan(early) else early
    text = f"crossing{until}" + ("; never below the line with a limit one standard deviation higher" if math.isnan(late) else "")
    error = first - early if math.isnan(late) else 0.5 * (late - early)
    return Value(1000 * first, 1000 * error, note=text)


def _left_coupling(limits: SearchLimits) -> Value:
    """Largest coupling of the g-2 band [1e-4] between the bound of Borexino and the crossing that our limit leaves."""
    from na64mu.analysis.curves import crossing, g_minus_2_line, other_limits

    borexino = next(curve for curve in other_limits() if curve.name == "Borexino")
    start = crossing(borexino.x, borexino.y, g_minus_2_line(borexino.x, -2.0))[1]
    g, (low, high) = limits.couplings("exact")[:, 0], (g_minus_2_line(limits.masses, n) for n in (-2.0, 2.0))
    left = (limits.masses >= start) & (limits.masses < crossing(limits.masses, g, low)[0]) & (g > low)
    if not left.any():
        return Value(math.nan, note=f"nothing of the band is left between {1000 * start:.3g} MeV, where Borexino ends, and our limit")
    masses = 1000 * limits.masses[left]
    text = f"{masses[0]:.3g} to {masses[-1]:.3g} MeV, below our limit and the +2 sigma edge"
    return Value(1e4 * float(np.minimum(g, high)[left].max()), note=text)


def _relative_statistics(limits: SearchLimits) -> FloatArray:
    """Part of the relative error of g that comes from the number of simulated events, shape (n,): half of that of the efficiency."""
    shares = np.asarray(limits.yields.exposures) / sum(limits.yields.exposures)
    efficiency = np.sqrt((limits.yields.efficiency_error**2) @ shares**2) / (limits.yields.efficiency @ shares)
    lost = limits.yields.pile_up_loss
    return np.asarray(0.5 * np.hypot(efficiency, lost.error / (1.0 - lost.value)), dtype=np.float64)


def _with_statistics(limits: SearchLimits, value: float, mass: float, scale: float) -> Value:
    from na64mu.analysis.limits_files import at_mass

    relative = at_mass(limits, _relative_statistics(limits), mass)
    return Value(scale * value, scale * value * relative, note="error: statistics of the simulated samples")


def _archive(place: Path, limits: SearchLimits) -> Path:
    """The HEPData submission: limits, yields, systematics, cut-flow of the simulated physics triggers, our Table I, likelihood."""
    from na64mu.analysis.backgrounds.table import PUBLISHED, BackgroundTable, Entry, Row
    from na64mu.analysis.hepdata import write_hepdata
    from na64mu.analysis.publication import publication_of
    from na64mu.paper.reduction import by_kind
    from na64mu.results.run import RunResult

    content = json.loads((place.parent / "backgrounds" / "backgrounds.json").read_text(encoding="utf-8"))
    entries = {name: Entry(**row | {"value": math.nan if row["value"] is None else row["value"]}) for name, row in content["rows"].items()}
    rows = tuple(Row(name, title, published, entries[name]) for name, (title, published) in PUBLISHED.items())
    cutflow = by_kind(RunResult.read(place.parent / "run")).cutflows["physics"]
    table = BackgroundTable(rows, content["n_mot"])
    return write_hepdata(place / "hepdata", replace(publication_of(limits), backgrounds=table, cutflow=cutflow))


def _with_own_backgrounds(place: Path, yields: SignalYield) -> tuple[dict[str, Value], list[Path]]:
    """The limits again with our backgrounds instead of Table I; those known as upper limits alone enter with none, the side on which the limit is the weaker one."""
    from na64mu.analysis.counting import Counting
    from na64mu.analysis.limits import search_limits
    from na64mu.analysis.limits_files import at_mass, write_tables

    content = json.loads((place.parent / "backgrounds" / "backgrounds.json").read_text(encoding="utf-8"))
    limits, expected = sum(content["bounds"].values()), sum(content["expected"].values())
    keys = {method: f"g_100_{method}_own_backgrounds" for method in ("asymptotic", "exact")}
    source = "exposure and empty box of the Letter, our backgrounds"
    counting = Counting(yields.exposures, content["expected"], content["errors"], (0.0, 0.0), source, bounds=content["bounds"])
    own = search_limits(counting, yields)
    folder = place / "own_backgrounds"
    with writing(folder):
        folder.mkdir(exist_ok=True)
    note = f"{expected:.3g} background events" + (f", and less than {limits:.3g} that are known as upper limits alone" if limits else "")
    values = {key: Value(1e4 * at_mass(own, own.couplings(method)[:, 0], 0.100), note=note) for method, key in keys.items()}
    return values, write_tables(own, folder)


def _target_values(limits: SearchLimits, targets: Sequence[Any]) -> dict[str, Value]:
    """Mass of chi up to which the pseudo-Dirac target lies above the limit on y."""
    from na64mu.analysis.curves import crossing

    target = next(curve for curve in targets if curve.name == "pseudo-dirac")
    y = limits.y("asymptotic")[:, 0]
    line = np.exp(np.interp(np.log(limits.m_chi), np.log(target.x), np.log(target.y)))
    first, last = crossing(limits.m_chi, y, line)
    note = f"limit below the target between {1000 * first:.3g} and {1000 * last:.3g} MeV"
    return {"target_crossing": Value(1000 * first, note=note.replace("nan", "the end of the scan"))}


def _signal_values(limits: SearchLimits, shown: float) -> dict[str, Value]:
    from na64mu.analysis.limits_files import at_mass
    from na64mu.statistics.letter import SYSTEMATICS
    from na64mu.statistics.model import SIGNAL

    yields = limits.yields
    efficiency = 100 * yields.mean_efficiency
    inside = np.flatnonzero((limits.masses >= 0.1) & (limits.masses <= 1.0))
    best = int(inside[np.argmax(efficiency[inside])])
    shares = np.asarray(yields.exposures) / sum(yields.exposures)
    error = 100 * (1 - yields.pile_up_loss.value) * np.sqrt((yields.efficiency_error**2) @ shares**2)
    index = list(limits.models).index(shown)
    own = math.sqrt(sum(max(s.size(SIGNAL, c) for c in (0, 1)) ** 2 for s in yields.systematics(index) if SIGNAL in s.effects))
    letter = math.sqrt(sum(max(s.size(SIGNAL, c) for c in (0, 1)) ** 2 for s in SYSTEMATICS))
    return {
        "peak_efficiency": Value(
            float(efficiency[best]), float(error[best]), note=f"at {1000 * limits.masses[best]:.3g} MeV, mean by muons on target"
        ),
        "efficiency_40": Value(at_mass(limits, efficiency, 0.040), at_mass(limits, error, 0.040), note="mean by muons on target"),
        "efficiency_120": Value(at_mass(limits, efficiency, 0.120), at_mass(limits, error, 0.120), note="mean by muons on target"),
        **_implied_efficiencies(limits),
        **_implied_events(limits),
        "systematics": Value(100 * letter, note="seven sources as published"),
        "systematics_own": Value(100 * own, note="larger of the two configurations, errors of efficiency and pile-up loss included"),
    }


def _implied_events(limits: SearchLimits) -> dict[str, Value]:
    """Signal events that the Letter's couplings correspond to, with our yields normalised to its peak efficiency, and our g over its with 2.31 events."""
    from na64mu.analysis.curves import g_minus_2_line, letter_numbers
    from na64mu.analysis.limits_files import at_mass, published_point

    letter = letter_numbers()["signal_efficiency"]
    efficiency = limits.yields.mean_efficiency
    inside = (limits.masses >= letter["masses"][0]) & (limits.masses <= letter["masses"][1])
    scale = letter["peak"] / float(efficiency[inside].max())
    found = {}
    for mass, g in ((0.040, float(g_minus_2_line(np.array([0.040]), -2.0)[0])), published_point()):
        made = sum(limits.counting.exposures) * at_mass(limits, limits.yields.per_muon * limits.yields.invisible, mass)
        events = scale * at_mass(limits, efficiency, mass) * made * (g / limits.yields.g_ref) ** 2
        note = f"at g = {g:.3g}, our yields with the peak efficiency of the Letter ({100 * letter['peak']:g} %)"
        found[f"implied_events_{1000 * mass:.0f}"] = Value(events, note=note)
    exact = at_mass(limits, limits.events("exact")[:, 0], 0.040)
    for mass in (40, 120):
        found[f"g_over_letter_{mass}"] = Value(
            math.sqrt(exact / found[f"implied_events_{mass}"].value), note=f"with {exact:.3g} events, the same normalisation"
        )
    return found


def _implied_efficiencies(limits: SearchLimits) -> dict[str, Value]:
    """Efficiencies with which the asymptotic limit would lie where the Letter's does: on the edge of the g-2 band at 40 MeV, and at its y."""
    from na64mu.analysis.curves import g_minus_2_line
    from na64mu.analysis.limits_files import at_mass, published_point

    on_the_edge = (0.040, float(g_minus_2_line(np.array([0.040]), -2.0)[0]))
    found = {}
    for mass, g in (on_the_edge, published_point()):
        events = at_mass(limits, limits.events("asymptotic")[:, 0], mass)
        produced = at_mass(limits, limits.yields.per_muon, mass) * (g / limits.yields.g_ref) ** 2 * sum(limits.counting.exposures)
        found[f"implied_efficiency_{1000 * mass:.0f}"] = Value(
            100 * events / produced, note=f"asymptotic limit at g = {g:.3g} with our Z' per muon on target"
        )
    return found


def _best_angle() -> Value:
    """Angle of the recoiling muon at the vertex with the largest efficiency [mrad], from the map that ships with the package."""
    from na64mu.analysis.yields.kinematics import KinematicMap

    table = KinematicMap.read("na64mu-2022-kinematic")
    hard = table.x_edges[:-1] >= 0.5 - 1e-9  # the muon keeps less than half of its energy, as in the signal box
    made, kept = (counts.sum(axis=0)[hard].sum(axis=0) for counts in (table.generated, table.selected))
    i = int(np.argmax(kept / np.maximum(made, 1e-300)))
    low, high = 1000 * table.psi_edges[i : i + 2]
    return Value(
        0.5 * (low + high), 0.5 * (high - low), note="at the vertex; both configurations, x above 0.5; error: half of the bin of the map"
    )


def derive(place: Path, parameters: Mapping[str, Any]) -> Sequence[Path]:
    """Numbers that need no events: production, widths of bands, target, and the published numbers that the simulation takes as input."""
    from na64mu.analysis.backgrounds.decays import PION, muon_energy_range
    from na64mu.analysis.curves import crossing, g_minus_2_line, other_limits
    from na64mu.detector import load_detector
    from na64mu.physics.cross_section import Method, cross_section
    from na64mu.physics.effective_neutrinos import lightest_mass
    from na64mu.physics.moment import LETTER
    from na64mu.physics.nucleus import FormFactor
    from na64mu.simulation.calorimeters import INTERACTION_LENGTH
    from na64mu.statistics.letter import N_MOT
    from na64mu.tracking.vertex import ecal_radiation_lengths

    detector, energy = load_detector(parameters["detector"]), np.array([160.0])

    def sigma(mass: float, method: Method = Method.TREE, form: FormFactor = FormFactor.ELASTIC) -> float:
        return float(cross_section(energy, mass, 1e-4, 82.0, 207.2, method=method, form_factor=form)[0])

    values = {
        f"ww_{mass}": Value(100 * (sigma(mass / 1000, Method.WW) / sigma(mass / 1000) - 1), note="total cross-section on lead at 160 GeV")
        for mass in (10, 100, 1000)
    }
    values["inelastic_100"] = Value(
        100 * (sigma(0.1, form=FormFactor.INELASTIC) / sigma(0.1) - 1), note="total cross-section on lead at 160 GeV"
    )
    borexino = next(curve for curve in other_limits() if curve.name == "Borexino")
    _, last = crossing(borexino.x, borexino.y, g_minus_2_line(borexino.x, -2.0))
    hcal, vhcal = detector.hcal, detector.vhcal
    modules_deep = len(set(hcal.front))
    depths = {
        "hcal_depth": Value(
            modules_deep * hcal.layers * hcal.absorber / INTERACTION_LENGTH["iron"], note=f"{modules_deep} modules behind each other"
        ),
        "vhcal_depth": Value(vhcal.layers * vhcal.absorber / INTERACTION_LENGTH["copper"], note="its copper alone"),
        "psi_best": _best_angle(),
        "pion_muon_min": Value(muon_energy_range(PION, 140.0)[0], note="exact kinematics of the decay in flight"),
    }
    description = f"detector description {detector.tag}"
    return [
        write_values(
            place,
            values
            | depths
            | {
                "g_minus_2": Value(1e11 * LETTER.value, note=f"error {1e11 * LETTER.error:.1f}; {LETTER.source}"),
                "n_eff_mass": Value(1000 * lightest_mass(0.5), note="entropy of the Z' given to nu_mu and nu_tau that decouple at 1.5 MeV"),
                "left_from": Value(1000 * last, note="digitised limit against the line"),
                "ecal_depth": Value(ecal_radiation_lengths(detector.ecal), note="lead and scintillator of the published layers"),
                "exposure_1": Value(1e-9 * N_MOT[0], note="the limits are made for it"),
                "exposure_2": Value(1e-9 * N_MOT[1], note="the limits are made for it"),
                "muons_per_spill": Value(1e-6 * detector.beam.muons_per_spill, note=description),
                "hadron_contamination": Value(1e5 * detector.beam.hadron_fraction, note=description),
                "ecal_stochastic": Value(100 * detector.ecal.stochastic, note=description),
                "hcal_stochastic": Value(100 * detector.hcal.stochastic, note=description),
            },
        )
    ]
