"""The same input through arrowflow, DuckDB and Spark, in batch and streaming, gives the same rows."""

from __future__ import annotations

import pytest
from tests.peers import engines
from tests.peers.asked import AGGREGATES, assert_same
from tests.peers.engines import duck, ours, rows_of, spark_batch, spark_stream
from tests.peers.readings import DISORDER, GAP, MINUTE, arriving, readings

from arrowflow.windows.spec import Hopping, Session, Tumbling

SIZE, HOP, ODD = 10 * MINUTE, 2 * MINUTE, 3 * MINUTE
WINDOWS = {
    "tumbling": Tumbling(SIZE),
    "tumbling by the odd microsecond": Tumbling(7 * MINUTE + 1),
    "hopping": Hopping(SIZE, HOP),
    "hopping by no divisor": Hopping(SIZE, ODD),
    "session": Session(GAP),
}


@pytest.fixture(scope="module")
def rows():
    return readings(seed=4)


def solved(window, rows, aggregates=AGGREGATES):
    """All windows of ours, those still open at the end included; nothing is late."""
    drive = ours(window, [rows], DISORDER, aggregates=aggregates)
    drive.finish()
    assert (drive.outcome.late, drive.outcome.missed, drive.outcome.rejects) == ({}, {}, {})
    return rows_of(drive.outcome, [aggregate.name for aggregate in aggregates])


DUCKDB = {
    "tumbling": engines.duck_tumbling(SIZE),
    "tumbling by the odd microsecond": engines.duck_tumbling(7 * MINUTE + 1),
    "hopping": engines.duck_hopping(SIZE, HOP),
    "hopping by no divisor": engines.duck_hopping(SIZE, ODD),
    "session": engines.duck_session(GAP),
}
SPARK = {
    "tumbling": engines.tumbling(SIZE),
    "tumbling by the odd microsecond": engines.tumbling(7 * MINUTE + 1),
    "hopping": engines.hopping(SIZE, HOP),
    "hopping by no divisor": engines.hopping(SIZE, ODD),
    "session": engines.session(GAP),
}


@pytest.mark.parametrize("name", WINDOWS)
def test_duckdb_gives_the_same_rows(name, rows):
    assert_same(solved(WINDOWS[name], rows), duck(rows, DUCKDB[name]))


@pytest.mark.parametrize("name", WINDOWS)
def test_spark_in_batch_gives_the_same_rows(name, rows, spark, tmp_path):
    theirs = spark_batch(spark, rows, SPARK[name], tmp_path)
    assert_same(solved(WINDOWS[name], rows), theirs)


@pytest.mark.parametrize("name", ["tumbling", "hopping by no divisor", "session"])
def test_spark_streaming_closes_the_same_rows_and_drops_the_same_late_ones(name, spark, tmp_path):
    """One partition, and backlogs in files of their own: there Spark's watermark and ours say the same."""
    files = arriving(seed=5, session=name == "session")

    drive = ours(WINDOWS[name], files, DISORDER)

    assert len(drive.outcome.late) > 50
    assert drive.operator.open_windows > 0
    assert_same(rows_of(drive.outcome), spark_stream(spark, files, SPARK[name], tmp_path, DISORDER))
