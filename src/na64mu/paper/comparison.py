"""Published numbers beside ours: the rows of data/published/comparison.toml, and the verdict on each.

A number agrees if it lies within the tolerance, which is given in the file with its reason; it is never tuned to do so. It differs if a true value
within the tolerance would give ours, or one farther away, with a probability below 2.3 %: of a normal distribution, or of Poisson where ours is a count
of simulated events. Where neither holds the verdict says that the statistics do not decide. Every row is marked as an input, a consequence of
inputs (or the same statement again), or an independent check; only the last are counted.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from na64mu.analysis.curves import letter_numbers
from na64mu.common.arguments import choice
from na64mu.common.toml_model import read_toml, validate
from na64mu.common.whole_file import whole_file
from na64mu.errors import InputError
from na64mu.paper.values import Value

__all__ = ("Compared", "Published", "Verdict", "compare", "published_rows", "write_csv")

#: Probability of ours, or of a number farther away, below which it is called different: that of two standard deviations.
SURE = 0.02275

Kind = Literal["independent", "consequence", "input"]


class Verdict(StrEnum):
    """Verdict of a comparison."""

    AGREES = "agrees"
    DIFFERS = "differs"
    UNDECIDED = "not decided at this statistics"
    MISSING = "not computed"
    UNPUBLISHED = "not published"
    INPUT = "input"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Tolerance(_Model):
    """Allowed deviation of our number: an absolute value in its unit, or a factor."""

    absolute: Annotated[float, Field(gt=0)] | None = None
    factor: Annotated[float, Field(gt=1)] | None = None

    @model_validator(mode="after")
    def _one(self) -> Tolerance:
        if (self.absolute is None) == (self.factor is None):
            msg = "give either absolute or factor"
            raise ValueError(msg)
        return self

    def band(self, published: float) -> tuple[float, float]:
        """Lowest and highest number that agrees."""
        if self.absolute is not None:
            return published - self.absolute, published + self.absolute
        assert self.factor is not None
        low, high = published / self.factor, published * self.factor
        return min(low, high), max(low, high)

    def __str__(self) -> str:
        return f"+- {self.absolute:g}" if self.absolute is not None else f"factor {self.factor:g}"


class Published(_Model):
    """One row of comparison.toml.

    Attributes
    ----------
    key : str
        Key of our number.
    group, what, unit : str
        Heading of the group, description of the number, and its unit.
    letter : str
        Path of the number in letter.toml, such as "trigger_rate.value.0"; empty if the Letter does not print it.
    scale : float
        Unit of the table over that of the file.
    is_upper : bool
        Whether the published number is an upper limit.
    kind : "independent", "consequence" or "input"
        An input of the simulation tests nothing; a consequence follows from inputs, or is a statement that another row counts already.
    follows : str
        What a consequence follows from.
    tolerance : Tolerance or None
    reason : str
        Why this tolerance.
    cause : str
        Known reason where ours differs.
    """

    key: str
    group: str
    what: str
    unit: str = ""
    letter: str = ""
    scale: float = 1.0
    is_upper: bool = False
    kind: Kind = "independent"
    follows: str = ""
    tolerance: Tolerance | None = None
    reason: str = ""
    cause: str = ""

    @model_validator(mode="after")
    def _decidable(self) -> Published:
        if self.kind != "input" and self.letter and (self.tolerance is None or not self.reason):
            msg = "a published number that ours is tested against needs a tolerance and its reason"
            raise ValueError(msg)
        if (self.kind == "consequence") != bool(self.follows):
            msg = "a consequence, and no other row, says in follows what it follows from"
            raise ValueError(msg)
        return self


class _Rows(_Model):
    row: tuple[Published, ...]


@dataclass(frozen=True)
class Compared:
    """A published number beside ours.

    Attributes
    ----------
    published : Published
    letter : float
        Printed number in the unit of the row; NaN if there is none.
    letter_error : float
        Uncertainty as printed in the Letter; 0 if none is printed.
    ours : Value
    verdict : Verdict
    """

    published: Published
    letter: float
    letter_error: float
    ours: Value
    verdict: Verdict

    def __post_init__(self) -> None:
        object.__setattr__(self, "verdict", choice(self.verdict, Verdict, "verdict"))

    @property
    def ratio(self) -> float:
        """Ours over the Letter's; NaN where it means nothing."""
        return self.ours.value / self.letter if self.letter else math.nan

    @property
    def is_counted(self) -> bool:
        """Whether it is an independent check of a printed number, which alone is counted as an agreement or a difference."""
        return self.published.kind == "independent" and bool(self.published.letter)

    @property
    def kind(self) -> str:
        """Kind of the row, or "not published" where the Letter prints no number to compare with."""
        return self.published.kind if self.published.letter else "not published"

    @property
    def words(self) -> str:
        """The verdict with the size of a difference."""
        if self.verdict is not Verdict.DIFFERS:
            return str(self.verdict)
        tolerance = self.published.tolerance
        by_difference = tolerance is not None and tolerance.absolute is not None
        size = f"by {self.ours.value - self.letter:+.3g} {self.published.unit}".rstrip() if by_difference else f"x {self.ratio:.3g}"
        return f"{self.verdict}: {size}"


