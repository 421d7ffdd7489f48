"""The laws of the roster: who is missing where is a function of the rows, whatever the cutting, interleaving and crashes."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.oracles.roster import NO_ONE, Told, roll
from tests.oracles.windows import MAX_US, Window, calendar, solve, tumbling
from tests.property.test_window_laws import (
    SCHEMA,
    arrivals,
    names,
    normal,
    overlapping,
    streams,
    timetables,
    windows_of,
)
from tests.unit.windows.drive import Drive, PlainCalendar, partition_of, slices

from arrowflow.windows.clocks import raise_floor
from arrowflow.windows.spec import (
    Aggregate,
    CalendarWindow,
    Cumulative,
    Hopping,
    Roster,
    Tumbling,
    WindowSpec,
)

BY = ("site", "line")
SOME = (Aggregate("n", "count"), Aggregate("x", "sum", "x"), Aggregate("s", "last", "s"), Aggregate("k", "count", "i"))
SITES, LINES = (None, "", "mty", "gdl", "qro"), (None, 1, 2, 3)
law = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
LATENESS, TOLERANCE = st.sampled_from([0, 1, 5, 30]), st.sampled_from([0, 3, 25])
SILENCE = st.sampled_from([None, 0, 15, 60])
IDLE = st.sampled_from([None, 20, 150, 400])
"""How far after the start of the stream every partition's floor is at its end: time goes on although no row comes."""


@st.composite
def rosters(draw, sites=SITES, *, calendar=False):
    """Keys, some of which have rows and some of which never have; and what they are counted per."""
    keys = draw(
        st.lists(st.tuples(st.sampled_from(sites), st.sampled_from(LINES)), min_size=1, max_size=7, unique=True)
    )
    per = draw(st.sampled_from([None, ("site",)] if calendar else [None, (), ("site",), ("line",)]))
    table = pa.table(
        {
            "line": pa.array([key[1] for key in keys], pa.int64()),
            "site": pa.array([key[0] for key in keys], pa.string()),
        }
    )
    return keys, Roster(table, per, draw(SILENCE))


def run(data, spec, rows, tolerance, idle):
    """Fold rows cut, interleaved and crashed at random; return what came out and up to where windows are settled."""
    drive = Drive(spec, SCHEMA, tolerance)
    drive.know({partition_of(row) for stream in rows.values() for row in stream})
    order = data.draw(arrivals(rows))
    cuts = data.draw(st.sets(st.integers(0, max(1, len(order)))))
    for part in slices(order, cuts.__contains__):
        drive.fold(part)
        end = data.draw(st.sampled_from(["slice", "slice", "epoch", "crash", "crash on a full"]))
        if end != "slice":
            drive.close()
        if end.startswith("crash"):
            drive.crash(full=end.endswith("full"))
    if idle is not None and order:
        floor = min(MAX_US, min(row.event_us for row in order) + idle)
        drive.clocks = {partition: raise_floor(clock, floor) for partition, clock in drive.clocks.items()}
    drive.close()
    settled = drive.watermark() - spec.allowed_lateness_us
    if data.draw(st.booleans()):
        drive.crash(full=data.draw(st.booleans()))
    return drive.finish(), settled


def check(spec, rows, tolerance, outcome, settled, *, assign, ending, keys, stride):
    everyone = [row for stream in rows.values() for row in stream]
    answer = solve(everyone, assign, names(spec), tolerance, spec.allowed_lateness_us)
    values = {
        (key, window.start, window.end): {name: normal(value) for name, value in row.items()}
        for (key, window), row in answer.results.items()
    }
    silence = spec.roster.max_silence_us
    own = spec.roster.per
    per = (0,) if own is None and isinstance(spec.window, CalendarWindow) else [BY.index(name) for name in own or ()]
    told = roll(answer, keys, per, ending, settled, 1000 * stride if silence is None else silence)
    found = {}
    for row in outcome.results:
        pane = (tuple(row[name] for name in BY), row["window_start"], row["window_end"])
        assert pane not in found, f"window {pane} came out twice"
        found[pane] = Told(row["status"], row["reported"], row["expected"], tuple(sorted(row["missing"])))
        nothing = dict.fromkeys(name for name, _function, _column in names(spec))
        assert {name: normal(row[name]) for name in nothing} == values.get(pane, nothing)
    assert found == told
    assert outcome.late == answer.late
    accounted = outcome.folded + len(outcome.late) + len(outcome.rejects) + outcome.between
    assert outcome.folded == outcome.left, "rows without data count for nothing"
    assert len(everyone) == accounted, "a row vanished"


