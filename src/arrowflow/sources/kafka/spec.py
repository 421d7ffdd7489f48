"""What a Kafka source is, as a frozen value; it connects to nothing and does not load the client."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, cast

from arrowflow.errors import ConfigError
from arrowflow.protocols import RunContext, Source
from arrowflow.sources.kafka.embedded import EmbeddedSpec
from arrowflow.sources.kafka.properties import masked, problems
from arrowflow.sources.kafka.subscription import Start, Subscription

_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
_STARTS = ("earliest", "latest", "committed")


@dataclass(frozen=True, slots=True, repr=False)
class KafkaSpec:
    """Describes a Kafka source.

    Parameters
    ----------
    brokers : str
        ``host:port`` pairs separated by commas; ignored with `embedded`.
    topics : tuple of str
        Topics to read, all their partitions.
    start : str
        Where the very first start begins: ``earliest``, ``latest``, ``committed`` (the group's offsets) or an ISO
        time with its offset from UTC. Later starts go on where the records say.
    group : str, optional
        Consumer group whose offsets lag tools look at; the job's name by default.
    properties : mapping of str to str
        librdkafka settings from an allow-list, secrets included; secrets are never echoed.
    fetch : {"auto", "client", "columnar"}
        How bytes are fetched; "client" insists on the ordinary client, "columnar" on fetching without it.
    embedded : EmbeddedSpec, optional
        Start a local broker instead of connecting to `brokers`.
    headers : bool
        Whether batches hold the records' headers.

    Raises
    ------
    ConfigError
        For any value that cannot work, naming it.
    """

    brokers: str
    topics: tuple[str, ...]
    start: str = "earliest"
    group: str | None = None
    properties: Mapping[str, str] = field(default_factory=dict)
    fetch: Literal["auto", "client", "columnar"] = "auto"
    embedded: EmbeddedSpec | None = None
    headers: bool = False

    def __post_init__(self) -> None:
        if not self.topics:
            raise ConfigError("source.kafka.topics: name at least one topic")
        for topic in self.topics:
            if not _TOPIC.fullmatch(topic) or topic in (".", ".."):
                raise ConfigError(f"source.kafka.topics: {topic!r} is no topic name: 1-249 of A-Z a-z 0-9 . _ -")
        if len(set(self.topics)) != len(self.topics):
            raise ConfigError(f"source.kafka.topics: a topic is listed twice in {list(self.topics)}")
        if self.fetch not in ("auto", "client", "columnar"):
            raise ConfigError(f'source.kafka.fetch: {self.fetch!r} is not "auto", "client" or "columnar"')
        if not self.brokers.strip() and self.embedded is None:
            raise ConfigError('source.kafka.brokers: empty; write "host:port,host:port" or "embedded"')
        if refused := problems(self.properties):
            raise ConfigError("\n".join(f"source.kafka.properties: {text}" for text in refused.values()))
        if self.start not in _STARTS:
            self.start_ms()

    def start_ms(self) -> int:
        """The start time in milliseconds since Unix time zero; raises `ConfigError` if `start` is no time."""
        try:
            moment = datetime.fromisoformat(self.start)
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None:
            raise ConfigError(
                f"source.kafka.start: {self.start!r} is not one of {', '.join(_STARTS)} nor a time with its offset, "
                'such as "2025-11-02T06:00:00-08:00"'
            )
        return int(moment.timestamp() * 1000)

    def build(self, name: str, context: RunContext) -> Source:
        """Connect, starting the embedded broker first where there is one."""
        # The client library is loaded for a run only: validating a file must stay quick.
        from arrowflow.sources.kafka.client import KafkaSource

        if self.brokers == "embedded" and self.embedded is None:
            raise ConfigError(
                'source.kafka.brokers: "embedded" needs a folder for its data; give EmbeddedSpec(data_dir)'
            )
        broker = self.embedded.start(self.topics) if self.embedded else None
        start: Start = cast(Start, self.start) if self.start in _STARTS else self.start_ms()
        brokers = broker.bootstrap if broker else self.brokers
        if broker is not None:
            context.clusters["embedded"] = broker.bootstrap
        wanted = Subscription(brokers, self.topics, start, self.group or context.job, self.properties, self.headers)
        truth = KafkaSource(name, wanted, context, broker)
        # The embedded broker tells no leader epochs: columnar fetch would give way at its first look, with a line each time.
        if self.fetch == "client" or (self.fetch == "auto" and broker is not None):
            return truth
        from arrowflow.sources.kafka.columnar import columnar

        return columnar(truth, wanted, context, insist=self.fetch == "columnar")

    def fingerprint(self) -> Mapping[str, object]:
        """The kind and the topics. `start` counts once, before any record; the cluster is compared by its id."""
        return {"kind": "kafka", "topics": sorted(self.topics)}

    def __repr__(self) -> str:
        return (
            f"KafkaSpec(brokers={self.brokers!r}, topics={self.topics!r}, start={self.start!r}, group={self.group!r}, "
            f"properties={masked(self.properties)!r}, fetch={self.fetch!r}, embedded={self.embedded!r})"
        )
