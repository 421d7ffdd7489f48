"""A plant calendar: zones per key value and named shifts. Never adds 24 h: every boundary is a civil time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise
from typing import Literal

import numpy as np

from arrowflow.calendars.civil import ZonedCivilTime
from arrowflow.calendars.offsets import DAY_US, FIRST_US, LAST_US, ZoneOffsets
from arrowflow.calendars.shifts import OFF, ShiftPlan, parse_shifts
from arrowflow.calendars.zones import check_tzdata, load, load_offsets
from arrowflow.errors import ConfigError
from arrowflow.protocols import CalendarTable
from arrowflow.types import I64

Unit = Literal["shift", "day"]
Holidays = Mapping[str, tuple[date, ...]] | tuple[date, ...]

_MARGIN_US = 3 * DAY_US  # an instant's production day starts less than this before it, whatever zone and skip
_CHUNKS_KEPT = 256


@dataclass(frozen=True, slots=True)
class PlantCalendar:
    """Shifts and production days of several plants, each in its own zone.

    Parameters
    ----------
    key : str
        Name of the column whose value picks the zone.
    zones : mapping of str to str
        Key value to IANA zone.
    shifts : mapping of str to str
        Name to ``"HH:MM-HH:MM"``; may leave gaps, which are ``off``. Needed for the unit "shift". A shift
        crossing midnight belongs to the production day on which it starts.
    holidays : tuple of date, or mapping of str to tuple of date
        Whole production days off, for all keys or per key value.
    revisions : tuple of ShiftPlan
        Later shift plans, each from its first production day on, ascending.
    breaks : mapping
        Kept for breaks inside a shift; refused for now.

    Raises
    ------
    ConfigError
        When built, for anything that cannot be kept: unknown zones, overlapping shifts, an outdated tzdata.
    """

    key: str
    zones: Mapping[str, str]
    shifts: Mapping[str, str] = field(default_factory=dict)
    holidays: Holidays = ()
    revisions: tuple[ShiftPlan, ...] = ()
    breaks: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "zones", dict(self.zones))
        object.__setattr__(self, "shifts", dict(self.shifts))
        check_tzdata()
        if not self.key or not self.zones:
            raise ConfigError("a calendar needs `key`, a column name, and `zones`, one zone per value of that column")
        for value, zone in self.zones.items():
            try:
                load(zone)
            except ConfigError as error:
                raise ConfigError(f"zones.{value}: {error}") from error
        if self.breaks:
            raise ConfigError(
                "calendar breaks are not supported yet: a shift is one window, and a break would cut it in two. "
                "Remove `breaks`, or write the parts as shifts of their own"
            )
        self._check_holidays()
        self._check_revisions()

    def for_unit(self, unit: str) -> UnitCalendar:
        """Return the windows of `unit`, "shift" or "day", as a `protocols.Calendar`."""
        if unit in ("week", "month"):
            raise ConfigError(f"calendar unit {unit!r} is not supported yet: use 'shift' or 'day'")
        if unit == "shift":
            if not self.shifts:
                raise ConfigError("calendar unit 'shift' needs `shifts`: name them, or use the unit 'day'")
            return UnitCalendar(self, "shift")
        if unit != "day":
            raise ConfigError(f"calendar unit {unit!r} is not one of 'shift', 'day'")
        return UnitCalendar(self, "day")

    def civil_time(self) -> ZonedCivilTime:
        """Return local date and hour per key value, from the same zones."""
        return ZonedCivilTime(self.key, self.zones)

    def days_off(self, key: str) -> frozenset[date]:
        """The holidays of one key value."""
        days = self.holidays.get(key, ()) if isinstance(self.holidays, Mapping) else self.holidays
        return frozenset(days)

    def plans(self) -> tuple[ShiftPlan, ...]:
        """Every shift plan, ascending; the first is valid since the year 1. Empty where no shifts are named."""
        return (ShiftPlan(date.min, self.shifts), *self.revisions) if self.shifts else ()

    def fingerprint(self) -> dict[str, object]:
        """Every rule that a boundary depends on, as plain data."""
        per_key = {key: sorted(map(str, self.days_off(key))) for key in sorted(self.zones)}
        return {
            "key": self.key,
            "zones": dict(sorted(self.zones.items())),
            "shifts": dict(sorted(self.shifts.items())),
            "holidays": {key: days for key, days in per_key.items() if days},
            "revisions": {str(plan.valid_from): dict(sorted(plan.shifts.items())) for plan in self.revisions},
        }

    def _check_holidays(self) -> None:
        if isinstance(self.holidays, Mapping):
            unknown = sorted(set(self.holidays) - set(self.zones))
            if unknown:
                raise ConfigError(f"holidays.{unknown[0]}: no such key in `zones`, which has {sorted(self.zones)}")
        for day in (day for key in self.zones for day in self.days_off(key)):
            if type(day) is not date:
                raise ConfigError(f"holiday {day!r} is not a date: a holiday is a whole production day")

    def _check_revisions(self) -> None:
        parse_shifts(self.shifts)
        if self.revisions and not self.shifts:
            raise ConfigError("`revisions` change `shifts`, and there are none: name the shifts that hold before")
        for before, after in pairwise(self.plans()):
            if after.valid_from <= before.valid_from:
                raise ConfigError(f"revisions must ascend: {after.valid_from} comes after {before.valid_from}")
            last, first = parse_shifts(before.shifts)[-1], parse_shifts(after.shifts)[0]
            if last.end_us > DAY_US + first.start_us:
                raise ConfigError(
                    f"shift {first.name} {after.shifts[first.name]}, valid from {after.valid_from}, begins before "
                    f"{last.name} {before.shifts[last.name]} of the day before has ended: move an edge"
                )


@dataclass(frozen=True, slots=True)
class UnitCalendar:
    """The windows of one unit of a plant calendar: implements `protocols.Calendar`.

    With the unit "shift" every instant is in one named shift or one interval ``off``. With "day" it is in one
    production day, from the first shift's start (midnight where no shifts are named) to the next day's; a
    holiday is a day labelled ``off``. Tables are made per key and civil year when first asked for, and kept.
    """

    calendar: PlantCalendar
    unit: Unit
    _zones: dict[str, ZoneOffsets] = field(default_factory=dict, init=False, repr=False, compare=False)
    _chunks: dict[tuple[str, int], CalendarTable] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def labels(self) -> tuple[str, ...]:
        """Shift names in order of first use, or "day"; "off" is always last."""
        if self.unit == "day":
            return ("day", OFF)
        names = {shift.name: None for plan in self.calendar.plans() for shift in parse_shifts(plan.shifts)}
        return (*names, OFF)

    def table(self, key: str | None, from_us: int, to_us: int) -> CalendarTable | None:
        """Return the windows that touch ``[from_us, to_us)``, at least the one `from_us` is in.

        Parameters
        ----------
        key : str or None
            Value of the calendar's column.
        from_us, to_us : int
            Microseconds; outside the civil years 1 to 9999 they are clipped to them, so the table then covers
            only what exists.

        Returns
        -------
        CalendarTable or None
            None for a null key or one without a zone. Costs about a millisecond per civil year first asked for.
        """
        if key is None or key not in self.calendar.zones:
            return None
        from_us = min(max(from_us, FIRST_US + DAY_US), LAST_US - DAY_US)
        to_us = min(max(to_us, from_us + 1), LAST_US - DAY_US + 1)
        first, last = _year(from_us - _MARGIN_US), _year(to_us + _MARGIN_US)
        table = _joined([self._chunk(key, year) for year in range(first, last + 1)])
        low = int(np.searchsorted(table.start_us, from_us, side="right")) - 1
        high = int(np.searchsorted(table.start_us, to_us, side="left"))
        return CalendarTable(table.start_us[low : high + 1], table.label[low:high], table.production_day[low:high])

    def fingerprint(self) -> dict[str, object]:
        """The calendar's rules and the unit."""
        return {"unit": self.unit, **self.calendar.fingerprint()}

    def _chunk(self, key: str, year: int) -> CalendarTable:
        """Return the production days of one civil year, from the cache if they are there."""
        at = (key, year)
        if at not in self._chunks:
            for old in list(self._chunks)[: -_CHUNKS_KEPT + 1]:  # the oldest go, so a far-away time costs no memory
                self._chunks.pop(old, None)
            if key not in self._zones:
                self._zones[key] = load_offsets(self.calendar.zones[key])
            self._chunks[at] = self._build(key, year)
        return self._chunks[at]

    def _build(self, key: str, year: int) -> CalendarTable:
        """Lay out the civil boundaries of the year's production days, then ask the zone for their instants."""
        days = np.arange(_days(year), _days(year + 1) + 1)  # one more: its first boundary ends the last day
        civil, label, day = self._civil_boundaries(days)
        off = np.isin(day, _day_numbers(self.calendar.days_off(key)))
        kept = ~off | (np.diff(day, prepend=day[0] - 1) != 0)  # of a holiday only its beginning stays
        civil, day, label = civil[kept], day[kept], np.where(off, len(self.labels) - 1, label)[kept]
        stop = int(np.searchsorted(day, days[-1])) + 1
        start = self._zones[key].instant(civil[:stop])
        real = np.flatnonzero(np.diff(start) > 0)  # a window of no length is no window
        return CalendarTable(
            np.append(start[real], start[-1]),
            label[real].astype(np.int32),
            day[real].astype(np.int32),
        )

    def _civil_boundaries(self, days: I64) -> tuple[I64, I64, I64]:
        """Return (civil start in microseconds, label, production day) of every window, ascending by start."""
        plans = self.calendar.plans()
        if not plans:
            return days * DAY_US, np.zeros_like(days), days
        edges = [int(np.searchsorted(days, _day_number(plan.valid_from))) for plan in plans]
        parts = []
        for plan, low, high in zip(plans, edges, [*edges[1:], len(days)], strict=True):
            start, label = self._template(plan)
            civil = (days[low:high, None] * DAY_US + start).ravel()
            parts.append((civil, np.tile(label, high - low), np.repeat(days[low:high], len(start))))
        civil, label, day = (np.concatenate(column) for column in zip(*parts, strict=True))
        return civil, label, day

    def _template(self, plan: ShiftPlan) -> tuple[I64, I64]:
        """Return (civil offset from midnight, label) of one day's windows: each shift, then ``off`` until the next.

        Where the next shift begins at once, that ``off`` has no length and is dropped with the skipped windows.
        """
        shifts = parse_shifts(plan.shifts)
        if self.unit == "day":
            return np.array([shifts[0].start_us]), np.array([0])
        names = {name: index for index, name in enumerate(self.labels)}
        edges = [edge for shift in shifts for edge in ((shift.start_us, names[shift.name]), (shift.end_us, names[OFF]))]
        start, label = np.array(edges, np.int64).T
        return start, label


def _joined(chunks: list[CalendarTable]) -> CalendarTable:
    if len(chunks) == 1:
        return chunks[0]
    starts = [chunk.start_us[:-1] for chunk in chunks[:-1]] + [chunks[-1].start_us]
    return CalendarTable(
        np.concatenate(starts),
        np.concatenate([chunk.label for chunk in chunks]),
        np.concatenate([chunk.production_day for chunk in chunks]),
    )


def _day_number(day: date) -> int:
    return day.toordinal() - date(1970, 1, 1).toordinal()


def _day_numbers(days: frozenset[date]) -> I64:
    return np.array(sorted(map(_day_number, days)), np.int64)


def _days(year: int) -> int:
    return int(np.datetime64(year - 1970, "Y").astype("datetime64[D]").astype(np.int64))


def _year(us: int) -> int:
    return int(np.datetime64(us, "us").astype("datetime64[Y]").astype(np.int64)) + 1970
