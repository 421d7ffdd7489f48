"""Tumbling windows, count and one exact float sum per key, beside polars' eager group_by; closing and emission included."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from arrowflow.types import MIN_US, RawBatch, RowBatch, SourcePartition
from arrowflow.windows.spec import Aggregate, Tumbling, WindowSpec

HERE = SourcePartition("bench", "events", 0)
MINUTE_US = 60_000_000
SCHEMA = pa.schema([("key", pa.string()), ("value", pa.float64())])


@pytest.fixture(scope="module")
def stream(request):
    rows = 200_000 if request.config.getoption("benchmark_disable") else 5_000_000
    dice = np.random.default_rng(1)
    key = pa.DictionaryArray.from_arrays(dice.integers(0, 5000, rows), [f"sensor-{n}" for n in range(5000)])
    event_us = np.sort(dice.integers(0, 60 * MINUTE_US, rows))
    return pa.table({"key": key.cast(pa.string()), "value": dice.random(rows)}, schema=SCHEMA), event_us


def ours(table, event_us):
    count, total = Aggregate("n", "count", None), Aggregate("total", "sum", "value")
    operator = WindowSpec(Tumbling(MINUTE_US), ("key",), (count, total)).build(SCHEMA)
    closed = []
    for low in range(0, len(event_us), 100_000):
        part = slice(low, low + 100_000)
        n = len(event_us[part])
        nothing = pa.nulls(n, pa.binary())
        raw = RawBatch(HERE, np.arange(low, low + n), np.full(n, MIN_US), np.zeros(n, np.bool_), nothing, nothing)
        rows = table.slice(low, n)
        operator.fold(RowBatch(raw, np.arange(n), rows, event_us[part], np.full(n, MIN_US)))
        closed.append(operator.close({}, int(event_us[part][-1])).table)
    closed.append(operator.close_fed_by(None, "end").table)
    return pa.concat_tables(closed)


def theirs(table, event_us):
    frame = pl.DataFrame(pl.from_arrow(table)).with_columns(start=pl.Series(event_us // MINUTE_US * MINUTE_US))
    return frame.group_by("start", "key").agg(n=pl.len(), total=pl.col("value").sum())


def as_rows(frame):
    return {(start, key): (n, total) for start, key, n, total in frame.select("start", "key", "n", "total").iter_rows()}


@pytest.mark.benchmark(group="tumbling: count and float sum")
def test_arrowflow(benchmark, stream):
    table = benchmark.pedantic(ours, args=stream, rounds=3, warmup_rounds=1)

    found = pl.DataFrame(pl.from_arrow(table)).with_columns(start=pl.col("window_start").dt.epoch("us"))
    mine, polars = as_rows(found), as_rows(theirs(*stream))
    assert mine.keys() == polars.keys()
    assert all(mine[place][0] == polars[place][0] for place in mine)
    assert all(abs(mine[place][1] - polars[place][1]) < 1e-6 for place in mine)


@pytest.mark.benchmark(group="tumbling: count and float sum")
def test_polars_group_by(benchmark, stream):
    assert benchmark.pedantic(theirs, args=stream, rounds=3, warmup_rounds=1).height > 0
