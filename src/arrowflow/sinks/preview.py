"""One Parquet file that always holds what the windows open now would give; a glance ahead, never a result.

Each record that has news of open windows puts a whole new file in the place of the last one, so a reader sees the
state of one record and no mixture. Nothing is kept of older ones. It is outside the laws of results: it says what
is known so far, which depends on when it is asked.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from arrowflow.checksums import crc32c
from arrowflow.errors import ConfigError, DataLossError, ObjectMissing
from arrowflow.events import Notice
from arrowflow.protocols import Change, RunContext
from arrowflow.sinks.encoding import COMPRESSIONS, Compression, encode, grow
from arrowflow.sinks.publishing import Publisher
from arrowflow.types import Attempt, Reject, Replaced, StagedFile

FILE = "open.parquet"
"""The one name under the folder of a preview."""


@dataclass(frozen=True, slots=True)
class PreviewSpec:
    """A preview of open windows in the file ``open.parquet`` of the folder `root`."""

    root: str
    compression: Compression = "snappy"

    @property
    def location(self) -> str:
        """The root as the store names it: absolute, or an address as given."""
        return self.root if "://" in self.root else os.path.abspath(self.root)  # noqa: PTH100 - symlinks stay

    def in_generation(self, generation: int) -> PreviewSpec:
        """The same file: the next record puts another in its place anyway."""
        return self

    @property
    def takes(self) -> frozenset[Change]:
        """Interim results only: it keeps no row, and a result must be kept."""
        return frozenset({"interim"})

    def placed_by(self, schema: pa.Schema) -> frozenset[str]:
        """There is one place."""
        return frozenset()

    def build(self, name: str, schema: pa.Schema, context: RunContext) -> PreviewSink:
        """Make the sink; raises `ConfigError` for a compression there is not."""
        if self.compression not in COMPRESSIONS:
            raise ConfigError(f"sink {name!r}: compression {self.compression!r}; allowed are {list(COMPRESSIONS)}")
        return PreviewSink(name, self, context)

    def fingerprint(self) -> Mapping[str, object]:
        """No result depends on where or how a preview is written."""
        return {"kind": "preview"}


@dataclass(slots=True)
class PreviewSink:
    """The working part of one run."""

    name: str
    spec: PreviewSpec
    context: RunContext

    def stage(self, attempt: Attempt, table: pa.Table) -> tuple[StagedFile, ...]:
        """Stage the whole preview, empty or not, to take the place of whatever is there."""
        self.context.failpoints.hit("stage.file.before")
        old = self._there()
        data = encode(table, self.spec.compression) if old is None else grow(old, table, self.spec.compression)
        file = StagedFile(
            sink=self.name,
            src=f"{attempt.folder('staging')}/{self.name}/{FILE}",
            dst=FILE,
            rows=table.num_rows,
            bytes=len(data),
            crc32c=crc32c(data),
            sha256=hashlib.sha256(data).hexdigest(),
            replaces=None if old is None else Replaced(crc32c=crc32c(old), revision=0, rows=table.num_rows),
        )
        return (self._publisher.stage(file, data),)

    def split(self, table: pa.Table) -> Iterator[tuple[dict[str, str | None], pa.Table]]:
        """It has no rows that could be corrected."""
        raise ConfigError(f"sink {self.name!r}: a preview holds no results, so none of them can be corrected")

    def rewrite(
        self, attempt: Attempt, number: int, newest: StagedFile, rows: pa.Table, identity: Sequence[str]
    ) -> StagedFile:
        """It has no rows that could be corrected."""
        raise ConfigError(f"sink {self.name!r}: a preview holds no results, so none of them can be corrected")

    def publish(self, files: Sequence[StagedFile], later: Sequence[StagedFile] = ()) -> None:
        """Put each file in the place of the one before; where that is another by now, leave it and say so.

        A preview is only worth something as long as it is fresh, and the next record brings another: whatever became
        of the file is no reason to stop a job.
        """
        for file in files:
            try:
                self._publisher.publish(file, later)
            except (DataLossError, ObjectMissing) as wrong:
                self.context.control.store.delete(self.context.control.path(file.src))
                self.context.observer.notice(Notice("info", f"{wrong}; a newer preview comes with the next record"))

    @property
    def location(self) -> str | None:
        return self.spec.location

    def holds_files(self) -> bool:
        """Never rows that would be counted twice: what is there is replaced."""
        return False

    def refusals(self, table: pa.Table) -> tuple[Reject, ...]:
        return ()

    @property
    def _publisher(self) -> Publisher:
        return Publisher(self.name, self.spec.location, self.context)

    def _there(self) -> bytes | None:
        try:
            return self.context.control.store.read(f"{self.spec.location}/{FILE}")
        except ObjectMissing:
            return None
