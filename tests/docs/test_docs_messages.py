"""What the FAQ and the pages quote: messages are those of the code, numbers those of the files that a command has made."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FAQ = ROOT / "docs" / "reference" / "faq.md"
QUOTES = re.findall(r"^\*\*`(.+)`\*\*$", FAQ.read_text(encoding="utf-8"), flags=re.MULTILINE)
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(p for p in (ROOT / "docs").rglob("*.md") if "_build" not in p.parts)]
NUMBER = re.compile(
    r"(?P<value>[0-9][0-9.]*(?:e-?[0-9]+)?)(?: (?:%|\+-|±) ?(?P<error>[0-9][0-9.]*)?)?[^<>\n]{0,12}<!-- =(?P<file>\w+)\.(?P<name>\w+) -->"
)


def templates() -> set[str]:
    """Messages of the package: every string of the sources, what is put in replaced by one sign."""
    found = set()
    for folder in ("src/na64mu", "processors", "selections"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.JoinedStr):
                    found.add("".join(str(part.value) if isinstance(part, ast.Constant) else "\0" for part in node.values))
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found.add(node.value)
    return found


def quoted(text: str, known: set[str]) -> bool:
    """Whether a message begins as the text says; `...` stands for anything, at the end for what follows."""
    begins = re.compile(".*?".join(re.escape(part) for part in text.split("...")), flags=re.DOTALL)
    return any(begins.match(message) for message in known)


def test_the_faq_quotes_messages_of_the_code():
    known = templates()
    assert len(QUOTES) >= 10
    for text in QUOTES:
        assert quoted(text, known), text
    assert not quoted("calibration ... was refused by ...", known)
    assert not quoted("the box stays shut: ...", known)


def stated(page: Path) -> list[re.Match[str]]:
    return list(NUMBER.finditer(page.read_text(encoding="utf-8")))


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_a_measured_number_is_that_of_its_file(page):
    text = page.read_text(encoding="utf-8")
    assert len(stated(page)) == text.count("<!-- ="), "a mark stands behind no number"
    for found in stated(page):
        content = json.loads((ROOT / "docs" / "results" / f"{found['file']}.json").read_text(encoding="utf-8"))
        kept = content["values"][found["name"]]
        assert content["command"].startswith("python benchmarks/")
        assert same(found["value"], kept["value"]), (found[0], kept)
        assert found["error"] is None or same(found["error"], kept["error"]), (found[0], kept)


def same(text: str, value: float) -> bool:
    """Whether a number as it is written is a value, rounded to as many digits."""
    digits = len(text.partition(".")[2])
    return text == f"{value:.{digits}f}"


def test_a_number_that_drifted_would_be_seen():
    assert same("1.29", 1.2943)
    assert not same("1.6", 1.2943)


def test_every_file_of_results_is_quoted_and_says_how_it_was_made():
    marks = {found["file"] for page in PAGES for found in stated(page)}
    files = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in (ROOT / "docs" / "results").glob("*.json")}
    assert marks == set(files)
    for name, content in files.items():
        script = content["command"].split()[1]
        assert (ROOT / script).is_file(), name
        assert "--write" in content["command"]
        assert {"what", "version", "commit", "made"} <= set(content)


def test_y_as_it_is_written_is_y_as_it_is_computed():
    import numpy as np

    from na64mu.physics.couplings import y_parameter

    written = r"y = (g_chi g_Z')^2 (m_chi / m_Z')^4"
    for page in ("docs/explanation/letter.md", "data/glossary.md"):
        assert written in (ROOT / page).read_text(encoding="utf-8"), page
    g_chi, g, m_chi, m = 0.05, 5e-4, 0.02, 0.06
    formula = (
        written.partition("= ")[2]
        .replace("^", "**")
        .replace("(g_chi g_Z')", "(g_chi * g)")
        .replace(" (m_chi", " * (m_chi")
        .replace("m_Z'", "m")
    )
    value = eval(formula, {"g_chi": g_chi, "g": g, "m_chi": m_chi, "m": m})  # the formula of the page
    assert value == pytest.approx(float(np.asarray(y_parameter(g, g_chi, m_chi, m))), rel=1e-12)
