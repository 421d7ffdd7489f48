"""Windows beside polars and DuckDB on the same rows in one run: ns per row, every answer compared. ``python -m bench.beside``.

The key is dictionary-encoded for all, the answer is a count and one float sum per key and window; ours is exact, and
closing and emission are part of it. Our rows come in slices, each with its clock ticked and its windows closed, as in
the engine; the others get everything at once. Before the clock runs everybody has the rows in its own form: we in
batches as a source hands them over, polars in a frame with times as times, DuckDB in an Arrow table.
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import statistics
import time
from collections.abc import Callable
from importlib import metadata

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa

from arrowflow.types import PartitionClock, RawBatch, RowBatch, SourcePartition
from arrowflow.windows.clocks import tick, watermark_us
from arrowflow.windows.spec import Aggregate, Hopping, Session, Tumbling, WindowSpec

HERE = SourcePartition("bench", "events", 0)
MINUTE_US = 60_000_000
SLICE = 100_000
SCHEMA = pa.schema([("key", pa.string()), ("value", pa.float64())])
KINDS = {
    "tumbling": Tumbling(30 * MINUTE_US),
    "hopping": Hopping(30 * MINUTE_US, 5 * MINUTE_US),
    "session": Session(10_000_000),
}


def stream(rows: int, keys: int, *, disorder: float, hours: float, bursts: bool = False) -> pa.Table:
    """Rows of one partition in order of arrival; a share of them comes up to a minute late."""
    dice = np.random.default_rng(1)
    event_us = np.sort(dice.integers(0, int(hours * 3600e6), rows))
    code = dice.integers(0, keys, rows).astype(np.int32)
    if bursts:  # each key talks now and then: eight rows close together make a session
        start = np.repeat(event_us[::8], 8)[:rows]
        code = np.repeat(code[::8], 8)[:rows]
        event_us = start + dice.integers(0, 8_000_000, rows)
        order = np.argsort(event_us, kind="stable")
        event_us, code = event_us[order], code[order]
    held = dice.random(rows) < disorder
    arrival = event_us + np.where(held, dice.integers(0, MINUTE_US, rows), 0)
    order = np.argsort(arrival, kind="stable")
    names = pa.array([f"sensor-{n:07d}" for n in range(keys)])
    key = pa.DictionaryArray.from_arrays(code[order], names)
    return pa.table({"key": key, "value": dice.random(rows), "event_us": event_us[order]})


def as_batches(table: pa.Table) -> list[tuple[RawBatch, pa.Table]]:
    """The rows as a source hands them over, in slices: our form of the input, as a frame is that of polars."""
    batches = []
    for low in range(0, table.num_rows, SLICE):
        rows = table.slice(low, SLICE)
        n, nothing = rows.num_rows, pa.nulls(rows.num_rows, pa.binary())
        event_us = rows.column("event_us").to_numpy()
        raw = RawBatch(HERE, np.arange(low, low + n), event_us, np.zeros(n, np.bool_), nothing, nothing)
        batches.append((raw, rows))
    return batches


def ours(kind: str, batches: list[tuple[RawBatch, pa.Table]]) -> pa.Table:
    """Fold, close and give out."""
    aggregates = (Aggregate("n", "count", None), Aggregate("total", "sum", "value"))
    operator = WindowSpec(KINDS[kind], ("key",), aggregates).build(SCHEMA)
    clock, closed = PartitionClock(), []
    every, timed_rows = np.arange(SLICE), np.ones(SLICE, np.bool_)  # as decoding leaves them: all rows have a time
    for raw, rows in batches:
        event_us, n = raw.timestamp_us, len(raw)
        ticked = tick(clock, event_us, timed_rows[:n], None, MINUTE_US)
        clock = ticked.clock
        operator.fold(RowBatch(raw, every[:n], rows, event_us, ticked.clock_us))
        mark = watermark_us({HERE: clock}, MINUTE_US)
        closed.append(operator.close({}, 0 if mark is None else mark).table)
    closed.append(operator.close_fed_by(None, "end").table)
    return pa.concat_tables(closed).select(["key", "window_start", "n", "total"])


def as_polars(table: pa.Table) -> pl.DataFrame:
    """The rows as polars holds them, times as times."""
    return pl.DataFrame(pl.from_arrow(table)).with_columns(t=pl.col("event_us").cast(pl.Datetime("us", "UTC")))


def polars_eager(kind: str, frame: pl.DataFrame) -> pa.Table:
    """``group_by`` and truncate: tumbling windows, the only kind of ours that it has in this form."""
    assert kind == "tumbling"
    answer = [pl.len().alias("n").cast(pl.Int64), pl.col("value").sum().alias("total")]
    grouped = frame.group_by("key", window_start=pl.col("t").dt.truncate("30m")).agg(answer)
    return grouped.select("key", "window_start", "n", "total").to_arrow()


def duck(kind: str, table: pa.Table) -> pa.Table:
    """The same question in SQL."""
    with duckdb.connect() as base:
        base.execute("set timezone = 'UTC'")
        base.register("rows", table)
        bucket = "time_bucket(interval '{}', make_timestamptz(event_us), timestamptz '1970-01-01')"
        half_hour, five = bucket.format("30 minutes"), bucket.format("5 minutes")
        answer = "count(*) as n, sum(value) as total"
        queries = {
            "tumbling": f"select key, {half_hour} as window_start, {answer} from rows group by all",
            "hopping": (
                f"select key, pane - to_minutes(5 * step) as window_start, {answer} from "
                f"(select key, value, {five} as pane from rows), range(6) as steps(step) group by all"
            ),
            "session": (
                "with edges as (select *, coalesce(event_us - lag(event_us) over mine > 10000000, true) as edge "
                "from rows window mine as (partition by key order by event_us)), "
                "numbered as (select *, sum(edge::int) over (partition by key order by event_us) as session from edges) "
                f"select key, make_timestamptz(min(event_us)) as window_start, {answer} from numbered "
                "group by key, session"
            ),
        }
        return base.sql(queries[kind]).to_arrow_table().select(["key", "window_start", "n", "total"])


def as_frame(table: pa.Table) -> pl.DataFrame:
    """An answer in one form and order."""
    frame = pl.DataFrame(pl.from_arrow(table))
    return frame.select(
        pl.col("key").cast(pl.String),
        pl.col("window_start").cast(pl.Datetime("us", "UTC")),
        pl.col("n").cast(pl.Int64),
        "total",
    ).sort("key", "window_start")


def equal(mine: pa.Table, other: pa.Table) -> bool:
    """Same windows, same counts, sums as near as the other's order of adding allows."""
    left, right = as_frame(mine), as_frame(other)
    same = left.select("key", "window_start", "n").equals(right.select("key", "window_start", "n"))
    near = np.allclose(left["total"].to_numpy(), right["total"].to_numpy(), rtol=1e-9, atol=0)
    return bool(same and near)


