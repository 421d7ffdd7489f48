"""What a start finds, what it refuses, and what it makes good."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from tests.support.dealt import DealtSource, DealtSpec
from tests.support.small import SECOND_US, pipeline, places, results, rows, window

from arrowflow.engine import start
from arrowflow.errors import DataLossError, Fenced, StateRefused
from arrowflow.events import Progress
from arrowflow.failpoints import Failpoints, SimulatedCrash
from arrowflow.pipeline import EventTime, RunOptions, SinkNode
from arrowflow.sinks.parquet import ParquetSpec
from arrowflow.testing.observer import RecordingObserver
from arrowflow.types import Writer
from arrowflow.windows.spec import Aggregate

CAUGHT_UP = RunOptions(until_caught_up=True, take_over=True)
TO_THE_END = replace(CAUGHT_UP, close_open_windows=True)
STREAM = rows(*((key, second, second / 8) for second in range(0, 90, 3) for key in "ab"))
RIGHT = sorted(
    (key, start, len(inside), sum(inside))
    for start in range(0, 90, 10)
    for key in "ab"
    for inside in [[second / 8 for second in range(0, 90, 3) if start <= second < start + 10]]
)


def grow(folder: Path, upto: int, options: RunOptions = CAUGHT_UP, **kwargs):
    """Run over the first `upto` records, as if the rest had not been produced yet."""
    return start(pipeline(folder, STREAM[:upto], **kwargs), options).result()


def state_files(folder: Path, kind: str = "") -> list[Path]:
    return sorted((folder / "small" / "_log" / "state").rglob(f"*{kind}.arrow"), key=lambda path: path.parts)


def records(folder: Path) -> list[dict]:
    return [json.loads(path.read_bytes()) for path in sorted((folder / "small" / "_log" / "manifests").rglob("*.json"))]


def flip_a_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_a_second_run_adds_nothing_twice(tmp_path):
    grow(tmp_path, len(STREAM), TO_THE_END)
    again = grow(tmp_path, len(STREAM), TO_THE_END)

    assert again.balance.read == 0
    assert results(tmp_path) == RIGHT


def test_windows_that_an_earlier_run_left_open_are_closed_although_there_is_nothing_to_read(tmp_path):
    grow(tmp_path, len(STREAM))
    assert results(tmp_path) != RIGHT

    closing = grow(tmp_path, len(STREAM), TO_THE_END)
    again = grow(tmp_path, len(STREAM), TO_THE_END)

    assert results(tmp_path) == RIGHT
    assert (closing.balance.read, closing.epochs, again.epochs) == (0, 1, 0)
    old = rows(("a", 88, 1.0))
    start(pipeline(tmp_path, [*STREAM, *old]), TO_THE_END).result()
    assert results(tmp_path) == RIGHT, "a window has one first result"
    assert places(tmp_path, "late") == [(0, len(STREAM), "behind_clock")]


def test_the_records_form_a_chain_from_open_to_close(tmp_path):
    grow(tmp_path, 20)
    grow(tmp_path, 40)

    log = records(tmp_path)
    assert [record["kind"] for record in log] == ["open", "data", "close", "open", "data", "close"]
    assert [record["epoch"] for record in log] == list(range(6))
    assert [record["prev"] for record in log[1:]] == [record["sha256"] for record in log[:-1]]
    assert log[-1]["acked"] == {"out": 4, "late": 4, "dead": 4}


@pytest.mark.parametrize("damage", ["flip", "truncate", "delete"])
def test_row_81_damaged_state_is_rebuilt_from_the_records_and_the_source(damage, tmp_path):
    for upto in (15, 25, 35):
        grow(tmp_path, upto)
    newest = state_files(tmp_path)[-1]
    if damage == "flip":
        flip_a_bit(newest)
    elif damage == "truncate":
        newest.write_bytes(newest.read_bytes()[:-7])
    else:
        newest.unlink()

    observer = RecordingObserver()
    start(pipeline(tmp_path, STREAM), TO_THE_END, observer=observer).result()

    assert any("rebuilding the state" in str(event) for event in observer.events)
    assert results(tmp_path) == RIGHT


def test_with_every_state_file_damaged_the_state_is_rebuilt_from_the_beginning(tmp_path):
    for upto in (15, 25, 35):
        grow(tmp_path, upto)
    for path in state_files(tmp_path):
        flip_a_bit(path)

    grow(tmp_path, len(STREAM), TO_THE_END)

    assert results(tmp_path) == RIGHT


def test_damaged_state_whose_records_are_gone_from_the_topic_stops_and_says_so(tmp_path):
    class Forgetting(DealtSource):
        def read(self, after, bounds):
            if min(after.values()) < 10:
                raise DataLossError("events[0]: wanted offset 0, available 10 to 60")
            return super().read(after, bounds)

    class ForgettingSpec(DealtSpec):
        def build(self, name, context):
            return Forgetting(name, self, context)

    for upto in (15, 25):
        grow(tmp_path, upto)
    for path in state_files(tmp_path):
        flip_a_bit(path)

    with pytest.raises(StateRefused, match="no longer holds what is needed"):
        start(pipeline(tmp_path, ForgettingSpec(tuple(STREAM))), CAUGHT_UP).result()


def test_another_query_is_refused_with_every_field_that_differs(tmp_path):
    grow(tmp_path, 20)
    other = replace(window(size_s=20), aggregates=(Aggregate("n", "count", None), Aggregate("total", "max", "v")))

    with pytest.raises(StateRefused) as refused:
        start(pipeline(tmp_path, STREAM, operator=other), CAUGHT_UP).result()
    assert "\n  aggregate.total: sum(v) -> max(v)\n" in str(refused.value)
    assert "\n  window.size: 10s -> 20s\n" in str(refused.value)
    assert "arrowflow reset CONFIG --to-start" in str(refused.value)


def test_a_new_sink_is_let_through_and_gets_only_what_comes_from_now_on(tmp_path):
    grow(tmp_path, 30)
    wider = pipeline(tmp_path, STREAM)
    copy = SinkNode("copy", ParquetSpec(str(tmp_path / "small" / "copy")))

    start(replace(wider, sinks=(*wider.sinks, copy)), TO_THE_END).result()

    assert results(tmp_path) == RIGHT
    copied = list((tmp_path / "small" / "copy").rglob("*.parquet"))
    assert copied
    assert len(copied) < len(list((tmp_path / "small" / "out").rglob("*.parquet")))


def test_a_removed_sink_with_unpublished_files_is_refused(tmp_path):
    with pytest.raises(SimulatedCrash):
        start(pipeline(tmp_path, STREAM), TO_THE_END, failpoints=Failpoints.parse("commit.created:1:crash")).result()
    narrower = pipeline(tmp_path, STREAM)

    with pytest.raises(DataLossError, match="unpublished files of sink 'out'"):
        start(replace(narrower, sinks=narrower.sinks[1:]), CAUGHT_UP).result()


def test_tables_without_records_are_refused(tmp_path):
    grow(tmp_path, 40, TO_THE_END)
    (tmp_path / "small" / "_log").rename(tmp_path / "elsewhere")

    with pytest.raises(DataLossError, match="holds no record of how they came there"):
        grow(tmp_path, 40)


def test_a_record_that_does_not_follow_its_predecessor_stops_the_job(tmp_path):
    with pytest.raises(SimulatedCrash):
        start(pipeline(tmp_path, STREAM), TO_THE_END, failpoints=Failpoints.parse("commit.created:1:crash")).result()
    first = next((tmp_path / "small" / "_log" / "manifests").rglob(f"{0:020d}.json"))
    flip_a_bit(first)

    with pytest.raises(DataLossError):
        grow(tmp_path, len(STREAM))


def test_a_larger_tolerance_at_a_restart_gives_no_window_a_second_first_result(tmp_path):
    """Closed windows stay closed: their rows are late under any tolerance."""
    grow(tmp_path, 30)
    closed = results(tmp_path)
    assert closed
    old_row = rows(("a", 1, 99.0))
    patient = EventTime("t", max_out_of_orderness_us=60 * SECOND_US)

    job = pipeline(tmp_path, [*STREAM[:30], *old_row, *STREAM[30:]], event_time=patient, operator=window(lateness_s=60))
    start(job, TO_THE_END).result()

    keys = [(key, second) for key, second, *_ in results(tmp_path)]
    assert len(keys) == len(set(keys))
    assert places(tmp_path, "late") == [(0, 30, "behind_clock")]


def test_a_smaller_tolerance_at_a_restart_never_moves_a_clock_back(tmp_path):
    grow(tmp_path, 30)
    watermark = records(tmp_path)[-1]["watermark_us"]

    hasty = EventTime("t", max_out_of_orderness_us=0)
    start(pipeline(tmp_path, STREAM, event_time=hasty), TO_THE_END).result()

    later = [record["watermark_us"] for record in records(tmp_path) if record["watermark_us"] is not None]
    assert later == sorted(later)
    assert later[-1] > watermark
    assert results(tmp_path) == RIGHT


def test_a_writer_that_finds_its_number_taken_is_fenced(tmp_path):
    """The second writer takes over while the first sits just before its commit."""

    looks = iter(["at the start", "before the first commit"])

    class Intruding(DealtSource):
        def discover(self):
            if next(looks, None) == "before the first commit":
                grow(tmp_path, 20)
            return super().discover()

    class IntrudingSpec(DealtSpec):
        def build(self, name, context):
            return Intruding(name, self, context)

    with pytest.raises(Fenced):
        start(pipeline(tmp_path, IntrudingSpec(tuple(STREAM))), TO_THE_END).result()
    grow(tmp_path, len(STREAM), TO_THE_END)

    assert results(tmp_path) == RIGHT


def test_a_dry_run_writes_nothing_at_all(tmp_path):
    finished = start(pipeline(tmp_path, STREAM), replace(TO_THE_END, dry_run=True)).result()

    assert finished.balance.read == len(STREAM)
    assert finished.rows_out == len(RIGHT)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_two_pipelines_run_at_once_in_one_process(tmp_path):
    runs = [start(pipeline(tmp_path, STREAM, name=name), TO_THE_END) for name in ("left", "right")]

    assert [run.result().balance.read for run in runs] == [len(STREAM)] * 2
    assert results(tmp_path, "left") == results(tmp_path, "right") == RIGHT


def test_stop_commits_what_was_read_and_ends(tmp_path):
    observer = RecordingObserver()
    run = start(pipeline(tmp_path, STREAM, cadence_s=600.0), observer=observer)
    deadline = time.monotonic() + 60
    while not any(event.rows == len(STREAM) for event in observer.of(Progress)) and time.monotonic() < deadline:
        assert not run.wait(0.05)
    run.stop()

    assert run.result().balance.read == len(STREAM)
    assert [record["kind"] for record in records(tmp_path)] == ["open", "data", "close"]


def test_a_record_written_over_a_taken_number_names_the_winner(tmp_path):
    grow(tmp_path, 20)
    log, _ = pipeline(tmp_path, STREAM).checkpoint.log.build(Failpoints())
    head = log.read(log.epochs_after(-1)[-1])
    following = msgspec.structs.replace(head, epoch=head.epoch + 1, prev=head.sha256, sha256="")
    theirs = Writer(id="other", host="elsewhere", pid=1, fence=0)

    log.append(msgspec.structs.replace(following, writer=theirs))
    with pytest.raises(Fenced, match="elsewhere"):
        log.append(following)


def test_windows_closed_at_the_end_of_input_right_after_a_restart_get_no_second_first_result(tmp_path):
    """The run that closes them has folded nothing itself: the floors must come from the windows, not from memory."""
    grow(tmp_path, 20)
    grow(tmp_path, 20, TO_THE_END)
    closed = results(tmp_path)
    last = max(start for _, start, *_ in closed)

    job = pipeline(tmp_path, [*STREAM[:20], *rows(("a", last + 1, 5.0), ("a", last + 11, 5.0))])
    start(job, TO_THE_END).result()

    assert places(tmp_path, "late") == [(0, 20, "behind_clock")]
    assert [row for row in results(tmp_path) if row[1] <= last] == closed
