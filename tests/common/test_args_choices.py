"""Every public function with an enumeration or a Literal among its parameters refuses a wrong value before it computes anything."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from public_choices import Choice, public_choices

from na64mu.errors import Na64muError


class Untouched:
    """Stands for arguments that must not be looked at before the choice is."""

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("__"):
            return object.__getattribute__(self, name)
        msg = f"computed with {name!r} before the choice was looked at"
        raise AssertionError(msg)


U = Untouched()
NUCLEUS = (82.0, 207.2)
X = np.array([0.5])
#: Arguments besides the choices; what is a function calls with the choices itself.
ROWS: dict[str, tuple[Any, ...] | Callable[..., object]] = {
    "analysis.backgrounds.forms.TailForm": lambda f, **c: f("name", **c, survival=U, grid=()),
    "analysis.backgrounds.sample.tail_sample": (U,),
    "analysis.limits.DarkSector": (),
    "physics.bosons.Boson": lambda f, **c: f("name", "title", **c, process=99),
    "results.losses.Loss": lambda f, **c: f("dataset", "file", **c, reason="reason"),
    "analysis.search.limits_of": (U,),
    "analysis.yields.kinematics.KinematicMap.of_boson": lambda f, **c: f(U, **{"mediator": "scalar", **c}),
    "analysis.yields.kinematics.KinematicEfficiency": lambda f, **c: f(U, **{"mediator": "scalar", **c}),
    "analysis.yields.kinematics.boson_share": lambda f, **c: f(U, 0.1, **{"mediator": "scalar", **c}),
    "analysis.yields.pairs.pair_yield": (U, U, U, U, U, U, U),
    "analysis.yields.signal.signal_yield": (U, U, U, U, U),
    "analysis.yields.target.produced_per_muon": (U, U, U),
    "events.findings.Finding": lambda f, **c: f(**c, code="code", branch="", message=""),
    "events.findings.Collector.add": (U, "code", "branch", "message"),
    "analysis.future.project": (),
    "events.fault_rules.FaultKind": lambda f, **c: f(**{"rule": "refuse", "code": "x", "what": "y", **c}),
    "events.writer.RawTreeWriter": ("nowhere.root",),
    "execution.skim.skim": (U, U),
    "execution.mock.mock": lambda f, **c: f(U, U, answer=U, **c),
    "paper.comparison.Compared": lambda f, **c: f(U, 1.0, 0.0, U, **c),
    "physics.annihilation.Model": (0.05, 0.15, 1e-4, 0.05),
    "physics.cross_section.x_range": (160.0, 0.1, 207.2),
    "physics.cross_section.dsigma_dx": (U, U, U, U, U, U),
    "physics.cross_section.cross_section": (U, U, U, U, U),
    "physics.moment.moment": (U, U),
    "physics.moment.coupling_of": (U, U),
    "physics.nucleus.form_factor_squared": (U, U, U),
    "physics.nucleus.flux": (U, U, U, U),
    "physics.production.tabulate": (U, U, U, U, U),
    "physics.relic.target": (U, U, U),
    "physics.relic.target_y": (U, U),
    "physics.tree_level.dsigma_dx_dcos_mediator": (U, U, U, U, U, U, U),
    "physics.tree_level.dsigma_dx_dcos_muon": (U, U, U, U, U, U, U),
    "physics.weizsaecker.dsigma_dx_dcos_mediator": (U, U, U, U, U, U, U),
    "physics.weizsaecker.dsigma_dx_dcos_muon": (U, U, U, U, U, U, U),
    "physics.weizsaecker.dsigma_dx_improved": (U, U, U, U, U, U),
    "physics.widths.lepton_width": (U, U),
    "physics.widths.dark_width": (U, U, U),
    "physics.widths.total_width": (U, U),
    "physics.widths.invisible_fraction": (U, U),
    "simulation.produce.produce": ("nowhere.root", "na64mu-2022", "beam", 1, 1, 1),
    "simulation.signal.zprime_plans": (U, U, U, U, U),
    "statistics.asymptotic.asymptotic_limits": (U, U, U),
    "statistics.limits.both_limits": (U, U, U),
    "statistics.limits.limit_scan": lambda f, **c: f(U, U, g_ref=1.0, **c),
    "statistics.limits.upper_limits": (U,),
    "statistics.model.Systematic": ("name", {}),
    "physics.scattering.scattering_angle": (U, U),
    "reconstruction.summary.find_tracks": (U, U),
    "reconstruction.summary.reconstruct": (U, U),
    "tracking.annealing.fit_competing": (U, U, U, U),
    "tracking.compiled_fit.kernel": (U,),
    "tracking.fit.fit_kernel": (U,),
    "tracking.fit.first_look": (U, U, U, U),
    "tracking.fit.loose_prior": (U, U, U, U),
    "tracking.fit.fit_measurements": (U, U, U, U),
    "tracking.fit.fit_tracks": (U, U, U, U),
    "tracking.projection.projection": (U, 0),
    "tracking.tracks.reconstruct_tracks": (U, U),
    "tracking.outliers.fit_without_outliers": (U, U, U, U),
    "tracking.navigation.route": (U,),
    "tracking.rows.block_rows": (1,),
    "tracking.code_generation.kernel_source": (U,),
}
CHOICES = public_choices()


def key(choice: Choice) -> str:
    return f"{choice.module.removeprefix('na64mu.')}.{choice.function}"


def test_every_such_function_has_a_row_and_every_row_a_function():
    assert {key(c) for c in CHOICES} == set(ROWS)


def test_the_search_sees_functions_methods_records_and_aliases():
    assert Choice("na64mu.physics.moment", "moment", "mediator") in CHOICES
    assert Choice("na64mu.analysis.yields.kinematics", "KinematicMap.of_boson", "method") in CHOICES
    assert Choice("na64mu.physics.annihilation", "Model", "kind") in CHOICES
    assert Choice("na64mu.simulation.produce", "produce", "tier") in CHOICES


def function_of(choice: Choice) -> Any:
    function: Any = importlib.import_module(choice.module)
    for part in choice.function.split("."):
        function = getattr(function, part)
    return function


def takes_none(choice: Choice) -> bool:
    """Whether None is a value: the choice of another argument, here of the description."""
    return inspect.signature(function_of(choice)).parameters[choice.parameter].default is None


WRONG = [(choice, wrong) for choice in CHOICES for wrong in ("foo", 7, None, 1.5, True) if wrong is not None or not takes_none(choice)]


@pytest.mark.parametrize(("choice", "wrong"), WRONG, ids=[f"{key(c)}-{c.parameter}-{w}" for c, w in WRONG])
def test_a_wrong_value_is_refused_before_anything_is_computed(choice, wrong):
    function = function_of(choice)
    row = ROWS[key(choice)]
    call = partial(row, function) if callable(row) else partial(function, *row)
    name = choice.parameter
    with pytest.raises(Na64muError, match=rf"^there is no {name} '?{wrong}'?: known are \w"):
        call(**{choice.parameter: wrong})
