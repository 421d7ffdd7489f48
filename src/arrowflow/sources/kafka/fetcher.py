"""Keeps one request ahead of its reader at every leader, and the answers in lanes. It gives nothing out and knows no engine."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from arrowflow.errors import ConfigError, DataLossError, RetryableError, Unreachable
from arrowflow.sources.kafka.lanes import Lane
from arrowflow.sources.kafka.wire import codes, fetching, metadata
from arrowflow.sources.kafka.wire.batches import cut
from arrowflow.sources.kafka.wire.connection import Connection, wait_for_any
from arrowflow.sources.kafka.wire.cursor import Cursor
from arrowflow.sources.kafka.wire.faults import Malformed, NotUnderstood
from arrowflow.sources.kafka.wire.fetching import Limits, Share, Wish
from arrowflow.sources.kafka.wire.metadata import Topology
from arrowflow.sources.kafka.wire.settings import Settings
from arrowflow.sources.kafka.wire.versions import Api

_RESPONSE = 8 * 1024 * 1024
"""Bytes asked for at once where nothing is set: more gains nothing, and as much again waits in the network."""
_FIRST_LIMIT = 64 * 1024
_DOUBT = 2
"""So many times an offset may be refused before it is asked for without the epoch of the record before it."""
_WAY = "Find out which records were lost, or start over with a new checkpoint folder and empty tables"
_PORT = 9092
_NAP_S = 0.05
_NEVER = float("inf")
_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 1.0
Key = tuple[str, int]
"""Topic and partition."""


class OutOfRange(NamedTuple):
    """A broker refused the offset of a lane."""

    lane: Lane


class Spoiled(Malformed):
    """Bytes of one partition that cannot be right; `lane` is where."""

    def __init__(self, lane: Lane, message: str) -> None:
        super().__init__(message)
        self.lane = lane


class _Leader:
    """A connection to a leader, what it was asked last, and the lanes that hold views of its last answer."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.api = Api(codes.FETCH, 0)
        self.topology = Topology({}, {}, {}, {})
        self.asked: dict[Key, int] = {}
        self.feeds: list[Lane] = []
        self.not_before = 0.0
        self.silent_s = 0.0
        self.seen = 0

    @property
    def feeding(self) -> bool:
        """Whether something of its last answer is still to be given out: the next would be written over it."""
        return any(lane.full for lane in self.feeds)


