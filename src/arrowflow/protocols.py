"""The doors between rooms: what the engine asks of everything it does not own.

Two kinds of door. A *spec* is a frozen description that lives in a `Pipeline`; its `build` makes the working
part for one run. The working parts below hold connections and state and belong to that run alone.
Every protocol has a public in-memory fake and a conformance suite in `arrowflow.testing`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, TypeVar, runtime_checkable

from arrowflow.failpoints import Failpoints
from arrowflow.types import (
    I64,
    Attempt,
    Bounds,
    Closed,
    Decoded,
    Delivered,
    Discovery,
    Fetched,
    Folded,
    Manifest,
    Outbox,
    RawBatch,
    Reject,
    RowBatch,
    SourcePartition,
    StagedFile,
)

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


Duty = Literal["read", "decode", "commit"]
"""What a helper of a run is for: to fetch ahead, to decode ahead, or to make true what was cut."""
Result = TypeVar("Result", covariant=True)
Change = Literal["insert", "replace", "interim"]
"""What a row is to its reader: the first result of a window, a later revision of it, or what it would give now."""


class Clock(Protocol):
    """Processing time. The window core never sees one."""

    def now_us(self) -> int:
        """Wall time in microseconds since Unix time zero; goes into records, never into results."""

    def monotonic(self) -> float:
        """Seconds that never go back; for timers."""

    def sleep(self, seconds: float) -> None:
        """Wait at most 0.2 s at a time, so that a stop is noticed."""


class Task(Protocol[Result]):
    """A piece of work that a helper was given."""

    @property
    def is_over(self) -> bool:
        """Whether `result` would not wait."""

    def result(self) -> Result:
        """Wait for the end of the work; return what it gave, or raise what it raised, as often as one asks."""


class Helper(Protocol):
    """Does work beside the thread that gives it, one piece at a time, in the order given."""

    def start(self, work: Callable[[], Result]) -> Task[Result]:
        """Take a piece of work and return at once."""

    def close(self) -> None:
        """Wait for the work given and end; safe to call twice."""


class Machine(Protocol):
    """Where a run is, who helps it, and what it takes from chance: names nobody else has, and pauses no two runs share."""

    @property
    def host(self) -> str:
        """The name other writers know this machine by."""

    @property
    def pid(self) -> int:
        """The number of the process that asks."""

    def runs(self, pid: int) -> bool:
        """Whether a process of this machine lives; True where that cannot be said."""

    def new_name(self) -> str:
        """32 hexadecimal digits that nobody was given before."""

    def between(self, low: float, high: float) -> float:
        """Any number from `low` to `high`."""

    def helper(self, duty: Duty) -> Helper:
        """Somebody who works beside the run."""

    def give_back_memory(self) -> None:
        """Let the system have what allocators keep for later. Asked often; does it as often as it pays."""


class Observer(Protocol):
    """Hears what a run does, one event at a time; must not raise and must not block."""

    def notice(self, event: object) -> None:
        """Take one of the frozen events of `arrowflow.events`."""


@dataclass(frozen=True, slots=True)
class RunContext:
    """What belongs to one run and is handed to each part it builds.

    `clusters` holds the addresses of brokers that a part of this run started, by the name descriptions give them.
    """

    job: str
    clock: Clock
    observer: Observer
    failpoints: Failpoints
    control: Control
    clusters: dict[str, str] = field(default_factory=dict)


@runtime_checkable
class Store(Protocol):
    """Objects with atomic creation. Paths are absolute; content appears whole or not at all."""

    def create(self, path: str, data: bytes) -> int | None:
        """Make `path` durable with `data`; raise `AlreadyExists` if the name is taken, whatever it holds.

        Returns the object's generation, where a request may arrive a second time long after it was answered, and None where
        a call that has returned is over for good.
        """

    def read(self, path: str) -> bytes:
        """Return the whole content; raise `ObjectMissing`."""

    def list(self, prefix: str, after: str = "") -> list[str]:
        """Return the paths above `after` under the folder `prefix`, recursively, ascending; uncached; empty if none.

        Folders that can hold no path above `after` are not opened, so the newest records cost little to list.
        """

    def move_once(self, source: str, target: str, *, generation: int | None = None) -> None:
        """Atomically rename; raise `AlreadyExists` if `target` exists (a half-done move of the same object is completed), `ObjectMissing` if `source` does not.

        With the `generation` that `create` gave, another object under the name of `source` is none.
        """

    def replace_once(self, source: str, target: str, *, was: str, becomes: str, generation: int | None = None) -> None:
        """Atomically let `target`, whose bytes have the CRC-32C `was`, be the object `source`, which uses that name up.

        At every instant `target` holds all of the old bytes or all of the new ones, whose CRC-32C is `becomes`. A target
        that holds those already is done, and a `source` left over is removed. Whoever sleeps inside this call for
        however long changes nothing once another has done the same: there is only one `source`, with that `generation` if one
        is given.

        Raises `AlreadyExists` if `target` holds other bytes than these two, `ObjectMissing` if there is no `target`, or
        it holds the old bytes and there is no `source`.
        """

    def delete(self, path: str) -> None:
        """Remove `path`; a missing one is no error."""

    def probe(self, folders: Sequence[str]) -> None:
        """Raise `ConfigError` if objects cannot be created in the first folder, or not moved from it to the others.

        Only the first, the control prefix, is written to: a table root never holds a name of ours that is not committed.
        """


@runtime_checkable
class Folders(Protocol):
    """What a store offers beside, if it can: names of folders alone, and the end of those that were emptied."""

    def folders(self, prefix: str) -> Sequence[str]:
        """Return the folders directly under the folder `prefix`, ascending; uncached; empty if there are none."""

    def prune(self, path: str, below: str) -> None:
        """Remove the folder that held `path`, and those above it up to, not including, `below`, as far as they are empty."""


@dataclass(frozen=True, slots=True)
class Control:
    """The control prefix of a job in its store: every relative `src` or state path of a record is under it."""

    store: Store
    prefix: str

    def path(self, relative: str) -> str:
        return f"{self.prefix}/{relative}"


class Source(Protocol):
    """Replayable records. Its position is an argument, so a failed attempt just reads again.

    One call is made at a time, but for `discover` and `acknowledge`: they may be called while another thread reads.
    """

    name: str

    def discover(self) -> Discovery:
        """Look at the cluster now: every partition of the subscribed topics. Raises `DataLossError` for a missing topic."""

    def start_offsets(self, partitions: Sequence[SourcePartition]) -> Mapping[SourcePartition, int]:
        """Where the very first start begins, by the configured `start`. Never called once a record exists."""

    def remember(self, leader_epoch: Mapping[SourcePartition, int]) -> None:
        """Take the leader epochs of the newest record before the first `read`: a log truncated since then is data loss.

        Sources without epochs ignore it; -1 is none.
        """

    def read(self, after: Mapping[SourcePartition, int], bounds: Bounds) -> Fetched:
        """Return the next records at or after the given next-offsets, up to the first bound; may be empty.

        Partitions not in `after` are not read. Every returned range starts at ``after[partition]`` and stops at
        the position reached, which counts offsets that hold no visible record. Raises `DataLossError` with the
        wanted and available range when offsets are gone, `RetryableError` when trying again may help.
        """

    def acknowledge(self, positions: Mapping[SourcePartition, int], note: str) -> None:
        """Tell lag tools what is published. Never read back for recovery; failures are noticed, not raised."""

    def close(self) -> None:
        """Let go of connections; safe to call twice."""


@runtime_checkable
class Acknowledged(Protocol):
    """A source that can say what was told to lag tools; never where to go on, only whether our records are old ones."""

    def acknowledged(self, partitions: Sequence[SourcePartition]) -> Mapping[SourcePartition, tuple[int, str]]:
        """Return offset and note of the last `acknowledge` of each partition, by whichever run; none where there was none."""


class Decoder(Protocol):
    """Bytes to typed columns, one row per record always."""

    @property
    def schema(self) -> pa.Schema:
        """The columns of `Decoded.table`."""

    def decode(self, batch: RawBatch) -> Decoded:
        """Decode every record; never raises for the content of one."""


class Transform(Protocol):
    """A pure, row-wise step: a row's outcome depends on that row alone."""

    @property
    def name(self) -> str:
        """The reason counted for rows it filters."""

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        """The columns after it; raises `ConfigError` if it cannot run on `schema`."""

    def apply(self, table: pa.Table) -> tuple[pa.Table, np.ndarray]:
        """Return (rows kept, keep mask bool[n]) for a table of n rows, in order."""


