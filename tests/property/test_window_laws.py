"""The laws of the window operator: whatever the cutting, the interleaving and the crashes, one answer: the oracle's."""

from __future__ import annotations

import dataclasses
import datetime
import math
from itertools import pairwise

import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.oracles import calendars as plants
from tests.oracles.windows import (
    MAX_US,
    Row,
    Window,
    calendar,
    cumulative,
    holed,
    hopping,
    sessions,
    sliding,
    solve,
    solve_by_rows,
    tumbling,
)
from tests.unit.windows.drive import Drive, HoledCalendar, PlainCalendar, partition_of, slices

from arrowflow.calendars import PlantCalendar
from arrowflow.types import MIN_US
from arrowflow.windows.spec import (
    Aggregate,
    CalendarWindow,
    Cumulative,
    Hopping,
    Session,
    Sliding,
    Tumbling,
    WindowSpec,
)

SCHEMA = pa.schema(
    [
        pa.field("site", pa.string()),
        pa.field("line", pa.int64()),
        pa.field("x", pa.float64()),
        pa.field("i", pa.int64()),
        pa.field("s", pa.string()),
    ]
)
EPOCH = datetime.date(1970, 1, 1)
COMMON, NUMERIC = ("count", "min", "max", "first", "last"), ("sum", "mean")
EVERYTHING = (
    Aggregate("n", "count"),
    *(Aggregate(f"{function}_{column}", function, column) for column in "xis" for function in COMMON),
    *(Aggregate(f"{function}_{column}", function, column) for column in "xi" for function in NUMERIC),
)
FLOATS = st.one_of(
    st.none(),
    st.floats(allow_nan=True, allow_infinity=True, width=64),
    st.sampled_from([0.1, -0.1, 1e308, -1e308, 5e-324, -5e-324, 0.0, -0.0, 1e16, -1e16, 1.0]),
)
INTS = st.one_of(st.none(), st.integers(-(2**40), 2**40), st.just(2**55), st.just(-(2**55)))
TEXTS = st.one_of(st.none(), st.sampled_from(["", "a", "ab", "é", "\U0001f600", "\ue000", "z"]))
law = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
SIZES = st.sampled_from([1, 7, 10, 60])
BASES = st.sampled_from([0, -37, -1_000_000_007, 1_762_000_000_000_000, MIN_US + 3, MAX_US - 200, MAX_US - 60])


def names(spec):
    return [(each.name, each.function, each.column) for each in spec.aggregates]


def normal(value):
    """A form in which equal means bit-equal."""
    if isinstance(value, float):
        return "nan" if math.isnan(value) else value.hex()
    return value


@st.composite
def streams(draw, *, partitioned=False, base=BASES, spread=120, unique=False):
    """Rows of one to three partitions, each in offset order, with holes between offsets."""
    start, rows = draw(base), {}
    for partition in range(draw(st.integers(1, 3))):
        times = draw(st.lists(st.integers(0, spread), max_size=9, unique=unique))
        offset, stream = draw(st.integers(0, 2**40)), []
        for time in times:
            site = draw(st.sampled_from([None, "", "mty", "gdl"]))
            site = f"{partition}{site}" if partitioned else site
            values = {"x": draw(FLOATS), "i": draw(INTS), "s": draw(TEXTS)}
            key = (site, draw(st.sampled_from([None, 1, 2])))
            stream.append(Row("t", partition, offset, min(MAX_US, max(MIN_US, start + time)), key, values))
            offset += draw(st.integers(1, 3))
        rows[partition] = stream
    return rows


@st.composite
def arrivals(draw, rows):
    """The rows of all partitions in one order of arrival, which keeps each partition's own."""
    waiting = {partition: list(stream) for partition, stream in rows.items() if stream}
    order = []
    while waiting:
        partition = draw(st.sampled_from(sorted(waiting)))
        order.append(waiting[partition].pop(0))
        if not waiting[partition]:
            del waiting[partition]
    return order


