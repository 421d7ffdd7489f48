"""The working parts of a simulated run: clock, machine, failpoints, log, store and source, each asking the director first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Generic, Protocol, TypeVar

from arrowflow.commitlog.log import RedoLog
from arrowflow.errors import RetryableError
from arrowflow.failpoints import Failpoints, LostResponse
from arrowflow.phases.helpers import ThreadTask
from arrowflow.protocols import Control, Duty, RunContext, Source
from arrowflow.testing.simulation.director import Actor, Director
from arrowflow.testing.sources import MemorySource, MemorySourceSpec
from arrowflow.testing.stores import MemoryStore
from arrowflow.types import Bounds, Discovery, Fetched, SourcePartition

_START_US = 1_761_890_400_000_000
_Answer = TypeVar("_Answer")


class Watcher(Protocol):
    """Sees every effect on the store at the moment it has happened."""

    def saw(self, actor: Actor | None, verb: str, path: str, target: str) -> None:
        """`path` was created or, if it was there, removed, or became `target`; nobody (None) for a request that came late."""

    def heard(self, actor: Actor, positions: Mapping[SourcePartition, int]) -> None:
        """A group's offsets were committed."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What all parts of one run share."""

    director: Director
    actor: Actor
    watcher: Watcher


class SimulatedClock:
    """The `Clock` protocol: one time for all, walls of each machine's own."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def now_us(self) -> int:
        return _START_US + round(self._stage.director.seconds * 1e6) + self._stage.actor.skew_us

    def monotonic(self) -> float:
        return self._stage.director.seconds

    def sleep(self, seconds: float) -> None:
        self._stage.director.sleep(self._stage.actor, min(seconds, 0.2))


class SimulatedMachine:
    """The `Machine` protocol: names and jitter from the dice, processes from the list of actors."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    @property
    def host(self) -> str:
        return self._stage.actor.host

    @property
    def pid(self) -> int:
        return self._stage.actor.pid

    def runs(self, pid: int) -> bool:
        return any(actor.pid == pid and not actor.ended for actor in self._stage.director.actors)

    def new_name(self) -> str:
        return f"{self._stage.director.dice.getrandbits(128):032x}"

    def between(self, low: float, high: float) -> float:
        return self._stage.director.dice.uniform(low, high)

    def give_back_memory(self) -> None:
        """Nothing here takes any."""

    def helper(self, duty: Duty) -> SimulatedHelper:
        return SimulatedHelper(self._stage)


class SimulatedTask(Generic[_Answer]):
    """The `Task` protocol: a strand of the actor, which the director lets act like any other."""

    def __init__(self, stage: Stage, work: Callable[[], _Answer]) -> None:
        self._stage, self._task = stage, ThreadTask(work)

    @property
    def is_over(self) -> bool:
        return self._task.is_over

    def result(self) -> _Answer:
        self._stage.director.wait(self._stage.actor, self)
        return self._task.result()

    def do(self) -> None:
        """Do the work."""
        self._task.do()


class SimulatedHelper:
    """The `Helper` protocol: its work is done when the dice say so."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._last: SimulatedTask[Any] | None = None

    def start(self, work: Callable[[], _Answer]) -> SimulatedTask[_Answer]:
        self._last = task = SimulatedTask(self._stage, work)
        self._stage.director.split(self._stage.actor, task.do)
        return task

    def close(self) -> None:
        if self._last is not None and not self._last.is_over and not self._stage.actor.dead:
            raise AssertionError("a run ended although its helper was still at work")


class SimulatedFailpoints(Failpoints):
    """Every named point is a place where the process may die, sleep or be overtaken."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self._stage = stage

    def hit(self, name: str) -> None:
        """Pass the point."""
        self._stage.director.pass_by(self._stage.actor, name)

    def lost(self, name: str) -> None:
        """The store decides which replies are lost."""


