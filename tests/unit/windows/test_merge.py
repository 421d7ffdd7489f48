from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.windows.cells import PARTITIONS, Cells
from tests.unit.windows.custom import Spread
from tests.unit.windows.values import ANY_FLOATS, INTEGERS, TEXTS, UNSIGNED, decimals

from arrowflow.windows.digest import digest_of
from arrowflow.windows.plan import Aggregate

CENTS = pa.decimal128(38, 2)
CASES = {
    "count": (Aggregate("r", "count", "x"), pa.int64(), INTEGERS),
    "sum of integers": (Aggregate("r", "mean", "x"), pa.int64(), INTEGERS),
    "sum of uint64": (Aggregate("r", "sum", "x", ("decimal",)), pa.uint64(), UNSIGNED),
    "sum of floats": (Aggregate("r", "sum", "x"), pa.float64(), ANY_FLOATS),
    "sum of decimals": (Aggregate("r", "sum", "x"), CENTS, decimals(2, st.integers(-(10**36), 10**36))),
    "min": (Aggregate("r", "min", "x"), pa.float64(), ANY_FLOATS),
    "max": (Aggregate("r", "max", "x"), pa.float64(), ANY_FLOATS),
    "min of decimals": (Aggregate("r", "min", "x"), CENTS, decimals(2)),
    "max of decimals": (Aggregate("r", "max", "x"), CENTS, decimals(2)),
    "min of strings": (Aggregate("r", "min", "x"), pa.string(), TEXTS),
    "max of strings": (Aggregate("r", "max", "x"), pa.string(), TEXTS),
    "first": (Aggregate("r", "first", "x"), pa.int64(), INTEGERS),
    "last": (Aggregate("r", "last", "x"), pa.int64(), INTEGERS),
    "last string": (Aggregate("r", "last", "x"), pa.string(), TEXTS),
    "last decimal": (Aggregate("r", "last", "x"), CENTS, decimals(2)),
    "var of floats": (Aggregate("r", "var", "x"), pa.float64(), ANY_FLOATS),
    "var of integers": (Aggregate("r", "stddev", "x"), pa.int64(), INTEGERS),
    "var of decimals": (Aggregate("r", "var", "x"), CENTS, decimals(2)),
    "distinct integers": (Aggregate("r", "count_distinct", "x", (4,)), pa.int64(), st.integers(0, 9)),
    "distinct floats": (Aggregate("r", "count_distinct", "x"), pa.float64(), ANY_FLOATS),
    "distinct strings": (Aggregate("r", "count_distinct", "x", (4,)), pa.string(), TEXTS),
    "distinct decimals": (Aggregate("r", "count_distinct", "x", (2,)), CENTS, decimals(2)),
    "quantile": (Aggregate("r", "quantile", "x", (0.5,)), pa.float64(), ANY_FLOATS),
    "weighted": (Aggregate("r", "weighted_mean", "x", ("x",)), pa.float64(), ANY_FLOATS),
    "weighted decimals": (Aggregate("r", "weighted_mean", "x", ("x",)), CENTS, decimals(2)),
    "quality": (Aggregate("r", "quality_mean", "x", ("x",)), pa.int64(), INTEGERS),
    "custom": (Aggregate("r", Spread(), "x"), pa.int64(), INTEGERS),
}
EACH = pytest.mark.parametrize("name", list(CASES))


def drawn_rows(data, values, size=8):
    """(values, event time, partition, offset): every place is there once."""
    held = data.draw(st.lists(st.tuples(st.none() | values, st.integers(0, 3)), max_size=size))
    return [
        ({"x": value, "_event_us": event_us, "_offset": place}, place % len(PARTITIONS))
        for place, (value, event_us) in enumerate(held)
    ]


def fold_all(cells, rows, cell):
    for row, partition in rows:
        cells.fold([row], cell, partition)


@EACH
@settings(deadline=None)
@given(data=st.data())
def test_parts_merged_are_one_pass_over_all(name, data):
    aggregate, kind, values = CASES[name]
    rows = drawn_rows(data, values)
    part = [data.draw(st.integers(0, 2)) for _row in rows]
    cells, whole = Cells(aggregate, {"x": kind}, 3), Cells(aggregate, {"x": kind}, 3)
    for row, cell in zip(rows, part, strict=True):
        fold_all(cells, [row], cell)
    fold_all(whole, rows, 0)

    cells.merge((0, 1), (0, 2))

    assert cells.states()[0] == whole.states()[0]
    assert repr(cells.results()[0]) == repr(whole.results()[0])