class Operator(Protocol):
    """A stateful step; today a window or a pass-through. State is changed in place by `fold` and `close`."""

    def output_schema(self) -> pa.Schema:
        """The columns of `Closed.table` and `Folded.passed`."""

    def fold(self, batch: RowBatch) -> Folded:
        """Fold rows of one partition into the state. Raises `PromiseBroken`; never closes anything."""

    def close(self, clocks: Mapping[SourcePartition, int], watermark_us: int, epoch: int = -1) -> Closed:
        """Close windows that no row on time can still change.

        `clocks` are per partition, floors included; `watermark_us` is never above an active partition's clock;
        `epoch` is the one that gives them out, which the late policy "correct" remembers.
        """

    def close_fed_by(self, partitions: Sequence[SourcePartition] | None, label: str, epoch: int = -1) -> Closed:
        """Close the open windows those partitions fed (all windows for None) with `label`; returns floors to raise."""

    def interim(self) -> pa.Table:
        """What every open window would give now, in the columns of `output_schema`; changes nothing."""

    def delta(self) -> pa.Table:
        """State rows touched since the last call, with tombstones for rows that are gone; forgets what it told."""

    def snapshot(self) -> pa.Table:
        """The whole state as one Arrow table with a documented schema."""

    def parts(self) -> Iterator[pa.Table]:
        """The snapshot in tables of some ten thousand rows, at least one; all of it counts as told, as after `delta`.

        The state must not change before the last part is taken. So a large state is written without being there twice.
        """

    def restore(self, full: pa.Table | Sequence[pa.Table] | None, deltas: Sequence[pa.Table]) -> None:
        """Replace the state; last writer wins. Raises `StateRefused` for a table of another schema.

        Both may come in parts, a delta's one after the other, and be read from their files as they are asked for.
        """

    def digest(self) -> str:
        """Order-free digest of the state, equal across processes and versions."""

    @property
    def open_windows(self) -> int:
        """How many panes are open."""

    @property
    def folded_rows(self) -> int:
        """How many folded rows the open state holds: the sum of its row counts, recounted."""

    @property
    def oldest_home(self) -> int | None:
        """The oldest epoch that gave out a window which can still be corrected; None if there is no such window."""


