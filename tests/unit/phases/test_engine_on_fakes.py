"""The whole engine on parts in memory: no disk, no network, no kernels of windows; and every crash on the way.

What is right is worked out by a loop over the records (`answer`), not by any operator.
"""

from __future__ import annotations

import os
import random
from collections import defaultdict
from dataclasses import dataclass, field

import pytest

from arrowflow.engine import start
from arrowflow.events import Committed, Finished, Started
from arrowflow.failpoints import Failpoints, SimulatedCrash
from arrowflow.phases.defaults import SystemClock
from arrowflow.pipeline import Checkpoint, EventTime, OperatorNode, Pipeline, RunOptions, SinkNode, SourceNode
from arrowflow.testing.clock import ManualClock
from arrowflow.testing.commitlogs import MemoryLogSpec
from arrowflow.testing.decoders import LineDecoderSpec
from arrowflow.testing.observer import RecordingObserver
from arrowflow.testing.operators import NaiveOperatorSpec
from arrowflow.testing.sinks import MemorySinkSpec
from arrowflow.testing.sources import MemoryBroker, MemorySourceSpec
from arrowflow.testing.transforms import KeepIf
from arrowflow.windows.spec import Aggregate, Tumbling, WindowSpec

SECOND_US = 1_000_000
SIZE_S, TOLERANCE_S, LATENESS_S, LEAST = 10, 5, 2, -40
TO_THE_END = RunOptions(until_caught_up=True, close_open_windows=True)
ROWS, LATE, DEAD = (MemorySinkSpec(f"/memory/{name}") for name in ("rows", "late", "dead"))
HITS = (1, 2, 3)
SEEDS = int(os.environ.get("ARROWFLOW_SEEDS", "1"))
"""Multiplies how many streams are tried; 1 fits a build, 50 fits a lunch break."""


def naive(scope="pipeline"):
    return NaiveOperatorSpec(SIZE_S * SECOND_US, allowed_lateness_us=LATENESS_S * SECOND_US, scope=scope)


def real(scope="pipeline"):
    aggregates = (Aggregate("n", "count"), Aggregate("total", "sum", "v"))
    return WindowSpec(Tumbling(SIZE_S * SECOND_US), ("k",), aggregates, LATENESS_S * SECOND_US, scope)


def lines_of(seed: int) -> list[list[bytes | None]]:
    """Three partitions of lines with disorder, late rows, small values, nulls, tombstones and garbage."""
    dice = random.Random(seed)
    return [[_line(dice, part, turn) for turn in range(dice.randint(0, 40))] for part in range(3)]


def _line(dice: random.Random, part: int, turn: int) -> bytes | None:
    if dice.random() < 0.06:
        return dice.choice([None, b"garbage", b""])
    value = dice.choice(["-", str(dice.randint(-50, 99))])
    return f"p{part}-{dice.choice('ab')} {2 * turn + dice.randint(-14, 6)} {value}".encode()


@dataclass
class Answer:
    """What must come out, by partition and offset where it is about records."""

    windows: dict = field(default_factory=lambda: defaultdict(lambda: [0, 0]))
    late: list = field(default_factory=list)
    dead: list = field(default_factory=list)

    def rows(self) -> list[tuple]:
        return sorted((key, start, n, total) for (key, start), (n, total) in self.windows.items())


def answer(logs: list[list[bytes | None]]) -> Answer:
    """One loop over the records: a clock per partition, a dictionary of windows."""
    found = Answer()
    for part, log in enumerate(logs):
        newest = None
        for offset, line in enumerate(log):
            if line is None:
                continue
            words = line.split()
            if len(words) != 3:
                found.dead.append((part, offset))
                continue
            key, second = words[0].decode(), int(words[1])
            clock = None if newest is None else newest - TOLERANCE_S
            newest = second if newest is None else max(newest, second)
            if words[2] == b"-" or int(words[2]) < LEAST:
                continue  # a filtered row moves the clock and nothing else
            begin = second // SIZE_S * SIZE_S
            if clock is not None and begin + SIZE_S + LATENESS_S <= clock:
                found.late.append((part, offset))
                continue
            pane = found.windows[key, begin]
            pane[0], pane[1] = pane[0] + 1, pane[1] + int(words[2])
    return found


