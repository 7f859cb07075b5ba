"""The decorator of kernels that only read and fill arrays they are given."""

from __future__ import annotations

import numba

__all__ = ("inner_kernel", "kernel")

#: Serial compiled function without reference counts: it must not allocate (whoever calls it hands over all scratch arrays).
#: numba counts a reference whenever an array is taken out of a tuple, in a loop too: two thirds of the time of a search.
kernel = numba.njit(cache=True, nogil=True, _nrt=False)

#: The same for functions that only other kernels call: without the wrappers for Python, which cost more to compile than they do.
inner_kernel = numba.njit(cache=True, nogil=True, _nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True)