class Sink(Protocol):
    """Where rows leave. Staging is invisible; publishing is an idempotent redo of what a record says."""

    name: str

    @property
    def location(self) -> str | None:
        """The folder of the table as the store names it; None for a sink that is no folder."""

    def stage(self, attempt: Attempt, table: pa.Table) -> tuple[StagedFile, ...]:
        """Write `table` under the attempt's staging folder and describe each file; visible to no reader."""

    def split(self, table: pa.Table) -> Iterator[tuple[dict[str, str | None], pa.Table]]:
        """Yield the parts of `table` that go to one file each: its `StagedFile.partition`, and its rows as they lie there."""

    def rewrite(
        self, attempt: Attempt, number: int, newest: StagedFile, rows: pa.Table, identity: Sequence[str]
    ) -> StagedFile:
        """Stage the next revision of a published file, with `rows` in the place of those of equal `identity`.

        `newest` is how the newest record that wrote the file describes it, `number` is unique in the attempt, and `rows`
        is a part as `split` gives it. What is replaced stays readable under the control prefix. Raises `DataLossError` if
        the file does not hold the recorded bytes or not those rows, `ObjectMissing` if it is gone.
        """

    def publish(self, files: Sequence[StagedFile], later: Sequence[StagedFile] = ()) -> None:
        """Give each file its final name, once; a file of which one in `later` (of newer records) is there now is done.

        Raises `ObjectMissing` if neither name holds its bytes, `DataLossError` if the final one holds nobody's.
        """

    def holds_files(self) -> bool:
        """Whether the table already holds rows; asked once, before the very first record."""

    def refusals(self, table: pa.Table) -> tuple[Reject, ...]:
        """Rows of `table` (by index) whose results this sink could never take; asked before they are folded."""


