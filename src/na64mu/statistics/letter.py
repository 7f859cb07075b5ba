"""The model of the Letter: exposures, systematics and backgrounds of PRL 132, 211803 (arXiv:2401.01708).

Expected events are for the whole exposure of 1.98e10 muons on target.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from na64mu.statistics.model import SIGNAL, CountingModel, Systematic

__all__ = ("BACKGROUNDS", "BACKGROUND_ERRORS", "N_MOT", "SYSTEMATICS", "background_systematics", "letter_model", "share_by_exposure")

#: Muons on target of configurations 1 and 2, published.
N_MOT = (1.17e10, 8.1e9)

#: Table I: expected events and errors. III is published as "< 0.01": taken as 0.01 with an error of 100 % (inferred).
BACKGROUNDS = {"momentum": 0.05, "decays": 0.010, "hadrons": 0.01}
BACKGROUND_ERRORS = {"momentum": 0.03, "decays": 0.001, "hadrons": 0.01}

#: Signal systematics of the Letter. Which ones both configurations share is not printed; inferred: those that are counted or aligned again
#: in each configuration (muons on target, trigger counters) is its own, theory, target and response are shared.
SYSTEMATICS = (
    Systematic("muons_on_target", {SIGNAL: 0.01}, correlated=False, source="published: N_MOT 1 %; per configuration inferred"),
    Systematic("weizsaecker_williams", {SIGNAL: 0.02}, source="published: 2 %"),
    Systematic("running_alpha", {SIGNAL: 0.024}, source="published: 2.4 %"),
    Systematic("soft_photons", {SIGNAL: 0.014}, source="published: 1.4 %"),
    Systematic("lead_purity", {SIGNAL: 0.01}, source="published: 1 %"),
    Systematic("detector_response", {SIGNAL: 0.04}, source="published: up to 4 %"),
    Systematic(
        "trigger_alignment", {SIGNAL: 0.05}, correlated=False, source="published: up to 5 %, grows with mass; per configuration inferred"
    ),
)


def share_by_exposure(events: float, exposures: Sequence[float] = N_MOT) -> tuple[float, ...]:
    """Events of the whole exposure, shared between the configurations by their muons on target."""
    total = sum(exposures)
    return tuple(events * n / total for n in exposures)


def background_systematics(expected: Mapping[str, float], errors: Mapping[str, float]) -> tuple[Systematic, ...]:
    """One log-normal nuisance parameter per background, shared by the configurations.

    Parameters
    ----------
    expected, errors : mapping of str to float
        Background -> events and their standard deviation; backgrounds of zero events or without error get none.

    Returns
    -------
    tuple of Systematic
    """
    return tuple(
        Systematic(f"background_{name}", {name: errors[name] / events}, source="error of the background estimate")
        for name, events in expected.items()
        if events > 0 and errors.get(name, 0.0) > 0
    )


def letter_model(
    signal: Sequence[float],
    backgrounds: Mapping[str, float] = BACKGROUNDS,
    errors: Mapping[str, float] = BACKGROUND_ERRORS,
    systematics: Sequence[Systematic] = SYSTEMATICS,
    exposures: Sequence[float] = N_MOT,
) -> CountingModel:
    """The two-channel model of the Letter.

    Parameters
    ----------
    signal : sequence of float
        Expected signal events in configurations 1 and 2 at mu = 1.
    backgrounds, errors : mapping of str to float
        Background -> events in the whole exposure and their standard deviation.
    systematics : sequence of Systematic
        Systematic uncertainties of the signal.
    exposures : sequence of float
        Muons on target per configuration: they share out the backgrounds.

    Returns
    -------
    CountingModel
    """
    return CountingModel(
        signal=tuple(float(s) for s in signal),
        backgrounds={name: share_by_exposure(events, exposures) for name, events in backgrounds.items()},
        systematics=(*systematics, *background_systematics(backgrounds, errors)),
    )
