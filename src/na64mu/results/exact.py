"""Exact sums of floating-point numbers: they do not depend on the order of the additions, to the last bit.

A floating-point number is a whole number times a power of two. `ExactSum` keeps such a whole number for one sum, `ExactArray` for every bin of a histogram (in
digits of 32 bits, added with numpy). Both are rounded once, when they are read. The idea of a long accumulator is that of Kulisch (Computer Arithmetic and
Validity, de Gruyter, 2013).
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from na64mu.typing import BoolArray, FloatArray, IntArray

__all__ = ("ExactArray", "ExactSum", "exact_sum", "sums_of_weights")

#: The smallest power of two of which every finite double, with its 53 bits, is a multiple.
LOWEST = -1127
#: Bits of a digit.
BITS = 32
#: Numbers that are added at once: sums of so many digits are exact in the 53 bits of numpy's bincount.
AT_ONCE = 1 << 20


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
        found, left = [], self.whole
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
    return ExactArray.of(np.zeros(len(values), dtype=np.int64), values, 1).sums()[0]


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


@dataclass
class ExactArray:
    """Exact sums of the bins of a histogram.

    Attributes
    ----------
    size : int
        Bins.
    digits : dict of int to IntArray
        Place -> digit of each bin, shape (size,): the sum is that of digit * 2^(32 place - 1127). All but the highest place are from 0 to 2^32 - 1.
    special : FloatArray or None
        Sums of what is not finite, shape (size,).
    """

    size: int
    digits: dict[int, IntArray] = field(default_factory=dict)
    special: FloatArray | None = None

    @classmethod
    def of(cls, bins: IntArray, values: FloatArray, size: int) -> ExactArray:
        """Sum the numbers of each bin.

        Parameters
        ----------
        bins : IntArray
            Bin of each number, shape (n,).
        values : FloatArray
            The numbers, shape (n,).
        size : int
            Bins.

        Returns
        -------
        ExactArray
        """
        total = cls(size)
        for start in range(0, len(values), AT_ONCE):
            part = slice(start, start + AT_ONCE)
            total += cls._of_few(bins[part], values[part], size)
        return total

    @classmethod
    def _of_few(cls, bins: IntArray, values: FloatArray, size: int) -> ExactArray:
        finite = np.isfinite(values)
        special = None if finite.all() else np.bincount(bins[~finite], values[~finite], size)
        kept = finite & (values != 0.0)
        if not kept.all():
            bins, values = bins[kept], values[kept]
        fraction, exponent = np.frexp(values)
        whole = np.ldexp(np.abs(fraction), 53).astype(np.int64)
        sign = np.sign(values)
        place, shift = np.divmod(exponent.astype(np.int64) + (-LOWEST - 53), BITS)
        low = (whole & 0xFFFFFFFF) << shift  # below 2^63, and so is the next
        high = (whole >> 32) << shift
        mask = (1 << BITS) - 1
        made = cls(size, special=special)
        columns = (low & mask, (low >> BITS) + (high & mask), high >> BITS)
        for first in np.unique(place).tolist():
            chosen = place == first
            for i, column in enumerate(columns):
                sums = np.bincount(bins[chosen], (sign * column)[chosen], size)
                made._put(first + i, sums.astype(np.int64))
        made._carry()
        return made

    def _put(self, place: int, digits: IntArray) -> None:
        self.digits[place] = self.digits[place] + digits if place in self.digits else digits

    def _carry(self) -> None:
        """Bring every digit but the highest into 0 to 2^32 - 1."""
        if not self.digits:
            return
        place = min(self.digits)
        while place <= max(self.digits):
            if place in self.digits:
                digits = self.digits[place]
                over = digits >> BITS
                fits = (over == 0) | (over == -1) if place == max(self.digits) else over == 0  # the highest one has the sign
                if not fits.all():
                    self.digits[place] = digits & ((1 << BITS) - 1)
                    self._put(place + 1, over)
            place += 1

    def __add__(self, other: ExactArray) -> ExactArray:
        """Add the sums of another histogram of the same bins."""
        made = ExactArray(self.size, dict(self.digits), self.special)
        made += other
        return made

    def __iadd__(self, other: ExactArray) -> Self:
        for place, digits in other.digits.items():
            self._put(place, digits)
        if other.special is not None:
            self.special = other.special if self.special is None else self.special + other.special
        self._carry()
        return self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ExactArray) and [s.parts() for s in self.sums()] == [s.parts() for s in other.sums()]

    __hash__ = None  # type: ignore[assignment]  # it changes

    def to_dict(self) -> dict[str, Any]:
        """The digits that are not 0 as plain values, ready for JSON."""
        digits = [
            [place, bins.tolist(), column[bins].tolist()] for place, column in self.digits.items() for bins in [np.flatnonzero(column)]
        ]
        return {"size": self.size, "digits": digits, "special": None if self.special is None else self.special.tolist()}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> ExactArray:
        """The inverse of `to_dict`."""
        made = cls(int(content["size"]))
        for place, bins, values in content["digits"]:
            made.digits[int(place)] = np.zeros(made.size, dtype=np.int64)
            made.digits[int(place)][bins] = values
        made.special = None if content["special"] is None else np.array(content["special"], dtype=np.float64)
        return made

    def sums(self) -> Sequence[ExactSum]:
        """Return the exact sum of each bin."""
        whole: Any = [0] * self.size
        for place, digits in self.digits.items():
            for i in np.flatnonzero(digits).tolist():
                whole[i] += int(digits[i]) << (BITS * place)
        sums = [ExactSum(number) for number in whole]
        if self.special is not None:
            for i in np.flatnonzero(self.special != 0.0).tolist():  # NaN is not 0 either
                sums[i] = ExactSum(None, float(self.special[i]))
        return sums

    def values(self) -> FloatArray:
        """Return the sums rounded to the nearest double, shape (size,)."""
        return np.array([float(one) for one in self.sums()], dtype=np.float64)


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
