"""Published numbers beside ours: verdicts, the rows that ship with the package, what is refused."""

from __future__ import annotations

import csv
import math

import pytest

from na64mu.analysis.curves import letter_numbers
from na64mu.errors import CheckpointError, InputError
from na64mu.paper.comparison import Published, Tolerance, Verdict, compare, published_rows, write_csv
from na64mu.paper.values import Value, read_values, write_values

LETTER = {"a": {"value": 10.0, "error": 1.0}, "rates": [4.0, 7.0], "top": {"upper": 0.01}}


def row(**changes) -> Published:
    fields = {"key": "k", "group": "g", "what": "w", "letter": "a", "tolerance": Tolerance(absolute=2.0), "reason": "because"}
    return Published(**(fields | changes))


def verdict(ours: Value, **changes) -> Verdict:
    return compare({"k": ours}, [row(**changes)], LETTER)[0].verdict


@pytest.mark.parametrize(
    ("ours", "wanted"),
    [
        (Value(11.9), Verdict.AGREES),
        (Value(12.1), Verdict.DIFFERS),
        (Value(12.1, 0.2), Verdict.UNDECIDED),  # half a standard deviation beyond the tolerance
        (Value(13.0, 0.2), Verdict.DIFFERS),
        (Value(10.0, 5.0), Verdict.UNDECIDED),  # in the middle by chance
        (Value(math.nan), Verdict.MISSING),
        (Value(100.0, is_upper=True), Verdict.UNDECIDED),
        (Value(5.0, is_upper=True), Verdict.DIFFERS),
    ],
)
def test_verdicts(ours, wanted):
    assert verdict(ours) is wanted


def test_verdicts_of_factors_and_upper_limits():
    factor = {"tolerance": Tolerance(factor=2.0)}
    assert verdict(Value(19.9), **factor) is Verdict.AGREES
    assert verdict(Value(4.9), **factor) is Verdict.DIFFERS
    upper = {"letter": "top", "is_upper": True, "tolerance": Tolerance(factor=1.5)}
    assert verdict(Value(1e-9), **upper) is Verdict.AGREES
    assert verdict(Value(0.005, is_upper=True), **upper) is Verdict.AGREES
    assert verdict(Value(3.0, is_upper=True), **upper) is Verdict.UNDECIDED
    assert verdict(Value(3.0), **upper) is Verdict.DIFFERS


def test_rows_without_a_test():
    assert verdict(Value(1.0), kind="input") is Verdict.INPUT
    assert verdict(Value(1.0), letter="", tolerance=None, reason="") is Verdict.UNPUBLISHED
    assert compare({}, [row()], LETTER)[0].verdict is Verdict.MISSING


def test_words_say_by_how_much():
    by_difference, by_factor = compare({"k": Value(15.0)}, [row(unit="mm"), row(tolerance=Tolerance(factor=1.2))], LETTER)
    assert by_difference.words == "differs: by +5 mm"
    assert by_factor.words == "differs: x 1.5"
    assert by_factor.letter_error == 1.0


def test_units_of_a_row():
    assert compare({"k": Value(700.0)}, [row(letter="rates.1", scale=100.0)], LETTER)[0].letter == 700.0


def test_shipped_rows_find_their_numbers():
    compared = compare({}, None, None)
    assert len(compared) == len(published_rows()) > 40
    assert {c.verdict for c in compared} == {Verdict.MISSING}
    by_key = {c.published.key: c for c in compared}
    assert by_key["trigger_rate_2"].letter == pytest.approx(7.0)
    assert by_key["background_momentum"].letter_error == pytest.approx(0.03)
    assert by_key["y_40"].letter == pytest.approx(6.0)
    # what is printed of the systematics is what the model takes
    sizes = {k: v for k, v in letter_numbers()["systematics"].items() if k not in ("total", "quadrature")}
    assert math.sqrt(sum(v * v for v in sizes.values())) == pytest.approx(letter_numbers()["systematics"]["quadrature"], abs=5e-4)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[row]]\nkey = "a"\ngroup = "g"\nwhat = "w"\nletter = "x"', "needs a tolerance and its reason"),
        ('[[row]]\nkey = "a"\ngroup = "g"\nwhat = "w"\ntolerance = { factor = 2.0, absolute = 1.0 }', "give either absolute or factor"),
        ('[[row]]\nkey = "a"\ngroup = "g"\nwhat = "w"\n' * 2, "the key 'a' is used twice"),
    ],
)
def test_wrong_rows_are_refused(tmp_path, text, said):
    path = tmp_path / "rows.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=said):
        published_rows(path)


def test_a_number_that_the_letter_has_not_is_named():
    with pytest.raises(InputError, match=r"letter.toml has no number 'rates.7': correct the row"):
        compare({}, [row(letter="rates.7")], LETTER)


def test_csv(tmp_path):
    rows = [row(cause="known"), row(key="absent")]
    path = write_csv(tmp_path / "c.csv", compare({"k": Value(15.0, 0.1, note="counted")}, rows, LETTER))
    with path.open(encoding="utf-8") as stream:
        first, second = csv.DictReader(stream)
    assert (first["letter"], first["ours"], first["verdict"], first["known_cause"]) == ("10", "15", "differs: by +5", "known")
    assert (second["ours"], second["verdict"]) == ("", "not computed")


def test_values_survive_the_file(tmp_path):
    values = {"a": Value(1.5, 0.1, note="n"), "b": Value(math.nan, note="why not"), "c": Value(2.0, is_upper=True)}
    write_values(tmp_path, values)
    back = read_values(tmp_path)
    assert back["a"] == values["a"]
    assert back["c"] == values["c"]
    assert not back["b"].exists
    assert back["b"].note == "why not"
    (tmp_path / "values.json").write_text("{", encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"values.json: cannot be read"):
        read_values(tmp_path)
