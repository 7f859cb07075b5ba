from __future__ import annotations

import math
import os

import pytest

from na64mu.errors import Na64muError
from na64mu.simulation.workers import in_order


@pytest.mark.parametrize("workers", [1, 3])
def test_results_come_in_order(workers: int) -> None:
    assert list(in_order(math.factorial, 12, workers)) == [math.factorial(i) for i in range(12)]
    assert list(in_order(math.factorial, 0, workers)) == []


def test_a_worker_that_dies_is_said() -> None:
    with pytest.raises(Na64muError, match=r"ended without a result .* fewer than 2 workers"):
        list(in_order(os._exit, 2, 2))


def test_an_error_of_a_worker_arrives() -> None:
    with pytest.raises(TypeError, match="len"):
        list(in_order(len, 2, 2))
