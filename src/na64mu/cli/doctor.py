"""`na64mu doctor`: what an installation has, what it lacks, and whether it works."""

from __future__ import annotations

import importlib.util
import os
import platform
from pathlib import Path
from typing import NamedTuple

import click

from na64mu.errors import Na64muError

__all__ = ("command",)

#: Optional parts: import name -> what for, and how to get it.
OPTIONAL = {
    "distributed": ("runs on a Dask cluster", "pip install 'na64mu[dask]'"),
    "fsspec_xrootd": ("reads root:// addresses", "pip install fsspec-xrootd"),
    "aiohttp": ("reads https:// addresses", "pip install aiohttp"),
    "pyarrow": ("writes event summaries as Parquet", "pip install pyarrow"),
    "geant4_pybind": ("simulates with Geant4", "pip install 'na64mu[geant4]'"),
    "hepdata_lib": ("writes HEPData submissions", "pip install 'na64mu[publish]'"),
    "ipykernel": ("runs the notebooks", "pip install jupyterlab"),
}


class Finding(NamedTuple):
    """A line of the report: what was examined, whether it is good (None: for information), and what was found."""

    what: str
    good: bool | None
    found: str


@click.command(name="doctor", short_help="Say what this installation has, lacks, and whether it works.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(as_json: bool) -> None:
    """Say what this installation has, what it lacks, and whether it works; the exit code is 1 if it does not."""
    import json
    import sys

    findings = [*_versions(), *_coffea(), _cores(), *_compiled_kernels(), *_optional_parts(), *_kernel(), *_shipped_data(), *_sample()]
    if as_json:
        click.echo(json.dumps([f._asdict() for f in findings], indent=1))
    else:
        for finding in findings:
            mark = {True: "good", False: "BAD ", None: "    "}[finding.good]
            click.echo(f"{mark}  {finding.what:22s} {finding.found}")
    sys.exit(int(any(f.good is False for f in findings)))


def _versions() -> list[Finding]:
    from na64mu import __version__
    from na64mu.results.provenance import package_versions, repository_state

    commit, clean = repository_state()
    state = "installed" if clean is None else f"commit {commit[:10]}, {'clean' if clean else 'with changes'}"
    packages = package_versions()
    python = packages.pop("python")
    return [
        Finding("na64mu", None, f"{__version__} ({state})"),
        Finding("python", None, f"{python} on {platform.platform(terse=True)}"),
        Finding("packages", None, ", ".join(f"{name} {version}" for name, version in packages.items())),
    ]


def _coffea() -> list[Finding]:
    """Whether this release of coffea has what is needed, and was tried."""
    try:
        from na64mu.events.coffea_names import unknown_release
    except Na64muError as error:
        return [Finding("coffea", False, str(error))]
    sentence = unknown_release()
    return [] if sentence is None else [Finding("coffea", None, sentence)]


def _cores() -> Finding:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return Finding("cores", None, f"{usable} usable of {os.cpu_count()}")


def _compiled_kernels() -> list[Finding]:
    """Report where compiled kernels are kept, whether they are found again, and why preferred folders are not used."""
    from na64mu.compiled.folder import NAMED, choose

    folder = choose()
    if folder.path is None:
        found = "kept in memory only, no folder can be used: every start compiles for about a minute; set NA64MU_CACHE"
    elif not folder.persists:
        found = f"kept in {folder.path} until this process ends: every start compiles for about a minute; set NA64MU_CACHE"
    else:
        found = f"kept in {folder.path}"
    read = [Finding("", None, f"those in {place} are read too") for place in folder.also_read]
    # a folder that the user named and that is not used is a fault; another one is passed over
    reasons = [Finding("", False if reason.startswith(NAMED) else None, reason) for reason in folder.problems]
    return [Finding("compiled kernels", folder.persists, found), *read, *reasons]


def _optional_parts() -> list[Finding]:
    findings = []
    for name, (purpose, remedy) in OPTIONAL.items():
        there = importlib.util.find_spec(name) is not None
        findings.append(Finding(name, True if there else None, purpose if there else f"missing, {purpose}: {remedy}"))
    return findings


def _kernel() -> list[Finding]:
    """Whether numba compiles and runs on this machine, and whether this version of it was tried."""
    import numba
    from llvmlite.binding import get_host_cpu_name

    from na64mu.errors import CompilerError

    try:
        from na64mu.compiled.internals import untried
        from na64mu.compiled.kernel import step_formula

        answer = step_formula(lambda x: x + 1)(41)
    except CompilerError as error:
        return [Finding("numba", False, str(error))]
    except Exception as error:  # noqa: BLE001  # whatever goes wrong is the finding
        return [Finding("numba", False, f"cannot compile: {error}")]
    if numba.config.DISABLE_JIT:
        return [Finding("numba", None, "NUMBA_DISABLE_JIT is set: kernels are plain Python, right and hundreds of times slower")]
    new = [Finding("", None, sentence)] if (sentence := untried()) is not None else []
    return [Finding("numba", answer == 42, f"compiles for {get_host_cpu_name()}"), *new]


def _shipped_data() -> list[Finding]:
    """Whether every detector description can be read and has a calibration that was made for it."""
    from na64mu.calibration.windows import load_calibration
    from na64mu.detector import known_detectors, load_detector

    findings = []
    for tag in known_detectors():
        try:
            detector, calibration = load_detector(tag), load_calibration(tag)
            fits = calibration.belongs_to(detector)
            found = (
                f"calibration of {calibration.n_muons} muons"
                if fits
                else "the calibration was made for another description of its calorimeters: `na64mu run` refuses it"
            )
            findings.append(Finding(tag, fits, found))
        except Na64muError as error:
            findings.append(Finding(tag, False, str(error)))
    return findings or [Finding("detector", False, "no description in data/detector: the installation is incomplete")]


def _sample() -> list[Finding]:
    """Whether every shipped sample file can be read back in the raw-tree form."""
    import na64mu
    from na64mu.events.reader import read_batch, read_runs

    files = sorted((Path(na64mu.__file__).parent / "data" / "sample").glob("*.root"))
    findings = []
    for path in files:
        try:
            n, rows = len(read_batch(path)), read_runs(path)
            findings.append(Finding(path.name, True, f"{n} events of {len(rows)} run(s), detector {rows[0]['detector']}"))
        except (Na64muError, OSError) as error:
            findings.append(Finding(path.name, False, str(error)))
    return findings or [Finding("sample", False, "no file in data/sample: the installation is incomplete")]
