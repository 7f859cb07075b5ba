"""`na64mu limits`: from an output folder, or from the Letter's numbers, to the limits on g and y."""

from __future__ import annotations

import json
import logging
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from na64mu.cli.say import note, table_console
from na64mu.errors import writing

if TYPE_CHECKING:
    from na64mu.analysis.limits import Counting, SearchLimits
    from na64mu.analysis.yields import EfficiencyTable, KinematicMap, PileUpLoss
    from na64mu.detector import Detector

__all__ = ("command",)

logger = logging.getLogger(__name__)

#: Stands in the patch set for the INSPIRE number of a publication that is not there yet; its schema wants one.
NO_RECORD = 9_999_999
LOW, HIGH = 0.001, 5.0
#: Options that say something about an output folder.
OF_A_FOLDER = ("n_mot", "physics", "calibration", "region_d", "hadrons")
#: Masses that are always there: those of the tables, m_Z' = 120 MeV of the published y, and those at which the decay to two muons opens.
MARKED = (0.010, 0.040, 0.100, 0.120, 0.2113, 0.2120, 0.2200, 0.500, 1.0)


@click.command("limits", short_help="Limits on g and y of an output folder, or of the Letter's numbers.")
@click.argument("folder", metavar="[OUT]", required=False, type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(file_okay=False, path_type=Path), default="limits", show_default=True, help="Folder to write."
)
@click.option("--published", is_flag=True, help="Exposure, Table I, empty box and pile-up loss of the Letter instead of OUT.")
@click.option("--efficiency", "table", default="na64mu-2022", show_default=True, metavar="NAME|FILE", help="Table of `na64mu efficiency`.")
@click.option(
    "--model",
    type=click.Choice(["zprime", "scalar", "pseudoscalar", "axial", "dark-photon"]),
    default="zprime",
    show_default=True,
    help="Boson; all but the Z' are taken to decay invisibly.",
)
@click.option(
    "--map",
    "kinematic_map",
    default="na64mu-2022-kinematic",
    show_default=True,
    metavar="NAME|FILE",
    help="Efficiency in (x, psi'), for other spins.",
)
@click.option("--alpha-d", type=click.FloatRange(min=0, min_open=True), default=0.1, show_default=True, help="Of a dark photon, for its y.")
@click.option(
    "--pile-up-loss",
    type=click.FloatRange(0, 1, max_open=True),
    help="Part of the signal lost to pile-up; by default measured in the simulation.",
)
@click.option(
    "--masses",
    "n_masses",
    type=click.IntRange(min=2),
    default=40,
    show_default=True,
    help="Masses of the scan, even in ln m, besides those of the tables.",
)
@click.option("--range", "mass_range", type=(float, float), help="Lowest and highest mass [GeV]; by default 1 MeV to 5 GeV.")
@click.option(
    "--cross-section", "method", type=click.Choice(["tree", "ww", "iww"]), default="tree", show_default=True, help="Of the production."
)
@click.option(
    "--form-factor",
    type=click.Choice(["elastic", "inelastic", "inelastic_corrected"]),
    default="elastic",
    show_default=True,
    help="Responses of the nucleus.",
)
@click.option(
    "--g-ref",
    type=click.FloatRange(min=0, min_open=True),
    default=1e-4,
    show_default=True,
    help="Coupling of the signal in the likelihood.",
)
@click.option(
    "--g-chi", type=click.FloatRange(min=0, min_open=True), default=0.05, show_default=True, help="Coupling to dark matter, for y."
)
@click.option("--ratio", type=click.FloatRange(min=2, min_open=True), default=3.0, show_default=True, help="m_Z' / m_chi, for y.")
@click.option(
    "--backgrounds",
    type=click.Choice(["own", "letter"]),
    default="own",
    show_default=True,
    help="Estimated from OUT, or Table I scaled to its exposure.",
)
@click.option("--physics", metavar="DATASET", help="Dataset of physics triggers in OUT; by default all.")
@click.option("--calibration", metavar="DATASET", help="Dataset of calibration triggers in OUT: the shape of the momentum tail.")
@click.option(
    "--region-d",
    metavar="DATASET",
    help="Dataset in OUT whose region D is extrapolated, such as muon-nuclear simulation; by default that of --physics.",
)
@click.option("--hadrons", metavar="DATASET", help="Dataset of simulated beam hadrons in OUT, for the decays in flight.")
@click.option("--n-mot", type=click.FloatRange(min=0, min_open=True), help="Project to so many muons on target: expected limits only.")
@click.option(
    "--level", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=0.90, show_default=True, help="Confidence level."
)
@click.option("--detector", "tag", default="na64mu-2022", show_default=True, help="Tag or TOML file of the set-up: layers of the target.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Of bootstrap and toys of the backgrounds.")
@click.option(
    "--inspire", type=click.IntRange(1_000_000, 9_999_999), help="INSPIRE number of the publication, for the patch set; 9999999 without it."
)
@click.option("--targets/--no-targets", default=True, show_default=True, help="Solve the Boltzmann equation for the relic targets of y.")
@click.option("--figures/--no-figures", default=True, show_default=True, help="Draw the figures (PNG and PDF).")
@click.option(
    "--hs3",
    "hs3_mass",
    type=click.FloatRange(min=0, min_open=True),
    metavar="GEV",
    help="Also write the likelihood of the scanned mass nearest to this one as HS3.",
)
@click.option("--hepdata", is_flag=True, help="Also write the HEPData submission (needs hepdata_lib) to OUTPUT/hepdata.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON instead of tables.")
def command(folder: Path | None, output: Path, published: bool, as_json: bool, **options: Any) -> None:
    """Compute upper limits on g_Z' against m_Z', and on y against m_chi, by two methods: asymptotic (as in the Letter) and exact.

    With --model the same for a scalar, pseudoscalar, axial vector, or a dark photon (epsilon = g / e): limits_MODEL.csv and a figure.

    OUT is an output folder of `na64mu run`. With --published the Letter's exposure and backgrounds stand for it: what is then compared is signal yield and
    statistics. Writes limits.csv, yields.csv, systematics.csv, the pyhf likelihood (background_only.json, patchset.json), and figures.
    """
    if (folder is None) != published:
        msg = "give either an output folder of `na64mu run` or --published"
        raise click.UsageError(msg)
    if published and any(options[name] for name in OF_A_FOLDER):
        msg = "--n-mot, --physics, --calibration, --region-d and --hadrons belong to an output folder, not to --published"
        raise click.UsageError(msg)
    if options["model"] != "zprime":
        _boson(folder, output, options, as_json=as_json)
        return
    from na64mu.analysis.limits_files import limits_dict, write_tables
    from na64mu.statistics.workspace import write_workspace

    limits, targets = _computed(folder, options)
    with writing(output):
        output.mkdir(parents=True, exist_ok=True)
    files = write_tables(limits, output)
    observed = (
        [0.0] * len(limits.counting.used)
        if limits.counting.observed is None
        else [limits.counting.observed[i] for i in limits.counting.used]
    )
    if any(limits.counting.backgrounds.values()) and not limits.is_blinded:
        files += write_workspace(output, limits.models, observed, g_ref=limits.yields.g_ref, inspire=options["inspire"] or NO_RECORD)
    if options["hs3_mass"] is not None:
        files.append(_hs3(limits, output, options["hs3_mass"]))
    if options["hepdata"]:
        files.append(_hepdata(limits, output, options["inspire"] or NO_RECORD))
    if options["figures"]:
        from na64mu.report.limits import write_limit_figures

        files += write_limit_figures(limits, targets, output)
    if as_json:
        click.echo(json.dumps(limits_dict(limits), indent=1))
    else:
        from na64mu.report.limit_tables import render_limits

        render_limits(limits, table_console())
    note(f"wrote {output}/: {', '.join(path.name for path in files)}")


