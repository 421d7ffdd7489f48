"""Spark's own examples give the rows that Spark prints: docstrings of PySpark, and Spark's tests of windows.

Sources, Apache Spark (Apache License 2.0): docstrings of ``pyspark.sql.functions.window`` and ``session_window``;
``DataFrameTimeWindowingSuite``, ``DataFrameSessionWindowingSuite``, ``EventTimeWatermarkSuite`` and
``StreamingSessionWindowSuite``. Only inputs and outputs are taken over. `test_same_rows.py` runs Spark itself.
"""

from __future__ import annotations

import pyarrow as pa
import pytest
from tests.peers.published import MILLISECOND, SECOND, at, cells, run

import arrowflow as af

TYPES = {"value": pa.int64(), "id": pa.string()}
DAY = "2016-03-27 "


def rows(*given):
    return [{"t": at(DAY + time), "value": value, "id": key} for time, value, key in given]


def batch(window, given, by=(), aggregate=None):
    """A batch: nothing is late. Rows (keys…, start, end, values…)."""
    out = run(window, given, aggregate or {"n": "count()"}, types=TYPES, by=by)
    assert out.late == out.missed == []
    return sorted(out.rows)


def printed(table, values=1):
    """Rows (keys…, start, end, numbers…)."""
    found = []
    for row in cells(table):
        *key, start, end = row[:-values]
        found.append((*key, at(DAY + start), at(DAY + end), *map(int, row[-values:])))
    return sorted(found)


THREE = rows(("19:39:34", 1, "a"), ("19:39:56", 2, "a"), ("19:39:27", 4, "b"))
SLIDING = """
19:39:18 | 19:39:28 | 1
19:39:21 | 19:39:31 | 1
19:39:24 | 19:39:34 | 1
19:39:27 | 19:39:37 | 2
19:39:30 | 19:39:40 | 1
19:39:33 | 19:39:43 | 1
19:39:48 | 19:39:58 | 1
19:39:51 | 19:40:01 | 1
19:39:54 | 19:40:04 | 1
"""
MILLISECONDS = """
09:00:00.240 | 09:00:00.440 | 1
09:00:00.280 | 09:00:00.480 | 1
09:00:00.320 | 09:00:00.520 | 1
09:00:00.360 | 09:00:00.560 | 1
09:00:00.400 | 09:00:00.600 | 1
09:00:00.440 | 09:00:00.640 | 1
09:00:00.480 | 09:00:00.680 | 1
09:00:00.520 | 09:00:00.720 | 2
09:00:00.560 | 09:00:00.760 | 2
09:00:00.600 | 09:00:00.800 | 2
09:00:00.640 | 09:00:00.840 | 1
09:00:00.680 | 09:00:00.880 | 1
"""
FRACTIONS = rows(("09:00:00.410", 3, ""), ("09:00:00.620", 6, ""), ("09:00:00.715", 8, ""))
ONE = rows(("19:39:30", 1, "a"))
TWO = rows(("19:39:30", 1, "a"), ("19:39:25", 2, "a"))


@pytest.mark.parametrize(
    ("window", "given", "table"),
    [
        pytest.param(af.Tumbling("10s"), ONE, "19:39:30 | 19:39:40 | 1", id="simple tumbling window"),
        pytest.param(af.Tumbling("10s", origin=-5 * SECOND), TWO, "19:39:25 | 19:39:35 | 2", id="negative start time"),
        pytest.param(af.Hopping("10s", "3s"), THREE, SLIDING, id="sliding window grouping"),
        pytest.param(af.Hopping("200ms", "40ms"), FRACTIONS, MILLISECONDS, id="millisecond precision sliding windows"),
    ],
)
def test_time_windowing_suite(window, given, table):
    """Tests of ``DataFrameTimeWindowingSuite`` by their names."""
    assert batch(window, given) == printed(table)


def test_tumbling_windows_by_value():
    """ "tumbling window with multi-column projection": one window each."""
    table = """
    19:39:20 | 19:39:30 | 4
    19:39:30 | 19:39:40 | 1
    19:39:50 | 19:40:00 | 2
    """
    assert batch(af.Tumbling("10s"), THREE, aggregate={"value": "sum(value)"}) == printed(table)


def test_negative_timestamps():
    """ "negative timestamps": a start time of 5 s puts the row at second 2 of 1970 into a window that began in 1969."""
    given = [{"t": 2 * SECOND, "value": 1, "id": ""}, {"t": 12 * SECOND, "value": 2, "id": ""}]

    found = batch(af.Tumbling("10s", origin="5s"), given, aggregate={"value": "sum(value)"})

    assert found == [(-5 * SECOND, 5 * SECOND, 1), (5 * SECOND, 15 * SECOND, 2)]


FIVE = rows(
    ("19:39:34", 1, "a"), ("19:39:39", 1, "a"), ("19:39:56", 2, "a"), ("19:40:04", 2, "a"), ("19:39:27", 4, "b")
)
OVERLAPPED = rows(
    ("19:39:34", 1, "a"), ("19:39:39", 1, "b"), ("19:39:40", 2, "a"), ("19:39:45", 2, "b"), ("19:39:27", 4, "b")
)


