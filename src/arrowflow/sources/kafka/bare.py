"""A loop that only consumes: the baseline that throughput is compared with. It keeps nothing it reads."""

from __future__ import annotations

from collections.abc import Mapping

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition, libversion

from arrowflow.errors import Unreachable

_PATIENCE_S = 60.0


def consume_all(bootstrap: str, partitions: Mapping[str, int]) -> int:
    """Consume every record that is there now in calls of 10,000 and return how many there were.

    Parameters
    ----------
    bootstrap : str
        Address of the broker.
    partitions : mapping of str to int
        Topic to its number of partitions.

    Raises
    ------
    Unreachable
        If the broker stops delivering before the end.
    """
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "bare", "enable.auto.commit": False})
    places = [TopicPartition(topic, n, OFFSET_BEGINNING) for topic, count in partitions.items() for n in range(count)]
    try:
        wanted = sum(high - low for low, high in (consumer.get_watermark_offsets(place) for place in places))
        consumer.assign(places)
        read = 0
        while read < wanted:
            messages = consumer.consume(
                min(10_000, wanted - read), _PATIENCE_S
            )  # it waits for as many as it is asked for
            if not messages:
                raise Unreachable(f"{bootstrap}: {read} of {wanted} records, then nothing for {_PATIENCE_S:.0f} s")
            read += len(messages)
        return read
    finally:
        consumer.close()


def library_version() -> str:
    """The version of librdkafka inside the client's wheel."""
    return str(libversion()[0])
