"""Data-like files of the sample that ships with the package: what is in them, what is not, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from na64mu.cli import main
from na64mu.data import sample_files
from na64mu.detector import load_detector
from na64mu.detector.hidden import Hidden
from na64mu.errors import ArgumentError, InputError
from na64mu.events.reader import read_batch, read_runs
from na64mu.events.schema_v1 import TRUTH
from na64mu.events.writer import RawTreeWriter
from na64mu.execution.mock import CONDITIONS, mock
from na64mu.execution.mock_answer import read_answer
from na64mu.physics.widths import invisible_fraction

G = 0.15  # about five events of the sample's Z' in its 1.7 million muons


def files(*names):
    return [path for path in sample_files() if Path(path).stem.rpartition("_")[0] in names]


def hidden(**more):
    return Hidden(format_version=1, kind="hidden", detector="na64mu-2022", **more)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Both configurations, two runs each, with a signal and gains."""
    folder = tmp_path_factory.mktemp("mock")
    file = hidden(seed=5, signal={"coupling": G}, gains=[{"plane": "ecal1", "gain": 2.0}, {"plane": "hcal1", "gain": 0.5, "channels": [4]}])
    done = mock(files("calibration", "physics", "zprime_100MeV"), folder / "data", answer=folder / "answer.json", hidden=file, runs=2)
    return done, file


def test_files_are_data_without_a_trace_of_truth(made):
    done, _ = made
    assert [row["config"] for row in done.rows] == [1, 1, 2, 2]
    for path, row in zip(done.files, done.rows, strict=True):
        batch = read_batch(path)
        assert not set(TRUTH) & set(batch.scalars)
        assert read_runs(path) == [row]
        assert (row["n_generated"], row["sum_weights"], row["g_ref"], row["seed"], row["conditions"]) == (0, 0.0, 0.0, 0, CONDITIONS)
        assert (batch.scalars["event"] == np.arange(1, len(batch) + 1)).all()
        assert (batch.scalars["run"] == row["run"]).all()
        assert (np.diff(batch.scalars["spill"].astype(int)) >= 0).all()
        assert batch.scalars["spill"].max() <= row["n_spills"]
    assert sum(row["n_mot"] for row in done.rows) == 856288 + 858175
    text = b"".join(p.read_bytes() for p in done.files[0].parent.iterdir())
    for word in (b"zprime", b"mc_weight", b"physics_1", b"hidden"):
        assert word not in text
    result = CliRunner().invoke(main, ["check", *map(str, done.files)])
    assert result.exit_code == 0, result.output


def test_the_answer_says_what_is_hidden_and_shows_an_edit(made, tmp_path):
    done, file = made
    answer = read_answer(done.answer)
    assert answer["sha256"] == done.sha256
    assert Hidden(**answer["hidden"]) == file
    by_name = {(s["sample"], s["config"]): s for s in answer["samples"]}
    signal = [by_name["zprime 100 MeV", config] for config in (1, 2)]
    for one, path in zip(signal, files("zprime_100MeV"), strict=True):
        (row,), batch = read_runs(path), read_batch(path)
        physics = (batch.scalars["trigger"] & 2) != 0
        weight = batch.scalars["mc_weight"][physics].sum() * one["data_n_mot"] / row["n_mot"]
        assert one["expected"] == pytest.approx(weight * (G / 1e-4) ** 2)
        assert one["branching_ratio"] == 1.0
    assert len(answer["signal_events"]) == sum(one["events"] for one in signal) > 0
    edited = tmp_path / "edited.json"
    edited.write_text(json.dumps(answer | {"seed": 6}))
    with pytest.raises(InputError, match="the answer was edited"):
        read_answer(edited)
    with pytest.raises(InputError, match="not an answer"):
        read_answer(_written(tmp_path / "x.json", "[]"))
    with pytest.raises(InputError, match="cannot be read as JSON"):
        read_answer(_written(tmp_path / "y.json", "{"))


def _written(path, text):
    path.write_text(text)
    return path


