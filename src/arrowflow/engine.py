"""The engine: start reading here. One step turns records into committed rows; the phases hold the detail.

source -> decode -> transform -> window -> sink -> commit
"""

from __future__ import annotations

import threading

from arrowflow.events import Finished
from arrowflow.failpoints import Failpoints
from arrowflow.phases.advance import advance, fold
from arrowflow.phases.collect import collect
from arrowflow.phases.commit import check, commit, is_empty
from arrowflow.phases.cut import Cut, cut
from arrowflow.phases.decode import decode
from arrowflow.phases.defaults import Silence, SystemClock
from arrowflow.phases.deliver import keep_alive
from arrowflow.phases.draft import begin
from arrowflow.phases.dry import rehearse
from arrowflow.phases.fingerprint import fingerprint_of
from arrowflow.phases.finish import close_log, finished, is_over
from arrowflow.phases.flight import hand_over, land, landing, look_if_due, look_in, seal_if_due
from arrowflow.phases.job import Job, build_job
from arrowflow.phases.publish import acknowledge, publish
from arrowflow.phases.read import read
from arrowflow.phases.recover import recover
from arrowflow.phases.retry import attempt
from arrowflow.phases.run import Run
from arrowflow.phases.stage import stage
from arrowflow.phases.transform import transform
from arrowflow.pipeline import Pipeline, RunOptions
from arrowflow.protocols import Clock, Machine, Observer
from arrowflow.types import Manifest


def step(job: Job) -> None:
    """Fill one epoch while the one before it becomes true, then let it become true beside the next."""
    look_if_due(job)
    seal_if_due(job)
    draft = begin(job)
    with landing(job):
        for taken in read(job, draft):
            rows = decode(job, draft, taken)
            rows = transform(job, draft, rows)
            fold(job, draft, rows)
            look_in(job, draft)
    keep_alive(job)
    advance(job, draft)
    if not is_empty(job, draft):
        hand_over(job, cut(job, draft), complete)


def complete(job: Job, cut: Cut) -> Manifest:
    """Make one epoch true, or nothing at all; return its record. Runs in the helper's thread (`phases/flight.py`)."""
    staged = stage(job, cut)
    manifest = commit(job, cut, staged)
    check(job, manifest)
    publish(job, manifest)
    acknowledge(job, manifest)
    collect(job, cut)
    return manifest


def run(job: Job) -> Finished:
    """Recover, then step until the run is over; a failed attempt goes back to the newest record and tries again."""
    recover(job)
    if job.options.dry_run:
        return rehearse(job)
    while not job.stopping.is_set():
        attempt(job, step)
        if is_over(job):
            break
    attempt(job, land)
    close_log(job)
    job.observer.notice(done := finished(job))
    return done


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