class SimulatedStore:
    """The `Store` protocol over a `MemoryStore`, as an unreliable network shows it.

    What may go wrong with a call: it fails before its effect (*raise*); its reply is lost; it is sent twice, and the
    second answer is the one that arrives (*duplicate*); it fails and takes effect later, perhaps when its sender is long
    dead (*late*); half of an upload arrives and the rest never does (*torn*: no object appears, as `Store` promises); it
    takes its time (*slow*).
    """

    def __init__(self, stage: Stage, store: MemoryStore) -> None:
        self._stage = stage
        self._store = store.armed(SimulatedFailpoints(stage))
        self._calm = store.armed(Failpoints())

    def create(self, path: str, data: bytes) -> None:
        self._change("create", path, "", lambda store: store.create(path, data))

    def read(self, path: str) -> bytes:
        return self._ask("read", path, lambda: self._store.read(path))

    def list(self, prefix: str, after: str = "") -> list[str]:
        return self._ask("list", prefix, lambda: self._store.list(prefix, after))

    def move_once(self, source: str, target: str, *, generation: int | None = None) -> None:
        self._change("move_once", source, target, lambda store: store.move_once(source, target))

    def replace_once(self, source: str, target: str, *, was: str, becomes: str, generation: int | None = None) -> None:
        self._change(
            "replace_once", source, target, lambda store: store.replace_once(source, target, was=was, becomes=becomes)
        )

    def delete(self, path: str) -> None:
        self._change("delete", path, "", lambda store: store.delete(path))

    def folders(self, prefix: str) -> Sequence[str]:
        return self._ask("folders", prefix, lambda: self._store.folders(prefix))

    def prune(self, path: str, below: str) -> None:
        """There are no folders here but in names."""

    def probe(self, folders: Sequence[str]) -> None:
        self._ask("probe", folders[0] if folders else "", lambda: self._store.probe(folders))

    def _ask(self, verb: str, path: str, ask: Callable[[], _Answer]) -> _Answer:
        """Make a call that changes nothing."""
        fate = self._stage.director.call(self._stage.actor, f"{verb} {path}")
        if fate in ("raise", "late", "torn"):
            raise RetryableError(f"{verb} {path}: no answer")
        answer = ask()
        if fate == "crash after":
            self._stage.director.kill(self._stage.actor, f"reply of {verb} {path}")
        if fate == "lost":
            raise LostResponse(f"{verb} {path}: the reply was lost")
        return answer

    def _change(self, verb: str, path: str, target: str, effect: Callable[[MemoryStore], None]) -> None:
        director, actor = self._stage.director, self._stage.actor
        fate = director.call(actor, f"{verb} {path}")
        if fate == "late":
            director.late.append(lambda: self._arrive(verb, path, target, effect))
        if fate in ("raise", "late", "torn"):
            raise RetryableError(f"{verb} {path}: no answer")
        for _ in range(2 if fate == "duplicate" else 1):
            self._apply(actor, verb, path, target, lambda: effect(self._store))
        if fate == "crash after":
            director.kill(actor, f"reply of {verb} {path}")
        if fate == "lost":
            raise LostResponse(f"{verb} {path}: the reply was lost")
        director.pass_by(actor, f"reply of {verb} {path}")

    def _apply(self, actor: Actor | None, verb: str, path: str, target: str, effect: Callable[[], None]) -> None:
        idle = verb == "delete" and path not in self._store.objects
        try:
            effect()
        finally:  # a process may die between two names of one object
            if not idle:
                self._stage.watcher.saw(actor, verb, path, target)

    def _arrive(self, verb: str, path: str, target: str, effect: Callable[[MemoryStore], None]) -> None:
        try:
            self._apply(None, verb, path, target, lambda: effect(self._calm))
        except Exception as error:  # noqa: BLE001 - nobody waits for the answer any more
            self._stage.director.journal.note("late", verb, "had no effect:", type(error).__name__)


@dataclass(frozen=True, slots=True)
class SimulatedLogSpec:
    """The `LogSpec` protocol: the real log over the simulated store; the first call of every run."""

    stage: Stage
    store: MemoryStore
    prefix: str

    def build(self, failpoints: Failpoints) -> tuple[RedoLog, Control]:
        """Open the store; creates nothing."""
        self.stage.director.arrive(self.stage.actor)
        store = SimulatedStore(self.stage, self.store)
        names = SimulatedMachine(self.stage)
        return RedoLog(store, self.prefix, failpoints, names.new_name), Control(store, self.prefix)


@dataclass(frozen=True, slots=True)
class SimulatedSourceSpec:
    """The `SourceSpec` protocol: a `MemorySource` behind an unreliable network."""

    stage: Stage
    spec: MemorySourceSpec

    def build(self, name: str, context: RunContext) -> Source:
        """Make the source."""
        return SimulatedSource(self.stage, MemorySource(name, self.spec, context))

    def fingerprint(self) -> Mapping[str, object]:
        """The source's own."""
        return self.spec.fingerprint()


class SimulatedSource:
    """Reads fewer records than asked, of partitions in any order, now and then nothing but an error."""

    def __init__(self, stage: Stage, source: MemorySource) -> None:
        self._stage, self._source = stage, source
        self.name = source.name

    def discover(self) -> Discovery:
        self._call("discover")
        return self._source.discover()

    def start_offsets(self, partitions: Sequence[SourcePartition]) -> Mapping[SourcePartition, int]:
        self._call("start_offsets")
        return self._source.start_offsets(partitions)

    def remember(self, leader_epoch: Mapping[SourcePartition, int]) -> None:
        self._source.remember(leader_epoch)

    def read(self, after: Mapping[SourcePartition, int], bounds: Bounds) -> Fetched:
        self._call("read")
        dice: Random = self._stage.director.dice
        asked = dice.sample(sorted(after), len(after))
        few = Bounds(dice.randint(1, bounds.rows), bounds.bytes, bounds.seconds)
        return self._source.read({part: after[part] for part in asked}, few)

    def acknowledge(self, positions: Mapping[SourcePartition, int], note: str) -> None:
        """Group offsets: a call that may be lost, and whose failure nobody is told of."""
        if self._stage.director.call(self._stage.actor, "acknowledge") in ("raise", "torn", "late"):
            return
        self._source.acknowledge(positions, note)
        self._stage.watcher.heard(self._stage.actor, positions)

    def close(self) -> None:
        """Let go; a dead process does that too."""
        self._source.close()

    def _call(self, call: str) -> None:
        if self._stage.director.call(self._stage.actor, call) in ("raise", "lost", "torn", "late"):
            raise RetryableError(f"{call}: no answer")
