"""Sends the cuts and processors of a user to the workers by value, so a worker needs no file of the user.

The bytes are made by the driver of a run and go to its own workers, as coffea and dask send functions; they are never written or read as a file.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import uuid4

import cloudpickle  # type: ignore[import-untyped]  # comes without types

from na64mu.common.source_digest import digest_of_sources
from na64mu.errors import WorkerError
from na64mu.processors.base import name_of
from na64mu.selections.parts import Part

__all__ = ("Carried", "carried", "digest_of_own", "must_arrive", "sources_of")

#: Packages that every worker has: what is defined in them travels by its name.
INSTALLED = {"na64mu", "coffea", "awkward", "numpy", "hist", "builtins", *sys.stdlib_module_names} - {"__main__"}

ADVICE = "define it in a file of its own and give that with --user (user= in Python), or use the iterative executor"

#: Digest -> the processor that this process has unpacked.
_UNPACKED: dict[str, Any] = {}


@dataclass(frozen=True)
class Carried:
    """A processor as bytes; unpacked once in every process.

    Attributes
    ----------
    content : bytes
        From cloudpickle.
    names : tuple of str
        What of the user is in it, such as "the cut slow".
    """

    content: bytes
    names: tuple[str, ...]

    @property
    def what(self) -> str:
        """What of the user travels, for messages."""
        return ", ".join(self.names)

    def unpacked(self) -> Any:
        """The processor."""
        key = hashlib.sha256(self.content).hexdigest()
        if key not in _UNPACKED:
            _UNPACKED.clear()  # of an earlier run
            _UNPACKED[key] = cloudpickle.loads(self.content)
        return _UNPACKED[key]

    def process_batch(self, batch: Any, where: Mapping[str, Any], clock: Any) -> dict[str, Any]:
        """Return the processor's result for raw events."""
        result: dict[str, Any] = self.unpacked().process_batch(batch, where, clock)
        return result

    def analyse(self, summary: Any, where: Mapping[str, Any], clock: Any) -> dict[str, Any]:
        """Return the processor's result for an event summary."""
        result: dict[str, Any] = self.unpacked().analyse(summary, where, clock)
        return result


def carried(processor: Any, parts: Iterable[Part] = (), own: Any = None) -> Any:
    """A processor in the form in which it reaches a worker.

    Parameters
    ----------
    processor : Any
        The processor.
    parts : iterable of Part
        What of the user's own it uses: cuts, variables, regions, categories.
    own : Any, optional
        The processor of the user's own that it calls.

    Returns
    -------
    Any
        The processor itself where all of it is of the package, else a `Carried`.

    Raises
    ------
    WorkerError
        If one of them cannot be sent; the message names it.
    """
    sent = [(part.name, list(part.objects)) for part in parts]
    if own is not None:
        sent.append((f"the processor {name_of(own)}", [own]))
    if not sent:
        return processor
    objects = [o for _, each in sent for o in each if o is not own]
    with _by_value(_modules_of([*objects, *sources_of(own)])):
        try:
            return Carried(cloudpickle.dumps(processor), tuple(name for name, _ in sent))
        except Exception as error:
            what = [name for name, each in sent if not _can_be_sent(each)] or [name for name, _ in sent]
            msg = f"{', '.join(what)} cannot be sent to workers ({type(error).__name__}: {error}): {ADVICE}"
            raise WorkerError(msg) from error


def _can_be_sent(objects: list[Any]) -> bool:
    try:
        cloudpickle.dumps(objects)
    except Exception:  # noqa: BLE001  # whatever an object raises that is not made to be sent
        return False
    return True


def sources_of(own: Any) -> list[Any]:
    """Functions and classes of the user that a processor is made of; those of packages that every worker has are left out.

    Parameters
    ----------
    own : Any
        A function, a bound method, a `functools.partial`, or an instance of a class; None for nothing.

    Returns
    -------
    list of function or type
        First the function, or the class and those that it is derived from.
    """
    while isinstance(own, partial):
        own = own.func
    own = getattr(own, "__self__", own)
    found = [own] if hasattr(own, "__code__") else list(type(own).__mro__)
    return [each for each in found if str(each.__module__).split(".", maxsplit=1)[0] not in INSTALLED]


