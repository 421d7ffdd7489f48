"""Leaders that die while they are read from, among three real brokers: nothing is lost, doubled or out of order.

Three brokers are more than a build has room for: ``ARROWFLOW_THREE_BROKERS=1 python -m pytest tests/integration/test_kafka_leader_changes.py``.
"""

import os
import threading
import time

import pytest
from tests.realparts.kafka_broker import Row
from tests.realparts.kafka_cluster import KafkaCluster

from arrowflow.errors import RetryableError
from arrowflow.sources.kafka import cluster
from arrowflow.sources.kafka.spec import KafkaSpec
from arrowflow.testing.conformance.sources import check_sums, rows_of, source_context
from arrowflow.types import Bounds

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(os.environ.get("ARROWFLOW_THREE_BROKERS") != "1", reason="set ARROWFLOW_THREE_BROKERS=1"),
]
RECORDS, DEATHS = 6000, 2


@pytest.fixture(scope="module")
def three(kafka):
    with KafkaCluster.launch() as started:
        yield started


def produced(three, name):
    """A thread that produces all along, a little at a time, waiting for the brokers as long as it takes."""

    def work():
        producer = three.producer(enable_idempotence="true", delivery_timeout_ms=120_000)
        for number in range(RECORDS):
            producer.produce(name, b"%d" % number, partition=number % 3)
            if number % 100 == 0:
                producer.poll(0)
                time.sleep(0.15)
        producer.flush(120)

    thread = threading.Thread(target=work)
    thread.start()
    return thread


@pytest.fixture
def reaper(three):
    """Kills one of two brokers, never both; whatever is dead after a test is started again."""

    class Reaper:
        dead, deaths, looked = None, 0, time.monotonic()

        def turn(self, name):
            if self.deaths < DEATHS and time.monotonic() - self.looked > 3:
                self.revive()
                self.looked = time.monotonic()
                if three.whole(name):
                    leaders = [three.leader(name, number) for number in range(3)]
                    self.dead = three.members[next(node for node in (*leaders, 2) if node != 1)]
                    self.dead.kill()
                    self.deaths += 1

        def revive(self):
            if self.dead is not None:
                self.dead.start(120)
                self.dead = None

    made = Reaper()
    yield made
    made.revive()


@pytest.mark.parametrize("fetch", ["columnar", "client"])
def test_row_68_every_record_comes_once_and_in_order_while_leaders_change(three, reaper, monkeypatch, fetch):
    monkeypatch.setattr(cluster, "PATIENCE_S", 5.0)
    name = three.create_replicated(f"changes-{fetch}", 3)
    three.produce(name, [Row(part, None, b"first", 1) for part in range(3)])
    source = KafkaSpec(three.bootstrap, (name,), fetch=fetch).build("kafka", source_context())
    at = dict(source.start_offsets(list(source.discover().partitions)))
    found, epochs, deadline = {part.partition: [] for part in at}, set(), time.monotonic() + 300
    producing = produced(three, name)
    while sum(map(len, found.values())) < RECORDS + 3 or reaper.deaths < DEATHS:
        assert time.monotonic() < deadline, {part: len(rows) for part, rows in found.items()}
        reaper.turn(name)
        try:
            fetched = source.read(at, Bounds(rows=700, seconds=0.2))
        except RetryableError:
            time.sleep(0.1)
            continue
        check_sums(fetched, at)
        for part in at:
            found[part.partition] += [row.value for row in rows_of(fetched, part)]
        epochs |= set(fetched.leader_epoch.values())
        at = {part: each.stop for part, each in fetched.ranges.items()}
    producing.join()
    source.close()

    assert reaper.deaths == DEATHS
    for part, rows in found.items():
        assert rows == [b"first", *(b"%d" % number for number in range(part, RECORDS, 3))]
    assert max(epochs) > 0
