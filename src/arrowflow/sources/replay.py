"""Archived files read as if they were the topic: same offsets, same epochs, no broker. It never writes.

Files are NDJSON (plain, ``.gz`` or ``.zst``) or Parquet. With an envelope every record carries its topic, partition
and offset; without one each line of a file *is* a value, a file is a partition and a line number an offset.
"""

from __future__ import annotations

import glob
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from arrowflow.errors import ConfigError, DataLossError
from arrowflow.events import Notice
from arrowflow.protocols import RunContext, Source
from arrowflow.sources.archive import SUFFIXES, Slab, read_envelopes, read_lines, read_parquet
from arrowflow.sources.gathering import Gathering
from arrowflow.types import Bounds, Discovery, Fetched, OffsetRange, PartitionInfo, SourcePartition

_Lane = tuple[str, int]
_WAIT_S = 0.2


@dataclass(frozen=True, slots=True)
class ReplaySpec:
    """Describes a replay of archived records.

    Parameters
    ----------
    paths : tuple of str
        Files, folders (all files below them) and globs; read in natural order (``part-2`` before ``part-10``).
    topic : str, optional
        With an envelope: the only topic to read. Without: the name the records get, "replay" by default.
    envelope : bool
        Whether each line is a record with its offset, or just a value.
    """

    paths: tuple[str, ...]
    topic: str | None = None
    envelope: bool = True

    def __post_init__(self) -> None:
        if not self.paths:
            raise ConfigError("source.replay.paths: name at least one file, folder or glob")

    def build(self, name: str, context: RunContext) -> Source:
        """Find the files; raises `ConfigError` if there are none or one cannot be read as asked."""
        found = files_of(self.paths)
        if not found:
            raise ConfigError(
                f"source.replay.paths: no file matches {', '.join(self.paths)} (known: {', '.join(SUFFIXES)})"
            )
        if not self.envelope and (wrong := [file for file in found if file.suffix == ".parquet"]):
            raise ConfigError(
                f"source.replay.envelope: {wrong[0]} is Parquet, whose rows always are records; set envelope = true"
            )
        return ReplaySource(name, self, context)

    def fingerprint(self) -> Mapping[str, object]:
        """The kind, topic and envelope; where the files lie today does not matter."""
        return {"kind": "replay", "topic": self.topic, "envelope": self.envelope}


@dataclass(frozen=True, slots=True)
class _Extent:
    """First and last offset of one partition in one file."""

    first: int
    last: int


