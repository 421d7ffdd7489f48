"""Corrections through the whole engine, on parts in memory: late rows reopen windows, and every reader sees each once.

What is right is worked out by a loop over the records (`newest_revisions`), not by any operator.
"""

from __future__ import annotations

import contextlib
import os
import random
import threading
from collections import Counter, defaultdict
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.unit.phases.test_engine_on_fakes import ShuffledSpec

from arrowflow.checksums import crc32c
from arrowflow.engine import start
from arrowflow.errors import AlreadyExists, ConfigError, DataLossError, Fenced
from arrowflow.events import Notice
from arrowflow.failpoints import Failpoints, SimulatedCrash
from arrowflow.phases.fingerprint import fingerprint_of
from arrowflow.phases.fit import refuse_misfits
from arrowflow.phases.job import build_job
from arrowflow.phases.publish import redo
from arrowflow.phases.recover import load
from arrowflow.pipeline import Checkpoint, Emit, EventTime, OperatorNode, Pipeline, RunOptions, SinkNode, SourceNode
from arrowflow.sinks.parquet import ParquetSpec
from arrowflow.sinks.preview import PreviewSpec
from arrowflow.testing.clock import ManualClock
from arrowflow.testing.commitlogs import MemoryLogSpec
from arrowflow.testing.decoders import LineDecoderSpec
from arrowflow.testing.observer import RecordingObserver
from arrowflow.testing.operators import NaiveOperatorSpec
from arrowflow.testing.sinks import MemorySinkSpec
from arrowflow.testing.sources import MemoryBroker, MemorySourceSpec
from arrowflow.testing.stores import MemoryStore
from arrowflow.windows.spec import Aggregate, PassThroughSpec, Tumbling, WindowSpec

SECOND_US = 1_000_000
SIZE_S, TOLERANCE_S, LATENESS_S, CORRECT_S = 10, 3, 2, 40
TO_THE_END = RunOptions(until_caught_up=True, close_open_windows=True)
ROWS, LATE = MemorySinkSpec("/memory/rows"), MemorySinkSpec("/memory/late")
SEEDS = int(os.environ.get("ARROWFLOW_SEEDS", "1"))
WINDOW = NaiveOperatorSpec(
    SIZE_S * SECOND_US, allowed_lateness_us=LATENESS_S * SECOND_US, correct_for_us=CORRECT_S * SECOND_US
)
REAL = WindowSpec(
    Tumbling(SIZE_S * SECOND_US),
    ("k",),
    (Aggregate("n", "count"), Aggregate("total", "sum", "v")),
    LATENESS_S * SECOND_US,
    correct_for_us=CORRECT_S * SECOND_US,
)


def lines_of(seed: int) -> list[list[bytes]]:
    """Two partitions whose rows lag behind by up to 75 s: most are on time, many can correct, some come too late."""
    dice = random.Random(seed)
    return [
        [f"{dice.choice('ab')} {2 * turn - _lag(dice)} {dice.randint(-9, 99)}".encode() for turn in range(80)]
        for _ in range(2)
    ]


def _lag(dice: random.Random) -> int:
    return dice.choice([0, 0, 0, 1, 2, 15, 20, 28, 32, 36, 75])


@dataclass
class Answer:
    """The newest revision of each window as (key, start, n, total), and the places of rows beyond correction."""

    rows: list[tuple]
    late: list[tuple[int, int]]
    corrected: int


def newest_revisions(logs: list[list[bytes]]) -> Answer:
    windows, late, corrected = defaultdict(lambda: [0, 0]), [], 0
    for part, log in enumerate(logs):
        newest = None
        for offset, line in enumerate(log):
            key, second, value = line.split()
            clock = None if newest is None else newest - TOLERANCE_S
            newest = int(second) if newest is None else max(newest, int(second))
            begin = int(second) // SIZE_S * SIZE_S
            waits_until = begin + SIZE_S + LATENESS_S
            if clock is not None and waits_until + CORRECT_S <= clock:
                late.append((part, offset))
                continue
            corrected += clock is not None and waits_until <= clock
            pane = windows[key.decode(), begin]
            pane[0], pane[1] = pane[0] + 1, pane[1] + int(value)
    return Answer(sorted((*name, *pane) for name, pane in windows.items()), late, corrected)


