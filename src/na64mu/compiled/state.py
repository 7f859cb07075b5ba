"""Objects that pass their state, one array, from kernel to kernel by its address: one word instead of the seven of an array."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from numba import types
from numba.extending import NativeValue, make_attribute_wrapper, models, register_model, typeof_impl, unbox
from numba.extending import overload_method as _overload_method

from na64mu.compiled.internals import cgutils

__all__ = ("ObjectType", "method_of", "register_state")


class ObjectType(types.Type):
    """The type of the objects of one class, for numba."""

    def __init__(self, owner: type) -> None:
        self.owner = owner  # by which the cache finds the module of the methods
        super().__init__(name=f"{owner.__module__}.{owner.__qualname__}")


def register_state(kind_of_owner: type[ObjectType], owner: type, attribute: str) -> None:
    """Let kernels take objects of a class, of which they see the state.

    Parameters
    ----------
    kind_of_owner : type
        A subclass of ObjectType for this class alone, at the top of a module: compiled kernels refer to it by its name.
    owner : type
        A class with an array of 64-bit words without sign, that lives as long as the object.
    attribute : str
        Name of the array.
    """
    only = kind_of_owner(owner)
    words = types.Array(types.uint64, 1, "C")

    @typeof_impl.register(owner)
    def _typeof(value: Any, context: Any) -> types.Type:  # noqa: ARG001 (what numba calls)
        return only

    @register_model(kind_of_owner)
    class _Model(models.StructModel):
        def __init__(self, manager: Any, kind: types.Type) -> None:
            super().__init__(manager, kind, [(attribute, types.CPointer(types.uint64))])

    make_attribute_wrapper(kind_of_owner, attribute, attribute)

    @unbox(kind_of_owner)
    def _unbox(kind: types.Type, value: Any, c: Any) -> NativeValue:
        state = c.pyapi.object_getattr_string(value, attribute)
        array = c.unbox(words, state)
        made = cgutils.create_struct_proxy(kind)(c.context, c.builder)
        setattr(made, attribute, cgutils.create_struct_proxy(words)(c.context, c.builder, value=array.value).data)
        c.pyapi.decref(state)  # the object keeps it
        return NativeValue(made._getvalue(), is_error=array.is_error)


def method_of(kind: type[ObjectType], name: str) -> Any:
    """Decorator of what kernels do for a method of an object; it may not allocate, see numba's `overload_method`.

    The compiled method has the name of the method, whatever that of the Python function is: linkers know code by its name (symbols.py).
    """
    register = _overload_method(kind, name, jit_options={"_nrt": False})

    def decorate(function: Callable[..., Callable[..., Any]]) -> Any:
        @wraps(function)
        def named(*args: Any) -> Callable[..., Any]:
            made = function(*args)
            made.__qualname__ = f"{kind.__name__}.{name}"
            return made

        return register(named)

    return decorate
