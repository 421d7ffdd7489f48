"""The engine: start reading here. One step turns records into committed rows; the phases hold the detail.

source -> decode -> transform -> window -> sink -> commit
"""

from __future__ import annotations

import threading

from arrowflow.events import Committed, Finished
from arrowflow.failpoints import Failpoints
from arrowflow.phases.advance import advance, fold
from arrowflow.phases.collect import collect
from arrowflow.phases.commit import check, commit, is_empty
from arrowflow.phases.decode import decode
from arrowflow.phases.defaults import Silence, SystemClock
from arrowflow.phases.deliver import keep_alive
from arrowflow.phases.draft import begin
from arrowflow.phases.dry import rehearse
from arrowflow.phases.fingerprint import fingerprint_of
from arrowflow.phases.finish import Totals, close_log, is_over
from arrowflow.phases.job import Job, build_job
from arrowflow.phases.publish import acknowledge, publish
from arrowflow.phases.read import look_if_due, read
from arrowflow.phases.recover import recover
from arrowflow.phases.retry import attempt
from arrowflow.phases.run import Run
from arrowflow.phases.seal import seal
from arrowflow.phases.stage import stage
from arrowflow.phases.transform import transform
from arrowflow.pipeline import Pipeline, RunOptions
from arrowflow.protocols import Clock, Machine, Observer
from arrowflow.types import Manifest


def step(job: Job) -> Manifest | None:
    """Make one epoch true, or nothing at all; return its record, None if there was nothing to say."""
    look_if_due(job)
    keep_alive(job)
    draft = begin(job)
    for fetched in read(job, draft):
        rows = decode(job, draft, fetched)
        rows = transform(job, draft, rows)
        fold(job, draft, rows)
    advance(job, draft)
    if is_empty(job, draft):
        return None
    staged = stage(job, draft)
    manifest = commit(job, draft, staged)
    check(job, manifest)
    publish(job, manifest)
    acknowledge(job, manifest)
    collect(job)
    seal(job)
    return manifest


def run(job: Job) -> Finished:
    """Recover, then step until the run is over; a failed attempt goes back to the newest record and tries again."""
    recover(job)
    if job.options.dry_run:
        return rehearse(job)
    totals = Totals()
    while not job.stopping.is_set():
        for manifest in attempt(job, step):
            totals.add(job, manifest)
            job.observer.notice(Committed(manifest))
        if is_over(job, totals):
            break
    close_log(job)
    finished = totals.finished(job)
    job.observer.notice(finished)
    return finished


def start(
    pipeline: Pipeline,
    options: RunOptions | None = None,
    *,
    observer: Observer | None = None,
    clock: Clock | None = None,
    failpoints: Failpoints | None = None,
    machine: Machine | None = None,
) -> Run:
    """Start a pipeline in a thread of its own and return the handle: `stop`, `wait`, `result`.

    Parameters
    ----------
    pipeline : Pipeline
        What to run; the same value may run many times, also at once under other names.
    options : RunOptions, optional
        How this run behaves.
    observer, clock, failpoints, machine : optional
        Who listens, whose processing time counts, what a test arms, where names and chance come from; by default
        nobody, the system's, nothing, this machine.
    """

    def work(stopping: threading.Event) -> Finished:
        job = build_job(
            pipeline,
            options or RunOptions(),
            observer=observer or Silence(),
            clock=clock or SystemClock(),
            failpoints=failpoints or Failpoints(),
            stopping=stopping,
            fingerprint=fingerprint_of(pipeline),
            machine=machine,
        )
        try:
            return run(job)
        finally:
            job.close()

    return Run(pipeline.name, work)
