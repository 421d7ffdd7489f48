from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.oracles.windows import MAX_US, clocks

from arrowflow.types import MIN_US, PartitionClock, SourcePartition
from arrowflow.windows.clocks import raise_floor, tick, watermark_us
from arrowflow.windows.kernels.clocks import tick_all, tick_rows

ANY = st.one_of(st.integers(MIN_US, MAX_US), st.integers(-50, 50), st.sampled_from([MIN_US, MAX_US]))
A, B = SourcePartition("in", "t", 0), SourcePartition("in", "t", 1)


def ticked(clock, events, tolerance=0, limit=None, valid=None):
    n = len(events)
    return tick(
        clock,
        np.array(events, np.int64),
        np.ones(n, np.bool_) if valid is None else np.array(valid),
        None if limit is None else np.array(limit, np.int64),
        tolerance,
    )


@settings(deadline=None)
@given(
    st.lists(st.tuples(ANY, st.booleans(), ANY)),
    st.booleans(),
    st.one_of(st.integers(0, 60), st.integers(0, MAX_US)),
    st.one_of(st.none(), ANY),
    st.one_of(st.none(), ANY),
)
def test_the_kernel_equals_the_oracle(rows, limited, tolerance, seen, floor):
    events, valid, limits = ([row[i] for row in rows] for i in range(3))
    before, ahead, after = clocks(
        [event if ok else None for event, ok in zip(events, valid, strict=True)],
        tolerance,
        limits if limited else None,
        seen,
        floor,
    )

    got = ticked(
        PartitionClock(max_event_us=seen, floor_us=floor), events, tolerance, limits if limited else None, valid
    )

    assert got.clock_us.tolist() == before
    assert got.ahead.tolist() == ahead
    assert got.clock == PartitionClock(max_event_us=after, floor_us=floor)


@settings(deadline=None)
@given(st.lists(ANY, min_size=1), st.one_of(st.integers(0, 60), st.integers(0, MAX_US)), ANY)
def test_rows_that_all_have_a_time_are_ticked_as_the_others(events, tolerance, clock):
    event_us, every = np.array(events, np.int64), np.ones(len(events), np.bool_)
    quick, slow, ahead = (np.empty(len(events), dtype) for dtype in (np.int64, np.int64, np.bool_))
    tick_all(event_us, tolerance, clock, quick)
    tick_rows(event_us, every, np.empty(0, np.int64), tolerance, 0, False, clock, slow, ahead)

    assert quick.tolist() == slow.tolist()


def test_a_row_is_judged_by_rows_at_smaller_offsets_only():
    got = ticked(PartitionClock(), [100, 50, 200], tolerance=10)

    assert got.clock_us.tolist() == [MIN_US, 90, 90]
    assert got.clock.clock_us(10) == 190


def test_row_33_an_event_a_year_ahead_does_not_advance_the_clock():
    year = 365 * 86_400_000_000
    got = ticked(PartitionClock(), [100, year, 101], limit=[1000, 1000, 1000])

    assert got.ahead.tolist() == [False, True, False]
    assert got.clock.max_event_us == 101


def test_a_row_exactly_at_the_limit_is_credible():
    assert ticked(PartitionClock(), [1000, 1001], limit=[1000, 1000]).ahead.tolist() == [False, True]


def test_cutting_a_stream_anywhere_gives_the_same_clocks():
    events = [5, 1, 9, 3, 20, 2]
    whole = ticked(PartitionClock(), events, 4)

    for cut in range(len(events) + 1):
        left = ticked(PartitionClock(), events[:cut], 4)
        right = ticked(left.clock, events[cut:], 4)
        assert [*left.clock_us, *right.clock_us] == whole.clock_us.tolist()
        assert right.clock == whole.clock


def test_ticking_takes_read_only_arrays():
    events = np.array([1, 2], np.int64)
    events.flags.writeable = False

    assert tick(PartitionClock(), events, events > 0, None, 0).clock.max_event_us == 2


def test_idleness_and_floor_survive_a_tick():
    assert ticked(PartitionClock(floor_us=7, idle=True), [1]).clock == PartitionClock(
        max_event_us=1, floor_us=7, idle=True
    )


@pytest.mark.parametrize(
    ("clocks_by_partition", "watermark"),
    [
        ({}, None),
        ({A: PartitionClock(max_event_us=100)}, 90),
        ({A: PartitionClock(max_event_us=100), B: PartitionClock(max_event_us=50)}, 40),
        ({A: PartitionClock(max_event_us=100), B: PartitionClock()}, MIN_US),
        ({A: PartitionClock(max_event_us=100), B: PartitionClock(idle=True)}, 90),
        ({A: PartitionClock(max_event_us=100, idle=True), B: PartitionClock(idle=True)}, None),
        ({A: PartitionClock(max_event_us=100, floor_us=95)}, 95),
    ],
)
def test_the_watermark_is_the_least_clock_that_is_not_idle(clocks_by_partition, watermark):
    assert watermark_us(clocks_by_partition, 10) == watermark


def test_row_39_a_floor_is_never_lowered_and_keeps_the_clock_up_under_a_larger_tolerance():
    before = PartitionClock(max_event_us=100)
    restarted = raise_floor(before, before.clock_us(10))

    assert restarted.clock_us(10_000) == 90
    assert raise_floor(restarted, 50) == restarted
    assert raise_floor(restarted, 91).floor_us == 91
