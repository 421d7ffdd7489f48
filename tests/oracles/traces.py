"""What the ordered aggregates must give, from samples and a window alone, in plain Python: tuples, ints, Fractions.

A sample is ``(event_us, source, topic, partition, offset, value)``. ``carry`` is how long a value is known, None for ever.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

Sample = tuple[int, str, str, int, int, object]


def in_order(samples: Sequence[Sample]) -> list[Sample]:
    """By event time, then source, topic, partition and offset; never by value."""
    return sorted(samples, key=lambda sample: sample[:5])


def last_before(samples: Sequence[Sample], limit: int) -> Sample | None:
    """The last sample measured before `limit`."""
    earlier = [sample for sample in in_order(samples) if sample[0] < limit]
    return earlier[-1] if earlier else None


def holds(
    samples: Sequence[Sample], before: Sample | None, start: int, end: int, carry: int | None
) -> list[tuple[object, int]]:
    """(value, microseconds) for each value as long as it holds inside the window."""
    readings = ([] if before is None else [before]) + in_order(samples)
    out = []
    for i, sample in enumerate(readings):
        begin, until = max(start, sample[0]), end
        if i + 1 < len(readings):
            until = min(until, readings[i + 1][0])
        if carry is not None:
            until = min(until, sample[0] + carry)
        out.append((sample[5], max(0, until - begin)))
    return out


def coverage(held: Sequence[tuple[object, int]], start: int, end: int) -> float:
    """The part of the window in which a value was known."""
    return float(Fraction(sum(time for _value, time in held), end - start)) if end > start else 0.0


def time_in_state(held: Sequence[tuple[object, int]], state: object) -> float | None:
    """Seconds in that state; None if nothing was ever known."""
    if not any(time for _value, time in held):
        return None
    return float(Fraction(sum(time for value, time in held if value == state), 1_000_000))


def time_weighted_mean(held: Sequence[tuple[object, int]]) -> float | None:
    """The exact quotient, rounded once; None if nothing was ever known."""
    weighed = [(value, time) for value, time in held if time]
    if not weighed:
        return None
    values = [value for value, _time in weighed]
    plus, minus = math.inf in values, -math.inf in values
    if any(value != value for value in values) or (plus and minus):
        return math.nan
    if plus or minus:
        return math.inf if plus else -math.inf
    return rounded(sum(Fraction(value) * time for value, time in weighed) / sum(time for _value, time in weighed))


def counter_delta(
    samples: Sequence[Sample], before: Sample | None, carry: int | None, modulus: object = None
) -> int | float | None:
    """The sum of increments; None if no two readings can be compared."""
    readings = ([] if before is None else [before]) + in_order(samples)
    pairs = []
    for old, new in pairwise(readings):
        if carry is None or new[0] < old[0] + carry:
            pairs.append((old[5], new[5]))
    if not pairs:
        return None
    whole = all(isinstance(value, int) for pair in pairs for value in pair)
    if not whole and not all(math.isfinite(value) for pair in pairs for value in pair):
        return math.nan
    total = Fraction(0)
    for old, new in pairs:
        if new >= old:
            total += Fraction(new) - Fraction(old)
        elif modulus is None:
            total += Fraction(new)
        else:
            total += Fraction(new) + Fraction(modulus) - Fraction(old)
    return int(total) if whole else rounded(total)


def rounded(exact: Fraction) -> float:
    """The nearest double, ties to even; infinite beyond the doubles."""
    try:
        return float(exact)
    except OverflowError:
        return math.inf if exact > 0 else -math.inf
