"""One file of a user's own brings cut, variable, category, region, histogram and selection: the same numbers on every executor, nothing of the box."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from coffea.processor import FuturesExecutor, IterativeExecutor, Runner
from search_examples import DETECTOR, FakeReconstruction, hide, plant, write_file

import na64mu
from na64mu.errors import ColumnError, SelectionError, WorkerError
from na64mu.events.schema import RawTreeSchema
from na64mu.execution.reconstruct import reconstruct_files
from na64mu.processors import SearchProcessor
from na64mu.reconstruction.columns import stored_columns
from na64mu.results.clock import Clock
from na64mu.results.run import RunResult
from na64mu.selections.blinding import BlindingPolicy
from na64mu.selections.histograms import HISTOGRAMS
from na64mu.selections.regions import REGIONS
from na64mu.selections.user import as_in_a_new_process

ANALYSIS = """
import numpy as np
import na64mu
from beside import SOFT


@na64mu.variable(("p_in", "p_out"), unit="GeV/c", meaning="momentum lost in the target")
def p_loss(summary):
    return summary["p_in"] - summary["p_out"]


@na64mu.variable("p_loss")
def loss_fraction(summary):
    return summary["p_loss"] / 160.0


@na64mu.cut("chi2_ndf_ms2", {"largest": 3.0}, source="inferred: an example", label="(ii a) good fit", after="single_tracks")
def good_fit(summary, thresholds):
    return summary["chi2_ndf_ms2"] < thresholds.largest


@na64mu.category("p_loss", ("soft", "hard"))
def loss(summary):
    return np.where(np.isfinite(summary["p_loss"]), (summary["p_loss"] > SOFT).astype(int), -1)


@na64mu.region(("p_loss", "e_ecal"), source="inferred: an example", title="loss seen in the ECAL")
def radiated(summary):
    return (summary["p_loss"] > 20.0) & (summary["e_ecal"] > 10.0)


na64mu.register_region("quiet_veto", source="inferred: an example", ranges={"e_veto": (None, 20.0)}, p_out_min=100.0)
na64mu.register_histogram("loss_and_ecal", ("p_loss", 40, -40, 160), ("e_ecal", 40, 0, 160), stages=("uncut", "before", "after", "n_minus_1"), by=("config", "loss"))
na64mu.register_histogram("radiated_p", ("p_out", 20, 0, 200), stages="before", region="radiated")
na64mu.register_selection(na64mu.load_working_point("prl2024").changed(
    name="mine", title="the Letter's cuts, a good fit", cuts=["good_fit"], drop={"regions": ["B"], "spectra": ["x_s4"]}))
