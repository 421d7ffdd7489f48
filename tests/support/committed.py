"""What a stranger reads of a topic with `read_committed`: every partition to its last stable offset."""

from __future__ import annotations

import time
from typing import NamedTuple

from confluent_kafka import Consumer, IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec


class Committed(NamedTuple):
    """One record."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes]


def committed_records(
    bootstrap: str, topic: str, timeout: float = 120, *, settled: bool = False
) -> list[list[Committed]]:
    """Every committed record, per partition in its order.

    A cluster answers a commit before it has written its marks into the partitions. `settled` waits until no transaction
    is open any more, so that whatever was answered is there.
    """
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "stranger",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "auto.offset.reset": "error",
            "log_level": 0,
        }
    )
    try:
        count = len(consumer.list_topics(topic, timeout).topics[topic].partitions)
        places = [TopicPartition(topic, number, 0) for number in range(count)]
        ends = _ends(bootstrap, places, IsolationLevel.READ_COMMITTED)
        until = time.monotonic() + timeout
        while settled and ends != _ends(bootstrap, places, IsolationLevel.READ_UNCOMMITTED):
            assert time.monotonic() < until, f"{topic} has a transaction that did not end in {timeout} s"
            time.sleep(0.05)
            ends = _ends(bootstrap, places, IsolationLevel.READ_COMMITTED)
        consumer.assign(places)
        found: list[list[Committed]] = [[] for _ in places]
        while any(_position(consumer, place) < end for place, end in zip(places, ends, strict=True)):
            assert time.monotonic() < until, f"{topic} was not read to {ends} in {timeout} s"
            for message in consumer.consume(1000, 0.05):
                assert message.error() is None, message.error()
                headers = dict(message.headers() or [])
                found[message.partition()].append(Committed(message.offset(), message.key(), message.value(), headers))
        return found
    finally:
        consumer.close()


def _ends(bootstrap: str, places: list[TopicPartition], level: IsolationLevel) -> list[int]:
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    asked = {TopicPartition(place.topic, place.partition): OffsetSpec.latest() for place in places}
    for left in reversed(range(20)):
        answers = admin.list_offsets(asked, isolation_level=level)
        try:
            return [answers[TopicPartition(place.topic, place.partition)].result(30).offset for place in places]
        except KafkaException:
            if not left:
                raise
            time.sleep(0.25)  # a topic that was just made, a broker that just came back
    raise AssertionError("the last round returns or raises")


def _position(consumer: Consumer, place: TopicPartition) -> int:
    return max(0, consumer.position([place])[0].offset)
