"""Rows as frames of every library, for tests of the library face. Judges nothing."""

from __future__ import annotations

import datetime as dt

import duckdb
import polars as pl
import pyarrow as pa

UTC = pa.timestamp("us", tz="UTC")
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
SCHEMA = pa.schema(
    [
        pa.field("line", pa.string()),
        pa.field("speed", pa.float64()),
        pa.field("ts", UTC),
        pa.field("part", pa.int64()),
    ]
)


def at(second):
    return EPOCH + dt.timedelta(seconds=second)


def table(rows):
    """(line, speed, second, partition) as a table; a second of None is no time."""
    lines, speeds, seconds, parts = zip(*rows, strict=True) if rows else ((), (), (), ())
    us = [None if second is None else int(second * 1_000_000) for second in seconds]
    columns = [pa.array(lines, pa.string()), pa.array(speeds, pa.float64()), pa.array(us, pa.int64()).view(UTC)]
    return pa.table([*columns, pa.array(parts, pa.int64())], schema=SCHEMA)


def as_duckdb(rows):
    connection = duckdb.connect()
    connection.execute("set timezone = 'America/Monterrey'")
    connection.register("rows", rows)
    return connection.sql("select * from rows")


FORMS = {
    "table": lambda rows: rows,
    "polars": pl.from_arrow,
    "polars categories": lambda rows: pl.from_arrow(rows).with_columns(pl.col("line").cast(pl.Categorical)),
    "polars another zone": lambda rows: pl.from_arrow(rows).with_columns(
        pl.col("ts").dt.convert_time_zone("America/Tijuana").dt.cast_time_unit("ms")
    ),
    "duckdb": as_duckdb,
    "reader": lambda rows: rows.to_reader(),
    "batch": lambda rows: pa.RecordBatch.from_arrays(
        [column.combine_chunks() for column in rows.columns], schema=rows.schema
    ),
    "structs": lambda rows: rows.to_struct_array().combine_chunks(),
    "large and encoded": lambda rows: (
        rows.set_column(0, "line", rows["line"].cast(pa.large_string()))
        .set_column(3, "part", rows["part"].cast(pa.int32()))
        .set_column(0, "line", rows["line"].dictionary_encode())
    ),
    "chunks": lambda rows: pa.concat_tables([rows.slice(0, 1), rows.slice(1)]),
}
