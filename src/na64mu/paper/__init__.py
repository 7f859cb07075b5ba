"""`na64mu paper`: the whole Letter from simulated events, step by step, and every published number beside ours.

`scale` says how many events, `workflow` runs the steps and keeps what is finished, `chain` holds the steps, `comparison` sets ours beside the published numbers,
`page` writes them down.
"""

from __future__ import annotations

from na64mu.paper.chain import make_paper
from na64mu.paper.scale import FULL, QUICK, Scale

__all__ = ("FULL", "QUICK", "Scale", "make_paper")
