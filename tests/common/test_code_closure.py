"""What a step of the paper is made of: the code that it can reach, and no other."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from na64mu.common.code_closure import ROOT, closure_hash, code_closure
from na64mu.paper.chain import analysis_steps
from na64mu.paper.reduction import run_main_job
from na64mu.paper.samples import simulate
from na64mu.paper.scale import QUICK
from na64mu.simulation.produce import produce


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources of the package, to change."""
    place = tmp_path_factory.mktemp("package") / "na64mu"
    shutil.copytree(ROOT, place, ignore=shutil.ignore_patterns("__pycache__", "*.root", "*.png"))
    return place


def changed(copy: Path, file: str, *functions: object) -> list[bool]:
    """Whether a line added to a file changes the hashes of functions; the file is then as before."""
    hashes = closure_hash.__wrapped__
    path = copy / file
    before, text = [hashes(f, copy) for f in functions], path.read_text(encoding="utf-8")
    path.write_text(f"{text}\n# changed\n", encoding="utf-8")
    after = [hashes(f, copy) for f in functions]
    path.write_text(text, encoding="utf-8")
    return [a != b for a, b in zip(before, after, strict=True)]


def test_a_copy_of_the_sources_has_the_same_hash(copy):
    assert closure_hash(simulate) == closure_hash.__wrapped__(simulate, copy)


@pytest.mark.parametrize(
    "file",
    [
        "selections/blinding.py", "results/cutflow.py", "results/exposure.py", "results/reconciliation.py", "results/run.py", "results/losses.py",
        "statistics/binomial.py", "compiled/kernel.py", "common/toml_model.py", "processors/search.py", "selections/cuts.py", "selections/prl2024.toml",
        "tracking/kalman.py", "reconstruction/strips.py", "execution/batches.py", "data/detector/na64mu-2022.toml", "__init__.py",
    ],
)  # fmt: skip
def test_what_the_main_job_runs_makes_it_stale(copy, file):
    assert changed(copy, file, run_main_job) == [True]


@pytest.mark.parametrize(
    "file", ["cli/limits.py", "cli/run.py", "paper/page.py", "analysis/limits.py", "simulation/events.py", "paper/text.py"]
)
def test_what_it_does_not_run_leaves_it_alone(copy, file):
    assert changed(copy, file, run_main_job) == [False]


def test_samples_depend_on_the_simulation_and_not_on_the_reconstruction(copy):
    for file in (
        "compiled/kernel.py",
        "compiled/reference.py",
        "events/checksums.py",
        "data/conditions/default.toml",
        "simulation/stream.py",
    ):
        assert changed(copy, file, simulate) == [True], file
    for file in ("tracking/kalman.py", "reconstruction/strips.py", "report/plane.py", "data/published/letter.toml"):
        assert changed(copy, file, simulate) == [False], file


def test_steps_that_compare_with_the_letter_see_its_numbers(copy):
    steps = {step.name: step.work for step in analysis_steps(QUICK, "na64mu-2022", "prl2024", 1)}
    assert changed(copy, "data/published/letter.toml", steps["limits"], steps["theory"], steps["planes"]) == [True, True, False]
    assert changed(copy, "data/efficiency/na64mu-2022-kinematic.json", steps["beyond"], steps["planes"]) == [True, False]


