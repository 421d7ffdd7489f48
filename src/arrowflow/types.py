"""The frozen values that travel between rooms: batches on their way through, and the record of one epoch.

Nothing here computes more than a property. Times are int64 microseconds since Unix time zero (`_us`),
ranges are half-open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa

from arrowflow.errors import ConfigError

MIN_US = -(2**63)
"""Minus infinity on the event-time axis: the clock of a partition that was never read."""

I64 = np.ndarray[tuple[int], np.dtype[np.int64]]
Bool = np.ndarray[tuple[int], np.dtype[np.bool_]]

RESERVED = ("_topic", "_partition", "_offset", "_timestamp")
"""Columns every decoded row offers beside its own; a schema may not use these names."""


class SourcePartition(NamedTuple):
    """One ordered stream of records: the unit of offsets and of clocks. Sorts by source, topic, partition."""

    source: str
    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]"


class OffsetRange(NamedTuple):
    """Offsets ``[start, stop)``."""

    start: int
    stop: int


# ---- records on their way through -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RawBatch:
    """Consecutive records of one partition as fetched, row i at ``offset[i]``.

    Parameters
    ----------
    partition : SourcePartition
        Where the records come from.
    offset : int64[n]
        Strictly ascending; gaps are offsets the broker did not deliver (control, aborted, compacted).
    timestamp_us : int64[n]
        Record timestamps; `MIN_US` where the record has none.
    appended : bool[n]
        True where the broker, not the producer, set the timestamp.
    key, value : Array of binary[n]
        Null keys are no key; a null value is a tombstone.
    headers : Array of map(string, binary)[n], optional
        Only where a reader asked for them.
    """

    partition: SourcePartition
    offset: I64
    timestamp_us: I64
    appended: Bool
    key: pa.Array[Any]
    value: pa.Array[Any]
    headers: pa.Array[Any] | None = None

    def __len__(self) -> int:
        return len(self.offset)


class Hidden(NamedTuple):
    """Offsets that hold no record for a reader, by what they are: markers of the log, aborted records, holes."""

    control: int = 0
    aborted: int = 0
    compacted: int = 0


@dataclass(frozen=True, slots=True)
class Fetched:
    """What one `Source.read` returned: the ranges it walked and the records found in them.

    `unseen` counts, per partition, offsets inside the range that the source did not deliver because they are
    control records, aborted or compacted away; a source that can tell the three apart counts them in `hidden` instead.
    `leader_epoch` is -1 where the source knows none.
    """

    ranges: Mapping[SourcePartition, OffsetRange]
    batches: tuple[RawBatch, ...]
    unseen: Mapping[SourcePartition, int] = field(default_factory=dict)
    leader_epoch: Mapping[SourcePartition, int] = field(default_factory=dict)
    hidden: Mapping[SourcePartition, Hidden] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        return sum(len(batch) for batch in self.batches)


class Reject(NamedTuple):
    """A row that goes to the dead letters: its index in the raw batch, a reason code and a sentence."""

    row: int
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Decoded:
    """One raw batch decoded: row i of `table` is record i, whatever became of it.

    Parameters
    ----------
    table : Table[n]
        The schema's columns; null in every column where the record was rejected or is a tombstone.
    ok : bool[n]
        True where the record decoded.
    rejects : tuple of Reject
        One entry per rejected record, ascending by row. Tombstones are neither ok nor rejected.
    """

    table: pa.Table
    ok: Bool
    rejects: tuple[Reject, ...]


@dataclass(frozen=True, slots=True)
class RowBatch:
    """Decoded rows of one partition that are still on their way, in offset order.

    Parameters
    ----------
    raw : RawBatch
        The records they came from.
    row : int64[n]
        Index of each row in `raw`, ascending.
    table : Table[n]
        The columns as they stand after the transforms so far.
    event_us : int64[n]
        Event time of each row; all zero in a pipeline without event time.
    clock_us : int64[n]
        The partition's clock just before each row: what lateness is judged by.
    """

    raw: RawBatch
    row: I64
    table: pa.Table
    event_us: I64
    clock_us: I64

    @property
    def partition(self) -> SourcePartition:
        return self.raw.partition

    @property
    def offset(self) -> I64:
        # Rows are distinct and ascending: as many as there are records are all of them.
        return self.raw.offset if len(self.row) == len(self.raw.offset) else self.raw.offset[self.row]

    def __len__(self) -> int:
        return len(self.row)

    def keep(self, mask: Bool, table: pa.Table | None = None) -> RowBatch:
        """The rows where `mask` is true; `table`, if given, is already filtered."""
        kept = self.table.filter(pa.array(mask, pa.bool_())) if table is None else table
        return RowBatch(self.raw, self.row[mask], kept, self.event_us[mask], self.clock_us[mask])


@dataclass(frozen=True, slots=True)
class LateRows:
    """Rows of one `RowBatch` that are late for a window, by index into that batch."""

    row: I64
    window_start_us: I64
    window_end_us: I64
    reason: str = "behind_clock"


@dataclass(frozen=True, slots=True)
class Folded:
    """What became of one `RowBatch` in an operator: every row is in exactly one of the four.

    `missed` are rows that are among the folded but came too late for some of their
    windows: `window_start_us` is that of the first window missed, `window_end_us` that of the last.
    `rejects` index the batch's raw records. `folded` is counted by the kernels that changed the state.
    `passed` holds rows that go straight to the output (pipelines without a window).
    """

    folded: int
    late: LateRows | None = None
    rejects: tuple[Reject, ...] = ()
    filtered: Mapping[str, int] = field(default_factory=dict)
    passed: pa.Table | None = None
    missed: LateRows | None = None


@dataclass(frozen=True, slots=True)
class Closed:
    """Result rows of windows that closed, and how many folded rows left the state with them.

    For windows closed other than by the watermark, `floors` holds where the floors of the partitions that fed them
    must rise to, and `reach_us` the largest ``end + allowed lateness`` of them all.

    Under the late policy "correct" a row of `table` may be a later `revision` of a window that came out before; its
    `home` is then the epoch that gave out the first one, and -1 for a window that comes out now. None means first
    results only.
    """

    table: pa.Table
    folded_rows: int
    windows: int
    floors: Mapping[SourcePartition, int] = field(default_factory=dict)
    reach_us: int = MIN_US
    revision: I64 | None = None
    home: I64 | None = None


# ---- the record of one epoch ------------------------------------------------------------------------------


class Balance(msgspec.Struct, frozen=True, kw_only=True):
    """Where the rows of one partition and epoch went. ``read`` is counted where batches are walked."""

    read: int = 0
    folded: int = 0
    filtered: dict[str, int] = msgspec.field(default_factory=dict)
    duplicate: int = 0
    late: dict[str, int] = msgspec.field(default_factory=dict)
    dead_lettered: dict[str, int] = msgspec.field(default_factory=dict)

    @property
    def accounted(self) -> int:
        """The right-hand side of the balance rule."""
        lost = sum(self.filtered.values()) + sum(self.late.values()) + sum(self.dead_lettered.values())
        return self.folded + self.duplicate + lost

    def __add__(self, other: Balance) -> Balance:
        return Balance(
            read=self.read + other.read,
            folded=self.folded + other.folded,
            filtered=_add(self.filtered, other.filtered),
            duplicate=self.duplicate + other.duplicate,
            late=_add(self.late, other.late),
            dead_lettered=_add(self.dead_lettered, other.dead_lettered),
        )


def _add(left: Mapping[str, int], right: Mapping[str, int]) -> dict[str, int]:
    return {name: left.get(name, 0) + right.get(name, 0) for name in sorted({*left, *right})}


class PartitionClock(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen of one partition: enough to compute its clock under any tolerance."""

    max_event_us: int | None = None
    floor_us: int | None = None
    idle: bool = False

    def clock_us(self, max_out_of_orderness_us: int) -> int:
        """Largest event time seen minus the tolerance, never below the floor; `MIN_US` before the first row."""
        floor = MIN_US if self.floor_us is None else self.floor_us
        seen = MIN_US if self.max_event_us is None else self.max_event_us - max_out_of_orderness_us
        return max(seen, floor)


