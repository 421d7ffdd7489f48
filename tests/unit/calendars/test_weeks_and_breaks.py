"""Windows with holes and windows of many days: breaks, weeks, months, and the holidays inside them."""

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime

import numpy as np
import pytest

from arrowflow.calendars import PlantCalendar, ShiftPlan, boundary_digest
from arrowflow.protocols import CalendarTable

PLANTS = {"monterrey": "America/Monterrey", "guadalajara": "America/Mexico_City", "tijuana": "America/Tijuana"}
SHIFTS = {"T1": "06:00-14:00", "T2": "14:00-22:00", "T3": "22:00-06:00"}
HOUR_US = 3_600_000_000


def us(*when):
    return int(datetime(*when, tzinfo=UTC).timestamp()) * 1_000_000


def day_of(number):
    return date.fromordinal(date(1970, 1, 1).toordinal() + int(number))


def pieces(calendar, key, from_us, to_us):
    """(label, production day, hours of the piece, hours of its window)."""
    table = calendar.table(key, from_us, to_us)
    opens, closes = table.windows()
    return [
        (calendar.labels[label], day_of(day), float(length) / HOUR_US, float(whole) / HOUR_US)
        for label, day, length, whole in zip(
            table.label, table.production_day, np.diff(table.start_us), closes - opens, strict=True
        )
    ]


def windows(calendar, key, from_us, to_us):
    """(label, production day, hours) of each window once, in order of appearance."""
    return list(dict.fromkeys((label, day, whole) for label, day, _, whole in pieces(calendar, key, from_us, to_us)))


# ---- breaks -----------------------------------------------------------------------------------------------


def test_a_shift_with_a_break_is_one_window_and_the_break_is_off():
    calendar = PlantCalendar("planta", PLANTS, SHIFTS, breaks={"T1": ("10:00-10:30",)}).for_unit("shift")

    found = pieces(calendar, "monterrey", us(2025, 6, 2, 12), us(2025, 6, 2, 20))  # 06:00 to 14:00 there

    day = date(2025, 6, 2)
    assert found == [("T1", day, 4.0, 8.0), ("off", day, 0.5, 0.5), ("T1", day, 3.5, 8.0)]
    assert calendar.has_holes


@pytest.mark.parametrize(
    ("from_hour", "to_hour", "hours"),
    [
        (16.2, 17, (12, 20)),  # from inside the break on
        (15, 16.2, (12, 20)),  # up to the inside of the break
        (15, 17, (12, 20)),
        (16.2, 16.3, (16, 16.5)),  # inside the break there is only the break
    ],
)
def test_an_answer_holds_whole_windows_though_a_hole_was_asked_for(from_hour, to_hour, hours):
    calendar = PlantCalendar("planta", PLANTS, SHIFTS, breaks={"T1": ("10:00-10:30",)}).for_unit("shift")
    midnight = us(2025, 6, 2)

    table = calendar.table("monterrey", midnight + int(from_hour * HOUR_US), midnight + int(to_hour * HOUR_US))

    assert ((table.start_us[[0, -1]] - midnight) / HOUR_US).tolist() == list(hours)


def test_a_break_after_midnight_belongs_to_the_night_that_began_the_day_before():
    breaks = {"T3": ("23:45-00:15", "02:00-02:30")}
    calendar = PlantCalendar("planta", PLANTS, SHIFTS, breaks=breaks).for_unit("shift")

    found = pieces(calendar, "monterrey", us(2025, 6, 3, 4), us(2025, 6, 3, 12))

    day = date(2025, 6, 2)
    assert [piece[:3] for piece in found] == [
        ("T3", day, 1.75),
        ("off", day, 0.5),
        ("T3", day, 1.75),
        ("off", day, 0.5),
        ("T3", day, 3.5),
    ]


@pytest.mark.parametrize(
    ("day", "tijuana", "night"),
    [
        (date(2025, 11, 1), 9.0, [("T3", 3.5), ("off", 1.5), ("T3", 4.0)]),  # 01:30 the first time, 02:00 comes once
        (date(2026, 3, 7), 7.0, [("T3", 3.5), ("off", 0.5), ("T3", 3.0)]),
        (date(2025, 6, 2), 8.0, [("T3", 3.5), ("off", 0.5), ("T3", 4.0)]),
    ],
)
def test_row_31_the_nights_of_the_clock_change_keep_their_break(day, tijuana, night):
    """The break 01:30-02:00 ends where the clock is put back, or where it is put forward."""
    calendar = PlantCalendar("planta", PLANTS, SHIFTS, breaks={"T3": ("01:30-02:00",)}).for_unit("shift")
    noon = us(day.year, day.month, day.day, 20)
    held = {plant: pieces(calendar, plant, noon, noon + 24 * HOUR_US) for plant in PLANTS}
    of_the_day = {
        plant: {window for label, at, _, window in found if label == "T3" and at == day}
        for plant, found in held.items()
    }
    start = next(place for place, piece in enumerate(held["tijuana"]) if piece[:2] == ("T3", day))

    assert of_the_day == {"tijuana": {tijuana}, "monterrey": {8.0}, "guadalajara": {8.0}}
    assert [(label, hours) for label, _, hours, _ in held["tijuana"][start : start + 3]] == night


