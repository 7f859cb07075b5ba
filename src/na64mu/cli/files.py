"""Checks of the files on the command line before any work starts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import click

__all__ = ("check_files",)

#: Parameters that name what is written; all others that name a file name one that is read.
OUTPUTS = ("output", "map_file", "millepede")

#: What verbs write into their output folder, where a user might keep a file of that name as an input.
WRITTEN = {
    "run": (
        "cutflow.json",
        "histograms.json",
        "summary.json",
        "report.html",
        "plane.png",
        "value.json",
        "result.json",
        "histograms.root",
        "arrays.npz",
    ),
    "unblind": ("cutflow.json", "histograms.json", "summary.json", "report.html", "plane.png", "events_in_box.csv", "unblinding.jsonl"),
    "recast": ("recast.csv", "recast.json"),
    "limits": ("limits.csv", "yields.csv", "systematics.csv", "background_only.json", "patchset.json"),
    "optimise": ("boxes.csv", "boxes.json"),
    "project": ("projection.csv", "projection.json"),
}


def check_files(ctx: click.Context) -> None:
    """Refuse files that would block or be overwritten, and places that cannot be written to.

    Parameters
    ----------
    ctx : click.Context
        Context of a verb, with its parameters.

    Raises
    ------
    InputError
        If an input is a fifo or a device, or is to be overwritten.
    OutputError
        If an output cannot be written.
    """
    from na64mu.errors import InputError
    from na64mu.execution.targets import kind_of_special, must_be_apart, must_be_writable

    inputs = list(_inputs(ctx))
    for path in inputs:
        special = kind_of_special(path)
        if special:
            msg = f"{path}: is {special}, a file is needed"
            raise InputError(msg)
    outputs = [Path(ctx.params[name]) for name in OUTPUTS if ctx.params.get(name) is not None]
    for i, target in enumerate(outputs):
        written = [target / name for name in WRITTEN.get(ctx.info_name or "", ())] if target.is_dir() else [target]
        for file in written:
            must_be_apart(file, (path for path in inputs if path.is_file()))
        must_be_writable(target)
        if target in outputs[:i]:
            msg = f"{target}: is named as the output twice; choose another file"
            raise InputError(msg)


def _inputs(ctx: click.Context) -> Iterator[Path]:
    """Return all paths on the command line except outputs."""
    for name, value in ctx.params.items():
        if name in OUTPUTS:
            continue
        for word in value if isinstance(value, tuple) else (value,):
            if isinstance(word, str | os.PathLike) and os.path.exists(word):  # noqa: PTH110  # a NUL in a name is no error here
                yield Path(word)
