"""Our run on event summaries against ROOT's RDataFrame: `python benchmarks/rdataframe.py SUMMARY.root --root PYTHON`.

PYTHON is an interpreter that can `import ROOT`, in an environment of its own: `python -m venv rootenv; rootenv/bin/pip install root`. A summary
of any size is made by `benchmarks/rehearsal.py FOLDER --events N --summaries .root`, which leaves it in FOLDER.

Both read the same TTree on one core and fill the same: counts after every cut of prl2024, the plane before and after cut (iv), every spectrum before any
cut and after all cuts but those on it, with weights. RDataFrame gets its cuts and columns as C++ expressions that it compiles (that time
stands apart), books everything first and runs one loop. Counts and bin contents are compared, so that both did the same work.
na64mu also checks the checksums of what it reads, looks for repeated events, fills N-1 counts, regions and the tail of p_out, and books the exposure.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from na64mu.calibration.windows import load_calibration
from na64mu.execution import run_search
from na64mu.selections.working_point import WorkingPoint, load_working_point

#: Runs in the other interpreter: reads a plan as JSON, prints what it found.
SCRIPT = r"""
import json, sys, time, resource
plan = json.load(open(sys.argv[1]))
import ROOT
ROOT.gROOT.SetBatch(True)
def cpu():
    u = resource.getrusage(resource.RUSAGE_SELF)
    return u.ru_utime + u.ru_stime
def booked(frame):
    for name, expression in plan["columns"].items():
        frame = frame.Define(name, expression)
    for name, expression in plan["cuts"].items():
        frame = frame.Define("cut_" + name, expression)
    counts, node = [frame.Count()], frame
    for name in plan["cuts"]:
        node = node.Filter("cut_" + name)
        counts.append(node.Count())
    histograms = []
    for name, title, selection, axes in plan["histograms"]:
        chosen = frame.Filter(selection) if selection else frame
        if len(axes) == 1:
            (x, n, a, b), = axes
            histograms.append(chosen.Histo1D((name, title, n, a, b), x, "weight"))
        else:
            (x, n, a, b), (y, m, c, d) = axes
            histograms.append(chosen.Histo2D((name, title, n, a, b, m, c, d), x, y, "weight"))
    return counts, histograms
def run(path):
    counts, histograms = booked(ROOT.RDataFrame("summary", path))
    start, before = time.perf_counter(), cpu()
    n = [int(c.GetValue()) for c in counts]
    return n, {h.GetName(): h.Integral() for h in histograms}, time.perf_counter() - start, cpu() - before
