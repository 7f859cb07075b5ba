"""The fast engine against Geant4 on the same geometry: `python benchmarks/geant4.py [--plots FOLDER] [--cache FOLDER] [--scale 1]`.

One run of both engines: muons of 160 GeV through the whole line, muons alone through the ECAL, electrons in the ECAL, pions in
the HCAL, pions and muons beside the hole of the VHCAL. Prints value and statistical error of each, their ratio and the published reference, and draws the spectra on top of
each other. With --cache what Geant4 left is kept and read again. Needs geant4-pybind and GEANT4_DATA_DIR; about ten minutes of CPU.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit
from rich.console import Console
from rich.table import Table

from na64mu.detector import Detector, load_detector
from na64mu.simulation.events import simulate_events
from na64mu.simulation.geant4.backend import run_geant4
from na64mu.simulation.geant4.processes import Geant4Settings, shoot
from na64mu.simulation.geant4.shots import Choice, aimed
from na64mu.simulation.geometry import HCAL, VHCAL
from na64mu.simulation.hadrons import follow_hadron
from na64mu.simulation.muon_in_calorimeter import BEAM, cross_stack
from na64mu.simulation.particles import copy_state, new_state
from na64mu.simulation.plans import no_plans
from na64mu.simulation.setup import build_setup, new_scratch
from na64mu.simulation.showers import deposit_electromagnetic
from na64mu.simulation.stream import Stream
from na64mu.typing import FloatArray, Record

ELECTRONS = {10.0: 200, 20.0: 80, 40.0: 60, 80.0: 40}  # GeV: number
PIONS = {10.0: 150, 20.0: 150, 40.0: 150, 80.0: 120}
BESIDE = {"pi-": (40.0, 100), "mu-": (160.0, 300)}  # through the body of the VHCAL: GeV, number
MUONS, BARE_MUONS, BARE_PIONS = 3000, 40_000, 10_000
WIDEST = 3.0  # angle of a particle that can be the muon [mrad]
NOTHING = Choice(np.inf, 0.0, 0.0)  # no secondary is followed


def pencil(detector: Detector) -> Detector:
    """The set-up with muons of exactly 160 GeV/c on the zero-line."""
    still = {
        "momentum_mean": 160.0,
        "momentum_spread": 0.0,
        "sigma_x": 1e-6,
        "sigma_y": 1e-6,
        "sigma_tx": 0.0,
        "sigma_ty": 0.0,
        "halo_fraction": 0.0,
    }
    return detector.model_copy(update={"beam": detector.beam.model_copy(update=still)})


def cached(folder: Path | None, name: str, make: Any) -> dict[str, Any]:
    """Arrays and the CPU seconds they took, from a file or made now."""
    path = folder / f"{name}.npz" if folder else None
    if path is not None and path.is_file():
        with np.load(path) as found:
            return {key: found[key] for key in found.files}
    start = os.times()
    arrays = make()
    now = os.times()
    arrays["cpu"] = np.array(now.children_user + now.children_system - start.children_user - start.children_system)
    if path is not None:
        np.savez(path, **arrays)
    print(f"{time.strftime('%H:%M:%S')} {name}: {arrays['cpu']:.0f} s of CPU", flush=True)
    return arrays


def columns(result: Any) -> dict[str, Any]:
    return {name: np.asarray(value) for name, value in result._asdict().items()}


def geant4_samples(detector: Detector, scale: float, folder: Path | None, settings: Geant4Settings) -> dict[str, dict[str, Any]]:
    """All samples of Geant4 by name."""
    d, out = pencil(detector), {}
    e, h = detector.ecal, detector.hcal
    centre = e.cell_centre(0)[e.cells[0] // 2], e.cell_centre(1)[e.cells[1] // 2]

    def sample(name: str, n: int, make: Any) -> None:
        n = max(2, int(scale * n))
        out[name] = cached(folder, f"{name}_{n}", lambda: make(n))

    def shots(particle: str, p: float, at: tuple[float, float, float], n: int, end: float = np.inf) -> Any:
        made = aimed(particle, np.tile([*at, 0.0, 0.0, p], (n, 1)), int(p))
        return made._replace(ends=np.full(n, end))

    face = (*centre, e.z - 0.005)
    module = h.cell_centre(0)[h.cells[0] // 2], h.centre[1], h.front[0] - 0.005
    for p, n in ELECTRONS.items():
        sample(f"e{p:g}", n, lambda n, p=p: columns(shoot(d, 1, shots("e-", p, face, n), settings)))
    sample("muons", MUONS, lambda n: columns(run_geant4(d, 1, n, 1, 1, settings._replace(scales=(1.0, 1.0, 1.0))).truth))
    rear = e.z + e.length
    sample("bare_muons", BARE_MUONS, lambda n: columns(shoot(d, 1, shots("mu-", 160.0, face, n, rear), settings, NOTHING)))
    for p, n in PIONS.items():
        sample(f"pi{p:g}", n, lambda n, p=p: columns(shoot(d, 1, shots("pi-", p, module, n), settings)))
    v = detector.vhcal
    body = 0.5 * (v.half_hole[0] + 0.5 * v.cells[0] * v.cell[0]), 0.25 * v.cells[1] * v.cell[1], v.z - 0.005
    for particle, (p, n) in BESIDE.items():
        sample(f"vhcal_{particle}", n, lambda n, p=p, particle=particle: columns(shoot(d, 1, shots(particle, p, body, n), settings)))
    behind = h.front[0] + h.length
    sample("bare_pions", BARE_PIONS, lambda n: columns(shoot(d, 1, shots("pi-", 100.0, module, n, behind), settings, NOTHING)))
    return out


@njit
def muons_into(setup: Any, scratch: Any, step: int, start: Record, plan: Record, vhcal: FloatArray, rng: Stream) -> None:
    """One muon after the other through the VHCAL of the fast engine."""
    state = scratch.beam
    for i in range(len(vhcal)):
        copy_state(start, state)
        scratch.vhcal[:] = 0.0
        scratch.n.hits = 0
        cross_stack(setup, scratch, setup.vhcal, scratch.vhcal, step, state, np.inf, BEAM, plan, True, rng, rng)
        vhcal[i] = scratch.vhcal


@njit
def hadrons_into(setup: Any, scratch: Any, step: int, start: Record, vhcal: FloatArray, hcal: FloatArray, rng: Stream) -> None:
    """One negative pion after the other from the front of a step of the line of the fast engine."""
    state = scratch.beam
    for i in range(len(hcal)):
        copy_state(start, state)
        scratch.vhcal[:] = 0.0
        scratch.hcal[:] = 0.0
        scratch.n.hits = 0
        follow_hadron(setup, scratch, step, state, setup.line.z_in[step], -1.0, rng)
        vhcal[i], hcal[i] = scratch.vhcal, scratch.hcal


def fast_samples(detector: Detector, n: int) -> dict[str, Any]:
    """The same particles by the fast engine, in the form of the samples of Geant4."""
    d = pencil(detector)
    setup, out = build_setup(d, 1), {}
    e, h = setup.ecal, d.hcal
    rng = Stream(7)
    at = new_state(d.ecal.cell_centre(0)[d.ecal.cells[0] // 2], d.ecal.cell_centre(1)[d.ecal.cells[1] // 2])
    for p in ELECTRONS:
        cells = np.zeros((2000, 2, *d.ecal.cells))
        for one in cells:
            deposit_electromagnetic(e, one, at, e.z, p, False, 0.0, rng)
        out[f"e{p:g}"] = {"ecal": cells}
    scratch, v = new_scratch(d), d.vhcal
    body = 0.5 * (v.half_hole[0] + 0.5 * v.cells[0] * v.cell[0]), 0.25 * v.cells[1] * v.cell[1]
    module = h.cell_centre(0)[h.cells[0] // 2], h.centre[1]
    shots = [(f"pi{p:g}", p, HCAL, module) for p in (*PIONS, 100.0)] + [("vhcal_pi-", BESIDE["pi-"][0], VHCAL, body)]
    for name, p, kind, (x, y) in shots:
        step = int(np.flatnonzero(setup.line.kind == kind)[0])
        vhcal, hcal = np.zeros((10_000, 1, *v.cells)), np.zeros((10_000, len(h.front), *h.cells))
        hadrons_into(setup, scratch, step, new_state(x, y, p=p), vhcal, hcal, rng)
        out[name] = {"vhcal": vhcal, "hcal": hcal}
    vhcal = np.zeros((10_000, 1, *v.cells))
    muons_into(
        setup, scratch, int(np.flatnonzero(setup.line.kind == VHCAL)[0]), new_state(*body, p=BESIDE["mu-"][0]), no_plans(1)[0], vhcal, rng
    )
    out["vhcal_mu-"] = {"vhcal": vhcal}
    simulate_events(setup, d, 10, BEAM, no_plans(10), 1, np.random.default_rng(1))
    start = time.process_time()
    _, truth = simulate_events(setup, d, n, BEAM, no_plans(n), 1, np.random.default_rng(1))
    out["muons"] = columns(truth) | {"cpu": np.array(time.process_time() - start)}
    return out


def peak(values: FloatArray) -> tuple[float, float]:
    """Middle of the narrowest half of the values up to twice the median, and half the width of the narrowest 68 %."""
    v = np.sort(values)
    k = int(0.6827 * len(v))
    i = int(np.argmin(v[k:] - v[: len(v) - k]))
    width = 0.5 * (v[i + k] - v[i])
    k = int(0.3 * len(v))
    i = int(np.argmin(v[k:] - v[: len(v) - k]))
    return float(np.median(v[i : i + k])), float(width)


def bootstrap(values: FloatArray, of: Callable[[FloatArray], Any], n: int = 60) -> tuple[FloatArray, FloatArray]:
    """Numbers of a sample and their statistical errors."""
    rng = np.random.default_rng(1)
    drawn = [np.atleast_1d(of(values[rng.integers(len(values), size=len(values))])) for _ in range(n)]
    return np.atleast_1d(of(values)), np.std(drawn, axis=0)


Row = tuple[str, float, float, float, float, str]


class Comparison:
    """Rows of the table, and the spectra that are drawn."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.spectra: dict[str, tuple[str, FloatArray, FloatArray, FloatArray]] = {}

    def add(  # noqa: D102 (see the class)
        self, names: tuple[str, ...], geant4: FloatArray, fast: FloatArray, of: Callable[[FloatArray], Any], references: tuple[str, ...]
    ) -> None:
        (a, da), (b, db) = bootstrap(geant4, of), bootstrap(fast, of)
        for k, name in enumerate(names):
            self.rows.append((name, a[k], da[k], b[k], db[k], references[k]))

    def draw(self, name: str, label: str, bins: FloatArray, geant4: FloatArray, fast: FloatArray) -> None:  # noqa: D102
        self.spectra[name] = label, bins, geant4, fast


