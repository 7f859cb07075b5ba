from __future__ import annotations

import numpy as np
import pytest

from na64mu.detector import load_detector
from na64mu.events.batch import Jagged
from na64mu.reconstruction.energies import calorimeter_energy, counter_energy, pointed_cell_energy, veto_energy

DETECTOR = load_detector("na64mu-2022")


def rows(counts: list[int], **fields: list[float]) -> Jagged:
    return Jagged(np.cumsum([0, *counts]), {name: np.array(values) for name, values in fields.items()})


def test_energy_in_and_out_of_time() -> None:
    digits = rows([2, 0, 1], energy=[1.0, 2.0, 4.0], time=[0.5, 30.0, -3.9])
    inside, outside = calorimeter_energy(digits, 1.0)
    assert inside.tolist() == [1.0, 0.0, 4.0]
    assert outside.tolist() == [2.0, 0.0, 0.0]


def test_selected_rows_only() -> None:
    digits = rows([2], energy=[1.0, 2.0], time=[0.0, 0.0], module=[1, 2])
    assert calorimeter_energy(digits, 1.0, digits["module"] == 2).in_time.tolist() == [2.0]


def test_counter_by_its_number() -> None:
    digits = rows([3], energy=[0.5, 1.5, 0.25], time=[0.0, 0.0, 9.0], id=[3, 4, 4])
    assert counter_energy(digits, 4, 0.3).tolist() == [1.5]


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ([(0, 9.0), (1, 4.0)], 6.0),  # geometric mean
        ([(0, 10.0), (1, 2.9)], 10.0),  # one end below 0.3 of the other: the larger alone
        ([(2, 8.0)], 8.0),  # one end lost
        ([(0, 9.0), (1, 9.0), (4, 5.0), (5, 5.0)], 14.0),  # panels add
        ([(0, 4.0), (0, 5.0), (1, 9.0)], 9.0),  # two rows of one end (pile-up) add first
    ],
)
def test_veto_panels(ends: list[tuple[int, float]], expected: float) -> None:
    digits = rows([len(ends)], id=[e[0] for e in ends], energy=[e[1] for e in ends], time=[0.0] * len(ends))
    assert veto_energy(digits, DETECTOR).in_time.tolist() == [pytest.approx(expected)]


def pointed(x: float, y: float = 0.0, error: float = 2.0) -> float:
    # HCAL1: 2 GeV in cell (2, 1), 0.5 GeV in its neighbour (3, 1); HCAL2 and a late row do not count
    digits = rows([4], module=[1, 1, 2, 1], ix=[2, 3, 2, 2], iy=[1, 1, 1, 1], energy=[2.0, 0.5, 7.0, 9.0], time=[0.0, 0.0, 0.0, 50.0])
    columns = (np.array([v]) for v in (x, y, error, error))
    return float(pointed_cell_energy(digits, DETECTOR, *columns)[0])


def test_expected_hcal_cell() -> None:
    assert pointed(-97.0) == 2.0
    assert pointed(97.0) == 0.5
    assert pointed(-3.0) == 2.5, "within three standard deviations of the border both cells count"
    assert pointed(-97.0, y=192.0) == 0.0
    assert np.isnan(pointed(700.0)), "beside the HCAL"
    assert np.isnan(pointed(np.nan)), "no track"
