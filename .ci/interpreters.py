"""Find the Python interpreters of this machine that na64mu supports; print the path of one per version, oldest first.

Usage: python interpreters.py
The version that runs this is left out. Looked through are the folders of PATH, those of the distribution, and pyenv's.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

OLDEST, NEWEST = (3, 11), (3, 14)
ASK = "import sys, venv; print(*sys.version_info[:3], sys.version_info.releaselevel, sys.prefix == sys.base_prefix)"


def candidates() -> list[Path]:
    """Files whose names are those of Python 3 interpreters; what the distribution ships comes first."""
    folders = [Path("/usr/bin"), Path("/usr/local/bin"), *map(Path, os.environ.get("PATH", "").split(os.pathsep))]
    folders += sorted(Path(os.environ.get("PYENV_ROOT", Path("~/.pyenv").expanduser())).glob("versions/*/bin"))
    named = re.compile(r"python3(\.\d+)?")
    found = [path for folder in folders if folder.is_dir() for path in sorted(folder.iterdir()) if named.fullmatch(path.name)]
    return [path for path in dict.fromkeys(found) if os.access(path, os.X_OK)]


def version(path: Path) -> tuple[int, ...] | None:
    """Version of an interpreter that can make environments, None if it cannot, is a pre-release, or is itself in an environment."""
    try:
        done = subprocess.run([path, "-c", ASK], capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return None
    major, minor, micro, level, own = done.stdout.split()
    return (int(major), int(minor), int(micro)) if level == "final" and own == "True" else None


def main() -> None:
    """Print one path per version."""
    found: dict[tuple[int, ...], Path] = {}
    for path in candidates():
        known = version(path)
        if known is not None and OLDEST <= known[:2] <= NEWEST and known != sys.version_info[:3]:
            found.setdefault(known, path)
    for known in sorted(found):
        print(found[known])


if __name__ == "__main__":
    main()
