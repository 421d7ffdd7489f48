"""Named shifts of one day as civil offsets from its midnight. Knows no zone and no instant."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise
from typing import NamedTuple

from arrowflow.calendars.offsets import DAY_US, HOUR_US, SECOND_US
from arrowflow.errors import ConfigError
from arrowflow.types import check_name

OFF = "off"
_RANGE = re.compile(r"(\d{2}):(\d{2})\s*[-–]\s*(\d{2}):(\d{2})")


class Shift(NamedTuple):
    """``[start_us, end_us)`` after midnight of the production day; `end_us` may be past the next midnight.

    `breaks` are ``(start_us, end_us)`` inside it, ascending and disjoint, counted from the same midnight.
    """

    start_us: int
    end_us: int
    name: str
    breaks: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class ShiftPlan:
    """The shifts that hold from production day `valid_from` on.

    Parameters
    ----------
    valid_from : date
        The first production day.
    shifts : mapping of str to str
        Name to ``"HH:MM-HH:MM"``, at least one.
    breaks : mapping of str to sequence of str
        Name of a shift to the times ``"HH:MM-HH:MM"`` inside it that are ``off``. Breaks of an earlier plan do not
        go on: a plan names all of its own.
    """

    valid_from: date
    shifts: Mapping[str, str]
    breaks: Mapping[str, Sequence[str]] = field(default_factory=dict)
    parsed: tuple[Shift, ...] = field(init=False, repr=False, compare=False)
    """The same as civil times, ascending by start."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "shifts", dict(self.shifts))
        object.__setattr__(self, "breaks", break_texts(self.breaks))
        if not self.shifts:
            raise ConfigError(f"shifts valid from {self.valid_from} are empty: name at least one")
        object.__setattr__(self, "parsed", parse_shifts(self.shifts, self.breaks))


def break_texts(breaks: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Return breaks as values that nobody changes later; raises `ConfigError` for a text where a list belongs."""
    for name, texts in breaks.items():
        if isinstance(texts, str):  # its letters would be taken for breaks
            raise ConfigError(f"breaks.{name} = {texts!r}: write a list, for example [{texts!r}]")
    return {name: tuple(texts) for name, texts in breaks.items() if texts}


def parse_shifts(shifts: Mapping[str, str], breaks: Mapping[str, Sequence[str]] | None = None) -> tuple[Shift, ...]:
    """Return the shifts of a production day, ascending by start.

    A shift that ends at or before its start crosses midnight and belongs to the day on which it starts; equal
    times are a full day. The production day runs from the earliest start to the same civil time next day.

    Raises
    ------
    ConfigError
        For a name or time that is none, for shifts that overlap, and for breaks that are not inside their shift,
        overlap, or leave nothing of it.
    """
    parsed = sorted(_parse(name, text) for name, text in shifts.items())
    for left, right in zip(parsed, [*parsed[1:], *parsed[:1]], strict=True):
        next_start = right.start_us + (DAY_US if right is parsed[0] else 0)
        if left.end_us > next_start:
            both = f"{left.name} {shifts[left.name]} and {right.name} {shifts[right.name]}"
            what = "is longer than a day" if left is right else "overlap"
            raise ConfigError(f"shifts {both} {what}: every instant belongs to one shift only; move an edge")
    named = break_texts(breaks or {})
    unknown = [name for name in named if name not in shifts]
    if unknown:
        raise ConfigError(f"breaks.{unknown[0]}: there is no such shift; shifts are {', '.join(shifts) or 'not named'}")
    return tuple(_with_breaks(shift, shifts[shift.name], named.get(shift.name, ())) for shift in parsed)


def _parse(name: str, text: str) -> Shift:
    check_name("shift", name)
    if name == OFF:
        raise ConfigError(f"shift name {OFF!r} is taken: it labels the time between shifts; choose another name")
    start, end = _hours(f"shift {name} = {text!r}", text, "22:00-06:00")
    return Shift(start, end if end > start else end + DAY_US, name)


def _with_breaks(shift: Shift, hours: str, texts: Sequence[str]) -> Shift:
    """Put each break on the shift's own side of midnight, then check that they fit."""
    placed = sorted((*_place_break(shift, hours, text), text) for text in texts)
    for (_start, end, left), (start, _end, right) in pairwise(placed):
        if start < end:
            raise ConfigError(f"breaks {left} and {right} of shift {shift.name} overlap: join them into one")
    if placed and sum(end - start for start, end, _text in placed) == shift.end_us - shift.start_us:
        raise ConfigError(
            f"breaks of shift {shift.name} {hours} leave nothing of it: shorten a break, or leave the shift out"
        )
    return shift._replace(breaks=tuple((start, end) for start, end, _text in placed))


def _place_break(shift: Shift, hours: str, text: str) -> tuple[int, int]:
    what = f"break {text!r} of shift {shift.name}"
    start, end = _hours(what, text, "10:00-10:30")
    if start == end:
        raise ConfigError(f"{what} has no length: write when it begins and when it ends")
    if end < start:
        end += DAY_US
    if start < shift.start_us:
        start, end = start + DAY_US, end + DAY_US
    if end > shift.end_us:
        raise ConfigError(f"{what} is not inside the shift, which is {hours}: move the break or the shift's edge")
    return start, end


def _hours(what: str, text: str, example: str) -> tuple[int, int]:
    match = _RANGE.fullmatch(text.strip())
    if match is None:
        raise ConfigError(f"{what}: write it as 'HH:MM-HH:MM', for example {example!r}")
    hour, minute, end_hour, end_minute = (int(group) for group in match.groups())
    start, end = _clock(hour, minute), _clock(end_hour, end_minute)
    if max(minute, end_minute) > 59 or start >= DAY_US or end > DAY_US:
        raise ConfigError(f"{what}: hours go from 00:00 to 23:59, an end may be 24:00")
    return start, end


def _clock(hour: int, minute: int) -> int:
    return hour * HOUR_US + minute * 60 * SECOND_US
