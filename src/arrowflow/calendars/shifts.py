"""Named shifts of one day as civil offsets from its midnight. Knows no zone and no instant."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from arrowflow.calendars.offsets import DAY_US, HOUR_US, SECOND_US
from arrowflow.errors import ConfigError
from arrowflow.types import check_name

OFF = "off"
_RANGE = re.compile(r"(\d{2}):(\d{2})\s*[-–]\s*(\d{2}):(\d{2})")


class Shift(NamedTuple):
    """``[start_us, end_us)`` after midnight of the production day; `end_us` may be past the next midnight."""

    start_us: int
    end_us: int
    name: str


@dataclass(frozen=True, slots=True)
class ShiftPlan:
    """The shifts that hold from production day `valid_from` on.

    Parameters
    ----------
    valid_from : date
        The first production day.
    shifts : mapping of str to str
        Name to ``"HH:MM-HH:MM"``, at least one.
    """

    valid_from: date
    shifts: Mapping[str, str]

    def __post_init__(self) -> None:
        object.__setattr__(self, "shifts", dict(self.shifts))
        if not self.shifts:
            raise ConfigError(f"shifts valid from {self.valid_from} are empty: name at least one")
        parse_shifts(self.shifts)


def parse_shifts(shifts: Mapping[str, str]) -> tuple[Shift, ...]:
    """Return the shifts of a production day, ascending by start.

    A shift that ends at or before its start crosses midnight and belongs to the day on which it starts; equal
    times are a full day. The production day runs from the earliest start to the same civil time next day.

    Raises
    ------
    ConfigError
        For a name or time that is none, and for shifts that overlap.
    """
    parsed = sorted(_parse(name, text) for name, text in shifts.items())
    for left, right in zip(parsed, [*parsed[1:], *parsed[:1]], strict=True):
        next_start = right.start_us + (DAY_US if right is parsed[0] else 0)
        if left.end_us > next_start:
            both = f"{left.name} {shifts[left.name]} and {right.name} {shifts[right.name]}"
            what = "is longer than a day" if left is right else "overlap"
            raise ConfigError(f"shifts {both} {what}: every instant belongs to one shift only; move an edge")
    return tuple(parsed)


def _parse(name: str, text: str) -> Shift:
    check_name("shift", name)
    if name == OFF:
        raise ConfigError(f"shift name {OFF!r} is taken: it labels the time between shifts; choose another name")
    match = _RANGE.fullmatch(text.strip())
    if match is None:
        raise ConfigError(f"shift {name} = {text!r}: write it as 'HH:MM-HH:MM', for example '22:00-06:00'")
    hour, minute, end_hour, end_minute = (int(group) for group in match.groups())
    start, end = _clock(hour, minute), _clock(end_hour, end_minute)
    if max(minute, end_minute) > 59 or start >= DAY_US or end > DAY_US:
        raise ConfigError(f"shift {name} = {text!r}: hours go from 00:00 to 23:59, an end may be 24:00")
    return Shift(start, end if end > start else end + DAY_US, name)


def _clock(hour: int, minute: int) -> int:
    return hour * HOUR_US + minute * 60 * SECOND_US
