"""One function for each aggregate, and aggregates as a program gives them. Computes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from arrowflow.config.aggregates import Call, parse_aggregate
from arrowflow.errors import ConfigError
from arrowflow.windows.aggregates.custom import CustomAggregate
from arrowflow.windows.spec import Aggregate

Given = str | Call | tuple[CustomAggregate[Any], str]
"""An aggregate as a program gives it: text, a call, or a function of your own with the column it reads."""


def count(column: str | None = None) -> Call:
    """Rows, or the values of `column` that are not null."""
    return Call("count", column)


def sum(column: str, *, decimal: bool = False) -> Call:  # noqa: A001 (called as af.sum)
    """The exact sum; of integers as int64, or as decimals that never run out."""
    return Call("sum", column, ("decimal",) if decimal else ())


def mean(column: str) -> Call:
    """The exact quotient of sum and count, rounded once."""
    return Call("mean", column)


def min(column: str) -> Call:  # noqa: A001
    """The least value."""
    return Call("min", column)


def max(column: str) -> Call:  # noqa: A001
    """The greatest value."""
    return Call("max", column)


def first(column: str) -> Call:
    """The value with the earliest event time."""
    return Call("first", column)


def last(column: str) -> Call:
    """The value with the latest event time."""
    return Call("last", column)


def var(column: str) -> Call:
    """The variance of the sample."""
    return Call("var", column)


def stddev(column: str) -> Call:
    """The standard deviation of the sample."""
    return Call("stddev", column)


def count_distinct(column: str, *, limit: int | None = None) -> Call:
    """Distinct values: exact up to `limit`, estimated beyond."""
    return Call("count_distinct", column, () if limit is None else (limit,))


def quantile(column: str, q: float) -> Call:
    """The value below which a share `q` of the values lies, with a stated relative error."""
    return Call("quantile", column, (q,))


def weighted_mean(column: str, weights: str) -> Call:
    """The mean with the weights of another column."""
    return Call("weighted_mean", column, (weights,))


def quality_mean(column: str, quality: str) -> Call:
    """The mean weighted by the OPC quality codes of another column."""
    return Call("quality_mean", column, (quality,))


def time_weighted_mean(column: str, *, carry_for: str | None = None) -> Call:
    """The mean over time of a signal that holds its last value."""
    return Call("time_weighted_mean", column, _carried(carry_for))


def counter_delta(column: str, *, modulus: float | None = None, carry_for: str | None = None) -> Call:
    """How far a counter ran, over resets, and over its roll-over at `modulus`."""
    return Call("counter_delta", column, (*(() if modulus is None else (modulus,)), *_carried(carry_for)))


def time_in_state(column: str, state: str | float | bool, *, carry_for: str | None = None) -> Call:
    """For how many seconds a signal had a value."""
    return Call("time_in_state", column, (state, *_carried(carry_for)))


def coverage(column: str, *, carry_for: str | None = None) -> Call:
    """The share of the window in which a signal was known."""
    return Call("coverage", column, _carried(carry_for))


def aggregates_of(given: Mapping[str, Given]) -> tuple[Aggregate, ...]:
    """Return result columns in order; raises `ConfigError` for text that is no call of a known function."""
    return tuple(_aggregate(name, call) for name, call in given.items())


def _aggregate(name: str, given: Given) -> Aggregate:
    if isinstance(given, str):
        try:
            given = parse_aggregate(given)
        except ValueError as error:
            raise ConfigError(f"aggregate {name!r}: {error}") from None
    if isinstance(given, Call):
        return Aggregate(name, given.function, given.column, given.arguments)
    match given:
        case (CustomAggregate() as function, str(column)):
            return Aggregate(name, function, column)
    raise ConfigError(
        f'aggregate {name!r}: {given!r} is no aggregate; write "mean(speed)", af.mean("speed"), or a CustomAggregate of '
        "yours and a column"
    )


def _carried(carry_for: str | None) -> tuple[str, ...]:
    return () if carry_for is None else (carry_for,)