@runtime_checkable
class KeepsRevisions(Protocol):
    """A sink that keeps, under the control prefix, what its corrections take the place of."""

    def kept(self, file: StagedFile) -> str | None:
        """Where the rows that `file` took the place of are kept, relative to the control prefix; None if it replaced nothing."""


@runtime_checkable
class Seals(Protocol):
    """A sink that can put small files together into larger ones, in a folder of their own beside the table."""

    @property
    def seal_us(self) -> int | None:
        """Length of the intervals of processing time that are sealed once they are over; None for never."""

    @property
    def sealed_location(self) -> str:
        """The folder of sealed files as the store names it."""

    def seal(self, attempt: Attempt, files: Sequence[StagedFile]) -> tuple[StagedFile, ...]:
        """Stage one file for each partition with all rows of `files`, which are published; `dst` is relative to `sealed_location`.

        Raises `DataLossError` if one does not hold the recorded bytes, `ObjectMissing` if it is gone.
        """

    def publish_sealed(self, files: Sequence[StagedFile]) -> None:
        """Give each staged file its name in `sealed_location`, once; raises as `Sink.publish`."""


@runtime_checkable
class Outlet(Protocol):
    """Where rows leave that is no folder: a topic. An epoch's rows wait in an outbox until its record exists.

    It keeps a marker of its own, changed in the same step that shows rows to readers, so that delivering what a record
    says may be done again at any time. Order matters: `fence`, then a look at the log, then `reached`, then `deliver`.
    """

    name: str

    def stage(self, attempt: Attempt, table: pa.Table) -> Outbox | None:
        """Write the rows as an outbox under the attempt's folder; None if there are none. No reader sees anything."""

    @property
    def is_fenced_in(self) -> bool:
        """Whether `fence` has made this run the only producer, as far as it knows."""

    def fence(self, incarnation: str) -> None:
        """Become the only producer of this sink; what an earlier one left unfinished is undone or finished by then."""

    def reached(self) -> tuple[Delivered, str] | None:
        """What the marker says, with the digest of the record it was written for; None if there is none."""

    def search(self) -> Delivered | None:
        """Look through what readers see for how far it was delivered; None if that cannot be told for certain."""

    def holds_records(self) -> bool:
        """Whether readers see records of a job of this name from another life; asked before its very first marker."""

    def settle(self, reached: Delivered, digest: str) -> None:
        """Write the marker alone, for the record with `digest`: the first one, or one that was lost."""

    def deliver(self, outbox: Outbox, reached: Delivered, manifest: Manifest) -> Iterator[Delivered]:
        """Show the rows of `outbox` behind `reached` to readers, part by part, and yield the marker after each.

        Raises `OutletTaken` when another producer was fenced in, `RetryableError` when the call may be made again
        after `fence`, `ObjectMissing` if the outbox is gone, `DataLossError` if it does not hold the recorded bytes.
        """

    def restore(self, outbox: Outbox, reached: Delivered, manifest: Manifest) -> int:
        """Show rows of `outbox` before `reached` again that readers no longer have; return how many. Raises as `deliver`."""

    def keep_alive(self) -> None:
        """Write the marker again if it has been silent for so long that the cluster might forget it some day."""

    def refusals(self, table: pa.Table) -> tuple[Reject, ...]:
        """Rows of `table` (by index) whose results this sink could never take; asked before they are folded."""

    def close(self) -> None:
        """Let go of connections; safe to call twice."""


