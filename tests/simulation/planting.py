"""What it is to plant a wrong protocol, and how one is refuted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from arrowflow.testing.simulation.history import simulate

Put = Callable[[object, str, object], None]
"""Sets an attribute for the length of a test, as pytest's ``monkeypatch.setattr`` does."""


@dataclass(frozen=True)
class Weaker:
    """A rule of the protocol left out or turned round, and within how many seeds the simulator must notice.

    Rare ones are looked for from the seed `start` on, so that a build need not play what comes before.
    """

    what: str
    plant: Callable[[Put], None]
    within: int
    start: int = 0


def first_refuting(weaker: Weaker) -> tuple[int, tuple[str, ...]] | None:
    """The first seed whose history breaks an invariant, and what it says; None if none of `within` does."""
    for seed in range(weaker.start, weaker.start + weaker.within):
        verdict = simulate(seed)
        if verdict.wrong:
            return seed, verdict.wrong
    return None
