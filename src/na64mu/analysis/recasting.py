"""Limits of the search on a user's own model, from a table of events or yields, in one call."""

from __future__ import annotations

import logging
from pathlib import Path

from na64mu.analysis.counting import Counting, counting_of, letter_counting
from na64mu.analysis.folder_counting import LETTER
from na64mu.analysis.recast import UNCOVERED, Recast, UserTable, read_user_table
from na64mu.analysis.recast import recast as recast_counting
from na64mu.analysis.search import letter_loss
from na64mu.analysis.yields import EfficiencyTable, KinematicMap, PileUpLoss
from na64mu.analysis.yields.efficiency import STANDARD
from na64mu.results.run import RunResult

__all__ = ("recast",)

logger = logging.getLogger(__name__)


def recast(
    table: UserTable | str | Path,
    source: RunResult | Counting | str | Path = LETTER,
    *,
    reference: float,
    power: float = 2.0,
    kinematic_map: KinematicMap | str | Path = "na64mu-2022-kinematic",
    efficiency: EfficiencyTable | str | Path = STANDARD,
    pile_up_loss: float | None = None,
    level: float = 0.90,
) -> Recast:
    """Limits of the search on your own model.

    Parameters
    ----------
    table : UserTable, str or Path
        Events or yields of the model: CSV as `na64mu recast --help` describes it.
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

    Returns
    -------
    Recast
    """
    user = table if isinstance(table, UserTable) else read_user_table(table)
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
