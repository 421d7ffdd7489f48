"""Local date and hour for path columns."""

from datetime import UTC, date, datetime

import numpy as np
import pytest
from tests.oracles import calendars as oracle

from arrowflow.calendars import PlantCalendar

ZONES = {"tijuana": "America/Tijuana", "lord_howe": "Australia/Lord_Howe", "apia": "Pacific/Apia", "utc": "UTC"}


def us(*when):
    return int(datetime(*when, tzinfo=UTC).timestamp()) * 1_000_000


def civil(key, instants):
    days, hours = PlantCalendar("planta", ZONES).civil_time().civil(key, np.array(instants, np.int64))
    assert (days.dtype, hours.dtype) == ("int32", "int32")
    return list(zip(days.tolist(), hours.tolist(), strict=True))


def test_the_evening_in_tijuana_is_not_yet_tomorrow():
    assert civil("tijuana", [us(2025, 6, 3, 5)]) == [((date(2025, 6, 2) - date(1970, 1, 1)).days, 22)]


@pytest.mark.parametrize("key", [None, "leon"])
def test_an_unknown_key_is_utc(key):
    assert civil(key, [0, -1]) == [(0, 0), (-1, 23)]


@pytest.mark.parametrize("key", ZONES)
def test_civil_time_equals_zoneinfo_at_every_seventh_hour_of_many_years(key):
    zone = oracle.load(ZONES[key])
    instants = [
        *range(us(1969, 1, 1), us(1972, 1, 1), 7 * 3_600_000_000),
        *range(us(2010, 6, 1), us(2012, 6, 1), 7 * 3_600_000_000),
        *range(us(2036, 1, 1), us(2041, 1, 1), 7 * 3_600_000_000),
        *(us(year, 7, 1, 12) for year in range(2, 9999, 400)),
    ]

    expected = []
    for instant in instants:
        local = oracle.civil(zone, datetime(1970, 1, 1, tzinfo=UTC) + oracle.timedelta(microseconds=instant))
        expected.append((oracle.days_since_epoch(local.date()), local.hour))

    assert civil(key, instants) == expected


def test_the_ends_of_int64_do_not_overflow():
    ends = civil("tijuana", [-(2**63), 2**63 - 1])

    assert ends[0][0] < -719_000
    assert ends[1][0] > 2_932_000


def test_no_instants_give_no_rows():
    assert civil("tijuana", []) == []
