"""Formulas of the signal against reference values: `python benchmarks/physics.py [production] [moment] [relic] [speed]`.

Prints ours, reference and ratio. The references were computed apart from this code (exact tree level: matrix elements from numeric traces
and another phase-space integration; targets: another Boltzmann solver with its own degrees of freedom), or are printed in papers.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
from rich.console import Console
from rich.table import Table

from na64mu.physics import tree_level, weizsaecker
from na64mu.physics.annihilation import Model
from na64mu.physics.bosons import Mediator
from na64mu.physics.constants import MUON_MASS
from na64mu.physics.couplings import coupling_from_y, mixing
from na64mu.physics.cross_section import Method, cross_section, dsigma_dx, x_nodes, x_range
from na64mu.physics.moment import LETTER, UPDATE_2025, coupling_of, moment
from na64mu.physics.nucleus import FormFactor
from na64mu.physics.production import tabulate
from na64mu.physics.relic import abundance, target_y
from na64mu.physics.widths import DarkMatter, dark_width, invisible_fraction
from na64mu.typing import FloatArray

ENERGY, LEAD, CARBON = 160.0, (82.0, 207.2), (6.0, 12.011)
MASSES = np.array([0.01, 0.1, 1.0])
LEAD_PER_CM2 = 7.42e23  # 150 layers of 1.5 mm
CARBON_PER_CM2 = 22.5 * 1.06 / 104.15 * 8.0 * 6.02214076e23  # as many layers of polystyrene
MARKS = ("10 MeV", "100 MeV", "1 GeV")

CONSOLE = Console(width=150)


def table(title: str, *columns: str) -> Table:
    out = Table(title=title, title_justify="left")
    for i, column in enumerate(columns):
        out.add_column(column, justify="left" if i == 0 else "right")
    return out


def compared(rows: Table, name: str, ours: float, reference: float) -> None:
    rows.add_row(name, f"{ours:.5g}", f"{reference:.4g}", f"{ours / reference:.4f}")


def muon_angles(mass: float, method: Method) -> tuple[float, float, float]:
    """Total of the (x, psi) form [pb], mean psi, mean psi above x = 0.5 [rad]."""
    x, weights = x_nodes(*x_range(ENERGY, mass, LEAD[1], method))
    nodes, node_weights = np.polynomial.legendre.leggauss(100)
    scale = (mass**2 * (1.0 - x) + (MUON_MASS * x) ** 2) / ((1.0 - x) * ENERGY) ** 2
    limit = np.pi if method is Method.TREE else 1.0
    low, high = np.log(1e-6 * scale), np.minimum(np.log(1e7 * scale), 2.0 * np.log(limit))
    half = 0.5 * (high - low)
    psi = np.exp(0.5 * (low[:, None] + half[:, None] * (nodes + 1.0)))
    module = tree_level if method is Method.TREE else weizsaecker
    sine = np.sin(psi) if method is Method.TREE else psi
    density = module.dsigma_dx_dcos_muon(x[:, None], psi, ENERGY, mass, 1.0, *LEAD)
    density = density * 0.5 * psi * sine * node_weights * half[:, None] * weights[:, None]
    above = x > 0.5
    return float(density.sum()), float((density * psi).sum() / density.sum()), float((density * psi)[above].sum() / density[above].sum())


def mean_theta(mass: float) -> float:
    """Mean angle of X, exact tree level [rad]."""
    x, weights = x_nodes(*x_range(ENERGY, mass, LEAD[1], Method.TREE))
    nodes, node_weights = np.polynomial.legendre.leggauss(100)
    scale = (mass**2 * (1.0 - x) / x**2 + MUON_MASS**2) / ENERGY**2
    low, high = np.log(1e-6 * scale), np.minimum(np.log(1e7 * scale), 2.0 * np.log(np.pi))
    half = 0.5 * (high - low)
    theta = np.exp(0.5 * (low[:, None] + half[:, None] * (nodes + 1.0)))
    density = tree_level.dsigma_dx_dcos_mediator(x[:, None], theta, ENERGY, mass, 1.0, *LEAD)
    density = density * 0.5 * theta * np.sin(theta) * node_weights * half[:, None] * weights[:, None]
    return float((density * theta).sum() / density.sum())


def mean_x(mass: float) -> float:
    x, weights = x_nodes(*x_range(ENERGY, mass, LEAD[1], Method.TREE))
    per_x = dsigma_dx(x, ENERGY, mass, 1.0, *LEAD)
    return float(np.sum(weights * x * per_x) / np.sum(weights * per_x))


def vector_table() -> None:
    references = {
        "sigma / g^2 in pb": (6.579e10, 1.034e10, 1.153e8),
        "WW / exact": (1.004, 1.004, 1.008),
        "IWW / exact": (1.21, 1.66, 2.46),
        "share above x = 0.5": (0.164, 0.619, 0.948),
        "<x>": (0.269, 0.578, 0.853),
        "<theta> of X": (1.23e-3, 1.51e-3, 2.35e-3),
        "<psi>": (7.6e-4, 3.16e-3, 2.77e-2),
        "<psi> above x = 0.5": (3.19e-3, 4.50e-3, 2.89e-2),
    }
    rows = table("Vector on lead, 160 GeV, elastic form factor, exact tree level", "quantity", "ours", "reference", "ours / reference")
    for i, mass in enumerate(MASSES):
        total = float(cross_section(ENERGY, mass, 1.0, *LEAD))
        by_psi, psi, psi_above = muon_angles(mass, Method.TREE)
        ours = (
            total,
            float(cross_section(ENERGY, mass, 1.0, *LEAD, method=Method.WW)) / total,
            float(cross_section(ENERGY, mass, 1.0, *LEAD, method=Method.IWW)) / total,
            float(cross_section(ENERGY, mass, 1.0, *LEAD, x_min=0.5)) / total,
            mean_x(mass),
            mean_theta(mass),
            psi,
            psi_above,
        )
        for (name, values), value in zip(references.items(), ours, strict=True):
            compared(rows, f"{MARKS[i]}: {name}", value, values[i])
        rows.add_row(f"{MARKS[i]}: total by psi / total by theta", f"{by_psi / total:.6f}", "", "")
        ww_total, ww_psi, _ = muon_angles(mass, Method.WW)
        rows.add_row(f"{MARKS[i]}: WW / exact by psi: total, <psi>", f"{ww_total / by_psi:.4f}, {ww_psi / psi:.4f}", "", "")
    CONSOLE.print(rows)


def spin_table() -> None:
    references = {
        Mediator.SCALAR: (2.299e10, 2.873e9, 4.059e7),
        Mediator.PSEUDOSCALAR: (4.252e9, 1.892e9, 3.993e7),
        Mediator.AXIAL: (2.04e12, 2.271e10, 1.197e8),
    }
    rows = table("Other spins: sigma / g^2 in pb", "boson", "ours", "reference", "ours / reference", "WW / exact", "IWW / exact")
    for mediator, values in references.items():
        for i, mass in enumerate(MASSES):
            one = float(cross_section(ENERGY, mass, 1.0, *LEAD, mediator=mediator))
            ratios = [float(cross_section(ENERGY, mass, 1.0, *LEAD, mediator=mediator, method=m)) / one for m in (Method.WW, Method.IWW)]
            name = f"{mediator.name.lower()} {MARKS[i]}"
            rows.add_row(name, f"{one:.5g}", f"{values[i]:.4g}", f"{one / values[i]:.4f}", *(f"{r:.4f}" for r in ratios))
    CONSOLE.print(rows)


def inelastic_table() -> None:
    masses = np.array([0.01, 0.05, 0.1, 0.5, 1.0, 2.0, 3.0])
    references = (1.6, 1.6, 1.8, 2.5, 3.7, 8.0, 21.0)
    kinds = (FormFactor.INELASTIC, FormFactor.INELASTIC_CORRECTED)
    elastic = cross_section(ENERGY, masses, 1.0, *LEAD)
    added = [100.0 * (cross_section(ENERGY, masses, 1.0, *LEAD, form_factor=kind) / elastic - 1.0) for kind in kinds]
    carbon = [
        100.0 * cross_section(ENERGY, masses, 1.0, *CARBON, form_factor=kind) * CARBON_PER_CM2 / (elastic * LEAD_PER_CM2)
        for kind in (FormFactor.ELASTIC, FormFactor.INELASTIC_CORRECTED)
    ]
    rows = table(
        "Neglected by the Letter's generator, vector, in % of the elastic cross-section on lead",
        *("mass", "protons (0906.0580 A19)", "protons (2401.06843)", "reference", "carbon of 22.5 cm polystyrene", "with its protons"),
    )
    for i, mass in enumerate(masses):
        rows.add_row(
            f"{mass:g} GeV", f"{added[0][i]:.2f}", f"{added[1][i]:.2f}", f"{references[i]:g}", f"{carbon[0][i]:.2f}", f"{carbon[1][i]:.2f}"
        )
    CONSOLE.print(rows)


def shape_table() -> None:
    rows = table(
        "WW / exact - 1 in %, vector on lead: at fixed x, and at fixed (x, psi)", "where", "10 MeV", "100 MeV", "1 GeV", "reference"
    )
    spectra = {0.1: "0.1..0.7", 0.5: "0.1..0.7", 0.9: "0.1..0.7", 0.98: "1.7", 0.995: "4.5"}
    for x, reference in spectra.items():
        xs = np.array([x])
        ratios = [dsigma_dx(xs, ENERGY, m, 1.0, *LEAD, method=Method.WW)[0] / dsigma_dx(xs, ENERGY, m, 1.0, *LEAD)[0] for m in MASSES]
        rows.add_row(f"x = {x}", *(f"{100.0 * (r - 1.0):+.2f}" for r in ratios), reference)
    angles = {1e-4: "up to +11 (10 MeV)", 1e-3: "within 1..5", 1e-2: "within 1..5", 0.03: "within 1..5", 0.1: "-13..-45", 0.2: "-13..-45"}
    for psi, reference in angles.items():
        point = (np.array([0.5]), np.array([psi]), ENERGY)
        ratios = [
            weizsaecker.dsigma_dx_dcos_muon(*point, m, 1.0, *LEAD)[0] / tree_level.dsigma_dx_dcos_muon(*point, m, 1.0, *LEAD)[0]
            for m in MASSES
        ]
        rows.add_row(f"x = 0.5, psi = {psi:g}", *(f"{100.0 * (r - 1.0):+.2f}" for r in ratios), reference)
    CONSOLE.print(rows)


def energy_table() -> None:
    masses, references = np.array([0.01, 0.1, 0.5, 1.0]), (0.984, 0.967, 0.935, 0.897)
    ours = cross_section(140.0, masses, 1.0, *LEAD) / cross_section(160.0, masses, 1.0, *LEAD)
    rows = table("sigma(140 GeV) / sigma(160 GeV)", "mass", "ours", "reference", "ours / reference")
    for mass, value, reference in zip(masses, ours, references, strict=True):
        compared(rows, f"{mass:g} GeV", float(value), reference)
    CONSOLE.print(rows)
    masses, yields = np.array([0.01, 0.04, 0.1, 0.5, 1.0]), (4.88e-10, 1.97e-10, 7.68e-11, 5.08e-12, 8.6e-13)
    rows = table("X per muon on target in the ECAL's lead at g = 1e-4", "mass", "ours", "reference", "ours / reference")
    for mass, value, reference in zip(masses, cross_section(160.0, masses, 1e-4, *LEAD) * 1e-36 * LEAD_PER_CM2, yields, strict=True):
        compared(rows, f"{mass:g} GeV", float(value), reference)
    CONSOLE.print(rows)


def production() -> None:
    vector_table()
    shape_table()
    spin_table()
    inelastic_table()
    energy_table()


def moments() -> None:
    rows = table("Delta a_mu / g^2 and the band of the Letter (249.0 +- 48.3) e-11", "quantity", "ours", "reference", "ours / reference")
    references = {Mediator.VECTOR: (9.9123e-3, 2.80356e-3, 8.6003e-5), Mediator.SCALAR: (1.60688e-2, 6.59387e-3, 4.87316e-4)}
    for mediator, values in references.items():
        for mark, ours, reference in zip(MARKS, moment(MASSES, 1.0, mediator), values, strict=True):
            rows.add_row(f"{mediator.name.lower()} {mark}", f"{ours:.6g}", f"{reference:.6g}", f"{ours / reference:.6f}")
    for mediator in (Mediator.PSEUDOSCALAR, Mediator.AXIAL):
        for mark, ours in zip(MARKS, moment(MASSES, 1.0, mediator), strict=True):
            rows.add_row(f"{mediator.name.lower()} {mark}", f"{ours:.6g}", "", "")
    bands = {-2.0: (3.92, 7.37, 42.1), 0.0: (5.01, 9.42, 53.8), 2.0: (5.91, 11.1, 63.4)}
    for sigmas, values in bands.items():
        for mark, ours, reference in zip(MARKS, 1e4 * coupling_of(LETTER.at(sigmas), MASSES), values, strict=True):
            compared(rows, f"g / 1e-4 at {sigmas:+.0f} sigma, {mark}", float(ours), reference)
    compared(rows, "Delta a_mu / 1e-11", 1e11 * LETTER.value, 249.0)
    compared(rows, "its error / 1e-11", 1e11 * LETTER.error, 48.3)
    compared(rows, "-2 sigma, 40 MeV: g", float(coupling_of(LETTER.at(-2.0), 0.04)), 5.1e-4)
    rows.add_row(
        "with the prediction of 2025, / 1e-11", f"{1e11 * UPDATE_2025.value:.0f} +- {1e11 * UPDATE_2025.error:.0f}", "26 +- 66", ""
    )
    CONSOLE.print(rows)
    rows = table("Widths at M = 3 m_chi and branching ratios", "quantity", "ours", "reference", "ours / reference")
    numbers = {DarkMatter.SCALAR: (48.0, 0.414), DarkMatter.DIRAC: (12.0, 0.911), DarkMatter.MAJORANA: (24.0, 0.414)}
    for kind, (number, factor) in numbers.items():
        compared(rows, f"{kind} / (g_chi^2 M / {number:g} pi)", float(dark_width(3.0, 1.0, 1.0, kind)) * number * np.pi / 3.0, factor)
    visible = 1.0 - float(invisible_fraction(1.0, 5e-4, 0.05, 1.0 / 3.0, DarkMatter.SCALAR))
    rows.add_row("1 - Br(invisible), scalar, g = 5e-4, g_chi = 0.05, 1 GeV", f"{visible:.2e}", "~1e-3", "")
    rows.add_row("Br(invisible) without chi, 1 GeV", f"{float(invisible_fraction(1.0, 5e-4)):.4f}", "-> 1/2", "")
    compared(rows, "g at y = 6e-12, m_chi = 40 MeV, g_chi = 0.05", float(coupling_from_y(6e-12, 0.05, 0.04, 0.12)), 4.41e-4)
    rows.add_row("eps = g / e of g = 5e-4", f"{float(mixing(5e-4)):.3e}", "", "")
    CONSOLE.print(rows)


def relic() -> None:
    references = {
        (DarkMatter.PSEUDO_DIRAC, 0.05): (5.99e-13, 6.69e-11, 3.52e-9),
        (DarkMatter.MAJORANA, 0.05): (3.42e-12, 7.1e-10, 5.8e-8),
        (DarkMatter.SCALAR, 0.05): (4.75e-12, 1.27e-9, 1.17e-7),
        (DarkMatter.PSEUDO_DIRAC, 1.0): (6.25e-13, 6.77e-11),
        (DarkMatter.MAJORANA, 1.0): (7.6e-12, 9.4e-10),
        (DarkMatter.SCALAR, 1.0): (1.5e-11, 1.9e-9),
    }
    rows = table("y of the thermal target, M = 3 m_chi, Omega h^2 = 0.12", "chi, g_chi, m_chi", "ours", "reference", "ours / reference")
    for (kind, dark), values in references.items():
        for mark, mass, reference in zip(MARKS, MASSES, values, strict=False):
            compared(rows, f"{kind}, {dark:g}, {mark}", target_y(float(mass), dark, kind), reference)
    compared(rows, "pseudo-dirac, 0.05, 40 MeV", target_y(0.04, 0.05, DarkMatter.PSEUDO_DIRAC), 1.04e-11)
    CONSOLE.print(rows)
    rows = table("Omega h^2 with the same thermal averages: hazma 2.2.0, full solver", "chi, m_chi, y", "ours", "hazma", "ours / hazma")
    hazma = {
        DarkMatter.MAJORANA: ((0.01, 3.42e-12, 0.12150), (0.1, 7.1e-10, 0.12240), (1.0, 5.8e-8, 0.12051)),
        DarkMatter.SCALAR: ((0.01, 4.75e-12, 0.12118), (0.1, 1.27e-9, 0.12232), (1.0, 1.17e-7, 0.11988)),
    }
    for kind, points in hazma.items():
        for m_chi, y, omega in points:
            model = Model(m_chi, 3.0 * m_chi, float(coupling_from_y(y, 0.05, m_chi, 3.0 * m_chi)), 0.05, kind)
            compared(rows, f"{kind}, {m_chi:g} GeV, {y:g}", abundance(model), omega)
    CONSOLE.print(rows)


def rate(count: int, call: Callable[[], object]) -> float:
    """Evaluations per second, the best of three."""
    call()
    times = []
    for _ in range(3):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return count / min(times)


def speed() -> None:
    n = 20000
    rng = np.random.default_rng(1)
    x: FloatArray = rng.uniform(0.01, 0.99, n)
    angle: FloatArray = np.exp(rng.uniform(np.log(1e-4), np.log(0.1), n))
    rows = table("Speed on one core, 100 MeV vector on lead", "what", "per second")
    for name, module in (("exact", tree_level), ("WW", weizsaecker)):
        for side in ("mediator", "muon"):
            function = getattr(module, f"dsigma_dx_dcos_{side}")
            rows.add_row(
                f"{name}: d2sigma / dx dcos, angle of the {side}", f"{rate(n, lambda f=function: f(x, angle, 160.0, 0.1, 1.0, *LEAD)):,.0f}"
            )
    masses = np.geomspace(0.005, 2.0, 10)
    for method in Method:
        rows.add_row(f"{method}: totals", f"{rate(10, lambda m=method: cross_section(160.0, masses, 1.0, *LEAD, method=m)):,.1f}")
    for method in (Method.WW, Method.TREE):
        rows.add_row(f"{method}: tables for sampling", f"{rate(1, lambda m=method: tabulate(160.0, 0.1, 1.0, *LEAD, method=m)):,.1f}")
    rows.add_row("relic targets", f"{rate(1, lambda: target_y(0.1, 0.05, DarkMatter.MAJORANA)):,.1f}")
    CONSOLE.print(rows)


PARTS = {"production": production, "moment": moments, "relic": relic, "speed": speed}


def main() -> None:
    for name in sys.argv[1:] or PARTS:
        if name not in PARTS:
            sys.exit(f"no part {name!r}: choose among {', '.join(PARTS)}")
        PARTS[name]()


if __name__ == "__main__":
    main()
