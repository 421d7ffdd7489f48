"""What is said to sign on, and which properties columnar fetch claims to understand."""

import base64
import contextlib
import hashlib
import hmac
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from tests.unit.sources.wire.test_fetching import Known

from arrowflow.errors import ConfigError, Unreachable
from arrowflow.sources.kafka.columnar import columnar
from arrowflow.sources.kafka.properties import ALLOWED
from arrowflow.sources.kafka.subscription import Subscription
from arrowflow.sources.kafka.wire import signing
from arrowflow.sources.kafka.wire.connection import Connection
from arrowflow.sources.kafka.wire.faults import NotUnderstood
from arrowflow.sources.kafka.wire.scram import FEWEST, MOST, Scram
from arrowflow.sources.kafka.wire.settings import UNDERSTOOD, SignOn, understood
from arrowflow.sources.kafka.wire.signing import words
from arrowflow.testing.conformance.sources import source_context
from arrowflow.testing.kafka import WireBroker, WireLog

SASL = {"security.protocol": "SASL_PLAINTEXT", "sasl.username": "alice", "sasl.password": "canary"}


def test_the_example_of_rfc_7677_is_said_word_for_word_and_its_server_believed():
    talk = Scram("sha256", "user", "pencil", "rOprNGfwEbeRWgbNEkqO").words()

    assert next(talk) == b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
    first = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    assert talk.send(first) == (
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    )
    with pytest.raises(StopIteration):
        talk.send(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")


def talked_to(first, last=b""):
    talk = Scram("sha512", "a=b,c", "canary", "nonce").words()
    assert next(talk) == b"n,,n=a=3Db=2Cc,r=nonce"
    talk.send(first)
    talk.send(last)


@pytest.mark.parametrize(
    ("first", "last", "says"),
    [
        (b"r=other,s=AAAA,i=4096", b"", "does not answer ours"),
        (b"r=nonce,s=AAAA,i=4096", b"", "does not answer ours"),
        (b"r=nonce1,s=,i=4096", b"", "does not answer ours"),
        (b"\xff\xff", b"", "does not answer ours"),
        (b"r=nonce1,s=AAAA,i=%d" % (FEWEST - 1), b"", "rounds of SCRAM"),
        (b"r=nonce1,s=AAAA,i=%d" % (MOST + 1), b"", "rounds of SCRAM"),
        (b"r=nonce1,s=AAAA,i=99999999999999", b"", "rounds of SCRAM"),
        (b"r=nonce1,s=AAAA,i=4096", b"v=AAAA", "cannot prove"),
        (b"r=nonce1,s=AAAA,i=4096", b"", "cannot prove"),
        (b"r=nonce1,s=AAAA,i=4096", b"e=unknown-user", "refused: unknown-user"),
    ],
)
def test_row_73_a_server_that_cannot_be_trusted_is_refused_and_the_password_not_told(first, last, says):
    with pytest.raises(ConfigError, match=says) as caught:
        talked_to(first, last)
    assert "canary" not in str(caught.value)


def test_row_73_over_the_wire_a_server_without_the_password_is_refused():
    def server(word, number):
        if number == 1:
            return 0, b"r=" + word.split(b"r=")[1] + b"x,s=" + base64.b64encode(b"salt") + b",i=4096"
        return 0, b"v=" + base64.b64encode(hmac.digest(b"guess", b"", hashlib.sha256))

    with WireBroker({("t", 0): WireLog()}) as broker:
        broker.sign_on = server
        with pytest.raises(ConfigError, match="cannot prove that it knows the password"):
            Connection("127.0.0.1", broker.port, understood({**SASL, "sasl.mechanism": "SCRAM-SHA-256"}))


def test_every_setting_that_may_be_passed_is_understood_or_a_reason_for_the_ordinary_client():
    assert UNDERSTOOD <= ALLOWED
    for key in ALLOWED - UNDERSTOOD:
        with pytest.raises(NotUnderstood, match=key):
            understood({key: "1"})


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        ({"client.rack": "a"}, "'client.rack' is a setting of the ordinary client only"),
        ({**SASL, "sasl.mechanism": "GSSAPI"}, "GSSAPI"),
        ({**SASL}, "GSSAPI"),
        ({**SASL, "sasl.mechanism": "SCRAM-SHA-256", "sasl.username": "ñ"}, "ASCII"),
        ({**SASL, "sasl.mechanism": "OAUTHBEARER"}, "oidc"),
        (
            {**SASL, "sasl.mechanism": "OAUTHBEARER", "sasl.oauthbearer.method": "oidc",
             "sasl.oauthbearer.token.endpoint.url": "http://tokens.example/x"},
            "no https address",
        ),
        ({"security.protocol": "SSL", "ssl.ca.location": "/nowhere/ca.pem"}, "TLS files"),
        ({"fetch.wait.max.ms": "soon"}, "'fetch.wait.max.ms' is not a whole number"),
        ({"fetch.wait.max.ms": "900000"}, "'fetch.wait.max.ms' is not between"),
        ({"security.protocol": "carrier pigeon"}, "security.protocol"),
        ({"socket.nagle.disable": "perhaps"}, "neither true nor false"),
        ({"broker.address.family": "v5"}, "any, v4 or v6"),
    ],
)  # fmt: skip
def test_what_is_not_understood_falls_back_with_one_line_that_says_why(properties, reason):
    with WireBroker({("t", 0): WireLog()}) as broker:
        truth, context = Known(broker), source_context()
        wanted = Subscription(broker.bootstrap, ("t",), "earliest", "g", properties)

        assert columnar(truth, wanted, context, insist=False) is truth
        (notice,) = context.observer.events
        assert reason in notice.message
        assert "canary" not in notice.message
        with pytest.raises(ConfigError, match='fetch: "columnar" is not possible'):
            columnar(truth, wanted, context, insist=True)


