"""Whether the numbers of a dataset are in the units of the raw tree: muons against the description, per dataset.

A muon that only ionises is known without its energies: in every HCAL module it fires one cell or two, with alike energies in the modules. Of such muons
everything else is known too: energies in ECAL, HCAL and VETO are the `mip` of the description; the charge of the strips is that of one
cluster in every plane; and the first hit of each collection is in time, or has a drift time. Through the hole of the VHCAL muons leave crumbs only, between
its threshold and a MIP. Electrons do not reach the HCAL and hadrons do not leave alike energies in narrow peaks, so a dataset without muons says
nothing, as does one with few of them. A muon of the physics trigger may have lost its energy in the ECAL: there, only more than the whole beam is wrong.
Times that are too small by a factor are in time all the same; those of the straws are not, because they drift.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from na64mu.detector import Detector
from na64mu.detector.readout import readout_planes, time_window
from na64mu.events.batch import Jagged, RawBatch
from na64mu.events.schema_v1 import TRIGGER_BITS
from na64mu.typing import BoolArray, FloatArray, IntArray

__all__ = ("FACTOR", "LEAST_MUONS", "MipCounts", "mip_counts", "unit_sentences")

#: What is called wrong, in either direction: gains of calorimeters are known better, those of strips less well, and units differ by more.
FACTOR, FACTOR_OF_STRIPS = 3.0, 10.0
#: Muons that are needed to say anything, and their least part of the events with energy in the calorimeters.
LEAST_MUONS, LEAST_PART = 50, 0.2
#: A cell counts if it has this part of the largest one; a muon has at most so many.
PART_OF_LARGEST, MOST_CELLS, MOST_ECAL_CELLS = 0.1, 2, 4
#: Largest ratio of the energies in two modules, and of the upper to the lower quartile of a peak.
ALIKE, NARROW = 1.5, 2.0
#: Bins for a factor of two.
BINS = 8

Range = tuple[float, float]


def _energy(detector: Detector, name: str) -> tuple[float, Range]:
    mip = float(getattr(detector, name).mip)
    return mip, (mip / FACTOR, mip * FACTOR)


def _soft(detector: Detector, name: str) -> tuple[float, Range]:
    mip, (low, high) = _energy(detector, name)
    return mip, (low, max(high, detector.beam.momentum))


def _crumbs(detector: Detector, name: str) -> tuple[float, Range]:
    mip, (_, high) = _energy(detector, name)
    return mip, (float(getattr(detector, name).threshold) / FACTOR, high)


def _charge(detector: Detector, name: str) -> tuple[float, Range]:
    response = detector.micromegas_response if name == "mm" else detector.gem_response
    one = response.charge_mode * max(1, sum(plane.kind == name for plane in readout_planes(detector)))
    return one, (one / FACTOR_OF_STRIPS, one * FACTOR_OF_STRIPS)


def _time(detector: Detector, name: str) -> tuple[float, Range]:
    if name in ("ecal", "vhcal", "hcal", "veto"):
        return 0.0, (0.0, time_window(getattr(detector, name).sigma_t)[1])
    if name == "counter":
        return 0.0, (0.0, max(time_window(counter.sigma_t)[1] for counter in detector.counters))
    latest = max((plane.window[1] for plane in readout_planes(detector) if plane.kind == name), default=np.inf)
    if name != "straw" or not np.isfinite(latest):
        return 0.0, (0.0, latest)
    drift = max(straw.inner_radius * straw.drift_ns_per_mm for straw in detector.straws)
    return 0.5 * drift, (0.5 * drift / FACTOR, latest)


@dataclass(frozen=True)
class _Quantity:
    """One number of a muon: its collection, unit, how a sentence calls it, what the description says, and the least part of the events."""

    collection: str
    unit: str
    what: str
    expected: Callable[[Detector, str], tuple[float, Range]]
    narrow: bool = False


QUANTITIES = {
    "ecal": _Quantity("ecal", "GeV", "in the ECAL", _energy, narrow=True),
    "ecal_soft": _Quantity("ecal", "GeV", "in the ECAL", _soft, narrow=True),
    "hcal": _Quantity("hcal", "GeV", "in the HCAL", _energy, narrow=True),
    "veto": _Quantity("veto", "MeV", "in the VETO", _energy, narrow=True),
    "vhcal": _Quantity("vhcal", "GeV", "in the VHCAL", _crumbs),
    "mm_charge": _Quantity("mm", "ADC counts", "in all Micromegas together", _charge, narrow=True),
    "gem_charge": _Quantity("gem", "ADC counts", "in all GEM together", _charge, narrow=True),
} | {
    f"{name}_time": _Quantity(name, "ns", f"as the time of their first hit in {name}", _time)
    for name in ("bms", "straw", "counter", "veto", "ecal", "vhcal", "hcal")
}

#: Collections whose energies are looked at, and their fields.
NEEDED = (("hcal", "module", "energy"), ("ecal", "energy"), ("veto", "energy"), ("vhcal", "energy"))

#: Quantity -> bin of its logarithm -> muons; under "events" all events with energy in the HCAL.
MipCounts = dict[str, Counter[int]]


def mip_counts(batch: RawBatch, modules: int) -> MipCounts:
    """Energies, charges and times of the muons of some events.

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
    hcal, ecal, veto, vhcal = (_with(batch, name, *fields) for name, *fields in NEEDED)
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
    if vhcal is not None:
        energy, n, _ = _cells(vhcal)
        counts["vhcal"] = _binned(energy[muon & (n >= 1) & (n <= MOST_CELLS)])
    rows = np.flatnonzero(muon)
    return counts | _charges(batch, rows) | _times(batch, rows)


