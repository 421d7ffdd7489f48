"""Folds a stream in a process of its own and says what it took: ``room_worker.py KEYS ROWS LIMIT``. Judges nothing.

KEYS is "new" (every row has a key of its own) or "one" (99 of 100 rows have the same).
"""

import json
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa

from arrowflow.errors import StateTooLarge
from arrowflow.types import MIN_US, RawBatch, RowBatch, SourcePartition
from arrowflow.windows.spec import Aggregate, Tumbling, WindowSpec

SCHEMA = pa.schema([("key", pa.string()), ("x", pa.float64())])
SLICE = 10_000
HOUR_US = 3_600_000_000


def operator(limit):
    aggregates = (Aggregate("n", "count"), Aggregate("x", "sum", "x"))
    return WindowSpec(Tumbling(HOUR_US), ("key",), aggregates, max_state_bytes=limit).build(SCHEMA)


def batch(first, keys):
    n = len(keys)
    nothing = pa.nulls(n, pa.binary())
    here = SourcePartition("in", "t", 0)
    raw = RawBatch(here, np.arange(first, first + n), np.full(n, MIN_US), np.zeros(n, np.bool_), nothing, nothing)
    table = pa.table({"key": [f"sensor-{key:08d}" for key in keys.tolist()], "x": keys / 7}, schema=SCHEMA)
    return RowBatch(raw, np.arange(n), table, np.full(n, 1_000_000), np.full(n, MIN_US))


def keys_of(which, first):
    number = np.arange(first, first + SLICE)
    return number if which == "new" else np.where(number % 100 == 0, number // 100 % 1000, 0)


def memory(line):
    status = Path("/proc/self/status").read_text()
    return 1024 * int(next(each.split()[1] for each in status.splitlines() if each.startswith(line + ":")))


def main(which, rows, limit):
    operator(None).fold(batch(0, keys_of("new", 0)))  # kernels are loaded, allocators have begun
    subject, folded, stopped = operator(limit), 0, None
    before = memory("VmRSS")
    try:
        for first in range(0, rows, SLICE):
            subject.fold(batch(first, keys_of(which, first)))
            folded += SLICE
    except StateTooLarge as error:
        stopped = str(error)
    grown = memory("VmHWM") - before
    told = {"folded": folded, "stopped": stopped, "grown": grown, "bytes": subject.state_bytes}
    print(json.dumps(told | {"open": subject.open_windows}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