def test_row_31_a_break_that_the_clock_skips_has_no_length():
    calendar = PlantCalendar("planta", PLANTS, SHIFTS, breaks={"T3": ("02:00-03:00",)}).for_unit("shift")

    night = pieces(calendar, "tijuana", us(2026, 3, 8, 6), us(2026, 3, 8, 13))

    assert night == [("T3", date(2026, 3, 7), 4.0, 7.0), ("T3", date(2026, 3, 7), 3.0, 7.0)]


def test_breaks_may_touch_each_other_and_the_edges_of_their_shift():
    breaks = {"T1": ("13:30-14:00", "06:00-06:15", "06:15-06:30")}
    calendar = PlantCalendar("planta", PLANTS, {"T1": "06:00-14:00"}, breaks=breaks).for_unit("shift")

    found = pieces(calendar, "monterrey", us(2025, 6, 2, 12), us(2025, 6, 3, 12))

    day = date(2025, 6, 2)
    off = [("off", day, hours, hours) for hours in (0.25, 0.25, 0.5, 16.0)]
    assert found == [*off[:2], ("T1", day, 7.0, 8.0), *off[2:]]


def test_a_later_plan_has_its_own_breaks_only():
    later = ShiftPlan(date(2025, 6, 3), SHIFTS, {"T2": ("18:00-19:00",)})
    calendar = PlantCalendar("planta", PLANTS, SHIFTS, revisions=(later,), breaks={"T1": ("10:00-11:00",)})

    found = pieces(calendar.for_unit("shift"), "monterrey", us(2025, 6, 2, 12), us(2025, 6, 4, 12))

    off = [(day, hours) for label, day, hours, _ in found if label == "off"]
    assert off == [(date(2025, 6, 2), 1.0), (date(2025, 6, 3), 1.0)]
    assert [label for label, day, _, _ in found if day == date(2025, 6, 2)] == ["T1", "off", "T1", "T2", "T3"]
    assert [label for label, day, _, _ in found if day == date(2025, 6, 3)] == ["T1", "T2", "off", "T2", "T3"]


@pytest.mark.parametrize("unit", ["day", "week", "month"])
def test_breaks_and_hours_between_shifts_count_in_days_weeks_and_months(unit):
    gapped = {"am": "06:00-13:00", "pm": "14:00-22:30"}
    plain = PlantCalendar("planta", PLANTS, gapped).for_unit(unit)
    paused = PlantCalendar("planta", PLANTS, gapped, breaks={"am": ("10:00-10:30",)}).for_unit(unit)
    span = ("tijuana", us(2025, 1, 1), us(2026, 1, 1))

    assert pieces(paused, *span) == pieces(plain, *span)
    assert {label for label, *_ in pieces(plain, *span)} == {unit}
    assert not paused.has_holes


# ---- weeks and months -------------------------------------------------------------------------------------


def test_row_31_weeks_and_months_of_tijuana_are_an_hour_longer_or_shorter_and_nobody_elses():
    calendar = PlantCalendar("planta", PLANTS, SHIFTS)
    weeks, months = calendar.for_unit("week"), calendar.for_unit("month")
    span = (us(2025, 10, 20, 15), us(2026, 4, 2))
    usual = {"tijuana": [], "monterrey": [], "guadalajara": []}
    for plant, found in usual.items():
        for label, day, hours in windows(weeks, plant, *span):
            if hours != 168:
                found.append((label, day, hours))
        for label, day, hours in windows(months, plant, *span):
            if hours != 24 * monthrange(day.year, day.month)[1]:
                found.append((label, day, hours))

    assert usual == {
        "tijuana": [
            ("week", date(2025, 10, 27), 169.0),
            ("week", date(2026, 3, 2), 167.0),
            ("month", date(2025, 11, 1), 721.0),
            ("month", date(2026, 3, 1), 743.0),
        ],
        "monterrey": [],
        "guadalajara": [],
    }


def test_weeks_and_months_begin_with_a_production_day_in_local_time():
    calendar = PlantCalendar("planta", PLANTS, SHIFTS)
    week = calendar.for_unit("week").table("tijuana", us(2025, 11, 2, 20), us(2025, 11, 2, 21))
    month = calendar.for_unit("month").table("tijuana", us(2025, 11, 2, 20), us(2025, 11, 2, 21))

    assert week.start_us.tolist() == [us(2025, 10, 27, 13), us(2025, 11, 3, 14)]  # 06:00 PDT to 06:00 PST
    assert month.start_us.tolist() == [us(2025, 11, 1, 13), us(2025, 12, 1, 14)]
    assert [day_of(each) for each in (*week.production_day, *month.production_day)] == [
        date(2025, 10, 27),
        date(2025, 11, 1),
    ]


