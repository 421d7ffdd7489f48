"""Who is expected, what comes of silent keys, and which rosters are refused."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from tests.oracles.windows import Row, Window
from tests.unit.windows.drive import Drive, HoledCalendar, PlainCalendar

from arrowflow.errors import ConfigError, StateRefused
from arrowflow.types import MIN_US
from arrowflow.windows.digest import digest_of
from arrowflow.windows.grids import Even
from arrowflow.windows.rollcall import _spans
from arrowflow.windows.roster import MOST_NAMES
from arrowflow.windows.shapes import MAX_US
from arrowflow.windows.spec import (
    Aggregate,
    CalendarWindow,
    Cumulative,
    Hopping,
    Roster,
    Session,
    Sliding,
    Tumbling,
    WindowSpec,
)

UTC = pa.timestamp("us", tz="UTC")
SCHEMA = pa.schema(
    [
        pa.field("plant", pa.string()),
        pa.field("sensor", pa.int64()),
        pa.field("day", pa.date32()),
        pa.field("ok", pa.bool_()),
        pa.field("at", UTC),
        pa.field("x", pa.float64()),
    ]
)
BY = ("plant", "sensor")
ROWS_AND_MEAN = (Aggregate("n", "count"), Aggregate("values", "count", "x"), Aggregate("x", "mean", "x"))
FOUR = pa.table({"plant": ["mty", "mty", "gdl", "gdl"], "sensor": [1, 2, 1, 2]})


def spec(window=None, roster=None, **kwargs):
    roster = Roster(FOUR) if roster is None else roster
    return WindowSpec(
        window or Tumbling(10), kwargs.pop("by", BY), kwargs.pop("aggregates", ROWS_AND_MEAN), roster=roster, **kwargs
    )


def row(event, plant, sensor, offset=None):
    return Row(
        "t",
        0,
        event if offset is None else offset,
        event,
        (plant, sensor),
        {"x": 1.0, "day": None, "ok": None, "at": None},
    )


def told(rows):
    names = ("plant", "sensor", "window_start", "status", "reported", "expected", "missing")
    return [tuple(each[name] for name in names) for each in rows]


def run(spec_, rows, tolerance=0):
    drive = Drive(spec_, SCHEMA, tolerance)
    for each in rows:
        drive.fold([each])
        drive.close()
    return drive.finish().results


def test_a_window_says_who_reported_and_a_silent_key_has_a_row_without_values():
    found = run(spec(), [row(1, "mty", 1), row(2, "gdl", 1), row(3, "gdl", 2), row(4, "gdl", 2)])

    silent = ["mty / 2"]
    assert told(found) == [
        ("gdl", 1, 0, "reported", 3, 4, silent),
        ("gdl", 2, 0, "reported", 3, 4, silent),
        ("mty", 1, 0, "reported", 3, 4, silent),
        ("mty", 2, 0, "no_data", 3, 4, silent),
    ]
    assert [(each["n"], each["values"], each["x"]) for each in found] == [
        (1, 1, 1.0),
        (2, 2, 1.0),
        (1, 1, 1.0),
        (None, None, None),
    ]
    assert {each["__af_closed_by"] for each in found} == {"end_of_input"}


def test_keys_are_counted_within_what_per_names():
    found = run(spec(roster=Roster(FOUR, ("plant",))), [row(1, "mty", 1), row(3, "gdl", 2)])

    assert told(found) == [
        ("gdl", 1, 0, "no_data", 1, 2, ["1"]),
        ("gdl", 2, 0, "reported", 1, 2, ["1"]),
        ("mty", 1, 0, "reported", 1, 2, ["2"]),
        ("mty", 2, 0, "no_data", 1, 2, ["2"]),
    ]


def test_a_key_that_is_not_on_the_roster_has_a_row_too_and_counts_for_nobody():
    found = run(spec(roster=Roster(FOUR, ("plant",))), [row(1, "mty", 9), row(2, "qro", 1), row(3, None, None)])

    strange = {each[:2]: each[3:] for each in told(found) if each[3] == "unexpected"}
    assert strange == {
        ("mty", 9): ("unexpected", 0, 2, ["1", "2"]),
        ("qro", 1): ("unexpected", 0, 0, []),
        (None, None): ("unexpected", 0, 0, []),
    }
    assert [each[:2] for each in told(found)] == [
        ("gdl", 1), ("gdl", 2), ("mty", 1), ("mty", 2), ("mty", 9), ("qro", 1), (None, None),
    ]  # fmt: skip


def test_a_window_in_which_nobody_was_heard_has_a_row_for_everybody():
    found = run(spec(), [row(1, "mty", 1), row(25, "mty", 1)])

    between = [each for each in told(found) if each[2] == 10]
    assert between == [
        (plant, sensor, 10, "no_data", 0, 4, ["gdl / 1", "gdl / 2", "mty / 1", "mty / 2"])
        for plant in ("gdl", "mty")
        for sensor in (1, 2)
    ]


def test_time_that_goes_on_without_rows_gives_windows_until_the_silence_is_too_long():
    roster = Roster(FOUR, max_silence_us=30)
    operator = spec(roster=roster).build(SCHEMA)
    drive = Drive(spec(roster=roster), SCHEMA)
    drive.operator = operator
    drive.fold([row(5, "mty", 1)])

    ends = [sorted(set(_ends(operator.close({}, watermark)))) for watermark in (9, 10, 29, 30, 1000, MAX_US)]

    assert ends == [[], [10], [20], [30], [40], []]


def _ends(closed):
    return closed.table.column("window_end").cast(pa.int64()).to_pylist()


def test_no_silence_at_all_means_windows_in_which_somebody_was_heard_and_no_other():
    found = run(spec(roster=Roster(FOUR, max_silence_us=0)), [row(1, "mty", 1), row(75, "mty", 1)])

    assert {each["window_start"] for each in found} == {0, 70}


def test_before_the_first_row_there_are_no_windows():
    operator = spec().build(SCHEMA)

    assert operator.close({}, 10**9).windows == 0
    assert operator.close_fed_by(None, "end_of_input").windows == 0
    assert operator.interim().num_rows == 0
    assert operator.digest() == "0" * 32


@pytest.mark.parametrize(
    ("window", "starts"),
    [
        (Hopping(20, 10), [-10, 0, 10, 20, 30]),
        (Hopping(5, 20), [0, 20]),
        (Cumulative(20, 10), [0, 0, 20, 20]),
    ],
)
def test_overlapping_windows_are_called_one_by_one(window, starts):
    events = [row(1, "mty", 1), row(21 if window == Hopping(5, 20) else 33, "mty", 1)]

    found = run(spec(window), events)

    silent = [each for each in told(found) if each[:2] == ("gdl", 2)]
    assert [each[2] for each in silent] == starts
    assert {each[3] for each in silent} == {"no_data"}


def test_a_row_without_values_is_a_report_all_the_same():
    empty = Row("t", 0, 1, 1, ("mty", 1), {"x": None, "day": None, "ok": None, "at": None})

    (found,) = (each for each in run(spec(), [empty]) if each["status"] == "reported")

    assert (found["n"], found["values"], found["x"], found["reported"]) == (1, 0, None, 1)


def test_nobody_is_expected_in_an_interval_called_off():
    far = [Window(-(2**44), -(2**43), "T1", -2), Window(-(2**43), 0, "T1", -1)]
    near = [Window(0, 10, "T1", 0), Window(10, 20, "off", 0), Window(20, 30, "T1", 1)]
    windows = [*far, *near, Window(30, 2**43, "T1", 2), Window(2**43, 2**44, "T1", 3)]
    shifts = CalendarWindow(PlainCalendar({"mty": windows, "gdl": windows}), "plant", "shift")

    found = run(spec(shifts, Roster(FOUR)), [row(5, "mty", 1), row(15, "mty", 1), row(25, "gdl", 1)])

    assert [each[1:] for each in told(found) if each[2] == 10] == [(1, 10, "reported", 1, 0, [])]
    assert len([each for each in told(found) if each[2] == 0]) == 4


def test_a_day_is_off_only_if_all_of_it_is():
    far = [Window(-(2**44), -(2**43), "T1", -2), Window(-(2**43), 0, "T1", -1)]
    near = [Window(0, 5, "off", 0), Window(5, 10, "T1", 0), Window(10, 20, "off", 1), Window(20, 30, "T1", 2)]
    windows = [*far, *near, Window(30, 2**43, "T1", 3), Window(2**43, 2**44, "T1", 4)]
    days = CalendarWindow(PlainCalendar({"mty": windows, "gdl": windows}), "plant", "day")

    found = run(spec(days), [row(7, "mty", 1), row(15, "mty", 1), row(25, "gdl", 1)])

    assert {each[2]: each[5] for each in told(found) if each[0] == "mty"} == {0: 2, 10: 0, 20: 2}


@pytest.mark.parametrize("off", ["window", "dead_letter"])
def test_windows_that_end_with_a_hole_and_the_hole_itself_are_told_apart(off):
    """A break in a shift, and a day off at the end of a week: what fills a hole is a window in which nobody is expected."""
    far = [Window(-(2**44), -(2**43), "T1", -2), Window(-(2**43), 0, "T1", -1)]
    with_break, week = Window(0, 30, "T1", 0), Window(30, 50, "T1", 1)
    near = [
        (0, 10, with_break), (10, 20, Window(10, 20, "off", 0)), (20, 30, with_break),
        (30, 40, week), (40, 50, Window(40, 50, "off", 1)),
    ]  # fmt: skip
    rest = [Window(50, 2**43, "T1", 2), Window(2**43, 2**44, "T1", 3)]
    pieces = [*((each.start, each.end, each) for each in far), *near, *((each.start, each.end, each) for each in rest)]
    shifts = CalendarWindow(HoledCalendar({"mty": pieces, "gdl": pieces}), "plant", "shift", off)

    found = run(
        spec(shifts), [row(5, "mty", 1), row(15, "mty", 1), row(35, "gdl", 2), row(45, "gdl", 2), row(55, "mty", 2)]
    )

    heard = {
        (each["window_start"], each["window_end"], each["plant"]): each["reported"]
        for each in found
        if each["expected"]
    }
    assert heard == {
        (0, 30, "mty"): 1, (0, 30, "gdl"): 0, (30, 50, "mty"): 0, (30, 50, "gdl"): 1,
        (50, 2**43, "mty"): 1, (50, 2**43, "gdl"): 0,
    }  # fmt: skip
    between = [(each["window_start"], each["window_end"], each["status"]) for each in found if not each["expected"]]
    assert between == ([(10, 20, "reported"), (40, 50, "reported")] if off == "window" else [])


def test_names_of_missing_keys_are_bounded_and_the_numbers_are_not():
    many = Roster(pa.table({"plant": ["mty"] * 250, "sensor": list(range(250))}))

    found = run(spec(roster=many), [row(1, "mty", 7)])

    assert {(each["reported"], each["expected"], len(each["missing"])) for each in found} == {(1, 250, MOST_NAMES)}
    assert found[0]["missing"][:8] == [f"mty / {sensor}" for sensor in (0, 1, 2, 3, 4, 5, 6, 8)]


def test_results_come_in_the_order_they_always_come_in():
    rows = [row(1, "mty", 2), row(2, "zzz", 1), row(3, "gdl", 2), row(14, "abc", 5), row(15, "mty", 1)]
    operator = spec().build(SCHEMA)
    drive = Drive(spec(), SCHEMA, 100)
    drive.operator = operator
    for each in rows:
        drive.fold([each])

    table = operator.close({}, 100).table

    keys = list(zip(*(table.column(name).to_pylist() for name in ("window_start", "plant", "sensor")), strict=True))
    assert keys == sorted(keys)
    assert len(keys) == 10 * 4 + 2


def test_the_order_does_not_depend_on_what_keys_are_counted_per():
    rows = [row(1, "mty", 2), row(2, "gdl", 2)]

    found = run(spec(roster=Roster(FOUR, ("sensor",))), rows)

    assert [each[:2] for each in told(found)] == [("gdl", 1), ("gdl", 2), ("mty", 1), ("mty", 2)]
    assert [each[4:] for each in told(found)] == [(0, 2, ["gdl", "mty"]), (2, 2, [])] * 2


def test_rows_are_not_given_out_twice_after_a_restart_whatever_was_told():
    """The position is told with the delta, also of an epoch in which no pane changed; a snapshot in between takes nothing."""
    drive = Drive(spec(), SCHEMA)
    drive.fold([row(5, "mty", 1)])
    drive.deltas.append(drive.operator.delta())
    for watermark in (10, 20, 30):
        drive.operator.close({}, watermark)
        drive.operator.snapshot()
        drive.deltas.append(drive.operator.delta())
        assert drive.operator.delta().num_rows == 0
    drive.crash(full=False)

    assert drive.operator.delta().num_rows == 0
    assert _ends(drive.operator.close({}, 30)) == []
    assert _ends(drive.operator.close({}, 40)) == [40] * 4


def test_the_state_says_how_far_the_roster_was_called():
    drive = Drive(spec(), SCHEMA)
    drive.fold([row(5, "mty", 1)])
    assert drive.operator.snapshot().column("roster.settled_us").to_pylist() == [None]
    drive.operator.close({}, 30)

    snapshot = drive.operator.snapshot()

    assert snapshot.select(["rows", "roster.settled_us", "roster.heard_us"]).to_pylist() == [
        {"rows": None, "roster.settled_us": 30, "roster.heard_us": 10}
    ]
    assert drive.operator.open_windows == drive.operator.folded_rows == 0
    assert drive.operator.digest() == digest_of(snapshot.select(["roster.settled_us", "roster.heard_us"]))


def test_a_state_without_a_roster_is_refused_by_name_and_the_other_way_round():
    bare = WindowSpec(Tumbling(10), BY, ROWS_AND_MEAN)

    with pytest.raises(StateRefused, match=r"no roster\.settled_us, and this pipeline has a roster"):
        spec().build(SCHEMA).restore(bare.build(SCHEMA).snapshot(), [])
    with pytest.raises(StateRefused, match=r"roster\.settled_us: int64 in the snapshot, absent in this pipeline"):
        bare.build(SCHEMA).restore(spec().build(SCHEMA).snapshot(), [])


def test_another_roster_counts_in_the_windows_that_are_still_to_come():
    drive = Drive(spec(), SCHEMA)
    drive.fold([row(5, "mty", 1)])
    drive.fold([row(15, "mty", 1)])
    drive.close()
    drive.spec = spec(roster=Roster(pa.table({"plant": ["mty", "qro"], "sensor": [1, 7]})))
    drive.operator = drive.spec.build(SCHEMA)
    drive.operator.restore(None, drive.deltas)

    found = told(drive.finish().results)

    assert [each[5] for each in found if each[2] == 0] == [4] * 4
    assert [each for each in found if each[2] == 10] == [
        ("mty", 1, 10, "reported", 1, 2, ["qro / 7"]),
        ("qro", 7, 10, "no_data", 1, 2, ["qro / 7"]),
    ]


def test_interim_results_say_who_is_missing_so_far_and_change_nothing():
    drive = Drive(spec(), SCHEMA)
    drive.fold([row(5, "mty", 1)])
    digest = drive.operator.digest()

    interim = drive.operator.interim()

    assert interim.column("status").to_pylist() == ["no_data", "no_data", "reported", "no_data"]
    assert interim.column("__af_closed_by").to_pylist() == [None] * 4
    assert drive.operator.digest() == digest
    assert len(drive.finish().results) == 4


def test_a_thousand_plants_with_keys_that_come_and_go_are_found_again():
    """Group keys are numbered anew when most of them are gone; members are looked up again then."""
    members = Roster(pa.table({"plant": [f"p{n}" for n in range(50)], "sensor": [1] * 50}))
    drive = Drive(spec(roster=members, by=BY), SCHEMA)
    for turn in range(60):
        rows = [row(10 * turn, f"p{turn % 50}", 1, 1000 * turn)]
        rows += [row(10 * turn, f"x{turn}-{n}", 1, 1000 * turn + n) for n in range(1, 60)]
        drive.fold(rows)
        drive.close()

    found = drive.finish().results

    silent = {(each["window_start"] // 10, each["plant"]) for each in found if each["status"] == "no_data"}
    assert silent == {(turn, f"p{n}") for turn in range(60) for n in range(50) if n != turn % 50}
    assert {(each["reported"], each["expected"]) for each in found} == {(1, 50)}
    assert len(found) == 60 * (59 + 50)


@pytest.mark.parametrize(
    ("heard", "silence", "first", "last", "spans"),
    [
        ([10], 5, 10, 12, [(10, 12)]),
        ([10], 5, 10, 20, [(10, 15)]),
        ([10, 15, 21], 5, 8, 40, [(10, 20), (21, 26)]),
        ([10, 15], 5, 12, 18, [(12, 18)]),
        ([10], 5, 16, 40, []),
        ([MIN_US + 5, MAX_US - 5], 3, MIN_US, MAX_US, [(MIN_US + 5, MIN_US + 8), (MAX_US - 5, MAX_US - 2)]),
        ([MIN_US + 5, MAX_US - 5], MAX_US, MIN_US, MAX_US, [(MIN_US + 5, MIN_US + 5 + MAX_US), (MAX_US - 5, MAX_US)]),
        ([0, 10], 0, 0, 10, [(0, 0), (10, 10)]),
    ],
)
def test_ends_of_windows_are_looked_for_near_those_that_were_heard(heard, silence, first, last, spans):
    assert _spans(np.array(heard, np.int64), silence, first, last) == spans


@pytest.mark.parametrize("window", [Tumbling(60), Hopping(60, 100), Cumulative(60, 20)])
def test_near_the_ends_of_time_there_are_windows_only_where_they_fit(window):
    grid = Even(window)

    assert len(grid.ending(MAX_US - 3, MAX_US - 2).end_us) == 0
    late = grid.ending(MAX_US - 200, MAX_US)
    assert (np.diff(late.end_us) > 0).all()
    assert (late.start_us < late.end_us).all()
    assert len(grid.ending(MIN_US, MIN_US).end_us) == 0


# ---- what is refused ----------------------------------------------------------------------------------------


def table(**columns):
    return pa.table(columns)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (table(plant=pa.array([], pa.string()), sensor=pa.array([], pa.int64())), "it has no keys"),
        (
            pa.Table.from_arrays([pa.array(["a"])] * 2, names=["plant", "plant"]),
            "two of its columns are called 'plant'",
        ),
        (table(plant=["a"], sensr=[1]), "its column 'sensr' is no group key; the group keys are plant, sensor"),
        (table(plant=["a"]), "the column 'sensor' is missing"),
        (table(plant=["a"], sensor=[1.5]), "column 'sensor' is double, and the rows' is int64"),
        (table(plant=[7], sensor=[1]), "column 'plant' is int64, and the rows' is string"),
        (table(plant=["a", "b"], sensor=["1", "one"]), "sensor = 'one' in row 2 is no int64"),
        (
            table(plant=["a"], sensor=pa.array([2**63], pa.uint64())),
            "sensor = 9223372036854775808 in row 1 is no int64",
        ),
        (table(plant=["a", "b", "a"], sensor=[1, 1, 1]), "the key plant = 'a', sensor = 1 is there twice; list"),
        (table(plant=[None, "b", None, "b"], sensor=[1, 1, 1, 1]), "is there twice, and 1 more"),
    ],
)
def test_a_list_that_is_no_roster_is_refused(keys, said):
    with pytest.raises(ConfigError) as refused:
        spec(roster=Roster(keys)).plan(SCHEMA)

    assert str(refused.value).startswith("roster: ")
    assert said in str(refused.value)


CALENDAR = CalendarWindow(
    PlainCalendar({"mty": [Window(-(2**50), 0, "T1", 0), Window(0, 2**50, "T1", 1)]}), "plant", "shift"
)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (spec(Session(10)), "a session window is there only where its key has rows"),
        (spec(Sliding(10)), "a sliding window is there only where its key has rows"),
        (spec(scope="partition"), 'under scope = "partition" nobody knows'),
        (spec(correct_for_us=100), 'late = "correct" would have to correct the counts'),
        (spec(by=()), "there are none: name the columns in group_by"),
        (spec(roster=Roster(FOUR, ("plnt",))), "per names 'plnt', which is no group key"),
        (spec(roster=Roster(FOUR, ("plant", "plant"))), "per names 'plant' twice"),
        (spec(roster=Roster(FOUR, ("plant", "sensor"))), "per names every group key"),
        (spec(CALENDAR, Roster(FOUR, ("sensor",))), "per must contain 'plant', the key of the calendar"),
        (spec(CALENDAR), "plant = 'gdl' has no calendar"),
        (spec(roster=Roster(FOUR, max_silence_us=10**9)), "more than 20000000 rows at once; set max_silence to at most 50000000 µs"),
    ],
)  # fmt: skip
def test_a_roster_that_cannot_be_called_is_refused(given, said):
    with pytest.raises(ConfigError) as refused:
        given.plan(SCHEMA)

    assert str(refused.value).startswith("roster: ")
    assert said in str(refused.value)


def test_as_many_rows_of_silence_as_are_allowed_are_allowed():
    assert spec(roster=Roster(FOUR, max_silence_us=50_000_000)).plan(SCHEMA).roster.silence_us == 50_000_000
    with pytest.raises(ConfigError, match="more than 20000000 rows"):
        spec(roster=Roster(FOUR, max_silence_us=50_000_010)).plan(SCHEMA)


def test_unless_told_otherwise_silence_is_a_thousand_windows_or_a_quarter_of_a_million_rows():
    def planned(keys, window):
        table = pa.table({"plant": ["mty"] * keys, "sensor": list(range(keys))})
        return spec(window, Roster(table)).plan(SCHEMA).roster.silence_us

    day = 86_400_000_000
    assert [planned(keys, Hopping(30, 10)) for keys in (1, 250, 500, 400_000)] == [10_000, 10_000, 5_000, 10]
    assert [planned(keys, CALENDAR) for keys in (1, 170, 625, 400_000)] == [366 * day, 366 * day, 100 * day, day]


def test_a_negative_silence_is_refused():
    with pytest.raises(ConfigError, match="max_silence is -1 µs"):
        Roster(FOUR, max_silence_us=-1)


@pytest.mark.parametrize("name", ["status", "reported", "expected", "missing"])
def test_the_columns_of_a_roster_are_taken(name):
    with pytest.raises(ConfigError, match=f"aggregate '{name}': every window result has a column of that name"):
        spec(aggregates=(Aggregate(name, "count"),)).plan(SCHEMA)
    assert spec(roster=None, aggregates=(Aggregate("n", "count"),))
    bare = WindowSpec(Tumbling(10), BY, (Aggregate(name, "count"),))
    assert name in bare.output_schema(SCHEMA).names


def test_text_is_read_as_what_the_key_is():
    by = ("plant", "sensor", "day", "ok", "at")
    keys = {"plant": ["a"], "sensor": ["7"], "day": ["2025-11-02"], "ok": ["true"], "at": ["2025-11-02T06:00:00Z"]}

    planned = spec(by=by, roster=Roster(pa.table(keys))).plan(SCHEMA).roster

    assert [column[0].as_py() for column in planned.columns[:2]] == ["a", 7]
    assert [str(column.type) for column in planned.columns] == [
        "string",
        "int64",
        "date32[day]",
        "bool",
        "timestamp[us, tz=UTC]",
    ]
    assert planned.columns[4].view(pa.int64())[0].as_py() == 1_762_063_200_000_000


def test_a_time_without_a_zone_is_no_key():
    naive = pa.table({"at": pa.array([0], pa.timestamp("us"))})

    with pytest.raises(ConfigError, match=r"column 'at' is timestamp\[us\], and the rows' is timestamp\[us, tz=UTC\]"):
        spec(by=("at",), roster=Roster(naive)).plan(SCHEMA)


def test_dictionaries_other_integers_and_other_units_are_the_same_keys():
    by = ("plant", "sensor", "at")
    keys = pa.table(
        {
            "at": pa.array([1_762_063_200], pa.timestamp("s", "America/Monterrey")),
            "plant": pa.array(["a"]).dictionary_encode(),
            "sensor": pa.array([7], pa.uint8()),
        }
    )

    planned = spec(by=by, roster=Roster(keys)).plan(SCHEMA).roster

    assert [column.type for column in planned.columns] == [pa.string(), pa.int64(), UTC]
    assert planned.columns[2].view(pa.int64())[0].as_py() == 1_762_063_200_000_000


def test_the_fingerprint_says_which_keys_whatever_their_order():
    shuffled = FOUR.take([2, 0, 3, 1]).select(["sensor", "plant"])
    other = FOUR.slice(1)

    assert Roster(FOUR).fingerprint() == Roster(shuffled).fingerprint() != Roster(other).fingerprint()
    assert Roster(FOUR).fingerprint()["keys"]["count"] == 4
    assert "roster" not in WindowSpec(Tumbling(10), BY, ROWS_AND_MEAN).fingerprint()


def test_keys_may_be_times_and_dates_of_any_age():
    ages = {
        "at": pa.array([-(2**62), 2**62], pa.int64()).view(UTC),
        "day": pa.array([-(2**30), 2**30], pa.int32()).view(pa.date32()),
        "ok": pa.array([True, None], pa.bool_()),
    }
    roster = Roster(pa.table(ages), ("ok",))

    assert roster.fingerprint()["keys"]["count"] == 2
    operator = spec(by=("at", "day", "ok"), roster=roster).build(SCHEMA)
    assert operator.restore(operator.snapshot(), []) is None
    names = operator._rollcall._members.names.to_pylist()
    assert [len(name.split(" / ")) for name in names] == [2, 2]


def test_every_aggregate_of_a_silent_key_is_null():
    everything = tuple(
        Aggregate(name, name, "x", arguments)
        for name, arguments in (
            ("sum", ()), ("mean", ()), ("min", ()), ("max", ()), ("first", ()), ("last", ()), ("var", ()), ("stddev", ()),
            ("count_distinct", ()), ("quantile", (0.5,)), ("time_weighted_mean", ()), ("coverage", ()), ("counter_delta", ()),
        )
    )  # fmt: skip

    found = run(spec(aggregates=everything), [row(1, "mty", 1), row(25, "mty", 1)])

    silent = [each for each in found if each["status"] == "no_data"]
    assert len(silent) == 3 * 4 - 2
    assert {each[aggregate.name] for each in silent for aggregate in everything} == {None}
