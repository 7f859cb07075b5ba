"""Random numbers of one event: a stream defined by a key and a number, so that every event can be reproduced alone.

Generator: xoshiro256++ (D. Blackman, S. Vigna, ACM Trans. Math. Softw. 47 (2021) 36), started by SplitMix64 (G. Steele, D. Lea,
C. Flood, OOPSLA 2014, p. 453). Kernels draw with the names of numpy's Generator, so they take either; what a Stream has
and a Generator has not: a kernel can restart it for every event, and keep its position.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from na64mu.compiled.kernel import inner_kernel, kernel, small_kernel
from na64mu.compiled.state import ObjectType, method_of, register_state
from na64mu.typing import FloatArray

__all__ = ("Stream", "ziggurat")

WordArray = NDArray[np.uint64]

LAYERS = 256
#: Where the tail of the normal distribution begins for 256 layers (G. Marsaglia, W. W. Tsang, J. Stat. Softw. 5 (2000) 8).
TAIL = 3.6541528853610088

ONE, GOLDEN = np.uint64(1), np.uint64(0x9E3779B97F4A7C15)
FIRST, SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
S7, S11, S17, S19, S23, S27, S30, S31, S41, S45 = (np.uint64(n) for n in (7, 11, 17, 19, 23, 27, 30, 31, 41, 45))
LAYER_BITS = np.uint64(LAYERS - 1)
UNIT = 2.0**-53

MOST_AT_ONCE = 20.0  # larger means of a Poisson distribution are drawn in parts


def ziggurat() -> tuple[FloatArray, FloatArray]:
    """Layers of equal area under exp(-x^2 / 2), of which the lowest holds the tail.

    Returns
    -------
    edges : FloatArray
        Right edges from the lowest layer (as if it were a rectangle) to 0 at the top, shape (LAYERS + 1,).
    heights : FloatArray
        exp(-x^2 / 2) at the edges; 1 at the top.
    """
    area = TAIL * math.exp(-0.5 * TAIL**2) + math.sqrt(0.5 * math.pi) * math.erfc(TAIL / math.sqrt(2.0))
    edges = [area / math.exp(-0.5 * TAIL**2), TAIL]
    for _ in range(2, LAYERS):
        edges.append(math.sqrt(-2.0 * math.log(area / edges[-1] + math.exp(-0.5 * edges[-1] ** 2))))
    x = np.array([*edges, 0.0])
    return x, np.exp(-0.5 * x**2)


EDGES, HEIGHTS = ziggurat()


@inner_kernel
def _mix(x: np.uint64) -> np.uint64:
    x = (x ^ (x >> S30)) * FIRST
    x = (x ^ (x >> S27)) * SECOND
    return x ^ (x >> S31)


@kernel
def _restart(state: WordArray, key: np.uint64, number: np.uint64) -> None:
    x = _mix(key ^ _mix(number + GOLDEN))
    for i in range(4):
        x += GOLDEN
        state[i] = _mix(x)


@small_kernel
def _next(state: WordArray) -> np.uint64:
    s0, s1, s2, s3 = state[0], state[1], state[2], state[3]
    total = s0 + s3
    out = ((total << S23) | (total >> S41)) + s0
    t = s1 << S17
    s2 ^= s0
    s3 ^= s1
    state[1] = s1 ^ s2
    state[0] = s0 ^ s3
    state[2] = s2 ^ t
    state[3] = (s3 << S45) | (s3 >> S19)
    return out


@small_kernel
def _random(state: WordArray) -> float:
    return np.int64(_next(state) >> S11) * UNIT


@small_kernel
def _standard_exponential(state: WordArray) -> float:
    return -math.log(1.0 - _random(state))


@small_kernel
def _standard_normal(state: WordArray) -> float:
    while True:
        bits = _next(state)
        layer = np.int64(bits & LAYER_BITS)
        x = (np.int64(bits) >> 11) * (2.0 * UNIT) * EDGES[layer]  # both signs, the layer's bits left out
        if abs(x) < EDGES[layer + 1]:
            return x
        if layer == 0:  # the tail beyond TAIL (Marsaglia 1964)
            while True:
                beyond = _standard_exponential(state) / TAIL
                if 2.0 * _standard_exponential(state) > beyond * beyond:
                    return math.copysign(TAIL + beyond, x)
        if HEIGHTS[layer] + (HEIGHTS[layer + 1] - HEIGHTS[layer]) * _random(state) < math.exp(-0.5 * x * x):
            return x


@kernel
def _standard_gamma(state: WordArray, shape: float) -> float:
    """G. Marsaglia, W. W. Tsang, ACM Trans. Math. Softw. 26 (2000) 363."""
    d = (shape if shape >= 1.0 else shape + 1.0) - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d)
    while True:
        x = _standard_normal(state)
        v = 1.0 + c * x
        if v <= 0.0:
            continue
        v = v * v * v
        u = 1.0 - _random(state)
        if u < 1.0 - 0.0331 * x * x * x * x or math.log(u) < 0.5 * x * x + d * (1.0 - v + math.log(v)):
            break
    return d * v if shape >= 1.0 else d * v * (1.0 - _random(state)) ** (1.0 / shape)


@kernel
def _poisson(state: WordArray, mean: float) -> int:
    """Inversion by counting up; means above MOST_AT_ONCE are drawn in parts, which add up."""
    n = 0
    while mean > 0.0:
        part = min(mean, MOST_AT_ONCE)
        mean -= part
        u, p, k = _random(state), math.exp(-part), 0
        while u >= p > 0.0:
            u -= p
            k += 1
            p *= part / k
        n += k
    return n


class Stream:
    """A stream of random numbers.

    Parameters
    ----------
    key : int
        Key of the sample or batch, below 2^64.
    number : int
        Number of the event: streams of one key and different numbers are independent.
    """

    __slots__ = ("state",)

    def __init__(self, key: int, number: int = 0) -> None:
        self.state = np.zeros(4, dtype=np.uint64)
        self.restart(key, number)

    def __repr__(self) -> str:
        return f"Stream(state={[hex(word) for word in self.state]})"

    def restart(self, key: int | np.uint64, number: int | np.uint64) -> None:
        """Go to the beginning of the stream of a key and a number."""
        _restart(self.state, np.uint64(key), np.uint64(number))

    def random(self) -> float:
        """Uniform in [0, 1)."""
        return float(_random(self.state))

    def standard_normal(self) -> float:
        """Normal with mean 0 and variance 1, by the ziggurat method."""
        return float(_standard_normal(self.state))

    def standard_exponential(self) -> float:
        """Exponential with mean 1."""
        return float(_standard_exponential(self.state))

    def standard_gamma(self, shape: float) -> float:
        """Gamma-distributed with scale 1."""
        return float(_standard_gamma(self.state, shape))

    def poisson(self, mean: float) -> int:
        """Poisson-distributed."""
        return int(_poisson(self.state, mean))


class _StreamType(ObjectType):
    """Numba type of a Stream in kernels, which pass it as one word at every draw."""


register_state(_StreamType, Stream, "state")


# The two functions of an overload must have the same signature for numba, annotations too: they have none.
@method_of(_StreamType, "restart")
def _(self, key, number):  # type: ignore[no-untyped-def] # see above # noqa: ARG001
    return lambda self, key, number: _restart(self.state, key, number)


@method_of(_StreamType, "random")
def _(self):  # type: ignore[no-untyped-def] # see above # noqa: ARG001
    return lambda self: _random(self.state)


@method_of(_StreamType, "standard_normal")
def _(self):  # type: ignore[no-untyped-def] # see above # noqa: ARG001
    return lambda self: _standard_normal(self.state)


@method_of(_StreamType, "standard_exponential")
def _(self):  # type: ignore[no-untyped-def] # see above # noqa: ARG001
    return lambda self: _standard_exponential(self.state)


@method_of(_StreamType, "standard_gamma")
def _(self, shape):  # type: ignore[no-untyped-def] # see above # noqa: ARG001
    return lambda self, shape: _standard_gamma(self.state, shape)


@method_of(_StreamType, "poisson")
def _(self, mean):  # type: ignore[no-untyped-def] # see above # noqa: ARG001
    return lambda self, mean: _poisson(self.state, mean)
