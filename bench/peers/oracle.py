"""The answers, computed by DuckDB from the generated columns: no JSON, no Kafka and nothing of the engine in between.

The SQL has no windows of its own: buckets are whole-number division, sessions are islands. Sums are of whole
thousandths, divided once, so that they depend on no order of adding.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
from bench.peers.data import CLOSER

JOBS = {"tumbling": "steady", "hopping": "steady", "session": "bursts", "raw": "steady"}
SIZE_MS, HOP_MS, GAP_MS = 1_800_000, 300_000, 30_000
FIELDS = ("id", "plant", "line", "sensor", "value", "unit", "quality", "ok", "ts")
# A sum of some dozen doubles may be off by their order of adding; anything else is a wrong answer.
NEAR = 1e-9

_MEASURES = "count(*) AS n, sum(milli) / 1000 AS total, min(milli) / 1000 AS low, max(milli) / 1000 AS high"
_QUERIES = {
    "tumbling": f"""
        SELECT sensor, ts // {SIZE_MS} * {SIZE_MS} AS start_ms, start_ms + {SIZE_MS} AS end_ms, {_MEASURES}
        FROM told GROUP BY sensor, start_ms""",
    "hopping": f"""
        SELECT sensor, (ts // {HOP_MS} - step) * {HOP_MS} AS start_ms, start_ms + {SIZE_MS} AS end_ms, {_MEASURES}
        FROM told, range({SIZE_MS // HOP_MS}) AS steps(step) GROUP BY sensor, start_ms""",
    "session": f"""
        WITH stepped AS (
            SELECT *, coalesce(ts - lag(ts) OVER mine > {GAP_MS}, true) AS starts
            FROM told WINDOW mine AS (PARTITION BY sensor ORDER BY ts)),
        numbered AS (
            SELECT *, sum(starts::INT) OVER (PARTITION BY sensor ORDER BY ts) AS session FROM stepped)
        SELECT sensor, min(ts) AS start_ms, max(ts) + {GAP_MS} AS end_ms, {_MEASURES}
        FROM numbered GROUP BY sensor, session""",
}


def answer(job: str, table: pa.Table) -> pa.Table:
    """What the job gives on the records of `table` (as `data.columns` makes it); windows of closers are left out."""
    with duckdb.connect() as base:
        base.register("records", table)
        if job == "raw":
            return base.sql(f"SELECT {', '.join(FIELDS)} FROM records").to_arrow_table()
        base.execute(
            f"CREATE VIEW told AS SELECT sensor::VARCHAR AS sensor, ts, milli FROM records WHERE sensor <> '{CLOSER}'"
        )
        return base.sql(_QUERIES[job]).to_arrow_table()


def read(job: str, out: Path) -> str:
    """The SQL that reads what an engine wrote, in the columns of `answer`; files whose names begin with . or _ are not read."""
    files = [str(each) for each in sorted(out.rglob("*")) if each.is_file() and _shown(each.relative_to(out))]
    source = f"read_parquet({files!r}, union_by_name=true, hive_partitioning=false)"
    if job == "raw":
        return f"SELECT {', '.join(FIELDS)} FROM {source}"
    return f"""
        SELECT sensor::VARCHAR AS sensor, epoch_ms(window_start) AS start_ms, epoch_ms(window_end) AS end_ms, n, total, low, high
        FROM {source} WHERE sensor <> '{CLOSER}'"""


def _shown(path: Path) -> bool:
    return not any(part.startswith((".", "_")) for part in path.parts)


def differences(job: str, expected: pa.Table, out: Path) -> str:
    """One line that says how what lies in `out` differs from the answer; empty where it does not."""
    if not any(each.is_file() for each in out.rglob("*")):
        return "nothing was written"
    with duckdb.connect() as base:
        base.register("expected", expected)
        base.execute(f"CREATE TABLE found AS {read(job, out)}")
        return _rows_differ(base) if job == "raw" else _windows_differ(base)


def _rows_differ(base: duckdb.DuckDBPyConnection) -> str:
    digest = f"SELECT count(*), sum(hash({', '.join(f'{each}::VARCHAR' for each in FIELDS)})::HUGEINT) FROM "
    (rows, told), (rows_found, found) = (base.sql(digest + each).fetchall()[0] for each in ("expected", "found"))
    if rows != rows_found:
        return f"{rows_found} rows, not {rows}"
    return "" if told == found else "as many rows, and not the same ones"


def _windows_differ(base: duckdb.DuckDBPyConnection) -> str:
    missing, extra, doubled, wrong = base.sql(f"""
        SELECT count(*) FILTER (f.sensor IS NULL), count(*) FILTER (e.sensor IS NULL),
            (SELECT count(*) FROM (FROM found SELECT sensor GROUP BY sensor, start_ms HAVING count(*) > 1)),
            count(*) FILTER (e.end_ms <> f.end_ms OR e.n <> f.n OR e.low <> f.low OR e.high <> f.high
                OR abs(e.total - f.total) > {NEAR} * abs(e.total))
        FROM expected e FULL JOIN found f ON e.sensor = f.sensor AND e.start_ms = f.start_ms""").fetchall()[0]
    if not (missing or extra or doubled or wrong):
        return ""
    return f"{missing} windows missing, {extra} that should not be, {doubled} twice, {wrong} with other values"
