"""A topic beside a table, through the whole engine on parts in memory: what one has the other has, once, whatever happens.

The table is the answer: `tests/unit/phases/test_engine_on_fakes.py` holds it against a loop over the records.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import threading
from collections.abc import Callable
from dataclasses import replace

import pyarrow as pa
import pytest
from tests.unit.phases import test_revisions
from tests.unit.phases.test_engine_on_fakes import lines_of

from arrowflow.engine import start
from arrowflow.errors import ConfigError, DataLossError, Fenced, RetryableError
from arrowflow.events import Notice
from arrowflow.failpoints import REGISTRY, Failpoints, SimulatedCrash
from arrowflow.phases.alone import opened
from arrowflow.phases.reset import go_back
from arrowflow.phases.wish import Wish, rehearse_reset
from arrowflow.pipeline import Checkpoint, Emit, EventTime, OperatorNode, Pipeline, RunOptions, SinkNode, SourceNode
from arrowflow.protocols import RunContext
from arrowflow.sinks.kafka.link import Target
from arrowflow.sinks.kafka.spec import KafkaSinkSpec
from arrowflow.testing.clock import ManualClock
from arrowflow.testing.commitlogs import MemoryLogSpec
from arrowflow.testing.decoders import LineDecoderSpec
from arrowflow.testing.observer import RecordingObserver
from arrowflow.testing.operators import NaiveOperatorSpec
from arrowflow.testing.sinks import MemorySinkSpec
from arrowflow.testing.sources import MemoryBroker, MemorySourceSpec
from arrowflow.testing.topics import MemoryCluster, sequences
from arrowflow.types import Delivered
from arrowflow.windows.spec import Aggregate, Session, WindowSpec

SECOND_US = 1_000_000
TO_THE_END = RunOptions(until_caught_up=True, close_open_windows=True, take_over=True)
ROWS, LATE = MemorySinkSpec("/memory/rows"), MemorySinkSpec("/memory/late")
ON_THE_WAY = sorted(name for name in REGISTRY if name.startswith(("kafka.", "commit.", "publish.all", "stage.outbox")))
PARTITIONS = 2


class Hooked(Failpoints):
    """Failpoints that call a function at the n-th passing of a point."""

    def __init__(self, name: str, hit: int, action: Callable[[], None]) -> None:
        super().__init__()
        self.name, self.left, self.action = name, hit, action

    def hit(self, name: str) -> None:
        if name == self.name:
            self.left -= 1
            if self.left == 0:
                self.action()


class Pause:
    """Stops a thread until it is told to go on."""

    def __init__(self) -> None:
        self.reached, self.released = threading.Event(), threading.Event()

    def __call__(self) -> None:
        self.reached.set()
        assert self.released.wait(60)


class World:
    """What outlives a run: records, the log with its store, and the cluster the topic is in."""

    def __init__(self, logs: list[list[bytes | None]] | None = None, **spec: object) -> None:
        self.broker = MemoryBroker("memory")
        logs = lines_of(3) if logs is None else logs
        self.broker.create("events", len(logs))
        for part, log in enumerate(logs):
            for line in log:
                self.broker.append("events", part, line)
        self.log, self.cluster, self.observer = MemoryLogSpec(), MemoryCluster(), RecordingObserver()
        self.clock = ManualClock()
        for topic in ("alerts", "late"):
            self.cluster.create_topic(topic, PARTITIONS)
        connect = {"brokers": "memory", "connect": self.cluster.connect}
        self.spec = KafkaSinkSpec("alerts", chunk_rows=3, **{"key": ("k",), **connect, **spec})
        self.late = KafkaSinkSpec("late", **connect)

    def pipeline(self, **changes: object) -> Pipeline:
        whole = Pipeline(
            name="job",
            source=SourceNode("in", MemorySourceSpec(self.broker, ("events",)), LineDecoderSpec(), max_error_rate=1.0),
            event_time=EventTime("t", max_out_of_orderness_us=5 * SECOND_US, scope="partition"),
            operator=OperatorNode("window", NaiveOperatorSpec(10 * SECOND_US, scope="partition"), late="side"),
            sinks=(
                SinkNode("rows", ROWS),
                SinkNode("alerts", self.spec),
                SinkNode("late", LATE, "late"),
                SinkNode("late_topic", self.late, "late"),
            ),
            checkpoint=Checkpoint(self.log, max_epoch_rows=12, max_slice_rows=6, full_every=3),
        )
        return replace(whole, **changes)

    def run(self, failpoints: Failpoints | None = None, options: RunOptions = TO_THE_END, **changes: object):
        return self.begin(failpoints, options, **changes).result()

    def begin(self, failpoints: Failpoints | None = None, options: RunOptions = TO_THE_END, **changes: object):
        return start(self.pipeline(**changes), options, observer=self.observer, clock=self.clock, failpoints=failpoints)

    def forget_the_group(self) -> None:
        """As a cluster does that forgot the group's offsets: they would tell of the same first."""
        self.broker.acknowledged.clear()

    def dies(self, plan: str) -> None:
        with pytest.raises((SimulatedCrash, RetryableError)):
            self.run(Failpoints.parse(plan))

    def to_the_end(self, failpoints: Failpoints | None = None) -> None:
        """Run, again and again if a run ends because something cannot be reached."""
        for _ in range(5):
            try:
                self.run(failpoints)
            except RetryableError:
                continue
            return
        raise AssertionError("it never came to its end")

    def records(self, topic: str = "alerts"):
        return [record for part in range(PARTITIONS) for record in self.cluster.committed(topic, part)]

    def manifests(self):
        log, _ = self.log.build(Failpoints())
        return [log.read(epoch) for epoch in log.epochs_after(-1)]

    def check(self) -> None:
        """The topics have what the tables have, each row once, each epoch from 0 on without a gap."""
        for topic, sink in (("alerts", ROWS), ("late", LATE)):
            told = sorted(
                json.loads(record.value)["n" if topic == "alerts" else "_offset"] for record in self.records(topic)
            )
            held = sorted(row["n" if topic == "alerts" else "_offset"] for row in sink.rows(self.log.store))
            assert told == held
            found = sorted(sequences(self.records(topic)))
            assert found == [
                (epoch, seq)
                for epoch in sorted({e for e, _ in found})
                for seq in range(sum(e == epoch for e, _ in found))
            ]
            for part in range(PARTITIONS):
                order = sequences(self.cluster.committed(topic, part))
                assert order == sorted(order)
        told = sorted(_result(json.loads(record.value)) for record in self.records())
        assert told == sorted(_result(row) for row in ROWS.rows(self.log.store))


