"""A window operator in plain Python: a dictionary, a loop and no tricks. Its only aim is to be obviously right."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from arrowflow.errors import ConfigError, PromiseBroken, StateRefused
from arrowflow.types import MIN_US, Closed, Folded, LateRows, Reject, RowBatch, SourcePartition
from arrowflow.windows.plan import CLOSED_BY

_MAX_US = 2**63 - 1
_CORRECTION = "correction"
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
    correct_for_us : int or None
        How long a window that was given out can still be corrected; None is never.
    """

    size_us: int
    key: str = "k"
    column: str = "v"
    allowed_lateness_us: int = 0
    scope: Literal["pipeline", "partition"] = "pipeline"
    correct_for_us: int | None = None

    @property
    def identity(self) -> tuple[str, ...]:
        return (self.key, "window_start", "window_end")

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
            **({} if self.correct_for_us is None else {"correct_for_us": self.correct_for_us}),
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
    """What a window holds; `feeder` is None where windows wait for all partitions.

    A window that can be corrected stays after it was given out as `revision`, first by the epoch `home`; `news` says
    that it holds rows which no revision showed.
    """

    feeder: SourcePartition | None
    rows: int = 0
    total: int | None = None
    revision: int = 0
    home: int = -1
    news: bool = False


@dataclass(frozen=True, slots=True)
class _Row:
    """One row of a batch and the window it belongs to."""

    place: int
    name: _Name
    value: int | None


@dataclass(slots=True)
class _Judged:
    """The rows of a batch by their fate."""

    on_time: list[_Row] = field(default_factory=list)  # or late and not beyond correction
    late: list[_Row] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)