def test_without_shifts_weeks_and_months_begin_at_local_midnight():
    calendar = PlantCalendar("planta", PLANTS)

    month = calendar.for_unit("month").table("tijuana", us(2026, 3, 15), us(2026, 3, 16))
    week = calendar.for_unit("week").table("tijuana", us(2026, 3, 8, 12), us(2026, 3, 8, 13))

    assert month.start_us.tolist() == [us(2026, 3, 1, 8), us(2026, 4, 1, 7)]
    assert week.start_us.tolist() == [us(2026, 3, 2, 8), us(2026, 3, 9, 7)]


@pytest.mark.parametrize(
    ("weekday", "first"),
    [("monday", 9), ("tuesday", 3), ("wednesday", 4), ("thursday", 5), ("friday", 6), ("saturday", 7), ("sunday", 8)],
)
def test_a_week_begins_on_the_weekday_asked_for(weekday, first):
    weeks = PlantCalendar("planta", PLANTS, SHIFTS).for_unit("week", week_starts=weekday)

    (found,) = windows(weeks, "monterrey", us(2026, 3, 9, 20), us(2026, 3, 9, 21))  # a Monday

    assert found == ("week", date(2026, 3, first), 168.0)


def test_a_week_of_two_years_is_the_same_from_either_of_them():
    weeks = PlantCalendar("planta", PLANTS, SHIFTS).for_unit("week")

    for day in (date(2025, 12, 29), date(2025, 12, 31), date(2026, 1, 1), date(2026, 1, 4)):
        noon = us(day.year, day.month, day.day, 20)
        assert windows(weeks, "monterrey", noon, noon + 1) == [("week", date(2025, 12, 29), 168.0)]


@pytest.mark.parametrize("unit", ["week", "month"])
@pytest.mark.parametrize("instant", [-(2**63), us(1, 1, 3), us(1, 1, 9), us(9999, 12, 20), us(9999, 12, 30), 2**63 - 1])
def test_weeks_and_months_reach_as_far_as_days_do(unit, instant):
    calendar = PlantCalendar("planta", PLANTS, SHIFTS, (date(1, 1, 3), date(9999, 12, 30))).for_unit(unit)

    table = calendar.table("tijuana", instant, instant)

    assert (np.diff(table.start_us) > 0).all()
    assert table.start_us[0] <= min(max(instant, us(1, 1, 2)), us(9999, 12, 31) - 1) < table.start_us[-1]


@pytest.mark.parametrize("unit", ["week", "month"])
def test_a_key_without_a_zone_has_no_weeks_either(unit):
    assert PlantCalendar("planta", PLANTS, SHIFTS).for_unit(unit).table("leon", 0, 1) is None


def test_times_before_1970_have_weeks_and_months():
    calendar = PlantCalendar("planta", {"madrid": "Europe/Madrid"}, SHIFTS)

    (week,) = windows(calendar.for_unit("week"), "madrid", us(1969, 7, 20, 12), us(1969, 7, 20, 13))
    months = windows(calendar.for_unit("month"), "madrid", us(1940, 3, 1, 12), us(1940, 4, 2))

    assert week == ("week", date(1969, 7, 14), 168.0)
    # On 16 March 1940 Madrid's clocks went an hour forward, and stayed there.
    assert months == [("month", date(1940, 3, 1), 743.0), ("month", date(1940, 4, 1), 720.0)]


def test_a_week_and_a_month_over_a_change_of_plan_begin_as_the_plan_of_their_first_day_says():
    later = ShiftPlan(date(2025, 6, 4), {"D": "07:00-19:00", "N": "19:00-07:00"})  # a Wednesday
    calendar = PlantCalendar("planta", PLANTS, SHIFTS, revisions=(later,))

    weeks = calendar.for_unit("week").table("monterrey", us(2025, 6, 2, 13), us(2025, 6, 9, 14))
    months = calendar.for_unit("month").table("monterrey", us(2025, 6, 2, 13), us(2025, 7, 2))

    assert weeks.start_us.tolist() == [us(2025, 6, 2, 12), us(2025, 6, 9, 13), us(2025, 6, 16, 13)]
    assert months.start_us.tolist() == [us(2025, 6, 1, 12), us(2025, 7, 1, 13), us(2025, 8, 1, 13)]


# ---- holidays inside --------------------------------------------------------------------------------------