def _boson(folder: Path | None, output: Path, options: dict[str, Any], *, as_json: bool) -> None:
    """Limits on another boson: table on the terminal, limits_<model>.csv and a figure."""
    from na64mu.analysis.limits import search_limits
    from na64mu.analysis.limits_models import BOSONS, BosonLimits, boson_efficiencies
    from na64mu.analysis.yields import EfficiencyTable, KinematicMap, signal_yield, target_of
    from na64mu.detector import load_detector
    from na64mu.execution.progress import stage
    from na64mu.physics.cross_section import Method
    from na64mu.physics.nucleus import FormFactor

    if options["hepdata"]:
        msg = "--hepdata is for the Z': the submission holds its figures and tables"
        raise click.UsageError(msg)
    boson, table, detector = BOSONS[options["model"]], EfficiencyTable.read(options["table"]), load_detector(options["tag"])
    _warn_if_stale(KinematicMap.read(options["kinematic_map"]) if boson.from_map else table, detector)
    counting, masses = _counting(folder, options), _masses(options["n_masses"], options["mass_range"], table.mass_range)
    with stage("cross-sections", len(masses), "points") as shown:
        yields = signal_yield(
            target_of(detector),
            boson_efficiencies(boson, options["table"], options["kinematic_map"]),
            masses,
            counting.exposures,
            _pile_up_loss(options["pile_up_loss"], table, published=folder is None),
            g_ref=options["g_ref"],
            mediator=boson.mediator,
            all_invisible=True,
            method=Method(options["method"]),
            form_factor=FormFactor[options["form_factor"].upper()],
            progress=shown.advance,
        )
    result = BosonLimits(boson, search_limits(counting, yields, level=options["level"]), options["alpha_d"], options["ratio"])
    with writing(output):
        output.mkdir(parents=True, exist_ok=True)
    files = [result.write(output)]
    if options["figures"]:
        from na64mu.report.boson_limits import write_boson_figure

        files += write_boson_figure(result, output)
    if as_json:
        rows = [{k: v if math.isfinite(v) else None for k, v in row.items()} for row in result.rows()]
        click.echo(json.dumps({"model": boson.name, "coupling": boson.symbol, "source": counting.source, "limits": rows}, indent=1))
    else:
        from na64mu.report.boson_tables import render_boson_limits

        render_boson_limits(result, table_console())
    note(f"wrote {output}/: {', '.join(path.name for path in files)}")