first = run(plan["small"])
results = [run(plan["file"]) for _ in range(plan["repeat"])]
print(json.dumps({"version": ROOT.gROOT.GetVersion(), "first": first[2:], "results": results}))
"""


def expressions(point: WorkingPoint, windows: dict[str, tuple[float, float]]) -> dict[str, str]:
    """The cuts of a working point as C++."""

    def window(name: str) -> str:
        low, high = windows[name]
        return f"({name} <= {high!r})" if low == float("-inf") else f"({name} >= {low!r} && {name} <= {high!r})"

    cuts: dict[str, str] = {}
    for cut in point.cuts:
        t: Any = cut.thresholds
        if cut.name == "trigger":
            from na64mu.events.schema_v1 import TRIGGER_BITS

            cuts[cut.name] = f"(trigger & {sum(1 << TRIGGER_BITS[b] for b in t.bits)}u) != 0"
        elif cut.name == "momentum_in_window":
            cuts[cut.name] = f"std::abs(p_in - {t.centre!r}) <= {t.half_width!r}"
        elif cut.name == "single_tracks":
            cuts[cut.name] = f"n_tracks_ms1 == {t.ms1} && n_tracks_ms2 == {t.ms2}"
        elif cut.name == "single_hits_and_mip_cell":
            cuts[cut.name] = " && ".join([*(f"n_hits_{s} <= {t.max_hits}" for s in t.stations), *map(window, t.mip)])
        elif cut.name == "mip_everywhere":
            cuts[cut.name] = " && ".join(map(window, t.mip))
        else:
            msg = f"no C++ for the cut {cut.name!r}: this benchmark knows those of prl2024"
            raise ValueError(msg)
    return cuts


def plan_of(point: WorkingPoint, windows: dict[str, tuple[float, float]]) -> dict[str, Any]:
    """What RDataFrame shall do."""
    cuts = expressions(point, windows)
    columns = {"weight": "mc_weight"}
    histograms: list[Any] = []
    x, y = point.plane_p_out, point.plane_e_cal
    plane = [["p_out", x.bins, x.low, x.high], ["e_cal", y.bins, y.low, y.high]]
    for name, names in (("plane_before", point.before_plane_cut()), ("plane_after", tuple(cuts))):
        histograms.append([name, "", " && ".join(f"cut_{n}" for n in names), plane])
    for spectrum in point.spectra:
        column = spectrum.column
        if column.startswith("chi2_ndf_"):
            ms = column.removeprefix("chi2_ndf_")
            columns[column] = f'ndf_{ms} > 0 ? chi2_{ms} / (double) ndf_{ms} : std::nan("")'
        others = [c.name for c in point.cuts if column not in c.thresholds.columns]
        axis = [[column, spectrum.bins, spectrum.low, spectrum.high]]
        histograms += [[f"{column}_all", "", "", axis], [f"{column}_n_minus_1", "", " && ".join(f"cut_{n}" for n in others), axis]]
    return {"columns": columns, "cuts": cuts, "histograms": histograms}


def main(arguments: list[str]) -> int:
    """Print times, ratio and differences; 1 if the counts differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("summary", type=Path)
    parser.add_argument("--root", default="python", help="interpreter that can import ROOT")
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args(arguments)
    point = load_working_point("prl2024")
    run_search(options.summary, progress=False, maxchunks=1)
    ours: list[tuple[float, float]] = []
    result: Any = None
    for _ in range(options.repeat):
        start, cpu = time.perf_counter(), time.process_time()
        result = run_search(options.summary, progress=False)
        ours.append((time.perf_counter() - start, time.process_time() - cpu))
    (tag,) = {i.detector for i in result.provenance.inputs}
    windows = {q: w for q, w in load_calibration(tag).windows.items() if q in point.mip_quantities}
    plan = plan_of(point, windows) | {"file": str(options.summary), "small": str(options.summary), "repeat": options.repeat}
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "plan.json").write_text(json.dumps(plan))
        (Path(folder) / "run.py").write_text(SCRIPT)
        done = subprocess.run(
            [options.root, "-W", "ignore", f"{folder}/run.py", f"{folder}/plan.json"], capture_output=True, text=True, check=False
        )
    if done.returncode:
        sys.stderr.write(done.stderr)
        return 1
    theirs = json.loads(done.stdout.splitlines()[-1])
    wall, cpu = (min(r[i] for r in ours) for i in (0, 1))
    root_wall, root_cpu = (min(r[i] for r in theirs["results"]) for i in (2, 3))
    n = result.total.counts[0]
    table = Table("what", "wall s", "CPU s", "events/CPU s", title=f"{n} events of {options.summary.name}, best of {options.repeat}")
    table.add_row("na64mu run, iterative", f"{wall:.2f}", f"{cpu:.2f}", f"{n / cpu:.0f}")
    table.add_row(f"RDataFrame of ROOT {theirs['version']}, one thread", f"{root_wall:.2f}", f"{root_cpu:.2f}", f"{n / root_cpu:.0f}")
    table.add_row("the same, first loop with compilation", *(f"{x:.2f}" for x in theirs["first"]), "")
    table.add_row("RDataFrame over na64mu", f"{root_wall / wall:.2f}", f"{root_cpu / cpu:.2f}", "")
    console = Console(width=120)
    console.print(table)
    counts, integrals = theirs["results"][0][:2]
    (dataset,) = result.histograms
    same = tuple(counts) == result.total.counts
    worst = 0.0
    for name, integral in integrals.items():
        stage = next((s for s in ("all", "n_minus_1") if name.endswith(f"_{s}")), "")
        h = result.histogram(name.removesuffix(f"_{stage}") if stage else name, dataset)
        own = float((h[{"stage": stage}] if stage else h).values().sum())
        worst = max(worst, abs(own - integral) / max(abs(own), 1.0))
    console.print(
        f"cut-flow {'the same' if same else f'differs: {counts} and {list(result.total.counts)}'}; histograms differ by at most {worst:.1e}"
    )
    return int(not same)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
