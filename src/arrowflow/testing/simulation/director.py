"""Who may act now: runs of the engine in threads of which exactly one is ever awake, in an order the dice decide.

A run stops at every call it makes to the world outside. There the director may let another run go on, let it sleep,
or let it die. So a history depends on its seed alone, although each run is the engine's own thread.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Literal, Protocol

from arrowflow.failpoints import SimulatedCrash

_TICK_S = 0.002
_MOST_CALLS = 60_000
_OUTAGES, _LONGEST_OUTAGE = 0.15, 8

Fate = Literal["well", "raise", "lost", "duplicate", "late", "torn", "slow", "crash", "crash after", "freeze"]
FATES: tuple[Fate, ...] = ("raise", "lost", "duplicate", "late", "torn", "slow")
"""What dice deal; processes die and freeze by the other numbers of `Temper`."""


class NeverEnds(AssertionError):
    """A history made so many calls that something in it must go round in circles."""


class Journal:
    """Everything that happened, a line each; equal digests are equal histories."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._digest = hashlib.sha256()

    def note(self, *words: object) -> None:
        """Add a line."""
        line = " ".join(map(str, words))
        self.lines.append(line)
        self._digest.update(line.encode() + b"\n")

    @property
    def digest(self) -> str:
        """The sha256 of all lines so far."""
        return self._digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Temper:
    """How rough a world is: probabilities per call.

    Parameters
    ----------
    switch : float
        That another run goes on.
    fault : float
        That the call goes wrong in one of the ways of `fates`.
    crash, freeze : float
        That the process dies at the call, or sleeps through much of what follows.
    """

    switch: float = 0.15
    fault: float = 0.0
    crash: float = 0.0
    freeze: float = 0.0
    fates: tuple[Fate, ...] = FATES


CALM = Temper(switch=0.0)


class Over(Protocol):
    """Something a strand may wait for."""

    @property
    def is_over(self) -> bool:
        """Whether the wait is over."""


@dataclass(slots=True, eq=False)
class Strand:
    """One thread of a process: until when it sleeps, or what it waits for."""

    wakes_at: float = 0.0
    waits_for: Over | None = None
    turn: threading.Lock = field(default_factory=threading.Lock)

    @property
    def is_idle(self) -> bool:
        """Whether nothing but another strand can wake it."""
        return self.waits_for is not None and not self.waits_for.is_over


@dataclass(slots=True, eq=False)
class Actor:
    """One process: a run of the engine, where its threads stand, and how it ended."""

    name: str
    pid: int
    host: str
    skew_us: int = 0
    temper: Temper = CALM
    strands: list[Strand] = field(default_factory=lambda: [Strand()])
    frozen: bool = False
    dead: bool = False
    ended: bool = False
    end: BaseException | object | None = None
    calls: int = 0
    outage: int = 0
    faults: int = 0
    turns: int = 0
    now: Strand = field(init=False)
    """Who of its strands acts, or acted last."""

    def __post_init__(self) -> None:
        self.now = self.strands[0]

    @property
    def wakes_at(self) -> float:
        """When the first of its strands can act."""
        return min(strand.wakes_at for strand in self.strands if not strand.is_idle)


