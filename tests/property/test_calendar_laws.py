"""Laws of calendar windows, over every zone of the database."""

import random
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.oracles import calendars as oracle

from arrowflow.calendars import PlantCalendar
from arrowflow.calendars.zones import load_offsets, zone_names

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SHIFTS = {"T1": "06:00-14:00", "T2": "14:00-22:00", "T3": "22:00-06:00"}
GAPPED = {"late": "23:30-02:30", "early": "03:00-11:15"}
"""Edges inside the hours in which clocks change, and hours off."""
ZONES = zone_names()


def us(instant):
    return (instant - EPOCH) // timedelta(microseconds=1)


def check(zone_name, shifts, instant, unit="shift", holidays=()):
    """The window of one instant, and all windows around it, against the oracle."""
    zone = oracle.load(zone_name)
    calendar = PlantCalendar("plant", {"x": zone_name}, shifts, holidays=holidays).for_unit(unit)
    expected = oracle.windows_at(zone, shifts, instant, holidays=holidays, unit=unit)
    assert len(expected) == 1, (zone_name, instant, expected)
    table = calendar.table("x", us(instant), us(instant) + 1)
    start, end, label, day = expected[0]
    assert table.start_us.tolist() == [us(start), us(end)], (zone_name, instant)
    assert calendar.labels[table.label[0]] == label, (zone_name, instant)
    assert int(table.production_day[0]) == oracle.days_since_epoch(day), (zone_name, instant)
    around = calendar.table("x", us(instant) - 3 * 86_400_000_000, us(instant) + 3 * 86_400_000_000)
    assert (np.diff(around.start_us) > 0).all(), (zone_name, instant)


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


@pytest.mark.parametrize("part", range(8))
def test_row_31_in_every_zone_every_instant_is_in_exactly_the_window_the_oracle_finds(part):
    for name in ZONES[part::8]:
        rng = random.Random(name)
        for instant in interesting(name, rng, 1990, 2037, 3):
            check(name, rng.choice([SHIFTS, GAPPED]), instant)
        for instant in interesting(name, rng, 1900, 2100, 1):
            check(name, rng.choice([SHIFTS, GAPPED]), instant)


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
    unit=st.sampled_from(["shift", "day"]),
    off_day=st.integers(-2, 5),
)
@settings(max_examples=150, deadline=None)
def test_any_plan_in_any_zone_agrees_with_the_oracle(zone_name, seconds, quarters, turn, unit, off_day):
    clock = [f"{quarter // 4:02}:{quarter % 4 * 15:02}" for quarter in quarters]
    if turn:  # the last shift crosses midnight
        clock = clock[1:] + clock[:1]
    pairs = list(zip(clock[::2], clock[1::2], strict=False))
    shifts = {f"S{index}": f"{start}-{end}" for index, (start, end) in enumerate(pairs)}
    instant = EPOCH + timedelta(microseconds=seconds)
    holiday = date(instant.year, instant.month, instant.day) + timedelta(days=off_day)
    check(zone_name, shifts, instant, unit, holidays=(holiday,))


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
@pytest.mark.parametrize("shifts", [SHIFTS, GAPPED, {"all": "00:00-24:00"}], ids=["three", "gapped", "midnight"])
def test_row_31_the_strangest_nights_agree_with_the_oracle(zone_name, change, shifts):
    for hours in range(-40, 41, 5):
        check(zone_name, shifts, change + timedelta(hours=hours, seconds=1))


def test_of_the_day_samoa_skipped_only_the_end_of_its_night_is_left():
    calendar = PlantCalendar("plant", {"x": "Pacific/Apia"}, SHIFTS).for_unit("shift")

    table = calendar.table("x", us(datetime(2011, 12, 28, tzinfo=UTC)), us(datetime(2012, 1, 2, tzinfo=UTC)))

    skipped = table.production_day == oracle.days_since_epoch(date(2011, 12, 30))
    hours = np.diff(table.start_us)[skipped] // 3_600_000_000
    assert [calendar.labels[label] for label in table.label[skipped]] == ["T3"]
    assert hours.tolist() == [6]  # from midnight, where the 31st begins, to 06:00
    assert (np.diff(table.start_us) > 0).all()
