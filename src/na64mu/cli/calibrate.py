"""`na64mu calibrate`: fit the MIP peaks of a calibration sample and record the windows."""

from __future__ import annotations

import json
import sys
from math import floor, log10
from pathlib import Path

import click

from na64mu.cli.say import note, table_console

__all__ = ("command",)


@click.command(name="calibrate", short_help="Fit MIP peaks of a calibration sample; record the thresholds.")
@click.argument("files", metavar="FILES...", nargs=-1, required=True, type=click.Path())
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default="calibration.toml",
    show_default=True,
    help="TOML file to write.",
)
@click.option(
    "--selection", default="prl2024", show_default=True, help="Working point whose [mip] rule makes the windows: name or TOML file."
)
@click.option("--detector", default=None, help="Detector description (tag or TOML file) that replaces the tags in the files.")
@click.option("--layout", default=None, help="Layout (TOML file) of a foreign tree.")
@click.option("--gains", is_flag=True, help="Find gains and faulty channels of what measures energies too.")
@click.option("--freeze", multiple=True, metavar="FILE", help="Freeze file whose box is hidden too; those beside the data always are.")
@click.option("--chunksize", type=click.IntRange(min=1), default=100_000, show_default=True, help="Events per chunk.")
@click.option("--json", "as_json", is_flag=True, help="Print the calibration as JSON instead of a table.")
def command(
    files: tuple[str, ...],
    output: Path,
    selection: str,
    detector: str | None,
    layout: str | None,
    gains: bool,
    freeze: tuple[str, ...],
    chunksize: int,
    as_json: bool,
) -> None:
    """Fit the MIP peaks of beam muons (calibration trigger) in FILES and record the windows of cuts (iii) and (iv).

    With --gains, those of calorimeters, VETO and counters are found: the peaks of single cells over those of simulated muons. Those that are not 1 are written:
    `na64mu run --calibration` divides by them, and every other verb does with the file as its --detector.
    """
    from na64mu.execution.calibration import calibrate_files
    from na64mu.execution.progress import stage

    with stage("reconstruct and fit"):
        calibration, losses = calibrate_files(
            files,
            selection=selection,
            detector=detector,
            layout=layout,
            gains=gains,
            chunksize=chunksize,
            output=output,
            freeze=freeze,
        )
    for loss in losses:
        note(loss.reason)
    calibration.write(output)
    if as_json:
        click.echo(json.dumps(calibration.model_dump(mode="json"), indent=1))
    else:
        _print_table(calibration)
        _print_gains(calibration)
        note(f"wrote {output}")
    if any(loss.is_damage for loss in losses):
        sys.exit(3)


def _print_table(calibration: object) -> None:
    from rich.box import SIMPLE
    from rich.markup import escape
    from rich.table import Table

    from na64mu.calibration.windows import Calibration
    from na64mu.errors import one_line

    assert isinstance(calibration, Calibration)
    table = Table(title=escape(one_line(f"MIP peaks of {calibration.detector}, {calibration.n_muons} muons")), box=SIMPLE)
    for name in ("energy", "unit", "peak", "xi", "sigma", "chi2/ndf", "window", "muons inside"):
        table.add_column(name, justify="left" if name in ("energy", "unit") else "right", no_wrap=True)
    for name, peak in calibration.mip.items():
        table.add_row(
            name,
            peak.unit,
            _with_error(peak.mode, peak.mode_error),
            _with_error(peak.xi, peak.xi_error),
            _with_error(peak.sigma, peak.sigma_error),
            "" if peak.ndf is None else f"{peak.chi2:.0f}/{peak.ndf}",
            f"{'-inf' if peak.low is None else f'{peak.low:.4g}'} .. {peak.high:.4g}",
            f"{peak.fraction:.1%}",
        )
    table_console(140).print(table)


def _print_gains(calibration: object) -> None:
    from rich.box import SIMPLE
    from rich.markup import escape
    from rich.table import Table

    from na64mu.calibration.windows import Calibration

    assert isinstance(calibration, Calibration)
    corrected = {gain.plane for gain in calibration.gains}
    table = Table(title="Gains: energy written over that of simulated muons", box=SIMPLE)
    for name in ("bank", "gain", "muons", "corrected", "channels"):
        table.add_column(name, justify="right" if name in ("gain", "muons") else "left")
    for gain in calibration.measured_gains:
        single = zip(gain.channels, gain.channel_errors, strict=True)
        channels = [f"{c}: {_with_error(gain.gain * own, gain.gain * error)}" for c, (own, error) in enumerate(single) if error]
        done = "yes" if gain.plane in corrected else "agrees with before"
        table.add_row(gain.plane, _with_error(gain.gain, gain.gain_error), str(gain.n_muons), done, escape(", ".join(channels)))
    if calibration.measured_gains:
        table_console(160).print(table)
    for fault in calibration.faults:
        note(fault)


def _with_error(value: float | None, error: float | None) -> str:
    """Value and error, rounded to the first two digits of the error."""
    if value is None:
        return ""
    if error is None or error <= 0:
        return f"{value:.4g}"
    digits = max(0, 1 - floor(log10(error)))
    return f"{value:.{digits}f} ± {error:.{digits}f}"
