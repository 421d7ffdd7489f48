"""Small files of past epochs are put together by a record of their own; what counts is each window once, at every instant."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress

import pytest
from tests.support.cadence import CADENCE_S, OUT, SECOND_US, Beat, read_stream

from arrowflow.commitlog.log import RedoLog
from arrowflow.errors import ConfigError, Fenced, RetryableError
from arrowflow.events import Notice
from arrowflow.failpoints import Failpoints, SimulatedCrash
from arrowflow.phases.seal import seal
from arrowflow.sinks.snapshot import Wanted, snapshot
from arrowflow.testing.operators import NaiveOperatorSpec

SEALED = f"{OUT.root}__sealed/"
POINTS = ("compact.staged", "compact.committed", "compact.mid_publish")


def sealing(**more) -> Beat:
    """Windows of three epochs, sealed every ten."""
    return Beat(seal_s=10 * CADENCE_S, **{"keep_records": 5, **more})


def sealed(job: Beat) -> list[str]:
    return [path for path in job.objects if path.startswith(SEALED)]


def small(job: Beat) -> list[str]:
    return [path for path in job.objects if path.startswith(f"{OUT.root}/")]


def newest(job: Beat):
    log = job.log.build(Failpoints())[0]
    return log.read(log.newest())


def in_order(job: Beat) -> None:
    """What counts is each window once, and nothing is wrong however deep one looks."""
    assert job.audit().findings == []
    assert job.counted() == job.wanted_windows()


def test_the_files_of_an_interval_become_one_once_it_is_over_and_go_with_their_records():
    job = sealing()

    job.run(95)

    in_order(job)
    assert len(sealed(job)) == 9
    assert newest(job).sealed["out"][0].start == 0
    # What is left small is what is not sealed, and what belongs to records that are still kept.
    kept = min(job.epochs)
    assert all(int(path.rsplit("/", 1)[-1].split("-")[0]) >= kept for path in small(job))
    assert kept > 60


def test_without_the_setting_nothing_is_sealed_and_results_are_never_removed():
    job = Beat(keep_records=5)

    job.run(60)

    assert sealed(job) == []
    assert len(small(job)) == len(job.wanted_windows())
    assert newest(job).sealed == {}


def test_every_sealed_file_is_named_by_a_record_of_its_own_before_it_is_there():
    job = sealing(keep_records=1000)
    job.run(45)

    log = job.log.build(Failpoints())[0]
    records = [log.read(epoch) for epoch in job.epochs]
    compact = [record for record in records if record.kind == "compact"]
    assert [len(record.seals) for record in compact] == [1] * len(compact) != []
    assert {f"{SEALED}{file.dst}" for record in compact for file in record.seals} == set(sealed(job))
    assert all(record.outputs == [] for record in compact)
    in_order(job)


@pytest.mark.parametrize("hit", [1, 2, 4])
@pytest.mark.parametrize("point", POINTS)
def test_a_crash_while_sealing_leaves_each_row_once_and_the_next_run_goes_on(point, hit):
    job = sealing()

    with pytest.raises(SimulatedCrash):
        job.run(60, f"{point}:{hit}:crash")
    assert job.audit().findings == []
    job.run(60)

    in_order(job)
    assert len(sealed(job)) >= 10


class Watching(Failpoints):
    """At every point a run passes somebody reads the table through the log."""

    def __init__(self, job, plan=""):
        super().__init__(Failpoints.parse(plan).traps, in_process=True)
        self.job, self.seen, self.looks = job, Counter(), 0

    def hit(self, name):
        if name.startswith(("commit.", "publish.", "compact.", "gc.")):
            self.look()
        super().hit(name)

    def look(self):
        with suppress(ConfigError):  # nothing is published yet
            self.judge(Counter(self.job.counted()))

    def judge(self, now):
        self.looks += 1
        assert max(now.values(), default=1) == 1, "a row twice"
        assert self.seen <= now, "a row is gone"
        assert now.keys() <= set(self.job.wanted_windows()), "a row that is none"
        self.seen = now


@pytest.mark.parametrize("plan", ["", "compact.committed:2:raise", "publish.move:9:lost", "gc.object:4:lost"])
def test_whoever_reads_through_the_log_sees_each_row_once_at_every_instant(plan):
    job = sealing()
    watching = Watching(job, plan)

    job.run(36, failpoints=watching)

    in_order(job)
    assert watching.looks > 200
    assert len(sealed(job)) >= 3


@pytest.mark.parametrize("hit", [2, 3])
@pytest.mark.parametrize(
    "point", ["compact.committed", "compact.mid_publish", "publish.move", "gc.object", "commit.created"]
)
def test_and_through_crashes(point, hit):
    job = sealing()
    watching = Watching(job, f"{point}:{hit * 5 if point[0] in 'pg' else hit}:crash")
    with pytest.raises(SimulatedCrash):
        job.run(40, failpoints=watching)

    again = Watching(job)
    again.seen = watching.seen
    job.run(20, failpoints=again)

    in_order(job)


def test_each_of_the_two_folders_by_itself_never_shows_a_row_twice():
    job = sealing()

    class Globbing(Failpoints):
        def hit(self, name):
            if not name.startswith(("publish.", "compact.", "gc.")):
                return
            objects = job.objects
            for root in (f"{OUT.root}/", SEALED):
                rows = [
                    row["window_start"]
                    for path in objects
                    if path.startswith(root)
                    for row in read_stream(objects[path]).to_pylist()
                ]
                assert len(rows) == len(set(rows))

    job.run(30, failpoints=Globbing())
    in_order(job)


# ---- as of an earlier record ------------------------------------------------------------------------------------


def test_as_of_any_record_that_is_kept_the_table_is_what_it_was_then():
    job = sealing(keep_records=1000)
    was = {}

    class Remembering(Failpoints):
        def hit(self, name):
            if name == "publish.all":
                epoch = job.epochs[-1]
                was[epoch] = sum(read_stream(job.objects[path]).num_rows for path in small(job))

    job.run(45, failpoints=Remembering())  # nothing is collected yet, so the small files tell what was there
    job.keep_records = 20
    job.run(8)

    log, control = job.log.build(Failpoints())
    horizon = newest(job).horizon
    assert horizon > 20
    asked = [epoch for epoch in was if epoch >= horizon]
    assert len(asked) > 5
    for epoch in asked:
        chosen = snapshot(log, control, Wanted(epoch=epoch))
        rows = [row for file in chosen.files for row in read_stream(job.objects[file.path]).to_pylist()]
        assert len([row for row in rows if chosen.cut is None or row["__af_epoch"] <= chosen.cut]) == was[epoch]
        by_time = snapshot(log, control, Wanted(time_us=log.read(epoch).epoch_time_us))
        assert by_time.epoch in (epoch, epoch + 1)  # a compact record begins when the epoch before it does


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        (Wanted("nobody"), "there is no table 'nobody'; sink = one of"),
        (Wanted(epoch=10_000), "there is no record 10000 to read as of; kept and published are"),
        (Wanted(epoch=0), "there is no record 0 to read as of"),
        (Wanted(time_us=-1), "no record that is kept is so old"),
    ],
)
def test_what_cannot_be_read_is_said(wanted, told):
    job = sealing()
    job.run(60)

    with pytest.raises(ConfigError, match=told):
        snapshot(*job.log.build(Failpoints()), wanted)


def test_a_log_without_records_is_said():
    with pytest.raises(ConfigError, match="holds no record: no run has begun there"):
        snapshot(*Beat().log.build(Failpoints()), Wanted())


# ---- corrections ------------------------------------------------------------------------------------------------


def correcting(**more) -> Beat:
    return sealing(operator=NaiveOperatorSpec(30 * SECOND_US, correct_for_us=300 * SECOND_US), late="correct", **more)


def test_sealing_waits_until_a_window_can_no_longer_be_corrected_and_takes_its_newest_revision():
    job = correcting()
    job.run(40)
    job.broker.append("events", 0, b"pump 255 1")  # of the window from 240 s on, which came out long ago
    job.run(5)
    before = [row for path in sealed(job) for row in read_stream(job.objects[path]).to_pylist()]
    assert all(row["window_start"].timestamp() < 240 for row in before)

    job.run(60)

    assert job.audit().findings == []
    rows = [row for path in sealed(job) for row in read_stream(job.objects[path]).to_pylist()]
    (corrected,) = [row for row in rows if row["window_start"].timestamp() == 240]
    assert (corrected["n"], corrected["__af_revision"]) == (4, 2)
    assert len(job.counted()) == len(job.wanted_windows())


def test_as_of_a_record_whose_windows_were_corrected_and_sealed_since_is_refused():
    job = correcting(keep_records=200)
    job.run(120)
    stop = newest(job).sealed["out"][-1].stop

    with pytest.raises(ConfigError, match=f"ask for record {stop - 1} or a later one"):
        snapshot(*job.log.build(Failpoints()), Wanted(epoch=stop - 5))
    assert snapshot(*job.log.build(Failpoints()), Wanted(epoch=stop + 1)).cut is None


# ---- what is in the way -----------------------------------------------------------------------------------------


def warnings(job: Beat) -> list[str]:
    return [each.message for each in job.observer.of(Notice) if each.level == "warning"]


def test_a_small_file_that_is_gone_stops_no_run_seals_nothing_and_is_told_once():
    job = sealing()
    job.run(8)
    (first, *_) = small(job)
    job.log.store.delete(first)

    assert job.run(60).epochs == 60

    assert sealed(job) == []
    assert sum("Nothing of sink 'out' is sealed until it is there" in message for message in warnings(job)) == 1
    # Records that are not sealed are kept: without them nobody would know which files there are.
    assert job.epochs[0] <= 4


@pytest.mark.parametrize("verb", ["read", "create", ""])
def test_a_store_that_fails_while_small_files_are_put_together_stops_no_run(verb):
    job = sealing(keep_records=1000)
    told = []

    class Failing(Failpoints):
        def hit(self, name):
            point = "gc.horizon" if verb else "compact.staged"  # what comes next is the sealing
            if name == point and len(told) < 3:
                told.append(name)
                if verb:
                    job.log.store.fail(verb, 1)
                else:
                    raise RetryableError("no answer")

    job.keep_records = 5
    assert job.run(60, failpoints=Failing()).epochs == 60
    in_order(job)
    assert len(told) == 3
    assert len(sealed(job)) >= 4


@pytest.mark.parametrize("action", ["raise", "lost"])
@pytest.mark.parametrize("point", ["commit.create", "publish.move", "stage.file"])
def test_failures_anywhere_lose_and_double_nothing(point, action):
    plan = ",".join(f"{point}:{hit}:{action}" for hit in range(3, 60, 4))
    job = sealing()

    job.run(50, plan)

    in_order(job)
    assert len(sealed(job)) >= 3


# ---- writers that sleep -----------------------------------------------------------------------------------------

SLEEPS = [
    ("open.before", 1), ("open.created", 1), ("source.polled", 9), ("stage.file.mid", 4), ("commit.before", 12), ("commit.create", 12),
    ("commit.created", 12), ("publish.before", 11), ("publish.move", 4), ("compact.staged", 1), ("compact.committed", 1),
    ("compact.mid_publish", 1), ("gc.object", 1),
]  # fmt: skip


def sleep_through(point, passing):
    """One writer falls asleep; another commits on, seals and collects all the sleeper knew; it wakes up."""
    job, others = sealing(keep_records=3), []

    class Sleeping(Failpoints):
        left = passing

        def hit(self, name):
            if name == point:
                self.left -= 1
                if self.left == 0:
                    job.epoch_rows = 1
                    others.append(job.run(60))

    job.produce(30)
    job.epoch_rows = 2  # so that the sleeper's files are called otherwise than those of the same windows
    fenced = None
    try:
        job.run(0, failpoints=Sleeping())
    except Fenced as error:
        fenced = error
    assert len(others) == 1, "the sleeper never fell asleep"
    return job, fenced


@pytest.mark.parametrize(("point", "hit"), SLEEPS)
def test_a_writer_that_wakes_up_after_its_files_were_sealed_and_removed_doubles_nothing(point, hit):
    job, fenced = sleep_through(point, hit)

    assert (fenced is None) == point.startswith("open."), fenced
    in_order(job)
    assert len(sealed(job)) > 4

    job.run(30)
    in_order(job)


def test_without_the_check_for_a_newer_record_the_sleeper_doubles_rows(monkeypatch):
    """The control: if nothing came of switching it off, the tests above would show nothing."""
    monkeypatch.setattr(RedoLog, "check", lambda self, epoch: None)

    job, fenced = sleep_through("open.before", 1)

    assert fenced is None
    assert job.counted() != job.wanted_windows()


# ---- on demand, on and off --------------------------------------------------------------------------------------


def test_everything_can_be_sealed_at_once():
    job = sealing(keep_records=1000)
    job.seal_s = 1e6
    job.run(25)
    assert sealed(job) == []

    with job.opened() as part:
        while seal(part, everything=True) is not None:
            pass

    assert len(sealed(job)) == 1
    assert job.audit().findings == []
    assert job.counted() == job.wanted_windows()


def test_switched_on_later_it_leaves_files_whose_records_were_collected_as_they_are():
    job = Beat(keep_records=5)
    job.run(40)
    old = set(small(job))
    job.seal_s = 10 * CADENCE_S

    job.run(40)

    in_order(job)
    assert newest(job).sealed["out"][0].start > 20
    assert len(old & set(small(job))) >= 8


def test_switched_off_and_on_again_it_leaves_what_was_collected_between():
    job = sealing()
    job.run(40)
    job.seal_s = None
    job.run(60)
    job.seal_s = 10 * CADENCE_S

    job.run(40)

    in_order(job)
    assert len(newest(job).sealed["out"]) == 2


def test_no_epoch_costs_more_than_it_may_however_much_there_is_to_seal():
    """A thousand records wait: the first epochs seal 512 of them each."""
    job = Beat(keep_records=10_000)
    job.run(1000)
    job.seal_s = 10 * CADENCE_S

    job.run(3)

    records = [job.log.build(Failpoints())[0].read(epoch) for epoch in job.epochs[-8:]]
    reach = [record.sealed["out"][0].stop for record in records if record.kind == "compact"]
    assert (reach[0], len(reach)) == (512, 2)
    assert reach[1] > 990
    in_order(job)
