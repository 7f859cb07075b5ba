"""The published numbers that ship with the package, against each other and against the formulas."""

from __future__ import annotations

import math
import tomllib
from importlib.resources import files

import numpy as np
import pytest

from na64mu.physics.couplings import coupling_from_y
from na64mu.physics.moment import LETTER

FOLDER = files("na64mu.data").joinpath("published")
LIMITS = ("babar_4mu", "belle2_2019_invisible", "borexino", "ccfr")


def test_numbers_of_the_letter_agree_with_each_other() -> None:
    letter = tomllib.loads(FOLDER.joinpath("letter.toml").read_text(encoding="utf-8"))
    assert sum(letter["exposure"]["muons_on_target"]) == pytest.approx(letter["exposure"]["total"], rel=1e-12)
    sources = {name: value for name, value in letter["systematics"].items() if name not in ("total", "quadrature")}
    assert math.hypot(*sources.values()) == pytest.approx(letter["systematics"]["quadrature"], abs=5e-4)
    assert math.hypot(*sources.values()) < letter["systematics"]["total"]
    parts = letter["background"]["momentum_misreconstruction"]["value"] + letter["background"]["decays_in_flight"]["value"]
    assert parts + letter["background"]["calorimeter_nonhermeticity"]["upper"] == pytest.approx(letter["background"]["total"]["value"])
    band = letter["g_minus_2"]
    assert pytest.approx(1e11 * LETTER.value) == band["experiment"]["value"] - band["prediction"]["value"]
    assert pytest.approx(1e11 * LETTER.error) == math.hypot(band["experiment"]["error"], band["prediction"]["error"])
    y = letter["limit"]["y"]
    coupling = float(coupling_from_y(y["value"], y["g_chi"], y["m_chi"], y["mass_ratio"] * y["m_chi"]))
    assert coupling == pytest.approx(4.41e-4, rel=1e-3)


@pytest.mark.parametrize("name", LIMITS)
def test_limits_of_others(name: str) -> None:
    lines = FOLDER.joinpath(f"limit_{name}.csv").read_text(encoding="utf-8").splitlines()
    comments = [line for line in lines if line.startswith("#")]
    assert "arXiv:" in comments[0] or "computed for this project" in comments[0]
    rows = [line for line in lines if not line.startswith("#")]
    assert rows[0] == "mass_GeV,g_Zprime"
    mass, coupling = np.array([[float(v) for v in row.split(",")] for row in rows[1:]]).T
    assert np.all(np.diff(mass) > 0.0)
    assert np.all((coupling > 0.0) & (coupling < 1.0))


def test_borexino_and_ccfr_where_they_matter() -> None:
    expected = {
        "borexino": ((0.005, 3.0e-4), (0.01, 5.9e-4), (0.02, 1.2e-3), (0.05, 3.0e-3)),
        "ccfr": ((0.01, 9.5e-4), (0.1, 1.25e-3), (1.0, 2.9e-3)),
    }
    for name, points in expected.items():
        rows = FOLDER.joinpath(f"limit_{name}.csv").read_text(encoding="utf-8").splitlines()[3 if name == "borexino" else 2 :]
        mass, coupling = np.array([[float(v) for v in row.split(",")] for row in rows]).T
        for m, g in points:
            assert np.exp(np.interp(np.log(m), np.log(mass), np.log(coupling))) == pytest.approx(g, rel=0.05)
