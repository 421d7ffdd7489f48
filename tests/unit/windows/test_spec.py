from __future__ import annotations

import subprocess
import sys

import pyarrow as pa
import pytest
from tests.oracles.windows import Row
from tests.unit.windows.custom import Spread
from tests.unit.windows.drive import Drive, PlainCalendar

from arrowflow.errors import ConfigError
from arrowflow.windows.spec import (
    Aggregate,
    CalendarWindow,
    Cumulative,
    Hopping,
    PassThroughSpec,
    Session,
    Sliding,
    Tumbling,
    WindowSpec,
)

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
        (lambda: calendar(unit="year"), "unit is 'year'; it is one of 'shift', 'day', 'week', 'month'"),
        (lambda: calendar(off="drop"), "off is 'drop'"),
        (lambda: Tumbling(1, 2**63), "origin"),
        (lambda: Tumbling(1, -(2**63)), "tumbling window: origin"),
        (lambda: Hopping(0, 1), "hopping window: size is 0"),
        (lambda: Hopping(1, 0), "hopping window: hop is 0"),
        (lambda: Hopping(1, 1, 2**63), "hopping window: origin"),
        (lambda: Hopping(10_001, 1), "each row lies in 10001 windows; at most 10000 are allowed"),
        (lambda: Hopping(100_001, 100_002), "put together from 100001 panes; at most 100000 are allowed"),
        (lambda: Cumulative(0, 1), "cumulative window: size is 0"),
        (lambda: Cumulative(1, 0), "cumulative window: step is 0"),
        (lambda: Cumulative(1, 1, 2**63), "cumulative window: origin"),
        (lambda: Cumulative(10, 3), "not a whole number of steps"),
        (lambda: Cumulative(10_001, 1), "size / step is 10001; at most 10000 are allowed"),
        (lambda: Sliding(0), "sliding window: size is 0"),
        (lambda: Sliding(1, "left"), "closed is 'left'"),
        (lambda: Session(0), "session window: gap is 0"),
        (lambda: Session(1, 0), "session window: max_length is 0"),
    ],
)
def test_a_description_that_can_never_work_is_refused_at_once(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


def test_what_is_just_allowed_is_allowed():
    Tumbling(1, 2**63 - 1)
    Tumbling(2**63 - 1, 1 - 2**63)
    Hopping(10_000, 1)
    Hopping(100_000, 100_001)
    Cumulative(10_000, 1)
    Sliding(1, "both")
    Session(1, 1)


def test_windows_start_at_time_zero_unless_told_otherwise():
    assert [kind.origin_us for kind in (Tumbling(10), Hopping(10, 5), Cumulative(10, 5))] == [0, 0, 0]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (WindowSpec(Tumbling(1), ("sites",), COUNT), "no column 'sites'.*did you mean 'site'"),
        (WindowSpec(Tumbling(1), ("speed",), COUNT), "column is float.*group by strings"),
        (WindowSpec(Tumbling(1), ("raw",), COUNT), "column is binary"),
        (WindowSpec(Tumbling(1), ("twice",), COUNT), "no column 'twice'"),
        (WindowSpec(Tumbling(1), (), (Aggregate("a", "sum", "site"),)), "sum of column 'site', which is string"),
        (WindowSpec(Tumbling(1), (), (Aggregate("a", "sum", "ok"),)), "sum takes integers, floats and decimals"),
        (WindowSpec(Tumbling(1), (), (Aggregate("a", "mean", "at"),)), "mean takes integers, floats and decimals"),
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
        WindowSpec(Tumbling(10), ("site",), (Aggregate("n", "sum", "count"),)),
        WindowSpec(Tumbling(10), ("site",), (Aggregate("n", "sum", "count", ("decimal",)),)),
        WindowSpec(Tumbling(10), ("site",), (Aggregate("n", "quantile", "speed", (0.5,)),)),
        WindowSpec(Tumbling(10), ("site",), (Aggregate("n", "quantile", "speed", (0.9,)),)),
        WindowSpec(Tumbling(10), ("site",), (Aggregate("n", Spread(), "count"),)),
        WindowSpec(Tumbling(10), ("site",), (Aggregate("n", Spread(3), "count"),)),
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


def test_a_default_written_out_is_no_other_query():
    plain, written = Aggregate("n", "count_distinct", "site"), Aggregate("n", "count_distinct", "site", (10_000,))

    assert plain.fingerprint() == written.fingerprint()


def test_ordered_functions_over_one_column_share_their_samples_whatever_their_arguments():
    aggregates = (
        Aggregate("a", "time_weighted_mean", "speed"),
        Aggregate("b", "coverage", "speed", ("1h30m",)),
        Aggregate("c", "counter_delta", "speed", ("2d",)),
        Aggregate("d", "counter_delta", "count", (65536, "2d")),
        Aggregate("e", "time_in_state", "ok", (True,)),
    )

    plan = WindowSpec(Tumbling(10), (), aggregates).plan(SCHEMA)

    assert [each.name for each in plan.accumulators] == ["trace(speed)", "trace(count)", "trace(ok)"]
    hour = 3_600_000_000
    assert [each.arguments for each in plan.aggregates] == [
        (None,), (3 * hour // 2,), (None, 48 * hour), (65536, 48 * hour), (True, None)
    ]  # fmt: skip
    assert {each.family for each in plan.aggregates} == {"ordered"}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Aggregate("q", "quantile", "speed"), "q is missing.*write quantile"),
        (lambda: Aggregate("q", "quantile", "speed", (1.5,)), "q is 1.5; it must be a number from 0 to 1"),
        (lambda: Aggregate("q", "quantile", "speed", (True,)), "q is True"),
        (lambda: Aggregate("q", "quantile", "speed", (float("nan"),)), "q is nan"),
        (lambda: Aggregate("s", "sum", "count", ("int128",)), "'int128' has no meaning"),
        (lambda: Aggregate("m", "mean", "count", (1,)), "the argument 1 has no meaning"),
        (lambda: Aggregate("d", "count_distinct", "site", (0,)), "from 1 to 1000000"),
        (lambda: Aggregate("d", "count_distinct", "site", (2.5,)), "2.5 has no meaning .*from 1 to 1000000"),
        (lambda: Aggregate("c", "coverage", "speed", ("1 hour",)), "a length of time"),
        (lambda: Aggregate("c", "counter_delta", "speed", (-1,)), "a positive number"),
        (lambda: Aggregate("n", "count", None, (1,)), "count of rows takes no argument"),
        (lambda: Aggregate("x", Spread(), "count", (1,)), "give spread its arguments when you make it"),
        (lambda: Aggregate("x", Spread()), "spread needs a column"),
    ],
)
def test_arguments_that_can_never_work_are_refused_at_once(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


class Other(Spread):
    """Keeps what no table holds, and has the name of another."""

    def state(self, kind):
        return pa.dictionary(pa.int8(), pa.string()) if kind == pa.int64() else super().state(kind)


DECIMALS = pa.schema(
    [
        pa.field("x", pa.decimal128(38, 35)),
        pa.field("site", pa.string()),
        pa.field("f", pa.float64()),
        pa.field("n", pa.int64()),
        pa.field("m", pa.int32()),
        pa.field("wide", pa.decimal256(40, 2)),
    ]
)


@pytest.mark.parametrize(
    ("aggregates", "message"),
    [
        ((Aggregate("m", "mean", "x"),), "of up to 34 places"),
        ((Aggregate("m", "sum", "x", ("decimal",)),), 'only integers with "decimal"'),
        ((Aggregate("m", "sum", "f", ("decimal",)),), 'which is double; .* only integers with "decimal"'),
        ((Aggregate("m", "sum", "wide"),), "which is decimal256"),
        ((Aggregate("m", "weighted_mean", "f", ("site",)),), "weights is column 'site', which is string"),
        ((Aggregate("m", "weighted_mean", "f", ("g",)),), "weights: there is no column 'g'"),
        ((Aggregate("m", "quality_mean", "f", ("f",)),), "quality is column 'f', which is double"),
        ((Aggregate("m", "time_in_state", "n", ("ON",)),), "'ON' is no value of a column that is int64"),
        ((Aggregate("m", "time_in_state", "m", (2**40,)),), "is no value of a column that is int32"),
        ((Aggregate("m", "time_in_state", "n", (True,)),), "True is no value"),
        ((Aggregate("m", "time_in_state", "n", (10**400,)),), "is no value of a column that is int64"),
        ((Aggregate("m", "counter_delta", "n", (1.5,)),), "modulus is 1.5, and .* int64; .* whole number from 1 to 2"),
        ((Aggregate("m", "counter_delta", "m", (100.0,)),), "modulus is 100.0, and the column is int32"),
        ((Aggregate("m", "counter_delta", "n", (2**64 + 1,)),), "modulus is 18446744073709551617"),
        (
            (Aggregate("m", "counter_delta", "f", (10**309,)),),
            "the column is double; it must be a number that a double",
        ),
        ((Aggregate("m", "coverage", "x"),), "which is decimal128"),
        ((Aggregate("m", Spread(), "site"),), "it does not take that type"),
        ((Aggregate("m", Spread(), "wide"),), "knows no such values"),
        ((Aggregate("m", Other(), "n"),), "spread keeps dictionary"),
        ((Aggregate("a", Spread(), "m"), Aggregate("b", Spread(2), "m")), "two different functions are called spread"),
    ],
)
def test_functions_the_rows_cannot_serve_are_refused_with_a_sentence(aggregates, message):
    with pytest.raises(ConfigError, match=message):
        WindowSpec(Tumbling(1), (), aggregates).plan(DECIMALS)


@pytest.mark.parametrize(
    ("kind", "modulus", "readings", "up"),
    [
        (pa.int64(), 1, (0, 0), 0),
        (pa.int8(), 100, (99, 1), 2),
        (pa.uint64(), 2**64, (2**64 - 1, 1), 2),
        (pa.float64(), 1, (0.75, 0.25), 0.5),
        (pa.float32(), 1.5, (1.25, 0.25), 0.5),
        (pa.float64(), 2**1023, (2.0**1022, 0.0), 2.0**1022),
    ],
)
def test_a_modulus_that_was_planned_is_counted_with(kind, modulus, readings, up):
    schema = pa.schema([pa.field("x", kind)])
    drive = Drive(WindowSpec(Tumbling(10), (), (Aggregate("up", "counter_delta", "x", (modulus,)),)), schema)

    drive.fold([Row("t", 0, offset, offset, (), {"x": value}) for offset, value in enumerate(readings)])

    assert drive.operator.close_fed_by(None, "end").table.column("up").to_pylist() == [up]


def test_decimals_group_nothing():
    with pytest.raises(ConfigError, match="group by strings"):
        WindowSpec(Tumbling(1), ("x",), COUNT).plan(DECIMALS)


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


def test_sums_and_means_of_decimals_have_all_the_digits_there_are():
    asked = (Aggregate("total", "sum", "d"), Aggregate("mean", "mean", "d"))
    spec = WindowSpec(Tumbling(10), ("k",), asked)
    schema = spec.output_schema(pa.schema([("k", pa.string()), ("d", pa.decimal128(9, 2))]))

    assert schema.field("total").type == pa.decimal128(38, 2)
    assert schema.field("mean").type == pa.decimal128(38, 6)
