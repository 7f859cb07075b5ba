"""The command line `na64mu <verb>`: parses, calls the library, prints. A verb's module is imported only when it is used.

Exit codes: 0 good, 1 failed, 2 usage, 3 finished with lost input. Tables go to stdout, logs and errors to stderr.
"""

from __future__ import annotations

import errno
import importlib
from typing import TYPE_CHECKING, Any, NoReturn

import click

from na64mu import __version__
from na64mu.cli.ending import INTERRUPTED, TERMINATED, TerminatedError, goes_on, listen, own_backend
from na64mu.cli.examples import EXAMPLES, FIRST_STEPS, epilog
from na64mu.cli.files import check_files
from na64mu.cli.hints import nearest, suggestion, with_hint
from na64mu.cli.say import LogFormatter, any_encoding, note
from na64mu.errors import FolderInUseError, Na64muError, OutputError, one_line, reason_of_os

if TYPE_CHECKING:
    from collections.abc import Iterable

    from click.shell_completion import CompletionItem

__all__ = ("VERBS", "main")

#: Verbs in the order of the chain, each with the line that `na64mu --help` shows; verb v is `command` of na64mu.cli.v.
VERBS = {
    "simulate": "Make a raw tree: beam muons, hadrons or Z' events.",
    "mock": "Make data-like files of simulation, to rehearse an unblinding.",
    "sample": "List or copy the small simulated sample of the package.",
    "check": "Read files against the raw-tree form; say what is wrong and where.",
    "layout": "Write a first layout for a foreign tree.",
    "skim": "Rewrite raw trees to fast files; nothing is lost.",
    "reconstruct": "Turn raw trees into event summaries, one row per event.",
    "calibrate": "Fit MIP peaks of a calibration sample; record the thresholds.",
    "align": "Align and calibrate the trackers with beam muons.",
    "run": "The main job: raw trees in, cut-flow and (p_out, E_CAL) plane out.",
    "freeze": "Write down everything that decides about a search, before its box is opened.",
    "unblind": "Open the signal box of a frozen search, with a record.",
    "display": "Draw one event: hits, tracks and calorimeter cells.",
    "efficiency": "Signal efficiency against mass, from simulated Z' events.",
    "optimise": "Signal box with the best expected limit, from blinded data and simulation.",
    "limits": "Limits on g and y of an output folder, or of the Letter's numbers.",
    "recast": "Limits on your own model, from its events or yields.",
    "project": "Expected limits with more muons and the improvements the Letter names.",
    "paper": "The whole Letter from simulated events, beside the published numbers.",
    "report": "Make plane and HTML report of an output folder again.",
    "detector": "List the detector descriptions, or print one with its sources.",
    "glossary": "Explain a word: MIP, MOT, MS1, V1, spill, ...",
    "doctor": "Say what this installation has, lacks, and whether it works.",
    "completion": "Script that makes a shell complete verbs and options with Tab.",
}


class VerbContext(click.Context):
    """The context of one verb: the group reads the command from it, to say how to continue an interrupted verb."""

    KEY = "na64mu.verb"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.meta[self.KEY] = self.params

    def invoke(self, *args: Any, **kwargs: Any) -> Any:
        """Look at the named files, then do the work."""
        check_files(self)
        return super().invoke(*args, **kwargs)


