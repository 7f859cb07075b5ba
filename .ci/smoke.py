"""Install na64mu from the pins in an environment of its own and compare what it makes of the sample with what is stored, bit for bit.

Usage: python smoke.py [PACKAGE] [--store]
Runs with the Python that is to be tried, and needs nothing but its standard library. PACKAGE is a wheel or a source distribution; without
it the package is made from a copy of the sources. It runs in an empty folder without a home, so that nothing of the checkout or of the user can
help. `--store` makes the stored results again (after a change that is meant to change numbers).
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from make_environment import make_environment

ROOT = Path(__file__).resolve().parents[1]
STORED = ROOT / "tests" / "stored" / "sample.json.gz"
RESULTS = ("cutflow.json", "histograms.json")
SOURCES = ("src", "processors", "selections", "data", "pyproject.toml", "constraints.txt", "README.md", "LICENSE")
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.egg-info", "*.nbi", "*.nbc")


def copy_sources(folder: Path) -> None:
    """Copy what a source distribution holds."""
    folder.mkdir(parents=True)
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=LEFT_OUT)
        else:
            shutil.copy(ROOT / name, folder / name)


def numbers(found: object) -> object:
    """A JSON value without what says which version of a library wrote it."""
    if isinstance(found, dict):
        return {key: numbers(value) for key, value in found.items() if key not in {"writer_info", "metadata"}}
    return [numbers(value) for value in found] if isinstance(found, list) else found


def results(folder: Path) -> dict[str, object]:
    """Cut-flow and histograms of an output folder."""
    return {name: numbers(json.loads((folder / name).read_text(encoding="utf-8"))) for name in RESULTS}


def differences(found: object, stored: object, where: str = "") -> list[str]:
    """Places where two JSON values differ, as paths; numbers have to be the same to the last bit."""
    if isinstance(found, dict) and isinstance(stored, dict):
        keys = [*stored, *(key for key in found if key not in stored)]
        return [line for key in keys for line in differences(found.get(key), stored.get(key), f"{where}/{key}")]
    if isinstance(found, list) and isinstance(stored, list) and len(found) == len(stored):
        return [line for i, pair in enumerate(zip(found, stored, strict=True)) for line in differences(*pair, f"{where}/{i}")]
    return [] if json.dumps(found) == json.dumps(stored) else [f"{where}: {found!r} instead of {stored!r}"]


def smoke(package: Path | None) -> dict[str, object]:
    """Install, ask the doctor, run the sample; the results."""
    folder = ROOT / ".smoke" / "{}.{}.{}".format(*sys.version_info[:3])
    shutil.rmtree(folder, ignore_errors=True)
    copy_sources(folder / "source")
    make_environment(str(folder / "environment"))
    python = str(folder / "environment" / "bin" / "python")
    outside = {name: value for name, value in os.environ.items() if name not in {"HOME", "PYTHONPATH", "PYTHONHOME", "XDG_CACHE_HOME"}}
    started = time.monotonic()

    def step(what: str, *command: str, where: Path, environment: dict[str, str]) -> None:
        print(f"smoke {sys.version.split()[0]}: {what} ({time.monotonic() - started:.0f} s)", flush=True)
        done = subprocess.run(command, cwd=where, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"{what} failed with exit code {done.returncode}:\n{done.stdout}{done.stderr}")

    pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "-c", "constraints.txt", str(package or ".")]
    step("installs from the pins", *pip, where=folder / "source", environment={**os.environ, "PIP_USER": "0"})
    shutil.rmtree(folder / "source")
    empty = folder / "empty"
    empty.mkdir()
    step("doctor", python, "-m", "na64mu", "doctor", where=empty, environment=outside)
    data = sorted(str(path) for path in (folder / "environment").glob("lib/python*/site-packages/na64mu/data/sample/*.root"))
    step("main job on the sample", python, "-m", "na64mu", "run", "--quiet", *data, "-o", "out", where=empty, environment=outside)
    return results(empty / "out")


def main(arguments: list[str]) -> int:
    """Compare or store; 1 if the results differ."""
    packages = [Path(name).resolve() for name in arguments if name != "--store"]
    found = smoke(packages[0] if packages else None)
    if "--store" in arguments:
        STORED.parent.mkdir(exist_ok=True)
        STORED.write_bytes(gzip.compress(json.dumps(found, separators=(",", ":")).encode(), mtime=0))
        print(f"stored in {STORED.relative_to(ROOT)}")
        return 0
    wrong = differences(found, numbers(json.loads(gzip.decompress(STORED.read_bytes()))))
    for line in wrong[:20]:
        print(line)
    print(
        f"smoke {sys.version.split()[0]}: {f'{len(wrong)} values differ from the stored ones' if wrong else 'the sample is bit-identical'}"
    )
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
