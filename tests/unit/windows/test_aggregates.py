from __future__ import annotations

import math
import statistics
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.oracles import aggregates as oracle
from tests.oracles import loglog
from tests.oracles.digest import item_hash
from tests.oracles.windows import Row
from tests.unit.windows.cells import Cells
from tests.unit.windows.drive import Drive
from tests.unit.windows.values import (
    ANY_FLOATS,
    FLOATS,
    INTEGERS,
    TEXTS,
    UNSIGNED,
    decimals,
    same,
)

from arrowflow.errors import PromiseBroken
from arrowflow.windows.aggregates.fixed import divide_root
from arrowflow.windows.aggregates.loglog import add_hashes, blank_registers, estimate
from arrowflow.windows.digest import mix
from arrowflow.windows.spec import Aggregate, Hopping, Session, Tumbling, WindowSpec

CENTS = pa.decimal128(38, 2)
SMALL = st.integers(-(10**20), 10**20)
NUMBERS = [
    pytest.param(pa.float64(), ANY_FLOATS, id="float64"),
    pytest.param(pa.float32(), st.floats(width=32), id="float32"),
    pytest.param(pa.int64(), INTEGERS, id="int64"),
    pytest.param(pa.int8(), st.integers(-128, 127), id="int8"),
    pytest.param(pa.uint64(), UNSIGNED, id="uint64"),
    pytest.param(CENTS, decimals(2), id="decimal"),
    pytest.param(pa.decimal128(20, -3), decimals(-3, st.integers(-(10**20) + 1, 10**20 - 1)), id="thousands"),
]


def result(function, values, kind, *arguments):
    """One aggregate over one column, in two slices."""
    cells = Cells(Aggregate("r", function, "x", arguments), {"x": kind})
    rows = [{"x": value} for value in values]
    cut = len(rows) // 2
    return cells.fold(rows[:cut]).fold(rows[cut:]).results()[0]


# ---- decimals -----------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.lists(decimals(2, SMALL), max_size=12))
def test_sums_and_means_of_decimals_are_exact(values):
    assert same(result("sum", values, CENTS), oracle.decimal_sum(values))
    assert same(result("mean", values, CENTS), oracle.decimal_mean(values))


@settings(deadline=None)
@given(st.lists(decimals(2), min_size=1, max_size=12))
def test_least_and_largest_decimals_are_those_of_the_values(values):
    assert result("min", values, CENTS) == min(values)
    assert result("max", values, CENTS) == max(values)


@pytest.mark.parametrize("values", [["0.01", "0.02", "0.02"], ["-0.05", "0.00"], ["0.01", "-0.04"], ["1.00"]])
def test_means_of_decimals_have_four_more_places_rounded_half_even(values):
    values = [Decimal(value) for value in values]

    found = result("mean", values, CENTS)

    assert found.as_tuple().exponent == -6
    assert found == oracle.decimal_mean(values)


def test_a_tie_of_a_decimal_mean_goes_to_the_even_neighbour():
    digits = pa.decimal128(38, 2)
    ties = [Decimal("0.00")] * 31 + [Decimal("0.01")]  # 0.0003125

    assert result("mean", ties, digits) == Decimal("0.000312")


def test_row_47_a_decimal_sum_beyond_38_digits_stops_and_names_the_window():
    most = Decimal("9" * 36 + ".99")

    with pytest.raises(PromiseBroken, match=r"sum of 'x' is 10{35}110e-2 in window 0: it needs more than 38 digits"):
        result("sum", [most, Decimal("1.11")], CENTS)
    with pytest.raises(PromiseBroken, match=r"mean of 'x' .* more than 38 digits"):
        result("mean", [most], CENTS)


def test_row_47_a_decimal_sum_may_leave_38_digits_on_the_way():
    most = Decimal("9" * 36 + ".99")

    least = most.copy_negate()  # a minus sign would round to Python's 28 digits

    assert result("sum", [most, most, most, least, least], CENTS) == most
    assert result("sum", [least] * 3 + [most] * 2, CENTS) == least