@st.composite
def specs(draw, scope):
    size = draw(SIZES)
    window = Tumbling(size, draw(st.integers(-100, 100)))
    lateness = draw(st.sampled_from([0, 1, 5, 30]))
    return WindowSpec(window, ("site", "line"), EVERYTHING, lateness, scope)


def run(data, spec, rows, tolerance):
    """Fold rows cut, interleaved and crashed at random; every epoch ends with a close and a delta."""
    drive = Drive(spec, SCHEMA, tolerance)
    partitions = {partition_of(row) for stream in rows.values() for row in stream}
    drive.know(partitions)
    order = data.draw(arrivals(rows))
    cuts = data.draw(st.sets(st.integers(0, max(1, len(order)))))
    for part in slices(order, cuts.__contains__):
        drive.fold(part)
        end = data.draw(st.sampled_from(["slice", "slice", "epoch", "crash", "crash on a full"]))
        if end != "slice":
            drive.close()
        if end.startswith("crash"):
            drive.crash(full=end.endswith("full"))
    return drive.finish()


def by_pane(outcome, spec):
    found = {}
    for row in outcome.results:
        pane = (tuple(row[key] for key in spec.group_by), row["window_start"], row["window_end"])
        assert pane not in found, f"window {pane} came out twice"
        found[pane] = {name: normal(row[name]) for name, _function, _column in names(spec)}
    return found


def expected(answer):
    return {
        (key, window.start, window.end): {name: normal(value) for name, value in values.items()}
        for (key, window), values in answer.results.items()
    }


def check(spec, rows, tolerance, outcome, assign):
    everyone = [row for stream in rows.values() for row in stream]
    answer = solve(everyone, assign, names(spec), tolerance, spec.allowed_lateness_us)
    assert by_pane(outcome, spec) == expected(answer)
    assert outcome.late == answer.late
    assert outcome.rejects == answer.rejects
    assert (
        outcome.folded == outcome.left == len(everyone) - len(answer.late) - len(answer.rejects) - len(answer.between)
    )
    assert outcome.missed == answer.missed
    assert outcome.between == len(answer.between)
    accounted = outcome.folded + len(outcome.late) + len(outcome.rejects) + outcome.between
    assert len(everyone) == accounted, "a row vanished"
    assert all(left <= right for left, right in pairwise(outcome.watermarks)), "the watermark fell"


@law
@given(st.data(), streams(), specs("pipeline"), st.sampled_from([0, 3, 25]))
def test_one_answer_for_any_cut_interleaving_and_crash_under_pipeline_scope(data, rows, spec, tolerance):
    outcome = run(data, spec, rows, tolerance)

    window = spec.window
    check(spec, rows, tolerance, outcome, lambda row: tumbling(row.event_us, window.size_us, window.origin_us))


@law
@given(st.data(), streams(partitioned=True), specs("partition"), st.sampled_from([0, 3, 25]))
def test_one_answer_for_any_cut_interleaving_and_crash_under_partition_scope(data, rows, spec, tolerance):
    outcome = run(data, spec, rows, tolerance)

    window = spec.window
    check(spec, rows, tolerance, outcome, lambda row: tumbling(row.event_us, window.size_us, window.origin_us))


@st.composite
def overlapping(draw):
    size = draw(st.sampled_from([1, 6, 7, 10, 60]))
    origin = draw(st.integers(-100, 100))
    if draw(st.booleans()):
        return Cumulative(
            size, draw(st.sampled_from([step for step in (1, 2, 3, 5, 7, 10, 30) if size % step == 0])), origin
        )
    return Hopping(size, draw(st.sampled_from([1, 2, 3, 5, 6, 7, 10, 13, 90])), origin)


def windows_of(window, event):
    if isinstance(window, Hopping):
        return hopping(event, window.size_us, window.hop_us, window.origin_us)
    return cumulative(event, window.size_us, window.step_us, window.origin_us)


