"""What no retained record needs goes, a little with each epoch; what one needs stays; no crash and no sleeper changes that."""

from __future__ import annotations

import pytest
from tests.chaos.day import costs_of_a_start
from tests.support.cadence import CADENCE_S, OUT, PREFIX, SECOND_US, Beat

from arrowflow.commitlog.log import RedoLog
from arrowflow.errors import DataLossError, Fenced, RetryableError
from arrowflow.events import Notice, Started
from arrowflow.failpoints import Failpoints, SimulatedCrash
from arrowflow.protocols import Control
from arrowflow.testing.commitlogs import MemoryLogSpec
from arrowflow.testing.operators import NaiveOperatorSpec
from arrowflow.windows.spec import Aggregate, Tumbling, WindowSpec

POINTS = ("gc.horizon", "gc.object", "gc.manifest")


def retained(job: Beat) -> list[int]:
    return [epoch for epoch in job.epochs if epoch >= job.audit().horizon]


def in_order(job: Beat) -> None:
    """Nothing is wrong, and what came out is each window once."""
    assert job.audit().findings == []
    assert job.windows() == job.wanted_windows()


def warnings(job: Beat) -> list[str]:
    return [each.message for each in job.observer.of(Notice) if each.level == "warning"]


@pytest.mark.parametrize("keep", [1, 5, 20])
def test_old_records_and_their_state_go_and_as_many_stay_as_were_asked_for(keep):
    job = Beat(keep_records=keep)

    job.run(120)

    in_order(job)
    epochs = retained(job)
    assert epochs == list(range(epochs[0], 122))
    # One full snapshot reaches back over its chain, and an announcement takes an epoch.
    assert keep <= len(epochs) <= keep + job.full_every + 4
    assert len(job.epochs) - len(epochs) <= 4
    assert min(int(name.split("/")[1]) for name in job.names("state")) >= epochs[0] - job.full_every - 4


def test_a_horizon_is_announced_by_a_committed_record_before_anything_below_it_goes():
    job = Beat(keep_records=5)
    seen = []

    class Watching(Failpoints):
        def hit(self, name):
            if name in ("gc.object", "gc.manifest"):
                log = job.log.build(Failpoints())[0]
                seen.append((log.epochs_after(-1)[0], log.read(log.newest()).horizon))

    job.run(60, failpoints=Watching())

    assert len(seen) > 80
    assert all(oldest < horizon for oldest, horizon in seen)


def test_records_go_strictly_from_the_oldest_on_and_each_after_its_files():
    job = Beat(keep_records=5)

    job.run(60)

    deleted = [call.path.removeprefix(f"{PREFIX}/") for call in job.log.store.history if call.verb == "delete"]
    records = [int(path[-25:-5]) for path in deleted if path.startswith("manifests/")]
    assert records == list(range(records[-1] + 1))
    for at, path in enumerate(deleted):
        if path.startswith("state/"):
            gone = [int(each[-25:-5]) for each in deleted[:at] if each.startswith("manifests/")]
            assert int(path.split("/")[1]) not in gone or path.split("/")[1] in deleted[at]
            assert not gone or int(path.split("/")[1]) <= gone[-1] + job.full_every + 1


def test_nothing_goes_before_it_is_old_enough():
    job = Beat(keep_records=1, keep_for_s=50 * CADENCE_S)

    job.run(40)
    assert job.epochs[0] == 0

    job.run(60)
    in_order(job)
    assert job.epochs[0] > 0
    log = job.log.build(Failpoints())[0]
    assert job.clock.now_us() - log.read(job.epochs[0]).epoch_time_us >= 50 * CADENCE_S * SECOND_US


def test_a_run_begins_where_the_last_one_stopped_collecting():
    job = Beat(keep_records=5)
    for _ in range(12):
        job.run(7)

    in_order(job)
    assert len(job.epochs) <= 5 + 3 * job.full_every + 4


@pytest.mark.parametrize(
    "operator",
    [
        NaiveOperatorSpec(30 * SECOND_US, correct_for_us=600 * SECOND_US),
        WindowSpec(Tumbling(30 * SECOND_US), ("k",), (Aggregate("n", "count"),), correct_for_us=600 * SECOND_US),
    ],
    ids=["naive", "real"],
)
def test_windows_that_can_still_be_corrected_keep_the_record_that_gave_them_out(operator):
    """`correct_for` is event time: an old record is needed for as long as the stream stands still."""
    job = Beat(keep_records=1, operator=operator, late="correct")

    job.run(40)
    assert job.epochs[0] <= 4

    job.broker.append("events", 0, b"pump 5 1")
    job.run(1)
    row = next(row for row in OUT.rows(job.log.store) if row["window_start"].timestamp() == 0)
    assert (row["n"], row["__af_revision"]) == (4, 2)
    assert job.names("revisions") != []

    job.run(160)
    assert job.audit().findings == []
    assert job.epochs[0] > 40 + 1 + 60
    assert job.names("revisions") == []


