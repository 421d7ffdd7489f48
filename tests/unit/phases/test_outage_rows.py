"""Rows 67 to 69, 85 and 87: what a run does while others are slow or away, when memory ends, and when far more comes than usual."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pytest
from tests.support import cadence
from tests.support.cadence import CADENCE_S, Beat
from tests.support.small import pipeline, results
from tests.unit.phases.test_recovery import RIGHT, STREAM, TO_THE_END, records

from arrowflow.engine import start
from arrowflow.errors import Fenced, OutOfMemory, RetryableError, Unreachable
from arrowflow.events import Committed, Notice
from arrowflow.failpoints import Failpoints
from arrowflow.testing.observer import RecordingObserver
from arrowflow.testing.sources import MemorySource, MemorySourceSpec

# ---- rows 67 to 69: slow and absent services ---------------------------------------------------------------------


class Outage:
    """Every call to the brokers fails for `seconds` of the job's clock, from the `after`-th read on; counts them."""

    def __init__(self, clock, seconds, after=6):
        self.clock, self.seconds, self.after = clock, seconds, after
        self.reads, self.refused, self.began, self.over = 0, 0, None, None

    def call(self, name):
        self.reads += name == "read"
        if self.reads < self.after or self.over is not None:
            return
        self.began = self.clock.monotonic() if self.began is None else self.began
        if self.clock.monotonic() - self.began < self.seconds:
            self.refused += 1
            raise Unreachable(f"{name}: no broker answers")
        self.over = self.clock.monotonic()


def with_outage(job: Beat, outage: Outage, acknowledging: bool = False):
    """The job over a source whose brokers go away."""

    class Source(MemorySource):
        def discover(self):
            outage.call("discover")
            return super().discover()

        def read(self, after, bounds):
            outage.call("read")
            return super().read(after, bounds)

    class Spec(MemorySourceSpec):
        def build(self, name, context):
            return Source(name, self, context)

    made = job.pipeline()
    return replace(made, source=replace(made.source, spec=Spec(job.broker, ("events",))))


@pytest.mark.parametrize(("row", "seconds"), [(68, 60.0), (69, 600.0)])
def test_rows_68_69_brokers_that_are_away_for_a_minute_or_ten_are_waited_for_without_haste_and_the_same_run_goes_on(
    row, seconds
):
    job = Beat()
    job.produce(30)
    outage = Outage(job.clock, seconds)
    went_on = []

    class Watching:
        def notice(self, event):
            job.notice(event)
            if isinstance(event, Committed) and outage.over is not None and not went_on:
                went_on.append(job.clock.monotonic() - CADENCE_S - outage.over)

    finished = start(with_outage(job, outage), cadence.TO_THE_END, observer=Watching(), clock=job.clock).result()

    assert finished.epochs == 30
    assert job.audit().findings == []
    assert job.windows() == job.wanted_windows()
    # Pauses grow to half a minute: so many tries at most, and as long at most until it is noticed that they are back.
    assert 3 <= outage.refused <= 10 + seconds / 30
    assert outage.over - outage.began <= seconds + 30
    assert went_on[0] <= 1
    assert {record.writer for record in all_records(job)} == {all_records(job)[0].writer}


def all_records(job: Beat):
    log = job.log.build(Failpoints())[0]
    return [log.read(epoch) for epoch in job.epochs]


def test_row_69_brokers_that_never_come_back_end_the_run_with_what_was_committed_kept():
    job = Beat()
    job.produce(30)
    outage = Outage(job.clock, 1e9)

    with pytest.raises(RetryableError, match="no broker answers"):
        start(with_outage(job, outage), cadence.TO_THE_END, observer=job, clock=job.clock).result()

    assert job.clock.monotonic() - outage.began <= 15 * 60 + 60
    assert job.run().epochs > 20
    assert job.windows() == job.wanted_windows()


def test_row_68_a_coordinator_that_moves_keeps_group_offsets_back_and_nothing_else():
    """Group offsets are for lag tools; what is committed does not wait for them."""
    job = Beat()
    job.broker.fail("acknowledge", *[Unreachable("the coordinator moved")] * 3)

    assert job.run(20).epochs == 20

    assert job.windows() == job.wanted_windows()


def test_row_67_an_upload_that_takes_an_hour_holds_nothing_up_but_its_own_epoch():
    """No group is joined, so no broker waits for the next poll; the clock is simulated."""
    job = Beat()

    class Slow(Failpoints):
        def hit(self, name):
            if name == "stage.file.mid":
                job.clock.advance(3600)

    assert job.run(12, failpoints=Slow()).epochs == 12

    assert job.audit().findings == []
    assert job.windows() == job.wanted_windows()


