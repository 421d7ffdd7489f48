"""Wrong commit protocols, each planted in the real engine: what the simulator must refute before its silence means anything."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace

import msgspec

from arrowflow import engine
from arrowflow.commitlog.log import RedoLog
from arrowflow.errors import AlreadyExists, DataLossError, Fenced, ObjectMissing
from arrowflow.phases import commit, recover, retry, snapshots, stage
from arrowflow.phases.draft import Tally
from arrowflow.sinks.publishing import Publisher
from arrowflow.testing.simulation.history import simulate
from arrowflow.testing.sources import MemoryBroker
from arrowflow.types import Bounds, OperatorState

Put = Callable[[object, str, object], None]
"""Sets an attribute for the length of a test, as pytest's ``monkeypatch.setattr`` does."""


@dataclass(frozen=True)
class Weaker:
    """A rule of the protocol left out or turned round, and within which seeds the simulator must notice."""

    what: str
    plant: Callable[[Put], None]
    within: int
    first: int = 0


def first_refuting(limit: int, first: int = 0) -> tuple[int, tuple[str, ...]] | None:
    """The first seed from `first` on whose history breaks an invariant, and what it says; None if none below `limit` does."""
    for seed in range(first, limit):
        verdict = simulate(seed)
        if verdict.wrong:
            return seed, verdict.wrong
    return None


class Blind:
    """A log that nobody asks for what is newer."""

    def __init__(self, log):
        self.log = log

    def __getattr__(self, name):
        return getattr(self.log, name)

    def check(self, epoch):
        """Nothing to see."""


def no_check(put: Put) -> None:
    """A writer whose create succeeded believes it is the newest: put-if-absent is no fence once records are collected."""
    take_over = recover.take_over

    def blindly(job):
        log, job.log = job.log, Blind(job.log)
        try:
            take_over(job)
        finally:
            job.log = log

    put(engine, "check", lambda job, manifest: None)
    put(recover, "take_over", blindly)


def publish_by_copy(put: Put) -> None:
    """Publishing creates the final name from memory, if it is free, and uses nothing up."""
    memory: dict[str, bytes] = {}
    stage, publish = Publisher.stage, Publisher.publish

    def staged(self, file, data):
        memory[file.src] = data
        return stage(self, file, data)

    def published(self, file, later=()):
        store = self.context.control.store
        if file.replaces is not None:
            return publish(self, file, later)
        data = memory.get(file.src) or store.read(self.context.control.path(file.src))
        with contextlib.suppress(AlreadyExists):
            store.create(self.path_of(file), data)
        return None

    put(Publisher, "stage", staged)
    put(Publisher, "publish", published)


def publish_then_commit(put: Put) -> None:
    """Files get their final names before the record that makes them true."""
    stage_all = engine.stage

    def eager(job, draft):
        staged = stage_all(job, draft)
        for file in staged.files:
            with contextlib.suppress(ObjectMissing, DataLossError):
                job.sinks[file.sink].publish([file])
        return staged

    put(engine, "stage", eager)


def no_read_back(put: Put) -> None:
    """A name that is taken is taken by another: a reply that was lost makes a writer fence itself."""
    create_once = RedoLog._create_once

    def hasty(self, path, data, point):
        if point is None:
            return create_once(self, path, data, point)
        for _ in range(3):
            try:
                self._create(path, data, point)
            except AlreadyExists:
                raise Fenced(f"{path} is taken") from None
            except Exception:  # noqa: BLE001
                continue
            return data
        return create_once(self, path, data, point)

    put(RedoLog, "_create_once", hasty)


def no_restore(put: Put) -> None:
    """After a failed attempt the state stays as the attempt left it."""
    restore = recover.restore

    def once(job):
        if not getattr(once, "resuming", False):
            restore(job)

    resume = retry.resume

    def lazy(job):
        once.resuming = True
        try:
            resume(job)
        finally:
            once.resuming = False

    put(recover, "restore", once)
    put(retry, "resume", lazy)


def delta_taken_late(put: Put) -> None:
    """The state of epoch N goes with the record of N + 1."""
    stage_state = snapshots.stage_state

    def lagging(job, draft):
        fresh = stage_state(job, draft)
        name = job.pipeline.operator.name
        before = OperatorState() if job.head is None else job.head.state.get(name, OperatorState())
        return {name: before} if before.full is not None and draft.rows else fresh

    put(stage, "stage_state", lagging)


