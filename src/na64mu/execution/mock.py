"""Data-like files of simulation, so that a group can rehearse the day of unblinding: the library side of `na64mu mock`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np

from na64mu.common.arguments import file_name, number, one_of, whole
from na64mu.detector import Detector, load_detector
from na64mu.detector.hidden import Hidden, load_hidden
from na64mu.errors import InputError
from na64mu.events.batch import RawBatch, concatenate
from na64mu.events.optional import completed, parts_of
from na64mu.events.reader import read_batch
from na64mu.events.schema_v1 import TRUTH, collections_of
from na64mu.events.writer import RawTreeWriter, Storage
from na64mu.execution.mock_answer import write_answer
from na64mu.execution.mock_samples import Located, branching_ratio, find_samples, signal_scale
from na64mu.execution.targets import must_be_apart
from na64mu.results.output_folder import output_folder
from na64mu.results.provenance import file_hash
from na64mu.simulation.gains import with_gains
from na64mu.simulation.unweighted import draw_beam, draw_weighted, expected_of, muons_of_events
from na64mu.typing import IntArray

__all__ = ("MockData", "mock")

#: Text in the bookkeeping of mock data, so that nobody takes them for data of the experiment.
CONDITIONS = "mock data"
#: Biased samples that have the physics triggers of ordinary muons.
LOSSES = ("hardloss", "nuclear")
PIECE = 20_000  # events read at a time


class MockData(NamedTuple):
    """What `mock` wrote: files, their rows of bookkeeping, the answer and its SHA-256."""

    files: tuple[Path, ...]
    rows: tuple[dict[str, Any], ...]
    answer: Path
    sha256: str


class _Chosen(NamedTuple):
    """Events of one configuration: file, entry and sample that each comes from, its run, and the number of its muon in the run."""

    file: IntArray
    entry: IntArray
    sample: IntArray
    run: IntArray
    muon: IntArray

    def of_run(self, i: int) -> _Chosen:
        """The events of one run, in the order in which they come."""
        mine = np.flatnonzero(self.run == i)
        order = mine[np.argsort(self.muon[mine], kind="stable")]
        return _Chosen(*(column[order] for column in self))


def mock(
    files: Iterable[str | Path] | str | Path,
    output: str | Path,
    *,
    answer: str | Path,
    hidden: Hidden | str | Path | None = None,
    mot: Sequence[float] | None = None,
    prescale: int | None = None,
    runs: int = 1,
    first_run: int = 1,
    name: str = "run",
    seed: int = 1,
    max_weight: float | None = None,
    kind: Storage | str = "ttree",
) -> MockData:
    """Make data-like files of simulated ones: unweighted, merged, in random order, without truth.

    Parameters
    ----------
    files : str, Path or iterable of them
        Simulated raw trees: a sample of beam muons, and weighted ones. Files of one process and configuration are one sample.
    output : str or Path
        Folder; its files are NAME_NUMBER.root, one for each run.
    answer : str or Path
        JSON file, outside of the folder, that receives what is hidden.
    hidden : Hidden, str or Path, optional
        Hidden apparatus and coupling (na64mu.detector.hidden). The samples must have been simulated with it as their description.
    mot : sequence of float, optional
        Muons on target of configurations 1 and 2; by default those of the beam samples.
    prescale : int, optional
        Prescale of the calibration triggers; by default the smallest one for which the beam samples suffice; 0 without such.
    runs : int
        Runs of each configuration.
    first_run : int
        Number of the first run; the others follow.
    name : str
        Beginning of the names of the files.
    seed : int
        Seed of the random numbers, where the hidden file has none.
    max_weight : float, optional
        Largest weight of a weighted sample; one above it is an error. By default the largest one there is.
    kind : {"ttree", "rntuple"}
        Form of the files.

    Returns
    -------
    MockData

    Raises
    ------
    InputError
        If the samples do not go together, are too small for the exposure, or the answer would lie among the data.
    """
    kind = one_of(kind, get_args(Storage), "kind", InputError)
    runs, first_run = whole(runs, "runs", least=1, error=InputError), whole(first_run, "first_run", error=InputError)
    given = None if hidden is None else load_hidden(hidden)
    top = None if max_weight is None else number(max_weight, "max_weight", above=0.0)
    seed = given.seed if given is not None and given.seed is not None else whole(seed, "seed")
    folder, place = Path(file_name(output, "output")), Path(file_name(answer, "answer"))
    if place.resolve().is_relative_to(folder.resolve()):
        msg = f"{place}: the answer must not lie in the folder of the data ({folder}): choose another place"
        raise InputError(msg)
    if Path(name).name != name or not name:
        msg = f"name {name!r}: the beginning of a file name is wanted"
        raise InputError(msg)
    paths, samples, tag = find_samples(files, given)
    must_be_apart(place, paths)
    detector = _described(given, tag)
    exposures = _exposures(samples, mot)
    stated = _prescale(samples, exposures, prescale)
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed)))
    report: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    signals: list[list[int]] = []
    made: list[Path] = []
    with output_folder(folder, "mock") as into:
        for config, n_mot in exposures.items():
            own = [s for s in samples if s.sample.config == config]
            shares = [(i + 1) * n_mot // runs - i * n_mot // runs for i in range(runs)]
            chosen = _choose(own, shares, stated, given, top, rng, report)
            for i, n_of_run in enumerate(shares):
                part = chosen.of_run(i)
                spills = 1 + (part.muon / detector.beam.muons_per_spill).astype(np.int64)
                number_of_run = first_run + len(rows)
                batch = _numbered(_read(paths, part), number_of_run, spills, config)
                path = into / f"{name}_{number_of_run}.root"
                rows.append(_row(number_of_run, config, n_of_run, stated, detector))
                with RawTreeWriter(path, kind) as writer:
                    writer.extend(batch if given is None else with_gains(batch, given.gains, detector))
                    writer.finish([rows[-1]])
                made.append(folder / path.name)
                is_signal = np.array([s.is_signal for s in own], dtype=np.bool_)[part.sample]
                signals += [[number_of_run, int(event) + 1] for event in np.flatnonzero(is_signal)]
    content = {
        "hidden": None if given is None else given.model_dump(mode="json", exclude_none=True),
        "seed": seed,
        "muons_on_target": {str(config): n for config, n in exposures.items()},
        "prescale_calibration": stated,
        "samples": report,
        "signal_events": signals,  # run and event number
        "inputs": {path: file_hash(path) for path in paths},
        "files": {path.name: file_hash(path) for path in made},
    }
    return MockData(tuple(made), tuple(rows), place, write_answer(place, content))


def _described(hidden: Hidden | None, tag: str) -> Detector:
    """The description that analysts have: the one of the tag, which is the hidden one's too."""
    detector = load_detector(tag if hidden is None else hidden.detector)
    if detector.tag != tag:
        msg = f"the samples are of detector {tag!r}, the hidden apparatus is of {detector.tag!r}"
        raise InputError(msg)
    return detector


