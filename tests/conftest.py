"""What all tests share: the independent samples, which may be absent."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def repository() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def shared_samples() -> Path:
    folder = ROOT.parent / "shared" / "samples"
    if not folder.is_dir():
        pytest.skip("the independent samples (../shared/samples) are not beside this checkout")
    return folder


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Slow tests run where they are asked for."""
    if "slow" in config.getoption("markexpr"):
        return
    for item in items:
        if item.get_closest_marker("slow") is not None:
            item.add_marker(pytest.mark.skip(reason="slow: run it with `pytest -m slow`"))


def _must_not_be_skipped(report: pytest.TestReport | pytest.CollectReport) -> None:
    """With NA64MU_REQUIRE_SHARED=1, a test skipped for want of the independent samples counts as failed."""
    if os.environ.get("NA64MU_REQUIRE_SHARED") != "1" or not report.skipped or not isinstance(report.longrepr, tuple):
        return
    path, line, reason = report.longrepr
    if "shared" in reason:
        report.outcome = "failed"
        report.longrepr = f"{path}:{line}: NA64MU_REQUIRE_SHARED=1, but {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _must_not_be_skipped(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _must_not_be_skipped(report)
    return report
