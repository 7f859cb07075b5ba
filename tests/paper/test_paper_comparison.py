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


@pytest.mark.parametrize(
    ("n", "wanted"),
    [(4, Verdict.DIFFERS), (1, Verdict.UNDECIDED), (2, Verdict.DIFFERS)],
)
def test_a_few_counted_events_are_judged_by_poisson(n, wanted):
    """(II): 0.02 events are allowed and one simulated event makes 0.6 of them, so 0.033 are expected: 1 in 3 % of the cases, 2 in 0.05 %, 4 never."""
    ours = Value(0.6 * n, 0.3 * math.sqrt(n), per_event=0.6)
    letter = {"a": {"value": 0.01, "error": 0.001}}
    rows = [row(tolerance=Tolerance(factor=2.0))]
    assert compare({"k": ours}, rows, letter)[0].verdict is wanted


def test_too_few_counted_events_differ_too():
    assert verdict(Value(1.0, 1.0, per_event=1.0)) is Verdict.DIFFERS  # 8 at the least are wanted: 1 or none in 0.3 % of the cases
    assert verdict(Value(5.0, 2.2, per_event=1.0)) is Verdict.UNDECIDED


def test_only_independent_checks_count():
    checked, follows = compare(
        {"k": Value(10.0), "f": Value(10.0)}, [row(), row(key="f", kind="consequence", follows="its own number")], LETTER
    )
    assert checked.is_counted
    assert not follows.is_counted
    assert follows.verdict is Verdict.AGREES
    with pytest.raises(ValueError, match="says in follows what it follows from"):
        row(kind="consequence")


def test_the_shipped_rows_mark_what_they_are_worth():
    by_key = {r.key: r for r in published_rows()}
    kinds = {key: r.kind for key, r in by_key.items() if r.letter}
    for key in ("g_minus_2", "systematics", "p_in_width", "ww_10", "ww_100", "crossing_exact", "g_40"):
        assert kinds[key] == "consequence", key
    assert kinds["exposure_1"] == "input"
    independent = sorted(key for key, kind in kinds.items() if kind == "independent")
    assert {"trigger_rate_1", "peak_efficiency", "crossing", "y_40", "ww_1000", "background_decays", "hcal_depth", "psi_best"} <= set(
        independent
    )
    assert by_key["y_40"].tolerance == by_key["y_40_exact"].tolerance == Tolerance(factor=1.35)
    assert not any("counter positions" in r.cause or "positions of S4" in r.cause for r in by_key.values())  # refuted for low masses


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
