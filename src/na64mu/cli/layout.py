"""`na64mu layout`: the beginning of a layout for a foreign file."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ("command",)


@click.command(name="layout", short_help="Write a first layout for a foreign tree: what matches by name, and all its branches.")
@click.argument("file", metavar="FILE", type=click.Path())
@click.option("--tree", metavar="NAME", help="Tree of the events; by default the one with the most branches.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="File to write; by default it is printed.")
def command(file: str, tree: str | None, output: Path | None) -> None:
    """Write the beginning of a layout that maps the tree of FILE onto the raw tree.

    Branches that are called like those of the raw tree are mapped; what is left is a constant with a comment. Complete it, then try it
    with `na64mu check FILE --layout LAYOUT`.
    """
    from na64mu.common.whole_file import write_whole
    from na64mu.errors import writing
    from na64mu.events.skeleton import skeleton

    text = skeleton(file, tree)
    if output is None:
        click.echo(text, nl=False)
        return
    with writing(output):
        output.parent.mkdir(parents=True, exist_ok=True)
    write_whole(output, text)
    click.echo(f"wrote {output}: look at every line, then try `na64mu check {file} --layout {output}`", err=True)
