"""Flink SQL's own examples give the rows that Flink prints: the documentation's, and those of its window tests.

Sources, Apache Flink (Apache License 2.0): ``docs/content/docs/dev/table/sql/queries/window-tvf.md`` and ``window-agg.md``
for the table Bid; ``WindowAggregateITCase.scala``, ``WindowTableFunctionITCase.scala`` and ``OverAggregateITCase.scala`` of
``flink-table-planner`` for the rest. Only inputs and outputs are taken over. In Flink SQL the watermark of
``WATERMARK FOR t AS t - INTERVAL '1' SECOND`` closes a window a millisecond before its end is a second old, so the
delay here is 999 ms.
"""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pytest
from tests.peers.published import HOUR, MILLISECOND, MINUTE, SECOND, Watermark, at, cells, run

import arrowflow as af

DELAY = 999 * MILLISECOND

# ---- the table Bid of the documentation ------------------------------------------------------------------------

BID = [
    ("08:05", "4.00", "C", "supplier1"),
    ("08:07", "2.00", "A", "supplier1"),
    ("08:09", "5.00", "D", "supplier2"),
    ("08:11", "3.00", "B", "supplier2"),
    ("08:13", "1.00", "E", "supplier1"),
    ("08:17", "6.00", "F", "supplier2"),
]
BID_TYPES = {"price": pa.decimal128(10, 2), "item": pa.string(), "supplier": pa.string()}


def bids(rows):
    return [
        {"t": at(f"2020-04-15 {time}"), "price": Decimal(price), "item": item, "supplier": supplier}
        for time, price, item, supplier in rows
    ]


def sums(table, keys=0):
    """Rows of (start, end, keys…, price) as Flink prints them, in our order of columns."""
    return sorted(
        (*key, at(f"2020-04-15 {start}"), at(f"2020-04-15 {end}"), Decimal(price))
        for start, end, *key, price in cells(table)
        if len(key) == keys
    )


TUMBLE = """
08:00 | 08:10 | 11.00
08:10 | 08:20 | 10.00
"""
HOP = """
08:00 | 08:10 | 11.00
08:05 | 08:15 | 15.00
08:10 | 08:20 | 10.00
08:15 | 08:25 | 6.00
"""
CUMULATE = """
08:00 | 08:06 | 4.00
08:00 | 08:08 | 6.00
08:00 | 08:10 | 11.00
08:10 | 08:12 | 3.00
08:10 | 08:14 | 4.00
08:10 | 08:16 | 4.00
08:10 | 08:18 | 10.00
08:10 | 08:20 | 10.00
"""
TUMBLE_OFFSET_1_MINUTE = """
08:01 | 08:11 | 11.00
08:11 | 08:21 | 10.00
"""


@pytest.mark.parametrize(
    ("window", "printed"),
    [
        (af.Tumbling("10m"), TUMBLE),
        (af.Hopping("10m", "5m"), HOP),
        (af.Cumulative("10m", "2m"), CUMULATE),
        (af.Tumbling("10m", origin="1m"), TUMBLE_OFFSET_1_MINUTE),
    ],
    ids=["tumble", "hop", "cumulate", "tumble with offset"],
)
def test_sums_of_bid(window, printed):
    told = run(window, bids(BID), {"price": "sum(price)"}, types=BID_TYPES, delay=DELAY)

    assert sorted(told.rows) == sums(printed)
    assert told.late == told.missed == []


def test_grouping_set_of_the_supplier():
    printed = """
    08:00 | 08:10 | supplier2 | 5.00
    08:00 | 08:10 | supplier1 | 6.00
    08:10 | 08:20 | supplier2 | 9.00
    08:10 | 08:20 | supplier1 | 1.00
    """
    told = run(af.Tumbling("10m"), bids(BID), {"price": "sum(price)"}, types=BID_TYPES, by=["supplier"], delay=DELAY)

    assert sorted(told.rows) == sums(printed, keys=1)