def session() -> WindowSpec:
    return WindowSpec(Session(10 * SECOND_US), ("k",), (Aggregate("n", "count"), Aggregate("total", "sum", "v")))


def _told(record) -> tuple:
    return _result(json.loads(record.value))


def _result(row: dict) -> tuple:
    return row["k"], str(row["window_start"]).replace(" ", "T").replace("+00:00", "Z"), row["n"], row["total"]


def test_the_topic_has_what_the_table_has():
    world = World()

    finished = world.run()
    head = world.manifests()[-1]

    world.check()
    assert len(world.records()) > 20
    assert len({epoch for epoch, _ in sequences(world.records())}) > 3
    assert finished.rows_out == 2 * len(world.records()), "both sinks of results count"
    assert head.kind == "close"
    assert head.acked["alerts"] == head.acked["rows"] == head.epoch - 1
    assert head.delivered["alerts"] == max(Delivered(e, s + 1) for e, s in sequences(world.records()))


def test_a_second_run_delivers_nothing_again():
    world = World()
    world.run()
    before = world.records()
    world.run()

    assert world.records() == before


@pytest.mark.parametrize("hit", [1, 4])
@pytest.mark.parametrize("action", ["crash", "raise"])
@pytest.mark.parametrize("point", ON_THE_WAY)
def test_a_run_that_dies_or_fails_at_a_point_leaves_what_the_next_makes_good(point, action, hit):
    world = World()
    plan = (
        f"{point}:{hit}:{action}" if point != "kafka.abort" else f"kafka.flushed:{hit + 1}:raise,kafka.abort:1:{action}"
    )
    try:
        world.run(Failpoints.parse(plan))
    except (SimulatedCrash, RetryableError):
        world.run()

    world.check()


