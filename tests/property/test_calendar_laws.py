"""Laws of calendar windows, over every zone of the database."""

import random
import zoneinfo
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.oracles import calendars as oracle

from arrowflow.calendars import PlantCalendar, ShiftPlan
from arrowflow.calendars.zones import load_offsets, zone_names

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SHIFTS = {"T1": "06:00-14:00", "T2": "14:00-22:00", "T3": "22:00-06:00"}
BREAKS = {"T1": ("10:00-10:30", "12:00-12:20"), "T3": ("23:45-00:15", "02:00-02:30")}
GAPPED = {"late": "23:30-02:30", "early": "03:00-11:15"}
"""Edges inside the hours in which clocks change, and hours off."""
GAPPED_BREAKS = {"late": ("00:00-00:10", "02:00-02:30"), "early": ("03:00-03:15",)}
"""One begins with its shift, one ends with it."""
ZONES = zone_names()
DAY_US = 86_400_000_000


def us(instant):
    return (instant - EPOCH) // timedelta(microseconds=1)


def calendar_of(zone_name, rules):
    later = tuple(ShiftPlan(*plan) for plan in rules.later)
    plant = PlantCalendar("plant", {"x": zone_name}, rules.shifts, rules.holidays, later, rules.breaks)
    return plant.for_unit(rules.unit, week_starts=rules.week_starts if rules.unit == "week" else None)


def rows(calendar, table):
    """Each piece of an answer as the oracle writes it, with instants in microseconds."""
    labels, opens, closes = [calendar.labels[label] for label in table.label], *table.windows()
    columns = (table.start_us[:-1], table.start_us[1:], labels, table.production_day, opens, closes)
    return [(int(a), int(b), label, int(day), int(c), int(d)) for a, b, label, day, c, d in zip(*columns, strict=True)]


def written(pieces):
    return [
        (us(start), us(end), label, oracle.days_since_epoch(day), us(opens), us(closes))
        for start, end, label, day, opens, closes in pieces
    ]


def check(zone_name, rules, instant):
    """The piece of one instant, and all windows with an instant within a day and a half of it, against the oracle."""
    zone, at, told = oracle.load(zone_name), us(instant), (zone_name, rules, instant)
    calendar = calendar_of(zone_name, rules)
    expected = written(oracle.pieces_at(zone, rules, instant))
    assert len(expected) == 1, (told, expected)
    table = calendar.table("x", at, at + 1)
    assert [row for row in rows(calendar, table) if row[0] <= at < row[1]] == expected, told
    assert (table.start_us[0], table.start_us[-1]) == expected[0][4:], told  # the answer is that window, whole
    around = calendar.table("x", at - 130_000_000_000, at + 130_000_000_000)
    assert (np.diff(around.start_us) > 0).all(), told
    here = oracle.civil(zone, instant).date()
    first, last = (oracle.period(rules, here + days * oracle.DAY)[0] for days in (-5, 5))
    held = written(oracle.pieces(zone, rules, first, oracle.period(rules, last)[1] - oracle.DAY))
    low, high = around.start_us[0], around.start_us[-1]
    assert rows(calendar, around) == [row for row in held if low <= row[0] < high], told
    assert low <= at - 130_000_000_000, told
    assert high >= at + 130_000_000_000, told


