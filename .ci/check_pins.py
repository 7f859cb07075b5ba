"""Resolve constraints.txt for every Python and platform that na64mu supports, without installing anything.

Usage: python check_pins.py
Prints a table and exits with 1 if the pins of one target contradict each other, need a package to be built from source, or leave a
package without a pin.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
#: Oldest patch release of the oldest Python, and every minor release that numba has wheels for.
PYTHONS = ("3.11.0", "3.12", "3.13", "3.14")
PLATFORMS = ("x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu", "aarch64-apple-darwin")


def pins() -> dict[str, str]:
    """Versions that constraints.txt names, by normalised name."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in pinned}


def resolve(python: str, platform: str) -> tuple[dict[str, str], str]:
    """Versions that the pins resolve to, and why they do not, if they do not."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "resolved.txt"
        command = [sys.executable, "-m", "uv", "pip", "compile", "pyproject.toml", "--extra", "test", "-c", "constraints.txt"]
        command += ["--python-version", python, "--python-platform", platform, "--no-build", "--no-annotate", "--no-header", "--quiet"]
        done = subprocess.run([*command, "-o", str(out)], cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            return {}, done.stderr.strip()
        lines = out.read_text(encoding="utf-8").splitlines()
    return dict(line.split(" ")[0].split("==") for line in lines if "==" in line), ""


def main() -> int:
    """Print the table; 1 if a target fails."""
    pinned = pins()
    failed = 0
    print(f"{'Python':8s} {'platform':28s} result")
    for python in PYTHONS:
        for platform in PLATFORMS:
            found, why = resolve(python, platform)
            loose = sorted(name for name in found if name not in pinned)
            result = f"FAILED: {why}" if why else f"NOT PINNED: {', '.join(loose)}" if loose else f"{len(found)} packages, all pinned"
            failed += bool(why or loose)
            print(f"{python:8s} {platform:28s} {result}", flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
