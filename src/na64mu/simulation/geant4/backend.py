"""Simulation of a process with Geant4: the counterpart of `simulate_events`.

* beam: beam muons; hadron: beam pions, kaons and antiprotons (protons) in their shares, which Geant4 lets decay or shower.
* hardloss, nuclear: beam muons of which only those are followed that lose more than 20 GeV in one interaction (any, or a nuclear
  one) in the ECAL. Geant4 carries the muon first, so nothing is biased: the events have weight 1 and all muons are counted.
* zprime and the other bosons: the muon is taken out at the vertex and goes on with what the generator of the fast engine leaves
  it; one event of the sample is two of Geant4, before and behind the vertex. The boson itself is not seen.
* decay, kaon are not made: hadrons decay along the whole line at random here, 1 kaon in 20 000 beam muons times 4 %.

Energies GeV (counters MeV), lengths mm.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from na64mu.detector import Detector
from na64mu.errors import Na64muError
from na64mu.physics.energy_loss import NUCLEAR
from na64mu.simulation.geant4.data import data_label
from na64mu.simulation.geant4.processes import Deposits, Geant4Settings, checked_environment, shoot
from na64mu.simulation.geant4.scales import energy_scales
from na64mu.simulation.geant4.shots import Choice, beam_shots
from na64mu.simulation.geant4.vertex import shoot_with_vertex
from na64mu.simulation.muon_in_calorimeter import TRUTH_HADRON, TRUTH_PROCESS
from na64mu.simulation.setup import S0, S1, S4, S_MU, V1
from na64mu.simulation.truth import Truth
from na64mu.typing import FloatArray, RecordArray

__all__ = ("GEANT4_PROCESSES", "Geant4Result", "run_geant4")

#: What this engine makes, besides the bosons.
GEANT4_PROCESSES = ("beam", "hadron", "hardloss", "nuclear")

#: Geant4's names of the hadrons of a negative and a positive beam, in the order of the description's hadron_species.
HADRONS = {-1: ("pi-", "kaon-", "anti_proton"), 1: ("pi+", "kaon+", "proton")}

CALIBRATION, PHYSICS = 1, 2


class Geant4Result(NamedTuple):
    """Result of the simulation: muons on target, the written events, the scales used, and a line on how it was made."""

    n_mot: int
    truth: Truth
    scales: tuple[float, float, float]
    made_with: str


def _triggered(detector: Detector, found: Deposits, prescale: int, rng: np.random.Generator) -> tuple[int, Deposits, FloatArray]:
    """Muons on target; the written events and their measured counters: the trigger of the fast engine."""
    counters = sorted(detector.counters, key=lambda c: c.id)
    noise = 1.0 + np.array([c.energy_resolution for c in counters]) * rng.standard_normal(found.counters.shape)
    measured = np.maximum(0.0, found.counters * noise)
    fired = measured > np.array([c.threshold for c in counters])
    on_target = fired[:, S0] & fired[:, S1] & ~fired[:, V1]
    physics = on_target & fired[:, S4] & fired[:, S_MU]
    kept = on_target & (np.cumsum(on_target) % prescale == 0) if prescale > 0 else np.zeros_like(on_target)
    mask = (kept | physics)[found.chosen]
    rows = found.chosen[mask]
    facts = found.facts[rows].copy()
    facts["trigger"] = CALIBRATION + PHYSICS * physics[rows]
    lengths = np.diff(found.hit_offsets)
    written = found._replace(
        facts=facts, hits=found.hits[np.repeat(mask, lengths)], hit_offsets=np.concatenate([[0], np.cumsum(lengths[mask])]),
        veto=found.veto[mask], ecal=found.ecal[mask], vhcal=found.vhcal[mask], hcal=found.hcal[mask],
    )  # fmt: skip
    return int(on_target.sum()), written, measured[rows]


class _Told:
    """Progress in events: it counts shots and reports events, which add up to all events whatever the number of shots."""

    def __init__(self, progress: Callable[[int], object], n_events: int, n_shots: int) -> None:
        self.progress, self.n_events, self.n_shots = progress, n_events, n_shots
        self.shots = self.events = 0

    def __call__(self, shots: int) -> None:
        self.shots += shots
        self._tell(self.n_events * min(self.shots, self.n_shots) // max(1, self.n_shots))

    def finish(self) -> None:
        """Report the remaining events: muons that are not simulated, or do not reach their vertex."""
        self._tell(self.n_events)

    def _tell(self, events: int) -> None:
        if events > self.events:
            self.progress(events - self.events)
            self.events = events


def run_geant4(
    detector: Detector,
    config: int,
    n_events: int,
    prescale: int,
    seed: int,
    settings: Geant4Settings | None = None,
    *,
    process: str = "beam",
    plans: RecordArray | None = None,
    above: float = 20.0,
    progress: Callable[[int], object] | None = None,
) -> Geant4Result:
    """Send beam particles through the set-up with Geant4 and keep the triggered ones.

    Parameters
    ----------
    detector : Detector
        The description.
    config : int
        Trigger configuration.
    n_events : int
        Beam particles to generate; those that do not aim at S0 and S1 are not followed.
    prescale : int
        Every prescale-th calibration trigger is kept, and all physics triggers; 0: only these.
    seed : int
        Equal seeds give equal events, whatever the number of workers.
    settings : Geant4Settings, optional
        Physics list, cut, scales, workers.
    process : str
        One of GEANT4_PROCESSES, or a boson with `plans`.
    plans : RecordArray, optional
        Vertices of a boson, shape (n_events,): see simulation/plans.py.
    above : float
        Smallest loss of hardloss and nuclear [GeV].
    progress : callable, optional
        Called with the number of events done since the last call.

    Returns
    -------
    Geant4Result
        Result in the form of the fast engine.

    Raises
    ------
    Na64muError
        If the process is not made here, geant4-pybind is not installed, there are no data sets, or Geant4 fails.
    """
    settings = Geant4Settings() if settings is None else settings
    if process not in GEANT4_PROCESSES and plans is None:
        msg = (
            f"the geant4 engine does not make process {process}: it makes {', '.join(GEANT4_PROCESSES)} and the bosons; use the fast engine"
        )
        raise Na64muError(msg)
    environment = checked_environment()
    scales = energy_scales(detector, settings)
    shots = beam_shots(detector, detector.beam.particle, n_events, seed)
    choice = None
    told = None if progress is None else _Told(progress, n_events, len(shots.numbers) * (1 if plans is None else 2))
    if process == "hadron":
        species = np.random.default_rng([seed, 6]).choice(HADRONS[detector.beam.charge], size=n_events, p=detector.beam.hadron_species)
        shots = shots._replace(particles=species[shots.numbers])
    elif process in ("hardloss", "nuclear"):
        end = detector.ecal.z + detector.ecal.length
        choice = Choice(above, detector.ecal.z, end, float(TRUTH_PROCESS[NUCLEAR]) if process == "nuclear" else 0.0)
    if plans is not None:
        found = shoot_with_vertex(detector, config, shots, plans[shots.numbers], seed, settings, told)
    else:
        found = shoot(detector, config, shots, settings, choice, told)
    if process == "hadron":
        found.facts["process"] = TRUTH_HADRON
    if told is not None:
        told.finish()
    n_mot, found, counters = _triggered(detector, found, prescale, np.random.default_rng([seed, 7]))
    ecal, vhcal, hcal = (scale * cells for scale, cells in zip(scales, (found.ecal, found.vhcal, found.hcal), strict=True))
    truth = Truth(found.facts, found.hits, found.hit_offsets, counters, found.veto, ecal, vhcal, hcal)
    made_with = f"{found.version};{settings.physics_list};cut={settings.cut:g} mm;g4data={data_label(environment)}"
    return Geant4Result(n_mot, truth, scales, made_with)
