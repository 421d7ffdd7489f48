"""A reader of the table, ten times a second with three engines, that remembers what it must never see.

Run as a process of its own: ``python -m tests.chaos.lake_reader ROOT ANSWER OUT STOP``. It ends when STOP
exists and writes to OUT how often it looked and every violation. It shares no code with the engine.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
import time
from collections import Counter
from pathlib import Path

import duckdb
import polars as pl
import pyarrow.dataset as ds


def with_pyarrow(root: Path, names: list[str]) -> list[dict[str, object]]:
    return ds.dataset(str(root), partitioning="hive").to_table(columns=names).to_pylist()


def with_polars(root: Path, names: list[str]) -> list[dict[str, object]]:
    return pl.scan_parquet(f"{root}/**/*.parquet", hive_partitioning=True).select(names).collect().to_dicts()


def with_duckdb(root: Path, names: list[str]) -> list[dict[str, object]]:
    columns = ", ".join(f'"{name}"' for name in names)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        query = f"SELECT {columns} FROM read_parquet('{root}/**/*.parquet', hive_partitioning = true)"
        found = connection.sql(query).to_arrow_table()
    return found.to_pylist()


READERS = {"pyarrow": with_pyarrow, "polars": with_polars, "duckdb": with_duckdb}


def text(value: object) -> object:
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat(timespec="microseconds")
    return value.isoformat() if isinstance(value, dt.date) else value


def as_row(values: dict[str, object], names: list[str]) -> tuple[object, ...]:
    return tuple(text(values[name]) for name in names)


class Witness:
    """What one reading engine has seen so far."""

    def __init__(self, reader: str, allowed: set[tuple[object, ...]]) -> None:
        self.reader, self.allowed = reader, allowed
        self.seen: Counter[tuple[object, ...]] = Counter()
        self.looks, self.violations = 0, []

    def look(self, root: Path, names: list[str]) -> None:
        try:
            rows = READERS[self.reader](root, names)
        except Exception as error:  # noqa: BLE001 - any failed query is a finding
            self.violations.append(f"{self.reader}: the query failed: {type(error).__name__}: {error}")
            return
        self.looks += 1
        now = Counter(as_row(row, names) for row in rows)
        for row, n in now.items():
            if n > 1:
                self.violations.append(f"{self.reader}: repeated {n} times: {row}")
            if row not in self.allowed:
                self.violations.append(f"{self.reader}: foreign: {row}")
        self.violations += [f"{self.reader}: vanished: {row}" for row in self.seen - now]
        self.seen = now


def watch(root: Path, answer: Path, out: Path, stop: Path) -> None:
    windows = json.loads(answer.read_text())["windows"]
    names = [name for name in windows[0] if name != "rows"]
    allowed = {as_row(window, names) for window in windows}
    witnesses = [Witness(reader, allowed) for reader in READERS]
    last = False
    while not last:
        last = stop.exists()
        began = time.monotonic()
        if any(root.rglob("*.parquet")):
            for witness in witnesses:
                witness.look(root, names)
        time.sleep(max(0.0, 0.1 - (time.monotonic() - began)))
    report = {
        "looks": {witness.reader: witness.looks for witness in witnesses},
        "rows": {witness.reader: sum(witness.seen.values()) for witness in witnesses},
        "violations": [violation for witness in witnesses for violation in witness.violations][:50],
    }
    out.write_text(json.dumps(report))


if __name__ == "__main__":
    watch(*map(Path, sys.argv[1:5]))
