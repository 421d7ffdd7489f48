"""The link through the ordinary client: a transactional producer, and a consumer that joins nothing.

librdkafka's errors are translated here, once. What it calls retriable is called again until a patience is over, in
waits short enough for a stop to be noticed between them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from queue import Empty, Queue
from threading import Thread
from typing import TypeVar

from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

from arrowflow.connection import CONNECTION
from arrowflow.errors import ArrowflowError, ConfigError, OutletTaken, RetryableError, Unreachable
from arrowflow.sinks.kafka.link import AbortRequired, CommitInDoubt, Record, Tail, Target

_T = TypeVar("_T")
_WAIT_S = 5.0
_PATIENCE_S = 30.0
_UNKNOWN_S = 10.0
_SETTLE_S = 5.0
"""How long transactions of others may keep records from readers before anybody looks whose they are."""
_MARKS_S = 0.2
"""So long the marks of a commit are waited for before records are read to see whose transaction is open."""
_GRACE_S = 10.0
"""How much longer than it was told to a call of the client may take before it counts as lost."""
_QUEUE = 10_000
"""Records on their way to the broker at most: handing over one more waits, so time passes where it is looked at."""
_STEP = 2_000

_TAKEN = frozenset(
    {
        KafkaError._FENCED,  # noqa: SLF001 - a public constant whose name starts with an underscore
        KafkaError.INVALID_PRODUCER_EPOCH,
        KafkaError.INVALID_PRODUCER_ID_MAPPING,
        KafkaError.PRODUCER_FENCED,
        KafkaError.TRANSACTION_COORDINATOR_FENCED,
    }
)
"""Another producer initialised our id, or the cluster gave up on our transaction: librdkafka tells them by one code."""
_AWAY = frozenset(
    {
        KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001
        KafkaError._RESOLVE,  # noqa: SLF001
        KafkaError._TIMED_OUT,  # noqa: SLF001
        KafkaError._TRANSPORT,  # noqa: SLF001
        KafkaError._WAIT_COORD,  # noqa: SLF001
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_COORDINATOR,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError.UNKNOWN_LEADER_EPOCH,
    }
)
_ACCESS = frozenset(
    {
        KafkaError._AUTHENTICATION,  # noqa: SLF001
        KafkaError._SSL,  # noqa: SLF001
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
        KafkaError.UNSUPPORTED_SASL_MECHANISM,
    }
)
_NO_TOPIC = frozenset({KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION, KafkaError.UNKNOWN_TOPIC_OR_PART})  # noqa: SLF001
_REFUSED_RECORD: Mapping[int, str] = {
    KafkaError.MSG_SIZE_TOO_LARGE: "the topic takes no record of that size: raise its max.message.bytes, or lower max_message_bytes",
    KafkaError.INVALID_RECORD: "the topic refuses the record: one that is compacted takes only records with keys",
    KafkaError.INVALID_TRANSACTION_TIMEOUT: "transaction_timeout is longer than the broker's transaction.max.timeout.ms",
}


class KafkaLink:
    """One producer with a transactional id; used by one thread.

    Parameters
    ----------
    target : Target
        Where to connect and as whom.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._telling: KafkaError | None = None
        self._count = 0
        self._hangs = False
        own = {key: value for key, value in target.properties.items() if key in CONNECTION}
        common = {"bootstrap.servers": target.brokers, "log_level": 0, "error_cb": self._complained}
        self._reading = {
            **own,
            **common,
            "group.id": target.group,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "error",
            "isolation.level": "read_committed",
            "allow.auto.create.topics": False,
            "check.crcs": True,
        }
        self._consumer = Consumer(self._reading, logger=_silent())
        self._producer = Producer(
            {
                "linger.ms": 5,
                **target.properties,
                **common,
                "transactional.id": target.transactional_id,
                "transaction.timeout.ms": target.transaction_timeout_ms,
                "message.timeout.ms": target.transaction_timeout_ms,
                "message.max.bytes": max(1000, target.max_message_bytes),
                "queue.buffering.max.messages": _QUEUE,
            },
            logger=_silent(),
        )
        self._admin: AdminClient | None = None
        self._own = {**own, "bootstrap.servers": target.brokers, "log_level": 0}

    # ---- the link -------------------------------------------------------------------------------------------

    def init(self) -> int:
        self._count = self._partitions()
        self._patiently("taking over its transactional id", lambda: self._producer.init_transactions(_WAIT_S))
        return self._count

    def marker(self) -> tuple[int, str] | None:
        place = [TopicPartition(self._target.topic, 0)]
        (found,) = self._patiently("reading its marker", lambda: self._consumer.committed(place, _WAIT_S))
        if found.error is not None:
            raise self._translated(found.error, "reading its marker")
        return None if found.offset < 0 else (found.offset, found.metadata or "")

    def begin(self) -> None:
        self._patiently("beginning a transaction", self._producer.begin_transaction)

    def produce(self, record: Record) -> None:
        until = time.monotonic() + _PATIENCE_S
        while not self._serving(lambda: self._handed_over(record)):
            if time.monotonic() > until:
                raise self._away("producing")
            self._serving(lambda: self._producer.poll(0.1))

    def _handed_over(self, record: Record) -> bool:
        try:
            self._producer.produce(
                self._target.topic, record.value, record.key, record.partition, headers=list(record.headers)
            )
        except BufferError:
            return False
        return True

    def _serving(self, call: Callable[[], _T]) -> _T:
        """Call what may also deliver the news that the producer is lost."""
        try:
            return call()
        except KafkaException as error:
            raise self._translated(error.args[0], "producing") from error

    def flush(self) -> None:
        until = time.monotonic() + _PATIENCE_S
        while self._serving(lambda: self._producer.flush(0.5)):
            if time.monotonic() > until:
                raise self._away("waiting for the broker to take the records")

    def send_marker(self, offset: int, note: str) -> None:
        place = [TopicPartition(self._target.topic, 0, offset, note)]
        member = self._consumer.consumer_group_metadata()
        self._patiently(
            "adding the marker to the transaction",
            lambda: self._producer.send_offsets_to_transaction(place, member, _WAIT_S),
        )

    def commit(self) -> None:
        patience = _PATIENCE_S + self._target.transaction_timeout_ms / 1000
        try:
            self._patiently("committing", lambda: self._producer.commit_transaction(_WAIT_S), patience)
        except (AbortRequired, OutletTaken):
            raise
        except RetryableError as error:
            raise CommitInDoubt(f"{error}; the marker will tell") from error

    def abort(self) -> None:
        self._patiently("aborting", lambda: self._producer.abort_transaction(_WAIT_S))

    def tail(self, partition: int, wanted: Mapping[str, bytes], most: int) -> Tail:
        place = TopicPartition(self._target.topic, partition)
        low, high = self._patiently(
            "looking for its records",
            lambda: self._consumer.get_watermark_offsets(place, _WAIT_S, cached=False),
            unknown_s=_UNKNOWN_S,
        )
        stop, step = high, _STEP
        while stop > low and high - stop < most:
            start = max(low, stop - step)
            newest = self._newest(self._consumer, partition, start, stop, wanted)
            if newest is not None:
                return Tail(newest, whole=False)
            stop, step = start, 2 * step
        return Tail(None, whole=stop == 0)

    def hidden(self, wanted: Mapping[str, bytes], most: int) -> Sequence[int]:
        until = time.monotonic() + _SETTLE_S
        while True:
            stable, high = self._ends(IsolationLevel.READ_COMMITTED), self._ends(IsolationLevel.READ_UNCOMMITTED)
            held = [partition for partition in range(self._count) if stable[partition] < high[partition]]
            if not held:
                return []
            if time.monotonic() > until:
                break
            self._producer.poll(0.05)
        reader = Consumer({**self._reading, "isolation.level": "read_uncommitted"}, logger=_silent())
        try:
            starts = {n: max(stable[n], high[n] - most) for n in held}
            return [n for n, start in starts.items() if self._newest(reader, n, start, high[n], wanted) is not None]
        finally:
            reader.close()

    def hanging(self, wanted: Mapping[str, bytes]) -> Sequence[int]:
        began = time.monotonic()
        reader = None
        try:
            while True:
                stable, high = self._ends(IsolationLevel.READ_COMMITTED), self._ends(IsolationLevel.READ_UNCOMMITTED)
                held = [partition for partition in range(self._count) if stable[partition] < high[partition]]
                if not held:
                    return []
                if time.monotonic() < began + _MARKS_S:
                    self._producer.poll(0.005)
                    continue
                reader = reader or Consumer({**self._reading, "isolation.level": "read_uncommitted"}, logger=_silent())
                # Readers wait at the first record of a transaction: if that is another's, it does not concern us.
                firsts = ((n, self._newest(reader, n, stable[n], stable[n] + 1, wanted)) for n in held)
                ours = [n for n, headers in firsts if headers is not None]
                if not ours or time.monotonic() > began + _SETTLE_S:
                    return ours
                self._producer.poll(0.05)  # the end may be on its way: a commit is answered before it is everywhere
        finally:
            if reader is not None:
                reader.close()

    def drop(self) -> None:
        if self._hangs:
            return  # a thread is still in it: it goes when that ends
        with suppress(KafkaException):  # it was fenced: there is nothing left to forget
            self._producer.purge()
        with suppress(KafkaException, RuntimeError):  # closed before
            self._consumer.close()

    # ---- what it is made of ---------------------------------------------------------------------------------

    def _partitions(self) -> int:
        topic = self._target.topic
        found = self._patiently("asking for the topic", lambda: self._consumer.list_topics(topic, _WAIT_S)).topics[
            topic
        ]
        if found.error is None and found.partitions:
            return len(found.partitions)
        if self._target.create_partitions is None:
            why = "" if found.error is None else f" ({found.error.str()})"
            raise ConfigError(
                f"sink {self._target.sink!r}: there is no topic {topic!r} at {self._target.brokers}{why}: create it with the "
                "partitions and the retention its readers need, or correct the name"
            )
        admin = AdminClient(self._own)  # one that is dropped too early answers nothing
        made = admin.create_topics([NewTopic(topic, self._target.create_partitions, 1, config={"retention.ms": "-1"})])
        self._patiently("creating the topic", lambda: made[topic].result(_WAIT_S))
        return self._target.create_partitions

    def _ends(self, level: IsolationLevel) -> list[int]:
        """The end of each partition for readers of this level."""
        places = [TopicPartition(self._target.topic, number) for number in range(self._count)]
        latest = OffsetSpec.latest()

        def ask() -> list[int]:
            admin = self._admin = self._admin or AdminClient(
                self._own
            )  # kept: it is asked again after each transaction
            try:
                asked = admin.list_offsets(dict.fromkeys(places, latest), isolation_level=level)
                return [asked[place].result(_WAIT_S).offset for place in places]
            except KafkaException:
                self._admin = None  # it goes on asking with a leader's epoch that is over
                raise

        return self._patiently("looking for its ends", ask, unknown_s=_UNKNOWN_S)

    def _newest(
        self, reader: Consumer, partition: int, start: int, stop: int, wanted: Mapping[str, bytes]
    ) -> dict[str, bytes] | None:
        """The headers of the last record in offsets ``[start, stop)`` that has those `wanted`."""
        place = TopicPartition(self._target.topic, partition, start)
        reader.assign([place])
        newest, reached, until = None, start, time.monotonic() + _PATIENCE_S
        while reached < stop:
            if time.monotonic() > until:  # perhaps another producer's transaction is open, and hides what is behind it
                raise self._away("looking for its records")
            for message in reader.consume(1000, 0.2):
                offset, error = message.offset() or 0, message.error()
                if error is not None and error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001
                    raise self._translated(error, "looking for its records")
                headers = {} if error is not None else _headers(message)
                reached = max(reached, offset if error is not None else offset + 1)
                if offset < stop and wanted.items() <= headers.items():
                    newest = headers
            reached = max(reached, reader.position([place])[0].offset)
        reader.unassign()
        return newest

    def _patiently(
        self, doing: str, call: Callable[[], _T], patience: float = _PATIENCE_S, *, unknown_s: float = 0.0
    ) -> _T:
        """Call until it works; what only time can mend is tried again while there is patience.

        A topic made a moment ago may be unknown to the broker that is asked: `unknown_s` is how long that may last.
        """
        began = time.monotonic()
        until = began + patience
        while True:
            try:
                return self._answered(call, doing)
            except (KafkaException, TimeoutError) as raised:
                error = raised.args[0] if isinstance(raised, KafkaException) else None
                unknown = error is not None and error.code() in _NO_TOPIC and time.monotonic() < began + unknown_s
                if not (unknown or _may_pass(error)) or self._telling is not None or time.monotonic() > until:
                    raise self._translated(error, doing) from raised
                self._producer.poll(0.05)

    def _answered(self, call: Callable[[], _T], doing: str) -> _T:
        """Call from a thread of its own and leave that behind if its time-out does not work.

        Seen with librdkafka 2.16: when the broker was killed after a transaction began and came back,
        ``send_offsets_to_transaction`` did not return for minutes, whatever time-out it was given.
        """
        ended: Queue[_T | BaseException] = Queue()

        def work() -> None:
            try:
                ended.put(call())
            except BaseException as error:  # noqa: BLE001 - handed to the caller, in its own thread
                ended.put(error)

        Thread(target=work, name=f"arrowflow-{self._target.sink}", daemon=True).start()
        try:
            answer = ended.get(timeout=_WAIT_S + _GRACE_S)
        except Empty:
            self._hangs = True
            raise Unreachable(f"{self._place(doing)}: the client does not come back; going on with a new one") from None
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def _place(self, doing: str) -> str:
        return f"sink {self._target.sink!r}, topic {self._target.topic!r} at {self._target.brokers}: {doing}"

    def _translated(self, error: KafkaError | None, doing: str) -> ArrowflowError:
        place = self._place(doing)
        if self._telling is not None and (error is None or error.code() in _AWAY):
            error = self._telling
        if error is None:
            return Unreachable(f"{place}: no answer in time; is the cluster up and the address right?")
        code, said = error.code(), f"{error.name()}: {error.str()}"
        if code in _ACCESS:
            return ConfigError(f"{place}: {said}. Check the credentials, certificates and ACLs of the sink")
        if code in _REFUSED_RECORD:
            return ConfigError(f"{place}: {said}: {_REFUSED_RECORD[code]}")
        if code in _TAKEN or error.fatal():
            return OutletTaken(f"{place}: {said}")
        if error.txn_requires_abort():
            return AbortRequired(f"{place}: {said}")
        if code in _NO_TOPIC:
            return ConfigError(f"{place}: {said}: was the topic deleted? Create it again")
        return Unreachable(f"{place}: {said}") if code in _AWAY else RetryableError(f"{place}: {said}")

    def _away(self, doing: str) -> ArrowflowError:
        return self._translated(None, doing)

    def _complained(self, error: KafkaError) -> None:
        if error.code() in _ACCESS:
            self._telling = error


def _may_pass(error: KafkaError | None) -> bool:
    if error is None:
        return True
    code = error.code()
    if error.fatal() or error.txn_requires_abort() or code in _TAKEN or code in _ACCESS or code in _REFUSED_RECORD:
        return False
    return bool(error.retriable()) or code in _AWAY


def _headers(message: Message) -> dict[str, bytes]:
    return {name: value for name, value in message.headers() or [] if isinstance(value, bytes)}


def _silent() -> logging.Logger:
    """A logger of nobody: a fenced producer writes to stderr otherwise, whatever its log level."""
    logger = logging.Logger("librdkafka")  # noqa: LOG001 - one of its own, in no hierarchy
    logger.addHandler(logging.NullHandler())
    return logger
