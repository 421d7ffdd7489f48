"""Each outlet passes the suite every outlet must pass: on a cluster in memory, and on the embedded broker."""

import pytest
from tests.conformance.outlets_on_a_broker import OnABroker, seen

from arrowflow.protocols import Control
from arrowflow.sinks.kafka.spec import KafkaSinkSpec
from arrowflow.testing.conformance.outlets import OutletConformance
from arrowflow.testing.stores import MemoryStore
from arrowflow.testing.topics import MemoryCluster
from arrowflow.types import Delivered


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

    def test_after_a_transaction_that_failed_the_next_holds_half_as_many_rows_and_then_more_again(self, spec, control):
        record = self.stage(spec, control, 3, "abcdef")
        outlet = self.build(spec, control)
        reached = self.own(outlet)
        self.cluster.fail("flush", 1, "abort")

        told = list(outlet.deliver(record.outbox[0], reached, record))

        assert told == [Delivered(3, 1), Delivered(3, 3), Delivered(3, 5), Delivered(3, 6)]
        self.check(spec, record)


@pytest.mark.embedded
class TestOutletOnTheEmbeddedBroker(OnABroker):
    @pytest.fixture
    def broker(self, embedded):
        return embedded