def _charges(batch: RawBatch, muons: IntArray) -> MipCounts:
    """Sum of the middle samples of all strips, for those muons that have some."""
    counts = {}
    for name in ("mm", "gem"):
        strips = _with(batch, name, "q1")
        if strips is not None:
            some = muons[strips.counts[muons] > 0]
            totals = np.concatenate(([0.0], np.cumsum(strips["q1"], dtype=np.float64)))
            counts[f"{name}_charge"] = _binned(totals[strips.offsets[some + 1]] - totals[strips.offsets[some]])
    return counts


def _times(batch: RawBatch, muons: IntArray) -> MipCounts:
    """Time of the first row of each muon, whatever its sign."""
    counts = {}
    for quantity in (name for name in QUANTITIES if name.endswith("_time")):
        hits = _with(batch, QUANTITIES[quantity].collection, "time")
        if hits is not None:
            some = muons[hits.counts[muons] > 0]
            counts[quantity] = _binned(np.abs(hits["time"][hits.offsets[some]]).astype(np.float64))
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
    """One sentence for every quantity of the muons that is a factor off.

    Parameters
    ----------
    counts : mapping
        Counts of all events of a dataset, from `mip_counts`.
    detector : Detector
        Their description.

    Yields
    ------
    collection, sentence : str
        The collection, and what was found, what was expected, and what to do.
    """
    events, muons = (sum(counts.get(name, {}).values()) for name in ("events", "hcal"))
    for name, quantity in QUANTITIES.items():
        own = counts.get(name, {})
        n = sum(own.values())
        if n < LEAST_MUONS or (n if quantity.collection in ("ecal", "veto") and quantity.narrow else muons) < LEAST_PART * events:
            continue
        expected, (least, most) = quantity.expected(detector, quantity.collection)
        low, middle, high = (_quantile(own, part) for part in (0.25, 0.5, 0.75))
        if least <= middle <= most or (quantity.narrow and high / low > NARROW):
            continue
        unit = quantity.unit
        compared = (
            f"{_ratio(middle / expected)} the {expected:.3g} {unit} of detector {detector.tag!r}"
            if quantity.narrow
            else f"and the description of detector {detector.tag!r} expects {least:.2g} to {most:.3g} {unit}"
        )
        yield (
            quantity.collection,
            (
                f"the muons have {_rounded(middle)} {unit} {quantity.what} ({n} of them), {compared}: the numbers are not in {unit}, or "
                "the description is of another detector; set `scale` in the layout, or give the right description with --detector"
            ),
        )


def _ratio(off: float) -> str:
    return f"{_rounded(off)} times" if off > 1.0 else f"1/{_rounded(1.0 / off)} of"


def _rounded(value: float) -> str:
    return f"{float(f'{value:.2g}'):g}"


def _quantile(counts: Mapping[int, int], part: float) -> float:
    bins = np.array(sorted(counts), np.int64)
    reached = np.cumsum([counts[int(b)] for b in bins])
    return float(2.0 ** ((bins[int(np.searchsorted(reached, part * reached[-1]))] + 0.5) / BINS))
