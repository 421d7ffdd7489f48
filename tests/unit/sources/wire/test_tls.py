"""Certificates that do not hold, protocols that are too old, and files that are renewed on disk while a run goes on."""

from __future__ import annotations

import ssl
import subprocess

import pytest
from tests.unit.sources.wire.test_fetching import Known

from arrowflow.errors import ConfigError
from arrowflow.sources.kafka.cluster import Cluster
from arrowflow.sources.kafka.columnar import ColumnarSource
from arrowflow.sources.kafka.subscription import Subscription
from arrowflow.sources.kafka.wire.connection import Connection
from arrowflow.sources.kafka.wire.settings import understood
from arrowflow.testing.conformance.sources import rows_of, source_context
from arrowflow.testing.kafka import WireBroker, WireLog, WireRecord, packed_batch
from arrowflow.types import Bounds, SourcePartition

PART = SourcePartition("kafka", "t", 0)


class TlsBroker(WireBroker):
    """A broker behind TLS; `server` may be changed, and counts for new connections."""

    def __init__(self, logs, server):
        super().__init__(logs)
        self.server = server

    def _serve(self, connection):
        try:
            guarded = self.server.wrap_socket(connection, server_side=True)
        except OSError:
            connection.close()
            guarded = None
        with self._lock:  # `hang_up` closes what is open, and the bare socket is an empty shell now
            self._open.discard(connection)
            self._open |= {guarded} - {None}
        if guarded is not None:
            super()._serve(guarded)


def openssl(*words):
    subprocess.run(["openssl", *words], check=True, capture_output=True, timeout=60)


def certificate(folder, name, *, expired=False):
    """A key and a certificate for 127.0.0.1 that signed itself; returns both files."""
    key, made = folder / f"{name}.key", folder / f"{name}.pem"
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(key))
    if not expired:
        openssl(
            "req", "-x509", "-new", "-key", str(key), "-out", str(made), "-days", "2", "-subj", f"/CN={name}",
            "-addext", "subjectAltName=IP:127.0.0.1",
        )  # fmt: skip
        return key, made
    settings = folder / f"{name}.cnf"
    (folder / f"{name}.txt").write_text("")
    (folder / f"{name}.srl").write_text("01")
    settings.write_text(
        f"[ca]\ndefault_ca = own\n[own]\ndatabase = {folder}/{name}.txt\nserial = {folder}/{name}.srl\n"
        f"new_certs_dir = {folder}\ndefault_md = sha256\npolicy = any\nx509_extensions = names\n"
        "[any]\ncommonName = supplied\n[names]\nsubjectAltName = IP:127.0.0.1\nbasicConstraints = CA:TRUE\n"
    )
    asked = folder / f"{name}.csr"
    openssl("req", "-new", "-key", str(key), "-out", str(asked), "-subj", f"/CN={name}")
    openssl(
        "ca", "-batch", "-selfsign", "-config", str(settings), "-keyfile", str(key), "-in", str(asked), "-out", str(made),
        "-notext", "-startdate", "20200101000000Z", "-enddate", "20200201000000Z",
    )  # fmt: skip
    return key, made


def serving(key, made):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made, key)
    return context


def trusting(made):
    return {"security.protocol": "SSL", "ssl.ca.location": str(made), "socket.timeout.ms": "5000"}


def log(rows=10):
    """Batches of ten records."""
    batches = (packed_batch(at, [WireRecord(b"%d" % n) for n in range(at, at + 10)]) for at in range(0, rows, 10))
    return WireLog(b"".join(batches))


def test_row_72_a_certificate_that_has_expired_is_refused(tmp_path):
    key, made = certificate(tmp_path, "old", expired=True)

    expired = pytest.raises(ConfigError, match="certificate does not hold: certificate has expired")
    with TlsBroker({("t", 0): log()}, serving(key, made)) as broker, expired:
        Connection("127.0.0.1", broker.port, understood(trusting(made)))


def test_row_72_a_broker_that_speaks_tls_1_0_only_is_refused(tmp_path):
    key, made = certificate(tmp_path, "good")
    old = serving(key, made)
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1

    refused = pytest.raises(ConfigError, match=r"TLS does not come about.*Check the credentials, certificates")
    with TlsBroker({("t", 0): log()}, old) as broker, refused:
        Connection("127.0.0.1", broker.port, understood(trusting(made)))


def test_row_72_a_certificate_renewed_on_disk_is_read_at_the_next_connection(tmp_path):
    key, made = certificate(tmp_path, "first")
    other_key, other = certificate(tmp_path, "second")
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(made.read_bytes())
    properties = trusting(trusted)
    with TlsBroker({("t", 0): log()}, serving(key, made)) as broker:
        wanted = Subscription(broker.bootstrap, ("t",), "earliest", "g", properties)
        source = ColumnarSource(Known(broker), wanted, understood(properties), source_context(), insist=True)
        first = source.read({PART: 0}, Bounds(rows=10, seconds=10))

        broker.server = serving(other_key, other)
        broker.hang_up()
        trusted.write_bytes(other.read_bytes())
        broker.logs["t", 0] = log(20)
        second = source.read({PART: 10}, Bounds(rows=10, seconds=10))
        source.close()

    assert [row.value for row in rows_of(first, PART) + rows_of(second, PART)] == [b"%d" % n for n in range(20)]


def test_row_72_files_that_are_half_renewed_are_left_alone_until_they_fit_together(tmp_path):
    key, made = certificate(tmp_path, "first")
    other_key, other = certificate(tmp_path, "second")
    mine = trusting(made) | {"ssl.certificate.location": str(made), "ssl.key.location": str(key)}
    tls = understood(mine).tls
    first = tls.context()

    made.write_bytes(other.read_bytes())
    assert tls.context() is first
    key.write_bytes(other_key.read_bytes())
    second = tls.context()

    assert second is not first
    assert tls.context() is second


def test_row_72_the_ordinary_client_begins_anew_where_its_files_were_renewed_and_only_then(tmp_path):
    _key, made = certificate(tmp_path, "first")
    properties = trusting(made)
    cluster = Cluster("kafka", Subscription("127.0.0.1:1", ("t",), "earliest", "g", properties))

    assert not cluster.renew()
    made.write_bytes(b"half a certificate")
    assert not cluster.renew()
    made.write_bytes(certificate(tmp_path, "second")[1].read_bytes())
    assert cluster.renew()
    assert not cluster.renew()
