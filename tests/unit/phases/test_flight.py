"""One epoch becomes true while the next is read and folded: what overlaps, what waits, and what a failure throws away."""

import threading
import time
from dataclasses import dataclass, field, replace

import pytest
from tests.unit.phases.test_engine_on_fakes import POINTS, ROWS, TO_THE_END, World, naive, real

from arrowflow.engine import start
from arrowflow.errors import RetryableError
from arrowflow.events import Committed, Progress
from arrowflow.failpoints import Failpoints, SimulatedCrash
from arrowflow.phases.ahead import Ahead
from arrowflow.phases.helpers import ThreadHelper
from arrowflow.pipeline import RunOptions
from arrowflow.protocols import Control
from arrowflow.testing.commitlogs import MemoryLogSpec
from arrowflow.testing.machine import Alone, Oneself
from arrowflow.types import Bounds, Fetched, OffsetRange, SourcePartition

LONG_S = 120.0
"""So long a test waits for what must happen on the slowest machine before it fails."""


class Gate:
    """A store in which files are staged only while the gate is open; an observer opens or breaks it."""

    def __init__(self, store, gate):
        self._store, self._gate = store, gate

    def __getattr__(self, name):
        return getattr(self._store, name)

    def create(self, path, data):
        if "/staging/" in path:
            self._gate.pass_by(path)
        self._store.create(path, data)


@dataclass
class Gatekeeper:
    """Holds the first staged file back until rows of the epoch after it were folded; then lets it pass, or fails it."""

    error: Exception | None = None
    lingers_s: float = 0.0
    held: str = ""
    newest: int = -1
    opened: threading.Event = field(default_factory=threading.Event)
    events: list = field(default_factory=list)

    def pass_by(self, path):
        if self.held:
            return
        self.held = path
        self._look()
        assert self.opened.wait(LONG_S), "no row of the next epoch was folded meanwhile"
        time.sleep(self.lingers_s)
        if self.error is not None:
            raise self.error

    def notice(self, event):
        self.events.append(event)
        if isinstance(event, Progress):
            self.newest = event.epoch
            self._look()

    def _look(self):
        """Open if the next epoch has rows; asked by both threads, for either may be the later one."""
        if self.held and self.newest > int(self.held.split("/staging/")[1][:20]):
            self.opened.set()


@dataclass(frozen=True)
class GatedLogSpec:
    """A log in memory whose sinks stage through a gate."""

    spec: MemoryLogSpec
    gate: Gatekeeper

    def build(self, failpoints):
        log, control = self.spec.build(failpoints)
        return log, Control(Gate(control.store, self.gate), control.prefix)


def gated(world, gate):
    pipeline = world.pipeline()
    checkpoint = replace(pipeline.checkpoint, log=GatedLogSpec(world.log, gate), max_epoch_rows=12, max_slice_rows=3)
    return replace(pipeline, checkpoint=checkpoint)


def run_gated(world, gate, options=TO_THE_END):
    return start(gated(world, gate), options, observer=gate, clock=world.clock)


@pytest.mark.parametrize("operator", [naive, real])
def test_rows_of_the_next_epoch_are_folded_before_a_file_of_this_one_is_staged(operator):
    world, gate = World(3, operator()), Gatekeeper()

    run_gated(world, gate).result()

    assert gate.opened.is_set()
    world.check()


def test_without_helpers_nothing_overlaps():
    """The control: the same gate stays shut, so the wait for it is what the test above is about."""
    world, gate = World(3, naive()), Gatekeeper()
    gate.opened.wait = lambda _: gate.opened.is_set()

    with pytest.raises(AssertionError, match="no row of the next epoch"):
        start(gated(world, gate), TO_THE_END, observer=gate, clock=world.clock, machine=Alone()).result()


@pytest.mark.parametrize("operator", [naive, real])
def test_what_was_folded_behind_a_failed_flight_is_folded_once(operator):
    world, gate = World(5, operator()), Gatekeeper(error=RetryableError("the store is away"))

    run_gated(world, gate).result()

    assert gate.opened.is_set()
    told = [event.manifest.epoch for event in gate.events if isinstance(event, Committed)]
    assert told == sorted(set(told))
    world.check()


