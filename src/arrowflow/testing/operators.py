"""A window operator in plain Python: a dictionary, a loop and no tricks. Its only aim is to be obviously right."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from arrowflow.errors import ConfigError, PromiseBroken, StateRefused
from arrowflow.types import MIN_US, Closed, Folded, LateRows, Reject, RowBatch, SourcePartition
from arrowflow.windows.plan import CLOSED_BY

_MAX_US = 2**63 - 1
_UTC = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True, slots=True)
class NaiveOperatorSpec:
    """The `OperatorSpec` protocol for tests: ``n`` rows and ``total`` of one column per key and tumbling window.

    Its results are those of a `WindowSpec` with ``Tumbling(size_us)``, one key, a count and a sum.

    Parameters
    ----------
    size_us : int
        Window size; windows start at multiples of it.
    key : str
        A string column; null is a key of its own.
    column : str
        An int64 column; ``total`` is null where a window holds no value.
    allowed_lateness_us : int
        How long a window waits after its end.
    scope : "pipeline" or "partition"
        Whether a window waits for all partitions, or only for the one that feeds its key.
    """

    size_us: int
    key: str = "k"
    column: str = "v"
    allowed_lateness_us: int = 0
    scope: Literal["pipeline", "partition"] = "pipeline"

    def build(self, schema: pa.Schema) -> NaiveOperator:
        """Make the operator; raises `ConfigError` if a column is missing or of another type."""
        for name, kind in ((self.key, pa.string()), (self.column, pa.int64())):
            found = schema.field(name).type if name in schema.names else "absent"
            if found != kind:
                raise ConfigError(f"naive operator: column {name!r} is {found}, it must be {kind}")
        return NaiveOperator(self)

    def fingerprint(self) -> Mapping[str, object]:
        return {
            "kind": "naive",
            "size_us": self.size_us,
            "key": self.key,
            "column": self.column,
            "scope": self.scope,
        }


@dataclass(frozen=True, order=True, slots=True)
class _Name:
    """A window of a key, in the order in which results come out: by start, then key, null last."""

    start_us: int
    is_null: bool
    key: str

    @property
    def value(self) -> str | None:
        return None if self.is_null else self.key


@dataclass(slots=True)
class _Pane:
    """What an open window holds; `feeder` is None where windows wait for all partitions."""

    feeder: SourcePartition | None
    rows: int = 0
    total: int | None = None


@dataclass(frozen=True, slots=True)
class _Row:
    """One row of a batch and the window it belongs to."""

    place: int
    name: _Name
    value: int | None


@dataclass(slots=True)
class _Judged:
    """The rows of a batch by their fate."""

    on_time: list[_Row] = field(default_factory=list)
    late: list[_Row] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)


_FEEDER = pa.struct(
    [pa.field("source", pa.string()), pa.field("topic", pa.string()), pa.field("partition", pa.int32())]
)
_COUNTS: list[pa.Field[Any]] = [pa.field("feeder", _FEEDER), pa.field("rows", pa.int64())]
_NAME: list[pa.Field[Any]] = [pa.field("key", pa.string()), pa.field("window_start_us", pa.int64())]
_TOTAL = pa.field("total", pa.string())  # a sum of many int64 may not be one
_STATE = pa.schema([*_NAME, *_COUNTS, _TOTAL], {"arrowflow.state": "naive"})
_DELTA = _STATE.append(pa.field("gone", pa.bool_()))


class NaiveOperator:
    """The working part: open windows by name, and which of them the next delta has to tell."""

    def __init__(self, spec: NaiveOperatorSpec) -> None:
        self._spec = spec
        self._panes: dict[_Name, _Pane] = {}
        self._touched: set[_Name] = set()
        self._gone: set[_Name] = set()
        self._met: set[SourcePartition] = set()

    def output_schema(self) -> pa.Schema:
        bounds = [pa.field("window_start", _UTC), pa.field("window_end", _UTC)]
        results = [pa.field("n", pa.int64()), pa.field("total", pa.int64())]
        texts = [pa.field(name, pa.string()) for name in (self._spec.key, CLOSED_BY)]
        fields: list[pa.Field[Any]] = [texts[0], *bounds, *results, texts[1]]
        return pa.schema(fields)

    @property
    def open_windows(self) -> int:
        return len(self._panes)

    @property
    def folded_rows(self) -> int:
        return sum(pane.rows for pane in self._panes.values())

    # ---- folding and closing -----------------------------------------------------------------------------------

    def fold(self, batch: RowBatch) -> Folded:
        judged = self._judge(batch)
        if self._spec.scope == "partition":
            self._check_promise(judged.on_time, batch.partition)
        self._met.add(batch.partition)
        for row in judged.on_time:
            self._add(row, batch.partition)
        return Folded(len(judged.on_time), self._late_rows(judged.late), tuple(judged.rejects))

    def close(self, clocks: Mapping[SourcePartition, int], watermark_us: int, epoch: int = -1) -> Closed:
        reached = [
            name
            for name, pane in self._panes.items()
            if self._waits_until(name) <= self._clock(pane, clocks, watermark_us)
        ]
        return self._give_out(reached, "watermark")

    def close_fed_by(self, partitions: Sequence[SourcePartition] | None, label: str, epoch: int = -1) -> Closed:
        if partitions is not None and self._spec.scope == "pipeline":
            raise ConfigError('naive operator: windows of single partitions close only under scope = "partition"')
        names = [name for name, pane in self._panes.items() if partitions is None or pane.feeder in partitions]
        floors: dict[SourcePartition, int] = {}
        for name in names:
            feeder = self._panes[name].feeder
            for part in self._met if feeder is None else [feeder]:
                floors[part] = max(floors.get(part, MIN_US), self._waits_until(name))
        reach_us = max(map(self._waits_until, names), default=MIN_US)
        closed = self._give_out(names, label)
        return Closed(closed.table, closed.folded_rows, closed.windows, floors, reach_us)

    def _judge(self, batch: RowBatch) -> _Judged:
        judged = _Judged()
        keys = batch.table.column(self._spec.key).to_pylist()
        values = batch.table.column(self._spec.column).to_pylist()
        for place, (key, value) in enumerate(zip(keys, values, strict=True)):
            event_us, clock_us = int(batch.event_us[place]), int(batch.clock_us[place])
            name = _Name(event_us // self._spec.size_us * self._spec.size_us, key is None, key or "")
            row = _Row(place, name, value)
            if name.start_us < MIN_US or self._end_us(name) > _MAX_US:
                why = f"event time {event_us} µs: its window does not fit into 64 bits"
                judged.rejects.append(Reject(int(batch.row[place]), "out_of_range", why))
            elif self._end_us(name) + self._spec.allowed_lateness_us <= clock_us:
                judged.late.append(row)
            else:
                judged.on_time.append(row)
        return judged

    def _check_promise(self, rows: Iterable[_Row], partition: SourcePartition) -> None:
        owner = {name.value: pane.feeder for name, pane in self._panes.items()}
        for row in rows:
            other = owner.get(row.name.value, partition)
            if other != partition:
                raise PromiseBroken(f"key {row.name.value!r} came from {partition} while {other} feeds its windows")

    def _add(self, row: _Row, partition: SourcePartition) -> None:
        feeder = partition if self._spec.scope == "partition" else None
        pane = self._panes.setdefault(row.name, _Pane(feeder))
        pane.rows += 1
        if row.value is not None:
            pane.total = row.value + (pane.total or 0)
        self._touched.add(row.name)

    def _late_rows(self, late: Sequence[_Row]) -> LateRows | None:
        if not late:
            return None
        return LateRows(
            np.array([row.place for row in late], np.int64),
            np.array([row.name.start_us for row in late], np.int64),
            np.array([self._end_us(row.name) for row in late], np.int64),
        )

    def _end_us(self, name: _Name) -> int:
        return name.start_us + self._spec.size_us

    def _waits_until(self, name: _Name) -> int:
        """The clock at which a window takes no more rows."""
        return min(_MAX_US, self._end_us(name) + self._spec.allowed_lateness_us)

    @staticmethod
    def _clock(pane: _Pane, clocks: Mapping[SourcePartition, int], watermark_us: int) -> int:
        return watermark_us if pane.feeder is None else clocks.get(pane.feeder, MIN_US)

    def _give_out(self, names: Iterable[_Name], label: str, epoch: int = -1) -> Closed:
        rows: list[tuple[object, ...]] = []
        folded = 0
        for name in sorted(names):
            pane = self._panes.pop(name)
            folded += pane.rows
            rows.append((name.value, name.start_us, self._end_us(name), pane.rows, pane.total, label))
            self._gone.add(name)
            self._touched.discard(name)
        return Closed(_table(rows, self.output_schema()), folded, len(rows))

    # ---- telling and restoring ---------------------------------------------------------------------------------

    def delta(self) -> pa.Table:
        gone = [(name.value, name.start_us, None, None, None, True) for name in sorted(self._gone)]
        told = [(*self._row(name), False) for name in sorted(self._touched)]
        self._gone, self._touched = set(), set()
        return _table([*gone, *told], _DELTA)

    def snapshot(self) -> pa.Table:
        return _table([self._row(name) for name in sorted(self._panes)], _STATE)

    def restore(self, full: pa.Table | None, deltas: Sequence[pa.Table]) -> None:
        self._panes, self._touched, self._gone, self._met = {}, set(), set(), set()
        for table in [*([] if full is None else [full]), *deltas]:
            if table.schema not in (_STATE, _DELTA):
                raise StateRefused(f"the state has columns {table.column_names}, wanted {_STATE.names}")
            rows = table.to_pylist()
            for row in sorted(rows, key=lambda row: not row.get("gone")):
                self._load(row)

    def digest(self) -> str:
        rows = repr([self._row(name) for name in sorted(self._panes)])
        return hashlib.sha256(rows.encode()).hexdigest()

    def _row(self, name: _Name) -> tuple[object, ...]:
        pane = self._panes[name]
        feeder = None if pane.feeder is None else dict(sorted(pane.feeder._asdict().items()))
        return (name.value, name.start_us, feeder, pane.rows, None if pane.total is None else str(pane.total))

    def _load(self, row: Mapping[str, Any]) -> None:
        name = _Name(row["window_start_us"], row["key"] is None, row["key"] or "")
        if row.get("gone"):
            self._panes.pop(name, None)
            return
        feeder = None if row["feeder"] is None else SourcePartition(**row["feeder"])
        total = None if row["total"] is None else int(row["total"])
        self._panes[name] = _Pane(feeder, row["rows"], total)


def _table(rows: Sequence[Sequence[object]], schema: pa.Schema) -> pa.Table:
    columns = [[row[place] for row in rows] for place in range(len(schema))]
    arrays: list[pa.Array[Any]] = []
    for values, each in zip(columns, schema, strict=True):
        # Not by way of Python's datetime, whose years end where int64 does not.
        whole = pa.array(values, pa.int64()) if pa.types.is_timestamp(each.type) else pa.array(values, each.type)
        arrays.append(whole.view(each.type) if pa.types.is_timestamp(each.type) else whole)
    return pa.Table.from_arrays(arrays, schema=schema)
