"""deliver: hand committed outboxes to sinks that are no folders, part by part; a redo that the sink's own marker guides."""

from __future__ import annotations

from collections.abc import Callable

from arrowflow.errors import DataLossError, ObjectMissing, OutletTaken
from arrowflow.phases.job import Job
from arrowflow.phases.reached import reached_by_marker, restore_lost
from arrowflow.protocols import Outlet
from arrowflow.types import Manifest, Outbox

_ROUNDS = 4
"""So often in a row a sink is taken back from another producer while the log says that the job is ours."""


def open_outlets(job: Job) -> None:
    """Become the only producer of every outlet and learn how far it was delivered; before anything is redone."""
    for name in job.outlets:
        _owned(job, name, lambda _: None)


def deliver(job: Job, manifest: Manifest) -> None:
    """Deliver the outboxes of one record.

    Raises
    ------
    Fenced
        If a newer writer exists.
    DataLossError
        If an outbox is gone or changed, or its sink is no longer in the pipeline.
    """
    for outbox in manifest.outbox:
        if outbox.sink not in job.outlets:
            raise DataLossError(
                f"epoch {manifest.epoch} has {outbox.rows} undelivered rows of sink {outbox.sink!r}, which the pipeline no "
                "longer has; start once with that sink to deliver them, then remove it"
            )
        if manifest.epoch > job.acked.get(outbox.sink, -1):
            _hand_over(job, manifest, outbox)


def keep_alive(job: Job) -> None:
    """Let outlets that have long been silent say a word, so that their markers are not forgotten."""
    for name in job.outlets:
        _owned(job, name, lambda outlet: outlet.keep_alive())


def _hand_over(job: Job, manifest: Manifest, outbox: Outbox) -> None:
    def rest(outlet: Outlet) -> None:
        for reached in outlet.deliver(outbox, job.delivered[outbox.sink], manifest):
            job.delivered[outbox.sink] = reached

    try:
        _owned(job, outbox.sink, rest)
    except ObjectMissing as gone:
        raise DataLossError(f"epoch {manifest.epoch} is committed but an outbox of it is missing: {gone}") from gone


def _owned(job: Job, name: str, action: Callable[[Outlet], None]) -> None:
    """Do something as the only producer of an outlet; take it back if somebody else has it and the log is still ours."""
    outlet, taken = job.outlets[name], None
    for _ in range(_ROUNDS):
        try:
            if not outlet.is_fenced_in:
                _take(job, name, outlet)
            action(outlet)
        except OutletTaken as error:
            # A slower starter may have fenced us, or the cluster gave up on our transaction: the log knows who owns the job.
            outlet.close()
            job.log.check(_head(job))
            taken = error
        except (ObjectMissing, DataLossError):
            # A newer writer may have delivered, cleaned up and gone on: then we are fenced, and nothing is lost.
            job.log.check(_head(job))
            raise
        else:
            return
    raise OutletTaken(
        f"{taken}. The sink was taken back {_ROUNDS} times while no newer record exists: another job of the name "
        f"{job.pipeline.name!r} writes to this cluster, or a transaction takes longer than it may be open"
    ) from taken


def _take(job: Job, name: str, outlet: Outlet) -> None:
    """Fence, then look at the log, then read the marker: in any other order two writers could both believe they are first."""
    outlet.fence(job.incarnation)
    try:
        job.log.check(_head(job))
        job.delivered[name] = reached_by_marker(job, name, outlet)
        restore_lost(job, name, outlet)
    except BaseException:
        outlet.close()  # what was not finished is begun anew: who is fenced in has looked, and sent what was lost
        raise


def _head(job: Job) -> int:
    return -1 if job.head is None else job.head.epoch
