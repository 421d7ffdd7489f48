"""A topic on a real Kafka passes the suite every outlet must pass."""

import pytest
from tests.conformance.outlets_on_a_broker import OnABroker
from tests.realparts.kafka_broker import Row

from arrowflow.testing.conformance.outlets import INCARNATION
from arrowflow.types import Delivered


@pytest.mark.kafka
class TestOutletOnARealKafka(OnABroker):
    @pytest.fixture
    def broker(self, kafka):
        return kafka

    def lose_marker(self, spec, outlet):
        group = f"job.{INCARNATION[:8]}.alerts.delivered"
        outlet.close()
        admin = self.broker.admin()  # a client that is dropped too early answers nothing
        admin.delete_consumer_groups([group])[group].result(30)

    def test_aborted_records_of_others_hide_nothing_from_the_search(self, spec, control):
        rows = [Row(partition, b"k", b"v") for partition in range(3)]
        self.broker.aborted(spec.topic, rows)
        outlet = self.build(spec, control)
        outlet.fence(INCARNATION)

        assert outlet.search() == Delivered(-1, 0)
        record = self.stage(spec, control, 3, ["a", "b"])
        self.redo(spec, control, record)
        self.broker.aborted(spec.topic, rows)
        self.own(outlet)
        assert outlet.search() == Delivered(3, 2)
        assert outlet.holds_records()
        outlet.close()