@pytest.mark.parametrize("point", sorted(name for name, (_, lossy) in REGISTRY.items() if lossy and name in ON_THE_WAY))
@pytest.mark.parametrize("hit", [1, 4])
def test_a_lost_reply_changes_nothing(point, hit):
    world = World()
    world.to_the_end(Failpoints.parse(f"{point}:{hit}:lost"))

    world.check()


@pytest.mark.parametrize("fault", ["retry", "lost", "away", "abort"])
@pytest.mark.parametrize(
    "call",
    ["init", "marker", "begin", "produce", "flush", "send_marker", "commit", "abort", "tail", "hidden", "hanging"],
)
def test_whichever_call_to_the_cluster_fails_nothing_is_lost_or_doubled(call, fault):
    if (call, fault) in [(each, "abort") for each in ("init", "marker", "begin", "abort", "tail", "hidden", "hanging")]:
        pytest.skip("no transaction is open there that could want to be aborted")
    for nth in range(1, 8):
        world = World()
        if call == "abort":
            world.cluster.fail("flush", nth, "abort")
        world.cluster.fail(call, 1 if call == "abort" else nth, fault)
        world.to_the_end()

        world.check()


@pytest.mark.parametrize("point", [name for name in ON_THE_WAY if name.startswith("kafka.") and name != "kafka.abort"])
def test_a_writer_that_slept_on_the_way_is_fenced_and_doubles_nothing(point):
    world, pause = World(), Pause()
    zombie = world.begin(Hooked(point, 2, pause))
    assert pause.reached.wait(60)

    world.run()
    fences = world.cluster.calls("init")
    pause.released.set()
    with pytest.raises(Fenced):
        zombie.result()

    world.check()
    assert world.cluster.calls("init") == fences, "it asked the log before it would have fenced the owner in turn"


def test_a_starter_that_lost_the_log_and_then_fences_the_topic_stops_and_the_owner_takes_the_topic_back():
    """The order is fence, look at the log, read the marker: the log decides, and the owner is not ended by a slower loser."""
    world, slow, working = World(), Pause(), Pause()
    loser = world.begin(Hooked("open.checked", 1, slow))
    assert slow.reached.wait(60)
    owner = world.begin(Hooked("kafka.flushed", 2, working))
    assert working.reached.wait(60)

    slow.released.set()
    with pytest.raises(Fenced):
        loser.result()
    working.released.set()
    owner.result()

    world.check()


def test_two_jobs_of_one_name_on_one_cluster_do_not_fence_each_other_for_ever():
    world = World()
    stranger = world.cluster.connect(
        Target("alerts", "memory", "alerts", "af-job-alerts", "elsewhere", 60_000, 1000, {})
    )

    class Greedy(Failpoints):
        def hit(self, name: str) -> None:
            if name == "kafka.begun":
                stranger.init()

    with pytest.raises(Fenced, match="another job of the name 'job'"):
        world.run(Greedy())
    world.run()

    world.check()


@pytest.mark.parametrize(
    "point", ["kafka.begun", "kafka.mid_produce", "kafka.flushed", "kafka.offsets_sent", "kafka.commit"]
)
def test_a_transaction_that_took_too_long_is_done_again_by_the_same_run(point):
    world = World()
    world.run(Hooked(point, 3, lambda: world.cluster.pass_time(120)))

    world.check()


# ---- a cluster that loses what it answered for ----------------------------------------------------------------


@pytest.mark.parametrize("hanging", [False, True])
@pytest.mark.parametrize("marker", [False, True])
@pytest.mark.parametrize("partitions", [(0,), (1,), (0, 1)])
@pytest.mark.parametrize("commits", [3, 4, 5, 6, 7])
def test_rows_of_a_transaction_that_a_cluster_answered_and_lost_are_sent_again(commits, partitions, marker, hanging):
    world = World()
    world.dies(f"kafka.committed:{commits}:crash")
    held = world.records()
    world.cluster.lose_newest("alerts", partitions, marker=marker, hanging=hanging)
    lost = len(held) - len(world.records())
    world.run()

    world.check()
    warned = [
        event.message for event in world.observer.of(Notice) if "answered for them and lost them" in event.message
    ]
    assert len(warned) == (1 if lost else 0) or marker


