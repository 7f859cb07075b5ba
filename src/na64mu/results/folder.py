"""An output folder of a run: of the search, or of a processor of the user's own."""

from __future__ import annotations

from pathlib import Path

from na64mu.common.arguments import file_name
from na64mu.errors import InputError
from na64mu.results.output_folder import must_be_finished
from na64mu.results.processor import RESULT, ProcessorResult
from na64mu.results.run import DRAWN, FILES, RunResult
from na64mu.results.setup import SETUP
from na64mu.results.value_files import VALUE_FILES

__all__ = ("files_of", "read_folder")


def read_folder(folder: str | Path) -> RunResult | ProcessorResult:
    """Read an output folder back.

    Parameters
    ----------
    folder : str or Path

    Returns
    -------
    RunResult or ProcessorResult
        The latter where the folder has a result.json.

    Raises
    ------
    InputError
        If a file is missing or damaged.
    """
    path = Path(file_name(folder, "result", InputError, "an output folder is wanted"))
    must_be_finished(path)
    return ProcessorResult.read(path) if (path / RESULT).exists() else RunResult.read(path)


def files_of(result: RunResult | ProcessorResult, folder: str | Path) -> list[str]:
    """Names of the files in which a result and its report lie in a folder."""
    path = Path(folder)
    names = (
        FILES if isinstance(result, RunResult) else (*VALUE_FILES, RESULT, *sorted(f"tables/{each.name}" for each in path.glob("tables/*")))
    )
    return [name for name in (*names, SETUP, *DRAWN) if (path / name).is_file()]
