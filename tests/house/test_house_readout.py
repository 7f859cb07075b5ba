"""One form for everything that is read out: nobody tells the kinds of tracker apart by their names, or copies the list of stations."""

from __future__ import annotations

import re
from pathlib import Path

from na64mu.detector.elements import TRACKERS
from na64mu.reconstruction.hit_makers import HIT_MAKERS
from na64mu.simulation.digitisers import DIGITISERS

ROOT = Path(__file__).parents[2]
PREFIXES = "|".join(sorted(cls.prefix for cls in TRACKERS.values()))
CLASSES = "|".join(sorted(cls.__name__ for cls in TRACKERS.values()))
#: Where one kind of readout is at home, and may ask for its own class.
HOMES = ("detector/elements/", "reconstruction/hit_makers/", "simulation/digitisers/", "alignment/straws.py")

BY_NAME = re.compile(rf"""startswith\(\s*\(?\s*["'](?:{PREFIXES})["']""")
BY_CLASS = re.compile(rf"isinstance\([^()]*\b(?:{CLASSES})\b")
LISTED = re.compile(rf"""(?:["'](?:{PREFIXES})\d+["'],?\s*){{3,}}""")


def sources() -> dict[str, str]:
    found = {}
    for folder in ("src/na64mu", "processors", "selections"):
        for path in (ROOT / folder).rglob("*.py"):
            code = re.sub(r'"""(?:.|\n)*?"""', "", path.read_text(encoding="utf-8"))  # docstrings may give examples
            found[path.relative_to(ROOT / folder).as_posix()] = code
    return found


def test_no_branch_asks_for_the_kind_of_a_tracker():
    for name, text in sources().items():
        assert not BY_NAME.search(text), f"{name}: ask the readout plane, not its name: {BY_NAME.search(text)}"
        assert name.startswith(HOMES) or not BY_CLASS.search(text), f"{name}: {BY_CLASS.search(text)}"


def test_no_module_repeats_the_stations_of_a_description():
    for name, text in sources().items():
        assert not LISTED.search(text), f"{name}: take na64mu.detector.readout.stations: {LISTED.search(text)}"


def test_the_searches_find_what_they_look_for():
    assert BY_NAME.search('if plane.station.startswith("st"):')
    assert BY_NAME.search('name.startswith(("mm", "gem"))')
    assert BY_CLASS.search("isinstance(module, BmsStation | Straw)")
    assert LISTED.search('("bms1", "bms5",\n "mm1", "st5")')


def test_every_kind_has_a_hit_maker_and_a_digitiser():
    assert set(TRACKERS) == set(HIT_MAKERS) == set(DIGITISERS)
