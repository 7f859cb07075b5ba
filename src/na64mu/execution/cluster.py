"""Who may use a Dask cluster: a local one has a key of its own, of which only its processes know; for a remote one the user names certificates.

A scheduler runs whatever code a client sends. Without TLS every user of the same computer could send some to a local cluster, which listens on a port.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import Any, NamedTuple, Self

from na64mu.errors import WorkerError, one_line

__all__ = ("SchedulerAddress", "Tls", "own_security", "quiet_ports", "remote_security")

#: What makes a key and a certificate where the package cryptography is missing; they live as long as a run does.
OPENSSL = (
    "openssl",
    "req",
    "-x509",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-nodes",
    "-days",
    "30",
    "-subj",
    "/CN=na64mu",
)

#: Seconds that openssl may take.
PATIENCE = 30


class Tls(NamedTuple):
    """Files in PEM form by which a client and a cluster know each other.

    Attributes
    ----------
    ca : str
        Certificates of the authority that signed those of the cluster.
    cert : str
        Certificate of the user.
    key : str
        Its private key; empty if it is in the same file.
    """

    ca: str
    cert: str
    key: str = ""


class SchedulerAddress(str):
    """The address of a scheduler, with the certificates to use there."""

    __slots__ = ("tls",)

    tls: Tls

    def __new__(cls, address: str, tls: Tls) -> Self:
        """Make the address one of TLS.

        Raises
        ------
        WorkerError
            If it is one of another protocol, or a certificate cannot be read.
        """
        protocol, _, rest = address.rpartition("://")
        if protocol not in ("", "tls"):
            msg = f"--scheduler {address}: --tls-ca, --tls-cert and --tls-key are for an address tls://HOST:PORT; leave them out, or start the scheduler with TLS"
            raise WorkerError(msg)
        for path in tls:
            if path and not Path(path).is_file():
                msg = f"{path}: no such file; a certificate or key in PEM form is wanted"
                raise WorkerError(msg)
        made = super().__new__(cls, f"tls://{rest}")
        made.tls = tls
        return made


def remote_security(address: str) -> Any:
    """What a client shows to a remote scheduler.

    Parameters
    ----------
    address : str or SchedulerAddress

    Returns
    -------
    distributed.Security or None
        None without certificates of the user: then the configuration of Dask counts (distributed.comm.tls, or its variables of the environment).
    """
    from distributed.security import Security

    if not isinstance(address, SchedulerAddress):
        return None
    ca, cert, key = address.tls
    return Security(require_encryption=True, tls_ca_file=ca, tls_client_cert=cert, tls_client_key=key or cert)


def own_security() -> Any:
    """A new key and certificate for a local cluster, in the memory of its processes only.

    Returns
    -------
    distributed.Security

    Raises
    ------
    WorkerError
        If there is nothing that can make them.
    """
    from distributed.security import Security

    try:
        return Security.temporary()
    except ImportError:  # cryptography
        pass
    key, cert = _made_by_openssl()
    roles = {f"tls_{role}_{what}": text for role in ("client", "scheduler", "worker") for what, text in (("key", key), ("cert", cert))}
    return Security(require_encryption=True, tls_ca_file=cert, **roles)


def quiet_ports() -> dict[str, Any]:
    """Settings of Dask with which a local cluster has no pages or commands over HTTP, which have no key."""
    return {"distributed.scheduler.http.routes": [], "distributed.worker.http.routes": []}


def _made_by_openssl() -> tuple[str, str]:
    """Key and certificate as texts; the files are in a private folder, and removed."""
    with tempfile.TemporaryDirectory() as folder:
        key, cert = Path(folder, "key.pem"), Path(folder, "cert.pem")
        try:
            subprocess.run([*OPENSSL, "-keyout", key, "-out", cert], check=True, capture_output=True, timeout=PATIENCE)
            return key.read_text(encoding="ascii"), cert.read_text(encoding="ascii")
        except (OSError, subprocess.SubprocessError, ValueError) as error:
            msg = (
                "a local Dask cluster needs a key, so that no other user of this computer can use it, and nothing here can make one "
                f'({one_line(type(error).__name__)}): install cryptography with `pip install "na64mu[dask]"`, or use --executor futures'
            )
            raise WorkerError(msg) from error
