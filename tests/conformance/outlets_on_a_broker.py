"""The suite of outlets on a broker that is given by a fixture `broker`; read back by a client that knows nothing of us."""

import time
import uuid

import pytest
from tests.support.committed import committed_records

from arrowflow.protocols import Control
from arrowflow.sinks.kafka.spec import KafkaSinkSpec
from arrowflow.stores.local import LocalStore
from arrowflow.testing.conformance.outlets import OutletConformance

SOME = ["kafka.flushed:{}:raise", "kafka.flushed:{}:crash", "kafka.commit:{}:crash", "kafka.commit:{}:lost"]
"""Every producer waits half a second for its coordinator, so not all of `FAULTS`: the cluster in memory has those."""


def seen(record):
    return int(record.headers["af-epoch"]), int(record.headers["af-seq"]), record.key, record.value


class OnABroker(OutletConformance):
    @pytest.fixture
    def spec(self, broker):
        self.broker = broker
        topic = broker.create_topic(f"alerts-{uuid.uuid4().hex[:8]}", 3)
        return KafkaSinkSpec(topic, broker.bootstrap, key=("k",), chunk_rows=2)

    @pytest.fixture
    def control(self, tmp_path):
        return Control(LocalStore(), str(tmp_path / "control"))

    @pytest.mark.parametrize("fault", SOME)
    def test_a_run_that_fails_or_dies_anywhere_is_made_good_by_the_next(self, spec, control, fault):
        # The second hit is the first with records in it.
        super().test_a_run_that_fails_or_dies_anywhere_is_made_good_by_the_next(spec, control, fault, 2)

    def expect(self, spec, wanted):
        until = time.monotonic() + 60
        while [record[:2] for record in self.seen(spec)] != wanted and time.monotonic() < until:
            time.sleep(0.1)
        super().expect(spec, wanted)

    def published(self, spec):
        return [[seen(record) for record in part] for part in committed_records(self.broker.bootstrap, spec.topic)]
