from __future__ import annotations

import subprocess
import sys

import pyarrow as pa
import pytest
from tests.unit.windows.drive import PlainCalendar

from arrowflow.errors import ConfigError
from arrowflow.windows.spec import Aggregate, CalendarWindow, PassThroughSpec, Tumbling, WindowSpec

UTC = pa.timestamp("us", tz="UTC")
SCHEMA = pa.schema(
    [
        pa.field("site", pa.string()),
        pa.field("speed", pa.float32()),
        pa.field("count", pa.uint16()),
        pa.field("ok", pa.bool_()),
        pa.field("at", UTC),
        pa.field("day", pa.date32()),
        pa.field("raw", pa.binary()),
        pa.field("twice", pa.int64()),
        pa.field("twice", pa.int64()),
    ]
)
COUNT = (Aggregate("n", "count"),)


def calendar(key="site", unit="shift", off="window"):
    return CalendarWindow(PlainCalendar({}), key, unit, off)


def test_the_output_has_keys_bounds_aggregates_and_who_closed_it():
    spec = WindowSpec(
        Tumbling(10),
        ("site", "day"),
        (
            Aggregate("n", "count"),
            Aggregate("total", "sum", "count"),
            Aggregate("v", "mean", "speed"),
            Aggregate("hi", "max", "speed"),
        ),
    )

    assert spec.output_schema(SCHEMA) == pa.schema(
        [
            pa.field("site", pa.string()),
            pa.field("day", pa.date32()),
            pa.field("window_start", UTC),
            pa.field("window_end", UTC),
            pa.field("n", pa.int64()),
            pa.field("total", pa.int64()),
            pa.field("v", pa.float64()),
            pa.field("hi", pa.float32()),
            pa.field("__af_closed_by", pa.string()),
        ]
    )
    assert spec.build(SCHEMA).output_schema() == spec.output_schema(SCHEMA)


def test_calendar_windows_name_shift_and_production_day():
    shift = WindowSpec(calendar(), ("site",), COUNT).output_schema(SCHEMA)
    day = WindowSpec(calendar(unit="day"), ("site",), COUNT).output_schema(SCHEMA)

    assert shift.names == ["site", "window_start", "window_end", "shift", "production_day", "n", "__af_closed_by"]
    assert day.names == ["site", "window_start", "window_end", "production_day", "n", "__af_closed_by"]


