"""`na64mu sample`: the small simulated sample that ships with the package, listed or copied."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

__all__ = ("command",)


@click.command(name="sample", short_help="List or copy the small simulated sample of the package.")
@click.argument("folder", metavar="[FOLDER]", required=False, type=click.Path(file_okay=False, path_type=Path))
def command(folder: Path | None) -> None:
    """Copy the sample that ships with the package to FOLDER; without one, list where its files are.

    Files that FOLDER has already are left alone; one of the same name and other content stops the command.
    """
    from na64mu.common.whole_file import whole_file
    from na64mu.data import sample_files
    from na64mu.errors import InputError, writing
    from na64mu.results.provenance import file_hash

    files = sample_files()
    if not files:
        msg = "there is no file in the sample of the package: the installation is incomplete; install it again"
        raise InputError(msg)
    if folder is None:
        for path in files:
            click.echo(str(path))
        return
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for path in files:
        target = folder / path.name
        if target.exists() and file_hash(target) != file_hash(path):
            msg = f"{target}: exists, and is not the file of the sample; choose another folder"
            raise InputError(msg)
    for path in files:
        if not (folder / path.name).exists():
            with whole_file(folder / path.name) as part:
                shutil.copyfile(path, part)
    click.echo(f"{folder}/: {len(files)} files of the sample, {', '.join(path.name for path in files)}")
