"""What a topic sink is, as a frozen value; it connects to nothing and does not load the client."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import pyarrow as pa

from arrowflow.connection import CONNECTION, OURS, REFUSED, masked
from arrowflow.errors import ConfigError
from arrowflow.protocols import Change, RunContext
from arrowflow.sinks.kafka.link import Connect, Link, Target
from arrowflow.sinks.kafka.outlet import Bounds, KafkaOutlet
from arrowflow.sinks.kafka.values import check_types

PRODUCER = frozenset(
    {
        "batch.num.messages",
        "batch.size",
        "compression.codec",
        "compression.level",
        "compression.type",
        "linger.ms",
        "queue.buffering.max.ms",
    }
)
"""Settings of producing that may be passed on; none of them decides what readers see."""

_BOUND = 'write it as transaction_timeout = "1m"'
_REFUSED: Mapping[str, str] = {
    **REFUSED,
    "acks": OURS,
    "delivery.timeout.ms": _BOUND,
    "enable.gapless.guarantee": OURS,
    "enable.idempotence": OURS,
    "max.in.flight": OURS,
    "max.in.flight.requests.per.connection": OURS,
    "message.max.bytes": 'write it as max_message_bytes = "1MB"',
    "message.send.max.retries": OURS,
    "message.timeout.ms": _BOUND,
    "partitioner": "records go where Java's producer would put their keys",
    "request.required.acks": OURS,
    "retries": OURS,
    "transaction.timeout.ms": _BOUND,
    "transactional.id": "it is af-<job>-<sink>: whoever runs the job next must fence this run",
}
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
_EMBEDDED_PARTITIONS = 3
EMBEDDED = "embedded"


@dataclass(frozen=True, slots=True, repr=False)
class KafkaSinkSpec:
    """Describes a topic that takes rows.

    Parameters
    ----------
    topic : str
        It must exist, but on the embedded broker.
    brokers : str
        ``host:port`` pairs separated by commas, or ``embedded`` for the broker of this run's source.
    key : tuple of str
        Columns of the records' keys; none for records without keys.
    format : {"json"}
        How a row becomes a value.
    mode : {"append", "update"}
        Results when their windows close; or also what open windows would give, under the key that names the window.
    properties : mapping of str to str
        librdkafka settings from an allow-list, secrets included; secrets are never echoed.
    transaction_timeout_s : float
        After this the cluster aborts a transaction that is still open.
    chunk_rows, chunk_bytes : int
        A transaction holds no more than this of an epoch.
    max_message_bytes : int
        The largest record; the topic's ``max.message.bytes`` must not be smaller.
    connect : Connect, optional
        Makes the connection; the ordinary client by default.

    Raises
    ------
    ConfigError
        For any value that cannot work, naming it.
    """

    topic: str
    brokers: str
    key: tuple[str, ...] = ()
    format: Literal["json"] = "json"
    properties: Mapping[str, str] = field(default_factory=dict)
    transaction_timeout_s: float = 60.0
    chunk_rows: int = 50_000
    chunk_bytes: int = 16 * 1024 * 1024
    max_message_bytes: int = 1_000_000
    connect: Connect | None = None
    mode: Literal["append", "update"] = "append"

    def __post_init__(self) -> None:
        if not _TOPIC.fullmatch(self.topic) or self.topic in (".", ".."):
            raise ConfigError(f"topic {self.topic!r} is no topic name: 1-249 of A-Z a-z 0-9 . _ -")
        if not self.brokers.strip():
            raise ConfigError('brokers: empty; write "host:port,host:port" or "embedded"')
        if self.format != "json":
            raise ConfigError(f'format {self.format!r}: only "json" can be written')
        if self.mode not in ("append", "update"):
            raise ConfigError(f'mode {self.mode!r} is not "append" or "update"')
        if self.mode == "update" and not self.key:
            raise ConfigError(
                'mode "update" needs a key: the columns that name a window, so that its newest record counts'
            )
        if len(set(self.key)) != len(self.key):
            raise ConfigError(f"key: a column is listed twice in {list(self.key)}")
        if refused := problems(self.properties):
            raise ConfigError("\n".join(f"properties: {text}" for text in refused.values()))
        if not 1.0 <= self.transaction_timeout_s <= 900.0:
            raise ConfigError(
                f"transaction_timeout: {self.transaction_timeout_s:g} s is not between 1 s and 15 min, the longest that brokers "
                "allow unless told otherwise (transaction.max.timeout.ms)"
            )
        for name in ("chunk_rows", "chunk_bytes", "max_message_bytes"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name}: must be at least 1")

    @property
    def location(self) -> str:
        """The topic and where it is, for people."""
        return f"topic {self.topic} at {self.brokers}"

    @property
    def takes(self) -> frozenset[Change]:
        """First results; later revisions too where a key keeps them in order, and interim results in the mode "update"."""
        kept: frozenset[Change] = frozenset({"insert", "replace"}) if self.key else frozenset({"insert"})
        return kept | {"interim"} if self.mode == "update" else kept

    def placed_by(self, schema: pa.Schema) -> frozenset[str]:
        """Columns that choose the partition: all revisions of a row must meet there."""
        return frozenset(self.key)

    def build(self, name: str, schema: pa.Schema, context: RunContext) -> KafkaOutlet:
        """Plan for tables of `schema`; raises `ConfigError` for a key that is no column or a type JSON has no form for."""
        for column in self.key:
            if column not in schema.names or column.startswith("__af_"):
                here = [each for each in schema.names if not each.startswith("__af_")]
                raise ConfigError(f"sink {name!r}: key {column!r} is no column of its rows; they have {here}")
        check_types(schema, name)
        target = Target(
            sink=name,
            brokers=self.brokers,
            topic=self.topic,
            transactional_id=f"af-{context.job}-{name}",
            group="",
            transaction_timeout_ms=int(self.transaction_timeout_s * 1000),
            max_message_bytes=self.max_message_bytes,
            properties=self.properties,
            create_partitions=_EMBEDDED_PARTITIONS if self.brokers == EMBEDDED else None,
        )
        bounds = Bounds(self.chunk_rows, self.chunk_bytes, self.transaction_timeout_s / 4)
        return KafkaOutlet(name, self.key, target, bounds, self.connect or _client, context)

    def fingerprint(self) -> Mapping[str, object]:
        """The topic, and what its records look like; addresses and bounds change none of them."""
        return {
            "kind": "kafka",
            "topic": self.topic,
            "key": list(self.key),
            "format": self.format,
            "mode": self.mode,
        }

    def __repr__(self) -> str:
        return (
            f"KafkaSinkSpec(topic={self.topic!r}, brokers={self.brokers!r}, key={self.key!r}, format={self.format!r}, "
            f"mode={self.mode!r}, "
            f"properties={masked(self.properties)!r}, transaction_timeout_s={self.transaction_timeout_s!r})"
        )


def problems(properties: Mapping[str, str]) -> dict[str, str]:
    """Return a sentence per refused key, for messages that show all errors at once; values are never in it."""
    return {key: _problem(key) for key in properties if key not in CONNECTION | PRODUCER}


def _problem(key: str) -> str:
    if key in _REFUSED:
        return f"{key!r} cannot be set: {_REFUSED[key]}"
    known = CONNECTION | PRODUCER | _REFUSED.keys()
    near = difflib.get_close_matches(key.lower().replace("_", "."), known, 1, 0.6)
    hint = f"; did you mean {near[0]!r}?" if near else "; docs/kafka-output.md lists the settings that may be passed"
    return f"{key!r} is not a setting arrowflow passes to librdkafka{hint}"


def _client(target: Target) -> Link:
    # The client library is loaded for a run only: validating a file must stay quick.
    from arrowflow.sinks.kafka.client import KafkaLink

    return KafkaLink(target)
