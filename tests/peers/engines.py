"""Asks each engine for the same windows over the same rows. Compares nothing."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pyarrow as pa
from tests.oracles.windows import Row
from tests.peers.asked import AGGREGATES, DUCKDB, NAMES, SPARK, columns, select
from tests.peers.readings import KEYS, SCHEMA, table_of, write
from tests.unit.windows.drive import Drive, Outcome, partition_of

from arrowflow.windows.spec import Aggregate, WindowSpec

BATCH = 97
"""Rows in a batch of ours; no multiple of anything."""


# ---- arrowflow ----------------------------------------------------------------------------------------------


def ours(
    window: object, files: Sequence[Sequence[Row]], tolerance: int, lateness: int = 0, aggregates=AGGREGATES
) -> Drive:
    """Fold rows in order of arrival, a file after the other, and close after each by the watermark."""
    drive = Drive(WindowSpec(window, KEYS, tuple(aggregates), lateness), SCHEMA, tolerance)
    drive.know(partition_of(row) for rows in files for row in rows)
    for rows in files:
        for start in range(0, len(rows), BATCH):
            for partition in sorted({row.partition for row in rows}):
                part = [row for row in rows[start : start + BATCH] if row.partition == partition]
                if part:
                    drive.fold(part)
        drive.close()
    return drive


def rows_of(outcome: Outcome, names: Sequence[str] = NAMES) -> list[tuple]:
    """Result rows with what is compared."""
    return [tuple(row[name] for name in columns(names)) for row in outcome.results]


# ---- DuckDB -------------------------------------------------------------------------------------------------

_BOUNDS = "epoch_us(ws), epoch_us(we)"
_BY = "GROUP BY site, line, ws, we"


def us(length: int) -> str:
    """An interval in both dialects."""
    return f"INTERVAL '{length} microseconds'"


def duck(rows: Sequence[Row], query: str) -> list[tuple]:
    """Run a query over `readings`."""
    with duckdb.connect() as connection:
        table = table_of(rows)
        connection.register("readings", table.set_column(0, "t", table["t"].cast(pa.timestamp("us"))))
        return connection.sql(query).fetchall()


def duck_tumbling(size: int, aggregates: Sequence[Aggregate] = AGGREGATES, origin: int = 0) -> str:
    """Buckets from the origin on; without the third argument they would start on a Monday in 2000."""
    zero = f"TIMESTAMP '1970-01-01' + {us(origin)}"
    return f"""
        WITH placed AS (
            SELECT *, time_bucket({us(size)}, t, {zero}) AS ws, ws + {us(size)} AS we FROM readings)
        SELECT site, line, {_BOUNDS}, {select(DUCKDB, aggregates)} FROM placed {_BY}"""


def duck_hopping(size: int, hop: int, aggregates: Sequence[Aggregate] = AGGREGATES) -> str:
    """The newest window of each row and those before it that still hold it."""
    return f"""
        WITH placed AS (
            SELECT readings.*, time_bucket({us(hop)}, t, TIMESTAMP '1970-01-01') - k * {us(hop)} AS ws,
                ws + {us(size)} AS we
            FROM readings, generate_series(0, {-(-size // hop)}) AS hops(k))
        SELECT site, line, {_BOUNDS}, {select(DUCKDB, aggregates)} FROM placed WHERE t < we {_BY}"""


def duck_cumulative(size: int, step: int, aggregates: Sequence[Aggregate] = AGGREGATES) -> str:
    """Each row in every step of its bucket that ends after it."""
    return f"""
        WITH placed AS (
            SELECT readings.*, time_bucket({us(size)}, t, TIMESTAMP '1970-01-01') AS ws, ws + k * {us(step)} AS we
            FROM readings, generate_series(1, {size // step}) AS steps(k))
        SELECT site, line, {_BOUNDS}, {select(DUCKDB, aggregates)} FROM placed WHERE t < we {_BY}"""


def duck_session(gap: int, aggregates: Sequence[Aggregate] = AGGREGATES) -> str:
    """Islands: a row further than the gap from the one before starts a session, and a running sum numbers them."""
    return f"""
        WITH stepped AS (
            SELECT *, t - lag(t) OVER key > {us(gap)} AS starts FROM readings
            WINDOW key AS (PARTITION BY site, line ORDER BY t)),
        numbered AS (
            SELECT *, count(*) FILTER (starts) OVER (PARTITION BY site, line ORDER BY t) AS number FROM stepped)
        SELECT site, line, epoch_us(min(t)), epoch_us(max(t) + {us(gap)}), {select(DUCKDB, aggregates)}
        FROM numbered GROUP BY site, line, number"""


def duck_sliding(size: int, closed: str, aggregates: Sequence[Aggregate]) -> str:
    """SQL's RANGE holds both ends, and all rows of equal time."""
    back = us(size if closed == "both" else size - 1)
    over = {each.name: f"{DUCKDB[each.function]} OVER behind" for each in aggregates} | {
        "sum_big": "(sum(big) OVER behind)::DECIMAL(38, 0)",
        "min_z": "CASE WHEN bool_or(isnan(z)) OVER behind THEN 'NaN'::DOUBLE ELSE min(z) OVER behind END",
    }
    listed = select(DUCKDB | over, aggregates)
    return f"""
        SELECT site, line, epoch_us(t - {us(size)}), epoch_us(t), {listed} FROM readings
        WINDOW behind AS (PARTITION BY site, line ORDER BY t RANGE BETWEEN {back} PRECEDING AND CURRENT ROW)"""


# ---- Spark --------------------------------------------------------------------------------------------------


def tumbling(size: int) -> str:
    """Spark's name for a window; so are the next two."""
    return f"window(t, '{size} microseconds')"


def hopping(size: int, hop: int, origin: int = 0) -> str:
    return f"window(t, '{size} microseconds', '{hop} microseconds', '{origin} microseconds')"


def session(gap: int) -> str:
    return f"session_window(t, '{gap} microseconds')"


def asked_of_spark(window: str, table: str, aggregates: Sequence[Aggregate] = AGGREGATES) -> str:
    """The query; `table` is a view, streaming or not."""
    return f"""
        SELECT site, line, unix_micros(w.start) AS ws, unix_micros(w.end) AS we, {", ".join(a.name for a in aggregates)}
        FROM (SELECT site, line, {window} AS w, {select(SPARK, aggregates)} FROM {table} GROUP BY site, line, {window})"""


def spark_batch(
    spark: object, rows: Sequence[Row], window: str, folder: Path, aggregates: Sequence[Aggregate] = AGGREGATES
) -> list[tuple]:
    """Ask over one Parquet file."""
    write(rows, str(folder / "batch.parquet"))
    spark.read.parquet(str(folder / "batch.parquet")).createOrReplaceTempView("readings")
    return [tuple(row) for row in spark.sql(asked_of_spark(window, "readings", aggregates)).collect()]


def spark_stream(
    spark: object,
    files: Sequence[Sequence[Row]],
    window: str,
    folder: Path,
    delay: int,
    aggregates: Sequence[Aggregate] = AGGREGATES,
) -> list[tuple]:
    """Ask over files that come one by one, each a batch of its own, and end when all are read (`availableNow`)."""
    inbox = folder / "inbox"
    inbox.mkdir(parents=True)
    for number, rows in enumerate(files):
        path = inbox / f"{number:04}.parquet"
        write(rows, str(path))
        os.utime(path, (1_700_000_000 + number,) * 2)  # the source takes them by their age
    stream = spark.readStream.schema(_spark_schema(spark, inbox)).option("maxFilesPerTrigger", 1).parquet(str(inbox))
    stream.withWatermark("t", f"{delay} microseconds").createOrReplaceTempView("arriving")
    query = (
        spark.sql(asked_of_spark(window, "arriving", aggregates))
        .writeStream.format("memory")
        .queryName("closed")
        .outputMode("append")
        .option("checkpointLocation", str(folder / "checkpoint"))
        .trigger(availableNow=True)
        .start()
    )
    query.awaitTermination()
    return [tuple(row) for row in spark.table("closed").collect()]


def _spark_schema(spark: object, inbox: Path) -> object:
    return spark.read.parquet(str(inbox)).schema
