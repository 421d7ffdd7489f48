"""Columns of the laws' streams: types, hard values drawn from dice, and the aggregates that may read them. Judges nothing."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from random import Random

import pyarrow as pa

from arrowflow.windows.spec import Aggregate

EDGES = (0.1, -0.1, 1e308, -1e308, 5e-324, -5e-324, 0.0, -0.0, 1e16, -1e16, 1.0, 3.0, 2.0**53, 2.0**80, 2.0**-61)
STRANGE = (math.nan, math.inf, -math.inf)
TEXTS = ("", "a", "ab", "é", "\U0001f600", "\ue000", "z")
UTC = pa.timestamp("us", tz="UTC")


def _double(dice: Random) -> float:
    which = dice.random()
    if which < 0.35:
        return dice.choice(EDGES)
    if which < 0.4:
        return dice.choice(STRANGE)
    if which < 0.7:
        return math.ldexp(dice.uniform(-1, 1), dice.randint(-64, 84))
    return float(dice.randint(-9, 9)) if which < 0.9 else dice.uniform(-1e6, 1e6)


def _single(dice: Random) -> float:
    return struct.unpack("f", struct.pack("f", max(-3e38, min(3e38, _double(dice)))))[0]


def _whole(dice: Random, low: int, high: int) -> int:
    which = dice.random()
    if which < 0.5:
        return dice.randint(max(low, -5), 5)
    return dice.choice((low, high, high - 1)) if which < 0.7 else dice.randint(low, high)


def _decimal(dice: Random) -> Decimal:
    unscaled = _whole(dice, -(10**20) + 1, 10**20 - 1)
    return Decimal((int(unscaled < 0), tuple(map(int, str(abs(unscaled)))), -3))


def _weight(dice: Random) -> float:
    which = dice.random()
    if which < 0.05:
        return dice.choice((-1.0, math.nan, math.inf))
    return dice.choice((0.0, 1.0, 0.1, 3.0)) if which < 0.7 else math.ldexp(dice.random(), dice.randint(-40, 40))


@dataclass(frozen=True)
class Column:
    """A type, and how its values are drawn; null is for the stream to say."""

    type: pa.DataType
    draw: Callable[[Random], object]


COLUMNS = {
    "x": Column(pa.float64(), _double),
    "f": Column(pa.float32(), _single),
    "i": Column(pa.int64(), lambda dice: _whole(dice, -(2**55), 2**55)),
    "g": Column(pa.int64(), lambda dice: _whole(dice, -(2**63), 2**63 - 1)),
    "h": Column(pa.int8(), lambda dice: _whole(dice, -128, 127)),
    "u": Column(pa.uint64(), lambda dice: _whole(dice, 0, 2**64 - 1)),
    "d": Column(pa.decimal128(20, 3), _decimal),
    "s": Column(pa.string(), lambda dice: dice.choice(TEXTS)),
    "b": Column(pa.bool_(), lambda dice: dice.random() < 0.5),
    "at": Column(UTC, lambda dice: _whole(dice, -(2**55), 2**55)),
    "y": Column(pa.date32(), lambda dice: _whole(dice, -719_162, 2_932_896)),
    "w": Column(pa.float64(), _weight),
    "q": Column(pa.uint8(), lambda dice: dice.choice((0, 24, 64, 68, 128, 192, 216, 255))),
}
"""Sums of 40 values of `i` fit into int64; sums of `g` and `u` need not, so they are asked for as decimals."""

_ANY, _NUMBERS = ("x", "f", "i", "g", "h", "u", "d", "s", "b", "at", "y"), ("x", "f", "i", "g", "h", "u", "d")
COMMUTATIVE = (
    *((function, column, ()) for function in ("min", "max", "first", "last", "count") for column in _ANY),
    *(("count_distinct", column, limit) for column in _ANY for limit in ((), (3,))),
    *(("sum", column, ()) for column in ("x", "x", "f", "i", "h", "d")),
    *(("sum", column, ("decimal",)) for column in ("i", "g", "u")),
    *((function, column, ()) for function in ("mean", "var", "stddev") for column in _NUMBERS),
    *(("quantile", column, (q,)) for column in ("x", "f", "i", "g", "h", "u") for q in (0, 0.07, 0.5, 0.9, 1)),
    *(("weighted_mean", column, (weight,)) for column in _NUMBERS for weight in ("w", "h", "u", "d")),
    *(("quality_mean", column, ("q",)) for column in _NUMBERS),
)
CARRY_US = {"1ms": 1_000, "20ms": 20_000, "100ms": 100_000, "5s": 5_000_000}
_KNOWN = ("x", "i", "h", "u", "s", "b")
ORDERED = (
    *(("time_weighted_mean", column, ()) for column in ("x", "f", "i", "u")),
    *(("coverage", column, ()) for column in _KNOWN),
    *(("time_in_state", column, (state,)) for column, state in (("s", "a"), ("b", True), ("h", 3), ("x", 1.0))),
    *(("counter_delta", column, modulus) for column in ("x", "i", "h") for modulus in ((), (10,), (2**40,))),
)


class Dice(Random):
    """Dice that may be loaded: only aggregates whose function and column are in `aimed` come up, if it has any."""

    aimed: tuple[str, ...] = ()

    def pick(self, templates: Sequence[tuple]) -> tuple | None:
        """One of the templates, or None where none is aimed at."""
        if not self.aimed:
            return self.choice(templates)
        fit = [each for each in templates if each[0] in self.aimed or f"{each[0]}({each[1]})" in self.aimed]
        return self.choice(fit) if fit else None


def draw_aggregates(dice: Dice, most: int, *, ordered: bool) -> tuple[Aggregate, ...]:
    """Up to `most` aggregates of both families, or of the commutative one; a count of rows often among them."""
    found = [Aggregate("n", "count")] if dice.random() < 0.5 else []
    for place in range(dice.randint(0 if found else 1, most)):
        wants_ordered = ordered and dice.random() < 0.3
        picked = dice.pick(ORDERED if wants_ordered else COMMUTATIVE) or dice.pick(ORDERED if ordered else COMMUTATIVE)
        if picked is None:
            continue
        function, column, arguments = picked
        if picked in ORDERED:
            arguments = (*arguments, *dice.choice(((), *zip(CARRY_US, strict=True))))
        found.append(Aggregate(f"r{place}", function, column, arguments))
    return tuple(found) or (Aggregate("n", "count"),)


def columns_of(aggregates: tuple[Aggregate, ...]) -> tuple[str, ...]:
    """The columns that rows must bring for `aggregates`, each once."""
    read = [each.column for each in aggregates if each.column is not None]
    others = [each.arguments[0] for each in aggregates if each.function in ("weighted_mean", "quality_mean")]
    return tuple(dict.fromkeys([*read, *others]))
