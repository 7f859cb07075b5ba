"""The good files that fuzz.py damages, one of every kind that na64mu reads: small, so that one input costs little."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
#: Events of the good raw trees.
EVENTS = 40
#: The files of an output folder that are damaged inside it.
IN_FOLDER = ("cutflow.json", "histograms.json", "summary.json", "manifest.json")

OWN = """
import hist
import numpy as np


def muons(summary):
    p_out = hist.Hist(hist.axis.Regular(20, 0, 250, name="p_out"), storage=hist.storage.Weight())
    p_out.fill(summary["p_out"])
    return {"n": len(summary["p_out"]), "p_out": p_out, "counts": {"runs": np.array([9101.0]), "p": np.array([0.5])}, "some": (1, float("nan"))}
"""

LAYOUT = """
format_version = 1
title = "the foreign tree"
absent = ["bms", "gem", "straw", "vhcal"]

[trees]
events = "tree"
friends = ["calo"]

[scalars]
run = "runNumber"
spill = { constant = 1 }
config = { constant = 1 }
event = "eventNumber"
trigger = { bits = { calibration = "isBeam", physics = "isMuon" } }

[collections.ecal]
matrix = "ECAL_ene"
axes = ["section", "ix", "iy"]
scale = 0.001
threshold = 0.02
time = { constant = 0.0 }

[[collections.counter]]
id = { constant = 0 }
energy = "S0_E"
time = { constant = 0.0 }

[[collections.counter]]
id = { constant = 1 }
energy = { branch = "S1_E", scale = 1.0 }
time = { constant = 0.0 }

[collections.veto]
matrix = "VETO_ene"
axes = ["id"]
first = [0]
time = { matrix = "VETO_t" }

[collections.hcal]
counter = "nHcal"
module = "hcal_module"
ix = "hcal_ix"
iy = "hcal_iy"
energy = { branch = "hcal_e", scale = 1.0 }
time = "hcal_t"

[collections.mm]
counter = "nmm"
module = "mm_module"
view = "mm_view"
channel = "mm_channel"
q0 = "mm_q0"
q1 = "mm_q1"
q2 = "mm_q2"

