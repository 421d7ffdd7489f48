"""Shifts and production days of the three plants from a written-out table of offsets; never from a zone database.

Monterrey and Guadalajara have kept UTC-6 all year since 2022. Tijuana changes with California: UTC-7 in summer,
UTC-8 in winter. The table holds from 9 March 2025 to 8 March 2026 and refuses any other instant.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

_FIRST = datetime(2025, 3, 9, 10, tzinfo=UTC)
_LAST = datetime(2026, 3, 8, 10, tzinfo=UTC)
_TIJUANA_WINTER = datetime(2025, 11, 2, 9, tzinfo=UTC)
"""02:00 becomes 01:00: the hour from 01:00 to 02:00 comes twice."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class CivilWindow(NamedTuple):
    """``[start, end)`` with its name and the production day it belongs to."""

    name: str
    production_day: date
    start: datetime
    end: datetime


def instant(us: int) -> datetime:
    """Microseconds since Unix time zero as an exact UTC time."""
    return EPOCH + timedelta(microseconds=us)


def microseconds(when: datetime) -> int:
    """The exact inverse of `instant`."""
    return (when - EPOCH) // timedelta(microseconds=1)


def shift(plant: str | None, when: datetime) -> CivilWindow | None:
    """The shift in which `when` falls; None for a plant without a zone."""
    if plant is None or plant not in ("monterrey", "guadalajara", "tijuana"):
        return None
    shown = when + _offset(plant, when)
    day = shown.date() if shown.hour >= 6 else shown.date() - timedelta(days=1)
    name, hour = ("T1", 6) if 6 <= shown.hour < 14 else ("T2", 14) if 14 <= shown.hour < 22 else ("T3", 22)
    return CivilWindow(name, day, _utc(plant, day, hour), _utc(plant, day, hour + 8))


def production_day(plant: str | None, when: datetime) -> CivilWindow | None:
    """The production day, 06:00 to 06:00, in which `when` falls; None for a plant without a zone."""
    found = shift(plant, when)
    if found is None or plant is None:
        return None
    day = found.production_day
    return CivilWindow("day", day, _utc(plant, day, 6), _utc(plant, day, 30))


def _offset(plant: str, when: datetime) -> timedelta:
    if not _FIRST <= when < _LAST:
        raise ValueError(
            f"{when.isoformat()} is outside the table of offsets, {_FIRST.isoformat()} to {_LAST.isoformat()}"
        )
    if plant != "tijuana":
        return timedelta(hours=-6)
    return timedelta(hours=-7 if when < _TIJUANA_WINTER else -8)


def _utc(plant: str, day: date, hour: int) -> datetime:
    """The first instant at which the plant's clock shows `hour` of `day` (24 and more: of the day after)."""
    shown = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(hours=hour)
    candidates = [shown + timedelta(hours=behind) for behind in (6, 7, 8)]
    return next(when for when in candidates if when + _offset(plant, when) == shown)