def _exposures(samples: Sequence[Located], mot: Sequence[float] | None) -> dict[int, int]:
    """Configuration -> muons on target of the data, of those that have any."""
    found = {config: sum(s.sample.n_mot for s in _with_physics(samples, config)) for config in (1, 2)}
    if mot is not None:
        numbers_given = [number(n, "mot", least=0.0) for n in mot]
        if len(numbers_given) != 2 or not all(n == int(n) for n in numbers_given):
            msg = (
                f"mot = {list(mot)}: whole numbers of muons on target of the configurations 1 and 2 are wanted, 0 for one that is not used"
            )
            raise InputError(msg)
        found = {config: int(n) for config, n in zip((1, 2), numbers_given, strict=True)}
    used = {config: n for config, n in found.items() if n}
    if not used:
        msg = "no muons on target: give a sample of beam muons, or the exposure with --mot (mot= in Python)"
        raise InputError(msg)
    for config, n in used.items():
        if not any(s.sample.config == config for s in samples):
            msg = f"{n} muons on target of configuration {config}, and no sample of it"
            raise InputError(msg)
    return used


def _with_physics(samples: Iterable[Located], config: int) -> list[Located]:
    """Beam samples that give the physics triggers: those without calibration triggers, where there are such, for they have the more muons."""
    beam = [s for s in samples if s.is_beam and s.sample.config == config]
    return [s for s in beam if not s.has_calibration] or beam


