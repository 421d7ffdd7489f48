"""Dates and times written as text, and local times in a zone; zones come from the tzdata wheel, never the system.

One value at a time: this is the rule. `columns.py` does the same for whole columns and is tested against it.
"""

from __future__ import annotations

import importlib.resources
import re
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from arrowflow.decoders.verdict import Refused, snippet

FOLDS: Final = ("earlier", "later")
MIN_INSTANT_US: Final = -62_135_596_800_000_000
"""0001-01-01T00:00:00Z."""
MAX_INSTANT_US: Final = 253_402_300_799_999_999
"""9999-12-31T23:59:59.999999Z."""

_ZERO: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - local readings are naive on purpose
_MICROSECOND: Final = timedelta(microseconds=1)
_DATE: Final = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_TIME: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]+))?)?"
    r"(?:([Zz])|([+-])([0-9]{2})(?::?([0-9]{2}))?)?"
)


def zone_names() -> frozenset[str]:
    """Every zone of the tzdata wheel."""
    return frozenset(importlib.resources.files("tzdata").joinpath("zones").read_text("utf-8").split())


def load_zone(name: str) -> ZoneInfo:
    """Return the wheel's rules for a name out of `zone_names`."""
    file = importlib.resources.files("tzdata").joinpath("zoneinfo", *name.split("/"))
    with file.open("rb") as stream:
        return ZoneInfo.from_file(stream, key=name)


class LocalTime:
    """Readings of one zone's wall clock; which of two equal readings is meant is fixed by `fold`."""

    def __init__(self, zone: str, fold: int) -> None:
        self.zone = zone
        self._rules = load_zone(zone)
        self._fold = fold

    def offset_us(self, local_us: int) -> int | None:
        """Return local minus UTC for a reading in microseconds, or None if the clock never shows it."""
        reading = (_ZERO + timedelta(microseconds=local_us)).replace(fold=self._fold, tzinfo=self._rules)
        offset = reading.utcoffset()
        assert offset is not None  # a ZoneInfo always knows
        try:
            shown = (reading.replace(tzinfo=UTC) - offset).astimezone(self._rules)
        except OverflowError:  # at the ends of the calendar, where no zone changes its clock
            shown = reading
        same = shown.replace(tzinfo=None, fold=0) == reading.replace(tzinfo=None, fold=0)
        return offset // _MICROSECOND if same else None


def read_date(text: str) -> int:
    """Return days since 1970-01-01 for ``YYYY-MM-DD``; raises `Refused` with `date`."""
    parts = _DATE.fullmatch(text)
    if parts is None:
        raise Refused("date", f"{snippet(text)} is not YYYY-MM-DD")
    try:
        return (date(int(parts[1]), int(parts[2]), int(parts[3])) - date(1970, 1, 1)).days
    except ValueError:
        raise Refused("date", f"{snippet(text)}: the calendar has no such day") from None


def read_instant(text: str, local: LocalTime | None) -> int:
    """Return microseconds since Unix time zero for ISO text, digits beyond the sixth of the fraction cut off.

    Raises `Refused` with `timestamp`, `timestamp_nonexistent` or `timestamp_range`.
    """
    parts = _TIME.fullmatch(text)
    if parts is None:
        raise Refused("timestamp", f"{snippet(text)} is not YYYY-MM-DDThh:mm:ss.ffffff with an optional offset")
    wall_us = _wall_us(text, parts)
    instant_us = wall_us - (
        _written_offset_us(text, parts) if local is None else _zone_offset_us(text, parts, wall_us, local)
    )
    return in_range(instant_us, text)


def in_range(instant_us: int, seen: str) -> int:
    """Return the instant if it lies in the years 0001 to 9999 UTC; raises `Refused` with `timestamp_range`."""
    if not MIN_INSTANT_US <= instant_us <= MAX_INSTANT_US:
        raise Refused("timestamp_range", f"{snippet(seen)} is outside the years 0001 to 9999 UTC")
    return instant_us


def _wall_us(text: str, parts: re.Match[str]) -> int:
    year, month, day, hour, minute = (int(parts[group]) for group in range(1, 6))
    second, fraction = int(parts[6] or 0), (parts[7] or "")[:6].ljust(6, "0")
    try:
        reading = datetime(year, month, day, hour, minute, second, int(fraction))  # noqa: DTZ001
    except ValueError:
        raise Refused("timestamp", f"{snippet(text)}: no such date or time{_why(hour, second)}") from None
    return (reading - _ZERO) // _MICROSECOND


def _why(hour: int, second: int) -> str:
    if second == 60:
        return " (leap seconds have no place in Unix time)"
    return " (write 24:00 as 00:00 of the next day)" if hour == 24 else ""


def _written_offset_us(text: str, parts: re.Match[str]) -> int:
    if parts[8]:
        return 0
    if not parts[9]:
        raise Refused("timestamp", f"{snippet(text)} has no offset; declare timestamp[iso, <zone>] for local text")
    hours, minutes = int(parts[10]), int(parts[11] or 0)
    if hours > 23 or minutes > 59:
        raise Refused("timestamp", f"{snippet(text)}: an offset lies between -23:59 and +23:59")
    size_us = (hours * 60 + minutes) * 60_000_000
    return -size_us if parts[9] == "-" else size_us


def _zone_offset_us(text: str, parts: re.Match[str], wall_us: int, local: LocalTime) -> int:
    if parts[8] or parts[9]:
        raise Refused("timestamp", f"{snippet(text)} carries an offset; declare timestamp[iso] for such text")
    offset_us = local.offset_us(wall_us)
    if offset_us is None:
        raise Refused("timestamp_nonexistent", f"{snippet(text)}: the clocks of {local.zone} skip this time")
    return offset_us
