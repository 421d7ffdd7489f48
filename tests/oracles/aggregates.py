"""What each commutative aggregate must give for the values of one window, in plain Python: lists, Fractions, Decimals.

Values are as Arrow's ``to_pylist`` gives them, nulls left out. NaN and infinities follow one rule: any NaN, or both
infinities, gives NaN.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction


def rounded(exact: Fraction) -> float:
    """The nearest double, ties to even; infinite beyond the doubles."""
    try:
        return float(exact)
    except OverflowError:
        return math.inf if exact > 0 else -math.inf


def is_finite(value: object) -> bool:
    return not isinstance(value, float) or math.isfinite(value)


def special(values: Sequence) -> float | None:
    """The result that NaN or infinities force, if any."""
    odd = [value for value in values if not is_finite(value)]
    if not odd:
        return None
    if any(value != value for value in odd) or len(set(odd)) == 2:
        return math.nan
    return odd[0]


def decimal_sum(values: Sequence[Decimal]) -> Decimal | None:
    """None over no values; the exact sum."""
    return None if not values else decimal_of(sum(map(Fraction, values)), -values[0].as_tuple().exponent)


def decimal_mean(values: Sequence[Decimal]) -> Decimal | None:
    """With four more places, rounded half even once."""
    if not values:
        return None
    return decimal_of(sum(map(Fraction, values)) / len(values), 4 - values[0].as_tuple().exponent)


def decimal_of(exact: Fraction, places: int) -> Decimal:
    """The nearest decimal of so many places, ties to even."""
    unscaled = round(exact * Fraction(10) ** places)  # Fraction rounds half to even
    sign, digits = (1, -unscaled) if unscaled < 0 else (0, unscaled)
    return Decimal((sign, tuple(map(int, str(digits))), -places))


def variance(values: Sequence) -> Fraction | float | None:
    """Of the sample, exactly; None below two values; NaN if any value is no finite number."""
    if len(values) < 2:
        return None
    if special(values) is not None:
        return math.nan
    exact = [Fraction(value) for value in values]
    mean = sum(exact) / len(exact)
    return sum((value - mean) ** 2 for value in exact) / (len(exact) - 1)


def var(values: Sequence) -> float | None:
    found = variance(values)
    return rounded(found) if isinstance(found, Fraction) else found


def stddev(values: Sequence) -> float | None:
    """The root of the exact variance, rounded once: found by asking which of the neighbours is nearest."""
    found = variance(values)
    if not isinstance(found, Fraction):
        return found
    return nearest_root(found)


def nearest_root(square: Fraction) -> float:
    """The double nearest to a square root, ties to even (an irrational root has none)."""
    if square == 0:
        return 0.0
    places = 1200  # more binary places than the smallest root that is no zero needs to be told from its neighbours
    scaled = math.isqrt(square.numerator * 4**places // square.denominator)
    guess = rounded(Fraction(scaled, 2**places))
    around = [guess, math.nextafter(guess, math.inf), math.nextafter(guess, 0.0)]

    def is_nearer(one: float, other: float) -> bool:
        # |root - one| < |root - other|  <=>  the root lies on one's side of their middle.
        middle = (Fraction(one) + Fraction(other)) / 2
        return square < middle * middle if one < other else square > middle * middle

    best = around[0]
    for candidate in around[1:]:
        if math.isfinite(candidate) and is_nearer(candidate, best):
            best = candidate
    return best


def weighted_mean(pairs: Sequence[tuple]) -> float | None:
    """Of (value, weight); a bad weight gives NaN, weight 0 adds nothing, no weight at all gives None."""
    if any(not is_finite(weight) or weight < 0 for _value, weight in pairs):
        return math.nan
    counted = [(value, weight) for value, weight in pairs if weight > 0]
    if not counted:
        return None
    forced = special([value for value, _weight in counted])
    if forced is not None:
        return forced
    weights = sum(Fraction(weight) for _value, weight in counted)
    return rounded(sum(Fraction(value) * Fraction(weight) for value, weight in counted) / weights)


def quality_mean(pairs: Sequence[tuple]) -> float | None:
    """Of (value, OPC DA quality): good counts once, uncertain half, bad not at all."""
    weight = {0b11: 1, 0b01: Fraction(1, 2)}
    return weighted_mean([(value, weight.get((quality >> 6) & 3, 0)) for value, quality in pairs])


def distinct(values: Sequence) -> int:
    """All NaN are one value, and so are both zeros."""
    return len({"nan" if value != value else value for value in values})


def quantile(values: Sequence, q: str) -> object:
    """The value of the nearest rank: the smallest with at least ``q * n`` values up to it. NaN wins over everything."""
    if not values:
        return None
    if any(value != value for value in values):
        return math.nan
    rank = max(1, math.ceil(Fraction(q) * len(values)))
    return sorted(values)[rank - 1]


def registers(hashes: Sequence[int]) -> list[int]:
    """HyperLogLog's registers: the top 14 bits of a hash pick one, which keeps the most zeros before a one, plus one."""
    out = [0] * 2**14
    for each in hashes:
        rest = format(each % 2**50, "050b")
        rank = rest.index("1") + 1 if "1" in rest else 51
        out[each >> 50] = max(out[each >> 50], rank)
    return out
