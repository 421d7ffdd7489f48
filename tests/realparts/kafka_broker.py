"""A real Apache Kafka on loopback ports, from jars that Maven resolves; needs no pytest, dies with its parent.

>>> with KafkaBroker.launch() as kafka:  # doctest: +SKIP
...     kafka.create_topic("events", partitions=3)
...     kafka.produce("events", [Row(0, b"key", b"value", 1_700_000_000_000)])
"""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from confluent_kafka import IsolationLevel, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic, OffsetSpec

from arrowflow.sources.kafka.tether import Tethered, free_ports

POM = Path(__file__).with_name("pom.xml")


class BrokerUnavailable(RuntimeError):
    """This machine cannot start the broker; the message is one line that says why."""


class Row(NamedTuple):
    """A record to produce."""

    partition: int
    key: bytes | None
    value: bytes | None
    timestamp_ms: int = 0


def jars() -> Path:
    """The folder of Kafka's jars, resolved by Maven at the first call on a machine; raises `BrokerUnavailable`."""
    for program in ("java", "mvn"):
        if shutil.which(program) is None:
            raise BrokerUnavailable(f"the real Kafka needs Java 17 and Maven: {program!r} is not on the PATH")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "arrowflow"
    folder = cache / f"kafka-{hashlib.sha256(POM.read_bytes()).hexdigest()[:12]}"
    if not folder.exists():
        _resolve(cache, folder)
    return folder


def _resolve(cache: Path, folder: Path) -> None:
    cache.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=cache, prefix="resolving-"))
    goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={fresh}"]
    done = subprocess.run(
        ["mvn", "-q", "-B", "-f", str(POM), *goal], capture_output=True, text=True, timeout=600, check=False
    )
    if done.returncode:
        shutil.rmtree(fresh)
        complaint = next((line for line in done.stdout.splitlines() if "ERROR" in line), "no reason given")
        raise BrokerUnavailable(f"Maven could not resolve the real Kafka: {complaint[:300]}")
    try:
        fresh.rename(folder)
    except OSError:  # another process was first
        shutil.rmtree(fresh)


class Topics:
    """What tests do to topics, on any broker that speaks the protocol.

    Parameters
    ----------
    bootstrap : str
        Address of the broker.
    """

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap

    def admin(self) -> AdminClient:
        """An administrator's client; the caller drops it."""
        return AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})

    def create_topic(self, name: str, partitions: int = 1, config: Mapping[str, str] | None = None) -> str:
        """Create a topic that keeps records however old their timestamps, wait for its leaders, return its name."""
        settings = {"retention.ms": "-1", **(config or {})}
        admin = self.admin()
        admin.create_topics([NewTopic(name, partitions, 1, config=settings)])[name].result(30)
        self._wait_for_leaders(admin, name, partitions)
        return name

    def delete_topic(self, name: str) -> None:
        """Delete a topic and wait until the broker has forgotten it."""
        admin = self.admin()
        admin.delete_topics([name])[name].result(30)
        while name in admin.list_topics(timeout=10).topics:
            time.sleep(0.05)

    def add_partitions(self, name: str, total: int) -> None:
        """Raise the number of partitions and wait for the new leaders."""
        admin = self.admin()
        admin.create_partitions([NewPartitions(name, total)])[name].result(30)
        self._wait_for_leaders(admin, name, total)

    def producer(self, **settings: str | int) -> Producer:
        """A producer that batches a little; pass ``transactional_id=...`` for transactions."""
        named = {key.replace("_", "."): value for key, value in settings.items()}
        return Producer({"bootstrap.servers": self.bootstrap, "linger.ms": 5, "log_level": 0, **named})

    def produce(self, topic: str, rows: Iterable[Row], producer: Producer | None = None, flush: bool = True) -> None:
        """Produce rows in order, waiting for every acknowledgement unless told not to flush."""
        producer = producer or self.producer()
        failures: list[str] = []
        for row in rows:
            while True:
                try:
                    producer.produce(
                        topic, row.value, row.key, row.partition, timestamp=row.timestamp_ms,
                        on_delivery=lambda error, _: failures.append(str(error)) if error else None,
                    )  # fmt: skip
                    break
                except BufferError:
                    producer.poll(0.1)
            producer.poll(0)
        if flush and (left := producer.flush(60)):
            failures.append(f"{left} records were not acknowledged in a minute")
        assert not failures, failures[:3]

    def delete_records(self, topic: str, partition: int, before: int) -> None:
        """What retention does: records below `before` are gone."""
        place = TopicPartition(topic, partition, before)
        admin = self.admin()  # a client that is dropped too early answers nothing
        admin.delete_records([place])[place].result(30)

    def aborted(self, topic: str, rows: Sequence[Row]) -> None:
        """Produce rows in a transaction, abort it, and wait for its markers: a broker answers before it wrote them."""
        self.transaction(topic, rows).abort_transaction(30)
        admin = self.admin()
        places = [TopicPartition(topic, partition) for partition in sorted({row.partition for row in rows})]
        deadline = time.monotonic() + 30
        while self._ends(admin, places, IsolationLevel.READ_COMMITTED) != self._ends(
            admin, places, IsolationLevel.READ_UNCOMMITTED
        ):
            assert time.monotonic() < deadline, f"{topic} has a transaction that does not end"
            time.sleep(0.02)

    def transaction(self, topic: str, rows: Sequence[Row]) -> Producer:
        """Produce rows in a transaction that stays open; the producer returned can end it."""
        producer = self.producer(transactional_id=f"tests-{uuid.uuid4()}")
        producer.init_transactions(30)
        producer.begin_transaction()
        self.produce(topic, rows, producer)
        return producer

    def _ends(self, admin: AdminClient, places: list[TopicPartition], level: IsolationLevel) -> list[int]:
        asked = admin.list_offsets(dict.fromkeys(places, OffsetSpec.latest()), isolation_level=level)
        return [answer.result(10).offset for answer in asked.values()]

    def _wait_for_leaders(self, admin: AdminClient, name: str, partitions: int) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            topic = admin.list_topics(name, timeout=10).topics[name]
            if len(topic.partitions) == partitions and all(part.leader >= 0 for part in topic.partitions.values()):
                asked = admin.list_offsets(
                    {TopicPartition(name, part): OffsetSpec.latest() for part in topic.partitions}
                )
                if all(future.exception(10) is None for future in asked.values()):  # it may not know yet that it leads
                    return
            time.sleep(0.05)
        raise RuntimeError(f"the {partitions} partitions of {name} have no leaders after 30 s")