@pytest.mark.parametrize("size", [0, -1, 2**63])
def test_row_42_a_size_that_is_not_positive_or_does_not_fit_is_refused(size):
    with pytest.raises(ConfigError, match="size"):
        Tumbling(size)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Aggregate("x", "avg", "speed"), "no function 'avg'.*there are count, sum, mean"),
        (lambda: Aggregate("x", "men", "speed"), "did you mean 'mean'"),
        (lambda: Aggregate("x", "sum"), "sum needs a column"),
        (lambda: Aggregate("", "count"), "needs a name"),
        (lambda: calendar(unit="week"), "unit is 'week'"),
        (lambda: calendar(off="drop"), "off is 'drop'"),
        (lambda: Tumbling(1, 2**63), "origin"),
    ],
)
def test_a_description_that_can_never_work_is_refused_at_once(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (WindowSpec(Tumbling(1), ("sites",), COUNT), "no column 'sites'.*did you mean 'site'"),
        (WindowSpec(Tumbling(1), ("speed",), COUNT), "column is float.*group by strings"),
        (WindowSpec(Tumbling(1), ("raw",), COUNT), "column is binary"),
        (WindowSpec(Tumbling(1), ("twice",), COUNT), "no column 'twice'"),
        (WindowSpec(Tumbling(1), (), (Aggregate("a", "sum", "site"),)), "sum of column 'site', which is string"),
        (WindowSpec(Tumbling(1), (), (Aggregate("a", "sum", "ok"),)), "sum takes integers and floats"),
        (WindowSpec(Tumbling(1), (), (Aggregate("a", "mean", "at"),)), "mean takes integers and floats"),
        (WindowSpec(Tumbling(1), (), (Aggregate("a", "max", "raw"),)), "max of column 'raw', which is binary"),
        (WindowSpec(Tumbling(1), (), (Aggregate("a", "max", "nope"),)), "aggregate 'a': there is no column 'nope'"),
        (WindowSpec(Tumbling(1), (), (*COUNT, *COUNT)), "two columns of that name"),
        (WindowSpec(Tumbling(1), ("site",), (Aggregate("site", "count"),)), "two columns of that name"),
        (WindowSpec(Tumbling(1), (), (Aggregate("window_start", "count"),)), "has a column of that name already"),
        (WindowSpec(calendar(), ("site",), (Aggregate("shift", "count"),)), "has a column of that name already"),
        (WindowSpec(Tumbling(1), (), (Aggregate("__af_x", "count"),)), "reserved"),
        (WindowSpec(Tumbling(1), (), (Aggregate("_offset", "count"),)), "reserved"),
        (WindowSpec(Tumbling(1), (), COUNT, -1), "allowed_lateness"),
        (WindowSpec(Tumbling(1), (), COUNT, 0, "job"), "scope is 'job'"),
        (WindowSpec(Tumbling(1), (), COUNT, 0, "partition"), "needs group_by"),
        (WindowSpec(calendar(), (), COUNT), "must be one of group_by"),
        (WindowSpec(calendar("day"), ("day",), COUNT), "picked by a string column"),
    ],
)
def test_a_spec_the_rows_cannot_serve_is_refused_with_a_sentence(spec, message):
    with pytest.raises(ConfigError, match=message):
        spec.build(SCHEMA)


def test_shift_is_a_fine_name_where_no_calendar_uses_it():
    assert "shift" in WindowSpec(Tumbling(1), (), (Aggregate("shift", "count"),)).output_schema(SCHEMA).names


def test_the_fingerprint_is_plain_data_and_changes_with_everything_results_depend_on():
    base = WindowSpec(Tumbling(10), ("site",), COUNT)
    others = [
        WindowSpec(Tumbling(11), ("site",), COUNT),
        WindowSpec(Tumbling(10, 1), ("site",), COUNT),
        WindowSpec(Tumbling(10), ("day",), COUNT),
        WindowSpec(Tumbling(10), ("site",), (Aggregate("n", "count", "speed"),)),
        WindowSpec(Tumbling(10), ("site",), COUNT, 0, "partition"),
        WindowSpec(calendar(), ("site",), COUNT),
        WindowSpec(calendar(unit="day"), ("site",), COUNT),
        WindowSpec(calendar(off="dead_letter"), ("site",), COUNT),
        PassThroughSpec(),
    ]
    patient = WindowSpec(Tumbling(10), ("site",), COUNT, 1)  # may change at a restart
    prints = [repr(spec.fingerprint()) for spec in [base, *others]]

    assert len(set(prints)) == len(prints)
    assert base.fingerprint() == patient.fingerprint()
    assert base.fingerprint() == {
        "window": {"kind": "tumbling", "size_us": 10, "origin_us": 0},
        "group_by": ["site"],
        "aggregates": [{"name": "n", "function": "count", "column": None}],
        "scope": "pipeline",
    }


def test_planning_loads_neither_numba_nor_a_kernel():
    code = (
        "import sys, pyarrow as pa\n"
        "from arrowflow.windows.spec import *\n"
        "spec = WindowSpec(Tumbling(5), ('k',), (Aggregate('n', 'count'),))\n"
        "spec.output_schema(pa.schema([('k', pa.string())])), spec.fingerprint()\n"
        "PassThroughSpec().build(pa.schema([('k', pa.string())]))\n"
        "assert 'numba' not in sys.modules and 'polars' not in sys.modules\n"
    )

    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": "src"})
