"""Executors behind one context manager: those of the registry by name, and any object with the interface of coffea's executors.

The registry has iterative (this process), futures (local processes) and dask (a cluster). A new one is an entry of `EXECUTORS`: the command
line offers it too, if it is registered before that is imported.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from functools import partial
from typing import Any

from na64mu import __version__
from na64mu.common.processes import pool, without_script
from na64mu.compiled.folder import kernel_folder
from na64mu.errors import WorkerError, one_line
from na64mu.execution.cluster import own_security, quiet_ports, remote_security
from na64mu.results.provenance import source_hash

__all__ = (
    "EXECUTORS",
    "check_workers",
    "checked_executor",
    "default_workers",
    "in_this_process",
    "n_parallel",
    "open_executor",
    "quiet_coffea",
)

#: Seconds to wait for the first worker of a cluster.
PATIENCE = 60
#: What a client of distributed raises whose thread does not start in time.
LATE = (AssertionError, TimeoutError)
#: What to do where processes cannot start because they begin with the script that starts them.
NO_GUARD = ': if a script of your own starts them, put the call under `if __name__ == "__main__":`'


def checked_executor(executor: Any) -> Any:
    """The name of an executor of the registry, or an executor.

    Parameters
    ----------
    executor : str or callable
        Name, in any case; or an object that is called as coffea's executors are: `executor(items, function, accumulator)` returns a tuple
        whose first entry is the accumulator, to which the results of all items were added.

    Returns
    -------
    str or callable
        The name as it is in the registry, or the object.

    Raises
    ------
    WorkerError
        If it is neither; the message lists the names.
    """
    from na64mu.common.arguments import one_of  # imports numpy, which the command line does without

    if isinstance(executor, type):
        msg = f"executor: an instance is wanted; found the class {executor.__name__}: write {executor.__name__}()"
        raise WorkerError(msg)
    return executor if callable(executor) else one_of(executor, EXECUTORS, "executor", WorkerError)


def in_this_process(executor: Any) -> bool:
    """Whether an executor (a name, or an object) works in this process: nothing has to be sent to it."""
    from coffea.processor import IterativeExecutor

    return isinstance(executor, IterativeExecutor) or executor == "iterative"


def default_workers(executor: Any) -> int:
    """One worker for the iterative executor, what an object says of itself, else one for each core this process may use."""
    if not isinstance(executor, str):
        return max(1, int(getattr(executor, "workers", None) or 1))
    return 1 if executor == "iterative" else len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def open_executor(name: Any, workers: int, scheduler: Any, memory: int | None = None) -> Iterator[Any]:
    """Start the workers, hand out coffea's executor, and clean up.

    Parameters
    ----------
    name : str or executor
        A name of the registry; an executor is handed out as it is.
    workers : int
        Local processes.
    scheduler : str or distributed.Client, optional
        Address of a running Dask cluster, or a client that is connected to one; without it a local one is started.
    memory : int, optional
        Bytes that a worker of a local Dask cluster may have.

    Yields
    ------
    ExecutorBase
        Errors are not retried: a local read that fails once fails again.

    Raises
    ------
    WorkerError
        If the workers do not run this version and code of na64mu.
    """
    chosen = checked_executor(name)
    kernel_folder()  # chosen before any worker starts: they share a temporary one
    if isinstance(chosen, str):
        with EXECUTORS[chosen](workers, scheduler, memory) as executor:
            yield executor
    else:
        yield chosen


@contextmanager
def _iterative(workers: int, scheduler: Any, memory: int | None) -> Iterator[Any]:  # noqa: ARG001  # the signature of the registry
    from coffea.processor import IterativeExecutor

    yield IterativeExecutor(retries=0)


@contextmanager
def _futures(workers: int, scheduler: Any, memory: int | None) -> Iterator[Any]:  # noqa: ARG001  # the signature of the registry
    from coffea.processor import FuturesExecutor

    with pool(workers, keep=True) as processes:  # for the next run in this session
        yield FuturesExecutor(pool=processes, workers=workers, retries=0)


@contextmanager
def _dask(workers: int, scheduler: Any, memory: int | None) -> Iterator[Any]:
    from coffea.processor import DaskExecutor

    with ExitStack() as stack:
        client = _client(stack, workers, scheduler, memory)
        check_workers(client)
        yield DaskExecutor(client=client, retries=0)


#: Name -> what starts the workers, hands out an executor and cleans up: called with the local processes, the scheduler and the memory of a worker.
EXECUTORS: dict[str, Callable[[int, Any, int | None], AbstractContextManager[Any]]] = {
    "iterative": _iterative,
    "futures": _futures,
    "dask": _dask,
}


def n_parallel(executor: Any, workers: int) -> int:
    """Chunks that run at the same time: on a Dask cluster as many as it has threads, else one per local worker.

    Parameters
    ----------
    executor : ExecutorBase
        From `open_executor`.
    workers : int
        Local processes.

    Returns
    -------
    int
        At least one.
    """
    client = getattr(executor, "client", None)
    return workers if client is None or not hasattr(client, "nthreads") else max(1, sum(client.nthreads().values()))


def _client(stack: ExitStack, workers: int, scheduler: Any, memory: int | None) -> Any:
    try:
        import dask
        from distributed import Client, LocalCluster
    except ModuleNotFoundError as error:
        msg = 'the dask executor needs dask and distributed: install them with `pip install "na64mu[dask]"`'
        raise WorkerError(msg) from error
    if scheduler is None:
        theirs = logging.getLogger("distributed")  # silence_logs leaves what the handlers of others print
        stack.push(_restored(theirs, theirs.level))
        theirs.setLevel(logging.ERROR)
        # a worker that is too large fails in its chunk or is killed; a paused worker would block the run forever
        settings = {f"distributed.worker.memory.{what}": False for what in ("target", "spill", "pause")} | quiet_ports()
        stack.enter_context(dask.config.set(settings))
        limit: Any = "auto" if memory is None else memory
        stack.enter_context(without_script())  # for as long as the cluster lives: it replaces workers that die
        try:
            cluster = stack.enter_context(
                LocalCluster(
                    n_workers=workers,
                    threads_per_worker=1,
                    dashboard_address="localhost:0",
                    scheduler_kwargs={"dashboard": False},
                    silence_logs=logging.ERROR,
                    memory_limit=limit,
                    security=own_security(),  # no other user of this computer can send it work
                )
            )
        except RuntimeError as error:
            msg = f"the workers of the local Dask cluster do not start ({error}){NO_GUARD}"
            raise WorkerError(msg) from error
        client = stack.enter_context(_client_of(cluster))
        stack.push(partial(_quiet_end, theirs))
        return client
    if not isinstance(scheduler, str):
        return scheduler
    try:
        return stack.enter_context(Client(str(scheduler), timeout=PATIENCE, security=remote_security(scheduler)))
    except (OSError, TimeoutError, ValueError, TypeError, RuntimeError, AssertionError) as error:
        msg = f"no Dask scheduler answers at {str(scheduler)!r} ({error}): check the address, and the certificates if it is one with TLS"
        raise WorkerError(msg) from error


def _restored(logger: logging.Logger, level: int) -> Callable[..., None]:
    """What gives a logger its level back at the end of a run, but not if a signal ended it: the threads of the cluster still close then."""

    def restore(kind: type[BaseException] | None, *_: object) -> None:
        if kind is None or issubclass(kind, Exception):
            logger.setLevel(level)

    return restore


def _quiet_end(logger: logging.Logger, kind: type[BaseException] | None, *_: object) -> None:
    """Let distributed say nothing of work that breaks off because a signal ended the run."""
    if kind is not None and not issubclass(kind, Exception):
        logger.setLevel(logging.CRITICAL)


def _client_of(cluster: Any) -> Any:
    """A client of a local cluster; on a very busy machine its thread may not start in the 10 s that distributed waits, so it is tried twice."""
    from distributed import Client

    with suppress(*LATE):
        return Client(cluster)
    try:
        return Client(cluster)
    except LATE as error:
        msg = (
            f"the client of the local Dask cluster does not start ({one_line(type(error).__name__)}): the machine is too busy; "
            "try again, with fewer workers, or use --executor futures"
        )
        raise WorkerError(msg) from error


def check_workers(client: Any) -> None:
    """Make sure that every worker imports this version and this code of na64mu; without it a run would hang, or count otherwise.

    Parameters
    ----------
    client : distributed.Client
        A connected client.

    Raises
    ------
    WorkerError
        If there is no worker, or one has no na64mu or another version.
    """

    def version_there() -> str:  # nested, so that it travels by value and needs nothing on the worker
        import importlib

        try:
            version = importlib.import_module("na64mu").__version__
            return f"{version} ({importlib.import_module('na64mu.results.provenance').source_hash()[:12]})"
        except Exception as error:  # noqa: BLE001  # whatever it is, the user wants to read it
            return f"{type(error).__name__}: {error}"

    try:
        client.wait_for_workers(1, timeout=PATIENCE)
    except TimeoutError as error:
        msg = f"the Dask cluster has no worker after {PATIENCE} s: start one with `dask worker <scheduler>`"
        raise WorkerError(msg) from error
    expected = f"{__version__} ({source_hash()[:12]})"
    for address, found in client.run(version_there).items():
        if found != expected:
            msg = f"worker {address} has not na64mu {expected} but {found}: install the same version, with the same files, on all workers"
            raise WorkerError(msg)


@contextmanager
def quiet_coffea(show_progress: bool) -> Iterator[None]:
    """Send coffea's progress bars to stderr, or nowhere: they would be in the way on stdout and in log files.

    Parameters
    ----------
    show_progress : bool
        Whether bars are wanted.
    """
    from na64mu.events.coffea_names import console

    coffea_console = console()
    before = coffea_console.stderr, coffea_console.quiet, coffea_console.is_jupyter
    coffea_console.stderr, coffea_console.quiet = True, not show_progress
    coffea_console.is_jupyter &= show_progress  # in Jupyter a bar is a widget, which takes no notice of `quiet`
    try:
        yield
    finally:
        coffea_console.stderr, coffea_console.quiet, coffea_console.is_jupyter = before