class ReplaySource:
    """Reads archived files; its position is the argument of each call, kept open while calls continue each other."""

    def __init__(self, name: str, spec: ReplaySpec, context: RunContext) -> None:
        self.name = name
        self._spec = spec
        self._context = context
        self._scanned: dict[Path, tuple[tuple[int, int], dict[_Lane, _Extent]]] = {}
        self._files: tuple[Path, ...] = ()
        self._info: dict[SourcePartition, PartitionInfo] = {}
        self._stream: Iterator[Slab] | None = None
        self._rest: Slab | None = None
        self._at: dict[SourcePartition, int] = {}
        self._noticed: set[str] = set()

    # ---- what the engine asks ------------------------------------------------------------------------------

    def discover(self) -> Discovery:
        files = tuple(files_of(self._spec.paths))
        if not files:
            raise DataLossError(
                f"source {self.name!r}: no file matches {', '.join(self._spec.paths)} any more; put the archive back"
            )
        stale = files != self._files
        order = _Order()
        for number, file in enumerate(files):
            mark = _mark(file)
            if file not in self._scanned or self._scanned[file][0] != mark:
                self._scanned[file] = (mark, self._scan(file, number))
                stale = True
            self._join(order, file, self._scanned[file][1])
        if stale:
            self._files = files
            self._stream = None  # the next read finds its place in the new list
        self._info = self._ranges()
        return Discovery(None, dict(self._info))

    def start_offsets(self, partitions: Sequence[SourcePartition]) -> Mapping[SourcePartition, int]:
        if not self._info:
            self.discover()
        return {part: self._info[part].low for part in partitions}

    def remember(self, leader_epoch: Mapping[SourcePartition, int]) -> None:
        """Files have no leaders."""

    def read(self, after: Mapping[SourcePartition, int], bounds: Bounds) -> Fetched:
        if not after:
            return Fetched({}, ())
        if not self._files:
            self.discover()
        if self._stream is None or after != self._at:
            self._rewind(after)
        gathering = Gathering(after)
        try:
            self._gather(gathering, bounds)
        except BaseException:
            self._stream = None
            raise
        if not gathering.rows:
            self._context.clock.sleep(min(bounds.seconds, _WAIT_S))
        self._at = {part: gathering.next_offset(part) for part in after}
        return Fetched(
            {part: OffsetRange(after[part], self._at[part]) for part in after},
            gathering.batches(),
            gathering.unseen,
            dict.fromkeys(after, -1),
        )

    def acknowledge(self, positions: Mapping[SourcePartition, int], note: str) -> None:
        """Files have no lag tools; only the failpoints are passed."""
        self._context.failpoints.hit("lag.before")
        self._context.failpoints.hit("lag.after")

    def close(self) -> None:
        self._stream = self._rest = None

    # ---- what the files hold --------------------------------------------------------------------------------

    def _scan(self, file: Path, number: int) -> dict[_Lane, _Extent]:
        """First and last offset per partition, with the order checked line by line."""
        order = _Order()
        extents: dict[_Lane, _Extent] = {}
        for slab in self._slabs(file, number):
            order.check(slab)
            for lane, rows in slab.lanes():
                first, last = int(slab.records.offset[rows[0]]), int(slab.records.offset[rows[-1]])
                extents[lane] = _Extent(extents[lane].first if lane in extents else first, last)
        return extents

    def _join(self, order: _Order, file: Path, extents: Mapping[_Lane, _Extent]) -> None:
        """Check that a file goes on where the files before it ended; a hole between files is worth a word."""
        for lane, extent in extents.items():
            end = order.last.get(lane)
            if end is not None and extent.first <= end[0]:
                raise DataLossError(
                    f"{file}: begins {lane[0]}[{lane[1]}] at offset {extent.first}, {end[1]} before it ends at {end[0]}: "
                    "files overlap or are not in order; rename them so that they sort by offset"
                )
            if end is not None and extent.first > end[0] + 1:
                hole = f"offsets [{end[0] + 1}, {extent.first}) of {lane[0]}[{lane[1]}] are in no file"
                self._notice(f"{hole} between {end[1]} and {file}: compacted away, or a file is missing")
            order.last[lane] = (extent.last, str(file))

    def _ranges(self) -> dict[SourcePartition, PartitionInfo]:
        ranges: dict[SourcePartition, PartitionInfo] = {}
        for number, file in enumerate(self._files):
            extents = self._scanned[file][1]
            if not self._spec.envelope:  # an empty file is a partition too
                extents = extents or {(self._spec.topic or "replay", number): _Extent(0, -1)}
            for (topic, partition), extent in extents.items():
                part = SourcePartition(self.name, topic, partition)
                low = ranges[part].low if part in ranges else extent.first
                identity = None if self._spec.envelope else hashlib.sha256(file.name.encode()).hexdigest()[:22]
                ranges[part] = PartitionInfo(low, extent.last + 1, extent.last + 1, identity)
        return dict(sorted(ranges.items()))

    def _slabs(self, file: Path, number: int) -> Iterator[Slab]:
        try:
            if file.suffix == ".parquet":
                yield from read_parquet(file, self._spec.topic)
            elif self._spec.envelope:
                yield from read_envelopes(file, self._spec.topic)
            else:
                yield from read_lines(file, self._spec.topic or "replay", number)
        except FileNotFoundError as error:
            raise DataLossError(f"{file} is needed for the next records and is gone; put it back") from error
        except PermissionError as error:
            raise ConfigError(f"{file} may not be read by this user: {error.strerror}") from error
        except (OSError, pa.ArrowException) as error:
            raise DataLossError(
                f"{file} cannot be read to its end: {error}; is it whole? Put a good copy in its place"
            ) from error

    # ---- one read -------------------------------------------------------------------------------------------

    def _rewind(self, after: Mapping[SourcePartition, int]) -> None:
        """Begin again at the first file that can hold a wanted record; records before it are skipped unread."""
        for part, wanted in after.items():
            info = self._info.get(part)
            if info is None or not info.low <= wanted <= info.high:
                held = "nothing of it" if info is None else f"[{info.low}, {info.high})"
                raise DataLossError(
                    f"{part}: offset {wanted} was wanted, the files hold {held}: a file is missing from "
                    f"{', '.join(self._spec.paths)}; put it back, or start over with a new checkpoint folder and empty tables"
                )
        wanted_in = [
            (number, file)
            for number, file in enumerate(self._files)
            if any(
                (part := SourcePartition(self.name, *lane)) in after and extent.last >= after[part]
                for lane, extent in self._scanned[file][1].items()
            )
        ]
        self._stream = (slab for number, file in wanted_in for slab in self._slabs(file, number))
        self._rest = None
        self._at = dict(after)

    def _gather(self, gathering: Gathering, bounds: Bounds) -> None:
        assert self._stream is not None
        while gathering.rows < bounds.rows and gathering.nbytes < bounds.bytes:
            slab = self._rest or next(self._stream, None)
            if slab is None:
                return
            wanted = slab.select(self.name, gathering)
            room = bounds.rows - gathering.rows
            self._rest = wanted.slice(room) if len(wanted) > room else None
            taken = wanted.slice(0, room)
            for lane, rows in taken.lanes():
                gathering.add(SourcePartition(self.name, *lane), taken.records.take(rows))

    def _notice(self, message: str) -> None:
        if message not in self._noticed:
            self._noticed.add(message)
            self._context.observer.notice(Notice("warning", message))