class _Endpoint(BaseHTTPRequestHandler):
    """Answers every token request with what the server was given, and keeps what it was asked."""

    def do_POST(self):
        status, body = self.server.reply
        self.server.asked.append(
            (self.path, self.headers["Authorization"], self.rfile.read(int(self.headers["Content-Length"])))
        )
        self.send_response(status)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.do_POST()

    def log_message(self, *_):
        pass


@pytest.fixture
def endpoint():
    """A token endpoint on loopback."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Endpoint)
    server.asked = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def bearer(endpoint):
    url = f"http://127.0.0.1:{endpoint.server_port}/token"
    return SignOn("OAUTHBEARER", "alice", "canary", url, "read", "logicalCluster=lkc,identityPoolId=pool")


def test_a_token_is_asked_for_by_client_credentials_and_said_with_its_extensions(endpoint):
    endpoint.reply = (200, b'{"access_token": "abc.def.", "token_type": "Bearer"}')

    said = next(words(bearer(endpoint)))

    assert said == b"n,,\x01auth=Bearer abc.def.\x01logicalCluster=lkc\x01identityPoolId=pool\x01\x01"
    login = "Basic " + base64.b64encode(b"alice:canary").decode()
    assert endpoint.asked == [("/token", login, b"grant_type=client_credentials&scope=read")]


@pytest.mark.parametrize(
    ("reply", "kind", "says"),
    [
        ((500, b"oops"), Unreachable, "answers with status 500"),
        ((302, b""), Unreachable, "answers with status 302"),
        ((401, b"no"), ConfigError, "refuses with status 401"),
        ((200, b"<html>sign in</html>"), Unreachable, "no access_token"),
        ((200, b"[]"), Unreachable, "no access_token"),
        ((200, b"[" * 60_000), Unreachable, "no access_token"),
        ((200, b'{"access_token": 7}'), Unreachable, "no access_token"),
        ((200, b'{"access_token": "a\\u0001b"}'), Unreachable, "no access_token"),
        ((200, b'{"access_token": "' + b"x" * 70_000 + b'"}'), Unreachable, "no access_token"),
    ],
)
def test_row_73_a_token_endpoint_that_fails_is_told_by_its_address_without_the_secret(endpoint, reply, kind, says):
    endpoint.reply = reply

    with pytest.raises(kind, match=says) as caught:
        next(words(bearer(endpoint)))

    assert f"http://127.0.0.1:{endpoint.server_port}/token" in str(caught.value)
    assert "canary" not in str(caught.value)
    assert len(endpoint.asked) == 1


@pytest.mark.parametrize(
    "said", [b"SSH-2.0-OpenSSH_9.2\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nshort", b""]
)
def test_row_73_an_endpoint_that_speaks_something_else_or_breaks_off_is_unreachable(said):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(said)

        thread = threading.Thread(target=answer)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/token"
        with pytest.raises(Unreachable, match=r"the token endpoint http://127.0.0.1:\d+/token") as caught:
            next(words(SignOn("OAUTHBEARER", "alice", "canary", url, "", "")))
        thread.join(30)

    assert "canary" not in str(caught.value)


def test_row_73_an_endpoint_that_answers_in_drops_is_given_up_in_time(monkeypatch):
    """Each drop comes sooner than a connection is given up, so only the whole answer can be late."""
    monkeypatch.setattr(signing, "_PATIENCE_S", 0.5)
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip():
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n")
                while not ended.wait(0.02):
                    connection.sendall(b" ")

        thread = threading.Thread(target=drip)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/token"
        with pytest.raises(Unreachable, match="not all of the answer came within"):
            next(words(SignOn("OAUTHBEARER", "alice", "canary", url, "", "")))
        ended.set()
        thread.join(30)


def test_row_73_a_token_that_the_broker_refuses_ends_the_exchange_with_its_reason(endpoint):
    endpoint.reply = (200, b'{"access_token": "abc"}')
    talk = words(bearer(endpoint))
    next(talk)

    assert talk.send(b'{"status":"invalid_token"}') == b"\x01"
    with pytest.raises(ConfigError, match="invalid_token"):
        talk.send(b"")