[[runs]]
run = 9101
config = 1
n_spills = 1
n_mot = 642
n_generated = 1150
sum_weights = 642.0
detector = "na64mu-2022"
conditions = "simulation;beam"
seed = 101
"""


def make(folder: Path) -> None:
    """Write a good file of every kind into a folder."""
    from na64mu.execution import run_search
    from na64mu.execution.reconstruct import reconstruct_files
    from na64mu.results.opening_line import OPENING
    from na64mu.results.openings import NAME, append_line

    _raw_trees(folder)
    _foreign_tree(folder / "foreign.root")
    (folder / "layout.toml").write_text(LAYOUT)
    for ending in ("root", "parquet"):
        reconstruct_files(folder / "raw.root", folder / f"summary.{ending}")
    run_search(folder / "raw.root", progress=False).write(folder / "out")
    for name in IN_FOLDER:
        (folder / name).write_bytes((folder / "out" / name).read_bytes())
    _own_processor(folder)
    run_search(folder / "raw.root", output=folder / "resumed", progress=False)
    (folder / "finished.json").write_bytes((folder / "resumed" / ".checkpoint" / "finished.json").read_bytes())
    datasets: dict[str, Any] = {
        "beam": {"files": {"raw.root": {"object_path": "events", "steps": [[0, 20], [20, EVENTS]], "num_entries": EVENTS}}}
    }
    datasets["beam"]["metadata"] = {"detector": "na64mu-2022"}
    datasets["hard"] = {"files": ["other.root"], "treename": "events"}
    (folder / "fileset.json").write_text(json.dumps(datasets))
    copies = {"selection": "selections/prl2024", "calibration": "data/calibration/na64mu-2022", "detector": "data/detector/na64mu-2022"}
    copies["conditions"] = "data/conditions/default"
    for name, path in copies.items():
        shutil.copy(ROOT / f"{path}.toml", folder / f"{name}.toml")
    _alignment(folder / "alignment.toml")
    _freeze(folder)
    for _ in range(3):
        append_line(folder / NAME, OPENING, freeze="f" * 64, inputs="a" * 64, reason="a try", blind="out", version="0", commit="")
    plan = {"verb": "run", "from": ".writing-x", "gone": ["plane.png"], "files": ["summary.json", "manifest.json"]}
    (folder / "unfinished.json").write_text(json.dumps(plan))
    (folder / "recast.csv").write_text("mass_GeV,per_mot\n0.01,1e-10\n0.1,2e-10\n1.0,1e-11\n")


def _raw_trees(folder: Path) -> None:
    from na64mu.events.reader import read_batch, read_runs
    from na64mu.events.writer import RawTreeWriter

    sample = ROOT / "data" / "sample"
    for name, source, kind, n in (
        ("raw.root", "calibration_1", "ttree", EVENTS),
        ("rntuple.root", "calibration_1", "rntuple", EVENTS),
        ("other.root", "physics_1", "ttree", 10),
    ):
        with RawTreeWriter(folder / name, kind) as writer:  # type: ignore[arg-type]  # the names are in the lines above
            writer.extend(read_batch(sample / f"{source}.root", 0, n))
            writer.finish(read_runs(sample / f"{source}.root"))


def _foreign_tree(path: Path) -> None:
    """The same events as other experiments' trees have them: matrices, lists with counters, flags, one number per event, a friend tree."""
    import awkward as ak
    import uproot

    from na64mu.events.reader import read_batch

    batch = read_batch(path.parent / "raw.root")

    def lists(name: str, field: str) -> Any:
        hits = batch.collections[name]
        return ak.unflatten(hits.fields[field], np.diff(hits.offsets))

    def matrix(name: str, field: str, shape: tuple[int, ...], axes: tuple[str, ...]) -> Any:
        hits = batch.collections[name]
        event = np.repeat(np.arange(EVENTS), np.diff(hits.offsets))
        values = np.zeros((EVENTS, *shape), np.float32)
        values[(event, *(hits.fields[axis] for axis in axes))] = hits.fields[field]
        return values

    counter = matrix("counter", "energy", (8,), ("id",))
    events = {
        "runNumber": batch.scalars["run"],
        "eventNumber": batch.scalars["event"],
        "isBeam": batch.scalars["trigger"] & 1 != 0,
        "isMuon": batch.scalars["trigger"] & 2 != 0,
        "S0_E": counter[:, 0],
        "S1_E": counter[:, 1],
        "mm": ak.zip({field: lists("mm", field) for field in ("module", "view", "channel", "q0", "q1", "q2")}),
    }
    fields = {"module": "module", "ix": "ix", "iy": "iy", "e": "energy", "t": "time"}
    calo = {
        "ECAL_ene": 1000.0 * matrix("ecal", "energy", (2, 5, 6), ("section", "ix", "iy")),
        "VETO_ene": matrix("veto", "energy", (6,), ("id",)),
        "VETO_t": matrix("veto", "time", (6,), ("id",)),
        "hcal": ak.zip({new: lists("hcal", field) for new, field in fields.items()}),
    }
    with uproot.recreate(path) as file:
        for name, columns in (("tree", events), ("calo", calo)):
            types = {
                key: column.type.content if isinstance(column, ak.Array) else (column.dtype, column.shape[1:])
                for key, column in columns.items()
            }
            tree = file.mktree(name, types, counter_name=lambda key: "nHcal" if key == "hcal" else f"n{key}")
            tree.extend(columns)


def _own_processor(folder: Path) -> None:
    from na64mu import RunOptions, run

    (folder / "mine.py").write_text(OWN)
    run(folder / "summary.parquet", f"{folder / 'mine.py'}:muons", options=RunOptions(progress=False)).write(folder / "own")
    for name in ("value.json", "result.json", "arrays.npz"):
        (folder / name).write_bytes((folder / "own" / name).read_bytes())
    (folder / "own_histograms.json").write_bytes((folder / "own" / "histograms.json").read_bytes())


def _alignment(path: Path) -> None:
    from na64mu.detector import load_detector
    from na64mu.detector.alignment import Alignment, AlignmentMode, DriftRelation, ModuleCorrection

    points = {"time": (0.0, 10.0, 40.0), "distance": (0.0, 1.0, 3.0), "distance_error": (0.1, 0.1, 0.1)}
    drift = DriftRelation(name="st4", t0=0.5, t0_error=0.1, drift_ns_per_mm=15.0, drift_error=0.1, chi2=3.0, ndf=2, **points)
    Alignment(
        format_version=1,
        detector="na64mu-2022",
        digest=load_detector("na64mu-2022").digest,
        version="0",
        n_tracks={"ms1": 10},
        survey_shift=1.0,
        survey_rotation=0.001,
        modules=(ModuleCorrection(name="mm5", dx=0.1, dx_error=0.01), ModuleCorrection(name="gem2", dy=-0.2, drotation=0.001, n_hits=9)),
        modes=(AlignmentMode(spectrometer="ms1", name="shift x", unit="mm", held=True),),
        straws=(drift,),
    ).write(path)


def _freeze(folder: Path) -> None:
    from na64mu import freeze

    freeze(folder / "raw.root").write(folder / "freeze.json")
