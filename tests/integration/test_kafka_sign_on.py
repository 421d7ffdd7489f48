"""Every way to sign on that columnar fetch speaks, against a broker with short sessions and a short patience for idle connections."""

import base64
import json
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialDeletion,
    UserScramCredentialUpsertion,
)
from tests.realparts.kafka_broker import Row
from tests.realparts.secure_broker import MECHANISMS, SecureBroker
from tests.support.both_ways import read_all

from arrowflow.errors import ConfigError, RetryableError
from arrowflow.sources.kafka.columnar import ColumnarSource
from arrowflow.sources.kafka.spec import KafkaSpec
from arrowflow.sources.kafka.wire.connection import Connection
from arrowflow.sources.kafka.wire.settings import understood
from arrowflow.testing.conformance.sources import rows_of, source_context
from arrowflow.types import Bounds, SourcePartition

pytestmark = pytest.mark.kafka
ROWS = [Row(0, b"k", b"%d" % number, 1_700_000_000_000) for number in range(500)]


@pytest.fixture(scope="module")
def secure(kafka):
    """A broker of its own: sessions end after five seconds, idle connections after two; rights can be taken away."""
    broker = SecureBroker(
        {
            "connections.max.reauth.ms": "5000",
            "connections.max.idle.ms": "2000",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
            "allow.everyone.if.no.acl.found": "true",
        }
    )
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
    """A token endpoint on loopback; it gives unsigned tokens, which this broker takes, and can be told how long they live."""

    class Tokens(str):
        __slots__ = ("given", "life_s")

    class Endpoint(BaseHTTPRequestHandler):
        def do_POST(self):
            address.given += 1
            good = self.headers["Authorization"] == "Basic " + base64.b64encode(b"alice:alice-secret").decode()
            now = int(time.time())
            parts = [{"alg": "none"}, {"sub": "alice", "iat": now, "exp": now + address.life_s}]
            words = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
            reply = json.dumps({"access_token": ".".join(words) + ".", "expires_in": address.life_s}).encode()
            self.send_response(200 if good else 401)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    address = Tokens(f"http://127.0.0.1:{server.server_port}/token")
    address.given, address.life_s = 0, 3600
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield address
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


def read_until(source, part, at, wanted, patience=60.0):
    """Read on, over errors that may pass, until there are so many records or an error that may not; returns them."""
    found, deadline = [], time.monotonic() + patience
    while len(found) < wanted:
        assert time.monotonic() < deadline, f"{len(found)} of {wanted} records"
        try:
            fetched = source.read({part: at}, Bounds(seconds=0.5))
        except RetryableError:
            continue
        found += [row.value for row in rows_of(fetched, part)]
        at = fetched.ranges[part].stop
    return found


@pytest.mark.slow
def test_row_73_tokens_of_a_few_seconds_are_renewed_while_records_flow(secure, tokens):
    name = secure.create_topic(f"t-{uuid.uuid4()}")
    tokens.given, tokens.life_s, first = 0, 4, 0
    properties = login("SASL_PLAINTEXT", "OAUTHBEARER", secure, tokens)
    spec = KafkaSpec(secure.at["SASL_PLAINTEXT"], (name,), fetch="columnar", properties=properties)
    source = spec.build("kafka", source_context("job"))
    part, found = SourcePartition("kafka", name, 0), []
    deadline = time.monotonic() + 60
    try:
        # At first some connections are made, each with a token of its own; those that take their place are counted.
        while len(found) < 5 or tokens.given < first + 2:
            assert time.monotonic() < deadline, tokens.given
            secure.produce(name, [Row(0, None, b"%d" % len(found), 1)])
            found += read_until(source, part, len(found), 1)
            first = tokens.given if len(found) == 1 else first
            time.sleep(0.1)
    finally:
        tokens.life_s = 3600
        source.close()

    assert found == [b"%d" % number for number in range(len(found))]


def test_row_73_a_token_of_a_clock_that_is_hours_behind_stops_with_the_brokers_reason(secure, tokens):
    tokens.life_s = -7200
    settings = understood(login("SASL_PLAINTEXT", "OAUTHBEARER", secure, tokens))
    host, port = secure.at["SASL_PLAINTEXT"].split(":")
    try:
        with pytest.raises(ConfigError, match="invalid_token") as caught:
            Connection(host, int(port), settings)
    finally:
        tokens.life_s = 3600

    assert "alice-secret" not in str(caught.value)


@pytest.fixture(params=["columnar", "client"])
def reading(request, secure):
    """A source that has read a topic's one record, signed on as a user of its own."""
    name, user = secure.create_topic(f"t-{uuid.uuid4()}"), f"user-{uuid.uuid4()}"
    admin = secure.admin()
    login = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096)
    admin.alter_user_scram_credentials([UserScramCredentialUpsertion(user, login, b"canary")])[user].result(30)
    secure.produce(name, [Row(0, None, b"0", 1)])
    properties = {
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "SCRAM-SHA-256",
        "sasl.username": user,
        "sasl.password": "canary",
    }
    spec = KafkaSpec(secure.at["SASL_PLAINTEXT"], (name,), fetch=request.param, properties=properties)
    source = spec.build("kafka", source_context("job"))
    part = SourcePartition("kafka", name, 0)
    assert read_until(source, part, 0, 1) == [b"0"]
    yield source, part, user, admin
    source.close()


def test_row_74_a_right_that_is_taken_away_stops_the_read_with_topic_and_operation(secure, reading):
    source, part, user, admin = reading
    place = (ResourceType.TOPIC, part.topic, ResourcePatternType.LITERAL, f"User:{user}", "*")
    denied = AclBinding(*place, AclOperation.READ, AclPermissionType.DENY)
    admin.create_acls([denied])[denied].result(30)
    secure.produce(part.topic, [Row(0, None, b"%d" % number, 1) for number in range(1, 4)])

    with pytest.raises(ConfigError, match=r"TOPIC_AUTHORIZATION_FAILED|Topic authorization failed") as caught:
        read_until(source, part, 1, 1000)

    assert f"{part}: offset " in str(caught.value)
    assert "canary" not in str(caught.value)
    if isinstance(source, ColumnarSource):
        assert "the operation READ" in str(caught.value)


def test_row_73_a_user_who_is_removed_while_reading_is_told_once_the_session_has_ended(secure, reading):
    source, part, user, admin = reading
    gone = UserScramCredentialDeletion(user, ScramMechanism.SCRAM_SHA_256)
    admin.alter_user_scram_credentials([gone])[user].result(30)

    with pytest.raises(ConfigError, match=r"(?i)authentication") as caught:
        read_until(source, part, 1, 1)

    assert "127.0.0.1" in str(caught.value)
    assert "canary" not in str(caught.value)
