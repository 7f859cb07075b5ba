"""How a run is done, apart from what it computes: chunks, workers, memory, what is kept. The result does not depend on it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from na64mu.common.arguments import file_name, whole
from na64mu.errors import InputError, WorkerError
from na64mu.execution.cluster import SchedulerAddress, Tls
from na64mu.inputs.memory import size_of

__all__ = ("RunOptions",)


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Options of `na64mu.run`; each is checked when it is given.

    Attributes
    ----------
    chunksize : int
        Events per chunk; the result does not depend on it.
    maxchunks : int, optional
        Chunks per dataset, for a quick look; what is left out lowers the exposure.
    align_clusters : bool, optional
        End chunks where baskets end, which reads faster; by default where the chunks are not made larger by it.
    workers : int, optional
        Local processes; one for each core by default.
    scheduler : str or distributed.Client, optional
        Address of a running Dask scheduler, or a client that is connected to one.
    tls_ca, tls_cert, tls_key : str or Path, optional
        Files in PEM form for a scheduler with TLS: certificates of its authority, one's own certificate, and the key of that (which may be in the same file).
        Without them the configuration of Dask counts.
    memory : int or str, optional
        What one worker may have, in bytes or as "2GB" (kept in bytes): chunks are made smaller to fit, and one that does not fit is a loss.
    output : str or Path, optional
        Folder in which finished chunks are kept until `forget_checkpoint` is called. Nothing is kept without one.
    resume : bool
        Continue from the chunks that are kept in `output`.
    strict : bool
        Stop at the first input that cannot be read.
    progress : bool
        Show a bar on stderr if that is a terminal.

    Raises
    ------
    InputError, WorkerError
        If one makes no sense.
    """

    chunksize: int = 100_000
    maxchunks: int | None = None
    align_clusters: bool | None = None
    workers: int | None = None
    scheduler: Any = None
    tls_ca: str | Path | None = None
    tls_cert: str | Path | None = None
    tls_key: str | Path | None = None
    memory: int | str | None = None
    output: str | Path | None = None
    resume: bool = False
    strict: bool = False
    progress: bool = True

    def __post_init__(self) -> None:
        checked: dict[str, Any] = {"chunksize": whole(self.chunksize, "chunksize", least=1, error=InputError)}
        if self.workers is not None:
            checked["workers"] = whole(self.workers, "workers", least=1, error=WorkerError)
        if self.maxchunks is not None:
            checked["maxchunks"] = whole(self.maxchunks, "maxchunks", least=1, error=InputError)
        if self.output is not None:
            checked["output"] = file_name(self.output, "output")
        if isinstance(self.memory, str):
            checked["memory"] = size_of(self.memory)
        elif self.memory is not None:
            checked["memory"] = whole(self.memory, "memory", least=1, error=InputError)
        if any(name is not None for name in (self.tls_ca, self.tls_cert, self.tls_key)):
            checked |= self._secured()
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    def _secured(self) -> dict[str, Any]:
        if self.tls_ca is None or self.tls_cert is None:
            msg = "tls_ca and tls_cert are wanted both (--tls-ca, --tls-cert): what the cluster shows is compared with the first, the second is shown to it"
            raise WorkerError(msg)
        if not isinstance(self.scheduler, str):
            msg = "tls_ca, tls_cert and tls_key belong to the address of a scheduler (--scheduler): a local cluster makes its own"
            raise WorkerError(msg)
        names = {
            name: str(file_name(value, name)) for name in ("tls_ca", "tls_cert", "tls_key") if (value := getattr(self, name)) is not None
        }
        self._address_with(names)
        return names

    def _address_with(self, names: dict[str, str]) -> SchedulerAddress:
        return SchedulerAddress(self.scheduler, Tls(names["tls_ca"], names["tls_cert"], names.get("tls_key", "")))

    @property
    def address(self) -> Any:
        """The scheduler, with the certificates to use there."""
        if self.tls_ca is None:
            return self.scheduler
        return self._address_with(
            {name: str(value) for name in ("tls_ca", "tls_cert", "tls_key") if (value := getattr(self, name)) is not None}
        )

    @property
    def memory_limit(self) -> int | None:
        """Bytes that one worker may have; None for no limit."""
        return None if self.memory is None else int(self.memory)
