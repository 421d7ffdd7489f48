"""ISO dates and times of whole columns, by the digits' positions; what does not have a usual shape is left alone.

Each row comes out equal to `civil.read_date` or `civil.read_instant`, or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np
import pyarrow as pa

from arrowflow.decoders.civil import MAX_INSTANT_US, MIN_INSTANT_US, LocalTime
from arrowflow.decoders.layout import layout
from arrowflow.types import I64, Bool

Read = Callable[["pa.Array[Any]"], tuple[np.ndarray, Bool]]
"""Texts to (number per row, where that number is sure)."""

_Chars = np.ndarray[tuple[int, int], np.dtype[np.uint8]]
_SECOND_US: Final = 1_000_000
_MINUTE_US: Final = 60 * _SECOND_US
_HOUR_US: Final = 60 * _MINUTE_US
_DAY_US: Final = 24 * _HOUR_US
_DATE_CHARS: Final = 10
_CLOCK_CHARS: Final = 19
_MAX_CHARS: Final = 40


def read_dates(texts: pa.Array[Any]) -> tuple[np.ndarray, Bool]:
    """Return days since 1970-01-01 as int32[n] and where they are sure; nulls are not."""
    days, sure = np.zeros(len(texts), np.int32), np.zeros(len(texts), np.bool_)
    for rows, chars in _by_length(texts):
        if chars.shape[1] == _DATE_CHARS:
            ok = _all_true(chars)
            days[rows] = np.where(ok, _days(chars, ok), 0)
            sure[rows] = ok
    return days, sure


def read_instants(texts: pa.Array[Any], local: LocalTime | None) -> tuple[I64, Bool]:
    """Return microseconds since Unix time zero as int64[n] and where they are sure; nulls are not."""
    instant_us, sure = np.zeros(len(texts), np.int64), np.zeros(len(texts), np.bool_)
    for rows, chars in _by_length(texts):
        found, ok = _with_offset(chars) if local is None else _local(chars, local)
        ok &= (found >= MIN_INSTANT_US) & (found <= MAX_INSTANT_US)
        instant_us[rows], sure[rows] = np.where(ok, found, 0), ok
    return instant_us, sure


def _by_length(texts: pa.Array[Any]) -> Iterator[tuple[np.ndarray, _Chars]]:
    """Yield (rows, their characters uint8[k, length]) for each length from 10 to 40."""
    start, chars = layout(texts)
    length = np.diff(start)
    for size in np.unique(length).tolist():
        if _DATE_CHARS <= size <= _MAX_CHARS:
            rows = np.flatnonzero(length == size)
            yield rows, chars[start[rows][:, None] + np.arange(size)]


def _with_offset(chars: _Chars) -> tuple[I64, Bool]:
    """Read ``...Z`` and ``...+hh:mm``."""
    wall_us, sure = np.zeros(len(chars), np.int64), np.zeros(len(chars), np.bool_)
    zulu = _is(chars, -1, "Zz")
    wall_us[zulu], sure[zulu] = _wall(chars[zulu, :-1])
    if not zulu.all():
        signed = _is(chars, -6, "+-") & _is(chars, -3, ":")
        wall_us[signed], sure[signed] = _shifted(chars[signed])
    return wall_us, sure


def _shifted(chars: _Chars) -> tuple[I64, Bool]:
    wall_us, ok = _wall(chars[:, :-6])
    hours, minutes = _digits(chars[:, -5:-3], ok), _digits(chars[:, -2:], ok)
    ok &= (hours < 24) & (minutes < 60)
    ahead_us = hours * _HOUR_US + minutes * _MINUTE_US
    return wall_us - np.where(_is(chars, -6, "-"), -ahead_us, ahead_us), ok


def _local(chars: _Chars, local: LocalTime) -> tuple[I64, Bool]:
    """Read text without an offset; an hour in which the zone's clock changes is left to the rule."""
    wall_us, ok = _wall(chars)
    hours, at = np.unique(np.where(ok, wall_us, 0) // _HOUR_US, return_inverse=True)
    offsets = [_steady_offset(local, hour * _HOUR_US) for hour in hours.tolist()]
    known = np.array([offset is not None for offset in offsets], np.bool_)
    offset_us = np.array([offset or 0 for offset in offsets], np.int64)
    instant_us: I64 = wall_us - offset_us[at]
    return instant_us, ok & known[at]


def _steady_offset(local: LocalTime, hour_us: int) -> int | None:
    """Return the offset that holds from an hour's first to its last microsecond (no zone changes twice in one)."""
    first, last = local.offset_us(hour_us), local.offset_us(hour_us + _HOUR_US - 1)
    return first if first == last else None


def _wall(chars: _Chars) -> tuple[I64, Bool]:
    """Read ``YYYY-MM-DDThh:mm:ss`` with any fraction as microseconds on the wall clock."""
    ok = _all_true(chars)
    if chars.shape[1] < _CLOCK_CHARS or chars.shape[1] == _CLOCK_CHARS + 1:
        return np.zeros(len(chars), np.int64), ~ok
    days = _days(chars[:, :_DATE_CHARS], ok)
    ok &= _is(chars, 10, "Tt ") & _is(chars, 13, ":") & _is(chars, 16, ":")
    hour, minute, second = (_digits(chars[:, at : at + 2], ok) for at in (11, 14, 17))
    ok &= (hour < 24) & (minute < 60) & (second < 60)
    wall_us = days * _DAY_US + hour * _HOUR_US + minute * _MINUTE_US + second * _SECOND_US
    return wall_us + _fraction_us(chars[:, _CLOCK_CHARS:], ok), ok


def _fraction_us(chars: _Chars, ok: Bool) -> I64:
    """Read ``.f`` with one or more digits; those after the sixth are checked and cut off."""
    if not chars.shape[1]:
        return np.zeros(len(chars), np.int64)
    ok &= _is(chars, 0, ".,")
    _digits(chars[:, 7:], ok)
    kept = chars[:, 1:7]
    fraction_us: I64 = _digits(kept, ok) * 10 ** (6 - kept.shape[1])
    return fraction_us


def _days(chars: _Chars, ok: Bool) -> I64:
    """Read ``YYYY-MM-DD``; clears `ok` where the calendar has no such day."""
    ok &= _is(chars, 4, "-") & _is(chars, 7, "-")
    year, month, day = _digits(chars[:, 0:4], ok), _digits(chars[:, 5:7], ok), _digits(chars[:, 8:10], ok)
    ok &= (year >= 1) & (month >= 1) & (month <= 12)
    months = np.where(ok, (year - 1970) * 12 + month - 1, 0)
    first, following = (which.astype("M8[M]").astype("M8[D]").astype(np.int64) for which in (months, months + 1))
    ok &= (day >= 1) & (day <= following - first)
    return np.where(ok, first + day - 1, 0)


def _digits(chars: _Chars, ok: Bool) -> I64:
    """Read unsigned digits; clears `ok` where anything else stands. More than 18 columns are only checked."""
    digit = chars - np.uint8(48)  # wraps below '0', which is as wrong as above '9'
    ok &= (digit <= 9).all(axis=1)
    width = min(digit.shape[1], 18)
    powers = 10 ** np.arange(width - 1, -1, -1, dtype=np.int64)
    value: I64 = digit[:, :width].astype(np.int64) @ powers
    return value


def _is(chars: _Chars, at: int, allowed: str) -> Bool:
    """Return where column `at` holds one of the allowed characters; nowhere if there is no such column."""
    if not -chars.shape[1] <= at < chars.shape[1]:
        return np.zeros(len(chars), np.bool_)
    found: Bool = chars[:, at] == ord(allowed[0])
    for other in allowed[1:]:
        found = found | (chars[:, at] == ord(other))
    return found


def _all_true(chars: _Chars) -> Bool:
    return np.ones(len(chars), np.bool_)
