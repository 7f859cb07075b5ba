"""Expected signal events per trigger configuration: N = N_MOT x (Z' per muon on target) x branching ratio x efficiency x (1 - loss to pile-up)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from na64mu.analysis.yields.efficiency import CONFIGS
from na64mu.analysis.yields.target import Target, produced_per_muon
from na64mu.common.arguments import choice
from na64mu.errors import InputError
from na64mu.physics.bosons import Mediator
from na64mu.physics.cross_section import Method
from na64mu.physics.nucleus import FormFactor
from na64mu.physics.widths import invisible_fraction
from na64mu.statistics.letter import SYSTEMATICS
from na64mu.statistics.model import SIGNAL, Systematic
from na64mu.typing import FloatArray

__all__ = ("Efficiencies", "PileUpLoss", "SignalYield", "signal_yield")


class Efficiencies(Protocol):
    """A model of the efficiency against mass: an `EfficiencyTable`, or a `KinematicEfficiency` of another boson."""

    def efficiency(self, masses: FloatArray, config: int) -> tuple[FloatArray, FloatArray]:
        """Efficiency without pile-up and its statistical error at masses [GeV] in configuration 1 or 2, shape (n,) each."""
        ...  # a protocol has no body


@dataclass(frozen=True)
class PileUpLoss:
    """Part of the signal lost to pile-up, and where the number comes from."""

    value: float
    error: float
    source: str

    def __post_init__(self) -> None:
        if not 0.0 <= self.value < 1.0:
            msg = f"loss of signal to pile-up of {self.value:g} ({self.source}): a fraction from 0 to below 1 is wanted"
            raise InputError(msg)


@dataclass(frozen=True)
class SignalYield:
    """Signal over masses at one coupling.

    Attributes
    ----------
    masses : FloatArray
        [GeV], shape (n,).
    g_ref : float
        Coupling; everything produced goes with its square.
    exposures : tuple of float
        Muons on target per trigger configuration.
    per_muon : FloatArray
        Z' made per muon on target at g_ref, shape (n,).
    invisible : FloatArray
        Branching ratio to neutrinos without dark matter, shape (n,).
    efficiency, efficiency_error : FloatArray
        Efficiency without the loss to pile-up, and its statistical error; shape (n, 2).
    pile_up_loss : PileUpLoss
    """

    masses: FloatArray
    g_ref: float
    exposures: tuple[float, ...]
    per_muon: FloatArray
    invisible: FloatArray
    efficiency: FloatArray
    efficiency_error: FloatArray
    pile_up_loss: PileUpLoss

    @property
    def total_efficiency(self) -> FloatArray:
        """Efficiency with the loss to pile-up, shape (n, 2)."""
        return self.efficiency * (1.0 - self.pile_up_loss.value)

    @property
    def mean_efficiency(self) -> FloatArray:
        """Efficiency averaged over the configurations, weighted by their muons on target, shape (n,)."""
        return self.total_efficiency @ np.asarray(self.exposures) / sum(self.exposures)

    def events(self, *, invisible: FloatArray | None = None) -> FloatArray:
        """Signal events per configuration at g_ref.

        Parameters
        ----------
        invisible : FloatArray, optional
            Branching ratio to invisible particles, shape (n,); by default that to neutrinos.

        Returns
        -------
        FloatArray
            Shape (n, 2).
        """
        seen = self.per_muon * (self.invisible if invisible is None else invisible)
        return seen[:, None] * np.asarray(self.exposures) * self.total_efficiency

    def systematics(self, index: int) -> tuple[Systematic, ...]:
        """Systematic uncertainties of the signal at one mass.

        Parameters
        ----------
        index : int
            Index of the mass.

        Returns
        -------
        tuple of Systematic
            Sources given in the Letter; the statistics of the simulated samples, one per configuration; the error of the loss to pile-up.
        """
        relative = self.efficiency_error[index] / np.maximum(self.efficiency[index], 1e-12)
        own = [
            Systematic(
                "efficiency_statistics", {SIGNAL: tuple(float(r) for r in relative)}, correlated=False, source="simulated events: binomial"
            )
        ]
        if self.pile_up_loss.error > 0:
            size = self.pile_up_loss.error / (1.0 - self.pile_up_loss.value)
            own.append(Systematic("pile_up_loss", {SIGNAL: size}, source=self.pile_up_loss.source))
        return (*SYSTEMATICS, *own)


def signal_yield(
    target: Target,
    table: Efficiencies,
    masses: Sequence[float],
    exposures: tuple[float, ...],
    pile_up_loss: PileUpLoss,
    *,
    g_ref: float = 1e-4,
    mediator: Mediator | str = Mediator.VECTOR,
    all_invisible: bool = False,
    method: Method | str = Method.TREE,
    form_factor: FormFactor | str = FormFactor.ELASTIC,
    progress: Callable[[], object] | None = None,
) -> SignalYield:
    """Expected signal of a Z', or of another boson, over masses.

    The efficiency was simulated with Z' made in lead; the one to two per cent made in the scintillator are taken to be selected alike.

    Parameters
    ----------
    target : Target
        Active target, from `target_of`.
    table : Efficiencies
        Efficiencies of this boson.
    masses : sequence of float
        [GeV], within the simulated ones.
    exposures : tuple of float
        Muons on target of configurations 1 and 2.
    pile_up_loss : PileUpLoss
        Taken off the efficiency.
    g_ref : float
        Coupling.
    mediator : Mediator or str
        Spin and parity of the boson.
    all_invisible : bool
        Take every decay as invisible, instead of the branching ratio of a Z' to neutrinos.
    method : Method or str
        Method for the production cross-section.
    form_factor : FormFactor or str
        Responses of the nucleus that are included.
    progress : callable, optional
        Called after each mass.

    Returns
    -------
    SignalYield

    Raises
    ------
    InputError
        If a mass was not simulated, or the exposures are not two positive numbers of which at least one is not zero.
    """
    mediator, method = choice(mediator, Mediator, "mediator"), choice(method, Method, "method")
    form_factor = choice(form_factor, FormFactor, "form_factor")
    if len(exposures) != len(CONFIGS) or min(exposures) < 0 or sum(exposures) <= 0:
        msg = f"muons on target {list(exposures)}: one number for each of the configurations 1 and 2 is wanted, not all zero"
        raise InputError(msg)
    at = np.asarray(masses, dtype=np.float64)
    found = [table.efficiency(at, config) for config in CONFIGS]
    produced = produced_per_muon(target, at, g_ref, mediator=mediator, method=method, form_factor=form_factor, progress=progress)
    return SignalYield(
        masses=at,
        g_ref=g_ref,
        exposures=tuple(float(n) for n in exposures),
        per_muon=produced,
        invisible=np.ones(len(at)) if all_invisible else np.asarray(invisible_fraction(at, g_ref), dtype=np.float64),
        efficiency=np.stack([e for e, _ in found], axis=1),
        efficiency_error=np.stack([error for _, error in found], axis=1),
        pile_up_loss=pile_up_loss,
    )