def test_events_are_those_of_the_samples_with_gains_and_in_another_order(made):
    done, _ = made
    answer = read_answer(done.answer)
    signal = {tuple(pair) for pair in answer["signal_events"]}
    known = {}
    for path in files("calibration", "physics", "zprime_100MeV"):
        batch = read_batch(path)
        straw, ecal, hcal = (batch.collections[name] for name in ("straw", "ecal", "hcal"))
        for i in range(len(batch)):
            own = slice(straw.offsets[i], straw.offsets[i + 1])
            key = (straw["wire"][own].tobytes(), straw["time"][own].tobytes())
            energies = [np.split(c["energy"], c.offsets[1:-1])[i].sum() for c in (ecal, hcal)]
            known[key] = ("zprime" in str(path), batch.scalars["trigger"][i], energies)
    n, order = 0, []
    for path in done.files:
        batch = read_batch(path)
        straw, ecal, hcal = (batch.collections[name] for name in ("straw", "ecal", "hcal"))
        for i in range(len(batch)):
            own = slice(straw.offsets[i], straw.offsets[i + 1])
            is_signal, trigger, before = known[straw["wire"][own].tobytes(), straw["time"][own].tobytes()]
            assert trigger == batch.scalars["trigger"][i]
            assert is_signal == ((batch.scalars["run"][i], batch.scalars["event"][i]) in signal)
            after = [np.split(c["energy"], c.offsets[1:-1])[i].sum() for c in (ecal, hcal)]
            assert before[0] <= after[0] * (1 + 1e-6)
            assert after[1] <= before[1] * (1 + 1e-6)
            order.append(trigger)
            n += 1
    assert 0 <= sum(s["events"] for s in answer["samples"]) - n < 20  # calibration triggers for which there is no muon
    assert len(set(order[: len(order) // 4])) > 1  # calibration and physics triggers are mixed


def test_calibration_triggers_are_prescaled_to_the_exposure(made):
    done, _ = made
    prescale = done.rows[0]["prescale_calibration"]
    assert prescale == max(-(-856288 // 642), -(-858175 // 661))
    answer = read_answer(done.answer)
    beam = {(s["config"], s["n_mot"]): s["events"] for s in answer["samples"] if s["sample"] == "beam"}
    physics = (read_batch(files("physics")[0]).scalars["trigger"] & 2) != 0
    assert beam[1, 856288] in (physics.sum(), physics.sum() - 1, physics.sum() - 2)  # a muon that made a Z' is no other one
    assert beam[1, 642] == 642 or abs(beam[1, 642] - 642 * 856288 / 642 / prescale) < 5 * 26


def test_equal_seeds_make_equal_data(tmp_path, made):
    done, file = made
    samples = files("calibration", "physics", "zprime_100MeV")
    again = mock(samples, tmp_path / "data", answer=tmp_path / "answer.json", hidden=file, runs=2)
    for one, other in zip(done.files, again.files, strict=True):
        first, second = read_batch(one), read_batch(other)
        assert all((first.scalars[name] == second.scalars[name]).all() for name in first.scalars)
        assert (first.collections["ecal"]["energy"] == second.collections["ecal"]["energy"]).all()
    assert again.sha256 != done.sha256  # the salt


def test_the_branching_ratio_counts_above_the_muon_threshold(tmp_path):
    """A Z' of 311 MeV decays to muons too, and those it does not leave unseen."""
    row = read_runs(files("zprime_100MeV")[0])[0]
    batch = read_batch(files("zprime_100MeV")[0])
    batch.scalars["mc_mass"][:] = 0.311
    with RawTreeWriter(tmp_path / "heavy_1.root") as writer:
        writer.extend(batch)
        writer.finish([row])
    made = mock(
        tmp_path / "heavy_1.root", tmp_path / "data", answer=tmp_path / "a.json", hidden=hidden(signal={"coupling": 0.01}), mot=(1e6, 0)
    )
    (said,) = read_answer(made.answer)["samples"]
    assert said["branching_ratio"] == pytest.approx(float(invisible_fraction(0.311, 0.01))) == pytest.approx(0.525, abs=0.001)
    assert made.rows[0]["prescale_calibration"] == 0


def test_refusals(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    answer = {"answer": "a.json"}
    beam, signal, nuclear = (files(name) for name in ("physics", "zprime_100MeV", "nuclear"))
    given = hidden(signal={"coupling": 1e-3})
    for message, names, options in (
        ("no coupling is given", [*beam, *signal], {}),
        ("must not lie in the folder of the data", beam, {"answer": "data/a.json"}),
        ("no muons on target", signal, {"hidden": given}),
        ("has 856288 muons on target and 2000000 are needed", beam, {"mot": (2e6, 0)}),
        ("whole numbers of muons on target", beam, {"mot": (1e6, 0.5)}),
        ("and no sample of it", beam[:1], {"mot": (1e5, 1e5)}),
        ("are needed: simulate about", [*beam, *signal], {"hidden": hidden(signal={"coupling": 10.0})}),
        ("above the maximum 1e-12", [*beam, *signal], {"hidden": given, "max_weight": 1e-12}),
        ("prescale", beam, {"prescale": -1}),
        ("the beginning of a file name", beam, {"name": "a/b"}),
        ("was simulated with the apparatus of its description", beam, {"hidden": hidden(modules=[{"name": "mm5", "dx": 1.0}])}),
    ):
        with pytest.raises((InputError, ArgumentError), match=message):
            mock(names, "data", **answer | options)
    with pytest.raises(InputError, match="is data, or has no truth"):
        mock(mock(beam, "first", **answer).files, "data", **answer)
    with pytest.raises(InputError, match="no input was given"):
        mock([], "data", **answer)
    # nuclear losses are beam muons too: their physics triggers replace those of the beam sample
    done = mock([*beam, *nuclear], "merged", **answer, mot=(2000, 0), seed=3)
    counts = {s["sample"]: s["events"] for s in read_answer(done.answer)["samples"]}
    assert counts["beam"] == 0


def test_a_displaced_description_has_the_tag_and_another_digest(tmp_path):
    path = tmp_path / "hidden.toml"
    path.write_text(
        'format_version = 1\nkind = "hidden"\ndetector = "na64mu-2022"\n[[modules]]\nname = "mm5"\ndx = 0.3\ndrotation = 0.002\n'
        '[[channels]]\nplane = "mm6_x"\ndead = [3]\n'
    )
    nominal, moved = load_detector("na64mu-2022"), load_detector(path)
    assert (moved.tag, moved.digest != nominal.digest) == (nominal.tag, True)
    one, other = (d.trackers["mm5"] for d in (nominal, moved))
    assert (other.centre[0] - one.centre[0], other.centre[1], other.rotation) == (pytest.approx(0.3), one.centre[1], one.rotation + 0.002)
    assert moved.operation.of("mm6_x").dead == (3,)
    assert "hidden apparatus" in moved.operation.label
    for text, message in (
        ('[[modules]]\nname = "mm99"\n', "the hidden apparatus names the module 'mm99'"),
        ('[[modules]]\nname = "mm5"\n[[modules]]\nname = "mm5"\n', "modules: a name is given twice"),
        ("[[modules]]\nname = 'mm5'\ndx = nan\n", "modules\\[0\\].dx"),
    ):
        path.with_name(f"{abs(hash(text))}.toml").write_text('format_version = 1\nkind = "hidden"\ndetector = "na64mu-2022"\n' + text)
        with pytest.raises(Exception, match=message):
            load_detector(path.with_name(f"{abs(hash(text))}.toml"))


def test_the_verb(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("hidden.toml").write_text('format_version = 1\nkind = "hidden"\ndetector = "na64mu-2022"\nseed = 7\n[signal]\ncoupling = 0.15\n')
    names = map(str, files("physics", "zprime_100MeV"))
    done = CliRunner().invoke(main, ["mock", *names, "--hidden", "hidden.toml", "-o", "data", "--name", "run", "--first-run", "101"])
    assert done.exit_code == 0, done.output
    assert "data/run_101.root: run 101, configuration 1, 856288 muons on target" in done.output
    assert read_answer("answer.json")["sha256"] in done.output
    assert "0.15" not in done.output
