"""A plant calendar: zones per key value and named shifts. Never adds 24 h: every boundary is a civil time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches
from itertools import pairwise

import numpy as np

from arrowflow.calendars.civil import ZonedCivilTime
from arrowflow.calendars.layout import UNITS, WEEKDAYS, Layout, Unit, day_number
from arrowflow.calendars.offsets import DAY_US, FIRST_US, LAST_US, ZoneOffsets
from arrowflow.calendars.shifts import ShiftPlan, break_texts, parse_shifts
from arrowflow.calendars.zones import check_tzdata, load, load_offsets
from arrowflow.errors import ConfigError
from arrowflow.protocols import CalendarTable
from arrowflow.types import I64

Holidays = Mapping[str, tuple[date, ...]] | tuple[date, ...]

_MARGIN_US = 10 * DAY_US
"""A window begins in the civil year of an instant that lies less than this after its first day, or in that year itself:
a production day starts less than 3 days before its instants, whatever zone and skip, and only weeks cross years."""
_CHUNKS_KEPT = 256


@dataclass(frozen=True, slots=True)
class PlantCalendar:
    """Shifts and production days, weeks and months of several plants, each in its own zone.

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
        Whole production days off, for all keys or per key value. They move no bounds of weeks and months.
    revisions : tuple of ShiftPlan
        Later shift plans, each from its first production day on, ascending.
    breaks : mapping of str to sequence of str
        Name of a shift to the times ``"HH:MM-HH:MM"`` inside it that are ``off``. They belong to `shifts`; each
        revision names its own.

    Raises
    ------
    ConfigError
        When built, for anything that cannot be kept: unknown zones, overlapping shifts, breaks outside their
        shift, an outdated tzdata.
    """

    key: str
    zones: Mapping[str, str]
    shifts: Mapping[str, str] = field(default_factory=dict)
    holidays: Holidays = ()
    revisions: tuple[ShiftPlan, ...] = ()
    breaks: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "zones", dict(self.zones))
        object.__setattr__(self, "shifts", dict(self.shifts))
        object.__setattr__(self, "breaks", break_texts(self.breaks))
        check_tzdata()
        if not self.key or not self.zones:
            raise ConfigError("a calendar needs `key`, a column name, and `zones`, one zone per value of that column")
        for value, zone in self.zones.items():
            try:
                load(zone)
            except ConfigError as error:
                raise ConfigError(f"zones.{value}: {error}") from error
        self._check_holidays()
        self._check_revisions()

    def for_unit(self, unit: str, *, week_starts: str | None = None) -> UnitCalendar:
        """Return the windows of a unit as a `protocols.Calendar`.

        Parameters
        ----------
        unit : "shift", "day", "week" or "month"
            What a window is.
        week_starts : str, optional
            The weekday on which a production week begins, "monday" to "sunday"; only for weeks, then "monday"
            unless given.

        Raises
        ------
        ConfigError
            For a unit or weekday that is none, and for shifts that are not named.
        """
        known = next((each for each in UNITS if each == unit), None)
        if known is None:
            raise ConfigError(f"calendar unit {unit!r} is not one of {', '.join(map(repr, UNITS))}")
        if known == "shift" and not self.shifts:
            raise ConfigError("calendar unit 'shift' needs `shifts`: name them, or use the unit 'day'")
        if week_starts is not None and known != "week":
            raise ConfigError(f"week_starts = {week_starts!r} belongs to the unit 'week', and this is {unit!r}")
        if week_starts is not None and week_starts not in WEEKDAYS:
            near = get_close_matches(week_starts.lower(), WEEKDAYS, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ConfigError(f"week_starts = {week_starts!r} is no weekday: write one of {', '.join(WEEKDAYS)}{hint}")
        return UnitCalendar(self, known, week_starts or WEEKDAYS[0])

    def civil_time(self) -> ZonedCivilTime:
        """Return local date and hour per key value, from the same zones."""
        return ZonedCivilTime(self.key, self.zones)

    def days_off(self, key: str) -> frozenset[date]:
        """The holidays of one key value."""
        days = self.holidays.get(key, ()) if isinstance(self.holidays, Mapping) else self.holidays
        return frozenset(days)

    def plans(self) -> tuple[ShiftPlan, ...]:
        """Every shift plan, ascending; the first is valid since the year 1. Empty where no shifts are named."""
        return (ShiftPlan(date.min, self.shifts, self.breaks), *self.revisions) if self.shifts else ()

    def fingerprint(self) -> dict[str, object]:
        """Every rule that a boundary depends on, as plain data."""
        per_key = {key: sorted(map(str, self.days_off(key))) for key in sorted(self.zones)}
        breaks = {
            str(plan.valid_from): {name: list(texts) for name, texts in sorted(plan.breaks.items())}
            for plan in self.plans()
            if plan.breaks
        }
        return {
            "key": self.key,
            "zones": dict(sorted(self.zones.items())),
            "shifts": dict(sorted(self.shifts.items())),
            "holidays": {key: days for key, days in per_key.items() if days},
            "revisions": {str(plan.valid_from): dict(sorted(plan.shifts.items())) for plan in self.revisions},
            **({"breaks": breaks} if breaks else {}),  # records from before there were breaks go on
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
        parse_shifts(self.shifts, self.breaks)
        if self.revisions and not self.shifts:
            raise ConfigError("`revisions` change `shifts`, and there are none: name the shifts that hold before")
        for before, after in pairwise(self.plans()):
            if after.valid_from <= before.valid_from:
                raise ConfigError(f"revisions must ascend: {after.valid_from} comes after {before.valid_from}")
            last, first = before.parsed[-1], after.parsed[0]
            if last.end_us > DAY_US + first.start_us:
                raise ConfigError(
                    f"shift {first.name} {after.shifts[first.name]}, valid from {after.valid_from}, begins before "
                    f"{last.name} {before.shifts[last.name]} of the day before has ended: move an edge"
                )


@dataclass(frozen=True, slots=True)
class UnitCalendar:
    """Implements `protocols.Calendar` for one unit of a `PlantCalendar`.

    With the unit "shift" every instant is in one named shift or one interval ``off``: between shifts, in a break, on a
    holiday. With "day" it is in one production day, from the first shift's start (midnight where no shifts are named)
    to the next day's; with "week" and "month" in seven of them from `week_starts` on, or in those of a civil month;
    hours between shifts and breaks count, a holiday is ``off``. Tables are made per key and civil year when first asked
    for, and kept.
    """

    calendar: PlantCalendar
    unit: Unit
    week_starts: str = WEEKDAYS[0]
    _layout: Layout = field(init=False, repr=False, compare=False)
    _zones: dict[str, ZoneOffsets] = field(default_factory=dict, init=False, repr=False, compare=False)
    _chunks: dict[tuple[str, int], CalendarTable] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_layout", Layout(self.calendar.plans(), self.unit, self.week_starts))

    @property
    def labels(self) -> tuple[str, ...]:
        """Shift names in order of first use, or the unit; "off" is always last."""
        return self._layout.labels

    @property
    def has_holes(self) -> bool:
        """Whether a window may have an interval ``off`` inside: a shift its breaks, a week or month its holidays."""
        if self.unit == "shift":
            return any(plan.breaks for plan in self.calendar.plans())
        return self.unit != "day" and any(self.calendar.days_off(key) for key in self.calendar.zones)

    def table(self, key: str | None, from_us: int, to_us: int) -> CalendarTable | None:
        """Return the windows with an instant in ``[from_us, to_us)``, at least the one `from_us` is in, whole.

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
        whole = _joined([self._chunk(key, year) for year in range(first, last + 1)])
        low = int(np.searchsorted(whole.start_us, from_us, side="right")) - 1
        high = int(np.searchsorted(whole.start_us, to_us, side="left"))
        opens, closes = whole.windows()
        # A window with a hole begins before its piece here, and the hole is in the answer with it.
        low = int(np.searchsorted(whole.start_us, opens[low:high].min()))
        high = int(np.searchsorted(whole.start_us, closes[low:high].max()))
        return CalendarTable(
            whole.start_us[low : high + 1],
            whole.label[low:high],
            whole.production_day[low:high],
            opens[low:high],
            closes[low:high],
        )

    def fingerprint(self) -> dict[str, object]:
        """The calendar's rules and the unit."""
        week = {"week_starts": self.week_starts} if self.unit == "week" else {}
        return {"unit": self.unit, **week, **self.calendar.fingerprint()}

    def _chunk(self, key: str, year: int) -> CalendarTable:
        """Return the windows that begin in one civil year, from the cache if they are there."""
        at = (key, year)
        if at not in self._chunks:
            for old in list(self._chunks)[: -_CHUNKS_KEPT + 1]:  # the oldest go, so a far-away time costs no memory
                self._chunks.pop(old, None)
            if key not in self._zones:
                self._zones[key] = load_offsets(self.calendar.zones[key])
            self._chunks[at] = self._build(key, year)
        return self._chunks[at]

    def _build(self, key: str, year: int) -> CalendarTable:
        """Lay out the year's production days in civil time, then ask the zone for the instants."""
        days = np.arange(self._layout.first_day(year), self._layout.first_day(year + 1) + 1)
        civil, zone = self._layout.pieces(days, _day_numbers(self.calendar.days_off(key))), self._zones[key]
        start = zone.instant(civil.start_us)
        real = np.flatnonzero(np.diff(start) > 0)  # a piece of no length is no piece
        return CalendarTable(
            np.append(start[real], start[-1]),
            civil.label[real].astype(np.int32),
            civil.production_day[real].astype(np.int32),
            zone.instant(civil.opens_us)[real],
            zone.instant(civil.closes_us)[real],
        )


def _joined(chunks: list[CalendarTable]) -> CalendarTable:
    if len(chunks) == 1:
        return chunks[0]
    starts = [chunk.start_us[:-1] for chunk in chunks[:-1]] + [chunks[-1].start_us]
    opens, closes = zip(*(chunk.windows() for chunk in chunks), strict=True)
    return CalendarTable(
        np.concatenate(starts),
        np.concatenate([chunk.label for chunk in chunks]),
        np.concatenate([chunk.production_day for chunk in chunks]),
        np.concatenate(opens),
        np.concatenate(closes),
    )


def _day_numbers(days: frozenset[date]) -> I64:
    return np.array(sorted(map(day_number, days)), np.int64)


def _year(us: int) -> int:
    return int(np.datetime64(us, "us").astype("datetime64[Y]").astype(np.int64)) + 1970