# ---- integers -----------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.lists(UNSIGNED, max_size=12), st.lists(INTEGERS, max_size=12))
def test_row_47_integer_sums_widen_to_decimals_when_asked(unsigned, signed):
    for values, kind in ((unsigned, pa.uint64()), (signed, pa.int64())):
        found = result("sum", values, kind, "decimal")

        assert found == (Decimal(sum(values)) if values else None)


@pytest.mark.parametrize(
    ("kind", "value"), [(pa.int64(), 2**63 - 1), (pa.int64(), -(2**63)), (pa.uint64(), 2**63), (pa.uint64(), 2**64 - 1)]
)
def test_row_47_an_integer_sum_beyond_int64_stops_with_the_way_out_and_never_wraps(kind, value):
    """numba's integers wrap in silence: two of these would."""
    with pytest.raises(PromiseBroken, match=rf'sum of .x. is {2 * value} in window 0.*write sum\(x, "decimal"\)'):
        result("sum", [value, value], kind)

    assert result("sum", [value, value], kind, "decimal") == 2 * value


def test_row_47_in_the_kernel_nothing_wraps_where_numpy_would():
    values = np.full(1000, 2**63 - 1, np.int64)
    with np.errstate(over="ignore"):
        assert values.sum() != 1000 * (2**63 - 1)

    assert result("sum", values.tolist(), pa.int64(), "decimal") == 1000 * (2**63 - 1)


# ---- variance -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "values"), NUMBERS)
@settings(deadline=None)
@given(data=st.data())
def test_var_and_stddev_are_exact_until_one_rounding(kind, values, data):
    values = data.draw(st.lists(values, max_size=8))

    assert same(result("var", values, kind), oracle.var(values))
    assert same(result("stddev", values, kind), oracle.stddev(values))


@settings(deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=20))
def test_stddev_is_that_of_the_standard_library(values):
    assert result("stddev", values, pa.float64()) == statistics.stdev(values)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], None),
        ([1.0], None),
        ([math.nan], None),
        ([math.nan, 1.0], math.nan),
        ([math.inf, 1.0], math.nan),
        ([0.1] * 5, 0.0),
        ([1e16, 1e16 + 2, 1e16 + 4], 4.0),
        ([1e200, -1e200], math.inf),
    ],
)
def test_variances_at_the_edges(values, expected):
    assert same(result("var", values, pa.float64()), expected)


def test_a_standard_deviation_may_be_finite_where_the_variance_is_not():
    assert result("stddev", [1e200, -1e200], pa.float64()) == math.sqrt(2) * 1e200


@pytest.mark.parametrize("value", [2.0**111 * 1.2, -(2.0**111) * 1.3])
def test_a_sum_may_be_spilled_where_the_squares_are_not(value):
    """After a rest in the state: the sum's chunks end at 2**111, those of the squares at 2**223."""
    values = [value, 1.0]
    cells = Cells(Aggregate("r", "var", "x"), {"x": pa.float64()}).fold([{"x": x} for x in values])
    told = cells.state()

    assert told.column("moments(x).spill").null_count == 0
    assert told.column("moments(x).squares.spill").null_count == 1
    assert same(cells.results()[0], oracle.var(values))


@pytest.mark.parametrize("factor", [1.9999999999999998, -1.9999999999999998, 3.0])
def test_chunks_of_products_carry_long_before_they_overflow(factor):
    """A chunk that 200 more rows would overflow is planted; the sum goes on exactly."""
    planted = (1 << 63) - (1 << 36)
    cells = Cells(Aggregate("r", "weighted_mean", "x", ("w",)), {"x": pa.float64(), "w": pa.float64()})
    number = cells.accumulator._products.number
    number.chunks.values[0, :-1] = planted if factor > 0 else -planted
    start = number.total(0)

    cells.fold([{"x": factor, "w": 1.9999999999999998}] * 200)

    assert Fraction(number.total(0) - start, 2**2148) == 200 * Fraction(factor) * Fraction(1.9999999999999998)


