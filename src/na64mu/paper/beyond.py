"""Steps beyond the Letter: the signal box scanned again, other bosons than the Z', and more muons on target. Momenta GeV/c, energies and masses GeV."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from na64mu.errors import BackgroundError, InputError
from na64mu.paper.values import Value, write_values
from na64mu.physics.bosons import DARK_PHOTON

if TYPE_CHECKING:
    from na64mu.analysis.backgrounds.boxes import BoxBackgrounds

__all__ = ("look_ahead", "scan_signal_box")

#: Bosons besides the Z' whose limits are set.
MODELS = (DARK_PHOTON, "scalar")


def scan_signal_box(place: Path, parameters: Mapping[str, Any]) -> Sequence[Path]:
    """Scan the borders of the signal box for the best expected limit, without a look into it: boxes.csv, boxes.json, boxes.png.

    With too few simulated events the best borders do not exist; the step then says why, and draws nothing.
    """
    import numpy as np

    from na64mu.analysis.backgrounds.boxes import box_backgrounds
    from na64mu.analysis.optimisation import E_CUTS, P_CUTS, mip_energies, scan_boxes
    from na64mu.paper.reduction import by_kind
    from na64mu.report.boxes import write_box_figure
    from na64mu.results.run import RunResult

    result = by_kind(RunResult.read(place.parent / parameters["run"]))
    n_mot = parameters["n_mot"]

    def backgrounds(region_d: str | None) -> BoxBackgrounds:
        return box_backgrounds(
            result,
            np.array(P_CUTS),
            np.array(E_CUTS),
            seed=parameters["seed"],
            physics="physics",
            calibration="calibration",
            region_d=region_d,
            hadrons="decay",
            n_mot=n_mot,
        )

    try:
        try:
            found = backgrounds("nuclear")
        except BackgroundError:  # region D is too empty to show how E_CAL falls: Table I
            found = backgrounds(None)
        scan = scan_boxes(result, found, signals=("zprime",), mip=mip_energies(result), n_mot=n_mot)
    except (BackgroundError, InputError) as error:
        return [write_values(place, {key: Value(math.nan, note=str(error)) for key in ("p_out_cut", "e_cal_cut")})]
    written = scan.write(place)
    if found.is_flat:  # the same events in every box: no border is better than another
        return [
            *written,
            write_values(place, {key: Value(math.nan, note=f"(I): {found.sources['momentum']}") for key in ("p_out_cut", "e_cal_cut")}),
        ]
    written += write_box_figure(scan, place)
    p_out, e_cal, gain = scan.best()
    p_range, e_range = scan.plateau()
    note = f"expected limit on g {gain:.3g} times that of the published box; within 1 % of the best from {{:g}} to {{:g}}; (III): {found.sources.get('hadrons', '-')}"
    values = {
        "p_out_cut": Value(p_out, note=note.format(*p_range)),
        "e_cal_cut": Value(e_cal, note=note.format(*e_range)),
    }
    return [*written, write_values(place, values)]


def look_ahead(place: Path, parameters: Mapping[str, Any]) -> Sequence[Path]:
    """Limits on other bosons with our efficiencies, and expected limits of larger exposures: CSV and figures."""
    from na64mu.analysis.counting import letter_counting
    from na64mu.analysis.limits_models import BOSONS, BosonLimits
    from na64mu.analysis.projection import SCENARIOS, project
    from na64mu.analysis.search import limits_of, pile_up_loss_of
    from na64mu.analysis.yields import EfficiencyTable, PileUpLoss, signal_yield, target_of
    from na64mu.detector import load_detector
    from na64mu.paper.interpretation import masses_of
    from na64mu.report.boson_limits import write_boson_figure
    from na64mu.report.projection import write_projection_figure
    from na64mu.statistics.letter import N_MOT

    path = place.parent / "efficiency" / "efficiency.json"
    table, detector = EfficiencyTable.read(path), load_detector(parameters["detector"])
    masses, loss = masses_of(table, parameters["n_masses"]), pile_up_loss_of(table)
    written: list[Path] = []
    for name in MODELS:
        limits = limits_of(letter_counting(), efficiency=table, pile_up_loss=loss, masses=masses, boson=name, detector=detector)
        found = BosonLimits(BOSONS[name], limits)
        written += [found.write(place), *write_boson_figure(found, place)]
    yields = signal_yield(target_of(detector), table, masses, N_MOT, PileUpLoss(0.0, 0.0, "set by each scenario"))
    projection = project(yields, list(SCENARIOS))
    written += [*projection.write(place), *write_projection_figure(projection, place)]
    return written