@pytest.mark.parametrize("hanging", [False, True])
@pytest.mark.parametrize("marker", [False, True])
def test_a_run_whose_cluster_comes_back_without_its_last_answer_sends_it_again(marker, hanging):
    world = World()

    def come_back() -> None:
        world.cluster.lose_newest("alerts", (0, 1), marker=marker, hanging=hanging)
        world.cluster.fail("send_marker", 1, "away")

    world.run(Hooked("kafka.mid_produce", 5, come_back))

    world.check()


@pytest.mark.parametrize("then", ["nothing", "abort", "retry", "lost"])
@pytest.mark.parametrize("nth", [3, 5, 8, 12])
def test_a_run_that_goes_on_meanwhile_notices_that_its_last_transaction_has_no_end(nth, then):
    """Seed 78 of the simulator: the next transaction of the same producer was aborted, and what had no end with it."""
    world = World()

    def stop_after_the_answer() -> None:
        with contextlib.suppress(ValueError):  # no transaction with rows yet
            world.cluster.lose_newest("alerts", (0, 1), hanging=True)
        if then != "nothing":
            world.cluster.fail("flush", 1, then)

    world.run(Hooked("kafka.committed", nth, stop_after_the_answer))

    world.check()


@pytest.mark.parametrize("action", ["duplicate", "lost"])
def test_an_outbox_that_is_sent_twice_is_ours(action):
    """Seed 36 of the simulator: the network sent it twice, and the run ended with a loss of data that was none."""
    world = World()
    world.run(Failpoints.parse(f"stage.outbox:2:{action}"))

    world.check()


def test_an_outbox_that_a_sleeper_left_for_a_collected_epoch_goes():
    """Seed 86 of the simulator: it stayed, for only state was looked for below the horizon."""
    world = World()
    few = Checkpoint(world.log, max_epoch_rows=4, max_slice_rows=4, full_every=1, keep_records=1, keep_for_s=0.0)
    world.run(checkpoint=few)
    assert world.manifests()[-1].horizon > 1
    left = f"{world.log.prefix}/outbox/{1:020d}/slept/alerts.arrow"
    world.log.store.put(left, b"of a writer that woke up late")
    for _ in range(3):
        world.broker.append("events", 0, None)
        world.run(checkpoint=few)

    assert left not in world.log.store.objects


def test_a_topic_that_lost_more_than_the_newest_transaction_is_not_filled_up_silently():
    world = World()
    world.dies("kafka.committed:9:crash")
    assert len({epoch for epoch, _ in sequences(world.records())}) > 1
    world.cluster.create_topic("alerts", PARTITIONS)
    world.cluster.forget_groups()
    with pytest.raises(DataLossError, match="lost its marker"):
        world.run()


def test_rows_delivered_before_a_topic_grew_are_not_taken_for_lost():
    world = World()
    world.dies("kafka.committed:7:crash")
    there = len(world.records())
    world.cluster.add_partitions("alerts", 3)
    world.run()

    records = [record for part in range(3) for record in world.cluster.committed("alerts", part)]
    assert len(sequences(records)) == len(set(sequences(records))) == len(ROWS.rows(world.log.store)) > there
    assert world.cluster.committed("alerts", 2)


# ---- a marker that is lost ------------------------------------------------------------------------------------


def test_a_lost_marker_is_found_again_by_the_newest_records():
    world = World()
    world.dies("kafka.committed:6:crash")
    world.cluster.forget_groups()
    world.run()

    world.check()
    assert any("lost its marker" in event.message for event in world.observer.of(Notice))


def half_delivered() -> World:
    """A job that died with an epoch half delivered, and whose marker is lost."""
    for hit in itertools.count(3):
        world = World()
        world.dies(f"kafka.committed:{hit}:crash")
        rows = sum(outbox.rows for outbox in world.manifests()[-1].outbox if outbox.sink == "alerts")
        there = sum(epoch == world.manifests()[-1].epoch for epoch, _ in sequences(world.records()))
        if 0 < there < rows:
            break
    world.cluster.forget_groups()
    return world


