"""What only a real broker has: topic ids, leader epochs, compaction, authentication, disks that rot."""

import time
import uuid

import pytest
from tests.realparts.kafka_broker import KafkaBroker, Row

from arrowflow.errors import ArrowflowError, ConfigError, DataLossError, RetryableError, Unreachable
from arrowflow.sources.kafka import cluster
from arrowflow.sources.kafka.spec import KafkaSpec
from arrowflow.testing.conformance.sources import check_sums, read_to_end, rows_of, source_context
from arrowflow.types import Bounds, SourcePartition

pytestmark = pytest.mark.kafka


@pytest.fixture
def name():
    return f"t-{uuid.uuid4()}"


@pytest.fixture(params=["client", "columnar"])
def opened(request):
    """Open a source that fetches in either way."""

    def open_one(broker, name, **options):
        spec = KafkaSpec(options.pop("brokers", broker.bootstrap), (name,), fetch=request.param, **options)
        return spec.build("kafka", source_context(f"job-{uuid.uuid4()}"))

    return open_one


def test_row_59_a_recreated_topic_has_another_id_and_the_cluster_keeps_its_own(kafka, name, opened):
    kafka.create_topic(name)
    source = opened(kafka, name)
    before = source.discover()
    kafka.delete_topic(name)
    kafka.create_topic(name)

    after = source.discover()

    part = SourcePartition("kafka", name, 0)
    assert before.partitions[part].topic_id is not None
    assert before.partitions[part].topic_id != after.partitions[part].topic_id
    assert before.cluster_id == after.cluster_id != None  # noqa: E711
    source.close()


def test_row_59_a_topic_deleted_while_it_is_read_gives_nothing_and_the_next_look_is_data_loss(kafka, name, opened):
    """librdkafka stays silent about it for minutes, so the look before each commit is what stops the job."""
    kafka.create_topic(name)
    kafka.produce(name, [Row(0, None, b"v", 1)])
    source = opened(kafka, name, properties={"topic.metadata.refresh.interval.ms": "500"})
    part = SourcePartition("kafka", name, 0)
    assert source.read({part: 0}, Bounds(rows=1, seconds=5.0)).rows == 1
    kafka.delete_topic(name)

    for _ in range(5):
        fetched = source.read({part: 1}, Bounds(seconds=0.2))
        assert (fetched.rows, fetched.ranges[part]) == (0, (1, 1))
    with pytest.raises(DataLossError, match=f"topic '{name}'.*does not exist"):
        source.discover()
    source.close()


def test_leader_epochs_are_told_with_records_and_with_partitions(kafka, name, opened):
    kafka.create_topic(name)
    kafka.produce(name, [Row(0, None, b"v", 1)])
    source = opened(kafka, name)
    part = SourcePartition("kafka", name, 0)

    assert source.discover().partitions[part].leader_epoch == 0
    assert source.read({part: 0}, Bounds(rows=1, seconds=5.0)).leader_epoch == {part: 0}
    source.close()


def test_rows_59_61_a_log_that_was_truncated_and_grew_again_is_told_by_its_epoch(kafka, name, opened):
    """Offsets alone would look fine: 3 lies within [0, 10)."""
    kafka.create_topic(name)
    kafka.produce(name, [Row(0, None, b"new%d" % number, 1) for number in range(10)])
    part = SourcePartition("kafka", name, 0)
    honest, other = opened(kafka, name), opened(kafka, name)
    honest.remember({part: 0})
    other.remember({part: 7})

    assert [row.value for row in read_to_end(honest, {part: 3})[part]] == [b"new%d" % number for number in range(3, 10)]
    with pytest.raises(DataLossError, match=rf"{name}\[0\]: offset 3 .*truncated"):
        other.read({part: 3}, Bounds(seconds=10.0))
    honest.close()
    other.close()


def test_row_63_holes_left_by_compaction_are_unseen_offsets(kafka, name, opened):
    compact = {
        "cleanup.policy": "compact",
        "segment.ms": "100",
        "min.cleanable.dirty.ratio": "0.01",
        "max.compaction.lag.ms": "1000",
    }
    kafka.create_topic(name, config=compact)
    for number in range(6):
        kafka.produce(name, [Row(0, b"same", b"v%d" % number, 0), Row(0, b"own%d" % number, b"kept", 0)])
        time.sleep(0.15)
    part = SourcePartition("kafka", name, 0)
    deadline = time.monotonic() + 60
    while True:
        source = opened(kafka, name)
        rows = read_to_end(source, {part: 0})[part]
        source.close()
        if len(rows) < 12 or time.monotonic() > deadline:
            break
        time.sleep(0.5)
        kafka.produce(name, [Row(0, b"same", b"last", 0)])

    assert len(rows) < 12
    assert len([row for row in rows if row.value == b"kept"]) == 6


