"""A pipeline tried on rows in memory: the real engine between a source and sinks that touch no broker and no disk."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import msgspec
import pyarrow as pa

from arrowflow.api.frames import Frame, find, groups, in_type, near, table_of, takeable
from arrowflow.api.messages import DecodedSpec, RowsSpec, records_of
from arrowflow.api.spans import instant_us
from arrowflow.engine import start
from arrowflow.errors import ConfigError
from arrowflow.pipeline import Checkpoint, Emit, EventTime, Pipeline, RunOptions, SinkNode, SourceNode, Stream
from arrowflow.protocols import Change, Outlet, OutletSpec, RunContext, Sink, SinkSpec
from arrowflow.testing.clock import ManualClock
from arrowflow.testing.commitlogs import MemoryLogSpec
from arrowflow.testing.sinks import MemorySink, MemorySinkSpec
from arrowflow.types import Balance, Reject
from arrowflow.windows.arrays import nulls

Message: TypeAlias = Mapping[str, Any] | bytes | str | None
Part: TypeAlias = Frame | Sequence[Message]
Rows: TypeAlias = Part | Mapping[int, Part]
"""A frame of decoded rows, a list of messages, or a mapping of partition numbers to either."""

_OWN = ("__af_epoch", "__af_kind", "__af_revision")
_STREAMS: tuple[Stream, ...] = ("rows", "late", "dead")


@dataclass(frozen=True, slots=True, repr=False)
class Trial:
    """What came of the rows.

    Parameters
    ----------
    rows : Table
        Result rows, without the columns that say how a row was committed.
    late : Table
        Late rows, with their place, reason and window.
    dead_letters : Table
        Refused messages, with their place, reason and bytes.
    balance : Balance
        Where every row went; the engine has checked that it adds up.
    """

    rows: pa.Table
    late: pa.Table
    dead_letters: pa.Table
    balance: Balance

    def __repr__(self) -> str:
        filtered = sum(self.balance.filtered.values())
        return (
            f"<Trial: {self.balance.read} rows read, {self.balance.folded} folded, {filtered} filtered, "
            f"{self.late.num_rows} late, {self.dead_letters.num_rows} dead letters; {self.rows.num_rows} rows out>"
        )


def run_trial(
    pipeline: Pipeline,
    rows: Rows,
    *,
    partition: str | None = None,
    close_open_windows: bool = True,
    now: dt.datetime | int | None = None,
) -> Trial:
    """Run `pipeline` over `rows` and return what its tables would hold; see `arrowflow.Pipeline.test`."""
    schema = pipeline.source.decoder.build().schema
    topic = _dealt(rows, partition, schema, pipeline.source)
    kept = {stream: _Kept(stream) for stream in _STREAMS}
    log = MemoryLogSpec()
    trial = replace(
        pipeline,
        source=topic,
        event_time=_event_time(pipeline, now),
        operator=replace(pipeline.operator, late="side") if pipeline.operator.late == "drop" else pipeline.operator,
        sinks=tuple(_sink(stream, each, pipeline) for stream, each in kept.items()),
        emit=Emit(),
        checkpoint=Checkpoint(log, max_epoch_rows=2**62, max_epoch_bytes=2**62),
    )
    options = RunOptions(until_caught_up=True, close_open_windows=close_open_windows)
    clock = ManualClock() if now is None else ManualClock(instant_us("now", now))
    balance = start(trial, options, clock=clock).result().balance
    tables = {stream: each.table(log) for stream, each in kept.items()}
    own = [name for name in _OWN if name in tables["rows"].column_names]
    return Trial(
        rows=tables["rows"].drop_columns(own),
        late=tables["late"].drop_columns("__af_epoch"),
        dead_letters=tables["dead"].drop_columns("__af_epoch"),
        balance=balance,
    )


def _event_time(pipeline: Pipeline, now: dt.datetime | int | None) -> EventTime | None:
    """Without a `now` no row is from the future: what a trial gives must not depend on when it is run."""
    event = pipeline.event_time
    return event if event is None or now is not None else replace(event, max_future_skew_us=None)


# ---- rows to a topic --------------------------------------------------------------------------------------


def _dealt(rows: Rows, partition: str | None, schema: pa.Schema, node: SourceNode) -> SourceNode:
    """Return a source that holds `rows`, with no limit to how many of them are wrong."""
    given = _by_partition(rows, partition)
    if all(_is_messages(part) for part in given.values()):
        messages = {number: records_of(_bytes(part, node)) for number, part in given.items()}
        return replace(node, spec=RowsSpec(messages), max_error_rate=1.0)
    if any(_is_messages(part) for part in given.values()):
        raise ConfigError("rows: some partitions are frames and others lists of messages; give all of one kind")
    tables = {number: _decoded(table_of(part), schema, partition) for number, part in given.items()}
    records = {number: records_of(pa.nulls(table.num_rows, pa.binary())) for number, table in tables.items()}
    return replace(node, spec=RowsSpec(records), decoder=DecodedSpec(tables, schema), max_error_rate=1.0)


def _is_messages(part: object) -> bool:
    return isinstance(part, Sequence) and not isinstance(part, (str, bytes))


def _by_partition(rows: Rows, partition: str | None) -> dict[int, Any]:
    """Return the parts by partition number; text values of a column are numbered as they first appear."""
    if isinstance(rows, Mapping):
        if partition is not None or not rows or not all(isinstance(number, int) and number >= 0 for number in rows):
            raise ConfigError(
                "rows: a mapping goes from partition numbers to rows, without `partition`; for a single row write a list, "
                "for a dictionary of columns pa.table(columns)"
            )
        return dict(sorted(rows.items()))
    if partition is None:
        return {0: rows}
    if isinstance(rows, Sequence):
        return _numbered(_messages_by(partition, rows))
    table = takeable(table_of(rows))
    places = groups(partition, find("partition", partition, table))
    return _numbered({name: table.take(pa.array(index, pa.int64())) for name, index in places})


def _messages_by(partition: str, messages: Sequence[Message]) -> dict[Any, list[Message]]:
    found: dict[Any, list[Message]] = {}
    for message in messages:
        if not isinstance(message, Mapping) or partition not in message:
            raise ConfigError(
                f"partition: {message!r} has no member {partition!r}; give a mapping of partition numbers to messages"
            )
        found.setdefault(message[partition], []).append(message)
    return found


def _numbered(named: Mapping[Any, Any]) -> dict[int, Any]:
    if None in named:
        raise ConfigError("partition: null in some rows; every row needs a partition")
    if all(isinstance(name, int) and 0 <= name < 2**31 for name in named):
        return dict(sorted(named.items()))
    return dict(enumerate(named.values()))


def _bytes(messages: Sequence[Message], node: SourceNode) -> pa.Array[pa.BinaryScalar]:
    """Messages as a broker holds them; dictionaries become JSON."""
    json = node.decoder.fingerprint().get("format") == "json"
    encode = msgspec.json.Encoder(decimal_format="number").encode
    values: list[bytes | None] = []
    for place, message in enumerate(messages):
        if isinstance(message, Mapping) and json:
            values.append(encode(message))
        elif isinstance(message, str):
            values.append(message.encode())
        elif message is None or isinstance(message, bytes):
            values.append(message)
        else:
            raise ConfigError(
                f"rows: message {place} is {message!r}; give bytes, text, None for a tombstone"
                f"{', or a dictionary' if json else ''}; for decoded rows give a frame"
            )
    return pa.array(values, pa.binary())


def _decoded(table: pa.Table, schema: pa.Schema, partition: str | None) -> pa.Table:
    """Rows in the types of the source's schema; columns that are missing are null, ones nobody knows are refused."""
    for name in table.column_names:
        if name not in schema.names and name != partition:
            known = ", ".join(schema.names)
            raise ConfigError(f"rows: column {name!r} is not in the source's schema{near(name, schema.names)}: {known}")
    columns = [
        in_type(field.name, find("rows", field.name, table), field.type)
        if field.name in table.column_names
        else nulls(table.num_rows, field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


# ---- tables out of it -------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Kept:
    """What one stream's sink was planned for, so that a table without rows has columns too."""

    stream: Stream
    schema: pa.Schema | None = None

    @property
    def root(self) -> str:
        return f"/memory/{self.stream}"

    def table(self, log: MemoryLogSpec) -> pa.Table:
        table = MemorySinkSpec(self.root).table(log.store)
        if table is not None:
            return table
        return pa.table({}) if self.schema is None else self.schema.empty_table()


@dataclass(frozen=True, slots=True)
class _TrialSinkSpec(MemorySinkSpec):
    """A sink in memory that refuses what the pipeline's own sinks would refuse."""

    kept: _Kept = field(default_factory=lambda: _Kept("rows"))
    judges: Mapping[str, SinkSpec | OutletSpec] = field(default_factory=dict)

    @property
    def takes(self) -> frozenset[Change]:
        return frozenset(MemorySinkSpec().takes).intersection(*(spec.takes for spec in self.judges.values()))

    def placed_by(self, schema: pa.Schema) -> frozenset[str]:
        return frozenset().union(*(spec.placed_by(schema) for spec in self.judges.values()))

    def build(self, name: str, schema: pa.Schema, context: RunContext) -> _TrialSink:
        self.kept.schema = schema
        judges = tuple(spec.build(own, schema, context) for own, spec in self.judges.items())
        return _TrialSink(name, self.root, context, judges)


@dataclass(slots=True)
class _TrialSink(MemorySink):
    """The working part: only `refusals` is asked of the judges."""

    judges: tuple[Sink | Outlet, ...] = ()

    def refusals(self, table: pa.Table) -> tuple[Reject, ...]:
        found = {reject.row: reject for judge in self.judges for reject in judge.refusals(table)}
        return tuple(found[row] for row in sorted(found))


def _sink(stream: Stream, kept: _Kept, pipeline: Pipeline) -> SinkNode:
    judges = {node.name: node.spec for node in pipeline.sinks if node.stream == stream == "rows"}
    return SinkNode(stream, _TrialSinkSpec(kept.root, kept, judges), stream)
