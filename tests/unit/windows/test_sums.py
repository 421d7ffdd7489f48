from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.oracles.windows import mean, rounded, total
from tests.unit.windows.cells import Cells

from arrowflow.windows.aggregates.accumulator import Slice, Windows
from arrowflow.windows.aggregates.sums import ExactSum, FloatSum, IntegerSum
from arrowflow.windows.columns import Columns
from arrowflow.windows.kernels.products import PRODUCT_CHUNKS, carry_product_cells
from arrowflow.windows.kernels.rounding import round_cells, round_quotients
from arrowflow.windows.kernels.sums import CARRY_EVERY, CHUNKS, carry_cells
from arrowflow.windows.plan import Aggregate, PlannedAccumulator, PlannedAggregate

NASTY = st.one_of(
    st.floats(width=64, allow_nan=False, allow_infinity=False),
    st.sampled_from(
        [
            5e-324,
            -5e-324,
            2.2250738585072014e-308,
            1.7976931348623157e308,
            -1.7976931348623157e308,
            2.0**-60,
            2.0**-61,
            2.0**80,
            2.0**80 - 2.0**27,
            -(2.0**81),
            2.0**-112,
            2.0**-113,
            1e16,
            1.0,
            -1e16,
            0.1,
            -0.0,
        ]
    ),
    st.builds(math.ldexp, st.floats(-1, 1), st.integers(-120, 90)),
)


def folded(kind, values, slots=None, panes=1, cuts=(), accumulator=None):
    """An accumulator that took `values` in slices, each slice into the panes `slots` say."""
    arrow = pa.float64() if kind is FloatSum else pa.int64()
    accumulator = accumulator or kind(PlannedAccumulator("sum", "v", arrow))
    for lane in accumulator.lanes:
        lane.fit(panes)
    slots = [0] * len(values) if slots is None else slots
    edges = [0, *sorted(cuts), len(values)]
    for start, stop in pairwise(edges):
        part = values[start:stop]
        table = pa.table({"v": pa.array(part, arrow, from_pandas=False)})
        nothing = np.zeros(len(part), np.int64)
        columns = Columns(table, {"v": arrow})
        accumulator.fold(Slice(np.array(slots[start:stop], np.int64), columns, nothing, nothing, 0, panes))
    return accumulator


def result(accumulator, function="sum", slot=0):
    where = np.array([slot], np.int64)
    kind = pa.int64() if isinstance(accumulator, IntegerSum) and function == "sum" else pa.float64()
    asked = PlannedAggregate("r", function, "v", "commutative", kind, None)
    return accumulator.finish(asked, Windows(where, where, where, str))[0].as_py()


def bits(value):
    return None if value is None else ("nan" if math.isnan(value) else float(value).hex())


def fsum(values):
    """math.fsum where it can; it gives up on sums that overflow on the way, exact fractions do not."""
    try:
        return math.fsum(values)
    except OverflowError:
        return rounded(sum(map(Fraction, values)))


@settings(deadline=None)
@given(st.lists(NASTY, min_size=1, max_size=30))
def test_float_sums_equal_fsum_bit_for_bit(values):
    assert bits(result(folded(FloatSum, values))) == bits(fsum(values))


@settings(deadline=None)
@given(st.lists(NASTY, min_size=1, max_size=30))
def test_float_means_are_the_exact_quotient_rounded_once(values):
    assert bits(result(folded(FloatSum, values), "mean")) == bits(mean(values))


@settings(deadline=None)
@given(st.data(), st.lists(NASTY, min_size=2, max_size=20))
def test_one_exact_sum_has_one_state_whatever_way_it_came_about(data, values):
    """Permuted, cut, or reached over a detour that cancels out: the state is the same bytes, but for the count."""
    detour = data.draw(st.lists(NASTY, max_size=4))
    other = data.draw(st.permutations([*values, *detour, *(-value for value in detour)]))
    slot = np.array([0], np.int64)

    straight = folded(FloatSum, values).dump(slot)
    roundabout = folded(FloatSum, other, cuts=data.draw(st.sets(st.integers(0, len(other)), max_size=3))).dump(slot)

    assert [column.to_pylist() for column in straight[:3]] == [column.to_pylist() for column in roundabout[:3]]


