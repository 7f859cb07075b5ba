"""Files on the command line: never one overwritten that is read, never a wait without end, never a line that somebody else wrote."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from na64mu.cli import main
from na64mu.errors import InputError, OutputError, one_line
from na64mu.execution.targets import must_be_apart, must_be_writable

SAMPLE = Path(__file__).parents[2] / "data" / "sample"


def na64mu(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments], catch_exceptions=False)


@pytest.fixture
def muons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of one's own in the folder in which one works."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(SAMPLE / "calibration_1.root", tmp_path / "f.root")
    return tmp_path / "f.root"


def other_names(file: Path) -> dict[str, str]:
    """The same file by other names."""
    (file.parent / "sub").mkdir()
    (file.parent / "soft.root").symlink_to(file)
    os.link(file, file.parent / "hard.root")
    return {"itself": "f.root", "absolute": str(file), "detour": "sub/../f.root", "soft": "soft.root", "hard": "hard.root"}


@pytest.mark.parametrize("name", ["itself", "absolute", "detour", "soft", "hard"])
@pytest.mark.parametrize("verb", ["skim", "reconstruct", "calibrate", "align", "display"])
def test_an_input_is_never_overwritten(verb, name, muons):
    output, before = other_names(muons)[name], muons.read_bytes()
    done = na64mu(verb, "f.root", "-o", output)
    assert done.exit_code in (1, 2)
    assert done.stderr.count("\n") <= 4
    assert muons.read_bytes() == before
    assert "would be overwritten: choose another output" in done.stderr or (verb == "display" and "the ending chooses" in done.stderr)


@pytest.mark.parametrize("verb", ["skim", "reconstruct", "calibrate", "align"])
@pytest.mark.parametrize("given", ["*.root", "."])
def test_nor_one_that_is_named_by_a_pattern_or_its_folder(verb, given, muons):
    before = muons.read_bytes()
    done = na64mu(verb, given, "-o", "f.root")
    assert (done.exit_code, done.stderr.count("\n")) == (1, 1)
    assert "f.root: is read as an input (f.root) and would be overwritten" in done.stderr
    assert muons.read_bytes() == before


def test_nor_a_description_a_layout_a_table_or_a_list_of_files(muons):
    for name in ("d.toml", "recast.csv", "cutflow.json"):
        Path(name).write_text("x")
    for arguments in (
        ["calibrate", "f.root", "--detector", "d.toml", "-o", "d.toml"],
        ["calibrate", "f.root", "--layout", "d.toml", "-o", "d.toml"],
        ["align", "f.root", "--detector", "d.toml", "-o", "d.toml"],
        ["align", "f.root", "--millepede", "f.root", "-o", "a.toml"],
        ["simulate", "-n", "1", "--detector", "d.toml", "-o", "d.toml"],
        ["recast", "recast.csv", "-o", "."],
        ["run", "cutflow.json", "-o", "."],
    ):
        done = na64mu(*arguments)
        assert done.exit_code == 1, arguments
        assert "would be overwritten" in done.stderr
    assert Path("d.toml").read_text() == Path("recast.csv").read_text() == "x"
    done = na64mu("align", "f.root", "-o", "a.toml", "--millepede", "a.toml")
    assert "a.toml: is named as the output twice" in done.stderr


def test_an_address_is_no_file(tmp_path):
    must_be_apart(tmp_path / "a", ["root://host/a", tmp_path / "b"])
    (tmp_path / "a").touch()
    with pytest.raises(InputError, match="would be overwritten"):
        must_be_apart(tmp_path / "a", [tmp_path / "a"])


SPECIAL = [
    ("run", "{}"), ("check", "{}"), ("skim", "{}", "-o", "x.root"), ("reconstruct", "{}", "-o", "x.root"), ("display", "{}"),
    ("calibrate", "{}"), ("align", "{}", "-o", "x.toml"), ("recast", "{}"), ("run", "f.root", "--layout", "{}"),
    ("run", "f.root", "--selection", "{}"), ("simulate", "-n", "1", "--detector", "{}", "-o", "x.root"),
    ("efficiency", "--selection", "{}", "-o", "x.json"), ("limits", "--published", "--efficiency", "{}"),
]  # fmt: skip


@pytest.mark.parametrize("arguments", SPECIAL, ids=" ".join)
@pytest.mark.parametrize("kind", ["fifo", "device"])
def test_a_fifo_or_a_device_is_no_input(arguments, kind, muons):
    os.mkfifo("p.root")
    path = "p.root" if kind == "fifo" else "/dev/zero"
    done = na64mu(*(a.format(path) for a in arguments))
    assert done.exit_code == 1
    words = "a fifo (named pipe)" if kind == "fifo" else "a device"
    assert done.stderr == f"Error: {path}: is {words}, a file is needed\n"


@pytest.mark.parametrize("verb", ["run", "check", "skim"])
def test_a_fifo_or_a_folder_among_the_files_of_a_folder(verb, muons):
    folder = muons.parent / "all"
    folder.mkdir()
    os.mkfifo(folder / "p.root")
    (folder / "q.root").mkdir()
    shutil.copy(muons, folder / "r.root")
    done = na64mu(verb, "all", *(() if verb == "check" else ("-o", "out.root")))
    assert done.exit_code == {"run": 3, "check": 1, "skim": 1}[verb]
    shown = " ".join(done.output.split())
    assert "p.root" in shown
    assert "is a fifo, a device or a socket, a ROOT file is needed" in shown


def test_a_device_is_no_output(muons):
    done = na64mu("skim", "f.root", "-o", "/dev/null")
    assert (done.exit_code, done.stderr) == (1, "Error: /dev/null: cannot be written: it is a device\n")


def test_a_place_that_cannot_be_written_is_said_before_the_work(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"file.out: cannot be written: .*file is a file, not a folder"):
        must_be_writable(tmp_path / "file" / "out")
    must_be_writable(tmp_path / "new" / "newer" / "out")
    must_be_writable(tmp_path / "file")
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(OutputError, match=r"out: cannot be written: the folder .* may not be written to"):
        must_be_writable(tmp_path / "out")


def test_an_unknown_ending_of_a_picture_is_said_before_the_work(tmp_path):
    done = na64mu("display", "no_such_file.root", "-o", tmp_path / "ev.xyz")
    assert done.exit_code == 2
    assert "one of .png, .pdf, .svg, .jpg, .jpeg, .webp, .tif, .tiff is wanted" in done.stderr


FORGED = "a\x1b[2Jb\nOK: good.root"


@pytest.mark.parametrize("good", [True, False])
@pytest.mark.parametrize("verb", ["check", "run", "skim", "reconstruct", "calibrate"])
def test_a_file_name_cannot_forge_a_line(verb, good, muons, monkeypatch):
    """The name of a file comes from other people; a terminal obeys what it is sent."""
    for name in ("write_figures", "write_html"):
        monkeypatch.setattr(f"na64mu.report.{name}", (lambda *_: []) if name == "write_figures" else (lambda *_: Path("report.html")))
    if good:
        muons.rename(FORGED)
    else:
        Path(FORGED).write_text("no ROOT file")
    output = {"check": [], "run": ["-o", "out\x1b]0;x\x07"], "calibrate": ["-o", "c\x1b.toml"]}.get(verb, ["-o", f"{FORGED}.root"])
    done = na64mu(verb, FORGED, *output)
    assert done.exit_code == (0 if good else 1), done.output
    assert "\x1b" not in done.output
    assert not any(line.strip().startswith("OK") for line in done.output.splitlines())
    assert r"\x1b" in done.output


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ±χ", "plain ±χ"),
        ("a\x1b[2J", r"a\x1b[2J"),
        ("a\nb\r\tc", r"a\nb\r\tc"),
        ("\x9b31m", r"\x9b31m"),
        ("\u202eevil", r"\u202eevil"),
        ("\u2028", r"\u2028"),
        ("bytes \udcff", r"bytes \xff"),
        ("\x00\x7f", r"\x00\x7f"),
    ],
)
def test_what_a_terminal_obeys_is_written_out(text, shown):
    assert one_line(text) == shown
    assert one_line(shown) == shown
