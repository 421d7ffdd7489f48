"""Windows and lateness, rows 37 to 42 of the table of faults: each shown from the topic to the file, and to the microsecond
where seconds are too coarse.
"""

from __future__ import annotations

import datetime as dt
import json

import pyarrow as pa
import pytest
from tests.oracles import windows as oracle
from tests.oracles.windows import Row
from tests.support.dealt import DealtSpec
from tests.support.small import SECOND_US, pipeline, places, results, rows, window
from tests.unit.config.test_bad_configs import BASE
from tests.unit.windows.drive import Drive

import arrowflow as af
from arrowflow.config import check
from arrowflow.engine import start
from arrowflow.errors import ConfigError
from arrowflow.pipeline import EventTime, RunOptions
from arrowflow.testing.answers import read_rows
from arrowflow.windows.spec import Aggregate, Cumulative, Hopping, Session, Sliding, Tumbling, WindowSpec

CAUGHT_UP = RunOptions(until_caught_up=True, take_over=True)
TO_THE_END = RunOptions(until_caught_up=True, close_open_windows=True, take_over=True)
AGGREGATES = (Aggregate("n", "count", None), Aggregate("total", "sum", "v"))


def run(folder, records, options=TO_THE_END, *, tolerance_s=0, **given):
    job = pipeline(folder, records, event_time=EventTime("t", tolerance_s * SECOND_US), **given)
    return start(job, options).result()


def sessions(gap_s, lateness_s=0):
    return WindowSpec(Session(gap_s * SECOND_US), ("k",), AGGREGATES, lateness_s * SECOND_US)


def spans(folder):
    """(start, end, count) of every result in seconds."""
    found = read_rows(folder / "small" / "out", ["window_start", "window_end", "n"])
    return sorted((int(r["window_start"].timestamp()), int(r["window_end"].timestamp()), r["n"]) for r in found)


# ---- 37 to 39: lateness --------------------------------------------------------------------------------------


@pytest.mark.parametrize("epoch_rows", [1, 100])
def test_row_37_a_row_within_the_allowed_lateness_is_in_the_windows_only_result(tmp_path, epoch_rows):
    """The window waits for it: there is no first result to take back. (`late = "correct"` gives one and mends it.)"""
    stream = rows(("a", 1, 1.0), ("a", 14, 1.0), ("a", 2, 1.0), ("a", 40, 1.0))

    finished = run(
        tmp_path, stream, operator=window(lateness_s=5), max_epoch_rows=epoch_rows, max_slice_rows=epoch_rows
    )

    assert results(tmp_path) == [("a", 0, 2, 2.0), ("a", 10, 1, 1.0), ("a", 40, 1, 1.0)]
    assert finished.balance.late == {}


@pytest.mark.parametrize("epoch_rows", [1, 100])
def test_row_38_a_row_beyond_the_allowed_lateness_is_counted_and_kept_and_changes_no_result(tmp_path, epoch_rows):
    stream = rows(("a", 1, 1.0), ("a", 15, 1.0), ("a", 2, 9.0), ("b", 3, 9.0), ("a", 40, 1.0))

    finished = run(
        tmp_path, stream, operator=window(lateness_s=5), max_epoch_rows=epoch_rows, max_slice_rows=epoch_rows
    )

    assert results(tmp_path) == [("a", 0, 1, 1.0), ("a", 10, 1, 1.0), ("a", 40, 1, 1.0)]
    assert places(tmp_path, "late") == [(0, 2, "behind_clock"), (0, 3, "behind_clock")]
    assert finished.balance.late == {"behind_clock": 2}
    assert finished.balance.read == finished.balance.accounted == 5


@pytest.mark.parametrize("tolerance_s", [0, 5, 60, 3600], ids="{} s".format)
def test_row_39_at_a_restart_the_watermark_stays_where_it_was_whatever_the_tolerance_is_now(tmp_path, tolerance_s):
    """Three runs, the second under another tolerance; the row that comes with it belongs to a window that came out."""
    stream = rows(*(("a", second, 1.0) for second in range(0, 60, 2)))
    run(tmp_path, stream, CAUGHT_UP, tolerance_s=5)
    before = watermarks(tmp_path)
    assert before[-1] == 53 * SECOND_US
    closed = results(tmp_path)

    more = [*stream, *rows(("a", 9, 9.0), ("a", 60, 1.0))]
    run(tmp_path, more, CAUGHT_UP, tolerance_s=tolerance_s)
    run(tmp_path, [*more, *rows(("a", 61, 1.0))], tolerance_s=5)

    after = watermarks(tmp_path)
    assert after == sorted(after)
    assert after[: len(before)] == before
    assert set(closed) < set(results(tmp_path))
    assert places(tmp_path, "late") == [(0, 30, "behind_clock")]


