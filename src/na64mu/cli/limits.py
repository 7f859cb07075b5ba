"""`na64mu limits`: from an output folder, or from the Letter's numbers, to the limits on g and y."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from na64mu.cli.limits_options import OF_A_COUNT, OF_A_LIMIT, limits_options, usage
from na64mu.cli.say import note, table_console

if TYPE_CHECKING:
    from na64mu.analysis.limits import SearchLimits

__all__ = ("command",)

#: Prints a result: as JSON, or as tables.
Show = Callable[[bool], None]


@click.command("limits", short_help="Limits on g and y of an output folder, or of the Letter's numbers.")
@limits_options
def command(folder: Path | None, output: Path, published: bool, as_json: bool, **options: Any) -> None:
    """Compute upper limits on g_Z' against m_Z', and on y against m_chi, by two methods: asymptotic (as in the Letter) and exact.

    With --model the same for another boson, an axion-like particle, or invisible pairs (small charges, a massless mediator, contact operators): limits_MODEL.csv and a figure.

    OUT is an output folder of `na64mu run`. With --published the Letter's exposure and backgrounds replace it: what is then compared is signal yield and
    statistics. Writes limits.csv, yields.csv, systematics.csv, the reach of a discovery (reach.csv), g-2 and other limits (plane.csv, bounds.csv), the pyhf likelihood (background_only.json,
    patchset.json), and figures; of open counts also p-value, significance, best fit and intervals (excess.json, excess.csv).
    """
    usage(folder, published, options)
    if options["hepdata"]:
        from na64mu.analysis.hepdata import hepdata_library

        hepdata_library()  # before minutes of work
    from na64mu.results.output_folder import output_folder

    limits, targets = _computed(folder, options)
    with output_folder(output, "limits" if options["boson"] == "zprime" else f"limits {options['boson']}") as place:
        files, show = (_zprime if options["boson"] == "zprime" else _boson)(limits, targets, place, options)
    show(as_json)
    note(f"wrote {output}/: {', '.join(path.name for path in files)}")


def _computed(folder: Path | None, options: dict[str, Any]) -> tuple[SearchLimits, Any]:
    """The limits, and the relic targets of the figure of y."""
    from na64mu.analysis.folder_counting import counting_from
    from na64mu.analysis.limits import DarkSector
    from na64mu.analysis.search import limits_of, targets_of
    from na64mu.execution.progress import stage
    from na64mu.results.run import RunResult

    counting = "letter" if folder is None else counting_from(RunResult.read(folder), **{name: options[name] for name in OF_A_COUNT})
    with stage("cross-sections", unit="points") as shown:
        dark = DarkSector(options["g_chi"], options["ratio"])
        limits = limits_of(counting, dark=dark, progress=shown.advance, **{name: options[name] for name in OF_A_LIMIT})
        shown.say("relic targets")
        wanted = options["boson"] == "zprime" and options["targets"]
        return limits, targets_of(limits, progress=shown.advance) if wanted else ()


def _zprime(limits: SearchLimits, targets: Any, output: Path, options: dict[str, Any]) -> tuple[list[Path], Show]:
    """Files that were written, and what prints the result."""
    from na64mu.analysis.excess import search_excess
    from na64mu.analysis.excess_files import excess_dict, write_excess, write_reach
    from na64mu.analysis.limits_files import limits_dict
    from na64mu.analysis.plane_files import write_plane
    from na64mu.analysis.publication import write_limits

    files = write_limits(limits, output, inspire=options["inspire"], hs3_mass=options["hs3_mass"], hepdata=options["hepdata"])
    found = None if limits.is_blinded else search_excess(limits)
    files += [write_reach(limits, output), *write_plane(limits, output), *([] if found is None else write_excess(found, output))]
    if options["figures"]:
        from na64mu.report.limits import write_limit_figures

        files += write_limit_figures(limits, targets, output)

    def show(as_json: bool) -> None:
        from na64mu.report.excess_tables import render_excess
        from na64mu.report.limit_tables import render_limits

        if as_json:
            click.echo(json.dumps(limits_dict(limits) | {"excess": None if found is None else excess_dict(found)}, indent=1))
            return
        render_limits(limits, table_console())
        if found is not None:
            render_excess(found, table_console())

    return files, show


def _boson(limits: SearchLimits, _targets: Any, output: Path, options: dict[str, Any]) -> tuple[list[Path], Show]:
    from na64mu.analysis.limits_models import BosonLimits, decay_path
    from na64mu.detector import load_detector
    from na64mu.physics.models import MODELS

    path = decay_path(load_detector(options["detector"]))
    result = BosonLimits(MODELS[options["boson"]], limits, options["alpha_d"], options["ratio"], path)
    files = [result.write(output)]
    if options["figures"]:
        from na64mu.report.boson_limits import write_boson_figure

        files += write_boson_figure(result, output)

    def show(as_json: bool) -> None:
        from na64mu.report.boson_tables import render_boson_limits

        if as_json:
            click.echo(json.dumps(result.to_dict(), indent=1))
        else:
            render_boson_limits(result, table_console())

    return files, show
