"""The tests of Flink's window operator, run here with their rows and watermarks: equal results, or the difference named.

Sources, Apache Flink (Apache License 2.0), ``flink-streaming-java``: ``WindowOperatorTest``, ``EventTimeSessionWindowsTest``,
``SlidingEventTimeWindowsTest``, ``TumblingEventTimeWindows`` as its tests use it. Only inputs and outputs are taken over.
Each watermark of a test is told to the clock; times are milliseconds.
"""

from __future__ import annotations

import pyarrow as pa
import pytest
from tests.peers.published import MILLISECOND, Told, Watermark, run

import arrowflow as af

TYPES = {"key": pa.string(), "value": pa.int64()}


def told(window, events, lateness=0) -> Told:
    """Sums by key over (key, value, time) and watermarks."""
    rows = [
        each if isinstance(each, Watermark) else {"key": each[0], "value": each[1], "t": each[2] * MILLISECOND}
        for each in events
    ]
    return run(window, rows, {"total": "sum(value)"}, types=TYPES, by=["key"], lateness=lateness * MILLISECOND)


def ms(rows):
    return sorted((key, start // MILLISECOND, end // MILLISECOND, total) for key, start, end, total in rows)


OUT_OF_ORDER = [
    ("key2", 1, 3999),
    ("key2", 1, 3000),
    ("key1", 1, 20),
    ("key1", 1, 0),
    ("key1", 1, 999),
    ("key2", 1, 1998),
    ("key2", 1, 1999),
    ("key2", 1, 1000),
]


def by_watermark(out: Told):
    """What each watermark let out: (key, sum)."""
    return {mark: sorted((row[0], row[3]) for row in rows) for mark, rows in out.by_watermark.items() if rows}


def test_tumbling_event_time_windows():
    """``testTumblingEventTimeWindows``: 3 s; a window comes with the watermark of its last millisecond, no sooner."""
    marks = [Watermark(mark) for mark in range(999, 8000, 1000)]
    out = told(af.Tumbling("3s"), [*OUT_OF_ORDER, *marks])

    assert by_watermark(out) == {2999: [("key1", 3), ("key2", 3)], 5999: [("key2", 2)]}


def test_sliding_event_time_windows():
    """``testSlidingEventTimeWindows``: 3 s every second."""
    marks = [Watermark(mark) for mark in range(999, 8000, 1000)]
    out = told(af.Hopping("3s", "1s"), [*OUT_OF_ORDER, *marks])

    assert by_watermark(out) == {
        999: [("key1", 3)],
        1999: [("key1", 3), ("key2", 3)],
        2999: [("key1", 3), ("key2", 3)],
        3999: [("key2", 5)],
        4999: [("key2", 2)],
        5999: [("key2", 2)],
    }


@pytest.mark.parametrize(
    ("origin", "time", "first"),
    [
        *[(0, 0, -4000), (0, 4999, 0), (0, 5000, 1000)],
        *[(100, 100, -3900), (100, 5099, 100), (100, 5100, 1100)],
        *[(-100, 0, -4100), (-100, 4899, -100), (-100, 4900, 900)],
        *[(500, 100, -4500), (500, 5499, 500), (500, 5100, 500)],
    ],
)
def test_window_assignment_of_sliding_event_time_windows(origin, time, first):
    """``SlidingEventTimeWindowsTest``: the five windows of 5 s, one each second, of one element; also before 1970."""
    out = told(af.Hopping("5s", "1s", origin=origin * MILLISECOND), [("k", 1, time)])

    assert ms(out.rows) == [("k", start, start + 5000, 1) for start in range(first, first + 5000, 1000)]


def test_session_windows():
    """``testSessionWindows``: a gap of 3 s; the rows at 2500 and 5501 lie a millisecond further apart than that.

    Flink gives the last session out with the watermark 17999. A row at 18000 would still join it, so here it waits for
    the next one.
    """
    out = told(
        af.Session("3s"),
        [
            ("key2", 1, 0),
            ("key2", 2, 1000),
            ("key2", 3, 2500),
            ("key1", 1, 10),
            ("key1", 2, 1000),
            ("key1", 3, 2500),
            ("key2", 4, 5501),
            ("key2", 5, 6000),
            ("key2", 5, 6000),
            ("key2", 6, 6050),
            Watermark(12000),
            ("key2", 10, 15000),
            ("key2", 20, 15000),
            Watermark(17999),
            Watermark(18000),
        ],
    )

    assert ms(out.by_watermark[12000]) == [("key1", 10, 5500, 6), ("key2", 0, 5500, 6), ("key2", 5501, 9050, 20)]
    assert ms(out.by_watermark[18000]) == [("key2", 15000, 18000, 30)]


def test_an_element_that_merges_two_sessions():
    """``testSessionWindowsWithCountTrigger`` without its trigger: 4500 joins what ended at 5500 and what began at 6000."""
    events = [("key1", 1, 10), ("key1", 2, 1000), ("key1", 3, 2500)]
    events += [("key1", 1, 6000), ("key1", 2, 6500), ("key1", 3, 7000), ("key1", 10, 4500)]
    events += [("key2", 1, 0), ("key2", 2, 1000), ("key2", 3, 2500), ("key2", 4, 3500)]

    assert ms(told(af.Session("3s"), events).rows) == [("key1", 10, 10000, 22), ("key2", 0, 6500, 10)]


def test_merge_consecutive_windows():
    """``testMergeConsecutiveWindows``: [0, 1), [1, 2), [2, 3) touch and become one; [4, 5), [5, 6) another.

    So for Flink, as here, elements exactly one gap apart belong together.
    """
    out = told(af.Session(1 * MILLISECOND), [("k", 1, time) for time in (0, 1, 2, 4, 5)])

    assert ms(out.rows) == [("k", 0, 3, 3), ("k", 4, 6, 2)]


def test_drop_due_to_lateness_tumbling():
    """``testDropDueToLatenessTumbling``: 2 s, no lateness; 1980 comes in time behind 1985, 1998 too late behind 1999."""
    out = told(
        af.Tumbling("2s"),
        [
            ("key2", 1, 1000),
            Watermark(1985),
            ("key2", 1, 1980),
            Watermark(1999),
            ("key2", 1, 1998),
            ("key2", 1, 2001),
            Watermark(2999),
            Watermark(3999),
        ],
    )

    assert by_watermark(out) == {1999: [("key2", 2)], 3999: [("key2", 1)]}
    assert out.late == [1998 * MILLISECOND]


def test_drop_due_to_lateness_sliding():
    """``testDropDueToLatenessSliding``: two elements at 2400 are too late for the first of their windows only."""
    out = told(
        af.Hopping("3s", "1s"),
        [
            ("key2", 1, 1000),
            Watermark(1999),
            ("key2", 1, 2000),
            Watermark(3000),
            ("key1", 1, 3001),
            ("key2", 1, 2400),
            ("key2", 1, 2400),
            ("key1", 1, 3001),
            ("key2", 1, 3900),
            Watermark(6000),
            ("key1", 1, 3001),
            Watermark(25000),
        ],
    )

    assert by_watermark(out) == {
        1999: [("key2", 1)],
        3000: [("key2", 2)],
        6000: [("key1", 2)] * 3 + [("key2", 1), ("key2", 4), ("key2", 5)],
    }
    assert out.missed == [2400 * MILLISECOND] * 2
    assert out.late == [3001 * MILLISECOND]


@pytest.mark.parametrize(("mark", "late"), [(5998, []), (5999, [3001 * MILLISECOND])])
def test_the_last_window_of_an_element_is_late_with_the_watermark_of_its_last_millisecond(mark, late):
    """The element at 3001 of the test above, at the edge: ``isWindowLate`` compares ``maxTimestamp`` with ``<=``."""
    out = told(af.Hopping("3s", "1s"), [("key1", 1, 3001), Watermark(mark), ("key1", 1, 3001)])

    assert out.late == late


# ---- where the results differ ---------------------------------------------------------------------------------------


def test_lateness_is_waited_for_and_not_given_out_twice():
    """``testLateness``: 2 s and 500 ms. The same rows are late; Flink fires at 1999 and for 1997 once more, we once."""
    events = [
        ("key2", 1, 500),
        Watermark(1500),
        ("key2", 1, 1300),
        Watermark(2300),
        ("key2", 1, 1997),
        Watermark(6000),
        ("key2", 1, 1998),
        Watermark(7000),
    ]
    out = told(af.Tumbling("2s"), events, lateness=500)

    flink = {2300: [("key2", 2)], 6000: [("key2", 1)]}
    assert by_watermark(out) == {6000: [("key2", sum(total for [(_, total)] in flink.values()))]}
    assert out.late == [1998 * MILLISECOND]


SESSION_LATENESS = [
    ("key2", 1, 1000),
    Watermark(1999),
    ("key2", 1, 2000),
    Watermark(4998),
    ("key2", 1, 4500),
    ("key2", 1, 8500),
    Watermark(7400),
    ("key2", 1, 7000),
    Watermark(11501),
    ("key2", 1, 11600),
    Watermark(14600),
    ("key2", 1, 10000),
    ("key2", 1, 14500),
    Watermark(20000),
]
"""``testDropDueToLatenessSessionZeroLateness``: a gap of 3 s. Flink gives three sessions and drops 10000."""
IN_FLINK = [("key2", 1000, 11500, 5), ("key2", 11600, 14600, 1), ("key2", 14500, 17500, 1)]


def test_without_lateness_a_session_takes_no_row_behind_the_clock():
    """4500 and 7000 are behind the watermark: Flink lets them join an open session, here they are late by themselves."""
    out = told(af.Session("3s"), SESSION_LATENESS)

    assert out.late == [time * MILLISECOND for time in (4500, 7000, 10000, 14500)]
    assert ms(out.rows) == [("key2", 1000, 5000, 2), ("key2", 8500, 11500, 1), ("key2", 11600, 14600, 1)]


def test_with_a_lateness_of_almost_a_gap_the_same_rows_are_late_as_in_flink():
    """And the rows at 11600 and 14500, 2900 ms apart, are one session. Flink had given out its first half by then."""
    out = told(af.Session("3s"), SESSION_LATENESS, lateness=2999)

    assert out.late == [10000 * MILLISECOND]
    assert ms(out.rows) == [IN_FLINK[0], ("key2", 11600, 17500, 2)]
