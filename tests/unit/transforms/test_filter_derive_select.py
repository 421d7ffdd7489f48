"""What each transform keeps, makes and refuses."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from time import process_time

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from arrowflow.errors import ConfigError
from arrowflow.transforms import Derive, Filter, Select
from arrowflow.transforms.compiler import Compiled

SCHEMA = pa.schema(
    [
        ("plant", pa.string()),
        ("units", pa.int64()),
        ("small", pa.int32()),
        ("rate", pa.float64()),
        ("timestamp", pa.timestamp("us", "UTC")),
        ("good", pa.bool_()),
        ("price", pa.decimal128(10, 2)),
        ("raw", pa.binary()),
        ("huge", pa.uint64()),
        ("two words", pa.string()),
    ]
)


def rows(**columns):
    """A table of `SCHEMA`: the columns given, the others null."""
    n = len(next(iter(columns.values())))
    return pa.table([pa.array(columns.get(field.name, [None] * n), field.type) for field in SCHEMA], schema=SCHEMA)


def value(expression, **columns):
    """The expression for one row."""
    table, _ = Derive({"x": expression}).apply(rows(**{name: [v] for name, v in (columns or {"units": 1}).items()}))
    return table.column("x").to_pylist()[0]


# ---- filter -----------------------------------------------------------------------------------------------------------


def test_a_filter_keeps_rows_in_order_and_null_is_not_kept():
    table = rows(units=[3, None, -1, 0, 5], plant=["a", "b", "c", "d", None])

    kept, mask = Filter("units >= 0").apply(table)

    assert mask.tolist() == [True, False, False, True, True]
    assert mask.dtype == np.bool_
    assert kept.column("units").to_pylist() == [3, 0, 5]
    assert kept.schema == table.schema == Filter("units >= 0").output_schema(table.schema)


def test_a_filter_that_keeps_all_copies_nothing():
    table = rows(units=[1, 2])

    assert Filter("units > 0").apply(table)[0] is table


def test_a_filter_counts_under_its_reason():
    assert Filter("units > 0").name == "filter"
    assert Filter("units > 0", reason="scrap").name == "scrap"
    with pytest.raises(ConfigError, match="filter reason"):
        Filter("units > 0", reason="a b")


@pytest.mark.parametrize("expression", ["units", "NULL", "rate", "'true'", "timestamp"])
def test_a_filter_that_is_not_boolean_is_refused(expression):
    with pytest.raises(ConfigError, match="must be true or false for each row"):
        Filter(expression).output_schema(SCHEMA)


@pytest.mark.parametrize("chunks", [[], [0], [2, 0, 3]])
def test_chunked_and_empty_tables_are_filtered_alike(chunks):
    parts = [rows(units=list(range(-1, size - 1))) for size in chunks]
    table = pa.concat_tables(parts) if parts else SCHEMA.empty_table()

    kept, mask = Filter("units >= 0 AND plant IS NULL").apply(table)

    assert len(mask) == sum(chunks)
    assert kept.num_rows == mask.sum()
    assert kept.schema == SCHEMA


def test_a_filter_of_literals_spreads_over_all_rows():
    table = rows(units=[1, 2, 3])

    assert Filter("1 = 1").apply(table)[1].tolist() == [True] * 3
    assert Filter("1 IN (2, 3)").apply(table)[1].tolist() == [False] * 3
    assert Filter("TRUE").apply(SCHEMA.empty_table())[1].tolist() == []


# ---- derive -----------------------------------------------------------------------------------------------------------


def test_derive_replaces_in_place_and_appends_in_order():
    derive = Derive({"units": "units * 2", "site": "upper(plant)", "copy": "small"})
    table = rows(units=[1, None], plant=["a", None], small=[7, 8])

    made, mask = derive.apply(table)

    assert made.column_names == [*SCHEMA.names, "site", "copy"]
    assert made.column("units").to_pylist() == [2, None]
    assert made.column("site").to_pylist() == ["A", None]
    assert mask.tolist() == [True, True]


def test_derived_columns_do_not_see_each_other():
    made, _ = Derive({"units": "small", "b": "units + 1"}).apply(rows(units=[10], small=[1]))

    assert made.column("b").to_pylist() == [11]


@pytest.mark.parametrize(
    ("expression", "dtype"),
    [
        ("small + 1", pa.int64()),
        ("units / 2", pa.float64()),
        ("units + rate", pa.float64()),
        ("plant || 'x'", pa.string()),
        ("'constant'", pa.string()),
        ("good AND units > 1", pa.bool_()),
        ("CASE WHEN good THEN timestamp END", pa.timestamp("us", "UTC")),
        ("TIMESTAMP '2025-11-02T09:00:00Z'", pa.timestamp("us", "UTC")),
        ("extract(hour FROM timestamp)", pa.int64()),
        ("CAST(NULL AS DOUBLE)", pa.float64()),
        ("price IS NULL", pa.bool_()),
        ("small", pa.int32()),  # bare names copy the column as it is
        ("price", pa.decimal128(10, 2)),
        ("raw", pa.binary()),
        ("huge", pa.uint64()),
    ],
)
@pytest.mark.parametrize("count", [0, 1, 3])
def test_the_schema_promised_is_the_schema_delivered(expression, dtype, count):
    derive = Derive({"x": expression, "plant": "plant"})
    table = rows(units=[5] * count, plant=["p"] * count, price=[Decimal("1.50")] * count)

    made, _ = derive.apply(table)

    promised = derive.output_schema(SCHEMA)
    assert made.schema.equals(promised, check_metadata=True)
    assert promised.field("x").type == dtype
    assert made.num_rows == count
    made.validate(full=True)


@pytest.mark.parametrize("columns", [{}, {"": "1"}, {"_offset": "1"}, {"__af_rows": "1"}])
def test_names_that_are_taken_cannot_be_derived(columns):
    with pytest.raises(ConfigError, match=r"derive"):
        Derive(columns)


@pytest.mark.parametrize("expression", ["NULL", "coalesce(NULL, NULL)", "CASE WHEN good THEN NULL END"])
def test_a_column_without_a_type_is_refused(expression):
    with pytest.raises(ConfigError, match="type"):
        Derive({"x": expression}).output_schema(SCHEMA)


def test_unchanged_columns_are_not_copied():
    table = rows(units=[1, 2, 3])

    made, _ = Derive({"x": "units + 1"}).apply(table)

    assert made.column("units").chunk(0).buffers()[1].address == table.column("units").chunk(0).buffers()[1].address


# ---- select -----------------------------------------------------------------------------------------------------------


def test_select_keeps_the_columns_named_in_that_order():
    select = Select(("units", "plant"))

    made, mask = select.apply(rows(units=[1, 2]))

    assert made.column_names == ["units", "plant"]
    assert made.schema == select.output_schema(SCHEMA)
    assert mask.tolist() == [True, True]


@pytest.mark.parametrize("columns", [(), ("units", "units")])
def test_select_names_each_column_once(columns):
    with pytest.raises(ConfigError, match="at least one column, and each only once"):
        Select(columns)


def test_an_unknown_column_gets_a_hint_everywhere():
    with pytest.raises(ConfigError, match=r"no column 'unit': did you mean 'units'\?"):
        Select(("unit",)).output_schema(SCHEMA)
    with pytest.raises(ConfigError, match=r"character 5: no column 'Units': did you mean 'units'\?"):
        Filter("1 < Units").output_schema(SCHEMA)
    with pytest.raises(ConfigError, match="no column 'zzz': there are 'plant', 'units'"):
        Derive({"x": "zzz"}).output_schema(SCHEMA)


# ---- what expressions give --------------------------------------------------------------------------------------------

BIG = 2**63 - 1


@pytest.mark.parametrize(
    ("expression", "columns", "expected"),
    [
        ("units / 0", {"units": 1}, None),
        ("rate / 0", {"rate": 1.0}, None),
        ("rate / -0.0", {"rate": 0.0}, None),
        ("units % 0", {"units": 5}, None),
        ("div(units, 0)", {"units": 5}, None),
        ("units + 1", {"units": BIG}, None),
        ("units - 1", {"units": -BIG - 1}, None),
        ("units * 2", {"units": BIG}, None),
        ("units * units", {"units": -BIG - 1}, None),
        ("-units", {"units": -BIG - 1}, None),
        ("abs(units)", {"units": -BIG - 1}, None),
        ("div(units, -1)", {"units": -BIG - 1}, None),
        ("units % -1", {"units": -BIG - 1}, 0),
        ("small * 2", {"small": 2**31 - 1}, 2**32 - 2),
        ("units + 1 - 1", {"units": BIG}, None),
        ("coalesce(units + 1, 0)", {"units": BIG}, 0),
        ("sqrt(rate)", {"rate": -1.0}, None),
        ("rate * 10", {"rate": 1e308}, float("inf")),
        ("TRY_CAST(plant AS BIGINT)", {"plant": "12"}, 12),
        ("TRY_CAST(plant AS BIGINT)", {"plant": "12x"}, None),
        ("TRY_CAST(plant AS BIGINT)", {"plant": str(BIG + 1)}, None),
        ("TRY_CAST(plant AS DOUBLE)", {"plant": "1e400x"}, None),
        ("TRY_CAST(rate AS BIGINT)", {"rate": 2.0}, 2),
        ("TRY_CAST(rate AS BIGINT)", {"rate": 2.5}, None),
        ("TRY_CAST(rate AS BIGINT)", {"rate": 2.0**63}, None),
        ("TRY_CAST(rate AS BIGINT)", {"rate": float("nan")}, None),
        ("round(rate, 2)", {"rate": 1e308}, 1e308),
        ("extract(year FROM timestamp)", {"timestamp": -(2**62)}, -144169),
        ("substr(plant, 9)", {"plant": "abc"}, ""),
    ],
)
def test_row_91_a_value_that_cannot_be_computed_is_null_and_never_stops_the_batch(expression, columns, expected):
    assert value(expression, **columns) == expected


def test_row_91_only_the_row_with_the_poison_value_is_touched():
    table = rows(units=[1, 0, BIG, None, 4], small=[1, 1, 1, 1, 0])

    assert Filter("10 / units > 2 OR units + 1 = 5").apply(table)[1].tolist() == [True, False, False, False, True]
    assert Derive({"x": "units + 1"}).apply(table)[0].column("x").to_pylist() == [2, 1, None, None, 5]


@pytest.mark.parametrize(
    ("expression", "columns", "expected"),
    [
        ("units / 2", {"units": 5}, 2.5),
        ("div(units, 2)", {"units": -5}, -2),
        ("units % 3", {"units": -5}, -2),
        ("mod(units, -3)", {"units": 5}, 2),
        ("round(rate)", {"rate": 2.5}, 3.0),
        ("round(rate, 1)", {"rate": -0.25}, -0.3),
        ("round(units)", {"units": BIG}, BIG),
        ("floor(rate)", {"rate": -0.5}, -1.0),
        ("ceil(rate)", {"rate": 0.5}, 1.0),
        ("greatest(units, small, NULL)", {"units": 3, "small": 5}, 5),
        ("least(units, rate)", {"units": 3, "rate": 2.5}, 2.5),
        ("nullif(plant, '')", {"plant": ""}, None),
        ("length(plant)", {"plant": "ñ €"}, 3),
        ("plant ILIKE 'MON%'", {"plant": "monterrey"}, True),
        ("plant LIKE 'a.c'", {"plant": "abc"}, False),
        ("plant || NULL", {"plant": "a"}, None),
        ("rate > 1e300", {"rate": float("nan")}, True),  # NaN is above every number and equals itself
        ("rate = rate", {"rate": float("nan")}, True),
        ("units IN (1, 2.5)", {"units": 1}, True),
        ("timestamp IN (TIMESTAMP '1970-01-01T00:00:00Z')", {"timestamp": 0}, True),
        ("timestamp >= TIMESTAMP '1970-01-01T01:00:00+01:00'", {"timestamp": 0}, True),
        ("extract(hour FROM timestamp)", {"timestamp": -1}, 23),
        ("extract(epoch FROM timestamp)", {"timestamp": -1}, -1),
        ("\"two words\" = 'x'", {"two words": "x"}, True),
        ("raw IS NULL", {"raw": b""}, False),
        ("huge IS NOT NULL", {"huge": 2**64 - 1}, True),
        ("CASE WHEN units > 9 THEN 'many' END", {"units": 1}, None),
        ("CAST(good AS BIGINT) + 1", {"good": True}, 2),
        ("CAST(units AS TEXT) || '!'", {"units": -5}, "-5!"),
        ("replace(plant, 'a', '$0')", {"plant": "banana"}, "b$0n$0n$0"),
        ("trim(plant)", {"plant": "  x \t"}, "x \t"),
        ("starts_with(plant, 'ba') AND ends_with(plant, 'na') AND contains(plant, 'a.')", {"plant": "banana"}, False),
    ],
)
def test_an_expression_gives(expression, columns, expected):
    assert value(expression, **columns) == expected


def test_a_timestamp_stays_an_instant():
    when = datetime(2025, 11, 2, 9, tzinfo=UTC)

    assert value("CASE WHEN units = 1 THEN timestamp END", units=1, timestamp=when) == when
    assert value("TIMESTAMP '2025-11-02 03:00:00-06:00'") == when


@pytest.mark.parametrize("count", [0, 1, 2, 3])
@pytest.mark.parametrize(
    "expression",
    [
        "0 > greatest(units, 0)",  # Polars compares two scalars here and forgets how many rows there are
        "coalesce(0 > greatest(units, 0), good)",
        "CASE WHEN 0 > greatest(units, 0) THEN good ELSE TRUE END",
        "1 < units / 0",
        "'x' || CASE WHEN units > 0 THEN plant END = 'x'",
        "nullif(1, units) IN (1, 2)",
        "1 = 1",
    ],
)
def test_a_result_that_is_the_same_for_all_rows_has_as_many_rows(expression, count):
    kept, mask = Filter(expression).apply(rows(units=[None] * count))

    assert len(mask) == count
    assert len(set(mask.tolist())) <= 1
    assert kept.num_rows == mask.sum()


def test_row_91_where_polars_refuses_a_batch_only_the_row_it_refuses_is_null(monkeypatch):
    keep = Filter("units > 0")
    keep.output_schema(SCHEMA)
    plan = keep._plans[SCHEMA]
    poisoned = pl.col("c1").map_batches(_refuses_13, return_dtype=pl.Boolean)
    monkeypatch.setitem(plan.expressions, "keep", Compiled(poisoned, "boolean", ("units",)))

    assert keep.apply(rows(units=[*range(1, 20), None]))[1].tolist() == [n != 13 for n in range(1, 20)] + [False]


def _refuses_13(series):
    if 13 in series.to_list():
        raise pl.exceptions.ComputeError("thirteen")
    return series > 0


def test_logic_has_three_values():
    table = rows(good=[True, True, True, False, False, None], units=[1, 0, None, 1, None, None])
    both, either = "good AND units = 1", "good OR units = 1"

    made = Derive({"both": both, "neither": f"NOT ({either})", "either": either, "not_both": f"NOT ({both})"}).apply(
        table
    )[0]

    assert made.column("both").to_pylist() == [True, False, None, False, False, None]
    assert made.column("not_both").to_pylist() == [False, True, None, True, True, None]
    assert made.column("either").to_pylist() == [True, True, True, True, None, None]
    assert made.column("neither").to_pylist() == [False, False, False, False, None, None]


@pytest.mark.parametrize(
    ("expression", "judge"),
    [
        ("rate / 3", lambda x: x / 3.0),
        ("100 / rate", lambda x: 100.0 / x if x else None),
        ("rate / 0.1", lambda x: x / 0.1),
        ("rate + 0.0", lambda x: x + 0.0),
        ("0.0 - rate", lambda x: 0.0 - x),
        ("rate - -0.0", lambda x: x - -0.0),
        ("rate * -1.0", lambda x: x * -1.0),
        ("rate / greatest(small, 3)", lambda x: x / 3.0),  # all small are null: a scalar in disguise
    ],
)
def test_float_arithmetic_has_the_same_bits_in_a_batch_and_alone(expression, judge):
    values = [0.0, -0.0, 1e308, 5e-324, *(number / 7 - 30 for number in range(400))]
    derive = Derive({"x": expression})

    whole = derive.apply(rows(rate=values))[0].column("x").to_pylist()
    alone = [derive.apply(rows(rate=[each]))[0].column("x").to_pylist()[0] for each in values[:40]]

    assert list(map(repr, whole)) == [repr(judge(each)) for each in values]
    assert list(map(repr, alone)) == list(map(repr, whole[:40]))


# ---- what expressions may not say -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("units > avg(units)", "character 9: avg: looks at other rows"),
        ("lag(units) = 1", "lag: looks at other rows"),
        ("sum(units) OVER (PARTITION BY plant) > 1", "found 'OVER': the expression should end here"),
        ("units = max(units)", "max: looks at other rows"),
        ("now() > timestamp", "now: depends on more than the row"),
        ("random() < 0.5", "random: depends on more than the row"),
        ("current_timestamp > timestamp", "no column 'current_timestamp'"),
        ("units IN (SELECT 1)", "SELECT has no place here"),
        ("EXISTS (SELECT 1)", "EXISTS has no place here"),
        ("(SELECT units)", "SELECT has no place here"),
        ("units > 0 ORDER BY units", "found 'ORDER'"),
        ("units > 0; DROP TABLE x", "';' has no place"),
        ("units > 0 -- comment", "'--' begins a comment"),
        ("read_csv('/etc/passwd') = 1", "read_csv: no such function"),
        ("flor(rate) = 1", "no such function: did you mean 'floor'"),
        ("* = 1", "a value, a column or '(' is needed here"),
        ("t.units = 1", "'.' has no place"),
        ("units::text = '1'", "':' has no place"),
        ("1 < units < 3", "comparisons do not chain"),
        ("units = ", "found the end"),
        ("", "found the end"),
        ("(units = 1", "')' is needed here"),
        ("'open", '"\'" has no place'),
        ("units + plant = 1", "+: these have no common type: integer, string"),
        ("plant + plant = 'x'", "numbers are needed and this is a string"),
        ("good > FALSE", "booleans have no order"),
        ("units AND good", "a boolean is needed and this is a integer"),
        ("price > 1", "can only be copied, or asked IS NULL"),
        ("huge = 1", "can only be copied, or asked IS NULL"),
        ("CAST(plant AS BIGINT) = 1", "write TRY_CAST, which gives null there"),
        ("CAST(rate AS BIGINT) = 1", "write TRY_CAST"),
        ("CAST(rate AS TEXT) = '1'", "there is no cast from float to string"),
        ("CAST(units AS DATE) = 1", "a type is needed here, one of BIGINT"),
        ("rate % 2 = 0", "integers are needed"),
        ("plant LIKE plant", "a text in quotes is needed here"),
        (r"plant LIKE 'a\%'", "LIKE has no escape character"),
        ("units IN (1, NULL)", "none of them NULL"),
        ("units IN (small)", "a list of written values"),
        ("units IN (1 + 1, NULL)", "none of them NULL"),
        ("units IN ()", "takes 2 to 1000 arguments"),
        ("round(rate, units) = 1", "decimals must be written"),
        ("substr(plant, 0) = ''", "start (from 1)"),
        ("abs(units, 1) = 1", "takes 1 arguments, and 2 are given"),
        ("coalesce() = 1", "takes 1 to 100 arguments"),
        ("case() = 1", "a value, a column or '(' is needed here"),
        ("timestamp > TIMESTAMP '2025-11-02'", "write date, time and offset"),
        ("timestamp > '2025-11-02T00:00:00Z'", "these have no common type: string, timestamp"),
        ("extract(week FROM timestamp) = 1", "EXTRACT takes one of YEAR"),
        ("units > 9223372036854775808", "does not fit in 64 bits"),
        ("units IS 3", "after IS comes"),
        ("replace(plant, '', 'x') = 'x'", "must not be empty"),
    ],
)
def test_what_is_not_on_the_list_is_refused_with_its_place(expression, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        Filter(expression).output_schema(SCHEMA)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("(" * 60 + "good" + ")" * 60, "levels deep"),
        ("NOT " * 900 + "good", "levels deep"),
        ("- " * 900 + "1 = 1", "levels deep"),
        ("1" + " + 1" * 900 + " = 1", "operators in a row"),
        ("units / (" * 20 + "1" + ")" * 20 + " = 1", "grows too large"),
        ("good AND " * 600 + "good", "at most 4000"),
    ],
    ids=["brackets", "not", "minus", "plus", "doubling", "long"],
)
def test_row_91_an_expression_is_bounded_in_size_and_depth(expression, message):
    started = process_time()
    with pytest.raises(ConfigError, match=message):
        Filter(expression).output_schema(SCHEMA)
    assert process_time() - started < 5


def test_a_long_chain_of_or_is_allowed():
    wide = " OR ".join(f"units={number}" for number in range(300))

    assert Filter(wide).apply(rows(units=[299, 300]))[1].tolist() == [True, False]


def test_columns_called_like_keywords_of_other_languages_need_no_quotes():
    schema = pa.schema(
        [("order", pa.int64()), ("timestamp", pa.int64()), ("first", pa.int64()), ("select", pa.int64())]
    )
    table = pa.table([pa.array([1], pa.int64())] * 4, schema=schema)

    assert Filter('order + timestamp + first + "select" = 4').apply(table)[1].tolist() == [True]


def test_the_representation_is_stable_and_tells_all_that_matters():
    keep = Filter("units >= 0")
    before = repr(keep)
    keep.apply(rows(units=[1]))

    assert repr(keep) == before == "Filter(expression='units >= 0', reason='filter')"
    assert repr(Derive({"x": "units"})) == "Derive(columns={'x': 'units'})"
    assert repr(Select(("x",))) == "Select(columns=('x',))"
    assert keep == Filter("units >= 0")
    assert keep != Filter("units > 0")


def test_one_filter_serves_tables_of_different_schemas():
    keep = Filter("v > 1")

    assert keep.apply(pa.table({"v": pa.array([1, 2], pa.int32())}))[1].tolist() == [False, True]
    assert keep.apply(pa.table({"v": pa.array([1.5, None], pa.float32())}))[1].tolist() == [True, False]