class Input(msgspec.Struct, frozen=True, kw_only=True):
    """One partition's part of an epoch; partitions that gave nothing are listed too, so the head knows all.

    ``stop - start = read + unseen + control + aborted + compacted``: the ordinary client hides which of the
    three an offset was, so it counts them together as `unseen`; columnar fetch tells them apart.
    """

    source: str
    topic: str
    partition: int
    start: int
    stop: int
    topic_id: str | None = None
    leader_epoch: int = -1
    balance: Balance = Balance()
    unseen: int = 0
    control: int = 0
    aborted: int = 0
    compacted: int = 0
    late_windows: int = 0
    clock: PartitionClock = PartitionClock()
    gap: OffsetRange | None = None

    @property
    def source_partition(self) -> SourcePartition:
        return SourcePartition(self.source, self.topic, self.partition)


class Replaced(msgspec.Struct, frozen=True, kw_only=True):
    """What a file takes the place of: bytes with this checksum, the `revision`-th of that name, from 1.

    Of the new file's rows, `rows` are news; the others stand in it as they stood before.
    """

    crc32c: str
    revision: int
    rows: int


class StagedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file an epoch publishes: `src` is relative to the control prefix, `dst` to the sink's root.

    With `replaces` it takes the place of a file of the same name that an earlier record published. `generation` is that of
    the staged object, in a store that has such a thing: only this very object may be moved.
    """

    sink: str
    src: str
    dst: str
    rows: int
    bytes: int
    crc32c: str
    sha256: str
    partition: dict[str, str | None] = msgspec.field(default_factory=dict)
    replaces: Replaced | None = None
    min_event_us: int | None = None
    max_event_us: int | None = None
    generation: int | None = None

    @property
    def revision(self) -> int:
        """How many times the file was written, this time included."""
        return 1 if self.replaces is None else self.replaces.revision + 1

    @property
    def new_rows(self) -> int:
        """How many rows of it no earlier record published."""
        return self.rows if self.replaces is None else self.replaces.rows


class Outbox(msgspec.Struct, frozen=True, kw_only=True):
    """Rows an epoch hands to a sink that is no folder: an Arrow file at `path`, relative to the control prefix."""

    sink: str
    path: str
    rows: int
    bytes: int
    sha256: str


class Delivered(msgspec.Struct, frozen=True, order=True):
    """How far a sink has been handed its outboxes: all of those before `epoch`, and the first `rows` of that one."""

    epoch: int
    rows: int


class StateFile(msgspec.Struct, frozen=True, kw_only=True):
    """One snapshot file, `path` relative to the control prefix."""

    epoch: int
    path: str
    sha256: str
    bytes: int


class OperatorState(msgspec.Struct, frozen=True, kw_only=True):
    """How to restore one operator: the full snapshot, then the deltas in order. `digest` is order-free."""

    full: StateFile | None = None
    deltas: list[StateFile] = msgspec.field(default_factory=list)
    digest: str = ""


class Writer(msgspec.Struct, frozen=True, kw_only=True):
    """Who wrote a record; `fence` is the epoch of the open record that made it the owner."""

    id: str
    host: str
    pid: int
    fence: int


class Fingerprint(msgspec.Struct, frozen=True, kw_only=True):
    """What the results depend on: the canonical query (kept whole for a field-level diff) and its digest.

    `tolerances` may change at any restart; they are kept because floors move with them.
    """

    semantic: str
    query: dict[str, object]
    engine: str
    tzdata: str
    tolerances: dict[str, int] = msgspec.field(default_factory=dict)


class SourceIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """Which cluster and which incarnation of each topic the offsets belong to."""

    cluster_id: str | None = None
    topic_ids: dict[str, str | None] = msgspec.field(default_factory=dict)


class Wakeup(msgspec.Struct, frozen=True, kw_only=True):
    """An idle partition woke up at `offset` and joined at `floor_us`."""

    source: str
    topic: str
    partition: int
    offset: int
    floor_us: int


class ForcedClose(msgspec.Struct, frozen=True, kw_only=True):
    """Windows closed other than by the watermark; `partitions` (source, topic, partition) or None for all."""

    label: str
    partitions: list[tuple[str, str, int]] | None = None


class Retracted(msgspec.Struct, frozen=True, kw_only=True):
    """A published file that a reset takes back: `dst` is relative to the sink's root. No later file ever has its name."""

    sink: str
    dst: str


