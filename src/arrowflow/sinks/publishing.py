"""Stage files, and give staged files their final names, or the place of what they are a later revision of: a redo that may always be done again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from arrowflow.checksums import crc32c
from arrowflow.errors import AlreadyExists, DataLossError, ObjectMissing
from arrowflow.protocols import RunContext
from arrowflow.types import StagedFile


@dataclass(frozen=True, slots=True)
class Publisher:
    """Publishes what records say into one folder; `sink` is the name error messages give it."""

    sink: str
    location: str
    context: RunContext

    def path_of(self, file: StagedFile) -> str:
        """Where `file` is once published."""
        return f"{self.location}/{file.dst}"

    def stage(self, file: StagedFile, data: bytes) -> StagedFile:
        """Make the bytes of `file` durable under its staging name, which no reader sees; return `file` with its generation."""
        failpoints, control = self.context.failpoints, self.context.control
        failpoints.hit("stage.file.mid")
        failpoints.hit("stage.file")
        try:
            generation = control.store.create(control.path(file.src), data)
            failpoints.lost("stage.file")
        except AlreadyExists:  # the attempt's name is unique: it is our own request, sent twice
            if control.store.read(control.path(file.src)) != data:
                raise
            return file
        return file if generation is None else msgspec.structs.replace(file, generation=generation)

    def publish(self, file: StagedFile, later: Sequence[StagedFile] = ()) -> None:
        """Move the staged file to its final name; done if it is there, or one of `later` of that name is.

        Raises
        ------
        ObjectMissing
            Neither name holds the file. Look for a newer writer before blaming anyone.
        DataLossError
            The final name holds bytes that none of the records tells of.
        """
        store, source, target = self.context.control.store, self.context.control.path(file.src), self.path_of(file)
        point = "publish.move" if file.replaces is None else "publish.replace"
        self.context.failpoints.hit(point)
        try:
            if file.replaces is None:
                store.move_once(source, target, generation=file.generation)
            else:
                was, becomes = file.replaces.crc32c, file.crc32c
                store.replace_once(source, target, was=was, becomes=becomes, generation=file.generation)
            self.context.failpoints.lost(point)
        except (AlreadyExists, ObjectMissing):
            self._confirm(file, later)

    def _confirm(self, file: StagedFile, later: Sequence[StagedFile]) -> None:
        """Accept a file that is already published, and drop a staged copy that is left; else say what is wrong."""
        store, source, target = self.context.control.store, self.context.control.path(file.src), self.path_of(file)
        try:
            found = store.read(target)
        except ObjectMissing:
            raise ObjectMissing(
                f"sink {self.sink!r}: {file.rows} rows are neither staged at {source} nor published at {target}"
            ) from None
        if not any(holds(found, each) for each in (file, *later) if each.dst == file.dst):
            if file.replaces is not None and crc32c(found) == file.replaces.crc32c:
                raise ObjectMissing(
                    f"sink {self.sink!r}: revision {file.revision} of {target} is neither staged at {source} nor "
                    f"published: the file is still revision {file.replaces.revision}"
                )
            raise DataLossError(
                f"{target} holds {len(found)} bytes with crc32c {crc32c(found)}, its record says {file.bytes} with "
                f"{file.crc32c}: it was changed or replaced; restore it, then start again"
            )
        store.delete(source)


def holds(data: bytes, file: StagedFile) -> bool:
    """Whether `data` is what the record says of `file`."""
    return len(data) == file.bytes and crc32c(data) == file.crc32c
