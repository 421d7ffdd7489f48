"""Which librdkafka settings a pipeline may pass through, and why the others are refused; connects to nothing."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

CONNECTION = frozenset(
    {
        "broker.address.family",
        "broker.address.ttl",
        "client.dns.lookup",
        "client.id",
        "connections.max.idle.ms",
        "metadata.max.age.ms",
        "metadata.recovery.strategy",
        "receive.message.max.bytes",
        "reconnect.backoff.max.ms",
        "reconnect.backoff.ms",
        "retry.backoff.max.ms",
        "retry.backoff.ms",
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
        "socket.connection.setup.timeout.ms",
        "socket.keepalive.enable",
        "socket.nagle.disable",
        "socket.receive.buffer.bytes",
        "socket.send.buffer.bytes",
        "socket.timeout.ms",
        "ssl.ca.location",
        "ssl.ca.pem",
        "ssl.certificate.location",
        "ssl.certificate.pem",
        "ssl.cipher.suites",
        "ssl.crl.location",
        "ssl.curves.list",
        "ssl.key.location",
        "ssl.key.password",
        "ssl.key.pem",
        "ssl.keystore.location",
        "ssl.keystore.password",
        "ssl.sigalgs.list",
        "topic.metadata.refresh.interval.ms",
    }
)
"""Settings of a connection: they go to every client we make."""

CONSUMER = frozenset(
    {
        "client.rack",
        "fetch.error.backoff.ms",
        "fetch.max.bytes",
        "fetch.message.max.bytes",
        "fetch.min.bytes",
        "fetch.queue.backoff.ms",
        "fetch.wait.max.ms",
        "max.partition.fetch.bytes",
        "queued.max.messages.kbytes",
        "queued.min.messages",
    }
)
"""Settings of fetching: an administrator's client would only warn about them."""

ALLOWED = CONNECTION | CONSUMER
SECRET = frozenset(
    {"sasl.password", "sasl.oauthbearer.client.secret", "ssl.key.password", "ssl.key.pem", "ssl.keystore.password"}
)
"""Settings whose values are never echoed."""

_OURS = "arrowflow decides it: offsets and exactly-once depend on it"
_CODE = "it loads code or runs a command"
_UNVERIFIED = "hosts are always verified"
REFUSED: Mapping[str, str] = {
    "allow.auto.create.topics": _OURS,
    "auto.commit.interval.ms": _OURS,
    "auto.offset.reset": _OURS,
    "bootstrap.servers": 'write it as brokers = "host:port,host:port"',
    "check.crcs": _OURS,
    "debug": "it writes payloads and credentials to the log",
    "enable.auto.commit": _OURS,
    "enable.auto.offset.store": _OURS,
    "enable.partition.eof": _OURS,
    "enable.ssl.certificate.verification": _UNVERIFIED,
    "group.id": 'write it as group = "name"',
    "group.instance.id": "no consumer joins a group",
    "isolation.level": _OURS,
    "metadata.broker.list": 'write it as brokers = "host:port,host:port"',
    "plugin.library.paths": _CODE,
    "sasl.kerberos.kinit.cmd": _CODE,
    "ssl.endpoint.identification.algorithm": _UNVERIFIED,
    "ssl.engine.id": _CODE,
    "ssl.engine.location": _CODE,
    "ssl.providers": _CODE,
}
"""Settings people do ask for, each with the reason it is not passed on."""


def problems(properties: Mapping[str, str]) -> dict[str, str]:
    """Return a sentence per refused key, for messages that show all errors at once; values are never in it."""
    return {key: _problem(key) for key in properties if key not in ALLOWED}


def _problem(key: str) -> str:
    if key in REFUSED:
        return f"{key!r} cannot be set: {REFUSED[key]}"
    near = difflib.get_close_matches(key.lower().replace("_", "."), ALLOWED | REFUSED.keys(), 1, 0.6)
    hint = f"; did you mean {near[0]!r}?" if near else "; docs/kafka.md lists the settings that may be passed"
    return f"{key!r} is not a setting arrowflow passes to librdkafka{hint}"


def masked(properties: Mapping[str, str]) -> dict[str, str]:
    """Return the properties with the value of each secret replaced by ``***``."""
    return {key: "***" if key in SECRET else value for key, value in properties.items()}