OUT_OF_ORDER = [
    ("08:07", "4.00", "A", ""),
    ("08:06", "2.00", "A", ""),
    ("08:09", "5.00", "B", ""),
    ("08:08", "3.00", "A", ""),
    ("08:17", "1.00", "B", ""),
]
SESSIONS_BY_ITEM = """
08:06 | 08:13 | A | 9.00
08:09 | 08:14 | B | 5.00
08:17 | 08:22 | B | 1.00
"""
SESSIONS = """
08:06 | 08:14 | 14.00
08:17 | 08:22 | 1.00
"""


@pytest.mark.parametrize(("by", "printed"), [(["item"], SESSIONS_BY_ITEM), ([], SESSIONS)], ids=["by item", "all"])
def test_sessions_of_bid(by, printed):
    """The rows at 08:06 and 08:08 come a minute late: on time for Flink, because their sessions still wait for a gap.

    Here a row is late by its own time, so the same rows need an allowed lateness of a gap (docs/peers.md).
    """
    waiting = {"delay": DELAY, "lateness": 5 * MINUTE}
    told = run(af.Session("5m"), bids(OUT_OF_ORDER), {"price": "sum(price)"}, types=BID_TYPES, by=by, **waiting)

    assert sorted(told.rows) == sums(printed, keys=len(by))
    assert told.late == []


@pytest.mark.parametrize(
    ("offset", "start", "end"),
    [
        (-16, "2021-06-29 23:54:00", "2021-06-30 00:04:00"),
        (-6, "2021-06-29 23:54:00", "2021-06-30 00:04:00"),
        (-4, "2021-06-29 23:56:00", "2021-06-30 00:06:00"),
        (0, "2021-06-30 00:00:00", "2021-06-30 00:10:00"),
        (4, "2021-06-29 23:54:00", "2021-06-30 00:04:00"),
        (6, "2021-06-29 23:56:00", "2021-06-30 00:06:00"),
        (16, "2021-06-29 23:56:00", "2021-06-30 00:06:00"),
    ],
)
def test_an_offset_of_minutes_is_an_origin(offset, start, end):
    """The list under "Window Offset"; the row at 00:00:04, which its window of -16 minutes must hold, for each of them."""
    row = {"t": at("2021-06-30 00:00:04")}
    told = run(af.Tumbling("10m", origin=offset * MINUTE), [row], {"n": "count()"}, types={}, delay=0)

    assert told.rows == [(at(start), at(end), 1)]


# ---- the table of the window tests: out of order, a late row, nulls ----------------------------------------------

T1 = """
00:00:01 | 1    | 1    | 1.11 | Hi        | a
00:00:02 | 2    | 2    | 2.22 | Comment#1 | a
00:00:03 | 2    | 2    | 2.22 | Comment#1 | a
00:00:04 | 5    | 5    | 5.55 | null      | a
00:00:07 | 3    | 3    | null | Hello     | b
00:00:06 | 6    | 6    | 6.66 | Hi        | b
00:00:08 | null | 3    | 3.33 | Comment#2 | a
00:00:04 | 5    | null | 5.55 | Hi        | a
00:00:16 | 4    | 4    | 4.44 | Hi        | b
00:00:32 | 7    | 7    | 7.77 | null      | null
00:00:34 | 3    | 3    | 3.33 | Comment#3 | b
"""
T1_TYPES = {
    "double": pa.float64(),
    "float": pa.float64(),
    "bigdec": pa.decimal128(10, 2),
    "string": pa.string(),
    "name": pa.string(),
}
T1_ROWS = [
    {
        "t": at(f"2020-10-10 {time}"),
        "double": None if double is None else float(double),
        "float": None if low is None else float(low),
        "bigdec": None if bigdec is None else Decimal(bigdec),
        "string": string,
        "name": name,
    }
    for time, double, low, bigdec, string, name in cells(T1)
]
LATE_ROW = at("2020-10-10 00:00:04")
AGGREGATE = {
    "n": "count()",
    "total": "sum(bigdec)",
    "most": "max(double)",
    "least": "min(float)",
    "texts": "count_distinct(string)",
}


