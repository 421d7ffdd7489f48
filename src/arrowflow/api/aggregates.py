"""One function for each aggregate, and aggregates as a program gives them. Computes nothing."""

from __future__ import annotations

from collections.abc import Mapping

from arrowflow.config.aggregates import Call, parse_aggregate
from arrowflow.errors import ConfigError
from arrowflow.windows.spec import Aggregate


def count(column: str | None = None) -> Call:
    """Rows, or the values of `column` that are not null."""
    return Call("count", column)


def sum(column: str) -> Call:  # noqa: A001 (called as af.sum)
    """The exact sum."""
    return Call("sum", column)


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


def aggregates_of(given: Mapping[str, str | Call]) -> tuple[Aggregate, ...]:
    """Return result columns in order; raises `ConfigError` for text that is no call of a known function."""
    return tuple(_aggregate(name, call) for name, call in given.items())


def _aggregate(name: str, given: str | Call) -> Aggregate:
    if isinstance(given, str):
        try:
            given = parse_aggregate(given)
        except ValueError as error:
            raise ConfigError(f"aggregate {name!r}: {error}") from None
    if not isinstance(given, Call):
        raise ConfigError(f'aggregate {name!r}: {given!r} is no aggregate; write "mean(speed)" or af.mean("speed")')
    return Aggregate(name, given.function, given.column)