@settings(deadline=None)
@given(st.integers(2**52, 2**53 - 1), st.sampled_from([-1, 0, 1]), st.integers(-40, 40))
def test_a_root_is_rounded_once(mantissa, tail, exponent):
    """Just below, at and just above the middle of two doubles."""
    square = (Fraction((2 * mantissa + 1) ** 2 * 4**200 + tail, 4 * 4**200)) * Fraction(4) ** exponent

    assert divide_root(square.numerator, square.denominator) == oracle.nearest_root(square)


def test_the_root_oracle_is_right():
    assert oracle.nearest_root(Fraction(2)) == math.sqrt(2)
    assert oracle.nearest_root(Fraction(1, 3)) == math.sqrt(1 / 3)
    assert oracle.nearest_root(Fraction(10**40)) == 1e20


# ---- weights ------------------------------------------------------------------------------------------------

WEIGHT_KINDS = [
    pytest.param(pa.float64(), st.one_of(st.floats(0, 1e300), st.sampled_from([0.0, -0.0, 0.1])), id="float64"),
    pytest.param(pa.int64(), st.one_of(st.integers(0, 2**63 - 1), st.integers(0, 2)), id="int64"),
    pytest.param(pa.uint64(), UNSIGNED, id="uint64"),
    pytest.param(pa.decimal128(38, 5), decimals(5).map(Decimal.copy_abs), id="decimal"),
]


def weighted(function, pairs, kind, weights):
    cells = Cells(Aggregate("r", function, "x", ("w",)), {"x": kind, "w": weights})
    return cells.fold([{"x": x, "w": w} for x, w in pairs]).results()[0]


@pytest.mark.parametrize(("kind", "values"), NUMBERS)
@pytest.mark.parametrize(("weight_kind", "weights"), WEIGHT_KINDS)
@settings(deadline=None)
@given(data=st.data())
def test_weighted_means_are_the_exact_quotient_rounded_once(kind, values, weight_kind, weights, data):
    pairs = data.draw(st.lists(st.tuples(st.none() | values, st.none() | weights), max_size=6))

    found = weighted("weighted_mean", pairs, kind, weight_kind)

    assert same(found, oracle.weighted_mean([pair for pair in pairs if None not in pair]))


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([], None),
        ([(1.0, 0.0)], None),
        ([(math.nan, 0.0), (2.0, 1.0)], 2.0),
        ([(math.inf, 0.0), (2.0, 1.0)], 2.0),
        ([(math.inf, 1.0), (2.0, 1.0)], math.inf),
        ([(math.inf, 1.0), (-math.inf, 1.0)], math.nan),
        ([(1.0, -1.0), (2.0, 1.0)], math.nan),
        ([(1.0, math.inf)], math.nan),
        ([(1.0, math.nan)], math.nan),
        ([(math.nan, None), (None, -1.0), (3.0, 2.0)], 3.0),
        ([(1e308, 1e-300), (1e308, 1e300)], 1e308),
    ],
)
def test_weighted_means_at_the_edges(pairs, expected):
    assert same(weighted("weighted_mean", pairs, pa.float64(), pa.float64()), expected)


@settings(deadline=None)
@given(st.lists(st.tuples(ANY_FLOATS, st.integers(0, 255)), max_size=8))
def test_quality_means_follow_the_two_top_bits_of_the_code(pairs):
    found = weighted("quality_mean", pairs, pa.float64(), pa.int32())

    assert same(found, oracle.quality_mean(pairs))


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([(10.0, 192), (20.0, 216)], 15.0),  # good, good with a local override
        ([(10.0, 192), (40.0, 64)], 20.0),  # uncertain counts half
        ([(10.0, 192), (999.0, 0), (math.nan, 24)], 10.0),  # bad, bad with comm failure
        ([(999.0, 128)], None),  # the reserved code is bad
        ([(7.0, 68), (None, 192), (9.0, None)], 7.0),
    ],
)
def test_quality_means_of_a_sensor(pairs, expected):
    assert same(weighted("quality_mean", pairs, pa.float64(), pa.uint8()), expected)


