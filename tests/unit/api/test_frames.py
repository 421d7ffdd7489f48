"""Arrow from anyone: what is taken, in which type, and what is refused with a hint."""

from __future__ import annotations

import polars as pl
import pyarrow as pa
import pytest
from tests.unit.api.frames import FORMS, UTC, table

from arrowflow.api.frames import event_times, in_type, in_types, table_of, takeable
from arrowflow.errors import ConfigError

ROWS = table([("a", 1.0, 5, 0), (None, None, None, 1), ("", 2.5, -7, 2)])
MAX = 2**63 - 1


def chunked(values, kind):
    return pa.chunked_array([pa.array(values, kind)])


def times(values, kind, unit=None):
    found = event_times("ts", chunked(values, kind), unit)
    return [
        "null" if null else "beyond" if beyond else us
        for us, null, beyond in zip(found.us.tolist(), found.null, found.beyond, strict=True)
    ]


@pytest.mark.parametrize("form", FORMS)
def test_the_same_rows_are_the_same_whatever_library_they_come_from(form):
    taken = table_of(FORMS[form](ROWS))

    assert in_types(taken, {field.name: field.type for field in ROWS.schema}).equals(ROWS)


@pytest.mark.parametrize(
    ("thing", "hint"),
    [
        (pl.LazyFrame({"a": [1]}), "collect"),
        ([{"a": 1}], "from_pylist"),
        ({"a": [1]}, r"pa\.table"),
        (None, "__arrow_c_stream__"),
        (pa.array([1]), "no table"),
    ],
    ids=["lazy", "list", "dict", "none", "array"],
)
def test_what_is_no_table_is_refused_with_the_way_to_one(thing, hint):
    with pytest.raises(ConfigError, match=hint):
        table_of(thing)


def test_event_times_of_every_unit_are_exact_microseconds():
    assert times([1, None, -1], pa.timestamp("s", "UTC")) == [1_000_000, "null", -1_000_000]
    assert times([1, -1], pa.timestamp("ms", "Asia/Tokyo")) == [1_000, -1_000]
    assert times([MAX, -MAX], pa.timestamp("us", "UTC")) == [MAX, -MAX]
    assert times([7, None], pa.int32(), "ms") == [7_000, "null"]
    assert times([7], pa.uint64(), "us") == [7]


def test_nanoseconds_are_rounded_down_also_before_1970():
    assert times([1999, -1, -1000, -1001], pa.timestamp("ns", "UTC")) == [1, -1, -1, -2]


def test_a_time_beyond_int64_microseconds_never_wraps():
    limit = MAX // 1_000_000

    assert times([limit, limit + 1, -limit, -limit - 1], pa.timestamp("s", "UTC")) == [
        limit * 1_000_000,
        "beyond",
        -limit * 1_000_000,
        "beyond",
    ]
    assert times([2**63, MAX], pa.uint64(), "us") == ["beyond", MAX]


@pytest.mark.parametrize(
    ("kind", "hint"),
    [
        (pa.timestamp("us"), r'replace_time_zone\("UTC"\)'),
        (pa.int64(), 'time_unit="ms"'),
        (pa.date32(), "timestamp with a zone"),
        (pa.string(), "timestamp with a zone"),
        (pa.float64(), "timestamp with a zone"),
    ],
    ids=str,
)
def test_a_time_column_of_another_type_is_refused_with_a_hint(kind, hint):
    with pytest.raises(ConfigError, match=f"time column 'ts' is .*{hint}"):
        event_times("ts", pa.chunked_array([], kind), None)


@pytest.mark.parametrize(
    ("given", "kind", "wanted"),
    [
        (["1"], pa.string(), pa.int64()),
        ([1], pa.int64(), pa.string()),
        ([1.5], pa.float64(), pa.int64()),
        ([1], pa.int64(), pa.bool_()),
        ([True], pa.bool_(), pa.int64()),
        ([1], pa.int64(), UTC),
        ([2**40], pa.int64(), pa.int32()),
        ([2**53 + 1], pa.int64(), pa.float64()),
        ([0], pa.timestamp("us"), UTC),
        ([0], pa.date32(), UTC),
        ([MAX], pa.timestamp("s", "UTC"), UTC),
    ],
    ids=str,
)
def test_a_column_is_never_quietly_turned_into_something_else(given, kind, wanted):
    with pytest.raises(ConfigError, match="column 'x'"):
        in_type("x", chunked(given, kind), wanted)


@pytest.mark.parametrize(
    ("given", "kind", "wanted"),
    [
        ([1, None], pa.int32(), pa.int64()),
        ([1, None], pa.int64(), pa.float64()),
        ([2**40], pa.uint64(), pa.int64()),
        ([1.5], pa.float32(), pa.float64()),
        ([None, None], pa.null(), pa.string()),
        ([None], pa.null(), UTC),
        (["x", None], pa.dictionary(pa.int8(), pa.string()), pa.string()),
    ],
    ids=str,
)
def test_numbers_that_stay_the_same_and_nulls_are_taken(given, kind, wanted):
    assert in_type("x", chunked(given, kind), wanted).to_pylist() == given


def test_a_missing_or_doubled_column_is_named():
    with pytest.raises(ConfigError, match=r"no column 'sped' \(did you mean 'speed'\?\); the rows have line, speed"):
        in_types(ROWS, {"sped": pa.float64()})
    doubled = pa.table([ROWS["line"], ROWS["line"]], names=["line", "line"])
    with pytest.raises(ConfigError, match="2 columns named 'line'"):
        in_types(doubled, {"line": pa.string()})


def test_rows_can_be_taken_out_of_any_polars_frame():
    frame = pl.DataFrame({"a": ["x", "y"], "b": [b"1", b"2"], "c": [["p"], []], "d": [{"e": "q"}, {"e": None}]})

    taken = takeable(table_of(frame)).take(pa.array([1, 0]))

    assert taken.to_pylist() == frame[::-1].to_dicts()
