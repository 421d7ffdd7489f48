from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from tests.oracles.windows import MAX_US, Row, Window
from tests.unit.windows.drive import Drive, PlainCalendar, batch_of

from arrowflow.errors import ConfigError, PromiseBroken
from arrowflow.types import MIN_US, SourcePartition
from arrowflow.windows.spec import Aggregate, CalendarWindow, Hopping, Session, Sliding, Tumbling, WindowSpec

SCHEMA = pa.schema([pa.field("k", pa.string()), pa.field("v", pa.int64())])
N = (Aggregate("n", "count"),)
A, B = SourcePartition("in", "t", 0), SourcePartition("in", "t", 1)


def row(event, key="a", value=1, partition=0, offset=None):
    return Row("t", partition, event % 2**40 if offset is None else offset, event, (key,), {"v": value})


def spec(size=10, lateness=0, scope="pipeline", aggregates=N, origin=0):
    return WindowSpec(Tumbling(size, origin), ("k",), aggregates, lateness, scope)


def fold_at(operator_spec, event, clock):
    """One row against a given clock: its late window, or None if it was folded."""
    operator = operator_spec.build(SCHEMA)
    folded = operator.fold(batch_of([row(event)], SCHEMA, ("k",), np.array([clock], np.int64)))
    assert folded.folded + (folded.late is not None) + len(folded.rejects) == 1
    assert operator.folded_rows == folded.folded
    if folded.rejects:
        return folded.rejects[0].reason
    return None if folded.late is None else (int(folded.late.window_start_us[0]), int(folded.late.window_end_us[0]))


#   ...[-10, 0)[0 .......... 10)[10, 20)...
@pytest.mark.parametrize(
    ("event", "clock", "lateness", "late"),
    [
        (0, 9, 0, None),  # window start; clock one before the window's end
        (0, 10, 0, (0, 10)),  # clock at the end: the window is over
        (0, 11, 0, (0, 10)),
        (9, 9, 0, None),  # last instant of the window, at the clock
        (9, 10, 0, (0, 10)),  # event at clock - 1
        (10, 10, 0, None),  # the end belongs to the next window; event at the clock
        (10, 19, 0, None),
        (10, 20, 0, (10, 20)),
        (-1, -1, 0, None),  # before Unix time zero
        (-1, 0, 0, (-10, 0)),
        (-10, -1, 0, None),
        (-11, -10, 0, (-20, -10)),
        (0, 14, 5, None),  # lateness moves the edge by itself
        (0, 15, 5, (0, 10)),
        (0, MIN_US, 0, None),
        (0, MAX_US, 0, (0, 10)),
        (0, MAX_US, MAX_US, None),  # the sum saturates
        (-(10**18), MAX_US, MAX_US, (-(10**18), -(10**18) + 10)),
    ],
)
def test_row_34_half_open_to_the_microsecond(event, clock, lateness, late):
    assert fold_at(spec(lateness=lateness), event, clock) == late


@pytest.mark.parametrize(
    ("watermark", "lateness", "closed"),
    [(9, 0, 0), (10, 0, 1), (14, 5, 0), (15, 5, 1), (MIN_US, 0, 0), (MIN_US, MAX_US, 0), (MAX_US, MAX_US, 0)],
)
def test_row_34_a_window_closes_when_its_patience_is_over(watermark, lateness, closed):
    operator = spec(lateness=lateness).build(SCHEMA)
    operator.fold(batch_of([row(3)], SCHEMA, ("k",), np.array([MIN_US])))

    assert operator.close({A: MAX_US}, watermark).windows == closed


@pytest.mark.parametrize("event", [MIN_US, MIN_US + 7, MAX_US, MAX_US - 7])
def test_a_window_that_does_not_fit_into_int64_is_a_dead_letter(event):
    assert fold_at(spec(), event, MIN_US) == "out_of_range"


@pytest.mark.parametrize(("event", "fate"), [(MIN_US + 9, "out_of_range"), (MIN_US + 10, None)])
def test_no_window_starts_at_minus_infinity(event, fate):
    assert fold_at(spec(origin=MIN_US + 20), event, MIN_US) == fate


