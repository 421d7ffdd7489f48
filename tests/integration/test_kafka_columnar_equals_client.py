"""Columnar fetch gives what the ordinary client gives, row for row: on the real broker, whatever is in the topic."""

import random
import subprocess
import time
import uuid
from pathlib import Path

import pytest
from tests.realparts import kafka_broker
from tests.realparts.kafka_broker import Row
from tests.support.both_ways import read_all, same

from arrowflow.types import Bounds

pytestmark = pytest.mark.kafka

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]


@pytest.fixture
def name():
    return f"t-{uuid.uuid4()}"


def told(broker, name, rows, **settings):
    """Produce (partition, key, value, headers, ms) with the settings of a producer."""
    producer = broker.producer(**settings)
    for partition, key, value, headers, stamp in rows:
        producer.produce(name, value, key, partition, timestamp=stamp, headers=headers)
        producer.poll(0)
    assert producer.flush(60) == 0


def odd_rows(seed, count, partitions=1):
    """Tombstones, empty and binary values and keys, headers of every kind, times before others."""
    dice = random.Random(seed)
    kinds = [None, b"", b"\x00\xff", b"plain", "ñ€".encode(), b"x" * 300, bytes(range(256)) * 9]
    heads = [None, [("a", b"1")], [("a", b"1"), ("a", None)], [("", b""), ("ключ", b"\xff" * 70)]]
    for number in range(count):
        value = dice.choice([*kinds, b'{"n":%d,"text":"%s"}' % (number, b"abc" * dice.randrange(40))])
        stamp = dice.choice([1, 1_700_000_000_000 + number, 1_700_000_000_000 - 7 * number])
        yield number % partitions, dice.choice(kinds), value, dice.choice(heads), stamp


@pytest.mark.parametrize("codec", CODECS)
def test_every_codec_key_header_and_tombstone_is_the_same(kafka, name, codec):
    kafka.create_topic(name, 3)
    told(kafka, name, odd_rows(codec, 3000, 3), compression_type=codec, batch_size=20_000)

    found = same(kafka.bootstrap, name)

    assert [len(rows) for rows in found.rows.values()] == [1000, 1000, 1000]
    assert {row.key for row in found.rows[0]} >= {None, b"", b"\x00\xff"}
    assert {len(row.headers) for row in found.rows[0]} == {0, 1, 2}


@pytest.mark.parametrize("codec", ["none", "zstd"])
def test_small_limits_and_small_bounds_cut_the_same_records(kafka, name, codec):
    """Answers that end inside a batch, batches larger than an answer, reads that end inside a batch."""
    kafka.create_topic(name, 2)
    told(kafka, name, odd_rows(codec, 600, 2), compression_type=codec, batch_size=5000)

    for rows, limit in ((7, 1), (10_000, 700), (1000, 6000)):
        same(
            kafka.bootstrap, name, bounds=Bounds(rows=rows, seconds=0.3),
            max_partition_fetch_bytes=limit, fetch_max_bytes=max(1000, limit),
        )  # fmt: skip


def test_a_read_that_begins_inside_a_batch_has_only_what_it_asked_for(kafka, name):
    kafka.create_topic(name)
    told(kafka, name, odd_rows(1, 200), compression_type="lz4", batch_num_messages=50)

    for start in (1, 49, 50, 51, 199):
        found = same(kafka.bootstrap, name, start={0: start})
        assert [row.offset for row in found.rows[0]] == list(range(start, 200))


def test_log_append_time_is_the_brokers_and_marked(kafka, name):
    kafka.create_topic(name, config={"message.timestamp.type": "LogAppendTime"})
    told(kafka, name, odd_rows(2, 50))

    found = same(kafka.bootstrap, name)

    assert all(row.appended for row in found.rows[0])
    assert min(row.timestamp_us for row in found.rows[0]) > 1_750_000_000_000_000


