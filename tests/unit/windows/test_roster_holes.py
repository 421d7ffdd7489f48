"""A roster over windows with holes: every window is called once, whatever lies inside it or ends together with it."""

from __future__ import annotations

import pyarrow as pa
from tests.oracles.windows import Row
from tests.unit.windows.drive import Drive, HoledCalendar
from tests.unit.windows.test_holes import AROUND, DAY, LATER, cut, week, whole

from arrowflow.windows.roster import Roster
from arrowflow.windows.spec import Aggregate, CalendarWindow, WindowSpec

SCHEMA = pa.schema([("k", pa.string()), ("m", pa.string())])


def test_a_week_that_begins_and_ends_with_a_day_off_is_called_once_and_its_days_off_expect_nobody():
    holes = [(0, DAY), (3 * DAY, 4 * DAY), (6 * DAY, 7 * DAY)]
    pieces = [*AROUND, *cut(week(0), *holes), *whole(week(7)), *LATER]
    window = CalendarWindow(HoledCalendar({"a": pieces}), "k", "week")
    roster = Roster(pa.table({"k": ["a", "a"], "m": ["x", "y"]}), ("k",))
    spec = WindowSpec(window, ("k", "m"), (Aggregate("n", "count"),), roster=roster)
    drive = Drive(spec, SCHEMA)
    times = [-DAY, 2 * DAY, 6 * DAY + 5, 15 * DAY]
    drive.fold([Row("t", 0, offset, at, ("a", "x"), {}) for offset, at in enumerate(times)])
    drive.close()

    found = [
        (r["window_start"] // DAY, r["window_end"] // DAY, r["off"], r["m"], r["n"]) for r in drive.outcome.results
    ]
    assert found == [
        (-7, 0, False, "x", 1),
        (-7, 0, False, "y", None),
        (0, 7, False, "x", 1),
        (0, 7, False, "y", None),
        (6, 7, True, "x", 1),
        (7, 14, False, "x", None),
        (7, 14, False, "y", None),
    ]
