"""One job, and the n-th call it makes to the world outside goes wrong: for n = 1, 2, 3 … until the job needs no more calls."""

from __future__ import annotations

from random import Random

from arrowflow.testing.simulation.director import CALM, FATES, Actor, Fate, NeverEnds
from arrowflow.testing.simulation.history import TO_THE_END, History, Verdict
from arrowflow.testing.simulation.world import DrawnWorld

TRANSIENT: tuple[Fate, ...] = (*FATES, "crash", "crash after", "freeze")
"""What may happen to one call."""
LASTING: tuple[Fate, ...] = FATES
"""What may happen to a call and to every one after it."""


class NthCall(History):
    """A job over a full topic whose n-th call goes as told; then writers in calm weather, then those who slept.

    Parameters
    ----------
    seed : int
        Names the job: its query, records, batches.
    fate : Fate
        How the call goes.
    n : int
        Which call, from 1, over store and source together.
    lasting : bool
        Whether every later call of that process goes the same way.
    """

    def __init__(self, seed: int, fate: Fate, n: int, *, lasting: bool) -> None:
        super().__init__(DrawnWorld(Random(f"job {seed}")))  # noqa: S311 - dice, not a secret
        self.world.outside.cluster.restarts = 0.0
        self.seed, self.fate, self.n, self.lasting = seed, fate, n, lasting
        self.reached = False
        self.end: object = None

    def play(self) -> None:
        """Fill the topic, run the job into its fault, and see to it that it is finished."""
        while self.world.producing:
            self.world.produce()
        self.director.script = self._fate
        actor = self.start(TO_THE_END, CALM)
        while not actor.ended and not actor.frozen:
            self.director.ready()
            self.resume(actor)
        self.end = actor.end
        self.director.script = None
        if actor.frozen or isinstance(actor.end, BaseException):
            self.finish()
        self.wake_everybody()

    def judged(self) -> Verdict:
        """Play, and judge."""
        try:
            self.play()
        except NeverEnds as error:
            self.wrong.append(str(error))
        return self.verdict(self.seed)

    def met_faults(self, actor: Actor) -> bool:
        """The first one may give up where its calls fail."""
        return self.reached and actor is self.director.actors[0]

    def _fate(self, actor: Actor, call: str) -> Fate:
        if actor.calls < self.n or (actor.calls > self.n and not self.lasting):
            return "well"
        self.reached = True
        return self.fate


def every_call(seed: int, fate: Fate, *, lasting: bool) -> tuple[int, list[str]]:
    """Let each call of a job go wrong in turn; returns how many there were, and all that was wrong."""
    n, wrong = 1, list[str]()
    while True:
        case = NthCall(seed, fate, n, lasting=lasting)
        verdict = case.judged()
        if not case.reached:
            return n - 1, wrong
        told = f"job {seed}, call {n}, {fate}{', lasting' if lasting else ''}"
        wrong += [f"{told}: {line}" for line in verdict.wrong]
        n += 1
