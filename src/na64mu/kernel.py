"""The decorator of kernels that only read and fill arrays they are given."""

from __future__ import annotations

from typing import Any

import numba
from numba import types
from numba.extending import intrinsic

__all__ = ("inlined_kernel", "inner_kernel", "kernel", "small_kernel", "trailing_zeros")

#: Serial compiled function without reference counts: it must not allocate (whoever calls it hands over all scratch arrays).
#: numba counts a reference whenever an array is taken out of a tuple, in a loop too: two thirds of the time of a search.
kernel = numba.njit(cache=True, nogil=True, _nrt=False)

#: The same for functions that only other kernels call: without the wrappers for Python, which cost more to compile than they do.
inner_kernel = numba.njit(cache=True, nogil=True, _nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True)


#: The same, written out where it is called. A call hands over every array of a tuple as seven numbers: functions that take whole
#: tuples and do little with them spend most of their time on that.
inlined_kernel = numba.njit(cache=True, nogil=True, _nrt=False, forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)

#: Written out where it is called, and Python may call it: formulas of a few lines that are called at every step.
small_kernel = numba.njit(cache=True, nogil=True, _nrt=False, forceinline=True)


@intrinsic
def trailing_zeros(typing_context: Any, word: Any) -> Any:  # noqa: ARG001  # numba's form of an intrinsic
    """Number of zero bits below the lowest one of a 64-bit word, 64 if there is none; one instruction."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        (value,) = arguments
        return builder.cttz(value, context.get_constant(types.boolean, False))

    return types.int64(types.uint64), generate
