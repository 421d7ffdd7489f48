"""Runs examples by number: each is drawn from (seed, number) alone, so any one can be run again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from random import Random
from typing import NamedTuple

from tests.laws.columns import Dice
from tests.laws.laws import LAWS, ONLY, WEIGHTS
from tests.laws.setups import KINDS


class Failure(NamedTuple):
    """An example in which a law did not hold."""

    number: int
    law: str
    kind: str
    error: str


class Choice(NamedTuple):
    """Which laws and kinds examples are drawn from; part of what an example is."""

    laws: tuple[str, ...] = tuple(LAWS)
    kinds: tuple[str, ...] = KINDS
    aimed: tuple[str, ...] = ()
    """Aggregates to draw, as ``sum`` or ``sum(x)``; any where it is empty."""

    def pairs(self) -> list[tuple[str, str]]:
        """Every law with each of the kinds it is about, in an order that mixes them."""
        each = [(law, kind) for kind in (*self.kinds, "none") for law in self.laws if kind in ONLY.get(law, self.kinds)]
        pairs = [pair for pair in each for _ in range(WEIGHTS[pair[0]])]
        Random("pairs").shuffle(pairs)
        return pairs


def example(seed: int, number: int, choice: Choice, pairs: Sequence[tuple[str, str]] = ()) -> Failure | None:
    """Run one example; anything it raises is a failure."""
    pairs = pairs or choice.pairs()
    law, kind = pairs[number % len(pairs)]
    dice = Dice(f"{seed}/{number}")
    dice.aimed = choice.aimed
    try:
        LAWS[law](dice, kind)
    except Exception as error:  # noqa: BLE001 (a refusal and a crash of the operator break a law just as well)
        return Failure(number, law, kind, f"{type(error).__name__}: {error}")
    return None


def examples(seed: int, numbers: Iterable[int], choice: Choice) -> tuple[Counter[tuple[str, str]], Failure | None]:
    """Run examples until one fails; returns how many held, by law and kind, and the failure."""
    pairs, held = choice.pairs(), Counter()
    for number in numbers:
        failure = example(seed, number, choice, pairs)
        if failure is not None:
            return held, failure
        held[pairs[number % len(pairs)]] += 1
    return held, None


def block(task: tuple[int, Sequence[int], Choice]) -> tuple[Counter[tuple[str, str]], Failure | None]:
    """The same from one argument, for pools of processes."""
    return examples(*task)
