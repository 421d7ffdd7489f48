"""A cluster in memory that takes transactions: fencing, aborts, time-outs, markers, and replies that never come.

It obeys Kafka's protocol where an outlet can tell: a transactional id has one living producer, a reader of committed
records sees nothing behind the first open transaction, and an offset sent with a transaction is there if and only if
its records are. Time passes when a test says so.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from arrowflow.errors import ConfigError, OutletTaken, RetryableError, Unreachable
from arrowflow.sinks.kafka.link import AbortRequired, CommitInDoubt, Record, Tail, Target

LinkCall = Literal[
    "init", "marker", "begin", "produce", "flush", "send_marker", "commit", "abort", "tail", "hidden", "hanging"
]
Fault = Literal["retry", "lost", "away", "abort"]
"""Refuse a call and change nothing; do it and lose the reply; be out of reach; want the transaction aborted."""


class TopicRecord(NamedTuple):
    """A record as a reader finds it."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes]


@dataclass(slots=True)
class _Transaction:
    deadline: float
    owner: str = ""
    number: int = -1
    touched: set[tuple[str, int]] = field(default_factory=set)
    markers: dict[tuple[str, str], tuple[int, str]] = field(default_factory=dict)
    state: Literal["open", "committed", "aborted"] = "open"
    lost: set[tuple[str, int]] = field(default_factory=set)
    hanging: set[tuple[str, int]] = field(default_factory=set)
    replaced: dict[tuple[str, str], tuple[int, str] | None] = field(default_factory=dict)

    def shows_in(self, topic: str, partition: int) -> bool:
        """Whether readers of committed records see its records there."""
        return self.state == "committed" and (topic, partition) not in self.lost | self.hanging

    def holds(self, topic: str, partition: int) -> bool:
        """Whether readers of committed records wait before its records there."""
        return self.state == "open" or (topic, partition) in self.hanging


class _Stored(NamedTuple):
    offset: int
    record: Record | None
    transaction: _Transaction


@dataclass(slots=True)
class _Producer:
    epoch: int = -1
    transaction: _Transaction | None = None


