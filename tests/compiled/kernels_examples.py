"""A small package of two modules with kernels, in a folder of its own, imported anew for each run or run in a process of its own."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from na64mu.compiled import cache, sources
from na64mu.compiled.folder import KernelFolder

HELPER = """from na64mu.compiled.kernel import {form}
{constant}

@{form}
def helper(x):
    return {formula}
"""
MAIN = """from na64mu.compiled.kernel import kernel
from tinykernels.helper import helper{also}

@kernel
def total(x):
    return helper(x) + {shift}
"""
RUN = """from tinykernels.main import total
print(total(1.0), sum(total.stats.cache_hits.values()))
"""


@dataclass
class TinyPackage:
    """A package whose kernel `total` calls one of another module, and a folder of compiled kernels."""

    folder: Path
    cache: Path

    def write(self, formula: str = "2.0 * x", constant: str = "", shift: str = "0.5", form: str = "kernel") -> None:
        """Write or edit the sources."""
        package = self.folder / "tinykernels"
        package.mkdir(parents=True, exist_ok=True)
        (package / "__init__.py").touch()
        (package / "helper.py").write_text(HELPER.format(formula=formula, constant=constant, form=form))
        (package / "main.py").write_text(MAIN.format(shift=shift, also=", SHIFT" if shift == "SHIFT" else ""))

    def run(self) -> tuple[float, int]:
        """Import the package anew, as a new process does; returns the kernel's value at 1.0, and how often it was loaded."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(cache, "kernel_folder", lambda: KernelFolder(self.cache, persists=True))
            patch.syspath_prepend(self.folder)
            patch.setattr(sys, "dont_write_bytecode", True)
            for name in [name for name in sys.modules if name.partition(".")[0] == "tinykernels"]:
                del sys.modules[name]
            sources._source.cache_clear()
            sources.stamp.cache_clear()
            self.cache.mkdir(mode=0o700, exist_ok=True)
            total = importlib.import_module("tinykernels.main").total
            return total(1.0), sum(total.stats.cache_hits.values())

    def run_alone(self, *, code: str = RUN, **environment: str) -> tuple[str, str]:
        """The same in a new process; returns what was written to stdout and to stderr."""
        known = {"PYTHONPATH": str(self.folder), "NA64MU_CACHE": str(self.cache), "PYTHONDONTWRITEBYTECODE": "1"}
        given = {name: value for name, value in (os.environ | known | environment).items() if value}
        done = subprocess.run([sys.executable, "-c", code], env=given, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip(), done.stderr

    def files(self) -> list[Path]:
        """Compiled kernels."""
        return sorted(self.cache.glob("*.kernel"))
