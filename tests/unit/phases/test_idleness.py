"""Quiet partitions: held back for ever without a time-out, let go only on the broker's word, and welcomed back."""

from __future__ import annotations

import time
from dataclasses import replace

from tests.support.dealt import DealtSource, DealtSpec
from tests.support.small import SECOND_US, pipeline, places, results, rows
from tests.unit.phases.test_recovery import records

from arrowflow.engine import start
from arrowflow.pipeline import EventTime, RunOptions
from arrowflow.types import Discovery, PartitionInfo

CAUGHT_UP = RunOptions(until_caught_up=True, take_over=True)
BUSY = rows(*(("a", second, 1.0) for second in range(0, 100, 5)))
QUIET = rows(("b", 1, 1.0), partition=1)
PATIENT = EventTime("t", max_out_of_orderness_us=0, idle_timeout_us=SECOND_US // 2)


def follow(folder, stream, seconds=1.0, until=None, **kwargs):
    """Follow the topic for a while, or until something has happened, then drain."""
    run = start(pipeline(folder, stream, cadence_s=0.1, **kwargs), RunOptions(take_over=True))
    if until is None:
        run.wait(seconds)
    else:
        deadline = time.monotonic() + 60
        while not until() and time.monotonic() < deadline:
            assert not run.wait(0.1)
    run.stop()
    return run.result()


class TricklingSpec(DealtSpec):
    """Partition 0 gets a record every 60 ms, partition 1 all of its records at once."""

    def build(self, name, context):
        return Trickling(name, self, context)


class Trickling(DealtSource):
    def __init__(self, name, spec, context):
        super().__init__(name, spec, context)
        self.began, self.whole = time.monotonic(), {part: list(log) for part, log in self.logs.items()}

    def discover(self):
        arrived = 1 + int((time.monotonic() - self.began) / 0.06)
        self.logs = {part: log[:arrived] if part.partition == 0 else log for part, log in self.whole.items()}
        return super().discover()

    def read(self, after, bounds):
        time.sleep(0.01)
        self.discover()
        return super().read(after, bounds)


def windows_of(folder, key):
    return [start for found, start, *_ in results(folder) if found == key]


def test_without_a_timeout_a_quiet_partition_holds_every_window(tmp_path):
    follow(tmp_path, [*BUSY, *QUIET], 1.0)

    assert results(tmp_path) == []


def test_row_35_a_partition_read_to_its_end_and_silent_lets_the_others_go_on(tmp_path):
    all_but_the_last = list(range(0, 90, 10))
    follow(
        tmp_path,
        TricklingSpec((*BUSY, *QUIET)),
        until=lambda: windows_of(tmp_path, "a") == all_but_the_last,
        event_time=PATIENT,
    )

    assert windows_of(tmp_path, "a") == all_but_the_last
    assert windows_of(tmp_path, "b") == [0]
    idle = [{part["partition"]: part["clock"]["idle"] for part in record["inputs"]} for record in records(tmp_path)]
    assert {0: False, 1: True} in idle


def test_rows_behind_an_open_transaction_keep_a_partition_from_being_idle(tmp_path):
    class Unfinished(DealtSource):
        def discover(self) -> Discovery:
            seen = super().discover()
            return replace(
                seen,
                partitions={
                    part: PartitionInfo(0, info.high + (part.partition == 1), info.stable)
                    for part, info in seen.partitions.items()
                },
            )

    class UnfinishedSpec(DealtSpec):
        def build(self, name, context):
            return Unfinished(name, self, context)

    follow(tmp_path, UnfinishedSpec((*BUSY, *QUIET)), 1.5, event_time=PATIENT)

    assert results(tmp_path) == []


def test_row_36_after_all_were_idle_nothing_closes_early_and_a_woken_partition_joins_at_the_watermark(tmp_path):
    """A partition that wakes up joins at the watermark: its old rows are late, its new ones are not."""
    all_but_the_last = list(range(0, 90, 10))
    follow(
        tmp_path,
        TricklingSpec((*BUSY, *QUIET)),
        until=lambda: windows_of(tmp_path, "a") == all_but_the_last,
        event_time=PATIENT,
    )
    before = results(tmp_path)
    assert windows_of(tmp_path, "a") == all_but_the_last
    woken = rows(("b", 30, 1.0), ("b", 97, 1.0), partition=1)

    start(pipeline(tmp_path, [*BUSY, *QUIET, *woken], event_time=PATIENT), CAUGHT_UP).result()

    assert places(tmp_path, "late") == [(1, 1, "behind_clock")]
    assert results(tmp_path) == before
    wakeups = [wakeup for record in records(tmp_path) for wakeup in record["wakeups"]]
    assert [(wakeup["partition"], wakeup["offset"]) for wakeup in wakeups if wakeup["partition"] == 1] == [(1, 1)]


def test_when_all_fall_silent_at_once_the_watermark_holds(tmp_path):
    follow(tmp_path, [*BUSY, *QUIET], 1.5, event_time=PATIENT)

    assert results(tmp_path) == []


def test_when_all_idle_advance_closes_the_last_window_by_the_engines_clock(tmp_path):
    """Saturday's last shift closes on Saturday: the sample happened long ago, so everything closes."""
    advancing = replace(PATIENT, when_all_idle="advance")

    everything = list(range(0, 100, 10))
    follow(tmp_path, [*BUSY, *QUIET], until=lambda: windows_of(tmp_path, "a") == everything, event_time=advancing)

    assert windows_of(tmp_path, "a") == everything


def test_close_silent_after_closes_one_partitions_windows_and_labels_them(tmp_path):
    scoped = EventTime("t", 0, scope="partition", close_silent_after_us=SECOND_US // 2)

    follow(tmp_path, [*BUSY, *QUIET], until=lambda: windows_of(tmp_path, "b") == [0], event_time=scoped)

    assert windows_of(tmp_path, "b") == [0]
    assert any(forced["label"] == "silence" for record in records(tmp_path) for forced in record["forced"])
    late = rows(("b", 5, 1.0), partition=1)
    start(pipeline(tmp_path, [*BUSY, *QUIET, *late], event_time=scoped), CAUGHT_UP).result()
    assert places(tmp_path, "late") == [(1, 1, "behind_clock")]


def test_an_outage_of_one_plant_delays_only_its_own_windows_under_partition_scope(tmp_path):
    scoped = EventTime("t", 0, scope="partition")
    start(pipeline(tmp_path, [*BUSY, *QUIET], event_time=scoped), CAUGHT_UP).result()
    assert windows_of(tmp_path, "a") == list(range(0, 90, 10))
    assert windows_of(tmp_path, "b") == []

    backlog = rows(*(("b", second, 1.0) for second in range(2, 40)), partition=1)
    start(pipeline(tmp_path, [*BUSY, *QUIET, *backlog], event_time=scoped), CAUGHT_UP).result()

    assert places(tmp_path, "late") == []
    assert [row for row in results(tmp_path) if row[0] == "b"] == [
        ("b", 0, 9, 9.0), ("b", 10, 10, 10.0), ("b", 20, 10, 10.0),
    ]  # fmt: skip


def test_the_engines_clock_never_decides_a_result(tmp_path):
    """Row 86: two runs an hour apart by the wall clock give the same rows."""

    class Jumping:
        def __init__(self, step_us):
            self.now, self.step = 1_700_000_000_000_000, step_us

        def now_us(self):
            self.now += self.step
            return self.now

        def monotonic(self):
            return time.monotonic()

        def sleep(self, seconds):
            time.sleep(seconds)

    for name, step in (("forward", 3_600_000_000), ("backward", -3_600_000_000)):
        job = pipeline(tmp_path, [*BUSY, *QUIET], name=name, max_epoch_rows=5)
        start(job, replace(CAUGHT_UP, close_open_windows=True), clock=Jumping(step)).result()

    assert results(tmp_path, "forward") == results(tmp_path, "backward") != []
