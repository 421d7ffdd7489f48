"""A job opened for one deed beside its runs: going back, reading on elsewhere, giving up. It folds no row."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from arrowflow.failpoints import Failpoints
from arrowflow.phases.defaults import Silence, SystemClock
from arrowflow.phases.fingerprint import fingerprint_of
from arrowflow.phases.job import Job, build_job
from arrowflow.pipeline import Pipeline, RunOptions
from arrowflow.protocols import Observer


@contextmanager
def opened(
    pipeline: Pipeline,
    options: RunOptions | None = None,
    *,
    observer: Observer | None = None,
    failpoints: Failpoints | None = None,
) -> Iterator[Job]:
    """Give the working parts of `pipeline`, and let go of them at the end; nothing is read or written by this."""
    job = build_job(
        pipeline,
        options or RunOptions(),
        observer=observer or Silence(),
        clock=SystemClock(),
        failpoints=failpoints or Failpoints(),
        stopping=threading.Event(),
        fingerprint=fingerprint_of(pipeline),
    )
    try:
        yield job
    finally:
        job.close()
