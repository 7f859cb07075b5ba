"""Constants of nature that the formulas share: masses [GeV], couplings, units. Source: PDG, Phys. Rev. D 110 (2024) 030001."""

from __future__ import annotations

import math

__all__ = (
    "ALPHA",
    "ATOMIC_MASS",
    "CURVATURE",
    "ELECTRON_CHARGE",
    "ELECTRON_MASS",
    "MUON_MASS",
    "PB_PER_GEV2",
    "PLANCK_MASS",
    "PROTON_MASS",
    "PROTON_MOMENT",
    "SPEED_OF_LIGHT",
    "TAU_MASS",
)

ALPHA = 1.0 / 137.036
ELECTRON_CHARGE = math.sqrt(4.0 * math.pi * ALPHA)  # e = 0.3028
ELECTRON_MASS = 0.51099895e-3
MUON_MASS = 0.1056583755
TAU_MASS = 1.77693
PROTON_MASS = 0.93827209
PROTON_MOMENT = 2.7928473  # in nuclear magnetons
ATOMIC_MASS = 0.93149410  # unified atomic mass unit [GeV]
PLANCK_MASS = 1.220890e19  # (hbar c / G)^(1/2), not reduced [GeV]
PB_PER_GEV2 = 0.3893794e9  # (hbar c)^2 [pb GeV^2]
SPEED_OF_LIGHT = 0.299792458  # [m/ns]; also the change of momentum of a unit charge [GeV/c] per T m
CURVATURE = 0.299792458e-3  # 1/R [1/mm] of a unit charge = CURVATURE B [T] / p [GeV/c]
