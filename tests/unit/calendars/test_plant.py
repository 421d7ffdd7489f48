"""Shifts, production days and what a calendar refuses."""

import re
from datetime import UTC, date, datetime
from itertools import pairwise

import numpy as np
import pytest

from arrowflow.calendars import PlantCalendar, ShiftPlan, boundary_digest
from arrowflow.errors import ConfigError

PLANTS = {"monterrey": "America/Monterrey", "guadalajara": "America/Mexico_City", "tijuana": "America/Tijuana"}
SHIFTS = {"T1": "06:00-14:00", "T2": "14:00-22:00", "T3": "22:00-06:00"}
HOUR_US = 3_600_000_000
FALL_BACK, SPRING_FORWARD = date(2025, 11, 1), date(2026, 3, 7)  # the nights of 2 November and 8 March


def us(*when):
    return int(datetime(*when, tzinfo=UTC).timestamp()) * 1_000_000


def day_number(day):
    return (day - date(1970, 1, 1)).days


def rows(calendar, key, from_us, to_us):
    """(label, production day, hours) of each window."""
    table = calendar.table(key, from_us, to_us)
    days = [date(1970, 1, 1).toordinal() + int(day) for day in table.production_day]
    hours = np.diff(table.start_us) / HOUR_US
    return [
        (calendar.labels[index], date.fromordinal(day), float(length))
        for index, day, length in zip(table.label, days, hours, strict=True)
    ]


def hours_of(calendar, key, production_day):
    noon = us(production_day.year, production_day.month, production_day.day, 20)
    found = rows(calendar, key, noon - 48 * HOUR_US, noon + 48 * HOUR_US)
    return {label: hours for label, day, hours in found if day == production_day}


@pytest.mark.parametrize(("day", "night"), [(FALL_BACK, 9.0), (SPRING_FORWARD, 7.0)])
def test_row_31_only_tijuanas_night_changes_with_the_clock(day, night):
    shifts = PlantCalendar("planta", PLANTS, SHIFTS).for_unit("shift")

    assert hours_of(shifts, "tijuana", day) == {"T1": 8.0, "T2": 8.0, "T3": night}
    assert hours_of(shifts, "monterrey", day) == {"T1": 8.0, "T2": 8.0, "T3": 8.0}
    assert hours_of(shifts, "guadalajara", day) == {"T1": 8.0, "T2": 8.0, "T3": 8.0}


@pytest.mark.parametrize(("day", "hours"), [(FALL_BACK, 25.0), (SPRING_FORWARD, 23.0)])
def test_row_31_the_shifts_sum_to_the_production_day(day, hours):
    calendar = PlantCalendar("planta", PLANTS, SHIFTS)

    assert hours_of(calendar.for_unit("day"), "tijuana", day) == {"day": hours}
    assert sum(hours_of(calendar.for_unit("shift"), "tijuana", day).values()) == hours
    assert hours_of(calendar.for_unit("day"), "monterrey", day) == {"day": 24.0}


def test_row_31_a_year_has_no_gap_and_no_overlap_and_ends_where_the_days_end():
    calendar = PlantCalendar("planta", PLANTS, SHIFTS)
    shifts = calendar.for_unit("shift").table("tijuana", us(2025, 1, 1), us(2027, 1, 1))
    days = calendar.for_unit("day").table("tijuana", us(2025, 1, 1), us(2027, 1, 1))

    assert (np.diff(shifts.start_us) > 0).all()
    assert set(days.start_us[1:-1]) <= set(shifts.start_us)
    assert len(shifts.start_us) == len(shifts.label) + 1 == len(shifts.production_day) + 1
    assert (shifts.label.dtype, shifts.production_day.dtype, shifts.start_us.dtype) == ("int32", "int32", "int64")


def test_the_night_shift_belongs_to_the_day_on_which_it_starts():
    shifts = PlantCalendar("planta", PLANTS, SHIFTS).for_unit("shift")

    (window,) = rows(shifts, "monterrey", us(2025, 6, 3, 8), us(2025, 6, 3, 9))  # 02:00 on 3 June in Monterrey

    assert window == ("T3", date(2025, 6, 2), 8.0)


