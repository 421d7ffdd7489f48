"""Transactions that stay open are warned of once each, at the second look that finds them."""

from __future__ import annotations

from types import SimpleNamespace

from arrowflow.phases.hanging import tell_hanging
from arrowflow.testing.observer import RecordingObserver
from arrowflow.types import Discovery, PartitionInfo, SourcePartition

PART = SourcePartition("in", "events", 0)


def told_over(*looks):
    """What is told at each look at (stable, high)."""
    observer = RecordingObserver()
    job = SimpleNamespace(seen=None, hanging={}, observer=observer)
    told = []
    for stable, high in looks:
        seen = Discovery("c", {PART: PartitionInfo(0, high, stable)})
        tell_hanging(job, seen)
        job.seen = seen
        told.append([(each.level, each.message) for each in observer.events])
        observer.events.clear()
    return told


def test_row_64_a_transaction_that_is_still_open_at_the_second_look_is_warned_of_once_and_its_end_told():
    first, second, third, ended, after = told_over((30, 35), (30, 40), (30, 50), (52, 52), (52, 52))

    assert [first, third, after] == [[], [], []]
    assert [level for level, _ in second] == ["warning"]
    assert "events[0]: a transaction stays open at offset 30; offsets 30 to 40 wait" in second[0][1]
    assert ended == [("info", "events[0]: the transaction that was open at offset 30 has ended")]


def test_row_64_transactions_that_come_and_go_and_a_topic_that_is_quiet_are_no_news():
    assert told_over((30, 35), (36, 40), (41, 44), (44, 44), (44, 44)) == [[]] * 5


def test_row_64_one_that_hangs_behind_another_is_told_apart():
    *_, ended = told_over((30, 35), (30, 40), (35, 40))
    assert [level for level, _ in ended] == ["info"]

    *_, second = told_over((30, 35), (30, 40), (35, 40), (35, 40))
    assert "open at offset 35" in second[0][1]
