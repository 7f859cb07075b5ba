"""The decorators of kernels: every compiled function of the package has one of these forms.

With NUMBA_DISABLE_JIT=1 they leave plain Python behind, see plain.py.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from types import FunctionType
from typing import Any

import numba

from na64mu.compiled.cache import KernelCache
from na64mu.compiled.internals import config
from na64mu.compiled.plain import plain
from na64mu.compiled.symbols import number_anew

__all__ = (
    "FASTMATH",
    "allocating_kernel",
    "formula",
    "general_kernel",
    "inlined_kernel",
    "inner_kernel",
    "kernel",
    "small_kernel",
    "step_formula",
    "typed_kernel",
    "vector_kernel",
)

number_anew()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=number_anew)

#: A compiled function has no types for Python: many kernels have no annotations, and take arrays of several types.
Decorator = Callable[[Callable[..., Any]], Any]

#: Rounding may differ between the vectorised and the scalar form of a formula; NaN remains NaN.
FASTMATH = frozenset({"contract", "nsz", "arcp"})


def _form(signature: str | None = None, *, kept: bool = True, **options: Any) -> Decorator:
    """A decorator that compiles with some options of numba.

    Parameters
    ----------
    signature : str, optional
        Types of the arguments, to compile at once and for no others; without it, at the first call with arguments of some types.
    kept : bool
        Whether compiled code is kept on disk; not needed for a function that is always inlined.
    **options
        Options of `numba.njit`.

    Returns
    -------
    callable
        The decorator.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        if config.DISABLE_JIT:
            return plain(function)
        compiled: Any = numba.njit(**options)(function)
        if kept and isinstance(function, FunctionType):
            compiled._cache = KernelCache(function, compiled)
        if signature is not None:
            compiled.compile(signature)
            compiled.disable_compile()
        return compiled

    return decorate


#: Serial compiled function without reference counts: it must not allocate (the caller passes all scratch arrays).
#: numba counts a reference whenever an array is taken out of a tuple, in a loop too: two thirds of the time of a search.
kernel = _form(nogil=True, _nrt=False)

#: The same for functions that only other kernels call: without the wrappers for Python, which cost more to compile than they do.
inner_kernel = _form(nogil=True, _nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True)

#: The same, inlined into its caller. A call passes every array of a tuple as seven numbers: functions that take whole
#: tuples and do little with them spend most of their time on that.
inlined_kernel = _form(nogil=True, _nrt=False, forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)

#: Written out where it is called, and Python may call it: formulas of a few lines that are called at every step.
small_kernel = _form(nogil=True, _nrt=False, forceinline=True)

#: Compiled function that may allocate, if it is called from Python: functions of a few numbers, and those that return arrays.
general_kernel = _form(nogil=True)

#: One that allocates, and is called by kernels that do not.
allocating_kernel = _form(nogil=True, _nrt=True)

#: Scalar formula of the fit, written out in the kernels that call it; division by zero gives infinity.
formula = _form(kept=False, forceinline=True, error_model="numpy", fastmath=set(FASTMATH))

#: Part of the fit that is called and not written out, and follows its caller in what rounding may do.
step_formula = _form(kept=False, nogil=True, error_model="numpy")


def typed_kernel(signature: str | None) -> Decorator:
    """The form of a function that is compiled at once, for one kind of arguments: others are converted, and no other form is compiled.

    Parameters
    ----------
    signature : str or None
        Signature such as "void(float64[:, ::1], int64)"; None if the types are known at the first call only.

    Returns
    -------
    callable
        The decorator.
    """
    return _form(signature, nogil=True)


def vector_kernel(signature: str | None) -> Decorator:
    """The form of a loop over tracks that calls formulas: the compiler turns it into vector instructions.

    Parameters
    ----------
    signature : str or None
        See `typed_kernel`.

    Returns
    -------
    callable
        The decorator.
    """
    return _form(signature, nogil=True, error_model="numpy", fastmath=set(FASTMATH))
