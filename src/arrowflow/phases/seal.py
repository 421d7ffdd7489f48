"""seal: put the files of past epochs together into few large ones beside the table, by a record of its own. Folds no row.

The small files stay where they are until their records are collected. So nothing is ever taken from under a reader that
found them through the log, and no set of files has to change at once: `Manifest.sealed` alone says which of the two count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from arrowflow.errors import ConfigError, DataLossError, ObjectMissing, RetryableError, StateRefused
from arrowflow.events import Notice
from arrowflow.phases.commit import adopt, record, standing
from arrowflow.phases.job import Job
from arrowflow.phases.publish import publish
from arrowflow.phases.retention import Unsealed
from arrowflow.protocols import Seals
from arrowflow.types import Attempt, EpochRange, Manifest, StagedFile

_AGAIN_S = 10.0
"""How long nothing is looked at again after a look found nothing to seal; a tenth of the interval where that is shorter."""
_RECORDS, _FILES, _BYTES = 512, 2000, 64 << 20
"""So much goes into one compact record at most, but always the files of one epoch: all of it is held in memory."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Neighbouring epochs of one sink, and the files they published first, with the number of the epoch."""

    sink: str
    epochs: EpochRange
    files: tuple[tuple[int, StagedFile], ...]


def may_seal(job: Job) -> bool:
    """Whether it is worth a look; asked before every epoch, so it looks at nothing that an epoch in flight changes."""
    known = {name: job.unsealed.get(name) for name in sealing(job)}
    shortest_s = min((_length_us(job, name) / 1e6 for name in known), default=0.0)
    if job.clock.monotonic() - job.seal_tried_at < min(_AGAIN_S, shortest_s / 10):
        return False
    return any(oldest is None or _is_over(job, name, oldest.time_us) for name, oldest in known.items())


def seal(job: Job, *, everything: bool = False) -> Manifest | None:
    """Seal one stretch of one sink, if one is due, and return its record; of `everything` also what is not due yet.

    The epoch before is true and published by now, so a small file that cannot be read, or a sealed one that cannot be
    staged, stops no run: it is told once, and tried again after the next epoch.

    Raises
    ------
    Fenced
        If a newer writer owns the log.
    RetryableError, CommitUnknown
        As for any record that may or may not have been made.
    """
    for name in sealing(job):
        stretch = due(job, name, everything=everything)
        if stretch is None:
            continue
        files = _staged(job, stretch)
        if files is not None:
            return _commit(job, stretch, files)
    job.seal_tried_at = job.clock.monotonic()
    return None


def sealing(job: Job) -> list[str]:
    """Sinks whose past is sealed."""
    return [name for name, sink in job.sinks.items() if isinstance(sink, Seals) and sink.seal_us is not None]


def is_sealed(job: Job, sink: str, epoch: int) -> bool:
    """Whether a published record of the log says that the files of `epoch` are in sealed ones."""
    return sink in job.sinks and any(start <= epoch < stop for start, stop in job.sealed.get(sink, ()))


def first_unsealed(job: Job, sink: str) -> int:
    """The oldest epoch that will be sealed next. Of files whose records were collected before that, nothing is known."""
    ranges = job.sealed.get(sink, ())
    return max([0 if job.head is None else job.head.horizon, *(stop for _, stop in ranges)])


def due(job: Job, name: str, *, everything: bool) -> Stretch | None:
    """The oldest epochs of a sink whose interval is over, as many as go into one record; None if there are none.

    Left out are epochs that gave out a window which can still be corrected.
    """
    first = first_unsealed(job, name)
    if first >= _limit(job):
        return None
    try:
        if everything or _is_over(job, name, _oldest(job, name, first)):
            return _gather(job, name, first, everything=everything)
    except RetryableError as error:
        _complain(job, f"{error}; nothing is sealed for now")
    except (ObjectMissing, DataLossError, StateRefused) as error:
        if job.head is not None:
            job.log.check(job.head.epoch)
        _complain(job, f"{error}. Nothing is sealed until it can be read")
    return None


def _oldest(job: Job, name: str, first: int) -> int:
    """When the epoch `first` began; remembered, since it is asked after every epoch."""
    known = job.unsealed.get(name)
    if known is None or known.epoch != first:
        known = job.unsealed[name] = Unsealed(first, _record(job, first).epoch_time_us)
    return known.time_us


def _is_over(job: Job, name: str, time_us: int) -> bool:
    """Whether the interval of processing time that `time_us` lies in has ended."""
    length = _length_us(job, name)
    return time_us // length < job.clock.now_us() // length


def _length_us(job: Job, name: str) -> int:
    sink: object = job.sinks[name]
    if not isinstance(sink, Seals) or sink.seal_us is None:
        raise AssertionError("only sinks that seal are asked")
    return sink.seal_us


