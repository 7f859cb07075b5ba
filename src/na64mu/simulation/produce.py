"""Production of a sample: batches of events with their own random numbers, one file, one row of bookkeeping.

Processes: "beam", unbiased muons (weight 1); "zprime", every muon on target radiates a Z' in the lead of the ECAL (weight:
the expected number per muon at the coupling g_ref); the other bosons of na64mu.physics.bosons, the same with
another boson (a dark photon's g_ref is epsilon); "hardloss", every muon on target loses more than 20 GeV in one
interaction in the ECAL (weight: the expected number per muon); "nuclear", the same with a muon-nuclear interaction, which
fills the region of missing energy; "hadron", hadrons of the beam instead of muons; "decay" and "kaon", hadrons (or kaons
alone) that decay to a muon between the start of the line and the ECAL. Their weight is the number per beam muon. "hardloss" and "nuclear" are the same muons as "beam", seen through a
magnifying glass: never add them to the same region of an unbiased sample.

Weights. n_mot counts the generated particles that met S0*S1*!V1 (of decays: that would, had they not decayed), and sum_weights is the sum of mc_weight over them, written or
not: the weighted events are what n_mot muons on target make at the coupling g_ref. Weights of a boson count every one that is made, before
its branching ratio to what is not seen; the bookkeeping says so (`conditions`). For any selection the expected
number of events for N muons on target is N (sum of mc_weight of selected events) / n_mot.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np

from na64mu.common.arguments import file_name, number, one_of, whole
from na64mu.common.deprecation import warn_renamed
from na64mu.detector import Detector, DetectorLike, load_detector
from na64mu.errors import Na64muError
from na64mu.events.batch import RawBatch
from na64mu.events.schema_v1 import SCALARS, TRUTH
from na64mu.events.writer import RawTreeWriter, Storage
from na64mu.physics.bosons import RENAMED
from na64mu.physics.energy_loss import NUCLEAR
from na64mu.physics.widths import invisible_fraction
from na64mu.simulation.contamination import decay_plans, hadron_plans
from na64mu.simulation.digits import digitise
from na64mu.simulation.events import CALIBRATION, simulate_events
from na64mu.simulation.geant4.backend import run_geant4
from na64mu.simulation.geant4.processes import Geant4Settings
from na64mu.simulation.muon_in_calorimeter import BEAM, DECAY, HADRON, HARD_LOSS, ZPRIME
from na64mu.simulation.names import Engine, Tier
from na64mu.simulation.pileup import MERGE, pile_up
from na64mu.simulation.plans import no_plans
from na64mu.simulation.readout import build_readout
from na64mu.simulation.setup import Setup, build_setup
from na64mu.simulation.signal import SIGNALS, hard_loss_plans, zprime_plans
from na64mu.simulation.truth import PileUp, Truth, no_pile_up
from na64mu.simulation.waveforms import Electronics
from na64mu.simulation.workers import in_order
from na64mu.typing import AnyArray, RecordArray

__all__ = ("BATCH", "PROCESSES", "invisible_part", "produce", "simulate")

BATCH = 20_000

HARD_LOSS_ABOVE = 20.0  # smallest loss of process "hardloss" [GeV]

#: What can be made: process -> mode of the event kernel.
PROCESSES = dict.fromkeys(SIGNALS, ZPRIME) | {
    "beam": BEAM,
    "hardloss": HARD_LOSS,
    "nuclear": HARD_LOSS,
    "hadron": HADRON,
    "decay": DECAY,
    "kaon": DECAY,
}


def _plans(
    process: str, detector: Detector, setup: Setup, mass: float | None, g_ref: float, n: int, rng: np.random.Generator
) -> tuple[RecordArray, float]:
    if process in SIGNALS:
        if mass is None:
            msg = f"process {process} needs the mass of the boson (--mass, GeV)"
            raise Na64muError(msg)
        mediator, _, charge = SIGNALS[process]
        return zprime_plans(detector, mass, g_ref * charge, n, rng, mediator)
    if process in ("hardloss", "nuclear"):
        return hard_loss_plans(detector, setup, HARD_LOSS_ABOVE, n, rng, NUCLEAR if process == "nuclear" else None)
    if process == "hadron":
        return hadron_plans(detector, n)
    if process in ("decay", "kaon"):
        return decay_plans(detector, setup, n, rng, kaons_only=process == "kaon")
    return no_plans(n), 1.0


def invisible_part(process: str, mass: float | None) -> float | None:
    """Part of the bosons of a sample that decay unseen: the weights count all of them, limits and mock data this part.

    Parameters
    ----------
    process : str
    mass : float or None
        [GeV].

    Returns
    -------
    float or None
        Branching ratio of a Z' to neutrinos; None for all other processes: their bosons are all taken as invisible, or they have none.
    """
    return float(invisible_fraction(mass, 1e-4)) if process == "zprime" and mass is not None and mass > 0.0 else None


def _scalars(truth: Truth, pile: PileUp, first: int, run: int, config: int, per_spill: float) -> dict[str, AnyArray]:
    """Event scalars and truth of the written events; `first` is the number of the first generated one."""
    number = first + truth.facts["index"].astype(np.int64)
    n = len(number)
    facts = {
        "run": np.full(n, run),
        "spill": 1 + (number / per_spill).astype(np.int64),
        "event": number + 1,
        "config": np.full(n, config),
        "trigger": truth.facts["trigger"],
        "mc_n_pileup": np.diff(pile.offsets),
    }
    for name in ("weight", "process", "p_in", "p_out", "px", "py", "pz", "x", "y", "z", "vertex_z", "mass", "xfrac", "psi"):
        facts[f"mc_{name}"] = truth.facts[name]
    return {name: facts[name].astype(kind) for name, kind in (SCALARS | TRUTH).items()}


class _Order(NamedTuple):
    """Settings of a batch of a sample."""

    detector: Detector
    process: str
    n_events: int
    config: int
    seed: int
    run: int
    mass: float | None
    g_ref: float
    prescale: int
    with_pile_up: bool
    tier: Tier
    geant4: Geant4Settings | None  # None: the fast engine
    progress: Callable[[int], object] | None  # of Geant4, which is one batch


class _Made(NamedTuple):
    """A batch: particles on target, sum of their weights, events, those that met the physics trigger, what they were made with."""

    n_mot: int
    sum_weights: float
    events: RawBatch
    n_physics: int
    made_with: str


def _make(order: _Order, batch: int, number: int) -> _Made:
    """Batch `number` of a sample; its random numbers depend on the seed and on its number alone."""
    detector, process = order.detector, order.process
    setup, size = build_setup(detector, order.config), min(batch, order.n_events - number * batch)
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(order.seed, spawn_key=(number,))))
    plans, weight = _plans(process, detector, setup, order.mass, order.g_ref, size, rng)
    made_with = ""
    if order.geant4 is None:
        n_mot, truth = simulate_events(setup, detector, size, PROCESSES[process], plans, order.prescale, rng)
    else:
        given, weight = (plans, weight) if process in SIGNALS else (None, weight if process == "hadron" else 1.0)
        n_mot, truth, _, made_with = run_geant4(
            detector, order.config, size, order.prescale, order.seed, order.geant4,
            process=process, plans=given, above=HARD_LOSS_ABOVE, progress=order.progress,
        )  # fmt: skip
    truth.facts["weight"] = weight
    if process in SIGNALS:
        truth.facts["process"] = SIGNALS[process][1]
    electronics = Electronics.of(detector) if order.tier == "waveform" else None
    merge = MERGE if electronics is None else 0.0
    pile = pile_up(setup, detector, truth, rng, merge) if order.with_pile_up else no_pile_up(truth)
    scalars = _scalars(truth, pile, number * batch, order.run, order.config, detector.beam.muons_per_spill)
    digits = digitise(truth, build_readout(detector), rng, pile, electronics)
    n_physics = int(np.count_nonzero(truth.facts["trigger"] > CALIBRATION))
    return _Made(n_mot, weight * n_mot, RawBatch(scalars, digits), n_physics, made_with)


def produce(
    output: str | Path,
    detector: DetectorLike,
    process: str,
    n_events: int,
    config: int,
    seed: int,
    *,
    run: int = 1,
    mass: float | None = None,
    g_ref: float = 1e-4,
    prescale_calibration: int = 1,
    kind: Storage | str = "ttree",
    with_pile_up: bool = False,
    tier: Tier | str = "energy",
    engine: Engine | str = "fast",
    geant4: Geant4Settings | None = None,
    workers: int = 1,
    progress: Callable[[int], object] | None = None,
) -> dict[str, Any]:
    """Generate beam muons and write the triggered ones.

    Parameters
    ----------
    output : str or Path
        File to write.
    detector : Detector, str or Path
        The set-up, its tag or its file.
    process : str
        Process, one of PROCESSES.
    n_events : int
        Beam muons to generate.
    config : int
        Trigger configuration, 1 or 2.
    seed : int
        Equal seeds (and numbers) give equal events.
    run : int
        Run number.
    mass : float, optional
        Mass of the boson of a signal [GeV].
    g_ref : float
        Coupling that the weights of a signal correspond to.
    prescale_calibration : int
        Write every n-th calibration trigger; 0 writes only physics triggers.
    kind : {"ttree", "rntuple"}
        Form of the file.
    with_pile_up : bool
        Whether further beam particles are overlaid on the events (see pileup.py).
    tier : {"energy", "waveform"}
        Calorimeters and counters as energy and time, or as the samples of their ADCs; everything else is the same in both.
    engine : {"fast", "geant4"}
        Transport of the muons: the fast parametrised engine, or Geant4 (extra `geant4`; see geant4/backend.py for its processes).
    geant4 : Geant4Settings, optional
        Physics list, cut, scales, workers.
    workers : int
        Processes of the fast engine; the sample does not depend on their number.
    progress : callable, optional
        Called with the number of events generated since the last call.

    Returns
    -------
    dict
        The row of the `runs` tree, and n_written and n_physics: events in the file, and those that met the physics trigger.

    Raises
    ------
    ArgumentError
        If the process, the configuration, another choice or a number makes no sense.
    Na64muError
        If the mass is missing or cannot be produced.
    """
    if process in RENAMED:
        warn_renamed(f"the process {process!r}", repr(RENAMED[process]))
        process = RENAMED[process]
    output, detector = Path(file_name(output, "output")), load_detector(detector)
    process, config = one_of(process, PROCESSES, "process"), one_of(config, (1, 2), "config")
    kind, by_geant4 = one_of(kind, get_args(Storage), "kind"), one_of(engine, get_args(Engine), "engine") == "geant4"
    form: Tier = one_of(tier, get_args(Tier), "tier")
    n_events, workers = whole(n_events, "n_events", least=1), whole(workers, "workers", least=1)
    seed, run = whole(seed, "seed"), whole(run, "run")
    prescale_calibration, g_ref = whole(prescale_calibration, "prescale_calibration"), number(g_ref, "g_ref", above=0.0)
    mass = None if mass is None else number(mass, "mass [GeV]", above=0.0)
    conditions = f"simulation;{process}{';pile-up' if with_pile_up else ''}{';waveforms' if form == 'waveform' else ''}"
    if detector.conditions is not None:
        conditions += f";{detector.conditions.label}"
    unseen = invisible_part(process, mass)
    if unseen is not None:
        conditions += f";weights before branching, {unseen:.3f} to neutrinos"
    batch = n_events if by_geant4 else BATCH
    order = _Order(
        detector, process, n_events, config, seed, run, mass, g_ref, prescale_calibration, with_pile_up, form,
        (geant4 or Geant4Settings()) if by_geant4 else None, progress if by_geant4 else None,
    )  # fmt: skip
    n_mot, sum_weights, n_written, n_physics = 0, 0.0, 0, 0
    n_batches = -(-n_events // batch)
    with RawTreeWriter(output, kind=kind) as writer:
        for i, made in enumerate(in_order(partial(_make, order, batch), n_batches, 1 if by_geant4 else workers)):
            n_mot += made.n_mot
            sum_weights += made.sum_weights
            n_written += len(made.events)
            n_physics += made.n_physics
            conditions += f";{made.made_with}" if made.made_with else ""
            writer.extend(made.events)
            if progress is not None and not by_geant4:
                progress(min(batch, n_events - i * batch))
        row: dict[str, Any] = {
            "run": run,
            "config": config,
            "n_spills": 1 + int((n_events - 1) / detector.beam.muons_per_spill),
            "n_mot": n_mot,
            "n_generated": n_events,
            "sum_weights": sum_weights,
            "g_ref": g_ref if process in SIGNALS else 0.0,
            "prescale_calibration": prescale_calibration,
            "detector": detector.tag,
            "conditions": conditions,
            "seed": seed,
        }
        writer.finish([row])
    return row | {"n_written": n_written, "n_physics": n_physics}


#: The call under the name of the verb.
simulate = produce
