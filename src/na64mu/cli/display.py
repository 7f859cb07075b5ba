"""`na64mu display`: draws one event."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from na64mu.cli.say import note

if TYPE_CHECKING:
    from na64mu.detector import Detector
    from na64mu.events.batch import RawBatch

__all__ = ("command",)

#: Endings of the pictures that can be written.
FORMS = (".png", ".pdf", ".svg")


def _known_ending(ctx: click.Context, param: click.Parameter, value: Path) -> Path:  # noqa: ARG001 (click's signature)
    from na64mu.errors import InputError
    from na64mu.report.canvas import check_ending

    try:
        check_ending(value)
    except InputError as error:
        raise click.BadParameter(str(error)) from error
    return value


@click.command(name="display", short_help="Draw one event: hits, tracks and calorimeter cells.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--event", type=click.IntRange(min=0), default=0, show_default=True, help="Entry of the file, from 0; its number with --run.")
@click.option("--run", type=click.IntRange(min=0), help="Run of the event: --event is then its number in the run.")
@click.option("--selection", metavar="NAME|FILE", help="Working point whose signal box is hidden in data too, beside what is frozen.")
@click.option("--freeze", multiple=True, metavar="FILE", help="Freeze file whose box is hidden too; those beside the data always are.")
@click.option(
    "--opened",
    metavar="FOLDER",
    type=click.Path(exists=True, file_okay=False),
    help="Folder of `na64mu unblind`: draws its events of the box.",
)
@click.option("--detector", metavar="TAG|FILE", help="Detector description that replaces the tag in the file.")
@click.option("--layout", metavar="NAME|FILE", help="Layout that maps a foreign tree onto the raw tree.")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=_known_ending,
    default=Path("event.png"),
    show_default=True,
    help="PNG, PDF, SVG, JPEG, WebP or TIFF, by the ending.",
)
def command(
    file: Path,
    event: int,
    run: int | None,
    selection: str | None,
    freeze: tuple[str, ...],
    opened: str | None,
    detector: str | None,
    layout: str | None,
    output: Path,
) -> None:
    """Draw one event of FILE: the apparatus to scale with all tracks, residuals of the hits, and the cells of the calorimeters.

    In data, events of the signal box, and others among which they are hidden, are not drawn before the box is opened.
    """
    from na64mu.detector import load_detector
    from na64mu.errors import BlindedError, InputError
    from na64mu.events.layout import load_layout
    from na64mu.events.reader import count_entries, read_batch, read_runs
    from na64mu.execution.opened import opened_events
    from na64mu.inputs.entry_of_event import entry_of_event
    from na64mu.inputs.raw_file import installed_detector
    from na64mu.inputs.visible import visible_rows
    from na64mu.report.attempts import for_files
    from na64mu.report.display import draw_event
    from na64mu.report.figures import save
    from na64mu.selections.blinding import withheld_sentence

    if output.suffix.lower() not in FORMS:
        msg = f"{output}: the ending chooses the form of the picture: {', '.join(FORMS)} are known"
        raise InputError(msg)
    foreign = None if layout is None else load_layout(layout)
    if run is not None:
        event = entry_of_event(file, run, event, layout=foreign)
    n = count_entries(file, layout=foreign)
    if event >= n:
        msg = f"{file}: there is no entry {event}, the file has {n} (numbers count from 0)"
        raise InputError(msg)
    batch = read_batch(file, event, event + 1, layout=foreign)
    tag = next((r["detector"] for r in read_runs(file, layout=foreign) if r["run"] == batch.scalars["run"][0]), None)
    if detector is None and tag is None:
        msg = f"{file}: no detector description is named for run {batch.scalars['run'][0]}; give one with --detector"
        raise InputError(msg)
    description = installed_detector(str(tag), str(file)) if detector is None else load_detector(detector)
    batch = _sound(batch, description, f"{file}: entry {event}", complete=foreign is None or not foreign.absent)
    number = (int(batch.scalars["run"][0]), int(batch.scalars["event"][0]))
    is_open = opened is not None and number in opened_events(opened, file)
    if not is_open and not visible_rows(batch, description, file, layout=foreign, selection=selection, freeze=freeze).all():
        raise BlindedError(withheld_sentence(f"{file}: entry {event}"))
    with for_files():
        figure, _ = draw_event(batch, description)
        save(figure, output)
    note(f"wrote {output}")


def _sound(batch: RawBatch, detector: Detector, where: str, *, complete: bool) -> RawBatch:
    """The event without rows that have a fault; an event that a run would refuse is not drawn."""
    import numpy as np

    from na64mu.errors import InputError
    from na64mu.events.fault_rules import KINDS
    from na64mu.events.faults import Bounds
    from na64mu.events.screening import screened, sentence_of

    found = screened(batch, Bounds.of(detector, complete=complete), np.zeros(1, np.int64))
    said = [(KINDS[kind].rule, sentence_of(kind, column, count)) for (kind, column), count in found.faults.items()]
    if not found.kept.all():
        raise InputError(*(f"{where}: {sentence}" for rule, sentence in said if rule == "refuse"))
    for _, sentence in said:
        note(f"{where}: {sentence}")
    return found.batch