@runtime_checkable
class Revertible(Protocol):
    """A sink whose published files can be put back as they were before a correction."""

    def revert(self, attempt: Attempt, number: int, newest: StagedFile, revision: int) -> StagedFile:
        """Stage, as the file's next revision, the rows that its `revision` held, once `newest` of it is published.

        Raises `ObjectMissing` if that revision was not kept, `DataLossError` if the file is not what `newest` says.
        """


class CommitLog(Protocol):
    """The append-only list of records; creating one is the only commit point."""

    def epochs_after(self, epoch: int) -> list[int]:
        """Record numbers above `epoch`, ascending, listed uncached; -1 lists all."""

    def newest(self) -> int | None:
        """Number of the newest record, at a cost that does not grow with the number of records; None without one."""

    def epochs_below(self, epoch: int) -> list[int]:
        """Record numbers below `epoch` that are still there, ascending."""

    def remove(self, epoch: int) -> None:
        """Delete a record that a committed one has announced as collected; a missing one is no error."""

    def read(self, epoch: int) -> Manifest:
        """Return a record whose own digest was verified. Raises `ObjectMissing` or `DataLossError`."""

    def append(self, manifest: Manifest) -> Manifest:
        """Create the record if its number is free and return it with its `sha256`.

        Raises `Fenced` if another writer's record has the number, `CommitUnknown` if the outcome cannot be read.
        A number taken by the same bytes is success: the first reply was lost.
        """

    def check(self, epoch: int) -> None:
        """Raise `Fenced` if any record above `epoch` exists."""

    def incarnation(self, *, create: bool) -> str | None:
        """The uuid in ``job.json``, which is created once and never again; None if absent and not created."""


# ---- specs: the immutable descriptions a Pipeline is made of ------------------------------------------------


class SourceSpec(Protocol):
    """Describes a source."""

    def build(self, name: str, context: RunContext) -> Source:
        """Connect."""

    def fingerprint(self) -> Mapping[str, object]:
        """What results depend on; no addresses, sizes or credentials."""


class DecoderSpec(Protocol):
    """Describes a decoder."""

    def build(self) -> Decoder:
        """Compile."""

    def fingerprint(self) -> Mapping[str, object]:
        """What results depend on."""


class OperatorSpec(Protocol):
    """Describes a window or pass-through."""

    @property
    def allowed_lateness_us(self) -> int:
        """Patience per window beyond its end; may change at a restart, so it is not in the fingerprint."""

    @property
    def identity(self) -> tuple[str, ...]:
        """Result columns that tell one window's row from every other: keys and bounds. Empty where rows have no name."""

    def build(self, schema: pa.Schema) -> Operator:
        """Make an operator over rows of `schema`; raises `ConfigError` if it cannot run on them."""

    def fingerprint(self) -> Mapping[str, object]:
        """What results depend on."""


class SinkSpec(Protocol):
    """Describes a sink."""

    @property
    def takes(self) -> frozenset[Change]:
        """The kinds of change it can take in; "insert" alone for a sink that only ever adds."""

    def placed_by(self, schema: pa.Schema) -> frozenset[str]:
        """Columns of `schema` that decide where a row lies: a change of one of them would move the row."""

    def build(self, name: str, schema: pa.Schema, context: RunContext) -> Sink:
        """Plan for tables of `schema`; raises `ConfigError` if it cannot take them."""

    def fingerprint(self) -> Mapping[str, object]:
        """What results depend on, the root included."""


