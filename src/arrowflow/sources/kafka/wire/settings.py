"""What librdkafka's settings mean to columnar fetch. A key it does not fully understand is a reason to leave it alone."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from arrowflow.sources.kafka.wire.faults import NotUnderstood
from arrowflow.sources.kafka.wire.tls import Tls

MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER")
_LEAST = 64 * 1024
_FAMILIES = {"any": socket.AF_UNSPEC, "v4": socket.AF_INET, "v6": socket.AF_INET6}

_NUMBERS: Mapping[str, tuple[int, int, int]] = {
    "fetch.max.bytes": (52_428_800, 0, 2_147_483_135),
    "fetch.min.bytes": (1, 1, 100_000_000),
    "fetch.wait.max.ms": (500, 0, 300_000),
    "max.partition.fetch.bytes": (0, 1, 1_000_000_000),
    "receive.message.max.bytes": (100_000_000, 1000, 2_147_483_647),
    "reconnect.backoff.max.ms": (10_000, 0, 3_600_000),
    "reconnect.backoff.ms": (100, 0, 3_600_000),
    "socket.connection.setup.timeout.ms": (30_000, 1000, 2_147_483_647),
    "socket.receive.buffer.bytes": (0, 0, 100_000_000),
    "socket.send.buffer.bytes": (0, 0, 100_000_000),
    "socket.timeout.ms": (60_000, 10, 300_000),
}
"""Numbers by name: what holds where none is given, the smallest and the largest."""

_WORDS = frozenset(
    {
        "broker.address.family",
        "client.id",
        "sasl.mechanism",
        "sasl.mechanisms",
        "sasl.oauthbearer.client.id",
        "sasl.oauthbearer.client.secret",
        "sasl.oauthbearer.extensions",
        "sasl.oauthbearer.method",
        "sasl.oauthbearer.scope",
        "sasl.oauthbearer.token.endpoint.url",
        "sasl.password",
        "sasl.username",
        "security.protocol",
        "socket.keepalive.enable",
        "socket.nagle.disable",
        "ssl.ca.location",
        "ssl.ca.pem",
        "ssl.certificate.location",
        "ssl.cipher.suites",
        "ssl.crl.location",
        "ssl.key.location",
        "ssl.key.password",
    }
)
_ELSEWHERE = frozenset(
    {
        "broker.address.ttl",
        "fetch.error.backoff.ms",
        "fetch.queue.backoff.ms",
        "metadata.max.age.ms",
        "queued.max.messages.kbytes",
        "queued.min.messages",
        "retry.backoff.max.ms",
        "retry.backoff.ms",
        "topic.metadata.refresh.interval.ms",
    }
)
"""Settings of the ordinary client's own threads and queue: here is none, so nothing is lost by them."""

UNDERSTOOD = _NUMBERS.keys() | _WORDS | _ELSEWHERE | {"fetch.message.max.bytes"}


@dataclass(frozen=True, slots=True, repr=False)
class SignOn:
    """How to say who we are; secrets inside, so it has no text of its own."""

    mechanism: str
    user: str = ""
    password: str = ""
    token_url: str = ""
    scope: str = ""
    extensions: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Settings:
    """The meaning of a source's properties.

    Parameters
    ----------
    tls : Tls, optional
        Verifies certificates and host names, always.
    sign_on : SignOn, optional
        SASL.
    client_id : str
        Name given to the brokers.
    numbers : mapping of str to int
        Every number of `_NUMBERS`.
    family : int
        Address family of connections.
    keepalive, nodelay : bool
        Options of the socket.
    """

    tls: Tls | None
    sign_on: SignOn | None
    client_id: str
    numbers: Mapping[str, int]
    family: int
    keepalive: bool
    nodelay: bool


