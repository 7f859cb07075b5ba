"""What a newcomer waits for: start of the command line, import, doctor, and every notebook with the size of what it shows.

    python benchmarks/newcomer.py [--notebooks]

Wall time is the best of several starts; CPU time of all processes stands beside it, because it does not depend on what else the machine does.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
COMMAND = str(Path(sys.executable).parent / "na64mu")
STARTS = {
    "python -c pass": ([sys.executable, "-c", "pass"], 9),
    "import na64mu": ([sys.executable, "-c", "import na64mu"], 9),
    "na64mu --help": ([COMMAND, "--help"], 9),
    "na64mu run --help": ([COMMAND, "run", "--help"], 9),
    "Tab after na64mu": ([COMMAND], 9),
    "na64mu doctor": ([COMMAND, "doctor"], 2),
    "import na64mu.execution": ([sys.executable, "-c", "from na64mu import run_search"], 2),
}


def measured(command: list[str], repeat: int, **environment: str) -> tuple[float, float]:
    """Least wall and CPU time [s] of a command and its children."""
    wall, cpu = [], []
    for _ in range(repeat):
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(command, capture_output=True, check=True, env=os.environ | environment)
        wall.append(time.perf_counter() - started)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(wall), min(cpu)


EXECUTE = """
import sys, nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": sys.argv[2]}}).execute()
nbformat.write(notebook, sys.argv[2] + "/executed.ipynb")
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--notebooks", action="store_true", help="Execute the notebooks too (minutes).")
    arguments = parser.parse_args()
    print(f"{'start':28s} {'wall [s]':>9s} {'CPU [s]':>9s}")
    for name, (command, repeat) in STARTS.items():
        environment = {"_NA64MU_COMPLETE": "bash_complete", "COMP_WORDS": "na64mu r", "COMP_CWORD": "1"} if "Tab" in name else {}
        wall, cpu = measured(command, repeat, **environment)
        print(f"{name:28s} {wall:9.3f} {cpu:9.3f}")
    if arguments.notebooks:
        print(f"\n{'notebook':28s} {'wall [s]':>9s} {'CPU [s]':>9s} {'executed [kB]':>14s}")
        for path in NOTEBOOKS:
            with tempfile.TemporaryDirectory() as folder:
                wall, cpu = measured([sys.executable, "-c", EXECUTE, str(path), folder], 1)
                size = (Path(folder) / "executed.ipynb").stat().st_size
            print(f"{path.stem:28s} {wall:9.1f} {cpu:9.1f} {size / 1000:14.0f}")


if __name__ == "__main__":
    main()