def test_row_73_a_wrong_password_is_a_config_error_that_does_not_echo_it(kafka, name, monkeypatch, opened):
    monkeypatch.setattr(cluster, "PATIENCE_S", 3.0)
    login = {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN", "sasl.username": "alice"}
    kafka.create_topic(name)
    good = opened(kafka, name, brokers=kafka.sasl_bootstrap, properties={**login, "sasl.password": "alice-secret"})
    assert len(good.discover().partitions) == 1
    good.close()

    bad = opened(kafka, name, brokers=kafka.sasl_bootstrap, properties={**login, "sasl.password": "canary-secret"})
    for ask in (bad.discover, lambda: bad.read({SourcePartition("kafka", name, 0): 0}, Bounds())):
        with pytest.raises(ConfigError, match="uthentication") as caught:
            ask()
        assert "canary" not in str(caught.value)
    bad.close()


def test_row_71_a_batch_that_rotted_on_disk_is_fetched_again_and_then_stops_the_job(kafka, name, opened):
    kafka.create_topic(name)
    kafka.produce(name, [Row(0, None, b"sound", 1)])
    kafka.produce(name, [Row(0, None, b"this-will-rot", 1)])
    kafka.produce(name, [Row(0, None, b"after", 1)])
    (log,) = (kafka.folder / "data" / f"{name}-0").glob("*.log")
    spoiled = log.read_bytes().replace(b"will-rot", b"did--rot")
    with log.open("r+b") as file:
        file.write(spoiled)
    source = opened(kafka, name)
    part = SourcePartition("kafka", name, 0)

    at = {part: 0}

    def read_on():
        for _ in range(3):  # columnar fetch returns the sound record first
            at[part] = source.read(at, Bounds(seconds=3.0)).ranges[part].stop

    with pytest.raises(RetryableError, match="corrupt"):
        read_on()
    with pytest.raises(DataLossError, match=rf"{name}\[0\]: offset \d.*also when fetched again"):
        source.read(at, Bounds(seconds=3.0))
    source.close()


def test_a_group_with_live_members_is_noticed_and_does_not_stop_the_job(kafka, name, opened):
    from confluent_kafka import Consumer

    kafka.create_topic(name)
    kafka.produce(name, [Row(0, None, b"v", 1)])
    member = Consumer(
        {"bootstrap.servers": kafka.bootstrap, "group.id": f"g-{name}", "auto.offset.reset": "earliest", "log_level": 0}
    )
    member.subscribe([name])
    assert member.poll(20) is not None
    source = opened(kafka, name, group=f"g-{name}")

    source.acknowledge({SourcePartition("kafka", name, 0): 1}, "note")

    (notice,) = source._context.observer.events
    assert "lag tools will see old offsets" in notice.message
    member.close()
    source.close()


@pytest.mark.slow
def test_rows_68_69_a_broker_that_dies_and_comes_back_loses_nothing(name, monkeypatch, opened):
    """Reads fail as unreachable while it is away, at no great cost, and go on where they stood."""
    monkeypatch.setattr(cluster, "PATIENCE_S", 3.0)
    part = SourcePartition("kafka", name, 0)
    with KafkaBroker.launch() as kafka:
        kafka.create_topic(name)
        kafka.produce(name, [Row(0, None, b"%d" % number, 1) for number in range(100)])
        source = opened(kafka, name)
        at, found, away = {part: 0}, [], 0
        while len(found) < 100:
            fetched = source.read(at, Bounds(rows=40, seconds=1.0))
            found += rows_of(fetched, part)
            at = {part: fetched.ranges[part].stop}
        kafka.kill()
        spent = time.process_time()
        deadline = time.monotonic() + 6
        while time.monotonic() < deadline:
            try:
                assert source.read(at, Bounds(seconds=0.2)).rows == 0
            except Unreachable:
                away += 1
        assert away > 0
        assert time.process_time() - spent < 1.0
        kafka.start()
        kafka.produce(name, [Row(0, None, b"%d" % number, 1) for number in range(100, 150)])
        deadline = time.monotonic() + 30
        while len(found) < 150 and time.monotonic() < deadline:
            try:
                fetched = source.read(at, Bounds(seconds=0.5))
            except RetryableError:
                continue
            check_sums(fetched, at)
            found += rows_of(fetched, part)
            at = {part: fetched.ranges[part].stop}
        source.close()

    assert [row.value for row in found] == [b"%d" % number for number in range(150)]


def test_every_error_of_the_source_is_one_of_ours(kafka, name, opened):
    source = opened(kafka, name)

    with pytest.raises(ArrowflowError):
        source.start_offsets([SourcePartition("kafka", name, 0)])
    source.close()
