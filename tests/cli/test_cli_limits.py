"""`na64mu limits` and `na64mu efficiency` from end to end on few masses, and what they refuse."""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import replace

import pyhf
import pytest
from click.testing import CliRunner

import na64mu
from na64mu.analysis.folder_counting import counting_from
from na64mu.analysis.search import limits_of, pile_up_loss_of
from na64mu.analysis.yields import EfficiencyPoint, EfficiencyTable
from na64mu.analysis.yields.origin import Origin, disagreements
from na64mu.calibration.windows import load_calibration
from na64mu.cli import main
from na64mu.detector import load_detector
from na64mu.errors import InputError
from na64mu.results.run import RunResult


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    values = {0.01: 60, 0.1: 600, 1.0: 1000}
    points = tuple(EfficiencyPoint(m, c, False, 10_000, 2000, n) for m, n in values.items() for c in (1, 2))
    return str(EfficiencyTable(points).write(tmp_path_factory.mktemp("efficiency") / "table.json"))


def limits(*arguments):
    return CliRunner().invoke(main, ["-q", "limits", *map(str, arguments)])


def test_published_numbers_to_limits(table, tmp_path):
    done = limits(
        "--published",
        "--efficiency",
        table,
        "--masses",
        3,
        "--cross-section",
        "ww",
        "--no-targets",
        "-o",
        tmp_path / "out",
        "--json",
        "--hs3",
        0.1,
    )
    assert done.exit_code == 0, done.output
    content = json.loads(done.stdout)
    assert content["exposures"] == [1.17e10, 8.1e9]
    assert content["observed"] == [0.0, 0.0]
    assert content["pile_up_loss"]["value"] == 0.13
    rows = {row["mass_GeV"]: row for row in content["limits"]}
    assert set(rows) == {0.01, 0.04, 0.1, 0.12, 0.2113, 0.212, 0.22, 0.5, 1.0}
    # 2.31 events over 1.98e10 x 7.68e-11 x 6 % x 0.87 (and 1 % of carbon) at g = 1e-4
    assert rows[0.1]["g_exact_observed"] == pytest.approx(1e-4 * (2.309 / (1.98e10 * 7.68e-11 * 1.01 * 0.06 * 0.87)) ** 0.5, rel=0.01)
    assert all(row["g_asymptotic_observed"] < 0.82 * row["g_exact_observed"] for row in rows.values())
    assert "too few for the asymptotic form" in content["caution"]
    names = {path.name for path in (tmp_path / "out").iterdir()}
    drawn = ("limit_g", "limit_y", "bands", "efficiency", "yields")
    figures = {f"{name}{kind}" for name in drawn for kind in (".png", ".pdf", "_numbers.csv")}
    tables = {f"{name}.csv" for name in ("limits", "yields", "systematics", "reach", "excess", "plane", "bounds")}
    assert names == tables | {"excess.json", "manifest.json", "background_only.json", "patchset.json", "hs3_100MeV.json"} | figures
    hs3 = json.loads((tmp_path / "out" / "hs3_100MeV.json").read_text(encoding="utf-8"))
    assert [d["name"] for d in hs3["distributions"] if d["type"] == "histfactory_dist"] == ["config_1", "config_2"]
    with (tmp_path / "out" / "limits.csv").open(encoding="utf-8") as stream:
        table_rows = list(csv.DictReader(line for line in stream if not line.startswith("#")))
    assert float(table_rows[0]["g_exact_observed"]) == pytest.approx(rows[0.01]["g_exact_observed"], rel=1e-5)
    # pyhf finds the same asymptotic limit from the files
    workspace = pyhf.Workspace(json.loads((tmp_path / "out" / "background_only.json").read_text(encoding="utf-8")))
    patches = pyhf.PatchSet(json.loads((tmp_path / "out" / "patchset.json").read_text(encoding="utf-8")))
    patched = patches.apply(workspace, "mass_100MeV")
    model = pyhf.Workspace(patched).model(measurement_name="search")
    mu = (rows[0.1]["g_asymptotic_observed"] / 1e-4) ** 2
    cls = pyhf.infer.hypotest(mu, pyhf.Workspace(patched).data(model), model, test_stat="qtilde")
    assert float(cls) == pytest.approx(0.10, abs=5e-4)


