"""Randomness that is the same on every machine and Python; never more than the one guaranteed generator.

The standard library promises that ``random.Random(int).random()`` keeps its sequence between versions. It does not
promise that for `randrange`, `choice`, `shuffle` or `gauss`, so everything here is integer arithmetic on `random`.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Dice:
    """A sequence of throws that depends on its integer seed alone."""

    def __init__(self, *seeds: int) -> None:
        mixed = 0
        for seed in seeds:
            mixed = (mixed * 1_000_003 + seed) % (1 << 61)
        self._random = random.Random(mixed).random  # noqa: S311 - samples need repeatable dice, not secrets

    def below(self, n: int) -> int:
        """Return a whole number in ``[0, n)``; `n` is below 2**53."""
        return int(self._random() * n)

    def chance(self, per_10_000: int) -> bool:
        """Return true in `per_10_000` of 10,000 throws."""
        return self.below(10_000) < per_10_000

    def pick(self, options: Sequence[T]) -> T:
        return options[self.below(len(options))]
