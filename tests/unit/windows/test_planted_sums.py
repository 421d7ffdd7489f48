"""Exact sums that start with chunks as full as they may be, which no short stream of rows brings about."""

from __future__ import annotations

import math
from fractions import Fraction
from random import Random

import numpy as np
import pytest

from arrowflow.windows.aggregates.fixed import units_of
from arrowflow.windows.aggregates.products import ProductSum
from arrowflow.windows.aggregates.sums import TINY, ExactSum
from arrowflow.windows.kernels.sums import CARRY_EVERY

HALF, FULL = 1 << 61, 1 << 62
DIVISORS = (1, 1, 2, 3, 5, 7, 10, 2**20 + 1, 2**31 - 1, 2**31, 2**40 + 1)


class Numbers:
    """Two cells of exact sums of doubles, with planted chunks; `exact` is what they hold in units of ``2**-TINY``."""

    def __init__(self, dice: Random) -> None:
        self.dice, self.sum = dice, ExactSum("sum")
        self.fit(self.sum.lanes, self.sum.number)
        self.sum.count.values[:] = [CARRY_EVERY * dice.randint(1, 9) - dice.choice((1, 2, 100)) for _ in range(2)]

    def fit(self, lanes, number) -> None:
        self.number = number
        for lane in lanes:
            lane.fit(2)
        for cell in range(2):
            number.chunks.values[cell] = [self.dice.choice(self.planted()) for _ in range(len(number.chunks.values[0]))]
            # The last chunk may be fuller, before what comes goes to the spill.
            number.chunks.values[cell, -1] = self.dice.choice(
                (0, 5, HALF, HALF + 1, -HALF, -HALF - 1, FULL, -FULL, FULL + 5)
            )
        self.exact = [number.total(cell) for cell in range(2)]

    def planted(self):
        return (HALF, -HALF, HALF - 1, 1 - HALF, 0, 1 << 32, self.dice.randint(-HALF, HALF))

    def add(self, cell: int) -> None:
        sign = self.dice.choice((1.0, -1.0))
        exponents = [self.dice.randint(-61, 80)] * 3 + [-60, 79, 80]
        values = [
            sign * math.ldexp(1.9999999999999998, self.dice.choice(exponents)) for _ in range(self.dice.randint(1, 300))
        ]
        bits, ones = np.array(values).view(np.int64), np.ones(len(values), np.bool_)
        self.sum.add(np.full(len(values), cell), ones, bits)
        self.exact[cell] += sum(int(Fraction(value) * 2**TINY) for value in values)

    def merge(self, into: int, source: int) -> None:
        self.sum.merge(np.array([into]), np.array([source]))
        self.exact[into] += self.exact[source]


class Flagged(Numbers):
    """The same with values among them that are no numbers: what was seen, and how many values, merges too."""

    def merge(self, into: int, source: int) -> None:
        count, flags = self.sum.count.values, self.sum.flags.values
        flags[:] = [self.dice.randint(0, 7) for _ in range(2)]
        both = int(flags[into] | flags[source]), int(count[into] + count[source])
        super().merge(into, source)
        assert (int(flags[into]), int(count[into])) == both


class Products(Numbers):
    """The same for sums of products."""

    def __init__(self, dice: Random) -> None:
        self.dice, self.sum = dice, ProductSum("products")
        self.fit(self.sum.lanes, self.sum.number)
        for cell in range(2):
            self.number.chunks.values[cell, -1] >>= 3
        self.exact = [self.number.total(cell) for cell in range(2)]

    def planted(self):
        return (FULL, -FULL, FULL - 1, HALF, 0, 1 << 32, self.dice.randint(-FULL, FULL))

    def add(self, cell: int) -> None:
        exponents = [self.dice.randint(-61, 80) for _ in range(2)]
        sign = self.dice.choice((1.0, -1.0))
        n = self.dice.choice((1, 16, 700, 1500))  # of the largest mantissas, 512 fill a chunk up
        left, right = (np.full(n, math.ldexp(1.9999999999999998, exponent)) for exponent in exponents)
        right *= sign
        self.sum.add(np.full(n, cell), np.ones(n, np.bool_), _Doubles(left), _Doubles(right))
        self.exact[cell] += n * int(Fraction(left[0]) * Fraction(right[0]) * 4**TINY)


class _Doubles:
    """Factors that are doubles, as the sums take them."""

    def __init__(self, values: np.ndarray) -> None:
        self.values, self.bits = values, values.view(np.int64)
        self.whole = self.finite = np.ones(len(values), np.bool_)

    def units(self, row: int) -> int:
        return units_of(float(self.values[row]), TINY)


@pytest.mark.parametrize("kind", [Numbers, Flagged, Products])
@pytest.mark.parametrize("seed", range(60))
def test_no_chunk_overflows_wherever_it_starts(kind, seed):
    dice = Random(seed)
    numbers = kind(dice)

    for _turn in range(4):
        if dice.random() < 0.5:
            numbers.add(dice.randint(0, 1))
        else:
            numbers.merge(*dice.choice(((0, 1), (1, 0), (0, 0))))
        assert [numbers.number.total(cell) for cell in range(2)] == numbers.exact

    cells = np.arange(2)
    numbers.number.settle(cells)
    assert [numbers.number.total(cell) for cell in range(2)] == numbers.exact


@pytest.mark.parametrize("seed", range(100))
def test_quotients_of_sums_are_rounded_once_whatever_their_bits(seed):
    """Few bits set make ties, and long runs of ones make carries through the whole mantissa."""
    dice, cells = Random(seed), 24
    exact = ExactSum("sum")
    for lane in exact.lanes:
        lane.fit(cells)
    for cell in range(cells):
        exact.number.chunks.values[cell] = _bits(dice)
    divisors = np.array([dice.choice(DIVISORS) for _ in range(cells)], np.int64)

    found = exact.quotients(np.arange(cells), divisors)

    wanted = [Fraction(exact.number.total(cell), int(divisors[cell]) << TINY) for cell in range(cells)]
    assert [each.hex() for each in found.tolist()] == [float(each).hex() for each in wanted]


def _bits(dice: Random) -> list[int]:
    """Chunks of a number made of a mantissa, and perhaps one bit or a run of ones far below it."""
    high = dice.randint(54, 180)
    number = dice.choice(((1 << 53) - 1, 1 << 52, (1 << 52) + 1, dice.getrandbits(53) | 1 << 52, 1)) << (high - 52)
    half = 1 << max(0, high - 53)
    number += dice.choice((0, half, half - 1, half + 1, half + (1 << dice.randint(0, high - 53)), half - 1 & ~1))
    chunks = [(number >> (32 * c)) & 0xFFFFFFFF for c in range(5)] + [number >> 160]
    if dice.random() < 0.3:  # another form of the same number
        place = dice.randint(0, 4)
        chunks[place] += 1 << 40
        chunks[place + 1] -= 1 << 8
    return [-chunk for chunk in chunks] if dice.random() < 0.5 else chunks
