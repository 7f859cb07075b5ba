"""Limits from an output folder, the Letter's numbers or a user's own counts: the one place that computes a limit. Masses GeV.

limits = na64mu.limits_of(counts=(0, 1), backgrounds={"momentum": (0.05, 0.03)}, mot=(1.2e10, 8e9), efficiency=0.1)
limits.couplings("exact")
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from na64mu.analysis.counting import Counting, letter_counting, own_counting
from na64mu.analysis.curves import Curve, letter_numbers, relic_targets
from na64mu.analysis.folder_counting import LETTER, counting_from
from na64mu.analysis.limits import DarkSector, SearchLimits, search_limits
from na64mu.analysis.limits_models import boson_efficiencies
from na64mu.analysis.yields import EfficiencyTable, PileUpLoss, signal_yield, target_of
from na64mu.analysis.yields.efficiency import STANDARD, FlatEfficiency
from na64mu.analysis.yields.origin import Origin, disagreements
from na64mu.analysis.yields.pairs import pair_range, pair_yield
from na64mu.common.arguments import choice
from na64mu.detector import Detector, load_detector
from na64mu.errors import InputError
from na64mu.physics.bosons import Mediator
from na64mu.physics.cross_section import Method
from na64mu.physics.models import MODELS, Model
from na64mu.physics.nucleus import FormFactor
from na64mu.results.run import RunResult

__all__ = (
    "MARKED",
    "counting_from",
    "counting_given",
    "letter_loss",
    "limits_of",
    "pile_up_loss_of",
    "scan_masses",
    "targets_of",
)

logger = logging.getLogger(__name__)

#: Lowest and highest mass of a scan for which no range is given [GeV].
LOW, HIGH = 0.001, 5.0
#: Masses that are always scanned: those of the tables, m_Z' = 120 MeV of the published y, and those at which the decay to two muons opens.
MARKED = (0.010, 0.040, 0.100, 0.120, 0.2113, 0.2120, 0.2200, 0.500, 1.0)


def scan_masses(n: int, low: float, high: float) -> list[float]:
    """Masses of a scan [GeV]: `n` of them even in ln m, and the marked ones between.

    Parameters
    ----------
    n : int
        Even ones, at least two.
    low, high : float
        Ends.

    Returns
    -------
    list of float
        Rising.

    Raises
    ------
    InputError
        If the ends are not above zero and in order, or `n` is below two.
    """
    if not 0 < low < high < math.inf or n < 2:
        msg = f"{n} masses from {low:g} to {high:g} GeV: at least two are wanted, the lowest mass above zero and below the highest"
        raise InputError(msg)
    even = [float(f"{m:.6g}") for m in np.geomspace(low, high, n)]
    return sorted({low, high, *even[1:-1], *(m for m in MARKED if low <= m <= high)})


def letter_loss() -> PileUpLoss:
    """The accidental loss of the Letter."""
    loss = letter_numbers()["signal_efficiency"]["accidental_loss"]
    return PileUpLoss(loss, 0.0, "published: accidental loss of the Letter, no error printed")


def pile_up_loss_of(table: EfficiencyTable | FlatEfficiency) -> PileUpLoss:
    """Loss of signal to pile-up, as the simulation behind a table of efficiencies measured it.

    Raises
    ------
    InputError
        If the table has no samples with pile-up.
    """
    if isinstance(table, FlatEfficiency):
        return PileUpLoss(0.0, 0.0, "contained in the efficiency that was given")
    loss, error = table.pile_up_loss()
    if math.isnan(loss):
        msg = "the efficiency table has no samples with pile-up: give the loss of signal with --pile-up-loss, or make the table with `na64mu efficiency --pile-up`"
        raise InputError(msg)
    return PileUpLoss(max(loss, 0.0), error, "measured: simulated signal with and without pile-up")


def _warn(provenance: Mapping[str, Any], counting: Counting, detector: Detector) -> None:
    """Say where the efficiencies are of another set-up than the counts, or, without a run, than the detector of the target."""
    origin = counting.origin if counting.origin.detectors else Origin(detectors={detector.tag: detector.digest})
    for sentence in disagreements(provenance, origin):
        logger.warning("%s", sentence)


def limits_of(
    source: RunResult | Counting | str | Path | None = None,
    *,
    counts: Sequence[float] | None = None,
    backgrounds: Mapping[str, float | tuple[float, float]] | None = None,
    mot: Sequence[float] | None = None,
    efficiency: EfficiencyTable | str | Path | float = STANDARD,
    pile_up_loss: float | PileUpLoss | None = None,
    masses: int | Sequence[float] = 40,
    mass_range: tuple[float, float] | None = None,
    boson: str = "zprime",
    kinematic_map: str | Path = "na64mu-2022-kinematic",
    detector: Detector | str = "na64mu-2022",
    method: Method | str = Method.TREE,
    form_factor: FormFactor | str = FormFactor.ELASTIC,
    g_ref: float = 1e-4,
    dark: DarkSector | None = None,
    level: float = 0.90,
    progress: Callable[[], object] | None = None,
) -> SearchLimits:
    """Upper limits on the coupling of a boson against its mass, by both methods.

    Parameters
    ----------
    source : RunResult, Counting, str or Path, optional
        Result of a run, its output folder, counts (`counting_from` makes them of a result with every choice), or "letter": the Letter's exposure, Table I and
        empty box. Left out where `mot` is given.
    counts : sequence of float, optional
        Events in the signal box per trigger configuration; without them expected limits alone.
    backgrounds : mapping, optional
        Background -> expected events, or (events, standard deviation), of the whole exposure.
    mot : sequence of float, optional
        Muons on target per trigger configuration.
    efficiency : EfficiencyTable, str, Path or float
        Table of `na64mu efficiency`, its file or name; or one efficiency for all masses, pile-up included.
    pile_up_loss : float or PileUpLoss, optional
        Part of the signal lost to pile-up; by default that of the Letter with "letter", else as measured for the table.
    masses : int or sequence of float
        Number of masses, even in ln m, besides the marked ones; or the masses [GeV].
    mass_range : (float, float), optional
        Ends of the scan [GeV]; by default 1 MeV to 5 GeV as far as the efficiency reaches.
    boson : str
        A name of na64mu.physics.models.MODELS: "zprime", or a boson or pair that is taken not to be seen. The masses of a pair are those of one of the two.
    kinematic_map : str or Path
        Efficiency in (x, psi'), for other spins.
    detector : Detector or str
        Set-up: the layers of the target.
    method : Method or str
        Method for the production cross-section.
    form_factor : FormFactor or str
        Responses of the nucleus.
    g_ref : float
        Coupling of the signal in the likelihood.
    dark : DarkSector, optional
        Dark sector for the limits on y.
    level : float
        Confidence level.
    progress : callable, optional
        Called after each mass of the production.

    Returns
    -------
    SearchLimits

    Raises
    ------
    InputError
        If the numbers do not fit together, or a name is unknown.
    """
    method, form_factor = choice(method, Method, "method"), choice(form_factor, FormFactor, "form_factor")
    counting, table = counting_given(source, counts, backgrounds, mot), _efficiency(efficiency)
    if boson not in MODELS:
        msg = f"no boson {boson!r}: known are {', '.join(MODELS)}"
        raise InputError(msg)
    kind, setup = MODELS[boson], load_detector(detector) if isinstance(detector, str) else detector
    efficiencies = boson_efficiencies(kind, table, kinematic_map)
    _warn(getattr(efficiencies, "provenance", {}), counting, setup)
    exposures, loss = (counting.exposures[0], counting.exposures[1]), _loss(pile_up_loss, table, published=source == LETTER)
    how: dict[str, Any] = {"method": method, "form_factor": form_factor, "progress": progress}
    simulated = max(LOW, table.mass_range[0]), min(HIGH, table.mass_range[1])
    known = _known_masses(kind, simulated) if isinstance(kind, Model) else table.mass_range
    at, target = _masses(masses, mass_range, known), target_of(setup)
    if max(at) > known[1] and isinstance(kind, Model):
        msg = f"{boson}: a mass of {max(at):g} GeV: its efficiency is known, the model holds and is not seen up to {known[1]:.4g} GeV; leave heavier ones out"
        raise InputError(msg)
    if isinstance(kind, Model) and kind.pairs is not None:
        axial = boson_efficiencies(MODELS["axial"], table, kinematic_map) if kind.pairs.is_chiral else efficiencies
        tables = {Mediator.VECTOR: efficiencies, Mediator.AXIAL: axial}
        yields = pair_yield(target, tables, kind.pairs, at, simulated, exposures, loss, reference=g_ref, **how)
    else:
        yields = signal_yield(
            target, efficiencies, at, exposures, loss, g_ref=g_ref, mediator=kind.mediator, all_invisible=boson != "zprime", **how
        )
    return search_limits(counting, yields, dark=dark, level=level)


def targets_of(limits: SearchLimits, n: int = 25, *, progress: Callable[[], object] | None = None) -> tuple[Curve, ...]:
    """Relic targets of y over the masses of chi that the limits reach.

    Parameters
    ----------
    limits : SearchLimits
    n : int
        Masses, even in ln m.
    progress : callable, optional
        Called after each mass of each kind of chi.

    Returns
    -------
    tuple of Curve
    """
    chi = np.geomspace(limits.masses[0], limits.masses[-1], n) / limits.dark.ratio
    return relic_targets(list(chi), limits.dark.dark_coupling, limits.dark.ratio, progress=progress)


def counting_given(source: Any, counts: Any, backgrounds: Any, mot: Any) -> Counting:
    """Return the counting, from an output folder, the Letter's numbers or the user's own, as `limits_of` takes them."""
    if (source is None) == (mot is None) or (source is not None and (counts is not None or backgrounds is not None)):
        msg = 'give either a result, its output folder, counts of `counting_from`, or "letter"; or your own mot=, backgrounds= and counts='
        raise InputError(msg)
    if source is None:
        return own_counting(mot, backgrounds or {}, counts)
    if isinstance(source, Counting):
        return source
    if isinstance(source, RunResult):
        return counting_from(source)
    return letter_counting() if source == LETTER else counting_from(RunResult.read(source))


def _known_masses(kind: Model, simulated: tuple[float, float]) -> tuple[float, float]:
    """Lowest and highest mass of a model for which there are efficiencies [GeV]."""
    return pair_range(simulated, kind.heaviest) if kind.pairs is not None else (simulated[0], min(simulated[1], 0.999 * kind.heaviest))


def _efficiency(given: EfficiencyTable | str | Path | float) -> EfficiencyTable | FlatEfficiency:
    if isinstance(given, str | Path):
        return EfficiencyTable.read(given)
    return given if isinstance(given, EfficiencyTable) else FlatEfficiency(float(given))


def _loss(given: float | PileUpLoss | None, table: EfficiencyTable | FlatEfficiency, *, published: bool) -> PileUpLoss:
    if isinstance(given, PileUpLoss):
        return given
    if given is not None:
        return PileUpLoss(given, 0.0, "given by --pile-up-loss")
    return letter_loss() if published and not isinstance(table, FlatEfficiency) else pile_up_loss_of(table)


def _masses(masses: int | Sequence[float], wanted: tuple[float, float] | None, known: tuple[float, float]) -> list[float]:
    if not isinstance(masses, int):
        return [float(m) for m in masses]
    low, high = wanted or (max(LOW, known[0]), min(HIGH, known[1]))
    return scan_masses(masses, low, high)
