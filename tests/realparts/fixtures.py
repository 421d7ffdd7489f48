"""Real brokers, one of each per session: Apache Kafka from Maven's jars, and the embedded wheel."""

import importlib.util
import os

import pytest
from tests.realparts.kafka_broker import BrokerUnavailable, KafkaBroker, Topics

from arrowflow.sources.kafka.embedded import EmbeddedSpec


@pytest.fixture(scope="session")
def kafka():
    """A real Apache Kafka. Tests that use it carry the marker `kafka`."""
    try:
        broker = KafkaBroker()
    except BrokerUnavailable as reason:
        if os.environ.get("ARROWFLOW_REQUIRE_KAFKA") == "1":
            pytest.fail(f"ARROWFLOW_REQUIRE_KAFKA=1, but {reason}")
        pytest.skip(str(reason))
    try:
        broker.start()
        yield broker
    finally:
        broker.stop()
        broker.delete()


@pytest.fixture(scope="session")
def embedded(tmp_path_factory):
    """The embedded broker with no sample. Tests that use it carry the marker `embedded`."""
    if importlib.util.find_spec("noida_db") is None:
        pytest.skip("the embedded broker's wheel is not installed: pip install 'arrowflow[embedded]'")
    broker = EmbeddedSpec(str(tmp_path_factory.mktemp("embedded") / "data")).start(())
    try:
        yield Topics(broker.bootstrap)
    finally:
        broker.stop()