def total(cells: FloatArray) -> FloatArray:
    return np.asarray(cells.reshape(len(cells), -1).sum(axis=1))


def electrons(c: Comparison, g4: dict[str, Any], fast: dict[str, Any], scale: float) -> None:
    for p in ELECTRONS:
        a, b = scale * g4[f"e{p:g}"]["ecal"], fast[f"e{p:g}"]["ecal"]
        reference = f"{100 * np.hypot(0.08 / np.sqrt(p), 0.01):.2f} % (8 %, 1 %)"
        c.add(
            (f"e {p:g} GeV: response", "  resolution"),
            total(a),
            total(b),
            lambda v, p=p: (v.mean() / p, v.std(ddof=1) / v.mean()),
            ("1", reference),
        )
        for name, of in (
            ("preshower fraction", lambda x: x[:, 0].sum(axis=(1, 2)) / total(x)),
            ("central cell", lambda x: x[:, :, 2, 3].sum(axis=1) / total(x)),
            ("3 x 3 cells", lambda x: x[:, :, 1:4, 2:5].sum(axis=(1, 2, 3)) / total(x)),
        ):
            c.add((f"  {name}", "    rms"), of(a), of(b), lambda v: (v.mean(), v.std(ddof=1)), ("", ""))
            if p == 20.0:
                c.draw(
                    f"electron_{name.split()[0]}",
                    f"{name}, electrons of 20 GeV",
                    np.linspace(*np.quantile(of(b), [0.001, 0.999]), 31),
                    of(a),
                    of(b),
                )


