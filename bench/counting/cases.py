"""The work whose kernels are counted: each case does the same to n rows, so that the difference of two sizes is that of rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from arrowflow.calendars.plant import PlantCalendar
from arrowflow.decoders.json import JsonSpec
from arrowflow.decoders.schema import Field
from arrowflow.sources.kafka.wire.batches import cut
from arrowflow.sources.kafka.wire.sheet import Sheet, columns
from arrowflow.testing.kafka import WireRecord, packed_batch
from arrowflow.types import MIN_US, RawBatch, RowBatch, SourcePartition
from arrowflow.windows.spec import Aggregate, CalendarWindow, Hopping, Session, Tumbling, WindowSpec

Work = Callable[[], object]
Case = Callable[[int], Work]
"""Prepares the work on n rows; what it prepares is not counted."""

HERE = SourcePartition("bench", "events", 0)
MINUTE_US, HOUR_US = 60_000_000, 3_600_000_000
KEYS = 9
MONDAY_US = 1_767_571_200_000_000
"""2026-01-05 00:00 UTC."""
SCHEMA = pa.schema([("key", pa.string()), ("value", pa.float64())])
AGGREGATES = (Aggregate("n", "count", None), Aggregate("total", "sum", "value"))


def rows(n: int, *, coded: bool, spread_us: int, keys: int = KEYS) -> RowBatch:
    """Rows of one partition in the order of their times over `spread_us`; times, keys and values repeat from run to run."""
    dice = np.random.default_rng(7)
    code = dice.integers(0, keys, n).astype(np.int32)
    code[: min(n, keys)] = np.arange(min(n, keys))
    names = pa.array([f"sensor-{number:05d}" for number in range(keys)])
    key: pa.Array[Any] = pa.DictionaryArray.from_arrays(code, names)
    table = pa.table({"key": key if coded else key.cast(pa.string()), "value": dice.random(n)})
    event_us = MONDAY_US + np.sort(dice.integers(0, spread_us, n))
    nothing = pa.nulls(n, pa.binary())
    raw = RawBatch(HERE, np.arange(n), event_us, np.zeros(n, np.bool_), nothing, nothing)
    return RowBatch(raw, np.arange(n), table, event_us, np.full(n, MIN_US))


def folding(spec: WindowSpec, *, coded: bool, spread_us: int) -> Case:
    """Folding n rows into panes that are open already."""

    def prepare(n: int) -> Work:
        operator, batch = spec.build(SCHEMA), rows(n, coded=coded, spread_us=spread_us)
        operator.fold(batch)
        return lambda: operator.fold(batch)

    return prepare


def closing(spec: WindowSpec, *, spread_us: int) -> Case:
    """Closing what n keys with a row each left open."""

    def prepare(n: int) -> Work:
        operator = spec.build(SCHEMA)
        operator.fold(rows(n, coded=True, spread_us=spread_us, keys=n))
        return lambda: operator.close_fed_by(None, "end")

    return prepare


def learning(n: int) -> Work:
    """Folding n rows whose keys are new, each with a pane of its own."""
    operator = WindowSpec(Tumbling(MINUTE_US), ("key",), AGGREGATES).build(SCHEMA)
    first, batch = rows(1, coded=False, spread_us=MINUTE_US), rows(n, coded=False, spread_us=MINUTE_US, keys=n)
    operator.fold(first)
    return lambda: operator.fold(batch)


def telegram(number: int) -> bytes:
    """A telegram of nine fields, all numbers of as many digits in every one."""
    return (
        b'{"id":%09d,"plant":"P%d","line":"L%02d","sensor":"temp-%04d","value":%d.%03d,"unit":"C","quality":%d,"ok":true,"ts":%d}'
        % (
            100_000_000 + number,
            number % 3,
            number % 40,
            number % 997,
            20 + number % 60,
            number * 7919 % 1000,
            100 + number % 900,
            1_767_571_200_000 + number,
        )
    )


FIELDS = {
    "id": "int64", "plant": "string", "line": "string", "sensor": "string", "value": "float64", "unit": "string",
    "quality": "int64", "ok": "bool", "ts": "timestamp[ms]",
}  # fmt: skip


def decoding(n: int) -> Work:
    """Reading n telegrams of a pattern that is known."""
    decoder = JsonSpec(tuple(Field(name, kind) for name, kind in FIELDS.items())).build()
    nothing = pa.nulls(n, pa.binary())
    values = pa.array([telegram(number) for number in range(n)], pa.binary())
    batch = RawBatch(HERE, np.arange(n), np.zeros(n, np.int64), np.zeros(n, np.bool_), nothing, values)
    decoder.decode(batch)
    return lambda: decoder.decode(batch)


def walking(n: int) -> Work:
    """Walking one record batch of n records and copying keys and values out."""
    records = [WireRecord(telegram(number), b"key-%04d" % (number % 997)) for number in range(n)]
    data = np.frombuffer(packed_batch(0, records), np.uint8)
    sheet = Sheet(2**30)

    def work() -> object:
        sheet.clear(kept=False)
        return columns([sheet.add(batch) for batch in cut(data, [], 0).batches])

    return work


def cases() -> dict[str, tuple[Case, int]]:
    """Every case by name, and a number of rows at which its kernels do what they do at any larger one."""
    calendar = PlantCalendar(
        "key", {f"sensor-{n:05d}": "Europe/Berlin" for n in range(KEYS)}, {"A": "06:00-18:00", "B": "18:00-06:00"}
    )
    tumbling = WindowSpec(Tumbling(30 * MINUTE_US), ("key",), AGGREGATES)
    hopping = WindowSpec(Hopping(30 * MINUTE_US, 5 * MINUTE_US), ("key",), AGGREGATES)
    session = WindowSpec(Session(HOUR_US), ("key",), AGGREGATES)
    shifts = WindowSpec(CalendarWindow(calendar.for_unit("shift"), "key", "shift"), ("key",), AGGREGATES)
    return {
        "tumbling: fold": (folding(tumbling, coded=True, spread_us=HOUR_US), 32),
        "tumbling: close": (closing(tumbling, spread_us=HOUR_US // 2), 16),
        "hopping: fold": (folding(hopping, coded=True, spread_us=10 * MINUTE_US), 32),
        "hopping: close": (closing(hopping, spread_us=5 * MINUTE_US), 4),
        "session: fold": (folding(session, coded=True, spread_us=HOUR_US // 2), 32),
        "calendar: fold": (folding(shifts, coded=True, spread_us=24 * HOUR_US), 32),
        "keys as text: fold": (folding(tumbling, coded=False, spread_us=HOUR_US), 16),
        "keys never seen: fold": (learning, 16),
        "json: decode": (decoding, 8),
        "kafka: walk a batch": (walking, 16),
    }