@pytest.mark.parametrize("edge", [MIN_US + 150, MAX_US - 150], ids=["first", "last"])
@pytest.mark.parametrize("step", [1, -1])
def test_a_row_out_of_range_is_so_after_a_row_of_its_pane_that_is_not(edge, step):
    """Panes are 30 µs long: rows on both sides of the edge share one."""
    window = Hopping(60, 90, edge % 30 - 15)
    rows = [row(edge - 3 * step, offset=0), row(edge + 3 * step, offset=1)]
    fates = []
    for parts in ([rows], [rows[:1], rows[1:]]):
        drive = Drive(WindowSpec(window, ("k",), (Aggregate("n", "count"),)), SCHEMA, 1000)
        for part in parts:
            drive.fold(part)
        fates.append((drive.outcome.rejects, drive.outcome.between, drive.outcome.folded))

    assert fates[0] == fates[1]


@pytest.mark.parametrize("window", [Sliding(10), Session(10), Session(10, 10)], ids=["sliding", "session", "pieces"])
@pytest.mark.parametrize("before", [0, 1])
def test_what_would_end_at_the_last_microsecond_is_out_of_range_and_the_rest_closes_at_the_end(window, before):
    drive = Drive(WindowSpec(window, ("k",), (Aggregate("n", "count"),)), SCHEMA)
    after = 0 if isinstance(window, Sliding) else 10

    drive.fold([row(MAX_US - after - before)])

    assert len(drive.finish().results) == before
    assert len(drive.outcome.rejects) == 1 - before


@pytest.mark.parametrize(
    ("event", "origin", "start"),
    [
        (29, 0, 20),
        (29, 3, 23),
        (22, 3, 13),
        (29, -7, 23),
        (22, -7, 13),
        (29, 33, 23),
        (29, MAX_US, 27),
        (26, MAX_US, 17),
    ],
)
def test_the_origin_moves_every_window(event, origin, start):
    operator = spec(origin=origin).build(SCHEMA)
    operator.fold(batch_of([row(event)], SCHEMA, ("k",), np.array([MIN_US])))

    (held,) = operator.snapshot().to_pylist()
    assert (held["window_start_us"], held["window_end_us"]) == (start, start + 10)


def test_results_are_ordered_by_window_and_key_with_null_apart_from_empty():
    drive = Drive(spec(aggregates=(Aggregate("n", "count"), Aggregate("v", "sum", "v"))), SCHEMA, 100)
    keys = ["b", None, "", "a", "b", "é", "Z"]
    drive.fold(
        [row(event, key, 1, offset=i) for i, (event, key) in enumerate(zip([15, 5, 5, 5, 5, 5, 5], keys, strict=True))]
    )

    found = [(each["window_start"], each["k"], each["n"]) for each in drive.finish().results]

    assert found == [(0, "", 1), (0, "Z", 1), (0, "a", 1), (0, "b", 1), (0, "é", 1), (0, None, 1), (10, "b", 1)]


def test_the_table_says_who_closed_a_window():
    drive = Drive(spec(), SCHEMA)
    drive.fold([row(5), row(15)])
    drive.close()

    assert [each["__af_closed_by"] for each in drive.finish().results] == ["watermark", "end_of_input"]


def test_a_slow_partition_holds_pipeline_windows_and_loses_nothing():
    drive = Drive(spec(), SCHEMA).know([A, B])
    drive.fold([row(5), row(100)])
    drive.close()
    assert drive.outcome.results == []

    drive.fold([row(6, partition=1), row(50, partition=1)])
    drive.close()

    assert [(each["window_start"], each["n"]) for each in drive.outcome.results] == [(0, 2)]


def test_partition_scope_closes_by_the_clock_of_the_feeder_alone():
    drive = Drive(spec(scope="partition"), SCHEMA).know([A, B])
    drive.fold([row(5, "a"), row(100, "a")])
    drive.fold([row(5, "b", partition=1)])
    drive.close()

    assert [(each["k"], each["window_start"]) for each in drive.outcome.results] == [("a", 0)]
    assert drive.operator.open_windows == 2


def test_a_key_from_a_second_partition_breaks_the_promise_of_partition_scope():
    drive = Drive(spec(scope="partition"), SCHEMA)
    drive.fold([row(5, "a")])

    with pytest.raises(PromiseBroken) as broken:
        drive.fold([row(25, "a", partition=1)])

    for part in ("k = 'a'", "t[0]", "t[1]", 'scope = "pipeline"'):
        assert part in str(broken.value)
    assert drive.operator.folded_rows == 1