def test_tables_on_the_terminal(table, tmp_path):
    arguments = ("--published", "--efficiency", table, "--masses", 2, "--cross-section", "ww", "--no-targets", "--no-figures")
    done = limits(*arguments, "-o", tmp_path / "out")
    assert done.exit_code == 0, done.output
    for words in (
        "Upper limits on g_Z' at 90 % CL, observed",
        "Beside the Letter",
        "y at m_chi = 40 MeV",
        "trigger_alignment",
        "caution: 0 events",
    ):
        assert words in done.stdout
    again = limits(*arguments, "-o", tmp_path / "again")
    assert again.stdout == done.stdout
    assert (tmp_path / "again" / "limits.csv").read_bytes() == (tmp_path / "out" / "limits.csv").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "said", "code"),
    [
        ((), "give either an output folder of `na64mu run` or --published", 2),
        (("out", "--published"), "give either an output folder of `na64mu run` or --published", 2),
        (("--published", "--n-mot", "1e12"), "and --hadrons belong to an output folder, not to --published", 2),
        (("--published", "--range", "1", "0.1"), "the lowest mass must be above zero and below the highest", 2),
        (("--published", "--range", "0.001", "1"), "no efficiency for a mass of 0.001 GeV", 1),
        (("absent",), "cannot be read", 1),
    ],
)
def test_what_limits_refuses(table, tmp_path, arguments, said, code):
    done = limits(*arguments, "--efficiency", table, "-o", tmp_path / "out", "--no-figures")
    assert done.exit_code == code
    assert said in " ".join(done.output.split())
    assert not (tmp_path / "out").exists()


def test_a_table_of_another_set_up_is_named(table, caplog):
    caplog.set_level("WARNING", logger="na64mu.analysis")
    detector = load_detector("na64mu-2022")
    made = EfficiencyTable.read(table)
    same, other = ({"detector": {"tag": "na64mu-2022", "digest": digest}} for digest in (detector.digest, "another"))
    for provenance, n in ((same, 0), (other, 1)):
        limits_of("letter", efficiency=replace(made, provenance=provenance), masses=[0.1], method="ww")
        assert len(caplog.records) == n
    assert "simulated with another version of the detector description na64mu-2022 than the counts" in caplog.text
    assert "`na64mu efficiency --like OUT -o own.json`" in caplog.text


def test_other_windows_and_another_selection_are_named():
    shipped = load_calibration("na64mu-2022").hash
    made = {"detector": {"tag": "na64mu-2022", "digest": "d"}, "selection": {"name": "prl2024", "hash": "s"}}
    assert disagreements(made, Origin("s", {"x": "d"}, {"x": shipped})) == []
    (windows,) = disagreements(made, Origin("s", {"x": "d"}, {"x": "own"}))
    assert "made with other windows of a MIP than the counts" in windows
    assert disagreements(made | {"calibration": "own"}, Origin("s", {"x": "d"}, {"x": "own"})) == []
    (selection,) = disagreements(made, Origin("t", {"x": "d"}, {"x": shipped}))
    assert "the efficiencies are of the selection prl2024, the counts of another one" in selection
    assert disagreements({}, Origin("t", {"x": "d"}, {"x": "own"})) == []
    assert disagreements({"detector": {"tag": "unknown", "digest": "d"}}, Origin("t", {"x": "d"}, {"x": "own"})) == []