def expected(table, keys=1):
    """Rows of (name, start, end, count, sum, max, min, distinct) as the tests expect them; a time alone is of the 10th."""
    found = []
    for *key, start, end, n, total, most, least, texts in cells(table):
        bounds = [at(text if "-" in text else f"2020-10-10 {text}") for text in (start, end)]
        values = (int(n), Decimal(total), None if most is None else float(most), float(least), int(texts))
        assert len(key) == keys
        found.append((*key, *bounds, *values))
    return sorted(found, key=str)


CASES = {
    "tumble": (
        af.Tumbling("5s"),
        """
        a    | 00:00:00 | 00:00:05 | 4 | 11.10 | 5.0  | 1.0 | 2
        a    | 00:00:05 | 00:00:10 | 1 | 3.33  | null | 3.0 | 1
        b    | 00:00:05 | 00:00:10 | 2 | 6.66  | 6.0  | 3.0 | 2
        b    | 00:00:15 | 00:00:20 | 1 | 4.44  | 4.0  | 4.0 | 1
        b    | 00:00:30 | 00:00:35 | 1 | 3.33  | 3.0  | 3.0 | 1
        null | 00:00:30 | 00:00:35 | 1 | 7.77  | 7.0  | 7.0 | 0
        """,
    ),
    "tumble with an offset of 8 hours": (
        af.Tumbling("1d", origin="8h"),
        """
        a    | 2020-10-09T08:00 | 2020-10-10T08:00 | 6 | 19.98 | 5.0 | 1.0 | 3
        b    | 2020-10-09T08:00 | 2020-10-10T08:00 | 4 | 14.43 | 6.0 | 3.0 | 3
        null | 2020-10-09T08:00 | 2020-10-10T08:00 | 1 | 7.77  | 7.0 | 7.0 | 0
        """,
    ),
    "tumble with an offset of -8 hours": (
        af.Tumbling("1d", origin=-8 * HOUR),
        """
        a    | 2020-10-09T16:00 | 2020-10-10T16:00 | 6 | 19.98 | 5.0 | 1.0 | 3
        b    | 2020-10-09T16:00 | 2020-10-10T16:00 | 4 | 14.43 | 6.0 | 3.0 | 3
        null | 2020-10-09T16:00 | 2020-10-10T16:00 | 1 | 7.77  | 7.0 | 7.0 | 0
        """,
    ),
    "hop": (
        af.Hopping("10s", "5s"),
        """
        a    | 2020-10-09T23:59:55 | 00:00:05 | 4 | 11.10 | 5.0  | 1.0 | 2
        a    | 00:00:00            | 00:00:10 | 6 | 19.98 | 5.0  | 1.0 | 3
        a    | 00:00:05            | 00:00:15 | 1 | 3.33  | null | 3.0 | 1
        b    | 00:00:00            | 00:00:10 | 2 | 6.66  | 6.0  | 3.0 | 2
        b    | 00:00:05            | 00:00:15 | 2 | 6.66  | 6.0  | 3.0 | 2
        b    | 00:00:10            | 00:00:20 | 1 | 4.44  | 4.0  | 4.0 | 1
        b    | 00:00:15            | 00:00:25 | 1 | 4.44  | 4.0  | 4.0 | 1
        b    | 00:00:25            | 00:00:35 | 1 | 3.33  | 3.0  | 3.0 | 1
        b    | 00:00:30            | 00:00:40 | 1 | 3.33  | 3.0  | 3.0 | 1
        null | 00:00:25            | 00:00:35 | 1 | 7.77  | 7.0  | 7.0 | 0
        null | 00:00:30            | 00:00:40 | 1 | 7.77  | 7.0  | 7.0 | 0
        """,
    ),
    "hop with an offset of -8 hours": (
        af.Hopping("1d", "12h", origin=-8 * HOUR),
        """
        a    | 2020-10-09T04:00 | 2020-10-10T04:00 | 6 | 19.98 | 5.0 | 1.0 | 3
        a    | 2020-10-09T16:00 | 2020-10-10T16:00 | 6 | 19.98 | 5.0 | 1.0 | 3
        b    | 2020-10-09T04:00 | 2020-10-10T04:00 | 4 | 14.43 | 6.0 | 3.0 | 3
        b    | 2020-10-09T16:00 | 2020-10-10T16:00 | 4 | 14.43 | 6.0 | 3.0 | 3
        null | 2020-10-09T04:00 | 2020-10-10T04:00 | 1 | 7.77  | 7.0 | 7.0 | 0
        null | 2020-10-09T16:00 | 2020-10-10T16:00 | 1 | 7.77  | 7.0 | 7.0 | 0
        """,
    ),
    "cumulate": (
        af.Cumulative("15s", "5s"),
        """
        a    | 00:00:00 | 00:00:05 | 4 | 11.10 | 5.0 | 1.0 | 2
        a    | 00:00:00 | 00:00:10 | 6 | 19.98 | 5.0 | 1.0 | 3
        a    | 00:00:00 | 00:00:15 | 6 | 19.98 | 5.0 | 1.0 | 3
        b    | 00:00:00 | 00:00:10 | 2 | 6.66  | 6.0 | 3.0 | 2
        b    | 00:00:00 | 00:00:15 | 2 | 6.66  | 6.0 | 3.0 | 2
        b    | 00:00:15 | 00:00:20 | 1 | 4.44  | 4.0 | 4.0 | 1
        b    | 00:00:15 | 00:00:25 | 1 | 4.44  | 4.0 | 4.0 | 1
        b    | 00:00:15 | 00:00:30 | 1 | 4.44  | 4.0 | 4.0 | 1
        b    | 00:00:30 | 00:00:35 | 1 | 3.33  | 3.0 | 3.0 | 1
        b    | 00:00:30 | 00:00:40 | 1 | 3.33  | 3.0 | 3.0 | 1
        b    | 00:00:30 | 00:00:45 | 1 | 3.33  | 3.0 | 3.0 | 1
        null | 00:00:30 | 00:00:35 | 1 | 7.77  | 7.0 | 7.0 | 0
        null | 00:00:30 | 00:00:40 | 1 | 7.77  | 7.0 | 7.0 | 0
        null | 00:00:30 | 00:00:45 | 1 | 7.77  | 7.0 | 7.0 | 0
        """,
    ),
    "cumulate with an offset of -8 hours": (
        af.Cumulative("1d", "12h", origin=-8 * HOUR),
        """
        a    | 2020-10-09T16:00 | 2020-10-10T04:00 | 6 | 19.98 | 5.0 | 1.0 | 3
        a    | 2020-10-09T16:00 | 2020-10-10T16:00 | 6 | 19.98 | 5.0 | 1.0 | 3
        b    | 2020-10-09T16:00 | 2020-10-10T04:00 | 4 | 14.43 | 6.0 | 3.0 | 3
        b    | 2020-10-09T16:00 | 2020-10-10T16:00 | 4 | 14.43 | 6.0 | 3.0 | 3
        null | 2020-10-09T16:00 | 2020-10-10T04:00 | 1 | 7.77  | 7.0 | 7.0 | 0
        null | 2020-10-09T16:00 | 2020-10-10T16:00 | 1 | 7.77  | 7.0 | 7.0 | 0
        """,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_windows_of_the_window_aggregate_tests(case):
    """The row that comes late at second 4 is dropped, kept, or kept in some windows only, as in Flink."""
    window, table = CASES[case]
    told = run(window, T1_ROWS, AGGREGATE, types=T1_TYPES, by=["name"], delay=DELAY)

    assert sorted(told.rows, key=str) == expected(table)
    assert told.late == ([LATE_ROW] if case == "tumble" else [])
    assert told.missed == ([LATE_ROW] if case in ("hop", "cumulate") else [])


ALL = {
    "tumble": (
        af.Tumbling("5s"),
        """
        00:00:00 | 00:00:05 | 4 | 11.10 | 5.0 | 1.0 | 2
        00:00:05 | 00:00:10 | 3 | 9.99  | 6.0 | 3.0 | 3
        00:00:15 | 00:00:20 | 1 | 4.44  | 4.0 | 4.0 | 1
        00:00:30 | 00:00:35 | 2 | 11.10 | 7.0 | 3.0 | 1
        """,
    ),
    "hop": (
        af.Hopping("10s", "5s"),
        """
        2020-10-09T23:59:55 | 00:00:05 | 4 | 11.10 | 5.0 | 1.0 | 2
        00:00:00            | 00:00:10 | 8 | 26.64 | 6.0 | 1.0 | 4
        00:00:05            | 00:00:15 | 3 | 9.99  | 6.0 | 3.0 | 3
        00:00:10            | 00:00:20 | 1 | 4.44  | 4.0 | 4.0 | 1
        00:00:15            | 00:00:25 | 1 | 4.44  | 4.0 | 4.0 | 1
        00:00:25            | 00:00:35 | 2 | 11.10 | 7.0 | 3.0 | 1
        00:00:30            | 00:00:40 | 2 | 11.10 | 7.0 | 3.0 | 1
        """,
    ),
    "cumulate": (
        af.Cumulative("15s", "5s"),
        """
        00:00:00 | 00:00:05 | 4 | 11.10 | 5.0 | 1.0 | 2
        00:00:00 | 00:00:10 | 8 | 26.64 | 6.0 | 1.0 | 4
        00:00:00 | 00:00:15 | 8 | 26.64 | 6.0 | 1.0 | 4
        00:00:15 | 00:00:20 | 1 | 4.44  | 4.0 | 4.0 | 1
        00:00:15 | 00:00:25 | 1 | 4.44  | 4.0 | 4.0 | 1
        00:00:15 | 00:00:30 | 1 | 4.44  | 4.0 | 4.0 | 1
        00:00:30 | 00:00:35 | 2 | 11.10 | 7.0 | 3.0 | 1
        00:00:30 | 00:00:40 | 2 | 11.10 | 7.0 | 3.0 | 1
        00:00:30 | 00:00:45 | 2 | 11.10 | 7.0 | 3.0 | 1
        """,
    ),
}


@pytest.mark.parametrize("case", ALL)
def test_the_same_without_a_key(case):
    """The rows of grouping id 1: all names together."""
    window, table = ALL[case]
    told = run(window, T1_ROWS, AGGREGATE, types=T1_TYPES, delay=DELAY)

    assert sorted(told.rows, key=str) == expected(table, keys=0)


SESSIONS_BY_NAME = """
a    | 00:00:01 | 00:00:13 | 6 | 19.98 | 5.0 | 1.0 | 3
b    | 00:00:06 | 00:00:12 | 2 | 6.66  | 6.0 | 3.0 | 2
b    | 00:00:16 | 00:00:21 | 1 | 4.44  | 4.0 | 4.0 | 1
b    | 00:00:34 | 00:00:39 | 1 | 3.33  | 3.0 | 3.0 | 1
null | 00:00:32 | 00:00:37 | 1 | 7.77  | 7.0 | 7.0 | 0
"""


def test_sessions_of_the_window_aggregate_tests():
    """With an allowed lateness of a gap, the row that comes late at second 4 joins its session here too."""
    told = run(af.Session("5s"), T1_ROWS, AGGREGATE, types=T1_TYPES, by=["name"], delay=DELAY, lateness=5 * SECOND)

    assert sorted(told.rows, key=str) == expected(SESSIONS_BY_NAME)
    assert told.late == []


def test_sessions_over_all_names():
    """Window by window the rows of ``testSessionWindow``, counted."""
    told = run(af.Session("5s"), T1_ROWS, {"n": "count()"}, types=T1_TYPES, delay=DELAY, lateness=5 * SECOND)

    day = "2020-10-10 00:00:"
    bounds = [("01", "13", 8), ("16", "21", 1), ("32", "39", 2)]
    assert told.rows == [(at(day + start), at(day + end), n) for start, end, n in bounds]


# ---- OVER (… RANGE BETWEEN INTERVAL '1' SECOND PRECEDING AND CURRENT ROW) ------------------------------------------

HELLO, WORLD = "Hello", "Hello World"
OVER = [
    (1500, 1, 15, HELLO),
    (1600, 1, 16, HELLO),
    (1000, 1, 1, HELLO),
    (2000, 2, 2, HELLO),
    Watermark(1000),
    (2000, 2, 2, HELLO),
    (2000, 2, 3, HELLO),
    (3000, 3, 3, HELLO),
    Watermark(2000),
    (4000, 4, 4, HELLO),
    Watermark(3000),
    (5000, 5, 5, HELLO),
    Watermark(5000),
    (6000, 6, 6, HELLO),
    (6500, 6, 65, HELLO),
    Watermark(7000),
    (9000, 6, 9, HELLO),
    (9500, 6, 18, HELLO),
    (9000, 6, 9, HELLO),
    Watermark(10000),
    (10000, 7, 7, WORLD),
    (11000, 7, 17, WORLD),
    (11000, 7, 77, WORLD),
    Watermark(12000),
    (14000, 7, 18, WORLD),
    Watermark(14000),
    (15000, 8, 8, WORLD),
    Watermark(17000),
    (20000, 20, 20, WORLD),
    Watermark(19000),
]
OVER_ALL = """
1000 | 1 | 1
1500 | 2 | 2
1600 | 3 | 3
2000 | 6 | 9
2000 | 6 | 9
2000 | 6 | 9
3000 | 4 | 9
4000 | 2 | 7
5000 | 2 | 9
6000 | 2 | 11
6500 | 2 | 12
9000 | 2 | 12
9000 | 2 | 12
9500 | 3 | 18
10000 | 4 | 25
11000 | 3 | 21
11000 | 3 | 21
14000 | 1 | 7
15000 | 2 | 15
20000 | 1 | 20
"""
OVER_BY_TEXT = OVER_ALL.replace("10000 | 4 | 25", "10000 | 1 | 7")


@pytest.mark.parametrize(("by", "printed"), [([], OVER_ALL), (["c"], OVER_BY_TEXT)], ids=["all", "by text"])
def test_sliding_windows_are_those_of_over_range(by, printed):
    """``testRowTimeBoundedNonPartitionedRangeOver`` and ``…PartitionedRangeOver``: count and sum of `a` over a second.

    OVER still takes the row that comes at 10000 behind the watermark 10000, which had promised that there is none. So each
    watermark is told a millisecond lower.
    """
    events = [
        Watermark(each.ms - 1)
        if isinstance(each, Watermark)
        else {"t": each[0] * MILLISECOND, "a": each[1], "b": each[2], "c": each[3]}
        for each in OVER
    ]
    types = {"a": pa.int64(), "b": pa.int64(), "c": pa.string()}
    told = run(af.Sliding("1s", closed="both"), events, {"n": "count(a)", "total": "sum(a)"}, types=types, by=by)

    rows = [(int(t) * MILLISECOND - SECOND, int(t) * MILLISECOND, int(n), int(a)) for t, n, a in cells(printed)]
    assert sorted(row[len(by) :] for row in told.rows) == rows
    assert told.late == []
