"""A run result with known content: events of every region, generated column by column and put through the real cuts."""

from __future__ import annotations

from dataclasses import replace

import hist
import numpy as np
import pytest

from na64mu.analysis.backgrounds import TailSample
from na64mu.analysis.counting import letter_counting
from na64mu.analysis.limits import search_limits
from na64mu.analysis.yields import PileUpLoss, SignalYield
from na64mu.results.cutflow import CutFlow
from na64mu.results.exposure import Exposure, RunExposure
from na64mu.results.losses import Loss
from na64mu.results.provenance import InputFile, Provenance
from na64mu.results.run import Counts, RunResult, Timing
from na64mu.selections.cuts import in_box, in_region
from na64mu.selections.working_point import load_working_point

MASSES = np.array([0.01, 0.1, 1.0])

WINDOWS = {
    "na64mu-2022": {
        "e_ecal": (0.4, 1.1),
        "e_preshower": (0.05, 0.2),
        "e_veto": (5.0, 20.0),
        "e_vhcal": (None, 2.0),
        "e_hcal1": (1.2, 4.5),
        "e_hcal2": (1.2, 4.5),
        "e_hcal_cell": (1.0, 4.5),
        "e_cal": (3.0, 9.0),
    }
}


SIGNAL_WEIGHT = 3e-13


def events(seed: int, n: int, regions: tuple[float, float, float, float, float]) -> dict[str, np.ndarray]:
    """Columns of events: MIP, hard bremsstrahlung, deposit in the HCAL, missing energy, and signal in the given fractions."""
    rng = np.random.default_rng(seed)
    kind = rng.choice(5, n, p=regions)
    p_in = rng.normal(159.4, 6.1, n)
    lost = np.where(
        kind == 1, p_in * rng.uniform(0.4, 0.95, n), np.where(kind == 2, 0.0, np.where(kind >= 3, p_in * rng.uniform(0.55, 0.9, n), 0.0))
    )
    seen = np.where(kind == 1, lost, np.where(kind == 3, lost * rng.uniform(0.2, 0.8, n), 0.0))
    mip = {name: peak * rng.gamma(40, 1 / 40, n) for name, peak in {"e_ecal": 0.6, "e_hcal1": 2.3, "e_hcal2": 2.3, "e_veto": 9.0}.items()}
    e_hcal1 = mip["e_hcal1"] + np.where(kind == 2, rng.exponential(25, n), 0.0)
    e_ecal = mip["e_ecal"] + np.maximum(0, rng.normal(seen, 0.08 * np.sqrt(np.maximum(seen, 0))))
    e_vhcal = np.where(rng.random(n) < 0.8, 0.0, rng.exponential(0.5, n))
    hits = {f"n_hits_{s}": rng.poisson(0.1, n) + 1 for s in ("mm5", "mm6", "mm7", "st1")}
    columns = {
        "trigger": np.where(rng.random(n) < 0.9, 3, 1).astype(np.uint32),
        "p_in": p_in,
        "p_out": (p_in - lost) * rng.normal(1, 0.023, n),
        "n_tracks_ms1": 1 + rng.poisson(0.05, n),
        "n_tracks_ms2": rng.poisson(0.03, n) + (rng.random(n) < 0.95),
        "chi2_ndf_ms1": rng.chisquare(8, n) / 8,
        "chi2_ndf_ms2": rng.chisquare(8, n) / 8,
        "x_s4": rng.normal(-12, 8, n),
        **hits,
        "e_ecal": e_ecal,
        "e_preshower": 0.2 * e_ecal,
        "e_veto": mip["e_veto"],
        "e_vhcal": e_vhcal,
        "e_hcal1": e_hcal1,
        "e_hcal2": mip["e_hcal2"],
        "e_hcal_cell": mip["e_hcal1"],
        "e_cal": e_ecal + e_vhcal + e_hcal1 + mip["e_hcal2"],
    }
    return {name: np.asarray(values) for name, values in columns.items()}


def of_dataset(columns, point, *, blinded, weight):
    """Cut-flow, histograms and regions of one dataset, counted here on their own."""
    windows = {name: (-np.inf if low is None else low, high) for name, (low, high) in WINDOWS["na64mu-2022"].items()}
    cuts = point.bind(windows)
    masks = {cut.name: cut(columns) for cut in cuts}
    n = len(columns["p_in"])
    visible = ~in_box(columns, point.box) if blinded else np.ones(n, bool)
    cutflow = CutFlow.from_masks(
        masks, np.full(n, weight), labels={c.name: c.label for c in cuts}, visible=visible, hidden_at=point.blind_at if blinded else None
    )
    before = np.logical_and.reduce([masks[name] for name in point.before_plane_cut()]) & visible
    after = before & masks[point.plane_cut]
    histograms = {}
    for name, mask in (("plane_before", before), ("plane_after", after)):
        axes = [hist.axis.Regular(a.bins, a.low, a.high, name=q) for q, a in (("p_out", point.plane_p_out), ("e_cal", point.plane_e_cal))]
        histograms[name] = hist.Hist(*axes, storage=hist.storage.Weight()).fill(
            columns["p_out"][mask], columns["e_cal"][mask], weight=weight
        )
    for spectrum in point.spectra:
        h = hist.Hist(
            hist.axis.StrCategory(["all", "n_minus_1"], name="stage"),
            hist.axis.Regular(spectrum.bins, spectrum.low, spectrum.high, name=spectrum.column),
            storage=hist.storage.Weight(),
        )
        others = [m for cut, m in zip(cuts, masks.values(), strict=True) if spectrum.column not in cut.columns]
        h.fill("all", columns[spectrum.column][visible], weight=weight)
        h.fill("n_minus_1", columns[spectrum.column][np.logical_and.reduce(others) & visible], weight=weight)
        histograms[spectrum.column] = h
    regions = {r.name: counts(int(m.sum()), weight) for r in point.regions for m in [in_region(columns, r) & before]}
    if not blinded:
        for name, mask in (("box", before), ("box_after", after)):
            k = int((mask & in_box(columns, point.box)).sum())
            regions[name] = counts(k, weight)
    return cutflow, histograms, regions


