"""Files with faults on every executor: the same losses, exit code, exposure and bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import na64mu
from na64mu.errors import Na64muError

SHARED = Path(__file__).parents[3] / "shared"
CASES = sorted((SHARED / "cases").glob("*.root"))
SKIP = pytest.mark.skipif(not CASES, reason="the small failing inputs (../shared/cases) are not beside this checkout")


def outcome(files: list[Path], executor: str) -> Any:
    """Everything that a run says; the sentence where it ends in an error."""
    options = na64mu.RunOptions(progress=False, chunksize=70, workers=2)
    try:
        result = na64mu.run(files, executor=executor, options=options)
    except Na64muError as error:
        return str(error)
    content = result.to_dict()
    del content["provenance"], content["timing"]
    return result.exit_code, content


@SKIP
def test_faulty_files_come_out_the_same_on_every_executor():
    """Refused events, a damaged file, and a file whose events are in another one (all cases are of one run), in chunks of 70 events."""
    files = [SHARED / "cases" / f"{name}.root" for name in ("nan_ecal", "mm_view2", "onebyte_1")]
    expected = outcome(files, "iterative")
    assert expected[0] == 3
    assert {loss["kind"] for loss in expected[1]["losses"]} == {"file", "duplicate", "refused"}
    for executor in ("futures", "dask"):
        assert outcome(files, executor) == expected


@SKIP
@pytest.mark.parametrize("name", ["charge_min", "empty_all", "mm_view2", "nan_ecal", "onebyte_1"])
def test_each_case_alone_is_named_and_counted(name):
    found = outcome([SHARED / "cases" / f"{name}.root"], "iterative")
    if isinstance(found, str):  # nothing is left
        assert name in ("onebyte_1", "charge_min", "empty_all")
        assert f"{name}.root: " in found
    else:
        assert found[0] == 3