class Shuffled:
    """A memory source whose partitions are asked in another order, and for fewer records, at every read."""

    def __init__(self, source, dice):
        self._source, self._dice = source, dice

    def __getattr__(self, name):
        return getattr(self._source, name)

    def read(self, after, bounds):
        asked = self._dice.sample(sorted(after), len(after))
        few = bounds.__class__(self._dice.randint(1, bounds.rows), bounds.bytes, bounds.seconds)
        return self._source.read({part: after[part] for part in asked}, few)


@dataclass(frozen=True)
class ShuffledSpec:
    """Describes a `Shuffled` source."""

    spec: MemorySourceSpec
    dice: random.Random

    def build(self, name, context):
        return Shuffled(self.spec.build(name, context), self.dice)

    def fingerprint(self):
        return self.spec.fingerprint()


class World:
    """What outlives a run: the broker, the store and the dice."""

    def __init__(self, seed: int, operator) -> None:
        self.logs = lines_of(seed)
        self.answer = answer(self.logs)
        self.dice = random.Random(f"cuts {seed}")
        self.broker = MemoryBroker("memory")
        self.broker.create("events", len(self.logs))
        for part, log in enumerate(self.logs):
            for line in log:
                self.broker.append("events", part, line)
        self.log = MemoryLogSpec()
        self.operator = operator
        self.clock = ManualClock()
        self.observer = RecordingObserver()

    def pipeline(self) -> Pipeline:
        spec = ShuffledSpec(MemorySourceSpec(self.broker, ("events",)), self.dice)
        return Pipeline(
            name="job",
            source=SourceNode("in", spec, LineDecoderSpec(), max_error_rate=1.0),
            transforms=(KeepIf("v", LEAST),),
            event_time=EventTime("t", TOLERANCE_S * SECOND_US, scope=self.operator.scope),
            operator=OperatorNode("window", self.operator, late="side"),
            sinks=(SinkNode("rows", ROWS), SinkNode("late", LATE, "late"), SinkNode("dead", DEAD, "dead")),
            checkpoint=Checkpoint(
                self.log,
                max_slice_rows=self.dice.randint(1, 12),
                max_epoch_rows=self.dice.randint(1, 40),
                full_every=self.dice.randint(1, 4),
            ),
        )

    def run(self, plan: str = "", trace: str | None = None) -> Finished:
        failpoints = Failpoints.parse(plan, trace)
        return start(
            self.pipeline(), TO_THE_END, observer=self.observer, clock=self.clock, failpoints=failpoints
        ).result()

    def dies_at(self, plan: str) -> bool:
        """Run with an armed crash; whether it came to that."""
        try:
            self.run(plan)
        except SimulatedCrash:
            return True
        return False

    def read(self, spec: MemorySinkSpec) -> list[dict]:
        return spec.rows(self.log.store)

    def results(self) -> list[tuple]:
        return sorted(
            (row["k"], int(row["window_start"].timestamp()), row["n"], row["total"]) for row in self.read(ROWS)
        )

    def places(self, spec: MemorySinkSpec) -> list[tuple]:
        return sorted((row["_partition"], row["_offset"]) for row in self.read(spec))

    def check(self) -> None:
        """Every row that must be there is, once, and no other."""
        assert self.results() == self.answer.rows()
        assert self.places(LATE) == sorted(self.answer.late)
        assert self.places(DEAD) == sorted(self.answer.dead)


