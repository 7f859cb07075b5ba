"""Results of a step, kept as values.json in its folder: value, error, whether it is an upper limit, and how it was found."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from na64mu.common.whole_file import write_whole
from na64mu.errors import CheckpointError

__all__ = ("FILE", "Value", "read_values", "write_values")

FILE = "values.json"


@dataclass(frozen=True)
class Value:
    """One of our numbers.

    Attributes
    ----------
    value : float
        NaN if it could not be computed; `note` then says why.
    error : float
        Statistical, symmetric; 0 for exact numbers.
    is_upper : bool
        Whether it is an upper limit.
    note : str
        Method by which it was found.
    per_event : float
        Part of the value that one counted event makes; 0 where it is no count. Its probabilities are then those of Poisson.
    """

    value: float
    error: float = 0.0
    is_upper: bool = False
    note: str = ""
    per_event: float = 0.0

    @property
    def exists(self) -> bool:
        """Whether there is a number."""
        return math.isfinite(self.value)


def write_values(folder: Path, values: Mapping[str, Value]) -> Path:
    """Write values.json; a number that does not exist is null."""
    content = {key: asdict(v) | {"value": v.value if v.exists else None} for key, v in values.items()}
    path = folder / FILE
    write_whole(path, json.dumps(content, indent=1) + "\n")
    return path


def read_values(folder: Path) -> dict[str, Value]:
    """Read values.json.

    Raises
    ------
    CheckpointError
        If there is none, or it is not what `write_values` wrote.
    """
    path = folder / FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {key: Value(**{**v, "value": math.nan if v["value"] is None else v["value"]}) for key, v in content.items()}
    except (OSError, ValueError, TypeError, KeyError) as error:
        msg = f"{path}: cannot be read ({error!r}): delete the folder, and `na64mu paper` makes it again"
        raise CheckpointError(msg) from error
