"""Large records into a slow store: a process that says how much memory it came to take. ``python -m tests.support.hostile``.

Records are made when they are read, and files go to a disk, so that what is measured is what the engine holds.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
import time
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from arrowflow.commitlog.local import LocalLogSpec
from arrowflow.config.shares import shares
from arrowflow.decoders.raw import RawSpec
from arrowflow.engine import start
from arrowflow.pipeline import Checkpoint, OperatorNode, Pipeline, RunOptions, SinkNode, SourceNode
from arrowflow.protocols import Control
from arrowflow.sinks.parquet import ParquetSpec
from arrowflow.types import Bounds, Discovery, Fetched, OffsetRange, PartitionInfo, RawBatch, SourcePartition
from arrowflow.windows.spec import PassThroughSpec

MIB = 1024**2


@dataclass(frozen=True)
class LargeSpec:
    """Describes a source of `count` records of `size` random bytes."""

    count: int
    size: int

    def build(self, name, context):
        return Large(name, self)

    def fingerprint(self):
        return {"kind": "large"}


class Large:
    """As fast as memory: whatever slows reading down is the engine."""

    def __init__(self, name, spec):
        self.name, self._spec = name, spec
        self._part = SourcePartition(name, "large", 0)
        self._noise = np.random.default_rng(7).bytes(2 * spec.size)

    def discover(self):
        end = self._spec.count
        return Discovery("c", {self._part: PartitionInfo(0, end, end, "id", -1)})

    def start_offsets(self, partitions):
        return dict.fromkeys(partitions, 0)

    def remember(self, leader_epoch):
        """It has none."""

    def read(self, after, bounds: Bounds):
        begin, size = after[self._part], self._spec.size
        end = min(self._spec.count, begin + max(1, min(bounds.rows, bounds.bytes // size)))
        n = end - begin
        if not n:
            time.sleep(min(bounds.seconds, 0.05))
        values = [self._noise[(offset * 7919) % size :][:size] for offset in range(begin, end)]
        batch = RawBatch(
            self._part,
            np.arange(begin, end),
            np.zeros(n, np.int64),
            np.zeros(n, np.bool_),
            pa.nulls(n, pa.binary()),
            pa.array(values, pa.binary()),
        )
        return Fetched({self._part: OffsetRange(begin, end)}, (batch,))

    def acknowledge(self, positions, note):
        """Nobody watches."""

    def close(self):
        """Nothing is held."""


class Slow:
    """A store in which each file takes its time."""

    def __init__(self, store, seconds):
        self._store, self._seconds = store, seconds

    def __getattr__(self, name):
        return getattr(self._store, name)

    def create(self, path, data):
        time.sleep(self._seconds)
        self._store.create(path, data)


@dataclass(frozen=True)
class SlowLogSpec:
    """A log on a disk beside a slow store."""

    spec: LocalLogSpec
    seconds: float

    def build(self, failpoints):
        log, control = self.spec.build(failpoints)
        return log, Control(Slow(control.store, self.seconds), control.prefix)


def pipeline(folder: str, memory: int, count: int, size: int, delay_s: float, *, bounded: bool) -> Pipeline:
    """Records as they are, into Parquet."""
    own = shares(memory)
    log = SlowLogSpec(LocalLogSpec(f"{folder}/log"), delay_s)
    limits = {"max_epoch_bytes": own.epochs, "max_slice_bytes": own.slice} if bounded else {"max_epoch_bytes": 2**62}
    return Pipeline(
        name="large",
        source=SourceNode("in", LargeSpec(count, size), RawSpec()),
        operator=OperatorNode("passing", PassThroughSpec()),
        sinks=(SinkNode("out", ParquetSpec(f"{folder}/out", (), "none")),),
        checkpoint=Checkpoint(log, cadence_s=0.2, **limits),
    )


def main() -> None:
    """Run a small job, so that everything is loaded, then the large one; print what it took."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--memory", type=int, default=256 * MIB)
    asked.add_argument("--records", type=int, default=600)
    asked.add_argument("--size", type=int, default=MIB // 4)
    asked.add_argument("--delay", type=float, default=0.05)
    asked.add_argument("--unbounded", action="store_true")
    given = asked.parse_args()
    end = RunOptions(until_caught_up=True, take_over=True)
    with tempfile.TemporaryDirectory() as small, tempfile.TemporaryDirectory() as large:
        start(pipeline(small, given.memory, 8, 1024, 0.0, bounded=True), end).result()
        loaded = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        job = pipeline(large, given.memory, given.records, given.size, given.delay, bounded=not given.unbounded)
        done = start(job, end).result()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    told = {
        "read": done.balance.read,
        "epochs": done.epochs,
        "arrow": pa.default_memory_pool().max_memory(),
        "grown": peak - loaded,
        "cores": os.cpu_count(),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
