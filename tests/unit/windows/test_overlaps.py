from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.oracles.windows import Row
from tests.unit.windows.drive import Drive

from arrowflow.windows.kernels.overlaps import find_due, group_panes, order_ends
from arrowflow.windows.kinds.overlapping import _shared
from arrowflow.windows.spec import Aggregate, Hopping, WindowSpec

SCHEMA = pa.schema([pa.field("k", pa.string())])


@st.composite
def panes(draw):
    """Per key some panes by their first and last due end; ends of most keys ascend, those of others do as they like."""
    keys = []
    for _ in range(draw(st.integers(1, 4))):
        found = sorted(draw(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 5)), max_size=9)))
        low, high = [low for low, _more in found], [low + more for low, more in found]
        if draw(st.integers(0, 3)):
            high = [max(pair) for pair in zip(low, sorted(high), strict=True)]
        keys.append(list(zip(low, high, strict=True)))
    return keys


@settings(deadline=None)
@given(panes(), st.sampled_from([1, 5]), st.sampled_from([-40, 0, 2**63 - 100, -(2**63) + 9]))
def test_each_window_gets_what_its_panes_hold_once(keys, stride, base):
    low = np.array([base + low * stride for key in keys for low, _high in key], np.int64)
    high = np.array([base + high * stride for key in keys for _low, high in key], np.int64)
    first = np.cumsum([0, *map(len, keys)])
    expected = {}
    for key, (begin, stop) in enumerate(pairwise(first.tolist())):
        for pane in range(begin, stop):
            for end in range(int(low[pane]), int(high[pane]) + 1, stride):
                expected.setdefault((key, end), []).append(pane)

    share = _shared(low, high, first, stride)

    held = [[pane] for pane in range(len(low))] + [[] for _ in range(share.slots - len(low))]
    for into, source in zip(share.into.tolist(), share.source.tolist(), strict=True):
        held[into] = held[into] + held[source]
    owner = np.searchsorted(first, share.pane, side="right") - 1
    windows = list(zip(owner.tolist(), share.end_us.tolist(), strict=True))
    assert len(set(windows)) == len(windows)
    assert {window: sorted(held[at]) for window, at in zip(windows, share.at.tolist(), strict=True)} == expected
    assert all(pane in expected[window] for window, pane in zip(windows, share.pane.tolist(), strict=True))


def test_windows_that_follow_one_another_share_their_merges():
    """Of a hundred windows over six panes each: six merges each from scratch, three and a few with what they share."""
    low = np.maximum(np.arange(105) - 5, 0) + 5
    high = np.minimum(np.arange(105) + 5, 104)

    share = _shared(low, high, np.array([0, 105]), 1)

    assert len(share.end_us) == 100
    assert len(share.into) <= 300
    assert share.slots == 105, "no slot but those of the panes"


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(-5, 5), st.integers(-5, 5)), max_size=40))
def test_panes_are_grouped_by_key_and_ordered_by_their_ends(rows):
    rank, low, high = (np.array([row[c] for row in rows], np.int64) for c in range(3))
    first, (order, low_out, high_out) = np.zeros(6, np.int64), np.empty((3, len(rows)), np.int64)

    ordered = group_panes(rank, low, high, first, order, low_out, high_out)

    assert first.tolist() == [sum(each < key for each in rank.tolist()) for key in range(6)]
    if ordered:
        assert [rows[place] for place in order] == sorted(rows)
        assert sorted(order.tolist()) == list(range(len(rows)))
        assert low_out.tolist() == low[order].tolist()
        assert high_out.tolist() == high[order].tolist()
    assert ordered or len(rows) > 8


def test_grouping_gives_up_on_panes_far_out_of_order():
    falling = np.arange(100, 0, -1)
    first, out = np.zeros(2, np.int64), np.empty((3, 100), np.int64)

    assert not group_panes(np.zeros(100, np.int64), falling, falling, first, *out)
    assert first.tolist() == [0, 100]


@settings(deadline=None)
@given(st.data())
def test_panes_with_windows_due_are_found_with_the_last_of_those(data):
    stride, times = data.draw(st.sampled_from([(2, 3), (5, 1), (5, 4)]))
    hopping, origin = data.draw(st.booleans()), data.draw(st.integers(-20, 20))
    size, pane = stride * times, stride
    period = stride if hopping else size
    starts, nexts, limits = [], [], []
    for _ in range(data.draw(st.integers(0, 12))):
        start = origin + pane * data.draw(st.integers(-3, 3))
        last = start - (start - origin) % period + size
        starts.append(start)
        nexts.append(last - stride * data.draw(st.integers(0, (last - start) // stride - 1)))
        limits.append(data.draw(st.integers(-40, 60)))
    which, high, final = (np.empty(len(starts), np.int64) for _ in range(3))
    columns = [np.array(column, np.int64) for column in (starts, nexts, limits)]

    found = find_due(*columns, size, period, origin, stride, which, high, final)

    expected = []
    for place, (start, begin, limit) in enumerate(zip(starts, nexts, limits, strict=True)):
        last = start - (start - origin) % period + size
        ends = [end for end in range(begin, last + 1, stride) if end <= limit]
        if ends:
            expected.append((place, ends[-1], last))
    assert list(zip(*(column[:found].tolist() for column in (which, high, final)), strict=True)) == expected


def test_panes_that_differ_in_their_clock_alone_are_told_apart():
    """As under scope "partition"; what is worked out for one pane serves the next only where nothing differs."""
    which, high, last = (np.empty(3, np.int64) for _ in range(3))
    columns = [np.array(column, np.int64) for column in ([0, 0, 0], [10, 10, 10], [10, 20, 5])]

    assert find_due(*columns, 30, 10, 0, 10, which, high, last) == 2
    assert (which[:2].tolist(), high[:2].tolist(), last[:2].tolist()) == ([0, 1], [10, 20], [30, 30])


@settings(deadline=None)
@given(st.lists(st.integers(-9, 9), max_size=30), st.sampled_from([1, 5]), st.sampled_from([0, -(2**62), 2**62]))
def test_windows_are_ordered_by_end_and_else_stay_as_they_are(places, stride, far):
    ends = [stride * place + far * (place % 2 == 0) for place in places]
    order = np.empty(len(ends), np.int64)

    ordered = order_ends(np.array(ends, np.int64), stride, order)

    if ordered:
        assert order.tolist() == sorted(range(len(ends)), key=lambda place: ends[place])
    assert ordered or max(ends) - min(ends) > stride * (len(ends) // 2)


@pytest.mark.parametrize("late", [False, True])
def test_hopping_windows_come_by_start_and_key_with_a_sort_and_without(late):
    """Rows of several keys close together; a late row of one makes its panes begin and end in no one order."""
    drive = Drive(WindowSpec(Hopping(20, 5), ("k",), (Aggregate("n", "count"),)), SCHEMA)
    for offset, (key, event) in enumerate([("b", 1), ("a", 2), ("c", 7), ("b", 8), ("a", 13), ("c", 14), ("b", 14)]):
        drive.fold([Row("t", 0, offset, event, (key,), {})])
    if late:
        drive.fold([Row("t", 0, 9, 2, ("b",), {})])
    due = drive.operator._kind.due(drive.operator._before_time(drive.operator._state.slots))
    assert due.ordered != late

    results = drive.finish().results

    found = [(each["window_start"], each["k"], each["n"]) for each in results]
    assert found == sorted(found)
    assert sum(n for _start, _key, n in found) == 7 * 4 + late * 2