class World:
    """What outlives a run: the broker, the store and the dice."""

    def __init__(self, seed: int, sink=ROWS, operator=WINDOW) -> None:
        self.logs = lines_of(seed)
        self.answer = newest_revisions(self.logs)
        self.dice = random.Random(f"cuts {seed}")
        self.broker = MemoryBroker("memory")
        self.broker.create("events", len(self.logs))
        for part, log in enumerate(self.logs):
            for line in log:
                self.broker.append("events", part, line)
        self.log, self.sink, self.operator = MemoryLogSpec(), sink, operator
        self.clock, self.observer = ManualClock(), RecordingObserver()

    def pipeline(self) -> Pipeline:
        return Pipeline(
            name="job",
            source=SourceNode(
                "in", ShuffledSpec(MemorySourceSpec(self.broker, ("events",)), self.dice), LineDecoderSpec()
            ),
            event_time=EventTime("t", TOLERANCE_S * SECOND_US),
            operator=OperatorNode("window", self.operator, late="correct"),
            sinks=(SinkNode("rows", self.sink), SinkNode("late", LATE, "late")),
            checkpoint=Checkpoint(
                self.log,
                max_slice_rows=self.dice.randint(1, 3),
                max_epoch_rows=self.dice.randint(1, 5),
                full_every=self.dice.randint(1, 4),
            ),
        )

    def run(self, plan: str = "", trace: str | None = None):
        failpoints = Failpoints.parse(plan, trace)
        return start(
            self.pipeline(), TO_THE_END, observer=self.observer, clock=self.clock, failpoints=failpoints
        ).result()

    def dies_at(self, plan: str) -> bool:
        try:
            self.run(plan)
        except SimulatedCrash:
            return True
        return False

    @property
    def records(self):
        log, _ = self.log.build(Failpoints())
        return [log.read(epoch) for epoch in log.epochs_after(-1)]

    def table(self) -> list[dict]:
        return self.sink.rows(self.log.store)

    def results(self) -> list[tuple]:
        return sorted((row["k"], int(row["window_start"].timestamp()), row["n"], row["total"]) for row in self.table())

    def tables(self) -> dict:
        """Every result file and every revision that is kept, by name without its content's digest."""
        objects = self.log.store.snapshot().items()
        return {
            path.rsplit("-", 1)[0] + path[-16:] if "/revisions/" in path else path.rsplit("-", 1)[0]: rows_of(data)
            for path, data in objects
            if path.endswith(".arrow") and ("/revisions/" in path or path.startswith("/memory/rows"))
        }

    def check(self) -> None:
        """Each window once, as its newest revision; rows beyond correction in the late output, and no other."""
        assert self.results() == self.answer.rows
        assert sorted((row["_partition"], row["_offset"]) for row in LATE.rows(self.log.store)) == self.answer.late
        assert {row["_reason"] for row in LATE.rows(self.log.store)} <= {"beyond_correction"}
        check_marks(self.table())
        assert no_epoch_is_unpublished(self)


def rows_of(data: bytes) -> list[dict]:
    return pa.ipc.open_stream(data).read_all().to_pylist()


def check_marks(rows: list[dict]) -> None:
    for row in rows:
        assert (row["__af_kind"] == "insert") == (row["__af_revision"] == 1)
        assert row["__af_kind"] in ("insert", "replace")


def no_epoch_is_unpublished(world: World) -> bool:
    """Whether every file in the table is what the newest record that wrote it says, and nothing is staged."""
    newest = {file.dst: file for record in world.records for file in record.outputs if file.sink == "rows"}
    store = world.log.store.snapshot()
    there = {
        path.removeprefix("/memory/rows/"): data for path, data in store.items() if path.startswith("/memory/rows")
    }
    staged = [path for path in store if "/staging/" in path]
    return {dst: len(data) for dst, data in there.items()} == {
        dst: file.bytes for dst, file in newest.items()
    } and not [path for path in staged if path.endswith(tuple(file.src for file in newest.values()))]