# ---- crashes, failures, replies that are lost -------------------------------------------------------------------


@pytest.mark.parametrize("hit", [1, 2, 9])
@pytest.mark.parametrize("point", POINTS)
def test_a_crash_while_collecting_leaves_nothing_wrong_and_the_next_run_goes_on(point, hit):
    job = Beat(keep_records=3)

    with pytest.raises(SimulatedCrash):
        job.run(60, f"{point}:{hit}:crash")
    assert job.audit().findings == []
    job.run(60)

    in_order(job)
    assert len(job.epochs) <= 3 + job.full_every + 8
    assert [
        path for path in job.audit().left_over if "/state/" in path and int(path.split("/")[5]) < job.epochs[0]
    ] == []


@pytest.mark.parametrize("action", ["raise", "lost"])
@pytest.mark.parametrize("point", ["gc.object", "gc.manifest"])
def test_what_fails_to_go_stops_no_run_and_goes_with_a_later_epoch(point, action):
    job = Beat(keep_records=3)

    finished = job.run(60, ",".join(f"{point}:{hit}:{action}" for hit in (1, 2, 3, 10)))

    assert finished.epochs == 60
    in_order(job)
    assert len(job.epochs) <= 3 + job.full_every + 8
    assert len(warnings(job)) >= 1


def test_a_store_that_deletes_nothing_stops_no_run_and_complains_once():
    job = Beat(keep_records=3)
    job.log.store.fail("delete", 1, lambda: RetryableError("no deleting here"), lasting=True)

    assert job.run(60).epochs == 60

    in_order(job)
    assert job.epochs[0] == 0
    assert sum("no deleting here" in message for message in warnings(job)) == 1


def test_files_of_attempts_that_died_go():
    job = Beat(keep_records=3)
    for plan in ("commit.before:5:crash", "stage.file:2:crash", "commit.before:4:crash"):
        with pytest.raises(SimulatedCrash):
            job.run(8, plan)
    assert job.names("staging") != []
    dead = set(job.audit().in_flight + job.audit().left_over)
    assert dead

    job.run(60)

    in_order(job)
    assert job.names("staging") == []
    assert dead.isdisjoint(job.objects)


def test_files_of_an_attempt_that_failed_go_in_the_same_run():
    job = Beat(keep_records=3)

    job.run(60, "commit.before:30:raise")

    in_order(job)
    assert job.names("staging") == []


def test_a_damaged_old_record_stops_no_run_and_is_collected_unread():
    job = Beat(keep_records=3, keep_for_s=30 * CADENCE_S)
    job.run(20)
    job.log.store.put(f"{PREFIX}/manifests/{0:017d}/{7:020d}.json", b"flipped")

    job.run(60)

    assert job.epochs[0] > 7
    assert job.windows() == job.wanted_windows()
    assert any("7.json" in message and "fsck" in message for message in warnings(job))


def test_state_is_rebuilt_on_a_collected_log_too():
    job = Beat(keep_records=6, full_every=3)
    job.run(61)
    newest = max(path for path in job.objects if "/state/" in path and ".full." in path)
    job.log.store.put(newest, b"flipped")

    job.run(20)

    assert any("rebuilding the state" in message for message in warnings(job))
    assert job.windows() == job.wanted_windows()


def test_the_record_of_the_newest_full_snapshot_stays_however_few_are_kept():
    job = Beat(keep_records=1, full_every=20)
    job.run(75)
    log = job.log.build(Failpoints())[0]
    state = log.read(log.newest()).state["window"]
    assert len(state.deltas) > 5
    assert log.read(log.newest()).horizon <= state.full.epoch
    job.log.store.put(f"{PREFIX}/{state.deltas[-1].path}", b"flipped")

    job.run(20)

    assert any("rebuilding the state" in message for message in warnings(job))
    in_order(job)


def test_a_record_that_is_missing_though_nobody_collected_it_is_data_loss():
    job = Beat(keep_records=30)
    with pytest.raises(SimulatedCrash):
        job.run(20, "publish.before:9:crash")
    log = job.log.build(Failpoints())[0]
    log.remove(log.newest() - 1)

    with pytest.raises(DataLossError, match="no record says that it was collected"):
        job.run(5)


# ---- writers that sleep -------------------------------------------------------------------------------------


class Sleeping(Failpoints):
    """At the `hit`-th passing of `point` this run sleeps while others do `meanwhile`."""

    def __init__(self, point, hit, meanwhile):
        super().__init__()
        self.point, self.left, self.meanwhile = point, hit, meanwhile

    def hit(self, name):
        if name == self.point:
            self.left -= 1
            if self.left == 0:
                self.meanwhile()


SLEEPS = [
    ("recover.listed", 1), ("open.before", 1), ("open.create", 1), ("open.created", 1), ("source.polled", 1),
    ("source.polled", 3), ("stage.file.mid", 1), ("stage.state_delta", 2), ("commit.before", 1), ("commit.before", 4),
    ("commit.create", 3), ("commit.created", 3), ("publish.before", 3), ("publish.move", 1), ("publish.all", 2),
]  # fmt: skip