def test_where_as_much_waits_as_may_the_next_slice_waits_for_the_landing():
    """The flight takes a while behind the gate, in which a draft that did not wait would take slice after slice."""
    world, gate = World(3, naive()), Gatekeeper(lingers_s=0.3)
    pipeline = gated(world, gate)
    pipeline = replace(pipeline, checkpoint=replace(pipeline.checkpoint, max_epoch_bytes=1))
    start(pipeline, TO_THE_END, observer=gate, clock=world.clock).result()

    first = int(gate.held.split("/staging/")[1][:20])
    told = next(
        i for i, event in enumerate(gate.events) if isinstance(event, Committed) and event.manifest.epoch == first
    )
    early = [event for event in gate.events[:told] if isinstance(event, Progress) and event.epoch == first + 1]
    assert len(early) == 1
    world.check()


def test_an_epoch_ends_when_its_windows_will_give_as_many_rows_as_may_wait():
    """Else the state would grow with the time that a slow store takes."""
    world, other = World(3, naive()), World(3, naive())
    few = replace(world.pipeline(), checkpoint=replace(world.pipeline().checkpoint, max_epoch_bytes=4 * 128))
    by_windows = start(few, TO_THE_END, observer=world.observer, clock=world.clock).result()

    assert by_windows.epochs > other.run().epochs
    world.check()


def test_memory_is_given_back_after_each_epoch():
    class Giving(Alone):
        given = 0

        def give_back_memory(self):
            self.given += 1

    world, machine = World(3, naive()), Giving()
    finished = start(world.pipeline(), TO_THE_END, observer=world.observer, clock=world.clock, machine=machine).result()

    assert machine.given >= finished.epochs > 1


def test_records_are_told_of_once_and_in_their_order():
    world = World(7, naive())
    finished = world.run()

    told = [event.manifest.epoch for event in world.observer.of(Committed)]
    assert told == list(range(told[0], told[0] + finished.epochs))


def test_a_run_of_one_epoch_reads_no_second_one():
    world = World(7, naive())
    start(world.pipeline(), RunOptions(once=True), observer=world.observer, clock=world.clock).result()

    assert {event.epoch for event in world.observer.of(Progress)} == {world.observer.of(Committed)[0].manifest.epoch}
    assert len(world.observer.of(Committed)) == 1


def test_a_stop_while_an_epoch_is_in_flight_commits_it_and_what_was_read_since():
    world, gate = World(3, naive()), Gatekeeper()
    run = run_gated(world, gate, RunOptions())
    assert gate.opened.wait(LONG_S)
    run.stop()

    finished = run.result()
    last = [event for event in gate.events if isinstance(event, Committed)][-1].manifest
    assert finished.head == last.epoch + 1  # the closing record
    world.run()
    world.check()


@pytest.mark.parametrize("plan", ["", "stage.file:2:crash", "source.polled:3:crash", "commit.create:2:lost"])
def test_no_thread_is_left_behind(plan):
    world, before = World(11, real()), set(threading.enumerate())
    if plan.endswith("crash"):
        assert world.dies_at(plan)
    else:
        world.run(plan)

    left = [each.name for each in set(threading.enumerate()) - before if each.name.startswith("arrowflow")]
    assert [name for name in left if name != "arrowflow-fold"] == []


@pytest.mark.parametrize("later", ["kernel.mid", "source.polled"])
@pytest.mark.parametrize("action", ["raise", "crash"])
def test_of_two_failures_the_earlier_epochs_counts_unless_the_process_died(later, action):
    """The first slice behind the first flight fails while the flight fails too."""
    world, gate = World(3, naive()), Gatekeeper(error=ValueError("a bug in the flight"))
    failpoints = Failpoints.parse(f"{later}:6:{action}")
    gate.opened.set()

    with pytest.raises((ValueError, SimulatedCrash)) as raised:
        start(gated(world, gate), TO_THE_END, observer=gate, clock=world.clock, failpoints=failpoints).result()
    assert raised.type is ValueError or action == "crash"


# ---- helpers change nothing ------------------------------------------------------------------------------------


