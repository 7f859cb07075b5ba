"""Sets of strips, rows and wires, one bit each in 64-bit words: kernels find neighbours 64 at a time."""

from __future__ import annotations

import numpy as np

from na64mu.compiled.intrinsics import trailing_zeros
from na64mu.compiled.kernel import inlined_kernel, small_kernel
from na64mu.typing import WordArray

__all__ = ("add", "beside", "has", "lowest", "n_runs", "run_length", "without_lowest", "words")


def words(n: int) -> int:
    """Words that n members need, at least one."""
    return max(1, -(-n // 64))


@small_kernel
def add(bits: WordArray, i: int) -> None:
    """Make i a member."""
    bits[i >> 6] |= np.uint64(1) << np.uint64(i & 63)


@inlined_kernel
def has(bits: WordArray, i: int) -> bool:
    """Whether i is a member."""
    return (bits[i >> 6] >> np.uint64(i & 63)) & np.uint64(1) != np.uint64(0)


@inlined_kernel
def lowest(word: np.uint64, w: int) -> int:
    """The lowest member in word w of a set, which may not be 0."""
    return 64 * w + trailing_zeros(word)


@inlined_kernel
def without_lowest(word: np.uint64) -> np.uint64:
    """The word without its lowest member."""
    return word & (word - np.uint64(1))


@inlined_kernel
def beside(bits: WordArray, w: int, up: bool) -> np.uint64:
    """Word w of the numbers whose lower (up) or upper neighbour is a member."""
    if up:
        return (bits[w] << np.uint64(1)) | (bits[w - 1] >> np.uint64(63) if w > 0 else np.uint64(0))
    return (bits[w] >> np.uint64(1)) | (bits[w + 1] << np.uint64(63) if w + 1 < len(bits) else np.uint64(0))


@inlined_kernel
def run_length(bits: WordArray, i: int) -> int:
    """Number of members from i on without a gap."""
    w, b = i >> 6, i & 63
    n = 0
    while w < len(bits):
        free = ~(bits[w] >> np.uint64(b))
        run = trailing_zeros(free) if free != np.uint64(0) else 64
        if run < 64 - b:
            return n + run
        n += 64 - b
        w, b = w + 1, 0
    return n


@inlined_kernel
def n_runs(bits: WordArray) -> int:
    """Number of runs of neighbouring members."""
    n = 0
    for w in range(len(bits)):
        first = bits[w] & ~beside(bits, w, True)
        while first != np.uint64(0):
            first = without_lowest(first)
            n += 1
    return n