def interleaved(kafka, name, seed, transactions):
    """Five producers take turns in two partitions; of their transactions two in five are aborted."""
    dice = random.Random(seed)
    producers = []
    for number, codec in enumerate(CODECS):
        settings = {"transactional_id": f"{name}-{number}", "compression_type": codec, "batch_num_messages": 20}
        producers.append(kafka.producer(**settings))
        producers[-1].init_transactions(30)
    committed, running, number = [], {}, 0
    for _ in range(transactions):
        for at, producer in enumerate(producers):
            if at not in running:
                producer.begin_transaction()
                running[at] = []
            for _ in range(dice.randrange(1, 12)):
                value = b"%d-%d" % (at, number)
                producer.produce(name, value, partition=number % 2)
                running[at].append(value)
                number += 1
            if dice.random() < 0.7:  # else it goes on while the others begin and end
                producer.flush(30)
                if dice.random() < 0.4:
                    producer.abort_transaction(30)
                else:
                    producer.commit_transaction(30)
                    committed += running[at]
                del running[at]
    for at, producer in enumerate(producers):
        if at in running:
            producer.commit_transaction(30)
            committed += running[at]
    return committed, number


def test_row_63_five_interleaved_transactional_producers_with_aborts(kafka, name):
    kafka.create_topic(name, 2)
    committed, produced = interleaved(kafka, name, seed=7, transactions=12)

    found = same(kafka.bootstrap, name)

    assert sorted(row.value for rows in found.rows.values() for row in rows) == sorted(committed)
    kinds = [sum(each) for each in zip(*found.kinds.values(), strict=True)]
    assert kinds[1] == produced - len(committed) > 100
    assert kinds[0] > 50
    assert kinds[2] == 0
    for limit in (600, 5000):
        same(kafka.bootstrap, name, bounds=Bounds(rows=50, seconds=0.3), max_partition_fetch_bytes=limit)


def test_row_64_an_open_transaction_ends_what_both_ways_see(kafka, name):
    kafka.create_topic(name)
    kafka.produce(name, [Row(0, None, b"before", 1)])
    producer = kafka.transaction(name, [Row(0, None, b"open", 1)])
    kafka.produce(name, [Row(0, None, b"behind", 1)])

    assert [row.value for row in same(kafka.bootstrap, name).rows[0]] == [b"before"]

    producer.abort_transaction(30)
    deadline = time.monotonic() + 30
    while len(found := read_all(kafka.bootstrap, name, "columnar").rows[0]) < 2:
        assert time.monotonic() < deadline
    assert [row.value for row in found] == [b"before", b"behind"]


def test_row_63_a_compacted_topic_has_holes_and_they_are_told_apart(kafka, name):
    kafka.create_topic(
        name,
        config={
            "cleanup.policy": "compact", "segment.ms": "100", "min.cleanable.dirty.ratio": "0.01",
            "max.compaction.lag.ms": "1000", "delete.retention.ms": "100",
        },
    )  # fmt: skip
    deadline = time.monotonic() + 60
    kinds, number = (0, 0, 0), 0
    while kinds[2] < 10:
        assert time.monotonic() < deadline
        rows = [Row(0, b"same", b"v%d" % n, 0) for n in range(5)] + [
            Row(0, b"gone", None, 0),
            Row(0, b"own%d" % number, b"kept", 0),
        ]
        kafka.produce(name, rows)
        number += 1
        time.sleep(0.3)
        kinds = read_all(kafka.bootstrap, name, "columnar").kinds[0]
    time.sleep(1)

    truth = read_all(kafka.bootstrap, name, "client")
    columns = read_all(kafka.bootstrap, name, "columnar")
    if truth != columns:  # the cleaner passed between the two
        truth = read_all(kafka.bootstrap, name, "client")

    assert columns.rows == truth.rows
    assert columns.hidden == truth.hidden
    assert columns.kinds[0].control == columns.kinds[0].aborted == 0


@pytest.mark.slow
@pytest.mark.parametrize("codec", ["snappy"])
def test_what_javas_own_producer_packs_is_the_same(kafka, name, codec):
    """Java frames its snappy blocks in a way of its own."""
    kafka.create_topic(name)
    lines = b"".join(b"line %d %s\n" % (n, b"abcdefgh" * (n % 50)) for n in range(2000))
    program = Path(kafka_broker.__file__).with_name("Pack.java")
    command = [
        "java",
        "-XX:TieredStopAtLevel=1",
        "-cp",
        f"{kafka_broker.jars()}/*",
        program,
        kafka.bootstrap,
        name,
        codec,
    ]
    subprocess.run(command, input=lines, check=True, timeout=120, capture_output=True)

    found = same(kafka.bootstrap, name)

    assert [row.value for row in found.rows[0]] == lines.splitlines()