def muons(c: Comparison, g4: dict[str, Any], fast: dict[str, Any], scales: tuple[float, float], detector: Detector) -> None:
    a, b = g4["muons"], fast["muons"]
    ecal, hcal = scales
    spread = lambda v: (*peak(v), v.mean(), np.quantile(v, 0.95))  # noqa: E731
    for name, x, y, mip in (
        ("ECAL", ecal * total(a["ecal"]), total(b["ecal"]), detector.ecal.mip),
        ("preshower", ecal * total(a["ecal"][:, 0]), total(b["ecal"][:, 0]), None),
        ("HCAL 1", hcal * total(a["hcal"][:, 0]), total(b["hcal"][:, 0]), detector.hcal.mip),
        ("HCAL 2", hcal * total(a["hcal"][:, 1]), total(b["hcal"][:, 1]), detector.hcal.mip),
        ("VETO [MeV]", total(a["veto"]), total(b["veto"]), detector.veto.mip),
        ("S1 [MeV]", a["counters"][:, 1], b["counters"][:, 1], None),
    ):
        reference = "" if mip is None else f"{mip} (description)"
        c.add(
            (
                f"muon in {name}: peak [GeV]" if mip and mip < 9 else f"muon in {name}: peak",
                "  half of the narrowest 68 %",
                "  mean",
                "  95 % quantile",
            ),
            x,
            y,
            spread,
            (reference, "", "", ""),
        )
        px, py = peak(x)[0], peak(y)[0]
        c.add(("  width over peak",), x, y, lambda v: peak(v)[1] / peak(v)[0], ("",))
        c.draw(
            f"muon_{name.split()[0].lower()}{name[-1] if name[-1].isdigit() else ''}",
            f"signal of a muon in {name.split(' [')[0]} over its peak",
            np.linspace(0.5, 3.0, 61),
            x / px,
            y / py,
        )