@pytest.fixture(scope="module")
def folder(repository, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    sample = repository / "data" / "sample"
    files = [str(path) for name in ("physics", "calibration") for path in sorted(sample.glob(f"{name}_*.root"))]
    done = CliRunner().invoke(main, ["-q", "run", *files, "-o", str(out), "-q"])
    assert done.exit_code == 0, done.output
    return out


def test_limits_of_an_output_folder(folder, table, tmp_path):
    arguments = ("--physics", "physics", "--calibration", "calibration", "--efficiency", table, "--pile-up-loss", 0.1, "--masses", 2)
    arguments += ("--cross-section", "ww", "--no-targets", "--no-figures", "--json", "-o", tmp_path)
    content = json.loads(limits(folder, *arguments).stdout)
    assert all(n > 1e5 for n in content["exposures"])
    assert content["observed"] == [0.0, 0.0]
    assert content["backgrounds"] == {}
    assert set(content["bounded_backgrounds"]) == {"momentum"}
    assert "momentum: known as an upper limit alone" in content["bound_notes"][0]
    assert set(content["missing_backgrounds"]) == {"hadrons", "decays"}
    row = content["limits"][-1]
    projected = json.loads(limits(folder, *arguments, "--backgrounds", "letter", "--n-mot", 1.98e10).stdout)
    assert projected["observed"] is None
    assert projected["limits"][-1]["g_exact_observed"] is None
    assert sum(projected["exposures"]) == pytest.approx(1.98e10)
    # the same share of the configurations: g goes with the root of the muons, the limit in events is 2.31 with both backgrounds
    ratio = (sum(content["exposures"]) / 1.98e10) ** 0.5
    assert projected["limits"][-1]["g_exact_expected"] == pytest.approx(row["g_exact_observed"] * ratio, rel=1e-3)
    done = limits(folder, *arguments, "--backgrounds", "letter", "--n-mot", 1.98e10, "--hs3", 0.1)
    assert done.exit_code == 1
    assert "--hs3: the likelihood needs counts; leave out --n-mot" in " ".join(done.output.split())
    done = limits(folder, *arguments, "--backgrounds", "letter", "--n-mot", 1.98e10, "--hepdata")
    assert done.exit_code == 1
    assert "expected limits alone are not a result to publish" in " ".join(done.output.split())


def test_efficiency_from_simulation(tmp_path):
    path = tmp_path / "table.json"
    own = load_calibration("na64mu-2022").model_copy(update={"n_muons": 1})
    arguments = [
        "--calibration",
        str(own.write(tmp_path / "own.toml")),
        "-n",
        "400",
        "--masses",
        "0.1,1",
        "--no-pile-up",
        "--seed",
        "3",
        "--samples",
        str(tmp_path / "samples"),
        "--workers",
        "1",
        "--map",
        str(tmp_path / "map.json"),
        "-o",
        str(path),
    ]
    done = CliRunner().invoke(main, ["-q", "efficiency", *arguments])
    assert done.exit_code == 0, done.output
    made = EfficiencyTable.read(path)
    assert [(p.mass, p.config) for p in made.points] == [(0.1, 1), (0.1, 2), (1.0, 1), (1.0, 2)]
    assert all(100 < p.n_mot < 400 and 0 < p.n_selected <= p.n_trigger < p.n_mot for p in made.points)
    assert made.provenance["command"].startswith("na64mu efficiency -n 400 --masses 0.1,1 --no-pile-up --seed 3")
    assert made.provenance["calibration"] == own.hash != load_calibration("na64mu-2022").hash
    # samples that are there are taken as they are; a broken one is named
    (tmp_path / "samples" / "zprime_100MeV_config2.root").write_bytes(b"no tree")
    done = CliRunner().invoke(main, ["-q", "efficiency", *arguments])
    assert done.exit_code == 1
    assert "zprime_100MeV_config2.root" in done.output
    assert "delete the samples and simulate them again" in " ".join(done.output.split())
    with pytest.raises(InputError, match="the efficiency table has no samples with pile-up: give the loss of signal with --pile-up-loss"):
        pile_up_loss_of(made)


def test_a_calibration_of_another_detector_is_refused_before_the_work(tmp_path):
    other = load_calibration("g4raw-indep-1").write(tmp_path / "other.toml")
    done = CliRunner().invoke(main, ["efficiency", "--calibration", str(other), "-o", str(tmp_path / "t.json")])
    assert done.exit_code == 1
    assert "the calibration is of detector 'g4raw-indep-1', the files are of na64mu-2022" in " ".join(done.output.split())


def test_a_missing_library_is_named_before_the_work(table, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "hepdata_lib", None)
    monkeypatch.setattr("na64mu.analysis.search.limits_of", None)  # it would fail with another message
    done = limits("--published", "--efficiency", table, "--hepdata", "-o", tmp_path / "out")
    assert done.exit_code == 1
    assert "needs hepdata_lib: install it with `pip install na64mu[publish]`" in " ".join(done.output.split())
    assert not (tmp_path / "out").exists()


def test_own_counts_to_a_limit_in_three_lines():
    limits = na64mu.limits_of(
        counts=(0, 0), backgrounds={"tail": (0.05, 0.03)}, mot=(1.2e10, 8e9), efficiency=0.1, masses=[0.1], method="ww"
    )
    assert limits.events("exact")[0, 0] == pytest.approx(2.31, abs=0.01)
    assert limits.couplings("exact")[0, 0] == pytest.approx(1e-4 * (2.309 / (2e10 * 7.68e-11 * 1.01 * 0.1)) ** 0.5, rel=0.01)
    blind = na64mu.limits_of(backgrounds={"tail": 0.05}, mot=(1.2e10, 0), efficiency=0.1, masses=[0.1], method="ww", boson="scalar")
    assert blind.is_blinded
    assert next(iter(blind.models.values())).channels == ("config_1",)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "give either a result, its output folder, counts of `counting_from`, or"),
        ({"source": "letter", "mot": (1e10, 1e10)}, "give either a result"),
        ({"source": "letter", "counts": (0, 0)}, "give either a result"),
        ({"mot": (1e10,), "efficiency": 0.1}, r"mot = \[10000000000.0\]: muons on target of the trigger configurations 1 and 2"),
        ({"mot": (1e10, -1.0), "efficiency": 0.1}, "muons on target of the trigger configurations 1 and 2 are wanted"),
        ({"mot": (1e10, 0), "counts": (0, 0.5), "efficiency": 0.1}, "whole numbers of events in the trigger configurations 1 and 2"),
        ({"mot": (1e10, 0), "counts": (0, 3)}, "3 events in the signal box of trigger configuration 2, which has no muons on target"),
        ({"mot": (1e10, 0), "backgrounds": {"a": (1.0, -1.0)}}, r"background 'a': 1 \+- -1 events: finite numbers from 0 on"),
        ({"mot": (1e10, 0), "efficiency": 1.1}, r"efficiency 1\.1: a number above 0 and at most 1 is wanted"),
        ({"source": "letter", "boson": "higgs"}, "no boson 'higgs': known are zprime, scalar"),
        ({"source": "letter", "masses": 1}, "1 masses from 0.001 to 5 GeV: at least two are wanted"),
        ({"source": "letter", "mass_range": (1.0, 0.1)}, "the lowest mass above zero and below the highest"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        na64mu.limits_of(**arguments)


def test_backgrounds_by_another_name_are_refused(folder):
    with pytest.raises(InputError, match="no backgrounds 'letters': known are own, letter"):
        counting_from(RunResult.read(folder), backgrounds="letters")
    with pytest.raises(InputError, match="no dataset 'physic' in the output folder: there are"):
        counting_from(RunResult.read(folder), physics=["physics", "physic"])


def test_several_datasets_are_counted_together(folder):
    result = RunResult.read(folder)
    both = counting_from(result, physics=["physics", "calibration"], backgrounds="letter")
    parts = [counting_from(result, physics=name, backgrounds="letter").exposures for name in ("physics", "calibration")]
    assert both.exposures == tuple(map(sum, zip(*parts, strict=True)))
    assert set(counting_from(result, physics=["physics", "calibration"]).bounds) == {"momentum"}


@pytest.mark.parametrize("masses", ["0.1;1", "0,1"])
def test_masses_must_be_numbers_above_zero(masses, tmp_path):
    done = CliRunner().invoke(main, ["efficiency", "--masses", masses, "-o", str(tmp_path / "t.json")])
    assert done.exit_code == 2
    assert "are wanted" in done.output
