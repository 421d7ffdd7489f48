"""Which records still count after resets, and what their files are. Reads the log, and no file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from arrowflow.errors import ConfigError, ObjectMissing
from arrowflow.protocols import CommitLog
from arrowflow.types import Manifest, Retracted, StagedFile


def predecessor(record: Manifest) -> int:
    """The record whose state this one goes on from; -1 where it begins with none."""
    back = record.reset is not None and record.reset.how != "positions"
    return record.reset.to if back and record.reset is not None else record.epoch - 1


def lineage(log: CommitLog, head: Manifest) -> Iterator[Manifest]:
    """Yield the records that count, from the newest back; what a reset went back over is left out.

    Raises
    ------
    ConfigError
        If the next older one was collected.
    """
    record = head
    while True:
        yield record
        before = predecessor(record)
        if before < 0:
            return
        try:
            record = log.read(before)
        except ObjectMissing as error:
            raise ConfigError(
                f"record {before} is no longer kept, so nothing before record {record.epoch} can be gone back to"
            ) from error


@dataclass(frozen=True, slots=True)
class Undoing:
    """What has to be done to files so that they are as they were before some records.

    `retracted` were first published by those records; `reverted` existed before and were replaced: each with its
    newest version and the revision that was there before.
    """

    retracted: tuple[Retracted, ...]
    reverted: tuple[tuple[StagedFile, int], ...]


def undoing(undone: Sequence[Manifest], streams: dict[str, str]) -> Undoing:
    """Work out what undoing records means for files.

    Parameters
    ----------
    undone : sequence of Manifest
        Records that count, newest first.
    streams : dict of str to str
        Sink name to the stream it takes; the stream "open" holds no results, so nothing is undone there.
    """
    first: dict[tuple[str, str], None] = {}
    newest: dict[tuple[str, str], StagedFile] = {}
    before: dict[tuple[str, str], int] = {}
    for record in undone:
        for file in record.outputs:
            if streams.get(file.sink) == "open":
                continue
            name = (file.sink, file.dst)
            newest.setdefault(name, file)
            if file.replaces is None:
                first[name] = None
            else:  # what a reset put there is what its target had, and not what it replaced
                before[name] = file.replaces.revision if record.reset is None else file.revision
    reverted = tuple(
        (newest[name], revision)
        for name, revision in sorted(before.items())
        if name not in first and newest[name].revision != revision
    )
    return Undoing(tuple(Retracted(sink=sink, dst=dst) for sink, dst in sorted(first)), reverted)
