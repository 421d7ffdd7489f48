"""What to do when an outside call failed: drop the attempt, wait, go back to the newest record, try again."""

from __future__ import annotations

from collections.abc import Callable

from arrowflow.errors import CommitUnknown, DataLossError, ObjectMissing, OutOfMemory, RetryableError, StateRefused
from arrowflow.events import Notice
from arrowflow.phases.finish import tell
from arrowflow.phases.gaps import may_skip, skip_lost
from arrowflow.phases.job import Job
from arrowflow.phases.read import discover
from arrowflow.phases.recover import ask_for_newer, resume

_LONGEST_PAUSE_S = 30.0
_PATIENCE_S = 900.0


def attempt(job: Job, step: Callable[[Job], None]) -> None:
    """Run `step` until it succeeds.

    A try that failed after its commit did commit: resuming finds its record, publishes it and tells of it. What was
    folded behind it is gone with the state, and read again.

    Raises
    ------
    RetryableError
        If nothing succeeded for a quarter of an hour, or the run is asked to stop meanwhile.
    OutOfMemory
        If the process was refused memory.
    Fenced
        If a newer writer's record exists; also where offsets or files are missing because of that writer.
    """
    began, pause = job.clock.monotonic(), 0.1
    failed = False
    while True:
        try:
            if failed:
                resume(job)
                if _told_of_more(job):
                    return
            step(job)
        except (RetryableError, CommitUnknown) as error:
            if job.stopping.is_set() or job.clock.monotonic() - began > _PATIENCE_S:
                raise
            job.observer.notice(Notice("warning", f"{error}; trying again in {pause:.1f} s"))
            _pause(job, pause)
            pause, failed = min(2 * pause, _LONGEST_PAUSE_S), True
        except (ObjectMissing, StateRefused):
            ask_for_newer(job)
            raise
        except MemoryError as error:  # Arrow's own is one of these
            raise _no_room(job, error) from error
        except DataLossError:
            ask_for_newer(job)
            # Retention overtook the reader. Each time round there must be a gap that was not there before.
            if not (may_skip(job) and skip_lost(job, discover(job))):
                raise
            failed = True
        else:
            return


def _told_of_more(job: Job) -> bool:
    """Tell of the records that a failed try did make; whether there are any."""
    records = (job.log.read(epoch) for epoch in job.log.epochs_after(job.told))
    made = [record for record in records if record.kind != "compact"]
    for manifest in made:
        tell(job, manifest)
    return bool(made)


def _no_room(job: Job, error: MemoryError) -> OutOfMemory:
    """What to do about it: the same epoch would want as much again, so it is not tried again."""
    limits = job.pipeline.checkpoint
    return OutOfMemory(
        f"this process was refused memory ({str(error) or 'no more is said'}). What was not committed will be read again by the "
        f"next run: give it more memory, or let it hold less at a time: limits.max_epoch_rows (now {limits.max_epoch_rows:,}), "
        f"max_epoch_bytes ({limits.max_epoch_bytes:,}), max_slice_rows ({limits.max_slice_rows:,}); max_state_bytes bounds open windows"
    )


def _pause(job: Job, seconds: float) -> None:
    until = job.clock.monotonic() + seconds
    while job.clock.monotonic() < until and not job.stopping.is_set():
        job.clock.sleep(min(0.2, seconds))