class _Order:
    """Remembers the last offset of each partition and where it stood; offsets only ever ascend."""

    def __init__(self) -> None:
        self.last: dict[_Lane, tuple[int, str]] = {}

    def check(self, slab: Slab) -> None:
        """Raise `DataLossError` naming the line whose offset does not ascend."""
        for lane, rows in slab.lanes():
            offset = slab.records.offset[rows]
            before = self.last.get(lane, (offset[0] - 1, ""))[0]
            bad = np.flatnonzero(np.diff(offset, prepend=before) < 1)
            if bad.size:
                row = int(bad[0])
                previous = offset[row - 1] if row else before
                raise DataLossError(
                    f"{slab.place(int(rows[row]))}: offset {offset[row]} of {lane[0]}[{lane[1]}] comes after {previous}; "
                    "an archive holds each offset once, in order"
                )
            self.last[lane] = (int(offset[-1]), slab.place(int(rows[-1])))


def files_of(paths: Sequence[str]) -> list[Path]:
    """The archive files that paths, folders and globs name, in natural order, each once."""
    found: set[Path] = set()
    for path in paths:
        place = Path(path)
        if place.is_dir():
            found.update(file for file in place.rglob("*") if file.is_file() and file.name.endswith(SUFFIXES))
        elif place.is_file():
            found.add(place)
        else:
            found.update(Path(file) for file in glob.glob(path, recursive=True) if Path(file).is_file())  # noqa: PTH207
    return sorted(found, key=_natural)


def _natural(file: Path) -> list[tuple[int, int, str]]:
    """Sort key in which runs of digits count as numbers."""
    return [
        (0, int(piece), "") if piece.isdigit() else (1, 0, piece) for piece in re.split(r"(\d+)", str(file)) if piece
    ]


def _mark(file: Path) -> tuple[int, int]:
    """What tells that a file changed since it was scanned."""
    try:
        status = file.stat()
    except FileNotFoundError as error:
        raise DataLossError(f"{file} was there a moment ago and is gone; put it back") from error
    return status.st_size, status.st_mtime_ns