def sleep_through(point, hit, *, epochs=60, keep=3):
    """One writer falls asleep in its first epochs; another commits on and collects all the sleeper knew; it wakes up."""
    job, others = Beat(keep_records=keep), []

    def meanwhile():
        job.epoch_rows = 1
        others.append(job.run(epochs))

    job.produce(12)
    job.epoch_rows = 2  # so that the sleeper's files are called otherwise than those of the same windows
    try:
        job.run(0, failpoints=Sleeping(point, hit, meanwhile))
    except Fenced as error:
        fenced = error
    else:
        fenced = None
    assert len(others) == 1, "the sleeper never fell asleep"
    return job, fenced


@pytest.mark.parametrize(("point", "hit"), SLEEPS)
def test_a_writer_that_wakes_up_after_its_records_were_collected_doubles_nothing(point, hit):
    job, fenced = sleep_through(point, hit)
    assert job.epochs[-1] > 60
    # Before it owned the log it may still take over in order; afterwards it has lost it.
    assert (fenced is None) == point.startswith(("recover.", "open.")), fenced
    assert job.audit().findings == []
    assert job.windows() == job.wanted_windows()

    job.run(30)  # what the sleeper created again under collected names goes again

    in_order(job)
    assert len(job.epochs) <= 3 + job.full_every + 8
    assert job.names("staging") == []


def test_without_the_check_for_a_newer_record_the_sleeper_doubles_rows(monkeypatch):
    """The control: if nothing came of switching it off, the tests above would show nothing."""
    monkeypatch.setattr(RedoLog, "check", lambda self, epoch: None)

    job, fenced = sleep_through("open.before", 1)

    assert fenced is None
    assert job.windows() != job.wanted_windows()
    assert len(job.windows()) > len(set(job.windows()))


def test_a_sleeper_that_finds_its_state_collected_learns_that_it_is_fenced():
    """Not that its state is damaged: it must rebuild nothing and accuse nobody."""
    job = Beat(keep_records=3)
    job.run(12)

    with pytest.raises(Fenced):
        job.run(0, failpoints=Sleeping("open.checked", 1, lambda: job.run(60)))

    assert not any("rebuilding" in message for message in warnings(job))
    in_order(job)


def test_a_sleeper_that_finds_unpublished_records_collected_learns_that_it_is_fenced():
    job = Beat(keep_records=3)
    with pytest.raises(SimulatedCrash):
        job.run(12, "publish.before:6:crash")

    with pytest.raises(Fenced):
        job.run(0, failpoints=Sleeping("redo.before", 1, lambda: job.run(60)))

    in_order(job)


# ---- cost -----------------------------------------------------------------------------------------------------


def test_no_epoch_costs_more_than_a_few_calls_however_much_there_is_to_collect():
    """Ten times the records that are kept wait to be collected, as after a change of the settings."""
    job = Beat(keep_records=10_000)
    job.run(300)
    job.keep_records = 20
    store = job.log.store
    per_epoch, last = [], store.history

    def count(event):
        nonlocal last
        if type(event).__name__ == "Committed":
            now = store.history
            per_epoch.append(len(now) - len(last))
            last = now

    notice, job.notice = job.notice, lambda event: (count(event), notice(event))
    job.run(150)

    in_order(job)
    assert len(job.epochs) <= 20 + job.full_every + 12
    assert max(per_epoch[1:]) <= 45


def test_a_start_costs_the_same_after_800_epochs_as_after_300():
    """`python -m tests.chaos.day` does it for a day of 8,640."""
    job = Beat(keep_records=100)
    early = costs_of_a_start(job, 300)
    late = costs_of_a_start(job, 800)

    chain = job.full_every + 1  # a chain is sometimes longer, sometimes shorter
    assert {**early, "read": 0, "names listed": 0} == {**late, "read": 0, "names listed": 0}
    assert abs(early["read"] - late["read"]) <= chain
    assert abs(early["names listed"] - late["names listed"]) <= 2 * chain
    assert len(job.observer.of(Started)) == 4


class Plain:
    """A memory store without the names of folders."""

    def __init__(self, store):
        for name in ("create", "read", "list", "move_once", "replace_once", "delete", "probe"):
            setattr(self, name, getattr(store, name))


class PlainLogSpec(MemoryLogSpec):
    """The log over a store that cannot list folders."""

    def build(self, failpoints):
        store = Plain(self.store.armed(failpoints))
        return RedoLog(store, self.prefix, failpoints), Control(store, self.prefix)


def test_stores_that_cannot_list_folders_are_collected_too():
    job = Beat(keep_records=5, log=PlainLogSpec())

    job.run(40)
    job.run(40)

    in_order(job)
    assert len(job.epochs) <= 5 + 2 * job.full_every + 4
