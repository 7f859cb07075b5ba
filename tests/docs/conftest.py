"""Files that the pages speak of: "your own" files, which a reader has and a test must make."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import uproot

from na64mu.data import sample_files
from na64mu.events.batch import RawBatch
from na64mu.events.reader import count_entries, read_batch, read_runs
from na64mu.events.schema_v1 import TRUTH
from na64mu.events.writer import RawTreeWriter

#: Page -> file of the reader -> file of the sample that stands for it.
OWN_FILES = {
    "README.md": {"myfiles/run1.root": "physics_1", "myfiles/run2.root": "zprime_100MeV_1"},
    "docs/howto/detector.md": {"calibration_1.root": "calibration_1", "calibration_2.root": "calibration_2", "physics.root": "physics_1"},
    "docs/howto/limits.md": {"beam/run1.root": "calibration_1", "physics/run2.root": "physics_1", "nuclear/run3.root": "nuclear_1"},
    "docs/cluster.md": {"data/run1.root": "physics_1"},
}  # fmt: skip


@pytest.fixture
def own_files(tmp_path: Path) -> Callable[[str], None]:
    """Puts the files of the reader of a page into the folder of the test."""

    def put(page: str) -> None:
        shipped = {path.stem: path for path in sample_files()}
        for name, stem in OWN_FILES.get(page, {}).items():
            path = tmp_path / name
            path.parent.mkdir(exist_ok=True)
            shutil.copyfile(shipped[stem], path)
        if page == "docs/howto/recast.md":
            shutil.copyfile(
                str(files("na64mu.data").joinpath("efficiency", "na64mu-2022-kinematic.json")), tmp_path / "na64mu-2022-kinematic.json"
            )
        if page == "docs/howto/trees.md":
            write_foreign_tree(tmp_path / "theirs.root")
        if page == "docs/howto/unblinding.md":
            write_data(tmp_path / "data" / "run1.root", shipped["zprime_100MeV_1"])

    return put


def write_data(path: Path, simulated: Path) -> None:
    """Simulated events as the experiment would record them: without truth, in a run that nobody generated."""
    batch = read_batch(simulated, 0, count_entries(simulated))
    path.parent.mkdir()
    with RawTreeWriter(path) as writer:
        writer.extend(RawBatch({name: column for name, column in batch.scalars.items() if name not in TRUTH}, batch.collections))
        writer.finish([row | {"n_generated": 0, "sum_weights": 0.0, "g_ref": 0.0} for row in read_runs(simulated)])


def write_foreign_tree(path: Path, n: int = 20) -> None:
    """A tree of another experiment's making: other names, and the ECAL as a matrix."""
    rng = np.random.default_rng(1)
    branches = {
        "run": np.full(n, 7, np.int32),
        "spill": np.arange(n, dtype=np.int32) // 5,
        "runevent": np.arange(n, dtype=np.int32),
        "isTriggerBeam": np.ones(n, np.int32),
        "isTriggerMuonInv": np.zeros(n, np.int32),
        "ECAL_ene": rng.exponential(0.05, (n, 2, 5, 6)).astype(np.float32),
    }
    with uproot.recreate(path) as file:
        tree = file.mktree("tree", {name: (values.dtype, values.shape[1:]) for name, values in branches.items()})
        tree.extend(branches)
