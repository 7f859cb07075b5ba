"""Exact sums of floating-point numbers: they do not depend on the order of the additions, to the last bit.

A floating-point number is a whole number times a power of two. `ExactSum` keeps such a whole number for one sum, `ExactArray` (na64mu.results.exact_array)
for every bin of a histogram. Both are rounded once, when they are read. The idea of a long accumulator is that of Kulisch (Computer Arithmetic and
Validity, de Gruyter, 2013).
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Iterator
from typing import Self

import numpy as np

from na64mu.typing import BoolArray, FloatArray

__all__ = ("AT_ONCE", "LOWEST", "ExactSum", "exact_sum", "few_bits", "sums_of_weights")

#: The smallest power of two of which every finite double, with its 53 bits, is a multiple.
LOWEST = -1127
#: Numbers that are added at once, and bits of each that are split off: the sum of so many has less than 53 bits.
AT_ONCE, STEPS = 1 << 20, 31
#: Exponent of the largest numbers that are split.
LARGEST = 1000


class ExactSum(float):
    """A sum that is a float, the exact sum rounded to the nearest, and adds without rounding.

    Sums with NaN or infinities are those of floats.

    Parameters
    ----------
    whole : int, optional
        The exact sum as a multiple of 2^-1127; None if it is not finite.
    value : float
        The sum where it is not finite.
    """

    __slots__ = ("whole",)

    whole: int | None

    def __new__(cls, whole: int | None = 0, value: float = 0.0) -> Self:
        """Round the sum to the float that this is."""
        made = super().__new__(cls, value if whole is None else _rounded(whole))
        made.whole = whole
        return made

    @classmethod
    def of(cls, value: float) -> ExactSum:
        """The exact sum of one number."""
        if isinstance(value, ExactSum):
            return value
        number = float(value)
        return cls(_whole(number)) if math.isfinite(number) else cls(None, number)

    def __add__(self, other: float) -> ExactSum:
        """Add another sum, or a number."""
        if not isinstance(other, int | float | np.integer | np.floating):
            return NotImplemented
        more = ExactSum.of(other)
        if self.whole is None or more.whole is None:
            return ExactSum(None, float(self) + float(more))
        return ExactSum(self.whole + more.whole)

    __radd__ = __add__

    def __reduce__(self) -> tuple[type[ExactSum], tuple[int | None, float]]:
        return ExactSum, (self.whole, 0.0 if self.whole is not None else float(self))

    def parts(self) -> list[float]:
        """Return floats whose exact sum this is, the largest first: how it is kept in JSON.

        Returns
        -------
        list of float
            The sum itself first, if it is not too large for a float; more numbers where it had to be rounded.
        """
        if self.whole is None:
            return [float(self)]
        found: list[float] = []
        left = self.whole
        while left or not found:
            found.append(max(-sys.float_info.max, min(_rounded(left), sys.float_info.max)))
            left -= _whole(found[-1])
        return found

    @classmethod
    def from_parts(cls, parts: Iterable[float]) -> ExactSum:
        """The inverse of `parts`."""
        total = cls()
        for part in parts:
            total = total + part
        return total


def exact_sum(values: FloatArray) -> ExactSum:
    """Sum the numbers of an array without rounding.

    Parameters
    ----------
    values : FloatArray
        Shape (n,).

    Returns
    -------
    ExactSum
    """
    total = ExactSum()
    for start in range(0, len(values), AT_ONCE):
        few = values[start : start + AT_ONCE]
        finite = np.isfinite(few)
        if not finite.all():
            for value in few[~finite].tolist():
                total = total + value
            few = few[finite]
        if len(few) and few.min() == few.max():
            total = total + ExactSum(len(few) * _whole(float(few[0])))
            continue
        for part in few_bits(few):
            total = total + float(part.sum())  # which is not rounded
    return total


def sums_of_weights(mask: BoolArray, weights: FloatArray) -> tuple[int, float, float]:
    """Count events, and sum their weights and squared weights, without rounding.

    Parameters
    ----------
    mask : BoolArray
        Events that count, shape (n_events,).
    weights : FloatArray
        Shape (n_events,).

    Returns
    -------
    n : int
    sumw, sumw2 : float
        Whole numbers where all weights are 1, else of type ExactSum. The square of a weight is rounded, its sum is not.
    """
    w = weights[mask]
    n = len(w)
    if np.all(w == 1.0):
        return n, float(n), float(n)
    return n, exact_sum(w), exact_sum(w * w)


def few_bits(values: FloatArray) -> Iterator[FloatArray]:
    """Split numbers into parts of few bits, at most AT_ONCE of them: sums of a part are not rounded, in any order.

    From every number the multiple of a step nearest to it is split off (Demmel and Hida, SIAM J. Sci. Comput. 25, 1214): so few steps that the sum of all of them
    has at most 53 bits. What is left is at most half a step.
    """
    while len(values) and (largest := float(np.abs(values).max())) > 0.0:
        exponent = math.frexp(largest)[1]
        if exponent > LARGEST:  # the anchor would be infinite: one of them at a time
            part = np.where(np.arange(len(values)) == np.abs(values).argmax(), values, 0.0)
        else:
            step = math.ldexp(1.0, max(exponent - STEPS, -1074))
            anchor = 1.5 * 2.0**52 * step
            part = (values + anchor) - anchor
        yield part
        values = values - part


def _whole(value: float) -> int:
    """A finite number as a multiple of 2^-1127."""
    numerator, denominator = value.as_integer_ratio()
    return (numerator << -LOWEST) // denominator


def _rounded(whole: int) -> float:
    """The double nearest to a multiple of 2^-1127, infinite beyond the largest."""
    try:
        return whole / (1 << -LOWEST)
    except OverflowError:
        return math.inf if whole > 0 else -math.inf
