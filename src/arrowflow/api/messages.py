"""Rows in a program's memory as a topic: the source and the decoder of a trial. Connects to nothing, ends at its last row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from arrowflow.errors import DataLossError
from arrowflow.protocols import RunContext
from arrowflow.sources.gathering import Gathering, Records
from arrowflow.types import (
    MIN_US,
    Bounds,
    Decoded,
    Discovery,
    Fetched,
    OffsetRange,
    PartitionInfo,
    RawBatch,
    SourcePartition,
)

TOPIC = "rows"


@dataclass(frozen=True, slots=True)
class RowsSpec:
    """The `SourceSpec` protocol over records in memory, offsets from zero, by partition."""

    records: Mapping[int, Records]

    def build(self, name: str, context: RunContext) -> RowsSource:
        return RowsSource(name, {SourcePartition(name, TOPIC, number): each for number, each in self.records.items()})

    def fingerprint(self) -> Mapping[str, object]:
        return {"kind": "rows", "topics": [TOPIC]}


@dataclass(slots=True)
class RowsSource:
    """The working part; keeps no position."""

    name: str
    records: Mapping[SourcePartition, Records]

    def discover(self) -> Discovery:
        found = {part: PartitionInfo(0, len(each), len(each)) for part, each in self.records.items()}
        return Discovery(None, found)

    def start_offsets(self, partitions: Sequence[SourcePartition]) -> Mapping[SourcePartition, int]:
        return dict.fromkeys(partitions, 0)

    def remember(self, leader_epoch: Mapping[SourcePartition, int]) -> None:
        """There are no leaders."""

    def read(self, after: Mapping[SourcePartition, int], bounds: Bounds) -> Fetched:
        gathering = Gathering(after)
        ranges = {}
        for part, start in after.items():
            records = self.records[part]
            if not 0 <= start <= len(records):
                raise DataLossError(f"{part}: offset {start} was wanted, there are [0, {len(records)})")
            stop = min(len(records), start + bounds.rows - gathering.rows)
            gathering.add(part, records.slice(start, stop))
            ranges[part] = OffsetRange(start, stop)
        return Fetched(ranges, gathering.batches())

    def acknowledge(self, positions: Mapping[SourcePartition, int], note: str) -> None:
        """Nobody measures a lag."""

    def close(self) -> None:
        """Nothing is held."""


@dataclass(frozen=True, slots=True)
class DecodedSpec:
    """The `DecoderSpec` protocol for records that are rows already: row i of a partition's table is offset i."""

    tables: Mapping[int, pa.Table]
    schema: pa.Schema

    def build(self) -> DecodedRows:
        return DecodedRows(self.tables, self.schema)

    def fingerprint(self) -> Mapping[str, object]:
        return {"format": "decoded"}


@dataclass(slots=True)
class DecodedRows:
    """The working part; every row is right as it is."""

    tables: Mapping[int, pa.Table]
    schema: pa.Schema

    def decode(self, batch: RawBatch) -> Decoded:
        rows = self.tables[batch.partition.partition].slice(int(batch.offset[0]) if len(batch) else 0, len(batch))
        return Decoded(rows, np.ones(len(batch), np.bool_), ())


def records_of(values: pa.Array[pa.BinaryScalar]) -> Records:
    """Return messages as records without keys and time stamps."""
    n = len(values)
    return Records(np.arange(n), np.full(n, MIN_US, np.int64), np.zeros(n, np.bool_), pa.nulls(n, pa.binary()), values)
