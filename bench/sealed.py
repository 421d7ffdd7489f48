"""Reading a table of many small files, and the same rows sealed: files, bytes and the time of one sum, three engines.

``python -m bench.sealed [EPOCHS]``: a job commits so many epochs, one file each; then `arrowflow seal`'s work is done and timed. Each query is the
least of five, first by a glob over the small files, then through the log.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import duckdb
import polars as pl
import pyarrow.dataset as ds
from tests.support.small import pipeline, rows

import arrowflow as af
from arrowflow.phases.alone import opened
from arrowflow.phases.upkeep import seal_all
from arrowflow.pipeline import RunOptions

_DAY_US = 86_400_000_000


def least(query: Callable[[], object]) -> float:
    """Seconds of the fastest of five."""
    found = []
    for _ in range(5):
        began = time.perf_counter()
        query()
        found.append(time.perf_counter() - began)
    return min(found)


def files_in(folder: Path) -> str:
    """How many Parquet files, and their bytes."""
    sizes = [path.stat().st_size for path in folder.rglob("*.parquet")]
    return f"{len(sizes)}, {sum(sizes):,} bytes"


def main() -> None:
    epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        stream = rows(*((key, 10 * i, 1.0) for i in range(epochs) for key in "abcd"))
        job = pipeline(folder, stream, max_epoch_rows=4, max_slice_rows=4, full_every=1000, cadence_s=0.001)
        spec = replace(job.sinks[0].spec, seal_us=_DAY_US)
        job = replace(job, sinks=(replace(job.sinks[0], spec=spec), *job.sinks[1:]))
        options = RunOptions(until_caught_up=True, close_open_windows=True, take_over=True)
        af.start(job, options).result()
        table, log = folder / "small" / "out", folder / "small" / "_log"
        glob = f"{table}/**/*.parquet"
        print(f"small files: {files_in(table)}")
        small = {
            "pyarrow": least(lambda: ds.dataset(str(table)).to_table(columns=["n"])),
            "polars": least(lambda: pl.scan_parquet(glob).select(pl.col("n").sum()).collect()),
            "duckdb": least(lambda: duckdb.sql(f"select sum(n) from read_parquet('{glob}')").fetchall()),
            "af.scan": least(lambda: af.scan(log, "out").to_table(columns=["n"])),
        }
        began = time.perf_counter()
        with opened(job, options) as part:
            seal_all(part)
        print(f"sealed in {time.perf_counter() - began:.2f} s")
        print(f"sealed files: {files_in(Path(f'{table}__sealed'))}")
        sealed = {
            "pyarrow": least(lambda: af.scan(log, "out").to_table(columns=["n"])),
            "polars": least(lambda: pl.scan_pyarrow_dataset(af.scan(log, "out")).select(pl.col("n").sum()).collect()),
            "duckdb": least(lambda: _sum(af.scan(log, "out"))),
            "af.scan": least(lambda: af.scan(log, "out").to_table(columns=["n"])),
        }
        for name, before in small.items():
            print(
                f"{name}: {1000 * before:.1f} ms by the small files, {1000 * sealed[name]:.1f} ms through the log, sealed"
            )


def _sum(counts: ds.Dataset) -> object:
    return duckdb.sql("select sum(n) from counts").fetchall()


if __name__ == "__main__":
    main()