def new_cluster_id() -> str:
    """An id that is no other cluster's; it may not begin with "-": the tool would take it for an option."""
    return urlsafe_b64encode(b"\x01" + uuid.uuid4().bytes[1:]).decode().rstrip("=")


class KafkaBroker(Topics):
    """One broker that is its own controller, with its data in a temporary folder.

    `bootstrap` is its plain listener; `sasl_bootstrap` asks for SASL PLAIN, user ``alice``, password ``alice-secret``.

    Parameters
    ----------
    settings : mapping, optional
        Lines of ``server.properties`` beside, or instead of, our own.
    cluster : str, optional
        The cluster it is one of, by its id; one of its own otherwise.
    """

    heap_mb = 1024

    def __init__(self, settings: Mapping[str, str] | None = None, cluster: str | None = None) -> None:
        self._jars = jars()
        self._cluster = cluster or new_cluster_id()
        self.folder = Path(tempfile.mkdtemp(prefix="arrowflow-kafka-"))
        self.port, controller, sasl = free_ports(3)
        self.sasl_bootstrap = f"127.0.0.1:{sasl}"
        super().__init__(f"127.0.0.1:{self.port}")
        self._server: Tethered | None = None
        self._write_settings(controller, settings or {})
        self._format()

    @classmethod
    @contextmanager
    def launch(cls, settings: Mapping[str, str] | None = None) -> Iterator[KafkaBroker]:
        """A started broker for a ``with`` block; its data is deleted after it."""
        broker = cls(settings)
        try:
            broker.start()
            yield broker
        finally:
            broker.stop()
            broker.delete()

    def start(self, patience: float = 60.0) -> None:
        """Start, or start again on the same data, and wait until it answers."""
        log4j = "-Dlog4j2.level=WARN"
        self._server = Tethered(
            [
                "java",
                "-Xms256m",
                f"-Xmx{self.heap_mb}m",
                "-XX:TieredStopAtLevel=1",
                log4j,
                "-cp",
                f"{self._jars}/*",
                "kafka.Kafka",
                str(self._properties),
            ],
            self.log,
        )
        deadline = time.monotonic() + patience
        while not self._answers():
            if not self._server.running or time.monotonic() > deadline:
                log = self._server.tail()
                self.stop()
                raise RuntimeError(f"Kafka did not start on {self.bootstrap}; the end of its log:\n{log}")
            time.sleep(0.1)

    def stop(self) -> None:
        """Shut down in order; data is kept."""
        if self._server is not None:
            self._server.stop()

    def kill(self) -> None:
        """SIGKILL; data is kept as the operating system has it."""
        if self._server is not None:
            self._server.kill()

    def freeze(self) -> None:
        """SIGSTOP: connections stay open, nobody answers."""
        assert self._server is not None
        self._server.freeze()

    def thaw(self) -> None:
        """SIGCONT after `freeze`."""
        assert self._server is not None
        self._server.thaw()

    def delete(self) -> None:
        """Remove the data of a stopped broker."""
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def log(self) -> Path:
        return self.folder / "kafka.log"

    @property
    def pid(self) -> int:
        assert self._server is not None
        return self._server.pid

    # ---- starting -----------------------------------------------------------------------------------------

    def _write_settings(self, controller: int, settings: Mapping[str, str]) -> None:
        ours = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "listeners": f"PLAINTEXT://{self.bootstrap},CONTROLLER://127.0.0.1:{controller},SASL_PLAINTEXT://{self.sasl_bootstrap}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT",
            "sasl.enabled.mechanisms": "PLAIN",
            "listener.name.sasl_plaintext.plain.sasl.jaas.config": (
                'org.apache.kafka.common.security.plain.PlainLoginModule required user_alice="alice-secret";'
            ),
            "controller.listener.names": "CONTROLLER",
            "log.dirs": str(self.folder / "data"),
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "transaction.state.log.num.partitions": "4",
            "transaction.abort.timed.out.transaction.cleanup.interval.ms": "500",
            "group.initial.rebalance.delay.ms": "0",
            "auto.create.topics.enable": "false",
            "log.cleaner.backoff.ms": "200",
            "log.retention.check.interval.ms": "500",
        }
        self._properties = self.folder / "server.properties"
        self._properties.write_text("".join(f"{key}={value}\n" for key, value in (ours | dict(settings)).items()))

    def _format(self) -> None:
        tool = ["kafka.tools.StorageTool", "format", "-t", self._cluster, "-c", str(self._properties)]
        tool += self._format_options()
        done = subprocess.run(
            ["java", "-XX:TieredStopAtLevel=1", "-cp", f"{self._jars}/*", *tool],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"Kafka's storage was not formatted: {done.stdout[-1000:]}{done.stderr[-1000:]}")

    def _format_options(self) -> list[str]:
        return []

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 0.2).close()
            return bool(self.admin().list_topics(timeout=2).brokers)
        except Exception:  # noqa: BLE001 - not ready is not ready
            return False