def hidden() -> World:
    """The same, and retention has taken all records from the topic."""
    world = half_delivered()
    for partition in range(PARTITIONS):
        world.cluster.delete_records("alerts", partition, before=10_000)
    return world


def test_a_lost_marker_that_nothing_can_settle_stops_and_asks():
    world = hidden()
    with pytest.raises(DataLossError, match=r"--assume-delivered.*--redeliver"):
        world.run()


def test_one_partition_that_hides_our_newest_record_is_enough_to_stop_and_ask():
    """What the others say is as far as the records know, and more may have been in the one whose beginning is gone."""
    asked = 0
    for partition in range(PARTITIONS):
        world = half_delivered()
        head = world.manifests()[-1].epoch
        there = [sequences(world.cluster.committed("alerts", each)) for each in range(PARTITIONS) if each != partition]
        world.cluster.delete_records("alerts", partition, before=10_000)
        if any(epoch == head for part in there for epoch, _ in part):
            with pytest.raises(DataLossError, match="--assume-delivered"):
                world.run()
            asked += 1

    assert asked


def test_a_topic_that_was_made_again_does_not_pass_for_one_that_nothing_was_delivered_to():
    world = half_delivered()
    world.cluster.create_topic("alerts", PARTITIONS)

    with pytest.raises(DataLossError, match="--assume-delivered"):
        world.run()


def test_assume_delivered_sends_nothing_again_and_redeliver_all_behind_what_the_records_say():
    counts = {}
    for undecided in ("assume_delivered", "redeliver"):
        world = hidden()
        sent = len(world.cluster.everything("alerts", 0)) + len(world.cluster.everything("alerts", 1))
        world.run(options=replace(TO_THE_END, undecided=undecided))
        everything = [r for part in range(PARTITIONS) for r in world.cluster.everything("alerts", part)]
        counts[undecided] = sequences(everything[:]), sent
        # The next run finds the marker that this one settled, and needs no option.
        world.run()

    assumed, _ = counts["assume_delivered"]
    again, _ = counts["redeliver"]
    assert len(set(assumed)) == len(assumed)
    assert len(set(again)) < len(again), "the chunk that was there already came again"
    assert set(assumed) < set(again), "what was assumed and was not there is missing"


# ---- a log that is not the one the topic was fed from ---------------------------------------------------------


def test_a_marker_beyond_the_log_tells_of_a_log_that_was_restored_from_an_older_copy():
    world = World()
    world.run(options=replace(TO_THE_END, until_caught_up=False, once=True, close_open_windows=False))
    store, prefix = world.log.store, world.log.prefix
    older = {path: store.read(path) for path in store.list(prefix)}
    world.run()
    for path in store.list(prefix):
        if path not in older:
            store.delete(path)
    world.forget_the_group()

    with pytest.raises(DataLossError, match="restored from an older copy"):
        world.run()


def test_a_marker_that_was_written_for_another_record_of_that_number_tells_of_two_copies_of_the_log():
    world = World()
    world.run(options=replace(TO_THE_END, until_caught_up=False, once=True, close_open_windows=False))
    copy = {path: world.log.store.read(path) for path in world.log.store.list("/")}
    world.run()
    cluster = world.cluster
    world.log, world.cluster = MemoryLogSpec(), MemoryCluster()
    for path, data in copy.items():
        world.log.store.create(path, data)
    for topic in ("alerts", "late"):
        world.cluster.create_topic(topic, PARTITIONS)
    world.spec, world.late = (replace(spec, connect=world.cluster.connect) for spec in (world.spec, world.late))
    world.forget_the_group()
    world.run(options=replace(TO_THE_END, undecided="assume_delivered"))
    world.spec, world.late = (replace(spec, connect=cluster.connect) for spec in (world.spec, world.late))
    world.forget_the_group()

    with pytest.raises(DataLossError, match="two copies of the log"):
        world.run()