@pytest.mark.parametrize("scope", ["pipeline", "partition"])
@pytest.mark.parametrize("operator", [naive, real])
def test_any_cutting_gives_the_rows_of_the_loop(operator, scope):
    for seed in range(10 * SEEDS):
        world = World(seed, operator(scope))
        world.run()
        world.check()


def test_the_streams_hold_rows_of_every_fate():
    answers = [answer(lines_of(seed)) for seed in range(40)]

    assert all(sum(len(getattr(each, name)) for each in answers) > 20 for name in ("windows", "late", "dead"))


def test_the_naive_operator_gives_the_very_table_the_real_one_gives():
    """Same cuts, same epochs: column by column, the window end and the reason included."""
    for seed in range(5 * SEEDS):
        tables = []
        for operator in (naive(), real()):
            world = World(seed, operator)
            world.run()
            tables.append(ROWS.table(world.log.store))
        one, other = tables
        assert (one is None) == (other is None)
        assert one is None or one.equals(other)


def test_an_observer_hears_the_run_and_the_system_clock_serves_as_well():
    world = World(3, naive())
    world.clock = SystemClock()

    finished = world.run()

    world.check()
    assert world.observer.events[-1] == finished
    assert len(world.observer.of(Started)) == 1
    assert len(world.observer.of(Committed)) == finished.epochs > 1
    assert finished.balance.read == sum(map(len, world.logs))


# ---- crashes -------------------------------------------------------------------------------------------------


def points_passed(folder) -> list[str]:
    """Every failpoint a run on these parts passes, in the run and in the one after a crash."""
    trace = folder / "trace"
    for seed in range(4):
        world = World(seed, naive())
        world.dies_at("publish.before:2:crash")
        world.run("", str(trace))
        World(seed, naive()).run("", str(trace))
    return sorted({line.removesuffix("/reply") for line in trace.read_text().split()})


def test_every_point_the_parts_pass_is_in_the_matrix(tmp_path):
    assert points_passed(tmp_path) == sorted(POINTS)


POINTS = (
    "commit.before",
    "commit.checked",
    "commit.create",
    "commit.created",
    "kernel.done",
    "kernel.mid",
    "lag.after",
    "lag.before",
    "open.before",
    "open.checked",
    "open.create",
    "open.created",
    "publish.after",
    "publish.all",
    "publish.before",
    "publish.between_link_unlink",
    "publish.move",
    "recover.head_loaded",
    "recover.listed",
    "redo.before",
    "redo.mid",
    "source.polled",
    "stage.file",
    "stage.file.before",
    "stage.file.mid",
    "stage.state_delta",
    "stage.state_full",
)


@pytest.mark.parametrize("point", POINTS)
def test_a_crash_at_any_point_and_a_restart_give_every_row_once(point):
    died = 0
    for hit in HITS:
        for seed in range(2 * SEEDS):
            world = World(seed, naive(["pipeline", "partition"][seed % 2]))
            if seed % 2:
                world.dies_at("publish.before:2:crash")  # so that there is something to recover
            died += world.dies_at(f"{point}:{hit}:crash")
            world.run()
            world.check()
    assert died


def test_many_crashes_in_a_row_at_random_points_give_every_row_once():
    died = 0
    for seed in range(16 * SEEDS):
        world = World(seed, (naive, real)[seed % 2]())
        for _ in range(world.dice.randint(1, 6)):
            died += world.dies_at(f"{world.dice.choice(POINTS)}:{world.dice.choice(HITS)}:crash")
        world.run()
        world.check()
    assert died > 16


def test_failed_calls_and_lost_replies_are_tried_again_in_the_same_run():
    plans = [f"{point}:{hit}:raise" for point in ("source.polled", "stage.file", "publish.move") for hit in HITS]
    plans += [f"{point}:{hit}:lost" for point in ("stage.file", "commit.create", "publish.move") for hit in HITS]
    for seed, plan in enumerate(plans):
        world = World(seed, naive())
        world.run(plan)
        world.check()
