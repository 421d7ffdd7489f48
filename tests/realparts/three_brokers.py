"""Three real brokers on loopback ports that replicate what they hold: for leaders that change. Needs half a gigabyte each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Thread

from confluent_kafka.admin import NewTopic
from tests.realparts.kafka_broker import KafkaBroker, Topics, new_cluster_id

from arrowflow.sources.kafka.tether import free_ports


class Node(KafkaBroker):
    """One of the brokers."""

    heap_mb = 400

    def __init__(self, number: int, ports: list[tuple[int, int]], cluster: str) -> None:
        port, controller = ports[number]
        voters = ",".join(f"{n + 1}@127.0.0.1:{ports[n][1]}" for n in range(len(ports)))
        super().__init__(
            {
                "node.id": str(number + 1),
                "controller.quorum.voters": voters,
                "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
                "offsets.topic.replication.factor": "3",
                "transaction.state.log.replication.factor": "3",
                "transaction.state.log.min.isr": "2",
                "min.insync.replicas": "2",
                "broker.session.timeout.ms": "6000",
            },
            cluster,
        )
        self.port, self.bootstrap = port, f"127.0.0.1:{port}"


class KafkaCluster(Topics):
    """Brokers that are their own controllers; any of them may be stopped, killed or frozen, and the others go on."""

    def __init__(self, brokers: int = 3) -> None:
        numbers, cluster = free_ports(2 * brokers), new_cluster_id()
        ports = [(numbers[2 * n], numbers[2 * n + 1]) for n in range(brokers)]
        self.nodes = [Node(n, ports, cluster) for n in range(brokers)]
        super().__init__(",".join(node.bootstrap for node in self.nodes))

    @classmethod
    @contextmanager
    def launch(cls, brokers: int = 3) -> Iterator[KafkaCluster]:
        """A started cluster for a ``with`` block; its data is deleted after it."""
        cluster = cls(brokers)
        try:
            cluster.start()
            yield cluster
        finally:
            for node in cluster.nodes:
                node.kill()
                node.delete()

    def start(self) -> None:
        """Start all of them side by side: none answers before most are there."""
        starting = [Thread(target=node.start, args=(300.0,)) for node in self.nodes]
        for thread in starting:
            thread.start()
        for thread in starting:
            thread.join()

    def create_topic(self, name: str, partitions: int = 1, config: Mapping[str, str] | None = None) -> str:
        """Create a topic with a copy on every broker."""
        settings = {"retention.ms": "-1", "min.insync.replicas": "2", **(config or {})}
        admin = self.admin()
        admin.create_topics([NewTopic(name, partitions, len(self.nodes), config=settings)])[name].result(60)
        self._wait_for_leaders(admin, name, partitions)
        return name

    def leader(self, topic: str, partition: int) -> Node:
        """The broker that leads a partition now."""
        led = self.admin().list_topics(topic, timeout=30).topics[topic].partitions[partition].leader
        return self.nodes[led - 1]
