"""The active target in the calculation of signal yields: lead and scintillator layer by layer, and the muon's energy in each. mm, GeV, pb.

The muon loses energy on its way; the cross-section is taken at the mean energy in each layer. The mean loss is that of the published cross-sections of ionisation,
bremsstrahlung, pairs and nuclear interactions; formulas and sources are in `na64mu.physics.energy_loss`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from na64mu.common.arguments import choice
from na64mu.detector import DetectorLike, load_detector
from na64mu.physics.bosons import Mediator
from na64mu.physics.cross_section import Method, cross_section
from na64mu.physics.materials import LEAD, SCINTILLATOR, Substance
from na64mu.physics.nucleus import FormFactor
from na64mu.physics.stopping_power import stopping_power
from na64mu.typing import FloatArray

__all__ = ("Nuclei", "Target", "produced_per_muon", "target_of")

AVOGADRO = 6.02214076e23
CM2_PER_PB = 1e-36
#: Nuclei lighter than this are left out: the screening of the form factor does not hold for hydrogen, whose Z^2 is 0.04 % of the whole.
LIGHTEST = 2.0
N_ENERGIES = 21  # the loss is almost linear in the energy


class Nuclei(NamedTuple):
    """One kind of nuclei in the layers of one substance.

    Attributes
    ----------
    name : str
        Name of the substance.
    z, a : float
        Charge and mass number.
    per_layer : float
        Nuclei per area in one layer [1/cm2].
    energies : FloatArray
        Mean energy of the muon in the middle of each layer [GeV], shape (n_layers,).
    """

    name: str
    z: float
    a: float
    per_layer: float
    energies: FloatArray


@dataclass(frozen=True)
class Target:
    """Nuclei of the ECAL and the muon's energy along it.

    Attributes
    ----------
    nuclei : tuple of Nuclei
    energy_in, energy_out : float
        Mean energy of the muon before and behind the ECAL [GeV].
    """

    nuclei: tuple[Nuclei, ...]
    energy_in: float
    energy_out: float

    @property
    def lead_per_area(self) -> float:
        """Lead nuclei per area in all layers [1/cm2]."""
        return sum(n.per_layer * n.energies.size for n in self.nuclei if n.name == LEAD.name)


def _stopping_power(substance: Substance, highest: float) -> Callable[[float], float]:
    """Mean energy loss [GeV/mm] against the muon's energy [GeV], between half of the highest and the highest."""
    energies = highest * np.linspace(0.5, 1.0, N_ENERGIES)
    total = [stopping_power(float(energy), substance) for energy in energies]
    return lambda energy: float(np.interp(energy, energies, total))


def target_of(detector: DetectorLike) -> Target:
    """Lay out the lead and scintillator of the ECAL along the beam.

    Parameters
    ----------
    detector : Detector, str or Path
        Description that gives the layers of the ECAL and the mean beam momentum.

    Returns
    -------
    Target
        Paper between the layers is left out (hydrogen, carbon and oxygen: 1e-3 of the signal).
    """
    detector = load_detector(detector)
    ecal, energy = detector.ecal, detector.beam.momentum_mean
    stack = ((LEAD, ecal.lead), (SCINTILLATOR, ecal.scintillator))
    power = [_stopping_power(substance, energy) for substance, _ in stack]
    middle = np.zeros((len(stack), sum(ecal.layers)))
    first = energy
    for layer in range(middle.shape[1]):
        for i, (_, thickness) in enumerate(stack):
            lost = power[i](energy) * thickness
            middle[i, layer] = energy - 0.5 * lost
            energy -= lost
    nuclei = [
        Nuclei(substance.name, z, a, 0.1 * thickness * substance.density * weight / a * AVOGADRO, middle[i])
        for i, (substance, thickness) in enumerate(stack)
        for z, a, weight in substance.elements
        if a > LIGHTEST
    ]
    return Target(tuple(nuclei), first, energy)


def produced_per_muon(
    target: Target,
    masses: FloatArray,
    coupling: float,
    *,
    mediator: Mediator | str = Mediator.VECTOR,
    method: Method | str = Method.TREE,
    form_factor: FormFactor | str = FormFactor.ELASTIC,
    progress: Callable[[], object] | None = None,
) -> FloatArray:
    r"""Bosons made per muon on target, sum over layers i and nuclei N of n_N sigma_N(E_i).

    sigma is evaluated at the first and the last layer's energy and interpolated in ln E: over the half per cent in between its curvature is negligible.

    Parameters
    ----------
    target : Target
        Active target, from `target_of`.
    masses : FloatArray
        [GeV], shape (n,).
    coupling : float
        g.
    mediator : Mediator or str
        Spin and parity of X.
    method : Method or str
        Exact tree level, or which approximation.
    form_factor : FormFactor or str
        Responses of the nucleus that are included.
    progress : callable, optional
        Called after each mass.

    Returns
    -------
    FloatArray
        Shape (n,); proportional to g^2.

    Raises
    ------
    ArgumentError
        If a mass cannot be produced, or a choice is unknown.
    """
    mediator, method = choice(mediator, Mediator, "mediator"), choice(method, Method, "method")
    form_factor = choice(form_factor, FormFactor, "form_factor")
    out = np.zeros(len(masses))
    for i, mass in enumerate(masses):
        for n in target.nuclei:
            ends = np.array([n.energies[0], n.energies[-1]])
            sigma = cross_section(ends, float(mass), coupling, n.z, n.a, mediator=mediator, method=method, form_factor=form_factor)
            fraction = np.log(n.energies / ends[0]) / math.log(ends[1] / ends[0])
            out[i] += CM2_PER_PB * n.per_layer * float(np.sum(sigma[0] + (sigma[1] - sigma[0]) * fraction))
        if progress is not None:
            progress()
    return out