@EACH
@settings(deadline=None)
@given(data=st.data())
def test_pairs_are_merged_one_after_the_other_and_sources_keep_what_they_hold(name, data):
    aggregate, kind, values = CASES[name]
    pairs = data.draw(st.lists(st.permutations(range(4)).map(lambda order: order[:2]), max_size=5))
    at_once, stepwise = Cells(aggregate, {"x": kind}, 4), Cells(aggregate, {"x": kind}, 4)
    for cell in range(4):
        rows = drawn_rows(data, values, 3)
        fold_all(at_once, rows, cell)
        fold_all(stepwise, rows, cell)

    at_once.merge(*pairs)
    for into, source in pairs:
        before = stepwise.states()
        stepwise.merge((into, source))
        assert [state for cell, state in enumerate(stepwise.states()) if cell != into] == [
            state for cell, state in enumerate(before) if cell != into
        ]

    assert at_once.states() == stepwise.states()


@EACH
@settings(deadline=None)
@given(data=st.data())
def test_a_blank_cell_is_neutral_on_either_side(name, data):
    aggregate, kind, values = CASES[name]
    rows = drawn_rows(data, values)
    cells = Cells(aggregate, {"x": kind}, 4)
    fold_all(cells, rows, 0)
    held, blank = cells.states()[0], cells.states()[1]

    cells.merge((0, 1), (2, 0), (1, 3))

    assert cells.states() == [held, blank, held, blank]


@EACH
@settings(deadline=None)
@given(data=st.data())
def test_what_was_written_is_read_and_goes_on(name, data):
    aggregate, kind, values = CASES[name]
    rows = drawn_rows(data, values)
    cut = data.draw(st.integers(0, len(rows)))
    cells, whole = Cells(aggregate, {"x": kind}, 2), Cells(aggregate, {"x": kind}, 2)
    fold_all(cells, rows[:cut], 0)
    fold_all(whole, rows, 0)

    fresh = Cells(aggregate, {"x": kind}, 2).load(cells.state())
    assert fresh.state().equals(cells.state()) or fresh.states() == cells.states()
    fold_all(fresh, rows[cut:], 0)

    assert fresh.states() == whole.states()
    assert repr(fresh.results()) == repr(whole.results())


@EACH
@settings(deadline=None)
@given(data=st.data())
def test_one_set_of_rows_has_one_state_whatever_their_order_and_cutting(name, data):
    aggregate, kind, values = CASES[name]
    rows = drawn_rows(data, values)
    straight, other = Cells(aggregate, {"x": kind}), Cells(aggregate, {"x": kind})
    for partition in range(len(PARTITIONS)):
        straight.fold([row for row, home in rows if home == partition], 0, partition)

    fold_all(other, data.draw(st.permutations(rows)), 0)

    assert other.states() == straight.states()
    assert digest_of(other.state()) == digest_of(straight.state())


@EACH
@settings(deadline=None)
@given(data=st.data())
def test_cells_of_one_source_go_their_own_ways(name, data):
    """Lanes are copied by reference: what one cell takes in later never shows in another."""
    aggregate, kind, values = CASES[name]
    cells = Cells(aggregate, {"x": kind}, 3)
    fold_all(cells, drawn_rows(data, values), 0)
    for lane in cells.accumulator.lanes:
        lane.values[1] = lane.values[0]
    held = cells.states()[0]
    fold_all(cells, drawn_rows(data, values), 2)

    cells.merge((1, 2))

    assert cells.states()[0] == held


@pytest.mark.parametrize("sign", [1, -1])
def test_sums_whose_last_chunks_would_overflow_together_are_merged_exactly(sign):
    cells = Cells(Aggregate("r", "sum", "x"), {"x": pa.float64()}, 2)
    cells.fold([{"x": 1.0}, {"x": 0.5}], [0, 1])
    chunks = cells.accumulator.lanes[0].values
    chunks[:, -1] = sign * (2**62 + 7)

    cells.merge((0, 1), (0, 1))

    assert cells.results()[0] == sign * 3 * float(2**62 + 7) * 2.0**48
    exact = cells.accumulator.total.number.total(0)
    assert exact == (sign * 3 * ((2**62 + 7) << 160) << (1074 - 112)) + (2 << 1074)


@pytest.mark.parametrize(("kind", "name"), [(pa.int64(), "count"), (pa.float64(), "sum")])
def test_merging_no_pairs_changes_nothing(kind, name):
    cells = Cells(Aggregate("r", name, "x"), {"x": kind}, 2).fold([{"x": 1}], 1)

    cells.accumulator.merge(np.empty(0, np.int64), np.empty(0, np.int64))

    assert cells.results() == [0 if name == "count" else None, 1]