class MemoryCluster:
    """Topics, groups and transactional ids in memory; several links may be at work in several threads."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.now = 0.0
        self._topics: dict[str, list[list[_Stored]]] = {}
        self._low: dict[tuple[str, int], int] = {}
        self._groups: dict[tuple[str, str], tuple[int, str]] = {}
        self._producers: dict[str, _Producer] = {}
        self._faults: list[tuple[LinkCall, int, Fault]] = []
        self._calls: dict[LinkCall, int] = {}
        self._commits = 0

    # ---- what tests do --------------------------------------------------------------------------------------

    def create_topic(self, name: str, partitions: int = 1) -> str:
        """Make a topic; links find none that was not made."""
        self._topics[name] = [[] for _ in range(partitions)]
        return name

    def add_partitions(self, name: str, total: int) -> None:
        """Raise the number of partitions to `total`."""
        self._topics[name] += [[] for _ in range(total - len(self._topics[name]))]

    def connect(self, target: Target) -> MemoryLink:
        """Make a link: the `connect` of a sink's description."""
        return MemoryLink(self, target)

    def fail(self, call: LinkCall, nth: int, fault: Fault) -> None:
        """Arrange that the `nth` call of this kind from now on, counted from 1 over all links, meets a fault."""
        self._faults.append((call, self._calls.get(call, 0) + nth, fault))

    def calls(self, call: LinkCall) -> int:
        """How many calls of a kind there were, over all links."""
        return self._calls.get(call, 0)

    def committed(self, topic: str, partition: int = 0) -> list[TopicRecord]:
        """What a reader of committed records sees."""
        with self.lock:
            seen = []
            for stored in self._topics[topic][partition]:
                if stored.transaction.holds(topic, partition):
                    break
                if stored.record is not None and stored.transaction.shows_in(topic, partition):
                    seen.append(_as_read(stored))
            return [each for each in seen if each.offset >= self._low.get((topic, partition), 0)]

    def everything(self, topic: str, partition: int = 0) -> list[TopicRecord]:
        """What a reader sees that does not ask whether records are committed."""
        with self.lock:
            return [_as_read(stored) for stored in self._topics[topic][partition] if stored.record is not None]

    def partitions(self, topic: str) -> int:
        """How many partitions a topic has."""
        return len(self._topics[topic])

    def markers(self) -> dict[str, tuple[int, str]]:
        """The offset and note of each group."""
        return {group: held for (group, _), held in self._groups.items()}

    def forget_groups(self) -> None:
        """What a week without a word does: markers are gone."""
        self._groups.clear()

    def set_marker(self, group: str, topic: str, offset: int, note: str) -> None:
        """Write a group's offset by another hand."""
        self._groups[group, topic] = (offset, note)

    def delete_records(self, topic: str, partition: int, before: int) -> None:
        """What retention does: records below `before` are gone."""
        self._low[topic, partition] = before

    def lose_newest(
        self, topic: str, partitions: Sequence[int], *, marker: bool = False, hanging: bool = False
    ) -> None:
        """What Kafka 4.3.1 did when it stopped after answering a commit and before marking it: parts of it are not seen.

        The newest committed transaction of the topic is aborted in these partitions, or hanging: whatever its
        transactional id does there next decides on it too. Its marker may be gone as well.
        """
        with self.lock:
            logs = enumerate(self._topics[topic])
            shown = [each.transaction for n, log in logs for each in log if each.transaction.shows_in(topic, n)]
            newest = max(shown, key=lambda transaction: transaction.number)
            (newest.hanging if hanging else newest.lost).update((topic, partition) for partition in partitions)
            for place, held in newest.replaced.items() if marker else ():
                if held is None:
                    self._groups.pop(place, None)
                else:
                    self._groups[place] = held

    def give_up_hanging(self, topic: str) -> None:
        """What the start of a producer did to such transactions with Kafka 4.3.1: they are aborted where they hang."""
        with self.lock:
            for number, log in enumerate(self._topics[topic]):
                place = (topic, number)
                for transaction in {id(each.transaction): each.transaction for each in log}.values():
                    if place in transaction.hanging:
                        transaction.hanging.remove(place)
                        transaction.lost.add(place)

    def pass_time(self, seconds: float) -> None:
        """Let time go by: transactions open for too long are aborted, and their producers fenced."""
        with self.lock:
            self.now += seconds
            for producer in self._producers.values():
                transaction = producer.transaction
                if transaction is not None and transaction.deadline <= self.now:
                    self._end(producer, "aborted")
                    producer.epoch += 1

    # ---- what links do --------------------------------------------------------------------------------------

    def take(self, target: Target) -> int:
        """Make a new producer of a transactional id and return its epoch; what the last one left open is aborted."""
        if target.topic not in self._topics:
            raise ConfigError(f"there is no topic {target.topic!r}")
        producer = self._producers.setdefault(target.transactional_id, _Producer())
        self._end(producer, "aborted")
        producer.epoch += 1
        return producer.epoch

    def living(self, target: Target, epoch: int) -> _Producer:
        """The producer of an epoch; raises `OutletTaken` if there is a newer one."""
        producer = self._producers[target.transactional_id]
        if producer.epoch != epoch:
            raise OutletTaken(f"{target.transactional_id} has epoch {producer.epoch}, not {epoch}")
        return producer

    def append(self, topic: str, partition: int, record: Record | None, transaction: _Transaction) -> None:
        """Put a record, or for None the end of a transaction, at the end of a partition."""
        log = self._topics[topic][partition]
        log.append(_Stored(len(log), record, transaction))

    def marker(self, group: str, topic: str) -> tuple[int, str] | None:
        """A group's offset; raises `RetryableError` while an open transaction may change it."""
        for producer in self._producers.values():
            if producer.transaction is not None and (group, topic) in producer.transaction.markers:
                raise RetryableError(f"a transaction may still change {group}")
        return self._groups.get((group, topic))

    def tail(self, topic: str, partition: int, wanted: Mapping[str, bytes], most: int) -> Tail:
        """Look for the newest committed record with these headers."""
        high, low = len(self._topics[topic][partition]), self._low.get((topic, partition), 0)
        deep = max(low, high - most)
        for record in reversed(self.committed(topic, partition)):
            if record.offset >= deep and wanted.items() <= record.headers.items():
                return Tail(record.headers, whole=False)
        return Tail(None, whole=deep == 0)

    def hidden(self, topic: str, wanted: Mapping[str, bytes], most: int) -> list[int]:
        """Partitions in which readers wait, with records with these headers where they wait or behind it."""
        found = []
        for partition, log in enumerate(self._topics[topic]):
            waits = [n for n, stored in enumerate(log) if stored.transaction.holds(topic, partition)]
            first = max(waits[0], len(log) - most) if waits else len(log)
            behind = [stored for stored in log[first:] if stored.record is not None]
            if any(wanted.items() <= _as_read(stored).headers.items() for stored in behind):
                found.append(partition)
        return found

    def hanging(self, topic: str, wanted: Mapping[str, bytes]) -> list[int]:
        """Partitions in which the first record that readers wait for has these headers."""
        found = []
        for partition, log in enumerate(self._topics[topic]):
            first = next((stored for stored in log if stored.transaction.holds(topic, partition)), None)
            if first is not None and first.record is not None and wanted.items() <= _as_read(first).headers.items():
                found.append(partition)
        return found

    def end(self, producer: _Producer, state: Literal["committed", "aborted"]) -> None:
        """End the open transaction of a producer, in one step for every reader."""
        if producer.transaction is None:
            raise RuntimeError("there is no open transaction")
        self._end(producer, state)

    def fault(self, call: LinkCall) -> Fault | None:
        """Count a call and return the fault it meets."""
        count = self._calls[call] = self._calls.get(call, 0) + 1
        return next((fault for name, nth, fault in self._faults if (name, nth) == (call, count)), None)

    def _end(self, producer: _Producer, state: Literal["committed", "aborted"]) -> None:
        transaction, producer.transaction = producer.transaction, None
        if transaction is None:
            return
        transaction.state = state
        for topic, partition in sorted(transaction.touched):
            for other in {id(each.transaction): each.transaction for each in self._topics[topic][partition]}.values():
                if other.owner == transaction.owner and (topic, partition) in other.hanging:
                    other.hanging.remove((topic, partition))
                    if state == "aborted":
                        other.lost.add((topic, partition))
            self.append(topic, partition, None, transaction)
        if state == "committed":
            self._commits += 1
            transaction.number = self._commits
            transaction.replaced = {place: self._groups.get(place) for place in transaction.markers}
            self._groups.update(transaction.markers)


