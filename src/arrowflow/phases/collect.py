"""collect: remove, a little after each epoch, what no retained record needs; and decide what the next record may let go.

A record is let go by a horizon that a *later committed record* announces. Only then its files go, then the record
itself, always the oldest first; so a name that a crash leaves behind is still named by a record that is there. The
newest record never goes: the check for a newer one is what stops a writer whose number was collected.
"""

from __future__ import annotations

from collections.abc import Iterator

from arrowflow.errors import ConfigError, DataLossError, ObjectMissing, RetryableError, StateRefused
from arrowflow.events import Notice
from arrowflow.phases.cut import Cut
from arrowflow.phases.job import Job
from arrowflow.phases.seal import first_unsealed, is_sealed, sealing
from arrowflow.protocols import Folders, KeepsRevisions
from arrowflow.types import Manifest

_RECORDS, _STRAYS = 4, 16
"""So much is removed after one epoch at most. One record goes for each that comes; more only to catch up."""

_BROKEN = (ObjectMissing, DataLossError, StateRefused)
"""What an old record may answer. Another writer may have been here, which is asked first; else it is damage."""

_LOOK_EVERY = 1000
"""After so many epochs the folders are looked through again for what sleepers have left since."""


def collect(job: Job, cut: Cut) -> None:
    """Do a bounded part of the work; what fails now is tried again after the next epoch.

    The epoch is true and published by now, so no failure here may stop the run.

    Raises
    ------
    Fenced
        If something is missing because a newer writer has collected it.
    """
    if job.head is None:
        return
    job.retention.oldest_home = cut.oldest_home
    for part in (_look_around, _remove_strays, _remove_records, _move_horizon):
        try:
            part(job, job.head)
        except (RetryableError, ConfigError) as error:
            _complain(job, f"{error}; what no record needs stays until it can be removed")
        except _BROKEN as error:
            job.log.check(job.head.epoch)
            _complain(job, f"{error}. What it named stays; `arrowflow fsck` says what else is wrong")


def _complain(job: Job, message: str) -> None:
    if message != job.retention.complaint:
        job.observer.notice(Notice("warning", message))
    job.retention.complaint = message


# ---- what is there to go -----------------------------------------------------------------------------------


def _look_around(job: Job, head: Manifest) -> None:
    """Take note of records below the announced horizon, and now and then of files that nobody will ever name."""
    own, announced, published = job.retention, head.horizon, _published(job)
    if own.boundary is None or own.boundary.epoch != announced:
        first = announced if own.boundary is None else own.boundary.epoch
        own.boundary = _record(job, announced)
        own.going.extend(range(first, announced))
    if own.looked_at is None or head.epoch - own.looked_at >= _LOOK_EVERY:
        own.going.clear()
        own.going.extend(job.log.epochs_below(announced))
        own.strays.clear()
        own.strays.extend(_left_in_staging(job, published))
        own.strays.extend(_left_below(job, announced))
        own.looked_at = head.epoch


def _published(job: Job) -> int:
    """Up to which epoch everything is where it belongs."""
    return min(job.acked.values(), default=-1)


def _record(job: Job, epoch: int) -> Manifest:
    if job.head is not None and job.head.epoch == epoch:
        return job.head
    own = job.retention
    if own.oldest is None or own.oldest.epoch != epoch:
        own.oldest = job.log.read(epoch)
    return own.oldest


def _left_in_staging(job: Job, published: int) -> Iterator[str]:
    """Staged files of epochs that are published: theirs have moved, so these are of attempts that died."""
    folder = job.control.path("staging")
    for path in job.control.store.list(folder):
        epoch = path.removeprefix(f"{folder}/").split("/", 1)[0]
        if epoch.isdigit() and int(epoch) <= published:
            yield path


def _left_below(job: Job, announced: int) -> Iterator[str]:
    """State and outboxes of collected epochs that are not needed: of a writer that slept until their records were gone."""
    store, needed = job.control.store, _needed(job)
    if not isinstance(store, Folders):
        return
    for kind in ("state", "outbox"):
        for folder in store.folders(job.control.path(kind)):
            epoch = folder.rsplit("/", 1)[-1]
            if epoch.isdigit() and int(epoch) < announced:
                yield from (path for path in store.list(folder) if path not in needed)