class VerbGroup(click.Group):
    """A click group that knows its verbs by name and imports the module of the one that is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's signature)
        """Names of all verbs, in the order of the chain."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 (click's signature)
        """The command of one verb, imported now; None if there is no such verb."""
        if cmd_name not in VERBS:
            return None
        command = importlib.import_module(f"na64mu.cli.{cmd_name}").command
        if not isinstance(command, click.Command):
            msg = f"na64mu.cli.{cmd_name}.command is not a click command"
            raise TypeError(msg)
        command.context_class = VerbContext
        command.epilog = epilog(EXAMPLES.get(cmd_name, ()), "Examples")
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Verbs and options for Tab, without importing any verb."""
        from click.shell_completion import CompletionItem

        verbs = [CompletionItem(name, help=line) for name, line in VERBS.items() if name.startswith(incomplete)]
        return [*verbs, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 (click's signature)
        """Write the list of verbs without importing any of them."""
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb, or suggest the nearest one."""
        if args[0] not in VERBS and not args[0].startswith("-"):
            _unknown_verb(ctx, args[0])
        return super().resolve_command(ctx, args)

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command line; a request to end that comes when the verb has just ended is no error either."""
        try:
            return super().main(*args, **kwargs)
        except TerminatedError:
            raise SystemExit(TERMINATED) from None

    def invoke(self, ctx: click.Context) -> object:
        """Run the verb; an error with a known cause becomes one sentence on stderr and its exit code."""
        try:
            return super().invoke(ctx)
        except click.BadParameter as error:
            raise _printable(with_hint(error)) from error
        except click.ClickException as error:
            raise _printable(error) from error
        except Na64muError as error:
            further = _further(ctx) if isinstance(error, OutputError) and not isinstance(error, FolderInUseError) else ""
            _say_error(f"{line}{suggestion(str(error)) if i == 0 else ''}" for i, line in enumerate([*error.args, *further]))
            ctx.exit(error.exit_code)
        except OSError as error:
            if error.errno in {None, errno.EPIPE}:
                raise
            where = "" if error.filename is None else f"{error.filename}: "
            _say_error([f"{where}{reason_of_os(error)}", *_further(ctx)])
            ctx.exit(1)
        except KeyboardInterrupt:
            _say_end(ctx, "interrupted")
            ctx.exit(INTERRUPTED)
        except TerminatedError:
            _say_end(ctx, "ended, because another program asked for it (SIGTERM)")
            ctx.exit(TERMINATED)


def _printable(error: click.ClickException) -> click.ClickException:
    vars(error)["message"] = one_line(error.message)
    return error


def _say_error(lines: Iterable[object]) -> None:
    for i, line in enumerate(lines):
        note(f"{'' if i else 'Error: '}{line}")


def _further(ctx: click.Context) -> list[str]:
    """Say how to continue, in one sentence or none."""
    verb = ctx.invoked_subcommand
    words = goes_on(verb, ctx.meta.get(VerbContext.KEY, {})) if verb in VERBS and VerbContext.KEY in ctx.meta else ""
    return [words] if words else []


def _say_end(ctx: click.Context, how: str) -> None:
    further = _further(ctx)
    note(f"{ctx.invoked_subcommand}: {how}. {further[0] if further else 'Nothing that was begun is kept.'}")


def _unknown_verb(ctx: click.Context, name: str) -> NoReturn:
    near = nearest(name, VERBS)
    hint = f"did you mean {near!r}?" if near else f"the verbs are {', '.join(VERBS)}."
    ctx.fail(f"there is no verb {name!r}: {hint}")


@click.group(
    name="na64mu",
    cls=VerbGroup,
    subcommand_metavar="VERB [ARGS]...",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=epilog(FIRST_STEPS, "First steps (`na64mu VERB --help` has examples of each verb)"),
)
@click.version_option(__version__, package_name="na64mu")
@click.option("-v", "--verbose", count=True, help="Log more to stderr: -v progress, -vv details.")
@click.option("-q", "--quiet", is_flag=True, help="Log errors only.")
@click.pass_context
def main(ctx: click.Context, verbose: int, quiet: bool) -> None:
    """Software for the NA64mu dark-sector search: ROOT trees in, cut-flow and (p_out, E_CAL) plane out."""
    import logging

    any_encoding()
    ctx.call_on_close(listen())
    ctx.call_on_close(own_backend())
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it warns of the user's settings, which are not used, and of its caches
    level = logging.ERROR if quiet else (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)]
    handler = logging.StreamHandler()
    handler.setFormatter(LogFormatter("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(handlers=[handler])
    logging.getLogger("na64mu").setLevel(level)
