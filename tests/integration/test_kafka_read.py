"""`af.read_kafka`: a stretch of a topic by offset or time, as batches, a table and a frame, by either way of fetching."""

import datetime as dt
import uuid

import duckdb
import polars as pl
import pyarrow as pa
import pytest
from tests.realparts.kafka_broker import Row

import arrowflow as af
from arrowflow.errors import ConfigError, DataLossError

NOON = dt.datetime(2025, 11, 2, 12, tzinfo=dt.UTC)
NOON_MS = int(NOON.timestamp() * 1000)


@pytest.fixture
def name(topics):
    """Two partitions of 100 records, one a second from noon on."""
    made = topics.create_topic(f"t-{uuid.uuid4()}", 2)
    topics.produce(made, [Row(n % 2, b"k%d" % n, b"v%d" % n, NOON_MS + 1000 * (n // 2)) for n in range(200)])
    return made


@pytest.fixture
def read(topics, fetch, name):
    def read(**given):
        return af.read_kafka(topics.bootstrap, name, **{"fetch": fetch, **given})

    return read


def offsets(found):
    table = found.to_arrow().sort_by([("partition", "ascending"), ("offset", "ascending")])
    both = list(zip(table["partition"].to_pylist(), table["offset"].to_pylist(), strict=True))
    return [offset for part, offset in both if part == 0], [offset for part, offset in both if part == 1]


def test_a_whole_topic_is_a_frame_with_its_places_and_times(read, name):
    frame = read().to_polars().sort("partition", "offset")

    assert frame.columns == ["topic", "partition", "offset", "timestamp", "key", "value"]
    assert frame.row(101) == (name, 1, 1, NOON + dt.timedelta(seconds=1), b"k3", b"v3")
    assert frame.height == 200


def test_start_and_stop_by_offset_are_half_open(read):
    assert offsets(read(start=10, stop=13)) == ([10, 11, 12], [10, 11, 12])
    assert offsets(read(start={1: 97}, stop="latest")) == ([], [97, 98, 99])
    assert offsets(read(start="latest")) == ([], [])
    assert offsets(read(start=50, stop=40)) == ([], [])


def test_start_and_stop_by_time_are_half_open(read):
    start, stop = NOON + dt.timedelta(seconds=5), "2025-11-02T04:00:08-08:00"

    assert offsets(read(start=start, stop=stop)) == ([5, 6, 7], [5, 6, 7])
    assert offsets(read(start=NOON + dt.timedelta(days=1))) == ([], [])


def test_batches_come_in_the_size_asked_for_and_each_reading_begins_anew(read):
    stretch = read(rows=30)

    batches = list(stretch)

    assert max(batch.num_rows for batch in batches) <= 30
    assert sum(batch.num_rows for batch in batches) == stretch.to_arrow().num_rows == 200


def test_others_take_it_as_it_is(read):
    stretch = read(start=90)

    assert pl.DataFrame(stretch).height == 20
    reader = pa.RecordBatchReader.from_stream(stretch)
    assert duckdb.from_arrow(reader).aggregate('count(*), min("offset")').fetchall() == [(20, 90)]


def test_headers_are_a_column_where_they_are_wanted(topics, read, name):
    producer = topics.producer()
    producer.produce(name, b"v", partition=0, headers=[("a", b"1"), ("a", None)])
    producer.flush(30)

    assert read(start={0: 100}, headers=True).to_arrow()["headers"].to_pylist() == [[("a", b"1"), ("a", None)]]


def test_records_that_are_gone_are_data_loss(topics, read, name):
    topics.delete_records(name, 0, 20)

    with pytest.raises(DataLossError, match=r"offset 10 was wanted, the broker holds \[20, 100\)"):
        read(start=10).to_arrow()


def test_ends_that_cannot_be_are_named(read):
    for given, says in (
        ({"stop": 101}, "stop is offset 101"),
        ({"start": {5: 0}}, r"start names partitions \[5\]; the topic has 2"),
        ({"start": "yesterday"}, "start = 'yesterday' is no offset"),
        ({"stop": dt.datetime(2025, 11, 2)}, "no time with its offset"),  # noqa: DTZ001
        ({"start": -1}, "start = -1"),
        ({"rows": 0}, "rows = 0"),
        ({"properties": {"group.id": "x"}}, "'group.id' cannot be set"),
    ):
        with pytest.raises(ConfigError, match=says):
            read(**given).to_arrow()
