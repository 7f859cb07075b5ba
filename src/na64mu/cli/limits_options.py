"""Options of `na64mu limits`, in the order in which the help lists them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from na64mu.cli.hints import Known
from na64mu.physics.bosons import RENAMED

__all__ = ("OF_A_COUNT", "OF_A_FOLDER", "OF_A_LIMIT", "limits_options", "usage")

#: Options that say something about an output folder.
OF_A_FOLDER = ("n_mot", "physics", "calibration", "region_d", "hadrons")
#: Arguments of `na64mu.analysis.folder_counting.counting_from`.
OF_A_COUNT = (*OF_A_FOLDER, "backgrounds", "seed")
#: Arguments of `na64mu.limits_of` that have the names of their options.
OF_A_LIMIT = (
    "pile_up_loss",
    "masses",
    "mass_range",
    "kinematic_map",
    "detector",
    "method",
    "form_factor",
    "g_ref",
    "level",
    "boson",
    "efficiency",
)
ONLY_FOLDER = "--n-mot, --physics, --calibration, --region-d and --hadrons belong to an output folder, not to --published"


def _checked_range(context: click.Context, _parameter: click.Parameter, value: tuple[float, float] | None) -> tuple[float, float] | None:
    if value is not None and not 0 < value[0] < value[1]:
        msg = f"--range {value[0]:g} {value[1]:g}: the lowest mass must be above zero and below the highest"
        raise click.UsageError(msg, context)
    return value


OPTIONS = (
    click.argument("folder", metavar="[OUT]", required=False, type=click.Path(path_type=Path)),
    click.option(
        "-o", "--output", type=click.Path(file_okay=False, path_type=Path), default="limits", show_default=True, help="Folder to write."
    ),
    click.option("--published", is_flag=True, help="Exposure, Table I, empty box and pile-up loss of the Letter instead of OUT."),
    click.option("--efficiency", default="na64mu-2022", show_default=True, metavar="NAME|FILE", help="Table of `na64mu efficiency`."),
    click.option(
        "--model",
        "boson",
        type=Known("na64mu.physics.models:MODELS", RENAMED),
        default="zprime",
        show_default=True,
        help="Boson or pair; all but the Z' are taken not to be seen.",
    ),
    click.option(
        "--map",
        "kinematic_map",
        default="na64mu-2022-kinematic",
        show_default=True,
        metavar="NAME|FILE",
        help="Efficiency in (x, psi'), for other spins.",
    ),
    click.option(
        "--alpha-d",
        type=click.FloatRange(min=0, min_open=True),
        default=0.1,
        show_default=True,
        help="Dark coupling alpha_D of a dark photon, for its y.",
    ),
    click.option(
        "--pile-up-loss",
        type=click.FloatRange(0, 1, max_open=True),
        help="Part of the signal lost to pile-up; by default measured in the simulation.",
    ),
    click.option(
        "--masses",
        type=click.IntRange(min=2),
        default=40,
        show_default=True,
        help="Masses of the scan, even in ln m, besides those of the tables.",
    ),
    click.option(
        "--range",
        "mass_range",
        type=(float, float),
        callback=_checked_range,
        help="Lowest and highest mass [GeV]; by default 1 MeV to 5 GeV.",
    ),
    click.option(
        "--cross-section",
        "method",
        type=Known("na64mu.physics.cross_section:Method"),
        default="tree",
        show_default=True,
        help="Method for the production cross-section.",
    ),
    click.option(
        "--form-factor",
        type=Known("na64mu.physics.nucleus:FormFactor"),
        default="elastic",
        show_default=True,
        help="Responses of the nucleus.",
    ),
    click.option(
        "--g-ref",
        type=click.FloatRange(min=0, min_open=True),
        default=1e-4,
        show_default=True,
        help="Coupling of the signal in the likelihood.",
    ),
    click.option(
        "--g-chi", type=click.FloatRange(min=0, min_open=True), default=0.05, show_default=True, help="Coupling to dark matter, for y."
    ),
    click.option("--ratio", type=click.FloatRange(min=2, min_open=True), default=3.0, show_default=True, help="m_Z' / m_chi, for y."),
    click.option(
        "--backgrounds",
        type=Known("na64mu.analysis.folder_counting:BACKGROUNDS"),
        default="own",
        show_default=True,
        help="Estimated from OUT, or Table I scaled to its exposure.",
    ),
    click.option(
        "--physics",
        metavar="DATASET",
        multiple=True,
        help="Dataset of physics triggers in OUT, may be given several times; by default all.",
    ),
    click.option("--calibration", metavar="DATASET", help="Dataset of calibration triggers in OUT: the shape of the momentum tail."),
    click.option(
        "--region-d",
        metavar="DATASET",
        help="Dataset in OUT whose region D is extrapolated, such as muon-nuclear simulation; by default that of --physics.",
    ),
    click.option("--hadrons", metavar="DATASET", help="Dataset of simulated beam hadrons in OUT, for the decays in flight."),
    click.option("--n-mot", type=click.FloatRange(min=0, min_open=True), help="Project to so many muons on target: expected limits only."),
    click.option(
        "--level", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=0.90, show_default=True, help="Confidence level."
    ),
    click.option("--detector", default="na64mu-2022", show_default=True, help="Tag or TOML file of the set-up: layers of the target."),
    click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Seed of bootstrap and toys of the backgrounds."),
    click.option(
        "--inspire",
        type=click.IntRange(1_000_000, 9_999_999),
        help="INSPIRE number of the publication, for the patch set; 9999999 without it.",
    ),
    click.option(
        "--targets/--no-targets", default=True, show_default=True, help="Solve the Boltzmann equation for the relic targets of y."
    ),
    click.option("--figures/--no-figures", default=True, show_default=True, help="Draw the figures (PNG and PDF)."),
    click.option(
        "--hs3",
        "hs3_mass",
        type=click.FloatRange(min=0, min_open=True),
        metavar="GEV",
        help="Also write the likelihood of the scanned mass nearest to this one as HS3.",
    ),
    click.option("--hepdata", is_flag=True, help="Also write the HEPData submission (needs hepdata_lib) to OUTPUT/hepdata."),
    click.option("--json", "as_json", is_flag=True, help="Print the result as JSON instead of tables."),
)


def limits_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command these options."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def usage(folder: Path | None, published: bool, options: dict[str, Any]) -> None:
    """Refuse options that do not go together.

    Parameters
    ----------
    folder : Path or None
    published : bool
    options : dict
        All others.

    Raises
    ------
    click.UsageError
        Says which.
    """
    for is_wrong, msg in (
        ((folder is None) != published, "give either an output folder of `na64mu run` or --published"),
        (published and any(options[name] for name in OF_A_FOLDER), ONLY_FOLDER),
        (options["hepdata"] and options["boson"] != "zprime", "--hepdata is for the Z': the submission holds its figures and tables"),
    ):
        if is_wrong:
            raise click.UsageError(msg)
