"""Produces telegrams `{"key":…,"ts":…,"value":…}` at a rate, in a process of its own: ``python -m bench.producing``.

Prints one line of JSON: how many records and the sum of their values, and what the broker acknowledged, sampled: ``[partition, offset,
monotonic nanoseconds]`` of the last record of every batch handed over.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

from bench.real_job import TOPIC
from confluent_kafka import KafkaException, Producer

_HANDED = 2_000
"""Records handed over at once."""


class Sender:
    """Hands records over in batches and samples their acknowledgements."""

    def __init__(self, brokers: str, partitions: int) -> None:
        settings = {
            "linger.ms": 5,
            "batch.size": 500_000,
            "compression.type": "lz4",
            "queue.buffering.max.messages": 2_000_000,
            "queue.buffering.max.kbytes": 1_000_000,
        }
        self._producer = Producer({"bootstrap.servers": brokers, "log_level": 0, **settings})
        self._partitions = partitions
        self._turn = 0
        self.acknowledged: list[tuple[int, int, int]] = []

    def hand_over(self, values: list[bytes]) -> None:
        """Give a batch to one partition, the next to the next."""
        partition = self._turn % self._partitions
        self._turn += 1
        messages: list[dict[str, Any]] = [{"value": value} for value in values]
        messages[-1]["callback"] = self._acknowledge
        if self._producer.produce_batch(TOPIC, messages, partition=partition) < len(messages):
            raise SystemExit("the producer's queue is full")
        self._producer.poll(0)

    def poll(self, seconds: float) -> None:
        """Take acknowledgements for some time."""
        self._producer.poll(seconds)

    def flush(self) -> None:
        """Wait for the last one."""
        if self._producer.flush(60):
            raise SystemExit("the broker did not take every record")

    def _acknowledge(self, error: Any, message: Any) -> None:
        if error is not None:
            raise KafkaException(error)
        self.acknowledged.append((message.partition(), message.offset(), time.monotonic_ns()))


def telegrams(first: int, count: int, keys: int, first_ms: int, per_ms: int, quoted: bool) -> list[bytes]:
    """Records number `first` and following; key and time follow from the number, the value is the number modulo 1,000."""
    form = b'{"key":"k%09d","ts":%d,"value":%d}' if quoted else b'{"key":%d,"ts":%d,"value":%d}'
    return [form % (n % keys, first_ms + n // per_ms, n % 1000) for n in range(first, first + count)]


def main() -> None:
    """Produce, at a rate if one is given."""
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--brokers", required=True)
    wanted.add_argument("--partitions", type=int, default=4)
    wanted.add_argument("--records", type=int, required=True)
    wanted.add_argument("--rate", type=int, default=0, help="records a second; as fast as possible without")
    wanted.add_argument("--keys", type=int, default=5_000)
    wanted.add_argument("--per-ms", type=int, default=200, help="records for each millisecond of event time")
    wanted.add_argument("--number-keys", action="store_true")
    given = wanted.parse_args()
    sender, total, began = Sender(given.brokers, given.partitions), 0, time.monotonic()
    behind_s = 0.0
    for first in range(0, given.records, _HANDED):
        count = min(_HANDED, given.records - first)
        values = telegrams(first, count, given.keys, 1_767_571_200_000, given.per_ms, not given.number_keys)
        total += sum(n % 1000 for n in range(first, first + count))
        if given.rate:
            while (left := began + first / given.rate - time.monotonic()) > 0:
                sender.poll(min(left, 0.005))
            behind_s = max(behind_s, -left)
        sender.hand_over(values)
    sender.flush()
    told = {"records": given.records, "total": total, "behind_s": behind_s, "acknowledged": sender.acknowledged}
    print(json.dumps(told))


if __name__ == "__main__":
    main()