def alone(seed, operator, plan=""):
    """The rows of a run without helpers; a crash is followed by a run that finishes."""
    world = World(seed, operator())
    try:
        start(
            world.pipeline(), TO_THE_END, clock=world.clock, failpoints=Failpoints.parse(plan), machine=Alone()
        ).result()
    except SimulatedCrash:
        start(world.pipeline(), TO_THE_END, clock=world.clock, machine=Alone()).result()
    return world


@pytest.mark.parametrize("operator", [naive, real])
def test_with_helpers_and_without_the_tables_are_the_same(operator):
    """Not only the rows: which epoch each is of, and how files lie, since no cut depended on time here."""
    for seed in range(20, 28):
        helped = World(seed, operator())
        helped.run()

        one, other = ROWS.table(alone(seed, operator).log.store), ROWS.table(helped.log.store)
        assert (one is None) == (other is None)
        assert one is None or one.equals(other)


@pytest.mark.parametrize("action", ["raise", "delay", "crash"])
@pytest.mark.parametrize("point", [p for p in POINTS if not p.startswith(("open.", "recover.", "redo."))])
def test_a_fault_in_either_thread_gives_the_rows_of_a_run_without_helpers(point, action):
    plan = f"{point}:2:{action}"
    helped = World(31, real())
    try:
        helped.run(plan)
    except SimulatedCrash:
        helped.run()

    helped.check()
    assert helped.results() == alone(31, real, plan).results()


# ---- reading ahead ----------------------------------------------------------------------------------------------

PART = SourcePartition("in", "topic", 0)


class Numbers:
    """A source of `count` empty reads, one offset each, that says where it was asked and fails where it is told to."""

    def __init__(self, fails_at=()):
        self.asked, self._fails_at = [], set(fails_at)

    def read(self, after, bounds):
        at = after[PART]
        self.asked.append(at)
        if at in self._fails_at:
            self._fails_at.remove(at)
            raise RetryableError(f"no answer at {at}")
        return _Found({PART: OffsetRange(at, at + 1)}, ())


class _Found(Fetched):
    """As if a record had been found, so that there is something to be ahead of."""

    rows = 1


def ahead(source, helper, enough=lambda _: False):
    return Ahead(source, None, helper("read"), helper("decode"), enough)


HELPERS = {"threads": ThreadHelper, "oneself": lambda duty: Oneself(at_once=False)}


@pytest.mark.parametrize("helper", HELPERS.values(), ids=HELPERS)
def test_slices_come_in_order_and_each_once(helper):
    source = Numbers()
    reader, at = ahead(source, helper), 0
    for _ in range(20):
        taken = reader.take({PART: at}, Bounds)
        assert taken.fetched.ranges[PART].start == at
        at = taken.fetched.ranges[PART].stop
    reader.close()

    assert source.asked == sorted(set(source.asked))
    assert len(source.asked) <= 22  # one being decoded and one being fetched


@pytest.mark.parametrize("helper", HELPERS.values(), ids=HELPERS)
def test_an_error_ahead_comes_when_its_slice_is_asked_for_and_the_slice_is_read_again(helper):
    source = Numbers(fails_at=[2])
    reader = ahead(source, helper)
    assert [reader.take({PART: at}, Bounds).fetched.ranges[PART].start for at in (0, 1)] == [0, 1]
    with pytest.raises(RetryableError, match="no answer at 2"):
        reader.take({PART: 2}, Bounds)

    assert reader.take({PART: 2}, Bounds).fetched.ranges[PART].start == 2
    reader.close()


@pytest.mark.parametrize("helper", HELPERS.values(), ids=HELPERS)
def test_what_was_read_ahead_is_dropped_where_reading_goes_on_elsewhere(helper):
    source = Numbers(fails_at=[1])
    reader = ahead(source, helper)
    reader.take({PART: 0}, Bounds)

    assert reader.take({PART: 7}, Bounds).fetched.ranges[PART].start == 7
    reader.close()


def test_nothing_is_read_ahead_of_what_is_wanted():
    source = Numbers()
    reader = ahead(source, ThreadHelper, lambda at: at[PART] >= 1)
    reader.take({PART: 0}, Bounds)
    reader.close()

    assert source.asked == [0]