def _hs3(limits: SearchLimits, output: Path, wanted: float) -> Path:
    from na64mu.errors import InputError
    from na64mu.statistics.hs3 import write_hs3

    if limits.counting.observed is None:
        msg = "--hs3: the likelihood needs counts; leave out --n-mot, and unblind the signal box"
        raise InputError(msg)
    mass = min(limits.models, key=lambda m: abs(math.log(m / wanted)))
    return write_hs3(
        output / f"hs3_{1000 * mass:g}MeV.json", limits.models[mass], [limits.counting.observed[i] for i in limits.counting.used]
    )


def _hepdata(limits: SearchLimits, output: Path, inspire: int) -> Path:
    from na64mu.errors import InputError
    from na64mu.statistics.hepdata import Publication, write_hepdata

    if limits.counting.observed is None:
        msg = "--hepdata: expected limits alone are not a result to publish; leave out --n-mot, and unblind the signal box"
        raise InputError(msg)
    used = list(limits.counting.used)
    efficiencies = {float(m): e[used].tolist() for m, e in zip(limits.masses, limits.yields.total_efficiency, strict=True)}
    observed = [limits.counting.observed[i] for i in used]
    return write_hepdata(output / "hepdata", Publication(limits.scan, limits.models, observed, inspire, efficiencies))