def published_rows(path: Path | None = None) -> tuple[Published, ...]:
    """The rows of data/published/comparison.toml, or of another file.

    Raises
    ------
    InputError
        If the file is wrong, or a key is used twice.
    """
    place = path or Path(str(files("na64mu.data").joinpath("published", "comparison.toml")))
    rows = validate(_Rows, read_toml(place, InputError), str(place.name), InputError).row
    keys = [row.key for row in rows]
    twice = next((key for key in keys if keys.count(key) > 1), None)
    if twice is not None:
        msg = f"{place.name}: the key {twice!r} is used twice: give every row a key of its own"
        raise InputError(msg)
    return rows


def _printed(letter: Mapping[str, Any], path: str) -> tuple[float, float]:
    """Number and error at a place of letter.toml: a table with value (or upper), or a plain number."""
    found: Any = letter
    try:
        for part in path.split("."):
            found = found[int(part)] if part.isdigit() else found[part]
        if isinstance(found, Mapping):
            return float(found["value"] if "value" in found else found["upper"]), float(found.get("error", 0.0))
        return float(found), 0.0
    except (KeyError, IndexError, TypeError, ValueError) as error:
        msg = f"comparison.toml: letter.toml has no number {path!r}: correct the row"
        raise InputError(msg) from error


def compare(
    values: Mapping[str, Value], rows: Sequence[Published] | None = None, letter: Mapping[str, Any] | None = None
) -> list[Compared]:
    """Compare our numbers with the published ones.

    Parameters
    ----------
    values : mapping of str to Value
        Key -> our number.
    rows : sequence of Published, optional
        By default those that ship with the package.
    letter : mapping, optional
        Content of letter.toml.

    Returns
    -------
    list of Compared
        One for each row.
    """
    numbers = letter_numbers() if letter is None else letter
    out = []
    for row in published_rows() if rows is None else rows:
        printed, error = _printed(numbers, row.letter) if row.letter else (math.nan, 0.0)
        ours = values.get(row.key, Value(math.nan, note="no step computed it"))
        printed, error = printed * row.scale, error * row.scale
        out.append(Compared(row, printed, error, ours, _verdict(row, printed, ours)))
    return out


def _verdict(row: Published, printed: float, ours: Value) -> Verdict:
    if not ours.exists:
        return Verdict.MISSING
    if row.kind == "input":
        return Verdict.INPUT
    if math.isnan(printed) or row.tolerance is None:
        return Verdict.UNPUBLISHED
    low, high = row.tolerance.band(printed)
    if row.is_upper:
        low = -math.inf
    if ours.is_upper:  # it says only that the number is not larger
        return Verdict.AGREES if row.is_upper and ours.value <= high else Verdict.DIFFERS if ours.value < low else Verdict.UNDECIDED
    if low <= ours.value <= high:
        return Verdict.AGREES if ours.error <= 0.5 * (high - low) else Verdict.UNDECIDED
    return Verdict.DIFFERS if _chance(ours, low, high) < SURE else Verdict.UNDECIDED


def _chance(ours: Value, low: float, high: float) -> float:
    """Probability of our number, or of one farther away, for the nearest true value within the tolerance."""
    from scipy.stats import norm, poisson

    if ours.per_event > 0:
        n = round(ours.value / ours.per_event)
        if ours.value > high:
            return float(poisson.sf(n - 1, max(high, 0.0) / ours.per_event))
        return float(poisson.cdf(n, max(low, 0.0) / ours.per_event))
    beyond = max(low - ours.value, ours.value - high)
    return float(norm.sf(beyond / ours.error)) if ours.error > 0 else 0.0


def write_csv(path: Path, compared: Sequence[Compared]) -> Path:
    """Write one line for each number."""
    with whole_file(path) as part, part.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        head = ("group", "quantity", "unit", "letter", "letter_error", "letter_is_upper", "ours", "ours_error", "ours_is_upper")
        writer.writerow(
            [*head, "ratio", "tolerance", "verdict", "why_this_tolerance", "known_cause", "how_ours_was_found", "kind", "follows_from"]
        )
        for c in compared:
            p, o = c.published, c.ours
            numbers = [f"{v:.6g}" if math.isfinite(v) else "" for v in (c.letter, c.letter_error, o.value, o.error, c.ratio)]
            row = [p.group, p.what, p.unit, *numbers[:2], int(p.is_upper), *numbers[2:4], int(o.is_upper), numbers[4]]
            cause = p.cause if c.verdict is Verdict.DIFFERS else ""
            writer.writerow([*row, "" if p.tolerance is None else str(p.tolerance), c.words, p.reason, cause, o.note, c.kind, p.follows])
    return path