def counts(k, weight):
    return Counts(k, k * weight, k * weight**2)


def run_result(blinded: bool, n: int = 20_000) -> RunResult:
    """Two datasets, "physics" and "signal"; the first one blinded or not."""
    point = load_working_point("prl2024")
    content = {
        "physics": (events(1, n, (0.6, 0.2, 0.1, 0.099, 0.001)), blinded),
        "signal": (events(2, n // 20, (0.0, 0.0, 0.0, 0.0, 1.0)), False),
    }
    parts = {
        name: of_dataset(columns, point, blinded=hidden, weight=SIGNAL_WEIGHT if name == "signal" else 1.0)
        for name, (columns, hidden) in content.items()
    }
    runs = (
        RunExposure("physics", 1, 1, 11_700_000, 11_583_000.0, 0, 0.0, 0.0, 0.0, n // 2 - 100, 100),
        RunExposure("physics", 2, 2, 8_100_000, 8_100_000.0, 0, 0.0, 0.0, 0.0, n // 2, 0),
        RunExposure("signal", 3, 1, 5000, 5000.0, 5000, 7e-10, 7e-10, 1e-4, n // 20, 0),
    )
    inputs = (
        InputFile("physics", "data/sample/physics.root", "0f3c", "na64mu-2022", n, ((0, n - 100),), ((n - 100, n),)),
        InputFile("signal", "data/sample/signal.root", "1a2b", "na64mu-2022", n // 20, ((0, n // 20),), ()),
    )
    return RunResult(
        cutflows={name: p[0] for name, p in parts.items()},
        histograms={name: p[1] for name, p in parts.items()},
        outside={name: {"p_out": 12} for name in parts},
        regions={name: p[2] for name, p in parts.items()},
        blinded={"physics": blinded, "signal": False},
        exposure=Exposure(runs, ("data/sample/physics.root: 3 events of run 9, config 1 without a row in 'runs'",)),
        losses=(
            Loss(
                "physics",
                "data/sample/physics.root",
                "chunk",
                "data/sample/physics.root: entries 19900 to 20000 <cannot> be read",
                n - 100,
                n,
            ),
        ),
        working_point=point,
        windows=WINDOWS,
        provenance=Provenance(
            configuration_hash="ab" * 32,
            selection=point.name,
            selection_hash=point.hash,
            detectors={"na64mu-2022": "cd" * 32},
            calibrations={"na64mu-2022": "ef" * 32},
            inputs=inputs,
            executor="iterative",
            workers=1,
            chunksize=100_000,
            maxchunks=None,
            started="2026-01-02T03:04:05+00:00",
            ended="2026-01-02T03:04:15+00:00",
            commit="0123456789abcdef",
            clean=True,
            command=("na64mu", "run", "data/sample/physics.root"),
        ),
        timing=Timing(1.0, 6.0, 0.5, 0.5, n + n // 20, 2, 8.6),
    )


@pytest.fixture(scope="session")
def result() -> RunResult:
    return run_result(blinded=False)


@pytest.fixture(scope="session")
def blinded_result() -> RunResult:
    return run_result(blinded=True)


@pytest.fixture(scope="session")
def clean_result(result: RunResult) -> RunResult:
    return replace(result, losses=(), exposure=replace(result.exposure, warnings=()))


@pytest.fixture(scope="session")
def sample() -> TailSample:
    """A Gaussian peak at 160 GeV/c and an exponential tail below it, as expected counts."""
    edges = np.linspace(0.0, 250.0, 501)
    centres = 0.5 * (edges[1:] + edges[:-1])
    counts = np.round(
        4e4 * np.exp(-0.5 * ((centres - 160.0) / 7.0) ** 2) + np.where(centres < 130, 40 * np.exp((centres - 130.0) / 8.0), 0.0)
    )
    return TailSample(edges, counts, 1.0, 1e6)


@pytest.fixture(scope="session")
def limits():
    yields = SignalYield(
        masses=MASSES,
        g_ref=1e-4,
        exposures=(1.17e10, 8.1e9),
        per_muon=7.7e-11 * (0.1 / MASSES) ** 1.5,
        invisible=np.ones(3),
        efficiency=np.column_stack([np.full(3, 0.10), np.full(3, 0.15)]),
        efficiency_error=np.full((3, 2), 0.002),
        pile_up_loss=PileUpLoss(0.13, 0.0, "published"),
    )
    return search_limits(letter_counting(), yields)