class Director:
    """Lets actors act, one at a time.

    Parameters
    ----------
    dice : Random
        Decides everything.
    journal : Journal
        Is told everything.
    """

    def __init__(self, dice: Random, journal: Journal) -> None:
        self.dice, self.journal = dice, journal
        self.seconds = 0.0
        self.actors: list[Actor] = []
        self.late: list[Callable[[], None]] = []
        self.script: Callable[[Actor, str], Fate] | None = None
        """Decides how each call goes, in the place of the dice."""
        self.crashes = self.freezes = self.faults = self.calls = 0
        self._mine = threading.Lock()
        self._mine.acquire()

    # ---- what the world does -----------------------------------------------------------------------------------

    def enter(self, actor: Actor, start: Callable[[], Callable[[], object]]) -> None:
        """Let `start` begin a run in a thread of its own, and wait until it stands at its first call.

        `start` returns what waits for the run's end and gives its result.
        """
        actor.now.turn.acquire()
        self.actors.append(actor)
        wait = start()
        threading.Thread(target=self._see_off, args=(actor, wait), daemon=True).start()
        self._mine.acquire()

    def resume(self, actor: Actor) -> None:
        """Let one strand of an actor act until it gives the turn back or ends."""
        actor.turns += 1
        able = [strand for strand in actor.strands if not strand.is_idle]
        able = [strand for strand in able if strand.wakes_at <= self.seconds] or able
        actor.now = able[0] if len(able) == 1 else self.dice.choice(able)
        actor.now.turn.release()
        self._mine.acquire()

    def ready(self) -> list[Actor]:
        """Who could act now; time passes until somebody can, if anybody will."""
        awake = [actor for actor in self.actors if not actor.ended and not actor.frozen]
        if awake and all(actor.wakes_at > self.seconds for actor in awake):
            self.seconds = min(actor.wakes_at for actor in awake)
        return [actor for actor in awake if actor.wakes_at <= self.seconds]

    def let_arrive(self) -> None:
        """Let one of the requests that were given up long ago take effect after all."""
        self.journal.note("late request takes effect")
        self.late.pop(self.dice.randrange(len(self.late)))()

    # ---- the threads of an actor ------------------------------------------------------------------------------

    def split(self, actor: Actor, work: Callable[[], None]) -> None:
        """Let `work` be done by another strand of a process, from its next turn on."""
        strand = Strand()
        strand.turn.acquire()
        actor.strands.append(strand)

        def act() -> None:
            strand.turn.acquire()
            work()
            actor.strands.remove(strand)
            self._mine.release()

        threading.Thread(target=act, daemon=True).start()

    def wait(self, actor: Actor, what: Over) -> None:
        """Let the strand that acts do nothing until `what` is over."""
        if not what.is_over:
            actor.now.waits_for = what
            self._give_back(actor)

    # ---- what an actor meets ---------------------------------------------------------------------------------

    def arrive(self, actor: Actor) -> None:
        """Stand at the first call of a run: always gives the turn back."""
        self._give_back(actor)

    def pass_by(self, actor: Actor, place: str) -> None:
        """Pass a place where nothing goes wrong but the process itself: it may die, sleep or be overtaken here."""
        if actor.dead:
            raise SimulatedCrash(place)
        temper, roll = actor.temper, self.dice.random()
        if roll < temper.crash:
            self.kill(actor, place)
        elif roll < temper.crash + temper.freeze:
            self.freeze(actor, place)
        elif roll < temper.crash + temper.freeze + temper.switch:
            self._give_back(actor)

    def call(self, actor: Actor, call: str) -> Fate:
        """Make an outside call; returns how it will go. Raises `SimulatedCrash` where the process dies before it."""
        self.calls += 1
        actor.calls += 1
        self.seconds += _TICK_S
        if self.calls > _MOST_CALLS:
            raise NeverEnds(f"{self.calls} calls, and no end")
        self.pass_by(actor, call)
        fate = self._fate(actor, call)
        self.journal.note(actor.name, call, "" if fate == "well" else fate)
        if fate == "slow":
            self.sleep(actor, self.dice.uniform(0.5, 20.0))
        elif fate == "crash":
            self.kill(actor, call)
        elif fate == "freeze":
            self.freeze(actor, call)
        return fate

    def _fate(self, actor: Actor, call: str) -> Fate:
        """How a call goes; a fault may begin an outage, in which the calls that follow go wrong too."""
        if self.script is not None:
            return self.script(actor, call)
        if not actor.temper.fault:
            return "well"
        if actor.outage:
            actor.outage -= 1
        elif self.dice.random() >= actor.temper.fault:
            return "well"
        elif self.dice.random() < _OUTAGES:
            actor.outage = self.dice.randint(1, _LONGEST_OUTAGE)
        self.faults += 1
        actor.faults += 1
        return self.dice.choice(actor.temper.fates)

    def kill(self, actor: Actor, place: str) -> None:
        """Let the process die here."""
        self.crashes += 1
        actor.dead = True
        self.journal.note(actor.name, "dies at", place)
        raise SimulatedCrash(place)

    def freeze(self, actor: Actor, place: str) -> None:
        """Let the process sleep here until somebody wakes it."""
        self.freezes += 1
        actor.frozen = True
        self.journal.note(actor.name, "freezes at", place)
        self._give_back(actor)

    def sleep(self, actor: Actor, seconds: float) -> None:
        """Let others act until the time has passed."""
        if actor.dead:
            raise SimulatedCrash("asleep")
        actor.now.wakes_at = self.seconds + seconds
        self._give_back(actor)

    def _give_back(self, actor: Actor) -> None:
        strand = actor.now
        self._mine.release()
        strand.turn.acquire()
        strand.waits_for = None
        if actor.dead:
            raise SimulatedCrash(actor.name)

    def _see_off(self, actor: Actor, wait: Callable[[], object]) -> None:
        try:
            actor.end = wait()
        except BaseException as error:  # noqa: BLE001 - however it ends, somebody judges it
            actor.end = error
        actor.ended = True
        self.journal.note(actor.name, "ends:", told(actor.end))
        self._mine.release()


def told(end: object) -> str:
    """How a run ended, in a line."""
    if isinstance(end, BaseException):
        return f"{type(end).__name__}: {end}"
    return "well"
