"""`na64mu efficiency`: signal efficiency against mass, from simulated events through the selection."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from na64mu.cli.say import note

if TYPE_CHECKING:
    from na64mu.analysis.yields import EfficiencyTable
    from na64mu.analysis.yields.kinematics import KinematicMap, KinematicSample
    from na64mu.detector import Detector

__all__ = ("command",)

#: Masses of the table that ships with the package [GeV].
MASSES = "0.001,0.002,0.005,0.01,0.02,0.03,0.04,0.06,0.1,0.15,0.2,0.3,0.5,0.7,1,1.5,2,3,5"


@click.command("efficiency", short_help="Signal efficiency against mass: simulate Z' events, run the selection.")
@click.option("-n", "--events", "n_events", type=click.IntRange(min=1), default=40_000, show_default=True, help="Beam muons per sample.")
@click.option("--masses", default=MASSES, show_default=True, metavar="GEV,GEV,...", help="Masses of the Z'.")
@click.option(
    "--pile-up/--no-pile-up", default=True, show_default=True, help="Also simulate every sample with pile-up, to measure its loss."
)
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Equal seeds give equal tables.")
@click.option("--detector", "tag", default="na64mu-2022", show_default=True, help="Tag or TOML file of the set-up.")
@click.option("--selection", default="prl2024", show_default=True, metavar="NAME|FILE", help="Working point.")
@click.option(
    "--calibration",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Windows of a MIP, as in your run; by default those that ship with the package.",
)
@click.option(
    "--samples",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep the raw trees in this folder; those that are there already are not made again.",
)
@click.option("--workers", type=click.IntRange(min=1), help="Samples made at a time, one process each; by default one for each core.")
@click.option(
    "--map",
    "map_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write the efficiency in (x, psi') of the vertex: what `na64mu recast` and other bosons need.",
)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="Table to write (JSON).")
def command(
    n_events: int,
    masses: str,
    pile_up: bool,
    seed: int,
    tag: str,
    selection: str,
    calibration: Path | None,
    samples: Path | None,
    workers: int | None,
    map_file: Path | None,
    output: Path,
) -> None:
    """Simulate Z' events of every mass and trigger configuration, run the selection over them, write the efficiencies."""
    import tempfile
    from contextlib import nullcontext

    from na64mu.detector import load_detector
    from na64mu.execution.configuration import load_calibrations
    from na64mu.execution.executors import default_workers
    from na64mu.execution.progress import stage

    detector = load_detector(tag)
    load_calibrations({detector.tag: detector}, calibration)  # a wrong file is said before minutes of work
    began, wanted = time.perf_counter(), _numbers(masses)
    command_line = f"na64mu efficiency -n {n_events} --masses {','.join(f'{m:g}' for m in wanted)} {'--pile-up' if pile_up else '--no-pile-up'} --seed {seed} --selection {selection}"
    command_line += "" if calibration is None else f" --calibration {calibration.name}"
    with nullcontext(samples) if samples is not None else tempfile.TemporaryDirectory() as folder:
        made = _samples(Path(folder), n_events, wanted, pile_up, seed, tag, workers or default_workers("futures"))
        table = _table(made, tag, selection, calibration, command_line)
        written = [table.write(output)]
        if map_file is not None:
            with stage("map of efficiencies"):
                written.append(_map(made, tag, selection, calibration, table.provenance).write(map_file))
    loss, error = table.pile_up_loss()
    for config in (1, 2):
        for p in table.of(config):
            e = p.efficiency
            click.echo(
                f"config {config}  {1000 * p.mass:7g} MeV  {p.n_mot:7d} MOT  trigger {100 * p.trigger_efficiency.value:5.2f} %  selected {100 * e.value:6.3f} +{100 * (e.high - e.value):.3f} -{100 * (e.value - e.low):.3f} %"
            )
    if not math.isnan(loss):
        click.echo(f"loss to pile-up: {100 * loss:.1f} +- {100 * error:.1f} %")
    note(f"wrote {', '.join(map(str, written))} in {time.perf_counter() - began:.0f} s")


def _numbers(text: str) -> list[float]:
    try:
        values = sorted({float(word) for word in text.split(",")})
    except ValueError as error:
        msg = f"--masses {text}: numbers in GeV with commas between them are wanted"
        raise click.UsageError(msg) from error
    if not values or values[0] <= 0:
        msg = f"--masses {text}: masses above zero are wanted"
        raise click.UsageError(msg)
    return values


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


def _samples(folder: Path, n_events: int, masses: list[float], pile_up: bool, seed: int, tag: str, workers: int) -> list[Sample]:
    from na64mu.detector import load_detector
    from na64mu.errors import writing
    from na64mu.execution.progress import stage

    detector = load_detector(tag)
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


def _table(samples: Iterable[Sample], tag: str, selection: str, calibration: Path | None, command_line: str) -> EfficiencyTable:
    """Run the selection over all samples and count."""
    import datetime as dt

    from na64mu import __version__
    from na64mu.analysis.yields.measured import SignalSample, efficiency_of
    from na64mu.detector import load_detector
    from na64mu.errors import InputError
    from na64mu.execution.run import run_search

    detector, made = load_detector(tag), {sample.path.stem: sample for sample in samples}
    files, own = [s.path for s in made.values()], None if tag == detector.tag else tag
    result = run_search(files, selection=selection, detector=own, calibration=calibration)
    if result.exit_code:
        msg = f"{next(loss.reason for loss in result.losses if loss.is_damage)}: delete the samples and simulate them again"
        raise InputError(msg)
    return efficiency_of(
        result,
        {name: SignalSample(s.mass, s.config, s.pile_up) for name, s in made.items()},
        detector,
        what="selected Z' events over muons on target with one Z' each, simulated; see na64mu.analysis.yields.efficiency",
        command=f"{command_line} --detector {detector.tag}",
        version=__version__,
        made=dt.datetime.now(dt.UTC).date().isoformat(),
    )


def _map(samples: Iterable[Sample], tag: str, selection: str, calibration: Path | None, provenance: Any) -> KinematicMap:
    """The samples without pile-up by (x, psi') of the vertex."""
    from na64mu.analysis.yields.kinematics import build_map
    from na64mu.detector import load_detector
    from na64mu.execution.configuration import load_calibrations
    from na64mu.selections.working_point import load_working_point

    detector, working_point = load_detector(tag), load_working_point(selection)
    windows = load_calibrations({detector.tag: detector}, calibration)[detector.tag].windows
    cuts = working_point.bind(windows)
    found = [_in_box(sample, detector, working_point.box, cuts) for sample in samples if not sample.pile_up]
    what = "selected Z' events by (x, psi') of the vertex, all simulated masses together; see na64mu.analysis.yields.kinematics"
    return build_map(found, detector.beam.momentum_mean, {**provenance, "what": what})


def _in_box(sample: Sample, detector: Detector, box: Any, cuts: Iterable[Any]) -> KinematicSample:
    import numpy as np

    from na64mu.analysis.yields.kinematics import KinematicSample
    from na64mu.events.reader import read_batch, read_runs
    from na64mu.reconstruction.summary import reconstruct
    from na64mu.selections.cuts import in_box

    summary = reconstruct(read_batch(sample.path), detector)
    chosen = in_box(summary, box)
    for cut in cuts:
        chosen &= cut(summary)
    x, psi = (summary[name][chosen].astype(np.float64) for name in ("mc_xfrac", "mc_psi"))
    return KinematicSample(sample.mass, sample.config, sum(row["n_mot"] for row in read_runs(sample.path)), x, psi)
