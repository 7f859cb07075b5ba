"""Keeps a number that the documentation quotes: `docs/results/<name>.json`, with the command that made it. A test compares the pages with these files."""

from __future__ import annotations

import datetime as dt
import json
import sys
from collections.abc import Mapping
from pathlib import Path

from na64mu import __version__
from na64mu.results.provenance import repository_state

FOLDER = Path(__file__).parents[1] / "docs" / "results"


def write_result(name: str, what: str, values: Mapping[str, tuple[float, float]]) -> Path:
    """Write values with their errors, and how they were made.

    Parameters
    ----------
    name : str
        Of the file.
    what : str
        What the values are, with their unit and the number of events.
    values : mapping of str to (float, float)
        Name -> value and standard deviation.

    Returns
    -------
    Path
        The file.
    """
    commit, clean = repository_state()
    content = {
        "what": what,
        "command": " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]]),
        "version": __version__,
        "commit": commit,
        "commit_is_unchanged": clean,
        "made": dt.datetime.now(dt.UTC).date().isoformat(),
        "values": {key: {"value": value, "error": error} for key, (value, error) in values.items()},
    }
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{name}.json"
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return path
