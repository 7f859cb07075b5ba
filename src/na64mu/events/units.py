"""Whether the energies of a dataset are in the unit of the raw tree: the peak of the muons against the description, per dataset.

A muon that only ionises is known without its energies: in every HCAL module it fires one cell or two, with alike energies in the modules.
The middle of its energy in a calorimeter is compared with the `mip` of the description. Electrons do not reach the HCAL and hadrons do not
leave alike energies in narrow peaks, so a dataset without muons says nothing, as does one with few of them. A muon of the physics trigger
may have lost its energy in the ECAL: there, only more than the whole beam is wrong. The VHCAL has a hole where the
beam is, and descriptions know no charge of a muon in a tracker: both are not compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import numpy as np

from na64mu.detector import Detector
from na64mu.events.batch import Jagged, RawBatch
from na64mu.events.schema_v1 import TRIGGER_BITS
from na64mu.typing import BoolArray, FloatArray, IntArray

__all__ = ("FACTOR", "LEAST_MUONS", "MipCounts", "mip_counts", "unit_sentences")

#: What is called wrong, in either direction: gains are known better, and units differ by more.
FACTOR = 3.0
#: Muons that are needed to say anything, and their least part of the events with energy in the calorimeters.
LEAST_MUONS, LEAST_PART = 50, 0.2
#: A cell counts if it has this part of the largest one; a muon has at most so many.
PART_OF_LARGEST, MOST_CELLS, MOST_ECAL_CELLS = 0.1, 2, 4
#: Largest ratio of the energies in two modules, and of the upper to the lower quartile of a peak.
ALIKE, NARROW = 1.5, 2.0
#: Bins for a factor of two in energy.
BINS = 8
#: What is compared, the collection, and its unit.
QUANTITIES = {"ecal": "GeV", "ecal_soft": "GeV", "hcal": "GeV", "veto": "MeV"}

#: Collections that are looked at, and their fields.
NEEDED = (("hcal", "module", "energy"), ("ecal", "energy"), ("veto", "energy"))

#: Quantity -> bin of log2(energy) -> muons; under "events" all events with energy in the HCAL.
MipCounts = dict[str, Counter[int]]


def mip_counts(batch: RawBatch, modules: int) -> MipCounts:
    """Energies of the muons of some events.

    Parameters
    ----------
    batch : RawBatch
        Raw events of the energy tier without faults; of waveforms nothing is counted.
    modules : int
        HCAL modules of the detector.

    Returns
    -------
    MipCounts
        Can be added, quantity by quantity.
    """
    hcal, ecal, veto = (_with(batch, name, *fields) for name, *fields in NEEDED)
    if hcal is None or modules < 1 or "trigger" not in batch.scalars:
        return {}
    own = [_cells(hcal, hcal["module"] == m) for m in range(1, 1 + min(modules, 2))]
    muon = np.all([(n >= 1) & (n <= MOST_CELLS) for _, n, _ in own], axis=0)
    muon &= np.maximum(own[0][0], own[-1][0]) <= ALIKE * np.minimum(own[0][0], own[-1][0])
    counts = {"events": Counter({0: int(np.count_nonzero(hcal.counts))}), "hcal": _binned(own[0][0][muon])}
    if ecal is not None:
        energy, n, _ = _cells(ecal)
        muon_in_ecal = muon & (n >= 1) & (n <= MOST_ECAL_CELLS)
        soft = (batch.scalars["trigger"] & np.uint32(1 << TRIGGER_BITS["physics"])) != 0
        counts["ecal"], counts["ecal_soft"] = _binned(energy[muon_in_ecal & ~soft]), _binned(energy[muon_in_ecal & soft])
    if veto is not None:
        _, n, largest = _cells(veto)
        counts["veto"] = _binned(largest[muon & (n >= 1) & (n <= MOST_CELLS)])
    return counts


def _with(batch: RawBatch, name: str, *fields: str) -> Jagged | None:
    """A collection that has rows, and these fields."""
    found = batch.collections.get(name)
    return found if found is not None and set(fields) <= set(found.fields) and int(found.offsets[-1]) else None


def _cells(cells: Jagged, mine: BoolArray | None = None) -> tuple[FloatArray, IntArray, FloatArray]:
    """Sum of the rows of every event, number of those that are not small beside the largest, and the largest; shape (n_events,) each."""
    counts = cells.counts
    some = np.flatnonzero(counts)
    total, largest, n = np.zeros(len(cells)), np.zeros(len(cells)), np.zeros(len(cells), np.int64)
    starts, energy = cells.offsets[some], cells["energy"].astype(np.float64)
    if mine is not None:
        energy *= mine
    total[some], largest[some] = np.add.reduceat(energy, starts), np.maximum.reduceat(energy, starts)
    n[some] = np.add.reduceat(energy > PART_OF_LARGEST * np.repeat(largest[some], counts[some]), starts, dtype=np.int64)
    return total, n, largest


def _binned(energies: FloatArray) -> Counter[int]:
    bins, n = np.unique(np.floor(BINS * np.log2(energies[energies > 0.0])).astype(np.int64), return_counts=True)
    return Counter(dict(zip(bins.tolist(), n.tolist(), strict=True)))


def unit_sentences(counts: Mapping[str, Mapping[int, int]], detector: Detector) -> Iterator[tuple[str, str]]:
    """One sentence for every calorimeter whose muons are a factor off.

    Parameters
    ----------
    counts : mapping
        Counts of all events of a dataset, from `mip_counts`.
    detector : Detector
        Their description.

    Yields
    ------
    collection, sentence : str
        The calorimeter, and what was found, what was expected, and what to do.
    """
    events = sum(counts.get("events", {}).values())
    for peak, unit in QUANTITIES.items():
        own, name = counts.get(peak, {}), peak.removesuffix("_soft")
        n, expected = sum(own.values()), float(getattr(detector, name).mip)
        if n < max(LEAST_MUONS, LEAST_PART * events):
            continue
        low, middle, high = (_quantile(own, part) for part in (0.25, 0.5, 0.75))
        off = middle / expected
        if high / low > NARROW or 1.0 / FACTOR <= off <= FACTOR or (name != peak and off > 1.0 and middle < detector.beam.momentum):
            continue
        times = f"{_rounded(off)} times" if off > 1.0 else f"1/{_rounded(1.0 / off)} of"
        text = (
            f"the muons have {_rounded(middle)} {unit} in the {name.upper()} ({n} of them), {times} the {expected:.3g} {unit} of detector "
            f"{detector.tag!r}: the energies are not in {unit}, or the description is of another calorimeter; set `scale` in the layout, or "
            "give the right description with --detector"
        )
        yield name, text


def _rounded(value: float) -> str:
    return f"{float(f'{value:.2g}'):g}"


def _quantile(counts: Mapping[int, int], part: float) -> float:
    bins = np.array(sorted(counts), np.int64)
    reached = np.cumsum([counts[int(b)] for b in bins])
    return float(2.0 ** ((bins[int(np.searchsorted(reached, part * reached[-1]))] + 0.5) / BINS))
