"""Old names that still work for one release, with a warning that gives the new name.

A name of the public interface (a module, a function, an option, a choice) that is renamed in release 0.N works until release 0.N+1 is out.
The old name of a module is imported as the new module itself, so that classes and errors stay the same objects.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # of `typing`, whose import would take longer than all the rest
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

__all__ = ("REMOVED_IN", "install_old_modules", "old_name", "renamed", "warn_renamed")

#: The release that forgets the old names of the present one.
REMOVED_IN = "0.3"

#: Old module -> new module, without the `na64mu.` of both.
MOVED_MODULES: dict[str, str] = {
    "analysis.blinding": "selections.blinding",
    "analysis.calibration": "calibration.windows",
    "analysis.comparison": "results.comparison",
    "analysis.cutflow": "results.cutflow",
    "analysis.exposure": "results.exposure",
    "analysis.losses": "results.losses",
    "analysis.mip": "calibration.mip",
    "analysis.provenance": "results.provenance",
    "analysis.result": "results.run",
    "binomial": "statistics.binomial",
    "detector.planes": "detector.readout",
    "events.form": "events.schema_v1",
    "events.limits": "events.channel_ranges",
    "events.nano": "events.nanoevents",
    "events.source": "events.root_io",
    "execution.books": "inputs.bookkeeping",
    "execution.duplicates": "inputs.duplicates",
    "execution.fileset": "inputs.raw_fileset",
    "execution.guard": "inputs.chunk_errors",
    "execution.memory": "inputs.memory",
    "execution.paths": "inputs.paths",
    "execution.ranges": "inputs.entry_ranges",
    "execution.raw_chunks": "inputs.raw_chunks",
    "execution.source_file": "inputs.raw_file",
    "execution.summary_chunks": "inputs.summary_chunks",
    "execution.summary_file": "inputs.summary_file",
    "execution.summary_fileset": "inputs.summary_fileset",
    "execution.waves": "execution.batches",
    "kernel": "compiled.kernel",
    "processors.clock": "results.clock",
    "reconstruction.stations": "reconstruction.hits",
    "reference": "compiled.reference",
    "simulation.line": "simulation.geometry",
    "simulation.overlay": "simulation.pileup",
    "simulation.plates": "simulation.sampling_layers",
    "simulation.rows": "simulation.parameter_rows",
    "simulation.spray": "simulation.soft_secondaries",
    "simulation.stack": "simulation.muon_in_calorimeter",
    "simulation.strips": "simulation.digitisers.strips",
    "simulation.wires": "simulation.digitisers.wires",
    "statistics.hepdata": "analysis.hepdata",
    "table": "common.table",
    "tomlmodel": "common.toml_model",
    "tracking.chance": "tracking.fake_rate",
    "tracking.engine": "tracking.compiled_fit",
    "tracking.follow": "tracking.field_propagation",
    "tracking.route": "tracking.navigation",
    "tracking.source": "tracking.code_generation",
}

#: Module -> name that was in it -> module that has it now, all without `na64mu.`.
MOVED_NAMES: dict[str, dict[str, str]] = {
    "results.exposure": {
        "FileBook": "results.file_book",
        "SummaryBook": "results.summary_book",
        "bookkeeping_problems": "results.file_book",
        "reconcile": "results.reconciliation",
        "reconcile_summaries": "results.summary_book",
        "rows_once": "results.file_book",
    },
}


def renamed(old: str, new: str) -> str:
    """Return the warning about an old name.

    Parameters
    ----------
    old, new : str
        The names, as a user writes them.

    Returns
    -------
    str
        One sentence.
    """
    return f"{old} is now {new}; the old name works until na64mu {REMOVED_IN}"


def warn_renamed(old: str, new: str, *, stacklevel: int = 2) -> None:
    """Warn that a name was renamed.

    Parameters
    ----------
    old, new : str
        The names, as a user writes them.
    stacklevel : int
        Stack level as for `warnings.warn`, counted from the caller.
    """
    import warnings

    warnings.warn(renamed(old, new), FutureWarning, stacklevel=stacklevel + 1)


def old_name(module: str, name: str) -> object:
    """Find a name that has moved from one module to another: what `__getattr__` of the old module returns.

    Parameters
    ----------
    module : str
        The old module, its `__name__`.
    name : str
        What is asked of it.

    Returns
    -------
    object
        What has this name in the new module.

    Raises
    ------
    AttributeError
        If it never was in the old one.
    """
    new = MOVED_NAMES.get(module.removeprefix("na64mu."), {}).get(name)
    if new is None:
        msg = f"module {module!r} has no attribute {name!r}"
        raise AttributeError(msg)
    import importlib

    warn_renamed(f"{module}.{name}", f"na64mu.{new}.{name}", stacklevel=3)
    found: object = getattr(importlib.import_module(f"na64mu.{new}"), name)
    return found


class _OldModule:
    """A loader that imports the new module in place of the old one."""

    def __init__(self, new: str) -> None:
        self.new = new

    def create_module(self, spec: ModuleSpec) -> None:  # noqa: ARG002  # the interface of a loader
        """The usual empty module, which `exec_module` replaces."""
        return

    def exec_module(self, module: ModuleType) -> None:
        """Put the new module in the place of the old one."""
        import importlib

        warn_renamed(module.__name__, self.new, stacklevel=2)
        sys.modules[module.__name__] = importlib.import_module(self.new)


class _OldModules:
    """A finder of modules by their old names; it is asked after all others."""

    def __init__(self, moved: Mapping[str, str]) -> None:
        self.moved = moved

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:  # noqa: ARG002
        """The old module, if this is one."""
        new = self.moved.get(fullname.removeprefix("na64mu.")) if fullname.startswith("na64mu.") else None
        if new is None:
            return None
        from importlib.machinery import ModuleSpec

        return ModuleSpec(fullname, _OldModule(f"na64mu.{new}"))  # type: ignore[arg-type]  # a loader by its methods


def install_old_modules(moved: Mapping[str, str] | None = None) -> None:
    """Let old names of modules be imported, once per process.

    Parameters
    ----------
    moved : mapping, optional
        Old to new names without `na64mu.`; those of this release if it is not given.
    """
    if moved is not None or not any(isinstance(finder, _OldModules) for finder in sys.meta_path):
        sys.meta_path.append(_OldModules(MOVED_MODULES if moved is None else moved))