@pytest.mark.parametrize(
    ("given", "table"),
    [
        pytest.param(
            FIVE,
            """
            b | 19:39:27 | 19:39:37 | 1 | 4
            a | 19:39:34 | 19:39:49 | 2 | 2
            a | 19:39:56 | 19:40:14 | 2 | 4
            """,
            id="multiple keys",
        ),
        pytest.param(
            OVERLAPPED,
            """
            b | 19:39:27 | 19:39:37 | 1 | 4
            a | 19:39:34 | 19:39:50 | 2 | 3
            b | 19:39:39 | 19:39:55 | 2 | 3
            """,
            id="keys overlapped with sessions",
        ),
    ],
)
def test_session_windowing_suite(given, table):
    """Tests of ``DataFrameSessionWindowingSuite``, "session window groupBy with multiple keys statement"."""
    found = batch(af.Session("10s"), given, by=["id"], aggregate={"n": "count()", "total": "sum(value)"})

    assert found == printed(table, values=2)


def test_sessions_without_a_key():
    """ "session window groupBy statement": counts 2 and 1; and SPARK-36724, a row that comes before its elder."""
    assert [row[-1] for row in batch(af.Session("10s"), THREE)] == [2, 1]
    assert batch(af.Session("10s"), TWO) == printed("19:39:25 | 19:39:40 | 2")


def test_docstrings_of_pyspark():
    """``window(dt, '5 seconds')`` and ``session_window(dt, '5 seconds')`` of a row at 2016-03-11 09:00:07."""
    given = [{"t": at("2016-03-11 09:00:07"), "value": 1, "id": ""}]
    day = "2016-03-11 09:00:"

    tumbling = batch(af.Tumbling("5s"), given, aggregate={"total": "sum(value)"})
    session = batch(af.Session("5s"), given, aggregate={"total": "sum(value)"})

    assert tumbling == [(at(day + "05"), at(day + "10"), 1)]
    assert session == [(at(day + "07"), at(day + "12"), 1)]


# ---- streams: each list is what came between two triggers ------------------------------------------------------------


def stream(window, batches, delay, by=(), lateness=0):
    """Everything, row by row in order of arrival."""
    given = [
        {"t": round(seconds * SECOND), "value": round(seconds), "id": key} for each in batches for seconds, key in each
    ]
    return run(
        window,
        given,
        {"n": "count()", "total": "sum(value)"},
        types=TYPES,
        by=by,
        delay=delay * SECOND,
        lateness=lateness,
    )


def in_seconds(out):
    return [(*row[:-4], row[-4] // SECOND, row[-3] // SECOND, *row[-2:]) for row in out]


def test_append_mode():
    """``EventTimeWatermarkSuite`` "append mode": 5 s, a delay of 10 s. The 25 closes [10, 15), and then 10 is too late."""
    batches = [[(t, "") for t in (10, 11, 12, 13, 14, 15)], [(25, "")], [(10, "")]]
    out = stream(af.Tumbling("5s"), batches, delay=10)

    assert in_seconds(out.rows)[0] == (10, 15, 5, 60)
    assert out.late == [10 * SECOND]


def test_event_time_and_watermark_metrics():
    """The same suite, "event time and watermark metrics": 10, 12 and 14 come after 15 and are on time."""
    out = stream(af.Tumbling("5s"), [[(15, "")], [(10, ""), (12, ""), (14, "")], [(25, "")]], delay=10)

    assert in_seconds(out.rows)[0] == (10, 15, 3, 36)
    assert out.late == []


WORDS = [
    (40, ("hello", "world", "spark", "streaming")),
    (41, ("world", "hello", "structured", "streaming")),
    (25, ("spark", "streaming")),
    (0, ("spark", "streaming")),
    (30, ("spark", "streaming")),
    (60, ("hello", "apache", "spark")),
    (90, ("structured", "streaming")),
]
CLOSED = {
    ("spark", 25, 50, 3),
    ("streaming", 25, 51, 4),
    ("hello", 40, 51, 2),
    ("world", 40, 51, 2),
    ("structured", 41, 51, 1),
}


def test_append_mode_of_sessions():
    """``StreamingSessionWindowSuite`` "append mode - session window": a gap of 10 s, a delay of 30 s.

    "spark" at 30 and at 40 are one gap apart and in one session. The two words at 0 are late in both.
    """
    batches = [[(time, word) for word in words] for time, words in WORDS]
    out = stream(af.Session("10s"), batches, delay=30, by=["id"])

    closed = {row[:4] for row in in_seconds(out.rows) if row[2] <= 90 - 30}
    assert closed == CLOSED
    assert out.late == [0, 0]


def test_append_mode_of_sessions_in_the_watermark_suite():
    """``EventTimeWatermarkSuite`` "append mode - session - no key": a gap of 5 s, a delay of 10 s.

    35 closes (10, 16) and (17, 22), 40 closes (25, 30); the 10 in between is late.
    """
    out = stream(af.Session("5s"), [[(t, "")] for t in (10, 11, 17, 25, 35, 10, 40)], delay=10)

    assert in_seconds(out.rows)[:3] == [(10, 16, 2, 21), (17, 22, 1, 17), (25, 30, 1, 25)]
    assert out.late == [10 * SECOND]


def test_a_row_of_the_programming_guide_is_in_two_windows():
    """Structured Streaming Programming Guide: of 10 minutes every 5, a word at 12:07 is in 12:00-12:10 and 12:05-12:15."""
    found = batch(af.Hopping("10m", "5m"), rows(("12:07", 1, "word")), by=["id"])

    assert found == printed("word | 12:00 | 12:10 | 1\nword | 12:05 | 12:15 | 1")


def test_the_millisecond_is_no_limit():
    """ "Windows can support microsecond precision"."""
    given = [{"t": 7, "value": 1, "id": ""}, {"t": 11, "value": 1, "id": ""}]

    assert batch(af.Tumbling(MILLISECOND // 200), given) == [(5, 10, 1), (10, 15, 1)]
