"""A sink over any store that keeps tables as Arrow streams; a test reads them back as one table."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import pyarrow as pa

from arrowflow.checksums import crc32c
from arrowflow.errors import AlreadyExists, DataLossError
from arrowflow.protocols import Change, RunContext, Store
from arrowflow.sinks.publishing import Publisher, holds
from arrowflow.sinks.revisions import replace_rows
from arrowflow.sinks.sealing import together
from arrowflow.types import Attempt, Reject, Replaced, StagedFile


@dataclass(frozen=True, slots=True)
class MemorySinkSpec:
    """The `SinkSpec` protocol for tests: one file per stage under `root` of the run's own store."""

    root: str = "/memory/table"
    seal_us: int | None = field(default=None, kw_only=True)

    def in_generation(self, generation: int) -> MemorySinkSpec:
        return self if not generation else MemorySinkSpec(f"{self.root}__g{generation}", seal_us=self.seal_us)

    @property
    def takes(self) -> frozenset[Change]:
        return frozenset({"insert", "replace"})

    def placed_by(self, schema: pa.Schema) -> frozenset[str]:
        return frozenset()

    def build(self, name: str, schema: pa.Schema, context: RunContext) -> MemorySink:
        return MemorySink(name, self.root, context, seal_us=self.seal_us)

    def fingerprint(self) -> Mapping[str, object]:
        return {"kind": "memory", "root": self.root}

    def table(self, store: Store) -> pa.Table | None:
        """Everything published so far as one table, in the order of names; None if there is nothing."""
        tables = [_decode(store.read(path)) for path in store.list(self.root)]
        return pa.concat_tables(tables) if tables else None

    def rows(self, store: Store) -> list[dict[str, object]]:
        """Everything published so far as plain rows."""
        table = self.table(store)
        return [] if table is None else table.to_pylist()


@dataclass(slots=True)
class MemorySink:
    """The working part of one run, with the same failpoints as every sink."""

    name: str
    root: str
    context: RunContext
    seal_us: int | None = field(default=None, kw_only=True)

    def stage(self, attempt: Attempt, table: pa.Table) -> tuple[StagedFile, ...]:
        if table.num_rows == 0:
            return ()
        data = _encode(table)
        name = f"{attempt.epoch:012d}-{hashlib.sha256(data).hexdigest()[:8]}.arrow"
        return (self._stage(attempt, "0000", name, table, data),)

    def split(self, table: pa.Table) -> Iterator[tuple[dict[str, str | None], pa.Table]]:
        if table.num_rows:
            yield {}, table

    def rewrite(
        self, attempt: Attempt, number: int, newest: StagedFile, rows: pa.Table, identity: Sequence[str]
    ) -> StagedFile:
        store, failpoints = self.context.control.store, self.context.failpoints
        old = store.read(f"{self.root}/{newest.dst}")
        if not holds(old, newest):
            raise DataLossError(f"{self.root}/{newest.dst} does not hold what its newest record says")
        table = replace_rows(_decode(old), rows, identity, newest.dst)
        failpoints.hit("stage.revision")
        with suppress(AlreadyExists):
            store.create(
                self.context.control.path(f"revisions/{self.name}/{newest.dst}/{newest.revision:06d}.arrow"), old
            )
            failpoints.lost("stage.revision")
        replaces = Replaced(crc32c=newest.crc32c, revision=newest.revision, rows=rows.num_rows)
        return self._stage(attempt, f"revision-{number:04d}", newest.dst, table, _encode(table), replaces)

    def kept(self, file: StagedFile) -> str | None:
        return None if file.replaces is None else f"revisions/{self.name}/{file.dst}/{file.replaces.revision:06d}.arrow"

    @property
    def location(self) -> str | None:
        return self.root

    @property
    def sealed_location(self) -> str:
        return f"{self.root}__sealed"

    def seal(self, attempt: Attempt, files: Sequence[StagedFile]) -> tuple[StagedFile, ...]:
        if not files:
            return ()
        tables = []
        for file in files:
            data = self.context.control.store.read(f"{self.root}/{file.dst}")
            if not holds(data, file):
                raise DataLossError(f"{self.root}/{file.dst} does not hold what its newest record says")
            tables.append(_decode(data))
        table = together(tables, self.root)
        data = _encode(table)
        name = f"{attempt.epoch:012d}-{hashlib.sha256(data).hexdigest()[:8]}.arrow"
        return (self._stage(attempt, "sealed-0000", name, table, data),)

    def publish_sealed(self, files: Sequence[StagedFile]) -> None:
        for file in files:
            Publisher(self.name, self.sealed_location, self.context).publish(file)

    def holds_files(self) -> bool:
        return any(map(self.context.control.store.list, (self.root, self.sealed_location)))

    def refusals(self, table: pa.Table) -> tuple[Reject, ...]:
        return ()

    def publish(self, files: Sequence[StagedFile], later: Sequence[StagedFile] = ()) -> None:
        for file in files:
            self._publisher.publish(file, later)

    @property
    def _publisher(self) -> Publisher:
        return Publisher(self.name, self.root, self.context)

    def _stage(
        self, attempt: Attempt, name: str, dst: str, table: pa.Table, data: bytes, replaces: Replaced | None = None
    ) -> StagedFile:
        self.context.failpoints.hit("stage.file.before")
        file = StagedFile(
            sink=self.name,
            src=f"{attempt.folder('staging')}/{self.name}/{name}.arrow",
            dst=dst,
            rows=table.num_rows,
            bytes=len(data),
            crc32c=crc32c(data),
            sha256=hashlib.sha256(data).hexdigest(),
            replaces=replaces,
        )
        return self._publisher.stage(file, data)


def _encode(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def _decode(data: bytes) -> pa.Table:
    with pa.ipc.open_stream(data) as reader:
        return reader.read_all()