def test_a_topic_with_records_of_a_job_that_the_log_knows_nothing_of_stops_the_first_run():
    world = World()
    world.run()
    before = len(world.records())
    world.log = MemoryLogSpec()
    world.forget_the_group()

    with pytest.raises(DataLossError, match="rows would be there twice"):
        world.run()
    assert len(world.records()) == before
    world.run(options=replace(TO_THE_END, undecided="redeliver"))
    assert len(world.records()) == 2 * before


def test_a_marker_by_another_hand_stops_the_run():
    world = World()
    world.run()
    (group,) = [name for name in world.cluster.markers() if ".alerts." in name]
    world.cluster.set_marker(group, "alerts", 77, "by hand")

    with pytest.raises(DataLossError, match="no marker of this version"):
        world.run()


def undelivered() -> World:
    """A job that died between a record and the delivery of its alerts."""
    for hit in itertools.count(3):
        world = World()
        world.dies(f"kafka.begun:{hit}:crash")
        if "alerts" in {outbox.sink for outbox in world.manifests()[-1].outbox}:
            return world
    raise AssertionError("there is such a hit")


def test_an_undelivered_outbox_of_a_sink_that_is_gone_from_the_pipeline_stops_the_run():
    world = undelivered()
    without = tuple(node for node in world.pipeline().sinks if node.name != "alerts")

    with pytest.raises(DataLossError, match="'alerts', which the pipeline no longer has"):
        world.run(sinks=without)


def test_a_job_with_topics_only_is_made_good_too():
    """An epoch with an outbox and no file is redone."""
    whole = World()
    whole.run()
    for hit in range(2, 8):
        world = World()
        topic_only = (SinkNode("alerts", world.spec),)
        with pytest.raises(SimulatedCrash):
            world.run(Failpoints.parse(f"kafka.begun:{hit}:crash"), sinks=topic_only)
        world.run(sinks=topic_only)

        assert sorted(map(_told, world.records())) == sorted(map(_told, whole.records()))


def test_a_missing_outbox_of_a_committed_epoch_is_data_loss():
    world = undelivered()
    (outbox,) = [each for each in world.manifests()[-1].outbox if each.sink == "alerts"]
    world.log.store.delete(f"{world.log.prefix}/{outbox.path}")

    with pytest.raises(DataLossError, match="an outbox of it is missing"):
        world.run()


def test_a_sink_that_is_added_later_gets_what_comes_from_then_on():
    world = World()
    without = tuple(node for node in world.pipeline().sinks if node.name != "alerts")
    world.run(options=replace(TO_THE_END, until_caught_up=False, once=True, close_open_windows=False), sinks=without)
    world.run()

    epochs = {epoch for epoch, _ in sequences(world.records())}
    assert epochs
    assert min(epochs) > 1
    assert world.manifests()[-1].delivered["alerts"].epoch == max(epochs)


def test_a_marker_is_written_again_after_a_day_without_a_word():
    world = World()
    world.run()
    _, control = world.log.build(Failpoints())
    schema = pa.schema([("k", pa.string())])
    context = RunContext("job", world.clock, world.observer, Failpoints(), control)
    outlet = world.spec.build("alerts", schema, context)
    outlet.fence(world.manifests()[-1].incarnation)
    before, written = outlet.reached(), []
    for seconds in (0, 3600, 90_000, 0):
        world.clock.advance(seconds)
        outlet.keep_alive()
        written.append(world.cluster.calls("send_marker"))

    assert outlet.reached() == before
    assert [after - first for first, after in itertools.pairwise(written)] == [0, 1, 0]


# ---- what a topic can take ------------------------------------------------------------------------------------


def test_corrections_come_as_later_records_of_the_same_key_in_their_order():
    world = World(test_revisions.lines_of(5))
    window = NaiveOperatorSpec(10 * SECOND_US, correct_for_us=40 * SECOND_US)
    operator = OperatorNode("window", window, late="correct")
    world.run(operator=operator)

    newest, revisions = {}, {}
    for record in world.records():
        row = json.loads(record.value)
        name = row["k"], row["window_start"]
        revisions.setdefault(name, []).append((record.headers["af-kind"], int(record.headers["af-revision"])))
        newest[name] = row["n"], row["total"]
    held = {(row["k"], _result(row)[1]): (row["n"], row["total"]) for row in ROWS.rows(world.log.store)}
    assert newest == held
    assert any(len(each) > 1 for each in revisions.values())
    for each in revisions.values():
        assert each == [(b"insert", 1), *((b"replace", n) for n in range(2, len(each) + 1))]