def digest_of_own(own: Any) -> str:
    """SHA-256 of the source of a processor of the user's own and of its state: attributes, values bound to it, and defaults.

    Parameters
    ----------
    own : Any
        The processor.

    Returns
    -------
    str
        Hexadecimal; another one each time for a state that cannot be written down, which is never known to be the same.
    """
    sources = sources_of(own)
    members = [m for each in sources if isinstance(each, type) for m in vars(each).values() if hasattr(m, "__code__")]
    try:
        with _by_value(_modules_of(sources)):
            state = cloudpickle.dumps(_state_of(own))
    except Exception:  # noqa: BLE001  # whatever an object raises that is not made to be sent
        state = uuid4().bytes
    return hashlib.sha256(digest_of_sources(*sources, *members).encode() + state).hexdigest()


def _state_of(own: Any) -> Any:
    if isinstance(own, partial):
        return [_state_of(own.func), own.args, own.keywords]
    if hasattr(own, "__self__"):
        return [own.__name__, _state_of(own.__self__)]
    if hasattr(own, "__code__"):
        return [own.__defaults__, own.__kwdefaults__, [cell.cell_contents for cell in own.__closure__ or ()]]
    return dict(getattr(own, "__dict__", {}))


def _modules_of(objects: Iterable[Any]) -> list[ModuleType]:
    """The modules of some objects, and those in the same folders: a worker need not have them."""
    own = [sys.modules[o.__module__] for o in objects if o.__module__ in sys.modules and o.__module__ != "__main__"]
    main = [getattr(sys.modules["__main__"], "__file__", None)] if any(o.__module__ == "__main__" for o in objects) else []
    folders = {Path(f).resolve().parent for f in (*main, *(getattr(m, "__file__", None) for m in own)) if f}
    beside = [
        m
        for name, m in list(sys.modules.items())
        if name != "__main__" and getattr(m, "__file__", None) and Path(str(m.__file__)).resolve().parent in folders
    ]
    return list({m.__name__: m for m in (*own, *beside) if sys.modules.get(m.__name__) is m}.values())


@contextmanager
def _by_value(modules: Iterable[ModuleType]) -> Iterator[None]:
    with ExitStack() as stack:
        for module in modules:
            if module.__name__ not in cloudpickle.list_registry_pickle_by_value():
                cloudpickle.register_pickle_by_value(module)
                stack.callback(cloudpickle.unregister_pickle_by_value, module)
        yield


def _trial(processor: Carried) -> str:
    """Whether a worker can unpack the processor: empty, or why not."""
    try:
        processor.unpacked()
    except Exception as error:  # noqa: BLE001  # whatever it is, the user wants to read it
        return f"{type(error).__name__}: {error}"
    return ""


def must_arrive(processor: Any, executor: Any) -> None:
    """Try on the workers whether they can unpack a processor, before anything is computed.

    Parameters
    ----------
    processor : Any
        From `carried`.
    executor : ExecutorBase
        From `na64mu.execution.executors.open_executor`.

    Raises
    ------
    WorkerError
        If a worker cannot.
    """
    if not isinstance(processor, Carried):
        return
    client, pool = getattr(executor, "client", None), getattr(executor, "pool", None)
    if client is not None and hasattr(client, "run"):
        answers = list(client.run(_trial, processor).values())
    else:
        answers = [] if pool is None or isinstance(pool, type) else [pool.submit(_trial, processor).result()]
    problem = next((answer for answer in answers if answer), "")
    if problem:
        msg = f"{processor.what} does not work on a worker ({problem}): {ADVICE}"
        raise WorkerError(msg)
