"""Limits of the search on a user's own model, from a table, events of a generator or a function, in one call."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from na64mu.analysis.counting import Counting, counting_of, letter_counting
from na64mu.analysis.folder_counting import LETTER
from na64mu.analysis.recast import UNCOVERED, Recast
from na64mu.analysis.recast import recast as recast_counting
from na64mu.analysis.recast_events import Density, is_event_file, read_events, table_of_density
from na64mu.analysis.recast_table import UserTable, read_user_table
from na64mu.analysis.search import letter_loss
from na64mu.analysis.yields import EfficiencyTable, KinematicMap, PileUpLoss, target_of
from na64mu.analysis.yields.efficiency import STANDARD
from na64mu.detector import DetectorLike, load_detector
from na64mu.errors import InputError
from na64mu.results.run import RunResult

__all__ = ("recast",)

logger = logging.getLogger(__name__)


def recast(
    table: UserTable | Density | str | Path,
    source: RunResult | Counting | str | Path = LETTER,
    *,
    reference: float,
    power: float = 2.0,
    kinematic_map: KinematicMap | str | Path = "na64mu-2022-kinematic",
    efficiency: EfficiencyTable | str | Path = STANDARD,
    pile_up_loss: float | None = None,
    level: float = 0.90,
    masses: Sequence[float] = (),
    detector: DetectorLike = "na64mu-2022",
) -> Recast:
    """Limits of the search on your own model.

    Parameters
    ----------
    table : UserTable, callable, str or Path
        Events or yields of the model: CSV as `na64mu recast --help` describes it, or a file of a generator (.lhe, .hepmc); or a function (mass, x, psi) -> expected
        number per muon on target, per unit of x and psi [1/rad], at the reference coupling, for arrays x and psi.
    source : RunResult, Counting, str or Path
        Result of a run, its output folder, or "letter".
    reference : float
        Coupling of the table.
    power : float
        Power of the coupling with which the yield rises.
    kinematic_map : KinematicMap, str or Path
        Efficiency in (x, psi'), for events.
    efficiency : EfficiencyTable, str or Path
        Efficiency of a Z', for yields.
    pile_up_loss : float, optional
        Part of the signal lost to pile-up; by default that of the Letter.
    level : float
        Confidence level.
    masses : sequence of float
        Masses at which a function is evaluated [GeV]; a table or file has its own.
    detector : Detector, str or Path
        The set-up whose lead the events of a generator are made in.

    Returns
    -------
    Recast

    Raises
    ------
    InputError
        If the input cannot be read, or a function comes without masses.
    """
    user = _user_table(table, masses, detector)
    counting = (
        source if isinstance(source, Counting) else letter_counting() if source == LETTER else counting_of(RunResult.read(source), None)
    )
    loss = letter_loss() if pile_up_loss is None else PileUpLoss(pile_up_loss, 0.0, "given by --pile-up-loss")
    chosen = kinematic_map if isinstance(kinematic_map, KinematicMap) else KinematicMap.read(kinematic_map) if user.has_events else None
    efficiencies = efficiency if isinstance(efficiency, EfficiencyTable) else EfficiencyTable.read(efficiency)
    found = recast_counting(
        user, counting, loss, reference=reference, power=power, kinematic_map=chosen, efficiencies=efficiencies, level=level
    )
    if found.uncovered.max() > UNCOVERED:
        logger.warning(
            "up to %.1f %% of the events lie where the map of efficiencies has no simulated muons: they count as not selected, so the limit is weaker than it could be",
            100 * found.uncovered.max(),
        )
    return found


def _user_table(table: UserTable | Density | str | Path, masses: Sequence[float], detector: DetectorLike) -> UserTable:
    if callable(table):
        return table_of_density(table, masses, name=getattr(table, "__name__", "function"))
    if len(masses):
        msg = "masses= is for a function: a table or a file of events has its own"
        raise InputError(msg)
    if isinstance(table, UserTable):
        return table
    return read_events(table, target_of(load_detector(detector))) if is_event_file(table) else read_user_table(table)