@law
@given(
    st.data(),
    overlapping(),
    st.sampled_from([0, 1, 5, 30]),
    st.sampled_from(["pipeline", "partition"]),
    st.sampled_from([0, 3, 25]),
)
def test_overlapping_windows_have_one_answer_too(data, window, lateness, scope, tolerance):
    """A row that missed some of its windows is in none of those, whoever shares a pane with it."""
    rows = data.draw(streams(partitioned=scope == "partition"))
    spec = WindowSpec(window, ("site", "line"), EVERYTHING, lateness, scope)

    outcome = run(data, spec, rows, tolerance)

    check(spec, rows, tolerance, outcome, lambda row: windows_of(window, row.event_us))


def alone(window, event):
    before = after = window.size_us if isinstance(window, Sliding) else window.gap_us
    if isinstance(window, Sliding):
        after = 0
    elif window.max_length_us is not None:
        before, after = 1, max(window.gap_us, window.max_length_us)
    if event < MIN_US + before or event >= MAX_US - after:
        return "out_of_range"
    if isinstance(window, Sliding):
        return Window(event - window.size_us, event)
    return Window(event, event + min(window.gap_us, window.max_length_us or window.gap_us))


def grouped(window, times):
    if isinstance(window, Sliding):
        return sliding(times, window.size_us, window.closed)
    return sessions(times, window.gap_us, window.max_length_us)


BY_ROWS = st.one_of(
    st.builds(Session, st.sampled_from([1, 4, 5, 10, 40])),
    st.builds(Session, st.sampled_from([1, 4, 10, 40]), st.sampled_from([1, 3, 10, 25])),
    st.builds(Sliding, st.sampled_from([1, 5, 10, 50]), st.sampled_from(["right", "both"])),
)


@law
@given(
    st.data(),
    BY_ROWS,
    st.sampled_from([0, 1, 5, 30]),
    st.sampled_from(["pipeline", "partition"]),
    st.sampled_from([0, 3, 25]),
)
def test_windows_that_depend_on_the_rows_have_one_answer_too(data, window, lateness, scope, tolerance):
    """Late by the row's own time, before it meets any other row: so nothing hangs on which partner is still open."""
    rows = data.draw(streams(partitioned=scope == "partition"))
    spec = WindowSpec(window, ("site", "line"), EVERYTHING, lateness, scope)

    outcome = run(data, spec, rows, tolerance)

    everyone = [row for stream in rows.values() for row in stream]
    answer = solve_by_rows(
        everyone,
        lambda times: grouped(window, times),
        lambda event: alone(window, event),
        names(spec),
        tolerance,
        lateness,
    )
    found = sorted(
        repr(
            (
                (row["site"], row["line"]),
                row["window_start"],
                row["window_end"],
                [normal(row[n]) for n, _f, _c in names(spec)],
            )
        )
        for row in outcome.results
    )
    wanted = sorted(
        repr((key, at.start, at.end, [normal(value) for value in values.values()]))
        for (key, at, _n), values in answer.results.items()
    )
    assert found == wanted
    assert (outcome.late, outcome.rejects, outcome.missed) == (answer.late, answer.rejects, {})
    assert outcome.folded == outcome.left == len(everyone) - len(answer.late) - len(answer.rejects)


DAYS = st.sampled_from([("T1", "T2", "off"), ("T1", "T3"), ("off",), ("T2", "off", "T3")])


