"""Message objects of the ordinary client to Arrow columns per partition; it never decodes a value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, TIMESTAMP_NOT_AVAILABLE, Message

from arrowflow.errors import DataLossError
from arrowflow.types import I64, MIN_US, Bool, RawBatch, SourcePartition

_MS_LIMIT = 2**63 // 1000 - 1
_Lane = tuple[str, int]


@dataclass(slots=True)
class _Pieces:
    """What came of one partition so far, in order."""

    offset: list[I64] = field(default_factory=list)
    timestamp_us: list[I64] = field(default_factory=list)
    appended: list[Bool] = field(default_factory=list)
    key: list[pa.Array[Any]] = field(default_factory=list)
    value: list[pa.Array[Any]] = field(default_factory=list)


class Gathering:
    """Collects the messages of one read and turns them into one `RawBatch` per partition.

    Parameters
    ----------
    after : mapping of SourcePartition to int
        The partitions asked for and where each begins: messages of others, or before it, are stale and dropped.
    """

    def __init__(self, after: Mapping[SourcePartition, int]) -> None:
        self._lanes: dict[_Lane, SourcePartition] = {(part.topic, part.partition): part for part in after}
        self._one_topic = len({part.topic for part in after}) == 1
        self._next = dict(after)
        self._pieces: dict[SourcePartition, _Pieces] = {}
        self.unseen = dict.fromkeys(after, 0)
        self.rows = 0
        self.nbytes = 0

    def next_offset(self, partition: SourcePartition) -> int:
        """One past the last record taken, or where the read began."""
        return self._next[partition]

    def take(self, messages: Sequence[Message]) -> None:
        """Add messages, none of them an error, in the order they were delivered."""
        n = len(messages)
        offset = np.fromiter(map(Message.offset, messages), np.int64, n)
        stamp = np.fromiter(chain.from_iterable(map(Message.timestamp, messages)), np.int64, 2 * n).reshape(n, 2)
        key = pa.array(list(map(Message.key, messages)), pa.binary())
        value = pa.array(list(map(Message.value, messages)), pa.binary())
        known = stamp[:, 0] != TIMESTAMP_NOT_AVAILABLE
        timestamp_us = np.where(known, np.clip(stamp[:, 1], -_MS_LIMIT, _MS_LIMIT) * 1000, MIN_US)
        appended = stamp[:, 0] == TIMESTAMP_LOG_APPEND_TIME
        for lane, start, stop in self._runs(messages):
            part = self._lanes.get(lane)
            if part is not None:
                rows = slice(start, stop)
                self._add(part, offset[rows], timestamp_us[rows], appended[rows], key[rows], value[rows])

    def _runs(self, messages: Sequence[Message]) -> list[tuple[_Lane, int, int]]:
        """Cut the messages where the partition changes: (lane, start, stop)."""
        n = len(messages)
        number = np.fromiter(map(Message.partition, messages), np.int64, n)
        change = number[1:] != number[:-1]
        if not self._one_topic:
            topic = np.array([message.topic() for message in messages])
            change |= topic[1:] != topic[:-1]
        edges = [0, *(np.flatnonzero(change) + 1).tolist(), n]
        return [
            ((messages[start].topic() or "", int(number[start])), start, stop)
            for start, stop in zip(edges, edges[1:], strict=False)
        ]

    def _add(
        self,
        part: SourcePartition,
        offset: I64,
        timestamp_us: I64,
        appended: Bool,
        key: pa.Array[Any],
        value: pa.Array[Any],
    ) -> None:
        fresh = int(np.searchsorted(offset, self._next[part]))
        offset = offset[fresh:]
        if not len(offset):
            return
        step = np.diff(offset)
        if step.size and step.min() < 1:
            row = int(np.argmax(step < 1))
            raise DataLossError(
                f"{part}: the broker delivered offset {offset[row + 1]} after {offset[row]}; nothing of this read was used"
            )
        # Holes are counted where they are walked, so that the record's second balance is no tautology.
        self.unseen[part] += int(offset[0]) - self._next[part] + int((step - 1).sum())
        self._next[part] = int(offset[-1]) + 1
        pieces = self._pieces.setdefault(part, _Pieces())
        pieces.offset.append(offset)
        pieces.timestamp_us.append(timestamp_us[fresh:])
        pieces.appended.append(appended[fresh:])
        pieces.key.append(key[fresh:])
        pieces.value.append(value[fresh:])
        self.rows += len(offset)
        self.nbytes += pieces.value[-1].nbytes + pieces.key[-1].nbytes

    def batches(self) -> tuple[RawBatch, ...]:
        """One batch per partition that gave rows, by partition."""
        return tuple(_joined(part, self._pieces[part]) for part in sorted(self._pieces))


def _joined(part: SourcePartition, pieces: _Pieces) -> RawBatch:
    return RawBatch(
        part,
        np.concatenate(pieces.offset),
        np.concatenate(pieces.timestamp_us),
        np.concatenate(pieces.appended),
        pa.concat_arrays(pieces.key),
        pa.concat_arrays(pieces.value),
    )
