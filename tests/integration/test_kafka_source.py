"""What topics can do to a reader, on the real broker and on the embedded one."""

import threading
import time
import uuid

import pytest
from tests.realparts.kafka_broker import Row

from arrowflow.errors import ConfigError, DataLossError, Unreachable
from arrowflow.failpoints import FailpointHit, Failpoints, Trap
from arrowflow.sources.kafka import cluster
from arrowflow.sources.kafka.spec import KafkaSpec
from arrowflow.testing.conformance.sources import check_sums, read_to_end, rows_of, source_context
from arrowflow.types import Bounds, SourcePartition

AMPLE = Bounds(seconds=1.0)


@pytest.fixture
def name():
    return f"t-{uuid.uuid4()}"


@pytest.fixture
def open_source(topics, fetch):
    """Open sources on the broker of the test; all are closed after it."""
    opened = []

    def open_one(*names, failpoints=None, **options):
        spec = KafkaSpec(topics.bootstrap, names, fetch=fetch, **options)
        opened.append(spec.build("kafka", source_context(f"job-{uuid.uuid4()}", failpoints)))
        return opened[-1]

    yield open_one
    for source in opened:
        source.close()


def values(prefix, count, partition=0, first=0):
    return [
        Row(partition, b"k", b"%s%d" % (prefix, number), 1_700_000_000_000 + number)
        for number in range(first, first + count)
    ]


def part_of(topic, number=0):
    return SourcePartition("kafka", topic, number)


def read_until(source, at, done, patience=60.0):
    """Read on until `done(rows, at)`; returns the values and where each partition stands."""
    found = []
    deadline = time.monotonic() + patience
    while not done(found, at):
        assert time.monotonic() < deadline, (found[-3:], at)
        fetched = source.read(at, Bounds(seconds=0.2))
        check_sums(fetched, at)
        found += [row.value for part in at for row in rows_of(fetched, part)]
        at = {part: each.stop for part, each in fetched.ranges.items()}
    return found, at


# ---- transactions and holes ---------------------------------------------------------------------------------


def test_row_63_the_position_counts_aborted_records_and_their_marker_at_the_tail(topics, open_source, name):
    topics.create_topic(name)
    topics.produce(name, values(b"v", 3))
    topics.aborted(name, values(b"gone", 4))
    source = open_source(name)
    part = part_of(name)
    assert source.discover().partitions[part].high == 8

    found, _ = read_until(source, {part: 0}, lambda _, at: at[part] == 8)

    assert found == [b"v0", b"v1", b"v2"]


def test_row_63_a_topic_of_nothing_but_aborted_records_is_read_to_its_end(topics, open_source, name):
    topics.create_topic(name)
    topics.aborted(name, values(b"gone", 5))
    part = part_of(name)

    found, at = read_until(open_source(name), {part: 0}, lambda _, at: at[part] == 6)

    assert (found, at) == ([], {part: 6})


def test_row_63_a_range_never_counts_what_was_only_prefetched(topics, open_source, name):
    """Ten visible records with aborted ones between: one row per read, every stop at or before the next record."""
    topics.create_topic(name)
    for number in range(10):
        topics.produce(name, values(b"v", 1, first=number))
        topics.aborted(name, values(b"gone", 2))
    source = open_source(name)
    part = part_of(name)
    at, stops, offsets = {part: 0}, [], []
    for _ in range(10):
        fetched = source.read(at, Bounds(rows=1, seconds=5.0))
        check_sums(fetched, at)
        offsets += [row.offset for row in rows_of(fetched, part)]
        stops.append(fetched.ranges[part].stop)
        at = {part: stops[-1]}

    assert offsets == [4 * number for number in range(10)]
    assert all(offset < stop <= after for offset, stop, after in zip(offsets, stops, [*offsets[1:], 40], strict=True))


def test_row_64_an_open_transaction_holds_the_stable_end_below_the_high_one(topics, open_source, name):
    topics.create_topic(name)
    topics.produce(name, values(b"v", 3))
    producer = topics.transaction(name, values(b"open", 4))
    topics.produce(name, values(b"behind", 1))
    source = open_source(name)
    part = part_of(name)
    info = source.discover().partitions[part]
    assert (info.low, info.stable, info.high) == (0, 3, 8)

    found, at = read_until(source, {part: 0}, lambda found, _: len(found) == 3)
    assert source.read(at, Bounds(seconds=0.3)).ranges[part] == (3, 3)

    producer.commit_transaction(30)
    later, at = read_until(source, at, lambda _, at: at[part] == 9)
    assert found + later == [b"v0", b"v1", b"v2", b"open0", b"open1", b"open2", b"open3", b"behind0"]