@pytest.mark.parametrize("operator", [WINDOW, REAL], ids=["naive", "real"])
def test_rows_37_38_any_cutting_gives_each_window_once_as_its_newest_revision(operator):
    corrected = 0
    for seed in range(12 * SEEDS):
        world = World(seed, operator=operator)
        world.run()
        world.check()
        corrected += sum(row["__af_revision"] > 1 for row in world.table())
    assert corrected > 20


def test_the_naive_operator_gives_the_very_revisions_the_real_one_gives():
    """Same cuts, same epochs: file by file, what was replaced included."""
    for seed in range(4 * SEEDS):
        naive, real = World(seed), World(seed, operator=REAL)
        naive.run(), real.run()
        assert naive.tables() == real.tables()


def test_the_streams_hold_rows_of_every_fate():
    answers = [newest_revisions(lines_of(seed)) for seed in range(20)]

    assert all(len(each.late) > 2 and each.corrected > 5 and len(each.rows) > 20 for each in answers)


def test_windows_have_several_revisions_and_files_are_replaced_several_times_in_these_streams():
    windows, files = 0, 0
    for seed in range(4):
        world = World(seed)
        world.run()
        windows += sum(row["__af_revision"] >= 3 for row in world.table())
        replaced = Counter(file.dst for record in world.records for file in record.outputs if file.replaces)
        files += sum(times >= 3 for times in replaced.values())
    print(f"{windows} windows of three revisions and more, {files} files replaced three times and more")
    assert windows > 8
    assert files > 8


def test_the_old_revisions_stay_readable_and_each_holds_the_table_of_its_time():
    world = World(3)
    world.run()

    kept = [path for path in world.log.store.snapshot() if "/revisions/rows/" in path]
    history = history_of(world)

    assert kept
    assert sum(count for count in Counter(name for name, _ in history).values() if count > 1)
    for name, revisions in by_name(history).items():
        assert [revision for revision, _ in revisions] == list(range(1, len(revisions) + 1)), name
        counts = [n for _, n in revisions]
        assert counts == sorted(set(counts)), "every revision holds more rows than the one before"


def history_of(world: World) -> set:
    """Every (window, (revision, count)) that was ever published: the table and what it replaced, each row once."""
    sources = [MemorySinkSpec(world.sink.root), MemorySinkSpec(f"{world.log.prefix}/revisions/rows")]
    rows = [row for spec in sources for row in spec.rows(world.log.store)]
    return {((row["k"], row["window_start"]), (row["__af_revision"], row["n"])) for row in rows}


def by_name(history: set) -> dict:
    found = defaultdict(list)
    for name, revision in sorted(history):
        found[name].append(revision)
    return found


# ---- crashes -------------------------------------------------------------------------------------------------

POINTS = (
    "kernel.done",
    "stage.file.before",
    "stage.file.mid",
    "stage.file",
    "stage.revision",
    "stage.state_delta",
    "commit.before",
    "commit.create",
    "commit.created",
    "commit.checked",
    "publish.before",
    "publish.move",
    "publish.between_link_unlink",
    "publish.replace",
    "publish.between_look_rename",
    "publish.after",
    "publish.all",
    "redo.before",
    "redo.mid",
    "open.created",
    "open.checked",
)


def test_a_run_with_corrections_passes_every_point_of_the_matrix(tmp_path):
    trace = tmp_path / "trace"
    for seed in range(3):
        world = World(seed)
        world.dies_at("publish.between_look_rename:2:crash")
        world.run("", str(trace))

    assert set(POINTS) <= {line.removesuffix("/reply") for line in trace.read_text().split()}


@pytest.mark.parametrize("point", POINTS)
def test_a_crash_at_any_point_and_a_restart_give_each_newest_revision_once(point):
    died = 0
    for seed in range(3 * SEEDS):
        for hit in (1, 2, 5):
            world = World(seed)
            if seed % 2:
                world.dies_at("publish.between_look_rename:1:crash")
            died += world.dies_at(f"{point}:{hit}:crash")
            world.run()
            world.check()
    assert died


