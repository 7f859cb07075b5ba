"""Exact sums of the bins of a histogram, in digits of 32 bits that numpy adds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from na64mu.results.exact import AT_ONCE, LOWEST, ExactSum, few_bits
from na64mu.typing import FloatArray, IntArray

__all__ = ("ExactArray",)

#: Bits of a digit.
BITS = 32


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
        special = None
        if not finite.all():
            special = np.bincount(bins[~finite], values[~finite], size).astype(np.float64)
            bins, values = bins[finite], values[finite]
        made = cls(size, special=special)
        if len(values) and values.min() == values.max():
            place, columns = _digits(values[:1])
            for i, column in enumerate(columns):
                made._put(int(place[0]) + i, np.bincount(bins, minlength=size) * column[0])
            made._carry()
            return made
        for part in few_bits(values):
            sums = np.bincount(bins, part, size).astype(np.float64)  # which are not rounded
            filled = np.flatnonzero(sums)
            place, columns = _digits(sums[filled])
            for i, column in enumerate(columns):
                for first in np.unique(place).tolist():
                    digits, chosen = np.zeros(size, dtype=np.int64), place == first
                    digits[filled[chosen]] = column[chosen]
                    made._put(first + i, digits)
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
        sums = [ExactSum()] * self.size
        for i, one in self._filled():
            sums[i] = one
        return sums

    def values(self) -> FloatArray:
        """Return the sums rounded to the nearest double, shape (size,)."""
        values = np.zeros(self.size, dtype=np.float64)
        for i, one in self._filled():
            values[i] = one
        return values

    def _filled(self) -> Iterator[tuple[int, ExactSum]]:
        """Bins that are not 0, and their sums: most bins of a plane are empty."""
        whole: dict[int, int] = {}
        for place, digits in self.digits.items():
            bins = np.flatnonzero(digits)
            for i, digit in zip(bins.tolist(), digits[bins].tolist(), strict=True):
                whole[i] = whole.get(i, 0) + (digit << (BITS * place))
        yield from ((i, ExactSum(number)) for i, number in whole.items())
        if self.special is not None:
            for i in np.flatnonzero(self.special != 0.0).tolist():  # NaN is not 0 either
                yield i, ExactSum(None, float(self.special[i]))


def _digits(values: FloatArray) -> tuple[IntArray, tuple[IntArray, IntArray, IntArray]]:
    """Numbers as three digits each, with their sign, the lowest first, and the place of the lowest. The second may be twice as large as a digit."""
    bits = np.ascontiguousarray(values, dtype=np.float64).view(np.int64)
    exponent = (bits >> 52) & 0x7FF
    whole = np.where(exponent > 0, bits & ((1 << 52) - 1) | (1 << 52), bits & ((1 << 52) - 1))
    shift = np.maximum(exponent, 1) + (-LOWEST - 1075)
    whole, place, shift = np.where(bits < 0, -whole, whole), shift // BITS, shift % BITS
    low, high = (whole & 0xFFFFFFFF) << shift, (whole >> 32) << shift  # both fit into 63 bits
    mask = (1 << BITS) - 1
    return place, (low & mask, (low >> BITS) + (high & mask), high >> BITS)
