"""The HEPData submission is complete, readable and accepted by the validator."""

from __future__ import annotations

import builtins
import tarfile
from dataclasses import replace

import numpy as np
import pytest
import yaml

from na64mu.analysis.backgrounds.table import PUBLISHED, BackgroundTable, Row
from na64mu.analysis.hepdata import ARCHIVE, DarkLimits, Publication, write_hepdata
from na64mu.errors import StatisticsError
from na64mu.results.cutflow import CutFlow
from na64mu.statistics import CountingModel, Systematic, letter_model, limit_scan

MODELS = {0.01: letter_model((5.91, 4.09)), 0.1: letter_model((2.0, 1.5))}


def publication(**changes) -> Publication:
    content = {
        "scan": limit_scan(list(MODELS), list(MODELS.values()), (0, 0), g_ref=1e-4),
        "models": MODELS,
        "observed": (0, 0),
        "inspire": 1234567,
        "efficiencies": {0.01: (0.02, 0.03), 0.1: (0.08, 0.09)},
        "backgrounds": BackgroundTable(tuple(Row(name, title, entry, entry) for name, (title, entry) in PUBLISHED.items()), 1.98e10),
        "exposures": (1.17e10, 8.1e9),
        "dark": DarkLimits(np.array([0.003, 0.03]), {m: np.full((2, 6), 1e-12) for m in ("asymptotic", "exact")}, "y"),
        "cutflow": CutFlow.from_masks({"a": np.array([True, True, False])}, np.ones(3), labels={"a": "cut a"}),
    }
    return Publication(**(content | changes))


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return write_hepdata(tmp_path_factory.mktemp("hepdata"), publication())


def table(archive, name: str):
    documents = list(yaml.safe_load_all((archive.parent / "tables" / "submission.yaml").read_text()))
    (entry,) = [d for d in documents[1:] if d["name"] == name]
    return documents[0], entry, yaml.safe_load((archive.parent / "tables" / entry["data_file"]).read_text())


def test_the_archive_holds_every_table_and_the_likelihood(archive):
    assert archive.name == ARCHIVE
    with tarfile.open(archive) as content:
        names = set(content.getnames())
    assert {"submission.yaml", "background_only.json", "patchset.json"} <= names
    assert sum(name.endswith(".yaml") for name in names) == 12
    head, _, _ = table(archive, "Signal yields")
    assert [r["type"] for r in head["additional_resources"] if r["location"].endswith(".json")] == ["HistFactory", "HistFactory"]


def test_tables_hold_our_numbers(archive):
    _, _, content = table(archive, "Limits on coupling exact")
    scan = publication().scan
    assert [v["value"] for v in content["independent_variables"][0]["values"]] == [0.01, 0.1]
    assert len(content["dependent_variables"]) == 6
    observed = [v["value"] for v in content["dependent_variables"][0]["values"]]
    assert observed == pytest.approx(scan.couplings("exact")[:, 0], rel=1e-4)
    _, _, content = table(archive, "Limits on events asymptotic")
    assert [v["value"] for v in content["dependent_variables"][3]["values"]] == pytest.approx(scan.events("asymptotic")[:, 3], rel=1e-4)
    _, _, content = table(archive, "Systematics")
    mass, source = ([v["value"] for v in variable["values"]] for variable in content["independent_variables"])
    assert mass == [0.01] * 10 + [0.1] * 10
    assert source[0] == source[10] == "muons_on_target (signal)"
    _, _, content = table(archive, "Counts")
    assert [v["value"] for v in content["dependent_variables"][0]["values"]] == [1.17e10, 8.1e9]
    assert [v["value"] for v in content["dependent_variables"][1]["values"]] == [0.0, 0.0]
    _, _, content = table(archive, "Limits on y exact")
    assert [v["value"] for v in content["independent_variables"][0]["values"]] == [0.003, 0.03]
    _, _, content = table(archive, "Backgrounds")
    assert content["dependent_variables"][0]["values"][0] == {"value": 0.05, "errors": [{"label": "total", "symerror": 0.03}]}
    _, _, content = table(archive, "Cut flow")
    assert [v["value"] for v in content["dependent_variables"][0]["values"]] == [3, 2]


def test_every_table_says_where_its_numbers_are(archive):
    documents = list(yaml.safe_load_all((archive.parent / "tables" / "submission.yaml").read_text()))[1:]
    places = {d["name"]: d["location"] for d in documents}
    assert len(places) == 11
    assert all(place.startswith("na64mu") for place in places.values())
    assert places["Limits on coupling exact"] == "na64mu limits, limits.csv, columns g_exact; figures limit_g and bands"


def test_a_search_without_background_has_no_likelihood_and_says_so(tmp_path):
    models = {m: replace(model, backgrounds={}, systematics=model.systematics[:7]) for m, model in MODELS.items()}
    scan = limit_scan(list(models), list(models.values()), (1, 0), g_ref=1e-4)
    archive = write_hepdata(tmp_path, publication(scan=scan, models=models, observed=(1, 0)))
    head, _, _ = table(archive, "Counts")
    assert "No likelihood is attached: no background is expected" in head["comment"]


def test_what_does_not_exist_is_a_word(tmp_path):
    systematic = Systematic("large", {"signal": 0.4}, shape="gaussian")
    models = {m: CountingModel(model.signal, model.backgrounds, (systematic,)) for m, model in MODELS.items()}
    scan = limit_scan(list(models), list(models.values()), (0, 0), g_ref=1e-4)
    archive = write_hepdata(tmp_path, publication(scan=scan, models=models))
    _, _, content = table(archive, "Limits on coupling asymptotic")
    assert [v["value"] for v in content["dependent_variables"][5]["values"]] == ["no limit", "no limit"]


def test_optional_tables_may_be_absent(tmp_path):
    archive = write_hepdata(tmp_path, publication(backgrounds=None, cutflow=None, efficiencies={}, dark=None, exposures=()))
    with tarfile.open(archive) as content:
        assert sum(name.endswith(".yaml") for name in content.getnames()) == 8


def test_masses_of_limits_and_models_must_agree(tmp_path):
    with pytest.raises(StatisticsError, match="publish one model for each limit"):
        write_hepdata(tmp_path, publication(models={0.01: MODELS[0.01]}))


def test_a_missing_library_is_named_with_the_extra(tmp_path, monkeypatch):
    real = builtins.__import__

    def no_hepdata(name, *args, **kwargs):
        if name == "hepdata_lib":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", no_hepdata)
    with pytest.raises(StatisticsError, match=r"needs hepdata_lib: install it with `pip install na64mu\[publish\]`"):
        write_hepdata(tmp_path, publication())


def test_what_the_validator_says_is_passed_on(tmp_path, monkeypatch):
    from hepdata_validator.full_submission_validator import FullSubmissionValidator

    class Message:
        message = "no such keyword"

    monkeypatch.setattr(FullSubmissionValidator, "validate", lambda self, **kwargs: False)
    monkeypatch.setattr(
        FullSubmissionValidator, "get_messages", lambda self, file=None: ["submission.yaml"] if file is None else [Message()]
    )
    with pytest.raises(StatisticsError, match="hepdata-validator does not accept it: no such keyword"):
        write_hepdata(tmp_path, publication())
