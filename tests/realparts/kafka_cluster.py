"""Three real brokers on loopback that replicate each other: leaders change when one is killed. Half a gigabyte each."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from confluent_kafka.admin import NewTopic
from tests.realparts.kafka_broker import KafkaBroker, Topics

from arrowflow.sources.kafka.tether import free_ports

CLUSTER = "AaBbCcDdEeFfGgHhIiJjKk"


class _Member(KafkaBroker):
    """One of three: the first is the controller, and is never killed."""

    def __init__(self, node: int, controller: int) -> None:
        self.node = node
        self._controller = controller
        super().__init__(cluster=CLUSTER)

    def _write_settings(self, controller: int, settings: Mapping[str, str]) -> None:
        first = self.node == 1
        listeners = [
            f"PLAINTEXT://{self.bootstrap}",
            *([f"CONTROLLER://127.0.0.1:{self._controller}"] if first else []),
        ]
        ours = {
            "process.roles": "broker,controller" if first else "broker",
            "node.id": str(self.node),
            "controller.quorum.voters": f"1@127.0.0.1:{self._controller}",
            "listeners": ",".join(listeners),
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap}",
            "broker.session.timeout.ms": "3000",
            "broker.heartbeat.interval.ms": "500",
            "replica.lag.time.max.ms": "3000",
        }
        super()._write_settings(controller, ours | dict(settings))


class KafkaCluster(Topics):
    """The three together; `members` are the brokers by their number."""

    def __init__(self) -> None:
        (controller,) = free_ports(1)
        self.members = {node: _Member(node, controller) for node in (1, 2, 3)}
        super().__init__(",".join(member.bootstrap for member in self.members.values()))

    @classmethod
    @contextmanager
    def launch(cls) -> Iterator[KafkaCluster]:
        """The started cluster for a ``with`` block; its data is deleted after it."""
        cluster = cls()
        try:
            for member in cluster.members.values():
                member.start(120)
            yield cluster
        finally:
            for member in reversed(cluster.members.values()):
                member.stop()
                member.delete()

    def create_replicated(self, name: str, partitions: int) -> str:
        """A topic that all three have, written once two of them have a record."""
        settings = {"retention.ms": "-1", "min.insync.replicas": "2"}
        deadline = time.monotonic() + 60
        admin = self.admin()
        while len(admin.list_topics(timeout=10).brokers) < 3:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        admin.create_topics([NewTopic(name, partitions, 3, config=settings)])[name].result(30)
        self._wait_for_leaders(admin, name, partitions)
        return name

    def whole(self, name: str) -> bool:
        """Whether all three are in step, so that one may die and the others have every record."""
        partitions = self.admin().list_topics(name, timeout=30).topics[name].partitions.values()
        return all(len(part.isrs) == 3 for part in partitions)

    def leader(self, name: str, partition: int) -> int:
        """Who leads a partition now."""
        return int(self.admin().list_topics(name, timeout=30).topics[name].partitions[partition].leader)
