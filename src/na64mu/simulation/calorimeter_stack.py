"""The stack of a sampling calorimeter as its kernels see it. Lengths mm, energies GeV."""

from __future__ import annotations

from typing import NamedTuple

from na64mu.simulation.losses import LossTables
from na64mu.simulation.sampling_layers import Plates
from na64mu.simulation.straggling import Knocks
from na64mu.typing import FloatArray

__all__ = ("Calorimeter",)


class Calorimeter(NamedTuple):
    """A calorimeter for the kernels.

    Attributes
    ----------
    z : float
        Front face [mm].
    ends : FloatArray
        End of every section (or module) along z [mm], shape (n_sections,).
    x_low, y_low, x_pitch, y_pitch : float
        Low edge of cell 0 and cell sizes [mm].
    x_hole, y_hole : float
        Half size of a hole on the axis [mm], 0 without.
    x0, interaction_length : float
        Radiation and interaction length of the homogenised stack, the latter for pions [mm].
    critical_energy : float
        Critical energy of the homogenised stack [GeV].
    core, tail, core_weight : float
        Radii [mm] and weight of the core in the radial profile, averaged over depth.
    moliere : float
        Moliere radius of the homogenised stack [mm].
    z_effective, sampling_frequency, e_hat : float
        Properties of the stack that set the shapes of showers (see profiles.py).
    scale : float
        Signal per energy inside the cells: it corrects for the lateral and rear leakage of a central shower.
    stochastic, constant : float
        Resolution for electromagnetic showers, sigma/E = stochastic / sqrt(E) (+) constant.
    hadron_stochastic, hadron_constant : float
        Resolution for hadronic showers, in the same form.
    h_over_e : float
        Response to the non-electromagnetic part of a hadronic shower over that to electrons; 1 on a hadron scale.
    mip_scale : float
        Energy scale of ionisation by muons relative to that of showers.
    knocks : Knocks
        Fluctuations of that signal.
    z_nucleus : float
        Nuclear charge of the absorber, for scattering.
    losses : LossTables
        Muon losses in the stack.
    plates : Plates
        Layers of the calorimeter, for photons and electrons near the rear.
    """

    z: float
    ends: FloatArray
    x_low: float
    y_low: float
    x_pitch: float
    y_pitch: float
    x_hole: float
    y_hole: float
    x0: float
    interaction_length: float
    critical_energy: float
    core: float
    tail: float
    core_weight: float
    moliere: float
    z_effective: float
    sampling_frequency: float
    e_hat: float
    scale: float
    stochastic: float
    constant: float
    hadron_stochastic: float
    hadron_constant: float
    h_over_e: float
    mip_scale: float
    knocks: Knocks
    z_nucleus: float
    losses: LossTables
    plates: Plates
