"""A million open groups: how long a snapshot, a delta and a restore take, and how much memory. ``python -m bench.state``.

One key column of strings, one tumbling window, a count and one exact float sum. The table is what an operator gives, the
bytes are what the engine writes of it, part by part. Memory is the largest resident set of a fresh process that restores
those bytes, folds a batch, and writes a delta and a snapshot, its imports among it; then with the whole snapshot as a table. Every answer is compared: digests after a restore are equal.
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from arrowflow.phases.snapshots import Parts, encode
from arrowflow.types import MIN_US, RawBatch, RowBatch, SourcePartition
from arrowflow.windows.operator import KeyedWindows
from arrowflow.windows.spec import Aggregate, Tumbling, WindowSpec

HERE = SourcePartition("bench", "events", 0)
SLICE = 100_000
SCHEMA = pa.schema([("key", pa.string()), ("value", pa.float64())])
SPEC = WindowSpec(
    Tumbling(3_600_000_000), ("key",), (Aggregate("n", "count", None), Aggregate("total", "sum", "value"))
)


def rows_of(first: int, keys: np.ndarray[Any, Any]) -> RowBatch:
    """One row per key number, all in one window."""
    n = len(keys)
    nothing = pa.nulls(n, pa.binary())
    raw = RawBatch(HERE, np.arange(first, first + n), np.full(n, MIN_US), np.zeros(n, np.bool_), nothing, nothing)
    table = pa.table({"key": [f"sensor-{key:07d}" for key in keys.tolist()], "value": keys / 7}, schema=SCHEMA)
    return RowBatch(raw, np.arange(n), table, np.full(n, 1_000_000), np.full(n, MIN_US))


def fresh() -> KeyedWindows:
    """An operator that holds nothing; its kernels are loaded."""
    warm, operator = SPEC.build(SCHEMA), SPEC.build(SCHEMA)
    assert isinstance(operator, KeyedWindows)
    warm.fold(rows_of(0, np.arange(100)))
    warm.restore(warm.snapshot(), [warm.delta()])
    warm.digest()
    return operator


def filled(groups: int) -> tuple[KeyedWindows, tuple[float, float]]:
    """An operator with that many open groups, and the wall and processor seconds folding them took."""
    operator, wall, cpu = fresh(), 0.0, 0.0
    for first in range(0, groups, SLICE):
        batch = rows_of(first, np.arange(first, min(groups, first + SLICE)))
        seconds, _ = timed(1, lambda batch=batch: operator.fold(batch))
        wall, cpu = wall + seconds[0], cpu + seconds[1]
    return operator, (wall, cpu)


def timed(rounds: int, work: Callable[[], Any]) -> tuple[tuple[float, float], Any]:
    """The least wall and processor seconds of several rounds, and what came of it; others may share the machine."""
    least = [float("inf"), float("inf")]
    for _ in range(rounds):
        gc.collect()
        begun = time.perf_counter(), time.process_time()
        found = work()
        ended = time.perf_counter(), time.process_time()
        least = [min(so_far, stop - start) for so_far, start, stop in zip(least, begun, ended, strict=True)]
    return (least[0], least[1]), found


def parquet(table: pa.Table) -> int:
    """Write a table as Parquet in memory and return its bytes."""
    buffer = pa.BufferOutputStream()
    pq.write_table(table, buffer)
    return buffer.getvalue().size


def measured(groups: int, rounds: int) -> dict[str, object]:
    """Times in seconds, least of `rounds`, and sizes."""
    operator, fold_s = filled(groups)
    first_delta_s, _ = timed(1, operator.delta)
    digest = operator.digest()
    snapshot_s, table = timed(rounds, operator.snapshot)
    encode_s, data = timed(rounds, lambda: encode(operator.parts()))
    parquet_s, parquet_bytes = timed(1, lambda: parquet(table))
    touched = rows_of(groups, np.arange(0, groups, 100))
    operator.fold(touched)
    delta_s, delta = timed(1, operator.delta)
    if delta.num_rows != len(touched):
        raise SystemExit(f"the delta has {delta.num_rows} rows, {len(touched)} groups were touched")
    wanted = operator.digest()
    other = fresh()
    restore_s, _ = timed(rounds, lambda: other.restore(table, []))
    if other.digest() != digest:
        raise SystemExit("a restored snapshot has another digest")
    chain_s, _ = timed(rounds, lambda: other.restore(table, [delta]))
    if other.digest() != wanted:
        raise SystemExit("a snapshot restored with its delta has another digest")
    with tempfile.NamedTemporaryFile(suffix=".arrow") as file:
        Path(file.name).write_bytes(data)
        child = alone(file.name, groups)
    times = {
        "fold": fold_s, "first_delta": first_delta_s, "snapshot": snapshot_s, "write_in_parts": encode_s, "parquet": parquet_s,
        "delta_of_1_percent": delta_s, "restore": restore_s, "restore_with_delta": chain_s,
    }  # fmt: skip
    sizes = {"table_mb": table.nbytes / 1e6, "ipc_mb": len(data) / 1e6, "parquet_mb": parquet_bytes / 1e6}
    counted = {"state_mb": operator.state_bytes / 1e6}
    seconds = {name: {"wall": round(wall, 3), "cpu": round(cpu, 3)} for name, (wall, cpu) in times.items()}
    return seconds | {name: round(value, 1) for name, value in (sizes | counted).items()} | child


def alone(path: str, groups: int) -> dict[str, object]:
    """What a process of its own says that restores a file, folds a batch and takes a snapshot."""
    command = [sys.executable, "-m", "bench.state", "--groups", str(groups), "--restore", path]
    return dict(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def restored(path: str, groups: int) -> dict[str, object]:
    """Restore, fold, write a delta and a snapshot; the largest resident set so far is that of all of it."""
    operator = fresh()
    imports_mb = resident_mb()
    begun = time.perf_counter()
    operator.restore(Parts(Path(path).read_bytes()), [])
    restore_s = time.perf_counter() - begun
    operator.digest()
    pa.default_memory_pool().release_unused()  # as the engine does
    operator.fold(rows_of(groups, np.arange(0, groups, max(1, groups // SLICE))[:SLICE]))
    encode([operator.delta()])
    operator.digest()
    encode(operator.parts())
    as_engine_mb = resident_mb()
    assert operator.snapshot().num_rows == groups
    told = {"imports_mb": imports_mb, "rss_mb": as_engine_mb, "rss_with_whole_table_mb": resident_mb()}
    return {"restore_of_file": round(restore_s, 3)} | told


def resident_mb() -> int:
    """The largest resident set of this process so far; what getrusage says would begin with that of the parent."""
    status = Path("/proc/self/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))) // 1024


def main() -> None:
    """Print one line of JSON."""
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--groups", type=int, default=1_000_000)
    wanted.add_argument("--rounds", type=int, default=3)
    wanted.add_argument("--restore", help="only restore this file and say what it took")
    given = wanted.parse_args()
    if given.restore:
        print(json.dumps(restored(given.restore, given.groups)))
        return
    found = measured(given.groups, given.rounds)
    print(json.dumps({"groups": given.groups, "python": platform.python_version(), **found}))


if __name__ == "__main__":
    main()
