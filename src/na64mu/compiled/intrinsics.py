"""Single instructions for kernels."""

from __future__ import annotations

from typing import Any

from numba import types
from numba.extending import intrinsic

from na64mu.compiled.internals import config

__all__ = ("trailing_zeros",)


@intrinsic
def _trailing_zeros(typing_context: Any, word: Any) -> Any:  # noqa: ARG001  # numba's form of an intrinsic
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        (value,) = arguments
        return builder.cttz(value, context.get_constant(types.boolean, False))

    return types.int64(types.uint64), generate


def _trailing_zeros_in_python(word: Any) -> int:
    bits = int(word)
    return (bits & -bits).bit_length() - 1 if bits else 64


#: Number of zero bits below the lowest one of a 64-bit word, 64 if there is none; one instruction.
trailing_zeros: Any = _trailing_zeros_in_python if config.DISABLE_JIT else _trailing_zeros
