"""What calendar windows are, how long, and which are unusual, in sentences; from the sections alone."""

from __future__ import annotations

import calendar as civil
import datetime as dt
from collections.abc import Iterator, Mapping, Sequence

from arrowflow.config import build, settings
from arrowflow.config.problem import listed

_DAY_US = 86_400_000_000
_HOUR_US = 3_600_000_000
_EPOCH = dt.date(1970, 1, 1)
_DAYS = {"day": 1, "week": 7, "month": 30}


def timetable(window: settings.WindowSection, calendar: settings.CalendarSection) -> Iterator[str]:
    """Say what the windows of a checked calendar section are."""
    yield f"one per {window.unit} in the local time of {calendar.key}, per {listed(window.group_by)}"
    if window.unit == "shift":
        yield from _shifts(calendar.shifts, calendar.breaks)
        for plan in calendar.revisions:
            yield f"  from production day {plan.valid_from} on"
            yield from _shifts(plan.shifts, plan.breaks)
    else:
        yield from _days(window, calendar)
    yield from _off(window, calendar)
    for value, zone in calendar.zones.items():
        yield f"  {value}: {zone}"


def _shifts(shifts: Mapping[str, str], breaks: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for name, hours in shifts.items():
        yield f"  {name} {hours}" + (f", without {listed(breaks[name])}" if name in breaks else "")


def _days(window: settings.WindowSection, calendar: settings.CalendarSection) -> Iterator[str]:
    """Say where production days begin, and which of them are a week or month."""
    starts = [(None, calendar.shifts), *((plan.valid_from, plan.shifts) for plan in calendar.revisions)]
    hours = [
        f"from {day} on at {_earliest(shifts)}" if day else f"at {_earliest(shifts)}"
        for day, shifts in starts
        if shifts
    ]
    yield f"  a production day begins {', '.join(hours) or 'at midnight'}"
    if window.unit == "week":
        yield f"  a week begins with the production day of a {window.week_starts or 'monday'}"
    elif window.unit == "month":
        yield "  a month is the production days whose dates are in it"
    if calendar.breaks or any(plan.breaks for plan in calendar.revisions):
        yield f"  breaks count in their {window.unit}: they are off only where a window is a shift"


def _off(window: settings.WindowSection, calendar: settings.CalendarSection) -> Iterator[str]:
    """Say what is off, and what becomes of rows there; nothing where nothing is."""
    shift = window.unit == "shift"
    plans = build.build_calendar(calendar).plans() if shift else ()
    lengths = [sum(each.end_us - each.start_us for each in plan.parsed) for plan in plans]
    what = [
        *(["between shifts"] if any(length < _DAY_US for length in lengths) else []),
        *(["in breaks"] if any(plan.breaks for plan in plans) else []),
        *(["on holidays"] if calendar.holidays else []),
    ]
    if not what:
        return
    if window.off == "dead_letter":
        yield f"  rows {', '.join(what)} are dead letters: off"
    elif shift:
        yield f"  rows {', '.join(what)} are in windows of their own, called off, one per interval"
    elif window.unit == "day":
        yield "  a holiday is a day like others"
    else:
        yield f"  rows on holidays are not in their {window.unit} but in windows of their own, one per day, with off = true"


def _earliest(shifts: Mapping[str, str]) -> str:
    return min(hours.strip()[:5] for hours in shifts.values())


def length_us(window: settings.WindowSection, calendar: settings.CalendarSection) -> int:
    """About how far apart windows of one group end."""
    if window.unit != "shift":
        return _DAYS[window.unit or "day"] * _DAY_US
    breaks = 0 if window.off == "dead_letter" else sum(map(len, calendar.breaks.values()))
    return _DAY_US // max(1, len(calendar.shifts) + breaks)


def rarely(window: settings.WindowSection, calendar: settings.CalendarSection) -> str | None:
    """How often windows close where it is less than once a day."""
    if window.unit not in ("week", "month"):
        return None
    own = calendar.holidays and window.off != "dead_letter"
    return f"windows close once a {window.unit}{' and after each holiday' if own else ''}"


def unusual(window: settings.WindowSection, calendar: settings.CalendarSection, now: dt.datetime) -> Iterator[str]:
    """Name the windows of the coming year that a clock change makes longer or shorter than their hours say."""
    plants = build.build_calendar(calendar)
    units = plants.for_unit(window.unit or "shift", week_starts=window.week_starts)
    start = int(now.timestamp()) * 1_000_000
    for value in plants.zones:
        table = units.table(value, start, start + 365 * _DAY_US)
        if table is None:
            continue
        opens, closes = table.windows()
        whole = zip(table.label.tolist(), opens.tolist(), closes.tolist(), table.production_day.tolist(), strict=True)
        lengths: dict[str, list[tuple[int, int]]] = {}
        for label, begin, end, day in dict.fromkeys(whole):  # a shift with a break is in it twice
            lengths.setdefault(units.labels[label], []).append((end - begin, day))
        lengths.pop("off", None)
        for name, found in lengths.items():
            often = sorted(length for length, _ in found)[len(found) // 2]
            for length, number in found[1:]:
                day = _EPOCH + dt.timedelta(days=number)
                usual = civil.monthrange(day.year, day.month)[1] * _DAY_US if name == "month" else often
                if length != usual:
                    yield f"{value} {name} of {day}: {length / _HOUR_US:g} h instead of {usual / _HOUR_US:g} h"
