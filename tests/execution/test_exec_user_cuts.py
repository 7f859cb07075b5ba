"""Cuts of a user's own give the same cut-flow on every executor, and a result says that they were used."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from search_examples import FakeReconstruction, write_file

from na64mu.cli import main
from na64mu.errors import SelectionError, WorkerError
from na64mu.execution import run_search
from na64mu.execution.carried import Carried, carried, must_arrive
from na64mu.results.run import RunResult
from na64mu.selections import CUTS, CutDefinition, Thresholds, load_user_file, register_cut
from na64mu.selections.cuts import source_digest, user_cuts
from na64mu.selections.parts import Part

CUTS_FILE = """
from na64mu.selections import Thresholds, register_cut
from helper_beside import LIMIT

FACTOR = 1.0

class Slow(Thresholds):
    largest: float

    @property
    def columns(self):
        return ("p_in",)

@register_cut(Slow)
def slow(summary, thresholds):
    return summary["p_in"] < min(thresholds.largest, LIMIT) * FACTOR
"""
CUT = '[[cuts]]\nname = "{name}"\nlabel = "(0) slow"\nsource = "inferred: to look"\n[cuts.thresholds]\nlargest = 170.0\n\n'


def working_point(folder: Path, repository: Path, name: str = "slow") -> Path:
    shipped = (repository / "selections" / "prl2024.toml").read_text(encoding="utf-8")
    at = shipped.index('\n[[cuts]]\nname = "single_tracks"') + 1
    path = folder / "own.toml"
    path.write_text(shipped[:at] + CUT.format(name=name) + shipped[at:], encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def _leaves_no_cut():
    before, modules = dict(CUTS), set(sys.modules)
    yield
    CUTS.clear()
    CUTS.update(before)
    for name in set(sys.modules) - modules:
        if name.startswith(("na64mu_user_", "helper_beside")):
            del sys.modules[name]


@pytest.fixture
def own(tmp_path, repository):
    (tmp_path / "helper_beside.py").write_text("LIMIT = 165.0\n")
    (tmp_path / "my_cuts.py").write_text(CUTS_FILE)
    return {"user": tmp_path / "my_cuts.py", "selection": working_point(tmp_path, repository)}


@pytest.fixture
def sample(repository):
    path = repository / "data" / "sample" / "physics_1.root"
    if not path.exists():
        pytest.skip("data/sample has no files")
    return path


def test_a_cut_of_a_file_is_the_same_on_every_executor(sample, own, tmp_path):
    alone = run_search(sample, progress=False, **own)
    assert [s.name for s in alone.total.steps][3] == "slow"
    assert alone.total.counts[3] < alone.total.counts[2]
    (digest,) = alone.provenance.user_cuts.values()
    assert len(digest) == 64
    local = run_search(sample, progress=False, executor="futures", workers=1, **own)
    assert local.cutflows == alone.cutflows
    assert local.provenance.configuration_hash == alone.provenance.configuration_hash
    alone.write(tmp_path / "out")
    del CUTS["slow"]
    again = RunResult.read(tmp_path / "out")  # a report needs no code of the user's
    assert again.provenance.user_cuts == {"slow": digest}
    assert again.working_point.hash == alone.working_point.hash


def test_what_travels_needs_nothing_of_the_user(fake: FakeReconstruction, own):
    load_user_file(own["user"])
    slow = CUTS["slow"]
    travelling = carried({"cut": slow}, [Part("the cut slow", "", (slow.function, slow.thresholds))])
    assert isinstance(travelling, Carried)
    assert travelling.names == ("the cut slow",)
    for name in ("helper_beside", "na64mu_user_my_cuts"):
        del sys.modules[name]
    again = pickle.loads(pickle.dumps(travelling)).unpacked()["cut"]
    assert again.function({"p_in": np.array([160.0, 180.0])}, again.thresholds(largest=170.0)).tolist() == [True, False]
    assert carried("unchanged") == "unchanged"


def test_the_command_line_takes_the_file(fake: FakeReconstruction, own, tmp_path, monkeypatch):
    monkeypatch.setattr("na64mu.report.write_reports", lambda *_: [])
    path = write_file(tmp_path / "f.root", 100)
    arguments = ["run", str(path), "-q", "-o", str(tmp_path / "out"), "--selection", str(own["selection"])]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 1
    assert "no cut 'slow'" in done.output
    assert "--user" in done.output
    done = CliRunner().invoke(main, [*arguments, "--user", str(own["user"])])
    assert done.exit_code == 0, done.output
    assert RunResult.read(tmp_path / "out").provenance.user_cuts.keys() == {"slow"}


def test_the_hash_is_that_of_everything_the_cut_uses(tmp_path, own):
    digests = set()
    for i, text in enumerate((CUTS_FILE, CUTS_FILE.replace("1.0", "1.1"), CUTS_FILE.replace("largest: float", "largest: float = 1.0"))):
        path = tmp_path / f"cuts_{i}.py"
        path.write_text(text)
        load_user_file(path)
        digests.add(source_digest(CUTS["slow"]))
        assert source_digest(CUTS["slow"]) == source_digest(CUTS["slow"])
    assert len(digests) == 3
    assert user_cuts(("trigger", "slow")).keys() == {"slow"}


def test_what_cannot_travel_is_said_before_anything_runs(tmp_path):
    with (tmp_path / "open.txt").open("w") as stream:

        class Nothing(Thresholds):
            @property
            def columns(self):
                return ()

        @register_cut(Nothing)
        def open_file_cut(summary, thresholds):
            stream.write("x")
            return summary["p_in"] > 0

        with pytest.raises(WorkerError, match=r"the cut open_file_cut cannot be sent to workers \(.*: define it in a file of its own"):
            carried(open_file_cut, [Part("the cut open_file_cut", "", (open_file_cut, Nothing))])


def test_what_a_worker_cannot_unpack_is_said_before_anything_runs():
    class Pool:
        def submit(self, function, *arguments):
            class Future:
                def result(self):
                    return function(*arguments)

            return Future()

    executor = type("Executor", (), {"pool": Pool()})()
    with pytest.raises(WorkerError, match="the cut mine does not work on a worker"):
        must_arrive(Carried(b"nonsense", ("the cut mine",)), executor)
    must_arrive("a processor of the package", executor)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot be read"),
        ("x = 1\nx / 0\n", "ends with an error in line 2: ZeroDivisionError"),
        ("def f(:\n", "ends with an error in line 1: SyntaxError"),
        (CUTS_FILE.replace("def slow", "def trigger"), "'trigger' is a cut of the package; choose another name"),
        (CUTS_FILE.replace("@register_cut(Slow)", "@register_cut(dict)"), "must be a subclass of na64mu.selections.Thresholds"),
    ],
)
def test_a_wrong_file_is_a_sentence(own, tmp_path, text, message):
    path = tmp_path / "wrong.py"
    if text is not None:
        path.write_text(text)
    with pytest.raises(SelectionError, match=message):
        load_user_file(path)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda s, t: s["p_inn"] > 0, "the cut 'slow' looks at 'p_inn', which the event summary does not have; it has run"),
        (lambda s, t: s["p_in"], r"the cut 'slow' returns float64 of shape \(100,\)"),
        (lambda s, t: np.ones(3, bool), r"the cut 'slow' returns bool of shape \(3,\), one truth value for each of 100 events"),
    ],
)
def test_a_cut_that_is_no_cut_is_a_sentence(fake: FakeReconstruction, own, tmp_path, function, message):
    load_user_file(own["user"])
    CUTS["slow"] = CutDefinition(function, CUTS["slow"].thresholds)
    with pytest.raises(SelectionError, match=message):
        run_search(write_file(tmp_path / "f.root", 100), selection=own["selection"], progress=False)
