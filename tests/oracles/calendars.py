"""Calendar windows in plain Python: try every offset a zone ever has near a civil time, and walk where none fits.

Nothing is shared with `arrowflow.calendars`: no numpy, no offset table, no sorted search.
"""

from __future__ import annotations

import functools
import importlib.resources
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


@functools.cache
def load(name):
    """A zone from the tzdata wheel."""
    path = importlib.resources.files("tzdata").joinpath("zoneinfo", *name.split("/"))
    with path.open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def civil(zone, instant):
    """The wall clock at an aware instant, as a naive datetime."""
    return instant.astimezone(zone).replace(tzinfo=None, fold=0)


@functools.lru_cache(maxsize=10_000)
def first_instant(zone, wanted):
    """The instant of a naive civil time: the first of two, or the first instant after the gap it falls in."""
    around = wanted.replace(tzinfo=UTC)
    offsets = offsets_near(zone, wanted.date())
    hits = [around - offset for offset in offsets if civil(zone, around - offset) == wanted]
    return min(hits) if hits else _end_of_gap(zone, wanted)


@functools.lru_cache(maxsize=1000)
def offsets_near(zone, day):
    """Every UTC offset the zone has within two days of a date, looked up each hour."""
    start = datetime.combine(day, time(), UTC) - 2 * DAY
    return {(start + timedelta(hours=hour)).astimezone(zone).utcoffset() for hour in range(24 * 5)}


def _end_of_gap(zone, wanted):
    instant = wanted.replace(tzinfo=UTC) - 2 * DAY
    while civil(zone, instant) < wanted:
        instant += timedelta(minutes=1)
    instant -= timedelta(minutes=1)
    while civil(zone, instant) < wanted:
        instant += SECOND
    return instant


WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


@dataclass(frozen=True)
class Rules:
    """What a plant says of its time: `later` are (first production day, shifts, breaks), ascending."""

    shifts: dict = field(default_factory=dict)
    breaks: dict = field(default_factory=dict)
    holidays: tuple = ()
    later: tuple = ()
    unit: str = "shift"
    week_starts: str = "monday"

    def of_day(self, day):
        """The shifts and breaks that hold on a production day."""
        shifts, breaks = self.shifts, self.breaks
        for valid_from, new_shifts, new_breaks in self.later:
            if day >= valid_from:
                shifts, breaks = new_shifts, new_breaks
        return shifts, breaks


def span(day, text):
    """Naive (start, end) of "HH:MM-HH:MM" that starts on a date; an end that is not later is on the next one."""
    start_text, end_text = text.split("-")
    start = datetime.combine(day, time.fromisoformat(start_text))
    if end_text == "24:00":
        return start, datetime.combine(day + DAY, time())
    end = datetime.combine(day, time.fromisoformat(end_text))
    return start, end if end > start else end + DAY


def shifts_of(rules, day):
    """Naive (start, end, name, [(start, end) of each break]) of each shift of a production day, in order."""
    shifts, breaks = rules.of_day(day)
    found = []
    for name, text in shifts.items():
        start, end = span(day, text)
        pauses = []
        for pause in breaks.get(name, ()):
            begin, stop = span(day, pause)
            while begin < start:
                begin, stop = begin + DAY, stop + DAY
            pauses.append((begin, stop))
        found.append((start, end, name, sorted(pauses)))
    return sorted(found)


def day_start(rules, day):
    """The naive time at which a production day begins."""
    found = shifts_of(rules, day)
    return found[0][0] if found else datetime.combine(day, time())


def period(rules, day):
    """The first production day of the day, week or month around one, and that of the next."""
    if rules.unit == "month":
        first = day.replace(day=1)
        return first, (first + 32 * DAY).replace(day=1)
    if rules.unit == "week":
        first = day
        while WEEKDAYS[first.weekday()] != rules.week_starts:
            first -= DAY
        return first, first + 7 * DAY
    return day, day + DAY


def civil_pieces(rules, first_day, last_day):
    """List naive (start, end, label, production day, window start, window end) of all pieces of some days."""
    found = []
    day = first_day
    while day <= last_day:
        begin, finish = day_start(rules, day), day_start(rules, day + DAY)
        if day in rules.holidays:
            found.append((begin, finish, "off", day, begin, finish))
        elif rules.unit != "shift":
            first, following = period(rules, day)
            piece = (begin, finish, rules.unit, first, day_start(rules, first), day_start(rules, following))
            if found and found[-1][2:] == piece[2:]:
                piece = (found.pop()[0], *piece[1:])
            found.append(piece)
        else:
            shifts = shifts_of(rules, day)
            for (start, end, name, pauses), following in zip(
                shifts, [*(s[0] for s in shifts[1:]), finish], strict=True
            ):
                at = start
                for pause, resume in pauses:
                    found.append((at, pause, name, day, start, end))
                    found.append((pause, resume, "off", day, pause, resume))
                    at = resume
                found.append((at, end, name, day, start, end))
                found.append((end, following, "off", day, end, following))
        day += DAY
    return found


def pieces(zone, rules, first_day, last_day):
    """The pieces of some production days as instants, those of no length left out."""
    found = []
    for start, end, label, day, window_start, window_end in civil_pieces(rules, first_day, last_day):
        begin, stop = first_instant(zone, start), first_instant(zone, end)
        if begin != stop:
            opens, closes = first_instant(zone, window_start), first_instant(zone, window_end)
            found.append((begin, stop, label, day, opens, closes))
    return found


def pieces_at(zone, rules, instant):
    """Every piece that holds the instant: a right calendar gives exactly one."""
    here = civil(zone, instant).date()
    first, last = period(rules, here - 2 * DAY)[0], period(rules, here + 2 * DAY)[1] - DAY
    return [piece for piece in pieces(zone, rules, first, last) if piece[0] <= instant < piece[1]]


def days_since_epoch(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - date(1970, 1, 1)).days
