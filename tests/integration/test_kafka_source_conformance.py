"""The suite of every source, on the real broker and on the embedded one."""

import itertools
import uuid

import pytest
from tests.realparts.kafka_broker import Row

from arrowflow.sources.kafka.spec import KafkaSpec
from arrowflow.testing.conformance.sources import GrowingSourceConformance, SourceConformance


class _KafkaConformance(GrowingSourceConformance, SourceConformance):
    fetch = "client"

    def make(self, content):
        self.topic = f"t-{uuid.uuid4()}"
        self.partitions = len(content)
        self.broker.create_topic(self.topic, self.partitions)
        self.produce([(number, row) for number, rows in enumerate(content) for row in rows])
        return KafkaSpec(self.broker.bootstrap, (self.topic,), group=f"g-{uuid.uuid4()}", fetch=self.fetch)

    def produce(self, rows):
        self.broker.produce(self.topic, [Row(part, row.key, row.value, row.timestamp_us // 1000) for part, row in rows])

    def append(self, partition, rows):
        self.produce(list(zip(itertools.repeat(partition), rows, strict=False)))

    def add_partition(self):
        self.broker.add_partitions(self.topic, self.partitions + 1)
        return self.partitions


@pytest.mark.kafka
class TestRealKafka(_KafkaConformance):
    @pytest.fixture(autouse=True)
    def _broker(self, kafka):
        self.broker = kafka


class TestRealKafkaInColumns(TestRealKafka):
    fetch = "columnar"


@pytest.mark.embedded
class TestEmbedded(_KafkaConformance):
    @pytest.fixture(autouse=True)
    def _broker(self, embedded):
        self.broker = embedded


class TestEmbeddedWhereColumnsWereAsked(TestEmbedded):
    """It tells no leader epochs, so the ordinary client takes over at the first read."""

    fetch = "auto"
