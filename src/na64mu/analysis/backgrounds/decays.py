"""Background (II): beam hadrons that pass MS1 and decay to a soft muon before the ECAL.

Two-body kinematics of h -> mu nu is exact: the muon's energy is flat between E (m_mu / m_h)^2 and E in the limit of a relativistic parent, here with the exact
ends. Energies, momenta and masses GeV, lengths m.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from na64mu.common.arguments import number
from na64mu.errors import BackgroundError
from na64mu.physics.constants import MUON_MASS
from na64mu.results.run import Counts
from na64mu.statistics.binomial import clopper_pearson

__all__ = (
    "HADRON_CONTAMINATION",
    "KAON",
    "PION",
    "DecayEstimate",
    "Parent",
    "decay_estimate",
    "expected_decays",
    "fraction_below",
    "muon_energy_range",
)

#: Hadrons per muon of the beam, published (PRL 132, 211803, quoting N. Doble et al., NIM A 343 (1994) 351).
HADRON_CONTAMINATION = 5e-5


@dataclass(frozen=True)
class Parent:
    """A hadron that decays to mu nu (S. Navas et al. (PDG), Phys. Rev. D 110 (2024) 030001).

    Attributes
    ----------
    name : str
    mass : float
        GeV.
    c_tau : float
        Mean decay length at rest [m].
    branching_ratio : float
        Branching ratio to mu nu.
    """

    name: str
    mass: float
    c_tau: float
    branching_ratio: float

    def decay_length(self, momentum: float) -> float:
        """Mean decay length at this momentum [GeV/c], in m."""
        return momentum / self.mass * self.c_tau


PION = Parent("pion", 0.13957039, 7.8045, 0.9998770)
KAON = Parent("kaon", 0.493677, 3.711, 0.6356)


def muon_energy_range(parent: Parent, momentum: float) -> tuple[float, float]:
    """Energies of the muon from a two-body decay in flight.

    Parameters
    ----------
    parent : Parent
    momentum : float
        Momentum of the parent [GeV/c].

    Returns
    -------
    (float, float)
        gamma (E* -+ beta p*) with E* = (m_h^2 + m_mu^2) / (2 m_h), p* = (m_h^2 - m_mu^2) / (2 m_h) [GeV].

    Raises
    ------
    ArgumentError
        If the momentum is not positive.
    """
    momentum = number(momentum, "momentum of the parent [GeV/c]", above=0.0)
    energy = math.hypot(momentum, parent.mass)
    e_star = (parent.mass**2 + MUON_MASS**2) / (2 * parent.mass)
    p_star = (parent.mass**2 - MUON_MASS**2) / (2 * parent.mass)
    return (energy * e_star - momentum * p_star) / parent.mass, (energy * e_star + momentum * p_star) / parent.mass


def fraction_below(parent: Parent, momentum: float, muon_momentum: float) -> float:
    """Fraction of the two-body decays with a muon of at most this momentum; the muon's energy is flat (isotropic decay of a spin-0 particle).

    Parameters
    ----------
    parent : Parent
    momentum : float
        Momentum of the parent [GeV/c].
    muon_momentum : float
        Largest momentum of the muon [GeV/c].

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    ArgumentError
        If a momentum makes no sense.
    """
    muon_momentum = number(muon_momentum, "momentum of the muon [GeV/c]", least=0.0)
    low, high = muon_energy_range(parent, momentum)
    return min(max((math.hypot(muon_momentum, MUON_MASS) - low) / (high - low), 0.0), 1.0)


def expected_decays(
    parent: Parent,
    *,
    n_mot: float,
    fraction: float,
    length: float,
    acceptance: float,
    momentum: float = 160.0,
    p_out_max: float = 80.0,
    contamination: float = HADRON_CONTAMINATION,
) -> float:
    """Events from two-body decays, from numbers alone: a check on the simulation.

    Parameters
    ----------
    parent : Parent
    n_mot : float
        Muons on target.
    fraction : float
        This hadron's part of the contamination. Not in the Letter.
    length : float
        Path after MS1 on which a decay fakes a signal [m]. Not in the Letter.
    acceptance : float
        Probability that such a muon fires the trigger and passes the cuts. Not in the Letter.
    momentum : float
        Momentum of the parent [GeV/c].
    p_out_max : float
        Edge of the signal box [GeV/c].
    contamination : float
        Hadrons per muon.

    Returns
    -------
    float
        N_MOT P_h f (1 - exp(-L / beta gamma c tau)) BR F(p_mu <= p_out_max) A.

    Raises
    ------
    ArgumentError
        If a number is negative, or a fraction above 1.
    """
    n_mot, length = number(n_mot, "n_mot", least=0.0), number(length, "length [m]", least=0.0)
    fraction, acceptance = number(fraction, "fraction", least=0.0, most=1.0), number(acceptance, "acceptance", least=0.0, most=1.0)
    contamination = number(contamination, "contamination", least=0.0, most=1.0)
    momentum = number(momentum, "momentum of the parent [GeV/c]", above=0.0)
    decayed = -math.expm1(-length / parent.decay_length(momentum))
    return n_mot * contamination * fraction * decayed * parent.branching_ratio * fraction_below(parent, momentum, p_out_max) * acceptance


@dataclass(frozen=True)
class DecayEstimate:
    """Events of background (II).

    Attributes
    ----------
    value, low, high : float
        Events and their central 68 % interval, from the statistics of the simulation.
    n_selected : int
        Simulated events in the signal box.
    n_mot : float
        Muons on target that they correspond to.
    upper : float
        Upper limit at 95 %.
    """

    value: float
    low: float
    high: float
    n_selected: int
    n_mot: float
    upper: float

    @property
    def error(self) -> float:
        """Half of the interval."""
        return 0.5 * (self.high - self.low)

    def __repr__(self) -> str:
        return f"decays in flight: {self.value:.3g} [{self.low:.3g}, {self.high:.3g}] from {self.n_selected} simulated events"


def decay_estimate(
    selected: Counts, n_hadrons: float, *, n_mot: float, contamination: float = HADRON_CONTAMINATION, mean_weight: float = 1.0
) -> DecayEstimate:
    """Scale a simulation of beam hadrons to an exposure.

    Files of `na64mu simulate` carry the contamination in their weights, which count events per beam muon: give the muons on target of the file as
    `n_hadrons`, and 1 as `contamination`.

    Parameters
    ----------
    selected : Counts
        Simulated events in the signal box after all cuts; an event's weight is the number of hadrons it represents.
    n_hadrons : float
        Number of hadrons that the simulation represents: the sum of weights of all generated events.
    n_mot : float
        Muons on target of the exposure.
    contamination : float
        Hadrons per muon on target.
    mean_weight : float
        Weight of a generated event, for the upper end of the interval if none is selected.

    Returns
    -------
    DecayEstimate
        N_MOT P_h (selected / generated); binomial interval on the effective number of events.

    Raises
    ------
    BackgroundError
        If nothing was generated, or more is selected than was generated.
    """
    if not n_hadrons > 0:
        msg = f"{n_hadrons:g} simulated hadrons: simulate beam hadrons first, with `na64mu simulate --process hadron` or files of your own"
        raise BackgroundError(msg)
    if not 0 <= selected.sumw <= n_hadrons:
        msg = f"weights of {selected.sumw:g} selected of {n_hadrons:g} simulated hadrons: give the sum of weights of all generated events"
        raise BackgroundError(msg)
    weight = selected.sumw2 / selected.sumw if selected.n else mean_weight
    tried = max(round(n_hadrons / weight), 1)
    passed = round(selected.sumw / weight)
    fraction, upper = clopper_pearson(passed, tried), clopper_pearson(passed, tried, 0.90).high  # central 90 %: 95 % below its upper end
    scale = n_mot * contamination
    return DecayEstimate(scale * selected.sumw / n_hadrons, scale * fraction.low, scale * fraction.high, selected.n, n_mot, scale * upper)
