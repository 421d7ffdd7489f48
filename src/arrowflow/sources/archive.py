"""Reads one archived file as a stream of small slabs of records; it keeps no position and knows no pipeline."""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from arrowflow.errors import ConfigError, DataLossError
from arrowflow.sources.gathering import Gathering, Records
from arrowflow.types import I64, MIN_US, SourcePartition

SUFFIXES = (
    ".parquet",
    *(f".{kind}{packed}" for kind in ("ndjson", "jsonl", "json") for packed in ("", ".gz", ".zst")),
)
"""Names of files that are read from a folder."""

_ROWS = 10_000
_BYTES = 8 * 1024 * 1024
_LINE = 64 * 1024 * 1024
_Lane = tuple[str, int]


@dataclass(frozen=True)
class Slab:
    """Some consecutive records of a file, partitions mixed.

    Parameters
    ----------
    file : Path
        Where they stand.
    row : int64[n]
        Line numbers (from 1), or row numbers of a Parquet file (from 0).
    lane : int64[n]
        Index into `names`.
    names : tuple of (topic, partition)
        The partitions met so far in the file.
    records : Records
        The columns, in file order.
    """

    file: Path
    row: I64
    lane: I64
    names: tuple[_Lane, ...]
    records: Records

    def __len__(self) -> int:
        return len(self.row)

    def lanes(self) -> Iterator[tuple[_Lane, I64]]:
        """Each partition with the indices of its records, ascending."""
        for code in np.unique(self.lane):
            yield self.names[code], np.flatnonzero(self.lane == code)

    def slice(self, start: int, stop: int | None = None) -> Slab:
        """Records ``[start, stop)``."""
        rows = slice(start, stop)
        return replace(self, row=self.row[rows], lane=self.lane[rows], records=self.records.slice(start, stop))

    def select(self, source: str, gathering: Gathering) -> Slab:
        """Only records of partitions the read asked for, at or after where it stands in each."""
        keep = np.zeros(len(self), np.bool_)
        for lane, rows in self.lanes():
            part = SourcePartition(source, *lane)
            if part in gathering.after:
                keep[rows] = self.records.offset[rows] >= gathering.next_offset(part)
        if keep.all():
            return self
        index = np.flatnonzero(keep)
        return replace(self, row=self.row[index], lane=self.lane[index], records=self.records.take(index))

    def place(self, index: int) -> str:
        """``file:line`` of a record, for error messages."""
        return f"{self.file}:{self.row[index]}"


class _Envelope(msgspec.Struct):
    """One archived record; fields it does not know, such as headers, are skipped."""

    topic: str
    partition: Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
    offset: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 2)]
    timestamp: int | None = None
    appended: bool = False
    key: str | None = None
    key_b64: str | None = None
    value: str | msgspec.UnsetType | None = msgspec.UNSET
    value_b64: str | msgspec.UnsetType = msgspec.UNSET


def read_envelopes(file: Path, topic: str | None) -> Iterator[Slab]:
    """Lines that are records with their offsets; raises `ConfigError` naming file and line for any other line."""
    decode = msgspec.json.Decoder(_Envelope).decode
    names: dict[_Lane, int] = {}
    for first, lines in _chunks(file):
        found = [_envelope(decode, line, file, first + index) for index, line in enumerate(lines)]
        wanted = [index for index, each in enumerate(found) if topic is None or each.topic == topic]
        kept = [found[index] for index in wanted]
        if not kept:
            continue
        lane = np.array([names.setdefault((each.topic, each.partition), len(names)) for each in kept], np.int64)
        row = np.array(wanted, np.int64) + first
        yield Slab(file, row, lane, tuple(names), _columns(kept, file, row))


def read_lines(file: Path, topic: str, partition: int) -> Iterator[Slab]:
    """Lines that are values: the first has offset 0, none has a key or a timestamp."""
    for first, lines in _chunks(file):
        n = len(lines)
        row = np.arange(first, first + n, dtype=np.int64)
        nothing = pa.nulls(n, pa.binary())
        values = pa.array(lines, pa.binary())
        records = Records(row - 1, np.full(n, MIN_US, np.int64), np.zeros(n, np.bool_), nothing, values)
        yield Slab(file, row, np.zeros(n, np.int64), ((topic, partition),), records)


def read_parquet(file: Path, topic: str | None) -> Iterator[Slab]:
    """Rows with ``topic, partition, offset, timestamp_us, key, value`` and, where there is one, ``appended``."""
    columns: dict[str, pa.DataType] = {
        "topic": pa.string(),
        "partition": pa.int32(),
        "offset": pa.int64(),
        "timestamp_us": pa.int64(),
        "key": pa.binary(),
        "value": pa.binary(),
    }
    names: dict[_Lane, int] = {}
    try:
        archive = pq.ParquetFile(file)
    except pa.ArrowInvalid as error:
        raise ConfigError(f"{file} is no Parquet file: {error}") from error
    with archive:
        held = archive.schema_arrow.names
        if missing := [name for name in columns if name not in held]:
            raise ConfigError(f"{file}: column {missing[0]!r} is missing; an archive has {', '.join(columns)}")
        if "appended" in held:
            columns["appended"] = pa.bool_()
        size = _batch_rows(archive.metadata)
        first = 0
        for batch in archive.iter_batches(size, columns=list(columns)):
            slab = _parquet_slab(file, first, _cast(batch, columns, file), names, topic)
            first += batch.num_rows
            if len(slab):
                yield slab


