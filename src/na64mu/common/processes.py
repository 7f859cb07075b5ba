"""Worker processes: they end when this process ends, however it ends, and they never run a user's script again."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ("end_with", "pool", "without_script")

LOOK_EVERY = 0.5  # s
IDLE = 120  # seconds after which kept workers end

#: Bytes by which a worker may grow before it is replaced: several chunks of the default size. loky would take the size of a chunk for a
#: leak and restart workers all the time.
LEAK = 4_000_000_000


def end_with(parent: int) -> None:
    """End this process soon after its parent has ended, even if that was killed: called in a worker at its start.

    Parameters
    ----------
    parent : int
        Process number of the parent.
    """
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK_EVERY)
    os._exit(1)  # no process waits for a result any more


@contextmanager
def pool(workers: int, *, keep: bool = False) -> Iterator[Any]:
    """Processes that take work, as a loky executor.

    Parameters
    ----------
    workers : int
        Number of processes.
    keep : bool
        Leave them for the next call for a while: they have imported everything and loaded the compiled kernels.

    Yields
    ------
    loky executor
        Its workers end with this process. After Ctrl-C or a request to end they are ended at once, with what they work on.
    """
    import loky

    own: dict[str, Any] = {
        "max_workers": workers,
        "initializer": end_with,
        "initargs": (os.getpid(),),
        "env": {"LOKY_MAX_MEMORY_LEAK_SIZE": f"{LEAK:d}"},
    }
    executor = loky.get_reusable_executor(timeout=IDLE, **own) if keep else loky.ProcessPoolExecutor(**own)
    try:
        yield executor
    except Exception:
        if not keep:
            executor.shutdown(wait=False, kill_workers=True)
        raise
    except BaseException:
        executor.shutdown(wait=False, kill_workers=True)
        raise
    else:
        if not keep:
            executor.shutdown(wait=True)


@contextmanager
def without_script() -> Iterator[None]:
    """Start processes that do not run the user's script again.

    A process that is started afresh imports the script of the one that started it. Without `if __name__ == "__main__":` the script
    would start its work again there. Workers get what they need by value.
    """
    main = sys.modules["__main__"]
    kept = {name: getattr(main, name) for name in ("__file__", "__spec__") if hasattr(main, name)}
    is_script = "__file__" in kept and multiprocessing.parent_process() is None
    if is_script:
        del main.__file__
        main.__spec__ = None
    try:
        yield
    finally:
        if is_script:
            for name, value in kept.items():
                setattr(main, name, value)
