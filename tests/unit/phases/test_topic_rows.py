"""What may happen to a topic under a running job: gone, made again, shortened, grown. Through the whole engine, in memory."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from tests.support.small import pipeline, results
from tests.unit.phases.test_recovery import records

from arrowflow.engine import start
from arrowflow.errors import DataLossError, StateRefused
from arrowflow.events import Notice
from arrowflow.pipeline import RunOptions
from arrowflow.testing.observer import RecordingObserver
from arrowflow.testing.sources import MemoryBroker, MemorySourceSpec

CAUGHT_UP = RunOptions(until_caught_up=True, take_over=True)
TO_THE_END = replace(CAUGHT_UP, close_open_windows=True)


@pytest.fixture
def broker():
    made = MemoryBroker()
    made.create("events")
    fill(made, range(30))
    return made


def fill(broker, seconds, partition=0, key="a"):
    for second in seconds:
        broker.append(
            "events", partition, b'{"k":"%s","t":%d,"v":1}' % (key.encode(), second), timestamp_us=second * 1_000_000
        )


def run(folder, broker, options=CAUGHT_UP, observer=None, **kwargs):
    job = pipeline(folder, MemorySourceSpec(broker, ("events",)), **kwargs)
    return start(job, options, observer=observer).result()


def standing(folder):
    """What a stop must leave as it was: data records and results."""
    return [record for record in records(folder) if record["kind"] == "data"], results(folder)


def test_row_59_a_topic_that_is_missing_stops_the_first_start_by_its_name(tmp_path):
    with pytest.raises(DataLossError, match="topic 'events' does not exist"):
        run(tmp_path, MemoryBroker())

    assert not (tmp_path / "small" / "out").exists()


def test_row_59_a_topic_deleted_between_two_runs_stops_the_second_and_leaves_what_was_committed(tmp_path, broker):
    run(tmp_path, broker)
    before = standing(tmp_path)
    broker.delete("events")

    with pytest.raises(DataLossError, match="topic 'events' does not exist"):
        run(tmp_path, broker)
    assert standing(tmp_path) == before


@pytest.mark.parametrize(
    "refilled", [range(0), range(10), range(30), range(60)], ids=["empty", "shorter", "as long", "longer"]
)
def test_row_59_a_topic_made_again_is_never_read_from_zero_however_long_it_is_by_now(tmp_path, broker, refilled):
    run(tmp_path, broker)
    before = standing(tmp_path)
    broker.create("events")
    fill(broker, refilled)

    with pytest.raises(
        DataLossError, match=r"events\[0\]: the topic was deleted and made again \(topic id .* became .*available now"
    ):
        run(tmp_path, broker, TO_THE_END)
    assert standing(tmp_path) == before


def test_row_59_a_topic_made_again_while_the_job_runs_stops_it_before_its_next_commit(tmp_path, broker):
    run_ = start(pipeline(tmp_path, MemorySourceSpec(broker, ("events",))), RunOptions(take_over=True))
    wait_for(lambda: standing(tmp_path)[0] != [])
    before = standing(tmp_path)[0]
    broker.create("events")
    fill(broker, range(100, 200))

    with pytest.raises(DataLossError, match="made again"):
        run_.result()
    assert standing(tmp_path)[0] == before


def test_row_59_without_topic_ids_a_log_that_is_too_short_still_stops(tmp_path, broker):
    """Brokers that give no ids leave only the offsets to go by."""
    run(tmp_path, broker)
    same = dict(broker._ids)
    broker.create("events")
    broker._ids.update(same)
    fill(broker, range(10))

    with pytest.raises(
        DataLossError, match=r"events\[0\]: wanted offset 30, available 0 to 10.*truncated, or made again"
    ):
        run(tmp_path, broker)


def test_row_59_another_cluster_with_the_same_topic_is_refused(tmp_path, broker):
    run(tmp_path, broker)
    elsewhere = MemoryBroker()
    elsewhere.create("events")
    fill(elsewhere, range(60))

    with pytest.raises(StateRefused, match=f"'{elsewhere.cluster_id}' is not the one .*'{broker.cluster_id}'"):
        run(tmp_path, elsewhere)


def test_row_60_offsets_removed_by_retention_stop_the_job_with_both_ranges(tmp_path, broker):
    run(tmp_path, broker)
    before = standing(tmp_path)
    fill(broker, range(30, 60))
    broker.delete_before("events", 0, 45)

    with pytest.raises(
        DataLossError, match=r"events\[0\]: wanted offset 30, available 45 to 60: 15 offsets were removed"
    ):
        run(tmp_path, broker, TO_THE_END)
    assert standing(tmp_path) == before


def test_row_60_retention_that_overtakes_a_running_job_stops_it_and_commits_nothing_over_the_gap(tmp_path, broker):
    run_ = start(pipeline(tmp_path, MemorySourceSpec(broker, ("events",))), RunOptions(take_over=True))
    wait_for(lambda: standing(tmp_path)[0] != [])
    broker.begin("events", 0)
    fill(broker, range(30, 60))
    broker.delete_before("events", 0, 45)
    broker.end("events", 0, commit=True)

    with pytest.raises(DataLossError, match=r"offset 30"):
        run_.result()
    assert {part["stop"] for record in standing(tmp_path)[0] for part in record["inputs"]} == {30}


def test_row_60_retention_of_what_was_already_committed_is_no_loss(tmp_path, broker):
    run(tmp_path, broker)
    broker.delete_before("events", 0, 30)
    fill(broker, range(30, 40))

    run(tmp_path, broker, TO_THE_END)

    assert results(tmp_path) == [("a", start, 10, 10.0) for start in (0, 10, 20, 30)]


@pytest.mark.parametrize("scope", ["pipeline", "partition"])
def test_row_62_a_partition_added_while_running_is_found_and_read_from_its_beginning(tmp_path, broker, scope):
    from arrowflow.pipeline import EventTime

    observer = RecordingObserver()
    job = pipeline(
        tmp_path, MemorySourceSpec(broker, ("events",)), event_time=EventTime("t", 60_000_000, scope=scope),
        cadence_s=0.1, discover_every_s=0.2,
    )  # fmt: skip
    run_ = start(job, RunOptions(take_over=True), observer=observer)
    wait_for(lambda: standing(tmp_path)[0] != [])
    broker.add_partitions("events", 2)
    fill(broker, range(30, 40), partition=1, key="b")

    wait_for(
        lambda: (
            {1: 10}
            in [
                {part["partition"]: part["stop"] for part in record["inputs"] if part["partition"]}
                for record in records(tmp_path)
            ]
        )
    )
    run_.stop()
    finished = run_.result()

    assert finished.balance.read == finished.balance.folded == 40
    assert [
        event.message for event in observer.of(Notice) if "events[1] is new: reading from offset 0" in event.message
    ] != []
    first = next(part for record in records(tmp_path) for part in record["inputs"] if part["partition"] == 1)
    assert first["start"] == 0


def test_row_62_a_partition_added_between_two_runs_is_read_from_its_beginning(tmp_path, broker):
    run(tmp_path, broker)
    broker.add_partitions("events", 3)
    fill(broker, range(30, 40), partition=1, key="b")
    fill(broker, range(30, 40), partition=2, key="c")

    run(tmp_path, broker, TO_THE_END)

    assert results(tmp_path) == [
        *(("a", start, 10, 10.0) for start in (0, 10, 20)),
        ("b", 30, 10, 10.0),
        ("c", 30, 10, 10.0),
    ]


def test_row_62_old_records_in_a_new_partition_are_late_where_their_windows_are_closed_and_never_a_second_result(
    tmp_path, broker
):
    run(tmp_path, broker, TO_THE_END)
    before = results(tmp_path)
    broker.add_partitions("events", 2)
    fill(broker, [5], partition=1)

    finished = run(tmp_path, broker, TO_THE_END)

    assert finished.balance.late == {"behind_clock": 1}
    assert results(tmp_path) == before


def wait_for(condition, patience_s=60.0):
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
