"""The private parts of numba that kernels and their cache need, in one place, and the versions with which they were tried.

Used are: the option `_nrt` (no reference counts), the attribute `_cache` of a dispatcher and its base class `NullCache`,
`CompileResult._reduce` and `_rebuild`, the counter `FunctionIdentity._unique_ids`, the flags that a kernel inherits from its caller (`ConfigStack`), `codegen().magic_tuple()`,
`dumps` of numba.core.serialize, and of the code generator `cgutils`, `impl_ret_borrowed`, `lower_getattr_generic`,
`AttributeTemplate` and `infer_getattr`. A part that is missing is said in one sentence.
"""

from __future__ import annotations

import numba

from na64mu.errors import CompilerError

__all__ = (
    "TRIED",
    "AttributeTemplate",
    "CompileResult",
    "ConfigStack",
    "FunctionIdentity",
    "NullCache",
    "cgutils",
    "check",
    "config",
    "dumps",
    "impl_ret_borrowed",
    "infer_getattr",
    "lower_getattr_generic",
    "normalize_signature",
    "untried",
)

#: Minor versions of numba with which the tests of this folder have passed.
TRIED = ("0.68",)


def _lacks(part: str) -> CompilerError:
    tried = ", ".join(TRIED)
    return CompilerError(f"numba {numba.__version__} has no {part}, which kernels need: install a version that was tried ({tried})")


try:
    from numba.core import cgutils, config
    from numba.core.bytecode import FunctionIdentity
    from numba.core.caching import NullCache
    from numba.core.compiler import CompileResult
    from numba.core.cpu import CPUTargetOptions
    from numba.core.imputils import impl_ret_borrowed, lower_getattr_generic
    from numba.core.serialize import dumps
    from numba.core.sigutils import normalize_signature
    from numba.core.targetconfig import ConfigStack
    from numba.core.typing.templates import AttributeTemplate, infer_getattr
except ImportError as error:
    raise _lacks(error.name or str(error)) from error


def check(options: type = CPUTargetOptions, result: type = CompileResult, identity: type = FunctionIdentity) -> None:
    """Make sure that the options and methods which no import looks for are there.

    Raises
    ------
    CompilerError
        If one is missing.
    """
    for owner, name in ((options, "_nrt"), (options, "forceinline"), (result, "_reduce"), (result, "_rebuild"), (identity, "_unique_ids")):
        if not hasattr(owner, name):
            raise _lacks(name)


def untried(version: str = numba.__version__) -> str | None:
    """Return a sentence if this version of numba was not tried, else None."""
    if ".".join(version.split(".")[:2]) in TRIED:
        return None
    return f"numba {version} was not tried with this version of na64mu (tried: {', '.join(TRIED)}); `pytest tests/compiled` tries it"


check()
