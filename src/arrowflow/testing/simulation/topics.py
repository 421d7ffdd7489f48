"""The topics of a simulated job: a cluster on the world's time that may stop right after an answer, and links that ask first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol, TypeVar

from arrowflow.errors import RetryableError, Unreachable
from arrowflow.sinks.kafka.link import AbortRequired, CommitInDoubt, Connect, Record, Tail, Target
from arrowflow.testing.simulation.director import Fate
from arrowflow.testing.simulation.parts import Stage
from arrowflow.testing.topics import MemoryCluster, MemoryLink

_Answer = TypeVar("_Answer")
_MOST_RESTARTS = 3
"""In a history. A run takes a topic back four times in a row before it gives up."""
_IN_TRANSACTION = ("produce", "flush", "send_marker", "commit")
"""Calls of which one that fails may want the transaction aborted."""
_REFUSED: tuple[Fate, ...] = ("raise", "late", "torn")


class Listener(Protocol):
    """Sees every effect on the topics at the moment it has happened."""

    def changed(self, topic: str) -> None:
        """A transaction of `topic` ended, or was begun anew."""

    def marked(self, topic: str, offset: int, note: str) -> None:
        """A marker became true, with its transaction."""


@dataclass(slots=True)
class SimulatedCluster:
    """A `MemoryCluster` that outlives every run.

    Parameters
    ----------
    listener : Listener
        Is told of every effect.
    restarts : float
        How likely it stops after it has answered a commit and before it has marked every partition, as seen with Kafka
        4.3.1 (docs/kafka-output.md): what it did not mark hangs, until a transaction of the same producer ends
        there or, by the dice, the next producer's start aborts it.
    """

    listener: Listener
    restarts: float = 0.0
    memory: MemoryCluster = field(default_factory=MemoryCluster)
    lost: int = 0
    _doomed: set[str] = field(default_factory=set)

    def at(self, seconds: float) -> None:
        """Let time pass: transactions that are open for too long are aborted, and their producers fenced."""
        self.memory.pass_time(max(0.0, seconds - self.memory.now))

    def started(self, topic: str) -> None:
        """A producer of `topic` starts; what hangs may be given up by that."""
        if topic in self._doomed:
            self._doomed.remove(topic)
            self.memory.give_up_hanging(topic)

    def answered(self, stage: Stage, topic: str, touched: Sequence[int]) -> None:
        """A commit that put records into the partitions `touched` is answered: now or never the cluster stops."""
        dice = stage.director.dice
        if not (touched and self.lost < _MOST_RESTARTS and self.restarts and dice.random() < self.restarts):
            return
        unmarked = dice.sample(touched, dice.randint(1, len(touched)))
        marker, doomed = dice.random() < 0.3, dice.random() < 0.5
        self.memory.lose_newest(topic, unmarked, marker=marker, hanging=True)
        self._doomed |= {topic} if doomed else set()
        self.lost += 1
        stage.director.journal.note("cluster restarts, and has not marked", topic, unmarked, marker, doomed)

    def connect(self, stage: Stage) -> Connect:
        """The `connect` of a sink of the run on this stage."""
        return partial(SimulatedLink, stage, self)


class SimulatedLink:
    """The `Link` protocol over a `MemoryLink`, as an unreliable network shows it.

    A call may fail before its effect (*raise*, *torn*), as one to make again, as one that wants the transaction aborted, or
    because nobody answers; lose its reply; take effect after its sender gave up (*late*), if it still belongs to
    what is open then; or take so long that the transaction times out (*slow*). A producer numbers its
    requests, so only a start is done a second time by a request that is sent twice.
    """

    def __init__(self, stage: Stage, cluster: SimulatedCluster, target: Target) -> None:
        self._stage, self._cluster, self._target = stage, cluster, target
        self._link = MemoryLink(cluster.memory, target)
        self._touched: set[int] = set()
        self._marker: tuple[int, str] | None = None

    def init(self) -> int:
        return self._change("init", self._init, twice=True)

    def marker(self) -> tuple[int, str] | None:
        return self._ask("marker", self._stable_marker)

    def begin(self) -> None:
        self._touched, self._marker = set(), None
        self._change("begin", self._link.begin)

    def produce(self, record: Record) -> None:
        self._change(f"produce to {record.partition}", lambda: self._link.produce(record))
        self._touched.add(record.partition)

    def flush(self) -> None:
        self._change("flush", self._link.flush)

    def send_marker(self, offset: int, note: str) -> None:
        self._change(f"send_marker {offset} {note[:24]}", lambda: self._link.send_marker(offset, note))
        self._marker = (offset, note)

    def commit(self) -> None:
        try:
            self._change("commit", self._commit)
        except AbortRequired:
            raise
        except RetryableError as error:
            raise CommitInDoubt(str(error)) from error

    def abort(self) -> None:
        self._change("abort", self._link.abort)

    def tail(self, partition: int, wanted: Mapping[str, bytes], most: int) -> Tail:
        return self._ask(f"tail of {partition}", lambda: self._link.tail(partition, wanted, most))

    def hidden(self, wanted: Mapping[str, bytes], most: int) -> Sequence[int]:
        return self._ask("hidden", lambda: self._link.hidden(wanted, most))

    def hanging(self, wanted: Mapping[str, bytes]) -> Sequence[int]:
        return self._ask("hanging", lambda: self._link.hanging(wanted))

    def drop(self) -> None:
        self._link.drop()

    # ---- effects ---------------------------------------------------------------------------------------------------

    def _stable_marker(self) -> tuple[int, str] | None:
        """Wait while a transaction may still change it, as a client does; none is open for longer than its time-out."""
        director = self._stage.director
        while True:
            try:
                return self._link.marker()
            except RetryableError:
                director.sleep(self._stage.actor, 0.5)
                self._cluster.at(director.seconds)

    def _init(self) -> int:
        self._cluster.started(self._target.topic)
        return self._link.init()

    def _commit(self) -> None:
        touched, marker = sorted(self._touched), self._marker
        self._link.commit()
        if marker is not None:
            self._cluster.listener.marked(self._target.topic, *marker)
        self._cluster.listener.changed(self._target.topic)
        self._cluster.answered(self._stage, self._target.topic, touched)

    # ---- how a call goes -------------------------------------------------------------------------------------------

    def _ask(self, call: str, ask: Callable[[], _Answer]) -> _Answer:
        fate = self._reach(call)
        answer = ask()
        return self._answered(call, fate, answer)

    def _change(self, call: str, effect: Callable[[], _Answer], *, twice: bool = False) -> _Answer:
        belongs_to = self._link.under_way
        fate = self._reach(call, lambda: self._arrive(call, belongs_to, effect))
        answer = effect()
        if fate == "duplicate" and twice:
            answer = effect()
        self._cluster.listener.changed(self._target.topic)
        answer = self._answered(call, fate, answer)
        self._stage.director.pass_by(self._stage.actor, f"reply of {call}")
        return answer

    def _reach(self, call: str, late: Callable[[], None] | None = None) -> Fate:
        """Make the call; raises where it never arrives, or arrives when nobody waits for it any more."""
        director = self._stage.director
        fate = director.call(self._stage.actor, f"{call} {self._target.topic}")
        self._cluster.at(director.seconds)
        if fate == "late" and late is not None:
            director.late.append(late)
        if fate in _REFUSED:
            kinds: tuple[type[RetryableError], ...] = (RetryableError, Unreachable)
            if call.startswith(_IN_TRANSACTION):
                kinds = (*kinds, AbortRequired)
            raise director.dice.choice(kinds)(f"{call} {self._target.topic}: no answer")
        return fate

    def _answered(self, call: str, fate: Fate, answer: _Answer) -> _Answer:
        if fate == "crash after":
            self._stage.director.kill(self._stage.actor, f"reply of {call} {self._target.topic}")
        if fate == "lost":
            raise RetryableError(f"{call} {self._target.topic}: the reply was lost")
        return answer

    def _arrive(self, call: str, belongs_to: object, effect: Callable[[], object]) -> None:
        """A request that was given up arrives; a broker takes it only where it belongs to what is open."""
        self._cluster.at(self._stage.director.seconds)
        if call != "init" and (belongs_to is None or self._link.under_way is not belongs_to):
            self._stage.director.journal.note("late", call, "is refused")
            return
        effect()
        self._cluster.listener.changed(self._target.topic)
