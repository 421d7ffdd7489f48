"""Event times, clocks from the future, and the breaker."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.support.small import SECOND_US, pipeline, places, results, rows
from tests.unit.phases.test_recovery import records

from arrowflow.engine import start
from arrowflow.errors import TooManyBadRecords
from arrowflow.pipeline import EventTime, RunOptions
from arrowflow.protocols import SampleRecord

TO_THE_END = RunOptions(until_caught_up=True, close_open_windows=True, take_over=True)
SKEWED = EventTime("t", 0, max_future_skew_us=5 * SECOND_US, future_clock_reference="create")


def at(second: int, value: bytes | None) -> SampleRecord:
    return SampleRecord("events", 0, 1000 * second, None, value)


def test_row_33_a_sensor_a_year_ahead_moves_no_clock_and_is_a_dead_letter(tmp_path):
    year = 365 * 86400
    stream = [*rows(("a", 1, 1.0)), at(2, b'{"k":"a","t":%d,"v":9}' % (2 + year)), *rows(("a", 3, 1.0), ("a", 20, 1.0))]

    finished = start(pipeline(tmp_path, stream, event_time=SKEWED), TO_THE_END).result()

    assert results(tmp_path) == [("a", 0, 2, 2.0), ("a", 20, 1, 1.0)]
    assert places(tmp_path, "dead") == [(0, 1, "future_clock")]
    assert finished.balance.late == {}


def test_a_row_exactly_at_the_allowed_skew_is_believed(tmp_path):
    stream = [at(10, b'{"k":"a","t":15,"v":1}'), at(10, b'{"k":"a","t":16,"v":1}')]

    start(pipeline(tmp_path, stream, event_time=SKEWED), TO_THE_END).result()

    assert results(tmp_path) == [("a", 10, 1, 1.0)]
    assert places(tmp_path, "dead") == [(0, 1, "future_clock")]


def test_a_row_without_event_time_is_a_dead_letter(tmp_path):
    stream = [at(1, b'{"k":"a","t":null,"v":1}'), at(1, b'{"k":"a","v":1}'), *rows(("a", 1, 1.0))]

    start(pipeline(tmp_path, stream), TO_THE_END).result()

    assert places(tmp_path, "dead") == [(0, 0, "no_event_time"), (0, 1, "no_event_time")]


def test_row_02_a_tombstone_is_counted_as_filtered_and_is_no_dead_letter(tmp_path):
    finished = start(pipeline(tmp_path, [at(1, None), *rows(("a", 1, 1.0))]), TO_THE_END).result()

    assert finished.balance.filtered == {"tombstone": 1}
    assert places(tmp_path, "dead") == []


def test_row_10_a_topic_of_garbage_stops_the_job_and_commits_none_of_it(tmp_path):
    garbage = [at(second, b"not json at all") for second in range(2000)]

    with pytest.raises(TooManyBadRecords, match=r"limit is 1\.00%.*for example syntax"):
        start(pipeline(tmp_path, garbage), TO_THE_END).result()

    assert [record["kind"] for record in records(tmp_path)] == ["open"]
    assert places(tmp_path, "dead") == []


def test_one_bad_record_in_a_quiet_hour_stops_nothing(tmp_path):
    finished = start(pipeline(tmp_path, [at(1, b"{"), *rows(("a", 1, 1.0))]), TO_THE_END).result()

    assert finished.balance.dead_lettered == {"syntax": 1}


def test_dead_letters_carry_the_payload_or_not_as_configured(tmp_path):
    from arrowflow.testing.answers import read_rows

    for name, payload, kept in (("with", "raw", b"\xff{"), ("without", "none", None)):
        job = pipeline(tmp_path, [at(1, b"\xff{")], name=name)
        sinks = tuple(replace(node, payload=payload) if node.stream == "dead" else node for node in job.sinks)
        start(replace(job, sinks=sinks), TO_THE_END).result()
        assert [row["_payload"] for row in read_rows(tmp_path / name / "dead", ["_payload"])] == [kept]
