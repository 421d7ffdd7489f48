"""Each calendar passes the suite every calendar must pass."""

from datetime import UTC, date, datetime
from typing import ClassVar

from arrowflow.calendars import PlantCalendar
from arrowflow.calendars.shifts import ShiftPlan
from arrowflow.testing.calendars import FixedCalendar
from arrowflow.testing.conformance.calendars import DAY_US, CalendarConformance


def us(year, month):
    return int(datetime(year, month, 1, tzinfo=UTC).timestamp()) * 1_000_000


class TestShifts(CalendarConformance):
    """Clocks change, plants rest, plans are revised, and Apia skips a whole day."""

    unit = "shift"
    breaks: ClassVar = {}
    later_breaks: ClassVar = {}

    def calendar(self):
        zones = {"a": "Europe/Madrid", "b": "America/Santiago", "c": "Pacific/Apia", "d": "Australia/Lord_Howe"}
        plan = PlantCalendar(
            "plant",
            zones,
            {"T1": "06:00-14:00", "T2": "14:00-22:00", "T3": "22:00-05:30"},
            holidays={"a": (date(2011, 12, 25), date(2012, 1, 1)), "c": (date(2011, 12, 26),)},
            revisions=(ShiftPlan(date(2012, 1, 10), {"T1": "07:00-19:00", "T2": "19:00-07:00"}, self.later_breaks),),
            breaks=self.breaks,
        )
        return plan.for_unit(self.unit)

    def keys(self):
        return ("a", "b", "c", "d")

    def span_us(self):
        return us(2011, 9), us(2012, 6)


class TestShiftsWithBreaks(TestShifts):
    breaks: ClassVar = {"T1": ("10:00-10:30",), "T3": ("22:00-22:10", "02:00-03:00")}
    later_breaks: ClassVar = {"T2": ("23:45-00:15", "06:30-07:00")}


class TestWeeks(TestShifts):
    unit = "week"


class TestMonths(TestShifts):
    unit = "month"


class TestDays(TestShifts):
    unit = "day"


class TestDaysWithoutShifts(TestShifts):
    def calendar(self):
        return PlantCalendar("plant", dict.fromkeys(self.keys(), "Europe/Madrid")).for_unit("day")


class TestFixed(CalendarConformance):
    def calendar(self):
        start = us(2026, 1)
        return FixedCalendar(
            {"a": tuple(start + turn * 11 * 3_600_000_000 for turn in range(90)), "b": (start + 7, start + DAY_US)}
        )

    def keys(self):
        return ("a", "b")

    def span_us(self):
        return us(2025, 12), us(2026, 3)
