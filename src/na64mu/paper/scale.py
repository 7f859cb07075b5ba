"""Size of the simulation: the samples of the paper and the beam muons of each. Masses GeV."""

from __future__ import annotations

from dataclasses import dataclass, replace

__all__ = ("CONFIGS", "FULL", "MASSES", "QUICK", "SHOWN_MASS", "Sample", "Scale")

CONFIGS = (1, 2)
#: Masses of the efficiency curve: 1 MeV to 5 GeV, denser where it bends.
MASSES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.04, 0.06, 0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0)
#: Mass of the signal that goes through the main job as well: it is drawn into the plane, and the signal box is scanned with it. One of every scale.
SHOWN_MASS = 0.1
#: Beam muons in one file: a sample is made file by file, on all cores.
PER_FILE = 400_000
#: Runs of simulated samples are numbered from here on.
FIRST_RUN = 7000


@dataclass(frozen=True)
class Sample:
    """A simulated file.

    Attributes
    ----------
    name : str
        Name of the step and of its file.
    dataset : str
        Dataset it belongs to, one for each trigger configuration.
    process : str
        Process of `na64mu simulate`.
    config : int
        Trigger configuration.
    n_events : int
        Beam muons.
    run : int
        Run number; the seed follows from it.
    mass : float or None
        Mass of the boson of a signal sample [GeV]; None for other samples.
    pile_up : bool
        Whether further beam particles are overlaid on the events.
    calibration_triggers : bool
        Whether calibration triggers are written; physics triggers always are.
    """

    name: str
    dataset: str
    process: str
    config: int
    n_events: int
    run: int
    mass: float | None = None
    pile_up: bool = False
    calibration_triggers: bool = False


@dataclass(frozen=True)
class Scale:
    """Beam muons per trigger configuration of every kind of sample.

    Attributes
    ----------
    name : str
    calibration : int
        Calibration triggers: MIP windows, resolutions, shape of the momentum tail.
    physics : int
        Unbiased muons through the physics trigger.
    nuclear, decay : int
        Biased: muon-nuclear interactions in the ECAL, hadrons that decay in flight.
    signal : int
        For each mass.
    masses : tuple of float
        Masses of the boson in the signal samples [GeV].
    pile_up_masses : tuple of float
        Those simulated with pile-up as well.
    seed : int
    n_limit_masses : int
        Masses of the limits, even in ln m, besides the marked ones.
    n_target_masses : int
        Masses of the relic targets.
    archive : bool
        Whether the HEPData submission is written (where hepdata_lib is installed).
    """

    name: str
    calibration: int
    physics: int
    nuclear: int
    decay: int
    signal: int
    masses: tuple[float, ...] = MASSES
    pile_up_masses: tuple[float, ...] = (0.04, 0.1, 0.3, 1.0)
    seed: int = 1
    n_limit_masses: int = 40
    n_target_masses: int = 25
    archive: bool = True

    def scaled(self, physics: int) -> Scale:
        """Return the scale with another number of unbiased muons, and the other samples in proportion (at least 1000 muons each)."""
        factor = physics / self.physics
        of = {name: max(1000, round(factor * getattr(self, name))) for name in ("calibration", "nuclear", "decay", "signal")}
        return replace(self, name=f"{self.name}, {physics} muons", physics=physics, **of)

    def samples(self) -> tuple[Sample, ...]:
        """Every file to simulate, the longest first; run numbers (and so seeds) do not depend on the number of events."""
        out: list[Sample] = []
        for config in CONFIGS:
            for i, (process, n) in enumerate((("physics", self.physics), ("calibration", self.calibration))):
                sizes = _parts(n)
                for part, size in enumerate(sizes):
                    name = f"{process}_{config}" + (f"_{part + 1}" if len(sizes) > 1 else "")
                    run = FIRST_RUN + 500 * config + 200 * i + part
                    out.append(
                        Sample(name, f"{process}_{config}", "beam", config, size, run, calibration_triggers=process == "calibration")
                    )
            for i, (process, n) in enumerate((("nuclear", self.nuclear), ("decay", self.decay))):
                out.append(Sample(f"{process}_{config}", f"{process}_{config}", process, config, n, FIRST_RUN + 500 * config + 400 + i))
        return (*out, *self.signal_samples())

    def signal_samples(self) -> tuple[Sample, ...]:
        """Samples of the signal: every mass and configuration, some with pile-up as well."""
        kinds = [(m, False) for m in self.masses] + [(m, True) for m in self.pile_up_masses]
        out = []
        for mass, pile_up in kinds:
            for config in CONFIGS:
                name = f"zprime_{1000 * mass:g}MeV_{config}{'_pile_up' if pile_up else ''}"
                run = FIRST_RUN + 2000 + 4 * round(1e4 * mass) + 2 * pile_up + config - 1
                out.append(Sample(name, name, "zprime", config, self.signal, run, mass, pile_up))
        return tuple(out)


def _parts(n: int) -> list[int]:
    """Sizes of the files of a sample."""
    n_files = max(1, -(-n // PER_FILE))
    return [n // n_files + (i < n % n_files) for i in range(n_files)]


#: What `na64mu paper` makes by default.
FULL = Scale("full", calibration=200_000, physics=2_000_000, nuclear=200_000, decay=100_000, signal=20_000)
#: What `na64mu paper --quick` makes.
QUICK = Scale(
    "quick",
    calibration=12_000,
    physics=150_000,
    nuclear=15_000,
    decay=8_000,
    signal=2_500,
    masses=(0.001, 0.01, 0.04, 0.1, 0.3, 1.0, 5.0),
    pile_up_masses=(0.1,),
    n_limit_masses=20,
    n_target_masses=10,
    archive=False,
)