def understood(properties: Mapping[str, str]) -> Settings:
    """Return what the properties mean; raises `NotUnderstood` naming the first that is beyond columnar fetch."""
    for key in sorted(properties.keys() - UNDERSTOOD):
        raise NotUnderstood(f"{key!r} is a setting of the ordinary client only")
    numbers = {key: _number(properties, key) for key in _NUMBERS}
    if "fetch.message.max.bytes" in properties:  # the older name of the same setting
        numbers["max.partition.fetch.bytes"] = _whole("fetch.message.max.bytes", properties["fetch.message.max.bytes"])
    least = numbers["fetch.max.bytes"] if "fetch.max.bytes" in properties else _LEAST
    if numbers["receive.message.max.bytes"] < least + 512:
        raise NotUnderstood(f"'receive.message.max.bytes' leaves no room for the {least} bytes that are asked for")
    family = _FAMILIES.get(properties.get("broker.address.family", "any"))
    if family is None:
        raise NotUnderstood("'broker.address.family' is not any, v4 or v6")
    protocol = properties.get("security.protocol", "plaintext").lower()
    if protocol not in ("plaintext", "ssl", "sasl_plaintext", "sasl_ssl"):
        raise NotUnderstood("'security.protocol' is none of plaintext, ssl, sasl_plaintext, sasl_ssl")
    return Settings(
        tls=Tls(properties) if protocol.endswith("ssl") else None,
        sign_on=_sign_on(properties) if protocol.startswith("sasl") else None,
        client_id=properties.get("client.id", "rdkafka"),
        numbers=numbers,
        family=family,
        keepalive=_flag(properties, "socket.keepalive.enable", default=False),
        nodelay=_flag(properties, "socket.nagle.disable", default=True),
    )


def _number(properties: Mapping[str, str], key: str) -> int:
    default, low, high = _NUMBERS[key]
    if key not in properties:
        return default
    value = _whole(key, properties[key])
    if not low <= value <= high:
        raise NotUnderstood(f"{key!r} is not between {low} and {high}")
    return value


def _whole(key: str, value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) < 12):
        raise NotUnderstood(f"{key!r} is not a whole number")
    return int(value)


def _flag(properties: Mapping[str, str], key: str, *, default: bool) -> bool:
    value = properties.get(key, str(default)).lower()
    if value not in ("true", "false"):
        raise NotUnderstood(f"{key!r} is neither true nor false")
    return value == "true"


def _sign_on(properties: Mapping[str, str]) -> SignOn:
    mechanism = properties.get("sasl.mechanism", properties.get("sasl.mechanisms", "GSSAPI")).upper()
    if mechanism not in MECHANISMS:
        raise NotUnderstood(f"SASL mechanism {mechanism[:40]!r} is none of {', '.join(MECHANISMS)}")
    if mechanism == "OAUTHBEARER":
        return _token_settings(properties)
    user, password = properties.get("sasl.username", ""), properties.get("sasl.password", "")
    if not user or not password:
        raise NotUnderstood(f"{mechanism} needs 'sasl.username' and 'sasl.password'")
    if mechanism != "PLAIN" and not (user.isascii() and password.isascii()):
        raise NotUnderstood("SCRAM with a name or password that is not ASCII needs their normal form")
    return SignOn(mechanism, user, password)


def _token_settings(properties: Mapping[str, str]) -> SignOn:
    prefix = "sasl.oauthbearer."
    if properties.get(prefix + "method", "default").lower() != "oidc":
        raise NotUnderstood("OAUTHBEARER without 'sasl.oauthbearer.method' = \"oidc\" has no token")
    url = properties.get(prefix + "token.endpoint.url", "")
    where = urlsplit(url)
    if where.scheme != "https" and not (where.scheme == "http" and where.hostname in ("127.0.0.1", "::1", "localhost")):
        raise NotUnderstood("'sasl.oauthbearer.token.endpoint.url' is no https address")
    return SignOn(
        "OAUTHBEARER",
        properties.get(prefix + "client.id", ""),
        properties.get(prefix + "client.secret", ""),
        url,
        properties.get(prefix + "scope", ""),
        properties.get(prefix + "extensions", ""),
    )
