"""`arrowflow bench` on a real Apache Kafka that is started for it: ``python -m bench.on_kafka --rows 400000``."""

from __future__ import annotations

import sys

from tests.realparts.kafka_broker import KafkaBroker

from arrowflow.cli import main

if __name__ == "__main__":
    with KafkaBroker.launch() as broker:
        sys.argv = ["arrowflow", "bench", "--brokers", broker.bootstrap, *sys.argv[1:]]
        main()
