"""rollback: was the log put back to an older copy, or lost? The note beside the group's offsets tells. Never where to go on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from arrowflow.errors import ArrowflowError, DataLossError, ObjectMissing
from arrowflow.events import Notice
from arrowflow.phases.job import Job
from arrowflow.protocols import Acknowledged
from arrowflow.types import Manifest, SourcePartition

_NOTE = re.compile(r"af1;e=(\d{1,19});m=([0-9a-f]{8});i=([0-9a-f]{8})")
RETIRED = "af1;retired"
"""The note of a job that was given up: no log is missing there."""


class Note(NamedTuple):
    """What a run wrote beside an offset: the record that was published, the beginning of its digest, whose log it is."""

    offset: int
    epoch: int
    digest: str
    incarnation: str


def note_of(manifest: Manifest) -> str:
    """The note that says `manifest` is published: at most 60 bytes, of the 4096 that Kafka keeps."""
    return f"af1;e={manifest.epoch};m={manifest.sha256[:8]};i={manifest.incarnation[:8]}"


def notes(job: Job) -> dict[SourcePartition, Note]:
    """What earlier runs noted in the group, by whichever log; empty where that cannot be asked."""
    if not isinstance(job.source, Acknowledged):
        return {}
    try:
        told = job.source.acknowledged(sorted(job.positions))
    except ArrowflowError as error:
        job.observer.notice(Notice("warning", f"whether the records are the newest ones cannot be checked: {error}"))
        return {}
    return {part: note for part, note in _parsed(told).items() if note is not None}


def refuse_rollback(job: Job, head: Manifest) -> None:
    """Raise `DataLossError` if a record above all that are here was published, or another one than is here."""
    ours = [note for note in notes(job).values() if note.incarnation == job.incarnation[:8]]
    if not ours:
        return
    newest = max(ours, key=lambda note: note.epoch)
    here = max(job.log.epochs_after(head.epoch), default=head.epoch)  # a live writer may have gone on meanwhile
    if newest.epoch > here:
        raise DataLossError(
            f"the group's offsets tell that record {newest.epoch} was published, and the newest one in {job.control.prefix} is "
            f"{here}: the folder was put back to an older copy, or records were deleted. Put records {here + 1} to "
            f"{newest.epoch} back. If they are lost: what they published is in the tables and would come again, so give the "
            "job up (`arrowflow drop CONFIG --tables --forget --yes`) and begin anew"
        )
    try:
        found = job.log.read(newest.epoch)
    except ObjectMissing:
        return  # collected: a note is as old as the last epoch that was published
    if not found.sha256.startswith(newest.digest):
        raise DataLossError(
            f"the group's offsets tell that a record {newest.epoch} with digest {newest.digest} was published, and the one in "
            f"{job.control.prefix} has {found.sha256[:8]}: there were two copies of the folder, and each went on by itself. "
            "Put the other one back"
        )


def refuse_lost_log(job: Job) -> None:
    """Raise `DataLossError` if there is no record although one was published once, unless that is to be adopted."""
    told = notes(job)
    if told and not job.options.adopt:
        part, note = max(told.items(), key=lambda item: item[1].epoch)
        raise DataLossError(
            f"{job.control.prefix} holds no record, and the group's offsets tell that record {note.epoch} of a job was "
            f"published ({part} up to {note.offset}): its folder was deleted, or is another one. Restore it, or name it; or, "
            "for a job of its own, give source.kafka.group another name; or begin at those offsets with `run --adopt`: windows "
            "that were open lack what was read before"
        )


def adopted_offsets(job: Job) -> Mapping[SourcePartition, int]:
    """Where a log that is lost stood, as far as the group tells."""
    return {part: note.offset for part, note in notes(job).items()} if job.options.adopt else {}


def _parsed(told: Mapping[SourcePartition, tuple[int, str]]) -> dict[SourcePartition, Note | None]:
    found = {part: (offset, _NOTE.fullmatch(text)) for part, (offset, text) in told.items()}
    return {
        part: None if match is None else Note(offset, int(match[1]), match[2], match[3])
        for part, (offset, match) in found.items()
    }
