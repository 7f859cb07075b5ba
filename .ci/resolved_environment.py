"""Make an environment with the newest or the oldest releases that pyproject.toml allows, and na64mu in place.

Usage: python resolved_environment.py newest|oldest PYTHON FOLDER
Needs uv in the Python that runs it.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
RESOLUTION = {"newest": "highest", "oldest": "lowest-direct"}


def main(which: str, python: str, folder: str) -> None:
    """Make the environment and print the versions that decide."""
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([python, str(ROOT / ".ci" / "make_environment.py"), folder], check=True)
    inside = str(Path(folder) / "bin" / "python")
    uv = [sys.executable, "-m", "uv", "pip"]
    install = [*uv, "install", "--quiet", "--python", inside, "--resolution", RESOLUTION[which], "--editable", ".[test]"]
    subprocess.run(install, cwd=ROOT, check=True)
    shown = subprocess.run([*uv, "list", "--quiet", "--python", inside, "--format", "freeze"], check=True, capture_output=True, text=True)
    wanted = ("awkward", "coffea", "dask", "numba", "numpy", "pyhf", "scipy", "uproot")
    versions = [line for line in shown.stdout.splitlines() if line.split("==")[0] in wanted]
    print(f"{which} of everything in {folder}: {', '.join(versions)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
