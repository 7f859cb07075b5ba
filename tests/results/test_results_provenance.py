from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import na64mu
from na64mu.results.provenance import InputFile, Provenance, merged_ranges, package_versions, repository_state

pairs = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=8)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(pairs)
def test_merged_ranges_cover_the_same_entries_without_touching(ranges):
    merged = merged_ranges(ranges)
    assert {i for a, b in merged for i in range(a, b)} == {i for a, b in ranges for i in range(a, b)}
    assert all(a < b for a, b in merged)
    assert all(first[1] < second[0] for first, second in itertools.pairwise(merged))


def test_a_provenance_survives_json():
    provenance = Provenance(
        configuration_hash="c",
        selection="prl2024",
        selection_hash="s",
        detectors={"d": "1"},
        calibrations={"d": "2"},
        inputs=(InputFile("beam", "f.root", "u", "d", 10, ((0, 4), (6, 10)), ((4, 6),)),),
        executor="dask",
        workers=2,
        chunksize=5,
        maxchunks=None,
        started="a",
        ended="b",
    )
    assert Provenance.from_dict(json.loads(json.dumps(provenance.to_dict()))) == provenance
    assert provenance.version == na64mu.__version__


def test_versions_of_the_packages_that_decide_about_numbers():
    assert {"python", "numpy", "uproot", "coffea", "numba"} <= set(package_versions())


def test_commit_of_a_checkout():
    commit, clean = repository_state()
    if not (Path(na64mu.__file__).resolve().parents[2] / ".git").exists():
        pytest.skip("not a git checkout")
    assert len(commit) == 40
    assert clean in (True, False)