# ---- offsets that are not there ------------------------------------------------------------------------------


def test_row_60_records_deleted_by_retention_are_data_loss_with_both_ranges(topics, open_source, name):
    topics.create_topic(name)
    topics.produce(name, values(b"v", 50))
    topics.delete_records(name, 0, 20)

    with pytest.raises(DataLossError) as caught:
        open_source(name).read({part_of(name): 10}, AMPLE)

    message = str(caught.value)
    assert f"{name}[0]: offset 10 was wanted, the broker holds [20, 50): records [10, 20) were deleted" in message
    assert "arrowflow reset CONFIG --to-start" in message


def test_row_60_records_deleted_after_the_check_are_data_loss_too(topics, open_source, name, monkeypatch):
    topics.create_topic(name)
    topics.produce(name, values(b"v", 50))
    topics.delete_records(name, 0, 20)
    source = open_source(name)
    monkeypatch.setattr(source._cluster, "check", lambda wanted: None)

    with pytest.raises(DataLossError, match=r"offset 10 was wanted, the broker holds \[20, 50\)"):
        read_until(source, {part_of(name): 10}, lambda *_: False)


def test_row_61_an_offset_beyond_the_end_says_that_the_log_was_truncated(topics, open_source, name):
    topics.create_topic(name)
    topics.produce(name, values(b"v", 5))

    with pytest.raises(DataLossError, match=r"offset 9 was wanted, the broker holds \[0, 5\): the log ends before 9"):
        open_source(name).read({part_of(name): 9}, AMPLE)


def test_row_59_a_missing_topic_is_named(open_source, name):
    with pytest.raises(DataLossError, match=f"topic '{name}'.* does not exist"):
        open_source(name).discover()


def test_row_59_a_topic_created_again_has_offsets_from_zero(topics, open_source, name):
    topics.create_topic(name)
    topics.produce(name, values(b"old", 20))
    source = open_source(name)
    read_until(source, {part_of(name): 0}, lambda found, _: len(found) == 20)
    topics.delete_topic(name)
    topics.create_topic(name)
    topics.produce(name, values(b"new", 5))

    with pytest.raises(DataLossError, match=r"offset 20 was wanted, the broker holds \[0, 5\)"):
        open_source(name).read({part_of(name): 20}, AMPLE)


# ---- where to start, and what lag tools see -----------------------------------------------------------------


def test_start_latest_is_behind_what_can_be_read(topics, open_source, name):
    topics.create_topic(name)
    topics.produce(name, values(b"v", 3))
    topics.transaction(name, values(b"open", 2))

    assert open_source(name, start="latest").start_offsets([part_of(name)]) == {part_of(name): 3}


def test_start_at_a_time_is_the_first_record_stamped_then_or_the_end(topics, open_source, name):
    topics.create_topic(name, 2)
    topics.produce(
        name,
        [
            Row(part, None, b"v", 1_700_000_000_000 + 60_000 * number)
            for part in (0, 1)
            for number in range(5 - part * 3)
        ],
    )
    source = open_source(name, start="2023-11-15T01:15:20+03:00")  # 1_700_000_120_000 ms: the third minute

    assert source.start_offsets([part_of(name), part_of(name, 1)]) == {part_of(name): 2, part_of(name, 1): 2}


def test_start_committed_follows_the_group_and_begins_new_partitions_at_the_earliest(topics, open_source, name):
    topics.create_topic(name, 2)
    topics.produce(name, values(b"v", 6))
    first = open_source(name, group=f"g-{name}")
    first.acknowledge({part_of(name): 4}, "af1;e=7;m=abcd")

    second = open_source(name, group=f"g-{name}", start="committed")

    assert second.start_offsets([part_of(name), part_of(name, 1)]) == {part_of(name): 4, part_of(name, 1): 0}
    assert "has no offsets for" in second._context.observer.events[-1].message


def test_acknowledged_offsets_carry_their_note_for_lag_tools(topics, open_source, name):
    from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition

    topics.create_topic(name)
    topics.produce(name, values(b"v", 6))
    source = open_source(name)
    source.acknowledge({part_of(name): 5}, "af1;e=12;m=0123abcd;i=89abcdef")

    group = source._context.job
    asked = ConsumerGroupTopicPartitions(group, [TopicPartition(name, 0)])
    admin = topics.admin()
    (found,) = admin.list_consumer_group_offsets([asked])[group].result(10).topic_partitions
    assert (found.offset, found.metadata) == (5, "af1;e=12;m=0123abcd;i=89abcdef")


