"""`na64mu completion`: the script that makes a shell complete verbs, options and choices with Tab."""

from __future__ import annotations

import click

__all__ = ("command",)


@click.command(name="completion", short_help="Script that makes a shell complete verbs and options with Tab.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the script that makes SHELL complete verbs, options and choices with Tab.

    For bash and zsh put the first line below into ~/.bashrc or ~/.zshrc (with zsh in the place of bash); fish reads its file by itself.
    """
    from click.shell_completion import get_completion_class

    from na64mu.cli import main
    from na64mu.errors import InputError

    completer = get_completion_class(shell)
    if completer is None:
        msg = f"this version of click has no completion for {shell}"
        raise InputError(msg)
    try:
        click.echo(completer(main, {}, "na64mu", "_NA64MU_COMPLETE").source())
    except RuntimeError as error:  # bash older than 4.4, or none
        msg = f"no completion for {shell}: {error}"
        raise InputError(msg) from error
