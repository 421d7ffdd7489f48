"""A sink over any store that keeps tables as Arrow streams; a test reads them back as one table."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import google_crc32c
import pyarrow as pa

from arrowflow.errors import AlreadyExists, ObjectMissing
from arrowflow.protocols import RunContext, Store
from arrowflow.types import Attempt, Reject, StagedFile


@dataclass(frozen=True, slots=True)
class MemorySinkSpec:
    """The `SinkSpec` protocol for tests: one file per stage under `root` of the run's own store."""

    root: str = "/memory/table"

    def build(self, name: str, schema: pa.Schema, context: RunContext) -> MemorySink:
        return MemorySink(name, self.root, context)

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

    def stage(self, attempt: Attempt, table: pa.Table) -> tuple[StagedFile, ...]:
        if table.num_rows == 0:
            return ()
        failpoints, control = self.context.failpoints, self.context.control
        failpoints.hit("stage.file.before")
        file, data = self._describe(attempt, table)
        failpoints.hit("stage.file.mid")
        failpoints.hit("stage.file")
        control.store.create(control.path(file.src), data)
        failpoints.lost("stage.file")
        return (file,)

    @property
    def location(self) -> str | None:
        return self.root

    def holds_files(self) -> bool:
        return bool(self.context.control.store.list(self.root))

    def refusals(self, table: pa.Table) -> tuple[Reject, ...]:
        return ()

    def publish(self, files: Sequence[StagedFile]) -> None:
        store, control = self.context.control.store, self.context.control
        for file in files:
            self.context.failpoints.hit("publish.move")
            source, target = control.path(file.src), f"{self.root}/{file.dst}"
            try:
                store.move_once(source, target)
            except (AlreadyExists, ObjectMissing):
                if _crc32c(store.read(target)) != file.crc32c:
                    raise
                store.delete(source)
            self.context.failpoints.lost("publish.move")

    def _describe(self, attempt: Attempt, table: pa.Table) -> tuple[StagedFile, bytes]:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        data = sink.getvalue().to_pybytes()
        digest = hashlib.sha256(data).hexdigest()
        file = StagedFile(
            sink=self.name,
            src=f"{attempt.folder('staging')}/{self.name}/0000.arrow",
            dst=f"{attempt.epoch:012d}-{digest[:8]}.arrow",
            rows=table.num_rows,
            bytes=len(data),
            crc32c=_crc32c(data),
            sha256=digest,
        )
        return file, data


def _decode(data: bytes) -> pa.Table:
    with pa.ipc.open_stream(data) as reader:
        return reader.read_all()


def _crc32c(data: bytes) -> str:
    return f"{google_crc32c.value(data):08x}"
