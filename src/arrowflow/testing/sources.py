"""A broker in memory and the source that reads it: everything a topic can do to a reader, on demand. No network."""

from __future__ import annotations

import threading
import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pyarrow as pa

from arrowflow.errors import ArrowflowError, DataLossError
from arrowflow.protocols import RunContext, Source
from arrowflow.sources.gathering import Gathering, Records
from arrowflow.types import Bounds, Discovery, Fetched, OffsetRange, PartitionInfo, SourcePartition

Call = Literal["discover", "start_offsets", "read", "acknowledge"]


@dataclass(frozen=True, slots=True)
class MemoryRecord:
    """One record as a reader may see it."""

    offset: int
    timestamp_us: int
    key: bytes | None
    value: bytes | None
    appended: bool = False


@dataclass(slots=True)
class _Log:
    """One partition: visible records by offset, and the marks around them."""

    records: list[MemoryRecord] = field(default_factory=list)
    low: int = 0
    high: int = 0
    open_at: int | None = None
    leader_epoch: int = 0

    @property
    def stable(self) -> int:
        return self.high if self.open_at is None else self.open_at


class MemoryBroker:
    """Topics in memory. Threads may append while a source reads.

    Attributes
    ----------
    acknowledged : dict
        Group -> (partition -> offset, note) of the last acknowledgement of each.
    """

    def __init__(self, cluster_id: str | None = None) -> None:
        self.cluster_id = cluster_id or f"memory-{uuid.uuid4()}"
        self.acknowledged: dict[str, tuple[dict[tuple[str, int], int], str]] = {}
        self._topics: dict[str, list[_Log]] = {}
        self._ids: dict[str, str] = {}
        self._faults: dict[Call, list[ArrowflowError]] = defaultdict(list)
        self._lock = threading.RLock()

    # ---- what a producer does --------------------------------------------------------------------------------

    def create(self, topic: str, partitions: int = 1, topic_id: str | None = None) -> None:
        """Make a topic; an existing one is deleted and created again: new id, offsets from zero."""
        with self._lock:
            self._topics[topic] = [_Log() for _ in range(partitions)]
            self._ids[topic] = topic_id or str(uuid.uuid4())

    def append(
        self,
        topic: str,
        partition: int,
        value: bytes | None,
        *,
        key: bytes | None = None,
        timestamp_us: int = 0,
        appended: bool = False,
    ) -> int:
        """Add a record and return its offset; invisible while a transaction is open before it."""
        with self._lock:
            log = self._log(topic, partition)
            log.records.append(MemoryRecord(log.high, timestamp_us, key, value, appended))
            log.high += 1
            return log.high - 1

    def skip(self, topic: str, partition: int, count: int = 1) -> None:
        """Use up offsets that no reader ever sees: control records, aborted ones, holes of compaction."""
        with self._lock:
            self._log(topic, partition).high += count

    def begin(self, topic: str, partition: int) -> None:
        """Open a transaction: nothing from here on is readable until `end`."""
        with self._lock:
            log = self._log(topic, partition)
            log.open_at = log.high

    def end(self, topic: str, partition: int, *, commit: bool) -> None:
        """Commit or abort the open transaction; its marker takes an offset."""
        with self._lock:
            log = self._log(topic, partition)
            if log.open_at is not None and not commit:
                log.records = [record for record in log.records if record.offset < (log.open_at or 0)]
            log.open_at = None
            log.high += 1

    # ---- what happens to a log -------------------------------------------------------------------------------

    def add_partitions(self, topic: str, total: int) -> None:
        """Raise the number of partitions."""
        with self._lock:
            self._topics[topic] += [_Log() for _ in range(total - len(self._topics[topic]))]

    def compact(self, topic: str, partition: int, offsets: Sequence[int]) -> None:
        """Take single records away; their offsets become holes."""
        with self._lock:
            log = self._log(topic, partition)
            log.records = [record for record in log.records if record.offset not in set(offsets)]

    def delete_before(self, topic: str, partition: int, offset: int) -> None:
        """Retention: records below `offset` are gone."""
        with self._lock:
            log = self._log(topic, partition)
            log.low = offset
            log.records = [record for record in log.records if record.offset >= offset]

    def elect(self, topic: str, partition: int) -> None:
        """A clean election: another leader with the whole log."""
        with self._lock:
            self._log(topic, partition).leader_epoch += 1

    def truncate(self, topic: str, partition: int, offset: int) -> None:
        """An unclean election: the log ends at `offset` again, under a newer leader."""
        with self._lock:
            log = self._log(topic, partition)
            log.high, log.leader_epoch = offset, log.leader_epoch + 1
            log.records = [record for record in log.records if record.offset < offset]

    def delete(self, topic: str) -> None:
        """Remove a topic."""
        with self._lock:
            del self._topics[topic]

    def fail(self, call: Call, *errors: ArrowflowError) -> None:
        """Let the next calls of that name raise these errors, one each, before they do anything."""
        with self._lock:
            self._faults[call] += errors

    # ---- what a source asks ----------------------------------------------------------------------------------

    def enter(self, call: Call) -> None:
        """Raise the next error planted for `call`, if any."""
        with self._lock:
            if self._faults[call]:
                raise self._faults[call].pop(0)

    def describe(self, source: str, topics: Sequence[str]) -> Discovery:
        """Every partition with its marks; raises `DataLossError` for a topic that does not exist."""
        with self._lock:
            found = {}
            for topic in topics:
                if topic not in self._topics:
                    raise DataLossError(f"topic {topic!r} does not exist in {self.cluster_id}; check the topic names")
                for number, log in enumerate(self._topics[topic]):
                    info = PartitionInfo(log.low, log.high, log.stable, self._ids[topic], log.leader_epoch)
                    found[SourcePartition(source, topic, number)] = info
            return Discovery(self.cluster_id, found)

    def visible(self, part: SourcePartition, wanted: int, rows: int) -> tuple[list[MemoryRecord], int, int]:
        """Up to `rows` readable records from an offset on, the position behind them, and the leader's epoch."""
        with self._lock:
            log = self._log(part.topic, part.partition)
            if not log.low <= wanted <= log.high:
                raise DataLossError(f"{part}: offset {wanted} was wanted, the broker holds [{log.low}, {log.high})")
            readable = [record for record in log.records if wanted <= record.offset < log.stable]
            if len(readable) > rows:
                return readable[:rows], readable[rows - 1].offset + 1 if rows else wanted, log.leader_epoch
            return readable, max(wanted, log.stable), log.leader_epoch

    def _log(self, topic: str, partition: int) -> _Log:
        if topic not in self._topics or partition >= len(self._topics[topic]):
            raise DataLossError(f"{topic}[{partition}] does not exist in {self.cluster_id}")
        return self._topics[topic][partition]