# ---- lines --------------------------------------------------------------------------------------------------


def _chunks(file: Path) -> Iterator[tuple[int, list[bytes]]]:
    """Lines without their newlines, some at a time, each time with the number of the first."""
    with pa.input_stream(str(file), compression="detect") as raw:
        stream = io.BufferedReader(raw, 1024 * 1024)  # type: ignore[type-var]  # readable and readinto are enough
        lines: list[bytes] = []
        number, size = 1, 0
        while line := stream.readline(_LINE + 1):
            if len(line) > _LINE:
                raise DataLossError(f"{file}:{number + len(lines)}: a line of more than {_LINE} bytes")
            lines.append(line[:-1] if line.endswith(b"\n") else line)
            size += len(line)
            if len(lines) >= _ROWS or size >= _BYTES:
                yield number, lines
                number, lines, size = number + len(lines), [], 0
        if lines:
            yield number, lines


def _envelope(decode: Callable[[bytes], _Envelope], line: bytes, file: Path, number: int) -> _Envelope:
    try:
        found = decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        start = line[:60].decode(errors="replace")
        raise ConfigError(
            f"{file}:{number}: {start!r} is no archived record ({error}); a line is "
            '{"topic", "partition", "offset", "timestamp", "key", "value"}. For bare values set envelope = false'
        ) from error
    if (found.value is msgspec.UNSET) == (found.value_b64 is msgspec.UNSET):
        raise ConfigError(f'{file}:{number}: one of "value" (null is a tombstone) and "value_b64" is needed')
    return found


def _columns(kept: list[_Envelope], file: Path, row: I64) -> Records:
    n = len(kept)
    stamp = (MIN_US if each.timestamp is None else each.timestamp * 1000 for each in kept)
    try:
        return Records(
            np.fromiter((each.offset for each in kept), np.int64, n),
            np.fromiter(stamp, np.int64, n),
            np.fromiter((each.appended for each in kept), np.bool_, n),
            pa.array([_bytes(each.key, each.key_b64) for each in kept], pa.binary()),
            pa.array([_bytes(each.value, each.value_b64) for each in kept], pa.binary()),
        )
    except (OverflowError, UnicodeEncodeError, binascii.Error) as error:
        raise ConfigError(
            f"{file}:{row[0]}-{row[-1]}: a number or text of a record is out of range: {error}"
        ) from error


def _bytes(text: str | msgspec.UnsetType | None, encoded: str | msgspec.UnsetType | None) -> bytes | None:
    if isinstance(encoded, str):
        return base64.b64decode(encoded, validate=True)
    return text.encode() if isinstance(text, str) else None


# ---- Parquet ------------------------------------------------------------------------------------------------


def _batch_rows(metadata: pq.FileMetaData) -> int:
    """As many rows as fit a slab by the average of the densest row group."""
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    average = max((group.total_byte_size // max(1, group.num_rows) for group in groups), default=1)
    return max(1, min(_ROWS, _BYTES // max(1, average)))


def _cast(batch: pa.RecordBatch, columns: dict[str, pa.DataType], file: Path) -> dict[str, pa.Array[Any]]:
    found = {}
    for name, kind in columns.items():
        try:
            found[name] = batch.column(name).cast(kind)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise ConfigError(f"{file}: column {name!r} cannot be read as {kind}: {error}") from error
    return found


def _parquet_slab(
    file: Path, first: int, column: dict[str, pa.Array[Any]], names: dict[_Lane, int], topic: str | None
) -> Slab:
    for name in ("topic", "partition", "offset"):
        if column[name].null_count:
            raise ConfigError(f"{file}: column {name!r} holds a null near row {first}; every archived record has one")
    pairs: Iterator[Any] = zip(column["topic"].to_pylist(), column["partition"].to_pylist(), strict=True)
    lane = np.array([names.setdefault(pair, len(names)) for pair in pairs], np.int64)
    n = len(lane)
    appended = (
        column["appended"].fill_null(False).to_numpy(zero_copy_only=False)
        if "appended" in column
        else np.zeros(n, np.bool_)
    )
    records = Records(
        column["offset"].to_numpy(zero_copy_only=False),
        column["timestamp_us"].fill_null(MIN_US).to_numpy(zero_copy_only=False),
        appended,
        column["key"],
        column["value"],
    )
    slab = Slab(file, np.arange(first, first + n, dtype=np.int64), lane, tuple(names), records)
    if topic is None:
        return slab
    index = np.flatnonzero(np.array([each == topic for each, _ in names], np.bool_)[lane])
    return replace(slab, row=slab.row[index], lane=lane[index], records=records.take(index))
