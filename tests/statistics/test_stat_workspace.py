"""The published likelihood: pyhf accepts it, and gives our limits back."""

from __future__ import annotations

import json

import numpy as np
import pytest

from na64mu.errors import StatisticsError
from na64mu.statistics import CountingModel, Systematic, letter_model, upper_limits
from na64mu.statistics.hs3 import hs3_document, write_hs3
from na64mu.statistics.profile import Likelihood, negative_log_likelihood
from na64mu.statistics.workspace import background_workspace, full_workspace, patch_name, patchset, write_workspace

INSPIRE = 1234567
MODELS = {0.01: letter_model((5.91, 4.09)), 0.1: letter_model((2.0, 1.5)), 1.0: letter_model((0.03, 0.02))}


def test_patched_workspace_gives_our_limit(tmp_path):
    import pyhf

    files = write_workspace(tmp_path, MODELS, (0, 0), g_ref=1e-4, inspire=INSPIRE)
    assert [f.name for f in files] == ["background_only.json", "patchset.json"]
    background = pyhf.Workspace(json.loads(files[0].read_text()))
    patches = pyhf.PatchSet(json.loads(files[1].read_text()))
    patches.verify(background)
    assert [p.name for p in patches.patches] == ["mass_10MeV", "mass_100MeV", "mass_1000MeV"]
    workspace = pyhf.Workspace(patches.apply(background, "mass_100MeV"))
    model = workspace.model()
    assert patches["mass_100MeV"].values == (0.1, 1e-4)
    mine = upper_limits(MODELS[0.1], (0, 0)).asymptotic
    observed = pyhf.infer.hypotest(mine.observed, workspace.data(model), model)
    assert float(observed) == pytest.approx(0.1, abs=2e-4)
    expected = pyhf.infer.hypotest(mine.median, workspace.data(model), model, return_expected=True)[1]
    assert float(expected) == pytest.approx(0.1, abs=2e-4)


def test_a_changed_workspace_fails_the_digest(tmp_path):
    import pyhf

    background = background_workspace(MODELS[0.01], (0, 0))
    patches = pyhf.PatchSet(patchset(background, MODELS, g_ref=1e-4, inspire=INSPIRE))
    with pytest.raises(pyhf.exceptions.PatchSetVerificationError):
        patches.verify(pyhf.Workspace(background_workspace(MODELS[0.01], (1, 0))))


def test_a_gaussian_systematic_becomes_a_histosys():
    model = CountingModel((1.0, 1.0), {"b": (2.0, 4.0)}, (Systematic("x", {"b": 0.25}, shape="gaussian"),))
    (modifier,) = background_workspace(model, (0, 0))["channels"][1]["samples"][0]["modifiers"]
    assert modifier == {"name": "x", "type": "histosys", "data": {"hi_data": [5.0], "lo_data": [3.0]}}


def test_a_fit_may_try_as_many_signal_events_as_are_seen():
    model = CountingModel((1.0, 1.0), {"b": (500.0, 400.0)})
    for observed, events in (((0, 0), 2700.0), ((1000, 100), 6000.0)):
        (settings,) = full_workspace(model, observed)["measurements"][0]["config"]["parameters"]
        assert settings["bounds"] == [[0.0, events / 2.0]]
    assert full_workspace(MODELS[0.1], (0, 0))["measurements"][0]["config"]["parameters"][0]["bounds"] == [[0.0, 100.0 / 3.5]]


def test_patch_names():
    assert [patch_name(m) for m in (0.0025, 0.1, 1.0, 10.0)] == ["mass_2p5MeV", "mass_100MeV", "mass_1000MeV", "mass_10000MeV"]


@pytest.mark.parametrize(
    ("models", "inspire", "message"),
    [
        ({}, INSPIRE, "no mass to publish: give at least one model"),
        (MODELS, 12, "INSPIRE number 12: seven digits are wanted"),
        ({0.1: MODELS[0.1], 0.1 + 1e-9: MODELS[0.1]}, INSPIRE, "two of them agree to six digits and would share a patch"),
        (MODELS | {2.0: letter_model((1, 1), {"momentum": 0.06})}, INSPIRE, "the model of mass 2 GeV has other channels, backgrounds"),
        ({0.1: CountingModel((1.0, 1.0), {})}, INSPIRE, "a background-only workspace of a model without backgrounds has no samples"),
    ],
)
def test_what_cannot_be_published_is_said(tmp_path, models, inspire, message):
    with pytest.raises(StatisticsError, match=message):
        write_workspace(tmp_path, models, (0, 0), g_ref=1e-4, inspire=inspire)


