"""Parquet files in Hive folders: encoded whole, staged out of sight, published by one move; never written in place.

Under the root there is nothing but committed ``*.parquet``: no temporary name, no marker, no folder of ours. So a
plain glob is a correct reader. A correction puts a whole new file in the place of the one that holds the window.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import msgspec
import pyarrow as pa

from arrowflow.checksums import crc32c
from arrowflow.errors import AlreadyExists, ConfigError, DataLossError, PromiseBroken
from arrowflow.events import Notice
from arrowflow.protocols import Change, CivilTime, RunContext
from arrowflow.sinks import paths
from arrowflow.sinks.encoding import COMPRESSIONS, Compression, decode, encode, grow
from arrowflow.sinks.partitions import Part, Partitioning, span_us
from arrowflow.sinks.publishing import Publisher, holds
from arrowflow.sinks.revisions import replace_rows
from arrowflow.sinks.sealing import by_partition, sealed_source, together
from arrowflow.sinks.snapshot import SEALED, kept_place
from arrowflow.types import Attempt, Reject, Replaced, StagedFile

_SMALL_FILES, _SMALL_ROWS = 100, 1000
_CASES_REMEMBERED, _WARNED = 10_000, ""


@dataclass(frozen=True, slots=True)
class ParquetSpec:
    """A table of Parquet files.

    Parameters
    ----------
    root : str
        Folder of the table, on the same file system as the commit log but apart from it.
    partition_by : tuple of str
        Columns that become folders, in order, and leave the files. ``date`` and ``hour`` are derived where the
        table has no such column.
    compression : Compression
        snappy, zstd, gzip, lz4, brotli or none.
    civil : CivilTime or None
        Derives ``date`` and ``hour`` in the zone of a key's value; None means UTC.
    time_column : str
        What they are derived from, and where each file's time span is taken from.
    max_partitions_per_epoch : int
        One epoch may write this many files; a record lists each with about 500 bytes.
    seal_us : int, optional
        Put the small files of each such interval of processing time together once it is over; None for never.
    """

    root: str
    partition_by: tuple[str, ...] = ()
    compression: Compression = "snappy"
    civil: CivilTime | None = None
    time_column: str = "window_start"
    max_partitions_per_epoch: int = 2000
    seal_us: int | None = None

    @property
    def location(self) -> str:
        """The root as the store names it: absolute, or an address as given."""
        return self.root if "://" in self.root else os.path.abspath(self.root)  # noqa: PTH100 - symlinks stay

    @property
    def sealed_location(self) -> str:
        """Where sealed files lie, beside the root: a reader that globs the root must not see a row twice."""
        return f"{self.location.rstrip('/')}{SEALED}"

    def in_generation(self, generation: int) -> ParquetSpec:
        """The same table in a root of its own beside the configured one; 0 is that one itself."""
        return self if not generation else replace(self, root=f"{self.root.rstrip('/')}__g{generation}")

    @property
    def partitioning(self) -> Partitioning:
        """How rows find their folder."""
        return Partitioning(self.partition_by, self.time_column, self.civil)

    @property
    def takes(self) -> frozenset[Change]:
        """First results and, by rewriting the file that holds the window, later revisions; never interim results."""
        return frozenset({"insert", "replace"})

    def placed_by(self, schema: pa.Schema) -> frozenset[str]:
        """Columns of `schema` that choose the folder of a row, also by way of a derived date or hour."""
        return self.partitioning.sources(schema)

    def build(self, name: str, schema: pa.Schema, context: RunContext) -> ParquetSink:
        """Plan for tables of `schema`; raises `ConfigError` if it cannot take them."""
        if self.compression not in COMPRESSIONS:
            raise ConfigError(f"sink {name!r}: compression {self.compression!r}; allowed are {list(COMPRESSIONS)}")
        self.partitioning.check(schema)
        for inner, outer in ((self.location, context.control.prefix), (context.control.prefix, self.location)):
            if f"{inner}/".startswith(f"{outer}/"):
                raise ConfigError(
                    f"sink {name!r}: {inner} lies inside {outer}; readers of the table would see our records"
                )
        return ParquetSink(name, self, context)

    def fingerprint(self) -> Mapping[str, object]:
        """Where rows go and how they are told apart; compression and limits change no result."""
        return {
            "kind": "parquet",
            "root": self.root,
            "partition_by": list(self.partition_by),
            "time_column": self.time_column,
            "civil": None if self.civil is None else dict(self.civil.fingerprint()),
        }

    def key_refusals(self, table: pa.Table) -> tuple[Reject, ...]:
        """Say which rows of `table` hold a partition value that no file can be named by.

        Only partition columns that `table` has are looked at, so it can be asked before rows are folded, while a
        refused row can still go to the dead letters. At most one `Reject` per row, ascending.
        """
        present = tuple(column for column in self.partition_by if column in table.column_names)
        return paths.refusals(self.location, Partitioning(present, self.time_column, self.civil).values(table))


@dataclass(slots=True)
class ParquetSink:
    """The working part of one run: stages files in the control prefix and moves them under the root."""

    name: str
    spec: ParquetSpec
    context: RunContext
    _cases: dict[tuple[str, str], str] = field(default_factory=dict)
    _warned_small: bool = False

    def stage(self, attempt: Attempt, table: pa.Table) -> tuple[StagedFile, ...]:
        """Write one file per partition under the attempt's staging folder; call it once per attempt.

        Raises
        ------
        PromiseBroken
            A partition value cannot name a folder (see `ParquetSpec.key_refusals`); nothing is visible.
        ConfigError
            More partitions than `max_partitions_per_epoch`.
        """
        parts = list(self.spec.partitioning.split(table))
        self._check(attempt, parts)
        return tuple(self._stage_file(attempt, seq, part) for seq, part in enumerate(parts))

    def split(self, table: pa.Table) -> Iterator[Part]:
        """Yield the parts of `table` that go to one file each, without the partition columns."""
        return self.spec.partitioning.split(table)

    def rewrite(
        self, attempt: Attempt, number: int, newest: StagedFile, rows: pa.Table, identity: Sequence[str]
    ) -> StagedFile:
        """Stage the next revision of a published file; what it replaces is kept under ``revisions/`` first.

        Raises
        ------
        DataLossError
            The file does not hold what `newest` says, or not the rows to be replaced.
        ObjectMissing
            The file is gone.
        """
        old = self._read(newest)
        before = decode(old)
        within = [name for name in identity if name not in self.spec.partition_by]
        table = replace_rows(before, rows, within, self._publisher.path_of(newest))
        self._keep(newest, before)
        return self._stage_revision(attempt, number, newest, old, table, rows.num_rows)

    def revert(self, attempt: Attempt, number: int, newest: StagedFile, revision: int) -> StagedFile:
        """Stage the rows of an earlier `revision` as the next one; the newest is kept like any that is replaced.

        Raises
        ------
        DataLossError
            The file does not hold what `newest` says.
        ObjectMissing
            The file is gone, or that revision of it.
        """
        old = self._read(newest)
        table = decode(self.context.control.store.read(self._kept(newest, revision)))
        self._keep(newest, decode(old))
        return self._stage_revision(attempt, number, newest, old, table, 0)

    def _stage_revision(
        self, attempt: Attempt, number: int, newest: StagedFile, old: bytes, table: pa.Table, news: int
    ) -> StagedFile:
        self.context.failpoints.hit("stage.file.before")
        data = grow(old, table, self.spec.compression)
        file = self._describe(attempt, f"revision-{number:04d}", Part(newest.partition, table), data)
        replaced = Replaced(crc32c=newest.crc32c, revision=newest.revision, rows=news)
        return self._publisher.stage(msgspec.structs.replace(file, dst=newest.dst, replaces=replaced), data)

    def _read(self, newest: StagedFile) -> bytes:
        """The bytes of a published file; they must be those of the newest record that wrote it."""
        target = self._publisher.path_of(newest)
        old = self.context.control.store.read(target)
        if not holds(old, newest):
            raise DataLossError(
                f"{target} holds {len(old)} bytes with crc32c {crc32c(old)}, the newest record that wrote it says "
                f"{newest.bytes} with {newest.crc32c}: it was changed or replaced; restore it, then start again"
            )
        return old

    def publish(self, files: Sequence[StagedFile], later: Sequence[StagedFile] = ()) -> None:
        """Give each file its final name, once; a file already there with its bytes, or replaced since, is done.

        Raises
        ------
        ObjectMissing
            Neither name holds the file. Look for a newer writer before blaming anyone.
        DataLossError
            The final name holds bytes that none of the records tells of.
        """
        for file in files:
            self._publisher.publish(file, later)

    @property
    def location(self) -> str | None:
        return self.spec.location

    @property
    def seal_us(self) -> int | None:
        return self.spec.seal_us

    @property
    def sealed_location(self) -> str:
        return self.spec.sealed_location

    def seal(self, attempt: Attempt, files: Sequence[StagedFile]) -> tuple[StagedFile, ...]:
        """Stage one file for each partition with all rows of `files`, in their order.

        Raises
        ------
        DataLossError
            A file does not hold what its newest record says.
        ObjectMissing
            A file is gone.
        """
        staged = []
        for number, group in enumerate(by_partition(files)):
            self.context.failpoints.hit("stage.file.before")
            table = together([decode(self._read(file)) for file in group], self._publisher.path_of(group[0]))
            data = encode(table, self.spec.compression)
            described = self._describe(attempt, f"{number:04d}", Part(group[0].partition, table), data)
            file = msgspec.structs.replace(described, src=sealed_source(attempt, self.name, number))
            staged.append(self._sealed_publisher.stage(file, data))
        return tuple(staged)

    def publish_sealed(self, files: Sequence[StagedFile]) -> None:
        """Give each staged file its name beside the table, once."""
        for file in files:
            self._sealed_publisher.publish(file)

    @property
    def _sealed_publisher(self) -> Publisher:
        return Publisher(self.name, self.sealed_location, self.context)

    def holds_files(self) -> bool:
        store = self.context.control.store
        return any(map(store.list, (self.spec.location, self.sealed_location)))

    def refusals(self, table: pa.Table) -> tuple[Reject, ...]:
        return self.spec.key_refusals(table)

    @property
    def _publisher(self) -> Publisher:
        return Publisher(self.name, self.spec.location, self.context)

    def _stage_file(self, attempt: Attempt, number: int, part: Part) -> StagedFile:
        self.context.failpoints.hit("stage.file.before")
        data = encode(part.table, self.spec.compression)
        return self._publisher.stage(self._describe(attempt, f"{number:04d}", part, data), data)

    def kept(self, file: StagedFile) -> str | None:
        """Where the rows that `file` took the place of are kept, relative to the control prefix."""
        return None if file.replaces is None else kept_place(self.name, file.dst, file.replaces.revision)

    def _keep(self, newest: StagedFile, table: pa.Table) -> None:
        """Keep the rows of a file that will be replaced; another attempt may have kept the same before."""
        store, failpoints = self.context.control.store, self.context.failpoints
        path = self._kept(newest, newest.revision)
        failpoints.hit("stage.revision")
        try:
            store.create(path, encode(table, self.spec.compression))
            failpoints.lost("stage.revision")
        except AlreadyExists:
            if not decode(store.read(path)).equals(table):
                raise DataLossError(
                    f"{path} does not hold the rows of revision {newest.revision} of {newest.dst}: it was changed by "
                    "another hand; move it away and start again"
                ) from None

    def _kept(self, file: StagedFile, revision: int) -> str:
        """Where a revision of `file` is, or would be, once a later one has taken its place."""
        return self.context.control.path(kept_place(self.name, file.dst, revision))

    def _describe(self, attempt: Attempt, name: str, part: Part, data: bytes) -> StagedFile:
        digest = hashlib.sha256(data).hexdigest()
        job = hashlib.sha256(attempt.job.encode()).hexdigest()
        least, greatest = span_us(part.table, self.spec.time_column)
        folder = paths.folder(part.values)
        final = f"{job[:8]}-{attempt.epoch:012d}-{name}-{digest[:8]}.parquet"
        return StagedFile(
            sink=self.name,
            src=f"{attempt.folder('staging')}/{self.name}/{name}.parquet",
            dst=f"{folder}/{final}" if folder else final,
            rows=part.table.num_rows,
            bytes=len(data),
            crc32c=crc32c(data),
            sha256=digest,
            partition=part.values,
            min_event_us=least,
            max_event_us=greatest,
        )

    def _check(self, attempt: Attempt, parts: Sequence[Part]) -> None:
        """Refuse before the first upload what could not be published, and notice what readers may stumble over."""
        limit = self.spec.max_partitions_per_epoch
        if len(parts) > limit:
            raise ConfigError(
                f"sink {self.name!r}: epoch {attempt.epoch} has {len(parts)} partitions of {list(self.spec.partition_by)}, "
                f"max_partitions_per_epoch allows {limit}; partition by fewer or coarser columns, or raise it"
            )
        for part in parts:
            self._check_values(part.values)
            self._watch_case(part.values)
        self._watch_small(parts)

    def _check_values(self, values: Mapping[str, str | None]) -> None:
        columns = {column: pa.array([value], pa.string()) for column, value in values.items()}
        for reject in paths.refusals(self.spec.location, columns):
            raise PromiseBroken(
                f"sink {self.name!r}: {reject.detail}. A row with this value cannot be written; refuse it with a filter "
                "or clean it with a transform, or drop the column from partition_by"
            )

    def _watch_case(self, values: Mapping[str, str | None]) -> None:
        for column, value in values.items():
            if value is None or len(self._cases) >= _CASES_REMEMBERED:
                continue
            before = self._cases.setdefault((column, value.casefold()), value)
            if before not in (value, _WARNED):
                self._cases[column, value.casefold()] = _WARNED
                self._warn(
                    f"sink {self.name!r}: {column} has {before!r} and {value!r}, which differ only in case; they stay two "
                    "partitions here, but a reader that ignores case, or a disk that does, mixes them"
                )

    def _watch_small(self, parts: Sequence[Part]) -> None:
        rows = sum(part.table.num_rows for part in parts)
        if not self._warned_small and len(parts) >= _SMALL_FILES and rows < _SMALL_ROWS * len(parts):
            self._warned_small = True
            self._warn(
                f"sink {self.name!r}: {len(parts)} files for {rows} rows in one epoch; many small files are slow to read: "
                "partition by fewer columns or cut epochs less often"
            )

    def _warn(self, message: str) -> None:
        self.context.observer.notice(Notice("warning", message))
