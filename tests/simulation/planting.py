"""What it is to plant a wrong protocol, and how one is refuted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from arrowflow.testing.simulation import extras, history, world
from arrowflow.testing.simulation.director import CALM, Temper
from arrowflow.testing.simulation.history import simulate
from arrowflow.testing.simulation.parts import SimulatedFailpoints
from arrowflow.testing.simulation.streams import Setup

Put = Callable[[object, str, object], None]
"""Sets an attribute for the length of a test, as pytest's ``monkeypatch.setattr`` does."""


@dataclass(frozen=True)
class Weaker:
    """A rule of the protocol left out or turned round, and within how many seeds the simulator must notice.

    What is rare in the histories of a build is looked for in another world, so that it need not play thousands.
    """

    what: str
    plant: Callable[[Put], None]
    within: int
    world: Callable[[Put], None] | None = None

    def set_up(self, put: Put) -> None:
        """The world it is looked for in; the right protocol must hold there too."""
        if self.world is not None:
            self.world(put)


def drowsy(point: str) -> Callable[[Put], None]:
    """Jobs have tables alone, a helper merges and collects, and writers fall asleep at a failpoint."""

    def world_of_sleepers(put: Put) -> None:
        passed = SimulatedFailpoints.hit

        def hit(self: SimulatedFailpoints, name: str) -> None:
            stage = self._stage
            if name == point and stage.actor.temper is not CALM and stage.director.dice.random() < 0.4:
                stage.director.freeze(stage.actor, name)
            passed(self, name)

        def chores(self: world.DrawnWorld) -> dict[str, Callable[[], None]]:
            return {} if self.setup.late == "correct" else {"merge": self.merge, "collect": self.collect}

        put(SimulatedFailpoints, "hit", hit)
        put(world, "draw_extras", lambda dice, setup: extras.Extras())
        put(world.DrawnWorld, "_draw_chores", chores)
        put(history, "draw_temper", lambda dice: Temper(switch=0.1))

    return world_of_sleepers


def harsher(put: Put) -> None:
    """All jobs have two topics and keep one record, published files are merged, and writers often sleep."""
    draw = extras.draw_extras

    def all_of_it(dice: Random, setup: Setup) -> extras.Extras:
        whole = replace(draw(dice, setup), topics=(extras.ALERTS, "late"), restarts=0.2)
        return replace(whole, keep_records=1, keep_for_s=0.0)

    def chores(self: world.DrawnWorld) -> dict[str, Callable[[], None]]:
        return {"retention": self.expire} | ({} if self.setup.late == "correct" else {"merge": self.merge})

    put(world, "draw_extras", all_of_it)
    put(world.DrawnWorld, "_draw_chores", chores)
    put(history, "draw_temper", lambda dice: Temper(switch=0.2, fault=0.01, crash=0.002, freeze=0.01))


def first_refuting(weaker: Weaker) -> tuple[int, tuple[str, ...]] | None:
    """The first seed whose history breaks an invariant, and what it says; None if none of `within` does."""
    for seed in range(weaker.within):
        verdict = simulate(seed)
        if verdict.wrong:
            return seed, verdict.wrong
    return None
