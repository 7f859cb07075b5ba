"""No kernel reads or writes beside its arrays, which numba does not look at unless it is told to."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

COMMON = ("--prescale", "1", "--seed", "1", "-n")


@pytest.mark.slow
@pytest.mark.parametrize(
    "process",
    [
        ("beam", *COMMON, "2000", "--pile-up"),
        ("nuclear", *COMMON, "1000"),
        ("kaon", *COMMON, "1000"),
        ("hadron", *COMMON, "1000"),
        ("zprime", *COMMON, "1000", "--mass", "0.1", "--tier", "waveform"),
    ],
    ids=lambda process: process[0],
)
def test_simulation_and_reconstruction_stay_inside(process: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.getbasetemp() / "bounds"
    folder.mkdir(exist_ok=True)
    checked = {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(folder), "XDG_CACHE_HOME": str(folder)}
    sample = folder / f"{process[0]}.root"
    for command in (
        ("simulate", "--process", *process, "-o", str(sample)),
        ("reconstruct", str(sample), "-o", str(sample.with_suffix(".parquet"))),
    ):
        made = subprocess.run(
            [sys.executable, "-m", "na64mu", *command], env=os.environ | checked, capture_output=True, text=True, check=False
        )
        assert made.returncode == 0, made.stderr
    assert Path(sample).stat().st_size > 0
