"""What the administrator's client knows of a cluster: topics, offset ranges, group offsets. It reads no record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from confluent_kafka import (
    OFFSET_INVALID,
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec

from arrowflow.errors import DataLossError, RetryableError
from arrowflow.sources.kafka.properties import CONNECTION
from arrowflow.sources.kafka.subscription import Subscription
from arrowflow.sources.kafka.translate import Complaints, translated
from arrowflow.sources.kafka.wire.tls import stamps_of
from arrowflow.types import Discovery, PartitionInfo, SourcePartition

_T = TypeVar("_T")
PATIENCE_S = 10.0
"""How long one request may take before the cluster counts as unreachable."""

_NO_ID = "AAAAAAAAAAAAAAAAAAAAAA"
_RC, _RU = IsolationLevel.READ_COMMITTED, IsolationLevel.READ_UNCOMMITTED
_EARLIEST, _LATEST = OffsetSpec.earliest(), OffsetSpec.latest()


class Cluster:
    """Questions about the topics of one source.

    Parameters
    ----------
    source : str
        Name of the source in the pipeline, for the partitions returned.
    wanted : Subscription
        Topics, addresses and connection settings.
    """

    def __init__(self, source: str, wanted: Subscription) -> None:
        self._source = source
        self._topics = wanted.topics
        self._brokers = wanted.brokers
        self._complaints = Complaints()
        self._own = {key: value for key, value in wanted.properties.items() if key in CONNECTION}
        self._stamps = stamps_of(self._own)
        self._admin = self._connected()

    def renew(self) -> bool:
        """Begin with a new client where TLS files have changed on disk, for one reads them only once; whether it did."""
        stamps = stamps_of(self._own)
        if stamps == self._stamps:
            return False
        try:
            self._admin = self._connected()
        except KafkaException:
            return False  # files that are half renewed; the next look will find them whole
        self._stamps = stamps
        return True

    def _connected(self) -> AdminClient:
        ours = {"bootstrap.servers": self._brokers, "error_cb": self._complaints, "log_level": 0}
        return AdminClient({**self._own, **ours})

    def discover(self) -> Discovery:
        """Every partition of the topics with its ids and range; raises `DataLossError` for a missing topic."""
        described = self._ask(
            self._admin.describe_topics(TopicCollection(list(self._topics)), request_timeout=PATIENCE_S)
        )
        identity = self._answer(self._admin.describe_cluster(request_timeout=PATIENCE_S), "the cluster")
        parts = [
            SourcePartition(self._source, topic, number.id)
            for topic in self._topics
            for number in sorted(described[topic].partitions, key=lambda each: each.id)
        ]
        low, stable, high = self._offsets(parts, (_EARLIEST, _RU), (_LATEST, _RC), (_LATEST, _RU))
        found = {}
        for part in parts:
            # Asked for side by side, so the stable end may have been read a moment after the high one.
            end, readable = int(high[part].offset), int(stable[part].offset)
            epoch = high[part].leader_epoch
            topic_id = str(described[part.topic].topic_id)
            found[part] = PartitionInfo(
                min(int(low[part].offset), end),
                max(end, readable),
                readable,
                None if topic_id == _NO_ID else topic_id,
                -1 if epoch is None else int(epoch),
            )
        return Discovery(identity.cluster_id, found)

    def ranges(self, partitions: Sequence[SourcePartition]) -> dict[SourcePartition, tuple[int, int]]:
        """The offsets that exist now, ``[low, high)``, open transactions included."""
        low, high = self._offsets(partitions, (_EARLIEST, _RU), (_LATEST, _RU))
        return {part: (int(low[part].offset), int(high[part].offset)) for part in partitions}

    def earliest(self, partitions: Sequence[SourcePartition]) -> dict[SourcePartition, int]:
        """The first offset that exists in each partition."""
        return {part: low for part, (low, _) in self.ranges(partitions).items()}

    def latest(self, partitions: Sequence[SourcePartition]) -> dict[SourcePartition, int]:
        """Behind the last readable record: a transaction that is open now will be read once it commits."""
        (stable,) = self._offsets(partitions, (_LATEST, _RC))
        return {part: int(stable[part].offset) for part in partitions}

    def at_time(self, partitions: Sequence[SourcePartition], moment_ms: int) -> dict[SourcePartition, int]:
        """The first offset stamped at or after a time; the end where there is none."""
        first, high = self._offsets(partitions, (OffsetSpec.for_timestamp(moment_ms), _RU), (_LATEST, _RU))
        return {part: int(first[part].offset if first[part].offset >= 0 else high[part].offset) for part in partitions}

    def committed(self, partitions: Sequence[SourcePartition], group: str) -> dict[SourcePartition, int]:
        """The group's offsets; partitions it never committed are left out."""
        return {part: offset for part, (offset, _) in self.noted(partitions, group).items()}

    def noted(self, partitions: Sequence[SourcePartition], group: str) -> dict[SourcePartition, tuple[int, str]]:
        """The group's offsets with their metadata; partitions it never committed are left out."""
        wanted = [ConsumerGroupTopicPartitions(group, [_plain(part) for part in partitions])]
        answers = self._admin.list_consumer_group_offsets(wanted, request_timeout=PATIENCE_S)
        found = self._answer(answers[group], f"group {group!r}").topic_partitions
        told = {
            (each.topic, each.partition): (each.offset, each.metadata or "")
            for each in found
            if each.error is None and each.offset >= 0
        }
        return {part: told[part.topic, part.partition] for part in partitions if (part.topic, part.partition) in told}

    def commit(self, group: str, positions: Mapping[SourcePartition, int], note: str) -> None:
        """Set the group's offsets, non-transactional, with `note` as their metadata."""
        wanted = [_plain(part, offset, note) for part, offset in sorted(positions.items())]
        answers = self._admin.alter_consumer_group_offsets(
            [ConsumerGroupTopicPartitions(group, wanted)], request_timeout=PATIENCE_S
        )
        for each in self._answer(answers[group], f"group {group!r}").topic_partitions:
            if each.error is not None:
                raise translated(each.error, f"group {group!r}, {each.topic}[{each.partition}]", self._complaints)

    def check(self, wanted: Mapping[SourcePartition, int]) -> None:
        """Raise `DataLossError` unless every offset lies within its partition's range, ends included."""
        for part, (low, high) in self.ranges(list(wanted)).items():
            if not low <= wanted[part] <= high:
                raise DataLossError(loss_message(part, wanted[part], low, high))

    def _offsets(
        self, parts: Iterable[SourcePartition], *asked: tuple[OffsetSpec, IsolationLevel]
    ) -> list[dict[SourcePartition, Any]]:
        """Ask several questions about every partition side by side, each answered per partition."""
        plain = {_plain(part): part for part in parts}
        if not plain:
            return [{} for _ in asked]
        rounds = [
            self._admin.list_offsets(dict.fromkeys(plain, what), isolation_level=level, request_timeout=PATIENCE_S)
            for what, level in asked
        ]
        return [{plain[key]: self._offset(key, future) for key, future in answers.items()} for answers in rounds]

    def _offset(self, key: TopicPartition, future: Future[Any]) -> Any:  # noqa: ANN401 - the client's own type
        place = f"offsets of {key.topic}[{key.partition}]"
        found = self._answer(future, place)
        if found.offset == OFFSET_INVALID:
            # So it answers while a partition has no leader. Taken for an end of the log, it would look like data loss.
            raise RetryableError(f"{place} at {self._brokers}: it has no leader at the moment")
        return found

    def _ask(self, answers: Mapping[str, Any]) -> dict[str, Any]:
        return {topic: self._answer(future, f"topic {topic!r}") for topic, future in answers.items()}

    def _answer(self, future: Future[_T], place: str) -> _T:
        try:
            answer = future.result(PATIENCE_S + 1)
        except (KafkaException, TimeoutError) as error:
            self._admin.poll(0)  # complaints of the client's threads are delivered here
            raise translated(error, f"{place} at {self._brokers}", self._complaints) from error
        except RuntimeError as error:
            raise RetryableError(f"{place} at {self._brokers}: {error}") from error
        self._complaints.forget()
        return answer


def loss_message(part: SourcePartition, wanted: int, low: int, high: int) -> str:
    """The sentence for offsets that are not there any more, with the ways on."""
    if wanted < low:
        cause = f"records [{wanted}, {low}) were deleted, most likely by the topic's retention"
        way = 'Restore them from an archive, go on behind them with on_data_loss = "skip",'
    else:
        cause = f"the log ends before {wanted}: it was truncated, or the topic was deleted and created again"
        way = f"Go on with what it holds now (`arrowflow reset CONFIG --from earliest --topic {part.topic}`),"
    return (
        f"{part}: offset {wanted} was wanted, the broker holds [{low}, {high}): {cause}. {way} or "
        "make the results anew: `arrowflow reset CONFIG --to-start`"
    )


def _plain(part: SourcePartition, offset: int = OFFSET_INVALID, note: str = "") -> TopicPartition:
    return TopicPartition(part.topic, part.partition, offset, note)