# ---- first and last -----------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.lists(st.tuples(st.none() | decimals(2), st.integers(0, 3)), max_size=8))
def test_first_and_last_of_decimals_go_by_event_time(held):
    rows = [{"x": x, "_event_us": at, "_offset": offset} for offset, (x, at) in enumerate(held)]
    known = [row for row in rows if row["x"] is not None]
    for name, pick in (("first", min), ("last", max)):
        found = Cells(Aggregate("r", name, "x"), {"x": CENTS}).fold(rows[:4]).fold(rows[4:]).results()[0]

        best = pick(known, key=lambda row: (row["_event_us"], row["_offset"]))["x"] if known else None
        assert same(found, best)


# ---- row 46 -------------------------------------------------------------------------------------------------

NUMERIC = [pa.int64(), pa.float64(), pa.uint8(), CENTS]
KINDS = [*NUMERIC, pa.string(), pa.bool_(), pa.date32(), pa.timestamp("us", "UTC")]
OF_ANY = ("count", "min", "max", "first", "last", "count_distinct")
ARGUMENTS = {"quantile": (0.5,), "weighted_mean": ("w",), "quality_mean": ("w",)}
COMMUTATIVE = (
    "count", "sum", "mean", "min", "max", "first", "last", "var", "stddev", "count_distinct", "quantile",
    "weighted_mean", "quality_mean",
)  # fmt: skip


@pytest.mark.parametrize(
    ("function", "kind"),
    [(each, kind) for each in COMMUTATIVE for kind in (KINDS if each in OF_ANY else NUMERIC)],
    ids=str,
)
def test_row_46_over_an_all_null_group_counts_are_0_and_everything_else_is_null(function, kind):
    aggregate = Aggregate("r", function, "x", ARGUMENTS.get(function, ()))
    cells = Cells(aggregate, {"x": kind, "w": pa.int32()})

    cells.fold([{"x": None, "w": 1}] * 3)

    assert cells.results() == [0 if function in ("count", "count_distinct") else None]


@pytest.mark.parametrize("kind", [pa.float64(), pa.int64(), CENTS], ids=str)
def test_row_46_an_all_null_group_has_the_state_of_an_empty_one(kind):
    for function in COMMUTATIVE:
        cells = Cells(Aggregate("r", function, "x", ARGUMENTS.get(function, ())), {"x": kind, "w": pa.int32()}, 2)

        cells.fold([{"x": None, "w": 192}] * 3, 0)

        assert cells.states()[0] == cells.states()[1]


# ---- distinct -----------------------------------------------------------------------------------------------

DISTINCT = [
    pytest.param(pa.float64(), ANY_FLOATS, id="float64"),
    pytest.param(pa.float32(), st.floats(width=32), id="float32"),
    pytest.param(pa.int64(), INTEGERS, id="int64"),
    pytest.param(pa.uint64(), UNSIGNED, id="uint64"),
    pytest.param(pa.bool_(), st.booleans(), id="bool"),
    pytest.param(CENTS, decimals(2), id="decimal"),
    pytest.param(pa.string(), TEXTS, id="string"),
    pytest.param(pa.large_string(), TEXTS, id="large_string"),
]


@pytest.mark.parametrize(("kind", "values"), DISTINCT)
@settings(deadline=None)
@given(data=st.data())
def test_distinct_values_are_counted_exactly_up_to_the_limit(kind, values, data):
    values = data.draw(st.lists(st.none() | values, max_size=12))

    found = result("count_distinct", values, kind, 12)

    assert found == oracle.distinct([value for value in values if value is not None])


@pytest.mark.parametrize(
    ("kind", "value"),
    [(pa.int64(), int), (pa.float64(), float), (pa.string(), str), (CENTS, lambda n: Decimal(n) / 100)],
    ids=["int64", "float64", "string", "decimal"],
)
def test_beyond_the_limit_the_estimate_is_within_three_percent(kind, value):
    values = [value(n) for n in range(30_000)]

    assert abs(result("count_distinct", values, kind, 1000) / 30_000 - 1) < 0.03
    assert result("count_distinct", values, kind, 30_000) == 30_000
    assert result("count_distinct", values[:10_000], kind) == 10_000
    assert result("count_distinct", values[:10_001], kind) >= 10_001


