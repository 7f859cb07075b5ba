"""Files that ROOT itself wrote: `python make.py ../../../data/sample/calibration_1.root`, with an interpreter that can `import ROOT`.

Four events of the sample, as TTree (baskets of 32 kB, five compressions, std::string in the bookkeeping), as TTree split over two files, and as
RNTuple. They are kept, so that the tests need no ROOT; they were made with ROOT 6.40.
"""

from __future__ import annotations

import sys
from pathlib import Path

import ROOT

HERE = Path(__file__).parent
EVENTS = 4
COMPRESSIONS = {"none": 0, "zlib": 101, "lzma": 207, "lz4": 404, "zstd": 505}
TEXTS = {"detector": "na64mu-2022", "conditions": "written by ROOT"}


def write_runs(source, target) -> None:
    """The bookkeeping with std::string."""
    from array import array

    row = next(iter(source.Get("runs")))
    tree = ROOT.TTree("runs", "one row per run and configuration")
    tree.SetDirectory(target)
    kinds = {"run": "I", "config": "B", "n_spills": "I", "n_mot": "L", "n_generated": "L", "sum_weights": "d", "g_ref": "d"}
    kinds |= {"prescale_calibration": "I", "seed": "L"}
    leaves = {"I": "i", "B": "b", "L": "l", "d": "D"}
    keep = []
    for name, code in kinds.items():
        value = getattr(row, name)
        keep.append(array(code, [value if code == "d" else ord(value) if isinstance(value, str) else int(value)]))
        tree.Branch(name, keep[-1], f"{name}/{leaves[code]}")
    for name, text in TEXTS.items():
        keep.append(ROOT.std.string(text))
        tree.Branch(name, keep[-1])
    tree.Fill()
    tree.Write()


def write_tree(source, path: Path, compression: int, start: int, stop: int, branches: str = "*") -> None:
    target = ROOT.TFile(str(path), "RECREATE", "", compression)
    tree = source.Get("events")
    tree.SetBranchStatus("*", branches == "*")
    for name in branches.split():
        tree.SetBranchStatus(name, True)
    out = tree.CloneTree(0)
    out.SetBasketSize("*", 32000)
    for i in range(start, stop):
        tree.GetEntry(i)
        out.Fill()
    out.Write()
    tree.SetBranchStatus("*", True)
    write_runs(source, target)
    target.Close()


def main(path: str) -> None:
    source = ROOT.TFile.Open(path)
    for name, compression in COMPRESSIONS.items():
        write_tree(source, HERE / f"{name}.root", compression, 0, EVENTS)
    for i in (0, 1):
        write_tree(source, HERE / f"split_{i}.root", 505, i * EVENTS // 2, (i + 1) * EVENTS // 2)
    options = ROOT.RDF.RSnapshotOptions()
    options.fOutputFormat = ROOT.RDF.ESnapshotOutputFormat.kRNTuple
    options.fCompressionLevel = 5
    frame = ROOT.RDataFrame("events", path).Range(EVENTS)
    frame.Snapshot("events", str(HERE / "rntuple.root"), "", options)
    options.fMode = "UPDATE"
    runs = ROOT.RDataFrame("runs", str(HERE / "zstd.root"))
    runs.Snapshot("runs", str(HERE / "rntuple.root"), "", options)


main(sys.argv[1])
