"""What a restart may change: additions and patience, each told in a record of its own; and how a refusal reads."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.support.small import FIELDS, SECOND_US, pipeline, results, window
from tests.unit.phases.test_recovery import CAUGHT_UP, RIGHT, STREAM, TO_THE_END, grow, records

from arrowflow.decoders.json import JsonSpec
from arrowflow.decoders.schema import Field
from arrowflow.engine import start
from arrowflow.errors import DataLossError, StateRefused
from arrowflow.failpoints import Failpoints, SimulatedCrash
from arrowflow.phases.changes import duration, told
from arrowflow.phases.fingerprint import differences
from arrowflow.pipeline import EventTime, SinkNode
from arrowflow.sinks.parquet import ParquetSpec
from arrowflow.windows.spec import Aggregate, Hopping


def with_sink(folder, **kwargs):
    made = pipeline(folder, STREAM, **kwargs)
    return replace(made, sinks=(*made.sinks, SinkNode("copy", ParquetSpec(str(folder / "small" / "copy")))))


def reconfigs(folder):
    return [(record["epoch"], record["changes"]) for record in records(folder) if record["kind"] == "reconfig"]


def test_a_new_sink_is_told_in_a_record_of_its_own_once(tmp_path):
    grow(tmp_path, 30)
    head = records(tmp_path)[-1]["epoch"]

    start(with_sink(tmp_path), CAUGHT_UP).result()
    start(with_sink(tmp_path), TO_THE_END).result()

    ((epoch, changes),) = reconfigs(tmp_path)
    assert epoch == head + 2, "after the open record, which is of the old query"
    assert len(changes) == 1
    assert changes[0].startswith("sink.copy: (none) -> (")
    assert "copy" not in records(tmp_path)[head + 1]["fingerprint"]["query"]["sinks"]
    assert results(tmp_path) == RIGHT


def test_an_optional_column_is_added_and_told(tmp_path):
    grow(tmp_path, 30)
    made = pipeline(tmp_path, STREAM)
    wider = JsonSpec((*FIELDS, Field("w", "int64")))

    start(replace(made, source=replace(made.source, decoder=wider)), TO_THE_END).result()

    assert [changes for _, changes in reconfigs(tmp_path)] == [
        ["source.schema.w: (none) -> (path ['w'], required false, type \"int64\")"]
    ]
    assert results(tmp_path) == RIGHT


def test_a_required_column_is_refused(tmp_path):
    grow(tmp_path, 30)
    made = pipeline(tmp_path, STREAM)
    wider = JsonSpec((*FIELDS, Field("w", "int64", required=True)))

    with pytest.raises(StateRefused, match=r"source\.schema\.w: \(none\) -> \(path"):
        start(replace(made, source=replace(made.source, decoder=wider)), CAUGHT_UP).result()


def test_patience_is_told_and_its_floors_are_raised_by_that_record(tmp_path):
    grow(tmp_path, 30)
    before = records(tmp_path)[-1]
    patient = EventTime("t", max_out_of_orderness_us=60 * SECOND_US)

    start(pipeline(tmp_path, STREAM, event_time=patient, operator=window(lateness_s=7)), CAUGHT_UP).result()

    (epoch, changes), opened = reconfigs(tmp_path)[0], records(tmp_path)[before["epoch"] + 1]
    assert changes == ["window.allowed_lateness: 0s -> 7s", "event_time.max_out_of_orderness: 5s -> 1m"]
    floor = records(tmp_path)[epoch]["inputs"][0]["clock"]["floor_us"]
    assert opened["inputs"][0]["clock"] == before["inputs"][0]["clock"]
    assert floor == before["watermark_us"] + 7 * SECOND_US


def test_a_crash_before_the_record_of_a_change_leaves_it_to_the_next_start(tmp_path):
    grow(tmp_path, 30)
    with pytest.raises(SimulatedCrash):
        start(with_sink(tmp_path), CAUGHT_UP, failpoints=Failpoints.parse("commit.create:1:crash")).result()
    assert reconfigs(tmp_path) == []

    start(with_sink(tmp_path), TO_THE_END).result()

    assert len(reconfigs(tmp_path)) == 1
    assert results(tmp_path) == RIGHT


def test_a_removed_sink_is_told_once_its_files_are_published(tmp_path):
    start(with_sink(tmp_path), CAUGHT_UP).result()
    grow(tmp_path, len(STREAM), TO_THE_END)

    ((epoch, (change,)),) = reconfigs(tmp_path)
    assert change.startswith("sink.copy: (")
    assert change.endswith(") -> (none)")
    assert "copy" not in records(tmp_path)[epoch + 2]["acked"]
    assert results(tmp_path) == RIGHT


def test_a_sink_removed_before_its_files_are_published_is_refused_and_nobody_is_fenced(tmp_path):
    with pytest.raises(SimulatedCrash):
        start(with_sink(tmp_path), TO_THE_END, failpoints=Failpoints.parse("commit.created:1:crash")).result()
    head = records(tmp_path)[-1]["epoch"]

    with pytest.raises(DataLossError, match="unpublished files of sink 'copy'"):
        grow(tmp_path, len(STREAM))

    assert records(tmp_path)[-1]["epoch"] == head


def test_the_same_configuration_writes_no_such_record(tmp_path):
    for upto in (10, 20, 30):
        grow(tmp_path, upto)

    assert reconfigs(tmp_path) == []


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"operator": replace(window(), group_by=())}, "window.group_by: ['k'] -> []"),
        ({"operator": replace(window(), window=Hopping(10 * SECOND_US, 5 * SECOND_US))}, 'window.type: "tumbling" -> "hopping"'),
        ({"operator": replace(window(), window=Hopping(10 * SECOND_US, 5 * SECOND_US))}, "window.hop: (none) -> 5s"),
        ({"operator": replace(window(), aggregates=(Aggregate("n", "count", None),))}, "aggregate.total: sum(v) -> (none)"),
        ({"event_time": EventTime("t", 5 * SECOND_US, scope="partition")}, 'event_time.scope: "pipeline" -> "partition"'),
    ],
)  # fmt: skip
def test_a_difference_is_told_in_the_words_of_the_file(tmp_path, change, line):
    old, new = pipeline(tmp_path, STREAM).query(), pipeline(tmp_path, STREAM, **change).query()

    assert line in told(old, new, differences(old, new))


def test_arguments_of_aggregates_and_paths_of_sinks_are_told_too(tmp_path):
    old = {"operator": {"aggregates": [{"name": "p", "function": "quantile", "column": "v", "arguments": [0.5]}]}}
    new = {"operator": {"aggregates": [{"name": "p", "function": "quantile", "column": "v", "arguments": [0.9]}]}}
    old["sinks"], new["sinks"] = {"out": {"root": "/a"}}, {"out": {"root": "/b"}}

    assert told(old, new, differences(old, new)) == [
        "aggregate.p: quantile(v, 0.5) -> quantile(v, 0.9)",
        'sink.out.path: "/a" -> "/b"',
    ]


@pytest.mark.parametrize(
    ("us", "text"),
    [(0, "0s"), (1, "1 µs"), (1500, "1500 µs"), (60_000_000, "1m"), (5_400_000_000, "1h30m"), (90_061_001_000, "1d1h1m1s1ms")],
)  # fmt: skip
def test_durations_read_as_a_file_writes_them(us, text):
    assert duration(us) == text
