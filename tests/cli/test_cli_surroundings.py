"""Every verb in the surroundings that users have: terminals of any width, files, no HOME, an output that knows ASCII only, their matplotlibrc."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from terminals import Terminal

from na64mu.cli import VERBS, main
from na64mu.execution import progress
from na64mu.paper import chain
from na64mu.paper.workflow import Step

SAMPLE = Path(__file__).parents[2] / "data" / "sample"
MUONS = str(SAMPLE / "calibration_1.root")
LIMITS = ["--published", "--masses", "2", "--range", "0.01", "0.1", "--no-targets", "--no-figures"]


def write_text(place: Path, parameters: Any) -> list[Path]:
    """The work of a step that takes no time."""
    (place / "numbers.txt").write_text(str(parameters))
    return [place / "numbers.txt"]


def small_paper(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real chain and workflow with steps that take no time: two samples and two steps of the analysis."""

    def report(folder: Path, *_: object, **__: object) -> Path:
        head = "quantity,unit,letter,ours,letter_is_upper,ours_is_upper,ours_error,verdict\n"
        (folder / "comparison.csv").write_text(f"{head}efficiency \u00b1,%,12,11.9,0,0,0.2,agrees\n", encoding="utf-8")
        return folder / "report.html"

    monkeypatch.setattr(chain, "sample_step", lambda sample, *_: Step(f"sample_{sample.name}", "simulate", write_text))
    monkeypatch.setattr(
        chain, "analysis_steps", lambda *_: (Step("one", "fit", write_text), Step("two", "draw", write_text, after=("one",)))
    )
    monkeypatch.setattr(chain, "write_report", report)