def _computed(folder: Path | None, options: dict[str, Any]) -> tuple[SearchLimits, Any]:
    import numpy as np

    from na64mu.analysis.curves import relic_targets
    from na64mu.analysis.limits import DarkSector, search_limits
    from na64mu.analysis.yields import EfficiencyTable, signal_yield, target_of
    from na64mu.detector import load_detector
    from na64mu.execution.progress import stage
    from na64mu.physics.cross_section import Method
    from na64mu.physics.nucleus import FormFactor

    table, detector = EfficiencyTable.read(options["table"]), load_detector(options["tag"])
    _warn_if_stale(table, detector)
    masses = _masses(options["n_masses"], options["mass_range"], table.mass_range)
    counting = _counting(folder, options)
    dark = DarkSector(options["g_chi"], options["ratio"])
    chi = np.geomspace(masses[0], masses[-1], 25) / dark.ratio
    with stage("cross-sections", len(masses) + (3 * len(chi) if options["targets"] else 0), "points") as shown:
        yields = signal_yield(
            target_of(detector),
            table,
            masses,
            counting.exposures,
            _pile_up_loss(options["pile_up_loss"], table, published=folder is None),
            g_ref=options["g_ref"],
            method=Method(options["method"]),
            form_factor=FormFactor[options["form_factor"].upper()],
            progress=shown.advance,
        )
        shown.say("limits and relic targets")
        limits = search_limits(counting, yields, dark=dark, level=options["level"])
        targets = relic_targets(list(chi), dark.dark_coupling, dark.ratio, progress=shown.advance) if options["targets"] else ()
    return limits, targets


def _warn_if_stale(table: EfficiencyTable | KinematicMap, detector: Detector) -> None:
    """Say so if the efficiencies were simulated with another set-up."""
    made_with = table.provenance.get("detector", {}).get("digest", "")
    if made_with and made_with != detector.digest:
        logger.warning(
            "the efficiency table was made with another version of the detector description %s: make it again with `na64mu efficiency`",
            detector.tag,
        )


def _masses(n: int, wanted: tuple[float, float] | None, known: tuple[float, float]) -> list[float]:
    import numpy as np

    low, high = wanted or (max(LOW, known[0]), min(HIGH, known[1]))
    if not 0 < low < high:
        msg = f"--range {low:g} {high:g}: the lowest mass must be above zero and below the highest"
        raise click.UsageError(msg)
    even = [float(f"{m:.6g}") for m in np.geomspace(low, high, n)]
    return sorted({low, high, *even[1:-1], *(m for m in MARKED if low <= m <= high)})


def _counting(folder: Path | None, options: dict[str, Any]) -> Counting:
    from na64mu.analysis.limits import counting_of, letter_counting, unweighted

    if folder is None:
        return letter_counting()
    from na64mu.analysis.backgrounds import estimate_backgrounds
    from na64mu.analysis.result import RunResult

    result = RunResult.read(folder)
    physics = options["physics"]
    others = (options["hadrons"], options["calibration"], options["region_d"])
    counted = [physics] if physics else [name for name in unweighted(result) if name not in others]
    first = counting_of(result, None, datasets=counted, n_mot=options["n_mot"])
    if options["backgrounds"] == "letter":
        return first
    estimates = estimate_backgrounds(
        result,
        seed=options["seed"],
        physics=physics,
        calibration=options["calibration"],
        region_d=options["region_d"],
        hadrons=options["hadrons"],
        n_mot=sum(first.exposures),
    )
    return counting_of(result, estimates, datasets=counted, n_mot=options["n_mot"])


def _pile_up_loss(given: float | None, table: EfficiencyTable, *, published: bool) -> PileUpLoss:
    from na64mu.analysis.curves import letter_numbers
    from na64mu.analysis.yields import PileUpLoss
    from na64mu.errors import InputError

    if given is not None:
        return PileUpLoss(given, 0.0, "given by --pile-up-loss")
    if published:
        return PileUpLoss(
            letter_numbers()["signal_efficiency"]["accidental_loss"], 0.0, "published: accidental loss of the Letter, no error printed"
        )
    loss, error = table.pile_up_loss()
    if math.isnan(loss):
        msg = "the efficiency table has no samples with pile-up: give the loss of signal with --pile-up-loss, or make the table with `na64mu efficiency --pile-up`"
        raise InputError(msg)
    return PileUpLoss(max(loss, 0.0), error, "measured: simulated signal with and without pile-up")