def test_a_holiday_is_a_hole_in_its_week_and_moves_no_bound():
    holidays = {"tijuana": (date(2025, 11, 19),)}
    weeks = PlantCalendar("planta", PLANTS, SHIFTS, holidays).for_unit("week")
    span = (us(2025, 11, 18), us(2025, 11, 21))

    monday = date(2025, 11, 17)
    assert pieces(weeks, "tijuana", *span) == [
        ("week", monday, 48.0, 168.0),
        ("off", date(2025, 11, 19), 24.0, 24.0),
        ("week", monday, 96.0, 168.0),
    ]
    assert pieces(weeks, "monterrey", *span) == [("week", monday, 168.0, 168.0)]
    assert weeks.has_holes


def test_a_holiday_on_the_first_day_leaves_the_week_its_bounds_and_its_name():
    monday = date(2025, 11, 17)
    weeks = PlantCalendar("planta", PLANTS, SHIFTS, (monday,)).for_unit("week")

    found = pieces(weeks, "tijuana", us(2025, 11, 19), us(2025, 11, 20))

    assert found == [("off", monday, 24.0, 24.0), ("week", monday, 144.0, 168.0)]
    table = weeks.table("tijuana", us(2025, 11, 19), us(2025, 11, 20))
    assert table.windows()[0].tolist() == [us(2025, 11, 17, 14)] * 2


def test_holidays_one_after_the_other_are_one_interval_each():
    days = tuple(date(2025, 12, day) for day in range(24, 32))
    months = PlantCalendar("planta", PLANTS, SHIFTS, days).for_unit("month")

    found = pieces(months, "monterrey", us(2025, 12, 2), us(2025, 12, 3))

    december = date(2025, 12, 1)
    assert found == [("month", december, 552.0, 744.0), *(("off", day, 24.0, 24.0) for day in days)]


def test_a_week_of_holidays_has_no_week():
    days = tuple(date(2025, 12, day) for day in range(22, 29))
    weeks = PlantCalendar("planta", PLANTS, SHIFTS, days).for_unit("week")

    found = windows(weeks, "monterrey", us(2025, 12, 20), us(2025, 12, 31))

    assert found == [
        ("week", date(2025, 12, 15), 168.0),
        *(("off", day, 24.0) for day in days),
        ("week", date(2025, 12, 29), 168.0),
    ]


# ---- fingerprint and digest -------------------------------------------------------------------------------


def test_breaks_and_the_first_weekday_are_in_the_fingerprint_and_calendars_without_them_keep_theirs():
    plain = PlantCalendar("planta", PLANTS, SHIFTS)
    paused = PlantCalendar("planta", PLANTS, SHIFTS, breaks={"T1": ("10:00-10:30",)})

    assert set(plain.for_unit("shift").fingerprint()) == {"unit", "key", "zones", "shifts", "holidays", "revisions"}
    assert paused.for_unit("shift").fingerprint()["breaks"] == {"0001-01-01": {"T1": ["10:00-10:30"]}}
    weeks = [plain.for_unit("week", week_starts=day).fingerprint() for day in (None, "monday", "sunday")]
    assert weeks[0] == weeks[1] != weeks[2]
    assert PlantCalendar("planta", PLANTS, SHIFTS, breaks={"T1": ()}) == plain


def test_a_digest_tells_a_hole_from_windows_around_it():
    cut = {"T1": "06:00-10:00", "T2": "10:30-14:00"}
    whole = PlantCalendar("planta", PLANTS, {"T1": "06:00-14:00"}, breaks={"T1": ("10:00-10:30",)}).for_unit("shift")
    parts = PlantCalendar("planta", PLANTS, cut).for_unit("shift")
    moved = PlantCalendar("planta", PLANTS, {"T1": "06:00-14:00"}, breaks={"T1": ("10:00-10:31",)}).for_unit("shift")
    span = ("monterrey", us(2025, 1, 1), us(2026, 1, 1))

    digests = [boundary_digest(calendar, *span) for calendar in (whole, parts, moved)]

    assert len(set(digests)) == 3
    assert digests[0] == boundary_digest(whole, "guadalajara", *span[1:])


@dataclass(frozen=True)
class OneTable:
    """Three pieces, the outer two in one window or in two."""

    joined: bool
    labels: tuple[str, ...] = ("T1", "off")

    def table(self, key, from_us, to_us):
        start = np.array([0, 10, 20, 30])
        opens, closes = (np.array([0, 10, 0]), np.array([30, 20, 30])) if self.joined else (start[:-1], start[1:])
        return CalendarTable(start, np.array([0, 1, 0], np.int32), np.zeros(3, np.int32), opens, closes)


def test_a_digest_changes_with_the_windows_alone():
    assert boundary_digest(OneTable(joined=True), "x", 0, 30) != boundary_digest(OneTable(joined=False), "x", 0, 30)
