from __future__ import annotations

import numpy as np
import pytest

from na64mu.events.batch import Jagged
from na64mu.reconstruction.hit_makers.wires import count_doublets


def doublets(*wires: tuple[int, int, int], bad: int | None = None) -> int:
    """Wires are (view, layer, wire)."""
    view, layer, wire = (np.array(c, dtype=kind) for c, kind in zip(zip(*wires, strict=True), (np.uint8, np.uint8, np.uint16), strict=True))
    good = np.ones(len(wire), dtype=np.bool_)
    if bad is not None:
        good[bad] = False
    fields = {"module": np.full(len(wire), 1, dtype=np.uint8), "view": view, "layer": layer, "wire": wire}
    return int(count_doublets(Jagged(np.array([0, len(wire)]), fields), good, np.array([0, 196]))[1, 0])


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
        ([(0, 0, 64), (0, 1, 63)], 1),  # wires of two words of 64 bits touch as others do
        ([(0, 0, 64), (0, 1, 63), (0, 0, 65), (0, 1, 64), (0, 0, 195), (0, 1, 195)], 3),
        ([(0, 0, 63), (0, 0, 64), (0, 1, 63)], 1),
    ],
)
def test_doublets(wires: list[tuple[int, int, int]], n: int) -> None:
    assert doublets(*wires) == n


def test_out_of_time_wires_do_not_count() -> None:
    assert doublets((0, 0, 5), (0, 1, 5), (0, 0, 9), (0, 1, 9), bad=3) == 1
