"""Every aggregate over every type a decoded column can have, against the oracle."""

from __future__ import annotations

import datetime
import math

import pyarrow as pa
import pytest
from tests.oracles.windows import Row, solve, tumbling
from tests.unit.windows.drive import Drive

from arrowflow.windows.spec import Aggregate, Tumbling, WindowSpec

UTC = pa.timestamp("us", tz="UTC")
NOON = datetime.datetime(1969, 12, 31, 12, tzinfo=datetime.UTC)
ALL = ("count", "min", "max", "first", "last")
COLUMNS = [
    (pa.int8(), [-128, 127, None, 0], True),
    (pa.int16(), [-(2**15), 2**15 - 1, None, 3], True),
    (pa.int32(), [-(2**31), 2**31 - 1, None, 3], True),
    (pa.int64(), [-(2**63), 2**63 - 1, None, 3], True),
    (pa.uint8(), [255, 0, None, 3], True),
    (pa.uint16(), [2**16 - 1, 0, None, 3], True),
    (pa.uint32(), [2**32 - 1, 0, None, 3], True),
    (pa.uint64(), [2**63 - 7, None, 1, 5], True),
    (pa.float32(), [0.5, -0.0, None, 0.0], True),
    (pa.float64(), [0.1, -1e300, None, math.inf], True),
    (pa.float64(), [0.0, -0.0, None, math.nan], True),
    (pa.bool_(), [True, None, False, True], False),
    (pa.date32(), [datetime.date(1950, 1, 1), None, datetime.date(2026, 1, 1), datetime.date(1970, 1, 1)], False),
    (UTC, [NOON, None, NOON + datetime.timedelta(days=9), NOON], False),
    (pa.string(), ["b", None, "", "ab"], False),
    (pa.large_string(), ["b", None, "", "ab"], False),
]


def same(left, right):
    if isinstance(left, float) and isinstance(right, float):
        return (math.isnan(left) and math.isnan(right)) or left.hex() == right.hex()
    return left == right and type(left) is type(right)


@pytest.mark.parametrize(
    ("kind", "values", "numeric"),
    [pytest.param(*each, id=f"{at}-{each[0]}") for at, each in enumerate(COLUMNS)],
)
def test_every_aggregate_keeps_type_and_value(kind, values, numeric):
    functions = (*ALL, "sum", "mean") if numeric else ALL
    aggregates = tuple(Aggregate(function, function, "v") for function in functions)
    schema = pa.schema([pa.field("k", pa.string()), pa.field("v", kind)])
    spec = WindowSpec(Tumbling(100), ("k",), aggregates)
    rows = [Row("t", 0, i, 50 - i, (key,), {"v": value}) for key in "ab" for i, value in enumerate(values)]
    rows = [Row("t", 0, i, row.event_us, row.key, row.values) for i, row in enumerate(rows)]
    drive = Drive(spec, schema, 1000)
    for part in (rows[:3], rows[3:6], rows[6:]):
        drive.fold(part)
        drive.close()
        drive.crash(full=False)

    answer = solve(rows, lambda row: tumbling(row.event_us, 100), [(f, f, "v") for f in functions], 1000)
    results = {row["k"]: row for row in drive.finish().results}

    for (key, _window), expected in answer.results.items():
        for name, value in expected.items():
            got = results[key[0]][name]
            if pa.types.is_timestamp(kind) and name in ("min", "max", "first", "last"):
                value = (value - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)) // datetime.timedelta(
                    microseconds=1
                )
            assert same(got, value), (name, got, value)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (pa.string(), ["b", None, "", "b"]),
        (pa.large_string(), ["b", None, "", "b"]),
        (pa.int8(), [1, None, -1, 1]),
        (pa.uint64(), [2**64 - 1, None, 0, 2**64 - 1]),
        (pa.bool_(), [True, None, False, True]),
        (pa.date32(), [datetime.date(1950, 1, 1), None, datetime.date(2026, 1, 1), datetime.date(1950, 1, 1)]),
        (UTC, [NOON, None, NOON + datetime.timedelta(1), NOON]),
    ],
    ids=str,
)
def test_every_key_type_keeps_its_type_and_groups_null_apart(kind, values):
    schema = pa.schema([pa.field("k", kind), pa.field("v", pa.int64())])
    drive = Drive(WindowSpec(Tumbling(100), ("k",), (Aggregate("n", "count"),)), schema)
    drive.fold([Row("t", 0, i, 5, (value,), {"v": 1}) for i, value in enumerate(values)])
    drive.close()
    drive.crash(full=True)

    table = drive.operator.close_fed_by(None, "x").table

    assert table.schema.field("k").type == kind
    assert table.column("k").to_pylist() == [*sorted({value for value in values if value is not None}), None]
    twice = table.column("k").to_pylist().index(values[0])
    assert table.column("n").to_pylist() == [2 if place == twice else 1 for place in range(3)]


def test_ties_of_event_time_go_by_topic_partition_and_offset_never_by_arrival():
    schema = pa.schema([pa.field("k", pa.string()), pa.field("v", pa.string())])
    aggregates = (Aggregate("first", "first", "v"), Aggregate("last", "last", "v"))
    places = [("b", 0, 9), ("a", 10, 0), ("a", 9, 0), ("a", 9, 1), ("b", 0, 10)]
    for order in (places, places[::-1], places[2:] + places[:2]):
        drive = Drive(WindowSpec(Tumbling(100), ("k",), aggregates), schema, 1000)
        for topic, partition, offset in order:
            drive.fold([Row(topic, partition, offset, 5, ("k",), {"v": f"{topic}{partition}@{offset}"})])
            drive.close()
            drive.crash(full=False)

        (result,) = drive.finish().results
        assert (result["first"], result["last"]) == ("a9@0", "b0@10")
