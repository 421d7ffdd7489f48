"""One history: writers start, die, sleep, wake and contend in one world, the last one finishes, and all is judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from arrowflow.engine import start
from arrowflow.errors import CommitUnknown, Fenced, OutletTaken, RetryableError
from arrowflow.failpoints import SimulatedCrash
from arrowflow.phases.run import Run
from arrowflow.pipeline import RunOptions
from arrowflow.testing.simulation.director import CALM, FATES, Actor, NeverEnds, Temper, told
from arrowflow.testing.simulation.parts import SimulatedClock, SimulatedFailpoints, SimulatedMachine, Stage
from arrowflow.testing.simulation.verifier import Row
from arrowflow.testing.simulation.world import DrawnWorld, World

TO_THE_END = RunOptions(until_caught_up=True, close_open_windows=True, take_over=True)
_LONGEST_LIFE = 40
_FINISHERS = 5


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one history.

    Parameters
    ----------
    wrong : tuple of str
        Every broken invariant; empty if all held.
    digest : str
        Of everything that happened, call by call: equal for equal seeds, in any process.
    """

    seed: int
    wrong: tuple[str, ...]
    digest: str
    writers: int
    crashes: int
    freezes: int
    faults: int
    fenced: int
    calls: int
    records: int
    rows: int
    topic_rows: int
    restarts: int
    removed: int
    journal: tuple[str, ...] = field(default=(), repr=False)


def simulate(seed: int | str, *, world: Callable[[Random], World] = DrawnWorld) -> Verdict:
    """Play and judge the history of a seed."""
    history = History(world(Random(f"history {seed}")))  # noqa: S311 - dice, not a secret
    try:
        history.play()
    except NeverEnds as error:
        history.wrong.append(str(error))
    return history.verdict(int(seed))


