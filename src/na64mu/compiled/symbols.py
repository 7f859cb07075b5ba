"""Names of compiled functions that no two processes give twice.

numba numbers the functions that a process compiles, and the number is part of the name by which a linker finds the code. A kernel that is kept on
disk contains the functions that it calls, under the numbers of the process that compiled it. Two closures of one name (the methods of an object, for
instance, which are all called `<lambda>`) can then have the same number in two processes, and the linker takes the one that it saw first: a kernel
that draws normal numbers drew exponential ones. Numbers therefore begin anywhere, in every process and in every child that is forked.
"""

from __future__ import annotations

import itertools
import secrets

from na64mu.compiled.internals import FunctionIdentity

__all__ = ("number_anew",)

#: Bits of the first number: of a thousand processes with 10^5 functions each, two meet with a chance of 10^6 x 10^5 / 2^62 = 2 x 10^-8.
BITS = 62


def number_anew() -> None:
    """Begin the numbers of compiled functions at a random one; done once in a process, before the first kernel is compiled, and in its forks."""
    FunctionIdentity._unique_ids = itertools.count(secrets.randbits(BITS))