def losses(c: Comparison, g4: dict[str, Any], fast: dict[str, Any], detector: Detector) -> None:
    p_bare, p_out = g4["bare_muons"]["ends"][:, 5], fast["muons"]["facts"]["p_out"]
    p_out = p_out[p_out > 0.0]
    a, b = 160.0 - p_bare, 160.0 - p_out
    for limit, reference in (
        (80.0, "10.5(16)e-4, 9.5(22)e-4, 8.67e-4"),
        (120.0, "25(3)e-4, 26(4)e-4, 22.7e-4"),
        (150.0, "84(5)e-4, 100(7)e-4, 88.5e-4"),
        (157.0, "384(10)e-4, 387(14)e-4, 394e-4"),
    ):
        c.add((f"P(E behind the ECAL < {limit:g} GeV)",), a, b, lambda v, t=160.0 - limit: np.mean(v > t), (reference,))
    c.add(
        ("mean loss [GeV] (fast: to MS2)", "losses above 1 GeV"),
        a,
        b,
        lambda v: (v.mean(), np.mean(v > 1.0)),
        ("1.058(24), 1.125(40), 1.140", ""),
    )
    c.draw("muon_loss", "energy loss of 160 GeV muons in the ECAL [GeV]", np.geomspace(1.0, 150.0, 31), a, b)
    first = len(detector.bms) + len(detector.micromegas)
    hits = fast["muons"]["hits"]
    angles = 1e3 * hits["tx"][hits["surface"] == first]
    theirs = g4["muons"]["hits"]
    theirs = 1e3 * theirs["tx"][theirs["surface"] == first]
    core = lambda v: np.quantile(np.abs(v), 0.6827)  # noqa: E731
    x, y = theirs[np.abs(theirs) < WIDEST], angles[np.abs(angles) < WIDEST]
    c.add(("angle x in the first GEM, below 3 mrad, 68 % [mrad]",), x, y, core, ("0.616 (Highland, ECAL alone)",))
    bare = 1e3 * g4["bare_muons"]["ends"][:, 3]
    c.add(("  the muon alone behind the ECAL",), bare[np.abs(bare) < WIDEST], y, core, ("",))
    c.draw("angle", "angle x of charged particles in the first GEM [mrad]", np.linspace(-WIDEST, WIDEST, 61), x, y)


