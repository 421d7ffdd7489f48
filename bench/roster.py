"""What a roster of 10,000 keys adds to a closing: CPU time beside the same operator without one. ``python -m bench.roster``.

Each round folds and closes the same rows with both, in turn; the least of all rounds counts. Folding is timed too: a
roster must not touch it.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

import numpy as np
import pyarrow as pa

from arrowflow.types import MIN_US, RawBatch, RowBatch, SourcePartition
from arrowflow.windows.operator import KeyedWindows
from arrowflow.windows.spec import Aggregate, Roster, Tumbling, WindowSpec

MINUTE_US = 60_000_000
SCHEMA = pa.schema([pa.field("plant", pa.string()), pa.field("sensor", pa.string()), pa.field("x", pa.float64())])
AGGREGATES = (Aggregate("n", "count"), Aggregate("mean", "mean", "x"), Aggregate("low", "min", "x"))


def batch(keys: pa.Table, share: float, windows: int, first_us: int) -> RowBatch:
    """One row in each window for a `share` of the keys."""
    dice = np.random.default_rng(7)
    who = np.repeat(dice.permutation(keys.num_rows)[: int(share * keys.num_rows)], windows)
    event_us = first_us + np.tile(np.arange(windows, dtype=np.int64), len(who) // windows) * MINUTE_US
    table = keys.take(pa.array(who, pa.int64())).append_column("x", pa.array(dice.random(len(who)), pa.float64()))
    order, nothing = np.arange(len(who), dtype=np.int64), pa.nulls(len(who), pa.binary())
    partition = SourcePartition("bench", "rows", 0)
    raw = RawBatch(partition, order, event_us, np.zeros(len(who), np.bool_), nothing, nothing)
    return RowBatch(raw, order, table.combine_chunks(), event_us, np.full(len(who), MIN_US, np.int64))


def timed(operator: KeyedWindows, rows: RowBatch, limit_us: int) -> tuple[float, float, int]:
    """CPU seconds of a fold and of the closing after it, and the rows that came out."""
    began = time.process_time()
    operator.fold(rows)
    folded = time.process_time()
    closed = operator.close({}, limit_us)
    return folded - began, time.process_time() - folded, closed.table.num_rows


def main() -> None:
    """Print one line for each share of keys that report and number of windows that close at once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=7)
    told = parser.parse_args()
    numbers = range(told.keys)
    keys = pa.table({"plant": [f"p{n % 10}" for n in numbers], "sensor": [f"s{n:06d}" for n in numbers]})
    bare = WindowSpec(Tumbling(MINUTE_US), ("plant", "sensor"), AGGREGATES)
    for windows in (1, 10):
        for share in (1.0, 0.99, 0.5, 0.01):
            operators = [bare.build(SCHEMA), replace(bare, roster=Roster(keys, ("plant",))).build(SCHEMA)]
            rounds = []
            for turn in range(told.rounds):
                rows = batch(keys, share, windows, turn * windows * MINUTE_US)
                limit_us = (turn + 1) * windows * MINUTE_US
                rounds.append([timed(operator, rows, limit_us) for operator in operators])
            (fold, close, n), (fold_all, close_all, n_all) = (
                map(min, zip(*each, strict=True)) for each in zip(*rounds, strict=True)
            )
            print(
                f"{windows:2d} windows, {share:4.0%} report: fold {fold * 1e3:6.1f} ms without, {fold_all * 1e3:6.1f} with; "
                f"close {close * 1e3:6.1f} ms without ({n} rows), {close_all * 1e3:6.1f} with ({n_all} rows), "
                f"{(close_all - close) / n_all * 1e9:5.0f} ns a row more"
            )


if __name__ == "__main__":
    main()
