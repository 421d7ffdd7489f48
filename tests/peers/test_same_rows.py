"""The same input through arrowflow, DuckDB and Spark, in batch and streaming, gives the same rows."""

from __future__ import annotations

import pytest
from tests.peers import engines
from tests.peers.asked import AGGREGATES, WHOLE, assert_same
from tests.peers.engines import duck, ours, rows_of, spark_batch, spark_stream
from tests.peers.readings import DISORDER, GAP, MINUTE, arriving, readings

from arrowflow.windows.spec import Cumulative, Hopping, Session, Sliding, Tumbling

SIZE, HOP, ODD, DAY, MORNING = 10 * MINUTE, 2 * MINUTE, 3 * MINUTE, 1440 * MINUTE, 360 * MINUTE
WINDOWS = {
    "tumbling": Tumbling(SIZE),
    "tumbling by the odd microsecond": Tumbling(7 * MINUTE + 1),
    "days from six in the morning": Tumbling(DAY, MORNING),
    "hopping": Hopping(SIZE, HOP),
    "hopping by no divisor": Hopping(SIZE, ODD),
    "cumulative": Cumulative(SIZE, HOP),
    "session": Session(GAP),
}
DUCKDB = {
    "tumbling": lambda asked: engines.duck_tumbling(SIZE, asked),
    "tumbling by the odd microsecond": lambda asked: engines.duck_tumbling(7 * MINUTE + 1, asked),
    "days from six in the morning": lambda asked: engines.duck_tumbling(DAY, asked, MORNING),
    "hopping": lambda asked: engines.duck_hopping(SIZE, HOP, asked),
    "hopping by no divisor": lambda asked: engines.duck_hopping(SIZE, ODD, asked),
    "cumulative": lambda asked: engines.duck_cumulative(SIZE, HOP, asked),
    "session": lambda asked: engines.duck_session(GAP, asked),
}
SPARK = {
    "tumbling": engines.tumbling(SIZE),
    "tumbling by the odd microsecond": engines.tumbling(7 * MINUTE + 1),
    "days from six in the morning": engines.hopping(DAY, DAY, MORNING),
    "hopping": engines.hopping(SIZE, HOP),
    "hopping by no divisor": engines.hopping(SIZE, ODD),
    "session": engines.session(GAP),
}
OF_DUCKDB = tuple(each for each in WHOLE if each.name != "mean_d")
"""Its mean of decimals is a double (docs/peers.md)."""
OF_FRAMES = tuple(each for each in OF_DUCKDB if each.function in ("count", "sum", "mean", "min", "max", "var"))


@pytest.fixture(scope="module")
def rows():
    return readings(seed=4, each=100)


def named(aggregates):
    return [each.name for each in aggregates]


def solved(window, rows, aggregates):
    """All windows of ours, those still open at the end included; nothing is late."""
    drive = ours(window, [rows], DISORDER, aggregates=aggregates)
    drive.finish()
    assert (drive.outcome.late, drive.outcome.missed, drive.outcome.rejects) == ({}, {}, {})
    return rows_of(drive.outcome, named(aggregates))


@pytest.mark.parametrize("name", WINDOWS)
def test_duckdb_gives_the_same_rows(name, rows):
    theirs = duck(rows, DUCKDB[name](OF_DUCKDB))
    assert_same(solved(WINDOWS[name], rows, OF_DUCKDB), theirs, named(OF_DUCKDB))


@pytest.mark.parametrize("closed", ["both", "right"])
def test_frames_of_duckdb_are_sliding_windows(closed, rows):
    theirs = duck(rows, engines.duck_sliding(SIZE, closed, OF_FRAMES))
    assert_same(solved(Sliding(SIZE, closed), rows, OF_FRAMES), theirs, named(OF_FRAMES))


@pytest.mark.parametrize("name", SPARK)
def test_spark_in_batch_gives_the_same_rows(name, rows, spark, tmp_path):
    theirs = spark_batch(spark, rows, SPARK[name], tmp_path, WHOLE)
    assert_same(solved(WINDOWS[name], rows, WHOLE), theirs, named(WHOLE))


@pytest.mark.parametrize(
    ("name", "patience", "short"),
    [
        ("tumbling", 0, 0),
        ("tumbling", MINUTE, 1),
        ("hopping by no divisor", 0, 1),
        ("session", 0, 0),
        ("session", MINUTE, 0),
    ],
)
def test_spark_streaming_closes_the_same_rows_and_drops_the_same_late_ones(name, patience, short, spark, tmp_path):
    """One partition, and backlogs in files of their own: there Spark's watermark and ours say the same.

    Spark's delay is our tolerance and lateness together. The last watermark is the end of a window, or a millisecond
    short of it.
    """
    files = arriving(seed=5, session=name == "session", short=short)

    drive = ours(WINDOWS[name], files, DISORDER - patience, patience)

    assert len(drive.outcome.late) > 50
    assert drive.operator.open_windows > 0
    assert_same(rows_of(drive.outcome), spark_stream(spark, files, SPARK[name], tmp_path, DISORDER, AGGREGATES))
