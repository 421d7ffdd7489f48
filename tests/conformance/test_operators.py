"""Each operator, real or naive, passes the suite every operator must pass."""

from dataclasses import replace
from datetime import date

import pyarrow as pa

from arrowflow.calendars import PlantCalendar
from arrowflow.testing.calendars import FixedCalendar
from arrowflow.testing.conformance.operators import OperatorConformance
from arrowflow.testing.operators import NaiveOperatorSpec
from arrowflow.windows.spec import Aggregate, CalendarWindow, PassThroughSpec, Roster, Tumbling, WindowSpec

SECOND_US = 1_000_000
HOUR_US = 3600 * SECOND_US
DAY_US = 24 * HOUR_US


class Readings(OperatorConformance):
    """Rows of a key, a number and a float; under scope "partition" each partition has its own keys."""

    schema = pa.schema([("k", pa.string()), ("v", pa.int64()), ("f", pa.float64())])
    keys = (None, "", "a", "b")
    keys_apart = False

    def table(self, dice, event_us, partition):
        n = len(event_us)
        keys = [dice.choice(self.keys) for _ in range(n)]
        if self.keys_apart:
            keys = [f"{partition.partition}-{key}" for key in keys]
        return pa.table(
            {
                "k": pa.array(keys, pa.string()),
                "v": pa.array([dice.choice([None, dice.randint(-9, 9)]) for _ in range(n)], pa.int64()),
                "f": pa.array([dice.choice([None, dice.uniform(-1e6, 1e6), 1e300, -0.0]) for _ in range(n)]),
            },
            schema=self.schema,
        )

    def unfit(self):
        return pa.schema([("k", pa.string()), ("f", pa.float64())])


ALL = (
    Aggregate("n", "count"),
    Aggregate("held", "count", "f"),
    *(Aggregate(f"{name}_v", name, "v") for name in ("sum", "mean", "min", "max", "first", "last")),
    *(Aggregate(f"{name}_f", name, "f") for name in ("sum", "mean", "min", "max", "first", "last")),
)


class TestTumbling(Readings):
    def spec(self):
        return WindowSpec(Tumbling(10 * SECOND_US), ("k",), ALL, 2 * SECOND_US)


class TestTumblingFedByOnePartition(Readings):
    keys_apart = closes_by_partition = True

    def spec(self):
        return WindowSpec(Tumbling(10 * SECOND_US), ("k",), ALL, 2 * SECOND_US, "partition")


class TestTumblingWithARoster(Readings):
    """One key of it is never heard, and two that are heard are not on it."""

    makes_windows = True

    def spec(self):
        roster = Roster(pa.table({"k": ["a", "c", None]}), max_silence_us=40 * SECOND_US)
        return WindowSpec(Tumbling(10 * SECOND_US), ("k",), ALL, 2 * SECOND_US, roster=roster)


class TestTumblingWithoutKeys(Readings):
    def spec(self):
        return WindowSpec(Tumbling(10 * SECOND_US, 3 * SECOND_US), (), ALL)


class TestNaive(Readings):
    def spec(self):
        return NaiveOperatorSpec(10 * SECOND_US, allowed_lateness_us=2 * SECOND_US)


class TestNaiveFedByOnePartition(Readings):
    keys_apart = closes_by_partition = True

    def spec(self):
        return NaiveOperatorSpec(10 * SECOND_US, allowed_lateness_us=2 * SECOND_US, scope="partition")


class TestShifts(Readings):
    """Over the hour that is twice in Madrid; one key has no plant."""

    keys = (None, "madrid", "santiago", "nowhere")
    start_us = 1_761_350_000_000_000
    stride_us = HOUR_US
    tolerance_us = 2 * HOUR_US

    def spec(self):
        calendar = PlantCalendar(
            "k",
            {"madrid": "Europe/Madrid", "santiago": "America/Santiago"},
            {"T1": "06:00-14:00", "T2": "14:00-22:00", "T3": "22:30-05:30"},
        )
        return WindowSpec(CalendarWindow(calendar.for_unit("shift"), "k", "shift", "dead_letter"), ("k",), ALL)


class TestShiftsWithARoster(TestShifts):
    makes_windows = True

    def spec(self):
        return replace(super().spec(), roster=Roster(pa.table({"k": ["madrid", "santiago"]})))


class TestShiftsWithBreaks(TestShifts):
    """Breaks are windows of their own; one begins with its shift."""

    stride_us = HOUR_US // 3

    def spec(self):
        shifts = {"T1": "06:00-14:00", "T2": "14:00-22:00", "T3": "22:30-05:30"}
        calendar = PlantCalendar(
            "k",
            {"madrid": "Europe/Madrid", "santiago": "America/Santiago"},
            shifts,
            breaks={"T1": ("10:00-10:30",), "T2": ("14:00-16:00",), "T3": ("02:00-03:00",)},
        )
        return WindowSpec(CalendarWindow(calendar.for_unit("shift"), "k", "shift"), ("k",), ALL)


class TestShiftsWithBreaksAndARoster(TestShiftsWithBreaks):
    makes_windows = True

    def spec(self):
        return replace(super().spec(), roster=Roster(pa.table({"k": ["madrid", "santiago"]})))


class TestWeeksWithHolidays(TestShifts):
    """Every other day is a holiday, also the first one of a week."""

    stride_us = 11 * HOUR_US
    tolerance_us = 20 * HOUR_US

    def spec(self):
        calendar = PlantCalendar(
            "k",
            {"madrid": "Europe/Madrid", "santiago": "America/Santiago"},
            holidays=tuple(date(2025, month, day) for month in (10, 11) for day in range(1, 31, 2)),
        )
        return WindowSpec(CalendarWindow(calendar.for_unit("week"), "k", "week"), ("k",), ALL)


class TestFixedCalendarDays(Readings):
    keys = (None, "a", "b", "nowhere")
    stride_us = 6 * HOUR_US
    tolerance_us = 10 * HOUR_US

    def spec(self):
        start = self.start_us // DAY_US * DAY_US
        instants = {
            "a": tuple(start + turn * 7 * HOUR_US for turn in range(30)),
            "b": (start, start + 5, start + DAY_US),
        }
        return WindowSpec(CalendarWindow(FixedCalendar(instants), "k", "day"), ("k",), ALL, HOUR_US)


class TestPassThrough(Readings):
    windowed = False

    def spec(self):
        return PassThroughSpec()

    def unfit(self):
        return pa.schema([("_offset", pa.int64())])