def test_time_between_shifts_is_off_and_belongs_to_the_day_before_it():
    calendar = PlantCalendar("planta", PLANTS, {"am": "06:00-13:00", "pm": "14:00-22:30"}).for_unit("shift")

    found = rows(calendar, "monterrey", us(2025, 6, 2, 12), us(2025, 6, 3, 12))

    day = date(2025, 6, 2)
    assert found == [("am", day, 7.0), ("off", day, 1.0), ("pm", day, 8.5), ("off", day, 7.5)]
    assert calendar.labels == ("am", "pm", "off")


def test_a_day_without_shifts_starts_at_local_midnight():
    days = PlantCalendar("planta", PLANTS).for_unit("day")

    table = days.table("tijuana", us(2025, 11, 2, 12), us(2025, 11, 2, 13))

    assert table.start_us.tolist() == [us(2025, 11, 2, 7), us(2025, 11, 3, 8)]  # 25 h: the clock goes back at 02:00
    assert table.production_day.tolist() == [day_number(date(2025, 11, 2))]


def test_a_holiday_is_one_window_off_and_the_night_before_it_ends_as_usual():
    holidays = {"tijuana": (date(2025, 11, 17),)}
    calendar = PlantCalendar("planta", PLANTS, SHIFTS, holidays=holidays)

    found = rows(calendar.for_unit("shift"), "tijuana", us(2025, 11, 17, 10), us(2025, 11, 18, 15))
    assert found == [
        ("T3", date(2025, 11, 16), 8.0),
        ("off", date(2025, 11, 17), 24.0),
        ("T1", date(2025, 11, 18), 8.0),
    ]
    assert hours_of(calendar.for_unit("shift"), "monterrey", date(2025, 11, 17)) == {"T1": 8.0, "T2": 8.0, "T3": 8.0}
    assert hours_of(calendar.for_unit("day"), "tijuana", date(2025, 11, 17)) == {"off": 24.0}


def test_a_common_holiday_holds_for_every_key():
    calendar = PlantCalendar("planta", PLANTS, SHIFTS, holidays=(date(2025, 12, 25),)).for_unit("shift")

    assert hours_of(calendar, "guadalajara", date(2025, 12, 25)) == {"off": 24.0}


def test_a_revision_changes_the_shifts_from_its_first_production_day_on():
    revised = ShiftPlan(date(2025, 6, 2), {"D": "07:00-19:00", "N": "19:00-07:00"})
    calendar = PlantCalendar("planta", PLANTS, SHIFTS, revisions=(revised,)).for_unit("shift")

    found = rows(calendar, "monterrey", us(2025, 6, 2, 6), us(2025, 6, 3, 2))

    assert found == [
        ("T3", date(2025, 6, 1), 8.0),
        ("off", date(2025, 6, 1), 1.0),  # from 06:00, where the old plan ends, to 07:00, where the new one begins
        ("D", date(2025, 6, 2), 12.0),
        ("N", date(2025, 6, 2), 12.0),
    ]
    assert calendar.labels == ("T1", "T2", "T3", "D", "N", "off")


def test_a_revision_that_begins_before_the_old_night_ends_is_refused():
    early = ShiftPlan(date(2025, 6, 2), {"D": "05:00-17:00", "N": "17:00-05:00"})

    with pytest.raises(ConfigError, match=r"D 05:00-17:00, valid from 2025-06-02, begins before T3 22:00-06:00"):
        PlantCalendar("planta", PLANTS, SHIFTS, revisions=(early,))


def test_revisions_must_ascend():
    plans = (ShiftPlan(date(2025, 6, 2), SHIFTS), ShiftPlan(date(2025, 6, 2), SHIFTS))

    with pytest.raises(ConfigError, match="revisions must ascend"):
        PlantCalendar("planta", PLANTS, SHIFTS, revisions=plans)


@pytest.mark.parametrize("key", [None, "leon"])
def test_a_key_without_a_zone_has_no_table(key):
    assert PlantCalendar("planta", PLANTS, SHIFTS).for_unit("shift").table(key, 0, 1) is None