def rows_of_the_next_epoch_folded_before_the_delta(put: Put) -> None:
    """One more slice is folded before the delta is taken, and read again for the next epoch."""
    advance = engine.advance

    def greedy(job, draft):
        advance(job, draft)
        later = replace(draft, positions=dict(draft.positions), tally=defaultdict(Tally), clocks=dict(draft.clocks))
        fetched = job.source.read(later.positions, Bounds(3))
        engine.fold(job, later, engine.transform(job, later, engine.decode(job, later, fetched)))

    put(engine, "advance", greedy)


def acknowledged_before_published(put: Put) -> None:
    """A record says that its own files are published, before they are."""
    record = commit.record

    def hasty(job, kind, epoch, **rest):
        return msgspec.structs.replace(record(job, kind, epoch, **rest), acked=dict.fromkeys(job.sinks, epoch))

    put(commit, "record", hasty)


def no_redo(put: Put) -> None:
    """A take-over publishes nothing of what it finds committed."""
    put(recover, "redo", lambda job, manifests: 0)


def no_open_record(put: Put) -> None:
    """A new writer goes on from the head without a record of its own."""
    put(recover, "take_over", lambda job: None)


def group_offsets_before_the_commit(put: Put) -> None:
    """Lag tools are told what was read, not what was published."""
    stage_all = engine.stage

    def early(job, draft):
        job.source.acknowledge(dict(draft.positions), "early")
        return stage_all(job, draft)

    put(engine, "stage", early)


def aborted_records_are_read(put: Put) -> None:
    """read_uncommitted."""

    def end(self, topic, partition, *, commit):
        log = self._log(topic, partition)
        log.open_at = None
        log.high += 1

    put(MemoryBroker, "end", end)


def watermark_starts_over(put: Put) -> None:
    """A restart forgets where the clocks stood."""
    adopt = recover.adopt

    def forgetful(job, manifest):
        adopt(job, manifest)
        job.watermark_us = commit.MIN_US

    put(recover, "adopt", forgetful)


def overtaken_in_the_middle_is_loss_of_data(put: Put) -> None:
    """A bug of ours: offsets that retention took after others had read them, told as lost by a writer that had slept."""
    put(retry, "ask_for_newer", lambda job: None)


def overtaken_at_the_start_is_loss_of_data(put: Put) -> None:
    """A bug of ours: a starter took what another had done a moment before it for lost offsets and orphaned files."""
    put(recover, "is_overtaken", lambda job: False)


def a_request_sent_twice_is_a_bug(put: Put) -> None:
    """A bug of ours: a staged file was there already, since the network had sent it twice, and the run ended as a bug."""

    def stage_once(self, file, data):
        self.context.control.store.create(self.context.control.path(file.src), data)
        return file

    put(Publisher, "stage", stage_once)


WEAKER = (
    Weaker("no check after the commit", no_check, 400),
    Weaker("publish by copy", publish_by_copy, 1600, 1500),
    Weaker("publish, then commit", publish_then_commit, 20),
    Weaker("no read-back", no_read_back, 400),
    Weaker("no restore after a failure", no_restore, 200),
    Weaker("delta taken an epoch late", delta_taken_late, 20),
    Weaker("rows of the next epoch in the delta", rows_of_the_next_epoch_folded_before_the_delta, 20),
    Weaker("acknowledged before published", acknowledged_before_published, 20),
    Weaker("no redo", no_redo, 200),
    Weaker("no open record", no_open_record, 20),
    Weaker("group offsets before the commit", group_offsets_before_the_commit, 20),
    Weaker("aborted records are read", aborted_records_are_read, 50),
    Weaker("watermark starts over", watermark_starts_over, 20),
    Weaker("overtaken in the middle, told as data loss", overtaken_in_the_middle_is_loss_of_data, 400),
    Weaker("overtaken at the start, told as data loss", overtaken_at_the_start_is_loss_of_data, 400),
    Weaker("a request sent twice ends the run", a_request_sent_twice_is_a_bug, 400),
)