def pions(c: Comparison, g4: dict[str, Any], fast: dict[str, Any], scale: float) -> None:
    for p in PIONS:
        a, b = scale * g4[f"pi{p:g}"]["hcal"], fast[f"pi{p:g}"]["hcal"]
        reference = f"{100 * np.hypot(0.65 / np.sqrt(p), 0.06):.1f} % (65 %, 6 %)"
        shown = lambda v, p=p: (v.mean() / p, v.std(ddof=1) / v.mean())  # noqa: E731
        c.add((f"pi- {p:g} GeV: response (scale at 40 GeV)", "  resolution"), total(a), total(b), shown, ("1", reference))
        behind = lambda x: total(x[:, 1]) / np.maximum(total(x), 1e-9)  # noqa: E731
        c.add(("  fraction in module 2",), behind(a), behind(b), lambda v: v.mean(), ("",))
        middle = lambda x: x[:, 0, 3, 1] / np.maximum(total(x), 1e-9)  # noqa: E731
        c.add(("  central cell",), middle(a), middle(b), lambda v: v.mean(), ("",))
        c.draw(f"pion{p:g}", f"signal of {p:g} GeV pions in the HCAL [GeV]", np.linspace(0.4 * p, 1.6 * p, 31), total(a), total(b))
    end = g4["bare_pions"]["ends"][:, 5]
    through = (total(fast["pi100"]["hcal"][:, 0]) < 5.0).astype(float)  # a muon leaves 2.3 GeV
    c.add(("pions that cross a module unharmed",), (end > 95.0).astype(float), through, np.mean, ("exp(-6.1) of pions",))
    beside(c, g4, fast, scale)


def beside(c: Comparison, g4: dict[str, Any], fast: dict[str, Any], hcal: float) -> None:
    """The body of the VHCAL: its scale in Geant4 is the one that gives pions the mean of the fast engine."""
    name, (p, _) = "vhcal_pi-", BESIDE["pi-"]
    scale = float(total(fast[name]["vhcal"]).mean() / total(g4[name]["vhcal"]).mean())
    a, b = scale * g4[name]["vhcal"], fast[name]["vhcal"]
    c.add((f"pi- {p:g} GeV in the VHCAL: rms over mean",), total(a), total(b), lambda v: v.std(ddof=1) / v.mean(), (f"mean {total(b).mean():.1f} GeV",))  # fmt: skip
    for label, of in (
        ("  the four cells of the quadrant", lambda x: x[:, 0, 2:, 2:].sum(axis=(1, 2)) / np.maximum(total(x), 1e-9)),
        ("  cell behind the axis", lambda x: x[:, 0, 3, 2:].sum(axis=1) / np.maximum(total(x), 1e-9)),
    ):
        c.add((label,), of(a), of(b), np.mean, ("",))
    behind = (hcal * total(g4[name]["hcal"]), total(fast[name]["hcal"]))
    c.add(("  energy in the HCAL behind it [GeV]", "  more than 1 GeV there"), *behind, lambda v: (v.mean(), np.mean(v > 1.0)), ("", ""))
    c.draw("vhcal_pion", f"signal of {p:g} GeV pions in the VHCAL [GeV]", np.linspace(0.0, 1.6 * p, 31), total(a), total(b))
    a, b = scale * total(g4["vhcal_mu-"]["vhcal"]), total(fast["vhcal_mu-"]["vhcal"])
    c.add(("muon in the VHCAL: peak [GeV]", "  half of the narrowest 68 %"), a, b, peak, ("0.9 (description)", ""))
    c.draw("vhcal_muon", "signal of a muon in the VHCAL over its peak", np.linspace(0.5, 3.0, 31), a / peak(a)[0], b / peak(b)[0])