"""


@pytest.fixture(autouse=True)
def _leaves_nothing():
    modules = set(sys.modules)
    with as_in_a_new_process():
        yield
    for name in set(sys.modules) - modules:
        if name.startswith("na64mu_user_") or name == "beside":
            del sys.modules[name]


@pytest.fixture
def mine(tmp_path) -> Path:
    (tmp_path / "beside.py").write_text("SOFT = 10.0\n")
    (tmp_path / "my_analysis.py").write_text(ANALYSIS)
    return tmp_path / "my_analysis.py"


@pytest.fixture
def sample(repository) -> Path:
    path = repository / "data" / "sample" / "physics_1.root"
    if not path.exists():
        pytest.skip("data/sample has no files")
    return path


def same(a: RunResult, b: RunResult) -> None:
    assert a.cutflows == b.cutflows
    assert a.regions == b.regions
    for name, histogram in a.histograms["physics"].items():
        assert histogram == b.histograms["physics"][name], name
        assert a.outside["physics"][name] == b.outside["physics"][name]


def test_one_file_brings_everything_to_every_executor(sample, mine, tmp_path):
    alone = na64mu.run_search(sample, user=mine, selection="mine", progress=False)
    assert alone.total.names == (
        "events",
        "trigger",
        "momentum_in_window",
        "single_tracks",
        "good_fit",
        "single_hits_and_mip_cell",
        "mip_everywhere",
    )
    assert alone.total["good_fit"].label == "(ii a) good fit"
    assert [r.name for r in alone.working_point.regions] == ["A", "C", "D", "radiated", "quiet_veto"]
    plane = alone.histogram("loss_and_ecal")
    assert plane.axes.name == ("stage", "by_config", "by_loss", "p_loss", "e_ecal")
    assert plane["before", sum, sum, sum, sum].value == alone.total["single_hits_and_mip_cell"].n
    assert plane["before", sum, "hard", sum, sum].value > 0
    assert alone.histogram("radiated_p").values().sum() == alone.regions["physics"]["radiated"].n > 0
    assert alone.regions["physics"]["quiet_veto"].n > 0
    assert {*alone.provenance.user_cuts} == {
        "good_fit", "variable p_loss", "region radiated", "category loss",
    }  # fmt: skip
    several = na64mu.run_search(sample, user=mine, selection="mine", progress=False, executor="futures", workers=2, chunksize=300)
    same(alone, several)
    assert several.provenance.configuration_hash == alone.provenance.configuration_hash
    alone.write(tmp_path / "out")
    with as_in_a_new_process():
        again = RunResult.read(tmp_path / "out")  # a report needs no code of the user's
    same(alone, again)
    assert again.working_point.hash == alone.working_point.hash


def test_summaries_give_the_same(sample, mine, tmp_path):
    direct = na64mu.run_search(sample, user=mine, selection="mine", progress=False)
    reconstruct_files([sample], tmp_path / "s.root")
    same(direct, na64mu.run_search(tmp_path / "s.root", user=mine, selection="mine", progress=False))


def test_the_same_processor_runs_under_coffeas_own_runner(sample, mine):
    ours = na64mu.run_search(sample, user=mine, selection="mine", progress=False)
    tag = "na64mu-2022"
    search = SearchProcessor(
        {tag: na64mu.load_detector(tag)}, {tag: na64mu.load_calibration(tag).windows}, na64mu.load_working_point("mine")
    )
    fileset = {"physics": {"files": {str(sample): "events"}, "metadata": {"detector": tag}}}
    for executor in (IterativeExecutor(status=False), FuturesExecutor(workers=1, status=False)):
        out = Runner(executor, schema=RawTreeSchema, metadata_cache={})(fileset, search)["datasets"]["physics"]
        assert out["cutflow"] == ours.cutflows["physics"]
        assert out["histograms"]["loss_and_ecal"] == ours.histogram("loss_and_ecal")


def test_nothing_of_the_box_is_in_them(fake: FakeReconstruction, mine, tmp_path):
    from na64mu.selections import load_user_file

    load_user_file(mine)
    na64mu.register_region("wide", source="inferred: an example", ranges={"p_out": (0.0, 250.0)})
    na64mu.register_histogram("low", ("p_out", 100, 0, 250), stages=("uncut", "before", "after", "n_minus_1"), region="wide")
    hide(fake.table, 123)
    path = write_file(tmp_path / "f.root", 400)
    before = na64mu.run_search(path, progress=False)
    plant(fake.table, 123)
    after = na64mu.run_search(path, progress=False)
    assert after.blinded == {"f": True}
    assert after.regions == before.regions
    for name in ("low", "loss_and_ecal"):
        assert after.histogram(name) == before.histogram(name)


def test_an_opened_box_leaves_the_regions_as_they_were(fake: FakeReconstruction):
    na64mu.register_region("everywhere", source="inferred: an example", ranges={"p_out": (0.0, 250.0)})
    plant(fake.table, 123)
    chosen, where = na64mu.load_working_point("prl2024"), {"dataset": "f", "filename": "f.root", "detector": DETECTOR, "entrystart": 0}
    given = {DETECTOR: na64mu.load_detector(DETECTOR)}, {DETECTOR: na64mu.load_calibration(DETECTOR).windows}, chosen
    blind, opened = (
        SearchProcessor(*given, policy=BlindingPolicy.of(chosen, opened=opened)).analyse(dict(fake.table), where, Clock())["datasets"]["f"][
            "regions"
        ]
        for opened in (False, True)
    )
    assert "box" not in blind
    assert opened["box"].n > 0
    assert opened["everywhere"] == blind["everywhere"]
    assert blind["everywhere"].n > 0


def test_a_file_in_toml_adds_drops_and_reorders(mine, tmp_path):
    from na64mu.selections import load_user_file

    load_user_file(mine)
    (tmp_path / "mine.toml").write_text(
        'base = "prl2024"\nname = "toml"\ntitle = "t"\n'
        'order = ["trigger", "momentum_in_window", "good_fit", "single_tracks", "single_hits_and_mip_cell", "mip_everywhere"]\n'
        '[drop]\nregions = ["B", "radiated"]\nhistograms = ["radiated_p"]\n'
        '[[cuts]]\nname = "good_fit"\n[cuts.thresholds]\nlargest = 2.0\n'
        '[[regions]]\nname = "halo"\ntitle = "far from the axis"\nsource = "inferred: an example"\nranges.x_smu = [100.0, inf]\n'
        '[[histograms]]\nname = "e"\nx = { column = "e_ecal", bins = 10, low = 0.0, high = 10.0 }\nstages = ["n_minus_1"]\n'
    )
    point = na64mu.load_working_point(tmp_path / "mine.toml")
    assert point.cut_names[2:4] == ("good_fit", "single_tracks")
    assert point.cuts[2].thresholds.model_dump() == {"largest": 2.0}
    assert point.cuts[2].source == "inferred: an example"
    assert [r.name for r in point.regions] == ["A", "C", "D", "quiet_veto", "halo"]
    assert point.regions[-1].ranges == {"x_smu": (100.0, None)}
    assert [h.name for h in point.histograms] == ["loss_and_ecal", "e"]
    assert "histogram e" in repr(point)


def test_variables_are_columns_of_summaries_and_of_processors(mine):
    from na64mu.selections import load_user_file

    load_user_file(mine)
    summary = na64mu.EventSummary({"p_in": np.array([160.0, np.nan]), "p_out": np.array([80.0, 80.0])})
    np.testing.assert_array_equal(summary.loss_fraction, [0.5, np.nan])
    assert "loss_fraction" in dir(summary)
    assert stored_columns(("loss_fraction",)) == ("p_in", "p_out")


def largest_loss(summary):
    """Names no columns: any variable may be asked for."""
    return {round(float(loss), 6) for loss in summary["loss_fraction"] if loss > 0.5}


def test_an_own_processor_is_given_variables_on_workers(sample, mine):
    options = na64mu.RunOptions(progress=False, chunksize=500, workers=1)
    here = na64mu.run(sample, largest_loss, user=mine, options=options)
    there = na64mu.run(sample, largest_loss, user=mine, options=options, executor="futures")
    assert here.value == there.value
    assert here.value
    assert {*here.provenance.user_cuts} == {"variable p_loss", "variable loss_fraction"}


def test_what_cannot_travel_is_named_before_anything_runs(sample, tmp_path):
    with (tmp_path / "open.txt").open("w") as stream:

        @na64mu.variable("p_in")
        def logged(summary):
            stream.write("x")
            return summary["p_in"]

        na64mu.register_histogram("logged", ("logged", 10, 0, 200))
        with pytest.raises(WorkerError, match=r"^the variable logged cannot be sent to workers \(.*: define it in a file of its own"):
            na64mu.run_search(sample, progress=False, executor="futures", workers=1)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (lambda: na64mu.variable("p_inn")(len), "register_variable: 'len': there is no column 'p_inn'"),
        (lambda: na64mu.variable(())(len), "register_variable: 'len': it needs no column"),
        (lambda: na64mu.variable("p_in", name="p_out")(len), "'p_out' is a column of the package; choose another name"),
        (lambda: na64mu.variable("p_in", name="a b")(len), "'a b' is no name of a column"),
        (lambda: na64mu.cut("p_in", {"x": []}, source="inferred: x"), "cut: the threshold 'x' is list"),
        (lambda: na64mu.cut((1,), source="inferred: x"), "cut: columns are named"),
        (lambda: na64mu.category("p_in", ("a", "a")), "category: labels are wanted that differ"),
        (lambda: na64mu.category("p_in", ("a",), name="config")(len), "'config' is a category of the package"),
        (lambda: na64mu.register_histogram("h", ("p_inn", 1, 0, 1)), r"register_histogram: h: x: no column 'p_inn'"),
        (lambda: na64mu.register_histogram("h", ("p_in", 1, 0, 1), by="x"), "no category 'x': known are config"),
        (lambda: na64mu.register_histogram("h", ("p_in", 1, 0, 1), ("p_in", 1, 0, 1)), "both axes are 'p_in'"),
        (lambda: na64mu.register_histogram("h", ("p_in", 1, 0, 1), stages="cut"), r"stages\[0\]: Input should be 'uncut', 'before'"),
        (lambda: na64mu.register_region("r", source="inferred: x", ranges={"x": (0, 1)}), "register_region: r: ranges: no column 'x'"),
        (lambda: na64mu.register_region("r", source="inferred: x", mask="m"), "no mask 'm': known are none"),
        (lambda: na64mu.register_region("r", source="me"), "source: a source reads"),
        (lambda: na64mu.register_selection("x"), "a WorkingPoint is wanted"),
        (lambda: na64mu.register_selection(na64mu.load_working_point("prl2024")), "'prl2024' is a working point of the package"),
        (lambda: point(drop={"cut": ["trigger"]}), "drop: 'cut' is none of cuts, spectra, regions, histograms"),
        (lambda: point(drop={"regions": ["Z"]}), "regions: drop: 'Z' is not a table of the base 'prl2024', which has"),
        (lambda: point(order=["trigger"]), "order: all cuts in their order are wanted, each once"),
        (lambda: point(regions=[{"name": "box2", "title": "t", "source": "inferred: x"}]), "names that begin with 'box' belong to the signal box"),
        (lambda: point(regions=[{"name": "r", "title": "t", "source": "inferred: x", "mask": "m"}]), "'r': no mask 'm': name the file"),
        (lambda: point(histograms=[HISTOGRAM | {"name": "p_in"}]), "'p_in' is the name of a histogram of the search"),
        (lambda: point(histograms=[HISTOGRAM | {"region": "Z"}]), "'h': no region 'Z': the regions are"),
    ],
)  # fmt: skip
def test_a_wrong_part_is_a_sentence(given, message):
    with pytest.raises((SelectionError, ColumnError), match=message):
        given()


HISTOGRAM = {"name": "h", "x": {"column": "p_in", "bins": 1, "low": 0.0, "high": 1.0}}


def point(**changes):
    return na64mu.load_working_point("prl2024").changed(**changes)


def test_what_functions_return_is_checked(fake: FakeReconstruction, tmp_path):
    path = write_file(tmp_path / "f.root", 100)

    @na64mu.variable("p_in")
    def wrong(summary):
        return summary["p_in"][:3]

    na64mu.register_histogram("h", ("wrong", 1, 0, 1))
    with pytest.raises(ColumnError, match=r"the variable 'wrong' returns float64 of shape \(3,\), one number for each of 100 events"):
        na64mu.run_search(path, progress=False)

    @na64mu.variable("p_in", name="wrong")
    def undeclared(summary):
        return summary["p_out"]

    with pytest.raises(
        ColumnError, match="the variable 'wrong' looks at 'p_out', which is not among the columns that it says it needs: p_in"
    ):
        na64mu.run_search(path, progress=False)
    del HISTOGRAMS["h"]

    @na64mu.region("p_in", source="inferred: x")
    def number(summary):
        return summary["p_in"]

    with pytest.raises(SelectionError, match=r"the region 'number' returns float64 of shape \(100,\), one truth value"):
        na64mu.run_search(path, progress=False)
    REGIONS.clear()

    @na64mu.category("p_in", ("a",))
    def two(summary):
        return np.ones(len(summary["p_in"]), int)

    na64mu.register_histogram("h", ("p_in", 1, 0, 1), by="two")
    with pytest.raises(SelectionError, match=r"the category 'two' returns int64 of shape \(100,\): .* its label is wanted, from 0 to 0"):
        na64mu.run_search(path, progress=False)


def test_the_blinding_begins_at_the_first_cut_on_a_variable_of_reconstructed_columns():
    @na64mu.variable("p_out")
    def hidden(summary):
        return summary["p_out"]

    @na64mu.variable(("run", "spill"))
    def recorded(summary):
        return summary["run"] + summary["spill"]

    for column in ("hidden", "recorded"):
        na64mu.cut(column, source="inferred: x", name=f"cut_{column}")(len)
    assert point(cuts=[{"name": "cut_recorded", "after": "trigger"}]).cut_names[1] == "cut_recorded"
    assert point(cuts=[{"name": "cut_recorded", "after": "trigger"}]).blind_at == "momentum_in_window"
    assert point(cuts=[{"name": "cut_hidden", "after": "trigger"}]).blind_at == "cut_hidden"
