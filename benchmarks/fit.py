"""Speed and quality of the track fit beside its peers: `python benchmarks/fit.py [--reference FILE]`.

Prints tracks per second on one core, the agreement with GenFit and ACTS on the same hits (FILE: ms2_p100_160.npz), and
resolution, bias, pulls and chi2 probability from 10 to 160 GeV/c. Where the wheel `pyacts` is installed, ACTS fits the same hits in the same run.
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.stats import chi2, kstest
from telescope import TELESCOPE_HIT, Sample, gls_sigma, make, moved, real, seeds, telescope

from na64mu.tracking.compiled_fit import kernel
from na64mu.tracking.fit import fit_measurements
from na64mu.tracking.fitted import FittedTracks
from na64mu.tracking.navigation import route
from na64mu.tracking.outliers import Removal, fit_without_outliers, remove_outliers
from na64mu.tracking.spectrometer import Spectrometer
from na64mu.typing import FloatArray

SPEED_TRACKS = 64 * 1024
REPEATS = 15
MOMENTA = (10.0, 20.0, 40.0, 80.0, 120.0, 160.0)
#: Loose standard deviations of the seed: nothing of it is left in the result.
LOOSE = np.array([20.0, 20.0, 0.02, 0.02, 0.02])
DIAGONAL = range(5)


def rates(prepare: Callable[[], None], run: Callable[[], None], n: int) -> tuple[float, float]:
    """Best and median tracks per second of processor time."""
    seconds = []
    for _ in range(REPEATS + 1):  # the first one warms up
        prepare()
        start = time.process_time()
        run()
        seconds.append(time.process_time() - start)
    return n / min(seconds[1:]), n / float(np.median(seconds[1:]))


def speed_table(ms: Spectrometer) -> tuple[Table, Sample, FloatArray]:
    """Tracks per second of every form of the fit, on one core, without compilation."""
    table = Table(
        "what", "tracks/s: best", "median", "peers, measured elsewhere (one core)", title=f"{ms.name}, {len(ms.planes)} coordinates"
    )
    clean = make(ms, SPEED_TRACKS, (100.0, 160.0), 11)
    start = seeds(clean, 12)
    path = route(ms)

    def nothing() -> None:
        pass

    for kind, peers in (("filter", "numba prototype 6.6-7.8 M, ACTS 17-24 k, GenFit 3-4 k"), ("smooth", "numba prototype 3.9 M")):
        compiled = kernel(path, kind)  # type: ignore[arg-type]
        blocks = compiled.pack(start, LOOSE, clean.u, clean.weight)
        names = {"filter": "filter both ways", "smooth": "filter, smoother, leave-one-out chi2"}
        best, median = rates(nothing, lambda c=compiled, b=blocks: c.fit_blocks(b), SPEED_TRACKS)
        table.add_row(f"{names[kind]}, blocks", f"{best / 1e6:.2f} M", f"{median / 1e6:.2f} M", peers)

    hit_of = TELESCOPE_HIT if ms.name == "telescope" else np.arange(len(ms.planes))
    outl = moved(make(ms, SPEED_TRACKS, (160.0, 160.0), 13), 14, hit_of)
    start = seeds(outl, 15)
    smooth = kernel(path, "smooth")
    pristine = smooth.pack(start, LOOSE, outl.u, outl.weight)
    work = pristine.copy()

    def renew() -> None:
        work[:] = pristine

    def remove() -> None:
        smooth.fit_blocks(work)
        remove_outliers(smooth, work, SPEED_TRACKS, hit_of, Removal())

    best, median = rates(renew, remove, SPEED_TRACKS)
    table.add_row(
        'worst-hit removal on set "outl", blocks',
        f"{best / 1e6:.2f} M",
        f"{median / 1e6:.2f} M",
        "numba prototype 1.5 M, GenFit DAF 1.7-2.4 k",
    )
    for name, run in (
        ("filter, smoother, with packing", lambda: fit_measurements(start, outl.u, outl.weight, ms, prior=LOOSE)),
        ("the same, first look for a better seed", lambda: fit_measurements(start, outl.u, outl.weight, ms)),
        ("removal with packing", lambda: fit_without_outliers(start, outl.u, outl.weight, ms, prior=LOOSE, hit_of=hit_of)),
        ("removal, first look, with packing", lambda: fit_without_outliers(start, outl.u, outl.weight, ms, hit_of=hit_of)),
    ):
        best, median = rates(nothing, run, SPEED_TRACKS)
        table.add_row(f"{name}, from arrays", f"{best / 1e6:.2f} M", f"{median / 1e6:.2f} M", "")
    return table, clean, seeds(clean, 12)


def reference_table(file: Path) -> Table:
    """q/p of every track against GenFit and ACTS on the same hits."""
    table = Table("pair", "rms(difference) / sigma", "largest", "median sigma ratio", title=f"q/p of 2000 tracks of {file.name}")
    with np.load(file) as content:
        ref = dict(content)
    ms = telescope()
    u = ref["hits"].reshape(len(ref["hits"]), -1)
    weight = np.broadcast_to(np.repeat(ref["sigma"], 2) ** -2.0, u.shape)
    start = ref["seed"].copy()
    start[:, :2] += start[:, 2:4] * (ref["z"][0] - ref["zseed"])
    for model in ("highland", "highland-each"):
        own = fit_measurements(start, u, weight, ms, scattering=model)  # type: ignore[arg-type]
        sigma = np.sqrt(own.downstream_covariance[:, 4, 4])
        others = {
            "GenFit, Highland": (ref["genfit_ref_highland_par_last"][:, 4], np.sqrt(ref["genfit_ref_highland_cov_last"][:, 14])),
            "GenFit, GEANE": (ref["genfit_ref_par_last"][:, 4], np.sqrt(ref["genfit_ref_cov_last"][:, 14])),
            "ACTS": (ref["acts_kf_par_perigee"][:, 4], np.sqrt(ref["acts_kf_var_perigee"][:, 4])),
        }
        for name, (value, other_sigma) in others.items():
            pull = (own.downstream[:, 4] - value) / sigma
            ratio = np.median(sigma / other_sigma)
            table.add_row(f"na64mu ({model}) - {name}", f"{np.sqrt(np.mean(pull**2)):.4f}", f"{np.abs(pull).max():.4f}", f"{ratio:.4f}")
    return table


def quality_rows(ms: Spectrometer, momentum: float, n: int, seed: int) -> tuple[str, ...]:
    """One row: resolution, bias, pulls at both ends, flatness of the chi2 probability."""
    sample = make(ms, n, (momentum, momentum), seed, charge=-1)  # one charge: a bias of p does not hide in the pulls
    tracks = fit_measurements(seeds(sample, seed + 1), sample.u, sample.weight, ms)
    ends = ((tracks.upstream, tracks.upstream_covariance, sample.first), (tracks.downstream, tracks.downstream_covariance, sample.last))
    pulls = [((fitted - truth) / np.sqrt(cov[:, DIAGONAL, DIAGONAL]))[tracks.good] for fitted, cov, truth in ends]
    ratio = (tracks.upstream[:, 4] / sample.first[:, 4])[tracks.good]
    propagated = gls_sigma(ms, momentum)[4] * momentum
    widths = [" ".join(f"{w:.3f}" for w in pull.std(axis=0)) for pull in pulls]
    probability = chi2.sf(tracks.chi2, tracks.ndf)[tracks.good]
    return (
        f"{momentum:.0f}",
        f"{100 * propagated:.3f}",
        f"{ratio.std() / propagated:.4f}",
        f"{100 * (ratio.mean() - 1.0):+.4f} +- {100 * ratio.std() / np.sqrt(n):.4f}",
        *widths,
        f"{max(np.abs(pull.mean(axis=0)).max() for pull in pulls):.3f}",
        f"{kstest(probability, 'uniform').pvalue:.3f}",
        f"{100 * np.mean(probability < 0.01):.2f}",
        f"{1.0 - tracks.good.mean():.1e}",
    )


def quality_table(ms: Spectrometer, n: int) -> Table:
    """Resolution, bias and pulls at every momentum."""
    table = Table(
        "p", "propagated sigma(p)/p %", "rms / propagated", "bias of q/p %", "pulls x y tx ty q/p upstream", "downstream", "largest mean pull",
        "KS of P(chi2)", "P < 1 % (%)", "no fit", title=f"{ms.name}, {n} tracks a row (errors of the widths: {1 / np.sqrt(2 * n):.4f})",
    )  # fmt: skip
    for i, momentum in enumerate(MOMENTA):
        table.add_row(*quality_rows(ms, momentum, n, 100 + 10 * i))
    return table


def acts_table(sample: Sample, start: FloatArray, own: FittedTracks) -> Table | None:
    """ACTS on the same hits in the same run; None where it is not installed."""
    try:
        from acts_peer import fit_telescope
    except ImportError as error:
        print(f"pyacts not installed: {error}")
        return None
    qop, sigma, seconds = fit_telescope(sample, start)
    fitted = np.isfinite(qop)
    pull = ((own.upstream[:, 4] - qop) / np.sqrt(own.upstream_covariance[:, 4, 4]))[fitted]
    resolution = [float(np.std((v / sample.first[:, 4])[fitted])) for v in (own.upstream[:, 4], qop)]
    table = Table("ACTS Kalman filter on the same hits, same run", "value", title=f"{len(qop)} tracks")
    table.add_row("ACTS tracks per second of processor time", f"{len(qop) / seconds:.0f}")
    table.add_row("fitted", f"{fitted.sum()}")
    table.add_row("rms(q/p na64mu - ACTS) / sigma", f"{np.sqrt(np.mean(pull**2)):.4f}")
    table.add_row("median sigma ratio na64mu / ACTS", f"{np.median(np.sqrt(own.upstream_covariance[fitted, 4, 4]) / sigma[fitted]):.4f}")
    table.add_row("rms of q/p over truth: na64mu, ACTS", f"{100 * resolution[0]:.3f} %, {100 * resolution[1]:.3f} %")
    table.add_row("pull of q/p: na64mu, ACTS", ", ".join(
        f"{float(np.std(((v - sample.first[:, 4]) / s)[fitted])):.3f}"
        for v, s in ((own.upstream[:, 4], np.sqrt(own.upstream_covariance[:, 4, 4])), (qop, sigma))
    ))  # fmt: skip
    return table


def main(arguments: list[str]) -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reference", type=Path, help="ms2_p100_160.npz: hits with the states of GenFit and ACTS")
    parser.add_argument("-n", type=int, default=200_000, help="tracks per row of the tables of quality")
    parser.add_argument("--acts", type=int, default=5000, help="tracks given to ACTS")
    options = parser.parse_args(arguments)
    console = Console(width=210)
    console.print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, double precision, one core")
    spectrometers = (telescope(), real(1), real(2))
    for ms in spectrometers:
        table, clean, start = speed_table(ms)
        console.print(table)
        if ms.name == "telescope":
            few = Sample(*(getattr(clean, name)[: options.acts] for name in ("first", "last", "u", "weight", "moved", "bad")))
            peer = acts_table(few, start[: options.acts], fit_measurements(start[: options.acts], few.u, few.weight, ms))
            if peer is not None:
                console.print(peer)
    if options.reference is not None:
        console.print(reference_table(options.reference))
    for ms in spectrometers:
        console.print(quality_table(ms, options.n))


if __name__ == "__main__":
    main(sys.argv[1:])
