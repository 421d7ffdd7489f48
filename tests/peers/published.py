"""Runs what other engines publish as examples: rows and watermarks, in their order, one by one. Knows no engine."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

import arrowflow as af

US = pa.timestamp("us", "UTC")
MILLISECOND, SECOND, MINUTE, HOUR = 1_000, 1_000_000, 60_000_000, 3_600_000_000


@dataclass(frozen=True)
class Watermark:
    """Flink's: no row at or before this millisecond is still to come. Our clock then stands one millisecond later."""

    ms: int


@dataclass
class Told:
    """What came out: rows of (keys, start, end, values) in microseconds, those of each watermark, and who was late."""

    rows: list[tuple] = field(default_factory=list)
    by_watermark: dict[int, list[tuple]] = field(default_factory=dict)
    late: list[int] = field(default_factory=list)
    missed: list[int] = field(default_factory=list)


def run(
    window: object,
    events: Sequence[Mapping[str, object] | Watermark],
    aggregate: Mapping[str, str],
    *,
    types: Mapping[str, pa.DataType],
    by: Sequence[str] = (),
    delay: int | None = None,
    lateness: int = 0,
) -> Told:
    """Push row by row.

    `delay` is how far the clock runs behind the newest row; without it the clock stands still but for watermarks, as in
    a test that gives each watermark by hand. Windows still open at the end come last.
    """
    held = 1000 * HOUR  # further than any example reaches
    operator = af.WindowOperator(
        window,
        by,
        aggregate,
        time="t",
        max_out_of_orderness=held if delay is None else delay,
        allowed_lateness=lateness,
    )
    schema = pa.schema({"t": US, **types})
    told = Told()
    for event in events:
        if isinstance(event, Watermark):
            out = rows_of(operator.advance((event.ms + 1) * MILLISECOND), by, aggregate)
            told.by_watermark[event.ms] = out
        else:
            out = rows_of(operator.push(pa.Table.from_pylist([dict(event)], schema=schema)), by, aggregate)
            for late in operator.late.to_pylist():
                place = told.missed if late["_reason"] == "missed_windows" else told.late
                place.append(us(late["t"]))
        told.rows += out
    told.rows += rows_of(operator.finish(), by, aggregate)
    return told


def rows_of(table: pa.Table, by: Sequence[str], aggregate: Mapping[str, str]) -> list[tuple]:
    """Closed windows as tuples."""
    if table.num_columns == 0:
        return []
    names = [*by, "window_start", "window_end", *aggregate]
    return [tuple(us(v) if isinstance(v, dt.datetime) else v for v in row.values()) for row in picked(table, names)]


def picked(table: pa.Table, names: Sequence[str]) -> list[dict]:
    """These columns, row by row."""
    return table.select(names).to_pylist()


def us(instant: dt.datetime) -> int:
    """Microseconds since 1970."""
    return (instant - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)


def at(text: str) -> int:
    """An instant as the examples print it, UTC: ``2020-04-15 08:05`` or longer."""
    return us(dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC))


def cells(table: str) -> list[list[str | None]]:
    """A printed table: a line per row, cells between bars, ``null`` for null."""
    lines = [line.strip() for line in table.strip().splitlines()]
    return [[None if cell.strip() == "null" else cell.strip() for cell in line.split("|")] for line in lines]