def test_a_key_may_move_to_another_partition_once_its_windows_are_closed():
    drive = Drive(spec(scope="partition"), SCHEMA)
    drive.fold([row(5, "a"), row(100, "b")])
    drive.close()

    drive.fold([row(25, "a", partition=1)])

    assert drive.operator.open_windows == 2


def test_the_promise_is_kept_across_a_restore():
    drive = Drive(spec(scope="partition"), SCHEMA)
    drive.fold([row(5, "a")])
    drive.close()
    drive.crash(full=False)

    with pytest.raises(PromiseBroken):
        drive.fold([row(25, "a", partition=1)])


def test_closing_what_a_silent_partition_fed_asks_for_its_floor():
    drive = Drive(spec(scope="partition", lateness=5), SCHEMA)
    drive.fold([row(5, "a"), row(31, "a")])
    drive.fold([row(7, "b", partition=1)])

    closed = drive.operator.close_fed_by([A], "silence")

    assert (closed.windows, closed.folded_rows, dict(closed.floors)) == (2, 2, {A: 45})
    assert set(closed.table.column("__af_closed_by").to_pylist()) == {"silence"}
    assert drive.operator.open_windows == 1
    assert dict(drive.operator.close_fed_by(None, "end_of_input").floors) == {B: 15}


def test_closing_everything_under_pipeline_scope_asks_for_floors_of_all_partitions_met():
    drive = Drive(spec(lateness=5), SCHEMA)
    drive.fold([row(5, "a")])
    drive.fold([row(31, "b", partition=1)])

    assert dict(drive.operator.close_fed_by(None, "end_of_input").floors) == {A: 45, B: 45}


def test_floors_stay_inside_int64():
    drive = Drive(spec(scope="partition", lateness=MAX_US), SCHEMA)
    drive.fold([row(5)])

    assert dict(drive.operator.close_fed_by(None, "x").floors) == {A: MAX_US}


def test_silence_makes_no_sense_under_pipeline_scope():
    with pytest.raises(ConfigError, match='needs scope = "partition"'):
        spec().build(SCHEMA).close_fed_by([A], "silence")


def test_row_36_partitions_that_wake_up_find_no_empty_windows_and_none_closed_early():
    drive = Drive(spec(), SCHEMA)
    drive.fold([row(5)])
    drive.close()
    drive.close()
    assert drive.outcome.results == []

    drive.fold([row(1005)])
    drive.close()

    assert [each["window_start"] for each in drive.finish().results] == [0, 1000]


def test_row_39_a_restored_clock_keeps_late_rows_late():
    drive = Drive(spec(), SCHEMA)
    drive.fold([row(5), row(30)])
    drive.close()
    drive.crash(full=False)

    drive.fold([row(6)])

    assert list(drive.outcome.late.values()) == [(0, 10)]
    assert [each["window_start"] for each in drive.finish().results] == [0, 30]


def test_row_46_over_nothing_but_nulls_counts_are_zero_and_the_rest_is_null():
    functions = ("count", "sum", "mean", "min", "max", "first", "last")
    schema = pa.schema(
        [
            pa.field("k", pa.string()),
            pa.field("i", pa.int64()),
            pa.field("x", pa.float64()),
            pa.field("s", pa.string()),
        ]
    )
    aggregates = tuple(
        Aggregate(f"{function}_{column}", function, column)
        for column in "ixs"
        for function in functions
        if column != "s" or function not in ("sum", "mean")
    )
    drive = Drive(WindowSpec(Tumbling(10), ("k",), (*aggregates, *N)), schema)
    drive.fold([Row("t", 0, offset, 5, ("a",), {"i": None, "x": None, "s": None}) for offset in range(2)])
    drive.close()
    drive.crash(full=True)

    (result,) = drive.finish().results

    assert result["n"] == 2
    for aggregate in aggregates:
        assert result[aggregate.name] == (0 if aggregate.function == "count" else None)


@pytest.mark.parametrize(("values", "total"), [([2**63 - 1, 1], 2**63), ([-(2**63), -1], -(2**63) - 1)])
def test_row_47_a_sum_beyond_int64_stops_and_names_the_window(values, total):
    drive = Drive(spec(aggregates=(Aggregate("total", "sum", "v"),)), SCHEMA)
    drive.fold([row(5, "a", value, offset=i) for i, value in enumerate(values)])

    with pytest.raises(PromiseBroken) as broken:
        drive.finish()

    for part in (str(total), "window [0, 10)", "k = 'a'", "'v'"):
        assert part in str(broken.value)


