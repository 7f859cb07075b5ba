from __future__ import annotations

import json

import pytest

from na64mu.errors import BlindedError, InputError, OutputError
from na64mu.results.freeze import Freeze, FrozenFile, FrozenPart, UserFile, text_hash
from na64mu.results.freeze_differences import differences

PART = FrozenPart(hash="h", content={"a": 1.5})


def made(**changes):
    file = FrozenFile(dataset="d", path="f.root", tree="events", sha256="s", uuid="u", entries=3, is_data=True, runs=((1, 2),))
    content = {
        "time": "t",
        "user": "anna",
        "host": "here",
        "version": "0",
        "commit": "",
        "clean": None,
        "packages": {},
        "configuration_hash": "c",
        "selection_name": "mine",
        "selection": PART,
        "floor": PART,
        "floors": {"prl2024": "h"},
        "detectors": {"x": PART},
        "detector_given": False,
        "calibrations": {"x": PART},
        "calibration_accepted": False,
        "layout": None,
        "user_files": (UserFile(path="own.py", sha256=text_hash("x\r\n\udcff"), text="x\r\n\udcff"),),
        "user_cuts": {},
        "inputs": (file,),
        "code": "k",
        "code_files": {"a.py": "1", "b.py": "2"},
    }
    return Freeze.of(**content | changes)


def test_it_comes_back_as_it_was_and_is_readable(tmp_path):
    freeze = made()
    path = freeze.write(tmp_path / "freeze.json")
    assert Freeze.read(path) == freeze
    assert Freeze.read(freeze) is freeze
    assert len(path.read_text().splitlines()) > 40
    with pytest.raises(OutputError, match=r"freeze.json: cannot be written: file exists"):
        freeze.write(path)


@pytest.mark.parametrize("key", sorted(made().model_dump()))
def test_an_edit_of_any_part_is_seen(key, tmp_path):
    path = made().write(tmp_path / "freeze.json")
    content = json.loads(path.read_text())
    value = content[key]
    content[key] = {"x.py": "1"} if key in ("code_files", "packages", "user_cuts", "floors") else "z" if isinstance(value, str) else value
    if content[key] is value:
        content[key] = (
            {"hash": "h", "content": {}} if isinstance(value, dict) or value is None else (not value if value in (0, False) else [])
        )
    if key == "clean":
        content[key] = True
    if key in ("detectors", "calibrations"):
        content[key] = {}
    if key == "format_version":
        content[key] = 2
    path.write_text(json.dumps(content))
    with pytest.raises((BlindedError, InputError), match=r"freeze.json: (was edited after it was made|is no freeze file of this version)"):
        Freeze.read(path)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "cannot be read as a freeze file .*make one with `na64mu freeze FILES -o freeze.json`"),
        ("{", "cannot be read as a freeze file"),
        ("[" * 100_000, "cannot be read as a freeze file"),
        ("[]", "is no freeze file of this version"),
        ('{"kind": "freeze file of na64mu", "format_version": 1}', "freeze.json: hash: Field required"),
        ('{"kind": "freeze file of na64mu", "format_version": 1, "more": 1}', "freeze.json: more: Extra inputs are not permitted"),
    ],
)
def test_what_is_no_freeze_file(text, sentence, tmp_path):
    if text is not None:
        (tmp_path / "freeze.json").write_text(text)
    with pytest.raises(InputError, match=sentence):
        Freeze.read(tmp_path / "freeze.json")


def test_each_difference_is_named():
    mine = made()
    other = FrozenPart(hash="i", content={})
    more = mine.inputs[0].model_copy(update={"path": "g.root", "sha256": "", "uuid": "v"})
    moved = mine.inputs[0].model_copy(update={"path": "elsewhere/f.root"})
    table = [
        ({}, []),
        ({"selection": other, "configuration_hash": ""}, ["the selection"]),
        ({"detectors": {"x": other}}, ["the detector x"]),
        ({"calibrations": {"x": PART, "y": PART}}, ["the calibration of y"]),
        ({"user_cuts": {"cut": "1"}}, ["the cut of your own cut"]),
        ({"layout": PART}, ["the layout"]),
        ({"configuration_hash": "d"}, ["the configuration"]),
        ({"code_files": {"a.py": "1", "b.py": "3"}, "code": "l"}, ["the file b.py of the code"]),
        ({"inputs": (moved, more)}, ["the input g.root, which is not in the freeze file"]),
        ({"inputs": ()}, ["the input f.root"]),
        ({"inputs": (mine.inputs[0].model_copy(update={"dataset": "e"}),)}, ["the input f.root"]),
        ({"time": "later", "user": "otto"}, []),
    ]
    for changes, named in table:
        assert differences(mine, made(**changes)) == named
    many = differences(mine, made(code_files={f"{i}.py": "" for i in range(20)}, code=""))
    assert (len(many), many[-1]) == (9, "14 more files of the code")


def test_data_are_the_same_wherever_they_lie_and_whatever_is_simulated_beside_them():
    mine = made()
    moved = mine.inputs[0].model_copy(update={"path": "g.root", "dataset": "e"})
    simulated = moved.model_copy(update={"is_data": False, "sha256": "m"})
    assert made(inputs=(moved, simulated)).inputs_hash == mine.inputs_hash
    assert made(inputs=(moved.model_copy(update={"sha256": "t"}),)).inputs_hash != mine.inputs_hash