@settings(deadline=None)
@given(st.data(), st.lists(NASTY, min_size=1, max_size=20))
def test_a_dumped_sum_goes_on_where_it_stood(data, values):
    cut = data.draw(st.integers(0, len(values)))
    slot = np.array([0], np.int64)
    fresh = folded(FloatSum, [])
    fresh.load(slot, folded(FloatSum, values[:cut]).dump(slot))

    assert bits(result(folded(FloatSum, values[cut:], accumulator=fresh))) == bits(fsum(values))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([math.nan, 1.0], math.nan),
        ([math.inf, 1.0], math.inf),
        ([-math.inf, 1e308], -math.inf),
        ([math.inf, -math.inf], math.nan),
        ([1e308, 1e308], math.inf),
        ([-1e308, -1e308], -math.inf),
        ([1e308, 1e308, -1e308], 1e308),
        ([-0.0, -0.0], 0.0),
        ([1e16, 1.0, -1e16], 1.0),
        ([5e-324] * 3, 1.5e-323),
        ([0.1] * 10, 1.0),
        ([2.0**80, 1.0, -(2.0**80)], 1.0),
    ],
)
def test_special_values(values, expected):
    accumulator = folded(FloatSum, values)

    assert bits(result(accumulator)) == bits(expected)
    assert bits(expected) == bits(total(values))
    assert bits(result(accumulator, "mean")) == bits(mean(values))


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_chunks_carry_long_before_they_overflow(sign):
    """The largest fraction at every place in the chunks, 3,000 times: eight times what overflows without a carry."""
    exponents = range(-60, 80)
    values = [sign * math.ldexp(1.9999999999999998, exponent) for exponent in exponents for _ in range(3_000)]
    slots = [slot for slot in range(len(exponents)) for _ in range(3_000)]

    accumulator = folded(FloatSum, values, slots, panes=len(exponents))

    assert [result(accumulator, slot=slot) for slot in range(len(exponents))] == [
        sign * 3_000 * math.ldexp(1.9999999999999998, exponent) for exponent in exponents
    ]


def test_values_that_are_no_doubles_do_not_keep_a_cell_from_carrying():
    """Every 256th value of a cell is when it carries, and every one of those comes by the other way here."""
    accumulator = ExactSum("sum")
    for lane in accumulator.lanes:
        lane.fit(1)
    value = math.ldexp(1.9999999999999998, -29)  # its upper piece is as long as one can be
    part = np.array([value] * (CARRY_EVERY - 1))
    for turn in range(20):
        accumulator.add(np.zeros(len(part), np.int64), np.ones(len(part), np.bool_), part.view(np.int64))
        accumulator.add_integer(0, (-1) ** turn * (2**70 + 1))

    where = np.array([0], np.int64)
    exact = 20 * (CARRY_EVERY - 1) * Fraction(value)
    assert accumulator.quotients(where, np.array([1], np.int64))[0] == rounded(exact)


def test_a_full_top_chunk_spills_instead_of_wrapping():
    accumulator = folded(FloatSum, [])
    chunks = accumulator.lanes[0].values
    chunks[0, CHUNKS - 1] = (1 << 62) + 5
    start = Fraction(((1 << 62) + 5) << 160, 2**112)

    folded(FloatSum, [2.0**79] * 3, accumulator=accumulator)

    assert accumulator.lanes[3].values[0] == 3 << (79 + 1074)
    assert result(accumulator) == rounded(start + 3 * 2**79)


@pytest.mark.parametrize(
    ("carry", "width"), [(carry_cells, CHUNKS), (carry_product_cells, PRODUCT_CHUNKS)], ids=["sums", "products"]
)
@settings(deadline=None)
@given(data=st.data())
def test_carrying_changes_the_form_and_never_the_value(carry, width, data):
    row = st.lists(st.integers(-(2**62), 2**62), min_size=width, max_size=width)
    rows = data.draw(st.lists(row, min_size=1, max_size=5))
    chunks = np.array(rows, np.int64)
    before = [sum(chunk << (32 * c) for c, chunk in enumerate(row)) for row in rows]

    carry(np.arange(len(rows)), chunks)

    assert [sum(int(chunk) << (32 * c) for c, chunk in enumerate(row)) for row in chunks] == before
    assert ((chunks[:, :-1] >= 0) & (chunks[:, :-1] < 2**32)).all()


@settings(deadline=None)
@given(st.integers(0, 2**223 - 1), st.booleans(), st.integers(1, 2**31 - 1), st.sampled_from([0, -112]))
def test_a_quotient_is_rounded_once(magnitude, negative, divisor, lowest):
    limbs = np.array([[(magnitude >> (32 * j)) & 0xFFFFFFFF for j in range(7)]], np.int64)
    out = np.empty(1)

    round_quotients(limbs, np.array([negative]), np.array([divisor], np.int64), lowest, out)

    exact = Fraction(magnitude) * Fraction(2) ** lowest / divisor
    assert bits(out[0]) == bits(float(-exact if negative else exact))


