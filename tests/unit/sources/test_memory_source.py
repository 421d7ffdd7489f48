"""The fake broker does to a reader what a real one can do."""

import pytest

from arrowflow.errors import DataLossError, Unreachable
from arrowflow.testing.conformance.sources import check_sums, rows_of, source_context
from arrowflow.testing.sources import MemoryBroker, MemorySourceSpec
from arrowflow.types import Bounds, SourcePartition

PART = SourcePartition("m", "t", 0)
QUICK = Bounds(seconds=0.0)


@pytest.fixture
def broker():
    broker = MemoryBroker()
    broker.create("t")
    for number in range(3):
        broker.append("t", 0, b"%d" % number)
    return broker


@pytest.fixture
def source(broker):
    return MemorySourceSpec(broker, ("t",)).build("m", source_context())


def values(source, at):
    fetched = source.read({PART: at}, QUICK)
    check_sums(fetched, {PART: at})
    return [row.value for row in rows_of(fetched, PART)], fetched.ranges[PART].stop


def test_row_63_an_aborted_transaction_takes_offsets_and_shows_nothing(broker, source):
    broker.begin("t", 0)
    broker.append("t", 0, b"gone")
    broker.end("t", 0, commit=False)

    assert values(source, 0) == ([b"0", b"1", b"2"], 5)


def test_row_64_an_open_transaction_holds_readers_back_until_it_commits(broker, source):
    broker.begin("t", 0)
    broker.append("t", 0, b"3")
    info = source.discover().partitions[PART]
    assert (info.stable, info.high) == (3, 4)
    assert values(source, 0)[1] == 3
    broker.end("t", 0, commit=True)

    assert values(source, 3) == ([b"3"], 5)


def test_row_63_compacted_and_skipped_offsets_are_unseen(broker, source):
    broker.compact("t", 0, [1])
    broker.skip("t", 0, 2)

    assert values(source, 0) == ([b"0", b"2"], 5)


def test_row_60_retention_is_data_loss(broker, source):
    broker.delete_before("t", 0, 2)

    with pytest.raises(DataLossError, match=r"offset 0 was wanted, the broker holds \[2, 3\)"):
        source.read({PART: 0}, QUICK)


def test_row_61_truncation_is_data_loss_under_a_newer_leader(broker, source):
    broker.truncate("t", 0, 1)

    assert source.discover().partitions[PART].leader_epoch == 1
    with pytest.raises(DataLossError, match=r"\[0, 1\)"):
        source.read({PART: 3}, QUICK)


def test_row_59_recreating_changes_the_id_and_deleting_is_data_loss(broker, source):
    before = source.discover().partitions[PART].topic_id
    broker.create("t")
    assert source.discover().partitions[PART].topic_id != before
    broker.delete("t")

    with pytest.raises(DataLossError, match="topic 't' does not exist"):
        source.discover()


def test_row_59_a_remembered_epoch_above_the_leaders_is_data_loss(broker, source):
    broker.truncate("t", 0, 2)
    epochs = source.read({PART: 0}, QUICK).leader_epoch
    broker.create("t")
    for number in range(9):
        broker.append("t", 0, b"new%d" % number)
    source.remember(epochs)

    with pytest.raises(DataLossError, match="under leader epoch 1, now it is 0"):
        source.read({PART: 2}, QUICK)


def test_planted_errors_come_once_each_and_change_nothing(broker, source):
    broker.fail("read", Unreachable("away"), Unreachable("still away"))
    for said in ("away", "still away"):
        with pytest.raises(Unreachable, match=said):
            source.read({PART: 0}, QUICK)

    assert values(source, 0)[1] == 3


def test_acknowledgements_are_kept_per_job(broker, source):
    source.acknowledge({PART: 3}, "af1;e=1")

    assert broker.acknowledged == {"job": ({("t", 0): 3}, "af1;e=1")}
