"""An output folder of a run: of the search, or of a processor of the user's own."""

from __future__ import annotations

from pathlib import Path

from na64mu.common.arguments import file_name
from na64mu.errors import InputError
from na64mu.results.processor import RESULT, ProcessorResult
from na64mu.results.run import FILES, RunResult
from na64mu.results.value_files import VALUE_FILES

__all__ = ("files_of", "read_folder", "write_folder")


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
    return ProcessorResult.read(path) if (path / RESULT).exists() else RunResult.read(path)


def write_folder(result: RunResult | ProcessorResult, folder: str | Path) -> Path:
    """Write a result to an output folder; the index of an earlier result of the other kind is removed, so that the folder is read as this one.

    Parameters
    ----------
    result : RunResult or ProcessorResult
    folder : str or Path
        Made if it does not exist.

    Returns
    -------
    Path
        The folder.
    """
    path = result.write(folder)
    for other in (RESULT,) if isinstance(result, RunResult) else ("summary.json", "cutflow.json"):
        (path / other).unlink(missing_ok=True)
    return path


def files_of(result: RunResult | ProcessorResult, folder: str | Path) -> list[str]:
    """Names of the files in which a result lies in a folder."""
    path = Path(folder)
    if isinstance(result, RunResult):
        return [name for name in FILES if (path / name).is_file()]
    tables = sorted(f"tables/{each.name}" for each in path.glob("tables/*"))
    return [*(name for name in (*VALUE_FILES, RESULT) if (path / name).is_file()), *tables]
