"""A processor of one's own on the command line: found by its name, written in open forms, read back the same, drawn, resumed; and coffea's Runner."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import hist
import numpy as np
import pytest
import uproot
from click.testing import CliRunner
from coffea.processor import IterativeExecutor, ProcessorABC, Runner
from search_examples import FakeReconstruction, write_file

import na64mu
from na64mu import ProcessorResult, RunOptions
from na64mu.cli import main
from na64mu.errors import InputError, ProcessorError
from na64mu.events.schema import RawTreeSchema
from na64mu.processors.named import processor_named
from na64mu.results.folder import read_folder
from na64mu.results.value_files import read_value, write_value

FILE = """
import hist
import numpy as np


def muons(summary):
    p_out = hist.Hist(hist.axis.Regular(50, 0, 250, name="p_out", label="p_out"), storage=hist.storage.Weight())
    p_out.fill(summary["p_out"])
    return {"n": len(summary["p_out"]), "p_out": p_out, "counts": {"runs": np.array([len(set(summary["run"].tolist()))]), "p": np.array([0.5])}}


class Quality:
    columns = "chi2_ndf_ms2"

    def process(self, summary, chunk):
        return int(np.count_nonzero(summary["chi2_ndf_ms2"] < 3.0))


class Asks:
    def __init__(self, value):
        self.value = value

    def process(self, summary, chunk):
        return self.value


