"""Plans: what is made to happen to the particle of every event. Lengths mm, energies GeV."""

from __future__ import annotations

import numpy as np

from na64mu.compiled.records import record_kind
from na64mu.typing import RecordArray

__all__ = ("PLAN", "no_plans", "plans_of")

#: Where it happens; of a boson its share x of the energy, the angle psi of the muon to its old direction [rad] and its mass; of a hard loss
#: the process (physics.energy_loss) and its smallest energy; of a decay its channel (decays.CHANNELS).
PLAN = record_kind("z x psi mass process above channel", process="i8", channel="i8")


def no_plans(n: int) -> RecordArray:
    """Plans of events that are left alone.

    Parameters
    ----------
    n : int
        Number of events.

    Returns
    -------
    RecordArray
        Records of the kind PLAN, shape (n,).
    """
    return np.zeros(n, PLAN)


def plans_of(n: int, **fields: object) -> RecordArray:
    """Plans with some fields filled.

    Parameters
    ----------
    n : int
        Number of events.
    **fields
        Values of fields of PLAN, numbers or arrays of shape (n,); the others are 0.

    Returns
    -------
    RecordArray
        Shape (n,).
    """
    plans = no_plans(n)
    for name, values in fields.items():
        plans[name] = values
    return plans