def test_row_47_a_sum_may_leave_int64_on_the_way():
    drive = Drive(spec(aggregates=(Aggregate("total", "sum", "v"), Aggregate("m", "mean", "v"))), SCHEMA)
    values = [2**63 - 1, 2**63 - 1, -(2**63), -(2**63), 7]
    drive.fold([row(5, "a", value, offset=i) for i, value in enumerate(values[:2])])
    drive.close()
    drive.crash(full=False)
    drive.fold([row(5, "a", value, offset=2 + i) for i, value in enumerate(values[2:])])

    (result,) = drive.finish().results
    assert (result["total"], result["m"]) == (5, 1.0)


def test_a_batch_without_rows_does_nothing():
    operator = spec().build(SCHEMA)
    empty = batch_of([row(1)], SCHEMA, ("k",), np.array([0])).keep(np.array([False]))

    folded = operator.fold(empty)

    assert (folded.folded, folded.late, folded.rejects) == (0, None, ())


def test_rejects_point_into_the_raw_batch_and_late_rows_into_the_rows():
    drive = Drive(spec(), SCHEMA)
    rows = [row(MAX_US, offset=4), row(3, offset=6)]
    batch = batch_of(rows, SCHEMA, ("k",), np.array([MIN_US, 50]), raw_rows=np.array([0, 1]))
    wider = batch_of([row(0, offset=o) for o in range(4, 9)], SCHEMA, ("k",), np.zeros(5, np.int64)).raw
    batch = type(batch)(wider, np.array([2, 4]), batch.table, batch.event_us, batch.clock_us)

    folded = drive.operator.fold(batch)

    assert [reject.row for reject in folded.rejects] == [2]
    assert folded.late.row.tolist() == [1]


def test_without_group_by_there_is_one_window_for_all_rows():
    drive = Drive(WindowSpec(Tumbling(10), (), N), pa.schema([pa.field("v", pa.int64())]))
    drive.fold([Row("t", 0, i, 5, (), {"v": i}) for i in range(3)])
    drive.close()
    drive.crash(full=False)

    assert [each["n"] for each in drive.finish().results] == [3]


@pytest.mark.parametrize(
    "text", [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())], ids=str
)
def test_columns_in_several_chunks_or_other_types_are_cast_to_the_schema(text):
    operator = spec(aggregates=(Aggregate("s", "sum", "v"),)).build(SCHEMA)
    batch = batch_of([row(1, "a", 1), row(2, "b", 2)], SCHEMA, ("k",), np.array([MIN_US, MIN_US]))
    table = pa.table(
        {
            "k": pa.chunked_array([["a"], ["b"]], text),
            "v": pa.chunked_array([[1], [2]], pa.int32()),
            "other": [None, None],
        }
    )

    operator.fold(type(batch)(batch.raw, batch.row, table, batch.event_us, batch.clock_us))

    assert operator.close_fed_by(None, "x").table.column("s").to_pylist() == [1, 2]