asks = Asks(3)
"""


@pytest.fixture
def mine(tmp_path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(FILE)
    return path


def run(*arguments: object):
    return CliRunner().invoke(main, ["run", *map(str, arguments)])


def test_the_command_line_runs_writes_and_draws_it(fake: FakeReconstruction, mine, tmp_path):
    path, out = write_file(tmp_path / "beam.root", 400), tmp_path / "out"
    done = run(path, "-o", out, "--user", mine, "--processor", "muons")
    assert done.exit_code == 0, done.output
    assert "run of the processor muons" in done.output
    assert {"value.json", "histograms.json", "histograms.root", "arrays.npz", "result.json", "report.html"} <= {
        p.name for p in out.iterdir()
    }
    here = na64mu.run(path, f"{mine}:muons", options=RunOptions(progress=False))
    again = ProcessorResult.read(out)
    assert again.values["beam"]["n"] == here.values["beam"]["n"] == 400
    assert again.value["p_out"] == here.value["p_out"]
    np.testing.assert_array_equal(again.value["counts"]["runs"], here.value["counts"]["runs"])
    assert (again.exposure, again.blinded, again.losses) == (here.exposure, here.blinded, here.losses)
    assert again.provenance.processor == here.provenance.processor
    with uproot.open(out / "histograms.root") as file:
        np.testing.assert_array_equal(file["value_value_p_out"].values(), here.value["p_out"].values())
    assert (out / "tables" / "value.value.counts.csv").read_text() == "runs,p\n1,0.5\n"
    page = (out / "report.html").read_text(encoding="utf-8")
    assert '<img alt="p_out (all)"' in page
    assert "<td class='word'>n</td><td class='word'>all</td><td class='word'>400</td>" in page
    assert not (out / ".checkpoint").exists()


def test_json_report_and_the_search_in_the_same_folder(fake: FakeReconstruction, mine, tmp_path):
    path, out = write_file(tmp_path / "beam.root", 100), tmp_path / "out"
    done = run(path, "-o", out, "--processor", f"{mine}:Quality", "--json")
    content = json.loads(done.stdout)
    assert content["provenance"]["processor"].keys() == {"Quality"}
    (out / "report.html").unlink()
    assert CliRunner().invoke(main, ["report", str(out)]).exit_code == 0
    assert "Run of the processor Quality" in (out / "report.html").read_text(encoding="utf-8")
    na64mu.run_search(path, progress=False).write(out)
    assert isinstance(read_folder(out), na64mu.RunResult)
    na64mu.run(path, f"{mine}:Quality", options=RunOptions(progress=False)).write(out)
    assert isinstance(read_folder(out), ProcessorResult)


def test_an_interrupted_run_goes_on(fake: FakeReconstruction, mine, tmp_path):
    path, out = write_file(tmp_path / "beam.root", 400), tmp_path / "out"
    na64mu.run(path, f"{mine}:muons", options=RunOptions(progress=False, output=out, chunksize=100))
    n = len(fake.calls)
    done = run(path, "-o", out, "--user", mine, "--processor", "muons", "--chunksize", 100, "--resume", "-q")
    assert done.exit_code == 0, done.output
    assert len(fake.calls) == n
    assert ProcessorResult.read(out).value["n"] == 400


@pytest.mark.parametrize(
    ("name", "user", "message"),
    [
        ("muons", (), r"no processor 'muons': name the file that holds it with --user FILE, or write FILE.py:muons"),
        ("muon", ("mine.py",), r"no processor 'muon' in mine.py: known are muons, Quality, Asks, asks"),
        ("Asks", ("mine.py",), r"mine.py: the processor Asks cannot be made without arguments"),
    ],
)
def test_a_wrong_name_is_a_sentence(mine, monkeypatch, name, user, message):
    monkeypatch.chdir(mine.parent)
    with pytest.raises(ProcessorError, match=message):
        processor_named(name, user)


def test_names_are_found(mine):
    assert processor_named("search") is None
    assert processor_named("asks", [mine]).value == 3
    assert processor_named(f"{mine}:muons").__name__ == "muons"


def test_every_kind_of_value_comes_back_the_same(tmp_path):
    plane = hist.Hist(hist.axis.Regular(2, 0, 1), hist.axis.StrCategory(["a", "b"]), storage=hist.storage.Int64())
    plane.fill([0.2, 0.7], ["a", "b"])
    value = {
        "float": [0.1, float("nan"), float("inf"), -0.0],
        "whole": 3,
        "text": "x",
        "truth": True,
        "nothing": None,
        7: (1, 2),
        ("a", 1): {1, 2},
        "counter": Counter({"a": 2}),
        "scalar": np.float32(0.1),
        "array": np.arange(6, dtype=np.int16).reshape(2, 3),
        "plane": plane,
    }
    files, not_written = write_value(value, tmp_path)
    assert list(not_written) == ["value.plane (ROOT)"]  # ROOT has no histogram of 64 bit integers
    assert files == ["value.json", "histograms.json", "histograms.root", "arrays.npz"]
    again = read_value(tmp_path)
    assert again.keys() == value.keys()
    assert str(again["float"]) == str(value["float"])
    np.testing.assert_array_equal(again.pop("array"), value.pop("array"))
    assert again["scalar"].dtype == np.float32
    assert {k: (type(v), v) for k, v in again.items() if k != "float"} == {k: (type(v), v) for k, v in value.items() if k != "float"}


def test_what_has_no_open_form_is_named(fake: FakeReconstruction, tmp_path):
    path = write_file(tmp_path / "beam.root", 40)
    result = na64mu.run(
        path,
        lambda summary: {"n": 1, "when": np.datetime64("2022-10-01") - np.datetime64("2022-09-01")},
        options=RunOptions(progress=False),
    )
    again = ProcessorResult.read(result.write(tmp_path / "out"))
    assert again.value == {"n": 1, "when": None}
    assert again.not_written["value.when"].startswith("numpy.timedelta64 has no open form here")


def test_a_folder_of_something_else_is_a_sentence(tmp_path):
    with pytest.raises(InputError, match="not an output folder of `na64mu run --processor`"):
        ProcessorResult.read(tmp_path)
    (tmp_path / "result.json").write_text('{"format_version": 9}')
    with pytest.raises(InputError, match="format_version 1 expected"):
        ProcessorResult.read(tmp_path)


class Hits(ProcessorABC):
    """Counts events and hits of raw trees."""

    def process(self, events):
        return {events.metadata["dataset"]: {"events": len(events), "mm": int(np.sum([len(e) for e in events.mm.module]))}}

    def postprocess(self, accumulator):
        return accumulator


def test_the_output_of_coffeas_runner_becomes_a_result(tmp_path):
    (file,) = na64mu.sample_files("physics_1*")
    fileset = {"physics": {"files": {str(file): "events"}, "metadata": {"detector": "na64mu-2022"}}}
    ours = na64mu.run(file, Hits(), options=RunOptions(progress=False))
    runner = Runner(IterativeExecutor(status=False), schema=RawTreeSchema, metadata_cache={}, chunksize=50)
    alone = na64mu.result_of_runner(runner(fileset, Hits()), processor=Hits())
    assert alone.value == ours.value
    assert "the muons on target are unknown" in repr(alone)
    whole = na64mu.result_of_runner(runner(fileset, Hits()), file)
    assert whole.exposure == ours.exposure
    chunks = list(runner.preprocess(fileset))
    part = na64mu.result_of_runner(runner.run(chunks[:1], Hits()), file)
    n = chunks[0].entrystop
    assert part.value["physics"]["events"] == n
    assert part.exposure.n_mot() == pytest.approx(ours.exposure.n_mot() * n / ours.value["physics"]["events"])
    assert part.exit_code == 3
    assert "were not processed by coffea's Runner" in part.losses[0].reason
    assert ProcessorResult.read(part.write(tmp_path / "out")).exposure == part.exposure
