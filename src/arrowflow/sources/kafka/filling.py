"""Produces a sample stream into an empty broker and checks that it arrived; used for the embedded broker only."""

from __future__ import annotations

from collections import Counter

from confluent_kafka import IsolationLevel, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

from arrowflow.errors import Unreachable
from arrowflow.protocols import SampleStream

_PATIENCE_S = 60.0
_COMMITTED = IsolationLevel.READ_COMMITTED
Counts = Counter[tuple[str, int]]


def fill(brokers: str, sample: SampleStream) -> Counts:
    """Create the sample's topics, produce every record in order and return how many went to each partition."""
    admin = AdminClient({"bootstrap.servers": brokers, "log_level": 0})
    # A sample is older than any retention: without this the broker deletes it within a minute of its next start.
    keep = {"retention.ms": "-1", "retention.bytes": "-1"}
    wanted = [NewTopic(topic, partitions, 1, config=keep) for topic, partitions in sample.partitions.items()]
    try:
        for created in admin.create_topics(wanted, request_timeout=_PATIENCE_S).values():
            created.result(_PATIENCE_S)
    except KafkaException as error:
        raise Unreachable(f"the embedded broker at {brokers} did not create the sample's topics: {error}") from error
    producer = Producer({"bootstrap.servers": brokers, "log_level": 0, "linger.ms": 20, "enable.idempotence": True})
    counts: Counts = Counter()
    for record in sample.records():
        _produce(producer, record.topic, record.partition, record.timestamp_ms, record.key, record.value)
        counts[record.topic, record.partition] += 1
    if left := producer.flush(_PATIENCE_S):
        raise Unreachable(f"the embedded broker at {brokers} did not take {left} sample records in {_PATIENCE_S:.0f} s")
    return counts


def verify(brokers: str, counts: Counts) -> None:
    """Raise `Unreachable` unless every partition holds exactly the records produced into it."""
    admin = AdminClient({"bootstrap.servers": brokers, "log_level": 0})
    places = {TopicPartition(topic, partition): want for (topic, partition), want in counts.items()}
    first, end = (
        admin.list_offsets(dict.fromkeys(places, what), isolation_level=_COMMITTED, request_timeout=_PATIENCE_S)
        for what in (OffsetSpec.earliest(), OffsetSpec.latest())
    )
    for place, want in places.items():
        try:
            found = first[place].result(_PATIENCE_S).offset, end[place].result(_PATIENCE_S).offset
        except KafkaException as error:
            raise Unreachable(f"the embedded broker at {brokers} lost the sample: {error}") from error
        if found != (0, want):
            wrong = f"{place.topic}[{place.partition}] holds offsets {list(found)}, {want} records were produced"
            raise Unreachable(f"the embedded broker at {brokers} did not keep the sample: {wrong}; start again")


def _produce(
    producer: Producer, topic: str, partition: int, timestamp_ms: int, key: bytes | None, value: bytes | None
) -> None:
    while True:
        try:
            producer.produce(topic, value, key, partition, timestamp=timestamp_ms)
        except BufferError:
            producer.poll(0.1)
        else:
            producer.poll(0)
            return
