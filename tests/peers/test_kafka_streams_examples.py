"""Kafka Streams' own examples: its sliding windows that end at a record, and its sessions.

Sources, Apache Kafka (Apache License 2.0): ``KStreamSlidingWindowAggregateTest``, ``KStreamSessionWindowAggregateProcessorTest``
and the documentation of ``SessionWindows``. Only inputs and outputs are taken over. Times are milliseconds.

Two things are written otherwise there. A sliding window of a time difference of 10 is ``[t - 10, t]``, and besides those
that end at a record there are others that begin right after one; compared are the former. A session is called
``[first, last]``, here ``[first, last + gap)``.
"""

from __future__ import annotations

import pyarrow as pa
import pytest
from tests.peers.published import MILLISECOND, run

import arrowflow as af

TYPES = {"key": pa.string(), "value": pa.int64()}
FIRST_TO_LAST = {"n": "count()", "first": "first(value)", "last": "last(value)", "total": "sum(value)"}
GAP = 5 * 60 * 1000


def told(window, records, aggregate):
    rows = [{"key": key, "value": value, "t": time * MILLISECOND} for key, value, time in records]
    out = run(window, rows, aggregate, types=TYPES, by=["key"])
    assert out.late == []
    return sorted((key, start // 1000, end // 1000, *values) for key, start, end, *values in out.rows)


SMALL = [(1, 10), (2, 10), (3, 14), (4, 15), (5, 20), (6, 22), (7, 30)]
SMALL_WINDOWS = {
    (0, 10): [1, 2],
    (4, 14): [1, 2, 3],
    (5, 15): [1, 2, 3, 4],
    (10, 20): [1, 2, 3, 4, 5],
    (12, 22): [3, 4, 5, 6],
    (20, 30): [5, 6, 7],
}
LARGE = [
    *[("A", 1, 10), ("A", 2, 20), ("A", 3, 22), ("A", 4, 15)],
    *[("B", 1, 12), ("B", 2, 13), ("B", 3, 18), ("B", 4, 19), ("B", 5, 25), ("B", 6, 14)],
    *[("C", 1, 11), ("C", 2, 15), ("C", 3, 16), ("C", 4, 21), ("C", 5, 23)],
    *[("D", 4, 11), ("D", 2, 12), ("D", 3, 29), ("D", 5, 16)],
]
LARGE_WINDOWS = {
    "A": {(0, 10): [1], (5, 15): [1, 4], (10, 20): [1, 2, 4], (12, 22): [2, 3, 4]},
    "B": {
        (2, 12): [1],
        (3, 13): [1, 2],
        (4, 14): [1, 2, 6],
        (8, 18): [1, 2, 3, 6],
        (9, 19): [1, 2, 3, 4, 6],
        (15, 25): [3, 4, 5],
    },
    "C": {(1, 11): [1], (5, 15): [1, 2], (6, 16): [1, 2, 3], (11, 21): [1, 2, 3, 4], (13, 23): [2, 3, 4, 5]},
    "D": {(1, 11): [4], (2, 12): [4, 2], (6, 16): [4, 2, 5], (19, 29): [3]},
}
"""The last value of each window that ends at a record ("left window"), of the test's run with a grace of 50."""


def windows(table, key):
    return {(key, start, end, len(values), sum(values)) for (start, end), values in table.items()}


def test_aggregate_small_input():
    """``testAggregateSmallInput``: a time difference of 10."""
    found = told(
        af.Sliding(10 * MILLISECOND, closed="both"),
        [("A", *each) for each in SMALL],
        {"n": "count()", "s": "sum(value)"},
    )

    assert set(found) == windows(SMALL_WINDOWS, "A")
    assert len(found) == len(SMALL)  # here each row has a result: two at 10


def test_aggregate_large_input():
    """``testAggregateLargeInput``: records of four keys, out of order."""
    found = told(af.Sliding(10 * MILLISECOND, closed="both"), LARGE, {"n": "count()", "s": "sum(value)"})

    expected = set().union(*(windows(table, key) for key, table in LARGE_WINDOWS.items()))
    assert set(found) == expected
    assert len(found) == len(LARGE)


def sessions(found):
    """As Kafka Streams writes them: (key, first, last, count)."""
    return [(key, start, end - GAP, n) for key, start, end, n in found]


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        pytest.param([(0, 1), (500, 2)], [("k", 0, 500, 2)], id="shouldCreateSingleSessionWhenWithinGap"),
        pytest.param([(0, 1), (0, 2)], [("k", 0, 0, 2)], id="shouldUpdateSessionIfTheSameTime"),
        pytest.param([(0, 1), (GAP + 1, 2), (GAP // 2, 3)], [("k", 0, GAP + 1, 3)], id="shouldMergeSessions"),
        pytest.param(
            [(0, 1), *[(GAP + 1, 2)] * 2, *[(2 * GAP + 2, 3)] * 3],
            [("k", 0, 0, 1), ("k", GAP + 1, GAP + 1, 2), ("k", 2 * GAP + 2, 2 * GAP + 2, 3)],
            id="shouldHaveMultipleSessionsForSameIdWhenTimestampApartBySessionGap",
        ),
    ],
)
def test_session_window_aggregate_processor(records, expected):
    found = told(af.Session(GAP * MILLISECOND), [("k", value, time) for time, value in records], {"n": "count()"})

    assert sessions(found) == expected


def test_should_handle_multiple_sessions_and_merging():
    """``shouldHandleMultipleSessionsAndMerging``."""
    half, next_ = GAP // 2, GAP + 1
    records = [("a", 1, 0), ("b", 1, 0), ("c", 1, 0), ("d", 1, 0), ("d", 2, half), ("a", 2, next_), ("b", 2, next_)]
    records += [("a", 3, next_ + half), ("c", 3, next_ + half)]

    assert sessions(told(af.Session(GAP * MILLISECOND), records, {"n": "count()"})) == [
        ("a", 0, 0, 1),
        ("a", next_, next_ + half, 2),
        ("b", 0, 0, 1),
        ("b", next_, next_, 1),
        ("c", 0, 0, 1),
        ("c", next_ + half, next_ + half, 1),
        ("d", 0, half, 2),
    ]


def test_documentation_of_session_windows():
    """A gap of 5 and times 10, 12, 20: two sessions; a record at 16 makes them one, with all four values."""
    gap = af.Session(5 * MILLISECOND)
    three = [("A", 1, 10), ("A", 2, 12), ("A", 3, 20)]

    assert told(gap, three, {"n": "count()"}) == [("A", 10, 17, 2), ("A", 20, 25, 1)]
    assert told(gap, [*three, ("A", 4, 16)], FIRST_TO_LAST) == [("A", 10, 25, 4, 1, 3, 10)]
