"""Steps that simulate the samples: one file each, on all cores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from na64mu.paper.scale import Sample
from na64mu.paper.workflow import Step

__all__ = ("FOLDER", "sample_step", "simulate")

#: Folder of all samples.
FOLDER = "samples"


def sample_step(sample: Sample, detector: str, seed: int) -> Step:
    """The step that makes one sample.

    Parameters
    ----------
    sample : Sample
    detector : str
        Tag of the set-up.
    seed : int
        Seed of the whole paper; the seed of the sample follows from it and the run number.

    Returns
    -------
    Step
    """
    return Step(
        name=f"sample_{sample.name}",
        title=f"simulate {sample.name}",
        work=simulate,
        parameters=asdict(sample) | {"detector": detector, "seed": seed},
        shared_folder=FOLDER,
    )


def simulate(place: Path, parameters: Mapping[str, Any]) -> Sequence[Path]:
    """Make one file with `na64mu.simulation.produce`.

    Parameters
    ----------
    place : Path
        Folder of the samples.
    parameters : mapping
        Fields of a Sample, detector and seed.

    Returns
    -------
    sequence of Path
    """
    from na64mu.detector import load_detector
    from na64mu.simulation.produce import produce

    p = parameters
    path = place / f"{p['name']}.root"
    produce(
        path,
        load_detector(p["detector"]),
        p["process"],
        p["n_events"],
        p["config"],
        1_000_000 * p["seed"] + p["run"],
        run=p["run"],
        mass=p["mass"],
        prescale_calibration=int(p["calibration_triggers"]),
        with_pile_up=p["pile_up"],
    )
    return [path]
