"""Settings of a connection to Kafka, the same for every client of ours; names only, it connects to nothing."""

from __future__ import annotations

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

SECRET = frozenset(
    {"sasl.password", "sasl.oauthbearer.client.secret", "ssl.key.password", "ssl.key.pem", "ssl.keystore.password"}
)
"""Settings whose values are never echoed."""

OURS = "arrowflow decides it: offsets and exactly-once depend on it"
CODE = "it loads code or runs a command"
UNVERIFIED = "hosts are always verified"
REFUSED: Mapping[str, str] = {
    "bootstrap.servers": 'write it as brokers = "host:port,host:port"',
    "debug": "it writes payloads and credentials to the log",
    "enable.ssl.certificate.verification": UNVERIFIED,
    "metadata.broker.list": 'write it as brokers = "host:port,host:port"',
    "plugin.library.paths": CODE,
    "sasl.kerberos.kinit.cmd": CODE,
    "ssl.endpoint.identification.algorithm": UNVERIFIED,
    "ssl.engine.id": CODE,
    "ssl.engine.location": CODE,
    "ssl.providers": CODE,
}
"""Settings people do ask for, each with the reason it is not passed on to any client."""


def masked(properties: Mapping[str, str]) -> dict[str, str]:
    """Return the properties with the value of each secret replaced by ``***``."""
    return {key: "***" if key in SECRET else value for key, value in properties.items()}
