"""How far an outlet was delivered: what its marker says, held against what the records and the topic say."""

from __future__ import annotations

from arrowflow.errors import DataLossError, ObjectMissing
from arrowflow.events import Notice
from arrowflow.phases.job import Job
from arrowflow.protocols import Outlet
from arrowflow.types import Delivered, Manifest


def reached_by_marker(job: Job, name: str, outlet: Outlet) -> Delivered:
    """Return what readers have, as far as the marker can be believed; a first or lost marker is written.

    Raises
    ------
    DataLossError
        If the marker or the topic knows records that the log does not, or the marker is lost and nothing else can tell.
    """
    head = job.head
    if head is None:
        raise AssertionError("an outlet is opened by the owner of a log, and an owner has written a record")
    marked, known = outlet.reached(), job.delivered.get(name)
    if marked is not None and (known is None or marked[0] >= known):
        _refuse_other_log(job, name, head, *marked)
        return marked[0]
    if known is None:  # no record has handed it anything yet: the marker is there before the first that does
        _refuse_another_life(job, name, outlet)
        first = Delivered(head.epoch, 0)
        outlet.settle(first, head.sha256)
        return first
    return _mend(job, name, outlet, known, head)


def _refuse_another_life(job: Job, name: str, outlet: Outlet) -> None:
    """Raise if readers have records of a job of this name that this log knows nothing of: they would be there twice."""
    if job.options.undecided != "redeliver" and outlet.holds_records():
        raise DataLossError(
            f"sink {name!r} already holds records of a job {job.pipeline.name!r} that {job.control.prefix} knows nothing of: rows "
            "would be there twice. Restore the checkpoint folder, take an empty topic or another job name, or start once with "
            "--redeliver if that is what you want"
        )


def _refuse_other_log(job: Job, name: str, head: Manifest, marked: Delivered, digest: str) -> None:
    if marked.epoch > head.epoch:
        raise DataLossError(
            f"sink {name!r} was delivered up to epoch {marked.epoch}, and {job.control.prefix} ends at record {head.epoch}: "
            "was it restored from an older copy? Restore the newest one"
        )
    try:
        record = _record(job, head, marked.epoch)
    except ObjectMissing:
        return  # collected since
    if not record.sha256.startswith(digest):
        raise DataLossError(
            f"sink {name!r} was delivered for a record {marked.epoch} with digest {digest}, the log has another with "
            f"{record.sha256[: len(digest)]}: two copies of the log were written to; find out which one readers should believe"
        )


def _mend(job: Job, name: str, outlet: Outlet, known: Delivered, head: Manifest) -> Delivered:
    """Find out what a lost marker would say, from the topic itself or from who starts the run."""
    found = outlet.search()
    if found is not None and known <= found <= _end(name, head):
        how, reached = "found by its newest records", found
    elif found is not None and _is_before_last(job, name, found, known):
        how, reached = "and lost what it had answered of the newest transaction, which is sent again", known
    elif job.options.undecided == "assume_delivered":
        how, reached = "as assumed", _end(name, head)
    elif job.options.undecided == "redeliver":
        how, reached = "and delivered again from there", known
    else:
        raise DataLossError(
            f"sink {name!r} has lost its marker (expired, or its group or topic was deleted), the records say it has at least "
            f"{_told(known)}, and its newest records do not settle how far it was delivered: look yourself, then "
            "start once with --assume-delivered (nothing up to the newest record is sent again) or with --redeliver (rows "
            "behind what the records say are sent again, and may then be there twice)"
        )
    outlet.settle(reached, _record(job, head, reached.epoch).sha256)
    job.observer.notice(Notice("warning", f"sink {name!r} had lost its marker: {_told(reached)}, {how}"))
    return reached


def _is_before_last(job: Job, name: str, found: Delivered, known: Delivered) -> bool:
    """Whether `found` and `known` are within rows of one record, or of two between which the sink was handed nothing.

    Then a cluster has lost no more than the transaction it answered last, and `restore_lost` sends that again. A topic
    that was emptied or made anew lacks more than anybody could send.
    """
    if found >= known:
        return False
    if found.epoch == known.epoch:
        return True
    try:
        between = [job.log.read(epoch) for epoch in range(max(found.epoch, 0), known.epoch)]
    except ObjectMissing:
        return False
    return sum(_rows(name, record) for record in between) == found.rows


def restore_lost(job: Job, name: str, outlet: Outlet) -> None:
    """Have rows sent again that a cluster had answered for and then lost.

    Seen with Kafka 4.3.1: a broker stopped after it answered a commit, and before it had marked it in every partition.
    It came back while its partitions had no leader, took them for deleted, ended the transaction without marking them,
    and the next producer's start aborted what was there. `docs/kafka-output.md` has the whole story.
    """
    reached, head = job.delivered[name], job.head
    if head is None or not reached.rows:
        return
    try:
        record = _record(job, head, reached.epoch)
        outbox = next((each for each in record.outbox if each.sink == name), None)
        rows = 0 if outbox is None else outlet.restore(outbox, reached, record)
    except ObjectMissing:
        return  # collected since: it was delivered long ago
    if rows:
        told = f"{rows} rows of epoch {reached.epoch} were sent again"
        job.observer.notice(
            Notice("warning", f"sink {name!r}: its cluster had answered for them and lost them: {told}")
        )


def _end(name: str, head: Manifest) -> Delivered:
    """Everything that is committed."""
    return Delivered(head.epoch, _rows(name, head))


def _rows(name: str, record: Manifest) -> int:
    """How many rows a record hands the sink."""
    return sum(outbox.rows for outbox in record.outbox if outbox.sink == name)


def _record(job: Job, head: Manifest, epoch: int) -> Manifest:
    """The record of an epoch, read again only where it is not the newest."""
    return head if epoch == head.epoch else job.log.read(epoch)


def _told(reached: Delivered) -> str:
    return f"everything before epoch {reached.epoch} and {reached.rows} of its rows"
