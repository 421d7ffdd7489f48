"""flight: an epoch that was cut becomes true in a helper's thread, while the next one is read and folded in ours.

One epoch is in flight at most, so one record is made at a time, each behind the one before. Only the flight touches the
log, the store, the sinks and the outlets; only the engine's own thread touches the operator's state. What the flight
needs of the state was taken out of it before the next row was folded (`phases/cut.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from arrowflow.phases.cut import Cut
from arrowflow.phases.draft import Draft, waiting_bytes
from arrowflow.phases.finish import tell
from arrowflow.phases.job import Flight, Job, Stand
from arrowflow.phases.read import is_caught_up, is_look_due, look
from arrowflow.phases.seal import may_seal, seal
from arrowflow.types import Manifest


def hand_over(job: Job, cut: Cut, complete: Callable[[Job, Cut], Manifest]) -> None:
    """Let `complete` make the epoch true from now on; the last epoch of a run is waited for."""
    draft = cut.draft
    task = job.committer.start(lambda: _fly(job, cut, complete))
    ends = Stand(draft.number, draft.positions, draft.clocks, draft.leader_epoch, draft.watermark_us)
    job.flight = Flight(task, ends, cut.nbytes)
    if job.options.once or job.stopping.is_set() or is_caught_up(job, draft):
        land(job)


def _fly(job: Job, cut: Cut, complete: Callable[[Job, Cut], Manifest]) -> Manifest:
    manifest = complete(job, cut)
    job.machine.give_back_memory()
    return manifest


def land(job: Job) -> None:
    """Wait for the epoch in flight, if there is one, and tell of its record; what it raised is raised here."""
    flight, job.flight = job.flight, None
    if flight is not None:
        tell(job, flight.task.result())


def look_if_due(job: Job) -> None:
    """Look at the cluster again when the last look is old, so that new partitions are found while running.

    They join behind the newest record, so there must be one: the flight is waited for.
    """
    if is_look_due(job):
        land(job)
        look(job)


def seal_if_due(job: Job) -> None:
    """Put files of past epochs together where an interval is over; its record takes the next number, so nothing flies."""
    if may_seal(job):
        land(job)
        seal(job)


def look_in(job: Job, draft: Draft) -> None:
    """Land the flight if it is over: its record is told of soon, and after its failure nothing more is read in vain.

    It is waited for where it and the draft together hold as many rows as may wait to be written.
    """
    flight = job.flight
    if flight is not None and (
        flight.task.is_over or flight.nbytes + waiting_bytes(job, draft) >= job.pipeline.checkpoint.max_epoch_bytes
    ):
        land(job)


@contextmanager
def landing(job: Job) -> Iterator[None]:
    """However the block ends, the flight is over behind it. Of two failures the earlier epoch's is raised."""
    try:
        yield
    except BaseException as later:
        try:
            land(job)
        except Exception as earlier:
            if not isinstance(later, Exception):  # a process that dies is no process that tries again
                raise later from earlier
            raise
        raise
    land(job)
