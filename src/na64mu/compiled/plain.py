"""Kernels as plain Python, with NUMBA_DISABLE_JIT=1: for a debugger, and to measure which lines of kernels the tests reach.

Counts, energies and random numbers are those of the compiled kernels. Sums of the track fit differ in the last bits, because the
compiler joins multiplications and additions there: momenta by some 1e-12 of their value.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ("plain",)


def plain(function: Callable[..., Any]) -> Any:
    """A kernel that is not compiled.

    Parameters
    ----------
    function : callable
        Python function of a kernel.

    Returns
    -------
    callable
        The function, which is as silent as compiled code where a word of 64 bits runs over or a number becomes infinite.
    """

    @functools.wraps(function)
    def called(*arguments: Any, **named: Any) -> Any:
        with np.errstate(all="ignore"):
            return function(*arguments, **named)

    called.py_func = function  # type: ignore[attr-defined] # where a compiled kernel has it
    return called