class OutletSpec(Protocol):
    """Describes an outlet; as a `SinkSpec`, but for what it builds."""

    @property
    def takes(self) -> frozenset[Change]:
        """The kinds of change it can take in."""

    def placed_by(self, schema: pa.Schema) -> frozenset[str]:
        """Columns of `schema` that decide where a row goes: a later revision must go there too."""

    def build(self, name: str, schema: pa.Schema, context: RunContext) -> Outlet:
        """Plan for tables of `schema`; raises `ConfigError` if it cannot take them. Connects to nothing."""

    def fingerprint(self) -> Mapping[str, object]:
        """What results depend on, the topic included."""


@runtime_checkable
class Generational(Protocol):
    """A sink's description that can name tables of its own for a generation; 0 is what the configuration says."""

    def in_generation(self, generation: int) -> SinkSpec:
        """Describe the same sink in the tables of that generation."""


class LogSpec(Protocol):
    """Describes where records and staging live."""

    def build(self, failpoints: Failpoints) -> tuple[CommitLog, Control]:
        """Open the store; creates nothing."""


class Calendar(Protocol):
    """Named civil-time windows per key value; computed outside the window core, which sees arrays."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Names that `CalendarTable.label` indexes; "off" where a plant is closed."""

    @property
    def has_holes(self) -> bool:
        """Whether a window may have intervals "off" inside its bounds; then tables tell the bounds of windows."""

    def table(self, key: str | None, from_us: int, to_us: int) -> CalendarTable | None:
        """Boundaries covering ``[from_us, to_us)`` for one key value; None if it has no calendar."""

    def fingerprint(self) -> Mapping[str, object]:
        """Rules and zones, for the semantic fingerprint."""


class CivilTime(Protocol):
    """Local date and hour per key value: what a sink needs to derive path columns without knowing calendars."""

    @property
    def key(self) -> str:
        """Name of the column whose value picks the zone."""

    def civil(self, key: str | None, us: I64) -> tuple[np.ndarray, np.ndarray]:
        """Return (days since 1970-01-01 int32[n], hour 0-23 int32[n]) in that key's zone; UTC for an unknown key."""

    def fingerprint(self) -> Mapping[str, object]:
        """Zones, for the semantic fingerprint."""


class SampleStream(Protocol):
    """A deterministic stream an embedded broker is filled with once, keyed by `digest`."""

    @property
    def digest(self) -> str:
        """Changes when any record would."""

    @property
    def partitions(self) -> Mapping[str, int]:
        """Topic to its number of partitions."""

    def records(self) -> Iterator[SampleRecord]:
        """All records, in the order they are produced."""


class SampleRecord(NamedTuple):
    """One record to produce: `timestamp_ms` is its create time, a None value a tombstone."""

    topic: str
    partition: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None


@dataclass(frozen=True, slots=True)
class CalendarTable:
    """Consecutive intervals ``[start_us[i], start_us[i + 1])`` of one key value, every instant in exactly one.

    Parameters
    ----------
    start_us : int64[m + 1]
        Strictly ascending; the last is the end of interval m - 1.
    label : int32[m]
        Index into `Calendar.labels`.
    production_day : int32[m]
        Days since 1970-01-01 of the civil day that the window of each interval is named by.
    window_start_us, window_end_us : int64[m] or None
        Bounds of the window each interval is part of: a shift with a break has two intervals with the same bounds,
        and between them an interval "off" with its own. None where each interval is a window.
    """

    start_us: I64
    label: np.ndarray
    production_day: np.ndarray
    window_start_us: I64 | None = None
    window_end_us: I64 | None = None

    def windows(self) -> tuple[I64, I64]:
        """Bounds of the window each interval is part of, int64[m] each."""
        if self.window_start_us is None or self.window_end_us is None:
            return self.start_us[:-1], self.start_us[1:]
        return self.window_start_us, self.window_end_us
