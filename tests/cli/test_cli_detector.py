"""`na64mu detector`: the list, the elements along z, and the source of every number."""

from __future__ import annotations

import importlib.util
import json
import re

import pytest
from click.testing import CliRunner

from na64mu.cli import main
from na64mu.detector import known_detectors, load_detector
from na64mu.detector.overview import named_elements


def invoke(*arguments: str):
    return CliRunner().invoke(main, ["detector", *arguments])


def test_without_a_name_it_lists_the_known_descriptions():
    done = invoke()
    assert done.exit_code == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == known_detectors()


@pytest.mark.parametrize("tag", known_detectors())
def test_elements_stand_in_order_of_z(tag):
    done = invoke(tag)
    assert done.exit_code == 0
    found = re.findall(r"^ *(-?\d+\.\d) +(\w+) ", done.stdout, flags=re.MULTILINE)
    rows = {name: float(z) for z, name in found}
    placed = {name: e.z for name, e in named_elements(load_detector(tag)).items() if hasattr(e, "z")}
    assert list(rows.values()) == sorted(rows.values())
    assert rows == pytest.approx(placed, abs=0.051)


def test_sources_name_every_number():
    detector = load_detector("na64mu-2022")
    done = invoke("na64mu-2022", "--sources")
    assert done.exit_code == 0
    n_numbers = sum(len(set(type(e).model_fields) - {"source", "sources"}) for e in named_elements(detector).values())
    assert sum(kind in done.stdout for kind in ("published:", "thesis:", "inferred:")) == 3
    assert sum(done.stdout.count(f" {kind}: ") for kind in ("published", "thesis", "inferred", "simulated")) >= n_numbers


def test_json_is_the_description():
    assert json.loads(invoke("na64mu-2022", "--json").stdout)["tag"] == "na64mu-2022"


def test_an_unknown_tag_lists_the_known_ones():
    done = invoke("na64mu-1999")
    assert done.exit_code == 1
    assert "no detector description 'na64mu-1999': known are " + ", ".join(known_detectors()) in done.stderr


def test_options_need_a_name():
    assert invoke("--sources").exit_code == 2
    assert invoke("--gdml", "x.gdml").exit_code == 2


def test_gdml_is_written_and_checked(tmp_path):
    if importlib.util.find_spec("geant4_pybind") is None:
        pytest.skip("geant4-pybind is not installed (extra geant4)")
    path = tmp_path / "setup.gdml"
    done = invoke("na64mu-2022", "--gdml", str(path))
    assert done.exit_code == 0
    assert "volumes without overlaps, read back by geant4" in done.stdout
    assert path.read_text().count("<physvol") > 50