DAY = 86_400_000_000
SHIFTS = [
    Window(day * DAY + i * DAY // 4, day * DAY + (i + 1) * DAY // 4, label, day)
    for day in range(-200, 400)
    for i, label in enumerate(("T1", "T2", "off", "T3"))
]


def shifts(unit="shift", off="window", windows=None):
    calendar = PlainCalendar({"a": SHIFTS, "b": SHIFTS[2:]} if windows is None else windows)
    return WindowSpec(CalendarWindow(calendar, "k", unit, off), ("k",), N)


def test_a_key_without_a_calendar_is_a_dead_letter():
    drive = Drive(shifts(), SCHEMA, DAY)
    drive.fold([row(5, "a", offset=0), row(5, "zz", offset=1), row(5, None, offset=2)])

    assert drive.outcome.rejects == {("t", 0, 1): "no_calendar", ("t", 0, 2): "no_calendar"}
    assert [each["shift"] for each in drive.finish().results] == ["T1"]


def test_a_key_without_a_calendar_alone_is_a_dead_letter_too():
    drive = Drive(shifts(windows={}), SCHEMA)
    drive.fold([row(5, "zz")])

    assert set(drive.outcome.rejects.values()) == {"no_calendar"}


def test_rows_outside_named_shifts_are_windows_or_dead_letters():
    event = DAY // 2 + 5
    kept, refused = Drive(shifts(), SCHEMA), Drive(shifts(off="dead_letter"), SCHEMA)
    kept.fold([row(event)])
    refused.fold([row(event), row(event + DAY // 4)])

    assert [(each["shift"], each["window_start"]) for each in kept.finish().results] == [("off", DAY // 2)]
    assert list(refused.outcome.rejects.values()) == ["off"]
    assert [each["shift"] for each in refused.finish().results] == ["T3"]


def test_a_production_day_spans_its_shifts_and_what_lies_between():
    drive = Drive(shifts(unit="day", off="dead_letter"), SCHEMA, 10 * DAY)
    drive.fold([row(5), row(DAY // 4), row(DAY // 2), row(DAY - 1), row(DAY)])

    assert [(each["window_start"], each["window_end"], each["n"]) for each in drive.outcome.results] == []
    assert list(drive.outcome.rejects.values()) == ["off"]
    found = [(each["window_start"], each["window_end"], each["n"]) for each in drive.finish().results]
    assert found == [(0, DAY, 3), (DAY, 2 * DAY, 1)]


def test_wild_event_times_ask_a_calendar_for_their_own_surroundings_only():
    asked = []

    class Nosy(PlainCalendar):
        def table(self, key, from_us, to_us):
            asked.append(to_us - from_us)
            return super().table(key, from_us, to_us)

    windows = [Window(day * DAY, (day + 1) * DAY, "T1", day) for day in [*range(-300, 300), *range(100_000, 100_300)]]
    jump = [Window(300 * DAY, 100_000 * DAY, "off", 300)]
    windows = sorted(windows + jump, key=lambda window: window.start)
    drive = Drive(WindowSpec(CalendarWindow(Nosy({"a": windows}), "k", "shift"), ("k",), N), SCHEMA, 10**18)
    drive.fold([row(5), row(100_100 * DAY), row(6), row(7)])
    drive.fold([row(8)])

    assert len(asked) == 2
    assert max(asked) < 70 * DAY
    assert [each["n"] for each in drive.finish().results] == [4, 1]


def test_an_instant_at_the_edge_of_what_is_known_of_a_calendar_is_asked_for():
    edge = 2**42
    windows = {"a": [Window(at * edge // 8, (at + 1) * edge // 8, "T1", at) for at in range(-40, 80)]}
    drive = Drive(shifts(windows=windows), SCHEMA, edge * 10)
    drive.fold([row(5)])
    drive.fold([row(edge)])

    assert [each["window_start"] for each in drive.finish().results] == [0, edge]


@pytest.mark.parametrize("clip", [False, True])
@pytest.mark.parametrize("unit", ["shift", "day"])
def test_a_window_over_the_edge_of_a_question_is_whole_even_if_the_calendar_cuts_its_answer(unit, clip):
    edge, half, short = 2**42, 2**38, 2**34
    starts = [*range(-2 * edge, edge - half + 1, short), *range(edge + half, 5 * edge, short)]
    windows = [Window(start, end, "T1", day) for day, (start, end) in enumerate(pairwise(starts))]
    spec_ = WindowSpec(CalendarWindow(PlainCalendar({"a": windows}, clip), "k", unit), ("k",), N)
    drive = Drive(spec_, SCHEMA, edge * 10)
    drive.fold([row(edge - 5), row(edge + 5)])

    found = [(each["window_start"], each["window_end"], each["n"]) for each in drive.finish().results]

    assert found == [(edge - half, edge + half, 2)]


@pytest.mark.parametrize("event", [MIN_US, -62_135_596_800_000_000, 253_402_300_799_999_999, MAX_US])
def test_civil_time_ends_where_python_does(event):
    drive = Drive(shifts(), SCHEMA)
    drive.fold([row(event, offset=1)])

    assert list(drive.outcome.rejects.values()) == ["out_of_range"]


def test_a_calendar_that_never_gives_whole_windows_is_a_config_error():
    forever = {"a": [Window(-(2**60), 2**60, "T1", 0)]}
    drive = Drive(shifts(windows=forever), SCHEMA)

    with pytest.raises(ConfigError, match="longer than a year"):
        drive.fold([row(5)])