@dataclass(frozen=True, slots=True)
class MemorySourceSpec:
    """Describes a source over a `MemoryBroker`."""

    broker: MemoryBroker
    topics: tuple[str, ...]
    start: Literal["earliest", "latest"] = "earliest"

    def build(self, name: str, context: RunContext) -> Source:
        """Make the source; two of one broker do not disturb each other."""
        return MemorySource(name, self, context)

    def fingerprint(self) -> Mapping[str, object]:
        """The kind and the topics."""
        return {"kind": "memory", "topics": sorted(self.topics)}


class MemorySource:
    """Reads a `MemoryBroker`; keeps no position of its own."""

    def __init__(self, name: str, spec: MemorySourceSpec, context: RunContext) -> None:
        self.name = name
        self._spec = spec
        self._broker = spec.broker
        self._context = context
        self._remembered: dict[SourcePartition, int] = {}

    def discover(self) -> Discovery:
        self._broker.enter("discover")
        return self._broker.describe(self.name, self._spec.topics)

    def start_offsets(self, partitions: Sequence[SourcePartition]) -> Mapping[SourcePartition, int]:
        self._broker.enter("start_offsets")
        found = self._broker.describe(self.name, self._spec.topics).partitions
        latest = self._spec.start == "latest"
        return {part: found[part].stable if latest else found[part].low for part in partitions}

    def remember(self, leader_epoch: Mapping[SourcePartition, int]) -> None:
        self._remembered = dict(leader_epoch)

    def read(self, after: Mapping[SourcePartition, int], bounds: Bounds) -> Fetched:
        self._broker.enter("read")
        gathering = Gathering(after)
        ranges, epochs = {}, {}
        for part, start in after.items():
            room = bounds.rows - gathering.rows if gathering.nbytes < bounds.bytes else 0
            records, stop, epochs[part] = self._broker.visible(part, start, room)
            if epochs[part] < self._remembered.get(part, -1):
                raise DataLossError(
                    f"{part}: offset {start} was read under leader epoch {self._remembered[part]}, now it is {epochs[part]}"
                )
            gathering.add(part, _columns(records))
            ranges[part] = OffsetRange(start, stop)
        if after and not gathering.rows:
            self._context.clock.sleep(min(bounds.seconds, 0.2))
        unseen = {
            part: gathering.unseen[part] + each.stop - gathering.next_offset(part) for part, each in ranges.items()
        }
        return Fetched(ranges, gathering.batches(), unseen, epochs)

    def acknowledge(self, positions: Mapping[SourcePartition, int], note: str) -> None:
        self._context.failpoints.hit("lag.before")
        self._broker.enter("acknowledge")
        offsets = {(part.topic, part.partition): offset for part, offset in positions.items()}
        self._broker.acknowledged[self._context.job] = (offsets, note)
        self._context.failpoints.hit("lag.after")

    def acknowledged(self, partitions: Sequence[SourcePartition]) -> Mapping[SourcePartition, tuple[int, str]]:
        offsets, note = self._broker.acknowledged.get(self._context.job, ({}, ""))
        told = {part: offsets.get((part.topic, part.partition)) for part in partitions}
        return {part: (offset, note) for part, offset in told.items() if offset is not None}

    def close(self) -> None:
        """Nothing is held."""


def _columns(records: Sequence[MemoryRecord]) -> Records:
    return Records(
        np.array([record.offset for record in records], np.int64),
        np.array([record.timestamp_us for record in records], np.int64),
        np.array([record.appended for record in records], np.bool_),
        pa.array([record.key for record in records], pa.binary()),
        pa.array([record.value for record in records], pa.binary()),
    )
