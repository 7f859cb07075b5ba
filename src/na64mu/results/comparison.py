"""Cut-flows side by side: what a changed cut does to the events that are left."""

from __future__ import annotations

from collections.abc import Mapping

from na64mu.common.table import Table
from na64mu.errors import CutFlowMismatchError
from na64mu.results.cutflow import CutFlow

__all__ = ("compare",)


def compare(cutflows: Mapping[str, CutFlow]) -> Table:
    """Put cut-flows of the same cuts side by side; the first one is what the others are compared with.

    Parameters
    ----------
    cutflows : mapping of str to CutFlow
        Name of the selection -> its cut-flow, of the same events.

    Returns
    -------
    Table
        For every cut the events left by each selection, and relative to the first one.

    Raises
    ------
    CutFlowMismatchError
        If there are none, or their cuts have different names.
    """
    names, flows = list(cutflows), list(cutflows.values())
    if not flows or any(flow.names != flows[0].names for flow in flows):
        steps = "; ".join(f"{name}: {', '.join(flow.names)}" for name, flow in cutflows.items()) or "none"
        msg = f"cut-flows of the same cuts are wanted, found {steps}: take working points that change thresholds, not names"
        raise CutFlowMismatchError(msg)
    rows = []
    for i, step in enumerate(flows[0].steps):
        counts = [flow.steps[i].n for flow in flows]
        relative = [f"{n / counts[0]:.1%}" if counts[0] else "-" for n in counts[1:]]
        rows.append((step.label if len({flow.steps[i].label for flow in flows}) == 1 else step.name, *map(str, counts), *relative))
    return Table("events left after each cut", ("cut", *names, *(f"{name} / {names[0]}" for name in names[1:])), tuple(rows))
