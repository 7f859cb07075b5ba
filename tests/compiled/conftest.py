"""A small package of kernels."""

from __future__ import annotations

from pathlib import Path

import pytest
from kernels_examples import TinyPackage


@pytest.fixture
def tiny(tmp_path: Path) -> TinyPackage:
    package = TinyPackage(tmp_path / "source", tmp_path / "cache")
    package.write()
    return package
