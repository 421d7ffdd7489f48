"""A source that deals the same records in another order of slices for every seed: cuts and interleavings at random.

Within a partition the order is the log's, as Kafka promises; everything else is the dice's.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from arrowflow.protocols import RunContext, SampleRecord
from arrowflow.types import Bounds, Discovery, Fetched, OffsetRange, PartitionInfo, RawBatch, SourcePartition


@dataclass(frozen=True)
class DealtSpec:
    """Describes a source over given records; `seed` decides how they are dealt."""

    records: tuple[SampleRecord, ...]
    seed: int = 0
    largest_slice: int = 200

    def build(self, name: str, context: RunContext) -> DealtSource:
        return DealtSource(name, self, context)

    def fingerprint(self) -> Mapping[str, object]:
        return {"kind": "dealt"}


class DealtSource:
    """See `DealtSpec`."""

    def __init__(self, name: str, spec: DealtSpec, context: RunContext) -> None:
        self.context = context
        self.name = name
        self.dice = random.Random(spec.seed)
        self.largest = spec.largest_slice
        self.logs: dict[SourcePartition, list[SampleRecord]] = {}
        for record in spec.records:
            self.logs.setdefault(SourcePartition(name, record.topic, record.partition), []).append(record)

    def discover(self) -> Discovery:
        return Discovery(None, {part: PartitionInfo(0, len(log), len(log)) for part, log in self.logs.items()})

    def start_offsets(self, partitions: Sequence[SourcePartition]) -> Mapping[SourcePartition, int]:
        return dict.fromkeys(partitions, 0)

    def read(self, after: Mapping[SourcePartition, int], bounds: Bounds) -> Fetched:
        left = [part for part, offset in after.items() if offset < len(self.logs[part])]
        if not left:
            return Fetched({part: OffsetRange(offset, offset) for part, offset in after.items()}, ())
        ranges, batches = {}, []
        for part in self.dice.sample(left, self.dice.randint(1, len(left))):
            start = after[part]
            stop = min(len(self.logs[part]), start + self.dice.randint(0, min(self.largest, bounds.rows)))
            ranges[part] = OffsetRange(start, stop)
            if stop > start:
                batches.append(self.batch(part, start, stop))
        return Fetched(ranges, tuple(batches))

    def batch(self, part: SourcePartition, start: int, stop: int) -> RawBatch:
        records = self.logs[part][start:stop]
        return RawBatch(
            part,
            np.arange(start, stop, dtype=np.int64),
            np.array([record.timestamp_ms * 1000 for record in records], np.int64),
            np.zeros(len(records), np.bool_),
            pa.array([record.key for record in records], pa.binary()),
            pa.array([record.value for record in records], pa.binary()),
        )

    def remember(self, leader_epoch: Mapping[SourcePartition, int]) -> None:
        """There are no leaders here."""

    def acknowledge(self, positions: Mapping[SourcePartition, int], note: str) -> None:
        """Nobody watches the lag of a test; only the failpoints are passed."""
        self.context.failpoints.hit("lag.before")
        self.context.failpoints.hit("lag.after")

    def close(self) -> None:
        """Nothing is open."""