def _prescale(samples: Sequence[Located], exposures: Mapping[int, int], given: int | None) -> int:
    """Prescale of the calibration triggers of the data: the smallest one that the beam samples allow."""
    if given is not None:
        return whole(given, "prescale", error=InputError)
    least = 0
    for config, n_mot in exposures.items():
        own = [s.sample for s in samples if s.is_beam and s.has_calibration and s.sample.config == config]
        for prescale in {s.prescale for s in own}:
            least = max(least, prescale, -(-prescale * n_mot // sum(s.n_mot for s in own if s.prescale == prescale)))
    return least


def _choose(
    samples: Sequence[Located],
    shares: Sequence[int],
    prescale: int,
    hidden: Hidden | None,
    max_weight: float | None,
    rng: np.random.Generator,
    report: list[dict[str, Any]],
) -> _Chosen:
    """Events of one configuration for the muons on target of its runs."""
    n_mot = sum(shares)
    losses = [s.process for s in samples if s.process in LOSSES]
    if len(losses) > 1:
        msg = f"samples of {' and '.join(sorted(losses))}: they are the same muons, and would count twice: leave one out"
        raise InputError(msg)
    places: list[tuple[int, IntArray]] = []
    for i, one in enumerate(samples):
        if one.is_beam:
            continue
        scale = signal_scale(one, hidden)
        expected = expected_of(one.sample, n_mot, prescale, scale)
        places.append((i, draw_weighted(one.sample, expected, rng, max_weight)))
        report.append(_drawn(one, n_mot, float(expected.sum()), len(places[-1][1]), hidden))
    others = sum(len(index) for _, index in places)
    giving = [id(s) for s in _with_physics(samples, samples[0].sample.config)] if not losses else []
    for i, one in enumerate(samples):
        if one.is_beam:
            places.append((i, draw_beam(one.sample, max(n_mot - others, 0), prescale, rng, physics=id(one) in giving)))
            report.append(_drawn(one, n_mot, float("nan"), len(places[-1][1]), hidden))
    file, entry = (np.concatenate([getattr(samples[i], what)[index] for i, index in places]) for what in ("file", "entry"))
    sample = np.concatenate([np.full(len(index), i) for i, index in places])
    physics = np.concatenate([samples[i].sample.physics[index] for i, index in places])
    order = rng.permutation(len(file))
    kept, run, muon = muons_of_events(physics[order], shares, prescale, rng)
    mixed = order[kept]
    return _Chosen(file[mixed], entry[mixed], sample[mixed], run, muon)


def _drawn(one: Located, n_mot: int, expected: float, n: int, hidden: Hidden | None) -> dict[str, Any]:
    """What the answer says of a sample."""
    said: dict[str, Any] = {
        "sample": one.sample.name,
        "config": one.sample.config,
        "n_mot": one.sample.n_mot,
        "data_n_mot": n_mot,
        "events": n,
    }
    if not one.is_beam:
        said["expected"] = expected
    if one.is_signal and hidden is not None and hidden.signal is not None:
        said["branching_ratio"] = branching_ratio(one.process, one.mass, hidden.signal.coupling)
    return said


def _read(paths: Sequence[str], chosen: _Chosen) -> RawBatch:
    """The chosen events, in their order, without truth."""
    used = [int(f) for f in np.unique(chosen.file)]
    first = {f: read_batch(paths[f], 0, 0) for f in used or [0]}
    tiers = {tuple(collections_of(batch.collections)[:9]) for batch in first.values()}
    if len(tiers) > 1:
        msg = "some samples have waveforms, and others energies: data are of one tier"
        raise InputError(msg)
    parts = set().union(*(parts_of(batch) for batch in first.values()))
    pieces, places = [completed(_data(first[min(first)]), parts)], [np.zeros(0, np.int64)]
    for f in used:
        mine = np.flatnonzero(chosen.file == f)
        mine = mine[np.argsort(chosen.entry[mine])]
        entries = chosen.entry[mine]
        for start in range(0, int(entries[-1]) + 1, PIECE):
            here = (entries >= start) & (entries < start + PIECE)
            if here.any():
                low, high = int(entries[here][0]), int(entries[here][-1]) + 1
                keep = np.zeros(high - low, dtype=np.bool_)
                keep[entries[here] - low] = True
                pieces.append(completed(_data(read_batch(paths[f], low, high)).with_events(keep), parts))
                places.append(mine[here])
    return concatenate(pieces).in_order(np.argsort(np.concatenate(places), kind="stable"))


def _data(batch: RawBatch) -> RawBatch:
    """Events without truth."""
    return RawBatch({name: column for name, column in batch.scalars.items() if name not in TRUTH}, batch.collections)


def _numbered(batch: RawBatch, run: int, spills: IntArray, config: int) -> RawBatch:
    """Events with new numbers, from 1 on in every run."""
    n = len(batch)
    new: Mapping[str, Any] = {"run": np.full(n, run), "spill": spills, "event": np.arange(1, n + 1), "config": np.full(n, config)}
    changed = {name: values.astype(batch.scalars[name].dtype) for name, values in new.items()}
    return RawBatch(batch.scalars | changed, batch.collections)


def _row(run: int, config: int, n_mot: int, prescale: int, detector: Detector) -> dict[str, Any]:
    """Bookkeeping as data have it."""
    spills = 1 + int(max(n_mot - 1, 0) / detector.beam.muons_per_spill)
    return {
        "run": run, "config": config, "n_spills": spills, "n_mot": n_mot, "n_generated": 0, "sum_weights": 0.0, "g_ref": 0.0,
        "prescale_calibration": prescale, "detector": detector.tag, "conditions": CONDITIONS, "seed": 0,
    }  # fmt: skip