def test_many_crashes_in_a_row_at_random_points_give_each_newest_revision_once():
    died = 0
    for seed in range(12 * SEEDS):
        world = World(seed)
        for _ in range(world.dice.randint(2, 7)):
            died += world.dies_at(f"{world.dice.choice(POINTS)}:{world.dice.choice((1, 2, 3))}:crash")
        world.run()
        world.check()
    assert died > 16


def test_failed_calls_and_lost_replies_are_tried_again_in_the_same_run():
    points = ("stage.revision", "stage.file", "publish.replace", "publish.move", "commit.create")
    plans = [f"{point}:{hit}:{action}" for point in points for hit in (1, 3) for action in ("raise", "lost")]
    for seed, plan in enumerate([*plans, "publish.between_look_rename:1:raise", "publish.after:2:raise"]):
        world = World(seed % 5)
        world.run(plan)
        world.check()


def test_lost_replies_of_the_store_itself_are_made_good():
    for verb in ("create", "replace_once", "move_once"):
        for call in (1, 2, 3, 7):
            world = World(1)
            world.log.store.lose_reply(verb, call)
            world.run()
            world.check()


# ---- two writers, and records published again ------------------------------------------------------------------


class Interrupted(Failpoints):
    """Failpoints that let `meanwhile` happen at the `number`-th passing of `point`, as if this writer slept there."""

    def __init__(self, point: str, number: int, meanwhile) -> None:
        super().__init__()
        self.point, self.left, self.meanwhile = point, number, meanwhile

    def hit(self, name: str) -> None:
        if name == self.point:
            self.left -= 1
            if self.left == 0:
                self.meanwhile()


@pytest.mark.parametrize(
    "point",
    [
        *("stage.revision", "stage.file", "commit.before", "commit.created", "commit.checked", "publish.before"),
        *("publish.replace", "publish.between_look_rename", "publish.after", "publish.all"),
    ],
)
def test_row_77_a_writer_that_slept_while_another_finished_is_fenced_and_undoes_no_correction(point):
    slept = 0
    for seed in range(3 * SEEDS):
        for number in (1, 3, 6):
            world, after = World(seed), []

            def meanwhile(world=world, after=after):
                world.run()
                after.append(world.log.store.snapshot())

            failpoints = Interrupted(point, number, meanwhile)
            was_fenced = is_fenced(world, failpoints)
            assert was_fenced == bool(after)
            slept += bool(after)
            world.check()
            assert not after or tables_in(world.log.store.snapshot()) == tables_in(after[0])
    assert slept > 3


class Careless(MemoryStore):
    """Control: looks, keeps the new bytes in memory, and overwrites whatever is there later; uses nothing up."""

    def armed(self, failpoints):
        return Careless(failpoints, self._world)

    def replace_once(self, source, target, *, was, becomes, generation=None):
        new = self.read(source) if source in self.snapshot() else None
        if crc32c(self.read(target)) == was and new is not None:
            self._failpoints.hit("publish.between_look_rename")
            self.put(target, new)
        elif crc32c(self.read(target)) != becomes:
            raise AlreadyExists(target)


def test_control_a_replacement_that_uses_nothing_up_undoes_corrections_and_this_harness_sees_it():
    undone = 0
    for seed in range(4):
        for number in (1, 2, 3):
            world = World(seed)
            world.log = MemoryLogSpec(Careless())
            failpoints = Interrupted("publish.between_look_rename", number, world.run)
            is_fenced(world, failpoints)
            undone += world.results() != world.answer.rows
    print(f"{undone} of 12 sleeping writers undid a correction")
    assert undone > 2


def is_fenced(world: World, failpoints: Failpoints) -> bool:
    try:
        start(world.pipeline(), TO_THE_END, clock=world.clock, failpoints=failpoints).result()
    except Fenced:
        return True
    return False


def tables_in(objects: dict[str, bytes]) -> dict[str, bytes]:
    return {path: data for path, data in objects.items() if path.startswith(("/memory/rows", "/memory/late"))}


