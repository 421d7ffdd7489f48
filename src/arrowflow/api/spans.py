"""Lengths of time, instants and sizes from a program to microseconds and bytes, exactly. Reads no clock and no zone."""

from __future__ import annotations

import datetime as dt

from arrowflow.config.durations import parse_duration, parse_size
from arrowflow.errors import ConfigError
from arrowflow.types import MIN_US

Span = str | dt.timedelta | int
"""Text such as "1h30m", a timedelta, or whole microseconds."""

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)


def span_us(name: str, value: Span) -> int:
    """Return `value` in microseconds; `name` says in an error whose it is.

    Raises
    ------
    ConfigError
        For text that is no length of time, or a value of another type.
    """
    if isinstance(value, str):
        try:
            return parse_duration(value)
        except ValueError as error:
            raise ConfigError(f"{name}: {value!r} {error}") from None
    if isinstance(value, dt.timedelta):
        return value // _MICROSECOND
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigError(
            f'{name}: {value!r} is no length of time; give text such as "5m", a timedelta, or whole microseconds'
        )
    return value


def size_bytes(name: str, value: int | str) -> int:
    """Return a positive number of bytes; raises `ConfigError` for what is none."""
    try:
        size = parse_size(value)
    except ValueError as error:
        raise ConfigError(f"{name}: {value!r} {error}") from None
    if size <= 0:
        raise ConfigError(f"{name}: {value!r} is not positive")
    return size


def instant_us(name: str, value: dt.datetime | int) -> int:
    """Return a point in time in microseconds since Unix time zero; raises `ConfigError` for a naive datetime."""
    if isinstance(value, dt.datetime):
        if value.tzinfo is None:
            raise ConfigError(f"{name}: {value!r} has no zone; write datetime(..., tzinfo=timezone.utc)")
        return (value - _EPOCH) // _MICROSECOND
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigError(f"{name}: {value!r} is no point in time; give a datetime with a zone, or microseconds")
    return value


def datetime_of(us: int) -> dt.datetime | None:
    """Return an instant as a datetime in UTC; None for minus infinity, and the nearest there is beyond its years."""
    if us == MIN_US:
        return None
    try:
        return _EPOCH + dt.timedelta(microseconds=us)
    except OverflowError:
        return dt.datetime.max.replace(tzinfo=dt.UTC) if us > 0 else dt.datetime.min.replace(tzinfo=dt.UTC)