def timed(work: Callable[[], pa.Table], rows: int) -> tuple[float, float, pa.Table]:
    """Wall and CPU nanoseconds per row of one call, and what it gave."""
    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    answer = work()
    return (time.perf_counter() - wall) * 1e9 / rows, (time.process_time() - cpu) * 1e9 / rows, answer


def compare(kind: str, table: pa.Table, rounds: int, *, slow: bool) -> dict[str, object]:
    """Interleaved rounds of everybody on the same rows; medians."""
    batches = as_batches(table)
    engines: dict[str, Callable[[], pa.Table]] = {"arrowflow": lambda: ours(kind, batches)}
    if kind == "tumbling":
        frame = as_polars(table)
        engines["polars"] = lambda: polars_eager(kind, frame)
    if slow:
        engines["duckdb"] = lambda: duck(kind, table)
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in engines}
    answers: dict[str, pa.Table] = {}
    ours(kind, batches[:2])  # kernels are loaded before the clock runs
    for _ in range(rounds):
        for name, engine in engines.items():
            wall, cpu, answers[name] = timed(engine, table.num_rows)
            times[name].append((wall, cpu))
    mine = answers["arrowflow"]
    wrong = [name for name, answer in answers.items() if not equal(mine, answer)]
    if wrong:
        raise SystemExit(f"{kind}: arrowflow and {', '.join(wrong)} give different answers")
    medians = {
        name: {
            "wall_ns": round(statistics.median(wall for wall, _ in seen), 1),
            "cpu_ns": round(statistics.median(cpu for _, cpu in seen), 1),
        }
        for name, seen in times.items()
    }
    return {"kind": kind, "rows": table.num_rows, "windows": mine.num_rows, **medians}


def main() -> None:
    """Print one line per comparison, then the ratios the project states."""
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--rows", type=int, default=5_000_000)
    wanted.add_argument("--keys", type=int, default=5_000)
    wanted.add_argument("--rounds", type=int, default=5)
    wanted.add_argument("--hours", type=float, default=8.0, help="event time that the rows span: how dense they are")
    wanted.add_argument("--sweep", action="store_true", help="also tumbling over 10 to 10 M keys")
    wanted.add_argument("--no-duckdb", action="store_true")
    given = wanted.parse_args()
    slow = not given.no_duckdb
    steady = stream(given.rows, given.keys, disorder=0.1, hours=given.hours)
    found = [compare(kind, steady, given.rounds, slow=slow) for kind in ("tumbling", "hopping")]
    bursts = stream(given.rows, given.keys, disorder=0.1, hours=given.hours, bursts=True)
    found.append(compare("session", bursts, given.rounds, slow=slow))
    if given.sweep:
        for keys in (10, 1_000, 100_000, 1_000_000, 10_000_000):
            line = compare(
                "tumbling", stream(given.rows, keys, disorder=0.1, hours=8), max(1, given.rounds // 2), slow=slow
            )
            found.append({"keys": keys, **line})
    for line in found:
        print(json.dumps(line))
    tumbling, hopping, session = (line["arrowflow"] for line in found[:3])
    packages = ("polars", "duckdb", "pyarrow", "numba", "numpy")
    print(f"python {platform.python_version()}, " + ", ".join(f"{name} {metadata.version(name)}" for name in packages))
    print(f"tumbling: polars / arrowflow   wall {found[0]['polars']['wall_ns'] / tumbling['wall_ns']:.2f}")
    print(f"          polars / arrowflow   CPU  {found[0]['polars']['cpu_ns'] / tumbling['cpu_ns']:.2f}")
    print(f"hopping:  own tumbling / hopping    {tumbling['wall_ns'] / hopping['wall_ns']:.2f}")
    print(f"session:  {session['wall_ns']:.0f} ns a row")


if __name__ == "__main__":
    main()