class Fetcher:
    """Fetches for the lanes it is given.

    Parameters
    ----------
    brokers : str
        Bootstrap addresses.
    topics : sequence of str
        Topics of the lanes.
    settings : Settings
        How to connect and how much to ask for.

    Attributes
    ----------
    trouble : Unreachable or None
        Why no answer comes, as long as none comes.
    """

    def __init__(self, brokers: str, topics: Sequence[str], settings: Settings) -> None:
        self._brokers = brokers
        self._topics = topics
        self._settings = settings
        self._lanes: dict[Key, Lane] = {}
        self._leaders: dict[int, _Leader] = {}
        self._topology: Topology | None = None
        self._ids: dict[str, UUID] = {}
        self._look_at = 0.0
        self._quiet_until = 0.0
        self._failures = 0
        self._max_bytes = _RESPONSE
        self.trouble: Unreachable | None = None

    def follow(self, lanes: Mapping[Key, Lane], max_bytes: int) -> None:
        """Fetch for these lanes from now on, at most so many bytes at once."""
        self._lanes = dict(lanes)
        asked = self._settings.numbers["fetch.max.bytes"]
        self._max_bytes = max(_FIRST_LIMIT, min(max_bytes, asked, _RESPONSE))
        for leader in self._leaders.values():  # a lane that left gives nothing out any more
            leader.feeds = [lane for lane in leader.feeds if self._lanes.get(key_of(lane)) is lane]

    def close(self) -> None:
        """Drop every connection; what was asked there is asked again."""
        for leader in self._leaders.values():
            leader.connection.close()
        self._leaders = {}
        self._topology, self._look_at = None, 0.0

    # ---- one turn ------------------------------------------------------------------------------------------

    def turn(self, seconds: float) -> list[OutOfRange]:
        """Ask where nothing is asked, wait so long at most, and take what came.

        Returns
        -------
        refused : list of OutOfRange
            Lanes whose offset a broker does not have.

        Raises
        ------
        DataLossError
            If a log has another history than the one read, or a topic is another one.
        ConfigError
            If a broker refuses who we are, or an answer is too large.
        NotUnderstood
            If the brokers do not offer what columnar fetch needs.
        Malformed
            For bytes that cannot be right.
        """
        deadline = time.monotonic() + seconds
        self._ask_everywhere()
        waiting = [leader for leader in self._leaders.values() if leader.connection.asked and not leader.feeding]
        if not waiting:
            time.sleep(max(0.0, min(deadline - time.monotonic(), _NAP_S)))
            return []
        began = time.monotonic()
        wait_for_any([leader.connection for leader in waiting], min(deadline - began, self._due(began)))
        waited = time.monotonic() - began
        refused: list[OutOfRange] = []
        for leader in waiting:
            try:
                refused += self._hear(leader, waited)
            except Spoiled:
                raise
            except Malformed as error:
                raise Malformed(f"{error}, where {_asked(leader.asked)} was asked for") from error
            except Unreachable as error:
                self._drop(leader)
                self._away(error)
        self._ask_everywhere()
        return refused

    def _due(self, now: float) -> float:
        """Seconds until someone may be asked who is left alone now."""
        moments = [lane.paused_until for lane in self._lanes.values()] + [self._quiet_until]
        moments += [leader.not_before for leader in self._leaders.values()]
        return min((moment - now for moment in moments if moment > now), default=_NAP_S * 10)

    def _hear(self, leader: _Leader, waited: float) -> list[OutOfRange]:
        connection = leader.connection
        answer = connection.receive()
        if answer is None:
            leader.silent_s = 0.0 if connection.received != leader.seen else leader.silent_s + waited
            leader.seen = connection.received
            patience = self._settings.numbers["socket.timeout.ms"] + self._settings.numbers["fetch.wait.max.ms"]
            if leader.silent_s * 1000 > patience:
                raise Unreachable(f"{connection.place} does not answer")
            return []
        leader.silent_s, leader.seen = 0.0, 0
        return self._sort(leader, answer)

    # ---- asking --------------------------------------------------------------------------------------------

    def _ask_everywhere(self) -> None:
        """Send a request to each leader that has none, for all lanes it leads."""
        now = time.monotonic()
        try:
            if self._look_at <= now and self._quiet_until <= now:
                self._look()
            if self._topology is not None:
                for broker, lanes in self._led(self._topology, now).items():
                    self._ask_one(broker, lanes, self._topology, now)
        except Unreachable as error:
            self._away(error)

    def _led(self, topology: Topology, now: float) -> dict[int, list[Lane]]:
        """The lanes of each leader that may be asked for now."""
        led: dict[int, list[Lane]] = {}
        for key, lane in self._lanes.items():
            if lane.paused_until > now:
                continue
            lead = topology.leads.get(key)
            if lead is None or lead.broker not in topology.brokers:
                self._pause(lane)
            else:
                led.setdefault(lead.broker, []).append(lane)
        return led

    def _ask_one(self, broker: int, lanes: list[Lane], topology: Topology, now: float) -> None:
        leader = self._leaders.get(broker)
        if leader is not None and (leader.connection.asked or leader.not_before > now):
            return
        if leader is not None and leader.connection.aged:
            if leader.feeding:
                return
            self._drop(leader)
            leader = None
        if leader is None:
            if self._quiet_until > now:
                return
            leader = self._leaders[broker] = _Leader(Connection(*topology.brokers[broker], self._settings))
        self._ask(leader, lanes, topology)

    def _ask(self, leader: _Leader, lanes: list[Lane], topology: Topology) -> None:
        leader.api = leader.connection.api(codes.FETCH)
        if leader.api.version >= 13 and any(topology.ids[lane.part.topic] is None for lane in lanes):
            raise NotUnderstood(f"{leader.connection.place} has no topic ids")
        numbers = self._settings.numbers
        share = numbers["max.partition.fetch.bytes"] or max(_FIRST_LIMIT, self._max_bytes // len(lanes))
        wishes = [_wish(lane, topology, share) for lane in in_order(lanes)]
        limits = Limits(numbers["fetch.wait.max.ms"], numbers["fetch.min.bytes"], self._max_bytes)
        leader.topology = topology
        leader.asked = {(wish.topic, wish.partition): wish.offset for wish in wishes}
        try:
            leader.connection.send(leader.api, fetching.body(wishes, topology, limits, leader.api.version))
        except Unreachable:
            self._drop(leader)
            raise

    # ---- hearing -------------------------------------------------------------------------------------------

    def _sort(self, leader: _Leader, cursor: Cursor) -> list[OutOfRange]:
        """Put an answer into its lanes."""
        place = leader.connection.place
        answer = fetching.answered(cursor, leader.topology, leader.api.version)
        if answer.throttle_ms > 0:
            leader.not_before = time.monotonic() + answer.throttle_ms / 1000
        if answer.error in codes.MOVED:
            for key in leader.asked.keys() & self._lanes.keys():
                self._pause(self._lanes[key])
            return []
        if answer.error:
            raise RetryableError(f"{place} refuses a fetch of {_asked(leader.asked)}: {codes.told(answer.error)}")
        first = next(iter(leader.asked), None)
        leader.feeds = []
        refused: list[OutOfRange] = []
        for share in answer.shares:
            key = share.topic, share.partition
            lane = self._lanes.get(key)
            if lane is None or leader.asked.get(key) != lane.fetch_at or lane.full:
                continue  # it left, or was moved, while the answer was on its way
            if share.error == codes.OFFSET_OUT_OF_RANGE:
                self._pause(lane)
                lane.refused = (lane.refused + 1) % (_DOUBT + 1)
                refused.append(OutOfRange(lane))
            elif self._good(lane, share, place) and self._fill(lane, share, place, first=key == first):
                leader.feeds.append(lane)
        return refused

    def _good(self, lane: Lane, share: Share, place: str) -> bool:
        """Whether a share can be read; raises where the reader must know why not."""
        where = f"{lane.part}: offset {lane.fetch_at} at {place}"
        if share.diverging is not None:
            epoch, end = share.diverging
            raise DataLossError(
                f"{where}: the log was truncated below it and may have grown again (the last record read is of leader "
                f"epoch {lane.fetched_epoch}; the broker's log parts from that at epoch {epoch}, offset {end}). "
                f"{_WAY}"
            )
        if share.error == codes.NONE:
            if lane.refused == _DOUBT and lane.fetched_epoch >= 0:
                raise DataLossError(
                    f"{where}: the log was truncated below it and may have grown again (it holds the offset, but nothing "
                    f"of leader epoch {lane.fetched_epoch}, to which the last record read belongs). {_WAY}"
                )
            lane.refused = 0
            return True
        if share.error in codes.MOVED:
            self._pause(lane)
            return False
        if share.error == codes.CORRUPT_MESSAGE:
            raise Spoiled(lane, f"{where}: the broker says that the batch is corrupt")
        if share.error == codes.UNSUPPORTED_COMPRESSION_TYPE:
            raise NotUnderstood(f"{where}: the broker would not send its codec")
        if share.error in (codes.TOPIC_AUTHORIZATION_FAILED, codes.CLUSTER_AUTHORIZATION_FAILED):
            raise ConfigError(
                f"{where}: {codes.told(share.error)}: the user may not (or no longer) read the topic. "
                "Allow it the operation READ, or check the user of source.kafka.properties"
            )
        raise RetryableError(f"{where}: {codes.told(share.error)}")

    def _fill(self, lane: Lane, share: Share, place: str, *, first: bool) -> bool:
        self.trouble, self._failures, lane.pause_s = None, 0, 0.0
        where = f"{lane.part}: offset {lane.fetch_at} at {place}"
        try:
            found, partial = cut(share.records, share.aborted, lane.fetch_at)
        except Malformed as error:
            raise Spoiled(lane, f"{where}: {error}") from error
        except NotUnderstood as error:
            raise NotUnderstood(f"{where}: {error}") from error
        hungry = not found and (partial or share.stable > lane.fetch_at)
        lane.starved = lane.starved + 1 if hungry else 0
        if found:
            lane.take(found)
            return True
        if len(share.records) and not partial:
            raise Spoiled(lane, f"{where}: the answer holds only batches before it")
        if partial or (hungry and first):
            self._grow(lane, where, first=first)
        return False

    def _grow(self, lane: Lane, where: str, *, first: bool) -> None:
        most = self._settings.numbers["receive.message.max.bytes"]
        if first and lane.asked >= most:
            raise ConfigError(
                f"{where}: no whole batch comes in {most} bytes. "
                "Raise 'receive.message.max.bytes' in source.kafka.properties"
            )
        lane.limit = min(most, 2 * lane.asked)

    # ---- the cluster ---------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Ask for the metadata, of whoever answers first."""
        complaint: Unreachable | None = None
        for host, port in self._addresses():
            try:
                connection = Connection(host, port, self._settings)
                try:
                    api = connection.api(codes.METADATA)
                    answer = connection.ask(api, metadata.body(self._topics, api.version))
                    found = metadata.answered(answer, api.version)
                finally:
                    connection.close()
            except Unreachable as error:
                complaint = complaint or error
                continue
            self._judge(found, f"{host}:{port}")
            self._topology, self._look_at = found, _NEVER
            return
        raise complaint or Unreachable(f"{self._brokers}: no address to ask")

    def _addresses(self) -> Iterable[tuple[str, int]]:
        for text in self._brokers.split(","):
            host, colon, port = text.strip().rpartition(":")
            whole = not colon or not port.isdigit()
            yield (text.strip() if whole else host).strip("[]"), _PORT if whole else int(port)

    def _judge(self, found: Topology, place: str) -> None:
        """Raise where the answer means that columnar fetch must not go on."""
        for topic, code in found.errors.items():
            if code == codes.TOPIC_AUTHORIZATION_FAILED:
                raise ConfigError(f"topic {topic!r} at {place}: {codes.told(code)}. Check the ACLs of the user")
        if any(lead.broker >= 0 and lead.epoch < 0 for lead in found.leads.values()):
            raise NotUnderstood(f"{place} tells no leader epochs, without which a truncated log cannot be seen")
        for topic, identity in found.ids.items():
            if identity is not None and self._ids.setdefault(topic, identity) != identity:
                raise DataLossError(
                    f"topic {topic!r} at {place}: it was deleted and created again (topic id {self._ids[topic]} became "
                    f"{identity}). Start over with a new checkpoint folder and empty tables"
                )

    def _pause(self, lane: Lane) -> None:
        """Leave a lane alone for a moment, longer each time in a row, and ask who leads it before it is asked for again."""
        lane.pause_s = min(_LONGEST_PAUSE_S, 2 * lane.pause_s or _SHORTEST_PAUSE_S)
        lane.paused_until = time.monotonic() + lane.pause_s
        self._look_at = lane.paused_until

    def _away(self, error: Unreachable) -> None:
        """A connection ended. Once is no trouble: brokers close idle ones, and restart; then it is tried at once."""
        numbers = self._settings.numbers
        pause = min(numbers["reconnect.backoff.max.ms"], numbers["reconnect.backoff.ms"] << min(self._failures, 10))
        if self._failures:
            self.trouble = error
            self._quiet_until = time.monotonic() + pause / 1000
        self._failures += 1
        self._look_at = 0.0

    def _drop(self, leader: _Leader) -> None:
        leader.connection.close()
        self._leaders = {broker: each for broker, each in self._leaders.items() if each is not leader}


def in_order(lanes: Sequence[Lane]) -> list[Lane]:
    """The order to ask in: who is furthest behind in time, then those that got nothing, then the others.

    Who got nothing twice comes before everybody: the first batch of the first partition is sent whole, however large.
    """
    first = min(lanes, key=lambda lane: (-lane.starved if lane.starved > 1 else 0, lane.last_ms))
    return [first, *sorted((lane for lane in lanes if lane is not first), key=lambda lane: not lane.starved)]


def key_of(lane: Lane) -> Key:
    """A lane's topic and partition."""
    return lane.part.topic, lane.part.partition


def _wish(lane: Lane, topology: Topology, share: int) -> Wish:
    lane.asked = max(lane.limit, share)
    epoch = topology.leads[key_of(lane)].epoch
    # A broker that cannot place our epoch says "out of range". Without it the answer shows which of the two it was.
    last = -1 if lane.refused == _DOUBT else lane.fetched_epoch
    return Wish(*key_of(lane), lane.fetch_at, epoch, last, lane.asked)


def _asked(asked: Mapping[Key, int]) -> str:
    named = [f"{topic}[{number}]: offset {offset}" for (topic, number), offset in asked.items()]
    return ", ".join(named[:3]) + (f" and {len(named) - 3} more" if len(named) > 3 else "")