@st.composite
def timetables(draw):
    """Consecutive named windows of uneven length, several to a day, over the streams' span with far room on both sides."""
    pattern = draw(st.lists(st.tuples(DAYS, st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=3))
    start = draw(st.integers(-160, -150))
    windows = [Window(-(2**44), -(2**43), "off", -2), Window(-(2**43), start, "off", -1)]
    day = 0
    while windows[-1].end < 350:
        labels, first, rest = pattern[day % len(pattern)]
        for i, label in enumerate(labels):
            at = windows[-1].end
            windows.append(Window(at, at + (rest if i else first), label, day))
        day += 1
    end = windows[-1].end
    return [*windows, Window(end, 2**43, "off", day), Window(2**43, 2**44, "off", day + 1)]


@law
@given(
    st.data(),
    streams(base=st.just(0)),
    st.lists(timetables(), min_size=2, max_size=2),
    st.sampled_from(["shift", "day"]),
    st.sampled_from(["window", "dead_letter"]),
    st.sampled_from([0, 5]),
    st.booleans(),
)
def test_calendar_windows_have_one_answer_too(data, rows, tables, unit, off, tolerance, clip):
    windows = {"mty": tables[0], "gdl": tables[1], None: tables[0]}
    spec = WindowSpec(CalendarWindow(PlainCalendar(windows, clip), "site", unit, off), ("site", "line"), EVERYTHING, 2)
    outcome = run(data, spec, rows, tolerance)

    check(spec, rows, tolerance, outcome, lambda row: calendar(row.event_us, windows.get(row.key[0]), unit, off))
    for row in outcome.results:
        window = calendar(row["window_start"], windows[row["site"]], unit, "window")
        assert row.get("shift", window.label) == window.label
        assert row["production_day"].toordinal() - EPOCH.toordinal() == window.day


CUTS = st.lists(st.tuples(st.sets(st.integers(1, 8), max_size=4), st.integers(0, 1)), min_size=1, max_size=3)


@st.composite
def timetables_with_holes(draw):
    """The same, some windows cut by intervals called off: at their start, at their end, anywhere; more than one."""
    pieces, pattern = [], draw(CUTS)
    for number, window in enumerate(draw(timetables())):
        cuts, turn = pattern[number % len(pattern)]
        edges = {window.start, window.end}
        if window.label != "off":
            edges |= {window.start + cut for cut in cuts if window.start + cut < window.end}
        spans = list(pairwise(sorted(edges)))
        turn = turn if len(spans) > 1 else 0
        for place, (start, end) in enumerate(spans):
            hole = place % 2 != turn
            pieces.append((start, end, Window(start, end, "off", window.day) if hole else window))
    return pieces


@law
@given(
    st.data(),
    streams(base=st.just(0), spread=20),  # near each other, so that a hole and the window around it are often both open
    st.lists(timetables_with_holes(), min_size=2, max_size=2),
    st.sampled_from(["shift", "week", "month"]),
    st.sampled_from(["window", "dead_letter"]),
    st.sampled_from([0, 5]),
)
def test_windows_with_holes_have_one_answer_too(data, rows, tables, unit, off, tolerance):
    pieces = {"mty": tables[0], "gdl": tables[1], None: tables[0]}
    spec = WindowSpec(CalendarWindow(HoledCalendar(pieces), "site", unit, off), ("site", "line"), EVERYTHING, 2)
    outcome = run(data, spec, rows, tolerance)

    check(spec, rows, tolerance, outcome, lambda row: holed(row.event_us, pieces.get(row.key[0]), off))
    for row in outcome.results:
        bounds = (row["window_start"], row["window_end"])
        (window,) = {w for _start, _end, w in pieces[row["site"]] if (w.start, w.end) == bounds}
        assert row["production_day"].toordinal() - EPOCH.toordinal() == window.day
        assert row.get("shift", window.label) == window.label
        assert row.get("off", window.label == "off") == (window.label == "off")


PLANTS = {"mty": "America/Monterrey", "gdl": "America/Tijuana"}
RULES = plants.Rules(
    {"T1": "06:00-14:00", "T2": "14:00-22:00", "T3": "22:00-06:00"},
    {"T1": ("10:00-10:30",), "T3": ("01:30-02:30",)},
    (datetime.date(2025, 10, 27), datetime.date(2025, 11, 1), datetime.date(2025, 11, 5)),
)
"""A Monday, a first of the month and a Wednesday are off, around the night in which Tijuana puts its clocks back."""


def plant_window(row, rules, off):
    """The window that plain zoneinfo code gives the row, or why it has none."""
    if row.key[0] not in PLANTS:
        return "no_calendar"
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    instant = epoch + datetime.timedelta(microseconds=row.event_us)
    ((_, _, label, day, opens, closes),) = plants.pieces_at(plants.load(PLANTS[row.key[0]]), rules, instant)
    if label == "off" and off == "dead_letter":
        return "off"
    start, end = ((at - epoch) // datetime.timedelta(microseconds=1) for at in (opens, closes))
    return Window(start, end, label, plants.days_since_epoch(day))


@law
@given(
    st.data(),
    streams(base=st.just(0), spread=240),
    st.sampled_from(["shift", "day", "week", "month"]),
    st.sampled_from(["window", "dead_letter"]),
    st.sampled_from(plants.WEEKDAYS),
)
def test_weeks_months_and_shifts_with_breaks_of_real_plants_have_one_answer_too(data, rows, unit, off, weekday):
    """Rows a few hours apart from 24 October to 7 November 2025."""
    start = int(datetime.datetime(2025, 10, 24, 7, 59, tzinfo=datetime.UTC).timestamp()) * 10**6
    rows = {
        partition: [
            Row("t", row.partition, row.offset, start + row.event_us * 10**10 // 2, row.key, row.values)
            for row in stream
        ]
        for partition, stream in rows.items()
    }
    rules = dataclasses.replace(RULES, unit=unit, week_starts=weekday)
    calendar = PlantCalendar("site", PLANTS, rules.shifts, rules.holidays, breaks=rules.breaks)
    bounds = calendar.for_unit(unit, week_starts=weekday if unit == "week" else None)
    spec = WindowSpec(CalendarWindow(bounds, "site", unit, off), ("site", "line"), EVERYTHING, 10**10)
    outcome = run(data, spec, rows, 10**11)

    check(spec, rows, 10**11, outcome, lambda row: plant_window(row, rules, off))


@law
@given(st.data(), streams(unique=True, spread=500), specs("pipeline"))
def test_order_inside_the_tolerance_changes_nothing(data, rows, spec):
    tolerance = 500
    shuffled = {}
    for partition, stream in rows.items():
        order = data.draw(st.permutations(stream))
        moved = zip(order, stream, strict=True)
        shuffled[partition] = [Row("t", partition, at.offset, row.event_us, row.key, row.values) for row, at in moved]

    straight, other = run(data, spec, rows, tolerance), run(data, spec, shuffled, tolerance)

    assert not straight.late
    assert not other.late
    assert by_pane(straight, spec) == by_pane(other, spec)


@law
@given(st.data(), streams(base=st.sampled_from([0, -37])), specs("pipeline"), st.integers(-(10**9), 10**9))
def test_shifting_time_by_whole_windows_shifts_the_windows(data, rows, spec, times):
    by = times * spec.window.size_us
    moved = {
        partition: [Row("t", row.partition, row.offset, row.event_us + by, row.key, row.values) for row in stream]
        for partition, stream in rows.items()
    }

    here, there = run(data, spec, rows, 3), run(data, spec, moved, 3)

    shifted = {(key, start + by, end + by): values for (key, start, end), values in by_pane(here, spec).items()}
    assert by_pane(there, spec) == shifted
    assert there.late == {place: (start + by, end + by) for place, (start, end) in here.late.items()}


@law
@given(st.data(), streams(), specs("pipeline"))
def test_the_digest_depends_on_the_rows_alone(data, rows, spec):
    """Two operators that hold the same rows, however they came, have the same digest."""
    digests = []
    for _ in range(2):
        drive = Drive(spec, SCHEMA, 10**6)
        order = data.draw(arrivals(rows))
        cuts = data.draw(st.sets(st.integers(0, max(1, len(order)))))
        for part in slices(order, cuts.__contains__):
            drive.fold(part)
            if data.draw(st.booleans()):
                drive.operator.digest()
            if data.draw(st.booleans()):
                drive.close()
                drive.crash(full=data.draw(st.booleans()))
        digests.append(drive.operator.digest())

    assert digests[0] == digests[1]
