"""A user's own file of cuts: executed once, so that the cuts it registers can be named in a working point."""

from __future__ import annotations

import importlib.util
import re
import sys
import traceback
from pathlib import Path

from na64mu.errors import Na64muError, SelectionError

__all__ = ("load_user_file",)

#: File -> its content when it was executed.
_EXECUTED: dict[Path, bytes] = {}


def load_user_file(path: str | Path) -> None:
    """Execute a Python file that registers cuts (`na64mu.selections.register_cut`).

    A file that was executed already, and has not changed since, is not executed again. The file is code: it can do whatever you can.

    Parameters
    ----------
    path : str or Path
        The file.

    Raises
    ------
    SelectionError
        If it cannot be read, or ends with an error; the message names the line.
    """
    file = Path(path).resolve()
    try:
        content = file.read_bytes()
    except OSError as error:
        msg = f"{path}: the file of your own cuts cannot be read ({error.strerror})"
        raise SelectionError(msg) from error
    if _EXECUTED.get(file) == content:
        return
    name = "na64mu_user_" + re.sub(r"\W", "_", file.stem)
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        msg = f"{path}: the file of your own cuts must end in .py"
        raise SelectionError(msg)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    folder = str(file.parent)
    sys.path.insert(0, folder)  # modules next to it that it imports
    try:
        spec.loader.exec_module(module)
    except Na64muError:
        raise
    except Exception as error:
        line = next((f.lineno for f in reversed(traceback.extract_tb(error.__traceback__)) if f.filename == str(file)), None)
        where = getattr(error, "lineno", None) if isinstance(error, SyntaxError) else line
        msg = f"{path}: the file of your own cuts ends with an error{f' in line {where}' if where else ''}: {type(error).__name__}: {error}"
        raise SelectionError(msg) from error
    finally:
        sys.path.remove(folder)
    _EXECUTED[file] = content