def watermarks(folder):
    """The watermark of each record that has one, in the order of the log."""
    found = sorted((folder / "small" / "_log" / "manifests").rglob("*.json"))
    marks = [json.loads(file.read_bytes())["watermark_us"] for file in found]
    return [mark for mark in marks if mark is not None]


# ---- 40 and 41: sessions -------------------------------------------------------------------------------------


@pytest.mark.parametrize("epoch_rows", [1, 2, 100])
@pytest.mark.parametrize("seed", range(3))
def test_row_40_a_row_that_bridges_two_open_sessions_makes_them_one_however_they_are_cut(tmp_path, seed, epoch_rows):
    stream = rows(("a", 0, 1.0), ("a", 14, 2.0), ("b", 14, 8.0), ("a", 7, 4.0), ("a", 90, 1.0))

    run(
        tmp_path,
        DealtSpec(tuple(stream), seed, 2),
        operator=sessions(10),
        tolerance_s=30,
        max_epoch_rows=epoch_rows,
        max_slice_rows=epoch_rows,
    )

    assert results(tmp_path) == [("a", 0, 3, 7.0), ("a", 90, 1, 1.0), ("b", 14, 1, 8.0)]
    assert spans(tmp_path) == [(0, 24, 3), (14, 24, 1), (90, 100, 1)]


@pytest.mark.parametrize("epoch_rows", [1, 100])
@pytest.mark.parametrize("lateness_s", [0, 5, 7], ids=["one is closed", "both are open", "both are open and it joins"])
def test_row_40_a_row_is_judged_before_it_meets_a_session(tmp_path, lateness_s, epoch_rows):
    """At clock 14 the row at 7 is late under 6 s of lateness or less, even under 5, where [0, 10) still waits for it."""
    stream = rows(("a", 0, 1.0), ("a", 14, 1.0), ("a", 7, 1.0), ("a", 90, 1.0))
    late = 7 + lateness_s < 14

    finished = run(
        tmp_path, stream, operator=sessions(10, lateness_s), max_epoch_rows=epoch_rows, max_slice_rows=epoch_rows
    )

    apart, one = [(0, 10, 1), (14, 24, 1), (90, 100, 1)], [(0, 24, 3), (90, 100, 1)]
    assert spans(tmp_path) == (apart if late else one)
    assert finished.balance.late == ({"behind_clock": 1} if late else {})


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["in order", "out of order"])
@pytest.mark.parametrize(("pause", "windows"), [(9, [(0, 19, 2)]), (10, [(0, 20, 2)]), (11, [(0, 10, 1), (11, 21, 1)])])
def test_row_41_a_pause_of_exactly_the_gap_joins_and_one_more_parts(tmp_path, pause, windows, order):
    pair = rows(("a", 0, 1.0), ("a", pause, 1.0))

    run(tmp_path, [pair[at] for at in order], operator=sessions(10), tolerance_s=60)

    assert spans(tmp_path) == windows


@pytest.mark.parametrize("max_length", [None, 7])
@pytest.mark.parametrize("gap", [1, 10])
def test_row_41_the_kernels_and_the_oracle_draw_the_line_at_the_same_microsecond(gap, max_length):
    schema = pa.schema([pa.field("k", pa.string()), pa.field("v", pa.int64())])
    spec = WindowSpec(Session(gap, max_length), ("k",), AGGREGATES[:1])
    for pause in (gap - 1, gap, gap + 1):
        times = [0, pause, 2 * pause, 2 * pause + gap, 2 * pause + 2 * gap + 1]
        for order in (times, times[::-1]):
            drive = Drive(spec, schema, tolerance=1000)
            for offset, time in enumerate(order):
                drive.fold([Row("t", 0, offset, time, ("a",), {"v": 1})])
            found = [(each["window_start"], each["window_end"], each["n"]) for each in drive.finish().results]
            right = oracle.sessions(times, gap, max_length)
            assert sorted(found) == [(span.start, span.end, len(held)) for span, held in right], (times, order)


# ---- 42: windows that can and cannot be ----------------------------------------------------------------------