def test_every_module_that_is_loaded_when_events_are_simulated_is_found(tmp_path):
    """Python itself says which modules it has loaded when the function has run."""
    program = (
        "import sys; from na64mu.detector import load_detector; from na64mu.simulation.produce import produce; "
        f"produce({str(tmp_path / 'x.root')!r}, load_detector('na64mu-2022'), 'beam', 20, 1, 1); "
        "print(*(m.__file__ for n, m in sys.modules.items() if n.partition('.')[0] == 'na64mu' and m.__file__))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = {Path(name).resolve() for name in done.stdout.split()}
    assert (ROOT / "simulation" / "events.py") in loaded
    assert loaded <= {path.resolve() for path in code_closure(produce)}


def module(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    (path.parent / "__init__.py").touch()
    path.write_text(text, encoding="utf-8")


def test_imports_of_every_form_are_followed(tmp_path):
    root = tmp_path / "na64mu"
    for name in ("a/whole.py", "a/named.py", "a/near.py", "a/deep.py", "a/lazy.py", "a/types.py", "a/other.py", "a/top.py"):
        module(root, name, "")
    (root / "__init__.py").touch()
    module(root, "b/start.py", "from na64mu.a import top\n\n\ndef work():\n    import na64mu.a.whole\n    return helper()\n\n\n"
           "def helper():\n    from ..a.near import x\n    from na64mu.b import name\n\n\ndef unused():\n    from na64mu.a import other\n")  # fmt: skip
    (root / "b/__init__.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from na64mu.a.types import z\n"
        "from na64mu.a.named import name\nfrom na64mu.a.other import y\n"
    )
    (root / "a/named.py").write_text('from . import deep\nFOLDER = p / "data" / "things"\n')
    (root / "data/things").mkdir(parents=True)
    (root / "data/things/one.toml").touch()

    def work() -> None:
        """Stands for the function of the module."""

    work.__module__, work.__qualname__ = "na64mu.b.start", "work"
    names = {path.relative_to(root).as_posix() for path in code_closure(work, root)}
    assert names == {
        "__init__.py", "a/__init__.py", "b/__init__.py", "b/start.py", "a/top.py", "a/whole.py", "a/near.py", "a/named.py", "a/deep.py",
        "data/things/one.toml",
    }  # fmt: skip


def test_what_fills_the_registry_of_a_package_is_found(tmp_path):
    """Modules that its `__init__.py` puts into a table, and those that register themselves; not the others that it imports."""
    root = tmp_path / "na64mu"
    module(root, "table/one.py", "ONE = 1\n")
    module(root, "table/two.py", "TWO = 2\n")
    module(root, "table/other.py", "OTHER = 3\n")
    module(root, "kinds/kind.py", "KINDS = {}\n\n\ndef register_kind(cls):\n    return cls\n\n\ndef register_other(cls):\n    return cls\n")
    module(root, "kinds/own.py", "from na64mu.kinds.kind import register_kind\n\n\n@register_kind\nclass Own: ...\n")
    module(root, "kinds/called.py", "from .kind import register_other\n\nregister_other(int)\n")
    module(root, "kinds/plain.py", "from na64mu.kinds.kind import register_kind\n\n\ndef late():\n    register_kind(int)\n")
    (root / "__init__.py").touch()
    (root / "table/__init__.py").write_text(
        "from na64mu.table.one import ONE\nfrom na64mu.table.two import TWO\nfrom na64mu.table.other import OTHER\n"
        "FIRST = ONE\nTABLE: dict[str, int] = {'one': FIRST} | {'two': TWO}\n"
    )
    (root / "kinds/__init__.py").write_text(
        "from na64mu.kinds.called import x\nfrom na64mu.kinds.kind import KINDS\nfrom na64mu.kinds.own import Own\nfrom na64mu.kinds.plain import late\n"
    )
    module(root, "b/start.py", "def work():\n    from na64mu.kinds.kind import KINDS\n    from na64mu.table import TABLE\n")

    def work() -> None:
        """Stands for the function of the module."""

    work.__module__, work.__qualname__ = "na64mu.b.start", "work"
    assert {path.relative_to(root).as_posix() for path in code_closure(work, root)} == {
        "__init__.py", "b/start.py", "kinds/__init__.py", "kinds/kind.py", "kinds/own.py", "kinds/called.py",
        "table/__init__.py", "table/one.py", "table/two.py",
    }  # fmt: skip


def test_a_function_outside_the_package_is_found_with_what_it_imports():
    found = code_closure(test_a_function_outside_the_package_is_found_with_what_it_imports)
    assert Path(__file__) in found
    assert ROOT / "common/code_closure.py" in found
