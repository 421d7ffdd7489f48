"""Offsets that retention took before they were read, where the job may go on behind them: the record tells, the rest adds up."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
from tests.support.cli import wait_for
from tests.support.small import pipeline, results
from tests.unit.phases.test_recovery import records
from tests.unit.phases.test_topic_rows import CAUGHT_UP, TO_THE_END, fill

from arrowflow.engine import start
from arrowflow.errors import BalanceError, DataLossError
from arrowflow.events import Notice
from arrowflow.phases.balance import check_joins
from arrowflow.pipeline import RunOptions
from arrowflow.testing.observer import RecordingObserver
from arrowflow.testing.sources import MemoryBroker, MemorySourceSpec
from arrowflow.types import Input, OffsetRange


@pytest.fixture
def broker():
    made = MemoryBroker()
    made.create("events")
    fill(made, range(30))
    return made


def job(folder, broker, on_data_loss="skip", **kwargs):
    made = pipeline(folder, MemorySourceSpec(broker, ("events",)), **kwargs)
    return replace(made, source=replace(made.source, on_data_loss=on_data_loss))


def run(folder, broker, options=CAUGHT_UP, observer=None, on_data_loss="skip"):
    return start(job(folder, broker, on_data_loss), options, observer=observer).result()


def gaps(folder):
    """(epoch, partition, from, to) of every gap in the records."""
    return [
        (record["epoch"], part["partition"], *part["gap"])
        for record in records(folder)
        for part in record["inputs"]
        if part["gap"] is not None
    ]


def joins(folder):
    """Where each record's range begins, and where it should: at the last stop, or behind the gap it tells of."""
    stops = {}
    for record in records(folder):
        for part in record["inputs"]:
            begins = part["gap"][0] if part["gap"] else part["start"]
            assert begins == stops.get(part["partition"], begins), record["epoch"]
            assert part["gap"] is None or part["gap"][1] == part["start"]
            stops[part["partition"]] = part["stop"]
    return stops


def test_a_gap_found_at_the_start_is_in_the_open_record_once_and_the_rest_is_read(tmp_path, broker):
    run(tmp_path, broker)
    head = records(tmp_path)[-1]["epoch"]
    fill(broker, range(30, 60))
    broker.delete_before("events", 0, 45)
    observer = RecordingObserver()

    finished = run(tmp_path, broker, TO_THE_END, observer)

    assert gaps(tmp_path) == [(head + 1, 0, 30, 45)]
    assert joins(tmp_path) == {0: 60}
    assert finished.balance.read == finished.balance.folded == 15
    assert results(tmp_path) == [("a", at, n, float(n)) for at, n in ((0, 10), (10, 10), (20, 10), (40, 5), (50, 10))]
    assert [n.level for n in observer.of(Notice) if "events[0]: offsets 30 to 45 are gone" in n.message] == ["warning"]


def test_a_gap_that_opens_while_the_job_runs_is_in_the_next_record_and_the_attempt_is_dropped_whole(tmp_path, broker):
    run_ = start(job(tmp_path, broker), RunOptions(take_over=True))
    wait_for(lambda: any(record["kind"] == "data" for record in records(tmp_path)))
    broker.begin("events", 0)
    fill(broker, range(30, 60))
    broker.delete_before("events", 0, 45)
    broker.end("events", 0, commit=True)
    wait_for(lambda: joins(tmp_path) == {0: 61})
    run_.stop()

    run_.result()
    run(tmp_path, broker, TO_THE_END)

    assert [gap[1:] for gap in gaps(tmp_path)] == [(0, 30, 45)]
    assert results(tmp_path) == [("a", at, n, float(n)) for at, n in ((0, 10), (10, 10), (20, 10), (40, 5), (50, 10))]


def test_offsets_lost_in_two_steps_are_all_told_of(tmp_path, broker):
    run(tmp_path, broker)
    fill(broker, range(30, 60))
    broker.delete_before("events", 0, 40)
    broker.fail("read", DataLossError("events[0]: the broker holds less by now"))
    original = broker.enter

    def enter(call):
        if call == "read":
            broker.delete_before("events", 0, 50)
        original(call)

    broker.enter = enter
    run(tmp_path, broker, TO_THE_END)

    assert joins(tmp_path) == {0: 60}
    assert sum(stop - start for *_, start, stop in gaps(tmp_path)) == 20