class MemoryLink:
    """The `Link` protocol on a `MemoryCluster`."""

    def __init__(self, cluster: MemoryCluster, target: Target) -> None:
        self._cluster = cluster
        self._target = target
        self._epoch = -1

    def init(self) -> int:
        with self._meeting("init"):
            self._epoch = self._cluster.take(self._target)
            return self._cluster.partitions(self._target.topic)

    def marker(self) -> tuple[int, str] | None:
        with self._meeting("marker"):
            return self._cluster.marker(self._target.group, self._target.topic)

    def begin(self) -> None:
        with self._meeting("begin"):
            producer = self._producer()
            if producer.transaction is not None:
                raise RuntimeError("there is an open transaction")
            timeout = self._target.transaction_timeout_ms / 1000
            producer.transaction = _Transaction(self._cluster.now + timeout, self._target.transactional_id)

    def produce(self, record: Record) -> None:
        with self._meeting("produce"):
            transaction = self._open()
            transaction.touched.add((self._target.topic, record.partition))
            self._cluster.append(self._target.topic, record.partition, record, transaction)

    def flush(self) -> None:
        with self._meeting("flush"):
            self._open()

    def send_marker(self, offset: int, note: str) -> None:
        with self._meeting("send_marker"):
            self._open().markers[self._target.group, self._target.topic] = (offset, note)

    def commit(self) -> None:
        try:
            with self._meeting("commit"):
                self._cluster.end(self._producer(), "committed")
        except (AbortRequired, OutletTaken):
            raise
        except RetryableError as error:
            raise CommitInDoubt(str(error)) from error

    def abort(self) -> None:
        with self._meeting("abort"):
            self._cluster.end(self._producer(), "aborted")

    def tail(self, partition: int, wanted: Mapping[str, bytes], most: int) -> Tail:
        with self._meeting("tail"):
            return self._cluster.tail(self._target.topic, partition, wanted, most)

    def hidden(self, wanted: Mapping[str, bytes], most: int) -> Sequence[int]:
        with self._meeting("hidden"):
            return self._cluster.hidden(self._target.topic, wanted, most)

    def hanging(self, wanted: Mapping[str, bytes]) -> Sequence[int]:
        with self._meeting("hanging"):
            return self._cluster.hanging(self._target.topic, wanted)

    def drop(self) -> None:
        """As when a process dies: what is open stays open until a time-out or the next producer."""

    @property
    def under_way(self) -> object:
        """What names the open transaction of this very producer; None if it has none or is fenced."""
        with self._cluster.lock, suppress(KeyError, OutletTaken):
            return self._producer().transaction
        return None

    def _producer(self) -> _Producer:
        return self._cluster.living(self._target, self._epoch)

    def _open(self) -> _Transaction:
        transaction = self._producer().transaction
        if transaction is None:
            raise RuntimeError("there is no open transaction")
        return transaction

    def _meeting(self, call: LinkCall) -> _Meeting:
        return _Meeting(self._cluster, call)


class _Meeting:
    """One call under the lock of the cluster, with the fault it meets."""

    def __init__(self, cluster: MemoryCluster, call: LinkCall) -> None:
        self._cluster, self._call = cluster, call
        self._fault: Fault | None = None

    def __enter__(self) -> None:
        self._cluster.lock.acquire()
        self._fault = self._cluster.fault(self._call)
        if self._fault in (None, "lost"):
            return
        self._cluster.lock.release()
        refused = {"retry": RetryableError, "away": Unreachable, "abort": AbortRequired}[self._fault]
        raise refused(f"{self._call} was refused on purpose ({self._fault})")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._cluster.lock.release()
        if kind is None and self._fault == "lost":
            raise RetryableError(f"the reply of {self._call} was lost on purpose")


def _as_read(stored: _Stored) -> TopicRecord:
    assert stored.record is not None
    record = stored.record
    return TopicRecord(stored.offset, record.key, record.value, dict(record.headers))


def sequences(records: Sequence[TopicRecord]) -> list[tuple[int, int]]:
    """The (epoch, sequence number) of each record, as its headers say."""
    return [(int(record.headers["af-epoch"]), int(record.headers["af-seq"])) for record in records]