@pytest.mark.parametrize("tail", [-1, 0, 1])
@pytest.mark.parametrize("mantissa", [2**52, 2**52 + 1, 2**53 - 1])
def test_halves_go_to_the_even_neighbour(mantissa, tail):
    magnitude = ((2 * mantissa + 1) << 100) + tail
    limbs = np.array([[(magnitude >> (32 * j)) & 0xFFFFFFFF for j in range(7)]], np.int64)
    out = np.empty(1)

    round_quotients(limbs, np.array([False]), np.array([1], np.int64), -112, out)

    assert out[0] == float(Fraction(magnitude, 2**112))


INTS = st.one_of(st.integers(-(2**63), 2**63 - 1), st.sampled_from([2**63 - 1, -(2**63), 0, -1, 2**62, -(2**62)]))


@settings(deadline=None)
@given(st.lists(INTS, min_size=1, max_size=20))
def test_integer_sums_are_exact_in_state_and_mean(values):
    accumulator = folded(IntegerSum, values)
    slot = np.array([0], np.int64)

    exact, count = accumulator.dump(slot)

    assert int(exact[0].as_py()) == sum(values)
    assert count[0].as_py() == len(values)
    assert bits(result(accumulator, "mean")) == bits(float(Fraction(sum(values), len(values))))
    fresh = folded(IntegerSum, [])
    fresh.load(slot, [exact, count])
    assert [column.to_pylist() for column in fresh.dump(slot)] == [[exact[0].as_py()], [len(values)]]


def test_row_47_a_thousand_largest_integers_do_not_wrap():
    accumulator = folded(IntegerSum, [2**63 - 1] * 1000)

    assert int(accumulator.dump(np.array([0]))[0][0].as_py()) == 1000 * (2**63 - 1)


def test_means_over_more_rows_than_the_kernel_divides_by_are_exact():
    integers, floats = folded(IntegerSum, [7]), folded(FloatSum, [7.0])
    integers.lanes[2].values[0] = floats.lanes[1].values[0] = 2**33 + 1

    assert result(integers, "mean") == result(floats, "mean") == 7 / (2**33 + 1)


def test_rows_without_a_pane_and_nulls_add_nothing():
    accumulator = folded(FloatSum, [1.0, None, 2.0, 1e300, 4.0], slots=[0, 0, -1, -1, 1], panes=2)

    assert [result(accumulator, slot=slot) for slot in (0, 1)] == [1.0, 4.0]
    assert accumulator.lanes[1].values[:2].tolist() == [1, 1]


@settings(deadline=None)
@given(st.data())
def test_sums_in_fixed_point_are_rounded_once_whatever_form_their_chunks_have(data):
    width = data.draw(st.integers(2, 7))
    chunk = st.one_of(st.integers(-(2**62), 2**62), st.integers(-4, 4), st.sampled_from([2**32, 2**32 - 1, -(2**32)]))
    rows = data.draw(st.lists(st.lists(chunk, min_size=width, max_size=width), min_size=1, max_size=4))
    slot = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=6))
    divisor = data.draw(
        st.lists(st.one_of(st.just(1), st.integers(1, 2**31 - 1)), min_size=len(slot), max_size=len(slot))
    )
    chunks, out = np.array(rows, np.int64), np.empty(len(slot))

    round_cells(np.array(slot, np.int64), chunks, np.array(divisor, np.int64), -112, out)

    for place, cell, by in zip(out, slot, divisor, strict=True):
        total = sum(value << (32 * c) for c, value in enumerate(rows[cell]))
        assert bits(place) == bits(float(Fraction(total, 2**112) / by))
    assert chunks.tolist() == rows


@pytest.mark.parametrize("values", [[2**61, 2**61], [2**62, 0], [2**62 - 1, 1], [2**61, 2**61, -(2**62)]])
def test_an_integer_sum_at_the_edge_of_its_lower_part_has_one_state(values):
    """The lower part of the state, 62 bits, carries before it is full, not after."""
    told = []
    for part in (values, [sum(values)]):
        cells = Cells(Aggregate("r", "sum", "x"), {"x": pa.int64()}).fold([{"x": value} for value in part])
        assert cells.results() == [sum(values)]
        told.append(cells.state().column(0).to_pylist())

    assert told[0] == told[1]
