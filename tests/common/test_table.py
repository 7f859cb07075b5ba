"""Tables of objects: short, escaped, and with what a reader looks for."""

from __future__ import annotations

import pickle
from dataclasses import dataclass

import pytest

from na64mu.common.table import HTML_LIMIT, LONGEST, MOST_ROWS, Shown, Table


def test_text_sets_numbers_to_the_right_and_words_to_the_left():
    table = Table("peaks", ("name", "GeV", "what"), (("ecal", "0.6", "MIP"), ("hcal", "12", "two")), ("a note",))
    assert table.text().splitlines() == [
        "peaks",
        "name  GeV  what",
        "ecal  0.6  MIP",
        "hcal   12  two",
        "a note",
    ]
    assert repr(table) == str(table) == table.text()


@pytest.mark.parametrize("cell", ["1", "-2.5", "+0.1", "1e-4", "< 3", "-inf", "nan", "12.5%", "-", ""])
def test_these_are_numbers(cell):
    assert Table("", ("a", "b"), (("x", cell), ("y", "1")))._is_number(1)


@pytest.mark.parametrize("cell", ["MIP", "(1, 2)", "x 5"])
def test_these_are_words(cell):
    assert not Table("", ("a", "b"), (("x", cell), ("y", "1")))._is_number(1)


def test_html_is_escaped():
    page = Table("<script>", ("a & b",), (("<b>",),), ("x > y",)).html()
    assert "<script>" not in page
    for text in ("&lt;script&gt;", "a &amp; b", "&lt;b&gt;", "x &gt; y"):
        assert text in page


@pytest.mark.parametrize("n", [0, 1, 10, 1_000, 20_000])
def test_html_is_never_larger_than_the_limit(n):
    table = Table("t" * 1_000, ("a", "b"), tuple((f"row {i}", "é" * 1_000) for i in range(n)), tuple("n" * 1_000 for _ in range(50)))
    page = table.html()
    assert len(page.encode()) <= HTML_LIMIT
    shown = page.count("<tr><td")
    assert shown <= n
    if shown < n:
        assert f"{n - shown} more rows" in page
    assert page.count("<tr>") == page.count("</tr>")


def test_text_is_cut_and_says_so():
    table = Table("", ("n",), tuple((str(i),) for i in range(MOST_ROWS + 5)))
    lines = table.text().splitlines()
    assert len(lines) == MOST_ROWS + 2
    assert lines[-1] == "5 more rows"
    assert "…" in Table("x" * (LONGEST + 1)).html()


def test_a_table_of_nothing_is_its_title():
    assert Table("nothing").text() == "nothing"
    assert Table("nothing").html() == "<div><b>nothing</b></div>"


@dataclass(frozen=True, repr=False)
class Thing(Shown):
    size: int

    def _table(self) -> Table:
        return Table(f"thing of {self.size}")


def test_what_shows_itself_shows_its_table():
    assert repr(Thing(3)) == str(Thing(3)) == "thing of 3"
    assert Thing(3)._repr_html_() == "<div><b>thing of 3</b></div>"
    assert "size" in dir(Thing(3))
    assert pickle.loads(pickle.dumps(Thing(3))) == Thing(3)
