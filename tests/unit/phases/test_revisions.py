"""Corrections through the whole engine, on parts in memory: late rows reopen windows, and every reader sees each once.

What is right is worked out by a loop over the records (`newest_revisions`), not by any operator.
"""

from __future__ import annotations

import os
import random
from collections import Counter, defaultdict
from dataclasses import dataclass

import pyarrow as pa
import pytest

from arrowflow.engine import start
from arrowflow.failpoints import Failpoints, SimulatedCrash
from arrowflow.pipeline import Checkpoint, EventTime, OperatorNode, Pipeline, RunOptions, SinkNode, SourceNode
from arrowflow.testing.clock import ManualClock
from arrowflow.testing.commitlogs import MemoryLogSpec
from arrowflow.testing.decoders import LineDecoderSpec
from arrowflow.testing.observer import RecordingObserver
from arrowflow.testing.operators import NaiveOperatorSpec
from arrowflow.testing.sinks import MemorySinkSpec
from arrowflow.testing.sources import MemoryBroker, MemorySourceSpec
from arrowflow.windows.spec import Aggregate, Tumbling, WindowSpec

SECOND_US = 1_000_000
SIZE_S, TOLERANCE_S, LATENESS_S, CORRECT_S = 10, 3, 2, 25
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
    """Two partitions whose rows lag behind by up to a minute: most are on time, many can correct, some come too late."""
    dice = random.Random(seed)
    return [
        [f"{dice.choice('abc')} {2 * turn - _lag(dice)} {dice.randint(-9, 99)}".encode() for turn in range(60)]
        for _ in range(2)
    ]


def _lag(dice: random.Random) -> int:
    return dice.choice([0, 0, 0, 1, 2, 8, 15, 20, 28, 45, 60])


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
            source=SourceNode("in", MemorySourceSpec(self.broker, ("events",)), LineDecoderSpec()),
            event_time=EventTime("t", TOLERANCE_S * SECOND_US),
            operator=OperatorNode("window", self.operator, late="correct"),
            sinks=(SinkNode("rows", self.sink), SinkNode("late", LATE, "late")),
            checkpoint=Checkpoint(
                self.log,
                max_slice_rows=self.dice.randint(1, 8),
                max_epoch_rows=self.dice.randint(1, 20),
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
def test_any_cutting_gives_each_window_once_as_its_newest_revision(operator):
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


def test_several_revisions_of_a_window_come_one_after_the_other():
    for seed in range(20):
        world = World(seed)
        world.run()
        most = max(row["__af_revision"] for row in world.table())
        if most >= 3:
            return
    raise AssertionError("no window had three revisions")


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
