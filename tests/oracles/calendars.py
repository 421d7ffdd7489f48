"""Calendar windows in plain Python: try every offset a zone ever has near a civil time, and walk where none fits.

Nothing is shared with `arrowflow.calendars`: no numpy, no offset table, no sorted search.
"""

from __future__ import annotations

import functools
import importlib.resources
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


def shift_edges(shifts, day):
    """Naive (start, end, name) of each shift of a production day, and the naive start of the next day."""
    edges = []
    for name, text in shifts.items():
        start_text, end_text = text.split("-")
        start = datetime.combine(day, time.fromisoformat(start_text))
        end_day = day if end_text != "24:00" else day + DAY
        end = datetime.combine(end_day, time.fromisoformat(end_text.replace("24:00", "00:00")))
        edges.append((start, end if end > start else end + DAY, name))
    edges.sort()
    return edges, edges[0][0] + DAY


def windows(zone, shifts, first_day, last_day, holidays=(), unit="shift"):
    """List (start, end, label, production day) of every window of the production days given, both included."""
    found = []
    day = first_day
    while day <= last_day:
        if shifts:
            edges, day_end = shift_edges(shifts, day)
        else:
            edges, day_end = [(datetime.combine(day, time()), None, "day")], datetime.combine(day + DAY, time())
        day_start = edges[0][0]
        if day in holidays:
            pieces = [(day_start, day_end, "off")]
        elif unit == "day":
            pieces = [(day_start, day_end, "day")]
        else:
            pieces = []
            for (start, end, name), following in zip(edges, [*(e[0] for e in edges[1:]), day_end], strict=True):
                pieces += [(start, end, name), (end, following, "off")]
        for start, end, label in pieces:
            begin, stop = first_instant(zone, start), first_instant(zone, end)
            if begin != stop:
                found.append((begin, stop, label, day))
        day += DAY
    return found


def windows_at(zone, shifts, instant, **rules):
    """Every window that holds the instant: a right calendar gives exactly one."""
    here = civil(zone, instant).date()
    near = windows(zone, shifts, here - 2 * DAY, here + 2 * DAY, **rules)
    return [window for window in near if window[0] <= instant < window[1]]


def days_since_epoch(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - date(1970, 1, 1)).days