def _needed(job: Job) -> frozenset[str]:
    """State files of collected epochs that retained records name: chains only grow, so the oldest one names them all."""
    records = [record for record in (job.retention.boundary, job.head) if record is not None]
    return frozenset(job.control.path(path) for record in records for path in _chain(record))


def _chain(record: Manifest) -> Iterator[str]:
    for state in record.state.values():
        yield from (file.path for file in ([state.full] if state.full else []) + state.deltas)


# ---- removing ------------------------------------------------------------------------------------------------


def _remove_strays(job: Job, _head: Manifest) -> None:
    strays = job.retention.strays
    for _ in range(min(_STRAYS, len(strays))):
        _remove_file(job, strays[0])
        strays.popleft()


def _remove_records(job: Job, _head: Manifest) -> None:
    """Remove the oldest collected records, each after its files."""
    going, needed = job.retention.going, _needed(job)
    for _ in range(min(_RECORDS, len(going))):
        epoch = going[0]
        for path in _files_of(job, epoch):
            if path not in needed:
                _remove_file(job, path)
        job.failpoints.hit("gc.manifest")
        job.log.remove(epoch)
        job.failpoints.lost("gc.manifest")
        going.popleft()


def _files_of(job: Job, epoch: int) -> list[str]:
    """Files that the record of `epoch` names, and what attempts that died left in its folders."""
    store, control = job.control.store, job.control
    found = [path for kind in ("state", "outbox") for path in store.list(control.path(f"{kind}/{epoch:020d}"))]
    try:
        record = job.log.read(epoch)
    except _BROKEN:
        return found  # removed before a reply was lost; or damaged, and goes unread
    found += [control.path(path) for path in _chain(record)]
    for file in record.outputs:
        sink: object = job.sinks.get(file.sink)
        kept = sink.kept(file) if isinstance(sink, KeepsRevisions) else None
        if kept is not None:
            found.append(control.path(kept))
        if file.replaces is None and is_sealed(job, file.sink, epoch):
            found.append(f"{job.sinks[file.sink].location}/{file.dst}")
    return list(dict.fromkeys(found))


def _remove_file(job: Job, path: str) -> None:
    store = job.control.store
    job.failpoints.hit("gc.object")
    store.delete(path)
    job.failpoints.lost("gc.object")
    if isinstance(store, Folders):
        for root in (job.control.prefix, *(sink.location for sink in job.sinks.values())):
            if root is not None and path.startswith(f"{root}/"):
                store.prune(path, root)


# ---- the horizon ---------------------------------------------------------------------------------------------


def _move_horizon(job: Job, head: Manifest) -> None:
    """Let the next record announce a higher horizon, by a few records, as far as all limits allow."""
    own = job.retention
    own.horizon = before = max(own.horizon, head.horizon)
    limit = _limit(job, head)
    while own.horizon < limit and own.horizon - before < _RECORDS and _is_old(job, head, own.horizon):
        own.horizon += 1
    if own.horizon > before:
        job.failpoints.hit("gc.horizon")


def _is_old(job: Job, head: Manifest, epoch: int) -> bool:
    """Whether a record has been kept long enough; one that cannot be read has."""
    try:
        written_us = _record(job, epoch).epoch_time_us
    except _BROKEN as error:
        job.log.check(head.epoch)
        _complain(job, f"{error}. What it named stays; `arrowflow fsck` says what else is wrong")
        return True
    return written_us <= job.clock.now_us() - round(job.pipeline.checkpoint.keep_for_s * 1e6)


def _limit(job: Job, head: Manifest) -> int:
    """The highest horizon there may be, whatever the age of records."""
    own = job.retention
    limits = [_published(job) + 1, head.epoch + 1 - job.pipeline.checkpoint.keep_records, head.epoch]
    if own.oldest_home is not None:
        limits.append(own.oldest_home)  # a correction reads the record that gave its window out
    limits += [state.full.epoch for state in head.state.values() if state.full]  # a rebuild starts there
    limits += [first_unsealed(job, name) for name in sealing(job)]  # what is not sealed is found through its record
    return min(limits)
