from __future__ import annotations

import numpy as np

from na64mu.compiled.intrinsics import trailing_zeros
from na64mu.compiled.kernel import kernel


@kernel
def _count(words, out):
    for i in range(len(words)):
        out[i] = trailing_zeros(words[i])


def test_trailing_zeros_of_every_bit_and_of_none():
    words = np.append(np.uint64(1) << np.arange(64, dtype=np.uint64), [np.uint64(0), np.uint64(0b101000)]).astype(np.uint64)
    out = np.empty(len(words), dtype=np.int64)
    _count(words, out)
    assert out.tolist() == [*range(64), 64, 3]
