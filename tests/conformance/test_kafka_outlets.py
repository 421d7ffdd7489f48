"""A topic on a real Kafka passes the suite every outlet must pass."""

import pytest
from tests.conformance.outlets_on_a_broker import OnABroker

from arrowflow.testing.conformance.outlets import INCARNATION


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