def test_row_67_and_if_another_has_taken_over_meanwhile_the_batch_is_not_committed():
    job, others = Beat(), []

    class Slow(Failpoints):
        def hit(self, name):
            if name == "stage.file.mid" and not others:
                job.clock.advance(3600)
                others.append(job.run(5))

    with pytest.raises(Fenced):
        job.run(12, failpoints=Slow())

    assert job.audit().findings == []
    assert job.windows() == job.wanted_windows()


# ---- row 85: memory ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [MemoryError("malloc of size 64 failed"), pa.ArrowMemoryError("realloc failed")])
@pytest.mark.parametrize("point", ["source.polled", "kernel.mid", "kernel.done", "stage.file.before", "commit.before"])
def test_row_85_a_run_that_is_refused_memory_stops_with_what_to_do_and_commits_nothing_of_the_epoch(
    point, error, tmp_path
):
    passed = []

    class Refused(Failpoints):
        def hit(self, name):
            passed.append(name)
            if name == point and passed.count(name) == 2:
                raise error

    job = pipeline(tmp_path, STREAM, max_epoch_rows=8, max_slice_rows=4)
    with pytest.raises(
        OutOfMemory, match=r"was refused memory \(.*failed\).*give it more memory.*max_epoch_rows \(now 8\)"
    ) as told:
        start(job, TO_THE_END, failpoints=Refused()).result()
    assert told.value.exit_code == 4
    log = records(tmp_path)
    assert [record["epoch"] for record in log] == list(range(len(log)))
    assert sum(record["kind"] == "data" for record in log) <= 2

    start(job, TO_THE_END).result()
    assert results(tmp_path) == RIGHT


def test_row_85_what_a_run_holds_is_bounded_however_much_there_is_to_read(tmp_path):
    """Reading is held back first: a slice is asked for once the one before is folded, and an epoch is cut at its bound."""
    asked, held = [], []

    class Source(MemorySource):
        def read(self, after, bounds):
            fetched = super().read(after, bounds)
            asked.append(bounds.rows)
            held.append(fetched.rows)
            return fetched

    class Spec(MemorySourceSpec):
        def build(self, name, context):
            return Source(name, self, context)

    job = Beat(epoch_rows=50)
    job.produce(2000)
    made = job.pipeline()
    made = replace(made, source=replace(made.source, spec=Spec(job.broker, ("events",))))
    start(made, cadence.TO_THE_END, observer=job, clock=job.clock).result()

    assert max(held) <= max(asked) <= 50
    assert max(record.balance.read for record in all_records(job)) <= 50
    assert job.windows() == job.wanted_windows()


# ---- row 87: a spike --------------------------------------------------------------------------------------------


def test_row_87_ten_times_the_rate_for_a_minute_costs_no_row_and_no_more_memory_and_is_caught_up_with():
    """Ten records a cadence, then a hundred for six of them; an epoch ends with the slice that brings it to thirty."""
    job = Beat(epoch_rows=30, keep_records=1000)
    lag, peak = [], []

    class Producing(RecordingObserver):
        cadences = 0

        def notice(self, event):
            super().notice(event)
            if isinstance(event, Committed):
                job.clock.advance(CADENCE_S)
                peak.append(event.manifest.balance.read)
                produced = job.broker.describe("in", ["events"])
                ((_, info),) = produced.partitions.items()
                lag.append(info.stable - event.manifest.inputs[0].stop)
                self.cadences += 1
                if self.cadences < 40:
                    produce(100 if 5 <= self.cadences < 11 else 10)

    def produce(many):
        for _ in range(many):
            second = job.produced * CADENCE_S // 10
            job.broker.append("events", 0, b"pump %d 1" % second)
            job.produced += 1

    produce(10)
    observer = Producing()
    run = start(job.pipeline(), replace(cadence.TO_THE_END, until_caught_up=False), observer=observer, clock=job.clock)
    while not run.wait(0.05):
        if observer.cadences >= 40 and lag[-1] == 0:
            run.stop()
    run.result()

    assert max(peak) < 30 + job.pipeline().checkpoint.max_slice_rows
    assert max(lag) > 300
    assert lag[-1] == 0
    assert sum(record.balance.read for record in all_records(job)) == job.produced
    assert job.audit().findings == []
    assert sum(n for _, n in job.windows()) >= job.produced - 40
    assert not [event for event in observer.of(Notice) if event.level == "warning"]
