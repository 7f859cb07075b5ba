"""Kinds of faults in raw events, and the rule for each: the event is refused, the row is dropped, or it is only said.

A fault of an energy refuses its event: an energy that is not known, or that no cell of the detector can have, would be missing from the
sum, and a missing energy is the signal. A fault of a single hit drops the hit, as a dead channel would; an event that loses many of its
hits in this way is refused too. The same registry is the table in docs/reference/raw-tree.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from na64mu.common.arguments import one_of
from na64mu.events.findings import Severity

__all__ = ("ENERGIES", "KINDS", "LEAST_CHARGE", "MASKED_SHARE", "FaultKind", "Rule")

#: What happens: the event is taken out and lowers the exposure, the row is dropped, or the event is read as it is.
Rule = Literal["refuse", "mask", "note"]

#: Collections whose rows are summed to energies, or veto.
ENERGIES = frozenset({"counter", "veto", "ecal", "vhcal", "hcal"})

#: An event is refused if it loses more than this part of the rows of one collection (and more than one row).
MASKED_SHARE = 0.1

#: A sample of a 12-bit converter after the pedestal was subtracted is not below this [ADC]; above, 32767 means overflow.
LEAST_CHARGE = -4096


@dataclass(frozen=True, slots=True)
class FaultKind:
    """One kind of fault.

    Attributes
    ----------
    rule : Rule
        What is done with it.
    code : str
        Code of the finding of `na64mu check`.
    what : str
        What is wrong, behind the name of the column.
    severity : Severity
        Severity of the finding of `na64mu check`.
    """

    rule: Rule
    code: str
    what: str
    severity: Severity = "error"

    def __post_init__(self) -> None:
        object.__setattr__(self, "rule", one_of(self.rule, get_args(Rule), "rule"))
        object.__setattr__(self, "severity", one_of(self.severity, get_args(Severity), "severity"))


#: Name of a kind -> the kind.
KINDS: dict[str, FaultKind] = {
    "energy-not-finite": FaultKind("refuse", "not-finite", "is not a finite number"),
    "energy-address": FaultKind("refuse", "range", "is an address that the detector does not have"),
    "energy-range": FaultKind("refuse", "range", "is no energy that this beam can leave"),
    "energy-repeated": FaultKind("refuse", "repeated", "is in a row that is in the event twice"),
    "weight": FaultKind("refuse", "value", "is not a finite number"),
    "config": FaultKind("refuse", "value", "is neither 1 nor 2"),
    "empty": FaultKind("refuse", "empty", "there is no digit at all"),
    "masked": FaultKind("refuse", "masked", f"more than {MASKED_SHARE:.0%} of the hits have a fault"),
    "hit-not-finite": FaultKind("mask", "not-finite", "is not a finite number"),
    "hit-address": FaultKind("mask", "range", "is an address that the detector does not have"),
    "charge-range": FaultKind("mask", "range", f"is below {LEAST_CHARGE}, which no converter gives"),
    "repeated": FaultKind("mask", "repeated", "has the channel of an earlier row of the same event", "warning"),
    "trigger": FaultKind("note", "value", "has no bit of a trigger"),
    "trigger-bits": FaultKind("note", "trigger-bits", "has bits without a meaning", "warning"),
}
