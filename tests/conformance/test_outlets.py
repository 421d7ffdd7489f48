"""Each outlet passes the suite every outlet must pass: on a cluster in memory, and on the embedded broker."""

import pytest
from tests.conformance.outlets_on_a_broker import OnABroker, seen

from arrowflow.protocols import Control
from arrowflow.sinks.kafka.spec import KafkaSinkSpec
from arrowflow.testing.conformance.outlets import OutletConformance
from arrowflow.testing.stores import MemoryStore
from arrowflow.testing.topics import MemoryCluster


class TestOutletInMemory(OutletConformance):
    @pytest.fixture
    def spec(self):
        self.cluster = MemoryCluster()
        self.cluster.create_topic("alerts", 3)
        return KafkaSinkSpec("alerts", "memory", key=("k",), chunk_rows=2, connect=self.cluster.connect)

    @pytest.fixture
    def control(self):
        return Control(MemoryStore(), "/memory/control")

    def published(self, spec):
        return [[seen(record) for record in self.cluster.committed("alerts", n)] for n in range(3)]

    def lose_marker(self, spec, outlet):
        self.cluster.forget_groups()


@pytest.mark.embedded
class TestOutletOnTheEmbeddedBroker(OnABroker):
    @pytest.fixture
    def broker(self, embedded):
        return embedded
