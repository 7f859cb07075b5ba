"""Signal efficiency against mass: Z' events are simulated, the selection is run over them, and what it keeps is counted. Masses GeV."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from na64mu.analysis.yields.kinematics import KinematicMap, KinematicSample, build_map
from na64mu.analysis.yields.measured import SignalSample, efficiency_of
from na64mu.calibration.windows import Calibration
from na64mu.common.arguments import numbers
from na64mu.detector import Detector, DetectorLike, load_detector
from na64mu.errors import InputError, writing
from na64mu.execution.configuration import load_calibrations
from na64mu.execution.executors import default_workers
from na64mu.execution.own_setup import own_setup
from na64mu.execution.progress import stage
from na64mu.execution.run import run_search
from na64mu.selections.cuts import in_box
from na64mu.selections.working_point import WorkingPoint, load_working_point

if TYPE_CHECKING:
    from na64mu.analysis.yields import EfficiencyTable
    from na64mu.results.freeze import Freeze
    from na64mu.results.run import RunResult

__all__ = ("MASSES", "efficiency", "make_sample")

#: Masses of the table that ships with the package [GeV].
MASSES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.04, 0.06, 0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0)


def efficiency(
    masses: Sequence[float] = MASSES,
    *,
    n_events: int = 40_000,
    pile_up: bool = True,
    seed: int = 1,
    like: RunResult | Freeze | str | Path | None = None,
    detector: DetectorLike = "na64mu-2022",
    selection: str | Path | WorkingPoint = "prl2024",
    calibration: Calibration | str | Path | None = None,
    samples: str | Path | None = None,
    workers: int | None = None,
    user: str | Path | Iterable[str | Path] = (),
    with_map: bool = False,
) -> tuple[EfficiencyTable, KinematicMap | None]:
    """Simulate Z' events of every mass and trigger configuration, run the selection over them, and count.

    Parameters
    ----------
    masses : sequence of float
        Masses of the Z' [GeV].
    n_events : int
        Beam muons per sample.
    pile_up : bool
        Also simulate every sample with pile-up, to measure its loss.
    seed : int
        Equal seeds give equal tables.
    like : RunResult, Freeze, str or Path, optional
        Output folder or freeze file of the run that the efficiencies are for: its selection, its description with alignment and conditions, and its
        calibration take the place of the next three.
    detector : Detector, str or Path
        The set-up.
    selection : WorkingPoint, str or Path
    calibration : Calibration, str or Path, optional
        Windows of a MIP; by default those that ship with the package.
    samples : str or Path, optional
        Folder in which the raw trees are kept; those that are there already are not made again.
    workers : int, optional
        Samples made at a time, one process each; by default one for each core.
    user : str, Path or iterable of them
        Python files of your own that the selection needs.
    with_map : bool
        Whether the efficiency in (x, psi') of the vertex is made too.

    Returns
    -------
    table : EfficiencyTable
    kinematic_map : KinematicMap or None
        What `recast` and other bosons need; None where it was not wanted.

    Raises
    ------
    InputError
        If a mass is not above zero, or a sample in the folder is damaged.
    """
    wanted = sorted({float(m) for m in numbers(list(masses), "masses [GeV]", above=0.0)})
    if like is not None:
        selection, detector, calibration = own_setup(like)
    chosen = load_detector(detector)
    load_calibrations({chosen.tag: chosen}, calibration)  # a wrong file is said before minutes of work
    point = selection
    words = f"na64mu efficiency -n {n_events} --masses {','.join(f'{m:g}' for m in wanted)} {'--pile-up' if pile_up else '--no-pile-up'} --seed {seed}"
    words += f" --selection {point.name if isinstance(point, WorkingPoint) else point}"
    words += f" --calibration {Path(calibration).name}" if isinstance(calibration, str | Path) else ""
    words += f" --like {like}" if isinstance(like, str | Path) else ""
    with nullcontext(samples) if samples is not None else tempfile.TemporaryDirectory() as folder:
        made = _samples(Path(folder), n_events, wanted, pile_up, seed, chosen, workers or default_workers("futures"))
        table = _table(made, chosen, point, calibration, words, user)
        if not with_map:
            return table, None
        with stage("map of efficiencies"):
            return table, _map(made, chosen, point, calibration, table.provenance)


class Sample(NamedTuple):
    """One sample of Z' events: file, mass [GeV], trigger configuration, pile-up, beam muons, seed and run number."""

    path: Path
    mass: float
    config: int
    pile_up: bool
    n_events: int
    seed: int
    run: int


def make_sample(sample: Sample, detector: Detector) -> None:
    """Simulate one sample: runs in a process of its own."""
    from na64mu.simulation.produce import produce

    produce(
        sample.path,
        detector,
        "zprime",
        sample.n_events,
        sample.config,
        sample.seed,
        run=sample.run,
        mass=sample.mass,
        prescale_calibration=0,
        with_pile_up=sample.pile_up,
    )


def _samples(folder: Path, n_events: int, masses: list[float], pile_up: bool, seed: int, detector: Detector, workers: int) -> list[Sample]:
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    kinds = (False, True) if pile_up else (False,)
    order = [(mass, config, piled) for mass in masses for config in (1, 2) for piled in kinds]
    samples = [
        Sample(
            folder / f"zprime_{1000 * mass:g}MeV_config{config}{'_pile_up' if piled else ''}.root",
            mass,
            config,
            piled,
            n_events,
            seed * 100_000 + run,
            run,
        )
        for run, (mass, config, piled) in enumerate(order, start=1)
    ]
    todo = [sample for sample in samples if not sample.path.exists()]
    with stage("simulate", len(samples), "samples", done=len(samples) - len(todo)) as shown:
        _make_all(todo, detector, workers, shown.advance)
    return samples


def _make_all(todo: Sequence[Sample], detector: Detector, workers: int, done: Callable[[], object]) -> None:
    """Make samples, several at a time; the kernels are compiled by the first one alone."""
    if not todo:
        return
    make_sample(todo[0], detector)
    done()
    rest = todo[1:]
    if workers == 1:
        for sample in rest:
            make_sample(sample, detector)
            done()
        return
    from concurrent.futures import as_completed

    from na64mu.common.processes import pool

    with pool(min(workers, len(rest) or 1), keep=True) as processes:
        for future in as_completed([processes.submit(make_sample, sample, detector) for sample in rest]):
            future.result()
            done()


def _table(
    samples: Iterable[Sample], detector: Detector, selection: Any, calibration: Any, words: str, user: str | Path | Iterable[str | Path]
) -> EfficiencyTable:
    """Run the selection over all samples and count."""
    import datetime as dt

    from na64mu import __version__

    made = {sample.path.stem: sample for sample in samples}
    result = run_search([s.path for s in made.values()], selection=selection, detector=detector, calibration=calibration, user=user)
    if result.exit_code:
        msg = f"{next(loss.reason for loss in result.losses if loss.is_damage)}: delete the samples and simulate them again"
        raise InputError(msg)
    return efficiency_of(
        result,
        {name: SignalSample(s.mass, s.config, s.pile_up) for name, s in made.items()},
        detector,
        what="selected Z' events over muons on target with one Z' each, simulated; see na64mu.analysis.yields.efficiency",
        command=f"{words} --detector {detector.tag}",
        version=__version__,
        made=dt.datetime.now(dt.UTC).date().isoformat(),
    )


def _map(samples: Iterable[Sample], detector: Detector, selection: Any, calibration: Any, provenance: Any) -> KinematicMap:
    """The samples without pile-up by (x, psi') of the vertex."""
    point = load_working_point(selection)
    cuts = point.bind(load_calibrations({detector.tag: detector}, calibration)[detector.tag].windows)
    found = [_in_box(sample, detector, point.box, cuts) for sample in samples if not sample.pile_up]
    what = "selected Z' events by (x, psi') of the vertex, all simulated masses together; see na64mu.analysis.yields.kinematics"
    return build_map(found, detector.beam.momentum_mean, {**provenance, "what": what})


def _in_box(sample: Sample, detector: Detector, box: Any, cuts: Iterable[Any]) -> KinematicSample:
    from na64mu.events.reader import read_batch, read_runs
    from na64mu.reconstruction.summary import reconstruct

    summary = reconstruct(read_batch(sample.path), detector)
    chosen = in_box(summary, box)
    for cut in cuts:
        chosen &= cut(summary)
    x, psi = (summary[name][chosen].astype(np.float64) for name in ("mc_xfrac", "mc_psi"))
    return KinematicSample(sample.mass, sample.config, sum(row["n_mot"] for row in read_runs(sample.path)), x, psi)