class Reset(msgspec.Struct, frozen=True, kw_only=True):
    """How a record goes back, or elsewhere.

    ``in_place`` and ``generation`` go on from the state and the offsets of record `to`, -1 being the beginning: the records in
    between no longer count. ``in_place`` takes back their files, `retracted`; ``generation`` leaves them and writes to
    tables of its own. ``positions`` keeps the state and all results, and only reads on from other offsets.
    """

    how: Literal["in_place", "generation", "positions"]
    to: int
    retracted: list[Retracted] = msgspec.field(default_factory=list)


class EpochRange(NamedTuple):
    """Epochs ``[start, stop)``."""

    start: int
    stop: int


RecordKind = Literal["open", "data", "compact", "reset", "reconfig", "close", "retire"]


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The durable truth about one epoch; its creation is the only commit point.

    `sha256` is the digest of the record's own bytes before that field; `prev` that of the record before.
    `acked` says, per sink, up to which epoch everything is published; `delivered` what a sink with outboxes is known to
    have, which it says itself too. `changes` tells, in a `reconfig` record, what its fingerprint changes about that of the
    record before, a line each. `generation` is which tables its outputs are in: 0 those that the configuration names, else
    those that the run with this fence made for a reset. `seals`, in a `compact` record, are files beside a table, relative to
    its sealed root, that hold what the files of past epochs hold; `sealed` says, per sink, of which epochs.
    """

    v: int = 1
    kind: RecordKind
    job: str
    incarnation: str
    epoch: int
    prev: str
    writer: Writer
    fingerprint: Fingerprint
    epoch_time_us: int
    sources: dict[str, SourceIdentity] = msgspec.field(default_factory=dict)
    inputs: list[Input] = msgspec.field(default_factory=list)
    watermark_us: int | None = None
    wakeups: list[Wakeup] = msgspec.field(default_factory=list)
    state: dict[str, OperatorState] = msgspec.field(default_factory=dict)
    outputs: list[StagedFile] = msgspec.field(default_factory=list)
    outbox: list[Outbox] = msgspec.field(default_factory=list)
    bq: list[dict[str, object]] = msgspec.field(default_factory=list)
    acked: dict[str, int] = msgspec.field(default_factory=dict)
    delivered: dict[str, Delivered] = msgspec.field(default_factory=dict)
    forced: list[ForcedClose] = msgspec.field(default_factory=list)
    changes: list[str] = msgspec.field(default_factory=list)
    reset: Reset | None = None
    generation: int = 0
    seals: list[StagedFile] = msgspec.field(default_factory=list)
    sealed: dict[str, list[EpochRange]] = msgspec.field(default_factory=dict)
    horizon: int = 0
    sha256: str = ""

    @property
    def balance(self) -> Balance:
        return sum((part.balance for part in self.inputs), Balance())


# ---- settings that cross rooms ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Bounds:
    """When one `Source.read` returns: at the first bound reached. Seconds are of a monotonic clock."""

    rows: int = 100_000
    bytes: int = 64 * 1024 * 1024
    seconds: float = 0.2


@dataclass(frozen=True, slots=True)
class PartitionInfo:
    """What a source knows of a partition now: records exist in ``[low, high)``, readable below `stable`."""

    low: int
    high: int
    stable: int
    topic_id: str | None = None
    leader_epoch: int = -1


@dataclass(frozen=True, slots=True)
class Discovery:
    """What a source can see now."""

    cluster_id: str | None
    partitions: Mapping[SourcePartition, PartitionInfo]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at an epoch; every staging name holds its unique `id`, so no try ever meets another's files."""

    job: str
    epoch: int
    id: str

    def folder(self, kind: str) -> str:
        """Where files of `kind` ("staging", "state", "outbox") go, relative to the control prefix."""
        return f"{kind}/{self.epoch:020d}/{self.id}"


def check_name(kind: str, name: str) -> str:
    """Return `name` if it is safe in paths, ids and metrics, else raise `ConfigError`."""
    if not name.replace("_", "").replace("-", "").isalnum() or not name.isascii() or len(name) > 100:
        raise ConfigError(f"{kind} name {name!r}: use ASCII letters, digits, '_' and '-', at most 100")
    return name
