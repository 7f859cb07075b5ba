"""Every code block of the README, of CONTRIBUTING and of the documentation runs as it stands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from page_blocks import NOT_RUN, NOT_RUN_WITH, Block, blocks_of, commands_of, parse, run_block, why_not_run

from na64mu.report.html import SECTIONS
from na64mu.selections.user import as_in_a_new_process

ROOT = Path(__file__).parents[2]
NAMES = sorted(
    ["README.md", "CONTRIBUTING.md", *(p.relative_to(ROOT).as_posix() for p in (ROOT / "docs").rglob("*.md") if "_build" not in p.parts)]
)
PAGES = [name for name in NAMES if blocks_of(ROOT / name)]
KINDS = {"sh", "python", "toml", "text"}

#: Blocks of code that are not run: page -> words of the block -> why.
NOT_RUN_HERE = {
    "docs/cluster.md": {
        "from dask_jobqueue import": "wants a batch system; the page says that it was not run",
        "from dask_gateway import": "wants a gateway; the page says that it was not run",
    }
}


#: Pages whose runs draw their figures and reports: five seconds each, and the same code for all.
DRAWN = ("docs/tutorial.md",)


def is_run(page: str, block: Block) -> bool:
    return not any(words in block.text for words in NOT_RUN_HERE.get(page, {}))


@pytest.fixture
def cuts_as_before() -> Iterator[None]:
    """What a page registers is forgotten behind it."""
    sections = list(SECTIONS)
    with as_in_a_new_process():
        yield
    SECTIONS[:] = sections


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.usefixtures("cuts_as_before")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_every_block_of_a_page_runs(page, tmp_path, monkeypatch, own_files):
    import matplotlib as mpl

    mpl.use("agg")
    monkeypatch.chdir(tmp_path)
    own_files(page)
    if page not in DRAWN:
        for name in ("write_figures", "write_html"):
            monkeypatch.setattr(f"na64mu.report.{name}", lambda result, folder: [])
    namespace: dict[str, object] = {"__name__": "__page__"}
    for block in blocks_of(ROOT / page):
        if is_run(page, block):
            try:
                run_block(block, namespace)
            except Exception as error:  # noqa: BLE001  # whatever it is, the page and the line are wanted
                pytest.fail(f"{page}:{block.line}: {type(error).__name__}: {error}")


@pytest.mark.parametrize("page", PAGES)
def test_every_block_has_a_kind_that_is_run(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    assert {block.kind for block in blocks_of(ROOT / page)} <= KINDS
    n_fences = len(re.findall(r"^[ ]*```", text, flags=re.MULTILINE))
    directives = len(re.findall(r"^[ ]*```\{", text, flags=re.MULTILINE))
    assert n_fences == 2 * (len(blocks_of(ROOT / page)) + directives)


def test_what_is_not_run_is_still_in_the_pages():
    commands = [c for page in PAGES for b in blocks_of(ROOT / page) if b.kind == "sh" for c in commands_of(b.text)]
    for start in NOT_RUN:
        assert any(command.startswith(start) for command in commands), start
    for word in NOT_RUN_WITH:
        assert any(word in command.split() for command in commands), word
    for page, reasons in NOT_RUN_HERE.items():
        assert all(any(words in b.text for b in blocks_of(ROOT / page)) for words in reasons)


@pytest.mark.parametrize("page", NAMES)
def test_commands_within_a_line_exist(page):
    """`na64mu ...` in the text: verb and options exist; words in capitals, dots and slashes stand for something."""
    from click.testing import CliRunner

    from na64mu.cli import VERBS, main

    text = re.sub(r"```.*?```", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL)
    for verb, rest in re.findall(r"`na64mu ([a-z]+)([^`]*)`", text):
        assert verb in VERBS, (page, verb)
        known = CliRunner().invoke(main, [verb, "--help"]).output
        for option in re.findall(r"(?<!\S)--?[a-z0-9][a-z0-9-]*", rest):
            assert option in known, (page, verb, option)


def test_a_wrong_block_would_be_seen(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(click.NoSuchOption, match="--publisched"):
        parse("na64mu limits --publisched")
    with pytest.raises(click.BadParameter, match="'zprim' is not one of"):
        parse("na64mu limits --published --model zprim")
    with pytest.raises(NameError):
        run_block(Block("python", "absent.thing()", 1), {})
    with pytest.raises(AssertionError, match="nobody knows how to run: rm -r out"):
        run_block(Block("sh", "rm -r out\n", 1), {})
    with pytest.raises(AssertionError, match="exit code 1"):
        run_block(Block("sh", "na64mu check absent.root\n", 1), {})
    with pytest.raises(AssertionError, match="names its file"):
        run_block(Block("toml", "a = 1\n", 1), {})
    assert why_not_run("na64mu run x.root") == ""
    assert why_not_run("na64mu run x.root --executor dask")


def test_blocks_in_a_list_and_joined_lines_are_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "1. One\n\n   ```sh\n   na64mu run a.root \\\n     -o out/  # why\n\n   # only a word\n   ```\n\n```{toctree}\nx\n```\n"
    )
    (block,) = blocks_of(page)
    assert (block.kind, block.line) == ("sh", 3)
    assert list(commands_of(block.text)) == ["na64mu run a.root    -o out/"]