def job_over(world: World):
    """A job as the engine builds it, at the newest record, owning nothing."""
    job = build_job(
        world.pipeline(),
        TO_THE_END,
        observer=world.observer,
        clock=world.clock,
        failpoints=Failpoints(),
        stopping=threading.Event(),
        fingerprint=fingerprint_of(world.pipeline()),
    )
    load(job)
    return job


def test_publishing_the_whole_log_again_changes_nothing_although_most_files_were_replaced_since():
    for seed in range(4):
        world = World(seed)
        world.run()
        before = tables_in(world.log.store.snapshot())
        job = job_over(world)
        job.acked = dict.fromkeys(job.sinks, -1)

        redone = redo(job, world.records)

        assert redone >= 3
        assert tables_in(world.log.store.snapshot()) == before


def test_a_replaced_file_that_holds_nobodys_bytes_stops_the_job_with_its_name():
    world = World(1)
    world.dies_at("publish.between_look_rename:2:crash")
    name = next(file.dst for record in reversed(world.records) for file in record.outputs if file.replaces)
    world.log.store.put(f"/memory/rows/{name}", b"another hand was here")

    with pytest.raises(DataLossError, match=name):
        world.run()


def test_a_file_changed_by_another_hand_is_found_when_it_is_to_be_corrected_and_nothing_is_committed_over_it():
    world = World(1)

    def change_every_file():
        for path in world.log.store.list("/memory/rows"):
            world.log.store.put(path, world.log.store.read(path) + b"x")

    with pytest.raises(DataLossError, match="newest record"):
        start(
            world.pipeline(),
            TO_THE_END,
            clock=world.clock,
            failpoints=Interrupted("kernel.done", 8, change_every_file),
        ).result()
    assert world.records[-1].epoch < 20


def test_damaged_state_is_made_again_with_the_homes_and_revisions_it_had():
    for seed in range(4):
        world = World(seed)
        world.dies_at("commit.before:9:crash")
        state = [path for path in world.log.store.snapshot() if "/state/" in path and path.endswith("delta.arrow")]
        for path in state:
            world.log.store.put(path, b"damaged")

        world.run()

        world.check()


# ---- sinks -------------------------------------------------------------------------------------------------------


def test_a_sink_added_later_gets_no_correction_of_what_came_before_it():
    world = World(2)
    world.dies_at("commit.checked:6:crash")
    first = {(row["k"], row["window_start"]) for row in world.table()}
    second = MemorySinkSpec("/memory/second")
    pipeline = world.pipeline()
    both = replace(pipeline, sinks=(*pipeline.sinks, SinkNode("second", second)))

    start(both, TO_THE_END, observer=world.observer, clock=world.clock).result()

    world.check()
    later = [(row["k"], row["window_start"]) for row in second.rows(world.log.store)]
    assert later
    assert not first & set(later)
    assert len(later) == len(set(later))
    assert any("was not there when epoch" in notice.message for notice in world.observer.of(Notice))


def refused(world: World, **changes) -> str:
    with pytest.raises(ConfigError) as refusal:
        start(replace(world.pipeline(), **changes), TO_THE_END).result()
    return str(refusal.value)


def test_a_plan_that_could_not_keep_its_promise_is_refused_before_anything_is_read():
    world = World(0)
    rows, late = world.pipeline().sinks
    moving = SinkNode("rows", ParquetSpec("/memory/table", ("k", "n")))
    dated = SinkNode("rows", ParquetSpec("/memory/table", ("k", "date"), time_column="window_end"))
    preview = SinkNode("open", PreviewSpec("/memory/open"), "open")
    passing = OperatorNode("rows", PassThroughSpec(), late="correct")

    assert "a correction may change" in refused(world, sinks=(moving, late))
    assert 'kind = "preview"' in refused(
        world, sinks=(rows, replace(rows, name="b", stream="open")), emit=Emit("on_update")
    )
    assert "belong together" in refused(world, emit=Emit("on_update"))
    assert "belong together" in refused(world, sinks=(rows, preview))
    assert 'the stream "open" only' in refused(world, sinks=(replace(preview, stream="rows"),))
    assert "needs windows" in refused(world, operator=passing, event_time=None)
    refuse_misfits(replace(world.pipeline(), sinks=(dated, late)), WINDOW.build(WORLD_ROWS).output_schema())
    assert world.log.store.snapshot() == {}


