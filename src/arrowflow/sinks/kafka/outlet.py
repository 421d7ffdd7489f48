"""A topic as an outlet: outboxes staged with the epoch, delivered in transactions that move the marker along.

A chunk and the marker behind it become visible in one transaction. So whoever fences first and reads the marker after
that knows what readers have, and delivers the rest from the outbox; it never asks what an earlier producer believed.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice

import pyarrow as pa

from arrowflow.errors import AlreadyExists, ConfigError, DataLossError, OutletTaken, RetryableError, Unreachable
from arrowflow.protocols import RunContext
from arrowflow.sinks.kafka.link import AbortRequired, Connect, Header, Link, Record, Tail, Target
from arrowflow.sinks.kafka.marker import Marker
from arrowflow.sinks.kafka.outbox import Entry, encode, entries
from arrowflow.sinks.kafka.placing import partition_of
from arrowflow.sinks.kafka.values import json_values, keys
from arrowflow.types import Attempt, Delivered, Manifest, Outbox, Reject

_ABORTS = 5
_OVERHEAD = 256
"""What a record weighs beside key and value: headers, lengths, and the batch it may be alone in."""
_LOOK_EVERY = 256
_DAY_S = 86_400.0
_DEPTH = 100_000
"""How many offsets of a partition are looked through for our newest record, and rows of an outbox for lost ones."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """When a transaction is cut: at the first bound reached. Seconds are of a monotonic clock."""

    rows: int
    bytes: int
    seconds: float


@dataclass(slots=True)
class KafkaOutlet:
    """The working part of one run.

    Parameters
    ----------
    name : str
        The sink's name.
    key : tuple of str
        Columns of the key.
    target : Target
        Where records go; the address may be one that `context` learns later, and the group is completed by `fence`.
    bounds : Bounds
        Of a transaction.
    connect : Connect
        Makes links.
    context : RunContext
        Of the run it belongs to.
    """

    name: str
    key: tuple[str, ...]
    target: Target
    bounds: Bounds
    connect: Connect
    context: RunContext
    _link: Link | None = None
    _partitions: int = 0
    _incarnation: str = ""
    _marker: Marker | None = None
    _marked_at: float = 0.0
    _rows: int = 0
    _placed: int | None = None
    _seen: list[Delivered | None] = field(default_factory=list)
    _unsure: bool = False

    # ---- before the record ----------------------------------------------------------------------------------

    def stage(self, attempt: Attempt, table: pa.Table) -> Outbox | None:
        """Write the rows as an outbox; raises `ConfigError` for one that no record can hold."""
        if table.num_rows == 0:
            return None
        own, values = keys(table, self.key), json_values(table)
        self._refuse_large(own, values, attempt)
        data = encode(own, values, table)
        path = f"{attempt.folder('outbox')}/{self.name}.arrow"
        control, failpoints = self.context.control, self.context.failpoints
        failpoints.hit("stage.outbox")
        try:
            control.store.create(control.path(path), data)
            failpoints.lost("stage.outbox")
        except AlreadyExists as error:  # the attempt's id is unique: it is our own request, sent twice
            if control.store.read(control.path(path)) != data:
                raise DataLossError(f"{path} exists although attempt {attempt.id} is new") from error
        return Outbox(
            sink=self.name,
            path=path,
            rows=table.num_rows,
            bytes=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
        )

    def refusals(self, table: pa.Table) -> tuple[Reject, ...]:
        return ()

    def _refuse_large(self, own: list[bytes | None], values: list[bytes], attempt: Attempt) -> None:
        """Before the record exists: a row that no broker takes would hold up everything behind it."""
        largest = max(range(len(values)), key=lambda row: len(own[row] or b"") + len(values[row]))
        size = len(own[largest] or b"") + len(values[largest]) + _OVERHEAD
        if size > self.target.max_message_bytes:
            raise ConfigError(
                f"sink {self.name!r}: a row of epoch {attempt.epoch} is a record of {size:,} bytes, max_message_bytes allows "
                f"{self.target.max_message_bytes:,}: select fewer columns, or raise it and the topic's max.message.bytes"
            )

    # ---- whose it is ----------------------------------------------------------------------------------------

    @property
    def is_fenced_in(self) -> bool:
        return self._link is not None

    def fence(self, incarnation: str) -> None:
        """Initialise the transactional id: earlier producers are fenced, their open transaction is aborted."""
        self.close()
        self._incarnation = incarnation[:8]
        link = self.connect(self._found())
        try:
            self._partitions = link.init()
        except BaseException:
            link.drop()
            raise
        self._link = link

    def reached(self) -> tuple[Delivered, str] | None:
        held = self._linked.marker()
        self.context.failpoints.hit("kafka.marker_read")
        self._marker = None if held is None else Marker.read(*held, f"group {self._found().group!r}")
        self._placed = None if self._marker is None else self._marker.partitions
        self._marked_at = -math.inf  # nobody knows how old it is
        return None if self._marker is None else (self._marker.reached, self._marker.digest)

    def search(self) -> Delivered | None:
        """Find our newest record in every partition; None where one hides how far we were."""
        places = [place for place in self._look() if place is not None]
        if len(places) < self._partitions:
            return None
        newest = max(places)
        return Delivered(newest.epoch, newest.rows + 1)

    def holds_records(self) -> bool:
        """Look at the ends of all partitions for records of this job, of whatever incarnation."""
        wanted = {"af-job": self.context.job.encode()}
        tails = (self._linked.tail(partition, wanted, _DEPTH) for partition in range(self._partitions))
        return any(tail.newest is not None for tail in tails)

    def settle(self, reached: Delivered, digest: str) -> None:
        self._write(Marker.of(reached, min(1, reached.rows), digest, self._partitions))

    def keep_alive(self) -> None:
        """Once a day: groups and transactional ids are forgotten after a week without a word."""
        self._be_sure()
        if self._marker is not None and self.context.clock.monotonic() - self._marked_at > _DAY_S:
            self._write(self._marker)

    def _write(self, marker: Marker) -> None:
        with self._transaction() as link:
            link.send_marker(marker.offset, marker.note)
        self._remember(marker)

    def close(self) -> None:
        link, self._link, self._seen, self._unsure = self._link, None, [], False
        if link is not None:
            link.drop()

    # ---- after the record -----------------------------------------------------------------------------------

    def deliver(self, outbox: Outbox, reached: Delivered, manifest: Manifest) -> Iterator[Delivered]:
        """Deliver what is behind `reached` in chunks; a transaction that must be aborted is done again, a few times."""
        if reached.epoch > manifest.epoch:
            return
        data = self._read(outbox, manifest)
        self._look()  # outside of a transaction, which has little time
        at = reached.rows if reached.epoch == manifest.epoch else 0
        while at < outbox.rows:
            at = self._chunk(data, outbox, at, manifest)
            yield Delivered(manifest.epoch, at)

    def restore(self, outbox: Outbox, reached: Delivered, manifest: Manifest) -> int:
        """Send again what the topic has lost at the ends of its partitions; ask before anything else is delivered.

        A partition shows a transaction as a whole or not at all, so its newest record tells. The marker stays as it is.
        """
        first = max(0, reached.rows - _DEPTH)
        due: dict[int, list[Entry]] = {}
        for entry in islice(entries(self._read(outbox, manifest), first, outbox.path), reached.rows - first):
            due.setdefault(self._partition(entry), []).append(entry)
        lost = sorted(
            entry for partition, rows in due.items() for entry in self._unseen(partition, rows, manifest.epoch)
        )
        for at in range(0, len(lost), self.bounds.rows):
            with self._transaction() as link:
                for entry in lost[at : at + self.bounds.rows]:
                    link.produce(self._record(entry, manifest.epoch))
                link.flush()
        return len(lost)

    def _unseen(self, partition: int, due: list[Entry], epoch: int) -> list[Entry]:
        """The entries of a partition behind its newest record; none where the topic no longer tells."""
        seen = self._there()[partition]
        return [] if seen is None else [entry for entry in due if Delivered(epoch, entry.seq) > seen]

    def _there(self) -> list[Delivered | None]:
        """What is known to be in each partition; nothing where the topic has other partitions than the marker tells of."""
        return self._look() if self._placed == self._partitions else [None] * self._partitions

    def _look(self) -> list[Delivered | None]:
        """Our newest record in each partition when we became the only producer; None where the topic no longer tells."""
        if not self._seen:
            self._end_hanging()
            tails = [self._linked.tail(partition, self._ours, _DEPTH) for partition in range(self._partitions)]
            self._seen = [_place(tail) for tail in tails]
        return self._seen

    def _end_hanging(self) -> None:
        """See to it that no record of ours is in a transaction without an end: the next end there would decide on it.

        A cluster that forgot to mark a partition leaves it so, and then committing other rows would show those as well.
        An aborted transaction ends them for good; whatever readers lack after it is sent again.
        """
        link = self._linked
        hidden = link.hidden(self._ours, _DEPTH)
        if not hidden:
            return
        try:
            link.begin()
            for partition in hidden:
                link.produce(Record(partition, b"af-end", None, ()))
            link.flush()
            link.abort()
        except BaseException:
            self.close()
            raise
        if still := link.hidden(self._ours, _DEPTH):
            raise Unreachable(
                f"sink {self.name!r}, topic {self.target.topic!r}: a transaction of another producer is open and hides what "
                f"was delivered to partition {still[0]}"
            )

    def _be_sure(self) -> None:
        """See to it, before another transaction decides on it, that the last one has its end in every partition.

        A cluster that stopped after its answer may have left it without one somewhere: it would be undone with the next
        transaction that is aborted, when nobody looks for its rows any more. Then whoever owns the job begins anew.
        """
        if not self._unsure:
            return
        if stuck := self._linked.hanging(self._ours):
            self.close()
            raise OutletTaken(
                f"sink {self.name!r}, topic {self.target.topic!r}: a transaction that was committed has no end in partition "
                f"{stuck[0]}: the cluster stopped after its answer"
            )
        self._unsure = False

    def _chunk(self, data: bytes, outbox: Outbox, at: int, manifest: Manifest) -> int:
        """Deliver one chunk from row `at` on and return where the next begins."""
        for left in reversed(range(_ABORTS)):
            rows = min(self._rows or self.bounds.rows, outbox.rows - at)
            try:
                stop = self._attempt(islice(entries(data, at, outbox.path), rows), at + (rows - 1) // 2, manifest)
            except (AbortRequired, OutletTaken):
                self._rows = max(1, rows // 2)  # perhaps it took longer than a transaction may: less at a time
                if self._link is None or not left:
                    raise
            else:
                self._rows = min(self.bounds.rows, 2 * (self._rows or self.bounds.rows))
                return stop
        raise AssertionError("the last round returns or raises")

    def _attempt(self, coming: Iterator[Entry], middle: int, manifest: Manifest) -> int:
        """One transaction: records, then the marker that tells of them."""
        hit = self.context.failpoints.hit
        with self._transaction() as link:
            stop = self._produce(link, coming, middle, manifest.epoch)
            link.flush()
            hit("kafka.flushed")
            before = 0 if self._marker is None or self._marker.reached.epoch != manifest.epoch else self._marker.chunk
            marker = Marker.of(Delivered(manifest.epoch, stop), before + 1, manifest.sha256, self._partitions)
            link.send_marker(marker.offset, marker.note)
            hit("kafka.offsets_sent")
        self._remember(marker)
        return stop

    def _produce(self, link: Link, coming: Iterator[Entry], middle: int, epoch: int) -> int:
        """Hand records over until a bound of the transaction is reached; return the sequence number to go on from."""
        clock, size, stop = self.context.clock, 0, 0
        until = clock.monotonic() + self.bounds.seconds
        seen = self._there()
        for entry in coming:
            record = self._record(entry, epoch)
            there = seen[record.partition]
            if there is None or Delivered(epoch, entry.seq) > there:  # a cluster may show part of what it did not mark
                link.produce(record)
            if entry.seq == middle:
                self.context.failpoints.hit("kafka.mid_produce")
            size, stop = size + entry.size, entry.seq + 1
            if size >= self.bounds.bytes or (stop % _LOOK_EVERY == 0 and clock.monotonic() > until):
                break
        return stop

    def _record(self, entry: Entry, epoch: int) -> Record:
        headers: list[Header] = [
            *self._ours.items(),
            ("af-epoch", str(epoch).encode()),
            ("af-seq", str(entry.seq).encode()),
        ]
        if entry.kind is not None:
            headers += [("af-kind", entry.kind.encode()), ("af-revision", str(entry.revision).encode())]
        return Record(self._partition(entry), entry.key, entry.value, headers)

    def _partition(self, entry: Entry) -> int:
        return partition_of(entry.key, entry.seq, self._partitions, keyed=bool(self.key))

    @contextmanager
    def _transaction(self) -> Iterator[Link]:
        """A transaction around the block, committed after it; whatever fails leaves none open, or no link."""
        link, failpoints = self._linked, self.context.failpoints
        self._be_sure()
        try:
            link.begin()
        except BaseException:
            self.close()  # whether it is open nobody knows
            raise
        try:
            failpoints.hit("kafka.begun")
            yield link
            failpoints.hit("kafka.commit")
        except BaseException as error:
            self._undo(link, error)
            raise
        try:
            link.commit()
            failpoints.lost("kafka.commit")
            self._unsure = True
            failpoints.hit("kafka.committed")
        except AbortRequired as error:
            self._undo(link, error)
            raise
        except BaseException:
            self.close()  # committed or not: the marker tells whoever fences next
            raise

    def _undo(self, link: Link, error: BaseException) -> None:
        """Abort where that can work, else let go: fencing aborts too."""
        if not isinstance(error, RetryableError) or isinstance(error, Unreachable):
            self.close()
            return
        try:
            self.context.failpoints.hit("kafka.abort")
            link.abort()
        except BaseException:
            self.close()
            raise

    def _remember(self, marker: Marker) -> None:
        self._marker, self._marked_at = marker, self.context.clock.monotonic()

    def _read(self, outbox: Outbox, manifest: Manifest) -> bytes:
        data = self.context.control.store.read(self.context.control.path(outbox.path))
        if len(data) != outbox.bytes or hashlib.sha256(data).hexdigest() != outbox.sha256:
            raise DataLossError(
                f"{outbox.path}: the outbox of epoch {manifest.epoch} for sink {self.name!r} does not hold the recorded "
                "bytes; restore it, then start again"
            )
        return data

    @property
    def _ours(self) -> dict[str, bytes]:
        """Headers that every record of this log has."""
        return {"af-job": self.context.job.encode(), "af-incarnation": self._incarnation.encode()}

    @property
    def _linked(self) -> Link:
        if self._link is None:
            raise RetryableError(f"sink {self.name!r} has let go of its producer; it is fenced in again first")
        return self._link

    def _found(self) -> Target:
        """The target with the address of a broker that this run started, and the group of this incarnation."""
        brokers = self.context.clusters.get(self.target.brokers, self.target.brokers)
        group = f"{self.context.job}.{self._incarnation}.{self.name}.delivered"
        return replace(self.target, brokers=brokers, group=group)


def _place(tail: Tail) -> Delivered | None:
    """The epoch and sequence number of a tail's newest record; below all others if there never was one."""
    if tail.newest is None:
        return Delivered(-1, -1) if tail.whole else None
    return Delivered(int(tail.newest["af-epoch"]), int(tail.newest["af-seq"]))