@pytest.mark.parametrize(
    ("shifts", "message"),
    [
        ({"A": "06:00-14:00", "B": "13:59-22:00"}, "A 06:00-14:00 and B 13:59-22:00 overlap"),
        ({"A": "06:00-14:00", "N": "22:00-06:01"}, "N 22:00-06:01 and A 06:00-14:00 overlap"),
        ({"A": "06:00-06:00", "B": "07:00-08:00"}, "overlap"),
        ({"A": "06:00-06:00", "B": "06:00-07:00"}, "overlap"),
        ({"A": "6-14"}, "write it as 'HH:MM-HH:MM'"),
        ({"A": "06:00-24:01"}, "hours go from 00:00 to 23:59"),
        ({"A": "24:00-06:00"}, "hours go from 00:00 to 23:59"),
        ({"A": "06:60-14:00"}, "hours go from 00:00 to 23:59"),
        ({"off": "06:00-14:00"}, "shift name 'off' is taken"),
        ({"a/b": "06:00-14:00"}, "shift name 'a/b'"),
    ],
)
def test_shifts_that_cannot_be_kept_are_refused(shifts, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        PlantCalendar("planta", PLANTS, shifts)


@pytest.mark.parametrize("text", ["06:00-06:00", "00:00-24:00", "00:00-00:00"])
def test_a_shift_may_last_the_whole_day(text):
    calendar = PlantCalendar("planta", PLANTS, {"all": text}).for_unit("shift")

    assert {label for label, _, _ in rows(calendar, "monterrey", us(2025, 1, 1), us(2025, 2, 1))} == {"all"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"zones": {"tijuana": "America/Tijuan"}}, "zones.tijuana: time zone 'America/Tijuan' is not in tzdata"),
        ({"zones": {}}, "a calendar needs `key`"),
        ({"breaks": {"T9": ("12:00-12:30",)}}, "breaks.T9: there is no such shift; shifts are T1, T2, T3"),
        ({"breaks": {"T1": "12:00-12:30"}}, "breaks.T1 = '12:00-12:30': write a list"),
        ({"breaks": {"T1": ("12-13",)}}, "break '12-13' of shift T1: write it as 'HH:MM-HH:MM'"),
        ({"breaks": {"T1": ("05:59-06:30",)}}, "is not inside the shift, which is 06:00-14:00"),
        ({"breaks": {"T3": ("05:30-06:30",)}}, "is not inside the shift, which is 22:00-06:00"),
        ({"breaks": {"T1": ("10:00-10:31", "10:30-11:00")}}, "breaks 10:00-10:31 and 10:30-11:00 of shift T1 overlap"),
        ({"breaks": {"T1": ("10:00-10:00",)}}, "has no length"),
        ({"breaks": {"T1": ("06:00-14:00",)}}, "leave nothing of it"),
        ({"holidays": {"leon": (date(2025, 1, 1),)}}, "holidays.leon: no such key"),
        ({"holidays": (datetime(2025, 1, 1),)}, "is not a date"),  # noqa: DTZ001
    ],
)
def test_what_a_calendar_cannot_keep_is_refused(change, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        PlantCalendar(**{"key": "planta", "zones": PLANTS, "shifts": SHIFTS, **change})


def test_a_unit_that_is_none_is_refused_by_name():
    with pytest.raises(ConfigError, match="unit 'fortnight' is not one of 'shift', 'day', 'week', 'month'"):
        PlantCalendar("planta", PLANTS, SHIFTS).for_unit("fortnight")


@pytest.mark.parametrize(
    ("unit", "weekday", "message"),
    [
        ("month", "monday", "week_starts = 'monday' belongs to the unit 'week', and this is 'month'"),
        ("week", "Mondy", "write one of monday, tuesday, .*did you mean 'monday'"),
        ("week", "", "is no weekday"),
    ],
)
def test_a_first_weekday_is_for_weeks_and_has_a_name(unit, weekday, message):
    with pytest.raises(ConfigError, match=message):
        PlantCalendar("planta", PLANTS, SHIFTS).for_unit(unit, week_starts=weekday)


def test_shifts_must_be_named_before_they_are_windows():
    with pytest.raises(ConfigError, match="needs `shifts`"):
        PlantCalendar("planta", PLANTS).for_unit("shift")


def test_a_table_does_not_depend_on_what_was_asked_before():
    fresh = PlantCalendar("planta", PLANTS, SHIFTS).for_unit("shift")
    used = PlantCalendar("planta", PLANTS, SHIFTS).for_unit("shift")
    for year in (2031, 1950, 2026):
        used.table("tijuana", us(year, 1, 1), us(year + 3, 1, 1))
    span = (us(2024, 12, 31, 23), us(2026, 1, 1, 10))

    for mine, theirs in zip(_arrays(fresh.table("tijuana", *span)), _arrays(used.table("tijuana", *span)), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def _arrays(table):
    return table.start_us, table.label, table.production_day


def test_neighbouring_tables_fit_together():
    shifts = PlantCalendar("planta", PLANTS, SHIFTS).for_unit("shift")
    edges = [us(year, month, 1) for year in range(2024, 2028) for month in (1, 5, 12)]

    tables = [shifts.table("tijuana", *pair) for pair in pairwise(edges)]
    whole = shifts.table("tijuana", edges[0], edges[-1])

    assert sorted({int(start) for table in tables for start in table.start_us}) == whole.start_us.tolist()


@pytest.mark.parametrize("instant", [-(2**63), us(1, 1, 3), 0, us(9999, 12, 30), 2**63 - 1])
def test_far_away_times_build_only_the_year_asked_for(instant):
    shifts = PlantCalendar("planta", PLANTS, SHIFTS).for_unit("shift")

    table = shifts.table("tijuana", instant, instant)

    assert len(table.label) == 1
    assert len(shifts._chunks) <= 2


def test_an_empty_range_gives_the_window_it_is_in():
    shifts = PlantCalendar("planta", PLANTS, SHIFTS).for_unit("shift")

    table = shifts.table("monterrey", us(2025, 6, 2, 12), us(2025, 6, 2, 12))  # 06:00 local: a start is inside

    assert table.start_us.tolist() == [us(2025, 6, 2, 12), us(2025, 6, 2, 20)]


def test_the_cache_forgets_the_oldest_years():
    shifts = PlantCalendar("planta", PLANTS, SHIFTS).for_unit("shift")
    for year in range(1000, 1300):
        shifts.table("monterrey", us(year, 6, 1), us(year, 6, 2))

    assert len(shifts._chunks) <= 256


def test_equal_rules_are_equal_values_and_have_equal_fingerprints():
    one, two = (PlantCalendar("planta", dict(zones), SHIFTS) for zones in (PLANTS, sorted(PLANTS.items())))

    one.for_unit("shift").table("tijuana", 0, 1)
    assert one == two
    assert one.for_unit("shift").fingerprint() == two.for_unit("shift").fingerprint()
    assert one.for_unit("day").fingerprint() != two.for_unit("shift").fingerprint()
    assert "_chunks" not in repr(one.for_unit("shift"))


def test_a_digest_changes_with_a_boundary_and_with_nothing_else():
    calendar = PlantCalendar("planta", PLANTS, SHIFTS).for_unit("shift")
    moved = PlantCalendar("planta", PLANTS, {**SHIFTS, "T1": "06:00-13:00"}).for_unit("shift")
    renamed = PlantCalendar("planta", PLANTS, {"T9": "06:00-14:00", "T2": SHIFTS["T2"], "T3": SHIFTS["T3"]})
    span = (us(2025, 1, 1), us(2026, 1, 1))

    digest = boundary_digest(calendar, "monterrey", *span)
    assert digest == boundary_digest(calendar, "guadalajara", *span)  # the same offsets all year
    others = [
        boundary_digest(calendar, "tijuana", *span),
        boundary_digest(moved, "monterrey", *span),
        boundary_digest(renamed.for_unit("shift"), "monterrey", *span),
        boundary_digest(calendar, "leon", *span),
        boundary_digest(calendar, "monterrey", us(2025, 1, 2), us(2026, 1, 1)),
    ]
    assert digest not in others
    assert len(set(others)) == len(others)
