"""Aggregates over the rows of one window, nulls skipped, each exact before it is rounded once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from arrowflow.samples.answers.civil import instant
from arrowflow.samples.answers.judge import Placed


def count(rows: Sequence[Placed], column: str) -> int:
    """How many values are not null."""
    return len(_values(rows, column))


def whole_sum(rows: Sequence[Placed], column: str) -> int | None:
    """The sum of an integer column."""
    values = [value for value in _values(rows, column) if isinstance(value, int)]
    return sum(values) if values else None


def float_sum(rows: Sequence[Placed], column: str) -> float | None:
    """The exact sum of a float column, rounded once."""
    values = _floats(rows, column)
    return math.fsum(values) if values else None


def decimal_sum(rows: Sequence[Placed], column: str, places: int) -> str | None:
    """The exact sum of a decimal column, as text with all its places."""
    values = [value for value in _values(rows, column) if isinstance(value, Decimal)]
    if not values:
        return None
    unscaled = sum(map(Fraction, values), Fraction(0)) * 10**places
    whole, fraction = divmod(abs(int(unscaled)), 10**places)
    return f"{'-' if unscaled < 0 else ''}{whole}.{fraction:0{places}}"


def mean(rows: Sequence[Placed], column: str) -> float | None:
    """The exact quotient of sum and count, rounded once."""
    values = _floats(rows, column)
    return float(sum(map(Fraction, values), Fraction(0)) / len(values)) if values else None


def smallest(rows: Sequence[Placed], column: str) -> float | None:
    """The smallest value of a float column."""
    return min(_floats(rows, column), default=None)


def largest(rows: Sequence[Placed], column: str) -> float | None:
    """The largest value of a float column."""
    return max(_floats(rows, column), default=None)


def first(rows: Sequence[Placed], column: str) -> object:
    """The value of the earliest event that has one; of equal times the lowest partition and offset."""
    values = [placed for placed in rows if placed.row[column] is not None]
    return min(values, key=_when).row[column] if values else None


def last(rows: Sequence[Placed], column: str) -> object:
    """The value of the latest event that has one; of equal times the highest partition and offset."""
    values = [placed for placed in rows if placed.row[column] is not None]
    return max(values, key=_when).row[column] if values else None


def latest_event(rows: Sequence[Placed]) -> str:
    """When the latest of the rows happened."""
    return iso(instant(max(placed.event_us for placed in rows)))


def iso(when: datetime) -> str:
    """UTC text with six digits of fraction, so that texts sort as times do."""
    return when.isoformat(timespec="microseconds")


def _when(placed: Placed) -> tuple[int, int, int]:
    return placed.event_us, placed.partition, placed.offset


def _values(rows: Sequence[Placed], column: str) -> list[object]:
    return [placed.row[column] for placed in rows if placed.row[column] is not None]


def _floats(rows: Sequence[Placed], column: str) -> list[float]:
    return [value for value in _values(rows, column) if isinstance(value, float)]
