"""Production days laid out in civil time: which pieces there are, and which window each is part of. Knows no zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np

from arrowflow.calendars.offsets import DAY_US
from arrowflow.calendars.shifts import OFF, ShiftPlan
from arrowflow.types import I64

Unit = Literal["shift", "day", "week", "month"]
UNITS: tuple[Unit, ...] = ("shift", "day", "week", "month")
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_MONDAY = 3  # 1970-01-01, day 0, was a Thursday


@dataclass(frozen=True, slots=True)
class CivilPieces:
    """Consecutive pieces ``[start_us[i], start_us[i + 1])`` of civil time, each part of one window.

    Parameters
    ----------
    start_us : int64[n + 1]
        Microseconds since 1970-01-01T00:00 on the same wall clock, ascending; the last is the end of piece n - 1.
    opens_us, closes_us : int64[n]
        Bounds of the window a piece is part of. An interval ``off`` is a window of its own.
    label : int64[n]
        Index into the labels of the layout.
    production_day : int64[n]
        The day a window is named by: of an interval ``off`` the one it lies in, else the first one of the window.
    """

    start_us: I64
    opens_us: I64
    closes_us: I64
    label: I64
    production_day: I64


@dataclass(frozen=True, slots=True)
class Layout:
    """What the windows of one unit are, for any stretch of production days.

    Parameters
    ----------
    plans : tuple of ShiftPlan
        Ascending, the first valid since ever; empty where no shifts are named, then a day begins at midnight.
    unit : "shift", "day", "week" or "month"
        What a window is.
    week_starts : str
        The weekday of a week's first production day.
    """

    plans: tuple[ShiftPlan, ...]
    unit: Unit
    week_starts: str

    @property
    def labels(self) -> tuple[str, ...]:
        """Shift names in order of first use, or the unit; "off" is always last."""
        if self.unit != "shift":
            return (self.unit, OFF)
        names = {shift.name: None for plan in self.plans for shift in plan.parsed}
        return (*names, OFF)

    def first_day(self, year: int) -> int:
        """The first production day of the first window that begins in a civil year, as days since 1970-01-01."""
        day = int(np.datetime64(year - 1970, "Y").astype("datetime64[D]").astype(np.int64))
        return day + (self._weekday - day) % 7 if self.unit == "week" else day

    def pieces(self, days: I64, days_off: I64) -> CivilPieces:
        """Lay out production days.

        Parameters
        ----------
        days : int64[d + 1]
            Consecutive days since 1970-01-01 from the first day of a window on; the last one, likewise the first
            day of a window, only says where the day before it ends.
        days_off : int64[h]
            Holidays: each is one interval ``off`` and takes its day out of the week or month around it.
        """
        start, opens, closes, label, day = self._shifts(days) if self.unit == "shift" else self._periods(days)
        holiday = np.isin(day, days_off)
        label = np.where(holiday, len(self.labels) - 1, label)
        off = label == len(self.labels) - 1
        name = day if self.unit == "shift" else np.where(off, day, self._first_of(day))
        # A day inside a week goes on with the week, and of a holiday only its beginning stays.
        kept = np.append(True, (name[1:] != name[:-1]) | (label[1:] != label[:-1]))
        start, opens, closes, label, day, name = (a[kept] for a in (start, opens, closes, label, day, name))
        stop = int(np.searchsorted(day, days[-1]))
        off = label[:stop] == len(self.labels) - 1
        return CivilPieces(
            start[: stop + 1],
            np.where(off, start[:stop], opens[:stop]),
            np.where(off, start[1 : stop + 1], closes[:stop]),
            label[:stop],
            name[:stop],
        )

    @property
    def _weekday(self) -> int:
        """Days since 1970-01-01 that begin a week are this one modulo 7."""
        return (WEEKDAYS.index(self.week_starts) - _MONDAY) % 7

    def _first_of(self, days: I64) -> I64:
        """The first production day of the window that each day lies in."""
        if self.unit == "week":
            return days - (days - self._weekday) % 7
        if self.unit == "month":
            return _month_starts(days, 0)
        return days

    def _next_of(self, days: I64) -> I64:
        """The first production day of the window after it."""
        if self.unit == "month":
            return _month_starts(days, 1)
        return self._first_of(days) + (7 if self.unit == "week" else 1)

    def _day_starts(self, days: I64) -> I64:
        """Where production days begin: with the earliest shift of the plan that holds, or at midnight."""
        if not self.plans:
            return days * DAY_US
        plan = np.searchsorted(self._valid_from, days, side="right") - 1
        return days * DAY_US + np.array([plan.parsed[0].start_us for plan in self.plans], np.int64)[plan]

    @property
    def _valid_from(self) -> I64:
        """The first production day of each plan; the first one holds since ever."""
        later = [day_number(plan.valid_from) for plan in self.plans[1:]]
        return np.array([np.iinfo(np.int64).min, *later], np.int64)

    def _periods(self, days: I64) -> tuple[I64, I64, I64, I64, I64]:
        """One piece a day; the bounds are those of the day, week or month around it."""
        opens, closes = self._day_starts(self._first_of(days)), self._day_starts(self._next_of(days))
        return self._day_starts(days), opens, closes, np.zeros_like(days), days

    def _shifts(self, days: I64) -> tuple[I64, I64, I64, I64, I64]:
        """The pieces of each day's shifts, breaks and hours between shifts."""
        edges = [0, *np.searchsorted(days, self._valid_from[1:]).tolist(), len(days)]
        parts = []
        for plan, low, high in zip(self.plans, edges[:-1], edges[1:], strict=True):
            start, opens, closes, label = self._template(plan)
            midnight = days[low:high, None] * DAY_US
            civil = [(midnight + offset).ravel() for offset in (start, opens, closes)]
            parts.append((*civil, np.tile(label, high - low), np.repeat(days[low:high], len(start))))
        start, opens, closes, label, day = (np.concatenate(column) for column in zip(*parts, strict=True))
        return start, opens, closes, label, day

    def _template(self, plan: ShiftPlan) -> tuple[I64, I64, I64, I64]:
        """Offsets from midnight of one day's pieces, their windows' bounds, and labels.

        After each shift comes ``off`` until the next one. Where that begins at once, ``off`` has no length; whoever
        turns civil times into instants drops such pieces.
        """
        names = {name: index for index, name in enumerate(self.labels)}
        edges = []
        for shift in plan.parsed:
            at = shift.start_us
            for begin, end in (*shift.breaks, (shift.end_us, shift.end_us)):
                edges.append((at, shift.start_us, shift.end_us, names[shift.name]))
                edges.append((begin, begin, end, names[OFF]))
                at = end
        start, opens, closes, label = np.array(edges, np.int64).T
        return start, opens, closes, label


def day_number(day: date) -> int:
    """Days since 1970-01-01."""
    return day.toordinal() - date(1970, 1, 1).toordinal()


def _month_starts(days: I64, later: int) -> I64:
    months = days.astype("datetime64[D]").astype("datetime64[M]") + np.timedelta64(later, "M")
    return months.astype("datetime64[D]").astype(np.int64)