def test_the_default_limit_is_ten_thousand():
    values = list(range(10_000))
    plain = Cells(Aggregate("r", "count_distinct", "x"), {"x": pa.int64()}).fold([{"x": x} for x in values])

    assert plain.state().column(0).combine_chunks().value_lengths().to_pylist() == [10_000]
    plain.fold([{"x": 10_000}])
    assert plain.state().column(0).to_pylist() == [None]
    assert len(plain.state().column(1)[0].as_py()) == 2**14


@settings(deadline=None)
@given(
    st.lists(st.one_of(st.integers(0, 2**64 - 1), st.integers(0, 3), st.builds(pow, st.just(2), st.integers(0, 63))))
)
def test_registers_equal_the_oracle(hashes):
    found = add_hashes(blank_registers(), np.array(hashes, np.uint64))

    assert found.tolist() == oracle.registers(hashes)
    assert add_hashes(found, np.array(hashes, np.uint64)) is found


def test_the_registers_of_a_window_are_those_of_the_documented_hash():
    values = list(range(20))
    cells = Cells(Aggregate("r", "count_distinct", "x", (3,)), {"x": pa.int64()}).fold([{"x": x} for x in values])

    held = cells.state().column(1)[0].as_py()

    assert list(held) == oracle.registers([item_hash("int", value) for value in values])


@pytest.mark.parametrize("count", [0, 1, 2, 10, 100, 1000, 20_000, 100_000, 1_000_000])
def test_estimates_are_unbiased_from_one_value_to_a_million(count):
    hashes = mix(np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15))

    found = estimate(add_hashes(blank_registers(), hashes))

    assert abs(found - count) <= (0 if count < 3 else 0.03 * count)


@pytest.mark.parametrize("full", [1, 100, 8000, 2**14 - 1])
@pytest.mark.parametrize("rank", [49, 50])
def test_registers_that_hardly_hold_more_are_estimated_too(full, rank):
    """Of 2**60 values and more: the series for registers that are full."""
    registers = np.full(2**14, rank, np.uint8)
    registers[:full] = 51

    assert estimate(registers) == pytest.approx(loglog.estimate_of({51: full, rank: 2**14 - full}), rel=1e-12)


@pytest.mark.parametrize(("kind", "value"), [(pa.int64(), int), (pa.string(), str)])
@pytest.mark.parametrize("limit", [1, 5, 49, 50, 51])
def test_when_it_changes_over_is_decided_by_the_set_alone(kind, value, limit):
    """Fifty values thrice, in any order and cutting: the state is the same bytes."""
    values = [value(n) for n in range(50)]
    aggregate = Aggregate("r", "count_distinct", "x", (limit,))
    straight = Cells(aggregate, {"x": kind}).fold([{"x": x} for x in values])
    cells = Cells(aggregate, {"x": kind}, 4)
    for cell, part in enumerate((values[::-1], values[10:40], values[40:], [])):
        for x in part:
            cells.fold([{"x": x}], cell)
    cells.merge((3, 1), (3, 2), (3, 0))

    assert cells.states()[3] == cells.states()[0] == straight.states()[0]
    assert cells.results()[3] == straight.results()[0]
    assert (straight.results()[0] == 50) == (limit >= 50) or 51 > straight.results()[0] > limit


# ---- quantiles ----------------------------------------------------------------------------------------------

ERROR = 1 / 256 + 2**-50


