"""Code blocks of a page, and how each kind is run: as a reader would, from the top to the bottom in one folder.

- `sh`: every `na64mu` command goes through the real command line, in this process; files that a pattern names must be there.
- `python`: run in one namespace of the page.
- `toml`: begins with a comment that names the file; it is written to it, and read by the loader of its kind.
- `text`: shown and not run.

What is not a `na64mu` command, or would take too long, stands in NOT_RUN with the reason; a `na64mu` command among these is parsed all
the same, so that each of its options and choices exists.
"""

from __future__ import annotations

import re
import shlex
import textwrap
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from click.testing import CliRunner

from na64mu.cli import main
from na64mu.selections.user import as_in_a_new_process

__all__ = ("NOT_RUN", "Block", "blocks_of", "commands_of", "parse", "run_block", "why_not_run")

BLOCK = re.compile(r"^(?P<indent>[ ]*)```(?P<kind>[a-z]+)\n(?P<text>.*?)^(?P=indent)```[ ]*$", re.MULTILINE | re.DOTALL)

#: Beginning of a command -> why it is not run.
NOT_RUN = {
    "make ": "sets up an environment of its own; tests/house looks whether the Makefile has the target",
    "pip install": "installs; the wheel is built and looked into by tests/house",
    "export ": "a setting of the shell for the commands behind it",
    "dask ": "belongs to Dask, and wants hosts",
    "na64mu limits": "half a minute each; tests/cli/test_cli_limits.py runs it with few masses",
    "na64mu project": "ten seconds of curves; tests/cli/test_cli_beyond.py runs it",
    "na64mu align": "ten seconds; tests/alignment runs it",
}
#: The same for commands with certain words in them.
NOT_RUN_WITH = {
    "--scheduler": "wants a Dask scheduler; tests/execution starts one",
    "--executor": "starts processes that import everything; tests/execution compares the executors",
}


@dataclass(frozen=True)
class Block:
    """One block: its kind, its text without indentation, and its first line in the page."""

    kind: str
    text: str
    line: int


def blocks_of(page: Path) -> list[Block]:
    """Blocks of a page with a kind, in order; directives of the documentation are none."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(found["kind"], textwrap.dedent(found["text"]), text.count("\n", 0, found.start()) + 1)
        for found in BLOCK.finditer(text)
    ]  # fmt: skip


def commands_of(text: str) -> Iterator[str]:
    """Commands of a shell block: lines without comments, those that end with a backslash joined."""
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if words:
            yield re.sub(r"\s+#.*$", "", line).strip()


def why_not_run(command: str) -> str:
    """The reason, or nothing if a command is run."""
    found = [reason for start, reason in NOT_RUN.items() if command.startswith(start)]
    return next(iter(found), "") or next((reason for word, reason in NOT_RUN_WITH.items() if word in command.split()), "")


def _words(command: str) -> list[str]:
    """Words of a command as the shell gives them to na64mu, with patterns replaced by the files they name."""
    words: list[str] = []
    for word in shlex.split(command)[1:]:
        found = sorted(map(str, Path().glob(word))) if any(sign in word for sign in "*?[") else []
        words += found or [word]
    return words


def parse(command: str) -> None:
    """Let the command line parse a command as it does before a verb runs: every option and choice must exist."""
    verb, *words = shlex.split(command)[1:]
    known = main.get_command(click.Context(main), verb)
    assert known is not None, f"there is no verb {verb}"
    for word in words:  # what must exist is there
        if word.endswith("/"):
            Path(word).mkdir(parents=True, exist_ok=True)
    known.make_context(verb, words)


def run_block(block: Block, namespace: dict[str, Any]) -> int:
    """Run a block; the number of things that were run in it."""
    if block.kind == "python":
        exec(compile(block.text, f"<line {block.line}>", "exec", dont_inherit=True), namespace)  # what a reader types
        return 1
    if block.kind == "toml":
        _load(block.text)
        return 1
    if block.kind != "sh":
        return 0
    with as_in_a_new_process():  # a command is one: what the python of the page has registered is not in it
        return sum(_run(command) for command in commands_of(block.text))


def _run(command: str) -> bool:
    assert command.startswith("na64mu ") or why_not_run(command), f"nobody knows how to run: {command}"
    if why_not_run(command):
        if command.startswith("na64mu "):
            parse(command)
        return False
    done = CliRunner().invoke(main, _words(command), catch_exceptions=False)
    assert done.exit_code == 0, f"{command}: exit code {done.exit_code}\n{done.output}"
    return True


def _load(text: str) -> None:
    """Write a TOML block to the file that its first line names, and read it as what it is."""
    from na64mu.analysis.combination import read_correlations
    from na64mu.detector.description import read_detector
    from na64mu.events.layout import load_layout
    from na64mu.selections import load_working_point

    named = re.match(r"# (\S+\.toml)\n", text)
    assert named, f"the first line of a TOML block names its file: {text.splitlines()[0]}"
    path = Path(named[1])
    path.write_text(text, encoding="utf-8")
    content = tomllib.loads(text)
    if "correlations" in content:
        read_correlations(path)
    elif "trees" in content:
        load_layout(path)
    elif content.get("kind") in ("conditions", "hidden"):
        read_detector(path)
    else:
        load_working_point(path)
