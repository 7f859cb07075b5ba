"""The group of verbs: help, typos, errors and exit codes."""

from __future__ import annotations

import errno
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from na64mu import __version__
from na64mu.cli import VERBS, VerbGroup, main
from na64mu.cli.ending import TerminatedError
from na64mu.errors import InputError, Na64muError, OutputError

HEAVY = ("numpy", "numba", "awkward", "coffea", "matplotlib", "pydantic", "uproot", "hist", "rich", "scipy")


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["rnu"]])
def test_the_group_imports_nothing_heavy(arguments):
    code = f"""
import sys
from na64mu.cli import main
try:
    main({arguments!r})
except SystemExit:
    pass
print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
"""
    assert python(code).stderr.splitlines()[-1] == "[]"


def test_help_shows_every_verb_with_its_line():
    done = CliRunner().invoke(main, ["--help"], terminal_width=200)
    assert done.exit_code == 0
    for verb, line in VERBS.items():
        assert any(shown.split()[:1] == [verb] and line in shown for shown in done.output.splitlines()), verb


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_every_verb(verb):
    done = CliRunner().invoke(main, [verb, "--help"])
    assert done.exit_code == 0, done.output
    assert f"Usage: na64mu {verb}" in done.output
    assert main.get_command(click.Context(main), verb).name == verb


def test_version():
    assert CliRunner().invoke(main, ["--version"]).output == f"na64mu, version {__version__}\n"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("rnu", "there is no verb 'rnu': did you mean 'run'?"),
        ("recontruct", "did you mean 'reconstruct'?"),
        ("xyzzy", f"there is no verb 'xyzzy': the verbs are {', '.join(VERBS)}."),
    ],
)
def test_an_unknown_verb_is_a_usage_error(typed, said):
    done = CliRunner().invoke(main, [typed])
    assert done.exit_code == 2
    assert said in done.stderr
    assert done.stdout == ""


def test_an_unknown_option_is_a_usage_error():
    done = CliRunner().invoke(main, ["--colour", "run"])
    assert done.exit_code == 2
    assert "--colour" in done.stderr


def raising(error: BaseException) -> VerbGroup:
    @click.command()
    def command() -> None:
        raise error

    class Group(VerbGroup):
        def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
            return command

    return Group(name="na64mu")


class LostError(Na64muError):
    exit_code = 3


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (InputError("a.root: entry 3: NaN in ecal_energy"), 1, "Error: a.root: entry 3: NaN in ecal_energy\n"),
        (LostError("b.root: lost"), 3, "Error: b.root: lost\n"),
        (PermissionError(errno.EACCES, "Permission denied", "out"), 1, "Error: out: permission denied\n"),
        (OutputError("out/a: cannot be written: no space left on device"), 1, "Error: out/a: cannot be written: no space left on device\n"),
        (OSError(errno.ENOSPC, "No space left on device"), 1, "Error: no space left on device\n"),
        (KeyboardInterrupt(), 130, "run: interrupted. Nothing that was begun is kept.\n"),
        (TerminatedError(), 143, "run: ended, because another program asked for it (SIGTERM). Nothing that was begun is kept.\n"),
        (
            InputError("no input can be read:", "a\x1b[2Jb\nOK: good.root: bad"),
            1,
            "Error: no input can be read:\na\\x1b[2Jb\\nOK: good.root: bad\n",
        ),
        (click.UsageError("no \x1b[31m"), 2, None),
    ],
)
def test_an_error_becomes_a_sentence_and_its_exit_code(error, code, said):
    done = CliRunner().invoke(raising(error), ["run"])
    assert (done.exit_code, done.stdout) == (code, "")
    assert done.stderr == said if said else "\x1b" not in done.stderr


def test_a_fault_of_the_program_is_not_hidden():
    done = CliRunner().invoke(raising(ZeroDivisionError("x")), ["run"])
    assert isinstance(done.exception, ZeroDivisionError)


def test_a_verb_that_is_no_command_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "na64mu.cli.run", type(sys)("na64mu.cli.run"))
    sys.modules["na64mu.cli.run"].command = 1  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match=r"na64mu\.cli\.run\.command is not a click command"):
        main.get_command(click.Context(main), "run")
