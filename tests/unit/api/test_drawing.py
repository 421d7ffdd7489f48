"""`af.draw`: what a picture says in words is held against the oracle; what is drawn is counted against the words."""

from __future__ import annotations

import datetime as dt
import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.oracles import windows as oracle

import arrowflow as af
from arrowflow.errors import ConfigError

SECOND = 1_000_000
SVG = "{http://www.w3.org/2000/svg}"
WINDOWS = {
    "tumbling": (af.Tumbling("10s"), lambda t: [oracle.tumbling(t, 10, 0)]),
    "hopping": (af.Hopping("10s", "4s"), lambda t: oracle.hopping(t, 10, 4)),
    "with room between": (af.Hopping("4s", "10s"), lambda t: oracle.hopping(t, 4, 10)),
    "cumulative": (af.Cumulative("12s", "4s"), lambda t: oracle.cumulative(t, 12, 4)),
}
BY_ROWS = {
    "session": (af.Session("4s"), lambda times: oracle.sessions(times, 4)),
    "session of a length": (af.Session("4s", max_length="9s"), lambda times: oracle.sessions(times, 4, 9)),
    "sliding": (af.Sliding("5s"), lambda times: oracle.sliding(times, 5, "right")),
    "sliding, both": (af.Sliding("5s", closed="both"), lambda times: oracle.sliding(times, 5, "both")),
}
TOLERANCE = 3


def drawn(window, times, **settings):
    return ET.fromstring(af.draw(window, [time * SECOND for time in times], **settings))


def told(picture):
    """(start, end) in seconds to the rows that a window is said to hold, counted from 0; and who is late for which."""
    held, late = [], []
    for start, end, rows, missed in re.findall(
        r"[\[(](\S+), (\S+?)[\])] (?:holds rows? ([\d, ]+)|never came out)(?:; rows? ([\d, ]+) came too late for it)?\.",
        picture[1].text,
    ):
        bounds = (seconds(start), seconds(end))
        held += [(bounds, [int(n) - 1 for n in rows.split(", ")])] if rows else []
        late += [(int(n) - 1, bounds) for n in missed.split(", ") if n]
    return sorted(held), late


def seconds(clock):
    """Of the first day, or of the last one before it."""
    h, m, s = map(int, clock.split(":") if clock.count(":") == 2 else [*clock.split(":"), 0])
    return h * 3600 + m * 60 + s - (86_400 if h > 12 else 0)


def clocks(times):
    """The partition's clock just before each row."""
    return [max(times[:at], default=-(10**6)) - TOLERANCE for at in range(len(times))]


TIMES = st.lists(st.integers(0, 40), min_size=1, max_size=14)


@pytest.mark.parametrize("name", WINDOWS)
@given(times=TIMES)
def test_windows_of_fixed_bounds_hold_what_the_oracle_says(name, times):
    window, windows_of = WINDOWS[name]
    right, late = {}, []
    for row, (time, clock) in enumerate(zip(times, clocks(times), strict=True)):
        for each in windows_of(time):
            if each.end <= clock:
                late.append((row, (each.start, each.end)))
            else:
                right.setdefault((each.start, each.end), []).append(row)

    held, said_late = told(drawn(window, times, max_out_of_orderness=f"{TOLERANCE}s"))

    assert held == sorted(right.items())
    # A window of overlapping ones that nobody was in time for is not drawn, so nobody is said to have missed it.
    shown = set(right) if name != "tumbling" else {bounds for _, bounds in late} | set(right)
    assert sorted(said_late) == sorted((row, bounds) for row, bounds in late if bounds in shown)


@pytest.mark.parametrize("name", BY_ROWS)
@given(times=TIMES)
def test_windows_that_depend_on_the_rows_hold_what_the_oracle_says(name, times):
    window, group = BY_ROWS[name]
    on_time = [row for row, clock in enumerate(clocks(times)) if times[row] >= clock]
    right = [
        ((each.start, each.end), sorted(on_time[at] for at in places))
        for each, places in group([times[row] for row in on_time])
    ]

    held, late = told(drawn(window, times, max_out_of_orderness=f"{TOLERANCE}s"))

    assert held == sorted(right)
    assert {row for row, _ in late} == set(range(len(times))) - set(on_time)


