"""`na64mu sample`, `glossary`, `display` and `detector --copy`: what a newcomer without the source tree needs."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

import na64mu
from na64mu.cli import main
from na64mu.data import glossary, sample_files
from na64mu.detector.description import DETECTOR_FOLDER, read_detector


def na64mu_cli(*arguments: object):
    return CliRunner().invoke(main, [str(a) for a in arguments])


def test_the_sample_is_copied_once(tmp_path):
    first = na64mu_cli("sample", tmp_path / "new" / "sample")
    assert first.exit_code == 0, first.output
    copied = sorted((tmp_path / "new" / "sample").iterdir())
    assert [(p.name, p.read_bytes()) for p in copied] == [(p.name, p.read_bytes()) for p in sample_files()]
    before = [p.stat().st_mtime_ns for p in copied]
    assert na64mu_cli("sample", tmp_path / "new" / "sample").exit_code == 0
    assert [p.stat().st_mtime_ns for p in copied] == before


def test_the_sample_is_listed_without_a_folder():
    assert na64mu_cli("sample").stdout.split() == [str(path) for path in na64mu.sample_files()]


def test_a_file_of_the_user_is_not_replaced_by_one_of_the_sample(tmp_path):
    own = tmp_path / sample_files()[-1].name
    own.write_text("mine")
    done = na64mu_cli("sample", tmp_path)
    assert done.exit_code == 1
    assert f"{own}: exists, and is not the file of the sample; choose another folder" in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == [own.name]
    assert own.read_text() == "mine"


def test_an_installation_without_the_sample_says_so(monkeypatch):
    monkeypatch.setattr("na64mu.data.sample_files", list)
    assert "the installation is incomplete" in na64mu_cli("sample").stderr


@pytest.mark.parametrize("term", ["MIP", "mot", "MS1", "V1", "spill", "E_CAL", "signal box", "calibration trigger"])
def test_the_words_of_the_experiment_are_explained(term):
    done = na64mu_cli("glossary", term)
    assert done.exit_code == 0, done.output
    assert len(done.stdout.splitlines()) >= 2
    assert "`" not in done.stdout


def test_every_word_has_an_explanation_and_its_place():
    entries = glossary()
    assert len(entries) > 30
    assert all(text.endswith(".") and len(text) > 30 for text in entries.values())
    assert list(entries) == sorted(entries, key=lambda name: name.lower().replace("_", " "))
    done = na64mu_cli("glossary")
    assert all(f"{name}\n" in done.stdout for name in entries)


def test_an_unknown_word_is_said_with_the_nearest():
    done = na64mu_cli("glossary", "spil")
    assert done.exit_code == 1
    assert "'spil' is not in the glossary; `na64mu glossary` prints all of it. Did you mean 'spill'?" in done.stderr


def test_a_description_is_copied_to_be_changed(tmp_path):
    path = tmp_path / "mine.toml"
    assert na64mu_cli("detector", "na64mu-2022", "--copy", path).exit_code == 0
    assert read_detector(path).digest == read_detector(DETECTOR_FOLDER / "na64mu-2022.toml").digest
    again = na64mu_cli("detector", "na64mu-2022", "--copy", path)
    assert again.exit_code == 2
    assert "exists already; choose another name" in again.stderr
    assert na64mu_cli("detector", "--copy", path).exit_code == 2


@pytest.mark.parametrize("name", ["event", "event.root"])
def test_a_picture_of_an_unknown_form_is_refused_before_any_work(tmp_path, name):
    done = na64mu_cli("display", tmp_path / "absent.root", "-o", tmp_path / name)
    assert done.exit_code == 2
    assert "the ending chooses the form of a picture: one of .png, .pdf, .svg," in done.stderr


def test_an_event_of_a_foreign_tree_is_drawn(tmp_path, monkeypatch):
    seen = {}
    monkeypatch.setattr("na64mu.events.reader.count_entries", lambda path, layout=None: seen.update(layout=layout) or 0)
    done = na64mu_cli("display", "theirs.root", "--layout", "na64-public-tree", "-o", tmp_path / "event.png")
    assert "there is no entry 0, the file has 0" in done.stderr
    assert seen["layout"].trees.events == "tree"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_old_name_of_the_dark_photon_is_taken_with_a_warning(tmp_path, monkeypatch):
    made = []

    def produce(path: Path, detector: object, process: str, *rest: object, **more: object) -> dict[str, int]:
        made.append(process)
        return {"n_written": 0, "n_mot": 0, "n_physics": 0}

    monkeypatch.setattr("na64mu.simulation.produce.produce", produce)
    for name in ("darkphoton", "dark-photon"):
        done = na64mu_cli("simulate", "-n", 1, "--process", name, "--mass", 0.1, "-o", tmp_path / "x.root")
        assert done.exit_code == 0, done.output
        assert ("darkphoton is now dark-photon; the old name works until" in done.stderr) == (name == "darkphoton")
    assert made == ["dark-photon", "dark-photon"]
    done = na64mu_cli("limits", "--published", "--model", "darkphoton", "--range", 2, 1)
    assert "darkphoton is now dark-photon; the old name works until" in done.stderr


def test_the_library_takes_the_old_name_with_a_warning(tmp_path):
    from na64mu.errors import Na64muError
    from na64mu.simulation.produce import produce

    with (
        pytest.warns(FutureWarning, match="the process 'darkphoton' is now 'dark-photon'; the old name works until"),
        pytest.raises(Na64muError, match="there is no config 3: known are 1, 2"),
    ):
        produce(tmp_path / "x.root", "na64mu-2022", "darkphoton", 1, 3, 1)
