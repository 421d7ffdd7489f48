"""Kafka's records without an object per record: fetched from the leaders themselves and walked by kernels.

The ordinary client stays the authority on everything but the bytes, and takes over where this one must not go on.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence

from arrowflow.errors import ArrowflowError, ConfigError, DataLossError, RetryableError, Unreachable
from arrowflow.events import Notice
from arrowflow.protocols import RunContext, Source
from arrowflow.sources.kafka.client import KafkaSource
from arrowflow.sources.kafka.cluster import loss_message
from arrowflow.sources.kafka.fetcher import Fetcher, Key, OutOfRange, Spoiled, key_of
from arrowflow.sources.kafka.lanes import Lane
from arrowflow.sources.kafka.subscription import Subscription
from arrowflow.sources.kafka.wire.faults import Malformed, NotUnderstood
from arrowflow.sources.kafka.wire.settings import Settings, understood
from arrowflow.sources.kafka.wire.sheet import Sheet, columns, header_lists, joined
from arrowflow.types import Bounds, Discovery, Fetched, OffsetRange, RawBatch, SourcePartition

_WAIT_S = 0.2
"""One wait, so that a stop is noticed."""
_MIB = 1024 * 1024
_UNPACKED = 512 * _MIB
"""Most bytes that one batch may unpack to, where `receive.message.max.bytes` is not larger."""
_INSTEAD = "columnar fetch is not used: {}; reading with the ordinary client"
_TURN = 8192
"""Records of one partition that are given out before the next has its turn."""


def columnar(truth: KafkaSource, wanted: Subscription, context: RunContext, *, insist: bool) -> Source:
    """Return the source that fetches columns, or `truth` with one line of why it cannot.

    Raises
    ------
    ConfigError
        Instead of that, where the user insists.
    """
    try:
        settings = understood(wanted.properties)
    except NotUnderstood as reason:
        if insist:
            raise ConfigError(f'source.kafka.fetch: "columnar" is not possible: {reason}. Write "auto"') from None
        context.observer.notice(Notice("info", _INSTEAD.format(reason)))
        return truth
    return ColumnarSource(truth, wanted, settings, context, insist=insist)


class ColumnarSource:
    """Reads topics over its own connections; one thread owns it.

    Parameters
    ----------
    truth : KafkaSource
        The ordinary client over the same topics: asked about everything that is no record, and read from where
        columnar fetch finds something it does not speak.
    wanted : Subscription
        What to read and how to connect.
    settings : Settings
        The meaning of its properties.
    context : RunContext
        Of the run it belongs to.
    insist : bool
        Raise `ConfigError` where the ordinary client would have to take over.
    """

    def __init__(
        self, truth: KafkaSource, wanted: Subscription, settings: Settings, context: RunContext, *, insist: bool
    ) -> None:
        self.name = truth.name
        self._truth = truth
        self._cluster = truth.cluster
        self._wanted = wanted
        self._context = context
        self._insist = insist
        self._fetcher = Fetcher(wanted.brokers, wanted.topics, settings)
        self._sheet = Sheet(min(2**31 - 1, max(_UNPACKED, settings.numbers["receive.message.max.bytes"])))
        self._lanes: dict[SourcePartition, Lane] = {}
        self._turns: deque[Lane] = deque()
        self._epoch: dict[SourcePartition, int] = {}
        self._corrupt: set[tuple[SourcePartition, int]] = set()
        self._garbled = 0
        self._given_up = False
        self._noticed: set[str] = set()

    # ---- what the engine asks ------------------------------------------------------------------------------

    def discover(self) -> Discovery:
        return self._truth.discover()

    def start_offsets(self, partitions: Sequence[SourcePartition]) -> Mapping[SourcePartition, int]:
        return self._truth.start_offsets(partitions)

    def remember(self, leader_epoch: Mapping[SourcePartition, int]) -> None:
        self._epoch.update({part: epoch for part, epoch in leader_epoch.items() if epoch >= 0})
        self._truth.remember(leader_epoch)

    def read(self, after: Mapping[SourcePartition, int], bounds: Bounds) -> Fetched:
        if self._given_up:
            return self._truth.read(after, bounds)
        if not after:
            return Fetched({}, ())
        try:
            return self._read(after, bounds)
        except NotUnderstood as reason:
            self._let_go()
            self._give_up(str(reason))
            return self._truth.read(after, bounds)
        except Unreachable:
            raise  # nothing was given, so every lane stands where it stood, and what is on its way is still good
        except BaseException:
            self._let_go()  # what was fetched and not returned is fetched again from where the caller says
            raise

    def acknowledge(self, positions: Mapping[SourcePartition, int], note: str) -> None:
        self._truth.acknowledge(positions, note)

    def close(self) -> None:
        self._let_go()
        self._truth.close()

    # ---- one read ------------------------------------------------------------------------------------------

    def _read(self, after: Mapping[SourcePartition, int], bounds: Bounds) -> Fetched:
        self._stand(after, bounds)
        self._gather(bounds)
        lanes = [self._lanes[part] for part in after]
        if self._fetcher.trouble is not None and not any(lane.pieces for lane in lanes):
            raise self._fetcher.trouble
        fetched = Fetched(
            {lane.part: OffsetRange(after[lane.part], lane.at) for lane in lanes},
            tuple(self._batch(lane) for lane in sorted(lanes, key=lambda lane: lane.part) if lane.pieces),
            dict.fromkeys(after, 0),
            {lane.part: lane.epoch for lane in lanes},
            {lane.part: lane.hidden for lane in lanes},
        )
        self._epoch.update({part: epoch for part, epoch in fetched.leader_epoch.items() if epoch >= 0})
        self._sheet.clear(kept=any(lane.held for lane in lanes))
        return fetched

    def _stand(self, after: Mapping[SourcePartition, int], bounds: Bounds) -> None:
        """Have one lane per partition, at its offset; whatever was fetched from elsewhere is dropped."""
        new = {part: at for part, at in after.items() if part not in self._lanes or self._lanes[part].at != at}
        if new:
            self._cluster.check(new)
        if new or len(after) != len(self._lanes):
            made = {part: Lane(part, at, self._epoch.get(part, -1)) for part, at in new.items()}
            self._lanes = {part: made.get(part) or self._lanes[part] for part in after}
            self._turns = deque(lane for lane in self._lanes.values() if lane.full)
        followed: dict[Key, Lane] = {key_of(lane): lane for lane in self._lanes.values()}
        self._fetcher.follow(followed, bounds.bytes)
        for lane in self._lanes.values():
            lane.begin()

    def _gather(self, bounds: Bounds) -> None:
        """Give out until a bound is reached: first what was fetched before, then what comes."""
        deadline = time.monotonic() + bounds.seconds
        size = max(1, min(bounds.bytes, 1024 * _MIB))
        rows = nbytes = 0
        while rows < bounds.rows and nbytes < size:
            left = deadline - time.monotonic()
            if left <= 0 and rows:
                break
            if self._turns:
                gave = self._turn(self._turns[0], bounds.rows - rows, size - nbytes)
                if gave is None:
                    break  # not without what came before it
                rows, nbytes = rows + gave[0], nbytes + gave[1]
                continue
            if not self._wait(max(0.0, min(left, _WAIT_S))) and left <= 0:
                break

    def _turn(self, lane: Lane, rows: int, size: int) -> tuple[int, int] | None:
        """Give out some batches of one lane, then let the next one have its turn.

        None before a batch that cannot be right, if this read has something to return first: the next will meet it.
        """
        given = weight = 0
        while lane.full and given < min(rows, _TURN) and weight < size:
            try:
                n, nbytes = lane.give(self._sheet, rows - given, size - weight)
            except Malformed as error:
                if any(each.pieces for each in self._lanes.values()):
                    return None
                raise self._verdict(lane, f"{lane.part}: {error} (from {self._wanted.brokers})") from error
            given, weight = given + n, weight + nbytes
        if not lane.full:
            self._turns.popleft()
        elif given >= _TURN:
            self._turns.rotate(-1)
        return given, weight

    def _wait(self, seconds: float) -> bool:
        """Let the fetcher have a turn; whether it brought something."""
        try:
            refused = self._fetcher.turn(seconds)
        except Spoiled as error:
            if not any(each.pieces for each in self._lanes.values()):
                raise self._verdict(error.lane, str(error)) from error
            refused = []  # what came before it is returned first
        except Malformed as error:
            self._garbled += 1
            if self._garbled > 1:
                raise NotUnderstood(f"a broker sent twice what cannot be read: {error}") from error
            raise
        for each in refused:
            self._judge_range(each)
        self._turns = deque(lane for lane in self._lanes.values() if lane.full)
        if self._turns:
            self._garbled = 0
        return bool(self._turns)

    def _batch(self, lane: Lane) -> RawBatch:
        pieces = joined(lane.pieces)
        try:
            headers = header_lists(pieces) if self._wanted.headers else None
        except Malformed as error:
            raise self._verdict(lane, f"{lane.part}: {error} (from {self._wanted.brokers})") from error
        return RawBatch(lane.part, *columns(pieces), headers=headers)

    # ---- what can go wrong ----------------------------------------------------------------------------------

    def _verdict(self, lane: Lane, message: str) -> ArrowflowError:
        """The error for bytes that cannot be right: the same batch is fetched once more before it counts as lost."""
        again = (lane.part, lane.at) in self._corrupt
        self._corrupt.add((lane.part, lane.at))
        if again:
            return DataLossError(f"{message}. The batch is corrupt, also when fetched again. Check the broker's disks")
        return RetryableError(f"{message}. The batch is corrupt; fetching it again")

    def _judge_range(self, refused: OutOfRange) -> None:
        lane = refused.lane
        low, high = self._cluster.ranges([lane.part])[lane.part]
        if not low <= lane.fetch_at <= high:
            raise DataLossError(loss_message(lane.part, lane.fetch_at, low, high))
        self._notice(
            "warning", f"{lane.part}: the broker refuses offset {lane.fetch_at} of its own range; asking again"
        )

    def _give_up(self, reason: str) -> None:
        if self._insist:
            raise ConfigError(
                f'source.kafka.fetch: "columnar" cannot go on: {reason}. Write "auto" to go on with the ordinary client'
            )
        self._given_up = True
        self._notice("info", _INSTEAD.format(reason))

    def _let_go(self) -> None:
        self._fetcher.close()
        self._lanes, self._turns = {}, deque()
        self._sheet.clear(kept=True)

    def _notice(self, level: str, message: str) -> None:
        if message not in self._noticed:
            self._noticed.add(message)
            self._context.observer.notice(Notice(level, message))