def test_there_is_a_dot_for_each_row_a_window_holds_and_a_cross_for_each_it_missed():
    picture = drawn(af.Hopping("10s", "4s"), [1, 2, 9, 30, 8, 3, 25], max_out_of_orderness="5s")
    held, late = told(picture)

    dots = [each for each in picture.iter(f"{SVG}circle") if each.get("r") == "4.5"]
    crosses = list(picture.iter(f"{SVG}path"))
    bars = [each for each in picture.iter(f"{SVG}rect") if each.get("class") == "bar"]
    signs = [each.get("class") for each in picture.iter(f"{SVG}circle") if each.get("r") == "9"]
    assert len(dots) == sum(len(rows) for _, rows in held)
    assert len(crosses) == len(late) > 0
    assert len(bars) == len(held)
    assert signs == ["row", "row", "row", "row", "late", "late", "row"]


def test_a_bar_goes_from_its_start_to_its_end_and_a_dot_stands_at_its_row():
    picture = drawn(af.Tumbling("10s"), [5, 15])
    first, second = (each for each in picture.iter(f"{SVG}rect") if each.get("class") == "bar")
    dots = [float(each.get("cx")) for each in picture.iter(f"{SVG}circle") if each.get("r") == "4.5"]
    edges = [(float(bar.get("x")), float(bar.get("x")) + float(bar.get("width"))) for bar in (first, second)]

    assert edges[0][1] == pytest.approx(edges[1][0], abs=0.11)
    assert [sum(edge) / 2 for edge in edges] == pytest.approx(dots, abs=0.11)


def test_shifts_have_their_names_and_the_clock_of_their_zone():
    plants = af.PlantCalendar("site", {"t": "America/Tijuana"}, {"night": "22:00-06:00"})
    row = dt.datetime(2025, 11, 2, 9, 30, tzinfo=dt.UTC)

    svg = af.draw(af.Shifts(plants), [row], key="t", zone="America/Tijuana")

    assert "night [22:00, 06:00) holds row 1." in svg
    assert ">9h, 1 row<" in svg


def test_rows_that_have_no_window_are_said_so():
    plants = af.PlantCalendar("site", {"t": "America/Tijuana"}, {"night": "22:00-06:00"})
    noon = dt.datetime(2025, 11, 2, 20, tzinfo=dt.UTC)

    svg = af.draw(af.Shifts(plants, off="dead_letter"), [noon, noon - dt.timedelta(hours=10)], key="t")

    assert "In no window: row 1." in svg
    assert "ring: in no window" in svg


def test_equal_arguments_give_equal_text_and_a_title_is_text():
    one, other = (af.draw(af.Tumbling("1m"), [5, 6], title="a < b & c") for _ in range(2))

    assert one == other
    assert ET.fromstring(one)[0].text == "a < b & c"


@pytest.mark.parametrize("rows", [[0], [0, 1], [0, 10**15], [-(10**15), 3], [10**6 - 1, 10**6], list(range(62))])
def test_any_span_of_time_is_a_picture(rows):
    picture = ET.fromstring(af.draw(af.Tumbling("400d"), rows))

    assert len(list(picture.iter(f"{SVG}line"))) < 20
    assert all(0 <= float(each.get("cx")) <= 860 for each in picture.iter(f"{SVG}circle"))


@pytest.mark.parametrize(
    ("window", "rows", "settings", "sentence"),
    [
        (af.Tumbling("1m"), [], {}, "0 rows; a picture shows 1 to 62"),
        (af.Tumbling("1m"), list(range(63)), {}, "63 rows"),
        (af.Hopping("1h", "1s"), [0], {}, "3600 windows; a picture shows at most 200"),
        (af.Tumbling("1m"), [dt.datetime(2026, 1, 1)], {}, r"rows\[0\].*has no zone"),  # noqa: DTZ001
        (af.Tumbling("1m"), [0], {"zone": "America/Tihuana"}, "did you mean 'America/Tijuana'"),
        (af.Tumbling("1m"), [0], {"max_out_of_orderness": "soon"}, "max_out_of_orderness: 'soon'"),
    ],
)
def test_what_cannot_be_drawn_is_refused_with_a_sentence(window, rows, settings, sentence):
    with pytest.raises(ConfigError, match=sentence):
        af.draw(window, rows, **settings)