WORLD_ROWS = LineDecoderSpec().build().schema


# ---- interim results ---------------------------------------------------------------------------------------------

OPEN = "/memory/open/open.parquet"


def with_preview(world: World, emit: Emit | None = None) -> Pipeline:
    pipeline = world.pipeline()
    node = SinkNode("open", PreviewSpec("/memory/open"), "open")
    return replace(pipeline, sinks=(*pipeline.sinks, node), emit=emit or Emit("on_update"))


def preview_of(world: World) -> list[dict]:
    return pq.read_table(pa.BufferReader(world.log.store.read(OPEN))).to_pylist()


def test_a_preview_holds_the_windows_open_at_the_newest_record_and_nothing_when_all_are_closed():
    for seed in range(4):
        world = World(seed)
        start(with_preview(world), RunOptions(until_caught_up=True), clock=world.clock).result()

        shown = preview_of(world)
        closed = {(row["k"], row["window_start"]) for row in world.table()}
        both = sorted(
            (row["k"], int(row["window_start"].timestamp()), row["n"], row["total"]) for row in [*world.table(), *shown]
        )
        assert both == world.answer.rows, "open and closed windows together are all there are"
        assert shown
        assert not {(row["k"], row["window_start"]) for row in shown} & closed
        assert {(row["__af_kind"], row["__af_revision"]) for row in shown} == {("interim", 0)}
        assert {row["__af_epoch"] for row in shown} == {max(r.epoch for r in world.records if r.kind == "data")}

        start(with_preview(world), TO_THE_END, clock=world.clock).result()
        assert preview_of(world) == []
        world.check()


def test_early_results_come_at_most_so_often():
    counts = {}
    for early_s in (0, 1, 10_000):
        world = World(1)
        start(with_preview(world, Emit(early_us=early_s * SECOND_US)), TO_THE_END, clock=world.clock).result()
        counts[early_s] = sum(file.sink == "open" for record in world.records for file in record.outputs)
        world.check()

    assert counts[10_000] == 1
    assert counts[0] > 5


@pytest.mark.parametrize("point", ["stage.file", "publish.replace", "publish.between_look_rename", "publish.after"])
def test_a_crash_anywhere_leaves_a_whole_preview_and_the_results_alone(point):
    for seed in range(2):
        for hit in (1, 4, 9):
            world = World(seed)
            with contextlib.suppress(SimulatedCrash):
                start(
                    with_preview(world),
                    TO_THE_END,
                    clock=world.clock,
                    failpoints=Failpoints.parse(f"{point}:{hit}:crash"),
                ).result()
            start(with_preview(world), TO_THE_END, clock=world.clock).result()
            assert preview_of(world) == []
            world.check()


@pytest.mark.parametrize("damage", [b"another hand", None])
def test_whatever_becomes_of_a_preview_stops_no_job(damage):
    world = World(1)
    with contextlib.suppress(SimulatedCrash):
        failpoints = Failpoints.parse("publish.before:9:crash")
        start(with_preview(world), TO_THE_END, clock=world.clock, failpoints=failpoints).result()
    if damage is None:
        world.log.store.delete(OPEN)
    else:
        world.log.store.put(OPEN, damage)

    start(with_preview(world), TO_THE_END, observer=world.observer, clock=world.clock).result()

    assert preview_of(world) == []
    world.check()
    assert any("a newer preview comes" in notice.message for notice in world.observer.of(Notice))


def test_a_preview_may_be_moved_added_and_dropped_at_any_restart():
    world = World(1)
    world.dies_at("commit.checked:5:crash")
    start(with_preview(world), RunOptions(until_caught_up=True, once=True), clock=world.clock).result()
    elsewhere = replace(
        with_preview(world), sinks=(*world.pipeline().sinks, SinkNode("open", PreviewSpec("/memory/b"), "open"))
    )
    start(elsewhere, RunOptions(until_caught_up=True, once=True), clock=world.clock).result()
    world.run()

    world.check()
    assert {OPEN, "/memory/b/open.parquet"} <= set(world.log.store.snapshot())
