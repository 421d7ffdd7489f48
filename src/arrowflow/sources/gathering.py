"""Collects the records of one read per partition, whatever source they come from; it fetches nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from arrowflow.errors import DataLossError
from arrowflow.types import I64, Bool, RawBatch, SourcePartition

HEADERS = pa.map_(pa.string(), pa.binary())
"""Headers of a record: names may come more than once, and in any order."""


@dataclass(frozen=True, slots=True)
class Records:
    """Records of one partition in offset order: the columns of a `RawBatch` on their way into one."""

    offset: I64
    timestamp_us: I64
    appended: Bool
    key: pa.Array[Any]
    value: pa.Array[Any]
    headers: pa.Array[Any] | None = None

    def __len__(self) -> int:
        return len(self.offset)

    def slice(self, start: int, stop: int | None = None) -> Records:
        """Rows ``[start, stop)``; nothing is copied."""
        rows = slice(start, stop)
        headers = None if self.headers is None else self.headers[rows]
        return Records(
            self.offset[rows], self.timestamp_us[rows], self.appended[rows], self.key[rows], self.value[rows], headers
        )

    def take(self, rows: I64) -> Records:
        """The rows at these indices, in their order."""
        index = pa.array(rows, pa.int64())
        return Records(
            self.offset[rows],
            self.timestamp_us[rows],
            self.appended[rows],
            self.key.take(index),
            self.value.take(index),
            None if self.headers is None else self.headers.take(index),
        )

    @property
    def nbytes(self) -> int:
        return int(self.key.nbytes + self.value.nbytes)


@dataclass(slots=True)
class Gathering:
    """What one read has found so far.

    Parameters
    ----------
    after : mapping of SourcePartition to int
        The partitions asked for and where each begins. Records before it are stale and dropped.
    """

    after: Mapping[SourcePartition, int]
    unseen: dict[SourcePartition, int] = field(init=False)
    rows: int = field(init=False, default=0)
    nbytes: int = field(init=False, default=0)
    _next: dict[SourcePartition, int] = field(init=False)
    _pieces: dict[SourcePartition, list[Records]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.unseen = dict.fromkeys(self.after, 0)
        self._next = dict(self.after)

    def next_offset(self, part: SourcePartition) -> int:
        """One past the last record taken, or where the read began."""
        return self._next[part]

    def add(self, part: SourcePartition, records: Records) -> None:
        """Take records that follow those taken before; holes are counted where they are walked.

        Raises
        ------
        DataLossError
            If offsets do not ascend.
        """
        records = records.slice(int(np.searchsorted(records.offset, self._next[part])))
        if not len(records):
            return
        offset = records.offset
        step = np.diff(offset)
        if step.size and step.min() < 1:
            row = int(np.argmax(step < 1))
            raise DataLossError(
                f"{part}: offset {offset[row + 1]} was delivered after {offset[row]}; nothing of this read was used"
            )
        self.unseen[part] += int(offset[0]) - self._next[part] + int((step - 1).sum())
        self._next[part] = int(offset[-1]) + 1
        self._pieces.setdefault(part, []).append(records)
        self.rows += len(records)
        self.nbytes += records.nbytes

    def batches(self) -> tuple[RawBatch, ...]:
        """One batch per partition that gave rows, by partition."""
        return tuple(_joined(part, self._pieces[part]) for part in sorted(self._pieces))


def _joined(part: SourcePartition, pieces: list[Records]) -> RawBatch:
    headers = [piece.headers for piece in pieces if piece.headers is not None]
    return RawBatch(
        part,
        np.concatenate([piece.offset for piece in pieces]),
        np.concatenate([piece.timestamp_us for piece in pieces]),
        np.concatenate([piece.appended for piece in pieces]),
        pa.concat_arrays([piece.key for piece in pieces]),
        pa.concat_arrays([piece.value for piece in pieces]),
        pa.concat_arrays(headers) if headers else None,
    )
