"""What happens to topics under a job, on brokers: records deleted, partitions added, a topic made anew, notes beside offsets."""

import json
import shutil
import uuid
from dataclasses import replace

import pytest
from tests.realparts.kafka_broker import Row
from tests.support.cli import wait_for
from tests.support.small import pipeline, results
from tests.unit.phases.test_gaps import gaps
from tests.unit.phases.test_recovery import records

from arrowflow.engine import start
from arrowflow.errors import DataLossError
from arrowflow.phases.alone import opened
from arrowflow.phases.reset import read_elsewhere
from arrowflow.pipeline import RunOptions
from arrowflow.sources.kafka.spec import KafkaSpec
from arrowflow.testing.observer import RecordingObserver

AT_ONCE = RunOptions(take_over=True)
CAUGHT_UP = RunOptions(until_caught_up=True, take_over=True)
TO_THE_END = replace(CAUGHT_UP, close_open_windows=True)


@pytest.fixture
def name():
    return f"t-{uuid.uuid4()}"


def seconds(span, partition=0, key="a"):
    return [Row(partition, None, json.dumps({"k": key, "t": t, "v": 1}).encode(), 1000 * t) for t in span]


def job(folder, topics, name, on_data_loss="fail", **kwargs):
    spec = KafkaSpec(topics.bootstrap, (name,), group=name, fetch="client")
    made = pipeline(folder, spec, **kwargs)
    return replace(made, source=replace(made.source, on_data_loss=on_data_loss))


def test_row_60_records_deleted_between_two_runs_are_skipped_where_that_is_allowed(topics, name, tmp_path):
    topics.create_topic(name)
    topics.produce(name, seconds(range(30)))
    start(job(tmp_path, topics, name), CAUGHT_UP).result()
    topics.produce(name, seconds(range(30, 60)))
    topics.delete_records(name, 0, 45)

    with pytest.raises(DataLossError, match=r"wanted offset 30, available 45 to 60"):
        start(job(tmp_path, topics, name), TO_THE_END).result()
    start(job(tmp_path, topics, name, "skip"), TO_THE_END).result()

    assert [gap[1:] for gap in gaps(tmp_path)] == [(0, 30, 45)]
    assert results(tmp_path) == [("a", at, n, float(n)) for at, n in ((0, 10), (10, 10), (20, 10), (40, 5), (50, 10))]


def test_row_62_a_partition_added_while_running_is_read_from_its_beginning(topics, name, tmp_path):
    topics.create_topic(name)
    topics.produce(name, seconds(range(30)))
    run = start(job(tmp_path, topics, name, discover_every_s=0.5), AT_ONCE)
    wait_for(lambda: any(record["kind"] == "data" for record in records(tmp_path)))
    topics.add_partitions(name, 2)
    topics.produce(name, seconds(range(30, 60), 1, "b"))
    wait_for(lambda: any(part["partition"] == 1 and part["stop"] == 30 for part in records(tmp_path)[-1]["inputs"]))
    run.stop()
    run.result()

    start(job(tmp_path, topics, name), TO_THE_END).result()

    assert results(tmp_path) == [("a", at, 10, 10.0) for at in (0, 10, 20)] + [
        ("b", at, 10, 10.0) for at in (30, 40, 50)
    ]


@pytest.mark.kafka
@pytest.mark.parametrize("fetch", ["columnar", "client"])
def test_row_64_a_transaction_that_stays_open_is_warned_of_and_nothing_behind_it_is_taken_for_read(
    kafka, name, tmp_path, fetch
):
    kafka.create_topic(name)
    kafka.produce(name, seconds(range(30)))
    open_one = kafka.transaction(name, seconds(range(30, 35)))
    kafka.produce(name, seconds(range(40, 50)))
    made = job(tmp_path, kafka, name, discover_every_s=0.3)
    made = replace(made, source=replace(made.source, spec=replace(made.source.spec, fetch=fetch)))
    observer = RecordingObserver()
    run = start(made, AT_ONCE, observer=observer)
    told = lambda text: [each for each in observer.events if text in getattr(each, "message", "")]  # noqa: E731
    wait_for(lambda: told("a transaction stays open at offset 30; offsets 30 to 45 wait for its end"))
    wait_for(lambda: records(tmp_path)[-1]["inputs"] and records(tmp_path)[-1]["inputs"][0]["stop"] == 30)
    assert [each.level for each in told("a transaction stays open")] == ["warning"]

    open_one.commit_transaction(30)
    wait_for(lambda: told("the transaction that was open at offset 30 has ended"))
    wait_for(lambda: records(tmp_path)[-1]["inputs"][0]["stop"] >= 45)
    run.stop()
    run.result()
    start(job(tmp_path, kafka, name), TO_THE_END).result()

    assert results(tmp_path) == [("a", at, n, float(n)) for at, n in ((0, 10), (10, 10), (20, 10), (30, 5), (40, 10))]


def test_a_note_is_read_back_and_tells_an_older_copy_of_the_records(topics, name, tmp_path):
    topics.create_topic(name)
    topics.produce(name, seconds(range(30)))
    start(job(tmp_path, topics, name), CAUGHT_UP).result()
    log, copy = tmp_path / "small" / "_log", tmp_path / "copy"
    shutil.copytree(log, copy)
    topics.produce(name, seconds(range(30, 60)))
    start(job(tmp_path, topics, name), CAUGHT_UP).result()
    shutil.rmtree(log)
    shutil.copytree(copy, log)

    with pytest.raises(DataLossError, match=r"put back to an older copy"):
        start(job(tmp_path, topics, name), TO_THE_END).result()


@pytest.mark.kafka
def test_row_59_a_topic_made_anew_is_told_by_its_id_and_read_on_with_the_windows_that_were_open(kafka, name, tmp_path):
    kafka.create_topic(name)
    kafka.produce(name, seconds(range(35)))
    start(job(tmp_path, kafka, name), CAUGHT_UP).result()
    kafka.delete_topic(name)
    kafka.create_topic(name)
    kafka.produce(name, seconds(range(35, 90)))

    with pytest.raises(
        DataLossError, match=rf"topic id .* became .*arrowflow reset CONFIG --from earliest --topic {name}"
    ):
        start(job(tmp_path, kafka, name), TO_THE_END).result()
    with opened(job(tmp_path, kafka, name), AT_ONCE) as parts:
        made = read_elsewhere(parts, "earliest", name)
    start(job(tmp_path, kafka, name), TO_THE_END).result()

    assert [(part.start, part.leader_epoch) for part in made.inputs] == [(0, -1)]
    assert results(tmp_path) == [("a", at, 10, 10.0) for at in range(0, 90, 10)]