_FEEDER = pa.struct(
    [pa.field("source", pa.string()), pa.field("topic", pa.string()), pa.field("partition", pa.int32())]
)
_COUNTS: list[pa.Field[Any]] = [pa.field("feeder", _FEEDER), pa.field("rows", pa.int64())]
_NAME: list[pa.Field[Any]] = [pa.field("key", pa.string()), pa.field("window_start_us", pa.int64())]
_TOTAL = pa.field("total", pa.string())  # a sum of many int64 may not be one
_GIVEN: list[pa.Field[Any]] = [
    pa.field("revision", pa.int64()),
    pa.field("home", pa.int64()),
    pa.field("news", pa.bool_()),
]
_STATE = pa.schema([*_NAME, *_COUNTS, _TOTAL, *_GIVEN], {"arrowflow.state": "naive"})
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
        return len(self._open())

    @property
    def folded_rows(self) -> int:
        return sum(pane.rows for pane in self._panes.values())

    @property
    def oldest_home(self) -> int | None:
        return min((pane.home for pane in self._panes.values() if pane.revision and self._corrects), default=None)

    # ---- folding and closing -----------------------------------------------------------------------------------

    def fold(self, batch: RowBatch) -> Folded:
        judged = self._judge(batch)
        if self._spec.scope == "partition":
            self._check_promise(judged.on_time, batch.partition)
        self._met.add(batch.partition)
        for row in judged.on_time:
            self._add(row, batch.partition)
        return Folded(len(judged.on_time), self._late_rows(judged.late), rejects=tuple(judged.rejects))

    def close(self, clocks: Mapping[SourcePartition, int], watermark_us: int, epoch: int = -1) -> Closed:
        clock = {name: self._clock(pane, clocks, watermark_us) for name, pane in self._panes.items()}
        reached = [name for name in self._open() if self._waits_until(name) <= clock[name]]
        corrected = [name for name, pane in self._panes.items() if pane.revision and pane.news]
        closed = self._give_out([*reached, *corrected], "watermark", epoch)
        done = [name for name in self._panes if self._is_done(name, clock[name])]
        return replace(closed, folded_rows=self._forget(done))

    def close_fed_by(self, partitions: Sequence[SourcePartition] | None, label: str, epoch: int = -1) -> Closed:
        if partitions is not None and self._spec.scope == "pipeline":
            raise ConfigError('naive operator: windows of single partitions close only under scope = "partition"')
        names = [name for name in self._open() if partitions is None or self._panes[name].feeder in partitions]
        floors: dict[SourcePartition, int] = {}
        for name in names:
            feeder = self._panes[name].feeder
            for part in self._met if feeder is None else [feeder]:
                floors[part] = max(floors.get(part, MIN_US), self._waits_until(name))
        reach_us = max(map(self._waits_until, names), default=MIN_US)
        closed = self._give_out(names, label, epoch)
        left = 0 if self._corrects else self._forget(names)
        return replace(closed, folded_rows=left, floors=floors, reach_us=reach_us)

    def interim(self) -> pa.Table:
        return _table([self._result(name, None) for name in sorted(self._open())], self.output_schema())

    @property
    def _corrects(self) -> bool:
        return self._spec.correct_for_us is not None

    def _open(self) -> list[_Name]:
        return [name for name, pane in self._panes.items() if not pane.revision]

    def _is_done(self, name: _Name, clock_us: int) -> bool:
        """Whether a window was given out and no row can correct it any more."""
        patience_us = self._spec.correct_for_us or 0
        return self._panes[name].revision > 0 and self._waits_until(name) + patience_us <= clock_us

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
            elif self._waits_until(name) + (self._spec.correct_for_us or 0) <= clock_us:
                judged.late.append(row)
            else:
                judged.on_time.append(row)
        return judged

    def _check_promise(self, rows: Iterable[_Row], partition: SourcePartition) -> None:
        owner = {name.value: self._panes[name].feeder for name in self._open()}
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
        pane.news = True
        self._touched.add(row.name)

    def _late_rows(self, late: Sequence[_Row]) -> LateRows | None:
        if not late:
            return None
        return LateRows(
            np.array([row.place for row in late], np.int64),
            np.array([row.name.start_us for row in late], np.int64),
            np.array([self._end_us(row.name) for row in late], np.int64),
            "beyond_correction" if self._corrects else "behind_clock",
        )

    def _end_us(self, name: _Name) -> int:
        return name.start_us + self._spec.size_us

    def _waits_until(self, name: _Name) -> int:
        """The clock at which a window takes no more rows."""
        return min(_MAX_US, self._end_us(name) + self._spec.allowed_lateness_us)

    @staticmethod
    def _clock(pane: _Pane, clocks: Mapping[SourcePartition, int], watermark_us: int) -> int:
        return watermark_us if pane.feeder is None else clocks.get(pane.feeder, MIN_US)

    def _give_out(self, names: Iterable[_Name], label: str, epoch: int) -> Closed:
        rows: list[tuple[object, ...]] = []
        revisions, homes = [], []
        for name in sorted(names):
            pane = self._panes[name]
            homes.append(pane.home if pane.revision else -1)
            pane.home = pane.home if pane.revision else epoch
            pane.revision, pane.news = pane.revision + 1, False
            revisions.append(pane.revision)
            rows.append(self._result(name, label if pane.revision == 1 else _CORRECTION))
            self._touched.add(name)
        table = _table(rows, self.output_schema())
        if not self._corrects:
            return Closed(table, 0, len(rows))
        revision, home = np.array(revisions, np.int64), np.array(homes, np.int64)
        return Closed(table, 0, len(rows), revision=revision, home=home)

    def _result(self, name: _Name, label: str | None) -> tuple[object, ...]:
        pane = self._panes[name]
        return (name.value, name.start_us, self._end_us(name), pane.rows, pane.total, label)

    def _forget(self, names: Iterable[_Name]) -> int:
        """Take windows out of the state; how many rows leave with them."""
        rows = 0
        for name in names:
            rows += self._panes.pop(name).rows
            self._gone.add(name)
            self._touched.discard(name)
        return rows

    # ---- telling and restoring ---------------------------------------------------------------------------------

    def delta(self) -> pa.Table:
        gone = [(name.value, name.start_us, *[None] * (len(_STATE) - len(_NAME)), True) for name in sorted(self._gone)]
        told = [(*self._row(name), False) for name in sorted(self._touched)]
        self._gone, self._touched = set(), set()
        return _table([*gone, *told], _DELTA)

    def snapshot(self) -> pa.Table:
        return _table([self._row(name) for name in sorted(self._panes)], _STATE)

    def parts(self) -> Iterator[pa.Table]:
        self.delta()
        whole = self.snapshot()
        return iter([whole.slice(0, 1), whole.slice(1)])

    def restore(self, full: pa.Table | Sequence[pa.Table] | None, deltas: Sequence[pa.Table]) -> None:
        self._panes, self._touched, self._gone, self._met = {}, set(), set(), set()
        for table in [*([full] if isinstance(full, pa.Table) else full or ()), *deltas]:
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
        total = None if pane.total is None else str(pane.total)
        given = (pane.revision, pane.home, pane.news)
        return (name.value, name.start_us, feeder, pane.rows, total, *given)

    def _load(self, row: Mapping[str, Any]) -> None:
        name = _Name(row["window_start_us"], row["key"] is None, row["key"] or "")
        if row.get("gone"):
            self._panes.pop(name, None)
            return
        feeder = None if row["feeder"] is None else SourcePartition(**row["feeder"])
        total = None if row["total"] is None else int(row["total"])
        given = (row["revision"], row["home"], row["news"])
        self._panes[name] = _Pane(feeder, row["rows"], total, *given)


def _table(rows: Sequence[Sequence[object]], schema: pa.Schema) -> pa.Table:
    columns = [[row[place] for row in rows] for place in range(len(schema))]
    arrays: list[pa.Array[Any]] = []
    for values, each in zip(columns, schema, strict=True):
        # Not by way of Python's datetime, whose years end where int64 does not.
        whole = pa.array(values, pa.int64()) if pa.types.is_timestamp(each.type) else pa.array(values, each.type)
        arrays.append(whole.view(each.type) if pa.types.is_timestamp(each.type) else whole)
    return pa.Table.from_arrays(arrays, schema=schema)