@pytest.mark.parametrize(("size_s", "hop_s"), [(7, 5), (5, 7), (10, 4), (4, 10), (9, 9)])
def test_row_42_a_hop_need_not_divide_the_size_and_may_leave_rows_between_windows(tmp_path, size_s, hop_s):
    times = list(range(-20, 40, 3))
    spec = WindowSpec(Hopping(size_s * SECOND_US, hop_s * SECOND_US), ("k",), AGGREGATES)
    expected, between = {}, 0
    for time in times:
        found = oracle.hopping(time, size_s, hop_s)
        between += not found
        for each in found:
            expected[each.start, each.end] = expected.get((each.start, each.end), 0) + 1

    finished = run(tmp_path, rows(*(("a", time, 1.0) for time in times)), operator=spec, tolerance_s=5)

    assert spans(tmp_path) == sorted((*bounds, n) for bounds, n in expected.items())
    assert finished.balance.filtered == ({"no_window": between} if between else {})
    assert bool(between) == (hop_s > size_s)


DAY = dt.timedelta(days=1)
REFUSED = [
    (lambda: af.Tumbling(0), "tumbling window: size is 0 µs; it must be positive"),
    (lambda: af.Tumbling("-1h"), "-1h"),
    (lambda: af.Tumbling(-DAY), "size is -86400000000 µs; it must be positive"),
    (lambda: af.Hopping("1h", "0s"), "hopping window: hop is 0 µs; it must be positive"),
    (lambda: af.Hopping(0, "1h"), "hopping window: size is 0 µs"),
    (lambda: af.Hopping("1h", -DAY), "hop is -86400000000 µs"),
    (lambda: af.Hopping(10**9, 1), "each row lies in 1000000000 windows; at most 10000 are allowed: make the hop"),
    (
        lambda: af.Hopping(10**9, 10**9 - 1),
        "1 µs, so each window is put together from 1000000000 panes; at most 100000",
    ),
    (lambda: af.Cumulative(10**9, 1), "size / step is 1000000000; at most 10000"),
    (lambda: af.Cumulative("1h", "7m"), "not a whole number of steps"),
    (lambda: af.Cumulative("1h", "2h"), "not a whole number of steps"),
    (lambda: af.Cumulative("1h", 0), "step is 0 µs"),
    (lambda: af.Sliding(0), "sliding window: size is 0 µs"),
    (lambda: af.Session(0), "session window: gap is 0 µs"),
    (lambda: af.Session("1h", max_length=0), "session window: max_length is 0 µs"),
    (lambda: Tumbling(2**63), "must be positive and fit into int64"),
    (lambda: Hopping(2**63, 1), "size is 9223372036854775808 µs"),
    (lambda: Cumulative(1, -1), "step is -1 µs"),
    (lambda: Sliding(-1), "size is -1 µs"),
]


@pytest.mark.parametrize(("make", "sentence"), REFUSED, ids=range(len(REFUSED)))
def test_row_42_windows_that_can_never_be_are_refused_where_they_are_written_in_a_program(make, sentence):
    with pytest.raises(ConfigError) as refused:
        make()

    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("table", "key", "sentence"),
    [
        ('type = "tumbling"\nsize = "0s"', "size", "must be longer than nothing"),
        ('type = "tumbling"\nsize = "-1h"', "size", "is no length of time"),
        ('type = "hopping"\nsize = "1h"\nhop = "0s"', "hop", "must be longer than nothing"),
        ('type = "hopping"\nsize = "1000000s"\nhop = "1ms"', "hop", "lies in 1000000000 windows; at most 10000"),
        ('type = "hopping"\nsize = "1000000s"\nhop = "999999999ms"', "hop", "from 1000000000 panes; at most 100000"),
        ('type = "cumulative"\nsize = "1h"\nstep = "7m"', "step", "not a whole number of steps"),
        ('type = "sliding"\nsize = "0s"', "size", "must be longer than nothing"),
        ('type = "session"\ngap = "0s"', "gap", "must be longer than nothing"),
    ],
)
def test_row_42_windows_that_can_never_be_are_refused_at_their_place_in_a_file(tmp_path, table, key, sentence):
    file = tmp_path / "job.toml"
    file.write_text(BASE.replace('type = "tumbling"\nsize = "1h"', table), encoding="utf-8")

    (problem,) = check(file, {})

    assert problem.key == f"window.{key}"
    assert sentence in problem.sentence
    assert file.read_text().splitlines()[problem.place.line - 1].startswith(f"{key} =")
