"""Cuts what a broker sent for one partition into record batches, and says which of them a reader may see. It unpacks no data."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import google_crc32c
import numpy as np

from arrowflow.sources.kafka.wire.faults import Malformed, NotUnderstood
from arrowflow.sources.kafka.wire.kernels.records import FIELDS, KEY, KEY_SIZE, OK, U8, walk

_HEADER = struct.Struct(">qiibIhiqqqhii")
_FROM_CRC = 21
"""The checksum covers everything from the attributes on."""
_SMALLEST = 7
"""Bytes of the shortest record: six numbers of a byte and one for its attributes."""
_LOG_APPEND, _TRANSACTIONAL, _CONTROL = 1 << 3, 1 << 4, 1 << 5
_ABORT = 0

Kind = Literal["data", "aborted", "control"]


class Aborted(NamedTuple):
    """A transaction that was aborted: its producer, and the offset of its first record."""

    producer: int
    first: int


class Batch(NamedTuple):
    """A batch that was checked: offsets ``[base, last]``, `rows` records in `body`."""

    base: int
    last: int
    rows: int
    kind: Kind
    codec: int
    appended: bool
    base_ms: int
    max_ms: int
    leader_epoch: int
    body: U8


class Cut(NamedTuple):
    """The whole batches of one partition, in order, and whether bytes of a batch that is not whole follow."""

    batches: list[Batch]
    partial: bool


def cut(records: U8, aborted: Sequence[Aborted], wanted: int) -> Cut:
    """Return the batches of `records` that reach to `wanted` or beyond it, up to the first that cannot be right.

    Parameters
    ----------
    records : uint8[n]
        What was received for one partition; it may end inside a batch.
    aborted : sequence of Aborted
        What the broker says about transactions in these offsets.
    wanted : int
        The offset that was asked for; batches that end before it are left out.

    Raises
    ------
    Malformed
        For a first batch with a wrong checksum, an impossible size, or offsets that do not ascend.
    NotUnderstood
        For a first batch in a message format before version 2, or after it.
    """
    found: list[Batch] = []
    waiting = sorted(aborted, key=lambda each: each.first, reverse=True)
    dead: set[int] = set()
    at, behind = 0, -1
    try:
        for stop, producer, attributes, batch in _whole(records):
            if batch.base <= behind:
                raise Malformed(f"offset {batch.base}: this batch follows one that ends at {behind}")  # noqa: TRY301
            behind, at = batch.last, stop
            while waiting and waiting[-1].first <= batch.last:
                dead.add(waiting.pop().producer)
            kind: Kind = "data"
            if attributes & _CONTROL:
                kind = "control"
                if attributes & _TRANSACTIONAL and _is_abort(batch):
                    dead.discard(producer)
            elif attributes & _TRANSACTIONAL and producer in dead:
                kind = "aborted"
            if batch.last >= wanted:
                found.append(batch._replace(kind=kind))
    except (Malformed, NotUnderstood):
        if not found:
            raise
        # What comes before is good. The next request begins with the batch in question, and there it is judged.
        return Cut(found, partial=True)
    return Cut(found, partial=at < len(records))


def _whole(records: U8) -> Iterator[tuple[int, int, int, Batch]]:
    """Every whole batch: the place behind it, its producer and attributes, and the batch as if it were data."""
    at, size = 0, len(records)
    while size - at >= 12:
        length = int.from_bytes(records[at + 8 : at + 12].tobytes(), "big", signed=True)
        base = int.from_bytes(records[at : at + 8].tobytes(), "big", signed=True)
        stop = at + 12 + length
        if length < 5:
            raise Malformed(f"offset {base}: a batch cannot have {length} bytes")
        if size - at < _HEADER.size:
            return
        if (magic := int(records[at + 16])) != 2:
            raise NotUnderstood(f"offset {base} is kept in message format {magic}, not 2")
        if length < _HEADER.size - 12:
            raise Malformed(f"offset {base}: a batch cannot have {length} bytes")
        if stop > size:
            return
        producer, attributes, batch = _checked(records[at:stop])
        yield stop, producer, attributes, batch
        at = stop


def _checked(whole: U8) -> tuple[int, int, Batch]:
    (
        base,
        _length,
        epoch,
        _magic,
        crc,
        attributes,
        delta,
        base_ms,
        max_ms,
        producer,
        _producer_epoch,
        _sequence,
        count,
    ) = _HEADER.unpack_from(whole.data)
    if google_crc32c.value(whole[_FROM_CRC:]) != crc:
        raise Malformed(f"offset {base}: the checksum of the batch does not hold")
    if base < 0 or delta < 0 or count < 0 or base > 2**63 - 1 - 2**31 or count > delta + 1:
        raise Malformed(f"offset {base}: a batch of {count} records cannot span {delta + 1} offsets")
    body = whole[_HEADER.size :]
    codec = attributes & 7
    if codec == 0 and count * _SMALLEST > len(body):
        raise Malformed(f"offset {base}: {count} records do not fit into {len(body)} bytes")
    appended = bool(attributes & _LOG_APPEND)
    return producer, attributes, Batch(base, base + delta, count, "data", codec, appended, base_ms, max_ms, epoch, body)


def _is_abort(batch: Batch) -> bool:
    """Whether a control batch is an abort marker: its record's key holds a version and a type, two int16."""
    table = np.empty((FIELDS, 1), np.int64)
    told = walk(batch.body, 0, len(batch.body), 1, batch.last - batch.base, table, 0)[0] if batch.rows == 1 else -1
    if batch.codec or told != OK or table[KEY_SIZE, 0] < 4:
        raise Malformed(f"offset {batch.base}: a transaction's marker cannot be read")
    kind = batch.body[table[KEY, 0] + 2 : table[KEY, 0] + 4]
    return int(kind[0]) << 8 | int(kind[1]) == _ABORT


def records_fit(count: int, size: int) -> bool:
    """Whether that many records can lie in so many bytes."""
    return count * _SMALLEST <= size