@pytest.mark.parametrize(
    ("key", "message"),
    [((), "takes no later revision of a row.*with a key.*window_start"), (("k", "n"), r"key uses \['n'\]")],
)
def test_corrections_without_a_key_that_keeps_them_in_order_are_refused(key, message):
    world = World(key=key)
    window = NaiveOperatorSpec(10 * SECOND_US, correct_for_us=40 * SECOND_US)

    with pytest.raises(ConfigError, match=message):
        world.run(operator=OperatorNode("window", window, late="correct"))


def test_interim_results_are_refused():
    world = World()
    sinks = (SinkNode("rows", ROWS), SinkNode("open", world.spec, "open"))

    with pytest.raises(ConfigError, match="send them to a preview"):
        world.run(sinks=sinks, emit=Emit("on_update"))


@pytest.mark.parametrize("plan", ["", "kafka.mid_produce:4:crash", "kafka.commit:6:lost", "commit.created:3:crash"])
def test_in_the_mode_update_the_newest_record_of_a_window_is_its_result_and_open_ones_are_told_before(plan):
    world = World(key=("k", "window_start", "window_end"), mode="update")
    with contextlib.suppress(SimulatedCrash):
        world.run(Failpoints.parse(plan), emit=Emit("on_update"))
    world.run(emit=Emit("on_update"))

    kinds, newest = {}, {}
    for record in world.records():
        kinds.setdefault(record.key, []).append(record.headers["af-kind"])
        newest[record.key] = _told(record)
    assert sorted(newest.values()) == sorted(_result(row) for row in ROWS.rows(world.log.store))
    assert all(each[-1] == b"insert" and set(each[:-1]) <= {b"interim"} for each in kinds.values())
    assert any(len(each) > 2 for each in kinds.values())
    found = sorted(sequences(world.records()))
    assert len(set(found)) == len(found)


@pytest.mark.parametrize(
    ("key", "window", "message"),
    [
        (("k",), NaiveOperatorSpec(10 * SECOND_US), "the key must be what names a window"),
        (("k", "window_start", "window_end"), session(), "sessions grow and merge"),
    ],
)
def test_updates_are_refused_where_the_key_is_not_the_name_of_a_window_for_good(key, window, message):
    world = World(key=key, mode="update")

    with pytest.raises(ConfigError, match=message):
        world.run(operator=OperatorNode("window", window), emit=Emit("on_update"))


def test_updates_and_when_to_give_them_belong_together():
    world = World(key=("k", "window_start", "window_end"), mode="update")

    with pytest.raises(ConfigError, match="belong together"):
        world.run()


def test_a_row_that_no_record_can_hold_stops_the_run_before_its_record_exists():
    world = World(max_message_bytes=300)
    with pytest.raises(ConfigError, match="max_message_bytes allows 300"):
        world.run()

    assert not any(outbox.sink == "alerts" for record in world.manifests() for outbox in record.outbox)


def test_a_topic_that_does_not_exist_stops_the_run():
    world = World()
    with pytest.raises(ConfigError, match="there is no topic"):
        world.run(sinks=(SinkNode("alerts", replace(world.spec, topic="nowhere")),))


def test_a_job_with_a_topic_does_not_go_back_and_a_rehearsal_says_so_too():
    world = World()
    world.run()
    for way in (rehearse_reset, go_back):
        for wish in (Wish(epoch=0, in_place=True), Wish(epoch=0), Wish(start=True)):
            with (
                opened(world.pipeline(), RunOptions(take_over=True)) as job,
                pytest.raises(ConfigError, match="sink 'alerts', 'late_topic': rows in a topic cannot be taken back"),
            ):
                way(job, wish)