@pytest.mark.parametrize(("kind", "values"), NUMBERS)
@settings(deadline=None)
@given(data=st.data())
def test_quantiles_are_the_nearest_rank_within_their_error(kind, values, data):
    values = data.draw(st.lists(values, max_size=12))
    q = data.draw(st.sampled_from(["0", "0.07", "0.25", "0.5", "0.9", "1"]))

    found, exact = result("quantile", values, kind, float(q)), oracle.quantile(values, q)

    if exact is None or exact != exact or abs(float(exact)) in (0.0, math.inf):
        assert same(found, exact if exact is None else float(exact) + 0.0)
    elif abs(float(exact)) < 2.0**-1022:
        assert found == 0.0
    else:
        assert abs(found / float(exact) - 1) <= ERROR


@settings(deadline=None)
@given(st.lists(st.integers(-255, 255), min_size=1, max_size=12))
def test_quantiles_of_integers_below_256_are_exact(values):
    assert result("quantile", values, pa.int16(), 0.5) == oracle.quantile(values, "0.5")


@pytest.mark.parametrize("value", [1e-310, -1e-310, 2.0**-1023, -0.0])
def test_magnitudes_below_the_normal_doubles_count_as_zero(value):
    assert same(result("quantile", [value] * 3, pa.float64(), 0.5), 0.0)
    assert result("quantile", [2.0**-1022], pa.float64(), 0.5) > 0


def test_the_rank_is_that_of_the_number_as_written():
    """0.07 as a double is above seven hundredths, and the rank would be the 8th."""
    assert result("quantile", list(range(1, 101)), pa.int64(), 0.07) == 7


def test_several_quantiles_of_a_column_share_what_they_keep():
    aggregates = tuple(Aggregate(f"q{q}", "quantile", "x", (q,)) for q in (0.5, 0.9))
    others = tuple(Aggregate(f"d{limit}", "count_distinct", "x", (limit,)) for limit in (5, 6))
    plan = WindowSpec(Tumbling(1), (), (*aggregates, *others)).plan(pa.schema([pa.field("x", pa.int64())]))

    assert [each.name for each in plan.accumulators] == ["buckets(x)", "distinct(x, 5)", "distinct(x, 6)"]


# ---- through the operator -----------------------------------------------------------------------------------

EVERY = tuple(
    Aggregate(f"{function}_{column}_{place}", function, column, arguments)
    for column in "xfd"
    for place, (function, arguments) in enumerate(
        [(each, ARGUMENTS.get(each, ())) for each in COMMUTATIVE] + [("count_distinct", (2,)), ("quantile", (0.9,))]
    )
)
WIDE = {"k": pa.string(), "x": pa.int64(), "f": pa.float64(), "d": CENTS, "w": pa.int32()}


@pytest.mark.parametrize("window", [Tumbling(10), Hopping(10, 5), Session(3)], ids=["tumbling", "hopping", "session"])
@settings(deadline=None, max_examples=6)
@given(data=st.data())
def test_all_aggregates_together_survive_crashes_and_cuts(window, data):
    row = st.tuples(
        st.integers(0, 30), st.sampled_from("ab"), st.none() | st.integers(-9, 9), st.none() | ANY_FLOATS,
        st.none() | decimals(2, SMALL), st.none() | st.integers(0, 255),
    )  # fmt: skip
    held = data.draw(st.lists(row, min_size=1, max_size=10))
    rows = [
        Row("t", 0, offset, at, (key,), {"x": x, "f": f, "d": d, "w": w})
        for offset, (at, key, x, f, d, w) in enumerate(held)
    ]
    spec = WindowSpec(window, ("k",), EVERY)
    straight, broken = (Drive(spec, pa.schema(list(WIDE.items())), 1000) for _run in range(2))
    straight.fold(rows)
    for each in rows:
        broken.fold([each])
        broken.close()
        broken.crash(full=data.draw(st.booleans()))
        assert broken.operator.digest() == broken.outcome.digests[-1]

    assert repr(broken.finish().results) == repr(straight.finish().results)


# ---- floats everywhere --------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.lists(FLOATS, min_size=1, max_size=10))
def test_a_weighted_mean_with_equal_weights_is_the_mean(values):
    pairs = [(value, 3) for value in values]

    assert same(weighted("weighted_mean", pairs, pa.float64(), pa.int8()) + 0.0, result("mean", values, pa.float64()))
