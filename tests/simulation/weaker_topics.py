"""Wrong ways to deliver and to collect, each planted in the real engine, for the invariants I6, I7 and I13."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

from tests.simulation.planting import Put, Weaker, harsher

from arrowflow import engine
from arrowflow.errors import ObjectMissing
from arrowflow.phases import collect, deliver, reached
from arrowflow.sinks.kafka.marker import Marker
from arrowflow.sinks.kafka.outlet import KafkaOutlet
from arrowflow.testing.simulation.topics import SimulatedCluster
from arrowflow.types import Delivered


def delivered_before_the_record(put: Put) -> None:
    """Rows go to their topic as soon as they are staged, before the record that makes them true."""
    stage_all = engine.stage

    def eager(job, cut):
        staged = stage_all(job, cut)
        record = SimpleNamespace(epoch=cut.draft.attempt.epoch, sha256="")
        for outbox in staged.outbox:
            outlet = job.outlets[outbox.sink]
            if outlet.is_fenced_in:
                for there in outlet.deliver(outbox, job.delivered[outbox.sink], record):
                    job.delivered[outbox.sink] = there
        return staged

    put(engine, "stage", eager)


def blind(put: Put) -> None:
    """Nobody looks at the ends of partitions: what the marker says is believed."""
    put(KafkaOutlet, "_there", lambda self: [None] * self._partitions)
    put(deliver, "restore_lost", lambda job, name, outlet: None)
    put(KafkaOutlet, "_end_hanging", lambda self: None)
    put(KafkaOutlet, "_be_sure", lambda self: None)


def blind_in_peace(put: Put) -> None:
    """Nobody looks, and the cluster loses nothing: what goes wrong then is the marker's own fault."""
    blind(put)
    put(SimulatedCluster, "answered", lambda self, stage, topic, touched: None)


def marker_in_its_own_transaction(put: Put) -> None:
    """Rows are committed, and their marker after them; nobody looks at the topic itself."""
    blind_in_peace(put)

    def in_two(self, coming, middle, manifest):
        with self._transaction() as link:
            stop = self._produce(link, coming, middle, manifest.epoch)
            link.flush()
        self._write(Marker.of(Delivered(manifest.epoch, stop), 1, manifest.sha256, self._partitions))
        return stop

    put(KafkaOutlet, "_attempt", in_two)


def marker_of_the_next_epoch(put: Put) -> None:
    """The marker counts epochs from one, the records from zero."""
    of = Marker.of
    put(
        Marker,
        "of",
        staticmethod(lambda there, *rest: of(Delivered(there.epoch + 1, there.rows) if there.rows else there, *rest)),
    )


def an_id_for_each_run(put: Put) -> None:
    """Each run has a transactional id of its own, so no run fences another; nobody looks at the topic itself."""
    blind_in_peace(put)
    found = KafkaOutlet._found

    def own(self):
        target = found(self)
        return replace(target, transactional_id=f"{target.transactional_id}-{id(self.context)}")

    put(KafkaOutlet, "_found", own)


def marker_alone_is_believed(put: Put) -> None:
    """Our rule of yesterday: after the cluster came back nobody compares the topic with what was sent."""
    blind(put)


def no_look_while_it_goes_on(put: Put) -> None:
    """A bug of ours: only a starter looked whether the last transaction has its end in every partition."""
    put(KafkaOutlet, "_be_sure", lambda self: None)


def a_record_made_again_is_believed(put: Put) -> None:
    """A bug of ours: a marker was held against a record that a sleeper had made again far below the horizon."""

    def whatever_is_there(job, epoch):
        try:
            return job.head if job.head is not None and job.head.epoch == epoch else job.log.read(epoch)
        except ObjectMissing:
            return None

    put(reached, "_recorded", whatever_is_there)


def before_last_by_reading_records(put: Put) -> None:
    """A bug of ours: a cluster's loss was taken for a topic made anew where old records had been collected."""

    def summed(job, name, found, known):
        if found >= known:
            return False
        if found.epoch == known.epoch:
            return True
        try:
            between = [job.log.read(epoch) for epoch in range(max(found.epoch, 0), known.epoch)]
        except ObjectMissing:
            return False
        return sum(outbox.rows for record in between for outbox in record.outbox if outbox.sink == name) == found.rows

    put(reached, "_is_before_last", summed)


def collected_by_age_alone(put: Put) -> None:
    """Whatever old records name goes, though newer ones name it too."""
    put(collect, "_needed", lambda job: frozenset())


def the_newest_full_state_is_collected(put: Put) -> None:
    """Of a chain of state files the deltas are kept, and the full snapshot under them goes."""
    needed = collect._needed
    put(collect, "_needed", lambda job: frozenset(path for path in needed(job) if ".full" not in path))


def collected_before_it_is_announced(put: Put) -> None:
    """The owner removes what it will announce with its next record."""
    move = collect._move_horizon

    def hasty(job, head):
        move(job, head)
        job.retention.going.extend(range(head.horizon, job.retention.horizon))
        collect._remove_records(job, head)

    put(collect, "_move_horizon", hasty)


def newest_first(put: Put) -> None:
    """Of the collected records the newest goes first."""
    remove = collect._remove_records

    def turned(job, head):
        job.retention.going.reverse()
        remove(job, head)

    put(collect, "_remove_records", turned)


TOPICS = (
    Weaker("delivered before the record", delivered_before_the_record, 20),
    Weaker("marker in a transaction of its own, topic not looked at", marker_in_its_own_transaction, 200),
    Weaker("marker of the next epoch", marker_of_the_next_epoch, 20),
    Weaker("a transactional id for each run, topic not looked at", an_id_for_each_run, 400),
    Weaker("marker alone believed when the cluster came back", marker_alone_is_believed, 200),
    Weaker("no look at the last transaction while a run goes on", no_look_while_it_goes_on, 400, world=harsher),
    Weaker("a record made again below the horizon is believed", a_record_made_again_is_believed, 200, world=harsher),
    Weaker("a cluster's loss, told as a topic made anew", before_last_by_reading_records, 200, world=harsher),
    Weaker("collected by age alone", collected_by_age_alone, 50),
    Weaker("the newest full state is collected", the_newest_full_state_is_collected, 50),
    Weaker("collected before it is announced", collected_before_it_is_announced, 50),
    Weaker("newest records first", newest_first, 50),
)