@law
@given(st.data(), streams(), rosters(), st.sampled_from([1, 7, 10, 60]), LATENESS, TOLERANCE, IDLE)
def test_who_is_missing_does_not_depend_on_the_cutting(data, rows, roster, size, lateness, tolerance, idle):
    keys, expected = roster
    window = Tumbling(size, data.draw(st.integers(-100, 100)))
    spec = WindowSpec(window, BY, SOME, lateness, roster=expected)

    def ending(_key, end):
        return Window(end - size, end) if (end - window.origin_us) % size == 0 else None

    outcome, settled = run(data, spec, rows, tolerance, idle)

    def assign(row):
        return tumbling(row.event_us, size, window.origin_us)

    check(spec, rows, tolerance, outcome, settled, assign=assign, ending=ending, keys=keys, stride=size)


@law
@given(st.data(), streams(), rosters(), overlapping(), LATENESS, TOLERANCE, IDLE)
def test_nor_where_windows_overlap(data, rows, roster, window, lateness, tolerance, idle):
    keys, expected = roster
    spec = WindowSpec(window, BY, SOME, lateness, roster=expected)

    def ending(_key, end):
        if isinstance(window, Hopping):
            return (
                Window(end - window.size_us, end)
                if (end - window.size_us - window.origin_us) % window.hop_us == 0
                else None
            )
        if (end - window.origin_us) % window.step_us:
            return None
        return Window(window.origin_us + (end - 1 - window.origin_us) // window.size_us * window.size_us, end)

    outcome, settled = run(data, spec, rows, tolerance, idle)

    stride = window.step_us if isinstance(window, Cumulative) else window.hop_us

    def assign(row):
        return windows_of(window, row.event_us)

    check(spec, rows, tolerance, outcome, settled, assign=assign, ending=ending, keys=keys, stride=stride)


@law
@given(
    st.data(),
    streams(base=st.just(0)),
    rosters((None, "mty", "gdl"), calendar=True),
    st.lists(timetables(), min_size=2, max_size=2),
    st.sampled_from(["shift", "day"]),
    st.sampled_from(["window", "dead_letter"]),
    TOLERANCE,
    st.sampled_from([None, 20, 150]),
)
def test_nor_where_every_plant_has_its_own_windows(data, rows, roster, tables, unit, off, tolerance, idle):
    """In an interval called off nobody is expected; a day is off if all of it is."""
    keys, expected = roster
    windows = {"mty": tables[0], "gdl": tables[1], None: tables[0]}
    spec = WindowSpec(CalendarWindow(PlainCalendar(windows), "site", unit, off), BY, SOME, 2, roster=expected)

    def ending(key, end):
        held = windows[key[0]]
        window = calendar(end - 1, held, unit, "window")
        if window.end != end:
            return None
        inside = [each.label for each in held if window.start <= each.start and each.end <= window.end]
        return Window(window.start, end, NO_ONE if set(inside) == {"off"} else None)

    outcome, settled = run(data, spec, rows, tolerance, idle)

    def assign(row):
        return calendar(row.event_us, windows.get(row.key[0]), unit, off)

    year = 366 * 86_400_000_000
    check(spec, rows, tolerance, outcome, settled, assign=assign, ending=ending, keys=keys, stride=year // 1000)
    for row in outcome.results:
        window = calendar(row["window_start"], windows[row["site"]], unit, "window")
        assert row.get("shift", window.label) == window.label
        assert row["production_day"].toordinal() - 719_163 == window.day


@law
@given(st.data(), streams(), rosters(), st.sampled_from([7, 10]), IDLE)
def test_the_digest_and_the_open_windows_say_the_same_however_it_was_cut(data, rows, roster, size, idle):
    spec = WindowSpec(Tumbling(size), BY, SOME, 3, roster=roster[1])
    found = []
    for _ in range(2):
        drive = Drive(spec, SCHEMA, 3)
        drive.know({partition_of(row) for stream in rows.values() for row in stream})
        order = data.draw(arrivals(rows))
        cuts = data.draw(st.sets(st.integers(0, max(1, len(order)))))
        for part in slices(order, cuts.__contains__):
            drive.fold(part)
            if data.draw(st.booleans()):
                drive.close()
                drive.operator.interim()
        if idle is not None and order:
            floor = min(MAX_US, min(row.event_us for row in order) + idle)
            drive.clocks = {partition: raise_floor(clock, floor) for partition, clock in drive.clocks.items()}
        drive.close()
        interim = [{**row, "s": repr(row["s"]), "x": repr(row["x"])} for row in _plain(drive.operator.interim())]
        found.append((drive.operator.digest(), Counter(map(repr, interim))))

    assert found[0] == found[1]


def _plain(table):
    for at, each in enumerate(table.schema):
        if pa.types.is_timestamp(each.type):
            table = table.set_column(at, each.name, table.column(at).cast(pa.int64()))
    return table.to_pylist()