def _gather(job: Job, name: str, first: int, *, everything: bool) -> Stretch | None:
    """Epochs from `first` on; where they published nothing there is nothing to do, and the next record says so."""
    files: list[tuple[int, StagedFile]] = []
    size, stop = 0, first
    for epoch in range(first, min(_limit(job), first + _RECORDS)):
        record_ = _record(job, epoch)
        if not everything and not _is_over(job, name, record_.epoch_time_us):
            break
        own = [(epoch, file) for file in record_.outputs if file.sink == name and file.replaces is None]
        size += sum(file.bytes for _, file in own)
        if files and own and (size > _BYTES or len(files) + len(own) > _FILES):
            break
        files += own
        stop = epoch + 1
    stretch = Stretch(name, EpochRange(first, stop), tuple(files))
    if not files:
        _note(job, stretch)
        return None
    return stretch


def _limit(job: Job) -> int:
    """Only epochs before this one are sealed: published by all, acknowledged, and beyond correction."""
    published = min(job.acked.values(), default=-1) + 1
    home = job.operator.oldest_home
    return published if home is None else min(published, home)


def _record(job: Job, epoch: int) -> Manifest:
    return job.head if job.head is not None and job.head.epoch == epoch else job.log.read(epoch)


def _note(job: Job, stretch: Stretch) -> None:
    """Let the next record say that these epochs are sealed."""
    if stretch.epochs.start == stretch.epochs.stop:
        return
    ranges = list(job.sealed.get(stretch.sink, ()))
    if ranges and ranges[-1].stop == stretch.epochs.start:
        ranges[-1] = EpochRange(ranges[-1].start, stretch.epochs.stop)
    else:
        ranges.append(stretch.epochs)
    job.sealed = {**job.sealed, stretch.sink: ranges}


def _staged(job: Job, stretch: Stretch) -> tuple[StagedFile, ...] | None:
    """The sealed files, staged; None if something is in the way."""
    assert job.head is not None  # a stretch is of its records
    try:
        files = _seal_present(job, stretch)
        job.failpoints.hit("compact.staged")
    except (RetryableError, ConfigError) as error:
        _complain(job, f"{error}; small files stay as they are until they can be put together")
        return None
    except (ObjectMissing, DataLossError) as error:
        job.log.check(job.head.epoch)
        _complain(
            job, f"{error}. Nothing of sink {stretch.sink!r} is sealed until it is there; `arrowflow fsck` says more"
        )
        return None
    return files


def _seal_present(job: Job, stretch: Stretch) -> tuple[StagedFile, ...]:
    """Stage what the files hold; those of epochs that a reset went back over are in no table any more."""
    try:
        return _sealed_files(job, stretch, stretch.files)
    except ObjectMissing:
        undone = _undone(job, stretch.epochs.start)
        left = [
            (epoch, file) for epoch, file in stretch.files if not any(start < epoch < stop for start, stop in undone)
        ]
        if len(left) == len(stretch.files):
            raise
        return _sealed_files(job, stretch, left)


def _sealed_files(job: Job, stretch: Stretch, files: Sequence[tuple[int, StagedFile]]) -> tuple[StagedFile, ...]:
    sink: object = job.sinks[stretch.sink]
    assert isinstance(sink, Seals)
    assert job.head is not None
    corrected = job.pipeline.operator.late == "correct"
    newest = [job.published.newest(file, epoch, job.head.epoch) if corrected else file for epoch, file in files]
    attempt = Attempt(job.pipeline.name, job.head.epoch + 1, job.machine.new_name()[:12])
    return sink.seal(attempt, newest)


def _undone(job: Job, first: int) -> list[EpochRange]:
    """Where resets since `first` went back over epochs: those strictly between the two numbers."""
    head = first if job.head is None else job.head.epoch
    resets = [record_ for epoch in range(first, head + 1) if (record_ := _record(job, epoch)).reset is not None]
    return [
        EpochRange(record_.reset.to, record_.epoch)
        for record_ in resets
        if record_.reset is not None and record_.reset.how != "positions"
    ]


def _commit(job: Job, stretch: Stretch, files: Sequence[StagedFile]) -> Manifest:
    """Make the sealed files true by a record of their own, then give them their names."""
    head = job.head
    assert head is not None
    before = job.sealed
    _note(job, stretch)
    composed = record(
        job,
        "compact",
        head.epoch + 1,
        time_us=job.clock.now_us(),
        inputs=standing(job, job.clocks),
        watermark_us=job.watermark_us,
        state=head.state,
    )
    job.sealed = before  # until the record is there
    made = job.log.append(msgspec.structs.replace(composed, seals=list(files)))
    job.failpoints.hit("compact.committed")
    adopt(job, made)
    job.log.check(made.epoch)
    publish(job, made)
    return made


def _complain(job: Job, message: str) -> None:
    if message != job.retention.complaint:
        job.observer.notice(Notice("warning", message))
    job.retention.complaint = message
