"""HyperLogLog's estimate for a few hashes in plain Python: a dict of registers, sums over ranks, series until they stand."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

REGISTERS, RANKS = 2**14, 50


def estimate(hashes: Sequence[int]) -> int:
    """How many distinct hashes there are, by Ertl's improved raw estimator (2017, section 4)."""
    held: dict[int, int] = {}
    for each in hashes:
        rest = format(each % 2**RANKS, f"0{RANKS}b")
        rank = rest.index("1") + 1 if "1" in rest else RANKS + 1
        held[each >> RANKS] = max(held.get(each >> RANKS, 0), rank)
    return round(estimate_of(Counter(held.values())))


def estimate_of(counts: Mapping[int, int]) -> float:
    """The estimate from how many registers hold each rank; those not counted hold 0."""
    empty = REGISTERS - sum(counts.values())
    total = sum(count * 2.0**-rank for rank, count in counts.items() if 0 < rank <= RANKS)
    total += REGISTERS * _tau(1 - counts.get(RANKS + 1, 0) / REGISTERS) * 2.0**-RANKS
    total += REGISTERS * _sigma(empty / REGISTERS)
    return REGISTERS**2 / (2 * math.log(2) * total)


def _tau(x: float) -> float:
    """``(1 - x - sum(2**-k * (1 - x**(2**-k))**2)) / 3`` for k from 1 on."""
    return (1 - x - sum(2.0**-k * (1 - x ** (2.0**-k)) ** 2 for k in range(1, 60))) / 3


def _sigma(x: float) -> float:
    """``x + sum(2**(k - 1) * x**(2**k))`` for k from 1 on."""
    if x == 1:
        return math.inf
    total, k = x, 1
    while True:
        term = 2.0 ** (k - 1) * x ** (2.0**k)
        if total + term == total:
            return total
        total, k = total + term, k + 1
