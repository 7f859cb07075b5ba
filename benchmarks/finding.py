"""Track finding from digits: `python benchmarks/finding.py [-n EVENTS] [FILES...]`.

Muons of the beam run exactly (no material) through the description; their digits have the resolutions, inefficiencies and
multiplexing of the simulation, and noise digits and further muons are laid over them before the reconstruction sees them.
A hit belongs to a muon if it lies within five standard deviations (and one strip) of its true crossing. As the field defines it:

efficiency   muons with a candidate at least 70 % of whose hits are theirs, over all muons, mean of the two views
             (the views measure nothing in common, so which x belongs to which y is asked apart);
paired       tracks of muons whose x and y belong to one muon, over the tracks of muons;
clones       further tracks of muons that have one, over all tracks;
fakes        tracks that in one view are no muon, over all tracks;
purity       mean fraction of the hits of a track that belong to its muons;
lost hits    planes where a track has no hit of its muon though there is one;
exact        events with as many tracks as muons: what cut (ii) asks with one muon;
wrong        of events with one muon and one track: momentum off by more than 25 %.

The rates are process time per event on one core, without compilation.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from overlay import beam, delayed, events, noise, overlaid, true_coordinates
from rich.console import Console
from rich.table import Table

from na64mu.detector import Detector, load_detector
from na64mu.events.batch import RawBatch, concatenate
from na64mu.events.reader import read_batch, read_runs
from na64mu.reconstruction.hits import find_hits, spectrometer_hits
from na64mu.reconstruction.summary import find_tracks, middle_of_ecal
from na64mu.tracking.hits import Hits
from na64mu.tracking.spectrometer import Spectrometer, spectrometer
from na64mu.tracking.tracks import Tracks
from na64mu.typing import BoolArray, FloatArray, IntArray

T = TypeVar("T")
NEAR = 5.0  # standard deviations
STRIP = 0.25  # mm: clusters that overlap with noise are pulled by up to a strip
MAJORITY = 0.7  # of the hits of a track
OCCUPANCIES = (0.0, 0.01, 0.03, 0.1)
DELAYS = (-200.0, -100.0, -50.0, 50.0, 100.0, 200.0)  # ns


class Found(NamedTuple):
    """Fractions for one sample and spectrometer; see the head of the file."""

    efficiency: float
    paired: float
    clones: float
    fakes: float
    purity: float
    lost_hits: float
    exact: float
    wrong: float


def _belongs(hits: Hits, chosen: FloatArray, truth: FloatArray) -> BoolArray:
    """Whether each chosen hit is near the true crossings, shape of chosen."""
    index = np.clip(chosen.astype(np.int64), 0, None)
    return (chosen >= 0) & (np.abs(hits.u[index] - truth) < NEAR * hits.sigma[index] + STRIP)


def _present(hits: Hits, truth: FloatArray) -> BoolArray:
    """Whether a muon has a hit on a plane, shape (n_events, n_muons, n_planes)."""
    n_events, n_muons, n_planes = truth.shape
    row = np.repeat(np.arange(n_events * n_planes), np.diff(hits.offsets))
    event, plane = np.divmod(row, n_planes)
    present = np.zeros(truth.shape, dtype=np.bool_)
    for m in range(n_muons):
        near = np.abs(hits.u - truth[event, m, plane]) < NEAR * hits.sigma + STRIP
        present[event[near], m, plane[near]] = True
    return present


def _covered(event: IntArray, muon: IntArray, n_events: int, n_muons: int) -> IntArray:
    """Number of muons that have a matched candidate, per event; muon is -1 where none matches."""
    has = np.zeros((n_events, n_muons), dtype=np.bool_)
    has[event[muon >= 0], muon[muon >= 0]] = True
    return has.sum(axis=1)


def score(s: Spectrometer, hits: Hits, tracks: Tracks, truth: FloatArray, p: FloatArray) -> Found:
    """Match tracks to muons; truth of shape (n_events, n_muons, n_planes), p [GeV/c] of shape (n_events, n_muons)."""
    n_events, n_muons, _ = truth.shape
    event, n_tracks = np.repeat(np.arange(n_events), tracks.n), max(int(tracks.n.sum()), 1)
    belongs = np.stack([_belongs(hits, tracks.all_hits, truth[event, m]) for m in range(n_muons)])
    present = _present(hits, truth)
    muon, covered = [], []
    right = theirs = lost = 0
    for view in (0, 1):
        planes = s.view(view)
        share = belongs[:, :, planes].sum(axis=2) / (tracks.all_hits[:, planes] >= 0).sum(axis=1)
        best = share.argmax(axis=0)
        matched = share.max(axis=0) >= MAJORITY
        muon.append(np.where(matched, best, -1))
        covered.append(_covered(event, muon[-1], n_events, n_muons))
        own, is_there = belongs[best, np.arange(len(event))][:, planes], present[event, best][:, planes]
        right, theirs = right + own[matched].sum(), theirs + is_there[matched].sum()
        lost += (is_there & ~own)[matched].sum()
    real = (muon[0] >= 0) & (muon[1] >= 0)
    n_hits = sum((tracks.all_hits[:, s.view(v)] >= 0)[muon[v] >= 0].sum() for v in (0, 1))
    clones = np.bincount(event[real], minlength=n_events) - np.maximum(*covered)
    single = (tracks.n == 1) & (n_muons == 1)
    wrong = np.abs(tracks.momentum[single] / p[single, 0] - 1.0) > 0.25
    return Found(
        float(np.mean(covered) / n_muons),
        float((muon[0] == muon[1])[real].mean()) if real.any() else np.nan,
        float(np.clip(clones, 0, None).sum() / n_tracks),
        float((~real).sum() / n_tracks),
        float(right / max(n_hits, 1)),
        float(lost / max(theirs, 1)),
        float((tracks.n == n_muons).mean()),
        float(wrong.mean()) if single.any() else np.nan,
    )


def reconstructed(batch: RawBatch, detector: Detector) -> list[tuple[Spectrometer, Hits, Tracks]]:
    """Hits and tracks of both spectrometers."""
    found = find_hits(batch, detector)
    ms1 = find_tracks(found, 1)
    ms2 = find_tracks(found, 2, middle_of_ecal(ms1, detector))
    both = [spectrometer(detector, number) for number in (1, 2)]
    return [(s, spectrometer_hits(found, s), t) for s, t in zip(both, (ms1, ms2), strict=True)]


def scan(detector: Detector, n: int, rng: np.random.Generator) -> Table:
    """Against noise occupancy and muons in time."""
    table = Table("muons", "noise", "", *(f.replace("_", " ") for f in Found._fields), title=f"finding, {detector.tag}, {n} events each")
    for n_muons in (1, 2, 3):
        muons = beam(detector, n * n_muons, rng).reshape(n, n_muons, 5)
        batch = events(muons, detector, rng)
        p = 1.0 / np.abs(muons[:, :, 4])
        truth = {number: true_coordinates(muons.reshape(-1, 5), detector, spectrometer(detector, number)) for number in (1, 2)}
        for occupancy in OCCUPANCIES:
            noisy = overlaid(batch, noise(n, occupancy, detector, rng)) if occupancy else batch
            for number, (s, hits, tracks) in zip((1, 2), reconstructed(noisy, detector), strict=True):
                found = score(s, hits, tracks, truth[number].reshape(n, n_muons, -1), p)
                table.add_row(str(n_muons), f"{occupancy:.0%}", s.name.upper(), *(f"{100.0 * x:.2f} %" for x in found))
    return table


def out_of_time(detector: Detector, n: int, rng: np.random.Generator) -> Table:
    """One muon in time and one out of time: how often the second one counts, and what it does to the first."""
    table = Table("second muon [ns]", "", "one track", "two or more", "efficiency", "p off > 25 %", title="a muon out of time")
    first, second = beam(detector, n, rng)[:, None], beam(detector, n, rng)[:, None]
    batch, other = events(first, detector, rng), events(second, detector, rng)
    p = 1.0 / np.abs(first[:, :, 4])
    for delay in DELAYS:
        for s, hits, tracks in reconstructed(overlaid(batch, delayed(other, delay)), detector):
            found = score(s, hits, tracks, true_coordinates(first[:, 0], detector, s)[:, None], p)
            row = ((tracks.n == 1).mean(), (tracks.n > 1).mean(), found.efficiency, found.wrong)
            table.add_row(f"{delay:+.0f}", s.name.upper(), *(f"{100.0 * x:.2f} %" for x in row))
    return table


def timed(function: Callable[[], T], repeat: int = 5) -> tuple[float, T]:
    """Least process time [s] of a call that was compiled before, and its result."""
    result = function()
    times = []
    for _ in range(repeat):
        start = time.process_time()
        result = function()
        times.append(time.process_time() - start)
    return min(times), result


def rates(batch: RawBatch, detector: Detector, title: str) -> Table:
    """Process time per event of every step."""
    table = Table("step", "us per event", title=title)
    n, total = len(batch), 0.0

    def step(name: str, function: Callable[[], T]) -> T:
        nonlocal total
        seconds, result = timed(function)
        total += seconds
        table.add_row(name, f"{1e6 * seconds / n:.2f}")
        return result

    found = step("clusters, wires and slabs in time", lambda: find_hits(batch, detector))
    ms1 = step("MS1: hits, candidates, fit", lambda: find_tracks(found, 1))
    entry = step("MS1 tracks at the ECAL", lambda: middle_of_ecal(ms1, detector))
    step("MS2: hits, candidates, fit", lambda: find_tracks(found, 2, entry))
    table.add_row("digits to fitted tracks", f"{1e6 * total / n:.2f}")
    table.add_row("events per second", f"{n / total:.0f}")
    return table


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("files", nargs="*")
    parser.add_argument("-n", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args(sys.argv[1:])
    console, detector = Console(width=150), load_detector("na64mu-2022")
    rng = np.random.default_rng(arguments.seed)
    console.print(scan(detector, arguments.n, rng))
    console.print(out_of_time(detector, arguments.n, rng))
    muons = beam(detector, 1000, rng)[:, None]
    samples = [("one muon, exact, no noise", detector, events(muons, detector, rng))]
    samples += [(Path(f).name, load_detector(read_runs(Path(f))[0]["detector"]), read_batch(Path(f))) for f in arguments.files]
    for title, description, batch in samples:
        console.print(rates(concatenate([batch] * max(1, 20_000 // len(batch))), description, title))


if __name__ == "__main__":
    main()