def interesting(zone_name, rng, first, last, count):
    """Random instants, half of them within a day and a half of a change of the clock."""
    low, high = us(datetime(first, 1, 1, tzinfo=UTC)), us(datetime(last, 1, 1, tzinfo=UTC))
    changes, _ = load_offsets(zone_name).steps(low, high)
    near = [int(at) for at in changes if low < at < high] or [rng.randrange(low, high)]
    for index in range(count):
        if index % 2:
            yield EPOCH + timedelta(microseconds=rng.randrange(low, high))
        else:
            yield EPOCH + timedelta(microseconds=rng.choice(near) + rng.randrange(-(10**11) * 13 // 10, 13 * 10**10))


def rules_from(rng, unit, instant):
    """Shifts with or without breaks, a holiday nearby now and then, weeks that begin on any day."""
    shifts, breaks = rng.choice(
        [(SHIFTS, BREAKS), (GAPPED, GAPPED_BREAKS), (SHIFTS, {})] + [({}, {})] * (unit != "shift")
    )
    near = instant.date() + timedelta(days=rng.randrange(-4, 5))
    holidays = (near, near + timedelta(days=1))[: rng.randrange(3)]
    return oracle.Rules(shifts, breaks, holidays, unit=unit, week_starts=rng.choice(oracle.WEEKDAYS))


def test_the_zones_are_those_python_knows():
    zoneinfo.reset_tzpath(())  # the wheel alone: a machine's own files may be older or newer
    try:
        assert set(ZONES) == zoneinfo.available_timezones()
    finally:
        zoneinfo.reset_tzpath()


@pytest.mark.parametrize("part", range(8))
def test_row_31_in_every_zone_every_instant_is_in_exactly_the_window_the_oracle_finds(part):
    for name in ZONES[part::8]:
        rng = random.Random(name)
        instants = [*interesting(name, rng, 1960, 2037, 5), *interesting(name, rng, 1900, 2100, 1)]
        for unit, instant in zip(("shift", "day", "week", "month", "shift", "shift"), instants, strict=True):
            check(name, rules_from(rng, unit, instant), instant)


@pytest.mark.parametrize("part", range(4))
def test_row_31_in_every_zone_shifts_fill_days_and_days_fill_weeks_and_months(part):
    """A year of each zone around one change of its clock: what the longer units hold is what the shorter ones do."""
    for name in ZONES[part::4]:
        rng = random.Random(name)
        at = us(next(iter(interesting(name, rng, 1961, 2036, 1))))
        near = (EPOCH + timedelta(microseconds=at)).date()
        holidays = (near, near + timedelta(days=9))
        rules = {unit: oracle.Rules(SHIFTS, BREAKS, holidays, unit=unit) for unit in ("shift", "day", "week", "month")}
        held = {}
        for unit, each in rules.items():
            calendar = calendar_of(name, each)
            table = calendar.table("x", at - 130 * DAY_US, at + 130 * DAY_US)
            assert (np.diff(table.start_us) > 0).all(), (name, unit)
            held[unit] = (rows(calendar, table), calendar.labels)
        days = {row[0] for row in held["day"][0]}
        low, high = at - 90 * DAY_US, at + 90 * DAY_US
        assert {at for at in days if low < at < high} <= {row[0] for row in held["shift"][0]}, name
        for unit in ("week", "month"):
            assert {row[0] for row in held[unit][0] if low < row[0] < high} <= days, (name, unit)
            off = [[row for row in held[each][0] if row[2] == "off" and low < row[0] < high] for each in (unit, "day")]
            assert off[0] == off[1], (name, unit)
            for row in held[unit][0]:  # pieces and holes of a window fill it
                inside = [other for other in held[unit][0] if row[4] <= other[0] < row[5]]
                assert sum(other[1] - other[0] for other in inside) == row[5] - row[4], (name, unit, row)


def test_no_zone_has_boundaries_out_of_order_from_1900_to_2045():
    low, high = us(datetime(1900, 1, 1, tzinfo=UTC)), us(datetime(2045, 1, 1, tzinfo=UTC))
    around = np.arange(-100, 101) * 900_000_000  # a quarter of an hour apart, more than a day to either side
    for name in ZONES:
        offsets = load_offsets(name)
        changes, _ = offsets.steps(low, high)
        civil = np.unique((changes[(changes >= low) & (changes < high)][:, None] + around).ravel())
        instants = offsets.instant(civil)
        assert (np.diff(instants) >= 0).all(), name
        assert (instants + offsets.at(instants) >= civil).all(), name  # never before the civil time asked for,
        before = instants - 1
        assert (before + offsets.at(before) < civil).all(), name  # and the first such instant


SHIFT_TIMES = st.lists(st.integers(0, 95), min_size=2, max_size=8, unique=True).map(sorted)


@given(
    zone_name=st.sampled_from(ZONES),
    seconds=st.integers(us(datetime(1890, 1, 1, tzinfo=UTC)), us(datetime(2110, 1, 1, tzinfo=UTC))),
    quarters=SHIFT_TIMES,
    turn=st.booleans(),
    unit=st.sampled_from(["shift", "day", "week", "month"]),
    off_day=st.integers(-2, 5),
    pauses=st.lists(st.integers(0, 3), max_size=4),
    later_day=st.none() | st.integers(-9, 9),
    week_starts=st.sampled_from(oracle.WEEKDAYS),
)
@settings(max_examples=150, deadline=None)
def test_any_plan_in_any_zone_agrees_with_the_oracle(
    zone_name, seconds, quarters, turn, unit, off_day, pauses, later_day, week_starts
):
    shifts = turned(quarters, turn)
    instant = EPOCH + timedelta(microseconds=seconds)
    here = date(instant.year, instant.month, instant.day)
    later = ()
    if later_day is not None:  # the later plan begins the day no earlier than the last night ends
        later = ((here + timedelta(days=later_day), {"Z": "22:30-23:45"}, {"Z": ("23:00-23:15",)}),)
    rules = oracle.Rules(shifts, paused(shifts, pauses), (here + timedelta(days=off_day),), later, unit, week_starts)
    check(zone_name, rules, instant)


def turned(quarters, turn):
    """Shifts between quarters of an hour; with `turn` the last one crosses midnight."""
    clock = [f"{quarter // 4:02}:{quarter % 4 * 15:02}" for quarter in quarters]
    if turn:
        clock = clock[1:] + clock[:1]
    pairs = zip(clock[::2], clock[1::2], strict=False)
    return {f"S{index}": f"{start}-{end}" for index, (start, end) in enumerate(pairs)}


def paused(shifts, pauses):
    """A break of 5 minutes in some shifts, that far from their start in steps of 5 minutes."""
    breaks = {}
    for (name, hours), steps in zip(shifts.items(), pauses, strict=False):
        start = datetime.strptime(hours[:5], "%H:%M")  # noqa: DTZ007
        begin, end = (start + timedelta(minutes=5 * more) for more in (steps, steps + 1))
        if steps < 3:  # no shift is shorter than a quarter of an hour
            breaks[name] = (f"{begin:%H:%M}-{end:%H:%M}",)
    return breaks


SKIPS = [
    ("Pacific/Apia", datetime(2011, 12, 30, 10, tzinfo=UTC)),  # a whole day is skipped
    ("Pacific/Kwajalein", datetime(1993, 8, 21, 12, tzinfo=UTC)),  # likewise
    ("Pacific/Fakaofo", datetime(2011, 12, 30, 10, tzinfo=UTC)),
    ("Asia/Manila", datetime(1844, 12, 31, tzinfo=UTC)),
    ("America/Sao_Paulo", datetime(2018, 11, 4, 3, tzinfo=UTC)),  # midnight does not exist
    ("America/Sao_Paulo", datetime(2018, 2, 18, 2, tzinfo=UTC)),  # midnight's hour comes twice
    ("Asia/Beirut", datetime(2023, 3, 25, 22, tzinfo=UTC)),
    ("Asia/Beirut", datetime(2022, 10, 29, 21, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2024, 4, 6, 15, tzinfo=UTC)),  # half an hour
    ("Australia/Lord_Howe", datetime(2024, 10, 5, 15, 30, tzinfo=UTC)),
    ("Africa/Casablanca", datetime(2025, 2, 23, 2, tzinfo=UTC)),  # Ramadan
    ("Africa/Casablanca", datetime(2086, 5, 1, tzinfo=UTC)),
    ("America/Tijuana", datetime(2025, 11, 2, 9, tzinfo=UTC)),
    ("America/Tijuana", datetime(2026, 3, 8, 10, tzinfo=UTC)),
    ("America/Tijuana", datetime(2077, 11, 7, 9, tzinfo=UTC)),  # by the yearly rule
    ("America/Juneau", datetime(1867, 10, 18, tzinfo=UTC)),
    ("Africa/Monrovia", datetime(1972, 1, 7, tzinfo=UTC)),  # 44 minutes and 30 seconds
    ("Antarctica/Troll", datetime(2025, 3, 30, 1, tzinfo=UTC)),  # two hours
]


@pytest.mark.parametrize(("zone_name", "change"), SKIPS, ids=lambda value: str(value).replace(" ", "T"))
@pytest.mark.parametrize(
    ("shifts", "breaks", "unit"),
    [
        (SHIFTS, BREAKS, "shift"),
        (GAPPED, GAPPED_BREAKS, "shift"),
        ({"all": "00:00-24:00"}, {"all": ("02:00-03:00",)}, "shift"),
        (SHIFTS, {}, "week"),
        ({}, {}, "week"),
        (GAPPED, {}, "month"),
    ],
    ids=["three", "gapped", "midnight", "week", "week of midnights", "month"],
)
def test_row_31_the_strangest_nights_agree_with_the_oracle(zone_name, change, shifts, breaks, unit):
    weekday = oracle.WEEKDAYS[change.weekday()]
    rules = oracle.Rules(shifts, breaks, (change.date(),) * (unit == "week"), unit=unit, week_starts=weekday)
    for hours in range(-40, 41, 5):
        check(zone_name, rules, change + timedelta(hours=hours, seconds=1))


def test_of_the_day_samoa_skipped_only_the_end_of_its_night_is_left():
    calendar = PlantCalendar("plant", {"x": "Pacific/Apia"}, SHIFTS).for_unit("shift")

    table = calendar.table("x", us(datetime(2011, 12, 28, tzinfo=UTC)), us(datetime(2012, 1, 2, tzinfo=UTC)))

    skipped = table.production_day == oracle.days_since_epoch(date(2011, 12, 30))
    hours = np.diff(table.start_us)[skipped] // 3_600_000_000
    assert [calendar.labels[label] for label in table.label[skipped]] == ["T3"]
    assert hours.tolist() == [6]  # from midnight, where the 31st begins, to 06:00
    assert (np.diff(table.start_us) > 0).all()