class History:
    """The course of one history; a subclass may let other things happen in `play`."""

    def __init__(self, world: World) -> None:
        self.world, self.dice, self.director = world, world.dice, world.director
        self.wrong: list[str] = []
        self.runs: dict[str, Run] = {}
        self.left = self.dice.randint(1, 4)
        self.rough = draw_temper(self.dice)

    # ---- the course -----------------------------------------------------------------------------------------------

    def play(self) -> None:
        """Let it happen, then bring it to an end."""
        while self.left or self.world.producing or self._awake():
            self._next()
        self.finish()
        for name in sorted(self.world.chores):
            self._do_a_chore(name)
        self.wake_everybody()
        self.tidy()

    def tidy(self) -> None:
        """Nobody is awake or asleep: one more writer sees to what is left."""
        if self.world.strew():
            self.finish()

    def _next(self) -> None:
        """One thing happens."""
        world, dice, roll = self.world, self.dice, self.dice.random()
        if world.producing and roll < 0.35:
            world.produce()
        elif self.left and (roll < 0.45 or not self._awake()):
            self.start(RunOptions(take_over=dice.random() < 0.7), self.rough)
            self.left -= 1
        elif world.chores and roll < 0.53:
            self._do_a_chore(dice.choice(sorted(world.chores)))
        elif self.director.late and roll < 0.60:
            self.director.let_arrive()
        elif (frozen := [actor for actor in self.director.actors if actor.frozen]) and roll < 0.64:
            self._thaw(dice.choice(frozen))
        elif self._awake():
            self._act()

    def _act(self) -> None:
        """An actor goes on; it was asked to end if it has lived long enough."""
        actor = self.dice.choice(self.director.ready())
        if actor.turns >= _LONGEST_LIFE or not (self.left or self.world.producing):
            self.runs[actor.name].stop()
        if self.dice.random() < 0.01:
            actor.skew_us += round(self.dice.uniform(-7200, 7200) * 1e6)
        self.resume(actor)

    def _do_a_chore(self, name: str) -> None:
        self.world.journal.note("chore", name)
        self.world.chores[name]()

    def finish(self) -> None:
        """Start writers to whom nothing happens until one has read everything."""
        ends: list[str] = []
        while len(ends) < _FINISHERS:
            actor = self.start(TO_THE_END, CALM)
            while not actor.ended:
                self.director.ready()
                self.resume(actor)
            if not isinstance(actor.end, BaseException):
                return
            ends.append(told(actor.end))
        self.wrong.append(f"writers in calm weather did not finish: {ends}")

    def wake_everybody(self) -> None:
        """Let zombies wake up long after all is done, and requests arrive that were given up."""
        for actor in self.director.actors:
            if actor.frozen:
                self._thaw(actor)
                self.runs[actor.name].stop()
        while self._awake():
            self.resume(self.dice.choice(self.director.ready()))
        while self.director.late:
            self.director.let_arrive()

    # ---- actors ----------------------------------------------------------------------------------------------------

    def resume(self, actor: Actor) -> None:
        """Let an actor go on; where it ends as fenced, somebody else must own the job at that instant."""
        self.director.resume(actor)
        opened = self.world.verifier.opened
        if (
            actor.ended
            and isinstance(actor.end, Fenced)
            and not (isinstance(actor.end, OutletTaken) and self.met_faults(actor))  # it gave up taking a topic back
            and opened is not None
            and opened["writer"]["pid"] == actor.pid
        ):
            self.wrong.append(f"I14: {actor.name} was fenced and owns the job: {told(actor.end)}")

    def _awake(self) -> bool:
        return any(not actor.ended and not actor.frozen for actor in self.director.actors)

    def _thaw(self, actor: Actor) -> None:
        self.world.journal.note(actor.name, "wakes up")
        actor.frozen, actor.temper = False, CALM

    def start(self, options: RunOptions, temper: Temper) -> Actor:
        number = len(self.director.actors)
        actor = Actor(f"w{number}", 100 + number, self.dice.choice(("here", "there")), temper=temper)
        stage = Stage(self.director, actor, self.world)
        pipeline = self.world.pipeline(stage)
        self.world.journal.note(actor.name, "starts", options, pipeline.checkpoint.max_epoch_rows)

        def begin() -> Callable[[], object]:
            run = start(
                pipeline,
                options,
                clock=SimulatedClock(stage),
                failpoints=SimulatedFailpoints(stage),
                machine=SimulatedMachine(stage),
            )
            self.runs[actor.name] = run
            return run.result

        self.director.enter(actor, begin)
        return actor

    # ---- the verdict -----------------------------------------------------------------------------------------------

    def verdict(self, seed: int) -> Verdict:
        """Judge how each process ended, the log, and the tables."""
        world, director = self.world, self.director
        objects = dict(world.store.objects)
        if all(actor.ended for actor in director.actors):
            world.verifier.finish(objects, world.merged)
            tables: dict[str, list[Row]] = {
                sink: [row for rows in world.verifier.tables.get(sink, {}).values() for row in rows]
                for sink in world.verifier.layout.roots
            }
            self.wrong += world.outside.finish(tables.get("rows", []), objects)
            tables |= world.outside.tables()
            self.wrong += [f"I16: {line}" for line in world.judge.differences(tables)]
        ended = [actor for actor in director.actors if actor.ended]
        self.wrong += [f"{each.name} ended with {told(each.end)}" for each in ended if not self.may_end_so(each)]
        return Verdict(
            seed=seed,
            wrong=tuple(dict.fromkeys([*world.verifier.wrong, *self.wrong])),
            digest=world.journal.digest,
            writers=len(director.actors),
            crashes=director.crashes,
            freezes=director.freezes,
            faults=director.faults,
            fenced=sum(isinstance(actor.end, Fenced) for actor in director.actors),
            calls=director.calls,
            records=len(world.verifier.records),
            rows=world.judge.rows_read,
            topic_rows=sum(len(reader.seen) for reader in world.outside.readers.values()),
            restarts=world.outside.cluster.lost,
            removed=world.outside.leftovers.removed,
            journal=tuple(world.journal.lines),
        )

    def met_faults(self, actor: Actor) -> bool:
        """Whether calls of a process went wrong: then it may give up."""
        return actor.faults > 0

    def may_end_so(self, actor: Actor) -> bool:
        """Whether the way a process ended is one of those that a restart is made for."""
        if isinstance(actor.end, RetryableError | CommitUnknown):
            return self.met_faults(actor)
        return isinstance(actor.end, SimulatedCrash | Fenced) or not isinstance(actor.end, BaseException)


def draw_temper(dice: Random) -> Temper:
    """How rough a history is: calm seas, bad networks, deadly machines, all at once."""
    fates = FATES if dice.random() < 0.5 else tuple(dice.sample(FATES, dice.randint(1, 3)))
    return Temper(
        switch=dice.choice((0.02, 0.1, 0.4)),
        fault=dice.choice((0.0, 0.03, 0.1)),
        crash=dice.choice((0.0, 0.004, 0.02)),
        freeze=dice.choice((0.0, 0.004, 0.015)),
        fates=fates,
    )
