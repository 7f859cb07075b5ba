"""Named tuples passed from kernel to kernel by their address.

numba hands a tuple over field by field. A set-up has a hundred arrays of seven words each, which every call of a small kernel would
copy; a reference is one word, and its attributes read as those of the tuple.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic, models, register_model

from na64mu.compiled.internals import AttributeTemplate, cgutils, config, impl_ret_borrowed, infer_getattr, lower_getattr_generic

__all__ = ("by_reference",)


class _Reference(types.Type):
    """The address of a named tuple that lives in the frame of a caller."""

    def __init__(self, target: Any) -> None:
        self.target = target
        super().__init__(name=f"Reference({target})")

    def field(self, name: str) -> tuple[int, Any]:
        """Index and type of a field."""
        index = self.target.fields.index(name)
        return index, self.target.types[index]


@register_model(_Reference)
class _ReferenceModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: _Reference) -> None:
        super().__init__(manager, kind, ir.PointerType(manager.lookup(kind.target).get_value_type()))


@infer_getattr
class _Attributes(AttributeTemplate):
    key = _Reference

    def generic_resolve(self, reference: _Reference, attribute: str) -> Any:
        """Type of an attribute: named tuples inside a named tuple are references too."""
        if attribute not in reference.target.fields:
            return None
        _, kind = reference.field(attribute)
        return _Reference(kind) if isinstance(kind, types.BaseNamedTuple) else kind


@lower_getattr_generic(_Reference)
def _attribute(context: Any, builder: Any, reference: _Reference, value: Any, attribute: str) -> Any:
    index, kind = reference.field(attribute)
    address = cgutils.gep_inbounds(builder, value, 0, index)
    if isinstance(kind, types.BaseNamedTuple):
        return address
    return impl_ret_borrowed(context, builder, kind, builder.load(address))


@intrinsic
def _by_reference(typing_context: Any, value: Any) -> Any:  # noqa: ARG001 (what numba calls)
    if not isinstance(value, types.BaseNamedTuple):
        return None

    def codegen(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return cgutils.alloca_once_value(builder, arguments[0])

    return _Reference(value)(value), codegen


def _by_reference_in_python(value: Any) -> Any:
    return value


#: A reference to a named tuple of arrays, numbers and other named tuples, good until the kernel that takes it returns. To kernels it
#: is the tuple, of which attributes can be read.
by_reference: Any = _by_reference_in_python if config.DISABLE_JIT else _by_reference
