"""What turns arguments into what a function means, or refuses them in one sentence."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from pathlib import Path, PurePosixPath

import numpy as np
import pytest

from na64mu.common.arguments import choice, file_name, file_names, number, numbers, one_of, whole
from na64mu.errors import ArgumentError, DetectorError, InputError


class Colour(StrEnum):
    DARK_BLUE = "dark-blue"
    RED = "red"


class Level(IntEnum):
    LOW = 0
    HIGH = 3


@pytest.mark.parametrize("given", [Colour.DARK_BLUE, "dark-blue", "DARK_BLUE", "Dark blue", " dark_blue "])
def test_a_choice_is_its_member_its_value_or_its_name_in_any_case(given):
    assert choice(given, Colour, "colour") is Colour.DARK_BLUE


@pytest.mark.parametrize("given", [Level.HIGH, 3, np.int64(3), "high", "HIGH"])
def test_a_numbered_choice_is_its_number_or_its_name(given):
    assert choice(given, Level, "level") is Level.HIGH


@pytest.mark.parametrize(
    ("given", "shown"), [("green", "'green'"), (0, "0"), (None, "None"), ([], r"\[\]"), (object(), "a value of type object")]
)
def test_what_is_no_choice_is_refused_with_the_choices(given, shown):
    with pytest.raises(ArgumentError, match=rf"^there is no colour {shown}: known are dark-blue, red$"):
        choice(given, Colour, "colour")


@pytest.mark.parametrize("given", [1, True, 3.0, "3", "medium"])
def test_no_number_is_guessed(given):
    with pytest.raises(ArgumentError, match=r"^there is no level .*: known are low \(0\), high \(3\)$"):
        choice(given, Level, "level")


def test_a_refused_argument_is_a_value_error_too():
    with pytest.raises(ValueError, match="there is no colour"):
        choice("green", Colour, "colour")


def test_plain_choices():
    assert one_of("RNTuple", ("ttree", "rntuple"), "kind") == "rntuple"
    assert one_of(np.uint8(2), (1, 2), "config") == 2
    for wrong in ("x", 3, True, 1.0, None):
        with pytest.raises(DetectorError, match=r"^there is no config .*: known are 1, 2$"):
            one_of(wrong, (1, 2), "config", DetectorError)


def test_numbers_keep_their_shape():
    assert numbers([[1, 2], [3, 4]], "x", above=0.0).shape == (2, 2)
    assert number(np.float32(2.0), "x") == 2.0


@pytest.mark.parametrize(
    ("value", "limits", "sentence"),
    [
        (np.nan, {}, "x must be a finite number; found nan"),
        ([1.0, np.inf], {}, "x must be a finite number; found inf"),
        ([1.0, -2.0], {"above": 0.0}, "x must be a number above 0; found -2"),
        (1.5, {"least": 0.0, "most": 1.0}, "x must be a number at least 0 and at most 1; found 1.5"),
        (1.0, {"above": 0.0, "below": 1.0}, "x must be a number above 0 and below 1; found 1"),
        ("two", {}, "x must be a finite number; found 'two'"),
        (None, {}, "x must be a finite number; found None"),
        ("1.5", {}, "x must be a finite number; found '1.5'"),
        (True, {}, "x must be a finite number; found True"),
    ],
)
def test_numbers_outside_their_limits(value, limits, sentence):
    with pytest.raises(ArgumentError) as caught:
        numbers(value, "x", **limits)
    assert str(caught.value) == sentence


def test_one_number_is_no_array():
    with pytest.raises(ArgumentError, match=r"^x must be one number; found an array of shape \(2,\)$"):
        number([1.0, 2.0], "x")


def test_whole_numbers():
    assert whole(3.0, "n") == 3
    assert whole(np.int32(5), "n", most=5) == 5
    for wrong in (2.5, -1, True, "3", np.nan, np.inf, None, 6):
        with pytest.raises(ArgumentError, match=r"^n must be a whole number from 0 to 5; found"):
            whole(wrong, "n", most=5)


def test_one_name_is_a_list_of_one_and_not_its_letters():
    assert file_names("beam.root", "files") == ["beam.root"]
    assert file_names(Path("beam.root"), "files") == [Path("beam.root")]
    assert file_names(PurePosixPath("beam.root"), "files") == ["beam.root"]


def test_names_from_whatever_holds_them():
    names = ["a.root", "b.root"]
    assert file_names(names, "files") == file_names(tuple(names), "files") == file_names((n for n in names), "files") == names


def test_the_home_folder_is_found(monkeypatch):
    monkeypatch.setenv("HOME", "/somewhere")
    assert file_name("~/beam.root", "files") == "/somewhere/beam.root"
    assert file_name(Path("~/beam.root"), "files") == Path("/somewhere/beam.root")
    with pytest.raises(InputError, match="names the home folder of a user that this machine does not know"):
        file_name("~nobody-of-that-name/beam.root", "files")


@pytest.mark.parametrize("wrong", [None, 5, b"a.root", [None], [1], ["a.root", ""], " "])
def test_what_names_no_file_is_refused(wrong):
    with pytest.raises(InputError, match=r"^files: the name of a file .*wanted.*; found"):
        file_names(wrong, "files")


def test_no_file_is_refused_unless_it_may_be():
    with pytest.raises(InputError, match=r"^files: no file was named$"):
        file_names([], "files")
    assert file_names([], "files", may_be_none=True) == []
