"""The truth path: Kafka's records through the ordinary client, with explicit assignment.

It joins no group, commits nothing by itself and resets no offset: where to read is an argument of every call.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from arrowflow.errors import ArrowflowError, DataLossError, RetryableError
from arrowflow.events import Notice
from arrowflow.protocols import RunContext
from arrowflow.sources.gathering import Gathering
from arrowflow.sources.kafka.cluster import Cluster, loss_message
from arrowflow.sources.kafka.columns import columns, runs
from arrowflow.sources.kafka.embedded import EmbeddedBroker
from arrowflow.sources.kafka.subscription import Subscription
from arrowflow.sources.kafka.translate import CORRUPT, OUT_OF_RANGE, Complaints, error_of, translated, truncated
from arrowflow.types import Bounds, Discovery, Fetched, OffsetRange, SourcePartition

_CHUNK = 10_000
"""Message objects alive at a time: enough to make a call's own cost vanish."""
_WAIT_S = 0.2
"""One wait inside the client, so that a stop is noticed."""
_MIB = 1024 * 1024
_UNKNOWN_SIZE = 64 * 1024
"""What a record is taken to weigh until one was seen."""


class KafkaSource:
    """Reads topics through `confluent_kafka`; one thread owns it.

    Parameters
    ----------
    name : str
        The source's name in the pipeline.
    wanted : Subscription
        What to read and how to connect.
    context : RunContext
        Of the run it belongs to.
    broker : EmbeddedBroker, optional
        A local broker that lives and ends with this source.
    """

    def __init__(
        self, name: str, wanted: Subscription, context: RunContext, broker: EmbeddedBroker | None = None
    ) -> None:
        self.name = name
        self._wanted = wanted
        self._context = context
        self._broker = broker
        self._cluster = Cluster(name, wanted)
        self._complaints = Complaints()
        self._consumer: Consumer | None = None
        self._at: dict[SourcePartition, int] = {}
        self._left: set[SourcePartition] = set()
        self._epoch: dict[SourcePartition, int] = {}
        self._corrupt: set[tuple[SourcePartition, int]] = set()
        self._weight = _UNKNOWN_SIZE
        self._noticed: set[str] = set()

    @property
    def cluster(self) -> Cluster:
        """What is asked about everything that is no record."""
        return self._cluster

    # ---- what the engine asks ------------------------------------------------------------------------------

    def discover(self) -> Discovery:
        if self._cluster.renew():
            self._let_go()  # the consumer, too, has read the files of before
        found = self._cluster.discover()
        return found if self._broker is None else replace(found, cluster_id=self._broker.cluster_id)

    def start_offsets(self, partitions: Sequence[SourcePartition]) -> Mapping[SourcePartition, int]:
        start = self._wanted.start
        if start == "earliest":
            return self._cluster.earliest(partitions)
        if start == "latest":
            return self._cluster.latest(partitions)
        if start != "committed":
            return self._cluster.at_time(partitions, start)
        known = self._cluster.committed(partitions, self._wanted.group)
        new = [part for part in partitions if part not in known]
        if new:
            named = ", ".join(map(str, new))
            self._notice(
                "info", f"group {self._wanted.group!r} has no offsets for {named}: starting there at the earliest"
            )
        return {**known, **self._cluster.earliest(new)}

    def remember(self, leader_epoch: Mapping[SourcePartition, int]) -> None:
        self._epoch.update({part: epoch for part, epoch in leader_epoch.items() if epoch >= 0})

    def read(self, after: Mapping[SourcePartition, int], bounds: Bounds) -> Fetched:
        if not after:
            return Fetched({}, ())
        consumer = self._positioned(after, bounds)
        gathering = Gathering(after)
        try:
            self._gather(consumer, gathering, bounds)
            reached = self._reached(consumer, gathering, after)
        except BaseException:
            self._let_go()  # what was consumed and not returned is read again from where the caller says
            raise
        if not gathering.rows:
            self._look_alive(consumer)
        self._at.update(reached)
        return Fetched(
            {part: OffsetRange(after[part], stop) for part, stop in reached.items()},
            gathering.batches(),
            {part: gathering.unseen[part] + stop - gathering.next_offset(part) for part, stop in reached.items()},
            {part: self._epoch.get(part, -1) for part in after},
        )

    def acknowledge(self, positions: Mapping[SourcePartition, int], note: str) -> None:
        self._context.failpoints.hit("lag.before")
        try:
            self._cluster.commit(self._wanted.group, positions, note)
        except ArrowflowError as error:
            self._notice("warning", f"lag tools will see old offsets: {error}")
        self._context.failpoints.hit("lag.after")

    def acknowledged(self, partitions: Sequence[SourcePartition]) -> Mapping[SourcePartition, tuple[int, str]]:
        return self._cluster.noted(partitions, self._wanted.group)

    def close(self) -> None:
        self._let_go()
        if self._broker is not None:
            self._broker.stop()

    # ---- where the consumer stands --------------------------------------------------------------------------

    def _positioned(self, after: Mapping[SourcePartition, int], bounds: Bounds) -> Consumer:
        """A consumer whose next records are those at `after`.

        A partition is assigned at most once per consumer: after an assignment to an earlier offset librdkafka's
        `position` still tells the old one for a moment, and a range that ends there would skip records for ever.
        """
        moved = any(self._at.get(part, offset) != offset or part in self._left for part, offset in after.items())
        if moved:
            self._let_go()
        gone = [part for part in self._at if part not in after]
        new = {part: offset for part, offset in after.items() if part not in self._at}
        try:
            if self._consumer is None:
                self._consumer = Consumer(self._settings(bounds))
            if gone:
                self._consumer.incremental_unassign([TopicPartition(part.topic, part.partition) for part in gone])
            if new:
                self._cluster.check(new)
                self._consumer.incremental_assign([self._target(part, offset) for part, offset in new.items()])
        except KafkaException as error:
            self._let_go()
            raise self._translated(error, "connecting and assigning partitions") from error
        self._left.update(gone)
        self._at = {part: self._at.get(part, offset) for part, offset in after.items()}
        return self._consumer

    def _target(self, part: SourcePartition, offset: int) -> TopicPartition:
        """Where to read, with the epoch of the record before it where we know it: the broker then tells a truncated log."""
        epoch = self._epoch.get(part, -1)
        if epoch < 0:
            return TopicPartition(part.topic, part.partition, offset)
        return TopicPartition(part.topic, part.partition, offset, leader_epoch=epoch)

    def _settings(self, bounds: Bounds) -> dict[str, object]:
        """Memory: the queue holds one read, a response at most as much again; nothing waits when the queue is full."""
        size = max(_MIB, min(bounds.bytes, 1024 * _MIB))
        return {
            "fetch.max.bytes": min(size, 50 * _MIB),
            "queued.max.messages.kbytes": size // 1024,
            "fetch.queue.backoff.ms": 5,
            **self._wanted.properties,
            "bootstrap.servers": self._wanted.brokers,
            "group.id": self._wanted.group,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "error",
            "isolation.level": "read_committed",
            "check.crcs": True,
            "allow.auto.create.topics": False,
            "error_cb": self._complaints,
            "log_level": 0,
        }

    def _let_go(self) -> None:
        consumer, self._consumer = self._consumer, None
        self._at, self._left = {}, set()
        if consumer is not None:
            consumer.close()

    # ---- one read -------------------------------------------------------------------------------------------

    def _gather(self, consumer: Consumer, gathering: Gathering, bounds: Bounds) -> None:
        """Consume until a bound is reached; what is queued is taken at once, then we wait for more."""
        deadline = time.monotonic() + bounds.seconds
        size = min(bounds.bytes, 1024 * _MIB)
        while gathering.rows < bounds.rows and gathering.nbytes < size:
            room = min(bounds.rows - gathering.rows, (size - gathering.nbytes) // self._weight + 1)
            messages = consumer.consume(min(room, _CHUNK), 0)
            left = deadline - time.monotonic()
            if not messages and left > 0:
                messages = consumer.consume(1, min(left, _WAIT_S))
            self._take(gathering, messages)
            if gathering.rows:
                self._weight = gathering.nbytes // gathering.rows + 1
            if left <= 0:
                return

    def _take(self, gathering: Gathering, messages: list[Message]) -> None:
        if any(map(Message.error, messages)):
            for message in messages:
                if (error := message.error()) is not None:
                    self._meet(message, error)
            messages = [message for message in messages if message.error() is None]
        if not messages:
            return
        records = columns(messages, headers=self._wanted.headers)
        for (topic, number), start, stop in runs(messages, len(self._wanted.topics) == 1):
            part = SourcePartition(self.name, topic, number)
            if part in gathering.after:  # an unassigned partition's last messages may still come
                gathering.add(part, records.slice(start, stop))

    def _reached(
        self, consumer: Consumer, gathering: Gathering, after: Mapping[SourcePartition, int]
    ) -> dict[SourcePartition, int]:
        """Per partition the next offset: the client's position, which counts control and aborted records behind us.

        It is negative until something was delivered, and never counts what is only prefetched.
        """
        told = consumer.position([TopicPartition(part.topic, part.partition) for part in after])
        reached = {}
        for part, position in zip(after, told, strict=True):
            reached[part] = max(gathering.next_offset(part), position.offset)
            if position.leader_epoch is not None and position.leader_epoch >= 0:
                self._epoch[part] = position.leader_epoch
        return reached

    # ---- what can go wrong ----------------------------------------------------------------------------------

    def _meet(self, message: Message, error: KafkaError) -> None:
        """Raise for an error delivered among the records, unless the broker contradicts itself."""
        part = SourcePartition(self.name, message.topic() or "", message.partition() or 0)
        wanted = message.offset()
        place = f"{part}: offset {wanted} at {self._wanted.brokers}"
        if truncated(error):
            way = (
                f"Go on with what it holds now (`arrowflow reset CONFIG --from earliest --topic {part.topic}`), or make the "
                "results anew: `arrowflow reset CONFIG --to-start`"
            )
            raise DataLossError(
                f"{place}: the log was truncated below it and may have grown again ({error.str()}). {way}"
            )
        if error.code() in OUT_OF_RANGE and wanted is not None:
            self._judge_range(part, wanted)
        elif error.code() in CORRUPT:
            # check.crcs makes librdkafka report a broken batch and skip it: reading on would lose its records.
            again = (part, wanted or 0) in self._corrupt
            self._corrupt.add((part, wanted or 0))
            if again:
                raise DataLossError(
                    f"{place}: the batch is corrupt, also when fetched again ({error.str()}). Check the broker's disks"
                )
            raise RetryableError(f"{place}: the batch is corrupt ({error.str()}); fetching it again")
        else:
            raise translated(error, place, self._complaints)

    def _judge_range(self, part: SourcePartition, wanted: int) -> None:
        low, high = self._cluster.ranges([part])[part]
        if not low <= wanted <= high:
            raise DataLossError(loss_message(part, wanted, low, high))
        # A leader that lags behind its own answer, or an embedded broker before an open transaction: ask again.
        self._left.add(part)
        self._notice(
            "warning", f"{part}: the broker refuses offset {wanted} of its own range [{low}, {high}); asking again"
        )

    def _look_alive(self, consumer: Consumer) -> None:
        """Tell an empty topic from a cluster that is away; asks only when the client complained."""
        complaints = self._complaints
        if complaints.telling is not None:
            raise translated(complaints.telling, f"reading from {self._wanted.brokers}", complaints)
        if complaints.last is None:
            return
        try:
            consumer.list_topics(self._wanted.topics[0], timeout=1.0)
        except KafkaException as error:
            raise self._translated(error, "reading") from error
        complaints.forget()

    def _translated(self, error: KafkaException, doing: str) -> ArrowflowError:
        return translated(error_of(error) or error, f"{doing} at {self._wanted.brokers}", self._complaints)

    def _notice(self, level: str, message: str) -> None:
        if message not in self._noticed:
            self._noticed.add(message)
            self._context.observer.notice(Notice(level, message))
