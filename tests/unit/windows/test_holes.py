"""Windows with holes: an interval off inside a window, also where both begin together."""

from __future__ import annotations

import pyarrow as pa
import pytest
from tests.oracles.windows import Row, Window
from tests.unit.windows.drive import Drive, HoledCalendar

from arrowflow.errors import ConfigError, StateRefused
from arrowflow.windows.spec import Aggregate, CalendarWindow, WindowSpec

SCHEMA = pa.schema([("k", pa.string()), ("x", pa.int64())])
N = (Aggregate("n", "count"), Aggregate("total", "sum", "x"))
HOUR = 3_600_000_000
DAY = 24 * HOUR


def week(start, label="T1"):
    return Window(start * DAY, (start + 7) * DAY, label, start)


def off(start, end, day):
    return Window(start, end, "off", day)


def whole(window):
    return [(window.start, window.end, window)]


def cut(window, *holes):
    """Pieces of a window with holes [start, end) in it."""
    pieces, at = [], window.start
    for start, end in holes:
        pieces += [(at, start, window)] * (at < start)
        pieces.append((start, end, off(start, end, start // DAY)))
        at = end
    return [*pieces, *[(at, window.end, window)] * (at < window.end)]


AROUND = [piece for start in range(-203, 0, 7) for piece in whole(week(start))]
LATER = [piece for start in range(14, 210, 7) for piece in whole(week(start))]
MONDAY_OFF = [*AROUND, *cut(week(0), (0, DAY)), *cut(week(7), (8 * DAY, 9 * DAY), (10 * DAY, 11 * DAY)), *LATER]


def spec(pieces=MONDAY_OFF, unit="week", policy="window", **more):
    return WindowSpec(CalendarWindow(HoledCalendar({"a": pieces}), "k", unit, policy), ("k",), N, **more)


def rows(*event_us):
    return [Row("t", 0, offset, at, ("a",), {"x": 1 << offset}) for offset, at in enumerate(event_us)]


def given(outcome):
    return [(row["window_start"] // DAY, row["window_end"] // DAY, row["off"], row["total"]) for row in outcome.results]


def test_a_week_and_the_day_off_it_begins_with_are_two_windows():
    drive = Drive(spec(), SCHEMA, DAY)
    drive.fold(rows(5, DAY, HOUR, 6 * DAY))

    assert drive.operator.open_windows == 2
    assert given(drive.finish()) == [(0, 1, True, 0b0101), (0, 7, False, 0b1010)]
    assert [row["production_day"].toordinal() - 719163 for row in drive.outcome.results] == [0, 0]


@pytest.mark.parametrize("full", [True, False])
def test_they_stay_two_windows_over_a_restart(full):
    drive = Drive(spec(), SCHEMA, 30 * DAY)
    drive.fold(rows(5, DAY))
    drive.close()
    drive.crash(full=full)
    drive.fold([Row("t", 0, 2, HOUR, ("a",), {"x": 4}), Row("t", 0, 3, 2 * DAY, ("a",), {"x": 8})])
    drive.close()
    drive.crash(full=full)

    assert given(drive.finish()) == [(0, 1, True, 0b0101), (0, 7, False, 0b1010)]


def test_the_tombstone_of_the_day_off_leaves_the_week_that_began_with_it():
    drive = Drive(spec(), SCHEMA)
    drive.fold(rows(5, DAY))
    drive.close()
    assert given(drive.outcome) == [(0, 1, True, 1)]  # the day is over, the week is not
    assert drive.operator.open_windows == 1
    drive.crash(full=False)
    drive.fold([Row("t", 0, 2, 2 * DAY, ("a",), {"x": 4})])
    drive.close()
    drive.crash(full=False)

    assert given(drive.finish()) == [(0, 1, True, 1), (0, 7, False, 6)]


def test_a_late_row_corrects_the_hole_or_the_window_around_it_and_not_both():
    drive = Drive(spec(correct_for_us=30 * DAY), SCHEMA)
    drive.fold(rows(5, DAY, 8 * DAY))
    drive.close()
    drive.crash(full=False)
    drive.fold([Row("t", 0, 3, HOUR, ("a",), {"x": 8})])
    drive.close()
    drive.crash(full=True)
    drive.fold([Row("t", 0, 4, 2 * DAY, ("a",), {"x": 16})])
    drive.close()

    assert given(drive.outcome) == [(0, 1, True, 1), (0, 7, False, 2), (0, 1, True, 9), (0, 7, False, 18)]
    assert [row["__af_closed_by"] for row in drive.outcome.results] == ["watermark"] * 2 + ["correction"] * 2


def test_rows_of_a_hole_may_be_dead_letters_and_the_window_is_one():
    drive = Drive(spec(policy="dead_letter"), SCHEMA, 30 * DAY)
    drive.fold(rows(7 * DAY, 8 * DAY, 9 * DAY, 10 * DAY + 5, 11 * DAY))

    assert drive.outcome.rejects == {("t", 0, 1): "off", ("t", 0, 3): "off"}
    assert given(drive.finish()) == [(7, 14, False, 0b10101)]


def test_a_row_in_a_hole_is_late_by_the_end_of_the_hole_and_one_beside_it_by_that_of_the_window():
    drive = Drive(spec(), SCHEMA)
    drive.fold(rows(9 * DAY, 8 * DAY, 7 * DAY))

    assert drive.outcome.late == {("t", 0, 1): (8 * DAY, 9 * DAY)}
    assert given(drive.finish()) == [(7, 14, False, 0b101)]


def test_a_shift_with_a_break_is_one_row():
    shift = Window(0, 8 * HOUR, "T1", 0)
    rest = off(8 * HOUR, DAY, 0)
    days = [piece for day in [*range(-90, 0), *range(1, 90)] for piece in whole(off(day * DAY, (day + 1) * DAY, day))]
    pieces = sorted([*days, *cut(shift, (4 * HOUR, 5 * HOUR)), *whole(rest)], key=lambda piece: piece[0])
    drive = Drive(spec(pieces, "shift"), SCHEMA, DAY)
    drive.fold(rows(5, 4 * HOUR, 5 * HOUR, 8 * HOUR))

    found = [(row["shift"], row["window_start"], row["window_end"], row["total"]) for row in drive.finish().results]
    assert found == [
        ("T1", 0, 8 * HOUR, 0b0101),
        ("off", 4 * HOUR, 5 * HOUR, 0b0010),
        ("off", 8 * HOUR, DAY, 0b1000),
    ]


def test_a_window_that_begins_with_a_hole_longer_than_what_is_asked_for_at_once_is_known_again():
    """Boundaries are asked for in blocks of 51 days: here the window's first piece lies in the block after its start."""
    longest = Window(0, 100 * DAY, "T1", 0)
    days = [
        piece for day in [*range(-90, 0), *range(100, 300)] for piece in whole(off(day * DAY, (day + 1) * DAY, day))
    ]
    pieces = sorted([*days, *cut(longest, (0, 60 * DAY))], key=lambda piece: piece[0])
    drive = Drive(spec(pieces), SCHEMA, DAY)
    drive.fold(rows(70 * DAY))
    drive.close()
    drive.crash(full=True)

    assert given(drive.finish()) == [(0, 100, False, 1)]


def test_a_window_is_whole_though_its_hole_lies_beyond_what_was_asked_for():
    """The week from day 49 on lies over the edge of a block, day 50.9, and its hole more than three days after it."""
    weeks = [*AROUND, *whole(week(0)), *whole(week(7)), *LATER]
    pieces = [piece for piece in weeks if piece[2] != week(49)] + cut(week(49), (54 * DAY, 55 * DAY))
    drive = Drive(spec(sorted(pieces, key=lambda piece: piece[0])), SCHEMA, 30 * DAY)
    drive.fold(rows(50 * DAY))
    drive.fold([Row("t", 0, 1, 55 * DAY, ("a",), {"x": 2}), Row("t", 0, 2, 54 * DAY, ("a",), {"x": 4})])

    assert given(drive.finish()) == [(49, 56, False, 0b011), (54, 55, True, 0b100)]


@pytest.mark.parametrize(
    "moved",
    [
        [*AROUND, *cut(Window(0, 6 * DAY, "T1", 0), (0, DAY)), *whole(Window(6 * DAY, 14 * DAY, "T1", 7)), *LATER],
        [*AROUND, *whole(off(0, DAY, 0)), *whole(Window(DAY, 7 * DAY, "T1", 0)), *whole(week(7)), *LATER],
    ],
    ids=["it ends earlier", "it begins later"],
)
def test_a_window_with_a_hole_at_its_start_whose_bounds_moved_is_refused(moved):
    before = Drive(spec(), SCHEMA, DAY)
    before.fold(rows(5, DAY))
    after = spec(moved).build(SCHEMA)

    with pytest.raises(
        StateRefused, match=r"1 open windows were recorded with other bounds .* recorded \[0, 604800000000\)"
    ):
        after.restore(before.operator.snapshot(), [])


@pytest.mark.parametrize(("unit", "message"), [("shift", "breaks inside shifts"), ("month", "days off inside a month")])
def test_what_looks_at_the_time_between_rows_is_refused_where_there_are_holes(unit, message):
    coverage = (Aggregate("known", "coverage", "x"),)
    window = CalendarWindow(HoledCalendar({"a": MONDAY_OFF}), "k", unit)

    with pytest.raises(ConfigError, match=f"aggregate 'known': the calendar has {message}"):
        WindowSpec(window, ("k",), coverage).plan(SCHEMA)
