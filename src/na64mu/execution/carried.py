"""Sends the cuts that a user registered to the workers: the processor is sent with them, by value, so a worker needs no file of the user.

The bytes are made by the driver of a run and go to its own workers, as coffea and dask send functions; they are never written or read as a file.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import cloudpickle  # type: ignore[import-untyped]  # comes without types

from na64mu.errors import WorkerError
from na64mu.selections.cuts import user_cuts

__all__ = ("Carried", "carried", "must_arrive")

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
        Cuts of the user in it.
    """

    content: bytes
    names: tuple[str, ...]

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


def carried(processor: Any, cuts: Iterable[str]) -> Any:
    """A processor in the form in which it reaches a worker.

    Parameters
    ----------
    processor : Any
        The processor.
    cuts : iterable of str
        Names of the cuts that it uses.

    Returns
    -------
    Any
        The processor itself where all its cuts are those of the package, else a `Carried`.

    Raises
    ------
    WorkerError
        If a cut of the user cannot be sent.
    """
    definitions = user_cuts(cuts)
    if not definitions:
        return processor
    names = tuple(definitions)
    objects = [o for definition in definitions.values() for o in (definition.function, definition.thresholds)]
    try:
        with _by_value(_modules_of(objects)):
            return Carried(cloudpickle.dumps(processor), names)
    except Exception as error:
        msg = f"the cut {', '.join(names)} cannot be sent to workers ({type(error).__name__}: {error}): {ADVICE}"
        raise WorkerError(msg) from error


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
    if client is not None:
        answers = list(client.run(_trial, processor).values())
    else:
        answers = [] if pool is None else [pool.submit(_trial, processor).result()]
    problem = next((answer for answer in answers if answer), "")
    if problem:
        msg = f"the cut {', '.join(processor.names)} does not work on a worker ({problem}): {ADVICE}"
        raise WorkerError(msg)
