"""Who may use a cluster: a local one has a key of its own; for a remote one certificates are named."""

from __future__ import annotations

import builtins
import logging
import re
import socket
import ssl
import tempfile
import urllib.error
import urllib.request
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner

from na64mu.cli import main
from na64mu.errors import WorkerError
from na64mu.execution import cluster
from na64mu.execution.cluster import SchedulerAddress, Tls, own_security, remote_security
from na64mu.execution.executors import _client_of, _quiet_end, _restored, open_executor
from na64mu.execution.options import RunOptions

distributed = pytest.importorskip("distributed")


def keys(security):
    return [security.get_tls_config_for_role(role) for role in ("client", "scheduler", "worker")]


@pytest.fixture(scope="module")
def pem(tmp_path_factory):
    """A certificate and its key as files, as a user has them."""
    folder, made = tmp_path_factory.mktemp("pem"), own_security()
    (folder / "cert.pem").write_text(made.tls_client_cert)
    (folder / "key.pem").write_text(made.tls_client_key)
    return made, folder / "cert.pem", folder / "key.pem"


def stranger(security):
    """A client of TLS that asks for no certificate of the other side, and shows that of another cluster, or none."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if security is not None:
        with tempfile.TemporaryDirectory() as folder:
            pair = Path(folder, "pair.pem")
            pair.write_text(security.tls_client_key + security.tls_client_cert)
            context.load_cert_chain(pair)
    return context


def test_a_local_cluster_refuses_who_has_not_its_key():
    # bare sockets: a client of distributed has a thread that must start within 10 s, which a busy machine may not manage
    with open_executor("dask", 1, None) as executor:
        address = executor.client.scheduler.address
        assert executor.client.submit(int, 3).result() == 3
        assert address.startswith("tls://")
        host, _, port = address.removeprefix("tls://").rpartition(":")
        for security in (None, own_security()):
            with (
                pytest.raises((ssl.SSLError, ConnectionError)),
                socket.create_connection((host, int(port))) as plain,
                stranger(security).wrap_socket(plain) as wrapped,
            ):
                wrapped.recv(1)
        with socket.create_connection((host, int(port))) as plain:
            plain.sendall(b"x" * 4096)
            with suppress(ConnectionError):
                assert plain.recv(1) in (b"", b"\x15")  # closed, or the alert of TLS
        me = psutil.Process()
        ports = {
            c.laddr.port for p in (me, *me.children(recursive=True)) for c in p.net_connections("tcp") if c.status == psutil.CONN_LISTEN
        }
        assert int(address.rpartition(":")[2]) in ports
        for port in ports:
            with pytest.raises((urllib.error.URLError, OSError)):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/get_workers", timeout=2)


def test_a_client_that_does_not_start_is_tried_again(monkeypatch):
    started = []

    def late(cluster):
        started.append(cluster)
        if len(started) == 1:
            raise AssertionError
        return "client"

    monkeypatch.setattr(distributed, "Client", late)
    assert _client_of("cluster") == "client"
    assert started == ["cluster", "cluster"]

    def never(cluster):
        raise TimeoutError

    monkeypatch.setattr(distributed, "Client", never)
    with pytest.raises(WorkerError, match=r"the client of the local Dask cluster does not start \(TimeoutError\): the machine is too busy"):
        _client_of("cluster")


@pytest.mark.parametrize(("ending", "level"), [(None, logging.INFO), (ValueError, logging.INFO), (KeyboardInterrupt, logging.CRITICAL)])
def test_distributed_says_nothing_of_work_that_a_signal_broke_off(ending, level):
    logger = logging.getLogger("na64mu.tests.theirs")
    logger.setLevel(logging.INFO)
    with suppress(ValueError, KeyboardInterrupt), ExitStack() as stack:
        stack.push(_restored(logger, logger.level))
        logger.setLevel(logging.ERROR)
        stack.push(partial(_quiet_end, logger))
        if ending is not None:
            raise ending
    assert logger.level == level


def without_cryptography(monkeypatch):
    original = builtins.__import__

    def imported(name, *args, **options):
        if name.split(".")[0] == "cryptography":
            raise ImportError(name)
        return original(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", imported)


def test_a_key_is_made_without_cryptography_too(monkeypatch):
    without_cryptography(monkeypatch)
    one, other = own_security(), own_security()
    assert one.require_encryption
    assert "PRIVATE KEY" in one.tls_worker_key
    assert keys(one) != keys(other)


def test_where_nothing_can_make_a_key(monkeypatch):
    without_cryptography(monkeypatch)
    monkeypatch.setattr(cluster, "OPENSSL", ("no-such-program",))
    with pytest.raises(
        WorkerError, match=r"no other user of this computer can use it, and nothing here can make one .*: install cryptography"
    ):
        own_security()


def test_a_remote_scheduler_is_shown_the_certificates(pem):
    made, cert, key = pem
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, security=made, dashboard_address="localhost:0"
    ) as remote:
        bare = remote.scheduler_address.removeprefix("tls://")
        options = RunOptions(scheduler=bare, tls_ca=cert, tls_cert=str(cert), tls_key=key)
        assert options.address == remote.scheduler_address
        client = distributed.Client(str(options.address), security=remote_security(options.address), timeout=5)
        assert client.submit(int, 3).result() == 3
        client.close()
        with (
            pytest.raises(WorkerError, match=r"no Dask scheduler answers at 'tls://.*and the certificates if it is one with TLS"),
            open_executor("dask", 1, remote.scheduler_address),
        ):
            pass


def test_without_options_the_configuration_of_dask_counts():
    assert remote_security("tls://host:1") is None
    assert RunOptions(scheduler="tls://host:1").address == "tls://host:1"


def test_certificates_that_cannot_be_used(pem, tmp_path):
    _, cert, key = pem
    with pytest.raises(
        WorkerError, match=r"--scheduler tcp://host:1: --tls-ca, --tls-cert and --tls-key are for an address tls://HOST:PORT"
    ):
        SchedulerAddress("tcp://host:1", Tls(str(cert), str(cert)))
    with pytest.raises(WorkerError, match=r"no\.pem: no such file; a certificate or key in PEM form is wanted"):
        RunOptions(scheduler="host:1", tls_ca=tmp_path / "no.pem", tls_cert=cert)
    with pytest.raises(WorkerError, match="tls_ca and tls_cert are wanted both"):
        RunOptions(scheduler="host:1", tls_key=key)
    with pytest.raises(WorkerError, match=re.escape("belong to the address of a scheduler (--scheduler)")):
        RunOptions(tls_ca=cert, tls_cert=cert)
    ran = CliRunner().invoke(main, ["run", "a.root", "--tls-ca", str(cert)])
    assert ran.exit_code == 2
    assert "--tls-ca, --tls-cert and --tls-key need --scheduler: a local cluster makes its own key" in ran.output
