"""Make a virtual environment, or say in one sentence why that cannot be done.

Usage: python make_environment.py FOLDER
Runs on any Python 3, so that an old one is told what is wanted.
"""

import shutil
import subprocess
import sys

OLDEST = (3, 11)


def make_environment(folder):
    """Make a virtual environment with pip in a folder; exit with a sentence if this Python cannot."""
    if sys.version_info < OLDEST:
        sys.exit(
            "na64mu needs Python {}.{} or newer, {} is Python {}.{}.{}: name a newer one with make PYTHON=python3.12 ...".format(
                *OLDEST, sys.executable, *sys.version_info[:3]
            )
        )
    done = subprocess.run(
        [sys.executable, "-m", "venv", folder], check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True
    )
    if done.returncode == 0:
        return
    shutil.rmtree(folder, ignore_errors=True)
    if "ensurepip" in done.stdout or "No module named venv" in done.stdout:
        sys.exit(
            "{} has no venv module with pip, which some distributions ship apart: install it (Debian, Ubuntu: apt install "
            "python3-venv), or name another Python with make PYTHON=...".format(sys.executable)
        )
    sys.exit("no virtual environment can be made in {}: {}".format(folder, done.stdout.strip()))


if __name__ == "__main__":
    make_environment(sys.argv[1])