def test_acknowledging_passes_its_failpoints_and_hides_its_failures(topics, open_source, name, monkeypatch):
    topics.create_topic(name)
    source = open_source(name, failpoints=Failpoints((Trap("lag.after", 2, "raise"),)))
    monkeypatch.setattr(source._cluster, "commit", lambda *_: (_ for _ in ()).throw(Unreachable("nobody there")))

    source.acknowledge({part_of(name): 0}, "note")
    with pytest.raises(FailpointHit):
        source.acknowledge({part_of(name): 0}, "note")

    assert [event.message for event in source._context.observer.events] == [
        "lag tools will see old offsets: nobody there"
    ]


# ---- growing topics -----------------------------------------------------------------------------------------


def test_records_that_arrive_while_reading_come_once_and_in_order(topics, open_source, name):
    topics.create_topic(name, 2)
    rows = [Row(number % 2, b"%d" % number, b"%d" % number, 1_700_000_000_000) for number in range(4000)]
    threads = threading.Thread(target=lambda: [topics.produce(name, rows[at : at + 400]) for at in range(0, 4000, 400)])
    threads.start()
    found, _ = read_until(
        open_source(name), {part_of(name): 0, part_of(name, 1): 0}, lambda found, _: len(found) >= 4000, patience=60
    )
    threads.join()

    assert [value for value in found if int(value) % 2] == [row.value for row in rows if row.partition]
    assert [value for value in found if not int(value) % 2] == [row.value for row in rows if not row.partition]


def test_two_topics_keep_their_records_apart(topics, open_source, name):
    for topic in (f"{name}-a", f"{name}-b"):
        topics.create_topic(topic)
    for number in range(20):
        topics.produce(f"{name}-a", values(b"a", 1, first=number))
        topics.produce(f"{name}-b", values(b"b", 1, first=number))
    source = open_source(f"{name}-a", f"{name}-b")

    found = read_to_end(source, source.start_offsets(list(source.discover().partitions)))

    assert [row.value for row in found[part_of(f"{name}-a")]] == [b"a%d" % number for number in range(20)]
    assert [row.value for row in found[part_of(f"{name}-b")]] == [b"b%d" % number for number in range(20)]


def test_rows_consumed_by_a_read_that_failed_are_read_again(topics, open_source, fetch, name, monkeypatch):
    topics.create_topic(name)
    topics.produce(name, values(b"v", 20))
    source = open_source(name)
    part = part_of(name)
    with monkeypatch.context() as patch:
        last_step = {"client": "_reached", "columnar": "_batch"}[fetch]
        patch.setattr(source, last_step, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            source.read({part: 0}, Bounds(rows=10, seconds=5.0))

    assert [row.offset for row in read_to_end(source, {part: 0})[part]] == list(range(20))


# ---- sizes --------------------------------------------------------------------------------------------------


def test_row_25_a_response_larger_than_the_client_takes_names_the_setting(topics, open_source, name):
    topics.create_topic(name, config={"max.message.bytes": "8000000"})
    producer = topics.producer(message_max_bytes=8_000_000)
    topics.produce(name, [Row(0, None, b"x" * 4_000_000)], producer)
    source = open_source(name, properties={"receive.message.max.bytes": "1100000"})

    with pytest.raises(ConfigError, match=r"Raise 'receive\.message\.max\.bytes'"):
        read_until(source, {part_of(name): 0}, lambda *_: False, patience=30)


def test_row_25_a_message_larger_than_a_whole_read_comes_alone(topics, open_source, name):
    topics.create_topic(name, config={"max.message.bytes": "8000000"})
    producer = topics.producer(message_max_bytes=8_000_000)
    topics.produce(name, [Row(0, None, b"%d" % number + b"x" * 4_000_000) for number in range(3)], producer)
    source = open_source(name)

    found = []
    at = {part_of(name): 0}
    while len(found) < 3:
        fetched = source.read(at, Bounds(bytes=1024, seconds=5.0))
        found += [row.value[:1] for row in rows_of(fetched, part_of(name))]
        at = {part_of(name): fetched.ranges[part_of(name)].stop}
        assert fetched.rows <= 1

    assert found == [b"0", b"1", b"2"]


def test_row_25_contradicting_sizes_are_a_config_error(topics, open_source, name):
    topics.create_topic(name)

    with pytest.raises(ConfigError, match="receive"):
        open_source(name, properties={"receive.message.max.bytes": "1000"}).read({part_of(name): 0}, AMPLE)


def test_a_cluster_that_is_not_there_is_unreachable_and_says_where(monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE_S", 1.0)
    source = KafkaSpec("127.0.0.1:1", ("t",)).build("kafka", source_context())

    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:1.*refused"):
        source.discover()
    source.close()
