"""Who may use a cluster: a local one has a key of its own; for a remote one certificates are named."""

from __future__ import annotations

import builtins
import re
import urllib.error
import urllib.request

import psutil
import pytest
from click.testing import CliRunner

from na64mu.cli import main
from na64mu.errors import WorkerError
from na64mu.execution import cluster
from na64mu.execution.cluster import SchedulerAddress, Tls, own_security, remote_security
from na64mu.execution.executors import open_executor
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


def test_a_local_cluster_refuses_who_has_not_its_key():
    with open_executor("dask", 1, None) as executor:
        address = executor.client.scheduler.address
        assert executor.client.submit(int, 3).result() == 3
        assert address.startswith("tls://")
        others = (None, own_security())
        for security in others:
            with pytest.raises((OSError, TypeError)), distributed.Client(address, security=security, timeout=2):
                pass
        with pytest.raises(OSError, match=r"."), distributed.Client(address.replace("tls", "tcp"), timeout=2):
            pass
        me = psutil.Process()
        ports = {
            c.laddr.port for p in (me, *me.children(recursive=True)) for c in p.net_connections("tcp") if c.status == psutil.CONN_LISTEN
        }
        assert int(address.rpartition(":")[2]) in ports
        for port in ports:
            with pytest.raises((urllib.error.URLError, OSError)):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/get_workers", timeout=2)


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