def test_every_reference_inside_the_hs3_document_leads_somewhere(tmp_path):
    document = json.loads(write_hs3(tmp_path / "hs3.json", MODELS[0.1], (0, 1)).read_text())
    assert document["metadata"]["hs3_version"] == "0.2"
    names = {key: {row["name"] for row in document[key]} for key in ("distributions", "data", "likelihoods", "domains", "parameter_points")}
    (likelihood,), (analysis,) = document["likelihoods"], document["analyses"]
    assert set(likelihood["distributions"]) == {"config_1", "config_2"} < names["distributions"]
    assert set(likelihood["data"]) == names["data"]
    assert analysis["likelihood"] in names["likelihoods"]
    assert set(analysis["domains"]) <= names["domains"]
    assert analysis["init"] in names["parameter_points"]
    modifiers = [m for d in document["distributions"] for s in d.get("samples", ()) for m in s["modifiers"]]
    used = {m["parameter"] for m in modifiers}
    assert used == {p["name"] for p in document["parameter_points"][0]["parameters"]} == {a["name"] for a in document["domains"][0]["axes"]}
    assert analysis["parameters_of_interest"] == ["mu"]
    assert "mu" in used
    # a constraint stands as a type word, for version 0.2, and as the name of a distribution of this document, for the next one
    gaussians = {d["name"]: d for d in document["distributions"] if d["type"] == "gaussian_dist"}
    for modifier in modifiers:
        if modifier["type"] != "normfactor":
            assert modifier["parameters"] == [modifier["parameter"]]
            (constraint,) = modifier["constraints"]
            assert gaussians[constraint] == {
                "name": constraint,
                "type": "gaussian_dist",
                "x": modifier["parameter"],
                "mean": 0.0,
                "sigma": 1.0,
            }
    assert names["distributions"] == {"config_1", "config_2"} | set(gaussians)


def test_pyhs3_reads_our_likelihood(tmp_path):
    """A reader that is not ours: the difference of both ln L is the same everywhere."""
    pyhs3 = pytest.importorskip("pyhs3", reason="pyhs3 is not installed")
    import pytensor
    from pytensor.graph.traversal import explicit_graph_inputs

    systematics = (
        Systematic("shared", {"signal": 0.1, "b": 0.2}),
        Systematic("own", {"signal": 0.07}, correlated=False),
        Systematic("linear", {"b": (0.1, 0.15)}, shape="gaussian"),
    )
    model, counts = CountingModel((2.0, 3.0), {"b": (4.0, 2.0), "c": (1.0, 0.5)}, systematics), np.array([6.0, 3.0])
    document = json.loads(write_hs3(tmp_path / "hs3.json", model, counts.tolist()).read_text())
    log_probability = pyhs3.Workspace(**document).model("search").log_prob
    inputs = list(explicit_graph_inputs([log_probability]))
    theirs = pytensor.function(inputs, log_probability)
    rates, n = model.rates(), len(model.nuisances)
    arrays = (np.ascontiguousarray(a) for a in (rates.nominal, rates.is_signal.astype(float), rates.channel, rates.exponents, rates.slopes))
    likelihood = Likelihood(*arrays)
    generator = np.random.default_rng(1)
    sums = []
    for point in (np.r_[1.0, np.zeros(n)], *(np.r_[generator.uniform(0.1, 2.0), generator.normal(0.0, 0.7, n)] for _ in range(4))):
        ours = negative_log_likelihood(point, counts, np.zeros(n), likelihood, np.zeros(1 + n), np.zeros((1 + n, 1 + n)))
        values = dict(zip(("mu", *(f"alpha_{nuisance.name}" for nuisance in model.nuisances)), point, strict=True))
        sums.append(ours + float(np.sum(theirs(*(np.array(values[i.name]) for i in inputs)))))
    np.testing.assert_allclose(sums, sums[0], atol=1e-7)


def test_hs3_holds_rates_systematics_and_data():
    model = CountingModel(
        (1.0, 2.0), {"b": (3.0, 4.0)}, (Systematic("k", {"signal": 0.25}), Systematic("x", {"b": 0.25}, shape="gaussian", correlated=False))
    )
    document = hs3_document(model, (5, 6))
    assert [d["contents"] for d in document["data"]] == [[5.0], [6.0]]
    signal, background = document["distributions"][1]["samples"]
    assert signal["data"]["contents"] == [2.0]
    assert signal["modifiers"][0] == {
        "name": "k",
        "type": "normsys",
        "parameter": "alpha_k",
        "constraint": "Gauss",
        "parameters": ["alpha_k"],
        "constraints": ["alpha_k_constraint"],
        "data": {"hi": 1.25, "lo": 0.8},
    }
    assert background["modifiers"][0]["data"] == {"hi": {"contents": [5.0]}, "lo": {"contents": [3.0]}}
    assert background["modifiers"][0]["parameter"] == "alpha_x_config_2"