def test_an_epoch_that_has_nothing_but_a_gap_is_written_all_the_same(tmp_path, broker):
    run_ = start(job(tmp_path, broker), RunOptions(take_over=True))
    wait_for(lambda: any(record["kind"] == "data" for record in records(tmp_path)))
    broker.begin("events", 0)
    broker.skip("events", 0, 30)
    broker.delete_before("events", 0, 50)
    wait_for(lambda: gaps(tmp_path) != [])
    run_.stop()

    assert run_.result().balance.read == 30
    (told,) = gaps(tmp_path)
    assert told[1:] == (0, 30, 50)
    assert records(tmp_path)[told[0]]["kind"] == "data"
    assert joins(tmp_path) == {0: 50}


@pytest.mark.parametrize("harm", ["truncate", "recreate"])
def test_skipping_never_covers_a_log_that_is_shorter_or_another_one(tmp_path, broker, harm):
    run(tmp_path, broker)
    if harm == "truncate":
        broker.truncate("events", 0, 20)
    else:
        broker.create("events")
        fill(broker, range(60))
        broker.delete_before("events", 0, 45)

    with pytest.raises(DataLossError, match=r"made again.*arrowflow reset CONFIG --from earliest --topic events"):
        run(tmp_path, broker)
    assert gaps(tmp_path) == []


def test_row_61_a_log_cut_below_what_was_committed_stops_the_job_with_both_and_nothing_is_committed(tmp_path, broker):
    run(tmp_path, broker)
    before = records(tmp_path)
    broker.truncate("events", 0, 20)

    with pytest.raises(
        DataLossError, match=r"events\[0\]: wanted offset 30, available 0 to 20.*--from earliest --topic events"
    ):
        run(tmp_path, broker, TO_THE_END, on_data_loss="fail")

    assert records(tmp_path) == before


def test_row_61_a_log_that_goes_on_under_an_older_leader_stops_the_job_although_its_offsets_fit(tmp_path, broker):
    run(tmp_path, broker)
    broker.truncate("events", 0, 30)
    fill(broker, range(30, 40))
    run(tmp_path, broker)
    before = results(tmp_path), joins(tmp_path)
    broker._topics["events"][0].leader_epoch = 0
    fill(broker, range(40, 50))

    with pytest.raises(DataLossError, match=r"events\[0\]: offset 40 was read under leader epoch 1, now it is 0"):
        run(tmp_path, broker, TO_THE_END, on_data_loss="fail")

    assert (results(tmp_path), joins(tmp_path)) == before


def test_records_read_before_retention_took_them_are_committed_and_no_gap(tmp_path, broker):
    """What counts is where reading stands, not where the last record ended."""
    original = broker.enter

    def enter(call):
        if call == "discover" and broker.deleting:
            broker.delete_before("events", 0, 20)
        broker.deleting = call == "read"
        original(call)

    broker.deleting, broker.enter = False, enter

    run(tmp_path, broker, TO_THE_END, on_data_loss="fail")

    assert results(tmp_path) == [("a", at, 10, 10.0) for at in (0, 10, 20)]


def test_the_message_of_a_loss_names_both_ways_on(tmp_path, broker):
    run(tmp_path, broker)
    fill(broker, range(30, 60))
    broker.delete_before("events", 0, 45)

    with pytest.raises(DataLossError, match=r'on_data_loss = "skip".*arrowflow reset CONFIG --to-start'):
        run(tmp_path, broker, on_data_loss="fail")


def test_a_record_that_would_jump_without_a_gap_is_refused():
    def part(start, gap=None):
        return Input(source="s", topic="t", partition=0, start=start, stop=start + 5, gap=gap)

    here = SimpleNamespace(head=SimpleNamespace(inputs=[part(0)]))
    check_joins(here, [part(5)])
    check_joins(here, [part(9, OffsetRange(5, 9))])
    for wrong in (part(6), part(9, OffsetRange(6, 9)), part(9, OffsetRange(5, 8))):
        with pytest.raises(BalanceError, match="ends at 5"):
            check_joins(here, [wrong])


def test_log_shows_the_gap(tmp_path, broker):
    from click.testing import CliRunner

    from arrowflow.cli import main

    run(tmp_path, broker)
    fill(broker, range(30, 60))
    broker.delete_before("events", 0, 45)
    run(tmp_path, broker)
    where = str(tmp_path / "small" / "_log")

    text = CliRunner().invoke(main, ["log", where]).stdout
    plain = [json.loads(line) for line in CliRunner().invoke(main, ["log", where, "--json"]).stdout.splitlines()]

    assert [line for line in text.splitlines() if "; gap events[0] 30 to 45" in line] != []
    assert [gap for record in plain for gap in record["gaps"]] == [["events", 0, 30, 45]]