@njit
def punched(setup: Any, scratch: Any, step: int, start: Record, n: int, rng: Stream) -> int:
    """Hadrons of which something fires the counter behind the HCAL."""
    state, fired = scratch.beam, 0
    for _ in range(n):
        copy_state(start, state)
        scratch.hcal[:] = 0.0
        scratch.counters[:] = 0.0
        scratch.n.hits = 0
        follow_hadron(setup, scratch, step, state, setup.line.z_in[step], -1.0, rng)
        fired += scratch.counters[4] > setup.counters.threshold[4]
    return fired


def punch_through(detector: Detector, n: int) -> Table:
    """Pions with something behind 1, 2 and 4 modules, in a counter as large as they are."""
    table = Table("pi-", "1 module", "2 modules", "4 modules", "published, 4 modules", title="Punch-through of the HCAL, fast engine")
    for p, published in ((20.0, ""), (50.0, "4.2e-4"), (100.0, "7.5e-4 (p 5.4e-4, K 1.0e-3)")):
        cells = []
        for modules in (1, 2, 4):
            h = detector.hcal
            front = tuple(h.front[0] + i * (h.front[1] - h.front[0]) for i in range(modules))
            wide = {"x": ((-582.0, 582.0),), "y": (-288.0, 288.0), "z": front[-1] + h.length + 58.0}
            counters = tuple(c.model_copy(update=wide) if c.name == "S_mu" else c for c in detector.counters)
            changed = detector.model_copy(update={"hcal": h.model_copy(update={"front": front}), "counters": counters})
            setup, scratch = build_setup(changed, 1), new_scratch(changed)
            step = int(np.flatnonzero(setup.line.kind == HCAL)[0])
            k = punched(setup, scratch, step, new_state(h.cell_centre(0)[h.cells[0] // 2], h.centre[1], p=p), n, Stream(9))
            cells.append(f"{k / n:.2e} +- {np.sqrt(max(k, 1)) / n:.0e}")
        table.add_row(f"{p:g} GeV", *cells, published)
    return table


def figures(c: Comparison, folder: Path) -> None:
    """Both engines over each other, and their ratio."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt
    import mplhep

    from na64mu.report.style import BLACK, BLUE, STYLE, save

    folder.mkdir(parents=True, exist_ok=True)
    for name, (label, bins, geant4, fast) in c.spectra.items():
        with mpl.rc_context(STYLE):
            figure, (top, low) = plt.subplots(2, 1, figsize=(7.5, 6.5), sharex=True, height_ratios=(3, 1), layout="constrained")
            a, b = (np.histogram(v, bins)[0] for v in (geant4, fast))
            x = 0.5 * (bins[1:] + bins[:-1])
            norm = len(geant4) / len(fast)
            mplhep.histplot(b * norm, bins, ax=top, color=BLUE, label="fast")
            top.errorbar(x, a, np.sqrt(a), fmt="o", ms=4, color=BLACK, label="Geant4 11.4, FTFP_BERT")
            good = (a > 0) & (b > 0)
            low.errorbar(
                x[good], b[good] * norm / a[good], b[good] * norm / a[good] * np.sqrt(1 / a[good] + 1 / b[good]), fmt="o", ms=4, color=BLUE
            )
            low.axhline(1.0, color=BLACK, lw=0.8)
            top.set_ylabel("events")
            low.set(ylabel="fast / Geant4", ylim=(0.5, 1.5), xlabel=label)
            if name == "muon_loss":
                top.set(xscale="log", yscale="log")
            top.legend()
            save(figure, folder / f"{name}.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plots", type=Path, help="folder for figures")
    parser.add_argument("--cache", type=Path, help="folder where the events of Geant4 are kept")
    parser.add_argument("--scale", type=float, default=1.0, help="times the number of events of Geant4")
    parser.add_argument("--workers", type=int, default=1, help="processes of Geant4")
    parser.add_argument("--detector", default="na64mu-2022")
    parser.add_argument("-n", type=int, default=60_000, help="muons of the fast engine")
    parser.add_argument(
        "--same-mips", action="store_true", help="fast engine with the MIP peaks of Geant4 instead of those of the description"
    )
    parser.add_argument(
        "--resolution", choices=("published", "geant4"), default="published", help="for hadrons in the HCAL of the fast engine"
    )
    args = parser.parse_args()
    if args.cache:
        args.cache.mkdir(parents=True, exist_ok=True)
    detector = load_detector(args.detector)
    hcal_now = detector.hcal.model_copy(update={"resolution": args.resolution})
    g4 = geant4_samples(detector, args.scale, args.cache, Geant4Settings(workers=args.workers))
    ecal = 10.0 / float(total(g4["e10"]["ecal"]).mean())
    hcal = 40.0 / float(total(g4["pi40"]["hcal"]).mean())
    if args.same_mips:
        peaks = {"ecal": ecal * peak(total(g4["muons"]["ecal"]))[0], "hcal": hcal * peak(total(g4["muons"]["hcal"][:, 0]))[0]}
        detector = detector.model_copy(update={k: getattr(detector, k).model_copy(update={"mip": v}) for k, v in peaks.items()})
    detector = detector.model_copy(update={"hcal": hcal_now})
    fast = fast_samples(detector, args.n)
    c = Comparison()
    electrons(c, g4, fast, ecal)
    muons(c, g4, fast, (ecal, hcal), detector)
    losses(c, g4, fast, detector)
    pions(c, g4, fast, hcal)
    table = Table(
        "quantity",
        "Geant4",
        "fast",
        "fast / Geant4",
        "reference",
        title=f"{detector.tag}, FTFP_BERT; ECAL scale {ecal:.3f}, HCAL scale {hcal:.2f}",
    )
    for name, a, da, b, db, reference in c.rows:
        ratio = f"{b / a:.3f} +- {abs(b / a) * np.hypot(da / a, db / b):.3f}" if a and b else "-"
        table.add_row(name, f"{a:.4g} +- {da:.2g}", f"{b:.4g} +- {db:.2g}", ratio, reference)
    Console(width=150).print(table)
    Console(width=150).print(punch_through(detector, 100_000))
    resolutions = [(p, *bootstrap(total(g4[f"e{p:g}"]["ecal"]), lambda v: v.std(ddof=1) / v.mean())) for p in ELECTRONS]
    weights = np.array([1.0 / float(e[0]) for _, _, e in resolutions])
    design = np.array([[1.0 / np.sqrt(p), 1.0] for p, _, _ in resolutions]) * weights[:, None]
    a, b = np.linalg.lstsq(design, np.array([float(v[0]) for _, v, _ in resolutions]) * weights)[0]
    print(f"electrons in Geant4: sigma/E = {100 * a:.1f} %/sqrt(E) + {100 * b:.1f} % (fit; published 8 % + 1 %)")
    rates = [len(s["muons"]["facts"]) / float(s["muons"]["cpu"]) for s in (g4, fast)]
    print(
        f"muons through the whole line: Geant4 {rates[0]:.1f}, fast {rates[1]:.0f} per CPU second of one core; ratio {rates[1] / rates[0]:.0f}"
    )
    if args.plots:
        figures(c, args.plots)


if __name__ == "__main__":
    main()
