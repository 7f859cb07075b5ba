"""`na64mu glossary`: the words of the experiment and of this software, explained."""

from __future__ import annotations

import click

__all__ = ("command",)


@click.command(name="glossary", short_help="Explain a word: MIP, MOT, MS1, V1, spill, ...")
@click.argument("term", metavar="[TERM]", required=False)
def command(term: str | None) -> None:
    """Explain TERM, or every word of the glossary: detectors, quantities, and words of the analysis."""
    import textwrap

    from na64mu.cli.hints import nearest
    from na64mu.data import glossary
    from na64mu.errors import InputError

    entries = glossary()
    if term is not None:
        wanted = term.lower()
        found = {name: text for name, text in entries.items() if wanted in [word.strip().lower() for word in name.split(",")]}
        if not found:
            near = nearest(term, [word.strip() for name in entries for word in name.split(",")])
            hint = f" Did you mean {near!r}?" if near else ""
            msg = f"{term!r} is not in the glossary; `na64mu glossary` prints all of it.{hint}"
            raise InputError(msg)
        entries = found
    for name, text in entries.items():
        click.echo(click.style(name, bold=True))
        click.echo(textwrap.fill(text, 96, initial_indent="    ", subsequent_indent="    "))
