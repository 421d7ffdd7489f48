"""What delivery asks of a cluster: one producer with a transactional id, and a reader of what it made visible.

The protocol is narrow so that a fake can obey it to the letter (`arrowflow.testing.topics`). Its calls raise
`RetryableError` when the same call may be made again, and the errors below when that would not help.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from arrowflow.errors import RetryableError

Header = tuple[str, bytes]


class AbortRequired(RetryableError):
    """The open transaction can only be aborted; then all of it may be done again."""


class CommitInDoubt(RetryableError):
    """The transaction was committed or not, and this producer will not learn it: ask the marker with a new one."""


class Record(NamedTuple):
    """A record to produce."""

    partition: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[Header]


class Tail(NamedTuple):
    """What the end of a partition says of a job.

    `newest` holds the headers of its newest committed record, None if none was found; `whole` says that the log was
    looked through down to offset 0, so that none found means that none was ever there.
    """

    newest: Mapping[str, bytes] | None
    whole: bool


@dataclass(frozen=True, slots=True)
class Target:
    """Where one sink's records go and under which names.

    Parameters
    ----------
    sink : str
        The sink's name, for messages.
    brokers : str
        Bootstrap addresses.
    topic : str
        The topic; it exists.
    transactional_id : str
        Whoever initialises it last is the only producer.
    group : str
        Holds the marker, as an offset of partition 0 of the topic.
    transaction_timeout_ms : int
        After this the cluster aborts an open transaction by itself.
    max_message_bytes : int
        The largest record the client takes.
    properties : mapping of str to str
        Settings of librdkafka that passed the allow-list.
    create_partitions : int or None
        Make the topic with so many partitions if it is not there; None for clusters that are not ours.
    """

    sink: str
    brokers: str
    topic: str
    transactional_id: str
    group: str
    transaction_timeout_ms: int
    max_message_bytes: int
    properties: Mapping[str, str]
    create_partitions: int | None = None


class Link(Protocol):
    """A connection of one producer. After `OutletTaken` it is of no use any more and only `drop` may be called."""

    def init(self) -> int:
        """Become the only producer, wait until what an earlier one left is undone or finished; return the partitions.

        Raises `ConfigError` for a topic that does not exist or a cluster that refuses us.
        """

    def marker(self) -> tuple[int, str] | None:
        """The group's offset and note; None if there is none. Never one that a transaction may still change."""

    def begin(self) -> None:
        """Open a transaction."""

    def produce(self, record: Record) -> None:
        """Hand over a record; may wait for room, and returns before the broker has it."""

    def flush(self) -> None:
        """Wait until the broker has taken or refused every record; one it refused is told by `send_marker` or `commit`."""

    def send_marker(self, offset: int, note: str) -> None:
        """Make the marker part of the open transaction."""

    def commit(self) -> None:
        """Make the transaction visible, marker included, or raise `CommitInDoubt`."""

    def abort(self) -> None:
        """Undo the open transaction."""

    def tail(self, partition: int, wanted: Mapping[str, bytes], most: int) -> Tail:
        """Look for the newest committed record with the headers `wanted`, at most `most` offsets deep."""

    def hidden(self, wanted: Mapping[str, bytes], most: int) -> Sequence[int]:
        """Partitions with records with the headers `wanted`, at most `most` offsets deep, that readers are kept from.

        A transaction without an end does that: the one they are in, or one of another producer before them.
        """

    def hanging(self, wanted: Mapping[str, bytes]) -> Sequence[int]:
        """Partitions in which readers wait before a record with the headers `wanted`: its transaction has no end there.

        Asked between transactions; a transaction of another producer, and what it hides of ours, does not count.
        """

    def drop(self) -> None:
        """Let go at once, whatever is open; never raises."""


class Connect(Protocol):
    """How a link is made."""

    def __call__(self, target: Target) -> Link:
        """Connect as this target asks; initialises nothing yet."""
