"""Help that a newcomer can follow: examples that parse, words that complete, and the nearest word for a mistyped one."""

from __future__ import annotations

import importlib.util
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.shell_completion import BashComplete
from click.testing import CliRunner

from na64mu.cli import VERBS, main
from na64mu.cli.examples import EXAMPLES, FIRST_STEPS, epilog
from na64mu.cli.hints import nearest, suggestion
from na64mu.errors import SelectionError
from na64mu.selections import load_working_point

WRITTEN = [verb for verb in VERBS if importlib.util.find_spec(f"na64mu.cli.{verb}") is not None]


def completed(*words: str) -> list[str]:
    completer = BashComplete(main, {}, "na64mu", "_NA64MU_COMPLETE")
    return [item.value for item in completer.get_completions(list(words[:-1]), words[-1])]


def test_every_verb_has_examples():
    assert set(WRITTEN) <= set(EXAMPLES)
    assert set(EXAMPLES) <= set(VERBS)
    assert all(EXAMPLES.values())


@pytest.mark.parametrize("verb", WRITTEN)
def test_help_ends_with_the_examples(verb):
    done = CliRunner().invoke(main, [verb, "--help"])
    lines = [line.strip() for line in done.output.splitlines()]
    assert lines[-len(EXAMPLES[verb]) - 1 :] == ["Examples:", *EXAMPLES[verb]]


def test_the_group_shows_the_first_steps():
    shown = CliRunner().invoke(main, ["--help"]).output
    assert all(f"    {command}\n" in shown for command in FIRST_STEPS)


def test_no_commands_give_no_text():
    assert epilog((), "Examples") == ""


def parsed(command: str) -> tuple[str, dict[str, object]]:
    """Verb and parameters of an example, with everything behind the verb parsed as click does before it runs."""
    words = shlex.split(command.removeprefix('eval "$(').removesuffix(')"'))
    words = words[: words.index(">")] if ">" in words else words
    assert words[0] == "na64mu"
    verb = main.get_command(click.Context(main), words[1])
    assert verb is not None
    for word in words[2:]:  # options that want an existing file or folder find one
        if word.endswith("/"):
            Path(word).mkdir(exist_ok=True)
        elif Path(word).suffix in {".root", ".toml", ".csv", ".json"} and "*" not in word:
            Path(word).parent.mkdir(exist_ok=True)
            Path(word).touch()
    return words[1], verb.make_context(words[1], words[2:]).params


@pytest.mark.parametrize("command", [c for verb in WRITTEN for c in EXAMPLES.get(verb, ())] + list(FIRST_STEPS))
def test_an_example_parses(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    verb, parameters = parsed(command)
    assert verb in command.split()
    assert parameters


@pytest.mark.parametrize("verb", WRITTEN)
def test_every_default_is_accepted_by_its_option(verb):
    """A default is what a user could have typed: converted again it gives the same."""
    command = main.get_command(click.Context(main), verb)
    context = click.Context(command, info_name=verb)
    for parameter in command.params:
        default = parameter.get_default(context)
        if default is None or parameter.nargs == -1 or getattr(parameter, "multiple", False) or "UNSET" in repr(default):
            continue
        typed = str(default) if not isinstance(default, bool) else default
        assert parameter.type_cast_value(context, typed) == parameter.type_cast_value(context, default), (verb, parameter.name)


def test_an_example_with_a_wrong_option_would_be_seen(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(click.NoSuchOption, match="--exekutor"):
        parsed("na64mu run beam.root --exekutor dask")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "a.root", "--executor", "futurs"], "'futurs' is not one of 'iterative', 'futures', 'dask'. Did you mean 'futures'?"),
        (["simulate", "-n", "3", "-o", "x.root", "--engine", "GENT4"], "Did you mean 'geant4'?"),
        (["simulate", "-n", "3", "-o", "x.root", "--process", "zprim"], "Did you mean 'zprime'?"),
        (["limits", "--published", "--model", "scaler"], "Did you mean 'scalar'?"),
        (["run", "a.root", "--selektion", "x"], "Did you mean '--selection'?"),
        (["completion", "bsh"], "Did you mean 'bash'?"),
    ],
)
def test_a_mistyped_option_or_choice_is_suggested(arguments, said):
    done = CliRunner().invoke(main, arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr


def test_a_word_like_no_other_has_no_suggestion():
    done = CliRunner().invoke(main, ["run", "a.root", "--executor", "qqqq"])
    assert done.exit_code == 2
    assert "Did you mean" not in done.stderr
    assert nearest("qqqq", ["futures", "dask"]) == ""
    assert nearest("DASK", ["futures", "dask"]) == "dask"


@pytest.mark.parametrize(
    ("arguments", "near"),
    [
        (["detector", "na64mu-2021"], "na64mu-2022"),
        (["simulate", "-n", "3", "--detector", "g4raw-indep", "-o", "x.root"], "g4raw-indep-1"),
    ],
)
def test_a_mistyped_name_of_the_library_is_suggested(arguments, near, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 1
    assert f"Did you mean {near!r}?" in done.stderr


def test_a_mistyped_selection_or_dataset_is_suggested():
    with pytest.raises(SelectionError) as error:
        load_working_point("prl2023")
    assert suggestion(str(error.value)) == " Did you mean 'prl2024'?"
    assert suggestion("no dataset 'phisics' in the output folder: there are calibration, physics") == " Did you mean 'physics'?"


def test_other_messages_are_left_alone():
    assert suggestion("a.root: entry 3: NaN in ecal_energy") == ""
    assert suggestion("no detector description 'qqqq': known are g4raw-indep-1, na64mu-2022; give one of these") == ""


def test_tab_completes_verbs_options_choices_and_files():
    assert completed("")[: len(VERBS)] == list(VERBS)
    assert completed("re") == [verb for verb in VERBS if verb.startswith("re")]
    assert completed("run", "--exe") == ["--executor"]
    assert completed("run", "--executor", "f") == ["futures"]
    assert completed("--verb") == ["--verbose"]
    completer = BashComplete(main, {}, "na64mu", "_NA64MU_COMPLETE")
    assert [item.type for item in completer.get_completions(["run"], "bea")] == ["file"]


def test_tab_after_the_name_imports_no_verb():
    code = (
        "import sys; from click.shell_completion import BashComplete; from na64mu.cli import main; "
        "BashComplete(main, {}, 'na64mu', '_NA64MU_COMPLETE').get_completions([], ''); "
        "print([m for m in sys.modules if m.startswith(('na64mu.cli.run', 'numpy', 'rich'))])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_completion_script_names_the_command(shell):
    done = CliRunner().invoke(main, ["completion", shell])
    assert done.exit_code == 0
    assert "_NA64MU_COMPLETE" in done.stdout
    assert "na64mu" in done.stdout


def test_a_shell_without_completion_is_said(monkeypatch):
    def fails(self: object) -> str:
        message = "Shell completion is not supported for Bash versions older than 4.4."
        raise RuntimeError(message)

    monkeypatch.setattr(BashComplete, "source", fails)
    done = CliRunner().invoke(main, ["completion", "bash"])
    assert done.exit_code == 1
    assert "no completion for bash: Shell completion is not supported for Bash versions older than 4.4." in done.stderr


def test_a_kind_of_shell_that_click_lost_is_said(monkeypatch):
    monkeypatch.setattr("click.shell_completion.get_completion_class", lambda shell: None)
    done = CliRunner().invoke(main, ["completion", "fish"])
    assert done.exit_code == 1
    assert "this version of click has no completion for fish" in done.stderr
