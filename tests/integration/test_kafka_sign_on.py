"""Every way to sign on that columnar fetch speaks, against a broker with short sessions and a short patience for idle connections."""

import base64
import json
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from tests.realparts.kafka_broker import Row
from tests.realparts.secure_broker import MECHANISMS, SecureBroker
from tests.support.both_ways import read_all

from arrowflow.errors import ConfigError, RetryableError
from arrowflow.sources.kafka.spec import KafkaSpec
from arrowflow.sources.kafka.wire.connection import Connection
from arrowflow.sources.kafka.wire.settings import understood
from arrowflow.testing.conformance.sources import rows_of, source_context
from arrowflow.types import Bounds, SourcePartition

pytestmark = pytest.mark.kafka
ROWS = [Row(0, b"k", b"%d" % number, 1_700_000_000_000) for number in range(500)]


@pytest.fixture(scope="module")
def secure(kafka):
    """A broker of its own: sessions end after five seconds, idle connections after two."""
    broker = SecureBroker({"connections.max.reauth.ms": "5000", "connections.max.idle.ms": "2000"})
    try:
        broker.start()
        yield broker
    finally:
        broker.stop()
        broker.delete()


@pytest.fixture(scope="module")
def topic(secure):
    secure.create_topic("rows")
    secure.produce("rows", ROWS)
    return "rows"


@pytest.fixture(scope="module")
def tokens():
    """A token endpoint on loopback; it gives unsigned tokens, which this broker takes."""

    class Endpoint(BaseHTTPRequestHandler):
        def do_POST(self):
            good = self.headers["Authorization"] == "Basic " + base64.b64encode(b"alice:alice-secret").decode()
            now = int(time.time())
            parts = [{"alg": "none"}, {"sub": "alice", "iat": now, "exp": now + 3600}]
            words = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
            reply = json.dumps({"access_token": ".".join(words) + ".", "expires_in": 3600}).encode()
            self.send_response(200 if good else 401)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/token"
    server.shutdown()
    server.server_close()
    thread.join()


def login(protocol, mechanism, broker, tokens, secret="alice-secret"):
    found = {"security.protocol": protocol}
    if protocol.endswith("SSL"):
        found["ssl.ca.location"] = broker.authority
    if protocol.startswith("SASL"):
        found["sasl.mechanism"] = mechanism
        if mechanism == "OAUTHBEARER":
            found |= {
                "sasl.oauthbearer.method": "oidc",
                "sasl.oauthbearer.client.id": "alice",
                "sasl.oauthbearer.client.secret": secret,
                "sasl.oauthbearer.token.endpoint.url": tokens,
            }
        else:
            found |= {"sasl.username": "alice", "sasl.password": secret}
    return found


def dotted(properties):
    return {key.replace(".", "_"): value for key, value in properties.items()}


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("protocol", ["SASL_PLAINTEXT", "SASL_SSL"])
def test_every_mechanism_signs_on_and_reads(secure, topic, tokens, protocol, mechanism):
    properties = login(protocol, mechanism, secure, tokens)

    found = read_all(secure.at[protocol], topic, "columnar", **dotted(properties))

    assert [row.value for row in found.rows[0]] == [row.value for row in ROWS]


def test_tls_alone_gives_the_same_as_the_ordinary_client(secure, topic, tokens):
    properties = dotted(login("SSL", "", secure, tokens))

    columns = read_all(secure.at["SSL"], topic, "columnar", **properties)

    assert columns.rows == read_all(secure.at["SSL"], topic, "client", **properties).rows
    assert len(columns.rows[0]) == len(ROWS)


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_row_73_a_wrong_secret_is_a_config_error_that_does_not_echo_it(secure, tokens, mechanism):
    settings = understood(login("SASL_PLAINTEXT", mechanism, secure, tokens, "canary-secret"))
    host, port = secure.at["SASL_PLAINTEXT"].split(":")

    with pytest.raises(ConfigError) as caught:
        Connection(host, int(port), settings)

    assert "canary" not in str(caught.value)
    assert secure.at["SASL_PLAINTEXT"] in str(caught.value) or tokens in str(caught.value)


def test_row_72_a_certificate_of_someone_else_is_refused(secure):
    settings = understood({"security.protocol": "SSL", "ssl.ca.location": secure.other_authority})
    host, port = secure.at["SSL"].split(":")

    with pytest.raises(ConfigError, match="certificate does not hold"):
        Connection(host, int(port), settings)


def test_row_72_a_certificate_for_another_host_is_refused(secure):
    """It is good for 127.0.0.1 and localhost; 127.1 is the same machine by another name."""
    settings = understood({"security.protocol": "SSL", "ssl.ca.location": secure.authority})
    port = int(secure.at["SSL"].split(":")[1])
    Connection("localhost", port, settings).close()

    with pytest.raises(ConfigError, match="certificate does not hold"):
        Connection("127.1", port, settings)


@pytest.mark.slow
def test_sessions_and_idle_connections_that_end_lose_nothing(secure, tokens):
    """Eight seconds of records every half second, with pauses longer than the broker's patience."""
    name = secure.create_topic(f"t-{uuid.uuid4()}")
    properties = login("SASL_SSL", "SCRAM-SHA-512", secure, tokens)
    spec = KafkaSpec(secure.at["SASL_SSL"], (name,), fetch="columnar", properties=properties)
    source = spec.build("kafka", source_context("job"))
    part = SourcePartition("kafka", name, 0)
    at, found = {part: 0}, []
    for number in range(14):
        secure.produce(name, [Row(0, None, b"%d" % number, 1)])
        if number in (3, 9):
            time.sleep(3.0)  # whatever was asked for is answered, and then the broker hangs up
        deadline = time.monotonic() + 20
        while len(found) <= number:
            assert time.monotonic() < deadline
            try:
                fetched = source.read(at, Bounds(seconds=0.5))
            except RetryableError:
                continue
            found += [row.value for row in rows_of(fetched, part)]
            at = {part: fetched.ranges[part].stop}
        time.sleep(0.3)
    source.close()

    assert found == [b"%d" % number for number in range(14)]
