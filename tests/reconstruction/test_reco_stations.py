from __future__ import annotations

import numpy as np
import pytest

from na64mu.reconstruction.stations import count_doublets


def doublets(*wires: tuple[int, int, int], bad: int | None = None) -> int:
    """Wires are (view, layer, wire)."""
    view, layer, wire = (np.array(c, dtype=np.int64) for c in zip(*wires, strict=True))
    good = np.ones(len(wire), dtype=np.bool_)
    if bad is not None:
        good[bad] = False
    return int(count_doublets(np.array([0, len(wire)]), view, layer, wire, good, 32)[0])


@pytest.mark.parametrize(
    ("wires", "n"),
    [
        ([(0, 0, 5), (0, 1, 5)], 1),  # wire w touches w of the next layer
        ([(0, 0, 5), (0, 1, 4)], 1),  # and w - 1
        ([(0, 0, 5)], 1),  # a lost partner
        ([(0, 0, 5), (0, 1, 5), (0, 1, 20)], 1),  # noise beside a pair
        ([(0, 0, 5), (0, 1, 5), (0, 0, 9), (0, 1, 9)], 2),
        ([(0, 0, 5), (0, 1, 5), (1, 0, 3), (1, 1, 3), (1, 0, 8), (1, 1, 7)], 2),  # the larger view
        ([(0, 0, 5), (0, 0, 6), (0, 1, 5)], 1),  # one partner serves one pair
    ],
)
def test_doublets(wires: list[tuple[int, int, int]], n: int) -> None:
    assert doublets(*wires) == n


def test_out_of_time_wires_do_not_count() -> None:
    assert doublets((0, 0, 5), (0, 1, 5), (0, 0, 9), (0, 1, 9), bad=3) == 1
