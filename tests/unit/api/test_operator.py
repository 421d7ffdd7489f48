"""Windows in any program: what a push closes, what is late, what is refused, and what a bad push leaves behind."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pyarrow as pa
import pytest
from tests.unit.api.frames import FORMS, UTC, at, table

import arrowflow as af
from arrowflow.errors import ArrowflowError, ConfigError, PromiseBroken, StateRefused, StateTooLarge
from arrowflow.types import Balance

SECOND = 1_000_000


def minutes(**settings):
    described = {"by": ["line"], "aggregate": {"n": "count()", "speed": "mean(speed)"}, "time": "ts"}
    return af.WindowOperator(af.Tumbling("1m"), **{**described, "max_out_of_orderness": "10s", **settings})


def told(closed):
    """(line, start in seconds, n, speed) of each result row."""
    return [
        (row["line"], (row["window_start"] - at(0)).total_seconds(), row["n"], row["speed"])
        for row in closed.to_pylist()
    ]


ROWS = [("a", 1.0, 5, 0), ("a", 2.0, 50, 0), ("b", 5.0, 61, 0), ("a", 4.0, 130, 0), ("a", 9.0, 7, 0)]


@pytest.mark.parametrize("form", FORMS)
def test_a_push_gives_the_windows_it_closed_whatever_library_made_the_frame(form):
    op = minutes()

    closed = op.push(FORMS[form](table(ROWS)))

    assert told(closed) == [("a", 0, 2, 1.5), ("b", 60, 1, 5.0)]
    assert closed.schema.field("line").type == pa.string()
    assert closed["__af_closed_by"].to_pylist() == ["watermark"] * 2
    assert (op.watermark, op.watermark_us, op.open_windows) == (at(120), 120 * SECOND, 1)
    assert [row["speed"] for row in op.late.to_pylist()] == [9.0]


def test_dictionaries_with_nulls_and_doubles_in_them_are_read_by_value():
    coded = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, None, 3], pa.int8()), pa.array(["a", "a", None, ""]))
    rows = table([("x", 1.0, second, 0) for second in range(5)])
    op = minutes(aggregate={"n": "count()", "speed": "sum(speed)", "last": "last(line)"})

    op.push(rows.set_column(0, "line", coded))

    assert [(row["line"], row["n"], row["last"]) for row in op.finish().to_pylist()] == [
        ("", 1, ""),
        ("a", 2, "a"),
        (None, 2, None),
    ]


def test_every_function_and_one_of_your_own_can_be_called():
    class Rows(af.CustomAggregate):
        name = "rows"

        def output(self, kind):
            return pa.int64()

        def state(self, kind):
            return pa.int64()

        def initial(self):
            return 0

        def add(self, state, values):
            return state + len(values)

        def merge(self, left, right):
            return left + right

        def finish(self, state):
            return state

    op = minutes(
        aggregate={
            "var": af.var("speed"), "stddev": af.stddev("speed"), "distinct": af.count_distinct("speed", limit=5),
            "median": af.quantile("part", 0.5), "weighted": af.weighted_mean("speed", "part"),
            "quality": af.quality_mean("speed", "part"), "over_time": af.time_weighted_mean("speed", carry_for="1h"),
            "counted": af.counter_delta("part", modulus=100), "on": af.time_in_state("part", 192), "known": af.coverage("speed"),
            "total": af.sum("part", decimal=True), "mine": (Rows(), "speed"),
        }
    )  # fmt: skip
    op.push(table([("a", 1.0, 0, 192), ("a", 3.0, 30, 192)]))

    row = op.finish().to_pylist()[0]
    assert {name: row[name] for name in ("var", "distinct", "median", "weighted", "quality", "over_time", "mine")} == {
        "var": 2.0, "distinct": 2, "median": pytest.approx(192, rel=1 / 256), "weighted": 2.0, "quality": 2.0, "over_time": 2.0, "mine": 2,
    }  # fmt: skip
    assert (row["counted"], row["on"], row["known"], int(row["total"])) == (0, 60.0, 1.0, 384)


def test_frames_of_several_libraries_can_be_mixed():
    op = minutes()
    for form in FORMS:
        op.push(FORMS[form](table(ROWS[:2])))

    assert told(op.finish()) == [("a", 0, 2 * len(FORMS), 1.5)]


def test_a_late_row_comes_back_as_it_was_with_its_place_its_window_and_the_reason():
    op = minutes()
    op.push(table(ROWS[:4]))
    op.push(pl.from_arrow(table(ROWS[4:])).with_columns(note=pl.lit("keep me")))

    assert op.late.to_pylist() == [
        {
            "line": "a", "speed": 9.0, "ts": at(7), "part": 0, "note": "keep me",
            "_partition": 0, "_offset": 4, "_reason": "behind_clock", "_window_start": at(0), "_window_end": at(60),
        }
    ]  # fmt: skip
    assert op.balance == Balance(read=5, folded=4, late={"behind_clock": 1})


def test_late_and_rejected_are_those_of_the_latest_call_and_keep_their_columns():
    op = minutes()
    op.push(table([*ROWS, ("a", 1.0, None, 0)]))
    columns = op.late.column_names, op.rejected.column_names
    assert (op.late.num_rows, op.rejected.num_rows) == (1, 1)

    op.push(table([("a", 1.0, 140, 0)]))

    assert (op.late.num_rows, op.rejected.num_rows) == (0, 0)
    assert (op.late.column_names, op.rejected.column_names) == columns
    assert op.late.schema.field("_window_end").type == UTC
    assert op.balance.late == {"behind_clock": 1}


def test_rows_without_a_time_or_a_partition_are_rejected_in_their_order():
    op = minutes(partition="part")

    op.push(table([("a", 1.0, 5, None), ("a", 2.0, None, 3), ("a", 3.0, 6, 3), ("b", 4.0, None, None)]))

    rejected = op.rejected.select(["speed", "_partition", "_offset", "_reason", "_detail"]).to_pylist()
    assert [tuple(row.values()) for row in rejected] == [
        (1.0, None, None, "no_partition", "part is null"),
        (2.0, 3, 0, "no_event_time", "ts is null"),
        (4.0, None, None, "no_partition", "part is null"),
    ]
    assert op.balance == Balance(read=4, folded=1, dead_lettered={"no_event_time": 1, "no_partition": 2})


def test_rows_beyond_what_can_be_counted_are_rejected_and_move_no_clock():
    op = minutes(time="s", time_unit="s")

    op.push(pa.table({"line": ["a", "a"], "speed": [1.0, 2.0], "s": [2**50, 5]}))

    assert op.rejected["_reason"].to_pylist() == ["out_of_range"]
    assert op.watermark == at(-5)


def test_rows_without_a_calendar_are_rejected():
    plants = af.PlantCalendar("line", {"a": "America/Monterrey"}, {"T1": "06:00-14:00"})
    op = af.WindowOperator(af.Shifts(plants), "line", {"n": af.count()}, time="ts", max_out_of_orderness=0)

    op.push(table(ROWS))

    assert op.rejected.select(["line", "_offset", "_reason"]).to_pylist() == [
        {"line": "b", "_offset": 2, "_reason": "no_calendar"}
    ]
    assert {row["shift"] for row in op.finish().to_pylist()} == {"off"}


def test_rows_between_windows_are_filtered_and_rows_that_missed_some_windows_are_told():
    gaps = af.WindowOperator(af.Hopping("10s", "1m"), [], {"n": "count()"}, time="ts", max_out_of_orderness="5s")
    gaps.push(table(ROWS))
    assert gaps.balance.filtered == {"no_window": 2}

    overlap = af.WindowOperator(af.Hopping("1m", "30s"), [], {"n": "count()"}, time="ts", max_out_of_orderness="0s")
    overlap.push(table([("a", 1.0, 70, 0), ("a", 1.0, 40, 0)]))
    assert overlap.late["_reason"].to_pylist() == ["missed_windows"]
    assert overlap.balance == Balance(read=2, folded=2)


def test_finish_closes_everything_and_what_comes_afterwards_is_late():
    op = minutes()
    op.push(table(ROWS))

    closed = op.finish()

    assert told(closed) == [("a", 120, 1, 4.0)]
    assert closed["__af_closed_by"].to_pylist() == ["end_of_input"]
    assert (op.open_windows, op.watermark, op.finish().num_rows) == (0, at(180), 0)
    op.push(table([("a", 1.0, 179, 0), ("a", 1.0, 180, 0)]))
    assert op.late["ts"].to_pylist() == [at(179)]


def test_an_operator_that_saw_nothing_finishes_with_nothing():
    op = minutes()

    assert (op.finish().num_rows, op.watermark, op.watermark_us, op.open_windows) == (0, None, None, 0)
    assert op.push(table([])).num_rows == 0
    assert told(op.push(table(ROWS))) == [("a", 0, 2, 1.5), ("b", 60, 1, 5.0)]


def test_interim_shows_open_windows_and_changes_nothing():
    op = minutes()
    assert op.interim().num_rows == 0
    op.push(table(ROWS[:2]))

    assert told(op.interim()) == [("a", 0, 2, 1.5)]
    assert told(op.finish()) == [("a", 0, 2, 1.5)]


def test_windows_can_be_corrected():
    op = minutes(correct_for="10m")
    first = op.push(table(ROWS[:4]))
    again = op.push(table(ROWS[4:]))

    assert first["__af_revision"].to_pylist() == [1, 1]
    assert (told(again), again["__af_revision"].to_pylist()) == ([("a", 0, 3, 4.0)], [2])
    assert again["__af_closed_by"].to_pylist() == ["correction"]
    assert op.finish()["__af_revision"].to_pylist() == [1]


# ---- partitions -------------------------------------------------------------------------------------------


def test_named_partitions_are_waited_for():
    op = minutes(partitions=[0, 1])

    assert op.push(table([("a", 1.0, 5, 0), ("a", 1.0, 500, 0)]), partition=0).num_rows == 0
    assert op.watermark is None
    assert told(op.push(table([("a", 3.0, 6, 0), ("a", 1.0, 100, 0)]), partition=1)) == [("a", 0, 2, 2.0)]
    assert op.watermark == at(90)


def test_a_partition_first_met_later_joins_at_the_watermark_just_before_its_first_row():
    op = minutes(partition="part")

    op.push(table([("a", 1.0, 100, 7), ("b", 1.0, 20, 8), ("b", 2.0, 61, 8), ("a", 1.0, 500, 7)]))

    assert op.late.select(["line", "_partition", "_offset"]).to_pylist() == [
        {"line": "b", "_partition": 8, "_offset": 0}
    ]
    assert op.watermark == at(90)


def test_partitions_may_be_text():
    op = minutes(partition="line", scope="partition")
    op.push(pl.from_arrow(table(ROWS)).cast({"line": pl.Categorical}))

    assert op.late["_partition"].to_pylist() == ["a"]
    assert op.watermark == at(51)


def test_under_scope_partition_a_window_waits_only_for_the_partition_that_feeds_it():
    op = minutes(scope="partition", partition="part", partitions=[0, 1])

    assert told(op.push(table([("a", 1.0, 5, 0), ("b", 2.0, 6, 1), ("a", 1.0, 90, 0)]))) == [("a", 0, 1, 1.0)]


def test_vouching_for_a_quiet_partition_lets_the_others_go_on():
    op = minutes(partitions=[0, 1])
    op.push(table(ROWS[:4]), partition=0)

    assert told(op.advance(at(60), partition=1)) == [("a", 0, 2, 1.5)]
    op.push(table([("a", 1.0, 59, 0), ("a", 1.0, 60, 0)]), partition=1)
    assert op.late["ts"].to_pylist() == [at(59)]
    assert told(op.advance(at(120))) == [("a", 60, 1, 1.0), ("b", 60, 1, 5.0)]
    assert op.advance(at(100)).num_rows == 0
    assert op.watermark == at(120)
    with pytest.raises(ConfigError, match="9 was neither named nor met"):
        op.advance(at(500), partition=9)


def test_first_and_last_of_equal_times_go_by_partition_and_order_not_by_arrival():
    op = minutes(aggregate={"f": "first(speed)", "l": "last(speed)"}, partitions=[0, 1])
    op.push(table([("a", 3.0, 5, 0), ("a", 4.0, 5, 0)]), partition=1)
    op.push(table([("a", 1.0, 5, 0), ("a", 2.0, 5, 0)]), partition=0)

    assert op.finish().select(["f", "l"]).to_pylist() == [{"f": 1.0, "l": 4.0}]


def test_offsets_of_a_column_are_kept():
    op = minutes(offset="part")
    op.push(table([("a", 1.0, 100, 10), ("a", 1.0, 5, 25)]))

    assert op.late["_offset"].to_pylist() == [25]


# ---- what is refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"max_out_of_orderness": "-1s"}, "max_out_of_orderness"),
        ({"max_out_of_orderness": -1}, "max_out_of_orderness: -1 is negative"),
        ({"allowed_lateness": "soon"}, "allowed_lateness: 'soon'"),
        ({"time_unit": "minutes"}, "time_unit: 'minutes'"),
        ({"partitions": [0, "a"]}, "all by numbers or all by text"),
        ({"partitions": [2**31]}, "fits 32 bits"),
        ({"partitions": [True]}, "partition True"),
        ({"aggregate": {"n": "avg(speed)"}}, 'did you mean "mean"'),
    ],
    ids=str,
)
def test_a_description_that_makes_no_sense_is_refused_at_once(settings, says):
    with pytest.raises(ConfigError, match=says):
        minutes(**settings)


@pytest.mark.parametrize(
    ("settings", "columns", "says"),
    [
        ({"by": ["lin"]}, {}, "did you mean 'line'"),
        ({"time": "when"}, {}, "time: there is no column 'when'"),
        ({"aggregate": {"x": "mean(line)"}}, {}, "mean of column 'line', which is string"),
        ({"aggregate": {"x": "max(ts)"}}, {"ts": pa.array([0], pa.timestamp("us"))}, "has no zone"),
        ({}, {"ts": pa.array([0], pa.timestamp("us"))}, r"tz_localize\(\"UTC\"\)"),
        ({"partition": "speed"}, {}, "partitions are integers or text"),
        ({"partition": "part"}, {"part": pa.array([2**40])}, "fits 32 bits"),
        ({"offset": "part"}, {"part": pa.array([None], pa.int64())}, "1 nulls"),
        ({"offset": "part"}, {"part": pa.array([-1])}, "not negative"),
    ],
    ids=lambda value: str(value) if isinstance(value, str) else None,
)
def test_a_push_that_cannot_be_read_changes_nothing(settings, columns, says):
    op = minutes(**settings)
    row = table([("a", 1.0, 5, 0)])

    with pytest.raises(ArrowflowError, match=says):
        op.push(pa.table({name: columns.get(name, row[name]) for name in row.column_names}))

    assert (op.balance, op.watermark, op.open_windows) == (Balance(), None, 0)


def test_after_a_refused_push_the_operator_goes_on_as_if_it_had_never_been():
    op = minutes(offset="part")
    op.push(table([("a", 1.0, 5, 3)]))
    late, snapshot = op.late, op.snapshot()

    for bad in (table([("a", 1.0, 6, 3)]), table([("a", 1.0, 6, 9), ("a", 1.0, 6, 8)])):
        with pytest.raises(PromiseBroken, match=r"partition 0: offset \d comes after \d"):
            op.push(bad)
    with pytest.raises(ConfigError, match="column 'speed' is string, and double is needed"):
        op.push(pa.table({"line": ["a"], "speed": ["1"], "ts": pa.array([5], UTC), "part": [9]}))

    assert op.late is late
    assert op.snapshot().equals(snapshot, check_metadata=True)
    op.push(table([("a", 3.0, 6, 4)]))
    assert told(op.finish()) == [("a", 0, 2, 2.0)]


def test_a_partition_is_said_once():
    with pytest.raises(ConfigError, match="in its column 'part'"):
        minutes(partition="part").push(table(ROWS), partition=3)
    op = minutes()
    op.push(table(ROWS))
    with pytest.raises(ConfigError, match="all by numbers or all by text"):
        op.push(table(ROWS), partition="north")


def test_an_operator_that_broke_in_the_middle_says_so_until_it_is_restored():
    op = minutes(scope="partition", partition="part")
    op.push(table([("a", 1.0, 5, 0)]))
    snapshot = op.snapshot()
    with pytest.raises(PromiseBroken, match="scope"):
        op.push(table([("b", 1.0, 6, 1), ("a", 1.0, 7, 1)]))

    for call in (op.finish, op.snapshot, op.interim, lambda: op.push(table(ROWS)), lambda: op.advance(at(9))):
        with pytest.raises(StateRefused, match=r"stopped in the middle of a call \(PromiseBroken"):
            call()
    op.restore(snapshot)

    assert told(op.finish()) == [("a", 0, 1, 1.0)]


def test_it_says_what_it_is():
    op = minutes()
    op.push(table(ROWS))

    assert repr(op) == "<WindowOperator tumbling, 1 open, watermark 1970-01-01 00:02:00+00:00>"
    assert dt.datetime.fromisoformat("1970-01-01 00:02:00+00:00") == op.watermark


def test_windows_that_need_more_memory_than_they_may_stop_the_push_and_a_snapshot_goes_on_with_more():
    op, kept = minutes(max_state_bytes="200kB"), []

    def push(first):
        kept.append(op.snapshot())
        op.push(table([(f"line {n}", 1.0, 5, 0) for n in range(first, first + 100)]))

    with pytest.raises(StateTooLarge, match="max_state_bytes is 200,000"):
        list(map(push, range(0, 10_000, 100)))
    with pytest.raises(StateRefused, match=r"stopped in the middle.*max_state_bytes"):
        op.push(table(ROWS))

    other = minutes(max_state_bytes=10_000_000)
    other.restore(kept[-1])
    other.push(table([("line 0", 3.0, 6, 0)]))
    assert kept[-1].num_rows >= 200
    assert told(other.finish())[0] == ("line 0", 0, 2, 2.0)


@pytest.mark.parametrize("size", ["much", 0, -1, True, 1.5])
def test_a_limit_that_is_no_size_is_refused(size):
    with pytest.raises(ConfigError, match="max_state_bytes"):
        minutes(max_state_bytes=size)


def test_windows_that_are_gone_leave_nothing_behind(monkeypatch):
    """Nobody takes deltas here: without forgetting, each closed window would be remembered for the next one."""
    monkeypatch.setattr("arrowflow.api.operator._UNTOLD", 20)
    op = minutes(max_out_of_orderness=0)
    for minute in range(200):
        op.push(table([("a", 1.0, 60 * minute, 0)]))

    assert op._core.delta().num_rows <= 22