def no_alignment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads the hits, which is what takes long and shows its progress; the fit has tests of its own."""

    def stop(*_: object, **__: object) -> None:
        raise SystemExit(0)

    monkeypatch.setattr("na64mu.alignment.result.align_detector", stop)


#: What shows its progress, as cheaply as it can be asked for it: verb -> options, and what stands for work that takes minutes.
SHOWING: dict[str, tuple[list[str], Callable[[pytest.MonkeyPatch], object] | None]] = {
    "align": ([MUONS, "-o", "alignment.toml"], no_alignment),
    "calibrate": ([MUONS, "-o", "calibration.toml"], None),
    "check": ([MUONS], None),
    "efficiency": (["-n", "60", "--masses", "0.1,0.2", "--no-pile-up", "--workers", "1", "-o", "e.json", "--map", "map.json"], None),
    "limits": ([*LIMITS, "-o", "limits"], None),
    "mock": ([MUONS, "-o", "data", "--answer", "answer.json"], None),
    "optimise": (["out", "-o", "boxes", "--no-figure"], None),
    "paper": (["--quick", "--workers", "1", "-o", "paper"], small_paper),
    "project": (["--masses", "2", "-o", "projection", "--no-figure"], None),
    "reconstruct": ([MUONS, "-o", "summary.root"], None),
    "run": ([MUONS, "-o", "out"], None),
    "simulate": (["-n", "100", "-o", "simulated.root"], None),
    "skim": ([MUONS, "-o", "skimmed.root"], None),
}


@pytest.fixture
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("write_figures", "write_html"):  # drawing takes seconds and has its own tests
        monkeypatch.setattr(
            f"na64mu.report.{name}", (lambda result, folder: []) if name == "write_figures" else (lambda result, folder: Path("x"))
        )
    return tmp_path


def call(verb: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """Exit code of one verb, called in this process with the streams that there are."""
    options, stand_in = SHOWING[verb]
    if stand_in is not None:
        stand_in(monkeypatch)
    try:
        main([verb, *options])
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def test_every_verb_that_shows_progress_is_tried_here():
    folder = Path(progress.__file__).parents[1] / "cli"
    called = {"align": "alignment.py", "efficiency": "efficiency.py"}  # their work is a call of the library
    sources = {path.stem: path for path in folder.glob("*.py")} | {
        verb: folder.parent / "execution" / name for verb, name in called.items()
    }
    showing = {verb for verb, path in sources.items() if "stage(" in path.read_text(encoding="utf-8")} & set(VERBS)
    assert set(SHOWING) == showing | {"run"}  # whose progress is that of the waves


@pytest.mark.parametrize("verb", [v for v in SHOWING if v != "optimise"])
def test_a_verb_on_a_terminal(verb, in_folder, monkeypatch):
    stages: list[progress.Stage] = []
    init = progress.Stage.__init__

    def kept(self: progress.Stage, *arguments: Any) -> None:
        init(self, *arguments)
        stages.append(self)

    monkeypatch.setattr(progress.Stage, "__init__", kept)
    columns = 80 if len(verb) % 2 else 200
    with Terminal(columns) as terminal:
        code = call(verb, monkeypatch)
    assert code == 0, terminal.text
    assert "\x1b[2K" in terminal.text  # there was a bar
    assert "Traceback" not in terminal.text
    assert [s.done for s in stages if s.total is not None] == [s.total for s in stages if s.total is not None]  # it adds up


def test_a_bar_and_tables_keep_apart(in_folder, monkeypatch, capfd):
    """Progress on the terminal, tables in a file: nothing of the one gets into the other."""
    stdout = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stdout)
    with Terminal(200, stdout=False) as terminal:
        assert call("run", monkeypatch) == 0
    assert "\x1b" not in stdout.getvalue()
    assert "physics trigger" in stdout.getvalue()
    assert max(map(len, stdout.getvalue().splitlines())) <= 130
    assert "642/642 events" in terminal.text
    assert "physics trigger" not in terminal.text


ASCII = ["calibrate", "limits", "paper", "run", "simulate", "check"]


@pytest.mark.parametrize("verb", [*ASCII, "detector"])
def test_tables_where_the_output_knows_ascii_only(verb, in_folder, monkeypatch):
    """As with LC_ALL=C without UTF-8 mode, or in a pipe of an old system."""
    streams = {name: io.TextIOWrapper(io.BytesIO(), encoding="ascii", write_through=True) for name in ("stdout", "stderr")}
    for name, stream in streams.items():
        monkeypatch.setattr(sys, name, stream)
    monkeypatch.setitem(SHOWING, "detector", (["na64mu-2022"], None))
    code = call(verb, monkeypatch)
    written = {name: stream.buffer.getvalue() for name, stream in streams.items()}  # type: ignore[attr-defined]
    monkeypatch.undo()
    assert code == 0, written
    assert written["stdout"].isascii()
    assert len(written["stdout"]) > 50
    if verb == "calibrate":
        assert b"+-" in written["stdout"]


def test_a_run_in_the_worst_surroundings(tmp_path):
    """No HOME, ASCII, a dumb terminal, a backend and settings of another environment: the same run, no word too many."""
    (tmp_path / "matplotlibrc").write_text("text.usetex : True\naxes.grid : True\nno.such.key : 1\nfont.family : No Such Font\n")
    variables = {
        "PATH": os.environ["PATH"],
        "LC_ALL": "C",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "TERM": "dumb",
        "NO_COLOR": "1",
        "MPLBACKEND": "module://of.another.environment",
        "MPLCONFIGDIR": str(tmp_path),
    } | {name: value for name, value in os.environ.items() if name.startswith(("NUMBA_", "NA64MU_"))}
    command = [sys.executable, "-m", "na64mu", "run", MUONS, "-o", "out"]
    done = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii()
    assert b"physics trigger" in done.stdout
    lines = [line for line in done.stderr.decode("ascii").splitlines() if not line.endswith(" ...")]  # a busy machine names its stages
    assert lines == ["wrote out/: cutflow.json, histograms.json, summary.json, setup.json, plane.png, report.html"]
    files = {"cutflow.json", "histograms.json", "summary.json", "setup.json", "plane.png", "report.html"}
    assert {p.name for p in (tmp_path / "out").iterdir()} == files | {"manifest.json"}
    assert json.loads((tmp_path / "out" / "cutflow.json").read_text(encoding="utf-8"))
    assert "could not be drawn" not in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
