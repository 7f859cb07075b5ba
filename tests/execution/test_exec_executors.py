from __future__ import annotations

import io
import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import na64mu
from na64mu.errors import WorkerError
from na64mu.execution import run_search
from na64mu.execution.executors import EXECUTORS, check_workers, default_workers, n_parallel, open_executor, quiet_coffea
from na64mu.results.run import RunResult


@pytest.fixture(scope="module")
def real_files(repository: Path) -> list[str]:
    """Files with real digits: the sample that ships with the project, or the independent one."""
    for folder in (repository / "data" / "sample", repository.parent / "shared" / "samples"):
        files = sorted(str(p) for p in folder.glob("*.root"))
        if files:
            return files
    pytest.skip("neither data/sample nor ../shared/samples has files")


@pytest.fixture(scope="module")
def reference(real_files: list[str]) -> RunResult:
    return run_search(real_files, progress=False)


def same(a: RunResult, b: RunResult) -> None:
    def content(result: RunResult) -> str:
        plain = result.to_dict()
        plain["cutflow"] = {name: [(s.name, s.n, s.n_minus_1) for s in c.steps] for name, c in result.cutflows.items()}
        plain["regions"] = {d: {name: c.n for name, c in regions.items()} for d, regions in result.regions.items()}
        return json.dumps({k: v for k, v in plain.items() if k not in ("provenance", "timing")}, sort_keys=True)

    assert content(a) == content(b)
    for dataset, histograms in a.histograms.items():
        for name, histogram in histograms.items():
            for mine, other in ((histogram.values(flow=True), b.histograms[dataset][name].values(flow=True)),):
                assert mine == pytest.approx(other, rel=1e-12, abs=1e-300), name


def test_the_sample_is_worth_comparing(reference: RunResult):
    assert reference.total.counts[0] > 1000
    assert reference.total.counts[1] > 50
    assert reference.losses == ()


def test_the_iterative_executor_gives_the_same_at_another_chunk_size(real_files, reference):
    same(run_search(real_files, chunksize=700, progress=False), reference)


def test_the_futures_executor_gives_the_same(real_files, reference):
    result = run_search(real_files, executor="futures", workers=2, chunksize=3_000, progress=False)
    same(result, reference)


def test_the_dask_executor_gives_the_same(real_files, reference):
    pytest.importorskip("distributed")
    same(run_search(real_files, executor="dask", workers=2, chunksize=3_000, progress=False), reference)


HERE = f"{na64mu.__version__} (sources_here)"


@pytest.fixture
def sources(monkeypatch: pytest.MonkeyPatch) -> None:
    """The code has one hash, whoever edits it meanwhile."""
    for place in ("results.provenance", "execution.executors"):
        monkeypatch.setattr(f"na64mu.{place}.source_hash", lambda: "sources_here")


class FakeClient:
    """Answers as the workers of a cluster would."""

    def __init__(self, answers: dict[str, str]) -> None:
        self.answers = answers

    def wait_for_workers(self, n: int, timeout: float) -> None:
        if len(self.answers) < n:
            raise TimeoutError

    def run(self, function: Any) -> dict[str, str]:
        assert function() == HERE  # what a worker with the same installation answers
        return self.answers


@pytest.mark.usefixtures("sources")
def test_workers_with_the_same_version_are_accepted():
    check_workers(FakeClient({"tcp://a": HERE}))


@pytest.mark.usefixtures("sources")
@pytest.mark.parametrize("answer", ["0.0.1", f"{na64mu.__version__} (other code)", "ModuleNotFoundError: No module named 'na64mu'"])
def test_a_worker_with_another_version_or_none_is_named(answer):
    with pytest.raises(WorkerError, match=rf"worker tcp://b has not na64mu .* but {re.escape(answer)}: install the same version"):
        check_workers(FakeClient({"tcp://a": HERE, "tcp://b": answer}))


def test_a_cluster_without_workers_is_an_error():
    with pytest.raises(WorkerError, match=r"no worker after 60 s: start one with `dask worker"):
        check_workers(FakeClient({}))


def test_a_scheduler_that_does_not_answer_is_named(monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr("na64mu.execution.executors.PATIENCE", 1)
    with (
        pytest.raises(WorkerError, match=r"no Dask scheduler answers at 'tcp://127\.0\.0\.1:9'"),
        open_executor("dask", 1, "tcp://127.0.0.1:9"),
    ):
        pass


@pytest.mark.usefixtures("sources")
def test_a_connected_client_stands_for_the_address():
    pytest.importorskip("distributed")
    client = FakeClient({"tcp://a": HERE})
    with open_executor("dask", 1, client) as executor:
        assert executor.client is client


def test_a_wave_is_as_wide_as_the_cluster():
    executor = SimpleNamespace(client=SimpleNamespace(nthreads=lambda: {"tcp://a": 4, "tcp://b": 8}))
    assert n_parallel(executor, 2) == 12
    assert n_parallel(SimpleNamespace(), 2) == 2


def test_workers_by_default():
    assert default_workers("iterative") == 1
    assert default_workers("futures") >= 1


@pytest.mark.parametrize("show", [True, False])
def test_coffeas_bars_go_to_stderr_or_nowhere_and_the_console_is_given_back(monkeypatch, show):
    from coffea.util import coffea_console

    stdout, stderr = io.StringIO(), io.StringIO()
    monkeypatch.setattr("sys.stdout", stdout)
    monkeypatch.setattr("sys.stderr", stderr)
    before = coffea_console.stderr, coffea_console.quiet
    with quiet_coffea(show):
        coffea_console.print("a bar")
    assert stdout.getvalue() == ""
    assert ("a bar" in stderr.getvalue()) == show
    assert (coffea_console.stderr, coffea_console.quiet) == before


def test_the_command_line_offers_the_executors_of_the_registry():
    import importlib

    for verb in ("run", "unblind"):
        command = importlib.import_module(f"na64mu.cli.{verb}").command
        (option,) = (p for p in command.params if p.name == "executor")
        assert list(option.type.choices) == list(EXECUTORS) == ["iterative", "futures", "dask"]
