"""From Z' per muon on target to limits: reference, size of every choice, time.

    python benchmarks/limits.py

Prints, for the exposure and backgrounds of the Letter: Z' per muon on target beside an independent calculation; the limit on g by both methods and what each
choice (cross-section, form factor, scintillator, energy loss, pile-up) changes of it; time for the scan.
"""

from __future__ import annotations

import logging
import time
from dataclasses import replace

import numpy as np

from na64mu.analysis.counting import letter_counting
from na64mu.analysis.limits import search_limits
from na64mu.analysis.yields import EfficiencyTable, PileUpLoss, produced_per_muon, signal_yield, target_of
from na64mu.detector import load_detector
from na64mu.physics.cross_section import Method
from na64mu.physics.nucleus import FormFactor
from na64mu.statistics.letter import N_MOT

MASSES = [0.01, 0.04, 0.1, 0.5, 1.0]
#: Lead alone, 160 GeV, elastic, exact tree level, g = 1e-4: calculated independently for this project.
REFERENCE = [4.88e-10, 1.97e-10, 7.68e-11, 5.08e-12, 8.6e-13]
PUBLISHED = PileUpLoss(0.13, 0.0, "published")


def row(name: str, values: np.ndarray, form: str) -> None:
    """Print one line of a table."""
    print(f"{name:<46}" + "".join(f"{value:>11{form}}" for value in values))


def main() -> None:
    """Print the tables."""
    logging.getLogger("na64mu").setLevel(logging.ERROR)
    target, table = target_of(load_detector("na64mu-2022")), EfficiencyTable.read()
    lead = replace(target, nuclei=tuple(n for n in target.nuclei if n.z == 82.0))
    at_160 = replace(lead, nuclei=tuple(n._replace(energies=np.linspace(160.0, 160.0 - 1e-6, n.energies.size)) for n in lead.nuclei))
    masses = np.array(MASSES)
    print(f"muon energy {target.energy_in:.2f} to {target.energy_out:.2f} GeV, {target.lead_per_area:.4g} lead nuclei / cm2\n")
    row("mass [MeV]", 1000 * masses, ".0f")
    fixed, slowed, whole = (produced_per_muon(t, masses, 1e-4) for t in (at_160, lead, target))
    row("Z' / MOT, lead at 160 GeV", fixed, ".4g")
    row("  reference", np.array(REFERENCE), ".4g")
    row("  ours / reference", fixed / np.array(REFERENCE), ".4f")
    row("Z' / MOT, whole target", whole, ".4g")
    row("  beam of 159.4 GeV and energy loss", slowed / fixed, ".4f")
    row("  scintillator", whole / slowed, ".4f")
    for name, method, factor in (
        ("Weizsaecker-Williams", Method.WW, FormFactor.ELASTIC),
        ("improved Weizsaecker-Williams", Method.IWW, FormFactor.ELASTIC),
        ("inelastic form factor", Method.TREE, FormFactor.INELASTIC),
        ("inelastic form factor, corrected", Method.TREE, FormFactor.INELASTIC_CORRECTED),
    ):
        row(f"  {name}", produced_per_muon(target, masses, 1e-4, method=method, form_factor=factor) / whole, ".4f")
    print()
    nominal = search_limits(letter_counting(), signal_yield(target, table, MASSES, N_MOT, PUBLISHED))
    row("efficiency [%], loss to pile-up of 13 %", 100 * nominal.yields.mean_efficiency, ".3f")
    for method in ("asymptotic", "exact"):
        row(f"g, {method}", nominal.couplings(method)[:, 0], ".4g")
    measured = PileUpLoss(*table.pile_up_loss(), "measured")
    other = search_limits(letter_counting(), signal_yield(target, table, MASSES, N_MOT, measured))
    row(
        f"  exact, loss to pile-up of {100 * measured.value:.1f} % (measured)",
        other.couplings("exact")[:, 0] / nominal.couplings("exact")[:, 0],
        ".4f",
    )
    print()
    many = list(np.geomspace(0.001, 5.0, 100))
    began = time.perf_counter()
    yields = signal_yield(target, table, many, N_MOT, PUBLISHED)
    made = time.perf_counter()
    search_limits(letter_counting(), yields)
    print(f"100 masses: yields {made - began:.1f} s, limits by both methods (observed and 5 expected) {time.perf_counter() - made:.2f} s")


if __name__ == "__main__":
    main()
