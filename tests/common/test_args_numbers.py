"""Public formulas refuse numbers that make no sense: negative masses, NaN, more passed than tried, levels outside (0, 1)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from na64mu.analysis.backgrounds.abcd import coverage, upper_limit
from na64mu.analysis.backgrounds.decays import PION, expected_decays, fraction_below, muon_energy_range
from na64mu.analysis.optimisation import expected_events
from na64mu.analysis.projection import exposure_with_background, pile_up_loss
from na64mu.errors import Na64muError
from na64mu.physics import (
    annihilation,
    couplings,
    effective_neutrinos,
    electromagnetic,
    energy_loss,
    nucleus,
    plasma,
    production,
    relic,
    stopping_power,
    tree_level,
    weizsaecker,
    widths,
)
from na64mu.physics import cross_section as sections
from na64mu.physics import moment as moments
from na64mu.physics.materials import IRON
from na64mu.statistics.binomial import clopper_pearson

NAN = float("nan")
X = np.array([0.5])
PB = (82.0, 207.2)

REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "more passed than tried": (lambda: clopper_pearson(5, 3), "passed must be a whole number from 0 to 3; found 5"),
    "half an event passed": (lambda: clopper_pearson(1.5, 3), "passed must be a whole number from 0 to 3; found 1.5"),  # type: ignore[arg-type]
    "fewer than none tried": (lambda: clopper_pearson(0, -3), "total must be a whole number from 0; found -3"),
    "level 1": (lambda: clopper_pearson(1, 3, 1.0), "level must be a number above 0 and below 1; found 1"),
    "empty Y": (
        lambda: upper_limit(3, 5, 0, 0.9),
        "count of region Y, without which nothing says how E_CAL falls, must be a number above 0; found 0",
    ),
    "negative D": (lambda: upper_limit(-1, 5, 2, 0.9), "count of region D must be a number at least 0; found -1"),
    "level 90": (lambda: upper_limit(3, 5, 2, 90), "level must be a number above 0 and below 1; found 90"),
    "toys of an empty Y": (lambda: coverage((1.0, 1.0, 0.0)), "mean of region Y must be a number above 0; found 0"),
    "no toys": (lambda: coverage((1.0, 1.0, 1.0), n_toys=0), "n_toys must be a whole number from 1; found 0"),
    "parent at rest": (lambda: muon_energy_range(PION, 0.0), r"momentum of the parent \[GeV/c\] must be a number above 0; found 0"),
    "muon of negative momentum": (lambda: fraction_below(PION, 160.0, -1.0), r"momentum of the muon \[GeV/c\] must be a number at least 0"),
    "acceptance above 1": (
        lambda: expected_decays(PION, n_mot=1e10, fraction=0.5, length=10.0, acceptance=1.5),
        "acceptance must be a number at least 0 and at most 1; found 1.5",
    ),
    "negative background": (lambda: expected_events(-1.0, 0.1), "background must be a number at least 0; found -1"),
    "level 0": (lambda: expected_events(1.0, 0.1, 0.0), "level must be a number above 0 and below 1; found 0"),
    "negative spill": (lambda: pile_up_loss(-1.0, 1.0), "per_spill must be a number at least 0; found -1"),
    "unknown background": (lambda: exposure_with_background(1.0, {"foo": 1.0}), "there is no background 'foo': known are momentum"),
    "negative mass": (lambda: sections.cross_section(160.0, -1.0, 1.0, *PB), "a boson of -1 GeV cannot be produced"),
    "mass NaN": (lambda: sections.cross_section(160.0, NAN, 1.0, *PB), r"mass \[GeV\] must be a finite number; found nan"),
    "energy 0": (lambda: sections.x_range(0.0, 0.1, 207.2), r"energy \[GeV\] must be a number above 0; found 0"),
    "no nucleus": (lambda: sections.cross_section(160.0, 0.1, 1.0, 0.0, 1.0), "there is no nucleus of Z = 0 and A = 1"),
    "x_min above 1": (
        lambda: sections.cross_section(160.0, 0.1, 1.0, *PB, x_min=1.5),
        "x_min must be a number at least 0 and at most 1; found 1.5",
    ),
    "x 1": (lambda: sections.dsigma_dx(np.array([1.0]), 160.0, 0.1, 1.0, *PB), "x must be a number above 0 and below 1; found 1"),
    "range of x": (lambda: sections.x_nodes(0.5, 0.2), "high must be a number above 0.5 and below 1; found 0.2"),
    "coupling NaN": (lambda: production.tabulate(160.0, 0.1, NAN, *PB), "coupling must be a finite number; found nan"),
    "tree mass": (
        lambda: tree_level.dsigma_dx_dcos_mediator(X, X, 160.0, -0.1, 1.0, *PB),
        r"mass \[GeV\] must be a number above 0; found -0.1",
    ),
    "tree angle": (lambda: tree_level.dsigma_dx_dcos_muon(X, X * NAN, 160.0, 0.1, 1.0, *PB), r"angle \[rad\] must be a finite number"),
    "WW energy": (
        lambda: weizsaecker.dsigma_dx_dcos_muon(X, X, -160.0, 0.1, 1.0, *PB),
        r"energy \[GeV\] must be a number above 0; found -160",
    ),
    "IWW coupling": (lambda: weizsaecker.dsigma_dx_improved(X, 160.0, 0.1, math.inf, *PB), "coupling must be a finite number; found inf"),
    "loop mass": (lambda: moments.moment([0.1, NAN], 1.0), r"mass of the boson in the loop \[GeV\] must be a number above 0; found nan"),
    "deviation": (lambda: moments.coupling_of(NAN, 0.1), "deviation must be a finite number; found nan"),
    "transfer": (lambda: nucleus.form_factor_squared(-1.0, *PB), r"t \[GeV\^2\] must be a number at least 0; found -1"),
    "flux": (lambda: nucleus.flux(np.array([0.0]), 1.0, *PB), r"t_min \[GeV\^2\] must be a number above 0; found 0"),
    "mass number": (lambda: nucleus.mass_of(-1.0), "a must be a number above 0; found -1"),
    "width": (lambda: widths.total_width(-1.0, 1e-4), r"mass \[GeV\] must be a number above 0; found -1"),
    "flavours": (lambda: widths.neutrino_width(0.1, 1e-4, 1.5), "flavours must be a whole number from 0; found 1.5"),  # type: ignore[arg-type]
    "chi": (lambda: widths.dark_width(0.1, 1e-4, -0.01, "dirac"), r"m_chi \[GeV\] must be a number at least 0; found -0.01"),
    "mediator mass": (lambda: couplings.y_parameter(1e-4, 0.05, 0.1, 0.0), "mass must be a number above 0; found 0"),
    "negative y": (lambda: couplings.coupling_from_y(-1e-10, 0.05, 0.1, 0.3), "y must be a number at least 0; found -1e-10"),
    "dark sector": (
        lambda: annihilation.Model(1.0, NAN, 1e-4, 0.05, "dirac"),
        "mass of the dark sector must be a number above 0; found nan",
    ),
    "abundance": (lambda: relic.target(0.1, 0.3, 0.05, "dirac", -0.1), "omega_h2 must be a number above 0; found -0.1"),
    "ratio": (lambda: relic.target_y(0.1, 0.05, "dirac", 0.0), "ratio must be a number above 0; found 0"),
    "freedom": (lambda: relic.equilibrium_yield(1.0, 0.1, 0), "freedom must be a whole number from 1; found 0"),
    "decoupling": (
        lambda: effective_neutrinos.extra_neutrinos(np.array([0.01]), 0.0),
        r"decoupling \[GeV\] must be a number above 0; found 0",
    ),
    "temperature": (lambda: plasma.energy_freedom(-1.0), r"temperature \[GeV\] must be a number above 0; found -1"),
    "photon": (lambda: electromagnetic.compton(0.0, IRON), r"energy \[GeV\] must be a number above 0; found 0"),
    "muon at rest": (lambda: stopping_power.stopping_power(0.1, IRON), r"muon energy \[GeV\] must be a number above 0.105658; found 0.1"),
    "unknown process": (lambda: energy_loss.spectrum(7, 160.0, X, IRON), "there is no process 7: known are 0, 1, 2, 3"),
    "not radiative": (lambda: stopping_power.mean_loss_by(energy_loss.DELTA, 160.0, IRON), "there is no process 0: known are 1, 2, 3"),
    "beta gamma": (lambda: energy_loss.density_effect(0.0, IRON), "beta_gamma must be a number above 0; found 0"),
}


@pytest.mark.parametrize(("call", "sentence"), REFUSED.values(), ids=REFUSED)
def test_a_number_that_makes_no_sense_is_one_sentence(call, sentence):
    with pytest.raises(Na64muError, match=f"^{sentence}") as caught:
        call()
    assert "\n" not in str(caught.value)


def test_arrays_stay_arrays():
    masses = np.array([[0.01, 0.1], [0.2, 0.5]])
    assert moments.moment(masses, 1e-4).shape == widths.total_width(masses, 1e-4).shape == couplings.mixing(masses).shape == (2, 2)
    assert sections.cross_section(160.0, masses[0], 1.0, *PB, method="iww").shape == (2,)
    assert nucleus.form_factor_squared(masses, *PB).shape == plasma.energy_freedom(masses).shape == (2, 2)


def test_no_limit_stays_no_limit():
    assert np.isnan(couplings.y_parameter(np.array([NAN, 1e-4]), 0.05, 0.1, 0.3)[0])
    assert np.isnan(couplings.mixing(NAN))
