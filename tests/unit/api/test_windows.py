"""Time as people write it becomes the window core's own descriptions."""

from __future__ import annotations

import datetime as dt

import pytest

import arrowflow as af
from arrowflow.api.aggregates import aggregates_of
from arrowflow.api.spans import datetime_of, instant_us
from arrowflow.errors import ConfigError
from arrowflow.types import MIN_US
from arrowflow.windows import spec

MINUTE = 60_000_000
PLANTS = af.PlantCalendar("planta", {"monterrey": "America/Monterrey"}, {"T1": "06:00-14:00"})


@pytest.mark.parametrize(
    ("made", "meant"),
    [
        (af.Tumbling("8h"), spec.Tumbling(480 * MINUTE)),
        (af.Tumbling(dt.timedelta(minutes=1), origin="30s"), spec.Tumbling(MINUTE, 30_000_000)),
        (af.Tumbling(5), spec.Tumbling(5)),
        (
            af.Tumbling("1d", origin=dt.datetime(1970, 1, 1, 6, tzinfo=dt.UTC)),
            spec.Tumbling(1440 * MINUTE, 360 * MINUTE),
        ),
        (af.Hopping("30m", "5m"), spec.Hopping(30 * MINUTE, 5 * MINUTE)),
        (af.Hopping("30m", "5m", origin=-MINUTE), spec.Hopping(30 * MINUTE, 5 * MINUTE, -MINUTE)),
        (af.Cumulative("1d", "1h"), spec.Cumulative(1440 * MINUTE, 60 * MINUTE)),
        (af.Sliding("10m"), spec.Sliding(10 * MINUTE, "right")),
        (af.Sliding("10m", closed="both"), spec.Sliding(10 * MINUTE, "both")),
        (af.Session("10m"), spec.Session(10 * MINUTE)),
        (af.Session("10m", max_length="1h"), spec.Session(10 * MINUTE, 60 * MINUTE)),
        (af.Shifts(PLANTS), spec.CalendarWindow(PLANTS.for_unit("shift"), "planta", "shift")),
        (
            af.Shifts(PLANTS, "day", off="dead_letter"),
            spec.CalendarWindow(PLANTS.for_unit("day"), "planta", "day", "dead_letter"),
        ),
        (
            af.Shifts(PLANTS, "week", week_starts="sunday"),
            spec.CalendarWindow(PLANTS.for_unit("week", week_starts="sunday"), "planta", "week"),
        ),
        (af.Shifts(PLANTS, "month"), spec.CalendarWindow(PLANTS.for_unit("month"), "planta", "month")),
    ],
    ids=str,
)
def test_a_constructor_gives_the_cores_own_description(made, meant):
    assert made == meant


@pytest.mark.parametrize("size", ["8 hours", "", 1.5, None, True, "0s", -1, dt.timedelta(0)])
def test_what_is_no_length_of_a_window_is_refused(size):
    with pytest.raises(ConfigError, match="size"):
        af.Tumbling(size)


def test_a_microsecond_is_not_lost_in_a_timedelta_of_years():
    assert af.Tumbling(dt.timedelta(days=36_500, microseconds=1)).size_us == 36_500 * 86_400_000_000 + 1


def test_an_instant_is_exact_and_needs_a_zone():
    last = dt.datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=dt.UTC)

    assert datetime_of(instant_us("to", last)) == last
    with pytest.raises(ConfigError, match=r"to: .* has no zone"):
        instant_us("to", dt.datetime(2025, 1, 1))  # noqa: DTZ001


def test_instants_beyond_what_a_datetime_holds_are_the_nearest_and_minus_infinity_is_none():
    assert datetime_of(2**63 - 1).year == 9999
    assert datetime_of(MIN_US + 1).year == 1
    assert datetime_of(MIN_US) is None


def test_an_aggregate_is_text_or_a_call():
    texts = {"n": "count()", "all": "count(*)", "some": "count(x)", "a": "sum(x)", "b": "mean(x)", "c": "min(x)"}
    calls = {
        "n": af.count(),
        "all": af.count(),
        "some": af.count("x"),
        "a": af.sum("x"),
        "b": af.mean("x"),
        "c": af.min("x"),
    }

    assert aggregates_of(texts) == aggregates_of(calls)
    assert aggregates_of({"d": "max(x)", "e": "first(x)", "f": "last(x)"}) == aggregates_of(
        {"d": af.max("x"), "e": af.first("x"), "f": af.last("x")}
    )


@pytest.mark.parametrize("given", ["mean", "avg(x)", "mean()", 3, None, ("mean", "x")])
def test_what_is_no_aggregate_is_refused_by_the_name_of_its_column(given):
    with pytest.raises(ConfigError, match="aggregate 'speed'"):
        aggregates_of({"speed": given})


def test_every_public_name_loads():
    assert all(getattr(af, name).__doc__ for name in af.__all__)
    assert sorted(af.__all__) == sorted(af._HOMES)
